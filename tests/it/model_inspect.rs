//! The recommendation for a model, on the command line.

use std::path::Path;

use local_hub::{Fault, FaultKind, User};
use serde_json::{Value, json};

use crate::harness::{Folder, TOKEN, TestHub, hub};

/// Token of a Space, which must not show up either.
const SPACE_TOKEN: &str = "hf_ReadOnlyTokenOfASpace";

/// A recorded model, with its base if it has one.
fn recorded(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/models/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Puts a recorded model on the Hub. Returns its id.
fn plant(hub: &TestHub, name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut case = recorded(name);
    change(&mut case);
    if case["base"].is_object() {
        hub.plant_model(&case["base"]).unwrap();
    }
    hub.plant_model(&case["model"]).unwrap();
    case["model"]["id"].as_str().unwrap().to_owned()
}

fn unchanged(_: &mut Value) {}

/// Runs the command. Returns the exit code, and all that it prints.
async fn inspect(hub: &TestHub, token: Option<&str>, arguments: &[&str]) -> (i32, String) {
    let folder = Folder::new(&[]);
    let token = token.map(|token| ("HF_TOKEN", token));
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(["model", "inspect"])
        .args(arguments)
        .env_clear()
        .env("HF_ENDPOINT", hub.endpoint())
        .envs(token)
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(TOKEN) && !text.contains(SPACE_TOKEN), "{text}");
    (output.status.code().unwrap(), text.replace(&hub.endpoint(), "HUB"))
}

/// Compares a text with the recorded one. Commits depend on the time.
macro_rules! assert_shown {
    ($text:expr) => {
        insta::with_settings!({ filters => [
            (r"[0-9a-f]{40}", "COMMIT"),
            (r" at [0-9a-f]{7} ", " at COMMIT "),
        ] }, {
            insta::assert_snapshot!($text);
        });
    };
}

