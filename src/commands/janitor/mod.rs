//! The deletion of forgotten test repos, as a command.

use super::command::{Command, Invocation, open};
use super::groups::sign_in::{self, HubAccess};
use super::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use super::inputs::diagnostics::Diagnostics;
use super::inputs::time;
use super::inputs::values::Values;
use crate::ops::janitor::{self, Rules};

inputs! {
    /// Inputs of the deletion.
    TEST_REPOS: "Test repos", "";
    NAMESPACE = Input {
        kind: ValueKind::Text("NAMESPACE"),
        summary: "User or organization",
        default: DefaultValue::Required,
        ..Input::new("namespace")
    };
    PREFIX = Input {
        kind: ValueKind::Text("PREFIX"),
        summary: "Beginning of the names of test repos",
        default: DefaultValue::Required,
        ..Input::new("prefix")
    };
    OLDER_THAN = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Age from which a repo is forgotten, such as `24h`",
        default: DefaultValue::Value("24h"),
        ..Input::new("older_than")
    };
    DRY_RUN = Input {
        kind: ValueKind::Flag,
        summary: "Only log what would be deleted",
        default: DefaultValue::Value("false"),
        ..Input::new("dry_run")
    };
}

pub(super) static COMMAND: Command = Command {
    name: "janitor",
    about: "Delete forgotten test repos: those with the prefix, the marker in the card, and the age",
    details: "Exits with 1 if a repo could not be deleted.",
    groups: &[sign_in::WRITE_ACCESS, TEST_REPOS],
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
        let (access, namespace, rules) = diagnostics.accept(inputs)?.logged(log);
        janitor::sweep(&open(access, log)?, &namespace, &rules, log).await
    })
    .await
}

fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<(HubAccess, String, Rules)> {
    let access = sign_in::write_access(values, diagnostics);
    let namespace = values.required(&NAMESPACE, |text| Ok::<_, String>(text.to_owned()), diagnostics);
    let prefix = values.required(&PREFIX, str::parse, diagnostics);
    let older_than = time::read_or_default(values, &OLDER_THAN, diagnostics);
    let dry_run = values.flag(&DRY_RUN, diagnostics);
    Some((access?, namespace?, Rules { prefix: prefix?, older_than, dry_run }))
}
