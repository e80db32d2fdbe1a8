//! The check against an app that is scripted, and writes down who was shown the token.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use hf_deploy::app_check::{App, AppKind, Check, CheckResult, CheckStatus, Expect, Mode};
use hf_deploy::failure::app_check::hints;
use hf_deploy::hub::Secret;
use hf_deploy::ops::check::check_app;
use serde_json::{Value, json};

use crate::gradio::Captured;

mod limits;
mod passing;

const TOKEN: &str = "hf_abcdefghijklmnop";

/// The answers of a server, and its received requests.
#[derive(Clone, Default)]
struct Script {
    /// `(path, answer)`; the first that fits is used up, the last of a path stays.
    answers: Arc<Mutex<VecDeque<(&'static str, Reply)>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The address and the body of each request.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

/// The path, `X-HF-Authorization` and `Authorization` of a request.
type Seen = (String, Option<String>, Option<String>);

#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    /// Heartbeats follow the body, for ever.
    then_beats: bool,
    /// The connection is lost after the body.
    then_breaks: bool,
    /// True if bytes without end follow the body.
    then_floods: bool,
}

fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: body.into(),
        then_beats: false,
        then_breaks: false,
        then_floods: false,
    }
}

/// An answer that never comes to its end.
fn broken() -> Reply {
    Reply { then_breaks: true, ..reply(200, "[") }
}

fn document(value: Value) -> Reply {
    reply(200, value.to_string())
}

fn events(messages: &[Value]) -> Reply {
    reply(200, messages.iter().map(|message| format!("data: {message}\n\n")).collect::<String>())
}

async fn serve(State(script): State<Script>, headers: HeaderMap, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    script.seen.lock().unwrap().push((path.clone(), header("x-hf-authorization"), header("authorization")));
    let address = request.uri().to_string();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    script.asked.lock().unwrap().push((address, String::from_utf8_lossy(&body).into_owned()));
    let mut answers = script.answers.lock().unwrap();
    let fitting: Vec<usize> =
        answers.iter().enumerate().filter(|(_, (at, _))| *at == path).map(|(place, _)| place).collect();
    let found = match fitting[..] {
        [] => return StatusCode::NOT_FOUND.into_response(),
        [only] => answers[only].1.clone(),
        [first, ..] => answers.remove(first).unwrap().1,
    };
    let mut response = Response::builder().status(found.status);
    for (name, value) in found.headers {
        response = response.header(name, value);
    }
    if found.then_breaks {
        let pieces = [Ok(found.body), Err(std::io::Error::other("the connection is lost"))];
        return response.body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap();
    }
    if found.then_floods {
        let first = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(found.body)]);
        let flood = futures_util::stream::repeat(Bytes::from(vec![b'x'; 1 << 20])).map(Ok);
        return response.body(Body::from_stream(first.chain(flood))).unwrap();
    }
    if !found.then_beats {
        return response.body(Body::from(found.body)).unwrap();
    }
    let beat = Bytes::from_static(b"data: {\"msg\":\"heartbeat\"}\n\n");
    let beats = futures_util::stream::unfold((), move |()| {
        let beat = beat.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(15)).await;
            Some((Ok::<_, std::convert::Infallible>(beat), ()))
        }
    });
    let first = futures_util::stream::iter([Ok(found.body)]);
    response.body(Body::from_stream(first.chain(beats))).unwrap()
}

impl Script {
    fn on(self, path: &'static str, reply: Reply) -> Self {
        self.answers.lock().unwrap().push_back((path, reply));
        self
    }

    async fn start(&self, host: &str) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(serve).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }

    fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(path, ..)| path.clone()).collect()
    }

    /// The bodies of the requests whose address has this in it.
    fn bodies(&self, part: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(address, _)| address.contains(part)).map(|(_, body)| body.clone()).collect()
    }

    fn saw_the_token(&self) -> bool {
        self.seen.lock().unwrap().iter().any(|(_, ours, theirs)| ours.is_some() || theirs.is_some())
    }

    fn every_request_had_it(&self) -> bool {
        let wanted = format!("Bearer {TOKEN}");
        self.seen
            .lock()
            .unwrap()
            .iter()
            .all(|(_, ours, theirs)| ours.as_ref() == Some(&wanted) && theirs.is_none())
    }
}

