//! Advice in the log of a request for hardware.
//!
//! A file of its own, because `space.rs` names the errors of that request, and files do not use each other in circles.

use std::fmt::Display;

use crate::ops::space::OptionOf;
use crate::setting::{
    HARDWARE, PREVIEW_HARDWARE, PREVIEW_SLEEP_TIME, PROXY_HARDWARE, PROXY_SLEEP_TIME, SLEEP_TIME, Setting,
};

/// Returns the setting of the sleep time.
pub(super) fn sleep_time_input(of: OptionOf) -> Setting {
    match of {
        OptionOf::Space => SLEEP_TIME,
        OptionOf::Previews => PREVIEW_SLEEP_TIME,
        OptionOf::Proxy => PROXY_SLEEP_TIME,
    }
}

/// Returns the setting of the hardware.
pub(super) fn hardware_input(of: OptionOf) -> Setting {
    match of {
        OptionOf::Space => HARDWARE,
        OptionOf::Previews => PREVIEW_HARDWARE,
        OptionOf::Proxy => PROXY_HARDWARE,
    }
}

/// Returns the warning about the sleep time of a Space on free hardware.
pub fn no_sleep_time(of: OptionOf) -> String {
    format!("{} cannot be set on `cpu-basic`, which always sleeps after 48 hours", sleep_time_input(of))
}

/// Returns the warning about a Space that keeps its hardware, because the Hub grants no other.
pub fn not_granted(refused: &dyn Display, settings_page: &str, is_keyless: bool) -> String {
    let reason = if is_keyless { " (a keyless token may be refused this whatever the plan)" } else { "" };
    format!("{refused}{reason}; choose it by hand at {settings_page}")
}
