//! Each input fault, as the user reads it. Nothing is asked of the Hub.

use crate::assert_ran;
use crate::harness::{Folder, Run, hub, static_space};

macro_rules! fault {
    ($name:ident, $code:literal, $($input:literal = $value:expr),+) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let (hub, folder) = (hub().await, static_space());
            let ran = Run::new(&hub, &folder)$(.input($input, $value))+.run().await.failed(2, $code);
            assert_ran!(ran);
            assert_eq!(hub.requests().len(), 0, "nothing is asked before all inputs are right");
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
fault!(a_proxy_is_for_spaces, "invalid_input", "repo_type" = "dataset", "create_proxy" = "true");
fault!(
    settings_are_for_spaces,
    "invalid_input",
    "repo_type" = "model",
    "variables" = "A=1",
    "hardware" = "t4-small",
    "wait" = "true"
);
fault!(a_value_among_the_names_of_secrets, "invalid_input", "secrets" = "API_KEY=very-secret-value");
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
