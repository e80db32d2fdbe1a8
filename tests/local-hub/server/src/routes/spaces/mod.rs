//! Routes of Spaces: runtime, secrets, variables, hardware, logs.

pub(super) mod prices;

use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::accounts::billing::{FLAVORS, check_dev_mode, check_flavor};
use crate::accounts::caller::{Caller, NO_CREDENTIALS};
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, json_text, not_found};
use crate::http::request::Req;
use crate::spaces::log_stream;
use crate::spaces::logs::Log;
use crate::spaces::registry::AppToken;
use crate::spaces::script::BuildCause;
use crate::spaces::space::Space;
use crate::spaces::state::{Setting, check_key, listing};
use crate::util::{lock, now_ms, sequence, unique_hex};

/// Paths under `/api/spaces/{id}` that only Spaces have.
pub(crate) async fn route(req: Req, id: &str, rest: &[&str]) -> Answer {
    let repo = req.repo(RepoType::Space, id)?;
    let space = req.hub.spaces.of(&repo).ok_or_else(not_found)?;
    let method = req.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET", ["runtime"]) => Ok(json_ok(&runtime(&space))),
        ("GET", ["host"]) => Ok(json_ok(&json!({"host": space.read(|s| s.host())}))),
        ("GET", ["jwt"]) => jwt(&req, &space),
        ("GET", ["logs", log @ ("build" | "run")]) => logs(&req, &space, log),
        (_, [kind @ ("secrets" | "variables")]) => settings(&req, &space, kind),
        ("POST", ["hardware"]) => hardware(&req, &space),
        ("POST", ["sleeptime"]) => sleep_time(&req, &space),
        ("POST", ["restart"]) => restart(&req, &space),
        ("POST", ["pause"]) => pause(&req, &space),
        ("PUT" | "POST" | "DELETE", ["volumes"]) => volumes(&req, &space),
        ("POST", ["dev-mode"]) => dev_mode(&req, &space),
        _ => Err(not_found()),
    }
}

fn runtime(space: &Space) -> Value {
    space.read(|s| s.runtime())
}

/// Checks that the caller can write, and that the Space is not a static one.
fn check_change(req: &Req, space: &Space) -> Result<(), HubError> {
    req.caller.check_write(&space.repo, false)?;
    if space.read(|s| s.is_static()) {
        return Err(HubError::bad_request("This operation is not supported for static Spaces"));
    }
    Ok(())
}

/// `GET|POST|DELETE …/secrets|variables`. Secrets answer `{}`, variables the whole map; a missing key may be deleted.
fn settings(req: &Req, space: &Arc<Space>, kind: &str) -> Answer {
    let secret = kind == "secrets";
    let method = req.method.as_str();
    if method == "GET" && !secret {
        return Ok(json_text(&space.read(|s| listing(&s.variables, true))));
    }
    req.caller.check_write(&space.repo, false)?;
    if method == "GET" {
        return Ok(json_text(&space.read(|s| listing(&s.secrets, false))));
    }
    let body: Value = req.json()?;
    let key = body["key"].as_str().ok_or_else(|| HubError::bad_request("\"key\" is required"))?;
    match method {
        "POST" => {
            check_key(key)?;
            let mut setting = Setting {
                value: body["value"].as_str().unwrap_or_default().to_owned(),
                description: body["description"].as_str().map(ToOwned::to_owned),
                updated_ms: now_ms(),
                made: sequence(),
            };
            space.update(|s| {
                let map = if secret { &mut s.secrets } else { &mut s.variables };
                if let Some(old) = map.get(key) {
                    setting.made = old.made;
                }
                map.insert(key.to_owned(), setting);
            })?;
        }
        "DELETE" => space.update(|s| {
            let map = if secret { &mut s.secrets } else { &mut s.variables };
            map.remove(key);
        })?,
        _ => return Err(not_found()),
    }
    // A changed setting restarts the app.
    req.hub.spaces.rebuild(space, BuildCause::Setting)?;
    let out = if secret { "{}".to_owned() } else { space.read(|s| listing(&s.variables, true)) };
    Ok(json_text(&out))
}

