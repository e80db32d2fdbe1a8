//! A Job that is followed to its end: its stages, and its log while it is written.
//!
//! The Hub's stage decides about the end. The log is complete when a connection that began after the end brings nothing
//! new, because a stream may end at any time.

use std::time::Duration;

use hub::{Hub, Job, JobStage, StreamEnd, sse};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::context::Context;
use super::sink::LogSink;
use crate::action::Log;
use crate::failure::{Result, job as advice};
use crate::ops::replay::ReplayFilter;
use crate::text::{human_duration, without_colors};

/// Time between two looks at a Job, at its beginning and later.
const FIRST_POLL: Duration = Duration::from_millis(1000);
const LATER_POLL: Duration = Duration::from_secs(3);
/// Time after which looks become rare.
const BEGINNING: Duration = Duration::from_secs(60);
/// Time for which the Hub may fail to answer about a Job that runs.
const MAX_OUTAGE: Duration = Duration::from_secs(10 * 60);

/// Pauses between connections to the log.
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Silence of a log after which it is opened again. The Hub sends keep-alives every 30 seconds.
const MAX_SILENCE: Duration = Duration::from_secs(120);
/// Silence after the end of the Job that ends the log, because some streams stay open.
const LAST_SILENCE: Duration = Duration::from_secs(5);
/// Number of connections without a new line after which the rest of the log of a finished Job is given up.
const MAX_FAILURES: u32 = 5;

/// Follows a Job to its end. Returns the Job as it ended.
pub(super) async fn follow(context: &Context<'_>, job: Job, sink: &mut LogSink) -> Result<Job> {
    let (current, seen) = watch::channel(job);
    let look = Notify::new();
    let stages = follow_stage(context, &current, &look);
    let reader = LogReader {
        hub: context.hub,
        log: context.log,
        sink,
        job: seen,
        look: &look,
        filter: ReplayFilter::default(),
    };
    let (ended, ()) = tokio::join!(stages, reader.follow());
    ended?;
    Ok(current.borrow().clone())
}

/// Returns the lines of a log so far, or the last `tail` of them.
///
/// # Errors
///
/// The log cannot be opened.
pub async fn read_log(hub: &Hub, job: &Job, tail: Option<u64>) -> Result<Vec<String>> {
    let mut bytes = hub.open_job_log(&job.owner.name, &job.id, tail).await?;
    let mut decoder = sse::Decoder::default();
    let mut filter = ReplayFilter::default();
    let mut lines = Vec::new();
    // The stream of a Job that runs does not end.
    while let Ok(chunk) = bytes.next_within(LAST_SILENCE).await {
        let texts = decoder.push(&chunk).into_iter().filter_map(|event| filter.new_text(&event.data));
        lines.extend(texts.map(|text| without_colors(text.trim_end_matches(['\r', '\n']))));
    }
    Ok(lines)
}

/// Looks at the Job until it has ended. `look` asks for a look at once.
async fn follow_stage(context: &Context<'_>, current: &watch::Sender<Job>, look: &Notify) -> Result<()> {
    let started = Instant::now();
    let (namespace, id) = {
        let job = current.borrow();
        (job.owner.name.clone(), job.id.clone())
    };
    let mut stages = StageLog::new(context.log);
    stages.note(&current.borrow());
    let mut answered = Instant::now();
    while !current.borrow().status.stage.is_final() {
        let pause = if started.elapsed() < BEGINNING { FIRST_POLL } else { LATER_POLL };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = look.notified() => {}
        }
        match context.hub.job_once(&namespace, &id).await {
            Ok(job) => {
                answered = Instant::now();
                stages.note(&job);
                context.observe(&job);
                // The reader of the log may have ended.
                current.send_replace(job);
            }
            // A temporary failure of the Hub says nothing about the Job.
            Err(error) if error.may_pass() && answered.elapsed() < MAX_OUTAGE => {
                context.log.info(&format!("looking again: {error}"));
                let asked = error.refusal().and_then(|refusal| refusal.wait).unwrap_or_default();
                tokio::time::sleep(asked.clamp(pause, MAX_OUTAGE)).await;
            }
            Err(error) => {
                // The reader waits for the end of the Job.
                current.send_modify(|job| job.status.stage = JobStage::Deleted);
                return Err(advice::cannot_follow(error));
            }
        }
    }
    Ok(())
}

/// Lines about the stages of a Job.
struct StageLog<'a> {
    log: &'a Log,
    since: Instant,
    stage: Option<JobStage>,
    message: Option<String>,
    failures: u32,
}

impl<'a> StageLog<'a> {
    fn new(log: &'a Log) -> Self {
        Self { log, since: Instant::now(), stage: None, message: None, failures: 0 }
    }

