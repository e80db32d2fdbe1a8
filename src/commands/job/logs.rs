//! The log of a Job so far.

use super::rows::{Answer, NAMED_JOB, answer, named_job};
use crate::commands::command::{Command, Invocation};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::parse::{self, Parsed};
use crate::ops::job;

const GROUPS: &[Group] = &[NAMED_JOB[0], NAMED_JOB[1], LOG];

inputs! {
    /// Inputs of the log.
    LOG: "Log", "";
    TAIL = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Number of the last lines to print",
        default: DefaultValue::Words("all lines"),
        ..Input::new("tail")
    };
}

pub(crate) static COMMAND: Command = Command {
    name: "job logs",
    about: "Print the log of a Job so far",
    details: "To follow a Job to its end, use `job wait`.",
    groups: GROUPS,
    outputs: &[],
    action: None,
    run: |call| Box::pin(run(call)),
};

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let mut diagnostics = values.diagnostics();
        let tail = values.field(&TAIL, number, &mut diagnostics).ok();
        diagnostics.accept(Some(()))?;
        let (hub, namespace, name) = named_job(values, log)?;
        let job = job::find(&hub, namespace.as_deref(), &name).await?;
        let lines = job::read_log(&hub, &job, tail).await?;
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Ok(Answer { json: serde_json::json!({ "lines": lines }), text })
    })
    .await
}

fn number(text: &str) -> Parsed<u64> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => parse::not_like("a positive number", text),
    }
}
