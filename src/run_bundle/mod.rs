//! The run bundle: state, events, report, tests and logs of one run, as files in `.hf-deploy/runs/<run id>/`.
//!
//! `state.json` is current at each moment, also if the process is killed. No file holds a secret that the log masks.
//! After the first error nothing more is written, because a run does not depend on its bundle.

mod earlier;
mod event;
mod file;
mod id;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::redact::Redactor;
use crate::workspace::{FOLDER, OwnFolder};
use file::{json, open_file, place_of, put};
use state::State;

pub use earlier::{Completion, EarlierBundle, IncomingBundle};
pub use event::{Event, EventLevel, Phase};
pub use file::{Added, BundleContent, BundleFile, EVENTS, RUNS, STATE};
pub use id::RunId;
pub use state::{GitFacts, JobFacts, RunError, RunFacts, RunStatus, TargetHardware, TargetSpace};

/// Name of the file with the report.
pub const REPORT: &str = "report.md";
const TARGET_SPACE: &str = "target_space.json";

/// Number of ids that are tried, because another run may have the same one.
const ID_ATTEMPTS: u32 = 8;

/// Circumstances of a run that begins.
#[derive(Debug, Default)]
pub struct RunStart {
    /// Name of the command.
    pub kind: &'static str,
    /// Id and attempt of the run of a workflow.
    pub workflow_run: Option<(u64, u64)>,
    pub git: GitFacts,
    /// Folder for `.hf-deploy`. Without it, the bundle keeps nothing.
    pub workspace: Option<PathBuf>,
}

/// Handle to the bundle of a run. Clones write to the same bundle.
#[derive(Clone)]
pub struct RunBundle(Arc<Shared>);

struct Shared {
    id: RunId,
    redactor: Redactor,
    parts: Mutex<Parts>,
}

struct Parts {
    /// Folder of the bundle: `None` if nothing is kept.
    folder: Option<OwnFolder>,
    state: State,
    /// Facts as the report has them.
    facts: RunFacts,
    /// Files that grow, by their paths.
    growing: BTreeMap<String, File>,
}

/// File of a bundle that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot write `{FOLDER}/{file}`, so that the run goes on without its bundle: {source}")]
    Lost { file: String, source: io::Error },
    /// The bundle goes on without this file.
    #[error("cannot add `{file}` to the run bundle: {source}")]
    Unreadable { file: String, source: io::Error },
}

impl fmt::Debug for RunBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunBundle").field("id", &self.0.id).finish_non_exhaustive()
    }
}

impl RunBundle {
    /// Begins the bundle of a run. With an error, the bundle keeps nothing.
    pub fn open(start: RunStart, redactor: Redactor) -> (Self, Result<(), BundleError>) {
        let RunStart { kind, workflow_run, git, workspace } = start;
        let (id, created) = create(workflow_run, workspace.as_deref());
        let state = State::new(id.clone(), kind, git);
        let parts = Parts { folder: None, state, facts: RunFacts::default(), growing: BTreeMap::new() };
        let bundle = Self(Arc::new(Shared { id, redactor, parts: Mutex::new(parts) }));
        let result = created.map_err(|source| bundle.lost("", source)).and_then(|folder| {
            bundle.parts().folder = folder;
            bundle.change(STATE, |parts, folder| parts.write_state(folder))
        });
        (bundle, result)
    }

    pub fn id(&self) -> &RunId {
        &self.0.id
    }

    /// Returns the path of the bundle relative to the workspace, if it is kept.
    pub fn path(&self) -> Option<String> {
        self.parts().folder.is_some().then(|| format!("{FOLDER}/{}", self.place()))
    }

    /// Returns the folder of the bundle on this machine, if it is kept.
    pub fn folder(&self) -> Option<PathBuf> {
        self.parts().folder.as_ref().map(|folder| folder.path().to_owned())
    }

    /// Adds an event, and takes its phase into the state.
    pub fn add_event(&self, event: &Event) -> Result<(), BundleError> {
        let redactor = &self.0.redactor;
        let message = redactor.redact(&event.message).into_owned();
        let data = redactor.redact_json(event.data.clone());
        let line = json(&Event { message, data, ..event.clone() }, serde_json::to_vec);
        self.change(EVENTS, |parts, folder| parts.append(folder, EVENTS, &line))?;
        self.change(STATE, |parts, folder| {
            parts.state.phase = event.phase;
            parts.write_state(folder)
        })
    }

