//! The driver of a command: panic hook, cancellation, undo, redaction, run bundle, outputs, summary, closing line, exit
//! code.
//!
//! It knows no command. What a command did is in its report, which is read here and nowhere else.

use std::cell::LazyCell;
use std::pin::pin;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::journal::{EndCause, EventLevel, Journal, Recorder, SharedReport, Undone};
use super::outputs::{BUNDLE_PATH, Outputs, RUN_ID};
use super::{Log, OutputFiles};
use crate::failure::{Code, Failure, FailureKind, HelpAddress, Result, cancelled};
use crate::run_bundle::{Added, BundleFile, REPORT, RunError, RunFacts, RunStatus};

/// Time allowed for writing outputs and summary after a panic.
const PANIC_REPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time allowed for the actions after the end of a run.
const LAST_ACTIONS_TIMEOUT: Duration = Duration::from_secs(60);
/// The same after a signal, because the runner kills the step soon.
const CANCELLED_TIMEOUT: Duration = Duration::from_secs(5);

/// The report of a command: what it did, in whichever moment it ends.
pub trait Report: Default + Send + 'static {
    /// The outputs of the step.
    const OUTPUTS: Outputs<Self> = Outputs::NONE;

    /// Returns the failure of a run that a signal ended. Everything that could be undone is undone by then.
    fn cancelled(&self) -> Failure {
        cancelled::command("the command was cancelled")
    }

    /// Ends the report with a failure.
    fn fail(&mut self, failure: Failure);

    /// Adds the time that the run took, before the report is rendered.
    fn end(&mut self, _took: Duration) {}

    /// Returns text that the workflow itself gives, such as names. Outputs keep it, even where a secret is part of it.
    fn ordinary_text(&self) -> Vec<String> {
        Vec::new()
    }

    /// Renders the job summary in GitHub's Markdown.
    fn summary(&self, _warnings: &[String]) -> Option<String> {
        None
    }

    /// Returns the report for other programs, in place of an object of the outputs.
    fn json(&self) -> Option<Value> {
        None
    }

    /// Returns the last line of the log.
    fn closing_line(&self) -> Option<String> {
        None
    }

    /// Returns the facts for the state in the run bundle.
    fn facts(&self) -> RunFacts {
        RunFacts::default()
    }

    /// Returns the files that the run bundle gets at the end of the run.
    fn bundle_files(&self) -> Vec<BundleFile> {
        Vec::new()
    }
}

/// The report of a command that reports nothing but its log.
#[derive(Debug, Default)]
pub struct LogOnly;

impl Report for LogOnly {
    fn fail(&mut self, _failure: Failure) {}
}

/// Handles that a command works with.
#[derive(Debug, Clone)]
pub struct Handles<R> {
    pub log: Log,
    pub journal: Journal,
    pub recorder: Recorder<R>,
}

/// Parts of a run that its end needs.
struct Ending<R> {
    log: Log,
    journal: Journal,
    report: SharedReport<R>,
    files: OutputFiles,
    started: Instant,
}

impl<R> Clone for Ending<R> {
    fn clone(&self) -> Self {
        let Self { log, journal, report, files, started } = self;
        Self {
            log: log.clone(),
            journal: journal.clone(),
            report: report.clone(),
            files: files.clone(),
            started: *started,
        }
    }
}

/// Runs a command until it ends or `cancelled` does. Outputs, summary and annotations are written in each case.
///
/// Returns the exit code of the process.
pub async fn drive<R: Report, W: Future<Output = Result<()>>>(
    log: Log,
    files: OutputFiles,
    cancelled: impl Future<Output = ()>,
    work: impl FnOnce(Handles<R>) -> W,
) -> u8 {
    let noted = log.clone();
    let (recorder, report) = Recorder::to_shared(R::default(), move |report| keep_facts(&noted, report));
    let ending = Ending { log, journal: Journal::default(), report, files, started: Instant::now() };
    report_panics(&ending);
    ending.keep_events();
    ending.drive(recorder, cancelled, work).await
}

/// Lets a panic end the run as any other failure does, with outputs, summary and annotation.
#[expect(clippy::exit, reason = "the thread that panics cannot return an exit code")]
fn report_panics<R: Report>(ending: &Ending<R>) {
    let ending = ending.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let failure = Failure::new(Code::Internal, format!("a fault of this action: {panic}"))
            .hint("please open an issue with this message and the log");
        std::process::exit(ending.end_after_panic(failure).into());
    }));
}

