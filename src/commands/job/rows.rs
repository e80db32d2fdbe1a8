//! Commands that read Jobs: their shared inputs.

use std::str::FromStr;

use hub::{Credentials, Hub, JobName};

use super::access::{self, ACCESS};
use crate::action::{GithubContext, Log};
use crate::commands::command::connect;
use crate::commands::groups::sign_in;
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::values::Values;
use crate::failure::{Failure, Result};

pub(super) use crate::commands::answer::{Answer, answer, reader};

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
