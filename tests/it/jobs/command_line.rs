//! The commands beside the action, for a terminal and for other programs.

use super::{only, printed};
use crate::harness::{Folder, TOKEN, command, hub, json_command};

#[tokio::test(flavor = "multi_thread")]
async fn job_is_run_listed_followed_and_cancelled() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let script = ["--run", "echo begin; sleep 60", "--image", "python:3.12"];
    let run = [&["job", "run"][..], &script, &["--wait=false", "--labels", "team=vision"]].concat();
    let (code, started) = json_command(&hub, folder.path(), &run).await;
    assert_eq!((code, started["status"].as_str()), (0, Some("running")));
    let id = started["job_id"].as_str().unwrap();
    printed(&hub, "begin").await;

    let (code, listed) = json_command(&hub, folder.path(), &["job", "list", "--label", "team=vision"]).await;
    assert_eq!((code, listed[0]["id"].as_str(), listed[0]["stage"].as_str()), (0, Some(id), Some("RUNNING")));
    let (_, none) = json_command(&hub, folder.path(), &["job", "list", "--label", "team=audio"]).await;
    assert_eq!(none, serde_json::json!([]));
    let (code, text) = command(&hub, folder.path(), &["job", "list", "--label", "team=audio"]).await;
    assert!(code == 0 && text.starts_with("no Job matches; `--stage all` lists "), "{text}");
    let (code, text) = command(&hub, folder.path(), &["job", "list"]).await;
    assert!(code == 0 && text.starts_with(&format!("ada/{id}  RUNNING")), "{text}");

    let (code, cancelled) = json_command(&hub, folder.path(), &["job", "cancel", id]).await;
    assert_eq!((code, cancelled["stage"].as_str()), (0, Some("CANCELED")));
    let (code, text) = command(&hub, folder.path(), &["job", "cancel", id]).await;
    assert!(code == 0 && text.contains("had ended: CANCELED"), "{text}");
    let (code, text) = command(&hub, folder.path(), &["job", "logs", id, "--tail", "1"]).await;
    assert_eq!((code, text.as_str()), (0, "begin\n"));
    let (_, log) = json_command(&hub, folder.path(), &["job", "logs", &format!("ada/{id}")]).await;
    assert_eq!(log["lines"][1], "begin");
    let (_, all) = json_command(&hub, folder.path(), &["job", "list", "--stage", "all"]).await;
    assert_eq!(all.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_follows_a_job_and_leaves_it_alone_when_interrupted() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let start = [
        "job",
        "run",
        "--run",
        "echo begin; sleep 3; echo end; exit 5",
        "--image",
        "python:3.12",
        "--wait=false",
    ];
    assert_eq!(command(&hub, folder.path(), &start).await.0, 0);
    let id = only(&hub).id().to_owned();
    printed(&hub, "begin").await;
    let mut waiting = tokio::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(["job", "wait", &id])
        .env_clear()
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HF_TOKEN", TOKEN)
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    crate::signals::send("INT", waiting.id().unwrap());
    assert_eq!(waiting.wait().await.unwrap().code(), Some(130));
    assert_eq!(only(&hub).stage(), "RUNNING");
    let (code, result) = json_command(&hub, folder.path(), &["job", "wait", &id]).await;
    assert_eq!(
        (code, result["exit_code"].as_str(), result["error_code"].as_str()),
        (1, Some("5"), Some("job_failed"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_is_listed_without_a_token() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let (code, hardware) = json_command(&hub, folder.path(), &["job", "hardware"]).await;
    assert_eq!((code, hardware[0]["name"].as_str()), (0, Some("cpu-basic")));
    let (_, text) = command(&hub, folder.path(), &["job", "hardware"]).await;
    assert!(text.contains("a10g-small") && text.contains("$1.00 per hour"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_commands_name_their_options() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    for (arguments, message) in [
        (&["job", "wait"][..], "`<JOB_ID>` must be set"),
        (&["job", "cancel", "../x"], "`<JOB_ID>` must be"),
        (&["job", "list", "--stage", "runing"], "did you mean `running`?"),
        (&["job", "list", "--label", "x"], "`--label` must be `KEY=VALUE`"),
        (&["job", "logs", "6877f1d2", "--tail", "0"], "`--tail` must be a positive number"),
    ] {
        let (code, text) = command(&hub, folder.path(), arguments).await;
        assert!(code == 2 && text.contains(message), "{arguments:?}: {text}");
    }
    let (code, text) = command(&hub, folder.path(), &["job", "cancel", "6877f1d2"]).await;
    assert!(code == 3 && text.contains("job_not_found"), "{text}");
    assert!(text.contains("check `<JOB_ID>`, or set `--namespace` to the owner"), "{text}");
    let dear = ["job", "--run", "true", "--image", "python:3.12", "--flavor", "h200", "--max-cost", "1.00"];
    let (code, text) = command(&hub, folder.path(), &dear).await;
    assert!(code == 2 && text.contains("and the limit is $1.0000"), "{text}");
    assert!(text.contains("set `--timeout=") && text.contains("or choose a cheaper `--flavor`"), "{text}");
}
