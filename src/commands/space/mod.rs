//! An operation on one Space, as a command and as an action.

mod bundle;
mod inputs;
mod outputs;
mod summary;

use serde_json::{Value, json};

use crate::action::outputs::Outputs;
use crate::action::{Handles, Report, drive};
use crate::failure::{self, Code, Failure, Result};
use crate::ops::space_operation::{self, report::SpaceReport};
use crate::ops::{Session, bundle_bucket};
use crate::run_bundle::RunFacts;

use super::command::{ActionFiles, Command, Invocation, open};
use super::inputs::values::Values;
use inputs::{GROUPS, SpaceInputs};

pub(super) static COMMAND: Command = Command {
    name: "space",
    about: "Read, restart, pause, wake or delete a Space, or change its hardware, sleep time or dev mode",
    details: "Exits with 0 if the Space came to what was asked for.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/space/action.yml",
        readme: ".github/actions/space/README.md",
        open_groups: 3,
        open_outputs: 5,
    }),
    run: |call| Box::pin(run(call)),
};

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| operate(values, handles)).await
}

impl Report for SpaceReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn cancelled(&self) -> Failure {
        Failure::new(Code::Cancelled, "cancelled: the Hub goes on with what it was asked for")
            .hint("see the state of the Space with the operation `status`")
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    fn ordinary_text(&self) -> Vec<String> {
        self.repo.iter().map(|repo| repo.id.to_string()).collect()
    }

    fn summary(&self, warnings: &[String]) -> Option<String> {
        Some(summary::summary(self, warnings))
    }

    fn json(&self) -> Option<Value> {
        if self.logs.is_empty() {
            return None;
        }
        let mut all: serde_json::Map<String, Value> = Self::OUTPUTS
            .render(self, &[])
            .into_iter()
            .map(|(output, value)| (output.name.to_owned(), value.into()))
            .collect();
        let logs = self.logs.iter().map(|(kind, lines)| (kind.as_str().to_owned(), json!(lines)));
        all.insert("logs".to_owned(), Value::Object(logs.collect()));
        Some(all.into())
    }

    fn facts(&self) -> RunFacts {
        bundle::facts(self)
    }

    fn closing_line(&self) -> Option<String> {
        let status = self.outcome.filter(|_| self.failure.is_none())?.as_str();
        let stage = self.runtime.as_ref().map(|runtime| format!(" ({})", runtime.stage.as_str()));
        Some(format!("{status}: {}{}", self.page()?, stage.unwrap_or_default()))
    }
}

async fn operate(values: Result<Values>, handles: Handles<SpaceReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    let SpaceInputs { access, options, bundle_bucket: bucket } =
        SpaceInputs::from_values(&values?)?.logged(log);
    let hub = open(access, log)?;
    bundle_bucket::push_at_end(bucket, &hub, log, journal).await?;
    recorder.record(|report| hub.endpoint().clone_into(&mut report.endpoint));
    let session = Session { hub: &hub, log, journal };
    space_operation::run(&options, &session, recorder).await.map_err(failure::deploy::explain_token)
}
