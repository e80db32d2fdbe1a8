//! From a wait that failed to the message and the hints of the run.

use hub::{LogKind, SpaceSdk};

use super::cause::{NotReady, SpaceFailure};
use super::diagnosis::{Diagnosis, Evidence, Spot, diagnose};
use super::logs::LogTail;
use crate::failure::Failure;
use crate::text::without_colors;

/// Evidence for the end of a wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remains<'a> {
    /// The Hub's own message.
    pub(super) message: Option<&'a str>,
    pub(super) tails: &'a [LogTail],
    /// The page of the Space.
    pub(super) page: &'a str,
}

/// Adds the cause that the Hub and the log of the Space name, where the app failed, and the place that they name.
pub(super) fn explain(remains: &Remains<'_>, end: NotReady) -> (NotReady, Option<(Spot, String)>) {
    let NotReady { cause, mut failure } = end;
    if !cause.is_the_apps() {
        return (NotReady { cause, failure }, None);
    }
    let is_slow = cause == SpaceFailure::Slow;
    let kind = match cause {
        SpaceFailure::Build => LogKind::Build,
        SpaceFailure::Slow => remains.tails.last().map_or(LogKind::Run, |tail| tail.kind),
        _ => LogKind::Run,
    };
    let message = remains.message.map(without_colors).filter(|text| !text.trim().is_empty());
    let tail = remains.tails.iter().rev().find(|tail| tail.kind == kind && !tail.is_empty());
    let log: Vec<&str> = tail.map(|tail| tail.evidence().collect()).unwrap_or_default();
    let found = diagnose(&Evidence { hub: message.as_deref(), kind, log: &log });
    match found.filter(|found| !(is_slow && found.is_weak)) {
        Some(Diagnosis { cause: why, fixes, .. }) if is_slow => {
            // The log of a slow start may speak of this, and the start be slow for another reason.
            failure.hints.extend(fixes.iter().map(|fix| format!("{why}: {fix}")));
            (NotReady { cause, failure }, None)
        }
        Some(Diagnosis { cause: why, fixes, spot, .. }) => {
            failure.message = format!("{}: {why}", failure.message);
            failure.hints.splice(0..0, fixes);
            (NotReady { cause, failure }, spot.map(|spot| (spot, why)))
        }
        None => {
            let failure = in_the_hubs_words(failure, message.as_deref(), tail.is_some());
            let failure = match cause {
                SpaceFailure::NoApp | SpaceFailure::Config => failure,
                _ => failure.hint(format!(
                    "read the log of the Space: {}?logs={}",
                    remains.page,
                    log_name(kind)
                )),
            };
            (NotReady { cause, failure }, None)
        }
    }
}

/// Adds the first line of the Hub's message. Without a log, the rest of it is all that is known.
fn in_the_hubs_words(mut failure: Failure, message: Option<&str>, has_log: bool) -> Failure {
    let Some(message) = message.map(str::trim) else { return failure };
    let mut lines = message.lines();
    failure.message = format!("{}: {}", failure.message, lines.next().unwrap_or_default());
    if has_log || lines.next().is_none() {
        return failure;
    }
    failure.caused_by(anyhow::Error::msg(message.to_owned()))
}

/// The log as the address of a Space's page names it.
fn log_name(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Build => "build",
        LogKind::Run => "container",
    }
}

/// The end of "the Space …", when the Hub finds nothing to start.
pub(super) fn app_that_lacks(sdk: Option<SpaceSdk>) -> &'static str {
    match sdk {
        Some(SpaceSdk::Docker | SpaceSdk::Streamlit) => "has no `Dockerfile`",
        Some(SpaceSdk::Static) => "has no `index.html`",
        Some(SpaceSdk::Gradio) | None => "has no app file",
    }
}

/// The way to an app file.
pub(super) fn add_the_app(sdk: Option<SpaceSdk>) -> &'static str {
    match sdk {
        Some(SpaceSdk::Docker | SpaceSdk::Streamlit) => {
            "add a `Dockerfile` to the folder, or set `space_sdk` if this is no Docker Space"
        }
        Some(SpaceSdk::Static) => {
            "add `index.html` to the folder, or name the page with `app_file` in README.md"
        }
        Some(SpaceSdk::Gradio) | None => {
            "add `app.py` to the folder, or name the file with `app_file` in README.md"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(cause: SpaceFailure, message: &str, log: &[&str]) -> Failure {
        let mut tail = LogTail::new(if cause == SpaceFailure::Build { LogKind::Build } else { LogKind::Run });
        log.iter().for_each(|line| tail.push(line));
        let remains = Remains { message: Some(message), tails: &[tail], page: "https://hub/spaces/a/b" };
        explain(&remains, cause.with("the Space `a/b` failed")).0.failure
    }

    #[test]
    fn cause_of_the_log_is_the_message() {
        let log = ["Collecting x", "ERROR: No matching distribution found for trasnformers"];
        let failure =
            explained(SpaceFailure::Build, "Job failed with exit code: 1. Reason: cache miss", &log);
        let message =
            "the Space `a/b` failed: pip finds no package `trasnformers`: did you mean `transformers`?";
        assert_eq!(failure.message, message);
        assert_eq!(failure.hints, ["correct the name of `trasnformers` in requirements.txt"]);
    }

    #[test]
    fn unknown_words_are_quoted_to_their_first_line() {
        let failure = explained(SpaceFailure::Crash, "Exit code: 3. Reason: ?\nsecond\n", &["all is well"]);
        assert_eq!(failure.message, "the Space `a/b` failed: Exit code: 3. Reason: ?");
        assert_eq!(failure.hints, ["read the log of the Space: https://hub/spaces/a/b?logs=container"]);
        assert!(failure.causes().is_empty());
        let failure = explained(SpaceFailure::Crash, "Exit code: 3. Reason: ?\nsecond\n", &[]);
        assert_eq!(failure.causes(), ["Exit code: 3. Reason: ?\nsecond"]);
    }

    #[test]
    fn slow_start_keeps_its_message() {
        let failure = explained(SpaceFailure::Slow, "", &["ModuleNotFoundError: No module named 'cv2'"]);
        assert_eq!(failure.message, "the Space `a/b` failed");
        assert!(
            failure.hints.last().unwrap().starts_with("the app imports `cv2`, which is not installed: add")
        );
        assert!(
            !explained(SpaceFailure::Slow, "", &["Error: something"])
                .hints
                .iter()
                .any(|hint| hint.contains("something"))
        );
    }
}
