//! Dev mode of a Space.

use std::time::Duration;

use crate::failure::{Result, space_operation as advice};
use crate::ops::space::dev_mode_access;

use super::report::Outcome;
use super::run_state::finish;
use super::target::{Start, Target};

/// Switches dev mode on, and reports how to get in.
pub(super) async fn switch_on(target: &Target<'_>, wait: Option<Duration>) -> Result<Outcome> {
    let before = target.read().await?;
    target.name_price(&before).await;
    if before.dev_mode {
        target.session.log.info(&format!("the {} is in dev mode already", target.repo));
        if let Some(timeout) = wait {
            target.wait_until_running(timeout, Start::LeftAlone).await?;
        }
    } else {
        target.session.hub.set_dev_mode(&target.repo, true).await?;
        target.session.log.info(&format!("switched dev mode on for the {}", target.repo));
        finish(target, &before.stage, wait).await?;
    }
    show_access(target);
    Ok(if before.dev_mode { Outcome::Unchanged } else { Outcome::Done })
}

/// Switches dev mode off, after which the Hub builds the head of the branch.
pub(super) async fn switch_off(target: &Target<'_>, wait: Option<Duration>) -> Result<Outcome> {
    let before = target.read().await?;
    if !before.dev_mode {
        target.session.log.info(&format!("the {} is not in dev mode", target.repo));
        return Ok(Outcome::Unchanged);
    }
    target.session.hub.set_dev_mode(&target.repo, false).await?;
    target.session.log.info(&format!("switched dev mode off for the {}", target.repo));
    finish(target, &before.stage, wait).await?;
    Ok(Outcome::Done)
}

fn show_access(target: &Target<'_>) {
    let log = target.session.log;
    let access = dev_mode_access(target.session.hub.endpoint(), &target.repo, &target.info);
    access.print(log);
    log.info(&advice::dev_mode_ends());
    target.recorder.record(|report| report.dev_mode = Some(access));
}
