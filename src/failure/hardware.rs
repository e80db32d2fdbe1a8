//! Advice in the log of a request for hardware.
//!
//! A file of its own, because `space.rs` names the errors of that request, and files do not use each other in circles.

use std::fmt::Display;

/// Warning about `sleep_time` for a Space on free hardware.
pub const NO_SLEEP_TIME: &str =
    "`sleep_time` cannot be set on `cpu-basic`, which always sleeps after 48 hours";

/// Returns the warning about a Space that keeps its hardware, because the Hub grants no other.
pub fn not_granted(refused: &dyn Display, settings_page: &str, is_keyless: bool) -> String {
    let reason = if is_keyless { " (a keyless token may be refused this whatever the plan)" } else { "" };
    format!("{refused}{reason}; choose it by hand at {settings_page}")
}
