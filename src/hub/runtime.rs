//! A Space at run time: its stage, waking it, and its logs.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::types::Repo;

/// The state of a Space (`GET /api/spaces/{id}/runtime`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    pub stage: Stage,
    /// The commit whose image runs: absent for static Spaces, and while nothing runs.
    pub sha: Option<String>,
    /// What is wrong, in an error stage.
    pub error_message: Option<String>,
    #[serde(default)]
    pub hardware: Option<Hardware>,
    /// Dev mode keeps the container: a commit is not built.
    #[serde(default)]
    pub dev_mode: bool,
}

/// What a Space runs on, and what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hardware {
    pub current: Option<String>,
    pub requested: Option<String>,
}

/// Where a Space is between commit and app, as the official clients list it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Stage {
    Building,
    RunningBuilding,
    AppStarting,
    RunningAppStarting,
    Running,
    BuildError,
    RuntimeError,
    ConfigError,
    NoAppFile,
    Sleeping,
    Paused,
    Stopped,
    Deleting,
    /// A stage that was not known when this was written: taken for one on the way.
    Other(String),
}

const STAGES: &[(&str, Stage)] = &[
    ("BUILDING", Stage::Building),
    ("RUNNING_BUILDING", Stage::RunningBuilding),
    ("APP_STARTING", Stage::AppStarting),
    ("RUNNING_APP_STARTING", Stage::RunningAppStarting),
    ("RUNNING", Stage::Running),
    ("BUILD_ERROR", Stage::BuildError),
    ("RUNTIME_ERROR", Stage::RuntimeError),
    ("CONFIG_ERROR", Stage::ConfigError),
    ("NO_APP_FILE", Stage::NoAppFile),
    ("SLEEPING", Stage::Sleeping),
    ("PAUSED", Stage::Paused),
    ("STOPPED", Stage::Stopped),
    ("DELETING", Stage::Deleting),
];

impl From<String> for Stage {
    fn from(text: String) -> Self {
        let known = STAGES.iter().find(|(name, _)| *name == text);
        known.map_or(Self::Other(text), |(_, stage)| stage.clone())
    }
}

impl Stage {
    /// The stage as the Hub spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => STAGES.iter().find(|(_, stage)| stage == known).map_or("", |(name, _)| name),
        }
    }

    /// Whether the Space ended up in an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::BuildError | Self::RuntimeError | Self::ConfigError | Self::NoAppFile)
    }

    /// Whether an image is being built.
    pub fn is_building(&self) -> bool {
        matches!(self, Self::Building | Self::RunningBuilding)
    }

    /// Whether a built image is being started.
    pub fn is_starting(&self) -> bool {
        matches!(self, Self::AppStarting | Self::RunningAppStarting)
    }

    /// Whether nothing will run until somebody wakes it.
    pub fn is_asleep(&self) -> bool {
        matches!(self, Self::Sleeping | Self::Paused | Self::Stopped)
    }
}

/// The two logs of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    Build,
    Run,
}

impl LogKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Run => "run",
        }
    }
}

/// How long a log may be silent: keep-alives come far more often.
const LOG_SILENCE: Duration = Duration::from_secs(120);

/// A log that streams (`GET /api/spaces/{id}/logs/{build|run}`, server-sent events).
#[derive(Debug)]
pub struct LogBytes(reqwest::Response);

impl LogBytes {
    /// The next bytes: `None` when the stream ended, broke, or went silent.
    pub async fn next(&mut self) -> Option<Bytes> {
        tokio::time::timeout(LOG_SILENCE, self.0.chunk()).await.ok()?.ok()?
    }
}

impl Hub {
    /// What a Space is doing now.
    pub async fn runtime(&self, space: &Repo) -> Result<Runtime, Error> {
        let operation = format!("read the state of the {space}");
        let url = self.url(&format!("{}/runtime", space.api()))?;
        self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)
    }

    /// Starts a Space again, or wakes it.
    pub async fn restart(&self, space: &Repo) -> Result<(), Error> {
        let url = self.url(&format!("{}/restart", space.api()))?;
        self.call(&Call::new(format!("restart the {space}"), Method::POST, url)).await?;
        Ok(())
    }

    /// Builds a Space again, without what earlier builds left.
    pub async fn rebuild(&self, space: &Repo) -> Result<(), Error> {
        let url = self.url(&format!("{}/restart?factory=true", space.api()))?;
        self.call(&Call::new(format!("rebuild the {space}"), Method::POST, url)).await?;
        Ok(())
    }

    /// Opens a log. Each connection starts from the log's beginning again.
    pub async fn open_log(&self, space: &Repo, kind: LogKind) -> Result<LogBytes, Error> {
        let operation = format!("read the {} log of the {space}", kind.as_str());
        let url = self.url(&format!("{}/logs/{}", space.api(), kind.as_str()))?;
        self.open_stream(&Call::new(operation, Method::GET, url)).await.map(LogBytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_as_the_hub_writes_them() {
        let read = |text: &str| serde_json::from_str::<Runtime>(text).unwrap();
        let gradio = read(
            r#"{"stage":"RUNNING","hardware":{"current":"cpu-basic","requested":"cpu-basic"},"storage":null,
                "gcTimeout":172800,"replicas":{"current":1,"requested":1},"devMode":false,"sha":"abc",
                "domains":[{"domain":"x.hf.space","stage":"READY"}]}"#,
        );
        assert_eq!((gradio.stage, gradio.sha.as_deref()), (Stage::Running, Some("abc")));
        let fixed =
            read(r#"{"stage":"RUNNING","hardware":{"current":null,"requested":null},"storage":null}"#);
        assert_eq!(fixed.sha, None);
        let unknown = read(r#"{"stage":"TELEPORTING"}"#);
        assert_eq!(unknown.stage.as_str(), "TELEPORTING");
        assert!(!unknown.stage.is_error());
    }

    #[test]
    fn every_stage_keeps_its_name() {
        for (name, stage) in STAGES {
            assert_eq!(Stage::from((*name).to_owned()), *stage);
            assert_eq!(stage.as_str(), *name);
        }
    }
}
