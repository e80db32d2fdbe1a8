//! Counters of `/_proxy/metrics`, in the text format of Prometheus. No label comes from a caller.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::http::refusal::{self, Refusal};
use crate::upstream::connect::ConnectCounts;

/// Upper bounds of the duration buckets, in milliseconds.
const BUCKETS: [u64; 9] = [5, 25, 100, 250, 1_000, 5_000, 30_000, 120_000, 600_000];

/// All counters of requests.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests by the first digit of the status; 0 is a caller who left before the answer.
    statuses: [AtomicU64; 6],
    /// Refusals in the order of their table.
    refusals: [AtomicU64; REFUSALS],
    bytes: AtomicU64,
    durations: [AtomicU64; BUCKETS.len() + 1],
    duration_micros: AtomicU64,
    /// WebSockets that were opened.
    pub tunnels: AtomicU64,
    /// Requests that were sent again, because an idle connection had ended.
    pub retries: AtomicU64,
    /// Requests that waited for an app that slept.
    pub held: AtomicU64,
    /// Log lines that were dropped, because too many waited.
    pub lost_lines: AtomicU64,
}

const REFUSALS: usize = refusal::ALL.len();

impl Metrics {
    /// Counts a request that has ended.
    pub fn count_request(&self, status: u16, bytes: u64, took: Duration) {
        add(&self.statuses[usize::from(status / 100).min(5)], 1);
        add(&self.bytes, bytes);
        let bucket = BUCKETS.iter().position(|bound| took.as_millis() <= u128::from(*bound));
        add(&self.durations[bucket.unwrap_or(BUCKETS.len())], 1);
        add(&self.duration_micros, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a refusal.
    pub fn count_refusal(&self, refusal: &Refusal) {
        if let Some(at) = refusal::ALL.iter().position(|other| other.code == refusal.code) {
            add(&self.refusals[at], 1);
        }
    }

    /// Renders all counters.
    pub fn render(&self, in_flight: usize, connects: &ConnectCounts) -> String {
        let mut out = String::with_capacity(4096);
        head(&mut out, "requests_total", "counter", "Requests by class of status.");
        for (class, count) in self.statuses.iter().enumerate() {
            let class = if class == 0 { "none".to_owned() } else { format!("{class}xx") };
            line(&mut out, "requests_total", &format!("{{status=\"{class}\"}}"), read(count));
        }
        head(&mut out, "refusals_total", "counter", "Answers of the proxy's own by code.");
        for (refusal, count) in refusal::ALL.iter().zip(&self.refusals) {
            line(&mut out, "refusals_total", &format!("{{code=\"{}\"}}", refusal.code), read(count));
        }
        for (name, help, count) in [
            ("response_bytes_total", "Bytes of answers.", read(&self.bytes)),
            ("tunnels_total", "WebSockets that were opened.", read(&self.tunnels)),
            ("retries_total", "Requests that were sent again.", read(&self.retries)),
            ("held_total", "Requests that waited for the app to start.", read(&self.held)),
            ("upstream_connects_total", "Connections that were made to the app.", read(&connects.connected)),
            ("upstream_connect_failures_total", "Connections that were not.", read(&connects.failed)),
            ("log_lines_lost_total", "Lines for which the log had no room.", read(&self.lost_lines)),
        ] {
            head(&mut out, name, "counter", help);
            line(&mut out, name, "", count);
        }
        head(&mut out, "in_flight", "gauge", "Requests that run now.");
        line(&mut out, "in_flight", "", in_flight as u64);
        self.render_durations(&mut out);
        out
    }

    fn render_durations(&self, out: &mut String) {
        head(out, "request_duration_seconds", "histogram", "Time from head to the end of the answer.");
        let mut sum = 0;
        for (at, count) in self.durations.iter().enumerate() {
            sum += read(count);
            #[expect(clippy::cast_precision_loss, reason = "the bounds are small")]
            let bound =
                BUCKETS.get(at).map_or("+Inf".to_owned(), |bound| format!("{}", *bound as f64 / 1000.0));
            line(out, "request_duration_seconds_bucket", &format!("{{le=\"{bound}\"}}"), sum);
        }
        let micros = read(&self.duration_micros);
        let _ = writeln!(
            out,
            "hf_proxy_request_duration_seconds_sum {}.{:06}",
            micros / 1_000_000,
            micros % 1_000_000
        );
        line(out, "request_duration_seconds_count", "", sum);
    }
}

/// Adds to a counter.
pub(crate) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP hf_proxy_{name} {help}\n# TYPE hf_proxy_{name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(out, "hf_proxy_{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_rendered() {
        let metrics = Metrics::default();
        metrics.count_request(200, 10, Duration::from_millis(20));
        metrics.count_request(0, 0, Duration::from_secs(7200));
        metrics.count_refusal(&refusal::RATE_LIMITED);
        let connects = ConnectCounts::default();
        add(&connects.connected, 4);
        let text = metrics.render(3, &connects);
        for wanted in [
            "hf_proxy_requests_total{status=\"2xx\"} 1",
            "hf_proxy_requests_total{status=\"none\"} 1",
            "hf_proxy_refusals_total{code=\"rate_limited\"} 1",
            "hf_proxy_request_duration_seconds_bucket{le=\"0.025\"} 1",
            "hf_proxy_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "hf_proxy_in_flight 3",
            "hf_proxy_upstream_connects_total 4",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }
}
