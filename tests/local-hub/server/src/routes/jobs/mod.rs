//! Routes of Jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::accounts::caller::{Caller, NO_CREDENTIALS};
use crate::accounts::user::User;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, not_found, set};
use crate::http::request::Req;
use crate::jobs::job::{Account, Job};
use crate::jobs::spec::{Spec, check_labels};
use crate::jobs::{attempt, flavors, log_stream, metrics};

/// Paths under `/api/jobs`.
pub(crate) fn route(req: &Req, rest: &[&str]) -> Answer {
    match (req.method.as_str(), rest) {
        ("GET", ["hardware"]) => Ok(json_ok(&flavors::list())),
        ("POST", [namespace]) => create(req, namespace),
        ("GET", [namespace]) => list(req, namespace),
        ("GET", [namespace, id]) => Ok(json_ok(&job(req, namespace, id, "job.read")?.to_json())),
        ("GET", [namespace, id, "logs"]) => logs(req, namespace, id),
        ("GET", [namespace, id, "metrics"]) => {
            metrics::stream(&req.hub.jobs, job(req, namespace, id, "job.read")?)
        }
        ("POST", [namespace, id, "cancel"]) => cancel(req, namespace, id),
        ("POST", [namespace, id, "duplicate"]) => duplicate(req, namespace, id),
        ("PUT", [namespace, id, "labels"]) => set_labels(req, namespace, id),
        _ => Err(not_found()),
    }
}

/// Returns the caller, if its token has a permission for the Jobs of a namespace.
fn member(req: &Req, namespace: &str, permission: &str) -> Result<Arc<User>, HubError> {
    let Caller::User(user) = &req.caller else { return Err(HubError::unauthorized(NO_CREDENTIALS)) };
    if !user.may_run_jobs(namespace, permission) {
        return Err(HubError::forbidden(format!(
            "You don't have the required permissions to perform this operation (missing permissions: {permission})"
        )));
    }
    Ok(user.clone())
}

fn job(req: &Req, namespace: &str, id: &str, permission: &str) -> Result<Arc<Job>, HubError> {
    member(req, namespace, permission)?;
    req.hub.jobs.find(namespace, id).ok_or_else(|| HubError::new(404, "Job not found"))
}

fn create(req: &Req, namespace: &str) -> Answer {
    let user = member(req, namespace, "job.write")?;
    let spec = Spec::read(&req.json::<Value>()?)?;
    if let Some(space) = &spec.space_id {
        req.repo(RepoType::Space, space)?;
    }
    start(req, &user, namespace, spec)
}

fn start(req: &Req, user: &User, namespace: &str, spec: Spec) -> Answer {
    let creator = Account { name: user.name.clone(), is_org: false };
    let owner = match user.org(namespace) {
        Some(org) => Account { name: org.name.clone(), is_org: true },
        None => creator.clone(),
    };
    let job = req.hub.jobs.create(owner, creator, spec)?;
    attempt::start(&req.hub.jobs, &job);
    Ok(json_ok(&job.to_json()))
}

/// `GET …[?label=key=value&stage=STAGE&cursor=N]`: a page, with a link to the next one.
fn list(req: &Req, namespace: &str) -> Answer {
    member(req, namespace, "job.read")?;
    let labels: Vec<(&str, &str)> =
        req.params("label").into_iter().filter_map(|label| label.split_once('=')).collect();
    let stages = req.params("stage");
    let fits = |job: &Arc<Job>| {
        job.owner.name.eq_ignore_ascii_case(namespace)
            && (stages.is_empty() || stages.contains(&job.stage().as_str()))
            && labels.iter().all(|(key, value)| {
                job.read(|state| state.labels.get(*key).is_some_and(|found| found == value))
            })
    };
    let all: Vec<Arc<Job>> = req.hub.jobs.all().into_iter().filter(fits).collect();
    let from: usize = req.param("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
    let size = req.hub.policy.get().jobs.page_size;
    let rows: Vec<Value> = all.iter().skip(from).take(size).map(|job| job.to_json()).collect();
    let mut answer = json_ok(&Value::Array(rows));
    if from + size < all.len() {
        let others =
            req.query_text.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
        let cursor = format!("cursor={}", from + size);
        let query: Vec<&str> = others.chain([cursor.as_str()]).collect();
        let link = format!("<{}{}?{}>; rel=\"next\"", req.hub.endpoint, req.path, query.join("&"));
        set(&mut answer, "link", &link);
    }
    Ok(answer)
}

fn logs(req: &Req, namespace: &str, id: &str) -> Answer {
    let job = job(req, namespace, id, "job.read")?;
    let tail = req.param("tail").and_then(|lines| lines.parse().ok());
    Ok(log_stream::stream(&req.hub.jobs, job, tail))
}

fn cancel(req: &Req, namespace: &str, id: &str) -> Answer {
    let job = job(req, namespace, id, "job.write")?;
    job.cancel(None);
    Ok(json_ok(&job.to_json()))
}

fn duplicate(req: &Req, namespace: &str, id: &str) -> Answer {
    let user = member(req, namespace, "job.write")?;
    let spec = job(req, namespace, id, "job.write")?.spec.clone();
    start(req, &user, namespace, spec)
}

/// `PUT …/labels`: replaces all labels.
fn set_labels(req: &Req, namespace: &str, id: &str) -> Answer {
    let job = job(req, namespace, id, "job.write")?;
    let body: Value = req.json()?;
    let labels: BTreeMap<String, String> = serde_json::from_value(body["labels"].clone())?;
    check_labels(&labels)?;
    job.change(|state| state.labels = labels);
    Ok(json_ok(&job.to_json()))
}
