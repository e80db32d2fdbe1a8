//! Switches for the behaviour of Jobs.

use std::collections::BTreeSet;
use std::time::Duration;

/// Behaviour of the Jobs of one local Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPolicy {
    /// Time before the start of each attempt.
    pub queue_time: Duration,
    /// Credits of all namespaces together, in millionths of a dollar; `None` is without limit. A running Job uses them
    /// up, and is cancelled when none are left.
    pub credits: Option<u64>,
    /// Images that cannot be pulled.
    pub missing_images: BTreeSet<String>,
    /// Folders in front of `PATH` in each container, for programs that the images have and this machine has not.
    pub extra_path: Option<String>,
    /// False plays a machine that gives no namespaces to this process: Jobs run in a folder.
    pub has_namespaces: bool,
    /// Number of Jobs on a page of the list.
    pub page_size: usize,
    /// Streams of logs.
    pub log: JobLogPolicy,
}

/// Behaviour of the streams of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLogPolicy {
    /// Silence after which a keep-alive is sent.
    pub keep_alive: Duration,
    /// A connection is reset after this time.
    pub reset_after: Option<Duration>,
    /// A connection ends normally after this number of events.
    pub close_after_events: Option<usize>,
    /// True if the stream of a Job that has not started ends at once.
    pub closes_while_scheduling: bool,
    /// True if the stream stays open after the end of the Job, with keep-alives.
    pub stays_open: bool,
}

impl Default for JobPolicy {
    fn default() -> Self {
        Self {
            queue_time: Duration::ZERO,
            credits: None,
            missing_images: BTreeSet::new(),
            extra_path: None,
            has_namespaces: true,
            page_size: 30,
            log: JobLogPolicy::default(),
        }
    }
}

impl Default for JobLogPolicy {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(30),
            reset_after: None,
            close_after_events: None,
            closes_while_scheduling: false,
            stays_open: false,
        }
    }
}
