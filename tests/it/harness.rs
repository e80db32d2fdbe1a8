//! Runs the binary with a cleared environment, and reads everything that it leaves behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use local_hub::contract::OpenApi;
use local_hub::{Contract, HubConfig, LocalHub, RepoType, User};
use serde_json::Value;
use tokio::process::Command;

/// The token that every run here is given, unless the test says otherwise.
pub(crate) const TOKEN: &str = "hf_TestTokenThatMustNeverShowUpAnywhere";

/// Returns a variable that `tests/run` prepares. Tests that need it are ignored by `cargo test` alone.
pub(crate) fn prepared_variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `tests/run test`, which prepares it"))
}

/// A Hub of a test. A request that broke the Hub's contract fails the test that sent it.
pub(crate) struct TestHub {
    hub: LocalHub,
    /// The apps of its Spaces can be visited.
    has_edge: bool,
}

impl std::ops::Deref for TestHub {
    type Target = LocalHub;

    fn deref(&self) -> &LocalHub {
        &self.hub
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.hub.assert_contract_kept();
        }
    }
}

/// A Hub with one user, `ada`, whose token is [`TOKEN`].
pub(crate) async fn hub() -> TestHub {
    hub_with(|_| {}).await
}

/// The same, changed.
pub(crate) async fn hub_with(change: impl FnOnce(&mut HubConfig)) -> TestHub {
    // Without a document no request is checked; a test in `contract` fails then.
    let contract = OpenApi::find(None).expect("cannot read the OpenAPI document");
    let contract = contract.map(|contract| contract as Arc<dyn Contract>);
    let users = vec![User::new("ada", TOKEN)];
    let mut config = HubConfig { users, contract, ..HubConfig::default() };
    change(&mut config);
    let has_edge = config.edge;
    let hub = LocalHub::start(config).await.expect("the local Hub starts");
    // A build takes no time where a test does not script it.
    hub.set_policy(|policy| policy.build_time = Duration::ZERO);
    TestHub { hub, has_edge }
}

/// A folder to deploy.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, content) in files {
            folder.write(path, content);
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path)).unwrap();
    }
}

/// A static Space that needs nothing.
pub(crate) fn static_space() -> Folder {
    Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: static\n---\n\n# Hello\n"),
        ("index.html", "<h1>Hello</h1>\n"),
        ("style.css", "h1 { color: teal }\n"),
    ])
}

/// The same with a picture: what is not all text takes a commit, also for a new Space.
pub(crate) fn static_space_with_picture() -> Folder {
    let folder = static_space();
    folder.write("planet.png", b"\x89PNG\r\n\x1a\n\0not much of a picture");
    folder
}

/// One run of the binary.
pub(crate) struct Run {
    arguments: Vec<String>,
    vars: BTreeMap<String, String>,
    hub_address: String,
    workspace: PathBuf,
    scratch: tempfile::TempDir,
    secrets: Vec<String>,
    /// There is an app to check, unless the test sets `verify` itself.
    checks: bool,
}

impl Run {
    pub(crate) fn new(hub: &TestHub, folder: &Folder) -> Self {
        Self { checks: hub.has_edge, ..Self::at(&hub.endpoint(), folder) }
    }

