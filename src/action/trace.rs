//! Debug lines: requests, phases and other events of `tracing`, written to the log.
//!
//! `RUNNER_DEBUG=1` (a job that runs again with debug logging) writes them as debug lines of the runner. The variable
//! `HF_DEPLOY_LOG` chooses the level, for all targets or for some, and writes them elsewhere too.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{Log, Mode};
use crate::text::plain;

/// Targets whose events may be shown. Those of libraries are not among them, because they may contain addresses that
/// carry a permission.
const TARGETS: [&str; 4] = ["hub", "app_check", "github", "phase"];

/// Levels of the targets, in their order.
type Levels = [LevelFilter; TARGETS.len()];

/// Writes events to the log from now on, if the environment asks for it.
///
/// An invalid `HF_DEPLOY_LOG` is a warning.
pub fn install(vars: &[(String, String)], log: &Log) {
    let var = |name: &str| vars.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let is_runner_debug = var("RUNNER_DEBUG") == Some("1");
    let default = if is_runner_debug { "debug" } else { "off" };
    let filter = var("HF_DEPLOY_LOG").map(str::trim).filter(|text| !text.is_empty()).unwrap_or(default);
    match levels(filter) {
        Ok(levels) if levels.iter().all(|level| *level == LevelFilter::OFF) => {}
        Ok(levels) => {
            // Without a runner nothing shows lines of step debug logging.
            let is_runner_debug = is_runner_debug && log.mode() == Mode::GitHub;
            let subscriber = DebugLines { log: log.clone(), levels, is_runner_debug };
            // An error means that the process has a subscriber already, which then stays.
            let _ = tracing::subscriber::set_global_default(subscriber);
        }
        Err(part) => log.warning(&format!(
            "ignored `HF_DEPLOY_LOG`: `{}` must be `off`, `error`, `warn`, `info`, `debug` or `trace`, or one of `{}`, with or without such a level after `=`",
            plain(part),
            TARGETS.join("`, `")
        )),
    }
}

/// Reads a filter: a level for all targets, or a list such as `hub,github=trace`, in which a target alone is at
/// `debug`. Returns the part that is invalid, if there is one.
fn levels(filter: &str) -> Result<Levels, &str> {
    let mut levels = [LevelFilter::OFF; TARGETS.len()];
    for part in filter.split(',').map(str::trim) {
        let (target, level) = match part.split_once('=') {
            Some((target, level)) => (Some(target), level),
            None if TARGETS.contains(&part) => (Some(part), "debug"),
            None => (None, part),
        };
        let is_word = !level.is_empty() && level.parse::<u8>().is_err();
        let is_known = target.is_none_or(|target| TARGETS.contains(&target));
        let level = level.parse().ok().filter(|_| is_word && is_known).ok_or(part)?;
        for (name, own) in TARGETS.iter().zip(&mut levels) {
            if target.is_none_or(|target| target == *name) {
                *own = level;
            }
        }
    }
    Ok(levels)
}

/// Subscriber that writes each event as one line. Spans have no lines.
struct DebugLines {
    log: Log,
    levels: Levels,
    is_runner_debug: bool,
}

impl Subscriber for DebugLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = TARGETS.iter().position(|target| *target == metadata.target());
        metadata.is_event() && target.is_some_and(|target| *metadata.level() <= self.levels[target])
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.levels.iter().max().copied()
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
        const OFF: LevelFilter = LevelFilter::OFF;
        const DEBUG: LevelFilter = LevelFilter::DEBUG;
        assert_eq!(levels("debug"), Ok([DEBUG; 4]));
        assert_eq!(levels("hub=trace"), Ok([LevelFilter::TRACE, OFF, OFF, OFF]));
        assert_eq!(levels("app_check, github"), Ok([OFF, DEBUG, DEBUG, OFF]));
        assert_eq!(levels("debug,phase=off"), Ok([DEBUG, DEBUG, DEBUG, OFF]));
        assert_eq!(levels("off"), Ok([OFF; 4]));
        for filter in ["loud", "3", "hub=loud", "hub=3", "hub=", "h2=debug", "h2", ""] {
            assert_eq!(levels(filter), Err(filter));
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
        let subscriber = DebugLines { log, levels: [LevelFilter::DEBUG; 4], is_runner_debug: false };
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "hub", path = "/a\n::error::b", token = "hf_TheSecretToken", "request");
            tracing::trace!(target: "hub", "below the level");
            tracing::error!(target: "elsewhere", "of another target");
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "hub: request path=/a\\n::error::b token=***\n");
    }
}
