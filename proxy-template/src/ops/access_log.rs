//! The log: one line for each request, written at its end, without query, headers, body and secrets.

use std::io::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, Method, Uri};
use serde::Serializer as _;
use serde_json::ser::Formatter;

use crate::config::LogFormat;
use crate::ops::metrics::{Metrics, add};
use crate::policy::jobs::Job;
use crate::policy::limits::{InFlight, StreamPermit};
use crate::sync::lock;

/// Limit of the lines that wait for a slow reader of the log. More are dropped and counted, because the log must not delay
/// requests.
const MAX_WAITING: usize = 4096;
/// Limit of the bytes that are written together.
const BATCH_BYTES: usize = 64 * 1024;
/// Time for which the end of the process waits for a reader of the log.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// Time between two checks for the end of the writer.
const FLUSH_INTERVAL: Duration = Duration::from_millis(2);

/// Log whose lines are written in a thread of its own.
#[derive(Debug)]
pub struct Logger {
    format: LogFormat,
    sender: SyncSender<Vec<u8>>,
    metrics: Arc<Metrics>,
    /// True once the writer ends after the lines that are there.
    stopping: Arc<AtomicBool>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Logger {
    /// Starts the thread that writes to `sink`. Lines that were dropped are counted in `metrics`.
    pub fn start(format: LogFormat, sink: impl Write + Send + 'static, metrics: Arc<Metrics>) -> Self {
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let stopping = Arc::<AtomicBool>::default();
        let stop = stopping.clone();
        let writer = std::thread::spawn(move || write_all(&receiver, &stop, sink));
        Self { format, sender, metrics, stopping, writer: Mutex::new(Some(writer)) }
    }

    /// Logs an event other than a request. The text must not hold a secret.
    pub fn event(&self, level: &str, text: &str) {
        let mut line = Vec::with_capacity(text.len() + 64);
        match self.format {
            LogFormat::Json => {
                let _ = write!(line, r#"{{"time":"{}","level":"{level}","event":"#, now());
                push_json(&mut line, text);
                line.extend_from_slice(b"}\n");
            }
            _ => {
                let _ = writeln!(line, "{} {level}: {}", now(), text.escape_debug());
            }
        }
        self.send(line);
    }

    fn send(&self, line: Vec<u8>) {
        if self.sender.try_send(line).is_err() {
            add(&self.metrics.lost_lines, 1);
        }
    }

    /// Waits until all lines so far are written, with a time limit, because a reader that has stopped must not keep the
    /// process from its end.
    pub fn flush(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        // The empty line wakes the writer. Without room for it, the writer is awake anyway.
        let _ = self.sender.try_send(Vec::new());
        let until = Instant::now() + FLUSH_TIMEOUT;
        if let Some(writer) = lock(&self.writer).take() {
            while !writer.is_finished() && Instant::now() < until {
                std::thread::sleep(FLUSH_INTERVAL);
            }
        }
    }
}

/// Writes lines as they arrive, until `stopping` is set and none is left.
fn write_all(lines: &Receiver<Vec<u8>>, stopping: &AtomicBool, mut sink: impl Write) {
    loop {
        let first = if stopping.load(Ordering::SeqCst) { lines.try_recv().ok() } else { lines.recv().ok() };
        let Some(mut batch) = first else { return };
        while batch.len() < BATCH_BYTES {
            match lines.try_recv() {
                Ok(line) => batch.extend_from_slice(&line),
                Err(_) => break,
            }
        }
        // Ignored, because the proxy works without a log.
        let _ = sink.write_all(&batch).and_then(|()| sink.flush());
    }
}

/// Record of one request. Its drop writes the log line and frees the permits, however the request ends.
#[derive(Debug)]
pub(crate) struct Record {
    /// The log.
    pub logger: Arc<Logger>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Time at which the head was read.
    pub start: Instant,
    /// The method.
    pub method: Method,
    /// The target. Only its path is logged.
    pub uri: Uri,
    /// Address of the caller.
    pub client: IpAddr,
    /// Id of the request.
    pub id: HeaderValue,
    /// Status of the answer; 0 if the caller left before it.
    pub status: u16,
    /// Code of a refusal; empty for an answer of the app.
    pub code: &'static str,
    /// Number of attempts to send the request to the target.
    pub tries: u32,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// True if the answer is incomplete.
    pub cut: bool,
    /// Permit among all requests.
    pub in_flight: Option<InFlight>,
    /// Permit among the streams of its caller.
    pub stream: Option<StreamPermit>,
    /// The computation that it has begun, unless that outlives the answer.
    pub job: Option<Job>,
}

impl Record {
    fn line(&self) -> Vec<u8> {
        let millis = self.start.elapsed().as_secs_f64() * 1000.0;
        let (method, path) = (self.method.as_str(), self.uri.path());
        let id = self.id.to_str().unwrap_or_default();
        let mut line = Vec::with_capacity(path.len() + 224);
        // Writing to memory cannot fail.
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
        line.push(b'\n');
        line
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.metrics.count_request(self.status, self.bytes, self.start.elapsed());
        if self.logger.format != LogFormat::Off {
            self.logger.send(self.line());
        }
    }
}

/// Appends a JSON string.
fn push_json(out: &mut Vec<u8>, text: &str) {
    let mut serializer = serde_json::Serializer::with_formatter(out, EscapedControls);
    // Writing to memory cannot fail.
    let _ = serializer.serialize_str(text);
}

/// Compact JSON that also escapes the control characters above ASCII, because logs are read in terminals.
struct EscapedControls;

impl Formatter for EscapedControls {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        writer: &mut W,
        mut fragment: &str,
    ) -> std::io::Result<()> {
        while let Some((at, control)) = fragment.char_indices().find(|(_, c)| c.is_control()) {
            write!(writer, "{}\\u{:04x}", &fragment[..at], u32::from(control))?;
            fragment = &fragment[at + control.len_utf8()..];
        }
        writer.write_all(fragment.as_bytes())
    }
}

/// Returns the time in RFC 3339, with milliseconds.
fn now() -> String {
    rfc3339(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis())
}

/// Formats milliseconds since 1970, by Howard Hinnant's "chrono-compatible low-level date algorithms".
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
    fn times_are_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(rfc3339(1_767_225_599_999), "2025-12-31T23:59:59.999Z");
    }

    /// Reader of the log that has stopped reading.
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
    fn a_stuck_reader_does_not_block_the_end() {
        let (reader, stuck) = std::sync::mpsc::channel();
        let metrics = Arc::<Metrics>::default();
        let logger = Logger::start(LogFormat::Text, Stuck(stuck), metrics.clone());
        for _ in 0..3 * MAX_WAITING {
            logger.event("info", "x");
        }
        let start = Instant::now();
        logger.flush();
        assert!(start.elapsed() < 4 * FLUSH_TIMEOUT, "{:?}", start.elapsed());
        let lost = metrics.lost_lines.load(Ordering::Relaxed);
        assert!((MAX_WAITING as u64..2 * MAX_WAITING as u64).contains(&lost), "{lost}");
        drop(reader);
    }

    #[test]
    fn json_strings_have_no_control_characters() {
        let mut out = vec![];
        push_json(&mut out, "a\"b\\c\nd\u{1b}\u{7f}é\u{9b}\u{2028}f");
        assert_eq!(out, "\"a\\\"b\\\\c\\nd\\u001b\\u007fé\\u009b\u{2028}f\"".as_bytes());
    }
}
