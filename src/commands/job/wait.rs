//! The wait for the end of a Job, without cancelling it.

use super::outputs;
use super::rows::{NAMED_JOB, named_job};
use crate::action::{GithubContext, Handles, PostState, drive};
use crate::commands::command::{Command, Invocation};
use crate::commands::inputs::values::Values;
use crate::failure::Result;
use crate::ops::job::options::{ExistingJob, JobOptions, Target};
use crate::ops::job::report::JobReport;
use crate::ops::{Session, job};

pub(crate) static COMMAND: Command = Command {
    name: "job wait",
    about: "Follow a Job to its end, and fetch its output",
    details: "The Job goes on when this command is interrupted. Exits with 1 if the Job fails.",
    groups: NAMED_JOB,
    outputs: outputs::OUTPUTS.declared,
    action: None,
    run: |call| Box::pin(run(call)),
};

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| wait(values, handles)).await
}

async fn wait(values: Result<Values>, handles: Handles<JobReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    let values = values?;
    let (hub, namespace, name) = named_job(&values, values.diagnostics(), log)?;
    let github = GithubContext::from_vars(|name| values.environment().exact(name));
    let options = JobOptions {
        namespace,
        target: Target::Existing(ExistingJob { name, keep_output: true }),
        is_waited_for: true,
        is_cancelled_with_run: false,
        workspace: github.workspace.unwrap_or_else(|| ".".into()),
        tls_roots: values.environment().var("SSL_CERT_FILE").map(Into::into),
    };
    let session = Session { hub: &hub, log, journal };
    job::run(&options, &session, recorder, &PostState::default()).await
}
