//! The clean-up of previews against the local Hub and the local GitHub.

mod leftovers;

use std::time::{Duration, Instant};

use hf_deploy::github::{DeploymentState, Github, GithubOptions, NewDeployment, NewStatus};
use hf_deploy::hub::{
    CreateRepo, Credentials, Hub, HubOptions, NewFile, NewSpace, Repo, RepoName, RepoType, Secret, SpaceSdk,
    Visibility,
};
use local_github::{Access, Actor, Fault, LocalGithub, Permissions, PullState};
use local_hub::FaultKind;
use serde_json::json;

use crate::assert_ran;
use crate::harness::{Folder, Run, TOKEN, TestHub, hub, static_space_with_picture, until};
use crate::settings::refuse;

const GITHUB_TOKEN: &str = "ghs_TheTokenOfTheJobThatMustNotShowUp";
const REPO: &str = "octo/hello";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A Hub and a GitHub with the repository `octo/hello`.
struct World {
    hub: TestHub,
    github: LocalGithub,
    folder: Folder,
}

impl World {
    async fn new() -> Self {
        let github = LocalGithub::start().await.unwrap();
        github.add_token(GITHUB_TOKEN, Actor::workflow(Permissions::ALL));
        github.add_repository(REPO, true);
        Self { hub: hub().await, github, folder: Folder::new(&[]) }
    }

    /// Returns a run of the action for the previews of `ada/app`.
    fn cleanup(&self) -> Run {
        Run::new(&self.hub, &self.folder)
            .action("cleanup")
            .secret("INPUT_GITHUB_TOKEN", GITHUB_TOKEN)
            .var("GITHUB_API_URL", &self.github.api_url())
    }

    /// Opens a pull request with a preview, a comment and a deployment.
    async fn open_with_preview(&self, number: u64) {
        self.open(number);
        self.make(&format!("app-pr-{number}"), Some(&mark(number))).await;
        self.announce(number).await;
    }

    fn open(&self, number: u64) {
        self.github.open_pull(REPO, number, "A change", HEAD);
    }

    fn close(&self, number: u64, state: PullState) {
        self.github.change_pull(REPO, number, |pull| pull.state = state);
    }

    /// Creates a Space of `ada`, with this value of the variable that marks previews.
    async fn make(&self, name: &str, mark: Option<&str>) {
        let mut options = HubOptions::new(self.hub.endpoint().parse().unwrap());
        options.credentials = Credentials::Token(Secret::new(TOKEN));
        let file = NewFile { path: "index.html".parse().unwrap(), content: "<h1>Hello</h1>\n".to_owned() };
        let variables = mark.map(|mark| ("HF_DEPLOY_PREVIEW".to_owned(), mark.to_owned()));
        let space = NewSpace {
            sdk: SpaceSdk::Static,
            hardware: None,
            sleep_time: None,
            variables: variables.into_iter().collect(),
            secrets: Vec::new(),
            volumes: Vec::new(),
        };
        let create = CreateRepo { visibility: Visibility::Private, space: Some(space), files: vec![file] };
        Hub::new(options).unwrap().create_repo(&space_of(name), &create).await.unwrap();
    }

    /// Writes the comment and the deployment of a preview that runs.
    async fn announce(&self, number: u64) {
        self.say(number, "✅ Ready", DeploymentState::Success).await;
    }

    /// Writes the comment and the deployment of a preview, as a run of the workflow does.
    async fn say(&self, number: u64, word: &str, state: DeploymentState) {
        let name = format!("app-pr-{number}");
        let body = format!("### {word}: preview\n\n<!-- hf-deploy preview: space ada/{name} 41 1 -->\n");
        self.github.add_comment(REPO, number, Actor::workflow(Permissions::ALL), &body);
        let github = Github::new(GithubOptions {
            api: self.github.api_url().parse().unwrap(),
            token: Secret::new(GITHUB_TOKEN),
            repository: REPO.to_owned(),
        });
        let github = github.unwrap();
        let deployment = NewDeployment {
            commit: HEAD.to_owned(),
            environment: "preview".to_owned(),
            description: format!("ada/{name}"),
            task: hf_deploy::ops::preview::deployments::task(&space_of(&name)),
            is_transient: true,
            is_production: false,
        };
        let deployment = github.create_deployment(&deployment).await.unwrap();
        let status = NewStatus {
            state,
            description: String::new(),
            environment_url: Some("https://app.example".to_owned()),
            log_url: None,
        };
        github.set_deployment_status(deployment.id, &status).await.unwrap();
    }