fn hardware(req: &Req, space: &Arc<Space>) -> Answer {
    check_change(req, space)?;
    let body: Value = req.json()?;
    let flavor = body["flavor"].as_str().ok_or_else(|| HubError::bad_request("\"flavor\" is required"))?;
    if !FLAVORS.contains(&flavor) {
        return Err(HubError::bad_request(format!("Invalid flavor: {flavor}")));
    }
    if let Caller::User(user) = &req.caller {
        check_flavor(user, &lock(&space.repo.state).namespace, flavor)?;
    }
    space.update(|s| {
        s.hardware = Some(flavor.to_owned());
        if let Some(seconds) = body["sleepTimeSeconds"].as_i64() {
            s.sleep_time = Some(seconds);
        }
    })?;
    req.hub.spaces.rebuild(space, BuildCause::Setting)?;
    Ok(json_ok(&runtime(space)))
}

fn sleep_time(req: &Req, space: &Arc<Space>) -> Answer {
    check_change(req, space)?;
    let body: Value = req.json()?;
    let seconds = body["seconds"].as_i64().ok_or_else(|| HubError::bad_request("\"seconds\" is required"))?;
    space.update(|s| {
        s.sleep_time = Some(seconds);
    })?;
    Ok(json_ok(&runtime(space)))
}

/// `POST …/restart[?factory=true]`.
fn restart(req: &Req, space: &Arc<Space>) -> Answer {
    check_change(req, space)?;
    let cause = if req.flag("factory") { BuildCause::FactoryRestart } else { BuildCause::Restart };
    req.hub.spaces.rebuild(space, cause)?;
    Ok(json_ok(&runtime(space)))
}

fn pause(req: &Req, space: &Arc<Space>) -> Answer {
    check_change(req, space)?;
    crate::spaces::registry::Spaces::pause(space)?;
    Ok(json_ok(&runtime(space)))
}

/// `PUT` sets the volumes (`POST` too, which older clients use), `DELETE` removes them.
fn volumes(req: &Req, space: &Arc<Space>) -> Answer {
    check_change(req, space)?;
    let list = if req.method == "DELETE" {
        vec![]
    } else {
        let body: Value = req.json()?;
        match body["volumes"].as_array() {
            Some(list) if !list.is_empty() => list.clone(),
            _ => return Err(HubError::bad_request("\"volumes\" is required")),
        }
    };
    space.update(|s| {
        s.volumes = list;
    })?;
    req.hub.spaces.rebuild(space, BuildCause::Setting)?;
    Ok(json_ok(&runtime(space)))
}

fn dev_mode(req: &Req, space: &Arc<Space>) -> Answer {
    check_change(req, space)?;
    let body: Value = req.json()?;
    let is_on = body["enabled"] == json!(true);
    if let (Caller::User(user), true) = (&req.caller, is_on) {
        check_dev_mode(user, &lock(&space.repo.state).namespace)?;
    }
    req.hub.spaces.switch_dev_mode(space, is_on)?;
    Ok(json_ok(&runtime(space)))
}

/// `GET …/jwt`: a token for opening a private app.
fn jwt(req: &Req, space: &Arc<Space>) -> Answer {
    if req.caller.is_anonymous() {
        return Err(HubError::unauthorized(NO_CREDENTIALS));
    }
    let seconds = req.param("expires_in").and_then(|s| s.parse::<u64>().ok()).unwrap_or(86_400).min(86_400);
    let exp = now_ms() / 1000 + seconds;
    let part = |v: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v.to_string());
    let sub = format!("/spaces/{}", lock(&space.repo.state).full_id());
    let token = format!(
        "{}.{}.{}",
        part(json!({"alg": "EdDSA"})),
        part(json!({"read": true, "sub": sub, "exp": exp})),
        unique_hex(43)
    );
    let id = lock(&space.repo.state).id.clone();
    req.hub.spaces.add_app_token(AppToken { token: token.clone(), repo_id: id, expires_ms: exp * 1000 });
    Ok(json_ok(&json!({"token": token, "accessToken": format!("Bearer {token}"), "exp": exp})))
}

/// `GET …/logs/{build|run}`: for those who may write.
fn logs(req: &Req, space: &Arc<Space>, log: &str) -> Answer {
    req.caller.check_write(&space.repo, false)?;
    let log = Log::parse(log).ok_or_else(not_found)?;
    let tail = req.param("tail").and_then(|n| n.parse().ok());
    Ok(log_stream::stream(&req.hub.spaces, space, log, tail))
}
