//! Debug lines: requests and other events of `tracing`, written to the log.
//!
//! `RUNNER_DEBUG=1` (a job that runs again with debug logging) writes them as debug lines of the runner. The variable
//! `HF_DEPLOY_LOG` chooses the level, and writes them elsewhere too.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::Log;
use crate::text::plain;

/// Targets whose events may be shown. Those of libraries are not among them, because they may contain addresses that
/// carry a permission.
const TARGETS: [&str; 1] = ["hub"];

/// Writes events to the log from now on, if the environment asks for it.
///
/// An invalid `HF_DEPLOY_LOG` is a warning.
pub fn install(vars: &[(String, String)], log: &Log) {
    let var = |name: &str| vars.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let is_runner_debug = var("RUNNER_DEBUG") == Some("1");
    let default = if is_runner_debug { "debug" } else { "off" };
    let filter = var("HF_DEPLOY_LOG").map(str::trim).filter(|text| !text.is_empty()).unwrap_or(default);
    match max_level(filter) {
        Ok(LevelFilter::OFF) => {}
        Ok(max_level) => {
            let subscriber = DebugLines { log: log.clone(), max_level, is_runner_debug };
            // An error means that the process has a subscriber already, which then stays.
            let _ = tracing::subscriber::set_global_default(subscriber);
        }
        Err(part) => log.warning(&format!(
            "ignored `HF_DEPLOY_LOG`: `{}` must be `off`, `error`, `warn`, `info`, `debug` or `trace`, or one of them after `hub=`",
            plain(part)
        )),
    }
}

/// Reads a filter: a level, or a list such as `hub=debug`. Returns the part that is invalid, if there is one.
fn max_level(filter: &str) -> Result<LevelFilter, &str> {
    let mut max_level = LevelFilter::OFF;
    for part in filter.split(',').map(str::trim) {
        let (target, level) = part.split_once('=').unwrap_or((TARGETS[0], part));
        let is_level = level.parse::<u8>().is_err();
        let level = level.parse().ok().filter(|_| is_level && TARGETS.contains(&target));
        max_level = level.ok_or(part)?;
    }
    Ok(max_level)
}

/// Subscriber that writes each event as one line. Spans have no lines.
struct DebugLines {
    log: Log,
    max_level: LevelFilter,
    is_runner_debug: bool,
}

impl Subscriber for DebugLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.max_level && metadata.is_event() && TARGETS.contains(&metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = format!("{}: {}{}", event.metadata().target(), fields.message, fields.others);
        let line = plain(&line);
        if self.is_runner_debug { self.log.debug(&line) } else { self.log.info(&line) }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Message of an event, and its other fields as ` name=value`.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.others, " {}={value:?}", field.name())
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use hub::Secret;

    use super::*;
    use crate::action::Mode;

    #[test]
    fn a_filter_is_a_level_or_a_list_of_targets() {
        assert_eq!(max_level("debug"), Ok(LevelFilter::DEBUG));
        assert_eq!(max_level("hub=trace"), Ok(LevelFilter::TRACE));
        assert_eq!(max_level("off"), Ok(LevelFilter::OFF));
        for filter in ["loud", "3", "hub=loud", "h2=debug", ""] {
            assert_eq!(max_level(filter), Err(filter));
        }
    }

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_without_secrets() {
        let captured = Captured::default();
        let log = Log::new(Mode::Plain, Box::new(captured.clone()));
        log.mask(&Secret::new("hf_TheSecretToken"));
        let subscriber = DebugLines { log, max_level: LevelFilter::DEBUG, is_runner_debug: false };
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "hub", path = "/a\n::error::b", token = "hf_TheSecretToken", "request");
            tracing::trace!(target: "hub", "below the level");
            tracing::error!(target: "elsewhere", "of another target");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "hub: request path=/a\\n::error::b token=***\n");
    }
}
