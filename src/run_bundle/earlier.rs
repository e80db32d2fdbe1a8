//! The bundle of an earlier run, which a later run completes.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::event::{Event, EventLevel, Phase};
use super::file::{Added, BundleFile, EVENTS, RUNS, STATE, json as to_json, open_file, put};
use super::state::{RunError, RunStatus};
use crate::redact::Redactor;
use crate::text::random_token;
use crate::workspace::{FOLDER, OwnFolder};

/// Bundle of an earlier run on this machine.
pub struct EarlierBundle {
    folder: OwnFolder,
    redactor: Redactor,
    state: Value,
}

/// Folder for the bundle of an earlier run, whose files come from elsewhere. It is deleted unless it is kept.
#[derive(Debug)]
pub struct IncomingBundle {
    folder: OwnFolder,
    /// Place of a bundle that is kept.
    place: PathBuf,
    is_kept: bool,
}

/// Result that completes an earlier run.
#[derive(Debug)]
pub struct Completion {
    /// Id of the run that completes it.
    pub by: String,
    /// Verdict about the Space.
    pub gate_status: &'static str,
    /// Files that replace those of the same paths.
    pub files: Vec<BundleFile>,
    /// The verdict is not accepted: the state keeps its error.
    pub has_failed: bool,
}

impl fmt::Debug for EarlierBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EarlierBundle").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl IncomingBundle {
    /// Opens a folder beside the bundles in `runs`. Returns `None` if `id` is no id of a run.
    pub(super) fn open(runs: &OwnFolder, id: &str) -> io::Result<Option<Self>> {
        if !is_id(id) {
            return Ok(None);
        }
        let folder = runs.new_subfolder(&format!(".new-{}", random_token()))?;
        Ok(Some(Self { folder, place: runs.path().join(id), is_kept: false }))
    }

    /// Returns the folder for the files.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder the name of the run, once all files are there.
    ///
    /// # Errors
    ///
    /// Another folder has the name, or the workspace cannot be written.
    pub fn keep(mut self) -> io::Result<()> {
        fs::rename(self.folder.path(), &self.place)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for IncomingBundle {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(self.folder.path());
        }
    }
}

impl EarlierBundle {
    /// Opens the bundle `id` in the folder of all bundles. Returns `None` if it is not there.
    ///
    /// # Errors
    ///
    /// A link or a file has its name, or its state cannot be read.
    pub(super) fn open(runs: &OwnFolder, id: &str, redactor: Redactor) -> io::Result<Option<Self>> {
        if !is_id(id) || fs::symlink_metadata(runs.path().join(id)).is_err() {
            return Ok(None);
        }
        let folder = runs.subfolder(id)?;
        let state = read(&folder.path().join(STATE))?;
        let state = serde_json::from_str(&state).map_err(io::Error::other)?;
        Ok(Some(Self { folder, redactor, state }))
    }

    /// Opens the bundle `id` in a workspace, without one of this run. Returns `None` if it is not there.
    ///
    /// # Errors
    ///
    /// A link or a file has its name, or its state cannot be read.
    pub fn in_workspace(workspace: &Path, id: &str) -> io::Result<Option<Self>> {
        if fs::symlink_metadata(workspace.join(FOLDER).join(RUNS)).is_err() {
            return Ok(None);
        }
        let runs = OwnFolder::open(workspace)?.subfolder(RUNS)?;
        Self::open(&runs, id, Redactor::default())
    }

    /// Returns true if the state has no end.
    pub fn is_running(&self) -> bool {
        self.state["status"] == "running"
    }

    /// Returns the Space of the run, as its state has it.
    pub fn space(&self) -> Option<&str> {
        self.state["space"].as_str()
    }

    /// Returns the time at which the run started, which no other run of its id has.
    pub fn started_at(&self) -> Option<&str> {
        self.state["started_at"].as_str()
    }