    fn is_there(&self, name: &str) -> bool {
        self.hub.repo(local_hub::RepoType::Space, &format!("ada/{name}")).tree("main").is_ok()
    }

    /// Returns the names that are there.
    fn there<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names.iter().copied().filter(|name| self.is_there(name)).collect()
    }

    /// Returns the first lines of our comments on a pull request.
    fn comments(&self, number: u64) -> Vec<String> {
        let comments = self.github.comments(REPO, number);
        comments.iter().map(|comment| comment.body.lines().next().unwrap_or_default().to_owned()).collect()
    }

    /// Returns the last state of each deployment, with the Space that it is about.
    fn deployments(&self) -> Vec<(String, String)> {
        let deployments = self.github.deployments(REPO);
        let state = |one: &local_github::Deployment| one.state().unwrap_or_default().to_owned();
        deployments.iter().map(|one| (one.description.clone(), state(one))).collect()
    }

    /// Returns the number of requests that wrote, on both sides.
    fn writes(&self) -> usize {
        let on_hub = self.hub.requests().iter().filter(|request| request.method != "GET").count();
        // The question for the account of the token is a POST.
        let writes =
            |request: &local_github::RecordedRequest| request.method != "GET" && request.path != "/graphql";
        on_hub + self.github.requests().iter().filter(|request| writes(request)).count()
    }

    fn assert_contract_kept(&self) {
        assert!(self.github.breaches().is_empty(), "{:?}", self.github.breaches());
    }
}

fn mark(number: u64) -> String {
    format!("github.example/{REPO}#{number}")
}

