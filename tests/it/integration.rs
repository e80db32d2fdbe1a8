//! The cases of the integration workflow, as it runs them, against the local Hub; and their teardown.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use local_github::{Actor, Permissions};
use local_hub::inference::{LocalRouter, TaskModel};
use local_hub::{DockerCommand, RepoType, Runtimes};

use crate::contract::{read, yaml};
use crate::harness::{Folder, Run, TOKEN, TestHub, hub_with, prepared_variable, static_space};
use crate::keyless::{github, without_token};

const CASES: [(&str, RepoType); 5] = [
    ("space", RepoType::Space),
    ("private-space-with-proxy", RepoType::Space),
    ("model", RepoType::Model),
    ("dataset", RepoType::Dataset),
    ("refused", RepoType::Space),
];

fn scenario(workspace: &Folder, command: &str, case: &str, outputs: &BTreeMap<String, String>) -> Output {
    let outputs = outputs.iter().map(|(name, value)| (format!("OUTPUT_{}", name.to_uppercase()), value));
    prepare_scenario(workspace, command, case).envs(outputs).output().unwrap()
}

/// Compares the outputs with the case, which may ask the Hub.
fn expected(hub: &TestHub, workspace: &Folder, case: &str, outputs: &BTreeMap<String, String>) -> Output {
    let outputs = outputs.iter().map(|(name, value)| (format!("OUTPUT_{}", name.to_uppercase()), value));
    let mut scenario = prepare_scenario(workspace, "expect", case);
    scenario.env("HF_ENDPOINT", hub.endpoint()).env("HF_TOKEN", TOKEN).envs(outputs).output().unwrap()
}

