//! One build: the files are written to a folder, the app is started, and the old one goes when the new one answers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::hub::Hub;
use crate::logs::{Log, LogRows};
use crate::objects::{Kind, Oid};
use crate::repo::Repo;
use crate::runtime::SpaceRun;
use crate::runtime::process::{Launch, Process, free_port, write_file};
use crate::stage::Live;
use crate::util::{iso, lock, now_ms};

/// So many bytes of the log stand in an `errorMessage`; the real ones begin in the middle of a line too.
const REASON_BYTES: usize = 2000;

/// How the app is started.
#[derive(Clone, Debug)]
pub(crate) enum Runner {
    /// `python app_file`; `Err` names a version of Gradio that there is no interpreter for.
    Gradio { python: Result<PathBuf, String>, app_file: String },
    /// The command that stands for a container.
    Docker { program: PathBuf, args: Vec<String>, app_port: u16 },
}

/// A build under way.
pub(crate) struct Build {
    pub(crate) hub: Arc<Hub>,
    pub(crate) repo: Arc<Repo>,
    pub(crate) run: Arc<SpaceRun>,
    pub(crate) generation: u64,
    pub(crate) head: Oid,
    pub(crate) runner: Runner,
    /// `startup_duration_timeout` of the card.
    pub(crate) timeout: Duration,
    pub(crate) stale: Duration,
}

