//! A Job on the Hub's hardware, as an action and as a command.

mod access;
pub(super) mod cancel;
mod declared;
pub(super) mod hardware;
mod inputs;
pub(super) mod list;
pub(super) mod logs;
mod outputs;
pub(super) mod post;
mod rows;
mod script;
mod summary;
pub(super) mod wait;

use hub::Credentials;

use super::command::{ActionFiles, Command, Invocation, connect};
use super::inputs::values::Values;
use crate::action::outputs::Outputs;
use crate::action::{Handles, PostState, Report, SavedState, drive};
use crate::failure::{Failure, Result, cancelled};
use crate::ops::job::report::{JobReport, Status};
use crate::ops::{Session, bundle_bucket, job};
use crate::run_bundle::RunFacts;
use declared::GROUPS;
use inputs::JobInputs;

pub(super) static COMMAND: Command = Command {
    name: "job",
    about: "Run a script or a command on Hugging Face hardware, with live logs and its exit code",
    details: "The Job is cancelled when this program is. Exits with 1 if the Job fails.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/job/action.yml",
        readme: ".github/actions/job/README.md",
        open_groups: 3,
        open_outputs: 6,
    }),
    run: |call| Box::pin(run(call)),
};

/// The same with options, beside the commands that read Jobs.
pub(super) static RUN: Command = COMMAND.as_part("job run");

impl Report for JobReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn cancelled(&self) -> Failure {
        cancelled::command(match &self.job {
            Some(job) if self.is_only_watched => {
                format!("stopped following the Job `{}/{}`, which goes on", job.namespace, job.id)
            }
            Some(job) => format!("the run was cancelled, and the Job `{}/{}` with it", job.namespace, job.id),
            None => "the run was cancelled before a Job was created".to_owned(),
        })
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    fn summary(&self, warnings: &[String]) -> Option<String> {
        Some(summary::summary(self, warnings))
    }

    fn facts(&self) -> RunFacts {
        RunFacts { job: self.facts(), ..RunFacts::default() }
    }

    fn closing_line(&self) -> Option<String> {
        let job = self.job.as_ref()?;
        match self.status() {
            Status::Succeeded | Status::Running => Some(format!("{}: {}", self.status().as_str(), job.url)),
            Status::Failed | Status::Cancelled => None,
        }
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    // The runner calls the post step with the same arguments.
    if let Some(saved) = SavedState::from_vars(&call.vars).filter(|_| call.has_runner_inputs()) {
        return post::run(call, values, saved).await;
    }
    let state = PostState::from_vars(&call.vars);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| start(values, state, handles)).await
}

async fn start(values: Result<Values>, state: PostState, handles: Handles<JobReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    post::begin(&state, log)?;
    let run = log.bundle().map(|bundle| bundle.id().as_str()).unwrap_or("run");
    let inputs = JobInputs::from_values(&values?, run)?.logged(log);
    let hub = connect(&inputs.endpoint, Credentials::Token(inputs.token), log)?;
    bundle_bucket::push_at_end(inputs.bundle_bucket, &hub, log, journal).await?;
    let session = Session { hub: &hub, log, journal };
    job::run(&inputs.options, &session, recorder, &state).await
}
