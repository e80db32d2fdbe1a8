//! How far a transfer is: a line every ten seconds, or a bar where somebody watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::log::{Log, Mode};
use crate::text::{human_bytes, human_duration};

/// A log without a new line for longer than this looks as if it hangs.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Often enough for a bar to move smoothly.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// A rate over less than this says more about buffers than about the network.
const WORTH_A_RATE: Duration = Duration::from_secs(1);

/// Shows how many bytes have moved, until it is finished or dropped.
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

#[derive(Debug)]
struct Counts {
    done: AtomicU64,
    /// 0 where it is not known.
    total: AtomicU64,
}

impl Counter {
    pub fn add(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.0.done.load(Ordering::Relaxed), self.0.total.load(Ordering::Relaxed))
    }
}

impl Progress {
    /// Starts to show a transfer of `total` bytes (0 where that is not known), whose lines start with
    /// `label`. Must be called in a tokio runtime, without which only the last line is shown.
    pub fn start(log: &Log, label: &str, total: u64) -> Self {
        let counter = Counter(Arc::new(Counts { done: AtomicU64::new(0), total: AtomicU64::new(total) }));
        let bar = (log.mode() == Mode::Terminal).then(|| new_bar(label));
        log.set_bar(bar.clone());
        let ticker = tokio::runtime::Handle::try_current().ok().map(|runtime| match &bar {
            Some(bar) => runtime.spawn(draw(bar.clone(), counter.clone())),
            None => runtime.spawn(tell(log.clone(), label.to_owned(), counter.clone())),
        });
        Self { log: log.clone(), label: label.to_owned(), counter, started: Instant::now(), ticker, bar }
    }

    /// What counts, for those who move the bytes.
    pub fn counter(&self) -> Counter {
        self.counter.clone()
    }

    pub fn add(&self, bytes: u64) {
        self.counter.add(bytes);
    }

    pub fn set_total(&self, bytes: u64) {
        self.counter.0.total.store(bytes, Ordering::Relaxed);
    }

    /// Ends with a line that sums up, if anything moved.
    pub fn finish(mut self) {
        self.stop();
        let (done, total) = self.counter.read();
        if done == 0 {
            return;
        }
        let took = self.started.elapsed();
        // What is over in a moment has no rate worth a word.
        let rate = if took < WORTH_A_RATE { String::new() } else { format!(", {}", rate(done, took)) };
        let amount = amount(done, total);
        self.log.info(&format!("{}: {amount} in {}{rate}", self.label, human_duration(took)));
    }

    /// Takes the bar away before anything else is printed: a finished bar is never drawn again, even if
    /// the task draws once more before it ends.
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

/// The lines: one each ten seconds, also when nothing moves.
async fn tell(log: Log, label: String, counter: Counter) {
    let mut clock = tokio::time::interval_at(Instant::now() + LINE_EVERY, LINE_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = (Instant::now(), 0);
    loop {
        clock.tick().await;
        let (done, total) = counter.read();
        let now = Instant::now();
        let state = state(done, total, rate(done.saturating_sub(last.1), now - last.0));
        log.info(&format!("{label}: {state}"));
        last = (now, done);
    }
}

/// The bar, moved on a clock and not by those who count, who are many.
async fn draw(bar: ProgressBar, counter: Counter) {
    let started = Instant::now();
    let mut clock = tokio::time::interval(DRAW_EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let (done, total) = counter.read();
        bar.set_length(total.max(done).max(1));
        bar.set_position(done);
        bar.set_message(state(done, total, rate(done, started.elapsed().max(WORTH_A_RATE))));
    }
}

fn new_bar(label: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_prefix(label.to_owned())
}

fn state(done: u64, total: u64, rate: String) -> String {
    match total > 0 && done >= total {
        true => format!("{}, waiting for the Hub", amount(done, total)),
        false => format!("{}, {rate}", amount(done, total)),
    }
}

fn amount(done: u64, total: u64) -> String {
    match total {
        0 => human_bytes(done),
        // What is sent again after a fault may count twice: nobody uploads 103 of 100 MB.
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
    async fn a_line_every_ten_seconds_even_when_nothing_moves() {
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
    async fn a_transfer_of_nothing_is_quiet_and_a_dropped_one_stops() {
        let (log, captured) = captured(Mode::GitHub);
        Progress::start(&log, "uploading", 0).finish();
        let progress = Progress::start(&log, "uploading", 0);
        progress.add(1500);
        pass(11).await;
        progress.set_total(3000);
        pass(10).await;
        drop(progress);
        pass(60).await;
        assert_eq!(captured.text(), "uploading: 1.5 kB, 150 B/s\nuploading: 1.5 kB of 3 kB, 0 B/s\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_has_a_bar_and_the_last_line() {
        let (log, captured) = captured(Mode::Terminal);
        let progress = Progress::start(&log, "uploading", 10);
        progress.add(10);
        pass(30).await;
        log.info("meanwhile");
        progress.finish();
        assert_eq!(captured.text(), "meanwhile\nuploading: 10 B of 10 B in 30.0 s, 0 B/s\n");
    }

    #[test]
    fn without_a_runtime_the_last_line_is_all() {
        let (log, captured) = captured(Mode::Plain);
        let progress = Progress::start(&log, "uploading", 5);
        progress.add(5);
        progress.finish();
        assert!(captured.text().starts_with("uploading: 5 B of 5 B in 0.0 s"));
    }
}
