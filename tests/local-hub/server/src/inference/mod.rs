//! The router of Inference Providers, with an address of its own: providers, prices, streams, `hf-inference`, errors.
//!
//! Paths, bodies and error texts follow the documentation of Inference Providers and reports of users; no document of
//! the Hub describes them. An answer of a model repeats the input, or follows a script.

mod answers;
mod chat;
mod hf_inference;
mod model;
mod scripted;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::Response;
use serde_json::{Value, json};

use self::answers::{answered, failed};
use crate::faults::fault::{Fault, FaultKind, Faults};
use crate::faults::response::{drain, fault_answer, truncate};
use crate::http::answer::set;
use crate::http::record::{RecordedRequest, RequestLog};
use crate::util::lock;

pub use model::{ChatModel, ProviderOffer, TaskModel};
pub use scripted::ScriptedTurn;

/// Error text of a caller without credits.
const NO_CREDITS: &str = "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to \
                          get 20x more monthly included credits.";

/// A running router. Dropping it stops the server.
pub struct LocalRouter {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

/// State of a router.
struct Shared {
    token: String,
    models: Mutex<Vec<ChatModel>>,
    tasks: Mutex<Vec<TaskModel>>,
    /// Number of requests that the caller can pay; `None` has no end.
    credits: Mutex<Option<usize>>,
    faults: Faults,
    requests: RequestLog,
}

impl std::fmt::Debug for LocalRouter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalRouter").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for LocalRouter {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl LocalRouter {
    /// Starts a router without models, for the caller with this token.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(token: &str) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            models: Mutex::default(),
            tasks: Mutex::default(),
            credits: Mutex::default(),
            faults: Faults::default(),
            requests: RequestLog::default(),
        });
        let service = Router::new().fallback(handle).with_state(shared.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the router failed");
            }
        });
        Ok(Self { address, shared, server })
    }

    /// Returns `http://127.0.0.1:PORT`: the value for `HF_ROUTER_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a chat model.
    pub fn add_chat_model(&self, model: ChatModel) {
        lock(&self.shared.models).push(model);
    }

    /// Adds a model of `hf-inference`.
    pub fn add_task_model(&self, model: TaskModel) {
        lock(&self.shared.tasks).push(model);
    }

    /// Lets the caller pay this many further requests.
    pub fn set_credits(&self, requests: usize) {
        *lock(&self.shared.credits) = Some(requests);
    }

    /// Adds a fault.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Returns every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests.all()
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let entry = shared.requests.begin(method, path, "", &parts.headers);
    let fault = shared.faults.hit(method, path);
    let body = entry.tap(body);
    match &fault {
        Some(FaultKind::Status { code, headers, body: text }) => {
            drain(body).await;
            let mut response = fault_answer(*code, text);
            for (name, value) in headers {
                set(&mut response, &name.to_ascii_lowercase(), value);
            }
            entry.status(*code);
            return response;
        }
        Some(FaultKind::Delay(time)) => tokio::time::sleep(*time).await,
        _ => {}
    }
    let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap_or_default();
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let mut response = if authorization == Some(format!("Bearer {}", shared.token).as_str()) {
        shared.answer(&parts.method, path, &bytes)
    } else {
        failed(401, &json!("Invalid username or password."))
    };
    if let Some(FaultKind::TruncateBody { after }) = fault {
        response = truncate(response, after).await;
    }
    entry.status(response.status().as_u16());
    response
}

impl Shared {
    fn answer(&self, method: &Method, path: &str, body: &[u8]) -> Response {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        if method == Method::GET && segments == ["v1", "models"] {
            let data: Vec<Value> = lock(&self.models).iter().map(ChatModel::listed).collect();
            return answered(&json!({ "object": "list", "data": data }));
        }
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return failed(400, &json!("Invalid JSON body"));
        };
        if let Some(credits) = &mut *lock(&self.credits) {
            match credits.checked_sub(1) {
                Some(left) => *credits = left,
                None => return failed(402, &json!(NO_CREDITS)),
            }
        }
        match (method.as_str(), segments.as_slice()) {
            ("POST", ["v1", "chat", "completions"]) => chat::answer(&lock(&self.models), &body),
            ("POST", ["hf-inference", "models", namespace, name, rest @ ..]) => {
                hf_inference::answer(&mut lock(&self.tasks), &format!("{namespace}/{name}"), rest, &body)
            }
            _ => failed(404, &json!("Not Found")),
        }
    }
}
