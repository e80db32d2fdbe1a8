//! Deletions of datasets.

use local_hub::{Fault, FaultKind, NewRepo, RepoType};

use super::download::{DATASET, command, json, said, with_dataset};
use crate::harness::{Folder, TestHub};

fn exists(hub: &TestHub, id: &str) -> bool {
    hub.repo(RepoType::Dataset, id).head("main").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_needs_the_full_name_and_yes() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    for (arguments, reason) in [
        (&["delete", DATASET][..], "cannot delete the dataset `ada/rows` without `--yes`"),
        (&["delete", "rows", "--yes"], "must be the full name"),
        (&["delete", "ada/ro", "--yes"], "only the beginning of a name matches"),
        (&["delete", "ada/Rows", "--yes"], "it is `ada/rows` now"),
        (&["delete", "ada/none", "--yes"], "cannot find the dataset `ada/none`"),
    ] {
        let ran = command(&hub, &folder, arguments).run().await;
        assert!(ran.code != 0 && said(&ran).contains(reason), "{arguments:?} {}", said(&ran));
        assert!(exists(&hub, DATASET), "{arguments:?}");
    }
    let prefix = command(&hub, &folder, &["delete", "ada/ro", "--yes"]).run().await;
    assert!(said(&prefix).contains("write the full name of one of these: `ada/rows`"), "{}", said(&prefix));
    let ran = command(&hub, &folder, &["delete", DATASET, "--yes", "--json"]).run().await;
    assert_eq!((ran.code, json(&ran)["deleted"].as_str()), (0, Some(DATASET)), "{}", ran.stderr);
    assert!(!exists(&hub, DATASET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_whose_answer_is_lost_has_succeeded() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    hub.create_repo(NewRepo::new("ada", RepoType::Dataset, "ada/rows-2")).unwrap();
    hub.inject(Fault {
        method: Some("DELETE".to_owned()),
        path_contains: "/api/repos/delete".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::DropAfterApply,
    });
    let ran = command(&hub, &folder, &["delete", DATASET, "--yes"]).run().await;
    assert_eq!(ran.code, 0, "{}", said(&ran));
    assert!(!exists(&hub, DATASET) && exists(&hub, "ada/rows-2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_deletion_says_why() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    hub.inject(Fault {
        method: Some("DELETE".to_owned()),
        path_contains: "/api/repos/delete".to_owned(),
        skip: 0,
        times: 9,
        kind: FaultKind::Status { code: 403, headers: vec![], body: r#"{"error":"you may not"}"#.to_owned() },
    });
    let ran = command(&hub, &folder, &["delete", DATASET, "--yes"]).run().await;
    assert!(ran.code == 3 && said(&ran).contains("you may not"), "{} {}", ran.code, said(&ran));
    assert!(exists(&hub, DATASET));
}
