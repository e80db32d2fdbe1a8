//! Logs as event streams, good and bad ones.

use std::time::Duration;

use futures_util::StreamExt as _;
use local_hub::{Log, LogStep, NewRepo, RepoType};
use serde_json::Value;

use crate::client::{Client, start};

/// Opens a log and reads until `end` was seen, or nothing came for 0.4 seconds; the bytes as they are.
async fn raw(c: &Client, id: &str, log: &str, end: &str) -> (u16, String, &'static str) {
    let answer = c.get(&format!("/api/spaces/{id}/logs/{log}")).await;
    let status = answer.status().as_u16();
    let (mut text, mut stream) = (String::new(), answer.bytes_stream());
    loop {
        match tokio::time::timeout(Duration::from_millis(400), stream.next()).await {
            Err(_) => return (status, text, "open"),
            Ok(None) => return (status, text, "closed"),
            Ok(Some(Err(_))) => return (status, text, "broken"),
            Ok(Some(Ok(bytes))) => text.push_str(&String::from_utf8_lossy(&bytes)),
        }
        if !end.is_empty() && text.contains(end) && text.ends_with("\n\n") {
            return (status, text, "seen");
        }
    }
}

/// The lines of a log, up to one that holds `end`.
pub(crate) async fn read(c: &Client, id: &str, log: &str, end: &str) -> Vec<String> {
    let (_, text, _) = raw(c, id, log, end).await;
    let events = text.lines().filter_map(|l| l.strip_prefix("data: "));
    events
        .map(|e| serde_json::from_str::<Value>(e).unwrap()["data"].as_str().unwrap().trim_end().to_owned())
        .collect()
}

#[tokio::test]
async fn a_log_replays_from_the_start_and_stays_open() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    for line in ["one", "two", "three"] {
        c.hub.space("ada/s").push_log(Log::Build, line).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(read(&c, "ada/s", "build", "three").await, ["one", "two", "three"]);
    }
    assert_eq!(raw(&c, "ada/s", "build", "").await.2, "open");
    assert_eq!(read(&c, "ada/s", "build?tail=1", "three").await, ["three"]);
    assert!(read(&c, "ada/s", "run", "").await.is_empty());
    assert_eq!(c.get("/api/spaces/ada/s/logs/other").await.status(), 404);
}

#[tokio::test]
async fn streams_misbehave_on_demand() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    c.hub.space("ada/s").push_log(Log::Run, "real").unwrap();
    let line = |text: &str| LogStep::Line(text.to_owned());
    c.hub.space("ada/s").script_log_connections(
        Log::Run,
        vec![
            vec![line("a"), LogStep::Close],
            vec![line("a"), line("b"), LogStep::Reset],
            vec![LogStep::CrlfLine("a".into()), LogStep::KeepAlive, LogStep::Stall],
            vec![
                LogStep::SplitLine { line: "ab".into(), at: 9, pause: Duration::from_millis(30) },
                LogStep::HugeLine(100_000),
                LogStep::Raw(b"\xff\x00: garbage\n\ndata: {\n\n".to_vec()),
                LogStep::Close,
            ],
            vec![LogStep::sse_not_enabled()],
            vec![line("before"), LogStep::Wait(Duration::from_millis(30)), LogStep::Follow],
        ],
    );
    let (_, first, end) = raw(&c, "ada/s", "run", "").await;
    assert_eq!(end, "closed");
    let (_, second, end) = raw(&c, "ada/s", "run", "").await;
    assert_eq!(end, "broken");
    assert!(second.starts_with(&first), "a replay names the same times");
    let (_, text, end) = raw(&c, "ada/s", "run", "").await;
    assert!(end == "open" && text.contains("\r\n\r\ndata:\n\n"), "{text:?}");
    let (_, text, _) = raw(&c, "ada/s", "run", "").await;
    assert!(text.len() > 100_000 && text.contains(": garbage"));
    let (status, text, _) = raw(&c, "ada/s", "run", "").await;
    assert_eq!((status, text.as_str()), (400, r#"{"error":"SSE is not enabled"}"#));
    assert_eq!(read(&c, "ada/s", "run", "real").await, ["before", "real"]);
    c.hub.space("ada/s").script_log(Log::Run, vec![]);
    assert_eq!(read(&c, "ada/s", "run", "real").await, ["real"]);
}
