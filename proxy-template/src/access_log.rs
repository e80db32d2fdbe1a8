//! One line for each request, written when it ends: no query, no header, no body, no secret.

use std::fmt::Write as _;
use std::io::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, Method, Uri};

use crate::config::LogFormat;
use crate::jobs::Job;
use crate::limits::{InFlight, StreamPermit};
use crate::metrics::{Metrics, add};

/// Lines that wait for a slow reader of the log. Beyond it they are dropped and counted: the log must not hold up
/// requests.
const WAITING: usize = 4096;
/// Lines are written together up to this size.
const BATCH: usize = 64 * 1024;
/// How long the end of the process waits for a reader of the log.
const LAST_LINES: Duration = Duration::from_millis(500);
/// How often it looks whether all is written.
const LAST_LINES_TICK: Duration = Duration::from_millis(2);

/// Writes lines in a thread of its own.
#[derive(Debug)]
pub struct Logger {
    format: LogFormat,
    sender: SyncSender<String>,
    metrics: Arc<Metrics>,
    /// Nothing is to be waited for any more.
    stopping: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Logger {
    /// Writes to `sink`, and counts in `metrics` what was not written.
    pub fn start(format: LogFormat, sink: impl Write + Send + 'static, metrics: Arc<Metrics>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let stopping = Arc::<AtomicBool>::default();
        let told = stopping.clone();
        let writer = std::thread::spawn(move || write_all(&receiver, &told, sink));
        Self { format, sender, metrics, stopping, writer: Mutex::new(Some(writer)) }
    }

    /// Says what happened beside requests. The text must hold no secret.
    pub fn event(&self, level: &str, text: &str) {
        let mut line = String::with_capacity(text.len() + 64);
        match self.format {
            LogFormat::Json => {
                let _ = write!(line, r#"{{"time":"{}","level":"{level}","event":"#, now());
                push_json(&mut line, text);
                line.push_str("}\n");
            }
            _ => {
                let _ = writeln!(line, "{} {level}: {}", now(), text.escape_debug());
            }
        }
        self.send(line);
    }

    fn send(&self, line: String) {
        if self.sender.try_send(line).is_err() {
            add(&self.metrics.lost_lines, 1);
        }
    }

    /// Waits until all lines so far are written, but not for long: whoever reads the log may have stopped doing so, and
    /// must not keep the process from its end.
    pub fn flush(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        // An empty line wakes the writer. When there is no room for it, the writer is awake.
        let _ = self.sender.try_send(String::new());
        let until = Instant::now() + LAST_LINES;
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            while !writer.is_finished() && Instant::now() < until {
                std::thread::sleep(LAST_LINES_TICK);
            }
        }
    }
}

/// Writes lines as they come, until it is to stop and none is left.
fn write_all(lines: &Receiver<String>, stopping: &AtomicBool, mut sink: impl Write) {
    loop {
        let first = if stopping.load(Ordering::SeqCst) { lines.try_recv().ok() } else { lines.recv().ok() };
        let Some(mut batch) = first else { return };
        while batch.len() < BATCH {
            match lines.try_recv() {
                Ok(line) => batch.push_str(&line),
                Err(_) => break,
            }
        }
        // A log that cannot be written is no reason to end.
        let _ = sink.write_all(batch.as_bytes()).and_then(|()| sink.flush());
    }
}

/// What is to be said of one request. It is said when this goes, whichever way the request ends; what the request
/// took of its limits goes back at the same time.
#[derive(Debug)]
pub struct Record {
    /// Where it is written.
    pub logger: Arc<Logger>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// When the head was read.
    pub start: Instant,
    /// The method.
    pub method: Method,
    /// The target, of which the path alone is written.
    pub uri: Uri,
    /// Whose request it is.
    pub client: IpAddr,
    /// Its id.
    pub id: HeaderValue,
    /// The status of the answer; 0 when the caller left before there was one.
    pub status: u16,
    /// The code of a refusal; empty when the answer is the app's.
    pub code: &'static str,
    /// How often the upstream was asked.
    pub tries: u32,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Whether the answer is incomplete.
    pub cut: bool,
    /// Its place among all requests.
    pub in_flight: Option<InFlight>,
    /// Its place among the streams of its address.
    pub stream: Option<StreamPermit>,
    /// The computation that it has begun, as long as that ends with the answer.
    pub job: Option<Job>,
}

impl Record {
    /// Counts bytes of the answer.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The answer ended before its end.
    pub fn cut_short(&mut self) {
        self.cut = true;
    }

    fn line(&self) -> String {
        let millis = self.start.elapsed().as_secs_f64() * 1000.0;
        let (method, path) = (self.method.as_str(), self.uri.path());
        let id = self.id.to_str().unwrap_or_default();
        let mut line = String::with_capacity(path.len() + 224);
        // Writing to a string cannot fail.
        let _ = match self.logger.format {
            LogFormat::Json => {
                let _ = write!(line, r#"{{"time":"{}","method":"{method}","path":"#, now());
                push_json(&mut line, path);
                write!(
                    line,
                    r#","status":{},"code":"{}","ms":{millis:.1},"bytes":{},"client":"{}","id":"{id}","tries":{},"cut":{}}}"#,
                    self.status, self.code, self.bytes, self.client, self.tries, self.cut,
                )
            }
            _ => write!(
                line,
                "{} {method} {} {} {} {millis:.1}ms {}B client={} id={id} tries={}{}",
                now(),
                path.escape_debug(),
                self.status,
                if self.code.is_empty() { "-" } else { self.code },
                self.bytes,
                self.client,
                self.tries,
                if self.cut { " cut" } else { "" },
            ),
        };
        line.push('\n');
        line
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.metrics.finished(self.status, self.bytes, self.start.elapsed());
        if self.logger.format != LogFormat::Off {
            self.logger.send(self.line());
        }
    }
}

/// A JSON string.
fn push_json(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The time in RFC 3339, in milliseconds.
fn now() -> String {
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis())
}

/// Days to a date by the algorithm of Howard Hinnant, "chrono-compatible low-level date algorithms".
fn rfc3339(millis: u128) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u128::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(rfc3339(1_767_225_599_999), "2025-12-31T23:59:59.999Z");
    }

    /// A reader of the log who has stopped reading.
    struct Stuck(std::sync::mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_reader_keeps_nobody_from_ending() {
        let (reader, stuck) = std::sync::mpsc::channel();
        let metrics = Arc::<Metrics>::default();
        let logger = Logger::start(LogFormat::Text, Stuck(stuck), metrics.clone());
        for _ in 0..3 * WAITING {
            logger.event("info", "x");
        }
        let start = Instant::now();
        logger.flush();
        assert!(start.elapsed() < 4 * LAST_LINES, "{:?}", start.elapsed());
        let lost = metrics.lost_lines.load(Ordering::Relaxed);
        assert!((WAITING as u64..2 * WAITING as u64).contains(&lost), "{lost}");
        drop(reader);
    }

    #[test]
    fn json_strings() {
        let mut out = String::new();
        push_json(&mut out, "a\"b\\c\nd");
        assert_eq!(out, r#""a\"b\\c\u000ad""#);
    }
}
