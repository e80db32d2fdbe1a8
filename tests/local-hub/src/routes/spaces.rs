//! What only Spaces have: runtime, secrets, variables, hardware, logs.

use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::answer::{Answer, HubError, json_ok, json_text};
use crate::auth::{AppToken, Caller, NO_CREDENTIALS};
use crate::billing::{FLAVORS, check_flavor};
use crate::config::RepoType;
use crate::logs::{self, Log};
use crate::repo::Repo;
use crate::routes::not_found;
use crate::routes::repos::check_key;
use crate::server::Req;
use crate::space::{Setting, SpaceState, listing};
use crate::stage::BuildCause;
use crate::util::{lock, now_ms, sequence, unique_hex};

/// Paths under `/api/spaces/{id}` that no other repository type has.
pub(crate) async fn route(req: Req, id: &str, rest: &[&str]) -> Answer {
    let repo = req.hub.repo_for(&req.caller, RepoType::Space, id)?;
    let method = req.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET", ["runtime"]) => Ok(json_ok(&runtime(&repo)?)),
        ("GET", ["host"]) => {
            let host = with_space(&repo, |s| Ok(s.host()))?;
            Ok(json_ok(&json!({ "host": host })))
        }
        ("GET", ["jwt"]) => jwt(&req, &repo),
        ("GET", ["logs", log @ ("build" | "run")]) => logs(&req, &repo, log),
        (_, [kind @ ("secrets" | "variables")]) => settings(&req, &repo, kind),
        ("POST", ["hardware"]) => hardware(&req, &repo),
        ("POST", ["sleeptime"]) => sleep_time(&req, &repo),
        ("POST", ["restart"]) => restart(&req, &repo),
        ("POST", ["pause"]) => pause(&req, &repo),
        ("PUT" | "POST" | "DELETE", ["volumes"]) => volumes(&req, &repo),
        ("POST", ["dev-mode"]) => dev_mode(&req, &repo),
        _ => Err(not_found()),
    }
}

fn with_space<T>(repo: &Repo, f: impl FnOnce(&mut SpaceState) -> Result<T, HubError>) -> Result<T, HubError> {
    repo.update(|s| s.space.as_mut().map_or_else(|| Err(not_found()), f))?
}

fn runtime(repo: &Repo) -> Result<Value, HubError> {
    with_space(repo, |s| Ok(s.runtime()))
}

fn no_static(repo: &Repo) -> Result<(), HubError> {
    with_space(repo, |s| {
        if s.is_static() {
            Err(HubError::bad_request("This operation is not supported for static Spaces"))
        } else {
            Ok(())
        }
    })
}

/// `GET|POST|DELETE …/secrets|variables`. Secrets answer `{}`, variables the whole map; a missing key may be deleted.
fn settings(req: &Req, repo: &Repo, kind: &str) -> Answer {
    let secret = kind == "secrets";
    let method = req.method.as_str();
    if method == "GET" && !secret {
        return Ok(json_text(&with_space(repo, |s| Ok(listing(&s.variables, true)))?));
    }
    req.caller.check_write(repo, false)?;
    if method == "GET" {
        return Ok(json_text(&with_space(repo, |s| Ok(listing(&s.secrets, false)))?));
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
            with_space(repo, |s| {
                let map = if secret { &mut s.secrets } else { &mut s.variables };
                if let Some(old) = map.get(key) {
                    setting.made = old.made;
                }
                map.insert(key.to_owned(), setting);
                Ok(())
            })?;
        }
        "DELETE" => with_space(repo, |s| {
            let map = if secret { &mut s.secrets } else { &mut s.variables };
            map.remove(key);
            Ok(())
        })?,
        _ => return Err(not_found()),
    }
    // A changed setting restarts the app.
    req.hub.rebuild_space(repo, BuildCause::Setting)?;
    let out = if secret { "{}".to_owned() } else { with_space(repo, |s| Ok(listing(&s.variables, true)))? };
    Ok(json_text(&out))
}

/// A flavor that is listed with its price: name, label, CPU, memory, accelerator (model, count, memory),
/// micro-dollars per minute.
type Flavor =
    (&'static str, &'static str, &'static str, &'static str, Option<(&'static str, u32, &'static str)>, u64);

const PRICES: [Flavor; 10] = [
    ("cpu-basic", "CPU Basic", "2 vCPU", "16 GB", None, 0),
    ("cpu-upgrade", "CPU Upgrade", "8 vCPU", "32 GB", None, 500),
    ("zero-a10g", "ZeroGPU", "14 vCPU", "111 GB", None, 0),
    ("t4-small", "Nvidia T4 - small", "4 vCPU", "15 GB", Some(("T4", 1, "16 GB")), 6667),
    ("t4-medium", "Nvidia T4 - medium", "8 vCPU", "30 GB", Some(("T4", 1, "16 GB")), 10_000),
    ("l4x1", "1x Nvidia L4", "8 vCPU", "30 GB", Some(("L4", 1, "24 GB")), 13_333),
    ("l4x4", "4x Nvidia L4", "48 vCPU", "186 GB", Some(("L4", 4, "96 GB")), 63_333),
    ("a10g-small", "Nvidia A10G - small", "4 vCPU", "15 GB", Some(("A10G", 1, "24 GB")), 16_667),
    ("a10g-large", "Nvidia A10G - large", "12 vCPU", "46 GB", Some(("A10G", 1, "24 GB")), 25_000),
    ("a100-large", "Nvidia A100 - large", "12 vCPU", "142 GB", Some(("A100", 1, "80 GB")), 41_667),
];

