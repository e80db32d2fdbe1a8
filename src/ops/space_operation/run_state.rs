//! Operations on the app: its state, restarts and pauses.

use std::time::Duration;

use hub::Stage;

use crate::failure::Result;
use crate::ops::Session;
use crate::ops::space::describe_stage;

use super::describe::describe;
use super::report::Outcome;
use super::target::{Start, Target};

/// Image that a restart uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Build {
    Keep,
    /// One that is built without caches.
    Anew,
}

/// Describes the Space. With `wait`, waits until it runs, and neither wakes nor restarts it.
pub(super) async fn status(target: &Target<'_>, wait: Option<Duration>) -> Result<Outcome> {
    let mut runtime = target.read().await?;
    target.name_price(&runtime).await;
    if let Some(timeout) = wait {
        runtime = target.wait_until_running(timeout, Start::LeftAlone).await?.unwrap_or(runtime);
    }
    describe(target, &runtime);
    Ok(Outcome::Unchanged)
}

pub(super) async fn restart(target: &Target<'_>, build: Build, wait: Option<Duration>) -> Result<Outcome> {
    let Session { hub, log, .. } = target.session;
    let before = target.read().await?;
    target.name_price(&before).await;
    match build {
        Build::Keep => hub.restart(&target.repo).await?,
        Build::Anew => hub.rebuild(&target.repo).await?,
    }
    let how = if build == Build::Anew { ", with a build without caches" } else { "" };
    log.info(&format!("restarted the {}{how}", target.repo));
    finish(target, &before.stage, wait).await?;
    Ok(Outcome::Done)
}

pub(super) async fn pause(target: &Target<'_>, wait: Option<Duration>) -> Result<Outcome> {
    let before = target.read().await?;
    if before.stage == Stage::Paused {
        target.session.log.info(&format!("the {} is paused already", target.repo));
        return Ok(Outcome::Unchanged);
    }
    target.session.hub.pause_space(&target.repo).await?;
    match wait {
        Some(timeout) => target.wait_until_paused(timeout).await?,
        None => drop(target.read().await?),
    }
    target.session.log.info(&format!("paused the {}", target.repo));
    Ok(Outcome::Done)
}

/// Wakes a Space that is asleep. One in an error is not asleep, and a restart would not be expected.
pub(super) async fn wake(target: &Target<'_>, wait: Option<Duration>) -> Result<Outcome> {
    let before = target.read().await?;
    target.name_price(&before).await;
    if !before.stage.is_asleep() {
        let stage = describe_stage(&before.stage);
        target.session.log.info(&format!("the {} is not asleep: {stage}", target.repo));
        if let Some(timeout) = wait {
            target.wait_until_running(timeout, Start::LeftAlone).await?;
        }
        return Ok(Outcome::Unchanged);
    }
    target.session.hub.restart(&target.repo).await?;
    target.session.log.info(&format!("woke the {}", target.repo));
    finish(target, &before.stage, wait).await?;
    Ok(Outcome::Done)
}

/// Waits until a restarted Space runs, or records its state without a wait.
pub(super) async fn finish(target: &Target<'_>, before: &Stage, wait: Option<Duration>) -> Result<()> {
    match wait {
        Some(timeout) => target.wait_until_running(timeout, Start::Restarted(before)).await.map(drop),
        None => target.read().await.map(drop),
    }
}
