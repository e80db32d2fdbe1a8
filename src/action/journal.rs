//! Journal of a run: phases with their times, events, and actions that undo writes if the run ends early.
//!
//! The journal knows no command. Nothing is decided by what it holds: an operation writes, and the driver reads.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, LocalBoxFuture};
use jiff::Timestamp;
use serde_json::Value;

pub use crate::run_bundle::{Event, EventLevel, Phase};

/// Duration of a phase, by the name in the output `timings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub name: &'static str,
    pub taken: Duration,
}

/// Reason for which a run ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    Failed,
    /// A signal ended the run, and little time is left.
    Cancelled,
}

/// State of a run while it is undone, newest action first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwinding {
    pub cause: EndCause,
    /// A later write was carried out after all, so what was written for it has to stay.
    pub later_stands: bool,
    /// The outcome of a later write is unknown.
    pub later_is_unknown: bool,
}

/// Result of an undo action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// Nothing of the write is left.
    TakenBack,
    /// The write was carried out, and stays. The id names it, such as a commit.
    Stands(String),
    /// A part of the write was carried out, and stays. The id names it, and the hint replaces those of the failure,
    /// because the rest of the write comes first.
    StandsInPart { id: String, hint: String },
    /// The outcome of the write could not be found out.
    Unknown,
    /// The write stays, and the hint says what the user can do about it.
    Left { hint: String },
}

/// Receiver of each event, while it happens. It must not write to the journal.
type EventSink = Box<dyn Fn(&Event) + Send>;

type LastAction = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

type UndoAction = Box<dyn FnOnce(Unwinding) -> BoxFuture<'static, Undone> + Send>;

struct Entry {
    id: u64,
    description: String,
    action: UndoAction,
}

/// Handle to the journal of a run. Clones write to the same journal.
#[derive(Clone, Default)]
pub struct Journal {
    shared: Arc<Mutex<Pages>>,
    /// True for an operation within a phase of another one: its own phases are not timed.
    is_nested: bool,
}

#[derive(Default)]
struct Pages {
    phase: Phase,
    timings: Vec<Timing>,
    events: Vec<Event>,
    sink: Option<EventSink>,
    undo: Vec<Entry>,
    last: Vec<LastAction>,
    next_undo: u64,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = self.pages();
        let undo: Vec<&str> = pages.undo.iter().map(|entry| entry.description.as_str()).collect();
        f.debug_struct("Journal").field("phase", &pages.phase).field("undo", &undo).finish_non_exhaustive()
    }
}