    /// Takes facts from the report. Nothing is written if they are the same as before.
    pub fn take_facts(&self, facts: RunFacts, redact: impl Fn(&str) -> String) -> Result<(), BundleError> {
        if self.parts().facts == facts {
            return Ok(());
        }
        let redacted = facts.clone().redacted(redact);
        self.change(TARGET_SPACE, |parts, folder| {
            let is_changed = parts.facts.target_space != facts.target_space;
            parts.facts = facts;
            match redacted.target_space.as_ref().filter(|_| is_changed) {
                Some(target) => folder.write(TARGET_SPACE, &json(target, serde_json::to_vec_pretty)),
                None => Ok(()),
            }
        })?;
        self.change(STATE, |parts, folder| {
            parts.state.take(redacted);
            parts.write_state(folder)
        })
    }

    /// Writes a text file, such as `report.md`.
    pub fn write_text(&self, path: &str, text: &str) -> Result<(), BundleError> {
        let text = self.0.redactor.redact(text);
        self.change(path, |_, folder| {
            let (folder, name) = place_of(folder, path)?;
            folder.write(name, text.as_bytes())
        })
    }

    /// Adds lines of a log from outside to `logs/{name}.txt`.
    pub fn add_log(&self, name: &str, lines: &str) -> Result<(), BundleError> {
        self.add_text(name, &format!("{lines}\n"))
    }

    /// Adds a part of a log from outside to `logs/{name}.txt`, as it is. An empty one creates the file.
    pub fn add_text(&self, name: &str, text: &str) -> Result<(), BundleError> {
        let path = path_of_log(name);
        let text = self.0.redactor.redact(text);
        self.change(&path, |parts, folder| parts.append(folder, &path, text.as_bytes()))
    }

    /// Returns the path of a log relative to the workspace, if the bundle is kept.
    pub fn log_path(&self, name: &str) -> Option<String> {
        Some(format!("{}/{}", self.path()?, path_of_log(name)))
    }

    /// Adds a file.
    pub fn add_file(&self, file: BundleFile) -> Result<Added, BundleError> {
        let BundleFile { path, content } = file;
        if let BundleContent::File(from) = &content {
            let holds_secret = open_file(from).and_then(|file| self.0.redactor.finds_in(file));
            if holds_secret.map_err(|source| BundleError::Unreadable { file: path.clone(), source })? {
                return Ok(Added::HoldsSecret);
            }
        }
        let mut added = Added::Kept;
        self.change(&path, |_, folder| {
            added = put(folder, &self.0.redactor, &path, content)?;
            Ok(())
        })?;
        Ok(added)
    }

    /// Opens the bundle of an earlier run beside this one. Returns `None` if it is not there, or this one is not kept.
    ///
    /// # Errors
    ///
    /// A link or a file has its name, or its state cannot be read.
    pub fn earlier(&self, id: &str) -> io::Result<Option<EarlierBundle>> {
        let parts = self.parts();
        let Some(runs) = parts.folder.as_ref().and_then(OwnFolder::parent) else { return Ok(None) };
        EarlierBundle::open(&runs, id, self.0.redactor.clone())
    }

    /// Opens a folder for the bundle of an earlier run that comes from elsewhere. Returns `None` if `id` is no id of a run,
    /// or this bundle is not kept.
    ///
    /// # Errors
    ///
    /// The workspace cannot be written.
    pub fn receive_earlier(&self, id: &str) -> io::Result<Option<IncomingBundle>> {
        let parts = self.parts();
        let Some(runs) = parts.folder.as_ref().and_then(OwnFolder::parent) else { return Ok(None) };
        IncomingBundle::open(&runs, id)
    }

    /// Writes the end of the run into the state.
    pub fn end(&self, status: RunStatus, error: Option<RunError>) -> Result<(), BundleError> {
        let redact = |text: &String| self.0.redactor.redact(text).into_owned();
        let error = error.map(|RunError { code, message, hints }| RunError {
            code,
            message: redact(&message),
            hints: hints.iter().map(redact).collect(),
        });
        self.change(STATE, |parts, folder| {
            (parts.state.status, parts.state.error) = (status, error);
            parts.write_state(folder)
        })
    }

