//! Secrets that would become public: in files, and among variables.

use local_hub::{LocalHub, RepoType};

use crate::assert_ran;
use crate::harness::{Folder, Run, hub, paths, static_space};

/// Looks like a token of the Hub, and is none. In two parts, so that no scanner takes this file for a leak.
fn token() -> String {
    format!("hf_{}", "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKi")
}

fn private_key() -> String {
    let body = "MIIEpQIBAAKCAQEAq7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKiBtXo6CnWzQrSyE";
    format!("-----BEGIN RSA {}-----\n{body}\n-----END RSA PRIVATE KEY-----\n", "PRIVATE KEY")
}

/// A checkout in which earlier steps left what should stay there.
fn careless_space() -> Folder {
    let folder = static_space();
    folder.write(".env", "K=sk-proj-1\n");
    folder.write(".env.example", "K=\n");
    folder.write("id_rsa", private_key());
    folder.write("gha-creds-0123456789abcdef.json", "{}");
    folder.write("src/config.js", format!("// the API\nexport const TOKEN = \"{}\";\n", token()));
    folder.write("docs.md", "Set `hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` or `hf_your_token`.\n");
    folder
}

fn writes(hub: &LocalHub) -> usize {
    let is_write = |path: &str| !path.contains("validate-yaml") && !path.contains("/preupload/");
    hub.requests().iter().filter(|request| request.method != "GET" && is_write(&request.path)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_files_do_not_become_public() {
    let (hub, folder) = (hub().await, careless_space());
    let run = || Run::new(&hub, &folder).input("visibility", "public");
    let ran = run().run().await.failed(2, "secrets_in_files");
    assert_ran!(ran);
    assert!(!ran.log.contains(&token()) && !ran.summary.contains(&token()));
    run().input("dry_run", "true").run().await.failed(2, "secrets_in_files");
    assert_eq!(writes(&hub), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_of_the_hint_leave_the_secrets_out() {
    let (hub, folder) = (hub().await, careless_space());
    let ran = Run::new(&hub, &folder).run().await.failed(2, "secrets_in_files");
    let (_, hint) = ran.log.split_once("in `exclude`: ").unwrap();
    let lines: Vec<&str> = hint.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    let ran = Run::new(&hub, &folder).input("exclude", &lines.join("\n")).run().await.ended(0, "deployed");
    assert!(!ran.log.contains("::warning"), "{}", ran.log);
    assert_eq!(
        paths(&hub, RepoType::Space),
        [".env.example", ".gitattributes", "README.md", "docs.md", "index.html", "style.css"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_can_read_the_repo_decides() {
    for (visibility, policy, code) in [
        ("private", "", 0),
        ("protected", "", 0),
        ("public", "warn", 0),
        ("public", "ignore", 0),
        ("private", "error", 2),
    ] {
        let (hub, folder) = (hub().await, careless_space());
        let run =
            || Run::new(&hub, &folder).input("visibility", visibility).input("secrets_in_files", policy);
        let ran = run().run().await;
        assert_eq!(ran.code, code, "{visibility} {policy}: {}", ran.log);
        let warned = ran.log.contains("::warning::") && ran.log.contains("`id_rsa`, line 1: a private key")
            || ran.log.contains("`id_rsa`: a private key");
        assert_eq!(warned, policy != "ignore", "{visibility} {policy}: {}", ran.log);
        if (visibility, policy) == ("private", "") {
            assert_ran!(ran);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_has_no_secrets_to_move_them_to() {
    let hub = hub().await;
    let folder = Folder::new(&[("data.csv", "1\n"), ("keys/server.pem", &private_key())]);
    let ran = Run::new(&hub, &folder).input("repo_type", "dataset").run().await;
    let ran = ran.failed(2, "secrets_in_files");
    assert!(ran.log.contains("`exclude`: `/keys/server.pem`"), "{}", ran.log);
    assert!(!ran.log.contains("name it in `secrets`"), "{}", ran.log);
    assert_eq!(writes(&hub), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_sent_is_searched() {
    let (hub, folder) = (hub().await, careless_space());
    let run = |policy: &str| Run::new(&hub, &folder).input("secrets_in_files", policy);
    run("ignore").run().await.ended(0, "deployed");
    folder.write("index.html", "<h1>New</h1>\n");
    run("").run().await.ended(0, "deployed");
    folder.write("src/config.js", format!("const A = 1;\n\nconst TOKEN = \"{}\";\n", token()));
    hub.clear_requests();
    let ran = run("").run().await.failed(2, "secrets_in_files");
    assert!(ran.log.contains("`src/config.js`, line 3: a Hugging Face token"), "{}", ran.log);
    assert!(!ran.log.contains("id_rsa"), "{}", ran.log);
    assert!(ran.log.contains("::error file=src/config.js,line=3::"), "{}", ran.log);
    assert_eq!(writes(&hub), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repo_that_would_become_public_is_not_published_with_its_secrets() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).input("private", "true").run().await.ended(0, "deployed");
    folder.write(".env.local", "K=1\n");
    hub.clear_requests();
    let run = Run::new(&hub, &folder).input("visibility", "public");
    run.run().await.failed(2, "secrets_in_files");
    assert_eq!(writes(&hub), 0);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").visibility().as_deref(), Some("private"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repo_is_not_published_with_secrets_that_do_not_change() {
    let (hub, folder) = (hub().await, static_space());
    folder.write(".env.local", "K=1\n");
    Run::new(&hub, &folder).input("private", "true").run().await.ended(0, "deployed");
    hub.clear_requests();
    let publish = || Run::new(&hub, &folder).input("visibility", "public");
    publish().run().await.failed(2, "secrets_in_files");
    // Nor with those that only the Hub has.
    folder.remove(".env.local");
    publish().input("prune", "false").input("exclude", "none-such").run().await.failed(2, "secrets_in_files");
    assert_eq!(writes(&hub), 0);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").visibility().as_deref(), Some("private"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_only_looks_like_a_secret_passes_by_the_input() {
    let (hub, folder) = (hub().await, static_space());
    let run = |policy: &str| {
        Run::new(&hub, &folder).input("variables", "SORTING_KEY=name").input("secrets_in_files", policy)
    };
    run("").run().await.failed(2, "invalid_input");
    let ran = run("warn").run().await.ended(0, "deployed");
    assert!(ran.log.contains("::warning::`variables` holds `SORTING_KEY`"), "{}", ran.log);
    let ran = run("ignore").run().await.ended(0, "unchanged");
    assert!(!ran.log.contains("::warning"), "{}", ran.log);
}
