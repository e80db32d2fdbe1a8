//! When a request is tried again, and after how long.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How patient the client is.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// How often one request is sent at the most.
    pub attempts: u32,
    /// The wait after the first failure, doubled after each further one.
    pub first_delay: Duration,
    /// The longest wait that is chosen here; the Hub may ask for a longer one.
    pub max_delay: Duration,
    /// How much time all waits of a run may take together.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    /// The official client's rhythm (five retries, 1 to 8 seconds), with room for two of the Hub's
    /// five-minute rate-limit windows.
    fn default() -> Self {
        Self {
            attempts: 6,
            first_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(8),
            budget: Duration::from_secs(11 * 60),
        }
    }
}

impl RetryPolicy {
    /// The wait after failure number `failures` (counted from 1), for `jitter` in `0.0..1.0`.
    pub fn delay(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self.first_delay.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.max_delay).mul_f64(1.0 + jitter / 4.0)
    }
}

/// What is left of the time that all waits of a run may take together.
#[derive(Debug)]
pub struct WaitBudget(Mutex<Duration>);

impl WaitBudget {
    pub fn new(total: Duration) -> Self {
        Self(Mutex::new(total))
    }

    /// Takes `wait` out of the budget, or says no and takes nothing.
    pub fn take(&self, wait: Duration) -> bool {
        let mut left = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match left.checked_sub(wait) {
            None => false,
            Some(rest) => {
                *left = rest;
                true
            }
        }
    }
}

/// Whether an answer of this status is worth another try.
pub fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// The wait that the Hub asks for, if it names one.
///
/// `RateLimit: "api";r=0;t=12` counts only on a 429 whose remaining quota is zero, since the header
/// stands on ordinary answers too; one second is added, as the window is counted in whole seconds.
/// Otherwise `Retry-After` counts, in seconds or as a date (RFC 9110, section 10.2.3). A date is taken by the clock
/// of who wrote it, which `Date` tells: `now` counts only where that is missing.
pub fn wait_asked_for(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if status == StatusCode::TOO_MANY_REQUESTS
        && let Some(limit) = headers.get("ratelimit").and_then(|value| parse_rate_limit(value.to_str().ok()?))
        && limit.remaining == 0
    {
        return Some(Duration::from_secs(limit.reset_seconds.saturating_add(1)));
    }
    let date = headers.get(DATE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, date.unwrap_or(now))
}

/// One bucket of the `RateLimit` header (draft-ietf-httpapi-ratelimit-headers-09).
#[derive(Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests left in this window.
    pub remaining: u64,
    /// Seconds until the window ends.
    pub reset_seconds: u64,
}

/// Reads `"api";r=499;t=120`. Several policies may stand in one header: the scarcest one counts.
pub fn parse_rate_limit(header: &str) -> Option<RateLimit> {
    header
        .split(',')
        .filter_map(|policy| {
            let mut remaining = None;
            let mut reset_seconds = None;
            for parameter in policy.split(';') {
                let Some((name, value)) = parameter.split_once('=') else { continue };
                match name.trim() {
                    "r" => remaining = value.trim().parse().ok(),
                    "t" => reset_seconds = value.trim().parse().ok(),
                    _ => {}
                }
            }
            Some(RateLimit { remaining: remaining?, reset_seconds: reset_seconds? })
        })
        .min_by_key(|limit| limit.remaining)
}

fn parse_retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn rate_limit_headers() {
        let limit = |remaining, reset_seconds| Some(RateLimit { remaining, reset_seconds });
        assert_eq!(parse_rate_limit(r#""api";r=499;t=120"#), limit(499, 120));
        assert_eq!(parse_rate_limit(r#""api" ; r = 0 ; t = 2"#), limit(0, 2));
        assert_eq!(parse_rate_limit(r#""api";r=9;t=1, "pages";r=0;t=77"#), limit(0, 77));
        for broken in ["", "api", r#""api";r=;t=1"#, r#""api";t=1"#, r#""api";r=-1;t=1"#, ";;;=,=;"] {
            assert_eq!(parse_rate_limit(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_hub_says_how_long_to_wait() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let wait = |status: u16, pairs: &[(&'static str, &str)]| {
            let status = StatusCode::from_u16(status).unwrap();
            wait_asked_for(status, &headers(pairs), now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(429, &[("ratelimit", r#""api";r=0;t=2"#)]), Some(3));
        assert_eq!(wait(429, &[("ratelimit", r#""api";r=0;t=2"#), ("retry-after", "9")]), Some(3));
        assert_eq!(wait(429, &[("ratelimit", r#""api";r=949;t=271"#)]), None, "not the quota's 429");
        assert_eq!(wait(503, &[("ratelimit", r#""api";r=0;t=271"#)]), None);
        assert_eq!(wait(503, &[("retry-after", "5")]), Some(5));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(42));
        assert_eq!(wait(429, &[("retry-after", &date)]), Some(42));
        assert_eq!(wait(429, &[("retry-after", "soon")]), None);
        let theirs = now + Duration::from_secs(400 * 24 * 3600);
        let (theirs, later) =
            (httpdate::fmt_http_date(theirs), httpdate::fmt_http_date(theirs + Duration::from_secs(7)));
        assert_eq!(
            wait(429, &[("retry-after", &later), ("date", &theirs)]),
            Some(7),
            "a clock that is wrong"
        );
    }

    #[test]
    fn delays_double_up_to_the_limit() {
        let policy = RetryPolicy::default();
        let seconds: Vec<u64> = (1..=6).map(|failures| policy.delay(failures, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 8, 8]);
        assert!(policy.delay(1, 0.999) < Duration::from_millis(1250));
    }

    #[test]
    fn the_budget_is_spent_once() {
        let budget = WaitBudget::new(Duration::from_secs(10));
        assert!(budget.take(Duration::from_secs(6)));
        assert!(!budget.take(Duration::from_secs(6)));
        assert!(budget.take(Duration::from_secs(4)));
    }
}
