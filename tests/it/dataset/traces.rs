//! Sessions of agents: uploaded without secrets, in the format that the Hub shows.

use local_hub::RepoType;
use serde_json::Value;

use super::{read, run};
use crate::assert_ran;
use crate::harness::{Folder, Ran, TestHub, files_below, hub};

/// Value of a secret that the step names.
const NAMED: &str = "a-value-that-no-pattern-knows-42";
/// Values of variables that are secrets by the ends of their names.
const VARIABLES: [(&str, &str); 4] = [
    ("REGISTRY_TOKEN", "registry-value-one"),
    ("SIGNING_KEY", "signing-value-two"),
    ("CLIENT_SECRET", "client-value-three"),
    ("DB_PASSWORD", "database-value-four"),
];
const EMAIL: &str = "ada@example.com";

/// Secrets of the usual makes, put together at run time, so that no scanner reports this file.
fn makes() -> Vec<String> {
    let random = "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKiBtXo6CnWzQrSyEjFhGlDaPmIuO1T0q7Zk2VbN9xTfLw4R";
    let token = |prefix: &str, length: usize| format!("{prefix}{}", &random[..length]);
    vec![
        token("hf_", 34),
        token("ghp_", 36),
        token("sk-ant-api03-", 75),
        token("AIza", 35),
        format!("AKIA{}", "Q7ZK2VBN4XTFLW5R"),
        format!("eyJhbGciOi{}.eyJzdWIi{}.{}", &random[..12], &random[..20], &random[..30]),
        token("glpat-", 20),
        random[30..54].to_owned(),
    ]
}

/// Each planted secret.
fn planted() -> Vec<String> {
    let values = VARIABLES.map(|(_, value)| value.to_owned());
    makes().into_iter().chain(values).chain([NAMED.to_owned()]).collect()
}

/// Sessions of three programs with secrets in them, and files beside them.
fn sessions() -> Folder {
    let [tokens @ .., bearer] = &makes()[..] else { panic!("there are secrets") };
    let text = format!("{} and Authorization: Bearer {bearer}", tokens.join(" and "));
    let variables = VARIABLES.map(|(_, value)| value).join(", ");
    let claude = format!(
        "{{\"type\":\"user\",\"sessionId\":\"s\",\"uuid\":\"u\",\"message\":{{\"role\":\"user\",\"content\":\"use {text}\"}}}}\n"
    );
    let codex = format!(
        "{{\"timestamp\":\"t\",\"type\":\"session_meta\",\"payload\":{{\"id\":\"x\"}}}}\n{{\"timestamp\":\"t\",\"type\":\"response_item\",\"payload\":{{\"type\":\"function_call_output\",\"output\":\"{{\\\"env\\\":\\\"{variables}\\\"}}\"}}}}\n"
    );
    let other = format!(
        "{{\"role\":\"user\",\"content\":\"log in\"}}\n{{\"role\":\"assistant\",\"content\":\"export X={NAMED}\"}}\n"
    );
    let many = format!(
        "[{{\"messages\":[{{\"role\":\"user\",\"content\":\"a\"}}]}},\n{{\"messages\":[{{\"role\":\"user\",\"content\":\"write to {EMAIL}\"}}]}}]\n"
    );
    let pi = "{\"type\":\"session\",\"version\":3,\"id\":\"p\",\"timestamp\":\"t\",\"cwd\":\"/w\"}\n{\"type\":\"message\",  \"message\":{\"role\":\"user\",\"content\":\"h\\u00e9\"}}\n";
    Folder::new(&[
        ("claude/one.jsonl", &claude),
        ("codex/two.jsonl", &codex),
        ("own/many.json", &many),
        ("own/three.ndjson", &other),
        ("pi/four.jsonl", pi),
        ("notes.txt", &format!("The values were {} and {NAMED}.\n", makes()[1])),
        ("picture.png", "\u{0}PNG"),
    ])
}

async fn run_traces(hub: &TestHub, folder: &Folder, inputs: &[(&str, &str)]) -> Ran {
    let run = run(hub, folder).input("kind", "traces").secret("SIGN_IN", NAMED);
    let run = VARIABLES.iter().fold(run, |run, (name, value)| run.secret(name, value));
    let ran = inputs.iter().fold(run, |run, (name, value)| run.input(name, value)).run().await;
    let bundle = files_below(&folder.path().join(".hf-deploy"));
    let bundle = bundle.iter().map(|(_, content)| String::from_utf8_lossy(content));
    let texts = [ran.log.clone(), ran.summary.clone(), format!("{:?}", ran.outputs)];
    for text in bundle.map(String::from).chain(texts) {
        for secret in makes() {
            assert!(!text.contains(&secret), "{text}");
        }
    }
    ran
}

/// Asserts that no uploaded byte belongs to a planted secret.
fn assert_no_secret(hub: &TestHub) {
    let repo = hub.repo(RepoType::Dataset, "ada/rows");
    for path in repo.tree("main").unwrap().keys() {
        let content = repo.read_file("main", path).unwrap();
        let content = String::from_utf8_lossy(&content);
        for secret in planted() {
            assert!(!content.contains(&secret), "{path}: {content}");
        }
    }
}

