//! Commands that read Jobs: their shared inputs, and their report.

use std::pin::Pin;
use std::str::FromStr;

use hub::{Credentials, Hub, JobName};
use serde_json::Value;

use super::access::{self, ACCESS};
use crate::action::{GithubContext, Handles, Log, Report, drive};
use crate::commands::command::{Command, Invocation, connect, prints_json};
use crate::commands::groups::sign_in;
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::values::Values;
use crate::failure::{Failure, Result};

pub(super) const NAMED_JOB: &[Group] = &[ACCESS, JOB];

inputs! {
    /// The Job that a command is about.
    JOB: "Job", "";
    JOB_ID = Input {
        kind: ValueKind::Text("JOB"),
        summary: "Id of the Job, `namespace/id`, or the address of its page",
        default: DefaultValue::Required,
        is_positional: true,
        ..Input::new("job_id")
    };
}

/// Report of a command that reads Jobs: JSON for other programs.
#[derive(Debug, Default)]
pub(super) struct Rows(Option<Value>);

impl Report for Rows {
    fn fail(&mut self, _failure: Failure) {}

    fn json(&self) -> Option<Value> {
        self.0.clone()
    }
}

/// Returns a command that reads Jobs: it has no outputs, and is no action.
pub(super) const fn reader(
    name: &'static str,
    about: &'static str,
    details: &'static str,
    groups: &'static [Group],
    run: fn(Invocation) -> Pin<Box<dyn Future<Output = u8>>>,
) -> Command {
    Command { name, about, details, groups, outputs: &[], action: None, run }
}

/// Answer of a command: JSON, and lines for people.
pub(super) struct Answer {
    pub(super) json: Value,
    pub(super) text: String,
}

/// Runs a command that reads Jobs, and prints its answer. Returns the exit code.
pub(super) async fn answer(
    call: Invocation,
    command: &Command,
    work: impl AsyncFnOnce(&Values, &Log) -> Result<Answer>,
) -> u8 {
    let values = call.values(command);
    let files = call.output_files();
    let is_json = prints_json(&call.options);
    drive(call.log, files, call.cancelled, |handles: Handles<Rows>| async move {
        let answer = work(&values?, &handles.log).await?;
        if !is_json {
            handles.log.info(answer.text.trim_end_matches('\n'));
        }
        handles.recorder.record(|rows| rows.0 = Some(answer.json));
        Ok(())
    })
    .await
}

/// Reads a number from 1.
pub(super) fn positive<T: FromStr + PartialOrd + From<u8>>(text: &str) -> Parsed<T> {
    match text.parse() {
        Ok(number) if number >= T::from(1) => Ok(number),
        _ => parse::not_like("a positive number", text),
    }
}

/// Signs in. The other faults of the inputs are reported as well.
pub(super) fn sign_in(
    values: &Values,
    mut diagnostics: Diagnostics,
    log: &Log,
) -> Result<(Hub, Option<String>)> {
    let github = GithubContext::from_vars(|name| values.environment().exact(name));
    let token = access::token(values, &github, &mut diagnostics);
    let namespace = access::namespace(values, &mut diagnostics);
    let endpoint = sign_in::endpoint(values.environment(), &mut diagnostics);
    let (token, endpoint) = diagnostics.accept(token.zip(endpoint))?.logged(log);
    Ok((connect(&endpoint, Credentials::Token(token), log)?, namespace))
}

/// Signs in, and reads the name of the Job. The other faults of the inputs are reported as well.
pub(super) fn named_job(
    values: &Values,
    mut diagnostics: Diagnostics,
    log: &Log,
) -> Result<(Hub, Option<String>, JobName)> {
    let name = values.required(&JOB_ID, str::parse::<JobName>, &mut diagnostics);
    let (hub, namespace) = sign_in(values, diagnostics, log)?;
    let name = name.ok_or_else(|| Failure::new(crate::failure::Code::Internal, "a Job without a name"))?;
    Ok((hub, namespace, name))
}
