//! Warnings, exclusions and refusals before the first write.

use local_hub::{RepoType, TokenRole, User};

use crate::harness::{Folder, Run, hub, hub_with, static_space};
use crate::settings::refuse;

const READ_TOKEN: &str = "hf_ATokenThatMayOnlyRead";

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_without_a_token() {
    let (hub, folder) = (hub().await, static_space());
    let run = || Run::new(&hub, &folder).without("INPUT_HF_TOKEN").input("dry_run", "true");
    let ran = run().run().await.ended(0, "dry-run");
    assert!(ran.log.contains("it does not exist, or it is private and this run has no token"), "{}", ran.log);
    assert!(ran.log.contains("+ index.html"), "{}", ran.log);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "<h1>New</h1>\n");
    let ran = run().run().await.ended(0, "dry-run");
    assert!(ran.log.contains("~ index.html") && ran.log.contains("0 to add, 1 to update"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_with_a_token_that_may_only_read() {
    let reader = User { role: TokenRole::Read, ..User::new("ada", READ_TOKEN) };
    let hub = hub_with(|config| config.users.push(reader)).await;
    let folder = static_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "<h1>New</h1>\n");
    let run = Run::new(&hub, &folder).token(READ_TOKEN).input("dry_run", "true").input("variables", "A=1");
    let ran = run.run().await.ended(0, "dry-run");
    assert!(ran.log.contains("~ index.html"), "{}", ran.log);
    assert!(
        ran.log.contains("a deploy to the Space `ada/app` would be refused: the token is read-only"),
        "{}",
        ran.log
    );
    let writes = hub.requests().iter().filter(|request| request.path.ends_with("/commit/main")).count();
    assert_eq!(writes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_the_deploy_would_end_with() {
    let (hub, folder) = (hub().await, static_space());
    let run = Run::new(&hub, &folder).input("huggingface_repo", "other/app").input("dry_run", "true");
    let ran = run.run().await.ended(0, "dry-run");
    assert!(ran.log.contains("::warning::a deploy to the Space `other/app` would be refused"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_gets_no_secrets_is_skipped_whatever_secrets_it_names() {
    let (hub, folder) = (hub().await, static_space());
    let run = |input: &str, value: &str| {
        Run::new(&hub, &folder)
            .input("hf_token", "")
            .var("GITHUB_EVENT_NAME", "pull_request")
            .var("DB_URL", "")
            .input("secrets", "DB_URL")
            .input("proxy_settings", "PROXY_API_KEY")
            .input(input, value)
    };
    run("missing_token", "skip").run().await.ended(0, "skipped");
    run("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(
        hub.requests()
            .iter()
            .all(|request| request.method == "GET" || request.path.contains("validate-yaml"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_space_without_an_app_is_not_made() {
    let hub = hub().await;
    for (sdk, file) in [("gradio", "app.py"), ("docker", "Dockerfile")] {
        let folder = Folder::new(&[("notes.txt", "nothing runs\n")]);
        let run = || Run::new(&hub, &folder).input("space_sdk", sdk);
        let ran = run().run().await.failed(2, "space_without_app");
        assert!(ran.log.contains(&format!("the folder has no `{file}`")), "{}", ran.log);
        assert!(hub.requests().iter().all(|request| !request.path.ends_with("/repos/create")));
    }
    let named =
        Folder::new(&[("README.md", "---\nsdk: gradio\napp_file: demo/run.py\n---\n"), ("demo/run.py", "")]);
    Run::new(&hub, &named).run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_s_own_rules_for_large_files_stay() {
    let hub = hub().await;
    let folder = Folder::new(&[(".gitattributes", "* text=auto\n"), ("sub/.gitattributes", "*.x text\n")]);
    folder.write("model.safetensors", vec![1; 300_000]);
    let run = || Run::new(&hub, &folder).input("repo_type", "model");
    let ran = run().run().await.ended(0, "deployed");
    assert!(ran.log.contains("`.gitattributes` is left out"), "{}", ran.log);
    let rules = || {
        let rules = hub.repo(RepoType::Model, "ada/app").read_file("main", ".gitattributes").unwrap();
        String::from_utf8(rules).unwrap()
    };
    assert!(rules().contains("*.safetensors filter=lfs") && !rules().contains("text=auto"), "{}", rules());
    run().run().await.ended(0, "unchanged");
    assert_eq!(
        hub.repo(RepoType::Model, "ada/app").read_file("main", "sub/.gitattributes").unwrap(),
        b"*.x text\n"
    );
    let only = Folder::new(&[(".gitattributes", "* text=auto\n")]);
    let ran = Run::new(&hub, &only).run().await.failed(2, "source_missing");
    assert!(ran.log.contains("nothing to deploy but `.gitattributes`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gitignore_leaves_out_is_warned_of() {
    let (hub, folder) = (hub().await, static_space());
    folder.write(".gitignore", "dist/\n");
    folder.write("dist/app.js", "1");
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let warning = "left out, because a `.gitignore` in the folder or in the repo matches: `dist/` (to deploy";
    assert!(
        ran.log.contains(&format!("::warning::{warning}")) && ran.summary.contains("dist/"),
        "{}",
        ran.log
    );
    assert!(hub.repo(RepoType::Space, "ada/app").read_file("main", "dist/app.js").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_keep_their_words_whatever_a_secret_is() {
    let (hub, folder) = (hub().await, static_space());
    let run = Run::new(&hub, &folder).input("secrets", "DEBUG").var("DEBUG", "false");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!(ran.output("proxy_enabled"), "false");
}

/// Spaces do get the name of their owner, or a word of their own name, as a secret.
#[tokio::test(flavor = "multi_thread")]
async fn outputs_keep_the_names_that_the_workflow_gives_whatever_a_secret_is() {
    for value in ["ada", "app", "ada-app", "space", "RUNNING", "spaces/ada"] {
        let (hub, folder) = (hub().await, static_space());
        let run = Run::new(&hub, &folder).input("secrets", "HF_USERNAME").var("HF_USERNAME", value);
        let ran = run.run().await.ended(0, "deployed");
        assert_eq!(ran.output("repo_id"), "ada/app");
        assert_eq!(ran.output("space_stage"), "RUNNING");
        for output in ["repo_url", "space_url", "commit_url", "commit_sha"] {
            assert!(!ran.output(output).contains("***"), "{value}: {}", ran.output(output));
        }
        assert!(
            ran.log.contains(
                "is part of ordinary text, such as names and addresses: the value of `HF_USERNAME`"
            ),
            "{}",
            ran.log
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_is_asked_for_at_creation_too() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\nsdk: docker\n---\n"), ("Dockerfile", "FROM scratch\n")]);
    refuse(&hub, ("POST", "/repos/create"), 1, (402, "Add a payment method"));
    let run = Run::new(&hub, &folder).input("hardware", "a100-large").input("fallback_hardware", "t4-small");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!((ran.output("hardware_status"), ran.output("space_hardware")), ("granted", "t4-small"));
    let creations = hub.requests().iter().filter(|request| request.path.ends_with("/repos/create")).count();
    assert_eq!(creations, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_is_followed_to_its_new_name() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let body = r#"{"fromRepo":"ada/app","toRepo":"ada/renamed","type":"space"}"#;
    let moved = crate::proxy::client()
        .post(format!("{}/api/repos/move", hub.endpoint()))
        .bearer_auth(crate::harness::TOKEN)
        .header("content-type", "application/json")
        .body(body);
    assert!(moved.send().await.unwrap().status().is_success());
    folder.write("index.html", "<h1>New</h1>\n");
    let ran = Run::new(&hub, &folder).input("variables", "A=1").run().await.ended(0, "deployed");
    assert!(ran.log.contains("is `ada/renamed` now: write that in `huggingface_repo`"), "{}", ran.log);
    assert_eq!(ran.output("repo_id"), "ada/renamed");
    let page = hub.repo(RepoType::Space, "ada/renamed").read_file("main", "index.html").unwrap();
    assert_eq!(page, b"<h1>New</h1>\n");
}
