//! State that a step saves for its post step (GitHub docs, "Workflow commands for GitHub Actions": `GITHUB_STATE`).

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Name of the state that shows the post step that it is one.
const STARTED: &str = "started";
/// Name of the state after which the post step has nothing to do.
const SETTLED: &str = "settled";
/// Beginning of the variables in which the runner passes the state to the post step.
const PREFIX: &str = "STATE_";

/// File for the state of a step. Without a runner it is missing, and saving does nothing.
#[derive(Debug, Clone, Default)]
pub struct PostState {
    file: Option<PathBuf>,
}

/// State that the main step saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedState {
    values: Vec<(String, String)>,
}

impl PostState {
    /// Finds the file in the variables of the runner.
    pub fn from_vars(vars: &[(String, String)]) -> Self {
        let found = vars.iter().rev().find(|(name, value)| name == "GITHUB_STATE" && !value.is_empty());
        Self { file: found.map(|(_, path)| PathBuf::from(path)) }
    }

    /// Marks the step as started, so that its post step knows itself.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn start(&self) -> io::Result<()> {
        self.save(STARTED, "true")
    }

    /// Saves a value of one line.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the value has a line break.
    pub fn save(&self, name: &str, value: &str) -> io::Result<()> {
        let Some(path) = &self.file else { return Ok(()) };
        if value.contains(['\n', '\r']) {
            return Err(io::Error::other("the value has several lines"));
        }
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)?
            .write_all(format!("{name}={value}\n").as_bytes())
    }

    /// Leaves something to do for the post step again.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn unsettle(&self) -> io::Result<()> {
        self.save(SETTLED, "")
    }

    /// Leaves nothing to do for the post step. If the file cannot be written, the post step does it again.
    pub fn settle(&self) {
        let _ = self.save(SETTLED, "true");
    }
}

impl SavedState {
    /// Returns the state of the main step; `None` in the main step itself.
    pub fn from_vars(vars: &[(String, String)]) -> Option<Self> {
        let saved = vars.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)));
        let values: Vec<_> = saved.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let state = Self { values };
        state.get(STARTED).is_some().then_some(state)
    }

    /// Returns a value that was saved.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.values.iter().find(|(saved, _)| saved == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// Returns true if nothing is left to do.
    pub fn is_settled(&self) -> bool {
        self.get(SETTLED).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn post_step_reads_the_state_of_the_main_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let vars = [("GITHUB_STATE".to_owned(), path.to_string_lossy().into_owned())];
        let state = PostState::from_vars(&vars);
        state.start().unwrap();
        state.save("job", "ada/1").unwrap();
        assert!(state.save("job", "a\nb").is_err());
        let read = || {
            let text = std::fs::read_to_string(&path).unwrap();
            let pairs = text.lines().map(|line| line.split_once('=').unwrap());
            let vars: Vec<_> =
                pairs.map(|(name, value)| (format!("STATE_{name}"), value.to_owned())).collect();
            SavedState::from_vars(&vars)
        };
        let saved = read().unwrap();
        assert_eq!((saved.get("job"), saved.get("launch"), saved.is_settled()), (Some("ada/1"), None, false));
        state.settle();
        assert!(read().unwrap().is_settled());
        assert_eq!(SavedState::from_vars(&vars), None, "the main step has no state");
        PostState::default().save("job", "x").unwrap();
    }
}
