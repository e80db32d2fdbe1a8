//! The post step of the action: it cancels the Job of a step that was killed.

use hub::{Credentials, JobName};

use super::access;
use crate::action::{GithubContext, Log, SavedState};
use crate::commands::command::{Invocation, connect};
use crate::commands::groups::sign_in;
use crate::commands::inputs::values::Values;
use crate::failure::{Result, job as advice};
use crate::ops::job;
use crate::ops::job::options::RunId;

/// Runs the post step. Returns the exit code.
pub(super) async fn run(call: Invocation, values: Result<Values>, saved: SavedState) -> u8 {
    if saved.is_settled() {
        return 0;
    }
    call.drive(async |log| clean_up(&values?, &saved, log).await).await
}

async fn clean_up(values: &Values, saved: &SavedState, log: &Log) -> Result<()> {
    // A step that ended before the creation of a Job left nothing behind.
    let Some((namespace, run)) =
        saved.get("launch").or(saved.get("job")).and_then(|text| text.split_once('/'))
    else {
        return Ok(());
    };
    let mut diagnostics = values.diagnostics();
    let github = GithubContext::from_vars(|name| values.environment().exact(name));
    let token = access::token(values, &github, &mut diagnostics);
    let endpoint = sign_in::endpoint(values.environment(), &mut diagnostics);
    let (token, endpoint) = diagnostics.accept(token.zip(endpoint))?.logged(log);
    let hub = connect(&endpoint, Credentials::Token(token), log)?;
    let known = saved.get("job").and_then(|text| text.parse::<JobName>().ok()).map(|name| name.id);
    let Some(run) = RunId::from_label(run) else { return Ok(()) };
    let cancelled = job::cancel(&hub, namespace, &run, known).await.map_err(|error| {
        crate::failure::Failure::from(error).hint(advice::cancel_by_hand(namespace, None))
    })?;
    for job in cancelled {
        log.info(&format!("the step was killed: the Job `{}` is {}", job.name(), job.status.stage.as_str()));
    }
    Ok(())
}
