//! Datasets on the Hub, as an action and as commands.

mod access;
pub(super) mod delete;
pub(super) mod download;
mod inputs;
pub(super) mod list;
mod outputs;
mod summary;
mod traces;

use std::time::Duration;

use hub::{Credentials, DatasetViewer, HubOptions};
use url::Url;

use inputs::{DatasetInputs, GROUPS};

use super::command::{ActionFiles, Command, Invocation, connect};
use super::deploy::ordinary;
use super::inputs::values::Values;
use crate::action::outputs::Outputs;
use crate::action::{Handles, Report, drive};
use crate::failure::{Failure, Result};
use crate::ops::Session;
use crate::ops::dataset::upload::{DatasetReport, upload};
use crate::ops::deploy::report::Status;
use crate::run_bundle::RunFacts;

pub(super) static COMMAND: Command = Command {
    name: "dataset",
    about: "Check the files of a dataset, and upload them to the Hub with a card in one commit",
    details: "Exits with 2 if a file is not right; then nothing is sent.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/dataset/action.yml",
        readme: ".github/actions/dataset/README.md",
        open_groups: 2,
        open_outputs: 20,
    }),
    run: |call| Box::pin(run(call)),
};

/// The same with options, beside the commands that read datasets.
pub(super) static UPLOAD: Command = COMMAND.as_part("dataset upload");

impl Report for DatasetReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn cancelled(&self) -> Failure {
        Report::cancelled(&self.deploy)
    }

    fn fail(&mut self, failure: Failure) {
        self.deploy.fail(failure);
    }

    fn end(&mut self, took: Duration) {
        self.deploy.end(took);
    }

    fn ordinary_text(&self) -> Vec<String> {
        ordinary::of_report(&self.deploy)
    }

    fn summary(&self, warnings: &[String]) -> Option<String> {
        Some(summary::summary(self, warnings))
    }

    fn facts(&self) -> RunFacts {
        RunFacts { is_skipped: self.deploy.status == Some(Status::Skipped), ..RunFacts::default() }
    }

    fn closing_line(&self) -> Option<String> {
        self.deploy.closing_line()
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| upload_from(values, handles)).await
}

async fn upload_from(values: Result<Values>, handles: Handles<DatasetReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    let inputs = DatasetInputs::from_values(&values?)?.logged(log);
    let endpoint = inputs.endpoint.as_str().trim_end_matches('/').to_owned();
    recorder.record(|report| report.deploy.endpoint = endpoint);
    let Some(credentials) = inputs.credentials else {
        log.notice(&format!("skipped: {}", inputs::SKIPPED));
        recorder.record(|report| report.deploy.status = Some(Status::Skipped));
        return Ok(());
    };
    let viewer = inputs.viewer.map(|address| viewer(address, &credentials)).transpose()?;
    let hub = connect(&inputs.endpoint, credentials, log)?;
    let session = Session { hub: &hub, log, journal };
    upload(&inputs.options, viewer.as_ref(), &session, recorder).await
}

/// Makes a client of the viewer. An ID token is for the Hub alone.
fn viewer(address: Url, credentials: &Credentials) -> Result<DatasetViewer> {
    let mut options = HubOptions::new(address);
    if let Credentials::Token(token) = credentials {
        options.credentials = Credentials::Token(token.clone());
    }
    crate::USER_AGENT.clone_into(&mut options.user_agent);
    Ok(DatasetViewer::new(options)?)
}
