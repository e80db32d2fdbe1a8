//! Writes whose outcome the answer does not tell: they are looked up before anything is put back or said.

use std::time::Duration;

use local_hub::{CommitAnswer, Fault, FaultKind, Policy, RepoType};

use crate::assert_ran;
use crate::harness::{Folder, Ran, Run, TOKEN, TestHub, hub, reached, static_space, tree};

const APP: &str = "ada/app";

fn fault(method: &str, path: &str, skip: usize, times: usize, kind: FaultKind) -> Fault {
    Fault { method: Some(method.to_owned()), path_contains: path.to_owned(), skip, times, kind }
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, headers: vec![], body: r#"{"error":"no"}"#.to_owned() }
}

fn applied(code: u16) -> FaultKind {
    FaultKind::StatusAfterApply { code, body: String::new() }
}

/// A Docker Space with a variable, and a folder that takes two commits to deploy.
async fn docker_space(change: impl Fn(&mut Policy)) -> (TestHub, Folder) {
    let hub = hub().await;
    hub.set_policy(change);
    let folder = Folder::new(&[("README.md", "---\nsdk: docker\n---\n"), ("Dockerfile", "FROM python\n")]);
    Run::new(&hub, &folder).input("variables", "MODE=old").run().await.ended(0, "deployed");
    for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
        folder.write(name, name);
    }
    (hub, folder)
}

fn in_parts(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder).input("variables", "MODE=new").input("max_commit_files", "3")
}

async fn variable(hub: &TestHub) -> String {
    let url = format!("{}/api/spaces/{APP}/variables", hub.endpoint());
    let answer = crate::proxy::client().get(url).bearer_auth(TOKEN).send().await.unwrap();
    answer.json::<serde_json::Value>().await.unwrap()["MODE"]["value"].as_str().unwrap().to_owned()
}

