//! Jobs that end by themselves: scripts, commands, their settings and their results.

use std::time::Duration;

use local_hub::{NewRepo, RepoType, User};

use super::{assert_job_ran, bare, job, only};
use crate::harness::{Folder, TOKEN, TestHub, files_below, hub, hub_with};

#[tokio::test(flavor = "multi_thread")]
async fn script_runs_and_is_followed() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let script = "echo \"hello from ${BASH_VERSION:+bash}\"\necho '::error::no command'\nsleep 0.3\necho oops >&2\nsleep 0.5";
    let ran = job(&hub, &folder, script).run().await.ended(0, "succeeded");
    let job = only(&hub);
    assert_eq!(ran.output("job_id"), job.id());
    assert_eq!(ran.output("job_url"), format!("{}/jobs/ada/{}", hub.endpoint(), job.id()));
    let log = std::fs::read_to_string(folder.path().join(ran.output("log_path"))).unwrap();
    assert!(log.contains("hello from bash\n::error::no command\n"), "{log}");
    assert!(ran.log.contains("\\u{3a}:error::no command"), "{}", ran.log);
    assert_job_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_script_has_its_exit_code_and_the_end_of_its_log() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let script = "for i in $(seq 100); do echo line $i; done\nprintf 'no line break'\nexit 7";
    let ran = job(&hub, &folder, script).run().await.failed(1, "job_failed");
    assert_eq!((ran.output("exit_code"), ran.output("job_stage")), ("7", "ERROR"));
    assert!(ran.summary.contains("line 100\n") && !ran.summary.contains("line 30\n"), "{}", ran.summary);
    assert_job_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn command_runs_as_it_is() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let run = || bare(&hub, &folder).input("image", "python:3.12");
    let command = r#"["sh", "-c", "echo \"$0 $1\"", "a b", "c"]"#;
    let ran = run().input("command", command).run().await.ended(0, "succeeded");
    assert_eq!(ran.output("exit_code"), "");
    assert!(ran.log.contains("\na b c\n"), "{}", ran.log);
    let ran = run().input("command", r#"["false"]"#).run().await.failed(1, "job_failed");
    assert!(ran.log.contains("failed: Job failed with exit code: 1"), "{}", ran.log);
}

/// A stand-in for `uv` that shows its arguments, and runs the script with the Python of this machine.
const UV: &str =
    "#!/bin/sh\necho uv \"$1\" \"$2\" \"$3\"\nfor script; do :; done\nexec python3 \"$script\"\n";

/// Puts the stand-in for `uv` into all images.
pub(super) fn provide_uv(hub: &TestHub) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;

    let programs = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::write(programs.path().join("uv"), UV).unwrap();
    std::fs::set_permissions(programs.path().join("uv"), std::fs::Permissions::from_mode(0o755)).unwrap();
    hub.set_policy(|policy| policy.jobs.extra_path = Some(programs.path().to_str().unwrap().to_owned()));
    programs
}

