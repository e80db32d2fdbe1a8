//! The inputs of a Job: all faults of a run at once, before anything is sent.

use super::{assert_job_ran, bare, job};
use crate::harness::{Folder, command, hub};

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_reported_at_once() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let ran = bare(&hub, &folder)
        .input("run", "true")
        .input("command", "[]")
        .input("flavor", "a10g")
        .input("timeout", "soon")
        .input("attempts", "0")
        .input("max_cost", "-1")
        .input("variables", "A=1\nno equals")
        .input("secrets", "MISSING")
        .input("labels", "gh-run=1\nbad key=x\nteam=a b")
        .input("volumes", "disk:ada/x:/data\nbucket:ada/x:/data\nbucket:ada/y:/data")
        .input("namespace", "a/b")
        .run()
        .await
        .failed(2, "invalid_input");
    assert!(hub.requests().is_empty());
    assert_job_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn contradictions_are_refused() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    for (inputs, message) in [
        (&[("image", "")][..], "`image` must name an image, or `space` a Space with one"),
        (&[("space", "ada/app")], "`image` contradicts `space`"),
        (&[("run", "")], "`run` must hold a script, `script` a file, or `command` a command"),
        (&[("command", "python train.py"), ("run", "")], "`command` must be a JSON list of texts"),
        (&[("command", "[\"a\", \"\"]"), ("run", "")], "without empty ones"),
        (&[("job_id", "6877f1d2")], "`run` contradicts `job_id`"),
        (&[("job_id", "6877f1d2"), ("run", ""), ("wait", "false")], "`wait` contradicts `job_id`"),
        (&[("job_id", "../x")], "`job_id` must be"),
        (&[("timeout", "31d")], "`timeout` must be"),
        (&[("hf_token", "")], "`hf_token` must hold a token with the permission `job.write`"),
        (&[("variables", "HF_TOKEN=x"), ("pass_hf_token", "true")], "`pass_hf_token` contradicts"),
    ] {
        let run = job(&hub, &folder, "true");
        let run = inputs.iter().fold(run, |run, (name, value)| run.input(name, value));
        let ran = run.run().await;
        assert!([2, 3].contains(&ran.code) && ran.log.contains(message), "{message}: {}", ran.log);
    }
    assert!(hub.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn variable_that_looks_like_a_secret_is_a_warning() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let ran = job(&hub, &folder, "true").input("variables", "API_TOKEN=abcdef0123456789abcdef").run().await;
    let ran = ran.ended(0, "succeeded");
    assert!(ran.log.contains("::warning::`variables` holds `API_TOKEN`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_command_line_work_as_the_inputs_do() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let (code, text) =
        command(&hub, folder.path(), &["job", "--run", "echo hello", "--image", "python:3.12"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("hello\n"), "{text}");
    let (code, text) = command(&hub, folder.path(), &["job", "--run", "true"]).await;
    assert!(code == 2 && text.contains("`--image` must name an image, or `--space`"), "{text}");
}
