//! The process of an app, in its own process group.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;

/// A running app. Dropping it kills its process group and removes its folder.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    /// Id of the process and of its group.
    group: u32,
    /// Exit code, once the process has ended.
    exit: watch::Receiver<Option<i32>>,
    _folder: tempfile::TempDir,
}

/// Program, environment and files of an app.
pub(crate) struct Launch {
    pub(crate) program: std::path::PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) folder: tempfile::TempDir,
    /// The app's files, below `folder`.
    pub(crate) tree: std::path::PathBuf,
    pub(crate) port: u16,
}

impl Process {
    /// Starts the app. Each line that it prints goes to `log`.
    pub(crate) fn start(
        launch: Launch,
        log: impl Fn(String) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut child = Command::new(&launch.program)
            .args(&launch.args)
            .current_dir(&launch.tree)
            .env_clear()
            .envs(launch.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().ok_or(std::io::ErrorKind::NotFound)?;
        let mut pumps = tokio::task::JoinSet::new();
        if let Some(out) = child.stdout.take() {
            pumps.spawn(pump(out, log.clone()));
        }
        if let Some(err) = child.stderr.take() {
            pumps.spawn(pump(err, log));
        }
        let (ended, exit) = watch::channel(None);
        tokio::spawn(async move {
            let status = child.wait().await;
            // The log gets the last lines before the exit is reported, but a child that keeps the pipe delays it only
            // for a moment.
            let _ = tokio::time::timeout(Duration::from_millis(500), async {
                while pumps.join_next().await.is_some() {}
            })
            .await;
            // A shell reports a signal as 128 plus its number, too.
            let code = status.ok().and_then(|s| s.code().or_else(|| s.signal().map(|n| 128 + n)));
            let _ = ended.send(Some(code.unwrap_or(1)));
        });
        let address = SocketAddr::from(([127, 0, 0, 1], launch.port));
        Ok(Self { address, group, exit, _folder: launch.folder })
    }

    /// Returns a receiver of the exit code, which does not keep the process alive.
    pub(crate) fn exit(&self) -> watch::Receiver<Option<i32>> {
        self.exit.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.exit.borrow().is_none() {
            kill_group(self.group);
        }
    }
}

/// Kills a process group by its id, with the shell's `kill`, because the standard library has no signals.
pub(crate) fn kill_group(group: u32) {
    let _ = std::process::Command::new("sh")
        .args(["-c", "kill -s KILL -- \"-$0\"", &group.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

async fn pump(from: impl AsyncRead + Unpin, log: impl Fn(String)) {
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&line);
        log(text.trim_end_matches(['\n', '\r']).to_owned());
        line.clear();
    }
}

/// Returns a free port.
pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Writes one file of the tree. A link stays a link if it leads to a place inside.
pub(crate) fn write_file(tree: &Path, path: &str, mode: u32, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let target = tree.join(path);
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if mode == 0o120_000 {
        let link = String::from_utf8_lossy(content).into_owned();
        if !link.starts_with('/') && !link.split('/').any(|part| part == "..") {
            return std::os::unix::fs::symlink(link, target);
        }
        return Ok(());
    }
    std::fs::write(&target, content)?;
    if mode == 0o100_755 {
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
