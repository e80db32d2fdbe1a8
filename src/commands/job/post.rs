//! The post step of actions with a Job: it cancels the Job of a step that was killed, and deletes its checkout.

use std::path::Path;

use hub::{Credentials, Hub, JobName};

use super::access;
use crate::action::{GithubContext, Log, PostState, SavedState};
use crate::commands::command::{Invocation, connect};
use crate::commands::groups::sign_in;
use crate::commands::inputs::values::Values;
use crate::failure::bucket::bucket_failure;
use crate::failure::{Failure, Result, bundle as bundle_advice, cancelled, job as advice};
use crate::ops::job;
use crate::ops::job::options::RunId;
use crate::run_bundle::{EarlierBundle, RunError};

/// Name of the state that holds the id of the run bundle.
const BUNDLE: &str = "bundle";

/// Saves in the main step what each post step needs.
///
/// # Errors
///
/// `local_io`: the state cannot be saved, so that nothing may begin that a post step would have to end.
pub(crate) fn begin(state: &PostState, log: &Log) -> Result<()> {
    let kept = log.bundle().filter(|bundle| bundle.folder().is_some());
    state
        .start()
        .and_then(|()| kept.map_or(Ok(()), |bundle| state.save(BUNDLE, bundle.id().as_str())))
        .map_err(advice::cannot_save_state)
}

/// Runs the post step. Returns the exit code.
pub(crate) async fn run(call: Invocation, values: Result<Values>, saved: SavedState) -> u8 {
    let var = |name: &str| call.vars.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let workspace = GithubContext::from_vars(var).workspace;
    let unended = workspace.and_then(|workspace| unended_bundle(&workspace, &saved));
    if saved.is_settled() && job::left_checkout(&saved).is_none() && unended.is_none() {
        return 0;
    }
    call.drive(async |log| {
        if let Some((id, bundle)) = unended {
            end_bundle(id, bundle, log);
        }
        clean_up(&values?, &saved, log).await
    })
    .await
}

/// Returns the bundle of the main step, with its id, if its process was killed before it could end the run.
fn unended_bundle<'a>(workspace: &Path, saved: &'a SavedState) -> Option<(&'a str, EarlierBundle)> {
    let id = saved.get(BUNDLE)?;
    let bundle = EarlierBundle::in_workspace(workspace, id).ok()??;
    bundle.is_running().then_some((id, bundle))
}

/// Writes the end of a killed run into its bundle, because a later step or another program reads it.
fn end_bundle(id: &str, bundle: EarlierBundle, log: &Log) {
    let Failure { code, message, hints, .. } = cancelled::killed();
    match bundle.end_killed(RunError { code: code.as_str(), message, hints }) {
        Ok(()) => log.info(&format!("the step was killed: its run bundle `{id}` says so now")),
        Err(error) => log.warning(&bundle_advice::not_ended(id, &error)),
    }
}

async fn clean_up(values: &Values, saved: &SavedState, log: &Log) -> Result<()> {
    let checkout = job::left_checkout(saved);
    let launched = saved.get("launch").or(saved.get("job")).and_then(|text| text.split_once('/'));
    let launched = launched.filter(|_| !saved.is_settled());
    // A step that ended before it sent anything left nothing behind.
    if checkout.is_none() && launched.is_none() {
        return Ok(());
    }
    let mut diagnostics = values.diagnostics();
    let github = GithubContext::from_vars(|name| values.environment().exact(name));
    let token = access::token(values, &github, &mut diagnostics);
    let endpoint = sign_in::endpoint(values.environment(), &mut diagnostics);
    let (token, endpoint) = diagnostics.accept(token.zip(endpoint))?.logged(log);
    let hub = connect(&endpoint, Credentials::Token(token), log)?;
    let cancelled = match launched {
        Some((namespace, run)) => cancel(&hub, (namespace, run), saved, log).await,
        None => Ok(()),
    };
    if let Some((bucket, folder)) = checkout {
        let deleted = hub.delete_bucket_folder(&bucket, &folder).await;
        let by_hand = advice::delete_checkout_by_hand(&bucket, &folder);
        let deleted = deleted.map_err(|error| bucket_failure(error, &bucket).hint(by_hand));
        // A Job that still runs matters more.
        cancelled.and(deleted.map(drop))?;
        log.info(&format!("the step was killed: deleted the checkout in the bucket `{bucket}`"));
        return Ok(());
    }
    cancelled
}

/// Cancels the Job that the step launched, or the one that it followed.
async fn cancel(hub: &Hub, (namespace, run): (&str, &str), saved: &SavedState, log: &Log) -> Result<()> {
    let known = saved.get("job").and_then(|text| text.parse::<JobName>().ok()).map(|name| name.id);
    // A step that followed a Job saved its id, which may have underscores.
    let Some(run) = RunId::from_label(&run.replace('_', "-")) else { return Ok(()) };
    let cancelled = job::cancel(hub, namespace, &run, known)
        .await
        .map_err(|error| Failure::from(error).hint(advice::cancel_by_hand(namespace, None)))?;
    for job in cancelled {
        log.info(&format!("the step was killed: the Job `{}` is {}", job.name(), job.status.stage.as_str()));
    }
    Ok(())
}
