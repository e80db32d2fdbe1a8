//! A Space beside its files: settings and hardware, the wait for a commit, and the diagnosis of a failure.

mod app;
mod cause;
mod diagnosis;
mod error;
mod explain;
mod guard;
pub mod hardware;
mod log_tail;
mod options;
mod port;
mod readiness;
pub mod settings;
mod space_logs;
mod stage_words;
mod traceback;
mod wait;
mod watch;

pub use app::find_app;
pub use cause::SpaceFailure;
pub use diagnosis::{Diagnosis, Evidence, Spot, diagnose};
pub use error::SpaceError;
pub use guard::until_it_stops;
pub use hardware::{AtCreation, HardwareStatus};
pub use log_tail::{LogTail, last_lines};
pub use options::{HardwareOptions, NamedSecret, SettingsOptions, SettingsStrategy, Variable};
pub use port::WrongAddress;
pub use readiness::WaitOptions;
pub use settings::CurrentSettings;
pub use space_logs::read_tail;
pub use stage_words::describe as describe_stage;
pub use traceback::{CodeLine, Traceback, last_traceback};
pub use wait::wait;
pub use watch::{Readiness, WaitOutcome};
