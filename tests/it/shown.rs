//! The summary, the annotation and the log of a run, as a reader meets them.

use std::time::Duration;

use local_hub::{BuildScript, RepoType, StageStep};

use crate::assert_ran;
use crate::harness::{Folder, Ran, Run, TestHub, command, hub, hub_with, static_space};

const APP: &str = "ada/app";

fn docker_space() -> Folder {
    Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: docker\n---\n"),
        ("Dockerfile", "FROM scratch\n"),
        ("old.txt", "old\n"),
    ])
}

/// Returns the names of the rows in the table of facts.
fn facts(ran: &Ran) -> Vec<&str> {
    let table = ran.summary.split("####").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.filter(|name| !name.starts_with("---")).collect()
}

fn outputs(ran: &Ran) -> [&str; 4] {
    ["status", "settings_changed", "visibility", "created"].map(|name| ran.output(name))
}

/// Returns the lines of the log without the commands of the runner.
fn lines(ran: &Ran) -> Vec<&str> {
    ran.log.lines().filter(|line| !line.starts_with("::")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn summary_begins_with_what_a_reader_opens_first() {
    let hub = hub_with(|config| config.edge = true).await;
    let folder = static_space();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(facts(&ran), ["App", "Check", "Space", "Commit", "Took", "Files"]);
    assert!(ran.summary.contains("| Check | ✅ the app answers (`health_only`) |"), "{}", ran.summary);
    assert!(ran.summary.contains("/spaces/ada/app): public, new |"), "{}", ran.summary);
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let source = format!(" from [0123456](https://github.example/octo/hello/commit/{sha}) on GitHub |");
    assert!(ran.summary.contains(&source), "{}", ran.summary);
    assert_eq!(outputs(&ran), ["deployed", "false", "public", "true"]);
    let again = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
    assert!(again.summary.contains("), as before |"), "{}", again.summary);
    assert!(!again.summary.contains("0123456"), "the commit is not of this run: {}", again.summary);
    assert_eq!(&outputs(&again)[1..], ["false", "", "false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_has_its_price_and_settings_are_counted_as_a_change() {
    let (hub, folder) = (hub().await, docker_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let run = |dry_run: &str| {
        Run::new(&hub, &folder)
            .input("hardware", "t4-small")
            .input("sleep_time", "1h")
            .input("variables", "MODE=fast")
            .input("dry_run", dry_run)
    };
    let dry = run("true").run().await.ended(0, "dry-run");
    assert_eq!(&outputs(&dry)[1..], ["true", "", "false"]);
    assert!(dry.summary.starts_with(
        "### 🔍 Dry run: a deploy would change the settings of the Space `ada/app`, and no file\n\nNothing was changed.\n"
    ), "{}", dry.summary);
    for row in [
        "| Hardware | would request `t4-small`, $0.40 per hour (now `cpu-basic`) |",
        "| Settings | would set the variable `MODE`; would set the sleep time (after 1 h) |",
        "| Files | 3 unchanged |",
    ] {
        assert!(dry.summary.contains(row), "{row}:\n{}", dry.summary);
    }
    let ran = run("false").run().await.ended(0, "deployed");
    assert_eq!(&outputs(&ran)[1..], ["true", "", "false"]);
    assert!(ran.summary.contains("| Hardware | `t4-small`, $0.40 per hour, granted to this run |"));
    assert!(ran.summary.contains("| Settings | set the variable `MODE`; set the sleep time (after 1 h) |"));
    assert!(lines(&ran).contains(&"no file changed: the Space has its 3 files already"), "{}", ran.log);
    let again = run("false").run().await.ended(0, "unchanged");
    assert!(again.summary.contains("| Hardware | `t4-small`, $0.40 per hour |"), "{}", again.summary);
    assert_eq!(&outputs(&again)[1..], ["false", "", "false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_come_first_and_long_lists_are_folded() {
    let hub = hub().await;
    let folder = docker_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.remove("old.txt");
    for number in 0..11 {
        folder.write(&format!("data/{number}.txt"), format!("{number}\n"));
    }
    let dry = Run::new(&hub, &folder).input("dry_run", "true").run().await.ended(0, "dry-run");
    let deleted = "#### 1 file would be deleted\n\n- `old.txt`\n\n";
    let folded =
        "<details>\n<summary>11 files would be added or updated</summary>\n\n| Change | Path | Size |\n";
    assert!(dry.summary.contains(&format!("{deleted}{folded}")), "{}", dry.summary);
    assert!(dry.summary.contains("| Files | would add 11, delete 1; 2 unchanged |"), "{}", dry.summary);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let folded = "<details>\n<summary>11 files added or updated</summary>\n\n";
    assert!(
        ran.summary.contains(&format!("#### 1 file deleted\n\n- `old.txt`\n\n{folded}")),
        "{}",
        ran.summary
    );
}

/// Scripts a build that fails.
fn build_fails(hub: &TestHub) {
    let steps = vec![StageStep::error(Duration::from_millis(1500), "BUILD_ERROR", "exit code: 1")];
    let build_log = vec![(Duration::from_millis(100), "ERROR: no such package".to_owned())];
    let script = BuildScript { cause: None, steps, build_log, run_log: Vec::new() };
    hub.space(APP).script_builds(vec![script]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_comes_first_and_a_rollback_shows_what_is_live() {
    let (hub, folder) = (hub().await, docker_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = hub.repo(RepoType::Space, APP).head("main").unwrap();
    folder.write("Dockerfile", "FROM nothing\n");
    build_fails(&hub);
    let run = Run::new(&hub, &folder).input("on_failure", "rollback");
    let ran = run.run().await.ended(1, "rolled-back");
    let parts = [
        "**the Space `ada/app` did not build",
        "\n- ",
        "Error code: ",
        "The end of the build log",
        "| Live now |",
    ];
    let places =
        parts.map(|part| ran.summary.find(part).unwrap_or_else(|| panic!("{part}:\n{}", ran.summary)));
    assert!(places.is_sorted(), "{}", ran.summary);
    let page = format!("{}/spaces/ada/app/commit", hub.endpoint());
    let live = format!("| Live now | the files of [{}]({page}/{before}), restored by commit [", &before[..7]);
    assert!(ran.summary.contains(&live), "{}", ran.summary);
    assert!(ran.summary.contains("\n| Failed commit | ["), "{}", ran.summary);
    assert!(ran.summary.contains("#### 1 file added or updated, and restored"), "{}", ran.summary);
    assert_eq!(&outputs(&ran)[1..], ["false", "", "false"]);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_that_wrote_nothing_reports_nothing_as_changed() {
    let (hub, folder) = (hub().await, docker_space());
    let ran = Run::new(&hub, &folder).input("repo_type", "nothing").run().await.failed(2, "invalid_input");
    assert_eq!(outputs(&ran), ["failed", "false", "", "false"]);
    build_fails(&hub);
    let ran =
        Run::new(&hub, &folder).input("visibility", "private").run().await.failed(1, "space_build_failed");
    assert_eq!(outputs(&ran), ["failed", "false", "private", "true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn annotation_links_the_code_in_the_version_that_runs() {
    let (hub, folder) = (hub().await, docker_space());
    let run = || Run::new(&hub, &folder).input("repo_type", "nothing");
    let link = "https://github.example/octo/hf-deploy/blob/v1/.github/SUPPORT.md#invalid_input";
    let ran = run().run().await.failed(2, "invalid_input");
    let annotation = ran.log.lines().find(|line| line.starts_with("::error ")).unwrap();
    assert!(annotation.ends_with(&format!("%0Ahelp: {link}")), "{annotation}");
    assert!(
        ran.summary.contains(&format!("Error code: `invalid_input` ([help]({link}))")),
        "{}",
        ran.summary
    );
    // An action of the checkout has no version that GitHub could show.
    for (name, value) in
        [("GITHUB_ACTION_REPOSITORY", ""), ("GITHUB_ACTION_REF", ""), ("GITHUB_SERVER_URL", "")]
    {
        let ran = run().var(name, value).run().await.failed(2, "invalid_input");
        assert!(!ran.log.contains("help:") && !ran.summary.contains("[help]"), "{name}:\n{}", ran.log);
        assert!(ran.summary.contains("Error code: `invalid_input`\n"), "{}", ran.summary);
    }
    let ran = run().action("verify").input("space", "not/a/space").run().await;
    assert!(ran.code == 2 && ran.log.contains(&format!("%0Ahelp: {link}")), "{}", ran.log);
    let (code, text) = command(&hub, folder.path(), &["deploy", "--repo-type", "nothing"]).await;
    assert!(code == 2 && text.ends_with("\nhelp: .github/SUPPORT.md#invalid_input\n"), "{text}");
}

/// Finds sentences that a log has twice. A stage of the proxy Space, and its address, may be those of the Space.
fn repeated<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    lines.iter().copied().filter(|line| !seen.insert(*line)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn log_repeats_no_line_and_has_no_code_words() {
    let hub = hub_with(|config| config.edge = true).await;
    let folder = static_space();
    for status in ["deployed", "unchanged"] {
        let ran = Run::new(&hub, &folder).run().await.ended(0, status);
        let lines = lines(&ran);
        assert_eq!(repeated(&lines), [""; 0], "{}", ran.log);
        for word in ["RUNNING", "health_only", "plan: 0", "no further commit", "\\u{1b}"] {
            assert!(!ran.log.contains(word), "{word}:\n{}", ran.log);
        }
    }
    let ran = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
    assert!(lines(&ran).contains(&"the app answers"), "{}", ran.log);
}
