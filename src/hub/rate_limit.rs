//! Waits that the Hub asks for in its headers.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Returns the wait that the Hub asks for, if it names one.
///
/// `RateLimit: "api";r=0;t=12` counts only on a 429 whose remaining quota is zero, because the header is on ordinary
/// answers too. One second is added, because the window is counted in whole seconds. Otherwise `Retry-After` counts, in
/// seconds or as a date (RFC 9110, section 10.2.3). A date is compared with the answer's own `Date`, because the clocks
/// may differ; without one, with `now`.
pub(crate) fn wait_asked_for(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if status == StatusCode::TOO_MANY_REQUESTS
        && let Some(limit) = headers.get("ratelimit").and_then(|value| parse_rate_limit(value.to_str().ok()?))
        && limit.remaining == 0
    {
        return Some(Duration::from_secs(limit.reset_seconds.saturating_add(1)));
    }
    let date = headers.get(DATE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, date.unwrap_or(now))
}

/// One policy of the `RateLimit` header (draft-ietf-httpapi-ratelimit-headers-09).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Requests left in this window.
    pub remaining: u64,
    /// Seconds until the window ends.
    pub reset_seconds: u64,
}

/// Parses `"api";r=499;t=120`. Of several policies, returns the one with the fewest requests left.
pub(crate) fn parse_rate_limit(header: &str) -> Option<RateLimit> {
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
    fn the_scarcest_rate_limit_counts() {
        let limit = |remaining, reset_seconds| Some(RateLimit { remaining, reset_seconds });
        assert_eq!(parse_rate_limit(r#""api";r=499;t=120"#), limit(499, 120));
        assert_eq!(parse_rate_limit(r#""api" ; r = 0 ; t = 2"#), limit(0, 2));
        assert_eq!(parse_rate_limit(r#""api";r=9;t=1, "pages";r=0;t=77"#), limit(0, 77));
        for broken in ["", "api", r#""api";r=;t=1"#, r#""api";t=1"#, r#""api";r=-1;t=1"#, ";;;=,=;"] {
            assert_eq!(parse_rate_limit(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_wait_comes_from_the_headers() {
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
        assert_eq!(wait(429, &[("retry-after", &later), ("date", &theirs)]), Some(7), "the clocks differ");
    }
}
