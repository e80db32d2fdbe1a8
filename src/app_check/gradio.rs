//! The check of a Gradio app: its config, its schema, one call.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::Instant;

use super::api::{self, Config, Endpoint, Schema, Signature, listed};
use super::artifacts::Store;
use super::edge::{self, Answer, Edge};
use super::options::{AppKind, Check, Latency, Stop, Verdict, Word, quoted};
use super::{arguments, files, health, outputs, queue, within};
use crate::action::Log;

/// The largest config or schema, in bytes.
const MAX_CONFIG: usize = 16 << 20;
/// Time allowed for the files of a generator that was cut off.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// The name of the schema below `.hf-deploy/`.
const SCHEMA: &str = "api_schema.json";
/// The hint for an app without Gradio that should be called.
pub(super) const CALL_NEEDS_GRADIO: &str =
    "name the path of the Gradio app with `health_path`, or leave out what is about a call";

/// Whether there is a Gradio app.
#[derive(Debug)]
pub(super) enum Found {
    Gradio(Box<Gradio>),
    NoGradio,
}

/// What a Gradio app says about itself.
#[derive(Debug)]
pub(super) struct Gradio {
    /// Speaks to the Gradio app, which may be below a path.
    edge: Edge,
    config: Config,
    schema: Schema,
}

/// What the report says about the call.
#[derive(Debug, Default)]
pub(super) struct Called {
    pub(super) endpoint: Option<String>,
    pub(super) latency: Option<Latency>,
    /// In short.
    pub(super) outputs: Vec<Value>,
}

/// Looks for a Gradio app, and keeps its schema.
///
/// # Errors
///
/// The app is a Gradio app (or has to be one), and its config or its schema is not well formed.
pub(super) async fn find(
    edge: &Edge,
    kind: AppKind,
    check: &Check,
    store: &mut Store,
) -> Result<Found, Stop> {
    let asked = check.asks_for_a_call();
    // A Space of the Gradio SDK may have its Gradio below a path, or none.
    let required = kind == AppKind::Gradio && !check.is_about_http();
    let matters = required || asked;
    let attempts = if matters { edge::ATTEMPTS } else { 1 };
    let answer = match fetch(edge, "/config", attempts).await {
        Err(_) if !matters => return Ok(Found::NoGradio),
        answer => answer?,
    };
    let below = if matters && has_no_gradio(&answer) { below(edge, check).await } else { None };
    let (edge, answer) = below.unwrap_or_else(|| (edge.clone(), answer));
    if answer.status == StatusCode::UNAUTHORIZED {
        // Where HTTP judges, it has: a login elsewhere is in nobody's way.
        return if matters || (!check.is_about_http() && is_login(&answer)) {
            Err(health::login_required("/config"))
        } else {
            Ok(Found::NoGradio)
        };
    }
    if answer.status == StatusCode::TOO_MANY_REQUESTS && matters {
        return Err(health::rate_limited(&answer));
    }
    // The Hub runs a Gradio Space without Gradio as well: that fails a call, and nothing else.
    if !matters || (!asked && has_no_gradio(&answer)) {
        let config = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status.is_success());
        let Some(config) = config else { return Ok(Found::NoGradio) };
        return describe(edge, config, check, store).await;
    }
    if !answer.status.is_success() {
        return if required {
            let complaint = answer.complaint();
            Err(not_gradio(
                asked,
                format!("the app has no Gradio config: `GET /config` answered {complaint}"),
            ))
        } else {
            Ok(Found::NoGradio)
        };
    }
    let config: Config = match serde_json::from_slice(&answer.body) {
        Ok(config) => config,
        Err(error) if required => {
            let error = quoted(&error.to_string());
            return Err(not_gradio(asked, format!("the app's Gradio config is not well formed: {error}")));
        }
        Err(_) => return Ok(Found::NoGradio),
    };
    describe(edge, config, check, store).await
}

/// Reports whether an answer to `GET /config` comes from an app without Gradio there: no page, or one for people.
fn has_no_gradio(answer: &Answer) -> bool {
    let is_page = || answer.body.trim_ascii_start().starts_with(b"<");
    answer.status == StatusCode::NOT_FOUND || (answer.status.is_success() && is_page())
}

