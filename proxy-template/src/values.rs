//! Forms of the values of variables: durations, sizes, rates, counts, booleans, lists.

use std::time::Duration;

/// Requests per time, with a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests that are added each second.
    pub per_second: f64,
    /// Requests that may come at once.
    pub burst: f64,
}

/// Parses a duration: `15` and `15s` are seconds; `500ms`, `2m` and `1h` work too.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let number: u64 =
        number.parse().map_err(|_| invalid("a duration such as `15s`, `500ms` or `2m`", text))?;
    let millis = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    // Limited to a day, because no connection lives longer, and because sums of instants must not overflow.
    match millis {
        Some(millis) if millis <= 86_400_000 => Ok(Duration::from_millis(millis)),
        _ => Err(invalid("a duration of at most `24h`, such as `15s`, `500ms` or `2m`", text)),
    }
}

/// Parses a size: `1000` are bytes; `64kB`, `200MB` and `2GB` are multiples of 1000, `KiB`, `MiB` and `GiB` of 1024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" => Some(1_000),
        "m" | "mb" => Some(1_000_000),
        "g" | "gb" => Some(1_000_000_000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    number
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .ok_or_else(|| invalid("a size such as `200MB` or `64KiB`", text))
}

/// Parses a count, 0 included.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| invalid("a whole number", text))
}

/// Parses `true` or `false`.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid("`true` or `false`", text)),
    }
}

/// Parses a rate: `20/s:200` is twenty a second with a burst of two hundred. The unit is `s`, `m` or `h`; the default burst
/// is the number per unit. `off` and `0` are no limit.
pub fn rate(text: &str) -> Result<Option<Rate>, String> {
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
pub fn list(text: &str) -> Vec<&str> {
    text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

fn split_unit(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    (number, unit.trim())
}

fn invalid(wanted: &str, text: &str) -> String {
    format!("must be {wanted}: `{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed() {
        assert_eq!(duration("15"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in ["", "-1", "1.5", "25h", "s", "9999999999999999999h", "1d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_parsed() {
        assert_eq!(bytes("200MB"), Ok(200_000_000));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("5"), Ok(5));
        for wrong in ["", "MB", "1.5MB", "99999999999999GB", "1TB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
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
