//! The check of a running app, as a command.

mod bundle;
mod checks_file;
mod inputs;
mod json;
mod outputs;
mod summary;

use hub::Credentials;
use serde_json::Value;

use inputs::{GROUPS, VerifyInputs};

use super::command::{ActionFiles, Command, Invocation, connect};
use super::inputs::values::Values;
use crate::action::outputs::Outputs;
use crate::action::{Handles, Report, drive};
use crate::failure::{Failure, Result};
use crate::ops::verify::{self, Target, VerifyReport};
use crate::ops::{Session, bundle_bucket};
use crate::run_bundle::{BundleFile, RunFacts};

pub(super) static COMMAND: Command = Command {
    name: "verify",
    about: "Check a running app: it answers, and does what it is for",
    details: "Exits with 0 if the app passes or cannot be judged, and with 1 if it does not pass.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/verify/action.yml",
        readme: ".github/actions/verify/README.md",
        open_groups: 3,
        open_outputs: 20,
    }),
    run: |call| Box::pin(run(call)),
};

impl Report for VerifyReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    fn ordinary_text(&self) -> Vec<String> {
        let target = match &self.target {
            Some(Target::Space(id)) => Some(id.to_string()),
            Some(Target::Url(url)) => Some(url.to_string()),
            None => None,
        };
        target.into_iter().chain(self.app_url.as_ref().map(ToString::to_string)).collect()
    }

    fn facts(&self) -> RunFacts {
        bundle::facts(self)
    }

    fn bundle_files(&self) -> Vec<BundleFile> {
        bundle::files(self)
    }

    fn summary(&self, warnings: &[String]) -> Option<String> {
        Some(summary::summary(self, warnings))
    }

    fn json(&self) -> Option<Value> {
        Some(json::json(self))
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| verify_from(values, handles)).await
}

async fn verify_from(values: Result<Values>, handles: Handles<VerifyReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    let inputs = VerifyInputs::from_values(&values?)?.logged(log);
    let credentials = inputs.token.map_or(Credentials::Anonymous, Credentials::Token);
    let hub = connect(&inputs.endpoint, credentials, log)?;
    bundle_bucket::push_at_end(inputs.bundle_bucket, &hub, log, journal).await?;
    verify::verify(&inputs.options, &Session { hub: &hub, log, journal }, recorder).await
}