fn space_of(name: &str) -> Repo {
    let id = format!("ada/{name}").parse::<RepoName>().unwrap().full().unwrap();
    Repo { repo_type: RepoType::Space, id }
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_of_closed_pull_requests_go_and_all_others_stay() {
    let world = World::new().await;
    for number in 1..=4 {
        world.open_with_preview(number).await;
    }
    world.make("app-pr-2-proxy", Some(&mark(2))).await;
    world.make("app-pr-4-proxy", Some(&mark(4))).await;
    world.close(1, PullState::Closed);
    world.close(2, PullState::Merged);
    world.github.delete_pull(REPO, 3);
    // Only the proxy of a preview is left.
    world.make("app-pr-5-gate", Some(&mark(5))).await;
    world.open(5);
    world.close(5, PullState::Closed);
    // None of these is a preview of this repository.
    world.make("app", None).await;
    world.make("app-pr-6", None).await;
    world.make("app-pr-7", Some("github.example/octo/other#7")).await;
    world.make("app-pr-8", Some(&mark(80))).await;
    world.make("app-pr-9", Some("github.com/octo/hello#9")).await;
    world.make("my-app-pr-1", Some(&mark(1))).await;
    world.make("app-two-pr-1", Some(&mark(1))).await;
    let ran = world.cleanup().run().await.ended(0, "deleted");
    let names = [
        "app",
        "app-pr-1",
        "app-pr-2",
        "app-pr-2-proxy",
        "app-pr-3",
        "app-pr-4",
        "app-pr-4-proxy",
        "app-pr-5-gate",
        "app-pr-6",
        "app-pr-7",
        "app-pr-8",
        "app-pr-9",
        "my-app-pr-1",
        "app-two-pr-1",
    ];
    assert_eq!(
        world.there(&names),
        [
            "app",
            "app-pr-4",
            "app-pr-4-proxy",
            "app-pr-6",
            "app-pr-7",
            "app-pr-8",
            "app-pr-9",
            "my-app-pr-1",
            "app-two-pr-1"
        ]
    );
    assert!(world.comments(1)[0].contains("Deleted"), "{:?}", world.comments(1));
    assert!(world.comments(2)[0].contains("Deleted") && world.comments(2).len() == 1);
    assert!(world.comments(4)[0].contains("Ready"));
    let state = |name: &str, state: &str| (format!("ada/app-pr-{name}"), state.to_owned());
    assert_eq!(
        world.deployments(),
        [state("1", "inactive"), state("2", "inactive"), state("3", "inactive"), state("4", "success")]
    );
    world.assert_contract_kept();
    assert_ran!(ran);
    let again = world.cleanup().run().await.ended(0, "unchanged");
    assert_eq!((again.output("deleted"), again.output("failed")), ("0", "0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_pull_request_loses_an_old_preview_on_request_only() {
    let world = World::new().await;
    let start = Instant::now();
    world.open_with_preview(1).await;
    world.make("app-pr-1-proxy", Some(&mark(1))).await;
    let ran = world.cleanup().run().await.ended(0, "unchanged");
    assert!(ran.log.contains("kept the Space `ada/app-pr-1`: pull request #1 is open\n"), "{}", ran.log);
    let ran = world.cleanup().input("older_than", "1h").run().await.ended(0, "unchanged");
    assert!(ran.log.contains("pull request #1 is open, and the last change was"), "{}", ran.log);
    // The proxy of a preview does not change with it.
    world.make("app-pr-2-proxy", Some(&mark(2))).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let age = format!("{}s", start.elapsed().as_secs() - 1);
    world.open_with_preview(2).await;
    let ran = world.cleanup().input("older_than", &age).run().await.ended(0, "deleted");
    assert!(
        ran.log.contains("deleted the Space `ada/app-pr-1-proxy`: pull request #1 is open, but the last")
    );
    assert_eq!(
        world.there(&["app-pr-1", "app-pr-1-proxy", "app-pr-2", "app-pr-2-proxy"]),
        ["app-pr-2", "app-pr-2-proxy"]
    );
    assert!(world.comments(1)[0].contains("Deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_300_previews_are_found() {
    let world = World::new().await;
    for number in 1..=300 {
        world.open(number);
        world.make(&format!("app-pr-{number}"), Some(&mark(number))).await;
        if number % 2 == 0 {
            world.close(number, PullState::Merged);
        }
    }
    let ran = world.cleanup().run().await.ended(0, "deleted");
    assert_eq!((ran.output("deleted"), ran.output("kept"), ran.output("failed")), ("150", "150", "0"));
    let lines = |word: &str| ran.log.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((lines("deleted the Space"), lines("kept the Space")), (150, 150));
    assert!(ran.summary.contains("showing 100 of 300"));
    assert!(world.is_there("app-pr-299") && !world.is_there("app-pr-300") && !world.is_there("app-pr-2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_touches_nothing() {
    let world = World::new().await;
    world.open_with_preview(1).await;
    world.close(1, PullState::Closed);
    let before = world.writes();
    let ran = world.cleanup().input("dry_run", "true").run().await.ended(0, "dry-run");
    assert_eq!(world.writes(), before, "{}", ran.log);
    assert_eq!((ran.output("deleted"), ran.output("deleted_spaces")), ("1", "ada/app-pr-1"));
    assert!(
        ran.log.contains("would delete the Space `ada/app-pr-1`: pull request #1 is closed"),
        "{}",
        ran.log
    );
    assert!(world.is_there("app-pr-1") && world.comments(1)[0].contains("Ready"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_while_github_cannot_be_asked() {
    let world = World::new().await;
    world.open_with_preview(1).await;
    world.open_with_preview(2).await;
    world.close(1, PullState::Closed);
    // A repository that a token does not see looks as if it had no pull requests.
    world.github.add_token("ghs_no_permission_at_all", Actor::workflow(Permissions::default()));
    let stranger = Actor { permissions: Permissions::default(), ..Actor::person("mona") };
    world.github.add_token("ghp_token_of_a_stranger", stranger);
    let with_token = |token: &str| world.cleanup().secret("INPUT_GITHUB_TOKEN", token);
    let before = world.writes();
    let ran = with_token("ghs_no_permission_at_all").run().await.failed(3, "permission_denied");
    assert!(ran.log.contains("pull-requests: write"), "{}", ran.log);
    with_token("ghp_token_of_a_stranger").run().await.failed(3, "permission_denied");
    with_token("ghs_expired_token_of_a_job").run().await.failed(3, "permission_denied");
    world.github.plant(Fault::new("GET", "/pulls/2", 4, 502));
    let ran = world.cleanup().run().await.failed(4, "github_unavailable");
    assert!(ran.log.contains("nothing is deleted, because GitHub cannot be asked"), "{}", ran.log);
    world.github.plant(Fault::secondary_rate_limit("/pulls/1", 1, 3600));
    world.cleanup().run().await.failed(4, "github_unavailable");
    let nowhere = world.cleanup().var("GITHUB_API_URL", "http://127.0.0.1:9");
    nowhere.run().await.failed(4, "github_unavailable");
    assert_eq!(world.writes(), before);
    assert_eq!(world.there(&["app-pr-1", "app-pr-2"]), ["app-pr-1", "app-pr-2"]);
    // A broken answer, or a short wait, is no reason to give up.
    world.github.plant(Fault::new("GET", "/pulls/1", 1, 502));
    world.github.plant(Fault::secondary_rate_limit("/pulls/2", 1, 1));
    world.cleanup().run().await.ended(0, "deleted");
    assert_eq!(world.there(&["app-pr-1", "app-pr-2"]), ["app-pr-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_for_comments_or_deployments_is_a_notice() {
    let world = World::new().await;
    for number in 1..=3 {
        world.open_with_preview(number).await;
        world.close(number, PullState::Closed);
    }
    let reader = Permissions { pull_requests: Access::Read, ..Permissions::default() };
    world.github.add_token("ghs_token_that_only_reads", Actor::workflow(reader));
    let run = world.cleanup().secret("INPUT_GITHUB_TOKEN", "ghs_token_that_only_reads");
    let ran = run.run().await.ended(0, "deleted");
    assert_eq!(ran.output("deleted"), "3");
    assert_eq!(ran.log.matches("::notice").count(), 2, "{}", ran.log);
    assert!(world.comments(1)[0].contains("Ready"));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_hub_are_waited_for_or_named() {
    let world = World::new().await;
    world.open_with_preview(1).await;
    world.open_with_preview(2).await;
    world.close(1, PullState::Closed);
    world.close(2, PullState::Closed);
    refuse(&world.hub, ("GET", "/api/spaces"), 1000, (503, "out of order"));
    world.cleanup().run().await.failed(4, "hub_unavailable");
    world.hub.clear_faults();
    // One Space does not say whose it is.
    refuse(&world.hub, ("GET", "/app-pr-1/variables"), 1, (403, "Not for you"));
    let ran = world.cleanup().run().await.failed(1, "hub_refused");
    assert_eq!((ran.output("deleted"), ran.output("failed")), ("1", "1"));
    assert_eq!(world.there(&["app-pr-1", "app-pr-2"]), ["app-pr-1"]);
    let wait = FaultKind::Status {
        code: 429,
        headers: vec![("retry-after".to_owned(), "1".to_owned())],
        body: String::new(),
    };
    world.hub.inject(local_hub::Fault {
        method: Some("DELETE".to_owned()),
        path_contains: "/repos/delete".to_owned(),
        skip: 0,
        times: 1,
        kind: wait,
    });
    world.cleanup().run().await.ended(0, "deleted");
    assert!(!world.is_there("app-pr-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_cannot_be_deleted_is_loud_and_does_not_stop_the_rest() {
    let world = World::new().await;
    for number in 1..=3 {
        world.open_with_preview(number).await;
        world.close(number, PullState::Closed);
    }
    refuse(&world.hub, ("DELETE", "/repos/delete"), 1, (403, "Not for you"));
    let ran = world.cleanup().run().await.failed(1, "hub_refused");
    assert_eq!((ran.output("deleted"), ran.output("failed")), ("2", "1"));
    assert_eq!(world.there(&["app-pr-1", "app-pr-2", "app-pr-3"]), ["app-pr-1"]);
    assert!(world.comments(1)[0].contains("Ready"), "it still runs: {:?}", world.comments(1));
    assert_ran!(ran);
    world.cleanup().run().await.ended(0, "deleted");
    assert!(world.comments(1)[0].contains("Deleted") && !world.is_there("app-pr-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_vanishes_meanwhile_is_fine() {
    let world = World::new().await;
    for number in 1..=2 {
        world.open_with_preview(number).await;
        world.close(number, PullState::Closed);
    }
    refuse(&world.hub, ("GET", "/app-pr-1/variables"), 1, (404, "Repository not found"));
    refuse(&world.hub, ("DELETE", "/repos/delete"), 1, (404, "Repository not found"));
    let ran = world.cleanup().run().await.ended(0, "unchanged");
    for number in 1..=2 {
        let line = format!("the Space `ada/app-pr-{number}` is gone already");
        assert!(ran.log.contains(&line), "{}", ran.log);
    }
    assert!(world.comments(2)[0].contains("Deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_that_was_killed_is_finished_by_the_next() {
    let world = World::new().await;
    for number in 1..=6 {
        world.open_with_preview(number).await;
        world.close(number, PullState::Closed);
    }
    let names: Vec<String> = (1..=6).map(|number| format!("app-pr-{number}")).collect();
    let count = || names.iter().filter(|name| world.is_there(name)).count();
    world.hub.inject(local_hub::Fault {
        method: Some("DELETE".to_owned()),
        path_contains: "/repos/delete".to_owned(),
        skip: 2,
        times: 100,
        kind: FaultKind::Delay(Duration::from_secs(60)),
    });
    let mut child = world.cleanup().spawn();
    until(|| count() <= 4).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    world.hub.clear_faults();
    world.cleanup().run().await.ended(0, "deleted");
    assert_eq!(count(), 0);
    world.open_with_preview(9).await;
    world.cleanup().run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_a_killed_deploy_left_behind_is_found() {
    let world = World::new().await;
    world.open(12);
    let folder = static_space_with_picture();
    let event = json!({
        "action": "opened",
        "pull_request": {
            "number": 12, "state": "open",
            "head": {"sha": HEAD, "repo": {"full_name": REPO}},
            "base": {"sha": HEAD, "repo": {"full_name": REPO}},
        },
        "repository": {"private": true},
    });
    world.folder.write("event.json", event.to_string());
    let event = world.folder.path().join("event.json");
    world.hub.inject(local_hub::Fault {
        method: Some("POST".to_owned()),
        path_contains: "/commit/".to_owned(),
        skip: 0,
        times: 100,
        kind: FaultKind::Delay(Duration::from_secs(60)),
    });
    let deploy = Run::new(&world.hub, &folder)
        .input("preview", "true")
        .secret("INPUT_GITHUB_TOKEN", GITHUB_TOKEN)
        .var("GITHUB_API_URL", &world.github.api_url())
        .var("GITHUB_EVENT_NAME", "pull_request")
        .var("GITHUB_EVENT_PATH", &event.to_string_lossy());
    let mut child = deploy.spawn();
    until(|| world.is_there("app-pr-12")).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    world.hub.clear_faults();
    let ran = world.cleanup().run().await.ended(0, "unchanged");
    assert!(ran.log.contains("kept the Space `ada/app-pr-12`: pull request #12 is open"), "{}", ran.log);
    world.close(12, PullState::Merged);
    let ran = world.cleanup().run().await.ended(0, "deleted");
    assert_eq!(ran.output("deleted_spaces"), "ada/app-pr-12");
    assert!(!world.is_there("app-pr-12"));
    let left: Vec<String> = world.comments(12).into_iter().filter(|line| !line.contains("Deleted")).collect();
    assert_eq!(left, [""; 0]);
    assert!(world.deployments().iter().all(|(_, state)| state == "inactive"), "{:?}", world.deployments());
    world.assert_contract_kept();
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_inputs_are_reported_before_any_request() {
    let world = World::new().await;
    let run = world.cleanup().input("preview_suffix", "-preview").input("older_than", "soon");
    let ran = run.input("dry_runs", "true").run().await.failed(2, "invalid_input");
    for part in ["`preview_suffix` must hold `{number}`", "`older_than` must be a time", "`dry_run`"] {
        assert!(ran.log.contains(part), "{part}: {}", ran.log);
    }
    world.cleanup().input("hf_token", "").run().await.failed(3, "token_missing");
    assert!(world.hub.requests().is_empty() && world.github.requests().is_empty());
}