    /// Against an address, behind which there may be no Hub.
    pub(crate) fn at(endpoint: &str, folder: &Folder) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = scratch.path().join(name);
            std::fs::write(&path, "").unwrap();
            path.to_string_lossy().into_owned()
        };
        let vars = BTreeMap::from(
            [
                ("HF_ENDPOINT", endpoint.to_owned()),
                ("INPUT_HUGGINGFACE_REPO", "ada/app".to_owned()),
                ("INPUT_HF_TOKEN", TOKEN.to_owned()),
                ("GITHUB_ACTIONS", "true".to_owned()),
                ("GITHUB_WORKSPACE", folder.path().to_string_lossy().into_owned()),
                ("GITHUB_REPOSITORY", "octo/hello".to_owned()),
                ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567".to_owned()),
                ("GITHUB_SERVER_URL", "https://github.example".to_owned()),
                ("GITHUB_RUN_ID", "42".to_owned()),
                ("GITHUB_ACTION_REPOSITORY", "octo/hf-deploy".to_owned()),
                ("GITHUB_ACTION_REF", "v1".to_owned()),
                ("GITHUB_OUTPUT", file("output")),
                ("GITHUB_STEP_SUMMARY", file("summary")),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Self {
            arguments: Vec::new(),
            vars,
            hub_address: endpoint.to_owned(),
            workspace: folder.path().to_owned(),
            scratch,
            secrets: vec![TOKEN.to_owned()],
            checks: false,
        }
    }

    /// Runs another command, as its own action would.
    pub(crate) fn action(mut self, command: &str) -> Self {
        self.arguments = vec![command.to_owned(), "--from-inputs".to_owned()];
        self
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    pub(crate) fn input(self, name: &str, value: &str) -> Self {
        self.var(&format!("INPUT_{}", name.to_uppercase()), value)
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.vars.remove(name);
        self
    }

    /// A secret in the step's `env:`, which must not show up either.
    pub(crate) fn secret(mut self, name: &str, value: &str) -> Self {
        self.secrets.push(value.to_owned());
        self.var(name, value)
    }

    /// Another token, which must not show up either.
    pub(crate) fn token(mut self, token: &str) -> Self {
        self.secrets.push(token.to_owned());
        self.input("hf_token", token)
    }

    pub(crate) fn spawn(&self) -> tokio::process::Child {
        self.start(Command::new(env!("CARGO_BIN_EXE_hf-deploy")))
    }

    /// Starts it by a shell, which finds it as `$0`.
    pub(crate) fn spawn_in(&self, shell: &str) -> tokio::process::Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", shell, env!("CARGO_BIN_EXE_hf-deploy")]);
        self.start(command)
    }

    fn start(&self, mut command: Command) -> tokio::process::Child {
        let is_space = self.vars.get("INPUT_REPO_TYPE").is_none_or(|repo_type| repo_type == "space");
        let unchecked = (is_space && !self.checks).then_some(("INPUT_VERIFY", "false"));
        command
            .args(&self.arguments)
            .env_clear()
            .envs(unchecked)
            .envs(&self.vars)
            .current_dir(&self.workspace)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts")
    }

    pub(crate) async fn run(self) -> Ran {
        let child = self.spawn();
        self.finish(child).await
    }

    /// Waits for a process of [`Run::spawn`], and reads what it left.
    pub(crate) async fn finish(self, child: tokio::process::Child) -> Ran {
        let output = tokio::time::timeout(Duration::from_secs(240), child.wait_with_output())
            .await
            .expect("the binary ends in time")
            .expect("its output can be read");
        let log = String::from_utf8(output.stdout).expect("the log is UTF-8");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let read = |name: &str| std::fs::read_to_string(self.scratch.path().join(name)).unwrap_or_default();
        let (raw_outputs, summary) = (read("output"), read("summary"));
        for secret in &self.secrets {
            // The one place where the runner wants to see it.
            let masked = log.replace(&format!("::add-mask::{secret}\n"), "");
            for (place, text) in
                [("log", &masked), ("stderr", &stderr), ("outputs", &raw_outputs), ("summary", &summary)]
            {
                assert!(!text.contains(secret.as_str()), "the token stands in the {place}:\n{text}");
            }
            for (path, content) in files_below(&self.workspace.join(".hf-deploy")) {
                let text = String::from_utf8_lossy(&content);
                assert!(!text.contains(secret.as_str()), "the token stands in `{}`", path.display());
            }
        }
        Ran {
            code: output.status.code().unwrap_or(-1),
            outputs: parse_outputs(&raw_outputs),
            log,
            stderr,
            summary,
            replacements: vec![
                (self.hub_address.clone(), "HUB".to_owned()),
                (self.hub_address.trim_start_matches("http://").to_owned(), "HUB".to_owned()),
                (self.workspace.to_string_lossy().into_owned(), "WORKSPACE".to_owned()),
                (self.scratch.path().to_string_lossy().into_owned(), "RUNNER".to_owned()),
                (TOKEN.to_owned(), "TOKEN".to_owned()),
            ]
            .into_iter()
            .chain(self.secrets.iter().skip(1).map(|secret| (secret.clone(), "SECRET".to_owned())))
            .collect(),
        }
    }
}

/// Reads all files of a folder, which may be missing.
pub(crate) fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(files_below(&path));
        } else if kind.is_file() {
            // A run beside this one may have renamed it.
            found.extend(std::fs::read(&path).ok().map(|content| (path, content)));
        }
    }
    found
}

/// Runs a command of the binary in a folder, with [`TOKEN`] in `HF_TOKEN`: its exit code, and all that it prints.
pub(crate) async fn command(hub: &TestHub, folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(arguments)
        .env_clear()
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HF_TOKEN", TOKEN)
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(TOKEN), "{text}");
    (output.status.code().unwrap(), text)
}

/// Runs a command of the program with `--json`. Returns the exit code, and the report on stdout.
pub(crate) async fn json_command(hub: &TestHub, folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(arguments)
        .arg("--json")
        .env_clear()
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HF_TOKEN", TOKEN)
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "{stdout}{stderr}");
    let report = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"));
    (output.status.code().unwrap(), report)
}

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) log: String,
    pub(crate) stderr: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) summary: String,
    replacements: Vec<(String, String)>,
}

