//! Jobs: the action against the Jobs of the local Hub, which are processes of this machine.

mod cancel;
mod checkout;
mod command_line;
mod ends;
mod follow;
mod inputs;
mod lost_answers;
mod run;

use std::time::Duration;

use local_hub::{Fault, FaultKind, JobHandle};

use crate::harness::{Folder, Run, TestHub};

/// A run of the action with this script.
fn job(hub: &TestHub, folder: &Folder, script: &str) -> Run {
    bare(hub, folder).input("run", script).input("image", "python:3.12")
}

/// A run of the action without inputs of a Job.
fn bare(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder).action("job").without("INPUT_HUGGINGFACE_REPO").var("GITHUB_RUN_ATTEMPT", "2")
}

/// The only Job of the Hub.
fn only(hub: &TestHub) -> JobHandle {
    let mut jobs = hub.jobs();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

fn on(method: &str, path_contains: &str, kind: FaultKind) -> Fault {
    let method = Some(method.to_owned());
    Fault { method, path_contains: path_contains.to_owned(), skip: 0, times: 1, kind }
}

/// Waits until a Job has printed a line.
async fn printed(hub: &TestHub, line: &str) {
    crate::harness::until(|| {
        hub.jobs().first().is_some_and(|job| job.log().iter().any(|found| found == line))
    })
    .await;
}

/// Short pause, for a state that must stay as it is.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// Compares log, outputs and summary with the snapshot of this name.
macro_rules! assert_job_ran {
    ($ran:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\b[0-9a-f]{24}\b", "JOB");
        settings.add_filter(r"gh-42-2-[0-9a-f]{6}(-[0-9a-f]{12})?", "gh-42-2-RUN");
        // A look at the stage comes before the first line or after it.
        settings.add_filter(r"(?m)^(waiting for hardware|running)( after \d+\.\d s)?\n", "");
        settings.add_filter(r"(?m)^(completed|failed|cancelled) after \d+\.\d s(:|$)", "$1$2");
        settings.add_filter(r"(?m)^(===== Job started at) .* =====$", "$1 TIME =====");
        settings.add_filter(r"(Queue time|Run time) \| \d+\.\d s", "$1 | T");
        settings.add_filter(r"duration_seconds=\d+", "duration_seconds=N");
        settings.bind(|| $crate::assert_ran!($ran));
    }};
}
use assert_job_ran;
