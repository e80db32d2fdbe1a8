//! The clean-up of previews: its inputs, its outputs, and the call of its operation.

mod inputs;
mod outputs;
mod summary;

use inputs::{CleanupInputs, GROUPS};

use super::command::{ActionFiles, Command, Invocation, open};
use super::inputs::values::Values;
use crate::action::outputs::Outputs;
use crate::action::{Handles, Report, drive};
use crate::failure::{self, Failure, Result};
use crate::github::Github;
use crate::ops::bundle_bucket;
use crate::ops::cleanup::{CleanupReport, previews};

pub(super) static COMMAND: Command = Command {
    name: "cleanup",
    about: "Delete the preview Spaces of pull requests that are closed, or that did not change for a long time",
    details: "Exits with 1 if a Space could not be deleted. Reads GITHUB_REPOSITORY, GITHUB_SERVER_URL and GITHUB_API_URL.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/cleanup/action.yml",
        readme: ".github/actions/cleanup/README.md",
        open_groups: 2,
        open_outputs: 6,
    }),
    run: |call| Box::pin(run(call)),
};

impl Report for CleanupReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    fn summary(&self, warnings: &[String]) -> Option<String> {
        Some(summary::summary(self, warnings))
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| clean_up(values, handles)).await
}

async fn clean_up(values: Result<Values>, handles: Handles<CleanupReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    let inputs = CleanupInputs::from_values(&values?)?.logged(log);
    let hub = open(inputs.access, log)?;
    bundle_bucket::push_at_end(inputs.bundle_bucket, &hub, log, journal).await?;
    let github = Github::new(inputs.github).map_err(|error| failure::cleanup::github_not_asked(&error))?;
    previews::delete_previews(&inputs.cleanup, &github, &hub, log, recorder).await
}
