//! One Job: its spec, its state and its log.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::spec::Spec;
use crate::util::{iso, lock, now_ms, sha256_hex};

/// Stage of a Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Scheduling,
    Running,
    Completed,
    Canceled,
    Error,
    Deleted,
}

impl Stage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Scheduling => "SCHEDULING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELED",
            Self::Error => "ERROR",
            Self::Deleted => "DELETED",
        }
    }

    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Canceled | Self::Error | Self::Deleted)
    }
}

/// The account that created a Job, or that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) is_org: bool,
}

impl Account {
    fn id(&self) -> String {
        sha256_hex(self.name.as_bytes())[..24].to_owned()
    }

    fn to_json(&self) -> Value {
        let kind = if self.is_org { "org" } else { "user" };
        json!({"id": self.id(), "name": self.name, "type": kind, "avatarUrl": "/avatars/local.svg"})
    }
}

/// A Job.
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) owner: Account,
    pub(crate) creator: Account,
    pub(crate) spec: Spec,
    state: Mutex<State>,
    /// Number of changes, for those who wait for one.
    changes: watch::Sender<u64>,
}

/// The changing part of a Job.
pub(crate) struct State {
    pub(crate) stage: Stage,
    pub(crate) message: Option<String>,
    pub(crate) cancel_reason: Option<String>,
    pub(crate) failures: u64,
    pub(crate) labels: std::collections::BTreeMap<String, String>,
    created_ms: u64,
    started_ms: Option<u64>,
    finished_ms: Option<u64>,
    /// Lines with their times.
    pub(crate) log: Vec<(u64, String)>,
    /// Process of the running attempt.
    pub(crate) process: Option<u32>,
}

impl Job {
    pub(crate) fn new(id: String, owner: Account, creator: Account, spec: Spec) -> Self {
        let state = State {
            stage: Stage::Scheduling,
            message: None,
            cancel_reason: None,
            failures: 0,
            labels: spec.labels.clone(),
            created_ms: now_ms(),
            started_ms: None,
            finished_ms: None,
            log: Vec::new(),
            process: None,
        };
        Self { id, owner, creator, spec, state: Mutex::new(state), changes: watch::channel(0).0 }
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.state))
    }

    /// Changes the state, and wakes those who wait.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut lock(&self.state));
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn stage(&self) -> Stage {
        self.read(|state| state.stage)
    }

    pub(crate) fn push_log(&self, line: String) {
        self.change(|state| state.log.push((now_ms(), line)));
    }

    /// Enters a stage, unless the Job has ended. Returns true if it did.
    pub(crate) fn enter(&self, stage: Stage, message: Option<String>) -> bool {
        self.change(|state| {
            if state.stage.is_final() {
                return false;
            }
            (state.stage, state.message) = (stage, message);
            if stage == Stage::Running {
                state.started_ms.get_or_insert_with(now_ms);
            }
            if stage.is_final() {
                state.finished_ms = Some(now_ms());
            }
            true
        })
    }

    /// Ends the Job before its command does, for a reason of the Hub or of a user.
    pub(crate) fn cancel(&self, reason: Option<&str>) {
        if self.enter(Stage::Canceled, None) {
            self.change(|state| state.cancel_reason = reason.map(str::to_owned));
        }
    }

    /// Returns the Job in the shape of the API.
    pub(crate) fn to_json(&self) -> Value {
        let spec = &self.spec;
        self.read(|state| {
            let mut job = json!({
                "id": self.id, "createdAt": iso(state.created_ms), "environment": spec.environment,
                "command": spec.command, "arguments": spec.arguments, "flavor": spec.flavor, "type": "job",
                "createdBy": {"id": self.creator.id(), "name": self.creator.name},
                "owner": self.owner.to_json(), "initiator": self.creator.to_json(), "labels": state.labels,
                "status": {"stage": state.stage.as_str(), "message": state.message, "failureCount": state.failures},
                "retry": spec.attempts - 1, "durations": state.durations(),
                "secrets": spec.secrets.keys().collect::<Vec<_>>(),
            });
            let mut set = |key: &str, value: Option<Value>| {
                if let Some(value) = value {
                    job[key] = value;
                }
            };
            set("dockerImage", spec.docker_image.as_ref().map(|image| json!(image)));
            set("spaceId", spec.space_id.as_ref().map(|space| json!(space)));
            set("timeout", spec.timeout_seconds.map(|seconds| json!(seconds)));
            set("startedAt", state.started_ms.map(|ms| json!(iso(ms))));
            set("finishedAt", state.finished_ms.map(|ms| json!(iso(ms))));
            if !spec.volumes.is_empty() {
                job["volumes"] = spec.volumes.iter().map(volume_json).collect();
            }
            if let Some(reason) = &state.cancel_reason {
                job["status"]["cancelReason"] = json!(reason);
            }
            job
        })
    }
}

fn volume_json(volume: &super::spec::Volume) -> Value {
    let mut row = json!({
        "type": volume.kind, "source": volume.source, "mountPath": volume.mount_path,
        "readOnly": volume.read_only.unwrap_or(volume.kind != "bucket"),
    });
    for (key, value) in [("revision", &volume.revision), ("path", &volume.path)] {
        if let Some(value) = value {
            row[key] = json!(value);
        }
    }
    row
}

impl State {
    /// Returns the seconds of each part of the Job, up to now for a part that goes on.
    fn durations(&self) -> Value {
        let end = self.finished_ms.unwrap_or_else(now_ms);
        let seconds = |from: u64, to: u64| to.saturating_sub(from) / 1000;
        let mut durations = json!({"totalSecs": seconds(self.created_ms, end)});
        if let Some(started) = self.started_ms {
            durations["schedulingSecs"] = json!(seconds(self.created_ms, started));
            durations["runningSecs"] = json!(seconds(started, end));
        }
        durations
    }
}
