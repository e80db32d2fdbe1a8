//! `/__local/…`: control of the server for tests in another process. Not part of the Hub, never recorded.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use crate::core::repo_type::RepoType;
use crate::faults::fault::Fault;
use crate::http::answer::{HubError, json_ok, not_found};
use crate::hub::Hub;
use crate::spaces::logs::Log;
use crate::util::percent_decode;

/// Responds to a control path.
pub(crate) async fn answer(hub: &Arc<Hub>, method: &Method, path: &str, body: Body) -> Response {
    let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap_or_default();
    let segs: Vec<String> = path.trim_start_matches("/__local/").split('/').map(percent_decode).collect();
    let segs: Vec<&str> = segs.iter().map(String::as_str).collect();
    let out = match (method.as_str(), &segs[..]) {
        ("GET", ["violations"]) => Ok(json!(hub.requests.violations())),
        ("GET", ["requests"]) => Ok(json!(hub.requests.all())),
        ("GET", ["own-breaches"]) => Ok(json!(hub.contract.own_breaches())),
        ("POST", ["clear"]) => {
            hub.requests.clear();
            hub.faults.clear();
            Ok(json!({}))
        }
        ("POST", ["forgive"]) => {
            hub.requests.forgive();
            Ok(json!({}))
        }
        ("POST", ["fault"]) => match serde_json::from_slice::<Fault>(&bytes) {
            Ok(fault) => {
                hub.faults.add(fault);
                Ok(json!({}))
            }
            Err(error) => Err(HubError::bad_request(error.to_string())),
        },
        ("POST", ["stages", ns, name]) => from_json(&bytes)
            .and_then(|script| done(hub.spaces.script_stages(&format!("{ns}/{name}"), script))),
        ("POST", ["builds", ns, name]) => from_json(&bytes)
            .and_then(|scripts| done(hub.spaces.script_builds(&format!("{ns}/{name}"), scripts))),
        ("POST", ["sleep", ns, name]) => {
            let space = hub.spaces.named(&format!("{ns}/{name}"));
            done(space.and_then(|space| crate::spaces::registry::Spaces::sleep(&space)))
        }
        ("POST", ["log", ns, name, log]) => match Log::parse(log) {
            Some(log) => {
                let text = String::from_utf8_lossy(&bytes);
                let lines: Vec<&str> = text.lines().collect();
                done(hub.spaces.push_log(&format!("{ns}/{name}"), log, &lines))
            }
            None => Err(not_found()),
        },
        ("POST", ["log-script", ns, name, log]) => match Log::parse(log) {
            Some(log) => from_json(&bytes).map(|connections| {
                hub.spaces.script_log(&format!("{ns}/{name}"), log, connections);
                json!({})
            }),
            None => Err(not_found()),
        },
        ("GET", ["tree", t, ns, name, rev]) => {
            match RepoType::from_singular(t).or_else(|| RepoType::from_plural(t)) {
                Some(t) => {
                    let repo = hub.core.repos.get(t, &format!("{ns}/{name}")).ok_or_else(not_found);
                    repo.and_then(|repo| Ok(json!(crate::core::content::Core::tree(&repo, rev)?)))
                }
                None => Err(not_found()),
            }
        }
        _ => Err(not_found()),
    };
    match out {
        Ok(value) => json_ok(&value),
        Err(error) => error.into_response(),
    }
}

fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, HubError> {
    serde_json::from_slice(bytes).map_err(|error| HubError::bad_request(error.to_string()))
}

fn done(result: anyhow::Result<()>) -> Result<Value, HubError> {
    result.map(|()| json!({})).map_err(HubError::from)
}
