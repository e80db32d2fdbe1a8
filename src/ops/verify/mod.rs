//! The verification of a running app: the wait for its Space, one or more checks, and their results in a file.

mod completion;
mod junit;
mod options;
mod report;
mod running_app;

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

pub use options::{CheckPlace, NamedCheck, Target, VerifyOptions};
pub use report::{EndedCheck, VerifyReport};

use crate::action::Recorder;
use crate::action::journal::Phase;
use crate::app_check::{App, AppKind, Check, CheckFailure, CheckResult, FailOn};
use crate::failure::{Failure, Result, app_check as check_advice, verify as advice};
use crate::ops::space::{self, Readiness, WaitOptions, WaitOutcome};
use crate::ops::{Session, check};
use hub::Repo;

/// Time that a check runs before the Space is read again. Most checks have ended by then.
const FIRST_GUARD: Duration = Duration::from_secs(5);
/// Deadline of a timeout that is too long for the clock.
const FAR_FUTURE: Duration = Duration::from_secs(86_400);

/// The Space of the app, and the options for watching it.
struct Watched {
    space: Repo,
    options: WaitOptions,
}

/// Waits for the app, and runs all checks. A check that fails does not end the others.
///
/// # Errors
///
/// `check_failed`: at least one check failed. Another code: the Space of the app does not run.
pub async fn verify(
    options: &VerifyOptions,
    session: &Session<'_>,
    recorder: &Recorder<VerifyReport>,
) -> Result<()> {
    recorder.record(|report| {
        report.target = Some(options.target.clone());
        report.endpoint = session.hub.endpoint().to_owned();
        report.planned = options.checks.len();
    });
    let earlier = completion::open(options, session).await?;
    let mut ended = Vec::new();
    let verified = verify_all(options, session, recorder, &mut ended).await;
    if let Some(earlier) = earlier {
        completion::complete(earlier, &ended, verified.is_err(), session).await;
    }
    if let Some(path) = &options.junit_path {
        let failure = verified.as_ref().err();
        let text = junit::render(options, &ended, failure, &|text| session.log.redact(text));
        match std::fs::write(path, text) {
            Ok(()) => recorder.record(|report| report.junit_path = Some(path.clone())),
            // The failure of the app matters more than that of its report.
            Err(error) if failure.is_some() => session.log.warning(&advice::junit_lost(path, &error)),
            Err(error) => return Err(advice::junit_not_written(path, error)),
        }
    }
    verified
}

async fn verify_all(
    options: &VerifyOptions,
    session: &Session<'_>,
    recorder: &Recorder<VerifyReport>,
    ended: &mut Vec<EndedCheck>,
) -> Result<()> {
    let now = Instant::now();
    let deadline = now.checked_add(options.timeout).unwrap_or(now + FAR_FUTURE);
    let (app, watched) = match &options.target {
        Target::Url(url) => (App { url: url.clone(), token: None, kind: AppKind::Unknown }, None),
        Target::Space(id) => {
            let running = running_app::wait_for(id, deadline, session, recorder).await?;
            (running.app, Some(Watched { space: running.space, options: running.watch }))
        }
    };
    recorder.record(|report| report.app_url = Some(app.url.clone()));
    session.log.info(&format!("checking the app at {}", app.url));
    let _phase = session.journal.enter(Phase::Check, "verify");
    let is_alone = options.checks.len() == 1;
    for named in &options.checks {
        let left = deadline.saturating_duration_since(Instant::now());
        let group = (!is_alone).then(|| session.log.group(&named.name));
        let started = Instant::now();
        let (result, stopped) = run_check(named, left, &app, watched.as_ref(), session).await;
        let hints = check_advice::hints(&result);
        if !is_alone {
            log_ended(&result, &hints, &options.fail_on, session);
        }
        drop(group);
        let NamedCheck { name, place, .. } = named.clone();
        let has_failed = options.fail_on.covers(result.status);
        let check = EndedCheck { name, place, result, hints, has_failed, took: started.elapsed() };
        recorder.record(|report| report.checks.push(check.clone()));
        ended.push(check);
        if let Some(WaitOutcome { readiness: Readiness::Failed(error), runtime, tails, .. }) = stopped {
            recorder.record(|report| {
                report.space_stage = runtime.map(|runtime| runtime.stage);
                report.log_tails = tails;
            });
            return Err(Failure::from(*error));
        }
    }
    match ended.as_slice() {
        [alone] if is_alone => {
            check::conclude(&alone.result, alone.hints.clone(), &options.fail_on, session.log)
        }
        all => advice::conclude(all),
    }
}

/// Runs one check. It ends early if the Space stops, which is returned too.
async fn run_check(
    named: &NamedCheck,
    left: Duration,
    app: &App,
    watched: Option<&Watched>,
    session: &Session<'_>,
) -> (CheckResult, Option<WaitOutcome>) {
    if left.is_zero() {
        let detail = "not checked: the time for all checks was over before";
        return (CheckResult::failed(CheckFailure::TimedOut, detail), None);
    }
    let check = Check { timeout: left, ..named.check.clone() };
    let mut stopped = None;
    let ended: Pin<Box<dyn Future<Output = String>>> = match watched {
        None => Box::pin(std::future::pending()),
        Some(Watched { space, options }) => Box::pin(async {
            tokio::time::sleep(FIRST_GUARD).await;
            stopped = Some(space::until_it_stops(session.hub, session.log, space, options).await);
            "the Space stopped while its app was checked".to_owned()
        }),
    };
    let result = check::check_app_until(app, &check, session.log, ended).await;
    (result, stopped)
}

/// Logs the end of one of several checks. Those that failed are in the failure of the run, with their places.
fn log_ended(result: &CheckResult, hints: &[String], fail_on: &FailOn, session: &Session<'_>) {
    if let Err(failure) = check::conclude(result, hints.to_vec(), fail_on, session.log) {
        session.log.info(&format!("failed: {}", failure.message));
        failure.hints.iter().for_each(|hint| session.log.info(&format!("hint: {hint}")));
    }
}
