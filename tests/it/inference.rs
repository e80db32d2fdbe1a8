//! Calls of models at Inference Providers, against a router on this machine.

use std::time::Duration;

use local_hub::inference::{ChatModel, LocalRouter, TaskModel};
use local_hub::{Fault, FaultKind, HubConfig};
use serde_json::{Value, json};

use crate::assert_ran;
use crate::contract::keys;
use crate::gradio::python;
use crate::harness::{Folder, Ran, Run, TOKEN, TestHub, hub_with, until};

const MANIFEST: &str = ".github/actions/inference/action.yml";
const MODEL: &str = "acme/chat";

/// A Hub, its router with three models, and a workspace.
struct World {
    hub: TestHub,
    router: LocalRouter,
    folder: Folder,
}

impl World {
    async fn start() -> Self {
        let hub = hub_with(|_: &mut HubConfig| {}).await;
        let router = LocalRouter::start(TOKEN).await.unwrap();
        let offers = [("quick", Some((2.0, 4.0))), ("thrifty", Some((0.5, 1.0)))];
        router.add_chat_model(ChatModel::new(MODEL, &offers));
        router.add_task_model(TaskModel::Embed { id: "acme/embed".to_owned(), by_token: false });
        router.add_task_model(TaskModel::Embed { id: "acme/tokens".to_owned(), by_token: true });
        let classify =
            |id: &str, is_nested, loads| TaskModel::Classify { id: id.to_owned(), is_nested, loads };
        router.add_task_model(classify("acme/mood", false, 0));
        router.add_task_model(classify("acme/nested", true, 0));
        Self { hub, router, folder: Folder::new(&[]) }
    }

    /// A run of the action.
    fn run(&self, operation: &str, model: &str) -> Run {
        let run = Run::new(&self.hub, &self.folder).without("INPUT_HUGGINGFACE_REPO").action("inference");
        let run = run.var("HF_ROUTER_ENDPOINT", &self.router.endpoint());
        run.input("operation", operation).input("model", model)
    }

    fn chat(&self) -> Run {
        self.run("generate", MODEL)
    }

