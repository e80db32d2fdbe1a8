//! Causes for a Space that does not run a commit, from the state and the words of the Hub. Pure.

use hub::{Runtime, Stage};

/// Cause of a wait that ended without the commit running. Error code, hints and rollback follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceFailure {
    /// The image did not build.
    Build,
    /// The app ended.
    Crash,
    /// The card, the variables or the secrets contradict each other.
    Config,
    /// The app file is missing.
    NoApp,
    /// The app did not come up in time.
    Slow,
    /// The Hub's builder, registry or container runtime failed.
    Platform,
    /// The Hub has no free machine for the Space.
    Capacity,
    /// The quota or the credits of the account are used up.
    Quota,
    /// Dev mode keeps the container, and so the previous app.
    DevMode,
    /// The Space is paused, stopped or asleep.
    Asleep,
    /// The Hub still runs the previous commit, and did not begin to build this one.
    NotBegun,
    /// The Space is being deleted.
    Deleted,
    /// Another commit came after this one.
    Overtaken,
    /// The Hub does not say what the Space does.
    Unanswered,
}

impl SpaceFailure {
    /// Returns the cause of an error stage. `build_log` holds the last lines of the build log.
    pub fn of_stage<'a>(runtime: &Runtime, build_log: impl IntoIterator<Item = &'a str>) -> Self {
        let by_app = match runtime.stage {
            Stage::ConfigError => return Self::Config,
            Stage::NoAppFile => return Self::NoApp,
            Stage::Deleting => return Self::Deleted,
            ref stage if stage.is_asleep() => return Self::Asleep,
            Stage::BuildError => Self::Build,
            _ => Self::Crash,
        };
        if let Some(cause) = Self::of_message(runtime) {
            return cause;
        }
        let is_platform = by_app == Self::Build
            && build_log.into_iter().any(|line| line.to_lowercase().contains(PUSH_FAILED));
        if is_platform { Self::Platform } else { by_app }
    }

    /// Returns the cause of a wait that timed out in this state. Dev mode holds back commits only.
    pub fn of_timeout(runtime: &Runtime, is_about_commit: bool) -> Self {
        match &runtime.stage {
            _ if runtime.dev_mode && is_about_commit => Self::DevMode,
            Stage::Running => Self::NotBegun,
            stage if stage.is_asleep() => Self::Asleep,
            _ => Self::of_message(runtime).unwrap_or(Self::Slow),
        }
    }

    /// Returns the cause that the Hub's message names, if it is not the app's.
    fn of_message(runtime: &Runtime) -> Option<Self> {
        let text = runtime.error_message.as_deref()?.to_lowercase();
        if has_any(&text, STARTS) && has_any(&text, NOT_STARTED) {
            return None;
        }
        let is_build = runtime.stage == Stage::BuildError;
        match exit_code(&text) {
            // The text after an exit code is from the log of the build or the app, whose words prove little.
            Some(128) if is_build => Some(Self::Platform),
            Some(_) if has_any(&text, RUNTIME) => Some(Self::Platform),
            Some(_) if is_build && is_hubs_registry_out_of_reach(&text) => Some(Self::Platform),
            Some(_) if is_build && is_base_image_out_of_reach(&text) => Some(Self::Platform),
            Some(_) => None,
            None if has_any(&text, CAPACITY) => Some(Self::Capacity),
            None if has_any(&text, QUOTA) => Some(Self::Quota),
            None if has_any(&text, PLATFORM) || is_base_image_out_of_reach(&text) => Some(Self::Platform),
            None => None,
        }
    }

    /// Returns true if the app of this deploy failed. Only such a deploy is rolled back.
    pub fn is_caused_by_app(self) -> bool {
        matches!(self, Self::Build | Self::Crash | Self::Config | Self::NoApp | Self::Slow)
    }

    /// Returns true if another attempt may succeed without any change.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Platform | Self::Capacity | Self::Quota)
    }
}

/// Words of a message about hardware that is not free.
const CAPACITY: &[&str] = &["capacity", "scheduling failure", "unable to schedule", "failed to schedule"];
/// Words of a message about the limits of the account.
const QUOTA: &[&str] = &["quota", "credit balance", "out of credits", "payment method", "billing"];
/// Words of a message about the Hub's own machinery. They count only in a message of the Hub itself.
const PLATFORM: &[&str] = &[
    "unexpected job error",
    "registry",
    "containerd",
    "builder",
    "cloning repository",
    "image pull",
    "imagepull",
    "internal error",
    "internal server error",
];
/// Words of the Hub's container runtime.
const RUNTIME: &[&str] = &["containerd task", "containerd:", "shim task"];
/// Words of a build that cannot hand its image to the Hub's own registry.
const PUSH_FAILED: &str = "failed to push spaces-registry";
/// Words of a container runtime about an entry point that it cannot start, which is a failure of the app.
const STARTS: &[&str] = &["exec", "entrypoint", "unable to start container process"];
const NOT_STARTED: &[&str] =
    &["permission denied", "no such file or directory", "executable file not found", "exec format error"];

fn has_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// Returns true if the Hub's registry is unreachable. A build step may report the same about the registry that it
/// installs from, but then the reason begins with the step.
fn is_hubs_registry_out_of_reach(text: &str) -> bool {
    let reason = text.split_once("reason: ").map_or("", |(_, reason)| reason.trim_start());
    text.contains(PUSH_FAILED)
        || reason.strip_prefix("the ").unwrap_or(reason).starts_with("registry is not reachable")
}