/// An app with one endpoint that returns an image.
fn gradio() -> Script {
    let config = json!({
        "version": "5.50.0", "protocol": "sse_v3", "api_prefix": "/gradio_api",
        "components": [{"id": 1, "type": "textbox"}, {"id": 2, "type": "image"}],
        "dependencies": [{"id": 0, "api_name": "draw", "inputs": [1], "outputs": [2]}],
    });
    let info = json!({"named_endpoints": {"/draw": {
        "parameters": [{"parameter_name": "prompt", "component": "Textbox", "example_input": "Hello"}],
        "returns": [{"component": "Image"}],
    }}});
    Script::default()
        .on("/", reply(200, "<h1>app</h1>"))
        .on("/config", document(config))
        .on("/gradio_api/info", document(info))
        .on("/gradio_api/queue/join", document(json!({"event_id": "e"})))
}

fn completed(file: Value) -> Value {
    json!({"msg": "process_completed", "success": true, "output": {"data": [file], "duration": 0.5}})
}

/// Starts an app whose endpoint returns this image.
pub(crate) async fn drawing(image: Vec<u8>) -> SocketAddr {
    let file = json!({"path": "/tmp/x.png", "orig_name": "x.png"});
    let app = gradio()
        .on("/gradio_api/queue/data", events(&[completed(file)]))
        .on("/gradio_api/file=/tmp/x.png", reply(200, image));
    app.start("127.0.0.1").await
}

/// Starts an app with the endpoint of the templates for chats, which answers with this text.
pub(crate) async fn chatting(text: &str) -> SocketAddr {
    let inputs = [("message", "Textbox"), ("max_tokens", "Number"), ("temperature", "Number")];
    let parameters: Vec<Value> =
        inputs.map(|(name, component)| json!({"parameter_name": name, "component": component})).to_vec();
    let config = json!({
        "version": "5.50.0", "protocol": "sse_v3", "api_prefix": "/gradio_api",
        "components": [
            {"id": 1, "type": "textbox"}, {"id": 2, "type": "number"}, {"id": 3, "type": "number"},
            {"id": 4, "type": "textbox"},
        ],
        "dependencies": [{"id": 0, "api_name": "predict", "inputs": [1, 2, 3], "outputs": [4]}],
    });
    let info = json!({"named_endpoints": {"/predict": {
        "parameters": parameters, "returns": [{"component": "Textbox"}],
    }}});
    let app = Script::default()
        .on("/", reply(200, "<h1>app</h1>"))
        .on("/config", document(config))
        .on("/gradio_api/info", document(info))
        .on("/gradio_api/queue/join", document(json!({"event_id": "e"})))
        .on("/gradio_api/queue/data", events(&[completed(json!(text))]));
    app.start("127.0.0.1").await
}

/// Starts an app that asks for a password before anything else.
pub(crate) async fn closed_by_a_login() -> SocketAddr {
    let refused = || Reply { status: 401, ..document(json!({"detail": "Not authenticated"})) };
    let app = Script::default().on("/", reply(200, "<h1>Login</h1>")).on("/config", refused());
    app.on("/gradio_api/info", refused()).start("127.0.0.1").await
}

async fn judged(address: SocketAddr, kind: AppKind, check: Check) -> (CheckResult, String) {
    judged_with(Some(Secret::new(TOKEN)), address, kind, check).await
}

async fn judged_with(
    token: Option<Secret>,
    address: SocketAddr,
    kind: AppKind,
    check: Check,
) -> (CheckResult, String) {
    let url = format!("http://{address}").parse().unwrap();
    let captured = Captured::default();
    let log = captured.log();
    let result = check_app(&App { url, token, kind }, &check, &log).await;
    let text = captured.text();
    println!("{result:?}\n{text}");
    assert!(!format!("{text}{result:?}").contains(TOKEN));
    (result, text)
}

