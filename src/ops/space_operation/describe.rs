//! A Space in words.

use std::time::Duration;

use hub::{Runtime, Stage};

use crate::ops::space::describe_stage;
use crate::text::{human_duration, without_colors};

use super::target::Target;

/// Logs the state of a Space.
pub(super) fn describe(target: &Target<'_>, runtime: &Runtime) {
    let log = target.session.log;
    log.info(&format!("the {}:", target.repo));
    facts(runtime, target.info.sha.as_deref()).iter().for_each(|line| log.info(line));
    if let Some(url) = &target.info.host {
        log.info(&format!("app: {url}"));
    }
}

fn facts(runtime: &Runtime, head: Option<&str>) -> Vec<String> {
    let mut lines = vec![format!("stage: {} ({})", describe_stage(&runtime.stage), runtime.stage.as_str())];
    let message = runtime.error_message.as_deref().map(without_colors);
    if let Some(message) = message.filter(|text| !text.trim().is_empty()) {
        lines.push(format!("message of the Hub: {}", message.trim()));
    }
    if let Some(hardware) = runtime.flavor() {
        lines.push(format!("hardware: `{hardware}`"));
        lines.push(format!("sleeps: {}", sleep_time(runtime.gc_timeout)));
    }
    if runtime.dev_mode {
        lines.push("dev mode: on, so that commits are not built".to_owned());
    }
    match (runtime.sha.as_deref(), head) {
        (Some(sha), Some(head)) if sha != head && runtime.stage == Stage::Running => {
            lines.push(format!("commit: `{sha}`, and the branch is at `{head}`"));
        }
        (Some(sha), _) => lines.push(format!("commit: `{sha}`")),
        (None, _) => {}
    }
    lines
}

fn sleep_time(seconds: Option<i64>) -> String {
    match seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        Some(seconds) => {
            format!("after {} without a visit", human_duration(Duration::from_secs(seconds)))
        }
        None => "never".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_behind_the_branch_is_named() {
        let runtime = |value| serde_json::from_value::<Runtime>(value).unwrap();
        let running = runtime(serde_json::json!({
            "stage": "RUNNING", "sha": "old", "hardware": {"requested": "t4-small"}, "gcTimeout": 3600, "devMode": true
        }));
        assert_eq!(
            facts(&running, Some("new")),
            [
                "stage: running (RUNNING)",
                "hardware: `t4-small`",
                "sleeps: after 1 h 0 min without a visit",
                "dev mode: on, so that commits are not built",
                "commit: `old`, and the branch is at `new`",
            ]
        );
        let fixed = runtime(serde_json::json!({ "stage": "RUNNING", "hardware": {"current": null} }));
        assert_eq!(facts(&fixed, Some("new")), ["stage: running (RUNNING)"]);
    }
}
