//! The end of a deploy to a Space: the commit runs, the app passes its check, or the previous tree is restored.

use std::time::Duration;

use hub::Stage;
use tokio::time::Instant;

use crate::app_check::{Check, CheckResult, Mode};
use crate::failure::Result;
use crate::ops::space::{HardwareStatus, WaitOptions};

use super::change_set::Purpose;
use super::check_app::{check_app, without_hardware};
use super::context::Context;
use super::leave_open::{end_dev_mode, leave_open};
use super::options::OnFailure;
use super::rollback::roll_back;
use super::wait::{CommitAge, LiveTarget, NotLive, wait_for};

/// Shortest time that a check gets, however long the Space took to start.
const SHORTEST_CHECK: Duration = Duration::from_secs(60);

/// Waits until the commit runs and checks its app, after a deploy to a running Space. Returns the result of the
/// check.
pub(super) async fn wait_and_check(
    context: &Context<'_>,
    target: &LiveTarget<'_>,
) -> Result<Option<CheckResult>> {
    if !context.runs_result() {
        return Ok(None);
    }
    let space = &context.options.space;
    if space.hardware.is_needed && target.hardware == Some(HardwareStatus::ManualHardwareRequired) {
        return Ok(Some(report_missing_hardware(context)));
    }
    let Some(timeout) = space.wait else {
        context.recorder.record(|report| report.not_waited_for = true);
        return Ok(None);
    };
    let stage_before = end_dev_mode(context, target).await;
    let NotLive { failure, is_the_apps } = match wait_then_check(context, target, timeout, stage_before).await
    {
        Ok(result) => return Ok(result),
        Err(not_live) => not_live,
    };
    // A rollback would undo the failed state.
    if is_the_apps && leave_open(context).await {
        if space.on_failure == OnFailure::Rollback {
            context.log.info("not rolled back: the Space stays as it failed");
        }
        return Err(failure);
    }
    match space.on_failure {
        OnFailure::Keep => {}
        OnFailure::Rollback if is_the_apps => {
            context.log.info("rolling back, because this commit does not run as it should");
            roll_back(context, target).await;
        }
        OnFailure::Rollback => context.log.info("not rolled back: the app did not cause the failure"),
    }
    Err(failure)
}

/// Records that the app was not checked, because it has not got the hardware that it needs.
fn report_missing_hardware(context: &Context<'_>) -> CheckResult {
    let result = without_hardware();
    context.recorder.record(|report| report.check = Some(result.clone()));
    result
}

async fn wait_then_check(
    context: &Context<'_>,
    target: &LiveTarget<'_>,
    timeout: Duration,
    stage_before: Option<Stage>,
) -> Result<Option<CheckResult>, NotLive> {
    let started = Instant::now();
    let is_new = target.receipt.is_some() || target.is_new_space;
    let age = if is_new { CommitAge::New } else { CommitAge::Old };
    let options = WaitOptions { stage_before, ..target.wait_options(target.commit, age, timeout) };
    wait_for(context, target, &options, Purpose::Deploy).await?;
    let check = &context.options.space.check;
    if check.mode == Mode::Off {
        return Ok(None);
    }
    let left = timeout.saturating_sub(started.elapsed()).max(SHORTEST_CHECK);
    check_app(context, target, &Check { timeout: left, ..check.clone() }).await.map(Some)
}
