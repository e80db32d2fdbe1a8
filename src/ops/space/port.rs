//! The address that an app says it listens on.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Sentences of servers that name an address: uvicorn, Gradio, Flask, Streamlit, gunicorn, Vite, Next.js, Express.
const SENTENCES: [&str; 2] = [
    r"(?i)(?:running|listening|serving|started|bound|ready|available|local|network|url)\b.*?https?://(?P<host>[\w.-]+|\[[0-9a-f:]*\]):(?P<port>\d{2,5})\b",
    r"(?i)(?:running|listening|serving|started|bound)(?: \w+)? (?:on|at|to)(?: port(?:\(s\))?)?:?\s+(?:(?P<host>[\w.*-]+|\[[0-9a-f:]*\])?:)?(?P<port>\d{2,5})\b",
];

static PATTERNS: LazyLock<Vec<Regex>> =
    LazyLock::new(|| SENTENCES.iter().filter_map(|sentence| Regex::new(sentence).ok()).collect());

/// The reach of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Also the Hub, which comes from outside the container.
    Everywhere,
    /// Only the container itself.
    Container,
    /// `localhost`, which servers print for both.
    Unknown,
}

/// An app that listens where the Hub does not look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrongAddress {
    /// A sentence: ``the app listens on `127.0.0.1:8000` ``.
    pub(super) cause: String,
    pub(super) fix: String,
}

/// Reads the lines of a run log. `wanted` is the port of the Space, if it is known.
pub(super) fn wrong_address<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    wanted: Option<u16>,
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
        seen.iter().filter(|(_, _, port)| wanted.is_none_or(|wanted| wanted == *port)).collect();
    let (first, shown, port) = right.first().copied().or(seen.first())?;
    if let Some(wanted) = wanted.filter(|_| right.is_empty()) {
        let cause =
            format!("the app listens on port {port} (`{shown}`), and the Hub expects it on port {wanted}");
        let fix = match reach(*first) {
            Reach::Container => format!("let the app listen on 0.0.0.0 and port {wanted}"),
            _ => format!(
                "let the app listen on port {wanted}, or set `app_port: {port}` in README.md of a Docker Space"
            ),
        };
        return Some(WrongAddress { cause, fix });
    }
    if right.iter().any(|(seen, _, _)| reach(*seen) != Reach::Container) {
        return None;
    }
    let cause = format!("the app listens on `{shown}`, which only its own container can reach");
    Some(WrongAddress {
        cause,
        fix: format!("let the app listen on 0.0.0.0 and port {}", wanted.unwrap_or(*port)),
    })
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

    fn cause(log: &str, wanted: Option<u16>) -> Option<String> {
        wrong_address(log.lines(), wanted).map(|wrong| wrong.cause)
    }

    #[test]
    fn servers_at_the_right_place_are_left_alone() {
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
    fn another_port_is_named() {
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
    fn an_address_of_the_container_alone_is_named() {
        for log in [
            " * Running on http://127.0.0.1:7860",
            "* Running on local URL:  http://127.0.0.1:7860",
            "  ➜  Local:   http://localhost:7860/\n  ➜  Network: use --host to expose",
            "Listening on http://[::1]:7860",
        ] {
            for wanted in [Some(7860), None] {
                let wrong = wrong_address(log.lines(), wanted).unwrap_or_else(|| panic!("{log}"));
                assert!(wrong.cause.ends_with("which only its own container can reach"), "{wrong:?}");
                assert_eq!(wrong.fix, "let the app listen on 0.0.0.0 and port 7860");
            }
        }
    }
}
