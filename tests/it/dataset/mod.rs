//! Datasets, with the real binary against the local Hub.

mod delete;
mod download;
mod list;
mod upload;

use crate::harness::{Folder, Run, TestHub};

/// A run of the action for the dataset `ada/rows`.
fn run(hub: &TestHub, folder: &Folder) -> Run {
    let run = Run::new(hub, folder).without("INPUT_HUGGINGFACE_REPO").action("dataset");
    run.input("repo", "ada/rows").input("path", ".")
}
