//! The agent that edits the files of a Space: its instructions, and the review of what it returns.
//!
//! Text and files in, text and findings out. Only the returned folder is read.

mod blockers;
mod brief;
mod editable;
#[cfg(test)]
pub(crate) mod fuzzing;
mod job_result;
mod leaks;
pub mod program;
mod refusal;
mod review;

pub use blockers::{AgentBlocker, BLOCKERS_FILE};
pub use brief::{Assignment, Brief};
pub use job_result::{Compiled, Ended, JobResult, LeftOut, LeftOutReason};
pub use refusal::{Fault, Refusal};
pub use review::{Reviewed, review};
