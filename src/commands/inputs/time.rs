//! Times, and numbers without a unit.

use std::time::Duration;

use super::declaration::Input;
use super::diagnostics::Diagnostics;
use super::parse;
use super::values::{Field, Values};

/// Seconds from which a plain number is taken for milliseconds.
const LOOKS_LIKE_MILLISECONDS: u64 = 10_000;
/// Seconds up to which a plain number is taken for minutes.
const LOOKS_LIKE_MINUTES: u64 = 120;

/// Reads a time, and warns if it has no unit.
pub(crate) fn read(values: &Values, input: &Input, diagnostics: &mut Diagnostics) -> Field<Duration> {
    let time = values.field(input, parse::duration, diagnostics);
    if time != Field::Invalid {
        warn_without_unit(values, input, diagnostics);
    }
    time
}

/// Reads a time that has a default, and warns if it has no unit.
pub(crate) fn read_or_default(values: &Values, input: &Input, diagnostics: &mut Diagnostics) -> Duration {
    read(values, input, diagnostics).or(parse::default(input, parse::duration))
}

/// Warns of a number without a unit, because it is read as seconds, and other tools read minutes or milliseconds.
pub(crate) fn warn_without_unit(values: &Values, input: &Input, diagnostics: &mut Diagnostics) {
    let Some(Ok(seconds)) = values.given(input).map(str::parse::<u64>) else { return };
    let other = if seconds >= LOOKS_LIKE_MILLISECONDS && seconds % 1000 == 0 {
        format!(", or `{}s` if milliseconds are meant", seconds / 1000)
    } else if seconds <= LOOKS_LIKE_MINUTES {
        format!(", or `{seconds}m` if minutes are meant")
    } else {
        String::new()
    };
    let name = values.quoted(input);
    diagnostics.warn(format!("{name} is read as {seconds} seconds: write `{seconds}s`{other}"));
}
