//! Progress of a transfer, or of reading files: a line every ten seconds, or a bar on a terminal.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::log::{Log, Mode};
use crate::text::{human_bytes, human_duration};

/// Interval of log lines, because a log without new lines seems to hang.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Interval at which the bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Minimum duration for a rate, because a shorter one measures buffers and not the network.
const WORTH_A_RATE: Duration = Duration::from_secs(1);

/// Display of the number of bytes that were transferred, until it is finished or dropped.
#[derive(Debug)]
pub struct Progress {
    log: Log,
    label: String,
    counter: Counter,
    started: Instant,
    ticker: Option<JoinHandle<()>>,
    bar: Option<ProgressBar>,
}

/// Counts bytes, from any thread. Clones count together.
#[derive(Debug, Clone)]
pub struct Counter(Arc<Counts>);

/// A stream whose bytes are counted while it is read.
#[derive(Debug)]
pub struct Counted<R> {
    input: R,
    counter: Counter,
}

#[derive(Debug)]
struct Counts {
    done: AtomicU64,
    /// Size of the transfer: 0 if it is unknown.
    total: u64,
    /// State after the last byte, until the end.
    last_state: &'static str,
}

impl Counter {
    pub fn add(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts the bytes of a stream while it is read.
    pub fn of_reading<R: Read>(&self, input: R) -> Counted<R> {
        Counted { input, counter: self.clone() }
    }

    /// Returns the number of bytes so far, and of all.
    pub fn read(&self) -> (u64, u64) {
        (self.0.done.load(Ordering::Relaxed), self.0.total)
    }

    fn state(&self, rate: String) -> String {
        let (done, total) = self.read();
        let is_through = total > 0 && done >= total;
        let state = if is_through { self.0.last_state.to_owned() } else { rate };
        format!("{}, {state}", amount(done, total))
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.counter.add(read as u64);
        Ok(read)
    }
}

impl Progress {
    /// Starts to show a transfer of `total` bytes, 0 if that is unknown. Lines start with `label`. Outside of a tokio
    /// runtime only the last line is shown.
    pub fn start(log: &Log, label: &str, total: u64) -> Self {
        Self::show(log, label, Counts { done: AtomicU64::new(0), total, last_state: "waiting for the Hub" })
    }

    /// Starts to show that files of `total` bytes are read.
    pub fn start_reading(log: &Log, label: &str, total: u64) -> Self {
        Self::show(log, label, Counts { done: AtomicU64::new(0), total, last_state: "almost done" })
    }

    fn show(log: &Log, label: &str, counts: Counts) -> Self {
        let counter = Counter(Arc::new(counts));
        let bar = (log.mode() == Mode::Terminal).then(|| new_bar(label));
        log.set_bar(bar.clone());
        let ticker = tokio::runtime::Handle::try_current().ok().map(|runtime| match &bar {
            Some(bar) => runtime.spawn(draw(bar.clone(), counter.clone())),
            None => runtime.spawn(print_lines(log.clone(), label.to_owned(), counter.clone())),
        });
        Self { log: log.clone(), label: label.to_owned(), counter, started: Instant::now(), ticker, bar }
    }

    /// Returns the counter of the transferred bytes.
    pub fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// Stops the display, and prints a summary line if any bytes were transferred.
    pub fn finish(mut self) {
        self.stop();
        let (done, total) = self.counter.read();
        if done == 0 {
            return;
        }
        let took = self.started.elapsed();
        let rate = if took < WORTH_A_RATE { String::new() } else { format!(", {}", rate(done, took)) };
        let amount = amount(done, total);
        self.log.info(&format!("{}: {amount} in {}{rate}", self.label, human_duration(took)));
    }

