//! The check of a running app, as a command.

mod inputs;
mod outputs;
mod report;

use hub::{Credentials, Repo, RepoId, RepoType};

use inputs::{GROUPS, TOKEN, Target, VerifyInputs};
use report::VerifyReport;

use super::command::{Command, Invocation, connect};
use super::inputs::values::Values;
use super::outputs::is_own_word;
use crate::action::journal::Timing;
use crate::action::{Handles, Log, OutputFiles, Report, drive};
use crate::app_check::{App, AppKind};
use crate::failure::{self, Code, Failure, Result};
use crate::ops::{check as app_check, space};

pub(super) static COMMAND: Command = Command {
    name: "verify",
    about: "Check a running app: it answers, and does what it is for",
    details: "Exits with 0 if the app passes or cannot be judged, and with 1 if it does not pass.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS,
    action: None,
    run: |call| Box::pin(run(call)),
};

impl Report for VerifyReport {
    fn fail(&mut self, _failure: Failure) {}

    fn outputs(&self, timings: &[Timing]) -> Vec<(&'static str, String)> {
        outputs::outputs(self, timings)
    }

    fn is_own_word(output: &str) -> bool {
        is_own_word(outputs::OUTPUTS, output)
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = OutputFiles::from_vars(&call.vars);
    drive(call.log, files, call.cancelled, |handles| check(values, handles)).await
}

async fn check(values: Result<Values>, handles: Handles<VerifyReport>) -> Result<()> {
    let log = &handles.log;
    let values = values?;
    let inputs = VerifyInputs::from_values(&values)?.logged(log);
    let app = match inputs.target.clone() {
        Target::Url(url) => App { url, token: None, kind: AppKind::Unknown },
        Target::Space(id) => space_app(id, &inputs, &values.quoted(&TOKEN), log).await?,
    };
    log.info(&format!("checking the app at {}", app.url));
    let result = app_check::check_app(&app, &inputs.check, log).await;
    handles.recorder.record(|report| report.0 = Some(result.clone()));
    app_check::conclude(&result, failure::app_check::hints(&result), log)
}

/// Finds the app of a Space. `token` is the name of its input, for messages.
async fn space_app(id: RepoId, inputs: &VerifyInputs, token: &str, log: &Log) -> Result<App> {
    let credentials = inputs.token.clone().map_or(Credentials::Anonymous, Credentials::Token);
    let hub = connect(&inputs.endpoint, credentials, log)?;
    let space = Repo { repo_type: RepoType::Space, id };
    space::find_app(&hub, &space).await?.ok_or_else(|| {
        let failure = Failure::new(Code::RepoNotFound, format!("cannot find the app of the {space}"));
        match inputs.token {
            Some(_) => {
                failure.hint(format!("the Space does not exist, or the token in {token} has no access to it"))
            }
            None => failure.hint(format!("if the Space is private, set {token} to a token with read access")),
        }
    })
}