    /// Prints a new stage, a new message of the Hub, and a failed attempt.
    fn note(&mut self, job: &Job) {
        let status = &job.status;
        let failures = status.failure_count.unwrap_or_default() as u32;
        let attempts = job.retry.unwrap_or_default() as u32 + 1;
        // Several may have failed since the last look.
        for failed in self.failures + 1..=failures.min(attempts - 1) {
            self.log.info(&format!("attempt {failed} of {attempts} failed, and the next one starts"));
        }
        self.failures = failures;
        let is_new = self.stage.as_ref() != Some(&status.stage);
        if is_new || (status.message.is_some() && self.message != status.message) {
            let message = status.message.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            let elapsed = self.since.elapsed();
            let after = match elapsed.as_secs() {
                0 => String::new(),
                _ => format!(" after {}", human_duration(elapsed)),
            };
            self.log.info(&format!("{}{after}{message}", describe(&status.stage)));
        }
        self.stage = Some(status.stage.clone());
        self.message.clone_from(&status.message);
    }
}

fn describe(stage: &JobStage) -> String {
    match stage {
        JobStage::Scheduling => "waiting for hardware".to_owned(),
        JobStage::Running => "running".to_owned(),
        JobStage::Completed => "completed".to_owned(),
        JobStage::Canceled => "cancelled".to_owned(),
        JobStage::Error => "failed".to_owned(),
        JobStage::Deleted => "deleted".to_owned(),
        JobStage::Other(name) => format!("in the stage {}", crate::text::plain(name)),
    }
}

/// The log of a Job, over as many connections as it takes.
struct LogReader<'a> {
    hub: &'a Hub,
    log: &'a Log,
    sink: &'a mut LogSink,
    job: watch::Receiver<Job>,
    look: &'a Notify,
    filter: ReplayFilter,
}

/// Result of one connection.
struct Connection {
    has_news: bool,
    end: StreamEnd,
}

impl LogReader<'_> {
    async fn follow(mut self) {
        let (mut pause, mut failures) = (FIRST_PAUSE, 0);
        loop {
            let had_ended = self.has_ended();
            let connection = match self.read_once().await {
                Ok(connection) => connection,
                // The Hub would refuse every later request too, so the log ends here.
                Err(error) if is_refused(&error) && !had_ended => {
                    self.log.warning(&format!("the log is not shown: {error}"));
                    return self.wait_for_end().await;
                }
                Err(_) => Connection { has_news: false, end: StreamEnd::Broken },
            };
            if connection.has_news {
                (pause, failures) = (FIRST_PAUSE, 0);
            } else {
                failures += 1;
            }
            if had_ended {
                if !connection.has_news && connection.end != StreamEnd::Broken {
                    return;
                }
                if failures >= MAX_FAILURES {
                    self.log.warning("the end of the log could not be read");
                    return;
                }
            }
            // The end of the stream may be the end of the Job.
            self.look.notify_one();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = self.job.changed(), if !had_ended => {
                    // A new stage may have a log at last.
                    let _ = changed;
                    pause = FIRST_PAUSE;
                }
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn has_ended(&self) -> bool {
        self.job.borrow().status.stage.is_final()
    }

    async fn wait_for_end(&mut self) {
        let _ = self.job.wait_for(|job| job.status.stage.is_final()).await;
    }

    /// Reads one connection to its end.
    async fn read_once(&mut self) -> Result<Connection, hub::Error> {
        let (namespace, id) = {
            let job = self.job.borrow_and_update();
            (job.owner.name.clone(), job.id.clone())
        };
        let mut bytes = self.hub.open_job_log(&namespace, &id, None).await?;
        self.filter.rewind();
        let mut decoder = sse::Decoder::default();
        let mut has_news = false;
        let (mut last_byte, mut last_event) = (Instant::now(), Instant::now());
        loop {
            let silence = if self.has_ended() {
                LAST_SILENCE.saturating_sub(last_event.elapsed())
            } else {
                MAX_SILENCE.saturating_sub(last_byte.elapsed())
            };
            let chunk = tokio::select! {
                chunk = bytes.next_within(silence) => chunk,
                changed = self.job.changed(), if !self.has_ended() => {
                    if changed.is_ok() {
                        last_event = Instant::now();
                        continue;
                    }
                    Err(StreamEnd::Closed)
                }
            };
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(end) => return Ok(Connection { has_news, end }),
            };
            last_byte = Instant::now();
            let events = decoder.push(&chunk);
            if !events.is_empty() {
                last_event = Instant::now();
            }
            let texts: Vec<String> =
                events.iter().filter_map(|event| self.filter.new_text(&event.data)).collect();
            if !texts.is_empty() && !has_news && self.job.borrow().status.stage == JobStage::Scheduling {
                // The first line comes from a Job that runs.
                self.look.notify_one();
            }
            has_news |= !texts.is_empty();
            self.sink.take(&texts);
        }
    }
}

fn is_refused(error: &hub::Error) -> bool {
    error.status().is_some_and(|status| (400..500).contains(&status) && !matches!(status, 404 | 408 | 429))
}
