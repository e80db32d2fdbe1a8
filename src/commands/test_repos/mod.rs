//! The clean-up of test repos, as two commands: forgotten ones, and those that a run recorded.

use std::path::PathBuf;

use super::command::{Command, Invocation, open};
use super::groups::sign_in::{self, HubAccess};
use super::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use super::inputs::diagnostics::Diagnostics;
use super::inputs::time;
use super::inputs::values::Values;
use crate::action::Log;
use crate::failure::Result;
use crate::ops::cleanup::test_repos::{self, Forgotten, Prefix, Recorded};

const PREFIX: Input = Input {
    kind: ValueKind::Text("PREFIX"),
    summary: "Beginning of the names of test repos; other repos are kept",
    default: DefaultValue::Required,
    ..Input::new("prefix")
};

inputs! {
    /// Inputs for the deletion of forgotten repos.
    FORGOTTEN_REPOS: "Test repos", "";
    NAMESPACE = Input {
        kind: ValueKind::Text("NAMESPACE"),
        summary: "User or organization",
        default: DefaultValue::Required,
        ..Input::new("namespace")
    };
    FORGOTTEN_PREFIX = PREFIX;
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

inputs! {
    /// Inputs for the deletion of recorded repos.
    RECORDED_REPOS: "Test repos", "";
    LIST = Input {
        kind: ValueKind::Text("FILE"),
        summary: "File with one `type namespace/name` per line, where a type may be `bucket`; a missing file is an empty list",
        default: DefaultValue::Required,
        ..Input::new("list")
    };
    RECORDED_PREFIX = PREFIX;
}

pub(super) static JANITOR: Command = Command {
    name: "janitor",
    about: "Delete forgotten test repos: those with the prefix, the marker in the card, and the age",
    details: "Buckets with the prefix and the age are deleted as well. Exits with 1 if one could not be deleted.",
    groups: &[sign_in::WRITE_ACCESS, FORGOTTEN_REPOS],
    outputs: &[],
    action: None,
    run: |call| Box::pin(delete_forgotten(call)),
};

pub(super) static TEARDOWN: Command = Command {
    name: "teardown",
    about: "Delete the test repos that a run created",
    details: "Exits with 1 if a repo could not be deleted.",
    groups: &[sign_in::WRITE_ACCESS, RECORDED_REPOS],
    outputs: &[],
    action: None,
    run: |call| Box::pin(delete_recorded(call)),
};

async fn delete_forgotten(call: Invocation) -> u8 {
    let values = call.values(&JANITOR);
    call.drive(async |log| {
        let (access, forgotten) = read(values, validate_forgotten, log)?;
        test_repos::delete_forgotten(&forgotten, &open(access, log)?, log).await
    })
    .await
}

async fn delete_recorded(call: Invocation) -> u8 {
    let values = call.values(&TEARDOWN);
    call.drive(async |log| {
        let (access, recorded) = read(values, validate_recorded, log)?;
        test_repos::delete_recorded(&recorded, &open(access, log)?, log).await
    })
    .await
}

/// Reads and validates the values of a command, and logs the warnings.
fn read<T>(
    values: Result<Values>,
    validate: impl Fn(&Values, &mut Diagnostics) -> Option<T>,
    log: &Log,
) -> Result<(HubAccess, T)> {
    let values = values?;
    let mut diagnostics = values.diagnostics();
    let access = sign_in::write_access(&values, &mut diagnostics);
    let validated = validate(&values, &mut diagnostics);
    Ok(diagnostics.accept(access.zip(validated))?.logged(log))
}

fn validate_forgotten(values: &Values, diagnostics: &mut Diagnostics) -> Option<Forgotten> {
    let namespace = values.required(&NAMESPACE, |text| Ok::<_, String>(text.to_owned()), diagnostics);
    let prefix: Option<Prefix> = values.required(&FORGOTTEN_PREFIX, str::parse, diagnostics);
    let older_than = time::read_or_default(values, &OLDER_THAN, diagnostics);
    let dry_run = values.flag(&DRY_RUN, diagnostics);
    Some(Forgotten { namespace: namespace?, prefix: prefix?, older_than, dry_run })
}

fn validate_recorded(values: &Values, diagnostics: &mut Diagnostics) -> Option<Recorded> {
    let list = values.required(&LIST, |text| Ok::<_, String>(PathBuf::from(text)), diagnostics);
    let prefix: Option<Prefix> = values.required(&RECORDED_PREFIX, str::parse, diagnostics);
    Some(Recorded { list: list?, prefix: prefix? })
}