    /// Changes the bundle, if it is kept. After an error it is not kept any more.
    fn change(
        &self,
        file: &str,
        change: impl FnOnce(&mut Parts, &OwnFolder) -> io::Result<()>,
    ) -> Result<(), BundleError> {
        let mut parts = self.parts();
        let Some(folder) = parts.folder.clone() else { return Ok(()) };
        change(&mut parts, &folder).map_err(|source| {
            parts.folder = None;
            self.lost(file, source)
        })
    }

    fn lost(&self, file: &str, source: io::Error) -> BundleError {
        let file = format!("{}/{file}", self.place());
        BundleError::Lost { file: file.trim_end_matches('/').to_owned(), source }
    }

    /// Returns the path of the bundle in `.hf-deploy` or a bucket.
    fn place(&self) -> String {
        format!("{RUNS}/{}", self.0.id)
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    fn write_state(&mut self, folder: &OwnFolder) -> io::Result<()> {
        self.state.touch();
        folder.write(STATE, &json(&self.state, serde_json::to_vec_pretty))
    }

    /// Adds to a file that grows, with one write, so that a killed process leaves whole lines.
    fn append(&mut self, folder: &OwnFolder, path: &str, content: &[u8]) -> io::Result<()> {
        if !self.growing.contains_key(path) {
            let (folder, name) = place_of(folder, path)?;
            self.growing.insert(path.to_owned(), folder.append(name)?);
        }
        match self.growing.get_mut(path) {
            Some(file) => file.write_all(content),
            None => Ok(()),
        }
    }
}

/// Makes an id, and creates the folder of the bundle if there is a workspace.
fn create(
    workflow_run: Option<(u64, u64)>,
    workspace: Option<&Path>,
) -> (RunId, io::Result<Option<OwnFolder>>) {
    let new_id = || match workflow_run {
        Some((run, attempt)) => RunId::of_workflow(run, attempt),
        None => RunId::of_moment(Timestamp::now()),
    };
    let mut id = new_id();
    let Some(workspace) = workspace else { return (id, Ok(None)) };
    let runs = match OwnFolder::open(workspace).and_then(|folder| folder.subfolder(RUNS)) {
        Ok(runs) => runs,
        Err(error) => return (id, Err(error)),
    };
    let mut created = runs.new_subfolder(id.as_str());
    for _ in 1..ID_ATTEMPTS {
        match &created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                id = new_id();
                created = runs.new_subfolder(id.as_str());
            }
            _ => break,
        }
    }
    (id, created.map(Some))
}