/// Reads the files of the user, without those of the run.
fn own_files(folder: &Folder) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = files_below(folder.path()).into_iter();
    let mut files: Vec<_> =
        files.filter(|(path, _)| !path.starts_with(folder.path().join(".hf-deploy"))).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_uploaded_without_their_secrets() {
    let (hub, folder) = (hub().await, sessions());
    let before = own_files(&folder);
    let inputs = [("secrets", "SIGN_IN"), ("tags", "toy")];
    let ran = run_traces(&hub, &folder, &inputs).await.ended(0, "deployed");
    assert_ran!(ran);
    assert_no_secret(&hub);
    assert_eq!(own_files(&folder), before, "the folder stays as it is");
    assert_eq!((ran.output("redactions"), ran.output("files"), ran.output("splits")), ("15", "5", ""));
    let tree = hub.repo(RepoType::Dataset, "ada/rows").tree("main").unwrap();
    let files = [
        ".gitattributes",
        "README.md",
        "claude/one.jsonl",
        "codex/two.jsonl",
        "notes.txt",
        "own/many-00001.jsonl",
        "own/many-00002.jsonl",
        "own/three.jsonl",
        "picture.png",
        "pi/four.jsonl",
    ];
    assert_eq!(tree.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), files.into());
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("card_of_sessions", read(&hub, "README.md"));
        insta::assert_snapshot!("converted_session", read(&hub, "own/three.jsonl"));
    });
    assert!(read(&hub, "own/many-00002.jsonl").contains(EMAIL), "e-mail addresses stay");
    run_traces(&hub, &folder, &inputs).await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_known_programs_pass_through() {
    let (hub, folder) = (hub().await, sessions());
    run_traces(&hub, &folder, &[("secrets", "SIGN_IN")]).await.ended(0, "deployed");
    let pi = std::fs::read_to_string(folder.path().join("pi/four.jsonl")).unwrap();
    assert_eq!(read(&hub, "pi/four.jsonl"), pi, "byte by byte");
    for path in ["claude/one.jsonl", "codex/two.jsonl"] {
        let sent = std::fs::read_to_string(folder.path().join(path)).unwrap();
        let found = read(&hub, path);
        assert_eq!(found.lines().count(), sent.lines().count(), "{found}");
        for (sent, found) in sent.lines().zip(found.lines()) {
            let [sent, found] = [sent, found].map(|line| serde_json::from_str::<Value>(line).unwrap());
            assert_eq!((&sent["type"], &sent["sessionId"]), (&found["type"], &found["sessionId"]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e_mail_addresses_are_replaced_on_request() {
    let (hub, folder) = (hub().await, sessions());
    let inputs = [("secrets", "SIGN_IN"), ("redact_emails", "true")];
    let ran = run_traces(&hub, &folder, &inputs).await.ended(0, "deployed");
    assert_no_secret(&hub);
    assert!(!read(&hub, "own/many-00002.jsonl").contains(EMAIL));
    assert!(ran.summary.contains("| an e-mail address | 1 |"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_upload_is_asked_for_and_warned_about() {
    let (hub, folder) = (hub().await, sessions());
    let ran = run_traces(&hub, &folder, &[("raw_traces", "true")]).await.ended(0, "deployed");
    assert!(ran.log.contains("::warning::`raw_traces` uploads the sessions as they are"), "{}", ran.log);
    assert!(read(&hub, "claude/one.jsonl").contains(&makes()[1]));
    assert!(read(&hub, "README.md").contains("- agent-traces\n"));
    assert_eq!(ran.output("redactions"), "0");
    let public = [("raw_traces", "true"), ("private", "false"), ("repo", "ada/open")];
    run_traces(&hub, &folder, &public).await.failed(2, "secrets_in_files");
    assert_eq!(hub.repo(RepoType::Dataset, "ada/open").visibility(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tag_is_added_to_the_card_of_a_person() {
    let (hub, folder) = (hub().await, sessions());
    folder.write("README.md", "---\ntags:\n- ours\n---\nMy words\n");
    run_traces(&hub, &folder, &[("secrets", "SIGN_IN")]).await.ended(0, "deployed");
    let readme = read(&hub, "README.md");
    assert!(readme.starts_with("---\ntags:\n- ours\n- agent-traces\n"), "{readme}");
    assert!(readme.ends_with("---\nMy words\n"), "{readme}");
}

#[tokio::test(flavor = "multi_thread")]
async fn single_file_becomes_its_sessions() {
    let (hub, folder) = (hub().await, sessions());
    let ran = run_traces(&hub, &folder, &[("path", "own/many.json")]).await.ended(0, "deployed");
    assert_eq!((ran.output("files"), ran.output("rows")), ("1", "4"));
    let tree = hub.repo(RepoType::Dataset, "ada/rows").tree("main").unwrap();
    let files = [".gitattributes", "README.md", "many-00001.jsonl", "many-00002.jsonl"];
    assert_eq!(tree.keys().collect::<Vec<_>>(), files);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_reported_before_anything_is_sent() {
    let hub = hub().await;
    let key = format!("{}.jsonl", makes().remove(1));
    for (files, code, reason) in [
        (&[("a.txt", "text\n")][..], "source_missing", "`path` holds no file with sessions"),
        (
            &[("a/b.jsonl", "{\"role\":\"user\",\"content\":\"x\"}\nno json\n")],
            "invalid_dataset",
            "`a/b.jsonl:2` is no JSON object",
        ),
        (&[("a.jsonl", "")], "invalid_dataset", "`a.jsonl` is empty"),
        (
            &[
                ("a.json", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"),
                ("a.jsonl", "{\"role\":\"user\",\"content\":\"x\"}\n"),
            ],
            "invalid_dataset",
            "`a.jsonl` would be uploaded as `a.jsonl`, which is the name of another file",
        ),
        (
            &[("a.jsonl", "{\"role\":\"user\",\"content\":\"x\"}\n"), ("b.bin", "\u{0}")],
            "invalid_dataset",
            "`b.bin` is no UTF-8 text, so that it cannot be searched for secrets",
        ),
        (
            &[(key.as_str(), "{\"role\":\"user\",\"content\":\"x\"}\n")],
            "invalid_dataset",
            "`***.jsonl` has a secret in its name",
        ),
    ] {
        let ran = run_traces(&hub, &Folder::new(files), &[]).await.failed(2, code);
        assert!(ran.log.contains(reason), "{reason}\n{}", ran.log);
        assert_eq!(hub.repo(RepoType::Dataset, "ada/rows").visibility(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_without_a_conversation_is_one_of_the_other_files() {
    let hub = hub().await;
    let settings = format!("{{\n  \"env\": {{\"X\": \"{{\\\"token\\\": \\\"{}\\\"}}\"}}\n}}\n", makes()[0]);
    let folder = Folder::new(&[
        ("chat.json", "{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}]}\n"),
        ("settings.json", &settings),
        ("todos/1.json", "[{\"content\": \"write tests\", \"status\": \"pending\"}]\n"),
    ]);
    let ran = run_traces(&hub, &folder, &[]).await.ended(0, "deployed");
    assert_eq!((ran.output("files"), ran.output("redactions")), ("1", "1"));
    let warning = "::warning::uploaded as other files, because they hold no conversation and no message: `settings.json`, `todos/1.json`";
    assert!(ran.log.contains(warning), "{}", ran.log);
    let tree = hub.repo(RepoType::Dataset, "ada/rows").tree("main").unwrap();
    let files = [".gitattributes", "README.md", "chat.jsonl", "settings.json", "todos/1.json"];
    assert_eq!(tree.keys().collect::<Vec<_>>(), files);
    assert_no_secret(&hub);
    let sent = std::fs::read_to_string(folder.path().join("todos/1.json")).unwrap();
    assert_eq!(read(&hub, "todos/1.json"), sent, "byte by byte");
    folder.remove("chat.json");
    for raw in ["false", "true"] {
        let ran = run_traces(&hub, &folder, &[("raw_traces", raw)]).await.failed(2, "source_missing");
        let reason = "no conversation and no message is in `settings.json`, `todos/1.json`";
        assert!(ran.log.contains(reason), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn line_that_was_cut_off_is_left_out() {
    let hub = hub().await;
    let session = "{\"type\":\"user\",\"sessionId\":\"s\",\"message\":{}}\n";
    let folder = Folder::new(&[("one.jsonl", &format!("{session}{{\"type\":\"assi"))]);
    let ran = run_traces(&hub, &folder, &[]).await.ended(0, "deployed");
    assert!(ran.log.contains("::warning::the last line is cut off"), "{}", ran.log);
    assert_eq!(read(&hub, "one.jsonl"), session);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_cannot_be_written_end_the_run() {
    let (hub, folder) = (hub().await, sessions());
    let run = run(&hub, &folder).input("kind", "traces").var("TMPDIR", "/dev/null/none");
    let ran = run.run().await.failed(1, "local_io");
    assert!(ran.log.contains("cannot write a copy of the sessions"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Dataset, "ada/rows").visibility(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_the_other_kind_have_no_effect() {
    let (hub, folder) = (hub().await, sessions());
    let inputs = [("splits", "train=a"), ("config_name", "en"), ("dry_run", "true"), ("secrets", "SIGN_IN")];
    let ran = run_traces(&hub, &folder, &inputs).await.ended(0, "dry-run");
    let warning = "`splits`, `config_name` have no effect: `kind: traces`";
    assert!(ran.log.contains(warning), "{}", ran.log);
    let rows = Folder::new(&[("a.csv", "a\n1\n")]);
    let ran = run(&hub, &rows).input("raw_traces", "true").run().await.ended(0, "deployed");
    assert!(ran.log.contains("`raw_traces` has no effect: `kind: data`"), "{}", ran.log);
    let ran = run_traces(&hub, &folder, &[("secrets", "SHORT\nMISSING")]).await.failed(2, "invalid_input");
    assert!(ran.log.contains("`secrets` names `MISSING`, which"), "{}", ran.log);
}
