//! Calls of models at Inference Providers, as a command.

mod input_file;
mod inputs;
mod json;
mod outputs;
mod summary;

use std::sync::Arc;

use hub::{Credentials, HubOptions, Router};
use serde_json::Value;

use inputs::{GROUPS, InferenceInputs};

use super::command::{ActionFiles, Command, Invocation, connect};
use super::inputs::values::Values;
use crate::action::outputs::Outputs;
use crate::action::{Handles, Report, drive};
use crate::failure::{Failure, Result};
use crate::ops::inference::{self, InferenceReport};
use crate::ops::{Session, bundle_bucket};

pub(super) static COMMAND: Command = Command {
    name: "inference",
    about: "Ask a model at Inference Providers: generate, embed or classify, one input or many",
    details: "Exits with 0 if all results are as expected. With `--output-file`, an interrupted run goes on where it ended.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/inference/action.yml",
        readme: ".github/actions/inference/README.md",
        open_groups: 3,
        open_outputs: 20,
    }),
    run: |call| Box::pin(run(call)),
};

impl Report for InferenceReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
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
    drive(call.log, files, call.cancelled, |handles| infer_from(values, handles)).await
}

async fn infer_from(values: Result<Values>, handles: Handles<InferenceReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    let inputs = InferenceInputs::from_values(&values?)?.logged(log);
    let credentials = Credentials::Token(inputs.token);
    let hub = connect(&inputs.endpoint, credentials.clone(), log)?;
    bundle_bucket::push_at_end(inputs.bundle_bucket, &hub, log, journal).await?;
    let session = Session { hub: &hub, log, journal };
    let Some(options) = inputs.options else {
        return inference::read_usage(&session, recorder).await;
    };
    let notes = log.clone();
    let mut router = HubOptions::new(inputs.router);
    router.credentials = credentials;
    crate::USER_AGENT.clone_into(&mut router.user_agent);
    router.on_notice = Arc::new(move |line| notes.info(line));
    let router = Router::new(router, inputs.bill_to.as_deref())?;
    inference::infer(&options, &router, &session, recorder).await
}