fn path_of_log(name: &str) -> String {
    format!("logs/{name}.txt")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hub::Secret;
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "hf_q7Zk2VbN9xTfLw4R";

    fn redactor() -> Redactor {
        let redactor = Redactor::default();
        redactor.register(&Secret::new(SECRET));
        redactor
    }

    fn start(workspace: &Path) -> RunStart {
        RunStart {
            kind: "deploy",
            workflow_run: Some((42, 1)),
            workspace: Some(workspace.to_owned()),
            ..RunStart::default()
        }
    }

    fn opened(workspace: &Path) -> RunBundle {
        let (bundle, result) = RunBundle::open(start(workspace), redactor());
        result.unwrap();
        bundle
    }

    fn event(seq: u64, phase: Phase) -> Event {
        Event {
            ts: Timestamp::now(),
            seq,
            phase,
            level: EventLevel::Info,
            event: "seen",
            message: format!("saw {SECRET}"),
            data: json!({ "token": SECRET, "count": 2 }),
        }
    }

    fn read(workspace: &Path, bundle: &RunBundle, file: &str) -> String {
        let path = workspace.join(bundle.path().unwrap()).join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn state(workspace: &Path, bundle: &RunBundle) -> Value {
        serde_json::from_str(&read(workspace, bundle, STATE)).unwrap()
    }

    #[test]
    fn state_follows_events_facts_and_the_end() {
        let workspace = tempfile::tempdir().unwrap();
        let workspace = workspace.path();
        let bundle = opened(workspace);
        let first = state(workspace, &bundle);
        assert_eq!((first["status"].as_str(), first["phase"].as_str()), (Some("running"), Some("preflight")));
        assert_eq!(first["run_id"], bundle.id().as_str());
        assert!(first["finished_at"].is_null() && first["error"].is_null() && first["git"].is_object());

        bundle.add_event(&event(0, Phase::Upload)).unwrap();
        let target = TargetSpace { id: "ada/app".to_owned(), created: true, ..TargetSpace::default() };
        let facts = RunFacts {
            space: Some("ada/app".to_owned()),
            gate_status: Some("health_only"),
            target_space: Some(target),
            ..RunFacts::default()
        };
        bundle.take_facts(facts, str::to_owned).unwrap();
        let error =
            RunError { code: "timeout", message: format!("late {SECRET}"), hints: vec![SECRET.into()] };
        bundle.end(RunStatus::Failed, Some(error)).unwrap();

        let last = state(workspace, &bundle);
        assert_eq!((last["status"].as_str(), last["phase"].as_str()), (Some("failed"), Some("upload")));
        assert_eq!(
            (last["space"].as_str(), last["gate_status"].as_str()),
            (Some("ada/app"), Some("health_only"))
        );
        assert_eq!(last["error"], json!({ "code": "timeout", "message": "late ***", "hints": ["***"] }));
        assert_eq!(last["finished_at"], last["updated_at"]);
        let line = read(workspace, &bundle, EVENTS);
        assert!(
            line.ends_with("\"message\":\"saw ***\",\"data\":{\"count\":2,\"token\":\"***\"}}\n"),
            "{line}"
        );
        let target: Value = serde_json::from_str(&read(workspace, &bundle, TARGET_SPACE)).unwrap();
        assert_eq!((target["id"].as_str(), target["created"].as_bool()), (Some("ada/app"), Some(true)));
    }

    #[test]
    fn texts_and_logs_are_kept_without_secrets_and_files_with_secrets_are_not() {
        let workspace = tempfile::tempdir().unwrap();
        let bundle = opened(workspace.path());
        bundle.write_text("report.md", &format!("# {SECRET}\n")).unwrap();
        bundle.add_log("build", &format!("a {SECRET}")).unwrap();
        bundle.add_log("build", "b\nc").unwrap();
        let from = workspace.path().join("from");
        let add = |name: &str, content: BundleContent| {
            bundle.add_file(BundleFile { path: format!("tests/artifacts/{name}"), content })
        };
        let mut added = Vec::new();
        for (name, content) in
            [("good.bin", &b"\xff\0"[..]), ("bad.bin", format!("\u{7f}{SECRET}").as_bytes())]
        {
            fs::write(&from, content).unwrap();
            added.push(add(name, BundleContent::File(from.clone())).unwrap());
            fs::remove_file(&from).unwrap();
        }
        assert_eq!(added, [Added::Kept, Added::HoldsSecret]);
        assert!(add("gone.bin", BundleContent::File(from)).is_err());
        add("x.json", BundleContent::Json(json!([SECRET]))).unwrap();
        let read = |file: &str| read(workspace.path(), &bundle, file);
        assert_eq!((read("report.md"), read("logs/build.txt")), ("# ***\n".into(), "a ***\nb\nc\n".into()));
        assert_eq!(read("tests/artifacts/x.json"), "[\n  \"***\"\n]\n");
        let artifacts = workspace.path().join(bundle.path().unwrap()).join("tests/artifacts");
        assert_eq!(fs::read_dir(artifacts).unwrap().count(), 2);
    }

    #[test]
    fn bundle_that_cannot_be_written_has_one_error() {
        let workspace = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), workspace.path().join(FOLDER)).unwrap();
        let (bundle, result) = RunBundle::open(start(workspace.path()), redactor());
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("cannot write `.hf-deploy/runs/gh-42-1-"), "{error}");
        assert!(error.ends_with("`.hf-deploy` is there, and is not a folder"), "{error}");
        bundle.add_event(&event(0, Phase::Check)).unwrap();
        bundle.end(RunStatus::Succeeded, None).unwrap();
        assert_eq!((bundle.path(), fs::read_dir(elsewhere.path()).unwrap().count()), (None, 0));

        let workspace = tempfile::tempdir().unwrap();
        let bundle = opened(workspace.path());
        fs::remove_dir_all(workspace.path().join(FOLDER)).unwrap();
        bundle.end(RunStatus::Succeeded, None).unwrap_err();
        bundle.end(RunStatus::Succeeded, None).unwrap();
        assert_eq!(bundle.path(), None);
    }

    #[test]
    fn bundle_without_a_workspace_has_an_id_and_no_files() {
        let (bundle, result) = RunBundle::open(RunStart::default(), Redactor::default());
        result.unwrap();
        bundle.write_text("report.md", "x").unwrap();
        assert!(bundle.path().is_none() && bundle.id().as_str().len() == "20261127T173000Z-123456".len());
    }
}
