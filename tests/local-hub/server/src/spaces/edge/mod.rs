//! The edge in front of the apps, which behaves like `*.hf.space`: one address per Space.
//!
//! The rules follow the documentation of private Spaces and measurements of third parties: access, headers, and the
//! pages of a Space without a running app. Comments mark the guesses.

mod files;
mod forward;
mod pages;
mod visit;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;

use crate::accounts::registry::Accounts;
use crate::core::card::front_matter;
use crate::core::content::Core;
use crate::faults::connection::{Conn, ResettableListener};
use crate::faults::fault::FaultKind;
use crate::faults::response::{drain, truncate};
use crate::http::answer::{raw, set};
use crate::policy::SharedPolicy;
use crate::spaces::edge::forward::Route;
use crate::spaces::edge::visit::Visit;
use crate::spaces::registry::Spaces;
use crate::spaces::script::{BuildCause, Reported};
use crate::spaces::space::Space;
use crate::tasks::Tasks;
use crate::util::{lock, parse_query, unique_hex};

/// The edge of a server.
pub(crate) struct Edge {
    pub(crate) core: Arc<Core>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) spaces: Arc<Spaces>,
    pub(crate) policy: SharedPolicy,
    pub(crate) tasks: Tasks,
    /// Origin of the Hub, for links.
    pub(crate) endpoint: String,
}

/// One Space at the edge.
#[derive(Clone)]
struct Door {
    edge: Arc<Edge>,
    space: Arc<Space>,
}

impl Edge {
    /// Gives a Space its address.
    pub(crate) fn open(self: &Arc<Self>, space: &Arc<Space>) -> anyhow::Result<()> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("an address for the Space")?;
        listener.set_nonblocking(true)?;
        let origin = format!("http://{}", listener.local_addr()?);
        let door = Door { edge: self.clone(), space: space.clone() };
        let tasks = self.tasks.clone();
        let task = self.tasks.spawn(async move {
            let listener = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => listener,
                Err(error) => return tracing::error!(%error, "cannot open the edge"),
            };
            let app = Router::new().fallback(answer).with_state(door);
            let service = app.into_make_service_with_connect_info::<Conn>();
            let stopped = async move { tasks.stopped().await };
            let served =
                axum::serve(ResettableListener(listener), service).with_graceful_shutdown(stopped).await;
            if let Err(error) = served {
                tracing::error!(%error, "the edge failed");
            }
        });
        space.app.set_edge(task);
        space.change(|state| state.edge = Some(origin));
        Ok(())
    }
}

async fn answer(
    State(door): State<Door>,
    ConnectInfo(conn): ConnectInfo<Conn>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
    let entry = door.space.app.log.begin(parts.method.as_str(), &path, &query, &parts.headers);
    let target = parts.uri.path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    let fault = door.space.app.faults.hit(parts.method.as_str(), &target);
    // A recorded body has no known length, and an empty one must not reach the app as a chunked one.
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
            door.edge.tasks.sleep(time).await;
            door.answer(request, conn.peer()).await
        }
        Some(FaultKind::TruncateBody { after }) => {
            truncate(door.answer(request, conn.peer()).await, after).await
        }
        Some(FaultKind::DropAfterApply) => {
            let answer = door.answer(request, conn.peer()).await;
            drain(answer.into_body()).await;
            conn.reset();
            return Response::new(Body::empty());
        }
        Some(FaultKind::StatusAfterApply { code, body }) => {
            let answer = door.answer(request, conn.peer()).await;
            drain(answer.into_body()).await;
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
            // The edge answers preflights itself.
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
            // It is unknown if the real edge delays the visit that wakes a Space. Here it does not.
            if let Err(error) = self.edge.spaces.rebuild(&self.space, BuildCause::Wake) {
                tracing::error!(?error, "cannot wake the Space");
            }
            visit.now = Reported::bare("APP_STARTING");
        }
        let mut response = self.page(request, &visit).await;
        pages::decorate(&mut response, &visit, origin.as_ref());
        if let Some(sign) = sign.filter(|s| visit.private && self.edge.spaces.token_opens(s, &visit.repo_id))
        {
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
        if let Some(app) = self.space.app.address() {
            let proto = self.edge.policy.get().forwarded_proto;
            let route = Route { app, proto: &proto, hub: &self.edge.endpoint };
            return forward::forward(request, visit, &route).await;
        }
        if visit.is_static {
            let (parts, _) = request.into_parts();
            return files::serve(&self.edge.core, &self.space.repo, visit, &parts).await;
        }
        pages::starting()
    }

    /// Returns the state of the Space at this moment; `None` once it is deleted.
    fn look(&self, peer: SocketAddr) -> Option<Visit> {
        if self.space.app.is_closed() {
            return None;
        }
        let repo = &self.space.repo;
        let card = {
            let head = repo.resolve("main")?;
            let snapshot = repo.snapshot(head).ok()?;
            front_matter(&repo.text_at(&snapshot, "README.md").unwrap_or_default())
        };
        let (is_static, now) = self.space.read(|space| {
            let mut now = space.reported();
            now.sha = now.sha.or(space.target);
            (space.is_static(), now)
        });
        let state = lock(&repo.state);
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
            is_static,
            // A protected Space hides its files, not its app.
            private: state.visibility == "private",
            now,
            custom,
            app_file: card["app_file"].as_str().unwrap_or("index.html").trim_start_matches('/').to_owned(),
            request_id: unique_hex(16),
            peer,
        })
    }

    /// Returns true if a credential opens a private Space: a token with read access, in `Authorization` or in
    /// `X-HF-Authorization`, or a signed token in the query or the cookie.
    fn opens(&self, headers: &HeaderMap, sign: Option<&str>, repo_id: &str) -> bool {
        let reads = |name: &str| {
            let Some(value) = headers.get(name) else { return false };
            let mut asked = HeaderMap::new();
            asked.insert(header::AUTHORIZATION, value.clone());
            self.edge
                .accounts
                .caller(&asked)
                .is_ok_and(|caller| caller.can_read(&lock(&self.space.repo.state)))
        };
        if reads("x-hf-authorization") || reads("authorization") {
            return true;
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let cookie = cookies.flat_map(|v| v.split(';')).find_map(|c| c.trim().strip_prefix("spaces-jwt="));
        [sign, cookie].into_iter().flatten().any(|token| self.edge.spaces.token_opens(token, repo_id))
    }
}
