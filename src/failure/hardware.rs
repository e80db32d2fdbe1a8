//! Advice in the log of a request for hardware.
//!
//! A file of its own, because `space.rs` names the errors of that request, and files do not use each other in circles.

use std::fmt::Display;

use crate::ops::space::OptionOf;

/// Returns the name of the input for the sleep time.
pub(super) fn sleep_time_input(of: OptionOf) -> &'static str {
    match of {
        OptionOf::Space => "sleep_time",
        OptionOf::Previews => "preview_sleep_time",
        OptionOf::Proxy => "proxy_sleep_time",
    }
}

/// Returns the name of the input for the hardware.
pub(super) fn hardware_input(of: OptionOf) -> &'static str {
    match of {
        OptionOf::Space => "hardware",
        OptionOf::Previews => "preview_hardware",
        OptionOf::Proxy => "proxy_hardware",
    }
}

/// Returns the warning about the sleep time of a Space on free hardware.
pub fn no_sleep_time(of: OptionOf) -> String {
    format!("`{}` cannot be set on `cpu-basic`, which always sleeps after 48 hours", sleep_time_input(of))
}

/// Returns the warning about a Space that keeps its hardware, because the Hub grants no other.
pub fn not_granted(refused: &dyn Display, settings_page: &str, is_keyless: bool) -> String {
    let reason = if is_keyless { " (a keyless token may be refused this whatever the plan)" } else { "" };
    format!("{refused}{reason}; choose it by hand at {settings_page}")
}