    /// Returns the folder of the bundle.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the bundle of a run whose process was killed: adds an event, and the end to the state.
    ///
    /// # Errors
    ///
    /// The bundle cannot be written.
    pub fn end_killed(mut self, error: RunError) -> io::Result<()> {
        let now = Timestamp::now();
        self.add_event(Event {
            ts: now,
            seq: self.next_seq(),
            phase: Phase::Cleanup,
            level: EventLevel::Error,
            event: "run_killed",
            message: error.message.clone(),
            data: json!({ "status": RunStatus::Cancelled, "error_code": error.code }),
        })?;
        let now = format!("{now:.3}");
        self.state["status"] = json!(RunStatus::Cancelled);
        self.state["error"] = json!(error);
        self.state["updated_at"] = now.as_str().into();
        self.state["finished_at"] = now.into();
        self.write_state()
    }

    /// Adds the result: files, an event, and last the state. Returns the paths that were left out, because they hold a
    /// secret.
    ///
    /// # Errors
    ///
    /// The bundle cannot be written.
    pub fn complete(mut self, completion: Completion) -> io::Result<Vec<String>> {
        let Completion { by, gate_status, files, has_failed } = completion;
        let mut left_out = Vec::new();
        for BundleFile { path, content } in files {
            if put(&self.folder, &self.redactor, &path, content)? == Added::HoldsSecret {
                left_out.push(path);
            }
        }
        let now = Timestamp::now();
        self.add_event(Event {
            ts: now,
            seq: self.next_seq(),
            phase: Phase::Gate,
            level: if has_failed { EventLevel::Error } else { EventLevel::Info },
            event: "run_completed",
            message: format!("run {by} completed this one: {gate_status}"),
            data: json!({ "run_id": by, "status": gate_status }),
        })?;
        let state = &mut self.state;
        let now = format!("{now:.3}");
        state["gate_status"] = gate_status.into();
        state["updated_at"] = now.as_str().into();
        state["finished_at"] = now.into();
        if !has_failed {
            state["status"] = "succeeded".into();
            state["error"] = Value::Null;
        }
        self.write_state()?;
        Ok(left_out)
    }

    /// Adds a line, also after one that a killed process has written in part.
    fn add_event(&self, event: Event) -> io::Result<()> {
        let is_torn = self.events().ends_with(|c| c != '\n');
        let line = to_json(&event, serde_json::to_vec);
        let mut events = self.folder.append(EVENTS)?;
        io::Write::write_all(&mut events, &if is_torn { [b"\n", &line[..]].concat() } else { line })
    }

    fn write_state(&self) -> io::Result<()> {
        self.folder.write(STATE, &to_json(&self.state, serde_json::to_vec_pretty))
    }

    fn events(&self) -> String {
        read(&self.folder.path().join(EVENTS)).unwrap_or_default()
    }

