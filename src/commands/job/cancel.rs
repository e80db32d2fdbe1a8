//! The cancellation of a Job.

use super::list::to_json;
use super::rows::{Answer, NAMED_JOB, answer, named_job, reader};
use crate::commands::command::{Command, Invocation};
use crate::ops::job;
use crate::text::plain;

pub(crate) static COMMAND: Command =
    reader("job cancel", "Cancel a Job", "", NAMED_JOB, |call| Box::pin(run(call)));

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let (hub, namespace, name) = named_job(values, values.diagnostics(), log)?;
        let found = job::find(&hub, namespace.as_deref(), &name).await?;
        let job = hub.cancel_job(&found.owner.name, &found.id).await?;
        let text = if found.status.stage.is_final() {
            format!("the Job `{}` had ended: {}", job.name(), plain(job.status.stage.as_str()))
        } else {
            format!("cancelled the Job `{}`", job.name())
        };
        Ok(Answer { json: to_json(&job), text })
    })
    .await
}
