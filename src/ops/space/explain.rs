//! Adds the cause that the Hub and the log of a Space name to the error of a wait.

use hub::{LogKind, SpaceSdk};

use super::cause::SpaceFailure;
use super::diagnosis::{Evidence, Spot, diagnose};
use super::error::SpaceError;
use super::log_tail::LogTail;
use crate::text::without_colors;

/// Words that a failed Space left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remains<'a> {
    /// The message of the Hub.
    pub(super) message: Option<&'a str>,
    pub(super) tails: &'a [LogTail],
    /// The page of the Space.
    pub(super) page: &'a str,
}

/// Adds the cause that the Hub and the log of the Space name, if the app failed. Returns the place that they name, with
/// the cause.
pub(super) fn explain(remains: &Remains<'_>, mut error: SpaceError) -> (SpaceError, Option<(Spot, String)>) {
    let cause = error.cause;
    if !cause.is_caused_by_app() {
        return (error, None);
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
    let mut place = None;
    match found.filter(|found| !(is_slow && found.is_weak)) {
        // The log of a slow start may describe another problem than the reason for the slow start.
        Some(diagnosis) if is_slow => error.diagnosis = Some(diagnosis),
        Some(diagnosis) => {
            error.message = format!("{}: {}", error.message, diagnosis.cause);
            place = diagnosis.spot.clone().map(|spot| (spot, diagnosis.cause.clone()));
            error.diagnosis = Some(diagnosis);
        }
        None => {
            if let Some(message) = &message {
                quote(&mut error, message.trim(), tail.is_some());
            }
            if !matches!(cause, SpaceFailure::NoApp | SpaceFailure::Config) {
                error.log_url = Some(format!("{}?logs={}", remains.page, log_name(kind)));
            }
        }
    }
    (error, place)
}

/// Adds the first line of the Hub's message. Without a log, keeps the whole message, because nothing else is known.
fn quote(error: &mut SpaceError, message: &str, has_log: bool) {
    let mut lines = message.lines();
    error.message = format!("{}: {}", error.message, lines.next().unwrap_or_default());
    if !has_log && lines.next().is_some() {
        error.hub_message = Some(message.to_owned());
    }
}

/// Returns the name of a log in the address of a Space's page.
fn log_name(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Build => "build",
        LogKind::Run => "container",
    }
}

/// Describes a Space without anything to start, for the end of "the Space …".
pub(super) fn app_that_lacks(sdk: Option<SpaceSdk>) -> &'static str {
    match sdk {
        Some(SpaceSdk::Docker | SpaceSdk::Streamlit) => "has no `Dockerfile`",
        Some(SpaceSdk::Static) => "has no `index.html`",
        Some(SpaceSdk::Gradio) | None => "has no app file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(cause: SpaceFailure, message: &str, log: &[&str]) -> SpaceError {
        let mut tail = LogTail::new(if cause == SpaceFailure::Build { LogKind::Build } else { LogKind::Run });
        log.iter().for_each(|line| tail.push(line));
        let remains = Remains { message: Some(message), tails: &[tail], page: "https://hub/spaces/a/b" };
        explain(&remains, SpaceError::new(cause, "the Space `a/b` failed")).0
    }

    #[test]
    fn cause_of_the_log_is_the_message() {
        let log = ["Collecting x", "ERROR: No matching distribution found for trasnformers"];
        let error = explained(SpaceFailure::Build, "Job failed with exit code: 1. Reason: cache miss", &log);
        let message =
            "the Space `a/b` failed: pip finds no package `trasnformers`: did you mean `transformers`?";
        assert_eq!(error.message, message);
        let fixes = error.diagnosis.unwrap().fixes;
        assert_eq!(fixes, ["correct the name of `trasnformers` in requirements.txt"]);
    }

    #[test]
    fn unknown_words_are_quoted_to_their_first_line() {
        let error = explained(SpaceFailure::Crash, "Exit code: 3. Reason: ?\nsecond\n", &["all is well"]);
        assert_eq!(error.message, "the Space `a/b` failed: Exit code: 3. Reason: ?");
        assert_eq!(error.log_url.as_deref(), Some("https://hub/spaces/a/b?logs=container"));
        assert_eq!(error.hub_message, None);
        let error = explained(SpaceFailure::Crash, "Exit code: 3. Reason: ?\nsecond\n", &[]);
        assert_eq!(error.hub_message.as_deref(), Some("Exit code: 3. Reason: ?\nsecond"));
    }

    #[test]
    fn slow_start_keeps_its_message() {
        let error = explained(SpaceFailure::Slow, "", &["ModuleNotFoundError: No module named 'cv2'"]);
        assert_eq!(error.message, "the Space `a/b` failed");
        assert_eq!(error.diagnosis.unwrap().cause, "the app imports `cv2`, which is not installed");
        assert!(explained(SpaceFailure::Slow, "", &["Error: something"]).diagnosis.is_none());
    }
}