    fn next_seq(&self) -> u64 {
        self.events().lines().count() as u64
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Reads a file that is no link.
fn read(path: &Path) -> io::Result<String> {
    io::read_to_string(open_file(path)?)
}

#[cfg(test)]
mod tests {
    use super::super::{BundleContent, RunBundle, RunStart, RunStatus};
    use super::*;

    fn bundle(workspace: &Path) -> RunBundle {
        let start = RunStart { workspace: Some(workspace.to_owned()), ..RunStart::default() };
        let redactor = Redactor::default();
        redactor.register(&hub::Secret::new("hf_q7Zk2VbN9xTfLw4R"));
        let (bundle, result) = RunBundle::open(start, redactor);
        result.unwrap();
        bundle
    }

    #[test]
    fn later_run_completes_the_earlier_one() {
        let workspace = tempfile::tempdir().unwrap();
        let (first, second) = (bundle(workspace.path()), bundle(workspace.path()));
        first.end(RunStatus::Failed, None).unwrap();
        let earlier = second.earlier(first.id().as_str()).unwrap().unwrap();
        let file = BundleFile {
            path: "inference_gate.json".to_owned(),
            content: BundleContent::Json(json!({ "status": "full_inference_success" })),
        };
        let secret = workspace.path().join("secret");
        fs::write(&secret, "hf_q7Zk2VbN9xTfLw4R").unwrap();
        let hidden =
            BundleFile { path: "tests/artifacts/a".to_owned(), content: BundleContent::File(secret) };
        let completion = Completion {
            by: second.id().to_string(),
            gate_status: "full_inference_success",
            files: vec![file, hidden],
            has_failed: false,
        };
        assert_eq!(earlier.complete(completion).unwrap(), ["tests/artifacts/a"]);
        let folder = first.folder().unwrap();
        let state: Value = serde_json::from_str(&read(&folder.join(STATE)).unwrap()).unwrap();
        assert_eq!(
            (&state["status"], &state["gate_status"]),
            (&json!("succeeded"), &json!("full_inference_success"))
        );
        let event: Value = serde_json::from_str(&read(&folder.join(EVENTS)).unwrap()).unwrap();
        assert_eq!((&event["seq"], &event["event"]), (&json!(0), &json!("run_completed")));
        assert!(folder.join("inference_gate.json").is_file());
    }

    #[test]
    fn bundle_of_a_killed_process_gets_an_end() {
        let workspace = tempfile::tempdir().unwrap();
        assert!(EarlierBundle::in_workspace(workspace.path(), "gh-1-1-000000").unwrap().is_none());
        assert_eq!(fs::read_dir(workspace.path()).unwrap().count(), 0, "a reader creates nothing");
        let bundle = bundle(workspace.path());
        fs::write(bundle.folder().unwrap().join(EVENTS), "{\"seq\":0}\n{\"se").unwrap();
        let earlier =
            || EarlierBundle::in_workspace(workspace.path(), bundle.id().as_str()).unwrap().unwrap();
        assert!(earlier().is_running());
        let error = RunError { code: "cancelled", message: "killed".to_owned(), hints: Vec::new() };
        earlier().end_killed(error).unwrap();
        let ended = earlier();
        assert!(!ended.is_running());
        assert_eq!(
            (&ended.state["status"], &ended.state["error"]["code"]),
            (&json!("cancelled"), &json!("cancelled"))
        );
        assert_eq!(ended.state["finished_at"], ended.state["updated_at"]);
        let events = ended.events();
        let last: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
        assert_eq!((&last["seq"], &last["event"]), (&json!(2), &json!("run_killed")));
    }

    #[test]
    fn bundle_that_comes_in_part_leaves_nothing() {
        let workspace = tempfile::tempdir().unwrap();
        let bundle = bundle(workspace.path());
        let runs = workspace.path().join(".hf-deploy/runs");
        let names = || fs::read_dir(&runs).unwrap().count();
        let incoming = bundle.receive_earlier("gh-1-1-000000").unwrap().unwrap();
        fs::write(incoming.path().join(STATE), "{}").unwrap();
        assert_eq!((names(), bundle.earlier("gh-1-1-000000").unwrap().is_none()), (2, true));
        drop(incoming);
        assert_eq!(names(), 1);
        let incoming = bundle.receive_earlier("gh-1-1-000000").unwrap().unwrap();
        fs::write(incoming.path().join(STATE), r#"{"space": "ada/app"}"#).unwrap();
        incoming.keep().unwrap();
        let earlier = bundle.earlier("gh-1-1-000000").unwrap().unwrap();
        assert_eq!((names(), earlier.space()), (2, Some("ada/app")));
        assert!(bundle.receive_earlier("../runs").unwrap().is_none());
    }

    #[test]
    fn names_that_are_no_runs_are_not_opened() {
        let workspace = tempfile::tempdir().unwrap();
        let bundle = bundle(workspace.path());
        for id in ["", "..", "../runs", "a/b", "gh-1-1-000000"] {
            assert!(bundle.earlier(id).unwrap().is_none(), "{id}");
        }
        let runs = workspace.path().join(".hf-deploy/runs");
        std::os::unix::fs::symlink("/etc", runs.join("link")).unwrap();
        assert!(bundle.earlier("link").is_err());
    }
}