fn check(folder: &tempfile::TempDir) -> Check {
    Check { timeout: Duration::from_secs(20), ..Check::new(folder.path()) }
}

#[tokio::test]
async fn the_token_goes_to_the_app_with_every_request() {
    let folder = tempfile::tempdir().unwrap();
    let app = gradio()
        .on(
            "/gradio_api/queue/data",
            events(&[completed(json!({"path": "/tmp/x.png", "orig_name": "x.png"}))]),
        )
        .on(
            "/gradio_api/file=/tmp/x.png",
            reply(200, &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01"[..]),
        );
    let address = app.start("127.0.0.1").await;
    let asked = Check { expect: Some(Expect::Image), ..check(&folder) };
    let (result, _) = judged(address, AppKind::Gradio, asked).await;
    assert_eq!(result.status, CheckStatus::FullInferenceSuccess);
    assert!(app.every_request_had_it());
    assert_eq!(app.paths().len(), 6);
}

#[tokio::test]
async fn the_token_does_not_follow_a_file_to_another_host() {
    let folder = tempfile::tempdir().unwrap();
    let other = Script::default().on("/x.png", reply(200, &b"\x89PNG\r\n\x1a\n"[..]));
    let elsewhere = other.start("127.0.0.2").await;
    let url = format!("http://{elsewhere}/x.png");
    for (file, status, said) in [
        (json!({"path": url, "orig_name": "x.png"}), CheckStatus::FullInferenceSuccess, "another host"),
        (
            json!({"path": "", "url": url, "orig_name": "x.png"}),
            CheckStatus::FullInferenceSuccess,
            "another host",
        ),
        (
            json!({"path": "/tmp/none.png", "url": url, "orig_name": "x.png"}),
            CheckStatus::Failed,
            "could not be fetched",
        ),
    ] {
        let app = gradio().on("/gradio_api/queue/data", events(&[completed(file)]));
        let address = app.start("127.0.0.1").await;
        let asked = Check { expect: Some(Expect::Image), ..check(&folder) };
        let (result, log) = judged(address, AppKind::Gradio, asked).await;
        assert_eq!(result.status, status, "{result:?}");
        assert!(log.contains(said), "{log}");
    }
    assert_eq!(other.paths(), Vec::<String>::new());
}

#[tokio::test]
async fn the_token_does_not_cross_a_redirect() {
    let folder = tempfile::tempdir().unwrap();
    let other =
        Script::default().on("/", reply(200, "hello")).on("/f.png", reply(200, &b"\x89PNG\r\n\x1a\n"[..]));
    let elsewhere = other.start("127.0.0.2").await;
    let away = |path: &str| Reply {
        headers: vec![("location", format!("http://{elsewhere}{path}"))],
        ..reply(302, "")
    };
    // The front page.
    let app = Script::default().on("/", away("/"));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, check(&folder)).await;
    assert_eq!(result.status, CheckStatus::Failed);
    assert!(result.detail.contains("leads to another host"), "{result:?}");
    let expected = Check { health_path: Some("/".into()), health_status: 302, ..check(&folder) };
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Static, expected).await;
    assert_eq!(result.status, CheckStatus::HealthOnly);
    // A file, the queue, the config.
    let app = gradio()
        .on("/gradio_api/queue/data", events(&[completed(json!({"path": "/f", "orig_name": "f"}))]))
        .on("/gradio_api/file=/f", away("/f.png"));
    let asked = Check { expect: Some(Expect::Image), ..check(&folder) };
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked.clone()).await;
    assert_eq!(result.status, CheckStatus::Failed);
    let app = gradio().on("/gradio_api/queue/data", away("/"));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked).await;
    assert!(result.detail.contains("answered 302"), "{result:?}");
    assert!(!other.saw_the_token());
    assert_eq!(other.paths(), Vec::<String>::new());
}