async fn assert_deployed(hub: &TestHub, ran: &Ran) {
    assert_eq!(ran.output("commit_sha"), hub.repo(RepoType::Space, APP).head("main").unwrap(), "{}", ran.log);
    assert_eq!(tree(hub, RepoType::Space).len(), 7, "{}", ran.log);
    assert_eq!(variable(hub).await, "new", "{}", ran.log);
    assert!(!ran.log.contains("restored variable"), "{}", ran.log);
    assert!(!ran.log.contains("nothing of it"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_names_no_commit_is_found_on_the_branch() {
    for merged_can_be_closed in [false, true] {
        let (hub, folder) = docker_space(|policy| {
            policy.merges_name_their_commit = false;
            policy.merged_can_be_closed = merged_can_be_closed;
        })
        .await;
        let ran = in_parts(&hub, &folder).run().await.ended(0, "deployed");
        assert_deployed(&hub, &ran).await;
        if !merged_can_be_closed {
            assert_ran!(ran);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_takes_long_is_waited_for() {
    for merges_name_their_commit in [false, true] {
        let (hub, folder) = docker_space(|policy| {
            policy.merges_name_their_commit = merges_name_their_commit;
            policy.merge_delay = Duration::from_secs(5);
        })
        .await;
        let ran = in_parts(&hub, &folder).run().await.ended(0, "deployed");
        assert_deployed(&hub, &ran).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_without_an_id_whose_answer_is_lost_is_found() {
    for kind in [FaultKind::DropAfterApply, applied(504)] {
        let (hub, folder) = docker_space(|policy| policy.merges_name_their_commit = false).await;
        hub.inject(fault("POST", "/discussions/1/merge", 0, 1, kind));
        let ran = in_parts(&hub, &folder).run().await.ended(0, "deployed");
        assert_deployed(&hub, &ran).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_put_back_while_a_merge_cannot_be_looked_up() {
    let (hub, folder) = docker_space(|_| {}).await;
    hub.inject(fault("POST", "/discussions/1/merge", 0, 1, FaultKind::DropAfterApply));
    hub.inject(fault("GET", "/discussions/1", 0, usize::MAX, status(503)));
    let ran = in_parts(&hub, &folder).run().await.failed(4, "hub_unavailable");
    assert!(ran.log.contains("cannot find out if "), "{}", ran.log);
    assert!(ran.log.contains("the variables `MODE` are those of this deploy already"), "{}", ran.log);
    assert!(!ran.log.contains("nothing of it"), "{}", ran.log);
    assert_eq!(variable(&hub).await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_answer_does_not_name_is_found_and_not_made_twice() {
    for answer in [CommitAnswer::Nameless, CommitAnswer::RelativeUrls] {
        let (hub, folder) = docker_space(|policy| policy.commit_answer = answer).await;
        let ran = Run::new(&hub, &folder).input("variables", "MODE=new").run().await.ended(0, "deployed");
        assert_deployed(&hub, &ran).await;
        let page = format!("{}/spaces/{APP}/commit/{}", hub.endpoint(), ran.output("commit_sha"));
        assert_eq!(ran.output("commit_url"), page);
        assert_eq!(hub.repo(RepoType::Space, APP).commits("main").len(), 2);
        folder.write("a.txt", "proposed");
        let ran = Run::new(&hub, &folder).input("create_pr", "true").run().await.ended(0, "deployed");
        let page = format!("{}/spaces/{APP}/discussions/1", hub.endpoint());
        assert_eq!(ran.output("pull_request_url"), page, "{}", ran.log);
        assert!(hub.repo(RepoType::Space, APP).head("refs/pr/2").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_cannot_be_looked_for_is_not_taken_for_one_that_failed() {
    let (hub, folder) = docker_space(|_| {}).await;
    hub.inject(fault("POST", "/commit/", 0, 1, FaultKind::DropAfterApply));
    hub.inject(fault("GET", "/commits/", 0, usize::MAX, status(503)));
    let ran = Run::new(&hub, &folder).input("variables", "MODE=new").run().await;
    let ran = ran.failed(4, "hub_unavailable");
    assert!(ran.log.contains("cannot find out if the commit is on the Hub"), "{}", ran.log);
    assert_eq!(variable(&hub).await, "new", "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_whose_creation_is_never_answered_is_looked_for() {
    let (hub, folder) = (hub().await, static_space());
    hub.inject(fault("POST", "/api/repos/create", 0, 1, applied(504)));
    hub.inject(fault("POST", "/api/repos/create", 0, 9, status(503)));
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_whose_write_is_never_answered_is_put_back() {
    let (hub, folder) = docker_space(|_| {}).await;
    hub.inject(fault("POST", "/variables", 0, 1, applied(504)));
    hub.inject(fault("POST", "/variables", 0, 5, status(503)));
    let ran = Run::new(&hub, &folder).input("variables", "MODE=new").run().await;
    let ran = ran.failed(4, "hub_unavailable");
    assert!(ran.log.contains("restored variable `MODE`"), "{}", ran.log);
    assert_eq!(variable(&hub).await, "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_run_s_commit_of_the_same_title_is_not_taken_for_this_run_s() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    hub.inject(fault("POST", "/variables", 0, 1, FaultKind::Delay(Duration::from_secs(3))));
    hub.inject(fault("POST", "/commit/", 1, 1, FaultKind::DropConnection));
    hub.clear_requests();
    let ours = Folder::new(&[("ours.txt", "ours")]);
    let run = Run::new(&hub, &ours).input("path_in_repo", "ours").input("variables", "MODE=new");
    let child = run.spawn();
    reached(&hub, "/variables", 2).await;
    let theirs = Folder::new(&[("theirs.txt", "theirs")]);
    let other = Run::new(&hub, &theirs).input("path_in_repo", "theirs").run().await.ended(0, "deployed");
    let ran = run.finish(child).await.ended(0, "deployed");
    assert_ne!(ran.output("commit_sha"), other.output("commit_sha"), "{}", ran.log);
    assert_eq!(ran.output("commit_sha"), hub.repo(RepoType::Space, APP).head("main").unwrap());
    let tree = tree(&hub, RepoType::Space);
    assert!(tree.contains_key("ours/ours.txt") && tree.contains_key("theirs/theirs.txt"), "{tree:#?}");
    let titles: Vec<_> =
        hub.repo(RepoType::Space, APP).commits("main").into_iter().map(|it| it.title).collect();
    assert_eq!(titles[0], titles[1], "the same source commit");
}

/// The same Space where pull requests are refused, so that parts go to the branch itself.
async fn docker_space_without_pull_requests() -> (TestHub, Folder) {
    let (hub, folder) = docker_space(|_| {}).await;
    let client = crate::proxy::client();
    let url = format!("{}/api/spaces/{APP}/settings", hub.endpoint());
    let disabled = serde_json::json!({"discussionsDisabled": true});
    assert_eq!(client.put(url).bearer_auth(TOKEN).json(&disabled).send().await.unwrap().status(), 200);
    (hub, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_on_the_branch_that_cannot_be_looked_for_is_not_taken_for_one_that_failed() {
    let (hub, folder) = docker_space_without_pull_requests().await;
    hub.inject(fault("POST", "/commit/main", 0, 1, FaultKind::DropAfterApply));
    hub.inject(fault("GET", "/commits/", 0, usize::MAX, status(503)));
    let ran = in_parts(&hub, &folder).run().await.failed(4, "hub_unavailable");
    assert!(ran.log.contains("cannot find out if the commit is on the Hub"), "{}", ran.log);
    assert!(ran.log.contains("the variables `MODE` are those of this deploy already"), "{}", ran.log);
    assert_eq!(variable(&hub).await, "new", "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_during_a_part_looks_for_it_on_the_branch() {
    for (lost, said) in [
        (FaultKind::DropAfterApply, "cancelled: 1 of 2 parts are on the branch"),
        (
            FaultKind::DropConnection,
            "cancelled while a write to the Space `ada/app` was on its way: the Hub does not have it yet",
        ),
    ] {
        let (hub, folder) = docker_space_without_pull_requests().await;
        hub.inject(fault("POST", "/commit/main", 0, 1, lost));
        hub.inject(fault("GET", "/commits/", 0, 1, FaultKind::Delay(Duration::from_secs(20))));
        let ran = cancel_at(&hub, in_parts(&hub, &folder), "/commits/").await;
        assert!(ran.log.contains(said), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_is_not_shown_is_not_taken_for_a_refused_merge() {
    // Its page, or its ref, which is looked at where another commit came before the merge.
    for (path, code) in [("/discussions/1", 403), ("/tree/refs%2Fpr%2F1", 404)] {
        let (hub, folder) = docker_space(|policy| {
            policy.merges_name_their_commit = false;
            policy.merge_delay = Duration::from_secs(2);
        })
        .await;
        hub.inject(fault("GET", path, 0, usize::MAX, status(code)));
        hub.inject(fault("POST", "/discussions/1/merge", 0, 1, FaultKind::Delay(Duration::from_secs(1))));
        let run = in_parts(&hub, &folder);
        let child = run.spawn();
        reached(&hub, "/discussions/1/merge", 1).await;
        hub.repo(RepoType::Space, APP)
            .commit_as("ada", "main", &[("theirs.txt", b"theirs")], "Theirs")
            .unwrap();
        let ran = run.finish(child).await.failed(1, "hub_refused");
        let said =
            "cannot merge the pull request 1 of the Space `ada/app`: the outcome is not known: cannot read";
        assert!(ran.log.contains(said), "{}", ran.log);
        assert!(!ran.log.contains("nothing of it"), "{}", ran.log);
        assert_eq!(variable(&hub).await, "new", "{}", ran.log);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let commits = hub.repo(RepoType::Space, APP).commits("main");
        assert!(!commits.iter().any(|commit| commit.title.contains("(part ")), "{commits:#?}");
        assert!(commits[0].title.ends_with("(#1)"), "{commits:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_without_an_id_a_title_or_a_tree_is_the_first_commit_after_the_base() {
    let (hub, folder) = docker_space(|_| {}).await;
    let ok = |body: &str| FaultKind::Status { code: 200, headers: vec![], body: body.to_owned() };
    let renamed = r#"{"title":"Renamed","status":"merged","events":[],"changes":{}}"#;
    hub.inject(fault("GET", "/discussions/1", 0, usize::MAX, ok(renamed)));
    hub.inject(fault("GET", "/tree/refs%2Fpr%2F1", 0, usize::MAX, ok("[]")));
    hub.inject(fault("GET", "/commits/main", 0, 1, FaultKind::Delay(Duration::from_secs(2))));
    hub.clear_requests();
    let run = in_parts(&hub, &folder).input("wait", "false");
    let child = run.spawn();
    reached(&hub, "/commits/main", 1).await;
    let merge = hub.repo(RepoType::Space, APP).head("main").unwrap();
    hub.repo(RepoType::Space, APP).commit_as("ada", "main", &[("theirs.txt", b"theirs")], "Theirs").unwrap();
    let ran = run.finish(child).await.ended(0, "deployed");
    assert_eq!(ran.output("commit_sha"), merge, "{}", ran.log);
}

/// Cancels a run once a request of this kind has reached the Hub.
async fn cancel_at(hub: &TestHub, run: Run, path: &str) -> Ran {
    hub.clear_requests();
    let child = run.spawn();
    reached(hub, path, 1).await;
    crate::signals::send("INT", child.id().unwrap());
    run.finish(child).await.ended(130, "cancelled")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_says_what_is_on_the_hub() {
    let (hub, folder) = docker_space(|_| {}).await;
    hub.inject(fault("POST", "/preupload/", 0, 1, FaultKind::Delay(Duration::from_secs(20))));
    let ran = cancel_at(&hub, Run::new(&hub, &folder), "/preupload/").await;
    assert!(
        ran.log.contains("::error title=cancelled::cancelled before anything was committed"),
        "{}",
        ran.log
    );

    let steps = vec![local_hub::StageStep::new(Duration::from_secs(60), "RUNNING")];
    hub.space(APP).script_builds(vec![local_hub::BuildScript { steps, ..Default::default() }]).unwrap();
    let ran = cancel_at(&hub, Run::new(&hub, &folder), "/runtime").await;
    let head = hub.repo(RepoType::Space, APP).head("main").unwrap();
    let said = format!("cancelled: commit {} is on the Hub, and the Space goes on building it", &head[..7]);
    assert!(ran.log.contains(&said) && ran.summary.contains(&said), "{}", ran.log);
    assert_eq!(ran.output("commit_sha"), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_is_not_waited_for_says_so() {
    let (hub, folder) = docker_space(|_| {}).await;
    let ran = Run::new(&hub, &folder).input("wait", "false").run().await.ended(0, "deployed");
    assert!(ran.log.contains("\ncommitted; not waited for: https://ada-app-"), "{}", ran.log);
    assert!(
        ran.summary.starts_with("### ✅ Committed to the Space `ada/app`: not waited for"),
        "{}",
        ran.summary
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_to_another_branch_names_that_and_not_the_app() {
    let (hub, folder) = docker_space(|_| {}).await;
    let ran = Run::new(&hub, &folder).input("revision", "dev").run().await.ended(0, "deployed");
    assert!(
        ran.log.ends_with(&format!("deployed: {}/spaces/{APP}/tree/dev\n", hub.endpoint())),
        "{}",
        ran.log
    );
    assert!(ran.summary.starts_with("### ✅ Deployed to `dev` of the Space `ada/app`"), "{}", ran.summary);
    assert!(!ran.summary.contains("| App |"), "{}", ran.summary);

    folder.write("a.txt", "proposed");
    Run::new(&hub, &folder).input("create_pr", "true").run().await.ended(0, "deployed");
    folder.write("a.txt", "proposed again");
    let ran = Run::new(&hub, &folder).input("revision", "refs/pr/1").run().await.ended(0, "deployed");
    let page = format!("{}/spaces/{APP}/discussions/1", hub.endpoint());
    assert_eq!(ran.output("pull_request_url"), page);
    assert!(ran.log.ends_with(&format!("proposed: {page} (merge it to deploy)\n")), "{}", ran.log);
    assert!(ran.summary.contains(&format!("| Pull request | [{page}]({page}) |")), "{}", ran.summary);
}
