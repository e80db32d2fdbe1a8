//! The deploy of a folder.

pub mod inputs;
#[cfg(test)]
mod tests;

use super::command::{Action, Command, Invocation};

pub(super) static COMMAND: Command = Command {
    name: "deploy",
    about: "Deploy a folder to a Hugging Face Space, model or dataset",
    details: "Without a command, the inputs come from the `INPUT_*` variables of GitHub's runner.",
    groups: inputs::GROUPS,
    action: Some(Action { manifest: "action.yml", readme: "README.md", open_groups: 3 }),
    run: |call| Box::pin(run(call)),
};

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    crate::run::run_values(Ok(values), call.vars, call.log, call.cancelled).await
}
