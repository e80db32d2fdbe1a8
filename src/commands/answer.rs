//! The answer of a command that reads the Hub: JSON for other programs, and lines for people.

use std::pin::Pin;

use serde_json::Value;

use super::command::{Command, Invocation, prints_json};
use super::inputs::declaration::Group;
use super::inputs::values::Values;
use crate::action::{Handles, Log, Report, drive};
use crate::failure::{Failure, Result};

/// Report of a command that reads: JSON for other programs.
#[derive(Debug, Default)]
struct Rows(Option<Value>);

impl Report for Rows {
    fn fail(&mut self, _failure: Failure) {}

    fn json(&self) -> Option<Value> {
        self.0.clone()
    }
}

/// Returns a command that prints an answer: it has no outputs, and is no action.
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

/// Runs a command that reads the Hub, and prints its answer. Returns the exit code.
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
        if !is_json && !answer.text.is_empty() {
            handles.log.info(answer.text.trim_end_matches('\n'));
        }
        handles.recorder.record(|rows| rows.0 = Some(answer.json));
        Ok(())
    })
    .await
}
