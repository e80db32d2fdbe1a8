//! A Space for a model, as a command and as an action.

mod agent;
mod bundle;
mod declared;
mod inputs;
mod outputs;
mod summary;

use std::time::Duration;

use declared::GROUPS;
use inputs::BuildInputs;

use super::command::{ActionFiles, Command, Invocation, connect};
use super::inputs::values::Values;
use crate::action::outputs::Outputs;
use crate::action::{Handles, PostState, Report, SavedState, drive};
use crate::commands::job;
use crate::failure::{Failure, Result};
use crate::ops::build_space::{self, BuildReport};
use crate::ops::deploy::report::Status;
use crate::ops::{Session, bundle_bucket};
use crate::run_bundle::{BundleFile, RunBundle, RunFacts};

pub(super) static COMMAND: Command = Command {
    name: "build-space",
    about: "Turn a model into a Space: the files, the hardware, the wait, and a check that calls the app",
    details: "Exits with 0 if the app does what the model is for, as far as `--fail-on` wants it. With `--dry-run`, it recommends and generates only.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/build-space/action.yml",
        readme: ".github/actions/build-space/README.md",
        open_groups: 2,
        open_outputs: 20,
    }),
    run: |call| Box::pin(run(call)),
};

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    // The runner calls the post step with the same arguments. The Job of an agent may be left.
    if let Some(saved) = SavedState::from_vars(&call.vars).filter(|_| call.has_runner_inputs()) {
        return job::post::run(call, values, saved).await;
    }
    let state = PostState::from_vars(&call.vars);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| build_from(values, state, handles)).await
}

impl Report for BuildReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn cancelled(&self) -> Failure {
        Report::cancelled(&self.deploy)
            .hint("run it again: a Space of this action is updated, and only files that differ are sent")
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    fn end(&mut self, took: Duration) {
        self.took = Some(took);
    }

    fn ordinary_text(&self) -> Vec<String> {
        let space = self.deploy.repo.as_ref().map(|repo| repo.id.to_string());
        space.into_iter().chain(self.deploy.space_url.clone()).chain([self.model.clone()]).collect()
    }

    fn summary(&self, warnings: &[String]) -> Option<String> {
        Some(summary::summary(self, warnings))
    }

    fn facts(&self) -> RunFacts {
        bundle::facts(self)
    }

    fn bundle_files(&self) -> Vec<BundleFile> {
        bundle::files(self)
    }

    fn closing_line(&self) -> Option<String> {
        let app = self.deploy.space_url.as_deref().map(|url| format!(": {url}")).unwrap_or_default();
        match self.status() {
            Status::DryRun => Some("dry run: nothing was changed".to_owned()),
            status @ (Status::Deployed | Status::Unchanged) => Some(format!("{}{app}", status.as_str())),
            _ => None,
        }
    }
}

async fn build_from(values: Result<Values>, state: PostState, handles: Handles<BuildReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    job::post::begin(&state, log)?;
    let inputs = BuildInputs::from_values(&values?)?.logged(log);
    let hub = connect(&inputs.endpoint, inputs.credentials, log)?;
    if let Some(token) = &inputs.options.question.space_token {
        log.mask(token);
    }
    bundle_bucket::push_at_end(inputs.bundle_bucket, &hub, log, journal).await?;
    build_space::build_space(&inputs.options, &Session { hub: &hub, log, journal }, recorder, &state).await?;
    let folder = log.bundle().and_then(RunBundle::path);
    if let Some(folder) = folder.filter(|_| inputs.options.dry_run) {
        log.info(&format!("the generated files are in `{folder}/generated`"));
    }
    Ok(())
}
