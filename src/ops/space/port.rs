//! The address on which an app listens, from its log. Pure.

use std::fmt;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Sentences of servers that name an address: uvicorn, Gradio, Flask, Streamlit, gunicorn, Vite, Next.js, Express.
const SENTENCES: [&str; 2] = [
    r"(?i)(?:running|listening|serving|started|bound|ready|available|local|network|url)\b.*?https?://(?P<host>[\w.-]+|\[[0-9a-f:]*\]):(?P<port>\d{2,5})\b",
    r"(?i)(?:running|listening|serving|started|bound)(?: \w+)? (?:on|at|to)(?: port(?:\(s\))?)?:?\s+(?:(?P<host>[\w.*-]+|\[[0-9a-f:]*\])?:)?(?P<port>\d{2,5})\b",
];

static PATTERNS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| SENTENCES.iter().filter_map(|sentence| Regex::new(sentence).ok()).collect());

/// Reach of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Reachable from outside the container, and so by the Hub.
    Everywhere,
    /// Reachable inside the container only.
    Container,
    /// `localhost`, which servers print in both cases.
    Unknown,
}

/// An app that listens at another address than the one that the Hub uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongAddress {
    /// It listens on another port than the Hub expects.
    Port {
        port: u16,
        /// The address in the words of the log.
        shown: String,
        expected: u16,
        /// Only the container itself can reach the address.
        is_internal: bool,
    },
    /// Only its own container can reach it.
    Internal { shown: String, port: u16 },
}

impl fmt::Display for WrongAddress {
    /// Writes a sentence without its end: ``the app listens on `127.0.0.1:8000` …``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port, shown, expected, .. } => write!(
                f,
                "the app listens on port {port} (`{shown}`), and the Hub expects it on port {expected}"
            ),
            Self::Internal { shown, .. } => {
                write!(f, "the app listens on `{shown}`, which only its own container can reach")
            }
        }
    }
}

/// Reads the lines of a run log. `expected` is the port of the Space, if it is known.
pub(super) fn wrong_address<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    expected: Option<u16>,
) -> Option<WrongAddress> {
    let mut seen: Vec<(Reach, String, u16)> = Vec::new();
    let (mut is_open, mut is_closed) = (false, false);
    for line in lines {
        is_open |= line.contains("all addresses (0.0.0.0)") || line.contains("all addresses (::)");
        is_closed |= line.contains("use --host to expose");
        seen.extend(PATTERNS.iter().find_map(|pattern| address(&pattern.captures(line)?)));
    }
    let reach = |reach: Reach| match reach {
        _ if is_open => Reach::Everywhere,
        Reach::Unknown if is_closed => Reach::Container,
        reach => reach,
    };
    let right: Vec<_> =
        seen.iter().filter(|(_, _, port)| expected.is_none_or(|expected| expected == *port)).collect();
    let (first, shown, port) = right.first().copied().or(seen.first())?;
    let (shown, port) = (shown.clone(), *port);
    if let Some(expected) = expected.filter(|_| right.is_empty()) {
        let is_internal = reach(*first) == Reach::Container;
        return Some(WrongAddress::Port { port, shown, expected, is_internal });
    }
    let is_internal = right.iter().all(|(seen, _, _)| reach(*seen) == Reach::Container);
    is_internal.then_some(WrongAddress::Internal { shown, port: expected.unwrap_or(port) })
}

/// Reads the host and the port of a match.
fn address(captures: &Captures<'_>) -> Option<(Reach, String, u16)> {
    let port: u16 = captures.name("port")?.as_str().parse().ok()?;
    let host = captures.name("host").map_or("", |host| host.as_str());
    let reach = match host {
        "localhost" => Reach::Unknown,
        "[::1]" => Reach::Container,
        host if host.starts_with("127.") => Reach::Container,
        _ => Reach::Everywhere,
    };
    let shown = if host.is_empty() { format!(":{port}") } else { format!("{host}:{port}") };
    Some((reach, shown, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(log: &str, expected: Option<u16>) -> Option<String> {
        wrong_address(log.lines(), expected).map(|wrong| wrong.to_string())
    }

    #[test]
    fn right_address_is_not_reported() {
        for log in [
            "INFO:     Uvicorn running on http://0.0.0.0:7860 (Press CTRL+C to quit)",
            "* Running on local URL:  http://0.0.0.0:7860",
            " * Running on all addresses (0.0.0.0)\n * Running on http://127.0.0.1:7860\n * Running on http://10.1.2.3:7860",
            "  You can now view your Streamlit app in your browser.\n\n  Local URL: http://localhost:7860\n  Network URL: http://10.1.2.3:7860",
            "   - Local:        http://localhost:7860",
            "[2026-11-20 09:16:40 +0000] [7] [INFO] Listening at: http://0.0.0.0:7860 (7)",
            "Server listening on port 7860",
            "backend running on http://127.0.0.1:8000\nnginx listening on :7860",
            "connecting to http://127.0.0.1:11434",
            "request took 127 ms",
            "",
        ] {
            assert_eq!(cause(log, Some(7860)), None, "{log}");
        }
    }

    #[test]
    fn other_port_is_reported() {
        for (log, port) in [
            (
                "INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
                "port 8000 (`127.0.0.1:8000`)",
            ),
            ("  URL: http://0.0.0.0:8501", "port 8501 (`0.0.0.0:8501`)"),
            ("Server listening on port 3000", "port 3000 (`:3000`)"),
            ("Listening on [::]:8080", "port 8080 (`[::]:8080`)"),
            ("Tomcat started on port 8080 (http) with context path '/'", "port 8080 (`:8080`)"),
        ] {
            let cause = cause(log, Some(7860)).unwrap_or_else(|| panic!("{log}"));
            assert_eq!(cause, format!("the app listens on {port}, and the Hub expects it on port 7860"));
            assert!(!log.contains("0.0.0.0") || super::wrong_address([log], None).is_none(), "{log}");
        }
    }

    #[test]
    fn internal_address_is_reported() {
        for log in [
            " * Running on http://127.0.0.1:7860",
            "* Running on local URL:  http://127.0.0.1:7860",
            "  ➜  Local:   http://localhost:7860/\n  ➜  Network: use --host to expose",
            "Listening on http://[::1]:7860",
        ] {
            for expected in [Some(7860), None] {
                let wrong = wrong_address(log.lines(), expected).unwrap_or_else(|| panic!("{log}"));
                assert!(matches!(wrong, WrongAddress::Internal { port: 7860, .. }), "{wrong:?}");
            }
        }
    }
}
