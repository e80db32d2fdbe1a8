//! Names of inputs in messages, as the user of this run writes them.
//!
//! Advice comes from places that know no command. The command that runs states its names once, before its work begins.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// An input that messages name. It is displayed in backticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting(&'static str);

/// An input as the user of this run writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The name alone.
    pub name: String,
    /// Text in front of a value.
    pub before_value: String,
}

/// Names of the inputs of the command that runs.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The inputs are options of a command, not lines of a workflow.
    pub are_options: bool,
    /// The settings that the command has.
    pub written: BTreeMap<&'static str, Written>,
}

/// Names of this process, which runs one command. Without them, messages are for a workflow.
static NAMES: OnceLock<Names> = OnceLock::new();

/// Sets the names for all messages of this process. A second call has no effect.
pub fn use_names(names: Names) {
    NAMES.get_or_init(|| names);
}

/// Returns the text for a step of a workflow, or the one for a user of a terminal.
pub fn in_workflow_or_terminal(workflow: &'static str, terminal: &'static str) -> &'static str {
    if NAMES.get().is_some_and(|names| names.are_options) { terminal } else { workflow }
}

impl Setting {
    /// Returns the name in a workflow of the command that has it.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Returns the setting with a value, in backticks.
    pub fn with(self, value: impl fmt::Display) -> String {
        match self.written() {
            Some(written) => format!("`{}{value}`", written.before_value),
            None => format!("`{}: {value}`", self.0),
        }
    }

    /// Returns true if the command that runs has this setting.
    pub fn is_there(self) -> bool {
        NAMES.get().is_none_or(|names| names.written.contains_key(self.0))
    }

    fn written(self) -> Option<&'static Written> {
        NAMES.get()?.written.get(self.0)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.written().map_or(self.0, |written| &written.name))
    }
}

/// Declares the settings that messages name.
macro_rules! settings {
    ($($constant:ident = $name:literal;)+) => {
        $(pub const $constant: Setting = Setting($name);)+

        /// All settings that messages name. Each is an input of a command, or another name of one.
        pub const ALL: &[Setting] = &[$($constant),+];
    };
}

settings! {
    CACHE_PATH = "cache_path";
    DEFAULT_EXCLUDES = "default_excludes";
    EXCLUDE = "exclude";
    INCLUDE = "include";
    SOURCE_DIR = "source_dir";
    SPACE_SDK = "space_sdk";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_command_the_names_are_those_of_a_workflow() {
        assert_eq!(SOURCE_DIR.to_string(), "`source_dir`");
        assert_eq!(SOURCE_DIR.with("site"), "`source_dir: site`");
        assert!(SOURCE_DIR.is_there());
        assert_eq!(in_workflow_or_terminal("a step", "a command"), "a step");
    }
}
