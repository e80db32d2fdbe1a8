//! Stages of a Space.

use serde::Deserialize;

/// State of a Space between a commit and its running app, as the official clients list it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Stage {
    /// An image is built, and no app runs.
    Building,
    /// An image is built, and the app of the last one runs.
    RunningBuilding,
    /// The app starts.
    AppStarting,
    /// The new app starts, and the last one runs.
    RunningAppStarting,
    /// The app runs.
    Running,
    /// The build failed.
    BuildError,
    /// The app ended.
    RuntimeError,
    /// The card, the variables or the secrets are invalid.
    ConfigError,
    /// There is no file to run.
    NoAppFile,
    /// The Space sleeps until a visit or a restart.
    Sleeping,
    /// The Space was paused by a user.
    Paused,
    /// The Space was stopped.
    Stopped,
    /// The Space is being deleted.
    Deleting,
    /// A stage that this crate does not know.
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

impl Default for Stage {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl Stage {
    /// Returns the Hub's name of the stage.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => STAGES.iter().find(|(_, stage)| stage == known).map_or("", |(name, _)| name),
        }
    }

    /// Returns true if the Space is in an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::BuildError | Self::RuntimeError | Self::ConfigError | Self::NoAppFile)
    }

    /// Returns true while an image is built.
    pub fn is_building(&self) -> bool {
        matches!(self, Self::Building | Self::RunningBuilding)
    }

    /// Returns true while a built image starts.
    pub fn is_starting(&self) -> bool {
        matches!(self, Self::AppStarting | Self::RunningAppStarting)
    }

    /// Returns true if nothing runs until the Space is restarted.
    pub fn is_asleep(&self) -> bool {
        matches!(self, Self::Sleeping | Self::Paused | Self::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_keeps_its_name() {
        for (name, stage) in STAGES {
            assert_eq!(Stage::from((*name).to_owned()), *stage);
            assert_eq!(stage.as_str(), *name);
        }
    }

    #[test]
    fn an_unknown_stage_keeps_its_name_and_is_no_error() {
        let unknown = Stage::from("TELEPORTING".to_owned());
        assert_eq!(unknown.as_str(), "TELEPORTING");
        assert!(!unknown.is_error());
    }
}