    /// The lines of a file of results.
    fn results(&self, path: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join(path)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The bodies of the requests that a model got to their end.
    fn bodies(&self) -> Vec<Value> {
        let requests = self.router.requests().into_iter().filter(|request| request.method == "POST");
        requests.filter_map(|request| serde_json::from_slice(&request.body).ok()).collect()
    }
}

fn failed(ran: &Ran, code: i32, error_code: &str) {
    assert_eq!((ran.code, ran.output("error_code")), (code, error_code), "{}", ran.log);
    assert_eq!(ran.output("matched"), "false");
}

fn status(code: u16, times: usize, body: &str) -> Fault {
    let headers = vec![("retry-after".to_owned(), "1".to_owned())];
    let kind = FaultKind::Status { code, headers, body: body.to_owned() };
    Fault { method: Some("POST".to_owned()), path_contains: "/".to_owned(), skip: 0, times, kind }
}

#[tokio::test(flavor = "multi_thread")]
async fn chat_model_answers_with_tokens_provider_and_cost() {
    let world = World::start().await;
    let ran = world.chat().input("input", "good morning world").input("expect_contains", "good").run().await;
    assert_eq!((ran.code, ran.output("text")), (0, "You said: good morning world"), "{}", ran.log);
    assert_eq!((ran.output("provider"), ran.output("matched")), ("quick", "true"));
    assert_eq!((ran.output("usage_prompt"), ran.output("usage_completion")), ("3", "5"));
    assert_eq!(ran.output("cost_usd"), "0.000026", "3 × 2 + 5 × 4 millionths");
    let names: std::collections::BTreeSet<String> = ran.outputs.keys().cloned().collect();
    assert_eq!(names, keys(MANIFEST, "outputs"));
    insta::with_settings!({ filters => vec![(r"\d+\.\d+ s", "T s"), (r"latency_seconds=[0-9.]+", "latency_seconds=T")] }, {
        assert_ran!(ran);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn routing_bill_and_parameters_are_sent() {
    let world = World::start().await;
    let run =
        world.chat().input("input", "a b c d e f").input("routing", "cheapest").input("bill_to", "acme");
    let run = run.input("params", r#"{"temperature": 0, "seed": 7}"#).input("max_tokens", "3");
    let ran = run.run().await;
    assert_eq!(
        (ran.code, ran.output("provider"), ran.output("text")),
        (0, "thrifty", "You said: a "),
        "{}",
        ran.log
    );
    let body = &world.bodies()[0];
    assert_eq!((&body["model"], &body["temperature"]), (&json!("acme/chat:cheapest"), &json!(0)));
    assert_eq!((&body["seed"], &body["max_tokens"]), (&json!(7), &json!(3)));
    assert_eq!(world.router.requests().last().unwrap().header("x-hf-bill-to"), Some("acme"));
    let ran = world.chat().input("input", "x").input("routing", "thrifty").run().await;
    assert_eq!((ran.code, ran.output("provider")), (0, "thrifty"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_is_printed_as_lines_that_are_no_commands() {
    let world = World::start().await;
    let run = world.chat().input("input", "one\n::error::two").input("stream", "true");
    let ran = run.run().await;
    assert_eq!((ran.code, ran.output("text")), (0, "You said: one\n::error::two"), "{}", ran.log);
    assert!(ran.log.contains("You said: one\n"), "{}", ran.log);
    assert!(!ran.log.lines().any(|line| line.starts_with("::error")), "{}", ran.log);
    assert_eq!(ran.output("usage_completion"), "4");
    world.router.inject(Fault {
        method: Some("POST".to_owned()),
        path_contains: "/v1/chat".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::TruncateBody { after: 400 },
    });
    let ran = world.chat().input("input", "one two three four").input("stream", "true").run().await;
    failed(&ran, 4, "hub_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_are_averaged_and_labels_are_expected() {
    let world = World::start().await;
    let ran = world.run("embed", "acme/embed").input("input", "two words").run().await;
    assert_eq!((ran.code, ran.output("text")), (0, "[9.0,2.0,1.0]"), "{}", ran.log);
    let ran =
        world.run("embed", "acme/tokens").input("input", "a bbb").input("params", r#"{"normalize": true}"#);
    let ran = ran.run().await;
    assert_eq!((ran.code, ran.output("text")), (0, "[2.0,1.0,1.0]"), "{}", ran.log);
    assert_eq!(world.bodies().last().unwrap()["normalize"], json!(true));
    for model in ["acme/mood", "acme/nested"] {
        let run = |label: &str| {
            world.run("classify", model).input("input", "a good day").input("expect_label", label)
        };
        let ran = run("POSITIVE").run().await;
        assert_eq!((ran.code, ran.output("text")), (0, "POSITIVE"), "{}", ran.log);
        let ran = run("NEGATIVE").run().await;
        failed(&ran, 1, "check_failed");
        assert!(
            ran.log.contains("the result of `input` has the label `POSITIVE`, not `NEGATIVE`"),
            "{}",
            ran.log
        );
    }
}

/// Ten inputs, with ids.
fn inputs(count: usize) -> String {
    (0..count)
        .map(|number| {
            json!({ "id": format!("n{number}"), "input": format!("text {number}") }).to_string() + "\n"
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_keeps_its_order_and_is_resumed() {
    let world = World::start().await;
    world.folder.write("in.jsonl", inputs(12));
    let run = || world.chat().input("input_file", "in.jsonl").input("output_file", "out/results.jsonl");
    // The answer to each second input comes late.
    for number in [0, 2, 4] {
        world.router.inject(Fault {
            method: Some("POST".to_owned()),
            path_contains: "/v1/chat".to_owned(),
            skip: number,
            times: 1,
            kind: FaultKind::Delay(Duration::from_millis(300)),
        });
    }
    world.router.set_credits(7);
    let ran = run().run().await;
    failed(&ran, 3, "payment_required");
    assert!(ran.log.contains("bill an organization with `bill_to`"), "{}", ran.log);
    let before = world.results("out/results.jsonl").len();
    assert!((1..=7).contains(&before), "{before}");
    // A killed run may leave half a line.
    let path = world.folder.path().join("out/results.jsonl");
    let text = std::fs::read_to_string(&path).unwrap() + "{\"id\": \"n";
    std::fs::write(&path, text).unwrap();
    world.router.set_credits(100);
    let sent = world.bodies().len();
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("done"), ran.output("matched")), (0, "12", "true"), "{}", ran.log);
    assert!(ran.log.contains(&format!("resuming: {before} of 12 results")), "{}", ran.log);
    assert_eq!(world.bodies().len() - sent, 12 - before);
    let ids: Vec<String> = world
        .results("out/results.jsonl")
        .iter()
        .map(|result| result["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids, (0..12).map(|number| format!("n{number}")).collect::<Vec<_>>());
    // Nothing is left, and nothing is sent.
    let sent = world.router.requests().len();
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("done"), world.router.requests().len()), (0, "12", sent), "{}", ran.log);
    world.folder.write("in.jsonl", inputs(12).replace("n3", "m3"));
    let ran = run().run().await;
    failed(&ran, 2, "invalid_input");
    assert!(
        ran.log.contains("line 4 has the result of the input `n3`, and this run has `m3` there"),
        "{}",
        ran.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_batch_keeps_its_results() {
    let world = World::start().await;
    world.folder.write("in.txt", "a\nb\nc\nd\n");
    world.router.inject(Fault {
        method: Some("POST".to_owned()),
        path_contains: "/v1/chat".to_owned(),
        skip: 2,
        times: 10,
        kind: FaultKind::Delay(Duration::from_secs(60)),
    });
    let run = world
        .chat()
        .input("input_file", "in.txt")
        .input("output_file", "out.jsonl")
        .input("concurrency", "1");
    let child = run.spawn();
    let sent = || world.router.requests().iter().filter(|request| request.method == "POST").count();
    until(|| sent() >= 3).await;
    let id = child.id().unwrap().to_string();
    tokio::process::Command::new("kill").args(["-INT", &id]).status().await.unwrap();
    let ran = run.finish(child).await;
    failed(&ran, 130, "cancelled");
    assert_eq!((world.results("out.jsonl").len(), ran.output("done")), (2, "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_models_are_asked_again_and_others_are_explained() {
    let world = World::start().await;
    world.router.inject(status(429, 1, r#"{"error": "Too many requests"}"#));
    world.router.inject(status(503, 1, r#"{"error": "Model is currently loading"}"#));
    let ran = world.chat().input("input", "x").run().await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    assert_eq!(world.bodies().len(), 3);
    world.router.add_task_model(TaskModel::Classify {
        id: "acme/slow".to_owned(),
        is_nested: true,
        loads: 99,
    });
    world.router.add_task_model(TaskModel::Gated { id: "acme/gated".to_owned() });
    let providers = json!({"groq": {"status": "live"}, "novita": {"status": "error"}});
    world.hub.set_policy(|policy| {
        policy.inference_providers.insert("acme/other".to_owned(), providers);
    });
    let new = |id| local_hub::NewRepo::new("ada", local_hub::RepoType::Model, id);
    world.hub.create_repo(new("acme/other")).unwrap();
    for (operation, model, code, error_code, said) in [
        ("generate", "acme/other", 2, "model_not_supported", "set `routing` to one of `groq`, and enable it"),
        (
            "embed",
            "acme/none",
            2,
            "model_not_supported",
            "choose another `model`: no provider has `acme/none`",
        ),
        ("classify", "acme/gated", 3, "permission_denied", "accept the terms of the model at HUB/acme/gated"),
        ("classify", "acme/embed", 1, "hub_refused", "does not support this task"),
    ] {
        let ran = world.run(operation, model).input("input", "x").run().await;
        failed(&ran, code, error_code);
        assert!(ran.everything().contains(said), "{said}: {}", ran.everything());
    }
    world.router.inject(status(
        403,
        1,
        r#"{"error": "This authentication method does not have sufficient permissions"}"#,
    ));
    let ran = world.chat().input("input", "x").run().await;
    failed(&ran, 3, "permission_denied");
    assert!(ran.log.contains("`inference.serverless.write`"), "{}", ran.log);
    world.router.set_credits(0);
    let ran = world.chat().input("input", "x").run().await;
    failed(&ran, 3, "payment_required");
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_stops_before_it_exceeds_its_cost() {
    let world = World::start().await;
    world.folder.write("in.jsonl", inputs(10));
    // Each answer costs 2 × 2 + 4 × 4 millionths.
    let run = |most: &str| {
        let run = world.chat().input("input_file", "in.jsonl").input("output_file", "out.jsonl");
        run.input("concurrency", "1").input("max_cost", most)
    };
    let ran = run("0.00007").run().await;
    failed(&ran, 1, "cost_limit_reached");
    assert_eq!((ran.output("done"), ran.output("cost_usd")), ("3", "0.000060"));
    let ran = run("1").run().await;
    assert_eq!((ran.code, ran.output("done"), ran.output("cost_usd")), (0, "10", "0.000200"), "{}", ran.log);
    world.router.add_chat_model(ChatModel::new("acme/free", &[("quick", None)]));
    let ran = world.run("generate", "acme/free").input("input", "x").input("max_cost", "1").run().await;
    failed(&ran, 2, "model_not_supported");
    let ran = world.run("generate", "acme/free").input("input", "x").run().await;
    assert_eq!((ran.code, ran.output("cost_usd")), (0, ""), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_inputs_are_reported_at_once() {
    let world = World::start().await;
    world.folder.write(
        "in.jsonl",
        "{\"id\": 1, \"input\": 3}\n{\"input\": [{\"role\": \"user\", \"content\": \"x\"}]}\nx\n",
    );
    let run = world.run("embed", "chat").input("input_file", "in.jsonl").input("routing", "cheapest");
    let run = run.input("max_cost", "1").input("expect_label", "x").input("expect_contains", "y");
    let ran = run.input("params", r#"{"model": "x"}"#).input("concurrency", "99").run().await;
    failed(&ran, 2, "invalid_input");
    assert_eq!(world.router.requests().len(), 0);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_shows_what_the_token_may_read() {
    let world = World::start().await;
    let run = || world.run("usage", "").without("INPUT_MODEL");
    world.hub.set_policy(|policy| policy.usage_micro_usd = Some(1_250_000));
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("cost_usd")), (0, "1.250000"), "{}", ran.log);
    assert!(ran.log.contains("Inference Providers: 3 requests, 0.0200 USD this month"), "{}", ran.log);
    world.hub.set_policy(|policy| policy.usage_micro_usd = None);
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("error_code")), (3, "permission_denied"), "{}", ran.log);
}

/// Calls of the official client, which is not changed.
const CLIENT: &str = r#"
import json, sys
from huggingface_hub import InferenceClient
router, token = sys.argv[1:]
client = InferenceClient(base_url=f"{router}/v1", api_key=token, bill_to="acme")
messages = [{"role": "user", "content": "good morning"}]
whole = client.chat_completion(messages, model="acme/chat:cheapest", max_tokens=9)
pieces = client.chat_completion(messages, model="acme/chat", stream=True, stream_options={"include_usage": True})
pieces = list(pieces)
tasks = InferenceClient(api_key=token)
vector = tasks.feature_extraction("two words", model=f"{router}/hf-inference/models/acme/embed/pipeline/feature-extraction")
labels = tasks.text_classification("a good day", model=f"{router}/hf-inference/models/acme/nested")
print(json.dumps({
    "whole": whole.choices[0].message.content,
    "tokens": whole.usage.completion_tokens,
    "pieces": "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices),
    "usage": pieces[-1].usage.total_tokens,
    "vector": vector.tolist(),
    "label": labels[0].label,
}))
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn official_client_works_with_the_router() {
    let world = World::start().await;
    let output = tokio::process::Command::new(python(5))
        .args(["-c", CLIENT, &world.router.endpoint(), TOKEN])
        .env_clear()
        .env("HF_ENDPOINT", world.hub.endpoint())
        .env("HOME", world.folder.path())
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hello = "You said: good morning";
    assert_eq!((said["whole"].as_str(), said["pieces"].as_str()), (Some(hello), Some(hello)));
    assert_eq!((said["tokens"].as_u64(), said["usage"].as_u64()), (Some(4), Some(6)));
    assert_eq!((&said["vector"], said["label"].as_str()), (&json!([9.0, 2.0, 1.0]), Some("NEGATIVE")));
    assert!(
        world
            .router
            .requests()
            .iter()
            .filter(|request| request.path.starts_with("/v1"))
            .all(|request| request.header("x-hf-bill-to") == Some("acme"))
    );
}