/// Looks for Gradio where the front page leads, and at the path that the user named: a Gradio app can be mounted below
/// a path of another app.
async fn below(edge: &Edge, check: &Check) -> Option<(Edge, Answer)> {
    for path in ["/"].into_iter().chain(check.health_path.as_deref()) {
        let Some(landed) = health::landing(edge, path).await else { continue };
        let below = edge.rebased(&landed);
        if below.base() == edge.base() {
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
async fn describe(edge: Edge, config: Config, check: &Check, store: &mut Store) -> Result<Found, Stop> {
    let asked = check.asks_for_a_call();
    let path = format!("{}/info", config.prefix());
    let answer = fetch(&edge, &path, edge::ATTEMPTS).await?;
    if !answer.status.is_success() {
        // Before Gradio 4, `/info` may be missing; there is nothing to call either.
        if !config.is_supported() {
            return Ok(Found::Gradio(Box::new(Gradio { edge, config, schema: Schema::default() })));
        }
        let complaint = answer.complaint();
        return Err(Stop::failed(format!("the app has no API schema: `GET {}` answered {complaint}", quoted(&path)))
            .hint("Gradio cannot describe its own API: the run log of the Space has the traceback, often of a component or of pydantic"));
    }
    let malformed = |error: serde_json::Error| {
        Stop::failed(format!("the app's API schema is not well formed: {}", quoted(&error.to_string())))
    };
    let raw: Value = serde_json::from_slice(&answer.body).map_err(malformed)?;
    store.keep_json(SCHEMA, &raw);
    let mut schema: Schema = serde_json::from_value(raw).map_err(malformed)?;
    if let Some(name) = check.api_name.as_deref().filter(|name| asked && schema.find(name).is_none()) {
        schema.undocumented = undocumented(&edge, &path, name).await;
    }
    Ok(Found::Gradio(Box::new(Gradio { edge, config, schema })))
}

/// Looks for an endpoint that the app does not list. A server that does not answer has none.
async fn undocumented(edge: &Edge, info: &str, wanted: &str) -> BTreeMap<String, Signature> {
    let answer = fetch(edge, &format!("{info}?all_endpoints=True"), edge::ATTEMPTS).await;
    let answer = answer.ok().filter(|answer| answer.status.is_success());
    let all =
        answer.and_then(|answer| serde_json::from_slice::<Schema>(&answer.body).ok()).unwrap_or_default();
    let name = all.find(wanted).map(str::to_owned);
    let found =
        name.and_then(|name| all.named_endpoints.get_key_value(&name).map(|(_, one)| (name, one.clone())));
    found.into_iter().collect()
}

fn not_gradio(asked: bool, detail: String) -> Stop {
    Stop::failed(detail).hint(match asked {
        true => CALL_NEEDS_GRADIO,
        false => "an app without Gradio at its root is checked with `health_path` or `verify: health`",
    })
}

fn is_login(answer: &Answer) -> bool {
    String::from_utf8_lossy(&answer.body).contains("Not authenticated")
}

/// Fetches a document, again where only the edge has answered.
async fn fetch(edge: &Edge, path: &str, attempts: u32) -> Result<Answer, Stop> {
    let url = edge.url(path)?;
    let mut pauses = edge::pauses(attempts);
    loop {
        let answer = edge.get(url.clone(), MAX_CONFIG).await;
        match pauses.next().filter(|_| edge::may_pass(&answer)) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => {
                return answer.map_err(|trouble| Stop::failed(format!("`GET {}`: {trouble}", quoted(path))));
            }
        }
    }
}

impl Gradio {
    fn names(&self) -> Vec<&str> {
        self.schema.named_endpoints.keys().map(String::as_str).collect()
    }

    /// The verdict when nothing asks for a call.
    pub(super) fn uncalled(&self) -> Verdict {
        let version = quoted(&self.config.version);
        let names = self.names();
        if !self.config.is_supported() {
            let detail =
                format!("the app answers; its Gradio {version} is too old to be called by this check");
            return Verdict::of(Word::HealthOnly, detail);
        }
        match names.len() {
            0 => {
                Verdict::of(Word::HealthOnly, format!("Gradio {version} answers; it has no endpoint to call"))
            }
            count => {
                let plural = if count == 1 { "" } else { "s" };
                let detail =
                    format!("Gradio {version} answers with {count} endpoint{plural}: {}", listed(&names));
                let hint = "set `api_name`, `api_args` or `expect` to have an endpoint called";
                Verdict {
                    hints: vec![hint.to_owned()],
                    ..Verdict::of(Word::FullInferenceCandidateHealthPassed, detail)
                }
            }
        }
    }

    /// Calls an endpoint and looks at the outputs; returns what happened in a sentence.
    pub(super) async fn call(
        &self,
        check: &Check,
        deadline: Instant,
        log: &Log,
        store: &mut Store,
        called: &mut Called,
    ) -> Result<String, Stop> {
        let edge = &self.edge;
        if !self.config.is_supported() {
            let version = quoted(&self.config.version);
            return Err(Stop::blocked(format!("calls need Gradio 4.44 or newer, the app has {version}"))
                .hint("raise `sdk_version` in the Space card, or check the app with `health_path`"));
        }
        let name = api::choose(&self.schema, check.api_name.as_deref(), check.expect)?;
        let endpoint = self.config.endpoint(&self.schema, name)?;
        let shown = quoted(name);
        called.endpoint = Some(shown.clone());
        let preparing = self.prepare(check, &endpoint, log);
        let data = within(deadline, "upload the files of the call", preparing).await?;
        log.info(&format!("calling `{shown}`"));
        let prefix = self.config.prefix();
        let is_enough = |data: &[Value]| outputs::judge(&outputs::preview(&endpoint, data), check).is_ok();
        let limits = queue::Limits { deadline, work: check.max_latency, is_enough: &is_enough };
        let finished = queue::call(edge, prefix, &endpoint, &data, limits, log).await;
        let finished =
            finished.map_err(|stop| Stop { detail: format!("`{shown}`: {}", stop.detail), ..stop })?;
        called.latency = Some(finished.latency);
        let is_cut = finished.is_cut;
        let deadline = if is_cut { deadline.max(Instant::now() + FETCH_TIMEOUT) } else { deadline };
        let collecting = async { Ok(outputs::collect(edge, prefix, &endpoint, finished.data, store).await) };
        let outputs = within(deadline, "fetch the files of the result", collecting).await?;
        called.outputs = outputs.iter().map(outputs::Output::report).collect();
        for output in &outputs {
            log.untrusted(&format!("{}\n", output.summary()));
        }
        let Latency { queue, server, wall } = finished.latency;
        outputs::judge(&outputs, check).and_then(|()| in_time(finished.latency, check)).map_err(|stop| {
            let seconds = wall.as_secs_f64();
            let cut = if is_cut {
                format!(" (the time ran out after {seconds:.1} s, while it yielded)")
            } else {
                String::new()
            };
            Stop { detail: format!("`{shown}`: {}{cut}", stop.detail), ..stop }
        })?;
        if is_cut {
            let wall = wall.as_secs_f64();
            let detail = format!("`{shown}` still yields after {wall:.1} s, and passes by its last step");
            log.warning(&format!("{detail}: the check did not wait for its end"));
            return Ok(detail);
        }
        Ok(format!(
            "`{shown}` answered in {:.1} s (queue {:.1} s, work {:.1} s)",
            wall.as_secs_f64(),
            queue.as_secs_f64(),
            server.as_secs_f64()
        ))
    }

    /// The `data` of the call, with its files uploaded.
    async fn prepare(&self, check: &Check, endpoint: &Endpoint, log: &Log) -> Result<Vec<Value>, Stop> {
        let filled = arguments::fill(endpoint, &check.api_args, &check.api_kwargs)?;
        let made_up: Vec<String> = filled
            .iter()
            .zip(&endpoint.parameters)
            .enumerate()
            .filter(|(_, (argument, _))| !matches!(argument, arguments::Argument::Given(_)))
            .map(|(place, (_, parameter))| arguments::title(parameter, place))
            .collect();
        if !made_up.is_empty() {
            log.info(&format!("with defaults or samples for {}", made_up.join(", ")));
        }
        let mut values = Vec::new();
        for (parameter, argument) in endpoint.parameters.iter().zip(filled) {
            let prefix = self.config.prefix();
            values.push(files::prepare(&self.edge, prefix, &check.workspace, parameter, argument).await?);
        }
        Ok(arguments::arrange(&endpoint.slots, values))
    }
}

/// Whether the work was done within `max_latency`.
fn in_time(latency: Latency, check: &Check) -> Result<(), Stop> {
    let took = latency.wall.saturating_sub(latency.queue);
    match check.max_latency {
        Some(most) if took > most => Err(Stop::failed(format!(
            "the work took {:.1} s, longer than `max_latency` of {:.1} s",
            took.as_secs_f64(),
            most.as_secs_f64()
        ))),
        _ => Ok(()),
    }
}
