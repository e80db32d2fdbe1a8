//! The commands, one folder for each: its inputs, its outputs, and the call of its operation.

pub mod command;
pub mod deploy;
pub(crate) mod groups;
pub mod inputs;
mod janitor;
pub mod outputs;
mod summary_parts;
mod teardown;
mod verify;

use command::Command;

/// All commands, in the order of `--help`.
pub const COMMANDS: &[&Command] =
    &[&deploy::COMMAND, &verify::COMMAND, &janitor::COMMAND, &teardown::COMMAND];
