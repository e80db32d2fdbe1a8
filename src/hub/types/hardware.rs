//! Hardware and sleep time of a Space.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::suggest;
use super::text::{ParseError, bail_parse, shorten};

/// Length of a bad value in a parse error, in characters.
const SHOWN: usize = 60;

/// Hardware of a Space, by the Hub's name for it (`POST /api/repos/create`, `hardware`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flavor(&'static str);

/// All flavors of the Hub's OpenAPI document, in its order: of one family, the cheapest comes first.
const FLAVORS: &[&str] = &[
    "cpu-basic",
    "cpu-upgrade",
    "cpu-performance",
    "cpu-xl",
    "sprx8",
    "zero-a10g",
    "t4-small",
    "t4-medium",
    "l4x1",
    "l4x4",
    "l40sx1",
    "l40sx4",
    "l40sx8",
    "a10g-small",
    "a10g-large",
    "a10g-largex2",
    "a10g-largex4",
    "a100-large",
    "a100x4",
    "a100x8",
    "h200",
    "h200x2",
    "h200x4",
    "h200x8",
    "rtx-pro-6000",
    "rtx-pro-6000x2",
    "rtx-pro-6000x4",
    "rtx-pro-6000x8",
    "inf2x6",
    "zerogpu",
];

impl Flavor {
    /// GPUs that Spaces share, free of charge.
    pub const ZERO_GPU: Self = Self("zero-a10g");
    /// The free hardware.
    pub const CPU_BASIC: Self = Self("cpu-basic");

    /// Returns the Hub's name for it.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns the names of all flavors as a list in a sentence, where ZeroGPU with its two names stands once.
    pub fn list() -> String {
        let names = FLAVORS.iter().filter(|name| **name != "zerogpu");
        let names: Vec<String> = names
            .map(|name| format!("`{name}`{}", if is_zero_gpu(name) { " (or `zerogpu`)" } else { "" }))
            .collect();
        names.join(", ")
    }

    /// Returns true for ZeroGPU, which has two names and runs Gradio Spaces only.
    pub fn is_zero_gpu(self) -> bool {
        is_zero_gpu(self.0)
    }

    /// Returns true for the free hardware, which has a fixed sleep time.
    pub fn is_basic(self) -> bool {
        self.0 == "cpu-basic"
    }

    /// Returns true if the Hub calls this hardware `name`.
    pub fn is(self, name: &str) -> bool {
        self.0 == name || (self.is_zero_gpu() && is_zero_gpu(name))
    }
}

fn is_zero_gpu(name: &str) -> bool {
    matches!(name, "zero-a10g" | "zerogpu")
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Flavor {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if let Some(name) = FLAVORS.iter().find(|name| **name == text) {
            return Ok(Self(name));
        }
        let shown = shorten(text, SHOWN);
        match suggest::meant(text, FLAVORS).or_else(|| suggest::of_the_family(text, FLAVORS)) {
            Some(name) => bail_parse!("must name hardware of the Hub, not `{shown}`: did you mean `{name}`?"),
            None => bail_parse!("must name hardware of the Hub, not `{shown}`"),
        }
    }
}

/// Idle time before a Space sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SleepTime {
    /// The Space sleeps after this time.
    After(Duration),
    /// The Space stays awake.
    Never,
}

impl SleepTime {
    /// Returns the value of the API: seconds, or -1 for never (`POST …/sleeptime`).
    pub fn seconds(self) -> i64 {
        match self {
            Self::After(time) => i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            Self::Never => -1,
        }
    }
}

impl fmt::Display for SleepTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => match time.as_secs() {
                seconds if seconds > 0 && seconds % 3600 == 0 => write!(f, "after {} h", seconds / 3600),
                seconds if seconds > 0 && seconds % 60 == 0 => write!(f, "after {} min", seconds / 60),
                seconds => write!(f, "after {seconds} s"),
            },
            Self::Never => f.write_str("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_time_is_written_in_its_largest_unit() {
        let written = |seconds| SleepTime::After(Duration::from_secs(seconds)).to_string();
        let times = [0, 90, 600, 7200].map(written);
        assert_eq!(times, ["after 0 s", "after 90 s", "after 10 min", "after 2 h"]);
        assert_eq!(SleepTime::Never.to_string(), "never");
    }

    /// The flavors of the local Hub are compared with the Hub's OpenAPI document.
    #[test]
    fn flavors_match_the_local_hub() {
        assert_eq!(FLAVORS[..], local_hub_server::FLAVORS[..]);
    }

    #[test]
    fn the_list_of_flavors_names_zero_gpu_once() {
        let list = Flavor::list();
        assert_eq!(list.matches("zerogpu").count(), 1, "{list}");
        assert!(list.contains("`zero-a10g` (or `zerogpu`)") && list.ends_with("`inf2x6`"), "{list}");
        let far = "quantum".parse::<Flavor>().unwrap_err().0;
        assert_eq!(far, "must name hardware of the Hub, not `quantum`");
    }

    #[test]
    fn a_suggestion_is_the_cheapest_of_its_kind() {
        for (text, meant) in [
            ("T4", "t4-small"),
            ("T4-Medium", "t4-medium"),
            ("t4small", "t4-small"),
            ("t4-large", "t4-small"),
            ("t5-small", "t4-small"),
            ("cpu", "cpu-basic"),
            ("CPU-Upgrade", "cpu-upgrade"),
            ("cpu-large", "cpu-basic"),
            ("basic", "cpu-basic"),
            ("a100", "a100-large"),
            ("A10G", "a10g-small"),
            ("a10", "a10g-small"),
            ("l4", "l4x1"),
            ("l4x2", "l4x1"),
            ("L40S", "l40sx1"),
            ("zero", "zero-a10g"),
            ("ZeroGPU", "zerogpu"),
            ("zero-gpu", "zerogpu"),
        ] {
            let refusal = text.parse::<Flavor>().unwrap_err().0;
            assert!(refusal.contains(&format!(": did you mean `{meant}`?")), "{refusal}");
        }
    }

    #[test]
    fn zero_gpu_has_two_names() {
        let flavor: Flavor = "zerogpu".parse().unwrap();
        assert!(flavor.is("zero-a10g") && flavor.is("zerogpu") && !flavor.is("t4-small"));
        assert!(!"t4-small".parse::<Flavor>().unwrap().is("zerogpu"));
    }
}
