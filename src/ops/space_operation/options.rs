//! The options of an operation on a Space.

use std::time::Duration;

use hub::{Flavor, LogKind, RepoId, SleepTime};

/// Operation on one Space.
#[derive(Debug, Clone)]
pub struct SpaceOptions {
    pub space: RepoId,
    pub operation: Operation,
    /// Longest wait for the result; `None` does not wait.
    pub wait: Option<Duration>,
}

/// Kind of an operation, with its own options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    Status,
    Restart,
    /// Restarts it after a build without caches.
    FactoryRestart,
    Pause,
    Wake,
    /// Prints the last `lines` lines of these logs, and with a wait the lines that follow.
    Logs {
        kinds: Vec<LogKind>,
        lines: u32,
    },
    /// Requests hardware, in the order of preference.
    Hardware {
        wanted: Vec<Flavor>,
        sleep_time: Option<SleepTime>,
    },
    SleepTime(SleepTime),
    DevMode(Switch),
    Delete,
}

/// State that a switch should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    On,
    Off,
}

impl Operation {
    /// Returns the operation as a verb, to stand before "the Space".
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Status => "read",
            Self::Restart => "restart",
            Self::FactoryRestart => "rebuild",
            Self::Pause => "pause",
            Self::Wake => "wake",
            Self::Logs { .. } => "read the logs of",
            Self::Hardware { .. } => "change the hardware of",
            Self::SleepTime(_) => "set the sleep time of",
            Self::DevMode(_) => "switch dev mode of",
            Self::Delete => "delete",
        }
    }

    /// Returns true for an operation that needs an app that runs on a machine.
    pub fn needs_machine(&self) -> bool {
        !matches!(self, Self::Status | Self::Delete)
    }
}