/// Returns true if the registry of a base image is unreachable. An image that does not exist is a failure of the app.
fn is_base_image_out_of_reach(text: &str) -> bool {
    text.contains("toomanyrequests")
        || text.contains("failed to resolve source metadata")
            && has_any(text, &["failed to do request", "i/o timeout", "service unavailable", "bad gateway"])
}

/// Reads `exit code: 128`, the first of a message.
fn exit_code(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("exit code: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(stage: &str, message: &str, build_log: &[&str]) -> SpaceFailure {
        let runtime = serde_json::json!({ "stage": stage, "errorMessage": message });
        SpaceFailure::of_stage(&serde_json::from_value(runtime).unwrap(), build_log.iter().copied())
    }

    #[test]
    fn message_names_the_cause() {
        use SpaceFailure::{Build, Capacity, Crash, Platform, Quota};
        for (stage, message, expected) in [
            (
                "BUILD_ERROR",
                "Unexpected job error\n\nERROR: failed to push spaces-registry.huggingface.tech/spaces/1:cpu-2: unexpected status from HEAD request: 401 Unauthorized",
                Platform,
            ),
            ("BUILD_ERROR", "Job failed with exit code: 128. Reason: containerd: could not pull", Platform),
            ("BUILD_ERROR", "Job failed with exit code: 128", Platform),
            ("BUILD_ERROR", "Job failed with exit code: 1. Reason: the registry is not reachable", Platform),
            (
                "BUILD_ERROR",
                "Job failed with exit code: 1. Reason: npm error: the registry is not reachable",
                Build,
            ),
            (
                "BUILD_ERROR",
                "Job failed with exit code: 1. Reason: python:3.12: failed to resolve source metadata for docker.io/library/python:3.12: toomanyrequests",
                Platform,
            ),
            (
                "BUILD_ERROR",
                "Job failed with exit code: 1. Reason: failed to resolve source metadata for docker.io/library/pyton:3: not found",
                Build,
            ),
            ("BUILD_ERROR", "Job failed with exit code: 1. Reason: cache miss: [ 5/12] COPY", Build),
            (
                "BUILD_ERROR",
                "Job failed with exit code: 1. Reason: process \"git clone\" failed: exit code: 128",
                Build,
            ),
            (
                "BUILD_ERROR",
                "Job failed with exit code: 1. Reason: pip: no registry, quota or capacity",
                Build,
            ),
            ("BUILD_ERROR", "", Build),
            (
                "RUNTIME_ERROR",
                "Exit code: 128. Reason: failed to create containerd task: failed to create shim task: context canceled",
                Platform,
            ),
            (
                "RUNTIME_ERROR",
                "Exit code: 128. Reason: failed to create containerd task: failed to create shim task: OCI runtime create failed: exec: \"/app/start.sh\": permission denied",
                Crash,
            ),
            ("RUNTIME_ERROR", "Exit code: 128. Reason: fatal: not a git repository", Crash),
            (
                "RUNTIME_ERROR",
                "Exit code: 1. Reason: openai.RateLimitError: You exceeded your current quota",
                Crash,
            ),
            ("RUNTIME_ERROR", "Scheduling failure: not enough hardware capacity", Capacity),
            ("RUNTIME_ERROR", "Scheduling failure: unable to schedule", Capacity),
            ("RUNTIME_ERROR", "Your account is out of credits", Quota),
            ("RUNTIME_ERROR", "GPU quota exceeded", Quota),
            ("RUNTIME_ERROR", "Launch timed out, workload was not healthy after 30 min", Crash),
            ("RUNTIME_ERROR", "Memory limit exceeded (16Gi)", Crash),
            ("RUNTIME_ERROR", "workload evicted, storage limit exceeded (50G)", Crash),
        ] {
            assert_eq!(cause(stage, message, &[]), expected, "{message}");
        }
    }

    #[test]
    fn push_to_the_hubs_registry_is_a_platform_failure() {
        let pushed = ["--> Pushing image", "ERROR: failed to push spaces-registry.huggingface.tech/spaces/1"];
        assert_eq!(cause("BUILD_ERROR", "Build failed", &pushed), SpaceFailure::Platform);
        assert_eq!(cause("RUNTIME_ERROR", "Exit code: 1", &pushed), SpaceFailure::Crash);
    }

    #[test]
    fn step_that_cannot_reach_another_registry_is_a_build_failure() {
        let log = ["RUN npm ci", "npm error: the registry is not reachable"];
        assert_eq!(cause("BUILD_ERROR", "Job failed with exit code: 1", &log), SpaceFailure::Build);
    }

    #[test]
    fn only_a_starting_space_is_slow() {
        let cause = |value| SpaceFailure::of_timeout(&serde_json::from_value(value).unwrap(), true);
        for (runtime, expected) in [
            (serde_json::json!({ "stage": "BUILDING" }), SpaceFailure::Slow),
            (serde_json::json!({ "stage": "APP_STARTING" }), SpaceFailure::Slow),
            (serde_json::json!({ "stage": "PAUSED" }), SpaceFailure::Asleep),
            (serde_json::json!({ "stage": "RUNNING", "sha": "old" }), SpaceFailure::NotBegun),
            (serde_json::json!({ "stage": "RUNNING", "devMode": true }), SpaceFailure::DevMode),
            (
                serde_json::json!({ "stage": "APP_STARTING", "errorMessage": "Scheduling failure: no node" }),
                SpaceFailure::Capacity,
            ),
        ] {
            assert_eq!(cause(runtime.clone()), expected, "{runtime}");
        }
    }
}