/// The methods and paths of all requests, without their queries.
fn paths(hub: &TestHub) -> Vec<String> {
    let line = |request: &local_hub::RecordedRequest| format!("{} {}", request.method, request.path);
    hub.requests().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn public_model_is_inspected_without_a_token() {
    let hub = hub().await;
    let id = plant(&hub, "chat", unchanged);
    let (code, text) = inspect(&hub, None, &[&format!("https://huggingface.co/{id}")]).await;
    assert_eq!(code, 0, "{text}");
    assert_shown!(text);
    assert_eq!(paths(&hub), ["GET /api/models/acme/chat-7b/revision/main", "GET /api/spaces/hardware"]);
    let has_token = |request: &local_hub::RecordedRequest| {
        request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    };
    assert!(!hub.requests().iter().any(has_token));
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_of_the_account_and_prices_are_considered() {
    let hub = hub().await;
    let id = plant(&hub, "diffusers-lora", unchanged);
    let limits = ["--allow-fallback", "--max-hourly-price", "1.00"];
    let (code, text) = inspect(&hub, Some(TOKEN), &[&[id.as_str()], &limits[..]].concat()).await;
    assert_eq!(code, 0, "{text}");
    assert_shown!(text);
    // As many requests as a run may make before it creates the Space.
    assert_eq!(
        paths(&hub),
        [
            "GET /api/models/acme/sdxl-watercolor/revision/main",
            "GET /api/models/acme/sdxl-base/revision/main",
            "GET /api/whoami-v2",
            "GET /api/spaces/hardware",
        ]
    );
    hub.add_user(User { is_pro: false, ..User::new("eve", "hf_eve") });
    let small = plant(&hub, "text-classification", unchanged);
    let (_, text) = inspect(&hub, Some("hf_eve"), &[&small]).await;
    assert!(text.contains("cpu-basic") && text.contains("402 without a paid plan"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn report_is_json_for_other_programs() {
    let hub = hub().await;
    let id = plant(&hub, "blocker-gguf-only", unchanged);
    let (code, text) = inspect(&hub, None, &[&id, "--json"]).await;
    let end = text.rfind("\n}").unwrap() + 2;
    let report: Value = serde_json::from_str(&text[..end]).unwrap();
    assert_eq!((code, &report["schema"], &report["chosen"]), (1, &json!(1), &Value::Null));
    assert_eq!(report["blockers"][0]["id"], "gguf_only");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_obstacle_names_its_way_out() {
    let hub = hub().await;
    hub.plant_model(&json!({"id": "acme/closed", "disabled": true})).unwrap();
    plant(&hub, "blocker-custom-code", unchanged);
    plant(&hub, "blocker-private", unchanged);
    plant(&hub, "blocker-quant-awq", |case| case["model"]["id"] = "acme/awq".into());
    let mut all = String::new();
    for (id, token) in [
        ("acme/nothing", None),
        ("acme/nothing", Some(TOKEN)),
        ("acme/closed", None),
        ("acme/secret-7b", Some(TOKEN)),
        ("acme/code-7b", None),
        ("acme/awq", None),
    ] {
        let (code, text) = inspect(&hub, token, &[id]).await;
        assert_eq!(code, 1, "{text}");
        all.push_str(&format!(
            "=== {id}, {}\n{text}",
            if token.is_some() { "with a token" } else { "without" }
        ));
    }
    assert_shown!(all);
}

#[tokio::test(flavor = "multi_thread")]
async fn advice_names_options_unless_the_inputs_are_those_of_a_workflow() {
    let hub = hub().await;
    let id = plant(&hub, "blocker-pickle-only", unchanged);
    let (_, text) = inspect(&hub, None, &[&id]).await;
    assert!(text.contains("set `--allow-pickle=true` if you trust the author"), "{text}");
    let (code, text) = inspect(&hub, None, &[&id, "--allow-pickle=true"]).await;
    assert_eq!(code, 0, "{text}");
    let (_, text) = inspect(&hub, None, &["acme/nothing"]).await;
    assert!(text.contains("a private model needs `HF_TOKEN`"), "{text}");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(["model", "inspect", "--from-inputs"])
        .env_clear()
        .env("HF_ENDPOINT", hub.endpoint())
        .env("INPUT_MODEL", &id)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("set `allow_pickle: true` if you trust the author"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn revision_that_is_not_there_is_an_error() {
    let hub = hub().await;
    let id = plant(&hub, "chat", unchanged);
    let (code, text) = inspect(&hub, None, &[&id, "--revision", "v9"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("has no branch, tag or commit `v9`") && text.contains("check `--revision`"),
        "{text}"
    );
}

/// Runs the command with a token for the Space.
async fn inspect_with_space_token(hub: &TestHub, arguments: &[&str]) -> (i32, String) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(["model", "inspect"])
        .args(arguments)
        .env_clear()
        .envs([
            ("HF_ENDPOINT", hub.endpoint().as_str()),
            ("SPACE_HF_TOKEN", SPACE_TOKEN),
            ("HF_TOKEN", TOKEN),
        ])
        .output()
        .await
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(TOKEN) && !text.contains(SPACE_TOKEN), "{text}");
    (output.status.code().unwrap(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn gated_model_needs_a_token_with_access() {
    let hub = hub().await;
    let id = plant(&hub, "text-to-image-gated-with-access", unchanged);
    let (code, text) = inspect(&hub, Some(TOKEN), &[&id]).await;
    assert!(code == 1 && text.contains("gated_no_access") && text.contains("cannot be read: 403"), "{text}");
    assert!(text.contains("accept the terms at https://huggingface.co/acme/flux-dev, and set"), "{text}");
    // The Space's token is asked, and not that of the deploy.
    hub.add_user(User::new("reader", SPACE_TOKEN));
    let (code, text) = inspect_with_space_token(&hub, &[&id]).await;
    assert!(code == 1 && text.contains("`SPACE_HF_TOKEN` cannot read it: 403"), "{text}");
    hub.add_user(User::new("acme", "hf_owner"));
    let granted = crate::proxy::client()
        .post(format!("{}/api/models/{id}/user-access-request/grant", hub.endpoint()))
        .bearer_auth("hf_owner")
        .json(&json!({"user": "reader"}))
        .send()
        .await
        .unwrap();
    assert_eq!(granted.status(), 200);
    let (code, text) = inspect_with_space_token(&hub, &[&id]).await;
    assert!(code == 0 && text.contains("zero-a10g"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn base_model_stands_in_for_files_that_no_template_loads() {
    let hub = hub().await;
    plant(&hub, "chat", unchanged);
    let id = plant(&hub, "gguf-with-base", unchanged);
    let (code, text) = inspect(&hub, None, &[&id]).await;
    assert!(
        code == 1 && text.contains("set `--use-base-model=true` for the weights of `acme/chat-7b`"),
        "{text}"
    );
    let (code, text) = inspect(&hub, None, &[&id, "--use-base-model"]).await;
    assert!(code == 0 && text.contains("stand in for those of `acme/chat-7b-gguf`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_code_is_searched_for_packages_that_no_space_builds() {
    let hub = hub().await;
    let id = plant(&hub, "blocker-custom-code", |case| {
        let files = case["model"]["siblings"].as_array_mut().unwrap();
        files.retain(|file| file["rfilename"] != "modeling_acme.py");
    });
    let commit = |code: &str| {
        let files = [("modeling_acme.py", code.as_bytes())];
        hub.repo(local_hub::RepoType::Model, &id).commit_as("acme", "main", &files, "code").unwrap()
    };
    let sha = commit("import torch\nfrom flash_attn import flash_attn_func\n");
    let (code, text) = inspect(&hub, None, &[&id, "--trust-remote-code", "--revision", &sha]).await;
    assert!(code == 1 && text.contains("flash_attn_import"), "{text}");
    let sha = commit("import torch\ntry:\n    import flash_attn\nexcept ImportError:\n    pass\n");
    let (code, text) = inspect(&hub, None, &[&id, "--trust-remote-code", "--revision", &sha]).await;
    assert!(code == 0 && text.contains("Python code of the model runs in the Space"), "{text}");
    let (code, text) = inspect(&hub, None, &[&id, "--trust-remote-code"]).await;
    assert!(code == 1 && text.contains(&format!("set `--revision={sha}`")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recommendation_needs_no_prices() {
    let hub = hub().await;
    let id = plant(&hub, "chat", unchanged);
    let kind = FaultKind::Status { code: 403, headers: Vec::new(), body: "{}".to_owned() };
    hub.inject(Fault {
        method: None,
        path_contains: "/api/spaces/hardware".to_owned(),
        skip: 0,
        times: 99,
        kind,
    });
    let (code, text) = inspect(&hub, None, &[&id]).await;
    assert!(code == 0 && text.contains("no prices: ") && text.contains("zero-a10g large"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_hub_is_asked_again_and_then_reported() {
    let hub = hub().await;
    let id = plant(&hub, "chat", unchanged);
    let fault = |code: u16, times: usize, retry_after: &str| Fault {
        method: None,
        path_contains: "/api/models/".to_owned(),
        skip: 0,
        times,
        kind: FaultKind::Status {
            code,
            headers: vec![("retry-after".to_owned(), retry_after.to_owned())],
            body: "{}".to_owned(),
        },
    };
    hub.inject(fault(503, 1, "0"));
    let (code, text) = inspect(&hub, None, &[&id]).await;
    assert!(code == 0 && text.contains("zero-a10g"), "{text}");
    hub.inject(fault(429, 99, "9000"));
    let (code, text) = inspect(&hub, None, &[&id]).await;
    assert!(code == 4 && text.contains("rate_limited") && text.contains("cannot read the model"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_a_model_stays_in_its_place() {
    let hub = hub().await;
    let evil = "x\n::error::broken\u{1b}[31m`";
    let id = plant(&hub, "text-classification", |case| {
        case["model"]["library_name"] = evil.into();
        case["model"]["pipeline_tag"] = evil.into();
        case["model"]["cardData"]["license"] = format!("{evil}-nc").into();
    });
    let (code, text) = inspect(&hub, None, &[&id]).await;
    assert_eq!(code, 1);
    assert!(
        !text.lines().any(|line| line.starts_with("::error::broken")) && !text.contains('\u{1b}'),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_inputs_are_reported_at_once() {
    let hub = hub().await;
    let arguments = [
        "https://huggingface.co/spaces/acme/app",
        "--template",
        "chatt",
        "--hardware-preference",
        "a1000",
        "--max-hourly-price",
        "cheap",
        "--runtime",
        "tpu",
    ];
    let (code, text) = inspect(&hub, None, &arguments).await;
    assert_eq!(code, 2);
    assert_shown!(text);
    assert!(hub.requests().is_empty());
}
