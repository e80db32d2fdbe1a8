//! Stages of a Space and times, in words.

use std::time::Duration;

use hub::Stage;

/// Describes a stage.
pub fn describe(stage: &Stage) -> &str {
    match stage {
        Stage::Building => "building",
        Stage::RunningBuilding => "building (the previous version keeps running)",
        Stage::AppStarting => "starting",
        Stage::RunningAppStarting => "starting (the previous version keeps running)",
        Stage::Running => "running",
        Stage::BuildError => "build failed",
        Stage::RuntimeError => "crashed",
        Stage::ConfigError => "misconfigured",
        Stage::NoAppFile => "without an app file",
        Stage::Sleeping => "sleeping",
        Stage::Paused => "paused",
        Stage::Stopped => "stopped",
        Stage::Deleting => "being deleted",
        Stage::Other(_) => stage.as_str(),
    }
}

/// Returns ` after 1 min 42 s`, or nothing at the start.
pub(super) fn after(elapsed: Duration) -> String {
    match (elapsed.as_secs() / 60, elapsed.as_secs() % 60) {
        (0, 0) => String::new(),
        (0, seconds) => format!(" after {seconds} s"),
        (minutes, 0) => format!(" after {minutes} min"),
        (minutes, seconds) => format!(" after {minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_minutes_and_seconds() {
        let after = |seconds: u64| after(Duration::from_millis(seconds * 1000 + 900));
        let written = [after(0), after(59), after(102), after(1800)];
        assert_eq!(written, ["", " after 59 s", " after 1 min 42 s", " after 30 min"]);
    }
}
