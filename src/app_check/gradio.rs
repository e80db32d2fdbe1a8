//! A Gradio app: its config, its schema, one call.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{self, Answer};
use super::api::{self, Config, Endpoint, Schema, Signature};
use super::call_facts::CallFacts;
use super::client::AppClient;
use super::error::{CheckError, CheckFailure};
use super::latency::Latency;
use super::observer::CheckObserver;
use super::options::{AppKind, Check};
use super::quote::{listed, quoted};
use super::result::CheckResult;
use super::session::{Session, within};
use super::status::CheckStatus;
use super::{arguments, files, health, outputs, queue};
use crate::setting::MAX_LATENCY;

/// Largest config or schema, in bytes.
const MAX_CONFIG: usize = 16 << 20;
/// Time allowed for the files of a generator that did not end.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// The name of the schema below `.hf-deploy/`.
const SCHEMA: &str = "api_schema.json";

/// A Gradio app, as it describes itself.
#[derive(Debug)]
pub(super) struct GradioApp<'a> {
    /// Its client is for the Gradio app, which may be below a path.
    session: Session<'a>,
    config: Config,
    schema: Schema,
}

/// Facts about the call, for the report.
#[derive(Debug, Default)]
pub(super) struct CallRecord {
    pub(super) endpoint: Option<String>,
    /// Times of the calls that ended.
    pub(super) calls: Vec<Latency>,
    pub(super) facts: CallFacts,
    /// Summaries of the outputs.
    pub(super) outputs: Vec<Value>,
}

/// Looks for a Gradio app, and keeps its schema. Returns `None` if there is none.
///
/// # Errors
///
/// The app is a Gradio app (or must be one), and its config or its schema is malformed.
pub(super) async fn find<'a>(
    session: &Session<'a>,
    kind: AppKind,
) -> Result<Option<GradioApp<'a>>, CheckError> {
    let check = session.check;
    let client = &session.client;
    let is_call_requested = check.requests_call();
    // A Space of the Gradio SDK may have its Gradio below a path, or none.
    let required = kind == AppKind::Gradio && !check.is_about_http();
    let matters = required || is_call_requested;
    let attempts = if matters { answer::ATTEMPTS } else { 1 };
    let answer = match fetch(client, "/config", attempts).await {
        Err(_) if !matters => return Ok(None),
        answer => answer?,
    };
    let below = if matters && has_no_gradio(&answer) { find_below(client, check).await } else { None };
    let (client, answer) = below.unwrap_or_else(|| (client.clone(), answer));
    if answer.status == StatusCode::UNAUTHORIZED {
        // HTTP alone has decided already, and a login elsewhere does not matter.
        return if matters || (!check.is_about_http() && is_login(&answer)) {
            Err(answer::login_required("/config"))
        } else {
            Ok(None)
        };
    }
    if answer.status == StatusCode::TOO_MANY_REQUESTS && matters {
        return Err(answer::rate_limited(&answer));
    }
    // The Hub also runs a Gradio Space without Gradio. Only a call fails there.
    if !matters || (!is_call_requested && has_no_gradio(&answer)) {
        let config = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status.is_success());
        let Some(config) = config else { return Ok(None) };
        return describe(session, client, config).await.map(Some);
    }
    if !answer.status.is_success() {
        return if required {
            let answered = answer.describe();
            let failure = CheckFailure::NoGradio { answer: Some(answer.summary()), is_call_requested };
            let detail = format!("the app has no Gradio config: `GET /config` answered {answered}");
            Err(CheckError::new(failure, detail))
        } else {
            Ok(None)
        };
    }
    let config: Config = match serde_json::from_slice(&answer.body) {
        Ok(config) => config,
        Err(error) if required => {
            let error = quoted(&error.to_string());
            let failure = CheckFailure::NoGradio { answer: None, is_call_requested };
            let detail = format!("the app's Gradio config is not well formed: {error}");
            return Err(CheckError::new(failure, detail));
        }
        Err(_) => return Ok(None),
    };
    describe(session, client, config).await.map(Some)
}

/// Returns true if an answer to `GET /config` is from an app without Gradio there: no page, or one for people.
fn has_no_gradio(answer: &Answer) -> bool {
    let is_page = || answer.body.trim_ascii_start().starts_with(b"<");
    answer.status == StatusCode::NOT_FOUND || (answer.status.is_success() && is_page())
}

