//! Faults of the way to the app that pass: they are no result on it.

use super::*;

#[tokio::test]
async fn a_file_that_fails_in_passing_is_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    const FILE: &str = "/gradio_api/file=/tmp/x.png";
    let png = &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01"[..];
    let app = gradio()
        .on(
            "/gradio_api/queue/data",
            events(&[completed(json!({"path": "/tmp/x.png", "orig_name": "x.png"}))]),
        )
        .on(FILE, reply(502, "<h1>bad gateway</h1>"))
        .on(FILE, Reply { then_breaks: true, ..reply(200, &png[..9]) })
        .on(FILE, reply(200, png));
    let asked = Check { expect: Some(Expect::Image), ..check(&folder) };
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked.clone()).await;
    assert_eq!(result.status, CheckStatus::FullInferenceSuccess);
    assert_eq!(std::fs::read(folder.path().join(".hf-deploy/output-1.png")).unwrap(), png);
    // What is not there is asked for once at each of its addresses, and both are one here.
    let app = gradio();
    let address = app.start("127.0.0.1").await;
    let file = json!({
        "path": "/tmp/x.png", "orig_name": "x.png", "url": format!("http://{address}{FILE}"),
    });
    let app = app.on("/gradio_api/queue/data", events(&[completed(file)]));
    let (result, _) = judged(address, AppKind::Gradio, asked).await;
    assert!(result.detail.contains("could not be fetched (the app answered 404)"), "{result:?}");
    assert_eq!(app.bodies(FILE).len(), 1);
}

#[tokio::test]
async fn an_upload_that_fails_in_passing_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "first line\n").unwrap();
    let config = json!({
        "version": "5.50.0", "protocol": "sse_v3", "api_prefix": "/gradio_api",
        "components": [{"id": 1, "type": "file"}, {"id": 2, "type": "textbox"}],
        "dependencies": [{"id": 0, "api_name": "read", "inputs": [1], "outputs": [2]}],
    });
    let info = json!({"named_endpoints": {"/read": {
        "parameters": [{"parameter_name": "file", "component": "File"}],
        "returns": [{"component": "Textbox"}],
    }}});
    const UPLOAD: &str = "/gradio_api/upload";
    let app = Script::default()
        .on("/", reply(200, "<h1>app</h1>"))
        .on("/config", document(config))
        .on("/gradio_api/info", document(info))
        .on(UPLOAD, reply(504, ""))
        .on(UPLOAD, broken())
        .on(UPLOAD, document(json!(["/tmp/notes.txt"])))
        .on("/gradio_api/queue/join", document(json!({"event_id": "e"})))
        .on("/gradio_api/queue/data", events(&[completed(json!("first line"))]));
    let named = Check { api_args: vec![json!("@notes.txt")], ..check(&folder) };
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, named).await;
    assert_eq!(result.status, CheckStatus::FullInferenceSuccess, "{result:?}");
    let sent = app.bodies(UPLOAD);
    assert!(sent.len() == 3 && sent.iter().all(|body| body.contains("first line\n")), "{sent:?}");
    assert!(app.bodies("/queue/join")[0].contains("/tmp/notes.txt"));
}

#[tokio::test]
async fn a_join_whose_answer_is_lost_is_made_again_with_another_session() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Check { expect: Some(Expect::Any), ..check(&folder) };
    const JOIN: &str = "/gradio_api/queue/join";
    let app = gradio();
    app.answers.lock().unwrap().pop_back();
    let app = app
        .on(JOIN, reply(502, "<h1>bad gateway</h1>"))
        .on(JOIN, broken())
        .on(JOIN, document(json!({"event_id": "e"})))
        .on("/gradio_api/queue/data", events(&[completed(json!("hi"))]));
    let (result, log) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked.clone()).await;
    assert_eq!(result.status, CheckStatus::FullInferenceSuccess, "{result:?}");
    assert!(log.contains("cannot join the queue: the app answered 502: trying again"), "{log}");
    let sessions: Vec<String> = app
        .bodies(JOIN)
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["session_hash"].as_str().unwrap().to_owned())
        .collect();
    assert!(sessions.len() == 3 && sessions[0] != sessions[1] && sessions[1] != sessions[2], "{sessions:?}");
    // The call that is listened to is the last one.
    assert_eq!(app.bodies(&format!("/queue/data?session_hash={}", sessions[2])).len(), 1);
    // Not for ever, and not beyond the timeout.
    for (timeout, joins) in [(20, 3), (5, 2)] {
        let app = gradio();
        app.answers.lock().unwrap().pop_back();
        let app = app.on(JOIN, reply(504, ""));
        let asked = Check { timeout: Duration::from_secs(timeout), ..asked.clone() };
        let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked).await;
        assert_eq!(result.status, CheckStatus::Failed);
        assert!(result.detail.contains("cannot join the queue: the app answered 504"), "{result:?}");
        assert_eq!(app.bodies(JOIN).len(), joins);
    }
}

#[tokio::test]
async fn calls_are_measured_until_one_fails_or_cannot_be_judged() {
    let folder = tempfile::tempdir().unwrap();
    let end = |text: &str, seconds: f64| {
        let output = json!({"data": [text], "duration": seconds});
        events(&[json!({"msg": "process_completed", "success": true, "output": output})])
    };
    let asked =
        Check { expect: Some(Expect::Text), expect_contains: Some("hi".into()), runs: 3, ..check(&folder) };
    let run = |last: Reply| {
        let asked = asked.clone();
        async move {
            let data = "/gradio_api/queue/data";
            let app = gradio().on(data, end("hi", 8.0)).on(data, end("hi", 20.0)).on(data, last);
            judged(app.start("127.0.0.1").await, AppKind::Gradio, asked).await
        }
    };
    let (result, log) = run(end("hi", 2.0)).await;
    assert_eq!((result.status, result.calls.len()), (CheckStatus::FullInferenceSuccess, 3), "{log}");
    assert!(result.detail.contains("p95 of 3 calls"), "{result:?}");
    assert_eq!(result.recommended_duration_seconds, Some(28));
    let admission = "no account up to 80 s, about 12 calls a day; free up to 200 s, about 30 calls a day";
    assert!(result.calls.iter().map(|call| call.server.as_secs()).eq([8, 20, 2]), "{result:?}");
    assert!(hf_deploy::failure::app_check::admission(28, &result.calls).contains(admission));
    let quota = json!({"error": "You have exceeded your GPU quota (60s requested vs. 0s left)"});
    let quota = events(&[json!({"msg": "process_completed", "success": false, "output": quota})]);
    let (result, log) = run(quota).await;
    assert_eq!((result.status, result.calls.len()), (CheckStatus::FullInferenceSuccess, 2), "{log}");
    assert!(log.contains("::warning::run 3 of 3 could not be measured: "), "{log}");
    let (result, log) = run(end("bye", 2.0)).await;
    assert_eq!((result.status, result.calls.len()), (CheckStatus::Failed, 3), "{log}");
    assert!(result.detail.starts_with("run 3 of 3: "), "{result:?}");
}
