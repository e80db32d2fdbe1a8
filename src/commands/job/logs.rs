//! The log of a Job so far.

use super::rows::{Answer, NAMED_JOB, answer, named_job, positive, reader};
use crate::commands::command::{Command, Invocation};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
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

pub(crate) static COMMAND: Command = reader(
    "job logs",
    "Print the log of a Job so far",
    "To follow a Job to its end, use `job wait`.",
    GROUPS,
    |call| Box::pin(run(call)),
);

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let mut diagnostics = values.diagnostics();
        let tail = values.field(&TAIL, positive, &mut diagnostics).ok();
        let (hub, namespace, name) = named_job(values, diagnostics, log)?;
        let job = job::find(&hub, namespace.as_deref(), &name).await?;
        let lines = job::read_log(&hub, &job, tail).await?;
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Ok(Answer { json: serde_json::json!({ "lines": lines }), text })
    })
    .await
}