/// Writes the facts of a report into the state of the run.
fn keep_facts<R: Report>(log: &Log, report: &R) {
    let ordinary = LazyCell::new(|| report.ordinary_text());
    log.keep_in_bundle(|bundle| bundle.take_facts(report.facts(), |text| log.redact_output(text, &ordinary)));
}

fn run_error(failure: &Failure) -> RunError {
    RunError { code: failure.code.as_str(), message: failure.message.clone(), hints: failure.hints.clone() }
}

impl<R: Report> Ending<R> {
    /// Writes each event into the bundle of the run, if there is one.
    fn keep_events(&self) {
        let Some(bundle) = self.log.bundle() else { return };
        let log = self.log.clone();
        self.journal.report_to(move |event| {
            log.keep_in_bundle(|bundle| bundle.add_event(event));
        });
        self.journal.event("run_started", "the run started", json!({ "run_id": bundle.id() }));
    }

    /// Ends a run that panicked. Returns the exit code.
    fn end_after_panic(&self, failure: Failure) -> u8 {
        let ending = self.clone();
        let (done, reported) = std::sync::mpsc::channel();
        // A thread of its own, because the one that panics may hold a lock that the report needs.
        std::thread::spawn(move || {
            // First, because that lock may never open.
            ending.log.keep_in_bundle(|bundle| bundle.end(RunStatus::Failed, Some(run_error(&failure))));
            done.send(ending.finish(Err(failure)))
        });
        reported.recv_timeout(PANIC_REPORT_TIMEOUT).unwrap_or_else(|_| panic_exit_code())
    }

    async fn drive<W: Future<Output = Result<()>>>(
        self,
        recorder: Recorder<R>,
        cancelled: impl Future<Output = ()>,
        work: impl FnOnce(Handles<R>) -> W,
    ) -> u8 {
        let handles = Handles { log: self.log.clone(), journal: self.journal.clone(), recorder };
        let mut cancelled = pin!(cancelled);
        let ended = tokio::select! {
            result = work(handles) => Some(result),
            () = &mut cancelled => {
                self.journal.event("signal_received", "a signal ends the run", Value::Null);
                None
            }
        };
        let is_cancelled = ended.is_none();
        let result = match ended {
            Some(Ok(())) => Ok(()),
            Some(Err(failure)) => Err(self.undo(EndCause::Failed, Some(failure)).await),
            None => Err(self.undo(EndCause::Cancelled, None).await),
        };
        let code = self.finish(result);
        let stopped = async {
            if is_cancelled {
                tokio::time::sleep(CANCELLED_TIMEOUT).await;
            } else {
                let _ = tokio::time::timeout(LAST_ACTIONS_TIMEOUT, cancelled).await;
            }
        };
        tokio::select! {
            () = self.journal.run_last() => {}
            () = stopped => self.log.warning("the run bundle was not pushed in time"),
        }
        code
    }

    /// Undoes what the run began and will not finish. `None` stands for a cancelled run, whose failure depends on what
    /// is left.
    async fn undo(&self, cause: EndCause, failure: Option<Failure>) -> Failure {
        let undone = self.journal.unwind(cause).await;
        let mut failure = failure.unwrap_or_else(|| self.report.lock().cancelled());
        // The newest action knows the most about the state of the Hub.
        if let Some(hint) = undone.iter().find_map(|undone| match undone {
            Undone::StandsInPart { hint, .. } => Some(hint),
            _ => None,
        }) {
            failure.hints = vec![hint.clone()];
        }
        undone.into_iter().fold(failure, |failure, undone| match undone {
            Undone::Left { hint } => failure.hint(hint),
            _ => failure,
        })
    }

