//! Refusals of the Hub, and the messages for users.

use local_hub::{Fault, FaultKind, HubConfig, RepoType, TokenRole, TokenScope, User};

use crate::assert_ran;
use crate::harness::{Folder, Run, TOKEN, hub, hub_with, static_space, static_space_with_picture, tree};

fn answer(code: u16, headers: &[(&str, &str)], body: &str) -> FaultKind {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    FaultKind::Status { code, headers, body: body.to_owned() }
}

fn fault(path_contains: &str, times: usize, kind: FaultKind) -> Fault {
    Fault { method: None, path_contains: path_contains.to_owned(), skip: 0, times, kind }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).input("hf_token", "").run().await.failed(3, "token_missing");
    assert_ran!(ran);
    assert_eq!(hub.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_token() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).token("hf_WrongTokenThatTheHubDoesNotKnow").run().await;
    assert_ran!(ran.failed(3, "token_invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_permission() {
    let reader = |config: &mut HubConfig| {
        config.users.push(User { role: TokenRole::Read, ..User::new("eve", "hf_EvesTokenMayOnlyRead") });
    };
    let (hub, folder) = (hub_with(reader).await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    folder.write("index.html", "defaced");
    let ran = Run::new(&hub, &folder).token("hf_EvesTokenMayOnlyRead").run().await;
    assert_ran!(ran.failed(3, "permission_denied"));
    assert_eq!(tree(&hub, RepoType::Space), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_required() {
    let free = |config: &mut HubConfig| config.users[0].is_pro = false;
    let (hub, folder) = (hub_with(free).await, static_space());
    folder.remove("README.md");
    folder.write("app.py", "import gradio\n");
    let ran = Run::new(&hub, &folder).run().await.failed(3, "payment_required");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_branch_moves_once_and_is_planned_again() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "mine");
    let refusal =
        r#"{"error":"The branch was updated since you opened this page. Please refresh and try again."}"#;
    hub.inject(fault("/commit/", 1, answer(412, &[], refusal)));
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("the branch moved meanwhile, planning again"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn conflict() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    folder.write("index.html", "mine");
    let refusal =
        r#"{"error":"The branch was updated since you opened this page. Please refresh and try again."}"#;
    hub.inject(fault("/commit/", 9, answer(412, &[], refusal)));
    let ran = Run::new(&hub, &folder).run().await.failed(5, "conflict");
    assert_ran!(ran);
    assert_eq!(tree(&hub, RepoType::Space), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_that_names_a_wait_is_waited_for() {
    let (hub, folder) = (hub().await, static_space());
    let headers = [("ratelimit", r#""api";r=0;t=1"#)];
    let body = r#"{"error":"We had to rate limit you, you hit the quota of 1000 requests per 5 minutes"}"#;
    hub.inject(fault("/preupload/", 1, answer(429, &headers, body)));
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limit_over_the_budget() {
    let (hub, folder) = (hub().await, static_space());
    let body = r#"{"error":"Too many requests"}"#;
    hub.inject(fault("/api/repos/create", 1, answer(429, &[("retry-after", "86400")], body)));
    let ran = Run::new(&hub, &folder).run().await.failed(4, "rate_limited");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hourly_quota_of_commits_is_not_waited_for() {
    let (hub, folder) = (hub().await, static_space_with_picture());
    let headers = [("ratelimit", r#""api";r=949;t=271"#)];
    let body = r#"{"error":"You have exceeded the rate limit for repository commits (128 per hour). Please retry in about 1 hour."}"#;
    hub.inject(fault("/commit/", 9, answer(429, &headers, body)));
    let ran = Run::new(&hub, &folder).run().await.failed(4, "rate_limited");
    assert!(ran.log.contains("128 per hour"), "{}", ran.log);
    let sent = hub.requests().iter().filter(|request| request.path.contains("/commit/")).count();
    assert_eq!(sent, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hub_down() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let folder = Folder::new(&[("config.json", "{}")]);
    let run = Run::at(&address, &folder).input("repo_type", "model");
    let ran = run.run().await.failed(4, "hub_unavailable");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repo_that_the_token_cannot_see() {
    const SCOPED: &str = "hf_AdasTokenForOneOtherSpace";
    let member = |config: &mut HubConfig| {
        let scope = TokenScope {
            entity_type: "space".to_owned(),
            entity_name: "ada/other".to_owned(),
            permissions: vec!["repo.content.read".to_owned(), "repo.write".to_owned()],
        };
        let role = TokenRole::FineGrained { scoped: vec![scope], global: Vec::new() };
        config.users.push(User { role, ..User::new("ada", SCOPED) });
    };
    let (hub, folder) = (hub_with(member).await, static_space());
    Run::new(&hub, &folder).input("private", "true").run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    folder.write("index.html", "defaced");
    hub.clear_requests();
    let ran = Run::new(&hub, &folder).token(SCOPED).run().await.failed(3, "permission_denied");
    let expected =
        "the token is fine-grained, without `repo.write` for `ada` or this repo (nothing was changed)";
    assert!(ran.log.contains(expected), "{}", ran.log);
    assert!(hub.requests().iter().all(|request| request.path != "/api/repos/create"), "nothing is tried");
    assert_eq!(tree(&hub, RepoType::Space), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_host_gets_no_token() {
    let (hub, folder) = (hub().await, static_space());
    let other = hub_with(|_| {}).await;
    let location = format!("{}/api/spaces/ada/app", other.endpoint());
    hub.inject(fault("/api/spaces/ada/app", 9, answer(307, &[("location", &location)], "")));
    let ran = Run::new(&hub, &folder).run().await;
    assert_eq!(ran.code, 1, "{}", ran.log);
    let seen = other.requests();
    assert!(
        seen.iter().all(|request| !request.headers.iter().any(|(_, value)| value.contains(TOKEN))),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_waits_for_a_repo_that_another_run_creates() {
    let (hub, folder) = (hub().await, static_space());
    let busy = r#"{"error":"Cannot create repo: another conflicting operation is in progress"}"#;
    hub.inject(fault("/api/repos/create", 1, answer(409, &[], busy)));
    Run::new(&hub, &folder).run().await.ended(0, "deployed");

    let exists =
        r#"{"error":"You already created this space repo","url":"https://hub.example/spaces/ada/app"}"#;
    let missing = r#"{"error":"Repository not found"}"#;
    hub.inject(fault("/api/spaces/ada/app", 1, answer(404, &[("x-error-code", "RepoNotFound")], missing)));
    hub.inject(fault("/api/repos/create", 1, answer(409, &[], exists)));
    Run::new(&hub, &folder).run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_of_the_hub_is_passed_on_once() {
    let (hub, folder) = (hub().await, static_space());
    let headers = [("x-hf-warning", "storage; You are close to the limit of your plan")];
    let info = r#"{"errors":[],"warnings":[]}"#;
    hub.inject(fault("/api/validate-yaml", 1, answer(200, &headers, info)));
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let warnings = ran.log.matches("the Hub warns: You are close to the limit of your plan").count();
    assert_eq!(warnings, 1, "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_the_hub_does_not_take_along_follow_in_a_commit() {
    let (hub, folder) = (hub().await, static_space());
    let refusal = r#"{"error":"\"files\" is not allowed"}"#;
    hub.inject(fault("/api/repos/create", 1, answer(400, &[], refusal)));
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("they follow in a commit"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 2);
    assert_eq!(
        hub.repo(RepoType::Space, "ada/app").read_file("main", "index.html").unwrap(),
        b"<h1>Hello</h1>\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_place_of_the_token_is_recognised_before_any_request() {
    let (hub, folder) = (hub().await, static_space());
    for text in ["HF_TOKEN", "$HF_TOKEN", "${{ secrets.HF_TOKEN }}"] {
        let ran = Run::new(&hub, &folder).input("hf_token", text).run().await.failed(2, "invalid_input");
        let expected = format!(
            "::`hf_token` holds the text `{text}` in place of a token: write `${{{{ secrets.HF_TOKEN }}}}`"
        );
        assert!(ran.log.contains(&expected), "{}", ran.log);
    }
    assert_eq!(hub.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_is_said_first() {
    let (hub, folder) = (hub().await, static_space());
    folder.write(
        "event.json",
        r#"{"pull_request":{"base":{"repo":{"full_name":"octo/hello"}},"head":{"repo":{"full_name":"eve/hello"}}}}"#,
    );
    let event = folder.path().join("event.json");
    let run = Run::new(&hub, &folder).input("hf_token", "").var("GITHUB_EVENT_NAME", "pull_request");
    let ran = run.var("GITHUB_EVENT_PATH", event.to_str().unwrap()).run().await.failed(3, "token_missing");
    assert_ran!(ran);
    assert_eq!(hub.requests().len(), 0);
}

/// The error names all missing rights at once, before the first write.
#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named_before_the_first_write() {
    let hub = hub_with(|config| {
        let scope = TokenScope {
            entity_type: "user".to_owned(),
            entity_name: "eve".to_owned(),
            permissions: vec!["repo.content.read".to_owned()],
        };
        config.users.push(User {
            role: TokenRole::FineGrained { scoped: vec![scope], global: Vec::new() },
            is_pro: false,
            ..User::new("eve", "hf_TheTokenOfEveWhoMayNotDoAnyOfThis")
        });
    })
    .await;
    let folder = Folder::new(&[("app.py", "import gradio\n"), ("README.md", "---\nsdk: gradio\n---\n")]);
    let eve = Run::new(&hub, &folder).token("hf_TheTokenOfEveWhoMayNotDoAnyOfThis");
    let ran = eve.input("huggingface_repo", "eve/app").run().await.failed(3, "permission_denied");
    let writes = hub
        .requests()
        .into_iter()
        .filter(|request| request.method != "GET" && request.path != "/api/validate-yaml");
    assert_eq!(writes.count(), 0);
    assert_ran!(ran);
}
