//! Injected faults.

use std::time::Duration;

use local_hub::{Fault, FaultKind, NewRepo, RepoType};

use crate::client::{file, header, start};

const COMMIT: &str = "/api/models/ada/m/commit/main";

fn fault(path: &str, kind: FaultKind) -> Fault {
    Fault { method: None, path_contains: path.into(), skip: 0, times: 1, kind }
}

#[tokio::test]
async fn every_kind() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let commits = || c.hub.repo(RepoType::Model, "ada/m").commits("main").len();

    let headers = vec![("RateLimit".into(), "\"api\";r=0;t=2".into())];
    c.hub.inject(fault(
        "/commit/",
        FaultKind::Status { code: 429, headers, body: "{\"error\":\"slow\"}".into() },
    ));
    let answer = c.commit(COMMIT, &[header("a"), file("a", b"a")]).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["ratelimit"].to_str().unwrap()),
        (429, "\"api\";r=0;t=2")
    );
    assert_eq!(commits(), 1);

    c.hub.inject(fault("/commit/", FaultKind::DropConnection));
    assert!(c.commit_request(COMMIT, &[header("a"), file("a", b"a")]).send().await.is_err());
    assert_eq!(commits(), 1);

    c.hub.inject(fault("/commit/", FaultKind::DropAfterApply));
    assert!(c.commit_request(COMMIT, &[header("a"), file("a", b"a")]).send().await.is_err());
    assert_eq!(commits(), 2);

    c.hub.inject(fault("/commit/", FaultKind::StatusAfterApply { code: 504, body: "late".into() }));
    assert_eq!(c.commit(COMMIT, &[header("b"), file("b", b"b")]).await.status(), 504);
    assert_eq!(commits(), 3);

    let mut late = fault("/refs", FaultKind::Delay(Duration::from_millis(300)));
    late.skip = 1;
    c.hub.inject(late);
    let start = std::time::Instant::now();
    c.get("/api/models/ada/m/refs").await;
    assert!(start.elapsed() < Duration::from_millis(250));
    c.get("/api/models/ada/m/refs").await;
    assert!(start.elapsed() >= Duration::from_millis(300));

    c.hub.inject(fault("/tree/", FaultKind::TruncateBody { after: 10 }));
    let answer = c.get("/api/models/ada/m/tree/main").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
    assert_eq!(c.get("/api/models/ada/m/tree/main").await.status(), 200);
}

#[test]
fn faults_are_json() {
    for text in [
        r#"{"path_contains":"/v1/xorb","kind":"drop_connection"}"#,
        r#"{"method":"POST","path_contains":"/commit","times":2,"kind":{"status":{"code":503}}}"#,
        r#"{"path_contains":"x","skip":1,"kind":{"delay":250}}"#,
        r#"{"path_contains":"x","kind":{"status_after_apply":{"code":504}}}"#,
    ] {
        serde_json::from_str::<Fault>(text).unwrap();
    }
}