impl Ran {
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("no output `{name}`:\n{}", self.log))
    }

    /// Asserts the end of the run, showing the log when it was another.
    pub(crate) fn ended(self, code: i32, status: &str) -> Self {
        let found = (self.code, self.outputs.get("status").map(String::as_str));
        assert_eq!(found, (code, Some(status)), "\n{}\n{}", self.log, self.stderr);
        assert_eq!(self.stderr, "");
        self
    }

    /// Asserts a failure with its error code.
    pub(crate) fn failed(self, code: i32, error_code: &str) -> Self {
        let ran = self.ended(code, "failed");
        assert_eq!(ran.output("error_code"), error_code, "\n{}", ran.log);
        ran
    }

    /// The files that were added, updated, deleted and left.
    pub(crate) fn counts(&self) -> [&str; 4] {
        ["files_added", "files_updated", "files_deleted", "files_unchanged"].map(|name| self.output(name))
    }

    /// Log, outputs and summary in one text, with what differs from run to run replaced.
    pub(crate) fn everything(&self) -> String {
        let outputs: String = self.outputs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let mut text = format!(
            "exit code {}\n\n== log ==\n{}\n== outputs ==\n{outputs}\n== summary ==\n{}",
            self.code, self.log, self.summary
        );
        for (from, to) in &self.replacements {
            text = text.replace(from, to);
        }
        text
    }
}

/// Compares log, outputs and summary with the snapshot of this name.
#[macro_export]
macro_rules! assert_ran {
    ($ran:expr) => {{
        let ran = &$ran;
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("snapshots");
        settings.add_filter(r"\b[0-9a-f]{40}\b", "SHA");
        settings.add_filter(r"/[0-9a-f]{7}\b", "/SHA7");
        settings.add_filter(r"\[`?[0-9a-f]{7}`?\]", "[SHA7]");
        settings.add_filter(r"Root=1-[0-9a-f-]+(;[0-9a-f-]*)?", "REQUEST");
        settings.add_filter(r"(ada|acme)-app(-pr-12)?-[0-9a-z]+", "$1-app$2-SUFFIX");
        // The marks around a Space's log hold a random token.
        settings.add_filter(r"(?m)^::stop-commands::.*\n", "");
        settings.add_filter(r"(?m)^::[0-9a-f]{32}::\n", "");
        settings.add_filter(r"waiting \d+ s", "waiting N s");
        settings.add_filter(
            r"(?m)^((?:building|starting|running|paused|sleeping|crashed|misconfigured|build failed|without an app file)(?: \([a-z ]+\)| the previous version| another commit)?)(?: after [0-9a-z ]+)?$",
            "$1 [after T]",
        );
        settings.add_filter(r"is still ([a-z ()]+) after \d+ s", "is still $1 after N s");
        // They differ in each run, and `bundle.rs` has the tests of them.
        settings.add_filter(r"(?m)^(?:run_id|bundle_path)=.*\n", "");
        settings.add_filter(r"timings=\{.*\}", "timings={…}");
        // Comment and deployment are made at the same time.
        settings.add_filter(r"issuecomment-\d+", "issuecomment-N");
        settings.add_filter(r"deployment_id=\d+", "deployment_id=N");
        settings.add_filter(r" in \d+\.\d s(, [0-9.]+ .?B/s)?", " in T s");
        settings.add_filter(r"127\.0\.0\.1:[0-9]+", "ADDRESS");
        settings.add_filter(r"(?m)^::add-mask::eyJ.*$", "::add-mask::ID_TOKEN");
        settings.add_filter(
            r"(?m)^===== Application Startup at .* =====$",
            "===== Application Startup at TIME =====",
        );
        settings.add_filter(r"\| Took \| [^|]+ \|", "| Took | T |");
        // The number of files of the proxy.
        settings.add_filter(r"(created the Space `ada/app-proxy` \(public\) with its )\d+ files", "${1}N files");
        settings.bind(|| insta::assert_snapshot!(ran.everything()));
    }};
}

/// Reads the file behind GITHUB_OUTPUT as the runner does: `name=value`, or a heredoc.
fn parse_outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, value) = match (line.find('='), line.find("<<")) {
            (Some(equals), heredoc) if heredoc.is_none_or(|start| equals < start) => {
                (&line[..equals], line[equals + 1..].to_owned())
            }
            (_, Some(start)) => {
                let end = &line[start + 2..];
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                (&line[..start], value.join("\n"))
            }
            _ => panic!("not an output: {line}"),
        };
        assert!(outputs.insert(name.to_owned(), value).is_none(), "`{name}` stands twice");
    }
    outputs
}

/// The tree of a repo on the Hub, as `path → object id`.
pub(crate) fn tree(hub: &LocalHub, repo_type: RepoType) -> BTreeMap<String, String> {
    let tree = hub.repo(repo_type, "ada/app").tree("main").unwrap();
    tree.into_iter().map(|(path, file)| (path, file.oid)).collect()
}

/// The paths of a repo on the Hub.
pub(crate) fn paths(hub: &LocalHub, repo_type: RepoType) -> Vec<String> {
    tree(hub, repo_type).into_keys().collect()
}

/// Waits until this number of requests of this kind reached the Hub.
pub(crate) async fn reached(hub: &TestHub, path: &str, count: usize) {
    let seen = || hub.requests().iter().filter(|request| request.path.contains(path)).count();
    until(|| seen() >= count).await;
}

/// Polls until a condition holds.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), wait).await.expect("condition not met within 120 s");
}
