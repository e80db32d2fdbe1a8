//! The report of an operation on a Space.

use hub::{HardwareName, LogKind, Repo, Runtime};

use crate::failure::Failure;
use crate::ops::space::{DevModeAccess, HardwareStatus, LogTail};

/// Result of an operation: the output `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The Space was as the operation leaves it.
    Unchanged,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Facts about an operation.
#[derive(Debug, Default)]
pub struct SpaceReport {
    pub outcome: Option<Outcome>,
    /// The Hub's address without a trailing slash.
    pub endpoint: String,
    pub repo: Option<Repo>,
    /// Address of the app, as the Hub names it.
    pub space_url: Option<String>,
    /// Last state of the Space that was seen.
    pub runtime: Option<Runtime>,
    /// Price of an hour on its hardware, in US dollars.
    pub hourly_price: Option<f64>,
    /// Result of the request for hardware, if there was one.
    pub hardware_status: Option<HardwareStatus>,
    /// Addresses of dev mode, if it is on.
    pub dev_mode: Option<DevModeAccess>,
    /// Lines of logs that were asked for.
    pub logs: Vec<(LogKind, Vec<String>)>,
    /// Last lines of the logs that a wait followed.
    pub log_tails: Vec<LogTail>,
    pub failure: Option<Failure>,
}

impl SpaceReport {
    /// Returns the Space's page on the Hub.
    pub fn page(&self) -> Option<String> {
        Some(format!("{}/{}", self.endpoint, self.repo.as_ref()?.page()))
    }

    /// Returns the hardware that the Space has or has requested.
    pub fn hardware(&self) -> Option<&HardwareName> {
        self.runtime.as_ref()?.flavor()
    }
}
