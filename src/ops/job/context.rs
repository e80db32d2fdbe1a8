//! Handles that the stages of a Job share.

use std::ops::Deref;

use hub::Job;

use super::report::{JobPlace, JobReport};
use crate::action::{PostState, Recorder};
use crate::ops::Session;

/// Handles of one run of a Job.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) recorder: &'a Recorder<JobReport>,
    /// State for the post step.
    pub(super) state: &'a PostState,
}

impl<'a> Deref for Context<'a> {
    type Target = Session<'a>;

    fn deref(&self) -> &Session<'a> {
        self.session
    }
}

impl Context<'_> {
    /// Records a Job as the Hub reports it.
    pub(super) fn observe(&self, job: &Job) {
        let place = JobPlace {
            namespace: job.owner.name.clone(),
            id: job.id.clone(),
            url: format!("{}/jobs/{}", self.hub.endpoint(), job.name()),
        };
        self.recorder.record(|report| {
            report.job = Some(place);
            report.observe(job);
        });
    }
}
