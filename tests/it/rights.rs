//! Roles, plans and tokens that do not allow a deploy: whose fault it is, and what helps.

use local_hub::{HubConfig, Org, TokenRole, User};

use crate::assert_ran;
use crate::harness::{Folder, Run, TestHub, hub, hub_with, static_space, static_space_with_picture};

/// The requests that change something.
fn writes(hub: &TestHub) -> Vec<String> {
    let is_write = |method: &str, path: &str| {
        method != "GET" && !path.contains("/validate-yaml") && !path.contains("/preupload/")
    };
    let requests = hub.requests().into_iter().filter(|request| is_write(&request.method, &request.path));
    requests.map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// A Hub on which `ada` has a role in `acme`, and `eve` is its admin.
async fn hub_with_role(role: &str) -> TestHub {
    hub_with(|config: &mut HubConfig| {
        config.users[0].orgs = vec![Org::new("acme", role)];
        config.users.push(User { orgs: vec![Org::new("acme", "admin")], ..User::new("eve", EVE) });
    })
    .await
}

const EVE: &str = "hf_TheTokenOfEveWhoIsAnAdmin";

fn gradio() -> Folder {
    Folder::new(&[("app.py", "import gradio\n"), ("README.md", "---\nsdk: gradio\n---\n")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_only_read_is_not_blamed_on_the_token() {
    let (hub, folder) = (hub_with_role("read").await, static_space());
    let ran = Run::new(&hub, &folder).input("huggingface_repo", "acme/app").run().await;
    let ran = ran.failed(3, "permission_denied");
    assert_ran!(ran);
    assert_eq!(writes(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contributor_writes_to_repos_of_its_own_making_only() {
    let (hub, folder) = (hub_with_role("contributor").await, static_space_with_picture());
    let eve = Run::new(&hub, &folder).token(EVE).input("huggingface_repo", "acme/app");
    eve.run().await.ended(0, "deployed");
    folder.write("index.html", "mine");
    let ran = Run::new(&hub, &folder).input("huggingface_repo", "acme/app").run().await;
    let ran = ran.failed(3, "permission_denied");
    assert_ran!(ran);
    let own = Run::new(&hub, &folder).input("huggingface_repo", "acme/own");
    own.run().await.ended(0, "deployed");
    folder.write("index.html", "mine again");
    let own = Run::new(&hub, &folder).input("huggingface_repo", "acme/own");
    own.run().await.ended(0, "deployed");
    let proposal = Run::new(&hub, &folder).input("huggingface_repo", "acme/app").input("create_pr", "true");
    proposal.run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn repo_of_another_user_is_not_blamed_on_the_token() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).input("huggingface_repo", "eve/app").run().await;
    let ran = ran.failed(3, "permission_denied");
    assert_ran!(ran);
    assert_eq!(writes(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_of_an_organization_leads_to_the_form_with_that_scope() {
    const SCOPED: &str = "hf_AdasTokenForHerOwnRepos";
    let scope = local_hub::TokenScope {
        entity_type: "user".to_owned(),
        entity_name: "ada".to_owned(),
        permissions: vec!["repo.write".to_owned()],
    };
    let hub = hub_with(|config: &mut HubConfig| {
        config.users.push(User {
            role: TokenRole::FineGrained { scoped: vec![scope], global: Vec::new() },
            orgs: vec![Org::new("acme", "write")],
            ..User::new("ada", SCOPED)
        });
    })
    .await;
    let folder = static_space();
    let run = Run::new(&hub, &folder).token(SCOPED).input("huggingface_repo", "acme/app");
    let ran = run.run().await.failed(3, "permission_denied");
    let form = "tokenType=fineGrained&orgs=acme&orgPermissions=repo.content.read&orgPermissions=repo.write";
    assert!(ran.log.contains(form), "{}", ran.log);
    assert!(
        ran.summary.contains(&format!("<https://huggingface.co/settings/tokens/new?{form}>")),
        "{}",
        ran.summary
    );
}

/// The limits of the free plan are known before a deploy.
#[tokio::test(flavor = "multi_thread")]
async fn the_free_plan_is_a_warning_of_a_dry_run() {
    let free = |config: &mut HubConfig| (config.users[0].is_pro, config.users[0].can_pay) = (false, false);
    let (hub, folder) = (hub_with(free).await, gradio());
    let dry_run = |hub: &TestHub| Run::new(hub, &folder).input("dry_run", "true");
    let ran = dry_run(&hub).run().await.ended(0, "dry-run");
    assert_ran!(ran);
    let ran = dry_run(&hub).input("hardware", "t4-small").run().await.ended(0, "dry-run");
    assert!(ran.log.contains("no Gradio Space on `t4-small` without a payment method"), "{}", ran.log);
    let ran = dry_run(&hub).input("hardware", "zero-a10g").run().await.ended(0, "dry-run");
    assert!(!ran.log.contains("free plan"), "{}", ran.log);
    let fixed = static_space();
    let ran = Run::new(&hub, &fixed).input("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(!ran.log.contains("free plan"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_the_free_plan_does_not_cover_is_named() {
    let free = |config: &mut HubConfig| (config.users[0].is_pro, config.users[0].can_pay) = (false, false);
    let (hub, folder) = (hub_with(free).await, gradio());
    let ran = Run::new(&hub, &folder).input("hardware", "t4-small").run().await;
    let ran = ran.failed(3, "payment_required");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_the_plan_does_not_cover_is_refused_before_the_space_is_touched() {
    let free = |config: &mut HubConfig| config.users[0].is_pro = false;
    let (hub, folder) = (hub_with(free).await, static_space());
    let run = || Run::new(&hub, &folder).input("private", "true").input("create_proxy", "true");
    let ran = run().run().await.failed(3, "payment_required");
    assert_ran!(ran);
    assert_eq!(writes(&hub), [""; 0]);
    let ran = run().input("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(ran.log.contains("::warning::cannot create the proxy Space `ada/app-proxy`"), "{}", ran.log);
    assert_eq!(writes(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_before_a_public_space_is_questioned() {
    let (hub, folder) = (hub().await, static_space());
    for (input, value, is_open) in
        [("private", "", true), ("private", "true", false), ("visibility", "public", true)]
    {
        let run = Run::new(&hub, &folder).input("create_proxy", "true").input("dry_run", "true");
        let ran = run.input(input, value).run().await.ended(0, "dry-run");
        let is_named = ran.log.contains(
            "::warning::everybody can open the app of the Space `ada/app` without its proxy: set `private: true`",
        );
        assert_eq!(is_named, is_open, "{input}: {value}\n{}", ran.log);
    }
}
