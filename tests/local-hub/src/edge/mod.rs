//! The edge in front of the apps, as `*.hf.space` behaves: one address per Space.
//!
//! The rules follow what is documented for private Spaces and what third parties measured: who is let in, which
//! headers come and go, what is answered while nothing runs. What is not known is said at the place.

mod files;
mod forward;
mod pages;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use serde_json::Value;

use crate::answer::{raw, set};
use crate::auth::Caller;
use crate::config::RepoType;
use crate::conn::{Conn, ResettableListener};
use crate::faults::FaultKind;
use crate::hub::Hub;
use crate::repo::Repo;
use crate::runtime::SpaceRun;
use crate::stage::{BuildCause, Reported};
use crate::util::{lock, now_ms, parse_query, unique_hex};

/// One Space at the edge.
#[derive(Clone)]
pub(crate) struct Door {
    hub: Arc<Hub>,
    repo: Arc<Repo>,
    run: Arc<SpaceRun>,
}

/// What a visit needs to know of the Space.
struct Visit {
    id: String,
    repo_id: String,
    is_static: bool,
    private: bool,
    now: Reported,
    /// `custom_headers` of the card.
    custom: Vec<(String, String)>,
    app_file: String,
    request_id: String,
    peer: SocketAddr,
}

impl Hub {
    /// Gives a Space its address, when this server has an edge.
    pub(crate) fn open_edge(&self, repo: &Arc<Repo>) -> anyhow::Result<()> {
        let Some(hub) = self.me.upgrade().filter(|_| self.config.edge) else { return Ok(()) };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("an address for the Space")?;
        listener.set_nonblocking(true)?;
        let origin = format!("http://{}", listener.local_addr()?);
        let run = self.runs.of(repo);
        let door = Door { hub, repo: repo.clone(), run: run.clone() };
        let mut stopped = self.stopped.clone();
        let task = self.tokio.spawn(async move {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return tracing::error!(%error, "the edge did not open"),
            };
            let app = Router::new().fallback(visit).with_state(door);
            let service = app.into_make_service_with_connect_info::<Conn>();
            let done = async move {
                let _ = stopped.wait_for(|s| *s).await;
            };
            let served =
                axum::serve(ResettableListener(listener), service).with_graceful_shutdown(done).await;
            if let Err(error) = served {
                tracing::error!(%error, "the edge ended");
            }
        });
        run.set_edge(task.abort_handle());
        if let Some(space) = &mut lock(&repo.state).space {
            space.edge = Some(origin);
        }
        Ok(())
    }

    /// Opens the doors and starts the apps of the Spaces that were stored.
    pub(crate) fn wake_spaces(&self) -> anyhow::Result<()> {
        if !self.config.runs_spaces() {
            return Ok(());
        }
        for repo in self.store.all(RepoType::Space) {
            self.open_edge(&repo)?;
            let rests = {
                let mut state = lock(&repo.state);
                let Some(space) = &mut state.space else { continue };
                // No app of before is left.
                (space.target, space.previous) = (None, None);
                space.playing.clear();
                space.paused || space.asleep
            };
            if !rests {
                self.rebuild_space(&repo, BuildCause::Restart).map_err(|e| anyhow::anyhow!("{}", e.body))?;
            }
        }
        Ok(())
    }
}

async fn visit(State(door): State<Door>, ConnectInfo(conn): ConnectInfo<Conn>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let entry = door.run.log.begin(parts.method.as_str(), &path, &query, &parts.headers);
    let target = parts.uri.path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    let fault = door.run.faults.hit(parts.method.as_str(), &target);
    // A watched body has no known length; one that is empty must not become a chunked one on its way to the app.
    let body = if body.is_end_stream() { Body::empty() } else { entry.tap(body) };
    let request = Request::from_parts(parts, body);
    let response = match fault {
        Some(FaultKind::DropConnection) => {
            conn.reset();
            return Response::new(Body::empty());
        }
        Some(FaultKind::Status { code, headers, body }) => {
            let kind = if body.starts_with('{') { "application/json" } else { "text/html" };
            let mut response = raw(code, kind, body.into_bytes());
            for (name, value) in headers {
                set(&mut response, &name.to_ascii_lowercase(), &value);
            }
            response
        }
        Some(FaultKind::Delay(time)) => {
            door.hub.sleep(time).await;
            door.answer(request, conn.peer()).await
        }
        Some(FaultKind::TruncateBody { after }) => {
            crate::server::truncate(door.answer(request, conn.peer()).await, after).await
        }
        Some(FaultKind::DropAfterApply) => {
            let answer = door.answer(request, conn.peer()).await;
            crate::server::drain(answer.into_body()).await;
            conn.reset();
            return Response::new(Body::empty());
        }
        Some(FaultKind::StatusAfterApply { code, body }) => {
            let answer = door.answer(request, conn.peer()).await;
            crate::server::drain(answer.into_body()).await;
            raw(code, "text/html", body.into_bytes())
        }
        None => door.answer(request, conn.peer()).await,
    };
    entry.status(response.status().as_u16());
    response
}

