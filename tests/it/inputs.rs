//! The faults of inputs, as the user reads them. No request reaches the Hub.

use local_hub::{HubConfig, RepoType};

use crate::assert_ran;
use crate::harness::{Folder, Run, command, hub, hub_with, static_space};

macro_rules! fault {
    ($name:ident, $code:literal, $($input:literal = $value:expr),+) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let (hub, folder) = (hub().await, static_space());
            let ran = Run::new(&hub, &folder)$(.input($input, $value))+.run().await.failed(2, $code);
            assert_ran!(ran);
            assert_eq!(hub.requests().len(), 0, "a request before the inputs are valid");
        }
    };
}

fault!(
    all_faults_at_once,
    "invalid_input",
    "repo_type" = "spaces",
    "private" = "ture",
    "prune" = "maybe",
    "huggingface_repo" = "a/b/c",
    "revision" = "a b",
    "space_sdk" = "flask",
    "visibility" = "hidden"
);
fault!(a_boolean_outside_the_core_set, "invalid_input", "dry_run" = "yes");
fault!(private_and_visibility_at_odds, "invalid_input", "private" = "true", "visibility" = "public");
fault!(an_input_that_looks_like_a_typo, "invalid_input", "hugginface_repo" = "ada/app");
fault!(protected_is_for_spaces, "invalid_input", "repo_type" = "model", "visibility" = "protected");
fault!(a_value_among_the_names_of_secrets, "invalid_input", "secrets" = "API_KEY=very-secret-value");
fault!(
    lists_in_the_notation_of_yaml_and_json,
    "invalid_input",
    "secrets" = "- API_KEY\n- OTHER",
    "fallback_hardware" = "[\"t4-small\"]"
);
fault!(
    names_of_other_actions,
    "invalid_input",
    "path" = "dist",
    "publish-dir" = "dist",
    "working-directory" = "dist",
    "delete_removed" = "false",
    "env_vars" = "A=1",
    "ignore" = "*.png"
);
fault!(hardware_by_half_its_name, "invalid_input", "hardware" = "T4", "fallback_hardware" = "cpu, a100");
fault!(a_tag_is_no_branch, "invalid_input", "revision" = "refs/tags/v1");
fault!(a_name_with_blanks, "invalid_input", "huggingface_repo" = "My Cool Space");
fault!(a_path_of_the_hub_is_no_name, "invalid_input", "huggingface_repo" = "spaces/ada/demo");
fault!(single_quotes_are_no_json, "invalid_input", "api_args" = "['hello']");
fault!(a_secret_that_is_not_passed, "invalid_input", "secrets" = "API_KEY");
fault!(a_name_in_both_lists, "invalid_input", "secrets" = "GITHUB_SHA", "variables" = "GITHUB_SHA=1");
fault!(hardware_that_is_not_there, "invalid_input", "hardware" = "t4-smal");
fault!(a_bad_pattern, "invalid_input", "exclude" = "a/[");
fault!(
    limits_of_a_commit_that_are_none,
    "invalid_input",
    "max_commit_files" = "0",
    "max_commit_size" = "large"
);
fault!(a_path_outside_the_repo, "invalid_input", "path_in_repo" = "../up");
fault!(a_cache_outside_the_checkout, "invalid_input", "cache_path" = "../hashes");
fault!(
    settings_of_the_proxy_that_it_does_not_take,
    "invalid_input",
    "create_proxy" = "true",
    "proxy_settings" =
        "SPEED=fast\nTARGET_TOKEN=x\nPROXY_API_KEY=x\nMETRICS_TOKEN\nLOG_FORMAT\nLOG_FORMAT=text",
    "proxy_target_url" = "https://elsewhere.example"
);
fault!(
    settings_of_the_proxy_that_it_would_not_start_with,
    "invalid_input",
    "proxy_settings" = "RATE_LIMIT=abc\nALLOW_CREDENTIALS=true\nALLOW_PATH=/x\nDRAIN_TIMEOUT=soon"
);
fault!(a_check_without_a_wait, "invalid_input", "wait" = "false", "verify" = "health");
fault!(
    variables_that_should_be_secrets,
    "invalid_input",
    "variables" = "OPENAI_API_KEY=sk-proj-1\nMAX_TOKENS=4096\nDB=postgres://ada:hunter2@db.example/app"
);
fault!(a_source_that_is_not_there, "source_missing", "source_dir" = "nowhere");

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_spaces_get_a_warning_for_a_model() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder)
        .input("repo_type", "model")
        .input("space_sdk", "docker")
        .input("variables", "A=1")
        .input("hardware", "t4-small")
        .input("wait", "false")
        .input("create_proxy", "true")
        .run()
        .await
        .ended(0, "deployed");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_other_tools_read_otherwise_are_questioned() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder)
        .input("variables", "A=1, B=2\nQ=\"quoted\"\nC=1 # a comment")
        .input("timeout", "600000")
        .input("proxy_hf_token", "hf_ReadTokenOfTheProxyThatIsNot")
        .run()
        .await
        .ended(0, "deployed");
    assert_ran!(ran);
    let create = hub.requests().into_iter().find(|request| request.path == "/api/repos/create").unwrap();
    let body: serde_json::Value = serde_json::from_slice(&create.body).unwrap();
    let values: Vec<&str> =
        body["variables"].as_array().unwrap().iter().map(|entry| entry["value"].as_str().unwrap()).collect();
    assert_eq!(values, ["1, B=2", "quoted", "1 # a comment"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_runs_from_the_command_line() {
    let (hub, folder) = (hub().await, static_space());
    let run =
        async |arguments: &[&str]| command(&hub, folder.path(), &[&["deploy"], arguments].concat()).await;
    let (code, log) = run(&["--huggingface-repo", "ada/app", "--dry-run", "--wait=false"]).await;
    assert_eq!(code, 0, "{log}");
    assert!(hub.repo(RepoType::Space, "ada/app").tree("main").is_err(), "{log}");
    let (code, log) = run(&["--huggingface-repo", "ada/app", "--wait=false", "--exclude", "*.txt"]).await;
    assert_eq!(code, 0, "{log}");
    assert!(hub.repo(RepoType::Space, "ada/app").tree("main").is_ok(), "{log}");
    let (code, log) = run(&["--huggingface-repo", "a/b/c", "--prune", "maybe"]).await;
    assert_eq!(code, 2, "{log}");
    assert!(log.contains("`--huggingface-repo` must be") && log.contains("`--prune` must be"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn namespace_with_two_dashes_is_valid() {
    let owner = |config: &mut HubConfig| config.users[0].name = "ram--charan".to_owned();
    let (hub, folder) = (hub_with(owner).await, static_space());
    let run = Run::new(&hub, &folder).input("huggingface_repo", "ram--charan/demo");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!(ran.output("repo_id"), "ram--charan/demo");
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_branch_is_refused_before_a_repo_is_created() {
    let (hub, folder) = (hub().await, static_space());
    for (input, value) in [("revision", "refs/pr/3"), ("create_pr", "true")] {
        let run = Run::new(&hub, &folder).input("revision", "dev").input(input, value);
        run.run().await.failed(2, "revision_not_found");
        assert!(
            hub.requests()
                .iter()
                .all(|request| request.method == "GET" || request.path == "/api/validate-yaml")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_in_another_case_gets_a_suggestion() {
    let hub = hub().await;
    let folder = Folder::new(&[("app/index.html", "x"), ("tests/a.py", "x"), ("README.md", "x")]);
    let ran = Run::new(&hub, &folder).input("source_dir", "App").run().await.failed(2, "source_missing");
    assert_ran!(ran);
    let runner = Run::new(&hub, &folder).input("source_dir", "/__w/hello/hello/app");
    let ran = runner.run().await.failed(2, "source_missing");
    assert!(ran.log.contains("write `source_dir` relative to it: did you mean `app`?"), "{}", ran.log);
    assert_eq!(hub.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lfs_pointers() {
    let hub = hub().await;
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n", "a".repeat(64));
    let folder = Folder::new(&[("model.bin", &pointer), ("x/y.bin", &pointer), ("README.md", "hi")]);
    let ran = Run::new(&hub, &folder).input("repo_type", "model").run().await.failed(2, "lfs_pointer");
    assert_ran!(ran);
    assert_eq!(hub.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_newline() {
    let hub = hub().await;
    let folder = Folder::new(&[("a\n::error::b.txt", "x"), ("ok.txt", "x")]);
    let ran = Run::new(&hub, &folder).run().await.failed(2, "invalid_path");
    assert_ran!(ran);
    assert_eq!(hub.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_leave_the_source() {
    let hub = hub().await;
    let folder = Folder::new(&[("app.txt", "x"), ("dir/inner.txt", "y")]);
    for (target, link) in
        [("/etc/hostname", "out"), ("nowhere", "dangling"), ("app.txt", "fine"), ("dir", "folder")]
    {
        std::os::unix::fs::symlink(target, folder.path().join(link)).unwrap();
    }
    let ran = Run::new(&hub, &folder).run().await.failed(2, "link_outside_source");
    assert_ran!(ran);
}