impl Journal {
    /// Returns a handle for an operation that runs within a phase of this one.
    #[must_use]
    pub fn nested(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), is_nested: true }
    }

    /// Passes each event from now on to `sink`, in the order of the journal.
    pub fn report_to(&self, sink: impl Fn(&Event) + Send + 'static) {
        self.pages().sink = Some(Box::new(sink));
    }

    /// Enters a phase, and measures it until the guard is dropped. Events belong to the phase that was entered last.
    #[must_use = "the measurement ends when this is dropped"]
    pub fn enter(&self, phase: Phase, timing: &'static str) -> PhaseGuard {
        self.pages().phase = phase;
        tracing::debug!(target: "phase", phase = timing, "started");
        self.event("phase_started", format!("{timing} started"), serde_json::json!({ "name": timing }));
        PhaseGuard { journal: self.clone(), timing, started: Instant::now() }
    }

    /// Writes an event.
    pub fn event(&self, event: &'static str, message: impl Into<String>, data: Value) {
        self.event_at(EventLevel::Info, event, message.into(), data);
    }

    pub(super) fn event_at(&self, level: EventLevel, event: &'static str, message: String, data: Value) {
        let mut pages = self.pages();
        let seq = pages.events.len() as u64;
        let phase = pages.phase;
        let event = Event { ts: Timestamp::now(), seq, phase, level, event, message, data };
        if let Some(sink) = &pages.sink {
            sink(&event);
        }
        pages.events.push(event);
    }

    /// Registers an action for the case that the run ends early. The action stays registered until the returned handle
    /// is settled, also if the handle is dropped: an error and a cancellation drop it.
    #[must_use = "the action stays registered until this is settled"]
    pub fn on_early_end<F>(
        &self,
        description: impl Into<String>,
        action: impl FnOnce(Unwinding) -> F + Send + 'static,
    ) -> Undo
    where
        F: Future<Output = Undone> + Send + 'static,
    {
        let mut pages = self.pages();
        let id = pages.next_undo;
        pages.next_undo += 1;
        let action: UndoAction = Box::new(move |unwinding| Box::pin(action(unwinding)));
        pages.undo.push(Entry { id, description: description.into(), action });
        Undo { journal: self.clone(), id }
    }

    /// Registers an action for the end of the run, also after a failure. Outputs and run bundle are written by then.
    pub fn at_end<F>(&self, action: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        self.pages().last.push(Box::new(move || Box::pin(action())));
    }

    /// Runs the actions for the end of the run, in their order.
    pub(super) async fn run_last(&self) {
        let actions = std::mem::take(&mut self.pages().last);
        for action in actions {
            action().await;
        }
    }

    /// Runs all registered actions, the newest first.
    pub async fn unwind(&self, cause: EndCause) -> Vec<Undone> {
        self.unwind_since(&UndoMark(0), cause).await
    }

    /// Returns a mark in the undo stack, to undo only what is registered after it.
    pub fn mark(&self) -> UndoMark {
        UndoMark(self.pages().next_undo)
    }

    /// Runs the actions that were registered after `mark`, the newest first.
    pub async fn unwind_since(&self, mark: &UndoMark, cause: EndCause) -> Vec<Undone> {
        let mut unwinding = Unwinding { cause, later_stands: false, later_is_unknown: false };
        let mut results = Vec::new();
        while let Some(Entry { description, action, .. }) = self.pop_since(mark) {
            let undone = action(unwinding).await;
            let (level, word) = match &undone {
                Undone::TakenBack => (EventLevel::Info, "taken_back"),
                Undone::Stands(_) => (EventLevel::Info, "stands"),
                Undone::StandsInPart { .. } => (EventLevel::Warning, "stands_in_part"),
                Undone::Unknown => (EventLevel::Warning, "unknown"),
                Undone::Left { .. } => (EventLevel::Warning, "left"),
            };
            self.event_at(level, "undone", description, serde_json::json!({ "result": word }));
            unwinding.later_stands |= matches!(undone, Undone::Stands(_) | Undone::StandsInPart { .. });
            unwinding.later_is_unknown |= undone == Undone::Unknown;
            results.push(undone);
        }
        results
    }

    fn pop_since(&self, mark: &UndoMark) -> Option<Entry> {
        let mut pages = self.pages();
        pages.undo.pop_if(|entry| entry.id >= mark.0)
    }

    /// Returns the measured phases, in the order of their ends.
    pub fn timings(&self) -> Vec<Timing> {
        self.pages().timings.clone()
    }

    /// Returns all events so far.
    pub fn events(&self) -> Vec<Event> {
        self.pages().events.clone()
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Place in the undo stack.
#[derive(Debug, Clone, Copy)]
pub struct UndoMark(u64);

/// Measurement of a phase.
#[derive(Debug)]
pub struct PhaseGuard {
    journal: Journal,
    timing: &'static str,
    started: Instant,
}

impl Drop for PhaseGuard {
    fn drop(&mut self) {
        let taken = self.started.elapsed();
        let ms = u64::try_from(taken.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(target: "phase", phase = self.timing, ms, "ended");
        if !self.journal.is_nested {
            self.journal.pages().timings.push(Timing { name: self.timing, taken });
        }
        let data = serde_json::json!({ "name": self.timing, "seconds": taken.as_secs_f64() });
        self.journal.event("phase_ended", format!("{} ended", self.timing), data);
    }
}

/// Handle of a registered undo action.
#[derive(Debug)]
pub struct Undo {
    journal: Journal,
    id: u64,
}

impl Undo {
    /// Removes the action, because nothing is left to be undone.
    pub fn settle(self) {
        self.journal.pages().undo.retain(|entry| entry.id != self.id);
    }
}

/// Write-only handle to a report. Only the driver reads the report.
pub struct Recorder<R> {
    write: Arc<Write<R>>,
}

type Write<R> = dyn Fn(&mut dyn FnMut(&mut R)) + Send + Sync;

impl<R> Clone for Recorder<R> {
    fn clone(&self) -> Self {
        Self { write: Arc::clone(&self.write) }
    }
}

impl<R> fmt::Debug for Recorder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl<R: 'static> Recorder<R> {
    /// Returns a recorder, and the shared report that it writes. `changed` gets the report after each change.
    pub fn to_shared(report: R, changed: impl Fn(&R) + Send + Sync + 'static) -> (Self, SharedReport<R>)
    where
        R: Send,
    {
        let shared = SharedReport(Arc::new(Mutex::new(report)));
        let written = shared.clone();
        let write = move |change: &mut dyn FnMut(&mut R)| {
            let mut report = written.lock();
            change(&mut report);
            changed(&report);
        };
        (Self { write: Arc::new(write) }, shared)
    }

    /// Writes to the report.
    pub fn record(&self, change: impl FnOnce(&mut R)) {
        let mut change = Some(change);
        (self.write)(&mut |report| {
            if let Some(change) = change.take() {
                change(report);
            }
        });
    }

    /// Returns a recorder for a part of the report.
    #[must_use]
    pub fn part<P: 'static>(&self, select: fn(&mut R) -> &mut P) -> Recorder<P> {
        let whole = self.clone();
        let write = move |change: &mut dyn FnMut(&mut P)| (whole.write)(&mut |report| change(select(report)));
        Recorder { write: Arc::new(write) }
    }
}

/// The reading side of a [`Recorder`].
#[derive(Debug)]
pub struct SharedReport<R>(Arc<Mutex<R>>);

impl<R> Clone for SharedReport<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> SharedReport<R> {
    /// Locks the report. A panic elsewhere does not make it unreadable.
    pub fn lock(&self) -> MutexGuard<'_, R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn event_serializes_as_a_line_of_the_run_bundle() {
        let journal = Journal::default();
        drop(journal.enter(Phase::Commit, "commit"));
        journal.event("commit_created", "committed abc", json!({ "sha": "abc" }));
        let events = journal.events();
        let line = serde_json::to_value(&events[2]).unwrap();
        let time = line["ts"].as_str().unwrap().to_owned();
        assert!(time.parse::<Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
        assert_eq!(
            line,
            json!({
                "ts": time, "seq": 2, "phase": "commit", "level": "info", "event": "commit_created",
                "message": "committed abc", "data": { "sha": "abc" },
            })
        );
        assert_eq!([events[0].event, events[1].event], ["phase_started", "phase_ended"]);
    }

    #[test]
    fn sink_gets_each_event_in_order() {
        let (journal, seen) = (Journal::default(), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&seen);
        journal.report_to(move |event| noted.lock().unwrap().push((event.seq, event.event)));
        drop(journal.enter(Phase::Commit, "commit"));
        journal.nested().event("committed", "x", Value::Null);
        assert_eq!(*seen.lock().unwrap(), [(0, "phase_started"), (1, "phase_ended"), (2, "committed")]);
    }

    #[test]
    fn nested_journal_measures_no_phase() {
        let journal = Journal::default();
        let outer = journal.enter(Phase::Create, "proxy");
        drop(journal.nested().enter(Phase::Analyze, "plan"));
        drop(outer);
        let names: Vec<&str> = journal.timings().iter().map(|timing| timing.name).collect();
        assert_eq!(names, ["proxy"]);
    }

    /// Registers an action that notes its name and what it was given.
    fn register(journal: &Journal, name: &'static str, result: Undone, seen: &Seen) -> Undo {
        let seen = Arc::clone(seen);
        journal.on_early_end(name, move |unwinding| async move {
            seen.lock().unwrap().push((name, unwinding.later_stands, unwinding.later_is_unknown));
            result
        })
    }

    type Seen = Arc<Mutex<Vec<(&'static str, bool, bool)>>>;

    #[tokio::test]
    async fn undo_runs_newest_first_and_passes_on_what_stands() {
        let (journal, seen) = (Journal::default(), Seen::default());
        let hint = || Undone::Left { hint: "look".to_owned() };
        let _first = register(&journal, "variables", hint(), &seen);
        let settled = register(&journal, "settled", Undone::TakenBack, &seen);
        let _second = register(&journal, "commit", Undone::Stands("abc".to_owned()), &seen);
        settled.settle();
        drop(register(&journal, "dropped", Undone::Unknown, &seen));
        let results = journal.unwind(EndCause::Failed).await;
        let expected = [("dropped", false, false), ("commit", false, true), ("variables", true, true)];
        assert_eq!(*seen.lock().unwrap(), expected);
        assert_eq!(results, [Undone::Unknown, Undone::Stands("abc".to_owned()), hint()]);
        assert!(journal.unwind(EndCause::Failed).await.is_empty(), "each action runs once");
    }

    #[tokio::test]
    async fn undo_since_a_mark_leaves_older_actions() {
        let (journal, seen) = (Journal::default(), Seen::default());
        let _older = register(&journal, "older", Undone::TakenBack, &seen);
        let mark = journal.mark();
        let _newer = register(&journal, "newer", Undone::TakenBack, &seen);
        journal.unwind_since(&mark, EndCause::Cancelled).await;
        assert_eq!(*seen.lock().unwrap(), [("newer", false, false)]);
    }

    #[test]
    fn recorder_of_a_part_writes_into_the_whole() {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&changes);
        let changed = move |whole: &(i32, String)| noted.lock().unwrap().push(whole.0);
        let (recorder, report) = Recorder::to_shared((1, "a".to_owned()), changed);
        recorder.part(|whole| &mut whole.1).record(|text| text.push('b'));
        recorder.record(|whole| whole.0 += 1);
        assert_eq!(*report.lock(), (2, "ab".to_owned()));
        assert_eq!(*changes.lock().unwrap(), [1, 2], "each change is seen");
    }
}