#[tokio::test]
async fn an_app_that_starts_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let app = Script::default()
        .on("/health", reply(503, "<h1>starting</h1>"))
        .on("/health", reply(200, "Your space is building, check its status on hf.co"))
        .on("/health", reply(200, "all is well"));
    let asked =
        Check { health_path: Some("/health".into()), health_contains: Some("well".into()), ..check(&folder) };
    let (result, log) = judged(app.start("127.0.0.1").await, AppKind::Docker, asked.clone()).await;
    assert_eq!(result.status, CheckStatus::HealthOnly);
    assert!(log.contains("waiting for the app to answer: `GET /health` answered 503"), "{log}");
    assert!(log.contains("the Hub still shows its own page"), "{log}");
    let asked = Check { health_contains: Some("ill".into()), ..asked };
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, asked).await;
    assert_eq!((result.status, result.detail.contains("health_contains")), (CheckStatus::Failed, true));
    let asked = Check { expect: Some(Expect::Text), ..check(&folder) };
    let app = Script::default().on("/", reply(401, ""));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, check(&folder)).await;
    assert_eq!(result.status, CheckStatus::HealthOnly);
    assert!(result.detail.starts_with("the app asks for a login"), "{result:?}");
    let app = Script::default().on("/", reply(200, "page")).on("/config", reply(200, "<html>"));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, asked).await;
    assert!(result.detail.starts_with("a call is asked for, and the app is no Gradio app"), "{result:?}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let starts = json!({"msg": "process_starts"});
    let lost = json!({"msg": "unexpected_error", "message": "Session not found.", "session_not_found": true});
    let end =
        json!({"msg": "process_completed", "success": true, "output": {"data": ["hi"], "duration": 2.0}});
    let asked = Check { expect: Some(Expect::Text), ..check(&folder) };
    // Once more on the same session.
    let app = gradio()
        .on("/gradio_api/queue/data", events(std::slice::from_ref(&starts)))
        .on("/gradio_api/queue/data", events(std::slice::from_ref(&end)));
    let (result, log) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked.clone()).await;
    assert_eq!(result.status, CheckStatus::FullInferenceSuccess);
    assert!(log.contains("opening it again"), "{log}");
    // The server has forgotten the session: the call is made once more.
    let app = gradio()
        .on("/gradio_api/queue/data", events(&[starts]))
        .on("/gradio_api/queue/data", events(std::slice::from_ref(&lost)))
        .on("/gradio_api/queue/data", events(&[end]));
    let (result, log) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked.clone()).await;
    assert_eq!(result.status, CheckStatus::FullInferenceSuccess);
    assert!(log.contains("making it once more"), "{log}");
    assert_eq!(app.paths().iter().filter(|path| path.ends_with("/join")).count(), 2);
    // Never a third time.
    let app = gradio().on("/gradio_api/queue/data", events(&[lost]));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked).await;
    assert_eq!(result.status, CheckStatus::Failed);
    assert_eq!(app.paths().iter().filter(|path| path.ends_with("/join")).count(), 2);
}

/// A server that forgot the call sends heartbeats on the stream that was opened again, and never its end.
#[tokio::test]
async fn a_call_that_the_server_forgot_without_a_word_is_made_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let beat = json!({"msg": "heartbeat"});
    let end =
        json!({"msg": "process_completed", "success": true, "output": {"data": ["hi"], "duration": 2.0}});
    let app = gradio()
        .on("/gradio_api/queue/data", events(&[json!({"msg": "process_starts"})]))
        .on("/gradio_api/queue/data", Reply { then_beats: true, ..events(std::slice::from_ref(&beat)) })
        .on("/gradio_api/queue/data", events(&[end]));
    let asked = Check { expect: Some(Expect::Text), timeout: Duration::from_secs(300), ..check(&folder) };
    let (result, log) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked).await;
    assert_eq!(result.status, CheckStatus::FullInferenceSuccess, "{result:?}");
    assert!(log.contains("making it once more"), "{log}");
}

