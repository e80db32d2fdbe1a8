//! What a Space has beside its files, and what becomes of it after the commit: waiting until it runs,
//! telling why it does not, and going back.

mod app;
mod cause;
mod diagnosis;
mod explain;
pub mod hardware;
mod logs;
mod options;
mod port;
pub mod settings;
mod stage_words;
mod traceback;
mod wait;

pub use app::app;
pub use cause::{NotReady, SpaceFailure};
pub use diagnosis::{Diagnosis, Evidence, Spot, diagnose};
pub use hardware::{AtCreation, HardwareStatus};
pub use logs::{Follower, LogTail, tail};
pub use options::{HardwareOptions, NamedSecret, SettingsOptions, SettingsStrategy, Variable};
pub use settings::Current;
pub use traceback::{CodeLine, Traceback, last_traceback};
pub use wait::{Awaited, Ready, WaitOptions, until_it_stops, wait};
