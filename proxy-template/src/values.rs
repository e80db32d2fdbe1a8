//! Forms of the values of variables: durations, sizes, rates, counts, booleans, lists.

use std::time::Duration;

use crate::units;

/// Requests per time, with a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests that are added each second.
    pub per_second: f64,
    /// Requests that may come at once.
    pub burst: f64,
}

/// Longest duration. No connection lives longer than a day.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Parses a duration of at most a day.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match units::parse_duration(text) {
        Ok(duration) if duration <= MAX_DURATION => Ok(duration),
        Ok(_) => Err(invalid("at most `24h`", text)),
        Err(error) => Err(invalid(error.form(), text)),
    }
}

/// Parses a size in bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    units::parse_size(text).map_err(|error| invalid(error.form(), text))
}

/// Parses a count, 0 included.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| invalid("a whole number", text))
}

/// Parses `true` or `false`.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid("`true` or `false`", text)),
    }
}

/// Parses a rate: `20/s:200` is twenty a second with a burst of two hundred. The unit is `s`, `m` or `h`; the default burst
/// is the number per unit. `off` and `0` are no limit.
pub(crate) fn rate(text: &str) -> Result<Option<Rate>, String> {
    if matches!(text, "off" | "0") {
        return Ok(None);
    }
    let fault = || invalid("a rate such as `20/s:200` or `60/m`, or `off`", text);
    let (flow, burst) = text.split_once(':').map_or((text, None), |(flow, burst)| (flow, Some(burst)));
    let (number, unit) = flow.split_once('/').unwrap_or((flow, "s"));
    let number: u32 = number.trim().parse().map_err(|_| fault())?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(fault()),
    };
    let burst: u32 = burst.map_or(Ok(number), |burst| burst.trim().parse()).map_err(|_| fault())?;
    if number == 0 || burst == 0 {
        return Err(fault());
    }
    Ok(Some(Rate { per_second: f64::from(number) / seconds, burst: f64::from(burst) }))
}

/// Splits a list at commas and line ends, and drops empty entries.
pub(crate) fn list(text: &str) -> Vec<&str> {
    text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

fn invalid(wanted: &str, text: &str) -> String {
    format!("must be {wanted}: `{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_at_most_a_day() {
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("25h").unwrap_err(), "must be at most `24h`: `25h`");
        assert_eq!(duration("soon").unwrap_err(), "must be a time like `90s`, `10m` or `2h`: `soon`");
        assert_eq!(size("lots").unwrap_err(), "must be a size like `100MB` or `512kB`: `lots`");
    }

    #[test]
    fn rates_are_parsed() {
        assert_eq!(rate("off"), Ok(None));
        assert_eq!(rate("20/s:200"), Ok(Some(Rate { per_second: 20.0, burst: 200.0 })));
        assert_eq!(rate("60/m"), Ok(Some(Rate { per_second: 1.0, burst: 60.0 })));
        assert_eq!(rate("5"), Ok(Some(Rate { per_second: 5.0, burst: 5.0 })));
        for wrong in ["", "x", "1/d", "1/s:0", "0/s", "1/s:x"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