    /// Writes outputs, summary and annotation. A write error is logged as a warning and does not change the exit code.
    fn finish(&self, result: Result<()>) -> u8 {
        let Self { log, journal, report, files, started } = self;
        let mut exit_code = 0;
        let mut error = None;
        if let Err(mut failure) = result {
            exit_code = failure.exit_code();
            failure.help = log.help_on(failure.code).map(|address| Box::new(HelpAddress(address)));
            log.failure(&failure);
            error = Some(run_error(&failure));
            report.lock().fail(failure);
        }
        let mut report = report.lock();
        report.end(started.elapsed());
        let ordinary = report.ordinary_text();
        let rendered = R::OUTPUTS.render(&report, &journal.timings()).into_iter();
        let mut outputs: Vec<(&str, String)> = rendered
            .map(|(output, value)| {
                let shown = if output.is_own_word { value } else { log.redact_output(&value, &ordinary) };
                (output.name, shown)
            })
            .collect();
        let summary = report.summary(&log.warnings()).map(|summary| log.redact(&summary));
        self.end_bundle(&report, summary.as_deref(), error);
        if let Some(bundle) = log.bundle() {
            outputs.push((RUN_ID.name, bundle.id().to_string()));
            outputs.push((BUNDLE_PATH.name, bundle.path().unwrap_or_default()));
        }
        if let Err(error) = files.write_outputs(&outputs) {
            log.warning(&format!("cannot write the outputs: {error}"));
        }
        if files.has_json() {
            let json = report.json().unwrap_or_else(|| outputs.iter().cloned().collect());
            if let Err(error) = files.print_json(&log.redact(&format!("{json:#}\n"))) {
                log.warning(&format!("cannot print the report: {error}"));
            }
        }
        if let Some(summary) = summary
            && let Err(error) = files.append_summary(&summary)
        {
            log.warning(&format!("cannot write the job summary: {error}"));
        }
        if let Some(line) = report.closing_line() {
            log.info(&line);
        }
        exit_code
    }

    /// Writes what the bundle has at the end of a run. Its state comes last, so that the rest is there by then.
    fn end_bundle(&self, report: &R, summary: Option<&str>, error: Option<RunError>) {
        let Self { log, journal, .. } = self;
        let Some(bundle) = log.bundle() else { return };
        keep_facts(log, report);
        let status = match &error {
            Some(error) if error.code == Code::Cancelled.as_str() => RunStatus::Cancelled,
            Some(_) => RunStatus::Failed,
            None if report.facts().is_skipped => RunStatus::Skipped,
            None => RunStatus::Succeeded,
        };
        let (level, message) = match &error {
            Some(error) => (EventLevel::Error, error.message.clone()),
            None => (EventLevel::Info, "the run ended".to_owned()),
        };
        let code = error.as_ref().map(|error| error.code);
        journal.event_at(level, "run_ended", message, json!({ "status": status, "error_code": code }));
        if bundle.path().is_some() {
            for file in report.bundle_files() {
                let path = file.path.clone();
                if log.keep_in_bundle(|bundle| bundle.add_file(file)) == Some(Added::HoldsSecret) {
                    log.warning(&format!("left `{path}` out of the run bundle, because it holds a secret"));
                }
            }
        }
        if let Some(summary) = summary {
            log.keep_in_bundle(|bundle| bundle.write_text(REPORT, summary));
        }
        log.keep_in_bundle(|bundle| bundle.end(status, error));
    }
}

