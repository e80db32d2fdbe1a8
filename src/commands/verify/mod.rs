//! The check of a running app, as a command.

mod inputs;

use hub::{Credentials, Repo, RepoId, RepoType};

use inputs::{GROUPS, Target, VerifyInputs};

use super::command::{Command, Invocation, connect};
use super::groups::check_outputs::check_outputs;
use super::inputs::values::Values;
use crate::action::journal::Timing;
use crate::action::{Handles, Log, OutputFiles, Report, drive};
use crate::app_check::{App, AppKind, CheckResult};
use crate::failure::{self, Code, Failure, Result};
use crate::ops::{check as app_check, space};

pub(super) static COMMAND: Command = Command {
    name: "verify",
    about: "Check a running app: it answers, and does what it is for",
    details: "Exits with 0 if the app passes or cannot be judged, and with 1 if it does not pass.",
    groups: GROUPS,
    action: None,
    run: |call| Box::pin(run(call)),
};

/// The result of the check.
#[derive(Debug, Default)]
struct VerifyReport(Option<CheckResult>);

impl Report for VerifyReport {
    fn fail(&mut self, _failure: Failure) {}

    fn outputs(&self, _timings: &[Timing]) -> Vec<(&'static str, String)> {
        check_outputs(self.0.as_ref()).to_vec()
    }

    fn is_own_word(_output: &str) -> bool {
        true
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = OutputFiles::from_vars(&call.vars);
    drive(call.log, files, call.cancelled, |handles| async move { check(&values, handles).await }).await
}

async fn check(values: &Values, handles: Handles<VerifyReport>) -> Result<()> {
    let log = &handles.log;
    let (inputs, warnings) = VerifyInputs::from_values(values)?;
    warnings.iter().for_each(|warning| log.warning(warning));
    if let Some(token) = &inputs.token {
        log.mask(token);
    }
    let app = match inputs.target.clone() {
        Target::Url(url) => App { url, token: None, kind: AppKind::Unknown },
        Target::Space(id) => space_app(id, &inputs, log).await?,
    };
    log.info(&format!("checking the app at {}", app.url));
    let result = app_check::check_app(&app, &inputs.check, log).await;
    handles.recorder.record(|report| report.0 = Some(result.clone()));
    app_check::conclude(&result, failure::app_check::hints(&result), log)
}

async fn space_app(id: RepoId, inputs: &VerifyInputs, log: &Log) -> Result<App> {
    let credentials = inputs.token.clone().map_or(Credentials::Anonymous, Credentials::Token);
    let hub = connect(&inputs.endpoint, credentials, log)?;
    let space = Repo { repo_type: RepoType::Space, id };
    space::find_app(&hub, &space).await?.ok_or_else(|| {
        let failure = Failure::new(Code::RepoNotFound, format!("cannot find the app of the {space}"));
        match inputs.token {
            Some(_) => {
                failure.hint("the Space does not exist, or the token in `HF_TOKEN` has no access to it")
            }
            None => failure
                .hint("if the Space is private, set the variable `HF_TOKEN` to a token with read access"),
        }
    })
}
