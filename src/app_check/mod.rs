//! The live check: does the app answer, and does it do what it is for?
//!
//! It needs an address and nothing of the deploy: the same check runs behind a deploy and alone. For Gradio
//! (4.44, 5.x and 6.x) it makes a real call and looks at what comes back.
//!
//! Whatever the app says is data: it is escaped where it is printed, cut where it is long, and names neither
//! a file nor a host that the check would touch.

mod api;
mod arguments;
mod artifacts;
mod diff;
mod edge;
mod events;
mod fetch;
mod files;
#[cfg(test)]
pub(crate) mod fuzzing;
mod gradio;
mod health;
mod media;
mod options;
mod outputs;
mod places;
mod queue;
mod values;

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

pub use options::{App, AppKind, Check, Expect, Latency, Mode, Subject, Verdict, Word};

use crate::action::Log;
use artifacts::Store;
use edge::Edge;
use gradio::{Called, Found};
use options::{Stop, quoted};

/// The name of the report below `.hf-deploy/`.
const REPORT: &str = "result.json";

/// Checks an app. How it went is in the verdict; there is no other error.
///
/// Writes `.hf-deploy/` in the workspace: `api_schema.json` of a Gradio app, `output-N.*` for the files of a
/// call, and `result.json` in the end.
#[must_use]
pub async fn verify(app: &App, check: &Check, log: &Log) -> Verdict {
    verify_until(app, check, log, std::future::pending()).await
}

/// Checks an app that may end meanwhile: `ended` returns the reason, with which the check has failed.
#[must_use]
pub async fn verify_until(
    app: &App,
    check: &Check,
    log: &Log,
    ended: impl Future<Output = String>,
) -> Verdict {
    let mut store = Store::open(&check.workspace, log);
    let mut called = Called::default();
    let judged = tokio::select! {
        biased;
        judged = judge(app, check, log, &mut store, &mut called) => judged,
        reason = ended => Err(Stop::failed(quoted(&reason))),
    };
    let mut verdict = match judged {
        Ok(verdict) => verdict,
        Err(stop) => stop.into(),
    };
    verdict.endpoint = called.endpoint;
    verdict.latency = called.latency;
    if verdict.word == Word::FullInferenceSuccess {
        verdict.recommended_duration_seconds = called.latency.map(|latency| recommended(latency.server));
    }
    let seconds = |latency: Latency| {
        json!({
            "queue": latency.queue.as_secs_f64(),
            "server": latency.server.as_secs_f64(),
            "wall": latency.wall.as_secs_f64(),
        })
    };
    store.keep_json(
        REPORT,
        &json!({
            "verify_status": verdict.word.as_str(),
            "detail": verdict.detail,
            "hints": verdict.hints,
            "endpoint": verdict.endpoint,
            "latency_seconds": verdict.latency.map(seconds),
            "recommended_duration_seconds": verdict.recommended_duration_seconds,
            "outputs": called.outputs,
        }),
    );
    verdict.artifacts = store.into_kept();
    verdict
}

async fn judge(
    app: &App,
    check: &Check,
    log: &Log,
    store: &mut Store,
    called: &mut Called,
) -> Result<Verdict, Stop> {
    // A timeout too far away for the clock is one that never comes.
    let now = Instant::now();
    let deadline = now.checked_add(check.timeout).unwrap_or(now + Duration::from_secs(86_400));
    let edge = Edge::new(app)?;
    if app.token.is_some() && !edge.has_token() {
        log.warning("the token is not sent: the app's address is not https");
    }
    let landed = health::wait(&edge, check, deadline, log).await?;
    let edge = edge.moved(&landed);
    log.info("the app answers");
    let asked = check.asks_for_a_call();
    let found = match app.kind {
        AppKind::Static => Found::NoGradio,
        _ => within(deadline, "read the app's API", gradio::find(&edge, app.kind, check, store)).await?,
    };
    let gradio = match found {
        Found::Gradio(gradio) => gradio,
        Found::NoGradio if asked => {
            return Err(Stop::failed("a call is asked for, and the app is no Gradio app")
                .hint(gradio::CALL_NEEDS_GRADIO));
        }
        Found::NoGradio => {
            let detail = match app.kind {
                AppKind::Gradio => "the app answers; no Gradio app was found at its front page",
                _ => "the app answers; it has no API that can be called",
            };
            return Ok(Verdict::of(Word::HealthOnly, detail));
        }
    };
    if asked {
        let detail = gradio.call(check, deadline, log, store, called).await?;
        return Ok(Verdict::of(Word::FullInferenceSuccess, detail));
    }
    Ok(gradio.uncalled())
}

impl From<Stop> for Verdict {
    fn from(stop: Stop) -> Self {
        Self { hints: stop.hints, subject: stop.subject, ..Self::of(stop.word, stop.detail) }
    }
}

/// Ends a piece of work at the deadline of the check.
async fn within<T>(
    deadline: Instant,
    what: &str,
    work: impl Future<Output = Result<T, Stop>>,
) -> Result<T, Stop> {
    match tokio::time::timeout_at(deadline, work).await {
        Ok(result) => result,
        Err(_) => Err(Stop::failed(format!("cannot {what} before the timeout"))),
    }
}

/// The number for `@spaces.GPU(duration=…)`, in seconds.
fn recommended(server: Duration) -> u64 {
    // Whole milliseconds: 1.4 times a number of seconds is not exact in floating point.
    let milliseconds = u64::try_from(server.as_millis()).unwrap_or(u64::MAX / 14);
    (milliseconds.saturating_mul(14)).div_ceil(10_000).max(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recommended_duration_has_room() {
        let of = |milliseconds| recommended(Duration::from_millis(milliseconds));
        assert_eq!((of(0), of(7_000), of(10_000), of(10_001), of(60_000)), (10, 10, 14, 15, 84));
    }

    #[test]
    fn only_some_options_ask_for_a_call() {
        let check = Check::new(".");
        assert!(!check.asks_for_a_call());
        assert!(!Check { health_path: Some("/x".into()), ..check.clone() }.asks_for_a_call());
        assert!(Check { expect: Some(Expect::Any), ..check.clone() }.asks_for_a_call());
        assert!(Check { mode: Mode::Inference, ..check.clone() }.asks_for_a_call());
        assert!(!Check { mode: Mode::Health, api_name: Some("x".into()), ..check.clone() }.asks_for_a_call());
        assert!(!check.asks_for_something());
        assert!(Check { health_path: Some("/x".into()), ..check.clone() }.asks_for_something());
        assert!(!Check { mode: Mode::Off, api_name: Some("x".into()), ..check.clone() }.asks_for_something());
        let by_path = Check { health_path: Some("/x".into()), ..check.clone() };
        assert!(by_path.is_about_http() && Check { mode: Mode::Health, ..check.clone() }.is_about_http());
        assert!(!check.is_about_http() && !Check { api_name: Some("x".into()), ..by_path }.is_about_http());
    }
}
