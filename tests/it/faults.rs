//! Broken answers, each of which the official client meets too: none may lose or double anything.

use std::time::Duration;

use local_hub::{Fault, FaultKind, LocalHub, RepoType};

use crate::harness::{Folder, Run, TestHub, hub, reached, static_space, static_space_with_picture};

async fn deploy_through(fault: Fault, folder: &Folder) -> (TestHub, crate::harness::Ran) {
    let hub = hub().await;
    hub.inject(fault);
    let ran = Run::new(&hub, folder).run().await;
    (hub, ran)
}

fn on(path_contains: &str, kind: FaultKind) -> Fault {
    Fault { method: None, path_contains: path_contains.to_owned(), skip: 0, times: 1, kind }
}

/// One commit beside the Hub's own first one, with the folder's content.
fn assert_landed_once(hub: &LocalHub) {
    let commits = hub.repo(RepoType::Space, "ada/app").commits("main");
    assert_eq!(commits.len(), 2, "{commits:?}");
    let index = hub.repo(RepoType::Space, "ada/app").read_file("main", "index.html").unwrap();
    assert_eq!(index, b"<h1>Hello</h1>\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_no_second_commit() {
    for kind in [
        FaultKind::DropAfterApply,
        FaultKind::StatusAfterApply { code: 504, body: "gateway timeout".to_owned() },
        FaultKind::StatusAfterApply { code: 500, body: r#"{"error":"Internal Error"}"#.to_owned() },
        FaultKind::TruncateBody { after: 20 },
    ] {
        let described = format!("{kind:?}");
        let (hub, ran) = deploy_through(on("/commit/", kind), &static_space_with_picture()).await;
        let ran = ran.ended(0, "deployed");
        assert!(ran.log.contains("its answer was lost"), "{described}\n{}", ran.log);
        assert_landed_once(&hub);
        let head = hub.repo(RepoType::Space, "ada/app").head("main").unwrap();
        assert_eq!(ran.output("commit_sha"), head, "{described}");
        assert!(ran.output("commit_url").ends_with(&format!("/spaces/ada/app/commit/{head}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_whose_answer_is_lost_is_not_opened_twice() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "proposed");
    hub.inject(on("create_pr=1", FaultKind::Delay(Duration::ZERO)));
    hub.inject(Fault {
        method: Some("POST".to_owned()),
        path_contains: "/commit/".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::DropAfterApply,
    });
    let ran = Run::new(&hub, &folder).input("create_pr", "true").run().await.ended(0, "deployed");
    assert!(ran.output("pull_request_url").ends_with("/spaces/ada/app/discussions/1"));
    assert!(hub.repo(RepoType::Space, "ada/app").head("refs/pr/2").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_did_not_land_is_sent_again() {
    for kind in [
        FaultKind::DropConnection,
        FaultKind::Status { code: 500, headers: vec![], body: String::new() },
        FaultKind::Status { code: 503, headers: vec![], body: String::new() },
    ] {
        let (hub, ran) = deploy_through(on("/commit/", kind), &static_space_with_picture()).await;
        let ran = ran.ended(0, "deployed");
        assert!(ran.log.contains("sending it again (attempt 2 of 6)"), "{}", ran.log);
        assert_landed_once(&hub);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_request_is_repeated() {
    for path in ["/api/validate-yaml", "/api/spaces/ada/app", "/api/repos/create", "/preupload/"] {
        for kind in [
            FaultKind::DropConnection,
            FaultKind::Status { code: 502, headers: vec![], body: "<html>".to_owned() },
            FaultKind::Status { code: 408, headers: vec![], body: String::new() },
            FaultKind::DropAfterApply,
        ] {
            let (hub, ran) = deploy_through(on(path, kind), &static_space_with_picture()).await;
            ran.ended(0, "deployed");
            assert_landed_once(&hub);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_whose_creation_got_no_answer_is_still_this_deploy_s_doing() {
    for kind in [
        FaultKind::DropAfterApply,
        FaultKind::StatusAfterApply { code: 504, body: "gateway timeout".to_owned() },
    ] {
        let (hub, ran) = deploy_through(on("/api/repos/create", kind), &static_space()).await;
        let ran = ran.ended(0, "deployed");
        assert_eq!(ran.counts(), ["3", "0", "0", "0"]);
        assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_for_as_long_as_it_says() {
    for header in [("ratelimit", r#""api";r=0;t=2"#), ("retry-after", "3")] {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        let kind = FaultKind::Status { code: 429, headers, body: r#"{"error":"slow down"}"#.to_owned() };
        let started = std::time::Instant::now();
        let (hub, ran) = deploy_through(on("/commit/", kind), &static_space_with_picture()).await;
        let ran = ran.ended(0, "deployed");
        assert!(started.elapsed() >= Duration::from_secs(3), "{header:?}");
        assert!(ran.log.contains("waiting 3 s to commit to the Space `ada/app`"), "{}", ran.log);
        assert_landed_once(&hub);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_for_good_are_not_repeated() {
    for (code, error_code) in
        [(400, "hub_refused"), (403, "permission_denied"), (409, "conflict"), (413, "hub_refused")]
    {
        let kind = FaultKind::Status { code, headers: vec![], body: r#"{"error":"no"}"#.to_owned() };
        let (hub, ran) =
            deploy_through(Fault { times: 9, ..on("/commit/", kind) }, &static_space_with_picture()).await;
        assert_eq!(ran.output("error_code"), error_code, "{}", ran.log);
        let sent = hub.requests().iter().filter(|request| request.path.contains("/commit/")).count();
        // What is too large is tried in parts, until a part is one file.
        assert_eq!(sent, if code == 413 { 2 } else { 1 }, "{code}");
        assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_while_it_is_sent_commits_nothing() {
    let (hub, folder) = (hub().await, static_space_with_picture());
    // The plan is made while the Hub thinks about the card; the file changes before the commit.
    hub.inject(on("/preupload/", FaultKind::Delay(Duration::from_millis(1500))));
    let run = Run::new(&hub, &folder);
    let child = run.spawn();
    reached(&hub, "/preupload/", 1).await;
    folder.write("index.html", "<h1>Hello, and more than there was</h1>\n");
    let ran = run.finish(child).await.failed(1, "source_changed");
    assert!(ran.log.contains("`index.html` changed while it was deployed"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1);
}