const SCRIPT: &str = r#"# /// script
# dependencies = ["rich"]
#
# [tool.hf-jobs]
# flavor = "t4-small"
# timeout = "5m"
# python = "3.11"
# secrets = ["API_KEY"]
# volumes = ["hf://datasets/ada/rows:/rows"]
# labels = { team = "vision" }
#
# [tool.hf-jobs.env]
# MODE = "fast"
# GREETING = "from the header"
# ///
import os, sys
print(os.environ["GREETING"], os.environ["MODE"], os.environ["API_KEY"], os.listdir("/rows"))
sys.exit(4)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn python_script_runs_with_the_settings_of_its_header() {
    let (hub, folder) = (hub().await, Folder::new(&[("jobs/train me.py", SCRIPT)]));
    hub.create_repo(NewRepo::new("ada", RepoType::Dataset, "ada/rows")).unwrap();
    let _programs = provide_uv(&hub);
    let run = || {
        bare(&hub, &folder)
            .input("script", "jobs/train me.py")
            .input("variables", "GREETING=hello")
            .input("timeout", "3m")
            .secret("API_KEY", "s3cr3t-value-of-the-key")
    };
    let ran = run().run().await.failed(1, "job_failed");
    assert_eq!(ran.output("exit_code"), "4");
    assert!(
        ran.log.contains("uv run --python 3.11\n") && ran.log.contains("hello fast *** ["),
        "{}",
        ran.log
    );
    let info = only(&hub).info();
    assert_eq!(info["dockerImage"], "ghcr.io/astral-sh/uv:python3.12-bookworm");
    assert_eq!((info["flavor"].as_str(), info["timeout"].as_u64()), (Some("t4-small"), Some(180)));
    assert_eq!(info["labels"]["team"], "vision");
    for (content, message) in [
        (
            "# /// script\n# [tool.hf-jobs]\n# flavour = 1\n# ///\n",
            "`script` has metadata that cannot be read",
        ),
        (
            "# /// script\n# [tool.hf-jobs]\n# flavor = \"t5\"\n# ///\n",
            "`script` has `flavor` in its header, which must",
        ),
        ("# /// script\n# [tool.hf-jobs]\n# secrets = [\"NONE\"]\n# ///\n", "asks for the secret `NONE`"),
    ] {
        folder.write("jobs/train me.py", content);
        let ran = run().run().await.failed(2, "invalid_input");
        assert!(ran.log.contains(message), "{message}: {}", ran.log);
    }
    let ran = bare(&hub, &folder).input("script", "../outside.py").run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("`script` "), "{}", ran.log);
    assert_eq!(hub.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn image_without_bash_runs_sh() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let script = "echo shell ${BASH_VERSION-is plain}; echo $missing; echo not reached";
    let ran = bare(&hub, &folder).input("run", script).input("image", "alpine:3.22").run().await;
    let ran = ran.failed(1, "job_failed");
    assert!(ran.log.contains("shell is plain") && !ran.log.contains("not reached"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn image_of_a_space_is_used() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/app")).unwrap();
    let run = || bare(&hub, &folder).input("run", "echo ok");
    run().input("space", "ada/app").run().await.ended(0, "succeeded");
    run().input("image", "https://huggingface.co/spaces/ada/app").run().await.ended(0, "succeeded");
    for job in hub.jobs() {
        assert_eq!(job.info()["spaceId"], "ada/app");
    }
    run().input("space", "ada/none").run().await.failed(3, "repo_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_reach_the_container_and_secrets_stay_secret() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let script = "echo \"$GREETING, $API_KEY\"; test \"$HF_TOKEN\" = \"$EXPECTED\" && echo same token";
    let ran = job(&hub, &folder, script)
        .input("variables", "GREETING=hi there\nMODE=\"fast\"")
        .input("secrets", "API_KEY, EXPECTED")
        .input("pass_hf_token", "true")
        .input("labels", "team=vision\nstage=ci")
        .input("name", "GPU tests")
        .secret("API_KEY", "s3cr3t-value-of-the-key")
        .secret("EXPECTED", TOKEN)
        .run()
        .await
        .ended(0, "succeeded");
    assert!(ran.log.contains("hi there, ***") && ran.log.contains("same token"), "{}", ran.log);
    let log = std::fs::read_to_string(folder.path().join(ran.output("log_path"))).unwrap();
    assert!(log.contains("hi there, ***"), "{log}");
    for (path, bytes) in files_below(&folder.path().join(".hf-deploy")) {
        assert!(!String::from_utf8_lossy(&bytes).contains("s3cr3t"), "{}", path.display());
    }
    assert!(!ran.summary.contains("s3cr3t"), "{}", ran.summary);
    let job = only(&hub);
    assert_eq!(job.secrets()["HF_TOKEN"], TOKEN);
    let info = job.info();
    assert_eq!(info["environment"], serde_json::json!({"GREETING": "hi there", "MODE": "fast"}));
    let labels = info["labels"].as_object().unwrap();
    for (key, value) in [
        ("managed-by", "hf-deploy"),
        ("gh-repo", "octo.hello"),
        ("gh-run", "42"),
        ("gh-attempt", "2"),
        ("gh-sha", "0123456789abcdef0123456789abcdef01234567"),
        ("name", "GPU.tests"),
        ("team", "vision"),
        ("stage", "ci"),
    ] {
        assert_eq!(labels[key], value, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_go_on_until_one_succeeds() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    // The root of each container is new, and this folder is not part of it.
    let file = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = file.path().join("count");
    let script =
        format!("echo x >>'{0}'; n=$(wc -l <'{0}'); echo try $n; sleep 1.2; test $n -eq 3", file.display());
    let ran = job(&hub, &folder, &script).input("attempts", "3").run().await.ended(0, "succeeded");
    assert_eq!(ran.output("exit_code"), "0");
    for line in ["try 1", "try 2", "try 3", "attempt 1 of 3 failed", "attempt 2 of 3 failed"] {
        assert!(ran.log.contains(line), "{line}: {}", ran.log);
    }
    assert!(ran.summary.contains("| Failed attempts | 2 |"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_is_the_price_of_the_minutes_that_were_begun() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let ran = job(&hub, &folder, "sleep 1").input("flavor", "a10g-small").run().await.ended(0, "succeeded");
    assert_eq!(ran.output("cost_usd"), "0.016667");
    assert!(ran.output("duration_seconds").parse::<u32>().unwrap() >= 1);
    assert!(ran.summary.contains("| Price | $1.00 per hour |"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_may_cost_too_much_is_not_created() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let run = |timeout: &str, attempts: &str, max_cost: &str| {
        job(&hub, &folder, "true")
            .input("flavor", "a10g-small")
            .input("timeout", timeout)
            .input("attempts", attempts)
            .input("max_cost", max_cost)
    };
    let ran = run("30m", "1", "0.30").run().await.failed(2, "cost_exceeded");
    assert!(ran.log.contains("hint: set `timeout: 18m`"), "{}", ran.log);
    run("18m", "2", "0.30").run().await.failed(2, "cost_exceeded");
    let ran = run("30m", "1", "0.01").run().await.failed(2, "cost_exceeded");
    assert!(ran.log.contains("no timeout fits"), "{}", ran.log);
    assert_job_ran!(ran);
    assert!(hub.jobs().is_empty() && hub.requests().iter().all(|request| request.method == "GET"));
    run("18m", "1", "0.30").run().await.ended(0, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_have_the_files_of_repos() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let files = [("data/rows.csv", "a,b\n"), ("README.md", "# Rows\n")];
    hub.create_repo(NewRepo::new("ada", RepoType::Dataset, "ada/rows")).unwrap();
    let files = files.map(|(path, text)| (path, text.as_bytes()));
    hub.repo(RepoType::Dataset, "ada/rows").commit_as("ada", "main", &files, "add rows").unwrap();
    let script = "cat /rows/rows.csv; ls /all; touch /rows/x 2>/dev/null || echo read-only";
    let ran = job(&hub, &folder, script)
        .input("volumes", "dataset:ada/rows/data:/rows\nhf://datasets/ada/rows:/all")
        .run()
        .await
        .ended(0, "succeeded");
    for line in ["a,b", "README.md", "read-only"] {
        assert!(ran.log.contains(&format!("\n{line}\n")), "{line}: {}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_is_left_running_is_followed_by_another_step() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let script = "echo begin; sleep 2; echo end; exit 3";
    let first = job(&hub, &folder, script).input("wait", "false").run().await.ended(0, "running");
    let job = only(&hub);
    assert_eq!((first.output("job_id"), job.stage()), (job.id(), "RUNNING"));
    let second = bare(&hub, &folder).input("job_id", first.output("job_url")).run().await;
    let second = second.failed(1, "job_failed");
    assert_eq!(second.output("exit_code"), "3");
    let log = std::fs::read_to_string(folder.path().join(second.output("log_path"))).unwrap();
    assert!(log.contains("begin\nend\n"), "{log}");
    assert_eq!(hub.jobs().len(), 1);
    bare(&hub, &folder).input("job_id", "0123456789abcdef01234567").run().await.failed(3, "job_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn job_belongs_to_the_namespace() {
    let hub = hub_with(|config| {
        let mut user = User::new("ada", TOKEN);
        user.orgs = vec![local_hub::Org::new("acme", "write")];
        config.users = vec![user];
    })
    .await;
    hub.set_policy(|policy| policy.jobs.queue_time = Duration::from_millis(1200));
    let folder = Folder::new(&[]);
    let ran = job(&hub, &folder, "true").input("namespace", "acme").run().await.ended(0, "succeeded");
    assert!(ran.output("job_url").contains("/jobs/acme/"));
    assert!(ran.log.contains("waiting for hardware"), "{}", ran.log);
}