/// `GET /api/spaces/hardware`.
pub(crate) fn hardware_list() -> Answer {
    let rows: Vec<Value> = PRICES
        .iter()
        .map(|(name, label, cpu, ram, gpu, micro)| {
            let accelerator = gpu.map(|(model, count, vram)| {
                json!({"type": "gpu", "model": model, "quantity": count.to_string(), "vram": vram, "manufacturer": "Nvidia"})
            });
            json!({
                "name": name, "prettyName": label, "cpu": cpu, "ram": ram, "accelerator": accelerator,
                "unitCostMicroUSD": micro, "unitCostUSD": *micro as f64 / 1e6, "unitLabel": "minute",
            })
        })
        .collect();
    Ok(json_ok(&Value::Array(rows)))
}

fn hardware(req: &Req, repo: &Repo) -> Answer {
    req.caller.check_write(repo, false)?;
    no_static(repo)?;
    let body: Value = req.json()?;
    let flavor = body["flavor"].as_str().ok_or_else(|| HubError::bad_request("\"flavor\" is required"))?;
    if !FLAVORS.contains(&flavor) {
        return Err(HubError::bad_request(format!("Invalid flavor: {flavor}")));
    }
    if let Caller::User(user) = &req.caller {
        check_flavor(user, &lock(&repo.state).namespace, flavor)?;
    }
    with_space(repo, |s| {
        s.hardware = Some(flavor.to_owned());
        if let Some(seconds) = body["sleepTimeSeconds"].as_i64() {
            s.sleep_time = Some(seconds);
        }
        Ok(())
    })?;
    req.hub.rebuild_space(repo, BuildCause::Setting)?;
    Ok(json_ok(&runtime(repo)?))
}

fn sleep_time(req: &Req, repo: &Repo) -> Answer {
    req.caller.check_write(repo, false)?;
    no_static(repo)?;
    let body: Value = req.json()?;
    let seconds = body["seconds"].as_i64().ok_or_else(|| HubError::bad_request("\"seconds\" is required"))?;
    with_space(repo, |s| {
        s.sleep_time = Some(seconds);
        Ok(())
    })?;
    Ok(json_ok(&runtime(repo)?))
}

/// `POST …/restart[?factory=true]`.
fn restart(req: &Req, repo: &Repo) -> Answer {
    req.caller.check_write(repo, false)?;
    no_static(repo)?;
    let cause = if req.flag("factory") { BuildCause::FactoryRestart } else { BuildCause::Restart };
    req.hub.rebuild_space(repo, cause)?;
    Ok(json_ok(&runtime(repo)?))
}

fn pause(req: &Req, repo: &Repo) -> Answer {
    req.caller.check_write(repo, false)?;
    no_static(repo)?;
    req.hub.pause_space(repo)?;
    Ok(json_ok(&runtime(repo)?))
}

/// `PUT` sets the volumes (`POST` too, which older clients use), `DELETE` removes them.
fn volumes(req: &Req, repo: &Repo) -> Answer {
    req.caller.check_write(repo, false)?;
    no_static(repo)?;
    let list = if req.method == "DELETE" {
        vec![]
    } else {
        let body: Value = req.json()?;
        match body["volumes"].as_array() {
            Some(list) if !list.is_empty() => list.clone(),
            _ => return Err(HubError::bad_request("\"volumes\" is required")),
        }
    };
    with_space(repo, |s| {
        s.volumes = list;
        Ok(())
    })?;
    req.hub.rebuild_space(repo, BuildCause::Setting)?;
    Ok(json_ok(&runtime(repo)?))
}

fn dev_mode(req: &Req, repo: &Repo) -> Answer {
    req.caller.check_write(repo, false)?;
    no_static(repo)?;
    let body: Value = req.json()?;
    req.hub.switch_dev_mode(repo, body["enabled"] == json!(true))?;
    Ok(json_ok(&runtime(repo)?))
}

/// `GET …/jwt`: a token for opening a private app.
fn jwt(req: &Req, repo: &Repo) -> Answer {
    if req.caller.is_anonymous() {
        return Err(HubError::unauthorized(NO_CREDENTIALS));
    }
    let seconds = req.param("expires_in").and_then(|s| s.parse::<u64>().ok()).unwrap_or(86_400).min(86_400);
    let exp = now_ms() / 1000 + seconds;
    let part = |v: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(v.to_string());
    let sub = format!("/spaces/{}", lock(&repo.state).full_id());
    let token = format!(
        "{}.{}.{}",
        part(json!({"alg": "EdDSA"})),
        part(json!({"read": true, "sub": sub, "exp": exp})),
        unique_hex(43)
    );
    let id = lock(&repo.state).id.clone();
    lock(&req.hub.app_tokens).push(AppToken { token: token.clone(), repo_id: id, expires_ms: exp * 1000 });
    Ok(json_ok(&json!({"token": token, "accessToken": format!("Bearer {token}"), "exp": exp})))
}

/// `GET …/logs/{build|run}`: for those who may write.
fn logs(req: &Req, repo: &Arc<Repo>, log: &str) -> Answer {
    req.caller.check_write(repo, false)?;
    let log = Log::parse(log).ok_or_else(not_found)?;
    let tail = req.param("tail").and_then(|n| n.parse().ok());
    Ok(logs::stream(&req.hub, repo, log, tail))
}