#[tokio::test]
async fn refusals_of_the_queue_have_their_words() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Check { expect: Some(Expect::Any), timeout: Duration::from_secs(8), ..check(&folder) };
    for (answered, status, text) in [
        (429, CheckStatus::FullInferenceCandidateHealthPassed, "429"),
        (401, CheckStatus::HealthOnly, "the app asks for a login"),
        (503, CheckStatus::FullInferenceCandidateHealthPassed, "queue of the app is full"),
        (422, CheckStatus::Failed, "does not take the request: 422: bad"),
        (500, CheckStatus::Failed, "500"),
    ] {
        let app = gradio();
        app.answers.lock().unwrap().pop_back();
        let app = app.on("/gradio_api/queue/join", reply(answered, r#"{"detail":"bad"}"#));
        let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked.clone()).await;
        assert_eq!(result.status, status, "{answered}: {result:?}");
        assert!(result.detail.contains(text), "{answered}: {result:?}");
    }
}

#[tokio::test]
async fn a_gradio_too_old_stands_in_front_of_calls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"version": "3.50.2", "protocol": "ws", "components": [], "dependencies": []});
    let app = Script::default().on("/", reply(200, "app")).on("/config", document(config));
    let address = app.start("127.0.0.1").await;
    let (result, _) = judged(address, AppKind::Gradio, check(&folder)).await;
    assert_eq!(result.status, CheckStatus::HealthOnly);
    let (result, _) =
        judged(address, AppKind::Gradio, Check { expect: Some(Expect::Any), ..check(&folder) }).await;
    assert_eq!(result.status, CheckStatus::HealthOnly);
    assert!(result.detail.contains("calls need Gradio 4.44 or newer"), "{result:?}");
}

#[tokio::test]
async fn silent_app_is_reported_with_its_last_message() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Check { timeout: Duration::from_secs(4), ..check(&folder) };
    let app = Script::default().on("/", reply(502, "<h1>bad gateway</h1>"));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, asked.clone()).await;
    assert_eq!((result.status, result.detail.as_str()), (CheckStatus::Failed, "`GET /` answered 502"));
    let app =
        Script::default().on("/", Reply { headers: vec![("retry-after", "600".into())], ..reply(429, "") });
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, asked.clone()).await;
    assert_eq!(result.status, CheckStatus::FullInferenceCandidateHealthPassed);
    assert!(result.detail.contains("asks to wait: 600"), "{result:?}");
}

#[tokio::test]
async fn a_404_has_the_hints_that_can_be_true() {
    let folder = tempfile::tempdir().unwrap();
    let named = || Check { health_path: Some("/nope".into()), ..check(&folder) };
    let no_page = "the app has no page at `/nope`: correct `health_path`";
    let no_front = "an app without a front page needs `health_path`";
    let private = "a private Space answers 404 to callers without a token";
    let address = Script::default().start("127.0.0.1").await;
    for (token, kind, asked, expected) in [
        // Where there is a token, or the Hub was asked, the Space opens.
        (Some(TOKEN), AppKind::Docker, check(&folder), vec![no_front]),
        (Some(TOKEN), AppKind::Docker, named(), vec![no_page]),
        (None, AppKind::Docker, named(), vec![no_page]),
        (None, AppKind::Static, check(&folder), vec![no_front]),
        // An address alone may be that of a private Space.
        (None, AppKind::Unknown, named(), vec![private, no_page]),
        (None, AppKind::Unknown, check(&folder), vec![private, no_front]),
    ] {
        let (result, _) = judged_with(token.map(Secret::new), address, kind, asked).await;
        assert_eq!(
            (result.status, hints(&result)),
            (CheckStatus::Failed, expected.into_iter().map(String::from).collect())
        );
        assert!(result.detail.ends_with("answered 404"), "{}", result.detail);
    }
    // What the edge lets through is the app's own.
    let own = Reply { headers: vec![("x-proxied-host", "http://10.0.0.1".into())], ..reply(404, "") };
    let address = Script::default().on("/nope", own).start("127.0.0.1").await;
    let (result, _) = judged_with(None, address, AppKind::Unknown, named()).await;
    assert_eq!(hints(&result), [no_page]);
}

