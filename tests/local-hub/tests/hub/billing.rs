//! Quotas, spending and the account of a token.

use local_hub::{DEFAULT_TOKEN, HubConfig, Org, TokenRole, TokenScope, User, Wallet};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{refusal, start, with};

const QUOTA: &str = "/api/spaces/zero-gpu/quota";
const SPENDING: &str = "/api/settings/billing/usage-v2?startDate=1790000000&endDate=1790003600";

#[tokio::test]
async fn quota_and_spending_are_those_of_the_account() {
    let wallet = Wallet { zero_gpu_used: 600.0, inference_usd: 0.5, jobs_usd: 0.04, has_jobs: true };
    let users = vec![User { wallet, ..User::new("ada", DEFAULT_TOKEN) }];
    let c = with(HubConfig { users, ..HubConfig::default() }).await;
    let quota = c.json(QUOTA).await;
    assert_eq!((&quota["base"], &quota["current"]), (&json!(2400.0), &json!(1800.0)));
    assert!(quota["resetsAt"].is_string(), "{quota}");
    let usage = c.json(SPENDING).await;
    assert_eq!(usage["usage"]["inferenceProviders"]["usedNanoUsd"], json!(500_000_000.0));
    assert_eq!(usage["usage"]["jobs"]["usedMicroUsd"], json!(40_000.0));
    assert_eq!(c.json("/api/settings/billing/usage/jobs").await["hasAccess"], json!(true));
    assert_eq!(refusal(&c.get("/api/settings/billing/usage-v2").await).0, 400);
    c.hub.forgive_violations();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn a_fine_grained_token_needs_the_permission() {
    let scope = |permission: &str| TokenScope {
        entity_type: "user".to_owned(),
        entity_name: "ada".to_owned(),
        permissions: vec![permission.to_owned()],
    };
    let fine = |token: &str, permission: &str| User {
        role: TokenRole::FineGrained { scoped: vec![scope(permission)], global: vec![] },
        token_expires_at: Some("2027-01-31T12:00:00.000Z".to_owned()),
        ..User::new("ada", token)
    };
    let c = start().await;
    c.hub.add_user(fine("hf_narrow", "repo.write"));
    c.hub.add_user(fine("hf_billing", "user.billing.read"));
    let get = async |token: &str, path: &str| c.as_user(token, Method::GET, path, Value::Null).await;
    for path in [QUOTA, SPENDING, "/api/settings/billing/usage/jobs"] {
        assert_eq!(get("hf_narrow", path).await.status(), 403, "{path}");
        assert_eq!(get("hf_billing", path).await.status(), 200, "{path}");
        let anonymous = c.request(Method::GET, path).send().await.unwrap();
        assert_eq!(anonymous.status(), 401, "{path}");
    }
    let who: Value = get("hf_narrow", "/api/whoami-v2").await.json().await.unwrap();
    assert_eq!(who["auth"]["expiresAt"], json!("2027-01-31T12:00:00.000Z"));
    c.hub.forgive_violations();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn spending_of_an_organization_is_for_its_admins() {
    let orgs = vec![
        Org::new("acme", "admin"),
        Org { restrictions: vec!["sso".to_owned()], ..Org::new("guild", "write") },
    ];
    let users = vec![User { email_verified: false, orgs, ..User::new("ada", DEFAULT_TOKEN) }];
    let c = with(HubConfig { users, ..HubConfig::default() }).await;
    let of = |org: &str| format!("/api/organizations/{org}/billing/usage-v2?startDate=1&endDate=2");
    assert_eq!(c.get(&of("acme")).await.status(), 200);
    assert_eq!(c.get(&of("guild")).await.status(), 403);
    let who = c.json("/api/whoami-v2").await;
    assert_eq!(who["emailVerified"], json!(false));
    assert_eq!(who["orgs"][1]["securityRestrictions"], json!(["sso"]));
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn dev_mode_needs_a_plan_and_ends_without_one() {
    let users = vec![User { is_pro: false, ..User::new("ada", DEFAULT_TOKEN) }];
    let c = with(HubConfig { users, ..HubConfig::default() }).await;
    c.hub
        .create_repo(local_hub::NewRepo::new("ada", local_hub::RepoType::Space, "ada/s").sdk("gradio"))
        .unwrap();
    let switch = async |is_on: bool| {
        c.post("/api/spaces/ada/s/dev-mode", json!({ "enabled": is_on })).await.status().as_u16()
    };
    assert_eq!((switch(true).await, switch(false).await), (402, 200));
    c.hub.assert_contract_kept();
}
