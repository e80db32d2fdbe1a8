//! The account of a token, as the command and as the action.

use std::process::Output;

use local_hub::{HubConfig, Org, TokenRole, TokenScope, User, Wallet};
use serde_json::{Value, json};

use crate::assert_ran;
use crate::harness::{Folder, Run, TOKEN, TestHub, hub, hub_with};
use crate::settings::refuse;

/// Runs the command with a token.
async fn run(hub: &TestHub, token: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .arg("status")
        .args(arguments)
        .env_clear()
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HF_TOKEN", token)
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains(token), "the token stands in the output:\n{text}");
    }
    output
}

/// Runs the command with `--json`: its exit code, and the object on stdout.
async fn json_of(hub: &TestHub, token: &str, arguments: &[&str]) -> (i32, Value) {
    let output = run(hub, token, &[arguments, &["--json"]].concat()).await;
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)));
    (output.status.code().unwrap(), value)
}

/// Returns the states of the features, by name.
fn states(value: &Value) -> Vec<(&str, &str)> {
    let features = value["features"].as_array().unwrap().iter();
    features.map(|row| (row["name"].as_str().unwrap(), row["state"].as_str().unwrap())).collect()
}

fn state<'a>(value: &'a Value, name: &str) -> &'a str {
    states(value).into_iter().find(|(found, _)| *found == name).unwrap().1
}

fn scope(kind: &str, name: &str, permissions: &[&str]) -> TokenScope {
    TokenScope {
        entity_type: kind.to_owned(),
        entity_name: name.to_owned(),
        permissions: permissions.iter().map(|permission| (*permission).to_owned()).collect(),
    }
}