/// Looks for Gradio at the target of the front page and at `health_path`, because a Gradio app can be mounted below a
/// path of another app.
async fn find_below(client: &AppClient, check: &Check) -> Option<(AppClient, Answer)> {
    for path in ["/"].into_iter().chain(check.health_path.as_deref()) {
        let Some(landed) = health::landing(client, path).await else { continue };
        let below = client.rebased(&landed);
        if below.base() == client.base() {
            continue;
        }
        let Ok(answer) = fetch(&below, "/config", 1).await else { continue };
        let is_config = answer.status.is_success() && serde_json::from_slice::<Config>(&answer.body).is_ok();
        if is_config || (answer.status == StatusCode::UNAUTHORIZED && is_login(&answer)) {
            return Some((below, answer));
        }
    }
    None
}

/// Reads the schema of a Gradio app.
async fn describe<'a>(
    session: &Session<'a>,
    client: AppClient,
    config: Config,
) -> Result<GradioApp<'a>, CheckError> {
    let session = Session { client, api_prefix: config.prefix().to_owned(), ..session.clone() };
    let path = format!("{}/info", config.prefix());
    let answer = fetch(&session.client, &path, answer::ATTEMPTS).await?;
    if !answer.status.is_success() {
        // Before Gradio 4, `/info` may be missing, and the check makes no calls.
        if !config.is_supported() {
            return Ok(GradioApp { session, config, schema: Schema::default() });
        }
        let detail =
            format!("the app has no API schema: `GET {}` answered {}", quoted(&path), answer.describe());
        return Err(CheckError::new(CheckFailure::NoApi(answer.summary()), detail));
    }
    let malformed = |error: serde_json::Error| {
        let detail = format!("the app's API schema is not well formed: {}", quoted(&error.to_string()));
        CheckError::new(CheckFailure::InvalidApi, detail)
    };
    let raw: Value = serde_json::from_slice(&answer.body).map_err(malformed)?;
    session.artifacts.keep_json(SCHEMA, &raw);
    let mut schema: Schema = serde_json::from_value(raw).map_err(malformed)?;
    let name = session.check.api_name.as_deref().filter(|_| session.check.requests_call());
    if let Some(name) = name.filter(|name| schema.find(name).is_none()) {
        schema.undocumented = undocumented(&session.client, &path, name).await;
    }
    Ok(GradioApp { session, config, schema })
}

/// Looks for an endpoint that the app does not list. Returns none if the server does not answer.
async fn undocumented(client: &AppClient, info: &str, wanted: &str) -> BTreeMap<String, Signature> {
    let answer = fetch(client, &format!("{info}?all_endpoints=True"), answer::ATTEMPTS).await;
    let answer = answer.ok().filter(|answer| answer.status.is_success());
    let all =
        answer.and_then(|answer| serde_json::from_slice::<Schema>(&answer.body).ok()).unwrap_or_default();
    let name = all.find(wanted).map(str::to_owned);
    let found =
        name.and_then(|name| all.named_endpoints.get_key_value(&name).map(|(_, one)| (name, one.clone())));
    found.into_iter().collect()
}

fn is_login(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).contains("Not authenticated")
}

/// Fetches a document, with retries while only the edge answers.
async fn fetch(client: &AppClient, path: &str, attempts: u32) -> Result<Answer, CheckError> {
    let url = client.url(path)?;
    let mut pauses = answer::pauses(attempts);
    loop {
        let answer = client.get(url.clone(), MAX_CONFIG).await;
        match pauses.next().filter(|_| answer::is_transient(&answer)) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => {
                return answer.map_err(|error| {
                    CheckError::new(CheckFailure::Unreachable, format!("`GET {}`: {error}", quoted(path)))
                });
            }
        }
    }
}

