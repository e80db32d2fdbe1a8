//! The real agent: the package of the npm registry in Jobs of the local Hub, against a model that follows a script.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;

use local_hub::inference::ScriptedTurn;
use local_hub::{Fault, FaultKind, RepoType};
use serde_json::{Value, json};

use super::agent::{AGENT_TOKEN, Agency, agency};
use super::{SPACE, files, kept, kept_json};
use crate::gradio::Running;
use crate::harness::{Ran, prepared_variable};

/// Stands in for the installation: it links the packages that npm has installed before.
const LINKED: &str = r#"while [ "$1" != --prefix ]; do shift; done
for place in $(echo "$PATH" | tr : ' '); do
  if [ -d "$place/node_modules" ]; then exec ln -s "$place/node_modules" "$2/node_modules"; fi
done
exit 1"#;

/// The npm of this machine, with the certificates that its user trusts.
const REAL: &str = r#"NODE_EXTRA_CA_CERTS='CERTIFICATES' exec NPM "$@""#;

/// A Hub whose images have a new Node and these packages.
async fn prepared(script: Vec<ScriptedTurn>) -> Agency {
    let path = [node(), prepared_variable("HF_DEPLOY_PI")].join(":");
    agency(&[("npm", LINKED)], &path, script).await
}

/// The folder with the program `node`.
fn node() -> String {
    prepared_variable("HF_DEPLOY_NODE")
}

fn say(text: &str) -> ScriptedTurn {
    ScriptedTurn::Say(text.to_owned())
}

/// As root, the agent has a user of its own.
fn has_own_user() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Asserts that no byte that the run left has the token: the workspace, and the buckets and repos of the Hub.
///
/// [`crate::harness::Run::finish`] has searched the log, the outputs, the summary and the bundle.
async fn assert_no_token(agency: &Agency) {
    let is_leak = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(AGENT_TOKEN);
    let bucket = agency.world.bucket("ada/jobs-artifacts");
    for path in bucket.files().into_keys() {
        assert!(!is_leak(&bucket.read(&path).await.unwrap()), "{path}");
    }
    for request in agency.router.requests() {
        assert!(!is_leak(&request.body), "{}", request.path);
    }
    for request in agency.world.requests().iter().filter(|request| request.path != "/api/jobs/ada") {
        assert!(!is_leak(&request.body), "{}", request.path);
    }
}