async fn hub_of(user: User) -> TestHub {
    hub_with(|config: &mut HubConfig| config.users = vec![user]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pro_user_sees_the_features_and_what_is_left() {
    let wallet = Wallet { zero_gpu_used: 600.0, inference_usd: 0.5, jobs_usd: 0.04, ..Wallet::default() };
    let orgs =
        vec![Org::new("acme", "write"), Org { plan: None, can_pay: false, ..Org::new("guild", "read") }];
    let hub = hub_of(User { wallet, orgs, ..User::new("ada", TOKEN) }).await;
    let (code, value) = json_of(&hub, TOKEN, &[]).await;
    assert_eq!(code, 0, "{value}");
    assert!(states(&value).iter().all(|(_, state)| *state == "yes"), "{value:#}");
    assert_eq!(value["limits"]["zero_gpu_minutes"]["left"], json!(30.0));
    assert_eq!(value["limits"]["inference_usd"]["left"], json!(1.5));
    assert_eq!(value["limits"]["jobs_usd"]["used"], json!(0.04));
    insta::assert_snapshot!(
        "account_json",
        format!("{value:#}")
            .replace(value["limits"]["zero_gpu_minutes"]["resets_at"].as_str().unwrap(), "TIME",)
    );
    let (_, value) = json_of(&hub, TOKEN, &["--namespace", "guild"]).await;
    assert_eq!((state(&value, "dev_mode"), &value["plan"]), ("no", &json!("pro")));
    assert_eq!((&value["limits"]["namespace"], &value["limits"]["plan"]), (&json!("guild"), &json!("free")));
    let (_, value) = json_of(&hub, TOKEN, &["--namespace", "acme"]).await;
    assert_eq!((state(&value, "dev_mode"), state(&value, "jobs")), ("yes", "unknown"));
    // `guild` lets only admins read its spending, and `acme` too.
    assert_eq!(
        (state(&value, "inference_credits"), &value["limits"]["inference_usd"]),
        ("unknown", &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_user_reads_the_fixes() {
    let user = User { is_pro: false, can_pay: false, email_verified: false, ..User::new("ada", TOKEN) };
    let hub = hub_of(user).await;
    let output = run(&hub, TOKEN, &[]).await;
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("account_of_a_free_user", String::from_utf8(output.stdout).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fine_grained_token_knows_what_it_may_not_read() {
    const NARROW: &str = "hf_NarrowTokenOfAdaForOneSpace";
    let role = TokenRole::FineGrained {
        scoped: vec![scope("space", "ada/app", &["repo.write"])],
        global: vec!["discussion.write".to_owned()],
    };
    let hub = hub_of(User {
        role,
        token_expires_at: Some("2027-01-31T12:00:00.000Z".to_owned()),
        ..User::new("ada", NARROW)
    })
    .await;
    let (code, value) = json_of(&hub, NARROW, &[]).await;
    assert_eq!(code, 0);
    assert_eq!(value["token"]["expires_at"], json!("2027-01-31T12:00:00.000Z"));
    assert_eq!(value["token"]["role"], json!("fineGrained"));
    assert_eq!(value["token"]["scopes"][1]["permissions"], json!(["discussion.write"]));
    for (name, expected) in [
        ("public_repos", "no"),
        ("zero_gpu_calls", "unknown"),
        ("jobs", "no"),
        ("inference_credits", "no"),
        ("private_data_studio", "yes"),
    ] {
        assert_eq!(state(&value, name), expected, "{name}: {value:#}");
    }
    assert_eq!(value["limits"]["zero_gpu_minutes"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_hides_its_plan_is_unknown() {
    let hidden = Org { plan: None, restrictions: vec!["sso".to_owned()], ..Org::new("acme", "admin") };
    let hub = hub_of(User { orgs: vec![hidden], ..User::new("ada", TOKEN) }).await;
    let (_, value) = json_of(&hub, TOKEN, &["--namespace", "acme"]).await;
    assert_eq!((state(&value, "dev_mode"), &value["organizations"][0]["plan"]), ("unknown", &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_repo_guesses_nothing() {
    let hub = hub().await;
    refuse(&hub, ("GET", "/whoami-v2"), 1, (401, "Invalid username or password."));
    let (code, value) = json_of(&hub, "hf_jwt_OfOneRepoAndNothingElse", &["--namespace", "ada"]).await;
    assert_eq!((code, &value["user"], &value["token"]), (0, &Value::Null, &Value::Null), "{value:#}");
    assert!(states(&value).iter().all(|(_, state)| *state == "unknown"), "{value:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_and_a_silent_hub_fail() {
    let hub = hub().await;
    let (code, value) = json_of(&hub, "hf_ATokenThatTheHubDoesNotKnow", &[]).await;
    assert_eq!((code, &value["error_code"]), (3, &json!("token_invalid")));
    // Only what failed is unknown.
    refuse(&hub, ("GET", "/zero-gpu/quota"), 1, (500, "Internal Error"));
    refuse(&hub, ("GET", "/billing/usage-v2"), 1, (429, "slow down"));
    let (code, value) = json_of(&hub, TOKEN, &[]).await;
    assert_eq!((code, state(&value, "zero_gpu_calls"), state(&value, "dev_mode")), (0, "unknown", "yes"));
    assert_eq!((state(&value, "inference_credits"), state(&value, "jobs")), ("unknown", "yes"));
    // The user is asked for again.
    refuse(&hub, ("GET", "/whoami-v2"), 1, (503, "Service Unavailable"));
    assert_eq!(json_of(&hub, TOKEN, &[]).await.0, 0);
    let output = run(&hub, TOKEN, &["--namespace", "a/b"]).await;
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_action_has_outputs_and_a_summary() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let ran = Run::new(&hub, &folder).action("status").without("INPUT_HUGGINGFACE_REPO").run().await;
    let ran = ran.ended(0, "done");
    assert!(ran.output("features").contains("dev_mode"), "{}", ran.log);
    let report: Value = serde_json::from_str(ran.output("report")).unwrap();
    assert_eq!(report["user"], json!("ada"));
    assert_ran!(ran);
    let ran = Run::new(&hub, &folder).action("status").without("INPUT_HF_TOKEN").run().await;
    ran.failed(3, "token_missing");
}
