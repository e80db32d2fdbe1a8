//! The deletion of the test repos that a run created, as a command.

use std::path::PathBuf;

use super::command::{Command, Invocation, open};
use super::groups::sign_in::{self, HubAccess};
use super::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use super::inputs::diagnostics::Diagnostics;
use super::inputs::values::Values;
use crate::ops::janitor::{self, Prefix};

inputs! {
    /// Inputs of the deletion.
    CREATED_REPOS: "Test repos", "";
    LIST = Input {
        kind: ValueKind::Text("FILE"),
        summary: "File with one `type namespace/name` per line; a missing file is an empty list",
        default: DefaultValue::Required,
        ..Input::new("list")
    };
    PREFIX = Input {
        kind: ValueKind::Text("PREFIX"),
        summary: "Beginning of the names of test repos; other repos are kept",
        default: DefaultValue::Required,
        ..Input::new("prefix")
    };
}

pub(super) static COMMAND: Command = Command {
    name: "teardown",
    about: "Delete the test repos that a run created",
    details: "Exits with 1 if a repo could not be deleted.",
    groups: &[sign_in::WRITE_ACCESS, CREATED_REPOS],
    outputs: &[],
    action: None,
    run: |call| Box::pin(run(call)),
};

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    call.drive(async |log| {
        let values = values?;
        let mut diagnostics = values.diagnostics();
        let inputs = validate(&values, &mut diagnostics);
        let (access, list, prefix) = diagnostics.accept(inputs)?.logged(log);
        janitor::tear_down(&open(access, log)?, &list, &prefix, log).await
    })
    .await
}

fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<(HubAccess, PathBuf, Prefix)> {
    let access = sign_in::write_access(values, diagnostics);
    let list = values.required(&LIST, |text| Ok::<_, String>(PathBuf::from(text)), diagnostics);
    let prefix = values.required(&PREFIX, str::parse, diagnostics);
    Some((access?, list?, prefix?))
}
