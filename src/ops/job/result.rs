//! The result of a Job, by its stage.

use hub::{Job, JobEnd};

use crate::failure::{Result, job as advice};

/// Returns success for a completed Job, and the failure of each other end.
pub(super) fn conclude(job: &Job, exit_code: Option<i32>) -> Result<()> {
    let has_started = job.started_at.is_some();
    match job.end() {
        JobEnd::Completed => Ok(()),
        JobEnd::TimedOut => Err(advice::timed_out(job)),
        JobEnd::Canceled => Err(advice::cancelled(job)),
        JobEnd::Deleted => Err(advice::deleted(job)),
        JobEnd::Failed if !has_started => Err(advice::not_started(job)),
        JobEnd::Failed => Err(advice::failed(job, exit_code)),
    }
}
