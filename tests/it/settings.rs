//! Settings of a Space: only differences are written, before the commit.

use local_hub::{Fault, FaultKind, HubConfig, LocalHub, Org, RecordedRequest, RepoType};

use crate::assert_ran;
use crate::harness::{Folder, Ran, Run, hub, hub_with};

const API_KEY: &str = "sk-TheValueOfTheSecretApiKey";

fn gradio_space() -> Folder {
    Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\napp_file: app.py\n---\n\n# Hello\n"),
        ("app.py", "import gradio as gr\n\ngr.Interface(str.upper, \"text\", \"text\").launch()\n"),
        ("requirements.txt", "gradio\n"),
    ])
}

fn poor(config: &mut HubConfig) {
    config.users[0].can_pay = false;
}

pub(crate) fn refuse(
    hub: &LocalHub,
    (method, path_contains): (&str, &str),
    times: usize,
    (code, message): (u16, &str),
) {
    let body = format!(r#"{{"error":"{message}"}}"#);
    let kind = FaultKind::Status { code, headers: Vec::new(), body };
    hub.inject(Fault {
        method: Some(method.to_owned()),
        path_contains: path_contains.to_owned(),
        skip: 0,
        times,
        kind,
    });
}

/// The last part of the path of each request that writes, and the start of its body.
fn writes(hub: &LocalHub) -> Vec<String> {
    let reads = |request: &RecordedRequest| {
        request.method == "GET"
            || request.path.contains("validate-yaml")
            || request.path.contains("/preupload/")
    };
    let described = |request: RecordedRequest| {
        let name = request.path.trim_end_matches("/main").rsplit('/').next().unwrap_or_default().to_owned();
        let body = match name.as_str() {
            "commit" | "create" => String::new(),
            _ => format!(" {}", String::from_utf8_lossy(&request.body)),
        };
        format!("{} {name}{body}", request.method)
    };
    hub.requests().into_iter().filter(|request| !reads(request)).map(described).collect()
}

fn created_with(hub: &LocalHub) -> String {
    let requests = hub.requests();
    let create = requests.iter().rfind(|request| request.path == "/api/repos/create").unwrap();
    String::from_utf8(create.body.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_space_is_created_with_all_of_it_in_one_call() {
    let (hub, folder) = (hub().await, gradio_space());
    hub.set_policy(|policy| policy.expands_visibility = true);
    let run = || {
        Run::new(&hub, &folder)
            .input("variables", "MODE=fast")
            .input("secrets", "API_KEY")
            .secret("API_KEY", API_KEY)
            .input("hardware", "t4-small")
            .input("sleep_time", "1h")
            .input("volumes", "bucket:ada/data:/data")
            .input("visibility", "protected")
    };
    let ran = run().run().await.ended(0, "deployed");
    assert_ran!(ran);
    assert_eq!(writes(&hub), ["POST create"]);
    let body = created_with(&hub);
    for part in [
        r#""visibility":"protected""#,
        r#""hardware":"t4-small""#,
        r#""sleepTimeSeconds":3600"#,
        r#""variables":[{"key":"MODE","value":"fast"}]"#,
        r#""volumes":[{"type":"bucket","source":"ada/data","mountPath":"/data","readOnly":false}]"#,
        r#""path":"app.py""#,
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert_eq!(hub.space("ada/app").secrets().unwrap()["API_KEY"], API_KEY);
    assert_eq!(ran.output("commit_sha"), hub.repo(RepoType::Space, "ada/app").head("main").unwrap());
    assert_eq!(ran.counts(), ["3", "0", "0", "0"]);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1);

    hub.clear_requests();
    let again = run().run().await.ended(0, "unchanged");
    assert_ran!(again);
    assert_eq!(writes(&hub), [""; 0], "nothing differs, nothing is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_differences_are_written_and_before_the_commit() {
    let (hub, folder) = (hub().await, gradio_space());
    let run = |variables: &str| {
        Run::new(&hub, &folder)
            .input("variables", variables)
            .input("secrets", "API_KEY")
            .secret("API_KEY", API_KEY)
    };
    run("MODE=fast\nSAME=1").run().await.ended(0, "deployed");
    hub.clear_requests();
    folder.write("app.py", "import gradio\n");
    let ran = run("MODE=slow\nSAME=1\nNEW=\n").run().await.ended(0, "deployed");
    assert_ran!(ran);
    let secret = format!(r#"POST secrets {{"key":"API_KEY","value":"{API_KEY}"}}"#);
    assert_eq!(
        writes(&hub),
        [
            r#"POST variables {"key":"MODE","value":"slow"}"#,
            r#"POST variables {"key":"NEW","value":""}"#,
            &secret,
            "POST commit",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_there_is_left_unless_it_is_forced() {
    let (hub, folder) = (hub().await, gradio_space());
    let run = |value: &str| Run::new(&hub, &folder).input("secrets", "API_KEY").secret("API_KEY", value);
    run(API_KEY).run().await.ended(0, "deployed");
    let ran = run("another-value-of-the-key").run().await.ended(0, "unchanged");
    assert!(
        ran.log.contains("left the secrets as they are: `API_KEY` (they cannot be compared"),
        "{}",
        ran.log
    );
    assert_eq!(hub.space("ada/app").secrets().unwrap()["API_KEY"], API_KEY);
    let ran = run("another-value-of-the-key").input("force_secrets", "true").run().await;
    assert_ran!(ran.ended(0, "deployed"));
    assert_eq!(hub.space("ada/app").secrets().unwrap()["API_KEY"], "another-value-of-the-key");
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_leaves_and_overwrite_deletes_what_is_not_named() {
    let (hub, folder) = (hub().await, gradio_space());
    let run = |variables: &str| Run::new(&hub, &folder).input("variables", variables);
    let first = run("A=1\nB=2").input("secrets", "API_KEY").secret("API_KEY", API_KEY);
    first.run().await.ended(0, "deployed");
    hub.clear_requests();
    run("A=1").run().await.ended(0, "unchanged");
    assert_eq!(writes(&hub), [""; 0]);
    let overwrite = |variables: &str| run(variables).input("settings_strategy", "overwrite");
    let dry = overwrite("A=1").input("secrets", "none").input("dry_run", "true").run().await;
    assert_ran!(dry.ended(0, "dry-run"));
    assert_eq!(writes(&hub), [""; 0]);
    let ran = overwrite("A=1").run().await.ended(0, "deployed");
    assert_eq!((ran.output("settings_changed"), ran.counts()), ("true", ["0", "0", "0", "3"]));
    assert_eq!(writes(&hub), [r#"DELETE variables {"key":"B"}"#], "secrets are not given, and stay");
    hub.clear_requests();
    let ran = overwrite("").run().await.ended(0, "unchanged");
    assert_eq!(ran.output("settings_changed"), "false");
    assert!(
        ran.log.contains("::warning::`settings_strategy: overwrite` deletes nothing here"),
        "{}",
        ran.log
    );
    assert_eq!(writes(&hub), [""; 0]);
    let ran = overwrite("none").input("secrets", "none").run().await.ended(0, "deployed");
    assert_ran!(ran);
    assert_eq!(writes(&hub), [r#"DELETE variables {"key":"A"}"#, r#"DELETE secrets {"key":"API_KEY"}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_false_leaves_a_private_space_private_and_says_so() {
    let (hub, folder) = (hub().await, gradio_space());
    Run::new(&hub, &folder).input("private", "true").run().await.ended(0, "deployed");
    let ran = Run::new(&hub, &folder).input("private", "false").run().await.ended(0, "unchanged");
    assert_ran!(ran);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
    assert!(ran.log.contains("is private") && !ran.log.contains("::warning::"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_visibility_alone_is_shown() {
    let (hub, folder) = (hub().await, gradio_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let run =
        |dry_run: &str| Run::new(&hub, &folder).input("visibility", "private").input("dry_run", dry_run);
    let dry = run("true").run().await.ended(0, "dry-run");
    assert!(dry.summary.contains("): would become private |"), "{}", dry.summary);
    let facts =
        |ran: &Ran| ["settings_changed", "visibility", "created"].map(|name| ran.output(name).to_owned());
    assert_eq!(facts(&dry), ["true", "private", "false"]);
    let ran = run("false").run().await.ended(0, "deployed");
    assert_eq!(facts(&ran), ["true", "private", "false"]);
    assert_ran!(ran);
    assert_eq!(facts(&run("false").run().await.ended(0, "unchanged")), ["false", "private", "false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_with_the_name_of_a_secret_is_refused_before_anything_is_touched() {
    let (hub, folder) = (hub().await, gradio_space());
    let run = || Run::new(&hub, &folder);
    run().input("secrets", "API_KEY").secret("API_KEY", API_KEY).run().await.ended(0, "deployed");
    hub.clear_requests();
    folder.write("app.py", "import gradio\n");
    let ran = run().input("variables", "API_KEY=1").input("private", "true").run().await;
    assert_ran!(ran.failed(2, "settings_collision"));
    assert_eq!(writes(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_on_each_call_ends_the_run_before_the_commit() {
    for (method, path) in [
        ("GET", "/variables"),
        ("GET", "/secrets"),
        ("POST", "/variables"),
        ("POST", "/secrets"),
        ("DELETE", "/variables"),
        ("DELETE", "/secrets"),
        ("PUT", "/settings"),
        ("PUT", "/volumes"),
        ("POST", "/sleeptime"),
    ] {
        let (hub, folder) = (hub().await, gradio_space());
        let first = Run::new(&hub, &folder)
            .input("variables", "OLD=1")
            .input("secrets", "GONE")
            .secret("GONE", "value-that-goes")
            .input("hardware", "t4-small");
        first.run().await.ended(0, "deployed");
        folder.write("app.py", "import gradio\n");
        refuse(&hub, (method, path), 9, (403, "You don't have the required permissions"));
        let ran = Run::new(&hub, &folder)
            .input("variables", "NEW=1")
            .input("secrets", "API_KEY")
            .secret("API_KEY", API_KEY)
            .input("settings_strategy", "overwrite")
            .input("visibility", "private")
            .input("volumes", "bucket:ada/data:/data")
            .input("sleep_time", "2h")
            .run()
            .await
            .failed(3, "permission_denied");
        assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1, "{method} {path}");
        if (method, path) == ("POST", "/secrets") {
            assert_ran!(ran);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_hardware_that_the_hub_grants() {
    let (hub, folder) = (hub().await, gradio_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    hub.clear_requests();
    refuse(&hub, ("POST", "/hardware"), 1, (402, "This hardware needs a payment method"));
    let run = || {
        Run::new(&hub, &folder)
            .input("hardware", "a10g-large")
            .input("fallback_hardware", "t4-small\ncpu-upgrade")
            .input("sleep_time", "never")
    };
    let ran = run().run().await.ended(0, "deployed");
    assert_ran!(ran);
    assert_eq!(
        writes(&hub),
        [
            r#"POST hardware {"flavor":"a10g-large","sleepTimeSeconds":-1}"#,
            r#"POST hardware {"flavor":"t4-small","sleepTimeSeconds":-1}"#,
        ]
    );
    // The fallback that it has is not asked for again.
    hub.clear_requests();
    refuse(&hub, ("POST", "/hardware"), 1, (403, "Not for you"));
    let again = run().run().await.ended(0, "unchanged");
    assert_eq!((again.output("hardware_status"), again.output("space_hardware")), ("unchanged", "t4-small"));
    assert_eq!(writes(&hub).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_is_refused_at_creation_leaves_a_deploy_that_completes() {
    let (hub, folder) = (hub_with(poor).await, gradio_space());
    let run = || Run::new(&hub, &folder).input("hardware", "t4-small").input("sleep_time", "10m");
    let ran = run().input("fallback_hardware", "cpu-upgrade").run().await.ended(0, "deployed");
    assert_ran!(ran);
    assert_eq!(writes(&hub), ["POST create"; 3]);
    assert!(!created_with(&hub).contains("hardware"), "the last creation asks for none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_after_a_refusal_at_creation() {
    let (hub, folder) = (hub_with(poor).await, gradio_space());
    let run = Run::new(&hub, &folder).input("hardware", "t4-small").input("fallback_hardware", "zero-a10g");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!((ran.output("hardware_status"), ran.output("space_hardware")), ("granted", "zero-a10g"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_is_paid_for_needs_no_subscription() {
    let (hub, folder) = (hub_with(|config| config.users[0].is_pro = false).await, gradio_space());
    let ran = Run::new(&hub, &folder).input("hardware", "t4-small").run().await.ended(0, "deployed");
    assert_eq!((ran.output("hardware_status"), ran.output("space_hardware")), ("granted", "t4-small"));
    assert_eq!(writes(&hub), ["POST create"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_that_is_not_paid_for_is_not_the_hardware_s_fault() {
    let free = |config: &mut HubConfig| (config.users[0].is_pro, config.users[0].can_pay) = (false, false);
    let (hub, folder) = (hub_with(free).await, gradio_space());
    let ran = Run::new(&hub, &folder).input("hardware", "t4-small").run().await;
    let ran = ran.failed(3, "payment_required");
    assert!(ran.log.contains("on free cpu-basic requires a PRO subscription"), "{}", ran.log);
    // With the hardware, and without.
    assert_eq!(writes(&hub), ["POST create", "POST create"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_account_comes_to_zero_gpu_by_way_of_its_fallback() {
    let free = |config: &mut HubConfig| (config.users[0].is_pro, config.users[0].can_pay) = (false, false);
    let (hub, folder) = (hub_with(free).await, gradio_space());
    let run = Run::new(&hub, &folder).input("hardware", "t4-small").input("fallback_hardware", "zero-a10g");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!((ran.output("hardware_status"), ran.output("space_hardware")), ("granted", "zero-a10g"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_an_organisation_decides_for_its_spaces() {
    for (plan, ends) in [(Some("team"), (0, "deployed")), (None, (3, "failed"))] {
        let in_org = |config: &mut HubConfig| {
            let org = Org { plan: plan.map(str::to_owned), can_pay: false, ..Org::new("acme", "admin") };
            (config.users[0].is_pro, config.users[0].orgs) = (plan.is_none(), vec![org]);
        };
        let (hub, folder) = (hub_with(in_org).await, gradio_space());
        let ran =
            Run::new(&hub, &folder).input("huggingface_repo", "acme/app").run().await.ended(ends.0, ends.1);
        assert_eq!(
            ran.outputs.get("error_code").map_or("", String::as_str) == "payment_required",
            plan.is_none()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_is_required_and_not_granted() {
    let (hub, folder) = (hub().await, gradio_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("app.py", "import gradio\n");
    refuse(&hub, ("POST", "/hardware"), 9, (402, "This hardware needs a payment method"));
    let run = Run::new(&hub, &folder).input("hardware", "t4-small").input("require_hardware", "true");
    let ran = run.input("variables", "A=1").run().await.failed(3, "hardware_refused");
    assert_ran!(ran);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_is_required_and_refused_leaves_no_new_space() {
    let (hub, folder) = (hub_with(poor).await, gradio_space());
    let run = Run::new(&hub, &folder).input("hardware", "t4-small").input("require_hardware", "true");
    run.run().await.failed(3, "hardware_refused");
    assert_eq!(hub.repo(RepoType::Space, "ada/app").head("main"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn zero_gpu_needs_gradio() {
    let hub = hub().await;
    let folder = Folder::new(&[("Dockerfile", "FROM scratch\n")]);
    let ran = Run::new(&hub, &folder).input("hardware", "zero-a10g").run().await;
    assert_ran!(ran.failed(2, "invalid_input"));
    assert_eq!(writes(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sleep_time_alone() {
    let (hub, folder) = (hub().await, gradio_space());
    let run = |sleep: &str| Run::new(&hub, &folder).input("sleep_time", sleep);
    let ran = run("10m").run().await.ended(0, "deployed");
    assert!(ran.log.contains("`sleep_time` cannot be set on `cpu-basic`"), "{}", ran.log);
    Run::new(&hub, &folder).input("hardware", "t4-small").run().await.ended(0, "deployed");
    hub.clear_requests();
    let ran = run("10m").run().await.ended(0, "deployed");
    assert!(ran.summary.contains("set the sleep time (after 10 min)"), "{}", ran.summary);
    run("10m").run().await.ended(0, "unchanged");
    assert_eq!(writes(&hub), [r#"POST sleeptime {"seconds":600}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_added_replaced_and_taken_away() {
    let (hub, folder) = (hub().await, gradio_space());
    let run = |volumes: &str| Run::new(&hub, &folder).input("volumes", volumes);
    run("bucket:ada/data:/data").run().await.ended(0, "deployed");
    hub.clear_requests();
    let data = r#"{"mountPath":"/data","readOnly":false,"source":"ada/data","type":"bucket"}"#;
    let model = r#"{"mountPath":"/m","readOnly":true,"source":"ada/m","type":"model"}"#;
    run("bucket:ada/data:/data").run().await.ended(0, "unchanged");
    run("model:ada/m:/m").run().await.ended(0, "deployed");
    run("model:ada/m:/m").input("settings_strategy", "overwrite").run().await.ended(0, "deployed");
    run("none").run().await.ended(0, "deployed");
    run("none").run().await.ended(0, "unchanged");
    let both = format!(r#"PUT volumes {{"volumes":[{model},{data}]}}"#);
    let one = format!(r#"PUT volumes {{"volumes":[{model}]}}"#);
    assert_eq!(writes(&hub), [both.as_str(), one.as_str(), "DELETE volumes "]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_space_becomes_protected_and_public_again() {
    let (hub, folder) = (hub().await, gradio_space());
    hub.set_policy(|policy| policy.expands_visibility = true);
    let run = |visibility: &str| Run::new(&hub, &folder).input("visibility", visibility);
    run("public").run().await.ended(0, "deployed");
    hub.clear_requests();
    for (visibility, status) in [
        ("protected", "deployed"),
        ("protected", "unchanged"),
        ("public", "deployed"),
        ("public", "unchanged"),
    ] {
        let ran = run(visibility).run().await.ended(0, status);
        assert_eq!(ran.output("visibility"), visibility);
    }
    assert_eq!(
        writes(&hub),
        [r#"PUT settings {"visibility":"protected"}"#, r#"PUT settings {"visibility":"public"}"#]
    );
}

/// `?expand=visibility` is on no client's list, and a plain look does not tell protected from public.
#[tokio::test(flavor = "multi_thread")]
async fn who_can_see_a_space_is_settled_where_a_look_at_it_does_not_say() {
    let (hub, folder) = (hub().await, gradio_space());
    for (visibility, status) in
        [("public", "deployed"), ("protected", "unchanged"), ("public", "unchanged"), ("private", "deployed")]
    {
        let run = Run::new(&hub, &folder).input("visibility", visibility);
        let ran = run.run().await.ended(0, status);
        let found = hub.repo(RepoType::Space, "ada/app").visibility();
        assert_eq!(found.as_deref(), Some(visibility), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_lists_the_settings_that_it_would_write() {
    let (hub, folder) = (hub().await, gradio_space());
    let run = || {
        Run::new(&hub, &folder)
            .input("variables", "MODE=fast")
            .input("secrets", "API_KEY")
            .secret("API_KEY", API_KEY)
            .input("hardware", "t4-small")
            .input("sleep_time", "1h")
            .input("volumes", "bucket:ada/data:/data")
    };
    let missing = run().input("dry_run", "true").run().await.ended(0, "dry-run");
    assert_ran!(missing);
    Run::new(&hub, &folder).input("variables", "OLD=1").run().await.ended(0, "deployed");
    hub.clear_requests();
    let dry = run().input("dry_run", "true").input("settings_strategy", "overwrite");
    let ran = dry.input("visibility", "private").run().await.ended(0, "dry-run");
    assert_ran!(ran);
    assert_eq!(writes(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_the_hub_decides_about_come_with_a_commit() {
    for (path, content) in [
        ("weights.bin", "text\n".to_owned()),
        ("logo.png", "\0".to_owned()),
        (".gitignore", "*.log\n".to_owned()),
        ("large.txt", "x".repeat(1_000_001)),
    ] {
        let (hub, folder) = (hub().await, gradio_space());
        folder.write(path, content);
        let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
        assert!(!created_with(&hub).contains("files"), "{path}");
        assert_eq!(writes(&hub).last().map(String::as_str), Some("POST commit"), "{path}");
        assert_eq!(ran.counts(), ["3", "1", "0", "0"], "{path}: the Hub's own card is replaced");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_adds_to_a_new_space_is_taken_away_again() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\ntitle: x\nsdk: static\n---\n"), ("index.html", "<p>hi")]);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.counts(), ["2", "0", "1", "0"], "the Hub's own style sheet goes");
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 2);
}