/// A stage that ends the build, and its message.
type Failure = (&'static str, String);

impl Build {
    /// Plays the build to its end, and watches the app for as long as it is the newest.
    pub(crate) async fn drive(self) {
        tokio::time::sleep(self.stale).await;
        if let Err((stage, error)) = self.run().await {
            let sha = (stage == "RUNTIME_ERROR").then_some(self.head);
            // The old app does not come back when the new one fails.
            drop(self.run.take_apps(self.generation));
            self.tell(Live { stage, sha, error: Some(error) }, true);
        }
    }

    async fn run(&self) -> Result<(), Failure> {
        let now = iso(now_ms());
        let sha = self.head.to_string();
        self.rows(Log::Build, |rows| {
            rows.restart();
            let date = now[..19].replace('T', " ");
            rows.push(format!("===== Build Queued at {date} / Commit SHA: {} =====", &sha[..7]));
            rows.push(String::new());
        });
        let broken =
            |e: std::io::Error| ("BUILD_ERROR", format!("Job failed with exit code: 1. Reason: {e}"));
        let folder = self.folder().map_err(broken)?;
        let tree = folder.path().join("app");
        let count = self.write_tree(&tree).await.map_err(|e| self.build_failed(&format!("{e:#}")))?;
        self.build_line(&format!("--> COPY --chown=1000:1000 {count} files to /home/user/app"));
        if let Runner::Gradio { python: Err(version), .. } = &self.runner {
            let text = format!(
                "ERROR: Could not find a version that satisfies the requirement gradio=={version}\n\
                 ERROR: No matching distribution found for gradio=={version}"
            );
            return Err(self.build_failed(&text));
        }
        self.build_line("DONE 0.0s");
        self.tell(Live { stage: "APP_STARTING", sha: self.previous(), error: None }, false);
        let port = free_port().map_err(broken)?;
        let mut epoch = 0;
        self.rows(Log::Run, |rows| {
            rows.restart();
            rows.push(format!(
                "===== Application Startup at {} =====",
                iso(now_ms())[..19].replace('T', " ")
            ));
            rows.push(String::new());
            epoch = rows.epoch();
        });
        let (program, args) = self.command(port);
        let env = self.env(port, &folder);
        let launch = Launch { program: program.clone(), args, env, folder, tree, port };
        let process = Process::start(launch, &self.repo, epoch)
            .map_err(|e| ("RUNTIME_ERROR", format!("Exit code: 127. Reason: {}: {e}", program.display())))?;
        let (address, mut exit) = (process.address, process.exit());
        if !self.run.starting(self.generation, process) {
            return Ok(());
        }
        let ready = tokio::time::timeout(self.timeout, async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        });
        tokio::select! {
            done = ready => if done.is_err() {
                let minutes = self.timeout.as_secs() / 60;
                return Err(("RUNTIME_ERROR", format!("Launch timed out, workload was not healthy after {minutes} min")));
            },
            code = exit.wait_for(Option::is_some) => {
                let code = code.ok().and_then(|c| *c);
                return Err(self.died(code.unwrap_or(1)));
            }
        }
        // The old app stops taking visitors in the same moment; it is killed once nobody looks.
        let old = self.run.swap(self.generation);
        self.tell(Live { stage: "RUNNING", sha: Some(self.head), error: None }, true);
        drop(old);
        let code = exit.wait_for(Option::is_some).await.ok().and_then(|c| *c);
        Err(self.died(code.unwrap_or(1)))
    }

    fn died(&self, code: i32) -> Failure {
        let mut tail = String::new();
        self.rows(Log::Run, |rows| tail = rows.tail_after(2, REASON_BYTES));
        ("RUNTIME_ERROR", format!("Exit code: {code}. Reason: {tail}"))
    }

    fn build_failed(&self, text: &str) -> Failure {
        for line in text.lines() {
            self.build_line(line);
        }
        ("BUILD_ERROR", format!("Job failed with exit code: 1. Reason: {text}"))
    }

    fn build_line(&self, line: &str) {
        self.rows(Log::Build, |rows| rows.push(line.to_owned()));
    }

    /// Writes to a log, unless a script does.
    fn rows(&self, log: Log, change: impl FnOnce(&mut LogRows)) {
        if let Some(space) = &mut lock(&self.repo.state).space {
            let rows = space.logs.entry(log).or_default();
            if !rows.is_scripted() {
                change(rows);
            }
        }
    }

    fn previous(&self) -> Option<Oid> {
        lock(&self.repo.state).space.as_ref().and_then(|s| s.previous)
    }

    /// Reports a stage, unless a newer build has begun. With `alone` no older image is left.
    fn tell(&self, live: Live, alone: bool) {
        self.run.if_current(self.generation, || {
            if let Some(space) = &mut lock(&self.repo.state).space {
                if alone {
                    space.previous = None;
                }
                space.live = Some(live);
            }
        });
        // What is on disk may lag behind; a server that comes back builds again anyway.
        let _ = self.repo.save();
    }

    fn folder(&self) -> std::io::Result<tempfile::TempDir> {
        std::fs::create_dir_all(&self.hub.apps)?;
        tempfile::Builder::new().prefix("space-").tempdir_in(&self.hub.apps)
    }

    async fn write_tree(&self, tree: &std::path::Path) -> anyhow::Result<usize> {
        let snapshot = self.repo.snapshot(self.head)?;
        std::fs::create_dir_all(tree)?;
        for (path, entry) in &snapshot.files {
            let content = match self.repo.objects.blob_info(entry.oid).and_then(|i| i.pointer) {
                Some(pointer) => self.hub.large_content(&pointer.sha256).await?.to_vec(),
                None => self.repo.objects.get(Kind::Blob, entry.oid)?,
            };
            write_file(tree, path, entry.mode, &content)?;
        }
        Ok(snapshot.files.len())
    }

    fn command(&self, port: u16) -> (PathBuf, Vec<String>) {
        match &self.runner {
            Runner::Gradio { python, app_file } => {
                (python.clone().unwrap_or_default(), vec!["-u".into(), app_file.clone()])
            }
            Runner::Docker { program, args, .. } => {
                let args = args.iter().map(|a| a.replace("{port}", &port.to_string())).collect();
                (program.clone(), args)
            }
        }
    }

    /// The environment of the app: what the Spaces overview names (`SPACE_ID`, `SPACE_HOST`, `CPU_CORES`, …) and the
    /// variables and secrets, which win.
    fn env(&self, port: u16, folder: &tempfile::TempDir) -> Vec<(String, String)> {
        let state = lock(&self.repo.state);
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
        let tmp = folder.path().join("tmp");
        let home = folder.path().to_string_lossy().into_owned();
        // Without the folder the app only lacks a place for its temporary files.
        let _ = std::fs::create_dir_all(&tmp);
        let tmp = tmp.to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = [
            ("PATH", path),
            ("HOME", home),
            ("LANG", "C.UTF-8".into()),
            ("TMPDIR", tmp),
            ("SYSTEM", "spaces".into()),
            ("SPACE_ID", state.full_id()),
            ("SPACE_AUTHOR_NAME", state.namespace.clone()),
            ("SPACE_REPO_NAME", state.name.clone()),
            ("CPU_CORES", "2".into()),
            ("MEMORY", "16Gi".into()),
            ("PYTHONUNBUFFERED", "1".into()),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
        if let Some(space) = &state.space {
            let host = space.host();
            env.insert("SPACE_HOST".into(), host.rsplit('/').next().unwrap_or_default().to_owned());
            let more = match &self.runner {
                Runner::Gradio { .. } => vec![
                    ("GRADIO_SERVER_PORT", port.to_string()),
                    ("GRADIO_SERVER_NAME", "127.0.0.1".into()),
                    ("GRADIO_ANALYTICS_ENABLED", "False".into()),
                    ("GRADIO_ALLOW_FLAGGING", "never".into()),
                    ("GRADIO_SSR_MODE", "False".into()),
                ],
                Runner::Docker { app_port, .. } => {
                    vec![("PORT", port.to_string()), ("APP_PORT", app_port.to_string())]
                }
            };
            env.extend(more.into_iter().map(|(k, v)| (k.to_owned(), v)));
            for (key, setting) in space.variables.iter().chain(&space.secrets) {
                env.insert(key.clone(), setting.value.clone());
            }
        }
        env.into_iter().collect()
    }
}
