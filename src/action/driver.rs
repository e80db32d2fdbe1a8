//! The driver of a command: panic hook, cancellation, undo, redaction, outputs, summary, closing line, exit code.
//!
//! It knows no command. What a command did is in its report, which is read here and nowhere else.

use std::time::Duration;

use serde_json::Value;

use super::journal::{EndCause, Journal, Recorder, SharedReport, Timing, Undone};
use super::{Log, OutputFiles};
use crate::failure::{Code, Failure, FailureKind, Result};

/// Time allowed for writing outputs and summary after a panic.
const PANIC_REPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// The report of a command: what it did, in whichever moment it ends.
pub trait Report: Default + Send + 'static {
    /// Returns the failure of a run that a signal ended. Everything that could be undone is undone by then.
    fn cancelled(&self) -> Failure {
        Failure::new(Code::Cancelled, "the command was cancelled")
    }

    /// Ends the report with a failure.
    fn fail(&mut self, failure: Failure);

    /// Returns the outputs of the step with their values.
    fn outputs(&self, _timings: &[Timing]) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Returns true for an output that holds only words and numbers of this program. A secret that happens to be one
    /// of them, such as `false`, must not change it.
    fn is_own_word(_output: &str) -> bool {
        false
    }

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
}

impl<R> Clone for Ending<R> {
    fn clone(&self) -> Self {
        let Self { log, journal, report, files } = self;
        Self { log: log.clone(), journal: journal.clone(), report: report.clone(), files: files.clone() }
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
    let (recorder, report) = Recorder::to_shared(R::default());
    let ending = Ending { log, journal: Journal::default(), report, files };
    report_panics(&ending);
    ending.drive(recorder, cancelled, work).await
}

/// Lets a panic end the run as any other failure does, with outputs, summary and annotation.
#[expect(clippy::exit, reason = "the thread that panics cannot return an exit code")]
fn report_panics<R: Report>(ending: &Ending<R>) {
    let ending = ending.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let failure = Failure::new(Code::Internal, format!("a fault of this action: {panic}"))
            .hint("please open an issue with this message and the log");
        let ending = ending.clone();
        let (done, reported) = std::sync::mpsc::channel();
        // A thread of its own, because the one that panics may hold a lock that the report needs.
        std::thread::spawn(move || done.send(ending.finish(Err(failure))));
        let code = reported.recv_timeout(PANIC_REPORT_TIMEOUT).unwrap_or_else(|_| panic_exit_code());
        std::process::exit(code.into());
    }));
}

impl<R: Report> Ending<R> {
    async fn drive<W: Future<Output = Result<()>>>(
        self,
        recorder: Recorder<R>,
        cancelled: impl Future<Output = ()>,
        work: impl FnOnce(Handles<R>) -> W,
    ) -> u8 {
        let handles = Handles { log: self.log.clone(), journal: self.journal.clone(), recorder };
        let ended = tokio::select! {
            result = work(handles) => Some(result),
            () = cancelled => None,
        };
        let result = match ended {
            Some(Ok(())) => Ok(()),
            Some(Err(failure)) => Err(self.undo(EndCause::Failed, Some(failure)).await),
            None => Err(self.undo(EndCause::Cancelled, None).await),
        };
        self.finish(result)
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
        let Self { log, journal, report, files } = self;
        let mut exit_code = 0;
        if let Err(failure) = result {
            exit_code = failure.exit_code();
            log.failure(&failure);
            report.lock().fail(failure);
        }
        let report = report.lock();
        let ordinary = report.ordinary_text();
        let mut outputs = report.outputs(&journal.timings());
        for (_, value) in outputs.iter_mut().filter(|(name, _)| !R::is_own_word(name)) {
            *value = log.redact_output(value, &ordinary);
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
        if let Some(summary) = report.summary(&log.warnings())
            && let Err(error) = files.append_summary(&log.redact(&summary))
        {
            log.warning(&format!("cannot write the job summary: {error}"));
        }
        if let Some(line) = report.closing_line() {
            log.info(&line);
        }
        exit_code
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
    use super::*;

    /// Notes what the driver asks of it.
    #[derive(Default)]
    struct Toy {
        value: String,
        failure: Option<Failure>,
    }

    impl Report for Toy {
        fn fail(&mut self, failure: Failure) {
            self.failure = Some(failure);
        }

        fn outputs(&self, timings: &[Timing]) -> Vec<(&'static str, String)> {
            let names: Vec<&str> = timings.iter().map(|timing| timing.name).collect();
            vec![("value", self.value.clone()), ("own", "false".to_owned()), ("timings", names.join(","))]
        }

        fn is_own_word(output: &str) -> bool {
            output == "own"
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

    async fn run<W: Future<Output = Result<()>>>(
        cancelled: impl Future<Output = ()>,
        work: impl FnOnce(Handles<Toy>) -> W,
    ) -> Written {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let vars = [("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary")]
            .map(|(name, path)| (name.to_owned(), file(path)));
        let captured = Captured::default();
        let log = Log::new(Mode::Plain, Box::new(captured.clone()));
        let (recorder, report) = Recorder::to_shared(Toy::default());
        let files = OutputFiles::from_vars(&vars);
        let ending = Ending { log, journal: Journal::default(), report, files };
        let code = ending.drive(recorder, cancelled, work).await;
        let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        Written { code, log, outputs: read("output"), summary: read("summary") }
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
            assert_eq!(written.summary, "look at it");
            let cause = if is_cancelled { "Cancelled" } else { "Failed" };
            assert!(written.outputs.contains(cause), "{}", written.outputs);
        }
    }
}
