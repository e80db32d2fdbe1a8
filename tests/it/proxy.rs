//! The public proxy Space: made, kept up to date, refused, and the private app behind it.
//!
//! `HF_DEPLOY_PROXY` is the proxy's binary, which replaces the container of the proxy Space.

use std::collections::BTreeMap;

use local_hub::{DockerCommand, RepoType, Runtimes, TokenRole, User};

use crate::assert_ran;
use crate::harness::{Folder, Run, TOKEN, TestHub, hub_with, prepared_variable, static_space};
use crate::settings::refuse;

/// A fine-grained token of another user, as `proxy_hf_token`.
const READ_TOKEN: &str = "hf_TheProxysOwnTokenThatMustNotShowUpEither";

/// A Hub that runs the proxy for each Docker Space.
async fn hub() -> TestHub {
    let proxy = prepared_variable("HF_DEPLOY_PROXY");
    hub_with(|config| {
        config.edge = true;
        config.users.push(User { role: TokenRole::Read, ..User::new("ada", READ_TOKEN) });
        config.runtimes = Runtimes {
            docker: Some(DockerCommand { program: proxy.into(), args: Vec::new() }),
            ..Runtimes::default()
        };
    })
    .await
}

fn run(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder)
        .input("private", "true")
        .input("create_proxy", "true")
        .secret("INPUT_PROXY_HF_TOKEN", READ_TOKEN)
}

/// Returns the writes to the proxy Space, as `METHOD path`.
fn writes(hub: &TestHub) -> Vec<String> {
    hub.requests()
        .into_iter()
        .filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD"))
        // A question, asked as a POST.
        .filter(|request| !request.path.contains("/preupload/"))
        .filter(|request| request.path.contains("/app-proxy") || request.path.ends_with("/repos/create"))
        .map(|request| format!("{} {}", request.method, request.path))
        .collect()
}

pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Asks the public address as anybody may.
async fn visit(url: &str) -> (u16, String) {
    let answer = client().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The proxy is a process that starts when it starts: which stages and which lines of it are seen on the way differs.
fn without_the_way_to_running(log: &str) -> String {
    let (before, proxy) = log.split_once("created the Space `ada/app-proxy`").unwrap();
    let (created, after) = proxy.split_once('\n').unwrap();
    let (_, running) = format!("\n{after}")
        .split_once("\nrunning")
        .map(|(way, end)| (way.to_owned(), end.to_owned()))
        .unwrap();
    format!("{before}created the Space `ada/app-proxy`{created}\nrunning{running}")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_private_space_gets_a_public_door() {
    let hub = hub().await;
    let folder = static_space();
    let mut ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.output("proxy_enabled"), "true");
    assert_eq!(ran.output("proxy_repo_id"), "ada/app-proxy");
    assert_eq!(visit(ran.output("space_url")).await.0, 404, "the Space itself is private");
    let (status, page) = visit(ran.output("proxy_url")).await;
    assert_eq!((status, page.as_str()), (200, "<h1>Hello</h1>\n"));
    // Born complete, in one call.
    assert_eq!(writes(&hub), ["POST /api/repos/create", "POST /api/repos/create"]);
    // Nothing public names the private Space or holds a token.
    let private_host = ran.output("space_url").trim_start_matches("http://").to_owned();
    let files = hub.repo(RepoType::Space, "ada/app-proxy").tree("main").unwrap();
    assert!(files.contains_key("src/main.rs") && files.contains_key("Cargo.lock"), "{:?}", files.keys());
    for path in files.keys() {
        let content = hub.repo(RepoType::Space, "ada/app-proxy").read_file("main", path).unwrap();
        let text = String::from_utf8_lossy(&content);
        for secret in [TOKEN, READ_TOKEN, "ada/app\n", &private_host] {
            assert!(!text.contains(secret), "`{path}` holds {secret}");
        }
    }
    ran.log = without_the_way_to_running(&ran.log);
    assert_ran!(ran);

    hub.clear_requests();
    let again = run(&hub, &folder).run().await.ended(0, "unchanged");
    assert_eq!(again.output("proxy_url"), ran.output("proxy_url"));
    assert_eq!(writes(&hub), [""; 0], "{}", again.log);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_new_token_and_new_settings_reach_the_proxy() {
    let hub = hub().await;
    let folder = static_space();
    run(&hub, &folder).run().await.ended(0, "deployed");
    hub.clear_requests();
    let ran = run(&hub, &folder)
        .without("INPUT_PROXY_HF_TOKEN")
        .input("proxy_allow_origins", "https://a.example, https://b.example")
        .input("proxy_settings", "LOG_FORMAT=text\nRATE_LIMIT=5/s:50\nPROXY_API_KEY")
        .secret("PROXY_API_KEY", "a-key-for-callers")
        .run()
        .await
        .ended(0, "deployed");
    assert_eq!(ran.output("settings_changed"), "false", "those of the Space itself");
    let at = |last: &str| format!("POST /api/spaces/ada/app-proxy/{last}");
    let mut writes = writes(&hub);
    writes.sort();
    let mut expected: Vec<String> =
        ["commit/main", "secrets", "secrets", "secrets", "variables", "variables", "variables"]
            .map(at)
            .into();
    expected.sort();
    assert_eq!(writes, expected, "{}", ran.log);
    assert!(ran.log.contains("::warning::the proxy Space gets `hf_token`"), "{}", ran.log);
    let url = ran.output("proxy_url").to_owned();
    assert_eq!(visit(&url).await.0, 401, "a visitor without the key is refused");
    let with_key = client().get(&url).header("x-proxy-key", "a-key-for-callers").send().await.unwrap();
    assert_eq!(with_key.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_space_of_that_name_that_is_not_ours_is_never_touched() {
    let hub = hub().await;
    let folder = static_space();
    Run::new(&hub, &folder).input("huggingface_repo", "ada/app-proxy").run().await.ended(0, "deployed");
    hub.clear_requests();
    let ran = run(&hub, &folder).run().await.failed(5, "proxy_name_taken");
    assert!(hub.requests().iter().all(|request| request.method == "GET"), "nothing is written");
    assert_eq!((ran.output("proxy_enabled"), ran.output("proxy_url")), ("false", ""));
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_plan_without_docker_spaces_is_explained() {
    let hub = hub().await;
    let folder = static_space();
    run(&hub, &folder).input("create_proxy", "false").run().await.ended(0, "deployed");
    refuse(&hub, ("POST", "/repos/create"), 1, (402, "Subscribe to PRO to host Docker Spaces"));
    let ran = run(&hub, &folder).run().await.failed(3, "payment_required");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_dry_run_shows_the_proxy_and_makes_nothing() {
    let hub = hub().await;
    let folder = static_space();
    let ran = run(&hub, &folder).input("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(
        ran.log.contains("the Space `ada/app-proxy` does not exist yet: it would be created"),
        "{}",
        ran.log
    );
    assert_eq!(writes(&hub), [""; 0]);
    assert_eq!(ran.output("proxy_enabled"), "false");
    let row = "| Proxy | would create the Space `ada/app-proxy`, public |";
    assert!(ran.summary.contains(row), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_proxy_that_cannot_open_the_space_fails_the_step() {
    let hub = hub().await;
    let folder = static_space();
    let ran = run(&hub, &folder)
        .secret("INPUT_PROXY_HF_TOKEN", "hf_ATokenThatNobodyKnowsHereAtAllAndNoOneElse")
        // At `hf.space` it knows by the address.
        .input("proxy_settings", "TARGET_EDGE=always")
        .input("timeout", "15s")
        .run()
        .await
        .failed(1, "check_failed");
    assert!(ran.log.contains("`GET /` answered 502: The app does not accept"), "{}", ran.log);
    assert!(ran.log.contains("give `proxy_hf_token` read access"), "{}", ran.log);
    assert!(ran.log.contains("the Space itself is deployed"), "{}", ran.log);
}

/// The names that `proxy_settings` takes are those that the proxy knows.
#[test]
fn the_settings_of_the_proxy_are_known() {
    let card =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/proxy-template/README.md")).unwrap();
    let rows = card.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0));
    let theirs: BTreeMap<&str, ()> = rows
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
        .map(|name| (name, ()))
        .collect();
    let of_the_action = [
        "TARGET_URL",
        "TARGET_TOKEN",
        "ALLOW_ORIGINS",
        "ALLOW_ANY_TARGET",
        "SPACE_HOST",
        "PORT",
        "TARGET_CA_FILE",
    ];
    let ours: BTreeMap<&str, ()> = hf_deploy::commands::deploy::inputs::PROXY_SETTINGS
        .iter()
        .chain(hf_deploy::commands::deploy::inputs::PROXY_SECRETS)
        .chain(&of_the_action)
        .map(|name| (*name, ()))
        .collect();
    assert_eq!(theirs, ours);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_page_that_the_proxy_closes_by_its_settings_is_no_fault() {
    let (hub, folder) = (hub().await, static_space());
    let ran =
        run(&hub, &folder).input("proxy_settings", "ALLOW_PATHS=/api/*").run().await.ended(0, "deployed");
    assert!(
        ran.log.contains("the proxy answers, and its settings close the page that was asked for"),
        "{}",
        ran.log
    );
}
