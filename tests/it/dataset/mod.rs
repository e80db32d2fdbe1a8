//! Datasets, with the real binary against the local Hub.

mod card;
mod checks;
mod delete;
mod download;
mod list;
mod traces;
mod upload;

use local_hub::RepoType;

use crate::harness::{Folder, Run, TestHub};

/// A run of the action for the dataset `ada/rows`.
fn run(hub: &TestHub, folder: &Folder) -> Run {
    let run = Run::new(hub, folder).without("INPUT_HUGGINGFACE_REPO").action("dataset");
    run.input("repo", "ada/rows").input("path", ".")
}

/// A text file of the dataset `ada/rows`.
fn read(hub: &TestHub, path: &str) -> String {
    String::from_utf8(hub.repo(RepoType::Dataset, "ada/rows").read_file("main", path).unwrap()).unwrap()
}