/// The results of the tools, as the model got them.
fn results(agency: &Agency) -> Vec<String> {
    let requests = agency.router.requests();
    let mut bodies =
        requests.iter().filter_map(|request| serde_json::from_slice::<Value>(&request.body).ok());
    let Some(last) = bodies.next_back() else { return Vec::new() };
    let messages = last["messages"].as_array().unwrap();
    let results = messages.iter().filter(|message| message["role"] == "tool");
    results.map(|message| message["content"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn edit_is_deployed_and_proven_by_the_check() {
    let (old, new) = (
        "messages, add_generation_prompt=True,",
        "messages, enable_thinking=False, add_generation_prompt=True,",
    );
    let edit = json!({ "path": "app.py", "edits": [{ "oldText": old, "newText": new }] });
    let certificates = std::env::var("NODE_EXTRA_CA_CERTS").unwrap_or_default();
    let npm = std::process::Command::new("sh").args(["-c", "command -v npm"]).output().unwrap();
    let npm = String::from_utf8(npm.stdout).unwrap();
    let npm = REAL.replace("CERTIFICATES", &certificates).replace("NPM", npm.trim());
    let script = vec![
        ScriptedTurn::Call("read".to_owned(), json!({ "path": "RULES.md" })),
        ScriptedTurn::Call("edit".to_owned(), edit),
        ScriptedTurn::shell("python3 -m py_compile app.py && ls"),
        say("The app calls the model."),
    ];
    let agency = agency(&[("npm", &npm)], &node(), script).await;
    let app = Running::start(6, "predict").await;
    let address: SocketAddr = app.url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    agency.world.space(SPACE).set_app(Some(address));
    let ran = agency.run().run().await.ended(0, "deployed");
    assert_eq!(ran.output("gate_status"), "full_inference_success", "{}", ran.log);
    assert!(files(&agency.world)["app.py"].contains(new), "{}", ran.log);
    assert!(ran.log.contains("the agent changed `app.py`\n"), "{}", ran.log);
    assert!(results(&agency)[0].contains("# Rules"), "{:?}", results(&agency));
    for request in agency.router.requests() {
        let sent = request.headers.iter().find(|(name, _)| name == "authorization").unwrap();
        assert_eq!(sent.1, format!("Bearer {AGENT_TOKEN}"), "{}", request.path);
    }
    let session = session(&agency, &ran);
    assert!(session.contains("The app calls the model.") && session.contains("py_compile"), "{session}");
    assert_no_token(&agency).await;
}

/// The only session in the bundle.
fn session(agency: &Agency, ran: &Ran) -> String {
    let folder = agency.world.folder.path().join(ran.output("bundle_path")).join("traces/redacted");
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    let text = kept(&agency.world, ran, &format!("traces/redacted/{}", name.to_string_lossy()));
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&first["type"], first["cwd"].is_string()), (&"session".into(), true), "{first}");
    text
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn agent_that_stops_at_once_leaves_the_files_of_the_template() {
    let agency = prepared(vec![say("The app is right already.")]).await;
    let ran = agency.visit().await.ended(0, "deployed");
    assert!(ran.log.contains("the agent changed no file\n"), "{}", ran.log);
    assert_eq!(agency.router.requests().len(), 2, "the list of models, and one answer");
    session(&agency, &ran);
    assert_no_token(&agency).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn agent_runs_on_a_machine_without_namespaces() {
    let agency = prepared(vec![ScriptedTurn::shell("echo einops >>requirements.txt"), say("Done.")]).await;
    agency.world.set_policy(|policy| policy.jobs.has_namespaces = false);
    let ran = agency.visit().await.ended(0, "deployed");
    assert!(ran.log.contains("the agent changed `requirements.txt`\n"), "{}", ran.log);
    assert_no_token(&agency).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn token_is_out_of_the_reach_of_the_agent() {
    let search = "env; cat /proc/*/environ | tr '\\0' '\\n'; npm config ls -l; \
                  cat /root/.npmrc /workspace/settings.json; grep -r hf_ /workspace /output /tmp 2>/dev/null; echo searched";
    let into_app =
        "(env; cat /proc/*/environ) | tr '\\0' '\\n' | grep -a hf_ | sed 's/^/# /' >>app.py; echo written";
    let script = vec![ScriptedTurn::shell(search), ScriptedTurn::shell(into_app), say("Done.")];
    let agency = prepared(script).await;
    let ran = agency.visit().await;
    let results = results(&agency);
    assert!(results[0].contains("searched") && results[1].contains("written"), "{results:?}");
    if has_own_user() {
        assert_eq!((ran.code, ran.output("status")), (0, "deployed"), "{}", ran.log);
        assert!(ran.log.contains("the agent changed no file\n"), "{}", ran.log);
        assert!(!ran.log.contains("the same user"), "{}", ran.log);
        assert_no_token(&agency).await;
    } else {
        // The environment of the program is open to its own user, and the review finds the token.
        agency.assert_refused(&ran, "failed", "agent_refused");
        assert!(ran.log.contains("the agent ran as the same user"), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn token_in_a_file_is_refused_and_not_repeated() {
    let line = format!("printf 'KEY = \"{AGENT_TOKEN}\"\\n' >>app.py");
    let agency = prepared(vec![ScriptedTurn::shell(&line), say("Done.")]).await;
    let ran = agency.run().run().await;
    agency.assert_refused(&ran, "failed", "agent_refused");
    assert!(ran.log.contains("app.py:"), "{}", ran.log);
    assert!(session(&agency, &ran).contains("***"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn misbehaviour_is_refused() {
    let placeholder = "cat >>app.py <<'END'\n\n\ndef later(text):\n    raise NotImplementedError\nEND";
    for (command, fault) in [
        ("rm app.py", "app.py: was deleted"),
        ("rm app.py && ln -s /etc/passwd app.py", "app.py: is a link"),
        (placeholder, "app.py:"),
        ("echo 'def broken(' >>app.py", "app.py"),
    ] {
        let agency = prepared(vec![ScriptedTurn::shell(command), say("Done.")]).await;
        let ran = agency.run().run().await;
        agency.assert_refused(&ran, "failed", "agent_refused");
        assert!(ran.log.contains(fault), "{fault}: {}", ran.log);
        session(&agency, &ran);
        assert_no_token(&agency).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn agent_without_an_end_meets_its_limits() {
    let endless = || vec![ScriptedTurn::shell("echo again")];
    let agency = prepared(endless()).await;
    let ran = agency.run().input("agent_max_cost", "0.03").run().await;
    agency.assert_refused(&ran, "failed", "agent_failed");
    assert!(ran.log.contains("raise `agent_max_cost`"), "{}", ran.log);
    let answers = agency.router.requests().len() - 1;
    assert!((2..=25).contains(&answers), "{answers} answers cost 0.0011 each");
    assert_no_token(&agency).await;

    let sleeping =
        prepared(vec![ScriptedTurn::shell("trap '' TERM; setsid sleep 1234.5 & sleep 1234.5")]).await;
    let ran = sleeping.run().input("agent_timeout", "5s").run().await;
    sleeping.assert_refused(&ran, "failed", "agent_failed");
    assert!(ran.log.contains("raise `agent_timeout`"), "{}", ran.log);
    session(&sleeping, &ran);
    assert_no_token(&sleeping).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn obstacles_of_the_real_agent_are_technical_blockers() {
    let blockers = json!([{
        "id": "needs_own_server", "severity": "blocker", "evidence": "the card names vLLM only", "fix": "publish a class",
    }]);
    let script =
        vec![ScriptedTurn::write("TECHNICAL_BLOCKERS.json", &blockers.to_string()), say("It cannot work.")];
    let agency = prepared(script).await;
    let ran = agency.run().run().await;
    agency.assert_refused(&ran, "technical_blocker", "technical_blocker");
    assert_eq!(kept_json(&agency.world, &ran, "TECHNICAL_BLOCKERS.json")[0]["id"], "needs_own_server");
    assert_no_token(&agency).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn faults_of_the_router_that_pass_do_not_end_the_agent() {
    let agency = prepared(vec![ScriptedTurn::shell("echo einops >>requirements.txt"), say("Done.")]).await;
    let busy = |headers| FaultKind::Status { code: 503, headers, body: "busy".to_owned() };
    for (path, kind) in [
        ("/v1/models", busy(Vec::new())),
        ("/v1/chat/completions", busy(vec![("Retry-After".to_owned(), "1".to_owned())])),
        ("/v1/chat/completions", FaultKind::TruncateBody { after: 200 }),
    ] {
        let path_contains = path.to_owned();
        agency.router.inject(Fault { method: None, path_contains, skip: 0, times: 1, kind });
    }
    let ran = agency.visit().await.ended(0, "deployed");
    assert!(ran.log.contains("the agent changed `requirements.txt`\n"), "{}", ran.log);
    let asked = agency.router.requests().iter().filter(|request| request.method == "POST").count();
    assert_eq!(asked, 4, "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn failed_installation_is_in_the_failure() {
    let npm = "echo 'npm error 404 Not Found' >&2; exit 1";
    let agency = agency(&[("npm", npm)], &node(), vec![say("Done.")]).await;
    let ran = agency.run().run().await;
    agency.assert_refused(&ran, "failed", "agent_failed");
    assert!(ran.log.contains("npm error 404 Not Found"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn refusal_of_the_router_is_in_the_failure() {
    let agency = prepared(vec![say("Done.")]).await;
    agency.router.set_credits(0);
    let ran = agency.run().run().await;
    agency.assert_refused(&ran, "failed", "agent_failed");
    assert!(ran.log.contains("You have exceeded your monthly included credits"), "{}", ran.log);
    let ran = agency.run().input("agent_model", "acme/unknown").run().await;
    agency.assert_refused(&ran, "failed", "agent_failed");
    assert!(ran.log.contains("has the model acme/unknown"), "{}", ran.log);
    assert_eq!(agency.world.repo(RepoType::Space, SPACE).head("main"), None);
}