#[tokio::test]
async fn a_page_without_its_text_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Check { health_contains: Some("all is well".into()), ..check(&folder) };
    let page = format!("<h1>\nout of order</h1>\u{1b}[31m{}", "x".repeat(10_000));
    let app = Script::default().on("/", reply(200, page));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, asked.clone()).await;
    let start =
        "`GET /` answered without `health_contains`, `all is well`: `<h1> out of order</h1>\\u{1b}[31mxxx";
    assert!(result.detail.starts_with(start), "{result:?}");
    assert!(result.detail.ends_with("xxx…`") && result.detail.len() < 300, "{result:?}");
    let app = Script::default().on("/", reply(200, ""));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, asked).await;
    assert!(result.detail.ends_with("`all is well`: the answer is empty"), "{result:?}");
}

#[tokio::test]
async fn a_secret_in_a_page_is_not_shown_not_even_its_half() {
    let folder = tempfile::tempdir().unwrap();
    let app = Script::default().on("/", reply(200, format!("{}{TOKEN}", "x".repeat(190))));
    let url = format!("http://{}", app.start("127.0.0.1").await).parse().unwrap();
    let asked = Check { health_contains: Some("all is well".into()), ..check(&folder) };
    let log = Captured::default().log();
    log.mask(&Secret::new(TOKEN));
    let result = check_app(&App { url, token: None, kind: AppKind::Docker }, &asked, &log).await;
    assert!(result.detail.ends_with("xxx***`"), "{result:?}");
}

#[tokio::test]
async fn a_gradio_space_without_gradio_at_its_root_is_checked_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let by_path = Check { health_path: Some("/health".into()), ..check(&folder) };
    let by_mode = Check { mode: Mode::Health, ..check(&folder) };
    for config in [reply(404, ""), reply(200, "<html>"), reply(500, ""), reply(401, "Not authenticated")] {
        let app = Script::default()
            .on("/", reply(200, "page"))
            .on("/health", reply(200, "ok"))
            .on("/config", config);
        let address = app.start("127.0.0.1").await;
        for asked in [&by_path, &by_mode] {
            let (result, _) = judged(address, AppKind::Gradio, asked.clone()).await;
            assert_eq!(result.status, CheckStatus::HealthOnly, "{result:?}");
        }
    }
    // The Hub runs it, so it is healthy where nothing else is asked. A call has to find Gradio.
    let app = Script::default().on("/", reply(200, "page")).on("/health", reply(200, "ok"));
    let address = app.start("127.0.0.1").await;
    let (result, _) = judged(address, AppKind::Gradio, check(&folder)).await;
    assert_eq!(result.status, CheckStatus::HealthOnly);
    assert_eq!(result.detail, "the app answers; no Gradio app was found at its front page");
    let called = Check { api_name: Some("/draw".into()), ..by_path };
    let (result, _) = judged(address, AppKind::Gradio, called.clone()).await;
    assert!(result.detail.starts_with("the app has no Gradio config"), "{result:?}");
    assert!(
        hints(&result)[0].starts_with("name the path of the Gradio app with `health_path`"),
        "{result:?}"
    );
    let (result, _) = judged(address, AppKind::Docker, called).await;
    assert!(result.detail.starts_with("a call is asked for, and the app is no Gradio app"), "{result:?}");
    assert!(
        hints(&result)[0].starts_with("name the path of the Gradio app with `health_path`"),
        "{result:?}"
    );
}

#[tokio::test]
async fn what_is_not_well_formed_fails_where_gradio_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    for (config, info, detail) in [
        (reply(200, "{}"), reply(200, "{}"), "config is not well formed"),
        (reply(500, ""), reply(200, "{}"), "the app has no Gradio config: `GET /config` answered 500"),
        (
            document(json!({"version": "5.0.0", "protocol": "sse_v3", "dependencies": []})),
            reply(500, ""),
            "no API schema",
        ),
        (
            document(json!({"version": "5.0.0", "protocol": "sse_v3", "dependencies": []})),
            reply(200, "{}"),
            "schema is not well formed",
        ),
    ] {
        let app = Script::default().on("/", reply(200, "page")).on("/config", config).on("/info", info);
        let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, check(&folder)).await;
        assert_eq!(result.status, CheckStatus::Failed);
        assert!(result.detail.contains(detail), "{result:?}");
    }
}
