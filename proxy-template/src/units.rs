//! Times and sizes in text: one grammar for the variables of the proxy and for programs that set it up.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

/// Longest time: 136 years, so that sums with the present do not overflow.
const MAX_DURATION: Duration = Duration::from_secs(u32::MAX as u64);

/// Text that is not a time or a size. `Display` says which form it must have, as in "must be a time like …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitError {
    form: &'static str,
}

impl UnitError {
    /// A value that must be a time.
    pub const DURATION: Self = Self { form: "a time like `90s`, `10m` or `2h`" };
    /// A value that must be a size.
    pub const SIZE: Self = Self { form: "a size like `100MB` or `512kB`" };

    /// Returns the form that the text must have, as in "a time like …".
    pub fn form(&self) -> &'static str {
        self.form
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {}", self.form)
    }
}

impl std::error::Error for UnitError {}

/// Parses a time: `500ms`, `90s`, `10m`, `2h`, `1d`, or a sum such as `1h 30m`. A number without a unit is in seconds.
///
/// # Errors
///
/// Any other text, a negative number, and a time of more than 136 years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let duration = if is_digits(text) {
        text.parse().ok().map(Duration::from_secs)
    } else {
        // Without capital letters, because `10M` would be ten months.
        let has_capitals = text.bytes().any(|byte| byte.is_ascii_uppercase());
        humantime::parse_duration(text).ok().filter(|_| !has_capitals)
    };
    duration.filter(|duration| *duration <= MAX_DURATION).ok_or(UnitError::DURATION)
}

/// Parses a size: `512kB`, `100MB` and `1.5GB` are multiples of 1000, `64KiB` and `1GiB` of 1024. A number without a unit
/// is in bytes.
///
/// # Errors
///
/// Any other text, a negative number, and a size of 16 EiB or more.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    let size = text.parse::<ByteSize>().ok().filter(|_| starts_with_digit);
    // The largest number is refused, because `bytesize` returns it instead of an overflow.
    size.map(|size| size.as_u64()).filter(|bytes| *bytes < u64::MAX).ok_or(UnitError::SIZE)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        for (text, millis) in [
            ("15", 15_000),
            ("15s", 15_000),
            ("15 s", 15_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("0", 0),
            ("0ms", 0),
            ("4294967295", 4_294_967_295_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            " ",
            "s",
            "-1",
            "+1",
            "-1s",
            "1.5",
            "10M",
            "10H",
            "5x",
            "1h 30",
            "4294967296",
            "4294967296s",
            "9999999999999999999h",
            "99999999999999999999999s",
            "soon",
            "１s",
        ] {
            assert_eq!(parse_duration(text), Err(UnitError::DURATION), "{text}");
        }
    }

    #[test]
    fn sizes_have_a_unit_or_are_bytes() {
        for (text, bytes) in [
            ("5", 5),
            ("7B", 7),
            ("7 b", 7),
            ("64k", 64_000),
            ("512 kB", 512_000),
            ("100MB", 100_000_000),
            ("200mb", 200_000_000),
            ("1GB", 1_000_000_000),
            ("1.5GB", 1_500_000_000),
            ("1TB", 1_000_000_000_000),
            ("64KiB", 65_536),
            ("1GiB", 1 << 30),
            ("9007199254740993B", 9_007_199_254_740_993),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "MB",
            "-1",
            "+5",
            "-1MB",
            ".5MB",
            "1.5",
            "1,5MB",
            "5x",
            "18446744073709551615GB",
            "99999999999999GB",
        ] {
            assert_eq!(parse_size(text), Err(UnitError::SIZE), "{text}");
        }
    }

    #[test]
    fn errors_show_the_form() {
        assert_eq!(UnitError::DURATION.to_string(), "must be a time like `90s`, `10m` or `2h`");
        assert_eq!(UnitError::SIZE.to_string(), "must be a size like `100MB` or `512kB`");
    }
}
