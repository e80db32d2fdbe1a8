//! Checks the running app of a Space.

use std::time::Duration;

use crate::action::journal::Phase;
use crate::app_check::{App, Check, CheckFailure, CheckResult, CheckStatus, Subject};
use crate::failure::{self, Result, SourceLocation};
use crate::ops::check;
use crate::ops::space::{
    self, CodeLine, Diagnosis, Evidence, HardwareStatus, LogTail, Readiness, Spot, WaitOutcome,
};
use hub::LogKind;

use super::context::Context;
use super::options::Origin;
use super::place;
use super::wait::{CommitAge, LiveTarget, NotLive, not_live};

/// Time that a check runs before the Space is read again. Most checks have ended by then.
const FIRST_GUARD: Duration = Duration::from_secs(5);
/// Time for which the run log is read after a check that failed.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(3);

/// The running app of a Space.
enum AppToCheck {
    Found(App),
    /// There is no app to check, and this is the result.
    None(CheckResult),
}

/// An exception from the run log.
struct LoggedException {
    text: String,
    hints: Vec<String>,
    /// Its place in a file of the user.
    place: Option<SourceLocation>,
}

/// Checks the running app, and records the result. The check ends if the Space stops.
pub(super) async fn check_app(
    context: &Context<'_>,
    target: &LiveTarget<'_>,
    check: &Check,
) -> Result<CheckResult, NotLive> {
    let Context { hub, repo, log, .. } = context;
    let options = target.wait_options(target.commit, CommitAge::Old, Duration::MAX);
    let is_proxy = context.options.origin == Origin::Proxy;
    let mut stopped = None;
    let mut result = match app_to_check(context, target.hardware).await? {
        AppToCheck::Found(app) => {
            let _phase = context.journal.enter(Phase::Check, "verify");
            let subject = if is_proxy { "proxy" } else { "app" };
            log.info(&format!("checking the {subject} at {}", app.url));
            let ended = async {
                tokio::time::sleep(FIRST_GUARD).await;
                stopped = Some(space::until_it_stops(hub, log, repo, &options).await);
                "the Space stopped while its app was checked".to_owned()
            };
            let mut result = check::check_app_until(&app, check, log, ended).await;
            if hub.uses_trusted_publishing() && app.token.is_some() && has_answered_404(&result) {
                // It is unknown if a token of trusted publishing opens a private app.
                result.reclassify(CheckFailure::ClosedToToken);
            }
            result
        }
        AppToCheck::None(result) => result,
    };
    if is_proxy && result.status == CheckStatus::HealthOnly {
        "the proxy answers".clone_into(&mut result.detail);
    }
    let is_the_apps = !matches!(result.subject(), Subject::Input | Subject::Workspace);
    let has_failed = result.status == CheckStatus::Failed && is_the_apps;
    let mut tail = None;
    if has_failed && stopped.is_none() {
        // The app may have failed because it ended.
        let stop = space::until_it_stops(hub, log, repo, &options);
        let (run_log, stop) = tokio::join!(run_log(context), tokio::time::timeout(LAST_LINES_TIMEOUT, stop));
        stopped = stop.ok();
        tail = run_log.filter(|_| stopped.is_none());
    }
    let mut place = None;
    let mut hints = failure::app_check::hints(&result);
    if let Some(tail) = tail.as_ref().filter(|_| result.subject() == Subject::Exception)
        && let Some(exception) = logged_exception(context, target, tail)
    {
        result.name_exception(&exception.text);
        (place, hints) = (exception.place, exception.hints);
    }
    let ended = match stopped {
        Some(outcome) => report_stop(context, target, outcome).map_or(Ok(()), Err),
        // An endpoint that is missing may have gone with this deploy. A file of the workspace has not.
        None => {
            check::conclude(&result, hints, &context.options.space.fail_on, log).map_err(|failure| NotLive {
                is_the_apps: result.subject() != Subject::Workspace && !result.is_unjudged(),
                failure: failure.at(place).with_log(space::last_lines(tail.as_slice())),
            })
        }
    };
    let status = result.status;
    let message = format!("the check of the app: {}", status.as_str());
    context.journal.event("checked", message, serde_json::json!({ "status": status.as_str() }));
    context.recorder.record(|report| report.check = Some(result.clone()));
    if let Some(tail) = tail {
        print_run_log(context, tail);
    }
    ended.map(|()| result)
}