impl Door {
    async fn answer(&self, request: Request, peer: SocketAddr) -> Response {
        let Some(mut visit) = self.look(peer) else { return pages::not_found() };
        let origin = request.headers().get(header::ORIGIN).cloned();
        if *request.method() == Method::OPTIONS
            && origin.is_some()
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            // The app is never asked.
            let mut response = pages::preflight(request.headers());
            pages::decorate(&mut response, &visit, origin.as_ref());
            return response;
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        let sign = parse_query(&query).into_iter().find(|(k, _)| k == "__sign").map(|(_, v)| v);
        if visit.private && !self.opens(request.headers(), sign.as_deref(), &visit.repo_id) {
            let mut response = pages::not_found();
            pages::decorate(&mut response, &visit, origin.as_ref());
            return response;
        }
        if visit.now.stage == "SLEEPING" {
            // Whether the visit that wakes a Space is held is not known; here it is not.
            if let Err(error) = self.hub.rebuild_space(&self.repo, BuildCause::Wake) {
                tracing::error!(?error, "the Space did not wake");
            }
            visit.now = Reported::bare("APP_STARTING");
        }
        let mut response = self.page(request, &visit).await;
        pages::decorate(&mut response, &visit, origin.as_ref());
        if let Some(sign) = sign.filter(|s| visit.private && self.token_opens(s, &visit.repo_id)) {
            let cookie = format!("spaces-jwt={sign}; Path=/; HttpOnly; Secure; SameSite=None; Partitioned");
            if let Ok(value) = cookie.parse() {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        response
    }

    async fn page(&self, request: Request, visit: &Visit) -> Response {
        match visit.now.stage.as_str() {
            "PAUSED" | "STOPPED" => return pages::paused(),
            "RUNTIME_ERROR" | "BUILD_ERROR" | "CONFIG_ERROR" | "NO_APP_FILE" | "DELETING" => {
                return pages::in_error();
            }
            _ if !visit.now.serves() => return pages::starting(),
            _ => {}
        }
        if let Some(address) = self.run.address() {
            return forward::forward(request, visit, address, &self.forwarded_proto(), &self.hub.endpoint)
                .await;
        }
        if visit.is_static {
            let (parts, _) = request.into_parts();
            return files::serve(&self.hub, &self.repo, visit, &parts).await;
        }
        pages::starting()
    }

    fn forwarded_proto(&self) -> String {
        lock(&self.hub.policy).forwarded_proto.clone()
    }

    /// What the Space is at this moment; `None` once it is gone.
    fn look(&self, peer: SocketAddr) -> Option<Visit> {
        if self.run.is_closed() {
            return None;
        }
        let card = {
            let head = self.repo.resolve("main")?;
            let snapshot = self.repo.snapshot(head).ok()?;
            crate::card::front_matter(&self.repo.text_at(&snapshot, "README.md").unwrap_or_default())
        };
        let state = lock(&self.repo.state);
        let space = state.space.as_ref()?;
        let custom = card["custom_headers"].as_object().into_iter().flatten();
        let custom = custom
            .filter(|(k, _)| {
                ["cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"]
                    .contains(&k.as_str())
            })
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect();
        Some(Visit {
            id: state.full_id(),
            repo_id: state.id.clone(),
            is_static: space.is_static(),
            // A protected Space hides its files, not its app.
            private: state.visibility == "private",
            now: {
                let mut now = space.reported();
                now.sha = now.sha.or(space.target);
                now
            },
            custom,
            app_file: card["app_file"].as_str().unwrap_or("index.html").trim_start_matches('/').to_owned(),
            request_id: unique_hex(16),
            peer,
        })
    }

    /// Whether one of the credentials opens a private Space: a token that may read it, in `Authorization` or in
    /// `X-HF-Authorization`, or a signed token in the query or the cookie.
    fn opens(&self, headers: &HeaderMap, sign: Option<&str>, repo_id: &str) -> bool {
        let reads = |name: &str| {
            let Some(value) = headers.get(name) else { return false };
            let mut asked = HeaderMap::new();
            asked.insert(header::AUTHORIZATION, value.clone());
            Caller::of(&self.hub, &asked).is_ok_and(|caller| caller.can_read(&lock(&self.repo.state)))
        };
        if reads("x-hf-authorization") || reads("authorization") {
            return true;
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let cookie = cookies.flat_map(|v| v.split(';')).find_map(|c| c.trim().strip_prefix("spaces-jwt="));
        [sign, cookie].into_iter().flatten().any(|token| self.token_opens(token, repo_id))
    }

    fn token_opens(&self, token: &str, repo_id: &str) -> bool {
        let now = now_ms();
        lock(&self.hub.app_tokens)
            .iter()
            .any(|t| t.token == token && t.repo_id == repo_id && t.expires_ms > now)
    }
}

/// The value of an `X-Ip-Token` that the edge makes: a token whose payload names the visitor.
fn ip_token(peer: SocketAddr) -> String {
    use base64::Engine as _;
    let part = |v: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v.to_string());
    let (head, ip) = (serde_json::json!({"alg": "EdDSA"}), serde_json::json!({"ip": peer.ip().to_string()}));
    format!("{}.{}.{}", part(head), part(ip), unique_hex(43))
}
