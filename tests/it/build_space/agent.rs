//! The agent that edits the files, with stand-ins for its program: what each end of its Job means for the Space.

use std::os::unix::fs::PermissionsExt as _;

use local_hub::inference::{ChatModel, LocalRouter, ScriptedTurn};
use local_hub::{Fault, FaultKind, RepoType};
use serde_json::Value;

use super::{SPACE, World, action, assert_shown, files, kept, kept_json, scaffold, space_by_hand, world};
use crate::harness::{Ran, Run, TOKEN, TestHub, reached, until};
use crate::settings::refuse;
use crate::signals::send;

/// Model of the agent, and its token.
pub(super) const CODER: &str = "acme/coder";
pub(super) const AGENT_TOKEN: &str = "hf_AgentTokenThatMustNeverShowUpEither";
/// Bucket of the Jobs.
const BUCKET: &str = "ada/jobs-artifacts";

/// A Hub with the model, the router, and the programs of the images.
pub(super) struct Agency {
    pub(super) world: World,
    pub(super) router: LocalRouter,
    _programs: tempfile::TempDir,
}

/// Puts programs into all images: names and shell scripts.
pub(super) fn provide(hub: &TestHub, programs: &[(&str, &str)], path: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for (name, script) in programs {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = [folder.path().to_str().unwrap(), path].join(":");
    let path = path.trim_end_matches(':').to_owned();
    hub.set_policy(|policy| policy.jobs.extra_path = Some(path));
    folder
}

/// A Hub whose images have these programs, and a model that follows a script.
pub(super) async fn agency(programs: &[(&str, &str)], path: &str, script: Vec<ScriptedTurn>) -> Agency {
    let world = world().await;
    let _programs = provide(&world.hub, programs, path);
    let router = LocalRouter::start(AGENT_TOKEN).await.unwrap();
    router.add_chat_model(ChatModel::new(CODER, &[("groq", Some((1.0, 2.0)))]).scripted(script));
    Agency { world, router, _programs }
}

/// Commands after which the folder of the output has the files of the agent and a result.
const DONE: &str = r#"mkdir -p "$2/space" "$2/traces/raw"
cp space/app.py space/requirements.txt "$2/space/"
"#;

/// The result of the program: the end, and further fields.
fn result(ended: &str, more: &str) -> String {
    format!(
        r#"echo '{{"schema":1,"ended":"{ended}","exit_code":0,"has_own_user":true,"requests":3,"input_tokens":3000,"output_tokens":150,"cost_usd":0.0033,"compiled":[{{"path":"app.py","ok":true,"message":""}}],"refused":[]{more}}}' >"$2/result.json""#
    )
}

/// A stand-in for `node`, which does this to the returned files in `$2/space`.
async fn stand_in(change: &str, result: &str) -> Agency {
    agency(&[("node", &format!("{DONE}{change}\n{result}\n"))], "", Vec::new()).await
}

impl Agency {
    /// A run with the agent.
    pub(super) fn run(&self) -> Run {
        action(&self.world)
            .input("builder", "agent")
            .input("agent_model", CODER)
            .input("agent_hf_token", AGENT_TOKEN)
            .secret("AGENT_TOKEN_OF_THE_TEST", AGENT_TOKEN)
            .var("HF_ROUTER_ENDPOINT", &self.router.endpoint())
    }

    /// A run whose app has to answer, and nothing else.
    pub(super) async fn visit(&self) -> Ran {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        self.world.space(SPACE).set_app(Some(listener.local_addr().unwrap()));
        let app = axum::Router::new().fallback(|| async { "<h1>An app</h1>" });
        let server = tokio::spawn(async { axum::serve(listener, app).await });
        let ran = self.run().input("verify", "health").input("fail_on", "failed").run().await;
        server.abort();
        ran
    }

    /// Asserts that the run ended with this verdict and code, and that it wrote no Space.
    pub(super) fn assert_refused(&self, ran: &Ran, gate: &str, code: &str) {
        let found = (ran.code, ran.output("gate_status"), ran.output("error_code"));
        assert_eq!(found, (1, gate, code), "{}", ran.log);
        assert_eq!(self.world.repo(RepoType::Space, SPACE).head("main"), None);
        assert_eq!(kept_json(&self.world, ran, "inference_gate.json")["status"], gate);
    }

    /// The files in the bucket of the Jobs, without the id of the run.
    pub(super) fn stored(&self) -> Vec<String> {
        let files = self.world.bucket(BUCKET).files().into_keys();
        files.map(|path| path.split_once('/').unwrap().1.to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_agent_are_deployed_with_their_author_in_the_record() {
    let change =
        r#"echo '# The agent was here.' >>"$2/space/app.py"; echo 'einops' >>"$2/space/requirements.txt""#;
    let agency = stand_in(change, &result("finished", "")).await;
    let ran = agency.visit().await.ended(0, "deployed");
    let made = files(&agency.world);
    assert!(made["app.py"].ends_with("# The agent was here.\n"), "{}", made["app.py"]);
    assert!(made["app.py"].contains("\n# Edited by an agent: @earendil-works/pi-coding-agent "));
    assert!(made["requirements.txt"].ends_with("einops\n"));
    let record: Value = serde_json::from_str(&made[".hf-factory.json"]).unwrap();
    assert_eq!((&record["builder"], &record["agent_model"]), (&"agent".into(), &CODER.into()));
    assert_eq!(kept(&agency.world, &ran, "generated/app.py"), made["app.py"]);
    assert!(ran.log.contains("the agent changed `app.py`, `requirements.txt`\n"), "{}", ran.log);
    let job = agency.world.jobs().pop().unwrap();
    assert_eq!(job.info()["dockerImage"], "node:24");
    assert_eq!(job.secrets()["AGENT_TOKEN"], AGENT_TOKEN);
    assert!(job.info()["environment"].as_object().is_none_or(serde_json::Map::is_empty));
    assert_shown("space_by_an_agent", &agency.world, &ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_stay_in_the_bucket_and_the_bundle_has_no_secret_of_them() {
    let line = |text: &str| {
        format!(
            r#"echo '{{"type":"message","id":"b","parentId":null,"message":{{"role":"user","content":"{text}"}}}}' >>"$2/traces/raw/s.jsonl""#
        )
    };
    let header = r#"echo '{"type":"session","version":3,"id":"a","timestamp":"t","cwd":"/w"}' >"$2/traces/raw/s.jsonl""#;
    let others =
        ["ghp_", "AKIA", "sk-"].map(|prefix| format!("{prefix}Q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKi12"));
    let [github, _, openai] = &others;
    let said = [
        line(&format!("the token {AGENT_TOKEN} and {TOKEN}")),
        line(&format!("{github} {openai} Authorization: Bearer q7Zk2VbN9xTfLw4R")),
    ];
    let change =
        format!("{header}\n{}\nprintf '{{\"type\":\"cut' >>\"$2/traces/raw/s.jsonl\"", said.join("\n"));
    let agency = stand_in(&change, &result("finished", r#","sessions":1"#)).await;
    let ran = agency.visit().await.ended(0, "deployed");
    let session = kept(&agency.world, &ran, "traces/redacted/s.jsonl");
    assert_eq!(session.lines().count(), 3, "{session}");
    for secret in [AGENT_TOKEN, TOKEN, github, openai, "q7Zk2VbN9xTfLw4R"] {
        assert!(!session.contains(secret), "{secret}: {session}");
    }
    assert!(session.contains("the token *** and ***"), "{session}");
    let stored = agency.stored();
    assert!(stored.contains(&"output/traces/raw/s.jsonl".to_owned()), "{stored:?}");
    assert!(!stored.iter().any(|path| path.starts_with("source/")), "the checkout is deleted: {stored:?}");
    assert_eq!(agency.world.bucket(BUCKET).is_private(), Some(true));
    assert!(ran.log.contains("private bucket `ada/jobs-artifacts`"), "{}", ran.log);
    let workspace = crate::harness::files_below(&agency.world.folder.path().join(".hf-deploy"));
    assert!(!workspace.iter().any(|(path, _)| path.to_string_lossy().contains("raw")));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_break_rules_are_not_deployed() {
    for (change, fault) in [
        (r#"rm "$2/space/app.py""#, "app.py: was deleted"),
        (r#"ln -sf /etc/passwd "$2/space/app.py""#, "app.py"),
        (r#"echo 'TOKEN = "hf_q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKi"' >>"$2/space/app.py""#, "app.py:"),
    ] {
        let agency = stand_in(change, &result("finished", "")).await;
        let ran = agency.run().run().await;
        agency.assert_refused(&ran, "failed", "agent_refused");
        assert!(ran.log.contains(fault), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_rule_is_shown_with_its_line() {
    let change = r#"sed -i 's/show_error=True//; s/^MODEL_ID = .*/MODEL_ID = "other"/; s/@spaces.GPU.*/# TODO/' "$2/space/app.py"
echo 'git+https://example.com/x' >>"$2/space/requirements.txt""#;
    let agency = stand_in(change, &result("finished", "")).await;
    let ran = agency.run().run().await;
    agency.assert_refused(&ran, "failed", "agent_refused");
    assert_shown("broken_rules_of_an_agent", &agency.world, &ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn obstacles_of_the_agent_are_technical_blockers() {
    let change = r#"echo '[{"id":"needs_own_server","severity":"blocker","evidence":"config.json names no class","fix":"publish a class"}]' >"$2/space/TECHNICAL_BLOCKERS.json""#;
    let agency = stand_in(change, &result("finished", "")).await;
    let ran = agency.run().run().await;
    agency.assert_refused(&ran, "technical_blocker", "technical_blocker");
    let blockers = kept_json(&agency.world, &ran, "TECHNICAL_BLOCKERS.json");
    assert_eq!(blockers[0]["id"], "needs_own_server");
    assert_shown("obstacles_of_an_agent", &agency.world, &ran);
    let evidence = &kept_json(&agency.world, &ran, "inference_gate.json")["evidence"];
    assert_eq!(evidence["blockers"], serde_json::json!(["needs_own_server"]));
    assert_eq!((&evidence["agent"]["model"], &evidence["agent"]["requests"]), (&CODER.into(), &3.into()));
    let job = kept_json(&agency.world, &ran, "state.json")["job"].clone();
    assert_eq!(job["stage"], "COMPLETED");
    assert_eq!(job["url"], evidence["agent"]["job"]);
    let ran = agency.run().input("fail_on", "failed").run().await;
    assert_eq!((ran.code, ran.output("gate_status")), (0, "technical_blocker"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_that_does_not_finish_has_failed() {
    for (ended, message) in [
        ("time_limit", "raise `agent_timeout`"),
        ("cost_limit", "raise `agent_max_cost`"),
        ("failed", "no credits are left"),
    ] {
        let result = result(ended, r#","message":"no credits are left""#);
        let agency = stand_in("", &result).await;
        let ran = agency.run().run().await;
        agency.assert_refused(&ran, "failed", "agent_failed");
        assert!(ran.log.contains(message), "{message}: {}", ran.log);
    }
    for result in ["true", "exit 3", "echo '{}' >\"$2/result.json\""] {
        let agency = stand_in("", result).await;
        let ran = agency.run().run().await;
        agency.assert_refused(&ran, "failed", "agent_failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_paid_where_it_could_not_be_used() {
    let agency = stand_in("", &result("finished", "")).await;
    let ran = agency.run().input("agent_max_cost", "0.0001").run().await.failed(2, "cost_exceeded");
    assert!(ran.log.contains("`agent_max_cost`") && !ran.log.contains("`max_cost`"), "{}", ran.log);
    space_by_hand(&agency.world, &[("README.md", b"# Mine\n")]);
    agency.run().run().await.failed(5, "space_name_taken");
    assert!(agency.world.jobs().is_empty());
    let agency = stand_in("", &result("finished", "")).await;
    refuse(&agency.world, ("POST", "/api/jobs/ada"), 1, (402, "Pre-paid credit balance is insufficient"));
    agency.run().run().await.failed(3, "payment_required");
    assert!(agency.world.repo(RepoType::Space, SPACE).head("main").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_run_cancels_the_job_of_its_agent() {
    let agency = stand_in("sleep 60", &result("finished", "")).await;
    let run = agency.run();
    let child = run.spawn();
    reached(&agency.world, "/api/jobs/ada", 1).await;
    until(|| agency.world.jobs().iter().any(|job| job.stage() == "RUNNING")).await;
    send("TERM", child.id().unwrap());
    let ran = run.finish(child).await;
    assert_eq!(ran.output("status"), "cancelled", "{}", ran.log);
    assert_eq!(agency.world.jobs()[0].stage(), "CANCELED");
    until(|| agency.stored().iter().all(|path| !path.starts_with("source/"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn job_of_a_killed_run_is_gone_after_the_post_step() {
    let agency = stand_in("sleep 60", &result("finished", "")).await;
    let scratch = tempfile::tempdir().unwrap();
    let state = scratch.path().join("state");
    let run = || agency.run().var("GITHUB_STATE", state.to_str().unwrap());
    let saved = || std::fs::read_to_string(&state).unwrap_or_default();
    let mut child = run().spawn();
    until(|| saved().contains("\njob=ada/")).await;
    until(|| agency.world.jobs().iter().any(|job| job.stage() == "RUNNING")).await;
    child.kill().await.unwrap();
    let of_the_step = saved();
    let pairs = of_the_step.lines().filter_map(|line| line.split_once('='));
    let post = pairs.fold(agency.run(), |run, (name, value)| run.var(&format!("STATE_{name}"), value));
    let post = post.run().await;
    assert_eq!((post.code, agency.world.jobs()[0].stage()), (0, "CANCELED"), "{}", post.log);
    assert!(post.log.contains("the step was killed: the Job `ada/"), "{}", post.log);
    assert!(post.log.contains("the step was killed: its run bundle `"), "{}", post.log);
    assert_eq!(agency.world.jobs().len(), 1);
    assert!(agency.stored().iter().all(|path| !path.starts_with("source/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn post_step_of_a_run_without_an_agent_does_nothing() {
    let world = world().await;
    let post = scaffold(&world).var("STATE_started", "true").run().await;
    assert_eq!((post.code, post.log.as_str()), (0, ""));
    assert!(world.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_to_the_creation_of_the_job_starts_no_second_one() {
    let agency = stand_in("", &result("finished", "")).await;
    agency.world.inject(Fault {
        method: Some("POST".to_owned()),
        path_contains: "/api/jobs/ada".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::DropAfterApply,
    });
    let ran = agency.visit().await.ended(0, "deployed");
    assert_eq!(agency.world.jobs().len(), 1, "{}", ran.log);
    assert!(ran.log.contains("the agent changed no file"), "{}", ran.log);
}
