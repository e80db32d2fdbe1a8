//! Times, and the question that a number without a unit raises.

use std::time::Duration;

use super::faults::Findings;
use super::raw::given;
use super::{parse, value};

/// Seconds from which a plain number is taken for milliseconds.
const LOOKS_LIKE_MILLISECONDS: u64 = 10_000;
/// Seconds up to which a plain number is taken for minutes.
const LOOKS_LIKE_MINUTES: u64 = 120;

/// Reads a time, and questions one without a unit.
pub(super) fn read(input: &str, text: Option<&str>, findings: &mut Findings) -> Option<Option<Duration>> {
    let time = value(input, text, parse::duration, findings)?;
    question(input, text, findings);
    Some(time)
}

/// Warns of a number without a unit: it is read as seconds, and other tools take minutes or milliseconds.
pub(super) fn question(input: &str, text: Option<&str>, findings: &mut Findings) {
    let Some(text) = given(text) else { return };
    let Ok(seconds) = text.parse::<u64>() else { return };
    let other = if seconds >= LOOKS_LIKE_MILLISECONDS && seconds % 1000 == 0 {
        format!(", or `{}s` if milliseconds are meant", seconds / 1000)
    } else if seconds <= LOOKS_LIKE_MINUTES {
        format!(", or `{seconds}m` if minutes are meant")
    } else {
        String::new()
    };
    findings.warn(format!("`{input}` is read as {seconds} seconds: write `{seconds}s`{other}"));
}

#[cfg(test)]
mod tests {
    use crate::commands::deploy::inputs::tests::read;

    #[test]
    fn a_number_without_a_unit_is_questioned() {
        for (input, text, warning) in [
            (
                "timeout",
                "600000",
                "`timeout` is read as 600000 seconds: write `600000s`, or `600s` if milliseconds are meant",
            ),
            ("timeout", "30", "`timeout` is read as 30 seconds: write `30s`, or `30m` if minutes are meant"),
            ("sleep_time", "3600", "`sleep_time` is read as 3600 seconds: write `3600s`"),
            (
                "max_latency",
                "20",
                "`max_latency` is read as 20 seconds: write `20s`, or `20m` if minutes are meant",
            ),
        ] {
            assert_eq!(read(&[(input, text)]).1, [warning]);
        }
        assert!(read(&[("timeout", "90s"), ("sleep_time", "never")]).1.is_empty());
    }
}