    /// Removes the bar. A finished bar is not drawn again, even if the task draws once more before it ends.
    fn stop(&mut self) {
        if let Some(ticker) = self.ticker.take() {
            ticker.abort();
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.log.set_bar(None);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Prints a line every ten seconds.
async fn print_lines(log: Log, label: String, counter: Counter) {
    let mut clock = tokio::time::interval_at(Instant::now() + LINE_EVERY, LINE_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = (Instant::now(), 0);
    loop {
        clock.tick().await;
        let (done, _) = counter.read();
        let now = Instant::now();
        let state = counter.state(rate(done.saturating_sub(last.1), now - last.0));
        log.info(&format!("{label}: {state}"));
        last = (now, done);
    }
}

/// Draws the bar at an interval, because the counter is updated too often.
async fn draw(bar: ProgressBar, counter: Counter) {
    let started = Instant::now();
    let mut clock = tokio::time::interval(DRAW_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let (done, total) = counter.read();
        bar.set_length(total.max(done).max(1));
        bar.set_position(done);
        bar.set_message(counter.state(rate(done, started.elapsed().max(WORTH_A_RATE))));
    }
}

fn new_bar(label: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_prefix(label.to_owned())
}

fn amount(done: u64, total: u64) -> String {
    match total {
        0 => human_bytes(done),
        // Limited to the total, because bytes that are sent again after an error count twice.
        total => format!("{} of {}", human_bytes(done.min(total)), human_bytes(total)),
    }
}

fn rate(bytes: u64, took: Duration) -> String {
    let millis = took.as_millis().max(1);
    let per_second = u128::from(bytes) * 1000 / millis;
    format!("{}/s", human_bytes(u64::try_from(per_second).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::super::log::tests::captured;
    use super::*;

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn line_is_printed_every_ten_seconds() {
        let (log, captured) = captured(Mode::Plain);
        let progress = Progress::start(&log, "uploading", 200_000_000);
        let counter = progress.counter();
        pass(5).await;
        counter.add(41_000_000);
        pass(6).await;
        pass(10).await;
        counter.add(159_000_000);
        pass(10).await;
        progress.finish();
        pass(60).await;
        assert_eq!(
            captured.text(),
            "uploading: 41 MB of 200 MB, 4.1 MB/s\n\
             uploading: 41 MB of 200 MB, 0 B/s\n\
             uploading: 200 MB of 200 MB, waiting for the Hub\n\
             uploading: 200 MB of 200 MB in 31.0 s, 6.5 MB/s\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn reading_is_shown_without_the_hub() {
        let (log, captured) = captured(Mode::Plain);
        let progress = Progress::start_reading(&log, "checking", 7);
        let mut reader = progress.counter().of_reading(&b"a line\n"[..]);
        reader.read_exact(&mut [0; 5]).unwrap();
        pass(11).await;
        reader.read_exact(&mut [0; 2]).unwrap();
        pass(10).await;
        drop(progress);
        assert_eq!(captured.text(), "checking: 5 B of 7 B, 0 B/s\nchecking: 7 B of 7 B, almost done\n");
    }

    #[tokio::test(start_paused = true)]
    async fn empty_transfer_prints_nothing_and_a_dropped_one_stops() {
        let (log, captured) = captured(Mode::GitHub);
        Progress::start(&log, "uploading", 0).finish();
        let progress = Progress::start(&log, "uploading", 0);
        progress.counter().add(1500);
        pass(21).await;
        drop(progress);
        pass(60).await;
        assert_eq!(captured.text(), "uploading: 1.5 kB, 150 B/s\nuploading: 1.5 kB, 0 B/s\n");
    }

    #[tokio::test(start_paused = true)]
    async fn terminal_has_a_bar_and_the_last_line() {
        let (log, captured) = captured(Mode::Terminal);
        let progress = Progress::start(&log, "uploading", 10);
        progress.counter().add(10);
        pass(30).await;
        log.info("meanwhile");
        progress.finish();
        assert_eq!(captured.text(), "meanwhile\nuploading: 10 B of 10 B in 30.0 s, 0 B/s\n");
    }

    #[test]
    fn last_line_is_printed_without_a_runtime() {
        let (log, captured) = captured(Mode::Plain);
        let progress = Progress::start(&log, "uploading", 5);
        progress.counter().add(5);
        progress.finish();
        assert!(captured.text().starts_with("uploading: 5 B of 5 B in 0.0 s"));
    }
}