/// Returns the result for an app that has not got its hardware.
pub(super) fn without_hardware() -> CheckResult {
    let detail = "it has not got the hardware that was asked for";
    CheckResult::failed(CheckFailure::HardwareMissing, detail)
}

/// Returns the running app, or the result of a check without one.
async fn app_to_check(context: &Context<'_>, hardware: Option<HardwareStatus>) -> Result<AppToCheck> {
    if hardware == Some(HardwareStatus::ManualHardwareRequired) {
        return Ok(AppToCheck::None(without_hardware()));
    }
    if let Some(app) = space::find_app(&context.hub, &context.repo).await? {
        return Ok(AppToCheck::Found(app));
    }
    let detail = "the Hub does not say where the app is";
    Ok(AppToCheck::None(CheckResult::failed(CheckFailure::AddressUnknown, detail)))
}

/// Records that a Space stopped while it was checked. Returns the failure, if it is one.
fn report_stop(context: &Context<'_>, target: &LiveTarget<'_>, outcome: WaitOutcome) -> Option<NotLive> {
    let WaitOutcome { readiness, runtime, tails, spot } = outcome;
    let lines = space::last_lines(&tails);
    context.recorder.record(|report| {
        report.space_stage = runtime.map(|runtime| runtime.stage);
        report.log_tails.retain(|other| tails.iter().all(|tail| tail.kind != other.kind));
        report.log_tails.extend(tails);
    });
    match readiness {
        Readiness::Failed(error) => Some(not_live(context, target, *error, spot).with_log(lines)),
        Readiness::Running | Readiness::Unknown(_) => None,
    }
}

/// Reads the last lines of the app, which may show why the check failed.
async fn run_log(context: &Context<'_>) -> Option<LogTail> {
    let Context { hub, log, repo, .. } = context;
    let tail = space::read_tail(hub, log, repo, LogKind::Run, LAST_LINES_TIMEOUT).await;
    Some(tail).filter(|tail| !tail.is_empty())
}

/// Finds the exception in the run log.
fn logged_exception(
    context: &Context<'_>,
    target: &LiveTarget<'_>,
    tail: &LogTail,
) -> Option<LoggedException> {
    let lines: Vec<&str> = tail.evidence().collect();
    let exception = space::last_traceback(lines.iter().copied())?;
    let text = context.log.redact(&exception.to_string());
    let mut hints = Vec::new();
    let known = space::diagnose(&Evidence { hub: None, kind: LogKind::Run, log: &lines });
    if let Some(Diagnosis { cause, fixes, is_weak: false, .. }) = known {
        hints.extend(fixes.iter().map(|fix| context.log.redact(&format!("{cause}: {fix}"))));
    }
    let place = exception.origin.and_then(|CodeLine { file, line }| {
        let spot = Spot { file, line: Some(line), find: None };
        place::find(context, target.source, &spot, format!("the app raised {text}"))
    });
    Some(LoggedException { text, hints, place })
}

fn print_run_log(context: &Context<'_>, tail: LogTail) {
    let group = context.log.group("the end of the run log");
    tail.lines().for_each(|line| context.log.untrusted(line));
    drop(group);
    context.recorder.record(|report| {
        report.log_tails.retain(|other| other.kind != LogKind::Run);
        report.log_tails.push(tail);
    });
}

/// Returns true if the app failed by a 404.
fn has_answered_404(result: &CheckResult) -> bool {
    let answer = result.failure.as_ref().and_then(CheckFailure::answer);
    result.status == CheckStatus::Failed && answer.is_some_and(|answer| answer.status == 404)
}
