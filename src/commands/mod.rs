//! The commands, one folder for each: its inputs, its outputs, and the call of its operation.

mod answer;
mod build_space;
mod bundle;
mod cleanup;
pub mod command;
mod dataset;
pub mod deploy;
pub(crate) mod groups;
mod inference;
pub mod inputs;
mod job;
mod model;
pub mod outputs;
pub(crate) mod recommendation;
mod space;
mod status;
mod summary_parts;
mod test_repos;
mod verify;

use command::Command;

/// All commands, in the order of `--help`.
pub const COMMANDS: &[&Command] = &[
    &deploy::COMMAND,
    &verify::COMMAND,
    &build_space::COMMAND,
    &inference::COMMAND,
    &space::COMMAND,
    &status::COMMAND,
    &job::COMMAND,
    &job::RUN,
    &job::wait::COMMAND,
    &job::logs::COMMAND,
    &job::cancel::COMMAND,
    &job::list::COMMAND,
    &job::hardware::COMMAND,
    &dataset::COMMAND,
    &dataset::UPLOAD,
    &dataset::download::COMMAND,
    &dataset::list::COMMAND,
    &dataset::delete::COMMAND,
    &model::INSPECT,
    &bundle::COMMAND,
    &cleanup::COMMAND,
    &test_repos::JANITOR,
    &test_repos::TEARDOWN,
];