fn prepare_scenario(workspace: &Folder, command: &str, case: &str) -> Command {
    let mut scenario = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/scenario"));
    scenario
        .args([command, case])
        .env_clear()
        .envs(std::env::var("PATH").map(|path| ("PATH", path)))
        .env("HF_TEST_WORKSPACE", workspace.path())
        .env("HF_TEST_NAMESPACE", "ada")
        .env("HF_KEYLESS_REPO", "ada/app")
        .env("GITHUB_REPOSITORY", "octo/hello")
        .env("GITHUB_SERVER_URL", "https://github.example")
        .env("HF_TEST_RUN", "20261120-42");
    scenario
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

async fn hub() -> TestHub {
    let proxy = prepared_variable("HF_DEPLOY_PROXY");
    hub_with(|config| {
        config.edge = true;
        config.runtimes = Runtimes {
            docker: Some(DockerCommand { program: proxy.into(), args: Vec::new() }),
            ..Runtimes::default()
        };
    })
    .await
}

/// The outputs that the workflow passes to the case, as variables.
fn handed_over(case: &str, outputs: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let workflow = yaml(&read(".github/workflows/integration-hf.yml"));
    let job =
        if ["keyless", "cleanup", "preview", "job", "build-space"].contains(&case) { case } else { "case" };
    let steps = workflow["jobs"][job]["steps"].as_sequence().unwrap().iter();
    let is_handed = |name: &str| {
        let variable = format!("OUTPUT_{}", name.to_uppercase());
        steps.clone().any(|step| step["env"].get(&variable).is_some())
    };
    outputs
        .iter()
        .filter(|(name, _)| is_handed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A run of the case, prepared and not yet started.
fn prepared(hub: &TestHub, workspace: &Folder, case: &str) -> Run {
    let none = BTreeMap::new();
    said(&scenario(workspace, "prepare", case, &none));
    let inputs = said(&scenario(workspace, "inputs", case, &none));
    let pairs = inputs.lines().map(|line| line.split_once('=').unwrap());
    pairs.fold(Run::new(hub, workspace), |run, (name, value)| run.input(name, value))
}

/// The result of the step that embeds a text.
async fn embedded(hub: &TestHub, workspace: &Folder) -> String {
    let (id, router) = ("sentence-transformers/all-MiniLM-L6-v2", LocalRouter::start(TOKEN).await.unwrap());
    router.add_task_model(TaskModel::Embed { id: id.to_owned(), by_token: false });
    let run = Run::new(hub, workspace).without("INPUT_HUGGINGFACE_REPO").action("inference");
    let run = run.var("HF_ROUTER_ENDPOINT", &router.endpoint()).input("operation", "embed");
    let ran = run.input("model", id).input("input", "a short text").run().await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    ran.output("matched").to_owned()
}

/// The outputs of the step that verifies the Space of a case, under the names that the workflow gives them.
async fn verified(hub: &TestHub, workspace: &Folder, space: &str) -> BTreeMap<String, String> {
    let inputs = said(&scenario(workspace, "inputs", "space", &BTreeMap::new()));
    let text = inputs.lines().find_map(|line| line.strip_prefix("health_contains=")).unwrap();
    let run = Run::new(hub, workspace).without("INPUT_HUGGINGFACE_REPO").action("verify");
    let ran = run.input("space", space).input("health_contains", text).run().await;
    let outputs = [("checked_status", "verify_status"), ("checks_failed", "checks_failed")];
    outputs.map(|(name, output)| (name.to_owned(), ran.output(output).to_owned())).into()
}

/// The outputs of the step that adds rows to the dataset of a case, under the names that the workflow gives them.
async fn with_rows(hub: &TestHub, workspace: &Folder, repo: &str) -> BTreeMap<String, String> {
    let run = Run::new(hub, workspace).without("INPUT_HUGGINGFACE_REPO").action("dataset");
    let ran = run.input("repo", repo).input("path", "rows").run().await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    let outputs = [("rows_status", "status"), ("rows", "rows"), ("splits", "splits")];
    outputs.map(|(name, output)| (name.to_owned(), ran.output(output).to_owned())).into()
}

/// The outputs of the step that uploads sessions beside the dataset of a case, under the names of the workflow.
async fn with_sessions(hub: &TestHub, workspace: &Folder, repo: &str) -> BTreeMap<String, String> {
    let run = Run::new(hub, workspace).without("INPUT_HUGGINGFACE_REPO").action("dataset");
    let run = run.input("repo", &format!("{repo}-traces")).input("path", "sessions").input("kind", "traces");
    let run = run.input("secrets", "TRACED").input("tags", "hf-deploy-test");
    let ran = run.secret("TRACED", "value-of-20261120-42").run().await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    let outputs = [("traces_status", "status"), ("redactions", "redactions")];
    outputs.map(|(name, output)| (name.to_owned(), ran.output(output).to_owned())).into()
}

async fn tear_down(hub: &TestHub, workspace: &Folder) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(["teardown", "--prefix", "hfd-test-", "--list"])
        .arg(workspace.path().join("created.txt"))
        .env_clear()
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HF_TOKEN", TOKEN)
        .output()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn each_case_comes_to_what_it_promises_and_leaves_nothing() {
    let hub = hub().await;
    for (case, repo_type) in CASES {
        let workspace = Folder::new(&[]);
        let ran = prepared(&hub, &workspace, case).run().await;
        let mut outputs = handed_over(case, &ran.outputs);
        if case == "space" {
            outputs.extend(verified(&hub, &workspace, ran.output("repo_id")).await);
        }
        if case == "dataset" {
            outputs.extend(with_rows(&hub, &workspace, ran.output("repo_id")).await);
            outputs.extend(with_sessions(&hub, &workspace, ran.output("repo_id")).await);
        }
        if case == "model" {
            outputs.insert("embedded".to_owned(), embedded(&hub, &workspace).await);
        }
        let output = expected(&hub, &workspace, case, &outputs);
        assert!(output.status.success(), "{case}: {}\n{}", String::from_utf8_lossy(&output.stderr), ran.log);
        said(&tear_down(&hub, &workspace).await);
        for part in ["", "-proxy", "-traces"] {
            let name = format!("ada/hfd-test-20261120-42-{case}{part}");
            assert!(hub.repo(repo_type, &name).tree("main").is_err(), "`{name}` is still there");
        }
        let bucket = "ada/hfd-test-20261120-42-space-runs";
        assert_eq!(hub.bucket(bucket).is_private(), None, "`{bucket}` is still there");
    }
}

/// The steps of the job `operate`: a deploy, the actions `space` and `status`, and the teardown of what is gone by then.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_space_is_operated_and_deleted() {
    let hub = hub().await;
    let workspace = Folder::new(&[]);
    let space = "ada/hfd-test-20261120-42-operate";
    prepared(&hub, &workspace, "operate").run().await.ended(0, "deployed");
    let operation = |word: &str| {
        let run = Run::new(&hub, &workspace).action("space").without("INPUT_HUGGINGFACE_REPO");
        run.input("space", space).input("operation", word)
    };
    let state = operation("status").run().await.ended(0, "unchanged");
    let deleted = operation("delete").input("confirm", space).run().await.ended(0, "done");
    let account = Run::new(&hub, &workspace).action("status").without("INPUT_HUGGINGFACE_REPO");
    let account = account.input("namespace", "ada").run().await.ended(0, "done");
    let mut outputs = deleted.outputs.clone();
    outputs.insert("space_stage".to_owned(), state.output("space_stage").to_owned());
    outputs.extend(["user", "features"].map(|name| (name.to_owned(), account.output(name).to_owned())));
    said(&scenario(&workspace, "expect", "operate", &outputs));
    said(&tear_down(&hub, &workspace).await);
    assert!(hub.repo(RepoType::Space, space).tree("main").is_err());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_case_that_is_cancelled_leaves_nothing_either() {
    let hub = hub().await;
    let workspace = Folder::new(&[]);
    let mut child = prepared(&hub, &workspace, "space").spawn();
    while hub.repo(RepoType::Space, "ada/hfd-test-20261120-42-space").tree("main").is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it made the repo");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    said(&tear_down(&hub, &workspace).await);
    assert!(hub.repo(RepoType::Space, "ada/hfd-test-20261120-42-space").tree("main").is_err());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn the_keyless_case_deploys_to_a_space_that_trusts_the_job_and_keeps_it() {
    let hub = hub().await;
    Run::new(&hub, &static_space()).run().await.ended(0, "deployed");
    let claims = BTreeMap::from([("repository".to_owned(), "octo/hello".to_owned())]);
    hub.repo(RepoType::Space, "ada/app").add_trusted_publisher(claims).unwrap();
    let workspace = Folder::new(&[]);
    let run = prepared(&hub, &workspace, "keyless");
    let ran = without_token(run, &github().await).await.run().await;
    let output = scenario(&workspace, "expect", "keyless", &handed_over("keyless", &ran.outputs));
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), ran.log);
    said(&tear_down(&hub, &workspace).await);
    assert!(hub.repo(RepoType::Space, "ada/app").tree("main").is_ok(), "it is not one that the run made");

    let by_token = prepared(&hub, &workspace, "keyless").run().await;
    let output = scenario(&workspace, "expect", "keyless", &by_token.outputs);
    assert!(!output.status.success(), "a token is no keyless deploy");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clean_up_case_deletes_one_preview_and_leaves_nothing() {
    let hub = hub_with(|_| {}).await;
    let (workspace, github) = (Folder::new(&[]), github().await);
    github.add_token("ghs_token_of_the_job", Actor::workflow(Permissions::ALL));
    github.add_repository("octo/hello", false);
    let prepared = prepare_scenario(&workspace, "prepare", "cleanup")
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HF_TOKEN", TOKEN)
        .output();
    said(&prepared.unwrap());
    let none = BTreeMap::new();
    let inputs = said(&scenario(&workspace, "inputs", "cleanup", &none));
    let (name, repo) = inputs.trim().split_once('=').unwrap();
    let run = Run::new(&hub, &workspace)
        .action("cleanup")
        .input(name, repo)
        .secret("INPUT_GITHUB_TOKEN", "ghs_token_of_the_job")
        .var("GITHUB_API_URL", &github.api_url());
    let ran = run.run().await;
    let output = scenario(&workspace, "expect", "cleanup", &handed_over("cleanup", &ran.outputs));
    let card = hub.repo(RepoType::Space, &format!("{repo}-pr-1")).read_file("main", "README.md").unwrap();
    assert!(String::from_utf8_lossy(&card).contains("- hf-deploy-test"), "the janitor would not find it");
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), ran.log);
    said(&tear_down(&hub, &workspace).await);
    for number in ["1", "999999999"] {
        let name = format!("{repo}-pr-{number}");
        assert!(hub.repo(RepoType::Space, &name).tree("main").is_err(), "`{name}` is still there");
    }
}

/// The events are those that the workflow passes to the image.
#[tokio::test(flavor = "multi_thread")]
async fn the_preview_case_goes_through_the_life_of_a_pull_request_and_leaves_nothing() {
    let hub = hub_with(|config| config.edge = true).await;
    let (workspace, github) = (Folder::new(&[]), github().await);
    let token = "ghs_TheTokenOfTheJobThatMustNotShowUp";
    github.add_token(token, Actor::workflow(Permissions::ALL));
    github.add_repository("octo/hello", false);
    said(&scenario(&workspace, "prepare", "preview", &BTreeMap::new()));
    let mut ended = Vec::new();
    for action in ["opened", "synchronize", "closed"] {
        let event = prepare_scenario(&workspace, "event", action)
            .env("GITHUB_SHA", "a".repeat(40))
            .env("GITHUB_API_URL", github.api_url())
            .env("GITHUB_RUN_ID", "42")
            .output()
            .unwrap();
        let run = Run::new(&hub, &workspace).secret("INPUT_GITHUB_TOKEN", token);
        let lines = said(&event);
        // The harness reads the outputs from a file of its own.
        let own = |line: &&str| !line.starts_with("GITHUB_OUTPUT=") && !line.ends_with('=');
        let pairs = lines.lines().filter(own).map(|line| line.split_once('=').unwrap());
        ended.push(pairs.fold(run, |run, (name, value)| run.var(name, value)).run().await);
    }
    let [opened, pushed, closed] = ended.as_slice() else { panic!("three runs: {ended:?}") };
    let mut outputs = handed_over("preview", &opened.outputs);
    outputs.insert("pushed_status".to_owned(), pushed.output("status").to_owned());
    outputs.insert("closed_status".to_owned(), closed.output("status").to_owned());
    let output = scenario(&workspace, "expect", "preview", &outputs);
    let logs = [&opened.log, &pushed.log, &closed.log].map(String::as_str).join("\n");
    assert!(output.status.success(), "{}\n{logs}", String::from_utf8_lossy(&output.stderr));
    let deployments = github.deployments("octo/hello");
    assert!(deployments.iter().all(|one| one.state() == Some("inactive")), "{deployments:?}");
    said(&tear_down(&hub, &workspace).await);
    let space = "ada/hfd-test-20261120-42-preview-pr-999999999";
    assert!(hub.repo(RepoType::Space, space).tree("main").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_case_fetches_its_output_and_leaves_nothing() {
    let (hub, workspace) = (hub_with(|_| {}).await, Folder::new(&[]));
    let none = BTreeMap::new();
    said(&scenario(&workspace, "prepare", "job", &none));
    let inputs = said(&scenario(&workspace, "inputs", "job", &none));
    let run = Run::new(&hub, &workspace).action("job").without("INPUT_HUGGINGFACE_REPO");
    let pairs = inputs.lines().filter_map(|line| line.split_once('='));
    let ran = pairs.fold(run, |run, (name, value)| run.input(name, value)).run().await;
    let output = scenario(&workspace, "expect", "job", &handed_over("job", &ran.outputs));
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), ran.log);
    assert!(hub.bucket("ada/jobs-artifacts").files().is_empty());
}

/// A run of the case `build-space`, prepared and not yet started, on a Hub that has its model.
fn prepared_build(hub: &TestHub, workspace: &Folder) -> Run {
    let none = BTreeMap::new();
    said(&scenario(workspace, "prepare", "build-space", &none));
    let inputs = said(&scenario(workspace, "inputs", "build-space", &none));
    let run = Run::new(hub, workspace).action("build-space").without("INPUT_HUGGINGFACE_REPO");
    let pairs = inputs.lines().filter_map(|line| line.split_once('='));
    pairs.fold(run, |run, (name, value)| run.input(name, value))
}

async fn hub_with_a_page() -> TestHub {
    let hub = hub_with(|config| config.edge = true).await;
    let mut case: serde_json::Value =
        serde_json::from_str(&read("tests/fixtures/models/static-transformersjs.json")).unwrap();
    case["model"]["id"] = "Xenova/distilbert-base-uncased-finetuned-sst-2-english".into();
    hub.plant_model(&case["model"]).unwrap();
    hub
}

const BUILT: &str = "ada/hfd-test-20261120-42-build-space";

#[tokio::test(flavor = "multi_thread")]
async fn build_space_case_makes_a_page_and_leaves_nothing() {
    let (hub, workspace) = (hub_with_a_page().await, Folder::new(&[]));
    let ran = prepared_build(&hub, &workspace).run().await;
    let again = prepared_build(&hub, &workspace).run().await;
    let mut outputs = handed_over("build-space", &ran.outputs);
    outputs
        .extend(["status", "created"].map(|name| (format!("again_{name}"), again.output(name).to_owned())));
    let output = expected(&hub, &workspace, "build-space", &outputs);
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), ran.log);
    said(&tear_down(&hub, &workspace).await);
    assert!(hub.repo(RepoType::Space, BUILT).tree("main").is_err());
    assert_eq!(hub.bucket(&format!("{BUILT}-runs")).is_private(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn build_space_case_that_is_killed_leaves_nothing_either() {
    let (hub, workspace) = (hub_with_a_page().await, Folder::new(&[]));
    let mut child = prepared_build(&hub, &workspace).spawn();
    while hub.repo(RepoType::Space, BUILT).tree("main").is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it made the Space");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    said(&tear_down(&hub, &workspace).await);
    assert!(hub.repo(RepoType::Space, BUILT).tree("main").is_err());
}

#[test]
fn the_workflow_runs_each_case_with_all_its_inputs() {
    let text = read(".github/workflows/integration-hf.yml");
    let workflow = yaml(&text);
    let matrix = workflow["jobs"]["case"]["strategy"]["matrix"]["case"].as_sequence().unwrap();
    let own_jobs = ["operate", "keyless", "cleanup", "preview", "job", "build-space"];
    let run: Vec<&str> = matrix.iter().filter_map(|case| case.as_str()).chain(own_jobs).collect();
    let list = format!("cases=({})\n", run.join(" "));
    assert!(read("tests/integration/scenario").contains(&list), "{list}");
    assert_eq!(CASES.map(|(case, _)| case), run[..run.len() - own_jobs.len()]);
    // The steps of `preview` pass the variables of an event on, whole.
    for case in run.into_iter().filter(|case| *case != "preview") {
        let inputs = said(&scenario(&Folder::new(&[]), "inputs", case, &BTreeMap::new()));
        // The folder has another path inside the container.
        for name in
            inputs.lines().filter_map(|line| line.split('=').next()).filter(|name| *name != "source_dir")
        {
            let taken = format!("{name}: ${{{{ steps.prepare.outputs.{name}");
            assert!(text.contains(&taken), "`{case}` says `{name}`, and the workflow does not pass it on");
        }
    }
}

#[test]
fn a_promise_that_is_not_kept_fails_the_case() {
    let workspace = Folder::new(&[]);
    let outputs = BTreeMap::from([("status".to_owned(), "failed".to_owned())]);
    let output = scenario(&workspace, "expect", "space", &outputs);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("`status` is `failed`, and not `deployed`"));
    assert!(!scenario(&workspace, "expect", "nonsense", &outputs).status.success());
}
