//! A Space that failed, left in dev mode to be looked into.

use hub::{Lookup, Revision, Runtime, SpaceSdk, Stage, Visibility};

use crate::failure::deploy_log as advice;
use crate::failure::space_operation;
use crate::failure::{Code, Failure};
use crate::ops::space::{DevModeAccess, HourlyPrices, dev_mode_access, is_free};

use super::context::Context;
use super::options::LeaveOpen;
use super::visibility::Audience;
use super::wait::LiveTarget;

/// Warns before the wait about a Space that a failure would not leave open.
pub(super) fn warn_if_public(context: &Context<'_>, audience: Audience) {
    let LeaveOpen::IfPrivate { has_previews: false } = context.options.space.leave_open else { return };
    let is_private = audience == Audience::Known(Visibility::Private);
    if let Some(reason) = obstacle(context, is_private) {
        context.log.warning(&advice::would_not_be_left_open(&context.repo, reason));
    }
}

/// Ends the dev mode that an earlier run left, because the Hub builds no commit meanwhile. Returns the stage before.
pub(super) async fn end_dev_mode(context: &Context<'_>, target: &LiveTarget<'_>) -> Option<Stage> {
    let Context { hub, log, repo, .. } = context;
    if target.is_new_space || obstacle(context, target.before.private).is_some() {
        return None;
    }
    // Without an answer, the wait reports the state of the Space.
    let runtime = hub.runtime(repo).await.ok().filter(|runtime| runtime.dev_mode)?;
    match hub.set_dev_mode(repo, false).await {
        Ok(()) => {
            log.info(
                "switched dev mode off, which an earlier run or a person left on: the Hub builds the commit",
            );
            Some(runtime.stage)
        }
        Err(error) => {
            log.warning(&format!("cannot end the dev mode of an earlier run: {error}"));
            None
        }
    }
}

/// Switches dev mode on for a Space whose app failed, and logs and records the ways into it. Returns false if the Space
/// is not left open. A reason for that is a warning, because the failure that led here stays the failure of the run.
pub(super) async fn leave_open(context: &Context<'_>) -> bool {
    if context.options.space.leave_open == LeaveOpen::Never {
        return false;
    }
    let (access, runtime) = match open(context).await {
        Ok(opened) => opened,
        Err(reason) => {
            context.log.warning(&advice::not_left_open(&context.repo, &reason));
            return false;
        }
    };
    context.log.info("left the Space in dev mode, to be looked into");
    access.print(context.log);
    context.log.info(&advice::dev_mode_ends());
    log_price(context, &runtime).await;
    let data = serde_json::json!({ "ssh": access.ssh, "editor": access.editor });
    context.journal.event("left_open", format!("left the {} in dev mode", context.repo), data);
    context.recorder.record(|report| report.dev_mode = Some(access));
    true
}

/// Returns the ways into the Space and its state before, or the reason for which it is not opened.
async fn open(context: &Context<'_>) -> Result<(DevModeAccess, Runtime), String> {
    let Context { hub, repo, .. } = context;
    let reason_of = |error: hub::Error| error.to_string();
    // A fresh look, because the Space may be public by now.
    let info = match hub.look_up(repo, &Revision::default()).await.map_err(reason_of)? {
        Lookup::Found(info) => *info,
        Lookup::NoRevision | Lookup::NoRepo(_) => return Err("the Hub no longer finds it".to_owned()),
    };
    if let Some(reason) = obstacle(context, info.private) {
        return Err(reason.to_owned());
    }
    if info.sdk.as_deref() == Some(SpaceSdk::Static.as_str()) {
        return Err("nothing runs in a static Space".to_owned());
    }
    let runtime = hub.runtime(repo).await.map_err(reason_of)?;
    if matches!(runtime.stage, Stage::BuildError | Stage::ConfigError | Stage::NoAppFile) {
        return Err("it has no container to look into, because its image was not built".to_owned());
    }
    if !runtime.dev_mode {
        switch_on(context).await?;
    }
    Ok((dev_mode_access(hub.endpoint(), repo, &info), runtime))
}

/// Switches dev mode on. A write whose answer was lost is looked up.
async fn switch_on(context: &Context<'_>) -> Result<(), String> {
    let Context { hub, repo, .. } = context;
    let Err(error) = hub.set_dev_mode(repo, true).await else { return Ok(()) };
    if error.status().is_none() && hub.runtime(repo).await.is_ok_and(|runtime| runtime.dev_mode) {
        return Ok(());
    }
    let failure = space_operation::after_lookup(Failure::from(error), true);
    let is_about_rights = matches!(failure.code, Code::PaymentRequired | Code::PermissionDenied);
    let hint = failure.hints.first().filter(|_| is_about_rights);
    Err(format!("{failure}{}", hint.map(|hint| format!(" ({hint})")).unwrap_or_default()))
}

/// Returns the reason for which a failure may not leave the Space open.
fn obstacle(context: &Context<'_>, is_private: bool) -> Option<&'static str> {
    match context.options.space.leave_open {
        LeaveOpen::Never => Some("it is not asked for"),
        LeaveOpen::Preview => None,
        LeaveOpen::IfPrivate { .. } if context.options.has_proxy => {
            Some("its proxy is public, and visitors would meet the failed app")
        }
        LeaveOpen::IfPrivate { .. } if is_private => None,
        LeaveOpen::IfPrivate { .. } => Some("it is not private, and visitors would meet the failed app"),
    }
}

/// Names the price of paid hardware, which runs on in dev mode.
async fn log_price(context: &Context<'_>, runtime: &Runtime) {
    if let Some(hardware) = runtime.flavor().filter(|hardware| !is_free(hardware)) {
        let price = HourlyPrices::read(&context.hub).await.of(hardware);
        context.log.info(&space_operation::price(hardware.as_str(), price));
    }
}
