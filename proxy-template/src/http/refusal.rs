//! Refusals of the proxy: the only table of its error codes, with their status.

use std::time::Duration;

/// A refusal. Its text is for people and does not name the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Stable name, in snake_case: the `code` of the JSON body.
    pub code: &'static str,
    /// Description for people.
    pub message: &'static str,
    /// True if the connection ends with this answer, because its next bytes cannot be trusted.
    pub close: bool,
    /// Seconds until another attempt makes sense.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// Sets the time until another attempt, rounded up to whole seconds.
    pub const fn retry_in(mut self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + if wait.subsec_nanos() > 0 { 1 } else { 0 };
        self.retry_after = Some(if seconds == 0 { 1 } else { seconds });
        self
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $close:literal $retry:expr, $message:literal;)*) => {
        $($(#[$doc])* pub const $name: Refusal = Refusal {
            status: $status, code: $code, message: $message, close: $close, retry_after: $retry,
        };)*
        /// All refusals, in the order of the table.
        pub const ALL: &[Refusal] = &[$($name,)*];
    };
}

refusals! {
    /// `Host` is missing, invalid, or there more than once.
    BAD_HOST = 400 "bad_host" true None, "The request needs exactly one valid Host header.";
    /// The request line names another authority than `Host`, or no path.
    BAD_TARGET = 400 "bad_target" true None, "The request target must be a path, without control or non-ASCII bytes.";
    /// The request does not have exactly one valid length.
    BAD_FRAMING = 400 "bad_framing" true None, "The request must state the length of its body in exactly one valid way.";
    /// The body does not follow its own framing.
    BAD_BODY = 400 "bad_body" true None, "The body of the request is malformed.";
    /// The WebSocket handshake is invalid.
    BAD_UPGRADE = 400 "bad_upgrade" true None, "A WebSocket handshake is a GET without a body.";
    /// The caller did not present the key.
    KEY_REQUIRED = 401 "key_required" false None, "This address needs a key, in the header X-Proxy-Key or as Bearer token.";
    /// The page is not among those allowed.
    ORIGIN_REFUSED = 403 "origin_refused" false None, "This page may not call the app. The owner of the app can allow it.";
    /// The path is not among those allowed.
    PATH_REFUSED = 403 "path_refused" false None, "This address is not open here. The owner of the app can open it.";
    /// The path below `/_proxy/` does not exist, or is not enabled.
    NO_SUCH_PAGE = 404 "not_found" false None, "There is no such page.";
    /// The method is not among those allowed.
    METHOD_REFUSED = 405 "method_refused" false None, "This method is not allowed here.";
    /// The caller sent nothing in the middle of the body.
    BODY_TIMEOUT = 408 "body_timeout" true None, "The body of the request did not arrive in time.";
    /// The body is longer than allowed.
    BODY_TOO_LARGE = 413 "body_too_large" true None, "The body of the request is larger than allowed.";
    /// The request line is too long.
    TARGET_TOO_LONG = 414 "target_too_long" true None, "The request target is too long.";
    /// The expectation is not `100-continue`.
    BAD_EXPECTATION = 417 "bad_expectation" true None, "Only the expectation 100-continue can be met.";
    /// The host is not served here.
    WRONG_HOST = 421 "wrong_host" false None, "This host is not served here.";
    /// This caller sends too many requests.
    RATE_LIMITED = 429 "rate_limited" false Some(1), "Too many requests from your address. Try again in a moment.";
    /// This caller has too many open streams.
    TOO_MANY_STREAMS = 429 "too_many_streams" false Some(5), "Too many open streams. Close some, or try again later.";
    /// This caller has too many computations running.
    TOO_MANY_COMPUTATIONS = 429 "too_many_computations" false Some(5), "Too many of your calls are running or waiting in this app. Let some of them end, then try again.";
    /// The platform asks to slow down.
    UPSTREAM_BUSY = 429 "upstream_busy" false Some(5), "The app receives too many requests. Try again later.";
    /// The headers are too large.
    HEADERS_TOO_LARGE = 431 "headers_too_large" true None, "The headers of the request are too large.";
    /// The app does not accept the proxy's credential.
    UPSTREAM_AUTH = 502 "upstream_auth" false None, "The app does not accept the credential of this proxy. Its owner needs to renew it.";
    /// The app cannot be reached.
    UPSTREAM_UNREACHABLE = 502 "upstream_unreachable" false None, "The app cannot be reached.";
    /// The app's connection ended before its answer.
    UPSTREAM_CLOSED = 502 "upstream_closed" false None, "The app ended the connection before it answered.";
    /// The app's answer is not valid HTTP, or does not fit the request.
    UPSTREAM_INVALID = 502 "upstream_invalid" false None, "The app sent an answer that cannot be passed on.";
    /// The answer holds a credential.
    UPSTREAM_LEAK = 502 "upstream_leak" false None, "The answer of the app cannot be passed on, since it holds a credential.";
    /// The app is broken and stays so until its owner acts.
    UPSTREAM_IN_ERROR = 503 "upstream_in_error" false Some(60), "The app is in error. Its owner needs to look at it.";
    /// The app sleeps or starts.
    UPSTREAM_STARTING = 503 "upstream_starting" false Some(5), "The app is starting. Try again in a few seconds.";
    /// The proxy drains before its end.
    DRAINING = 503 "draining" true Some(5), "This proxy is restarting. Try again in a few seconds.";
    /// There are too many requests at once.
    OVERLOADED = 503 "overloaded" false Some(1), "Too many requests at once. Try again later.";
    /// The connection to the app was not made in time.
    CONNECT_TIMEOUT = 504 "upstream_connect_timeout" false None, "The app could not be connected to in time.";
    /// The app did not begin to answer in time.
    UPSTREAM_TIMEOUT = 504 "upstream_timeout" false None, "The app did not answer in time.";
    /// The request has passed this proxy before.
    LOOP = 508 "loop" true None, "The request came back to this proxy.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        for (at, one) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.code != one.code), "{}", one.code);
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(RATE_LIMITED.retry_in(Duration::from_millis(1100)).retry_after, Some(2));
        assert_eq!(RATE_LIMITED.retry_in(Duration::ZERO).retry_after, Some(1));
    }
}
