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
    if are_options() { terminal } else { workflow }
}

fn are_options() -> bool {
    NAMES.get().is_some_and(|names| names.are_options)
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

    /// Returns the setting of another command or action with a value, in backticks.
    pub fn of_another(self, value: impl fmt::Display) -> String {
        if are_options() {
            format!("`--{}={value}`", self.0.replace('_', "-"))
        } else {
            format!("`{}: {value}`", self.0)
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
    AGENT_HARDWARE = "agent_hardware";
    AGENT_HF_TOKEN = "agent_hf_token";
    AGENT_MAX_COST = "agent_max_cost";
    AGENT_MODEL = "agent_model";
    AGENT_TIMEOUT = "agent_timeout";
    ALLOW_FALLBACK = "allow_fallback";
    ALLOW_PICKLE = "allow_pickle";
    API_ARGS = "api_args";
    API_KWARGS = "api_kwargs";
    API_NAME = "api_name";
    BILL_TO = "bill_to";
    BUCKET = "bucket";
    BUILDER = "builder";
    BUNDLE_BUCKET = "bundle_bucket";
    CACHE_PATH = "cache_path";
    CONFIG_NAME = "config_name";
    CONFIRM = "confirm";
    CREATE_PR = "create_pr";
    CREATE_PROXY = "create_proxy";
    DEFAULT_EXCLUDES = "default_excludes";
    DEV_MODE = "dev_mode";
    EXCLUDE = "exclude";
    EXPECT = "expect";
    EXPECT_CONTAINS = "expect_contains";
    EXPECT_REGEX = "expect_regex";
    FAIL_ON = "fail_on";
    FALLBACK_HARDWARE = "fallback_hardware";
    FLAVOR = "flavor";
    FORCE_SECRETS = "force_secrets";
    GITHUB_TOKEN = "github_token";
    HARDWARE = "hardware";
    HEALTH_CONTAINS = "health_contains";
    HEALTH_PATH = "health_path";
    HEALTH_STATUS = "health_status";
    HF_TOKEN = "hf_token";
    HUGGINGFACE_REPO = "huggingface_repo";
    IMAGE = "image";
    INCLUDE = "include";
    JOB_ID = "job_id";
    JUNIT_PATH = "junit_path";
    LEAVE_OPEN_ON_FAILURE = "leave_open_on_failure";
    MAX_COST = "max_cost";
    MAX_DELETES = "max_deletes";
    MAX_HOURLY_PRICE = "max_hourly_price";
    MAX_LATENCY = "max_latency";
    MAX_ROW_SIZE = "max_row_size";
    MAX_TOKENS = "max_tokens";
    MODEL = "model";
    NAMESPACE = "namespace";
    OPERATION = "operation";
    OUTPUT_FILE = "output_file";
    OVERWRITE = "overwrite";
    PATH = "path";
    PATH_IN_REPO = "path_in_repo";
    PREVIEW_HARDWARE = "preview_hardware";
    PREVIEW_SLEEP_TIME = "preview_sleep_time";
    PREVIEW_SUFFIX = "preview_suffix";
    PRIVATE = "private";
    PROXY_HARDWARE = "proxy_hardware";
    PROXY_HF_TOKEN = "proxy_hf_token";
    PROXY_SLEEP_TIME = "proxy_sleep_time";
    PROXY_SPACE_SUFFIX = "proxy_space_suffix";
    PROXY_TARGET_URL = "proxy_target_url";
    PRUNE = "prune";
    RAW_TRACES = "raw_traces";
    REPO_TYPE = "repo_type";
    REQUIRE_HARDWARE = "require_hardware";
    REVISION = "revision";
    ROUTING = "routing";
    RUN_ID = "run_id";
    RUNTIME = "runtime";
    SECRETS = "secrets";
    SECRETS_IN_FILES = "secrets_in_files";
    SETTINGS_STRATEGY = "settings_strategy";
    SLEEP_TIME = "sleep_time";
    SOURCE_DIR = "source_dir";
    SPACE = "space";
    SPACE_HF_TOKEN = "space_hf_token";
    SPACE_SDK = "space_sdk";
    SPLITS = "splits";
    TASK = "task";
    TEMPLATE = "template";
    TIMEOUT = "timeout";
    TRUST_REMOTE_CODE = "trust_remote_code";
    USE_BASE_MODEL = "use_base_model";
    VERIFY = "verify";
    VISIBILITY = "visibility";
    VOLUMES = "volumes";
    WAIT = "wait";
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
