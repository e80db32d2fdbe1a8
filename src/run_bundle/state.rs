//! The state of a run: `state.json` and `target_space.json`.

use jiff::Timestamp;
use serde::Serialize;

use super::event::{Phase, rfc_3339};
use super::id::RunId;

/// Version of the form of `state.json`.
const SCHEMA: u32 = 1;

/// Progress of a run, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Running,
    Succeeded,
    Failed,
    Cancelled,
    /// The run had nothing to do, because GitHub gave it no token.
    Skipped,
}

/// Content of `state.json`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct State {
    schema: u32,
    pub(super) run_id: RunId,
    /// Name of the command.
    kind: &'static str,
    pub(super) status: RunStatus,
    pub(super) phase: Phase,
    gate_status: Option<&'static str>,
    #[serde(serialize_with = "rfc_3339")]
    started_at: Timestamp,
    #[serde(serialize_with = "rfc_3339")]
    updated_at: Timestamp,
    #[serde(serialize_with = "rfc_3339_or_null")]
    finished_at: Option<Timestamp>,
    model: Option<String>,
    space: Option<String>,
    job: Option<JobFacts>,
    git: GitFacts,
    pub(super) error: Option<RunError>,
}

/// Commit and run of a workflow.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GitFacts {
    pub repo: Option<String>,
    pub sha: Option<String>,
    pub run_url: Option<String>,
}

/// Failure that ended a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunError {
    pub code: &'static str,
    pub message: String,
    pub hints: Vec<String>,
}

/// Facts about a run that its report knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// Model of the run, as `namespace/name`.
    pub model: Option<String>,
    /// Space of the run, as `namespace/name`.
    pub space: Option<String>,
    /// Status of the check, in its words.
    pub gate_status: Option<&'static str>,
    pub job: Option<JobFacts>,
    pub target_space: Option<TargetSpace>,
    pub is_skipped: bool,
}

/// A Job of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobFacts {
    pub id: Option<String>,
    pub url: Option<String>,
    pub stage: Option<String>,
}

/// Content of `target_space.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TargetSpace {
    pub id: String,
    pub url: Option<String>,
    /// Address of the live app.
    pub app_url: Option<String>,
    pub visibility: Option<&'static str>,
    pub sdk: Option<&'static str>,
    pub hardware: TargetHardware,
    /// Commit that the Space has.
    pub sha: Option<String>,
    /// True if this run created the Space.
    pub created: bool,
}

/// Hardware of a Space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TargetHardware {
    pub requested: Option<String>,
    pub current: Option<String>,
}

impl RunFacts {
    /// Returns the facts with each text from outside changed by `redact`.
    #[must_use]
    pub fn redacted(mut self, redact: impl Fn(&str) -> String) -> Self {
        let apply = |text: &mut Option<String>| {
            if let Some(text) = text {
                *text = redact(text);
            }
        };
        [&mut self.model, &mut self.space].into_iter().for_each(apply);
        if let Some(JobFacts { id, url, stage }) = &mut self.job {
            [id, url, stage].into_iter().for_each(apply);
        }
        if let Some(target) = &mut self.target_space {
            target.id = redact(&target.id);
            let TargetSpace { url, app_url, hardware, sha, .. } = target;
            let TargetHardware { requested, current } = hardware;
            [url, app_url, requested, current, sha].into_iter().for_each(apply);
        }
        self
    }
}

impl State {
    /// Returns the state of a run that begins now.
    pub(super) fn new(run_id: RunId, kind: &'static str, git: GitFacts) -> Self {
        let now = Timestamp::now();
        Self {
            schema: SCHEMA,
            run_id,
            kind,
            status: RunStatus::Running,
            phase: Phase::default(),
            gate_status: None,
            started_at: now,
            updated_at: now,
            finished_at: None,
            model: None,
            space: None,
            job: None,
            git,
            error: None,
        }
    }

    /// Marks the state as changed now.
    pub(super) fn touch(&mut self) {
        self.updated_at = Timestamp::now();
        if self.status != RunStatus::Running {
            self.finished_at = Some(self.updated_at);
        }
    }

    /// Takes facts from the report.
    pub(super) fn take(&mut self, facts: RunFacts) {
        let RunFacts { model, space, gate_status, job, .. } = facts;
        (self.model, self.space, self.gate_status, self.job) = (model, space, gate_status, job);
    }
}

fn rfc_3339_or_null<S: serde::Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc_3339(time, serializer),
        None => serializer.serialize_none(),
    }
}
