//! Tests of times.

use super::read;

#[test]
fn number_without_a_unit_gets_a_warning() {
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
