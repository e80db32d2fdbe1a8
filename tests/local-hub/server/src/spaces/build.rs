//! One build: writes the files to a folder, starts the app, and stops the old app when the new one accepts connections.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::core::content::Core;
use crate::core::objects::{Kind, Oid};
use crate::spaces::logs::{Log, LogRows};
use crate::spaces::process::{Launch, Process, free_port, write_file};
use crate::spaces::script::Live;
use crate::spaces::space::Space;
use crate::util::{iso, lock, now_ms};

/// Maximum number of bytes of the log in an `errorMessage`. The real ones begin in the middle of a line too.
const REASON_BYTES: usize = 2000;

/// Program of an app.
#[derive(Clone, Debug)]
pub(crate) enum Runner {
    /// `python app_file`; `Err` is a version of Gradio without an interpreter.
    Gradio { python: Result<PathBuf, String>, app_file: String },
    /// The command that replaces a container engine.
    Docker { program: PathBuf, args: Vec<String>, app_port: u16 },
}

/// A running build.
pub(crate) struct Build {
    pub(crate) core: Arc<Core>,
    pub(crate) space: Arc<Space>,
    /// Folder of the running apps.
    pub(crate) apps: PathBuf,
    pub(crate) generation: u64,
    pub(crate) head: Oid,
    pub(crate) runner: Runner,
    /// `startup_duration_timeout` of the card.
    pub(crate) timeout: Duration,
    pub(crate) stale: Duration,
}

/// Stage of a failed build, and its message.
type Failure = (&'static str, String);

impl Build {
    /// Runs the build, then watches the app until it exits.
    pub(crate) async fn run(self) {
        tokio::time::sleep(self.stale).await;
        if let Err((stage, error)) = self.start().await {
            let sha = (stage == "RUNTIME_ERROR").then_some(self.head);
            // The Hub stops the old app too if the new one fails.
            drop(self.space.app.take_apps(self.generation));
            self.report(Live { stage, sha, error: Some(error) }, true);
        }
    }

    async fn start(&self) -> Result<(), Failure> {
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
        self.report(Live { stage: "APP_STARTING", sha: self.previous(), error: None }, false);
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
        let process = Process::start(launch, self.run_log(epoch))
            .map_err(|e| ("RUNTIME_ERROR", format!("Exit code: 127. Reason: {}: {e}", program.display())))?;
        let (address, mut exit) = (process.address, process.exit());
        if !self.space.app.starting(self.generation, process) {
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
        // The new app serves from here on. The old one is killed after the stage has changed.
        let old = self.space.app.swap(self.generation);
        self.report(Live { stage: "RUNNING", sha: Some(self.head), error: None }, true);
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

    /// Writes to a log, unless it is scripted.
    fn rows(&self, log: Log, change: impl FnOnce(&mut LogRows)) {
        self.space.change(|state| {
            let rows = state.logs.entry(log).or_default();
            if !rows.is_scripted() {
                change(rows);
            }
        });
    }

    /// Returns a writer to the run log of this epoch.
    fn run_log(&self, epoch: u64) -> impl Fn(String) + Clone + Send + 'static {
        let space = self.space.clone();
        move |line| space.change(|state| state.logs.entry(Log::Run).or_default().push_to(epoch, line))
    }

    fn previous(&self) -> Option<Oid> {
        self.space.read(|state| state.previous)
    }

    /// Reports a stage, unless a newer build has begun. `replaces` ends the previous version.
    fn report(&self, live: Live, replaces: bool) {
        self.space.app.if_current(self.generation, || {
            // A failed write is harmless, because a restarted server builds again.
            let _ = self.space.update(|state| {
                if replaces {
                    state.previous = None;
                }
                state.live = Some(live);
            });
        });
    }

    fn folder(&self) -> std::io::Result<tempfile::TempDir> {
        std::fs::create_dir_all(&self.apps)?;
        tempfile::Builder::new().prefix("space-").tempdir_in(&self.apps)
    }

    async fn write_tree(&self, tree: &std::path::Path) -> anyhow::Result<usize> {
        let snapshot = self.space.repo.snapshot(self.head)?;
        std::fs::create_dir_all(tree)?;
        for (path, entry) in &snapshot.files {
            let content = match self.space.repo.objects.blob_info(entry.oid).and_then(|i| i.pointer) {
                Some(pointer) => self.core.large_content(&pointer.sha256).await?.to_vec(),
                None => self.space.repo.objects.get(Kind::Blob, entry.oid)?,
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

    /// Returns the environment of the app: the variables of the Spaces overview (`SPACE_ID`, `SPACE_HOST`, `CPU_CORES`,
    /// …), then the Space's variables and secrets, which override them.
    #[expect(clippy::disallowed_methods, reason = "an app finds its programs where this process does")]
    fn env(&self, port: u16, folder: &tempfile::TempDir) -> Vec<(String, String)> {
        let (id, namespace, name) = {
            let repo = lock(&self.space.repo.state);
            (repo.full_id(), repo.namespace.clone(), repo.name.clone())
        };
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
        let tmp = folder.path().join("tmp");
        let home = folder.path().to_string_lossy().into_owned();
        // An app may need no temporary files, so a missing folder is not an error.
        let _ = std::fs::create_dir_all(&tmp);
        let tmp = tmp.to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = [
            ("PATH", path),
            ("HOME", home),
            ("LANG", "C.UTF-8".into()),
            ("TMPDIR", tmp),
            ("SYSTEM", "spaces".into()),
            ("SPACE_ID", id),
            ("SPACE_AUTHOR_NAME", namespace),
            ("SPACE_REPO_NAME", name),
            ("CPU_CORES", "2".into()),
            ("MEMORY", "16Gi".into()),
            ("PYTHONUNBUFFERED", "1".into()),
        ]
        .map(|(k, v)| (k.to_owned(), v))
        .into();
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
        self.space.read(|space| {
            let host = space.host();
            env.insert("SPACE_HOST".into(), host.rsplit('/').next().unwrap_or_default().to_owned());
            for (key, setting) in space.variables.iter().chain(&space.secrets) {
                env.insert(key.clone(), setting.value.clone());
            }
        });
        env.into_iter().collect()
    }
}