/// Returns the exit code of a run that panicked.
pub fn panic_exit_code() -> u8 {
    FailureKind::Bug.exit_code()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::{Arc, Mutex};

    use super::super::Mode;
    use super::super::journal::Phase;
    use super::super::outputs::Output;
    use super::*;
    use crate::run_bundle::RunStart;

    /// Notes what the driver asks of it.
    #[derive(Default)]
    struct Toy {
        value: String,
        failure: Option<Failure>,
    }

    impl Report for Toy {
        const OUTPUTS: Outputs<Self> = Outputs {
            declared: &[Output::text("value", ""), Output::own_word("own", ""), Output::text("timings", "")],
            values: |toy, timings| {
                let names: Vec<&str> = timings.iter().map(|timing| timing.name).collect();
                vec![toy.value.clone(), "false".to_owned(), names.join(",")]
            },
        };

        fn fail(&mut self, failure: Failure) {
            self.failure = Some(failure);
        }

        fn summary(&self, warnings: &[String]) -> Option<String> {
            let hints = self.failure.iter().flat_map(|failure| &failure.hints).cloned();
            Some(hints.chain(warnings.iter().cloned()).collect::<Vec<_>>().join("\n"))
        }

        fn closing_line(&self) -> Option<String> {
            Some(format!("done: {}", self.value))
        }
    }

    struct Written {
        code: u8,
        log: String,
        outputs: String,
        summary: String,
        state: Value,
    }

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A run in a folder, with files for outputs and summary.
    struct Started {
        folder: tempfile::TempDir,
        captured: Captured,
        ending: Ending<Toy>,
        recorder: Recorder<Toy>,
    }

    fn start() -> Started {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let vars = [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary")]
            .map(|(name, path)| (name.to_owned(), file(path)));
        let captured = Captured::default();
        let log = Log::new(Mode::Plain, Box::new(captured.clone()));
        log.open_bundle(RunStart { workspace: Some(folder.path().to_owned()), ..RunStart::default() });
        let noted = log.clone();
        let (recorder, report) =
            Recorder::to_shared(Toy::default(), move |report| keep_facts(&noted, report));
        let files = OutputFiles::from_vars(&vars);
        let ending = Ending { log, journal: Journal::default(), report, files, started: Instant::now() };
        ending.keep_events();
        Started { folder, captured, ending, recorder }
    }

    impl Started {
        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
        }

        fn state(&self) -> Value {
            let folder = self.ending.log.bundle().unwrap().path().unwrap();
            serde_json::from_str(&self.read(&format!("{folder}/state.json"))).unwrap()
        }
    }

    async fn run<W: Future<Output = Result<()>>>(
        cancelled: impl Future<Output = ()>,
        work: impl FnOnce(Handles<Toy>) -> W,
    ) -> Written {
        let started = start();
        let code = started.ending.clone().drive(started.recorder.clone(), cancelled, work).await;
        let log = String::from_utf8(started.captured.0.lock().unwrap().clone()).unwrap();
        let state = started.state();
        Written { code, log, outputs: started.read("output"), summary: started.read("summary"), state }
    }

    #[tokio::test]
    async fn success_writes_redacted_outputs_and_the_closing_line() {
        let written = run(pending(), async |handles: Handles<Toy>| {
            let Handles { log, journal, recorder } = handles;
            log.mask(&hub::Secret::new("false"));
            log.warning("careful");
            drop(journal.enter(Phase::Analyze, "plan"));
            recorder.record(|toy| toy.value = "is false".to_owned());
            Ok(())
        })
        .await;
        assert_eq!((written.code, written.summary.as_str()), (0, "careful"));
        assert!(written.outputs.contains("\nis ***\n"), "{}", written.outputs);
        assert!(written.outputs.contains("\nfalse\n") && written.outputs.contains("\nplan\n"));
        assert!(written.log.ends_with("done: is ***\n"), "{}", written.log);
        assert_eq!(
            (&written.state["status"], &written.state["phase"]),
            (&json!("succeeded"), &json!("analyze"))
        );
        let id = written.state["run_id"].as_str().unwrap();
        for line in [format!("\n{id}\n"), format!("\n.hf-deploy/runs/{id}\n")] {
            assert!(written.outputs.contains(&line), "{}", written.outputs);
        }
    }

    #[test]
    fn panic_ends_the_bundle_even_if_the_report_is_locked() {
        let panicked = || Failure::new(Code::Internal, "a fault of this action: x");
        let started = start();
        assert_eq!(started.ending.end_after_panic(panicked()), 70);
        assert_eq!(
            (&started.state()["status"], started.read("output").is_empty()),
            (&json!("failed"), false)
        );

        let started = start();
        let report = started.ending.report.lock();
        assert_eq!(started.ending.end_after_panic(panicked()), 70);
        assert_eq!(started.state()["error"]["code"], "internal_error");
        assert!(started.read("output").is_empty(), "the report was locked");
        drop(report);
    }

    #[tokio::test]
    async fn failure_and_cancellation_undo_before_the_report() {
        for (is_cancelled, code) in [(false, 4), (true, 130)] {
            let cancelled = async move {
                // Later than the work, which has nothing to undo before it began.
                let wait = if is_cancelled { 50 } else { 60_000 };
                tokio::time::sleep(Duration::from_millis(wait)).await;
            };
            let written = run(cancelled, async move |handles: Handles<Toy>| {
                let recorder = handles.recorder.clone();
                let _undo = handles.journal.on_early_end("the write", move |unwinding| {
                    recorder.record(|toy| toy.value = format!("{:?}", unwinding.cause));
                    ready(Undone::Left { hint: "look at it".to_owned() })
                });
                if is_cancelled {
                    pending::<()>().await;
                }
                Err(Failure::new(Code::HubUnavailable, "no answer"))
            })
            .await;
            assert_eq!(written.code, code);
            let first = if is_cancelled { "run the job again, unless a newer run replaces it\n" } else { "" };
            assert_eq!(written.summary, format!("{first}look at it"));
            let cause = if is_cancelled { "Cancelled" } else { "Failed" };
            assert!(written.outputs.contains(cause), "{}", written.outputs);
            let status = if is_cancelled { "cancelled" } else { "failed" };
            assert_eq!(written.state["status"], status);
        }
    }
}
