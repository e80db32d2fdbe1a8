//! Creations whose answer is lost: never two Jobs.

use local_hub::FaultKind;

use super::{job, on, only};
use crate::harness::{Folder, hub};

#[tokio::test(flavor = "multi_thread")]
async fn job_whose_answer_is_lost_is_found_by_its_label() {
    for kind in [
        FaultKind::DropAfterApply,
        FaultKind::StatusAfterApply { code: 504, body: "gateway timeout".to_owned() },
        FaultKind::StatusAfterApply { code: 500, body: r#"{"error":"Internal Error"}"#.to_owned() },
        FaultKind::TruncateBody { after: 20 },
    ] {
        let described = format!("{kind:?}");
        let (hub, folder) = (hub().await, Folder::new(&[]));
        hub.inject(on("POST", "/api/jobs/ada", kind));
        let ran = job(&hub, &folder, "echo once").run().await.ended(0, "succeeded");
        assert_eq!(ran.output("job_id"), only(&hub).id(), "{described}");
        assert!(ran.log.contains("the Hub had created the Job"), "{described}\n{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_was_not_created_is_created_again() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.inject(on("POST", "/api/jobs/ada", FaultKind::DropConnection));
    let ran = job(&hub, &folder, "echo once").run().await.ended(0, "succeeded");
    assert_eq!(ran.output("job_id"), only(&hub).id());
    let created = hub.requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(created, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limit_is_waited_for() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let headers = vec![("retry-after".to_owned(), "1".to_owned())];
    hub.inject(on("POST", "/api/jobs/ada", FaultKind::Status { code: 429, headers, body: String::new() }));
    job(&hub, &folder, "echo once").run().await.ended(0, "succeeded");
    only(&hub);
}

#[tokio::test(flavor = "multi_thread")]
async fn job_is_cancelled_if_the_hub_stops_to_answer_about_its_creation() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.inject(on("POST", "/api/jobs/ada", FaultKind::DropAfterApply));
    let refused = FaultKind::Status { code: 403, headers: Vec::new(), body: r#"{"error":"no"}"#.to_owned() };
    hub.inject(on("GET", "label=hf-deploy-run", refused));
    let ran = job(&hub, &folder, "sleep 60").run().await;
    assert_ne!(ran.code, 0);
    assert_eq!(only(&hub).stage(), "CANCELED", "{}", ran.log);
}