impl GradioApp<'_> {
    pub(super) fn observer(&self) -> &dyn CheckObserver {
        self.session.observer
    }

    fn names(&self) -> Vec<&str> {
        self.schema.named_endpoints.keys().map(String::as_str).collect()
    }

    /// Returns the result of an app that is not called.
    pub(super) fn uncalled(&self) -> CheckResult {
        let version = quoted(&self.config.version);
        let names = self.names();
        if !self.config.is_supported() {
            let detail =
                format!("the app answers; its Gradio {version} is too old to be called by this check");
            return CheckResult::passed(CheckStatus::HealthOnly, detail);
        }
        match names.len() {
            0 => {
                let detail = format!("Gradio {version} answers; it has no endpoint to call");
                CheckResult::passed(CheckStatus::HealthOnly, detail)
            }
            count => {
                let plural = if count == 1 { "" } else { "s" };
                let detail =
                    format!("Gradio {version} answers with {count} endpoint{plural}: {}", listed(&names));
                CheckResult::passed(CheckStatus::FullInferenceCandidateHealthPassed, detail)
            }
        }
    }

    /// Returns the facts that the app itself names.
    pub(super) fn facts(&self) -> CallFacts {
        let protocol = self.config.protocol.clone();
        CallFacts { gradio_version: Some(self.config.version.clone()), protocol, ..CallFacts::default() }
    }

    /// Calls an endpoint and judges the outputs. Returns a sentence about the call.
    pub(super) async fn call(&self, record: &mut CallRecord) -> Result<String, CheckError> {
        let Session { check, deadline, observer, .. } = self.session;
        if !self.config.is_supported() {
            let version = quoted(&self.config.version);
            let detail = format!("calls need Gradio 4.44 or newer, the app has {version}");
            return Err(CheckError::new(CheckFailure::GradioTooOld, detail));
        }
        let name = api::choose(&self.schema, check.api_name.as_deref(), check.expect)?;
        let endpoint = self.config.endpoint(&self.schema, name)?;
        let shown = quoted(name);
        record.endpoint = Some(shown.clone());
        let data = within(deadline, "upload the files of the call", self.prepare(&endpoint)).await?;
        record.facts.args.clone_from(&data);
        observer.info(&format!("calling `{shown}`"));
        let is_enough = |data: &[Value]| outputs::judge(&outputs::preview(&endpoint, data), check).is_ok();
        let outcome = queue::call(&self.session, &endpoint, &data, &is_enough).await;
        let outcome = outcome.map_err(|error| error.within(&shown))?;
        record.calls.push(outcome.latency);
        record.facts.rank_max = record.facts.rank_max.max(outcome.rank_max);
        let is_cut = outcome.is_cut;
        let deadline = if is_cut { deadline.max(Instant::now() + FETCH_TIMEOUT) } else { deadline };
        let collecting = async { Ok(outputs::collect(&self.session, &endpoint, outcome.data).await) };
        let outputs = within(deadline, "fetch the files of the result", collecting).await?;
        record.outputs = outputs.iter().map(outputs::Output::report).collect();
        record.facts.expected = outputs::expected(&outputs, check);
        for output in &outputs {
            observer.untrusted(&format!("{}\n", output.summary()));
        }
        let Latency { queue, server, wall } = outcome.latency;
        let wall = wall.as_secs_f64();
        outputs::judge(&outputs, check).and_then(|()| in_time(outcome.latency, check)).map_err(|error| {
            let error = error.within(&shown);
            if is_cut {
                let detail =
                    format!("{} (the time ran out after {wall:.1} s, while it yielded)", error.detail);
                CheckError { detail, ..error }
            } else {
                error
            }
        })?;
        if is_cut {
            let detail = format!("`{shown}` still yields after {wall:.1} s, and passes by its last step");
            observer.warning(&format!("{detail}: the check did not wait for its end"));
            return Ok(detail);
        }
        let (queue, server) = (queue.as_secs_f64(), server.as_secs_f64());
        Ok(format!("`{shown}` answered in {wall:.1} s (queue {queue:.1} s, work {server:.1} s)"))
    }

    /// Returns the `data` of the call, after it uploaded the files.
    async fn prepare(&self, endpoint: &Endpoint) -> Result<Vec<Value>, CheckError> {
        let check = self.session.check;
        let filled = arguments::fill(endpoint, &check.api_args, &check.api_kwargs)?;
        let made_up: Vec<String> = filled
            .iter()
            .zip(&endpoint.parameters)
            .enumerate()
            .filter(|(_, (argument, _))| !matches!(argument, arguments::Argument::Given(_)))
            .map(|(place, (_, parameter))| arguments::title(parameter, place))
            .collect();
        if !made_up.is_empty() {
            let names = made_up.join(", ");
            self.session.observer.info(&format!("with defaults or samples for {names}"));
        }
        let mut values = Vec::new();
        for (parameter, argument) in endpoint.parameters.iter().zip(filled) {
            values.push(files::prepare(&self.session, parameter, argument).await?);
        }
        Ok(arguments::arrange(&endpoint.slots, values))
    }
}

/// Checks that the work was done within `max_latency`.
fn in_time(latency: Latency, check: &Check) -> Result<(), CheckError> {
    let took = latency.wall.saturating_sub(latency.queue);
    match check.max_latency {
        Some(max) if took > max => {
            let detail = format!(
                "the work took {:.1} s, longer than {MAX_LATENCY} of {:.1} s",
                took.as_secs_f64(),
                max.as_secs_f64()
            );
            Err(CheckError::new(CheckFailure::TooSlow, detail))
        }
        _ => Ok(()),
    }
}
