//! Operations on one Space: its state, restarts, pauses, logs, hardware, sleep time, dev mode and deletion.

mod delete;
mod describe;
mod dev_mode;
mod machine;
pub mod options;
pub mod report;
mod run_state;
mod show_logs;
mod target;

use crate::action::Recorder;
use crate::failure::{Result, space_operation as advice};

use super::Session;
use options::{Operation, SpaceOptions, Switch};
use report::{Outcome, SpaceReport};
use target::Target;

/// Carries out an operation, and waits for its result. Facts are recorded at once, so that a run that ends early still
/// reports them.
///
/// # Errors
///
/// The Space does not exist, the Hub refuses the operation, or the Space does not come to its result.
pub async fn run(
    options: &SpaceOptions,
    session: &Session<'_>,
    recorder: &Recorder<SpaceReport>,
) -> Result<()> {
    let target = Target::find(options, session, recorder).await?;
    let outcome = act(options, &target).await;
    let outcome = outcome.map_err(|failure| {
        advice::after_lookup(failure, matches!(options.operation, Operation::DevMode(_)))
    })?;
    recorder.record(|report| report.outcome = Some(outcome));
    Ok(())
}

async fn act(options: &SpaceOptions, target: &Target<'_>) -> Result<Outcome> {
    let wait = options.wait;
    match &options.operation {
        Operation::Status => run_state::status(target, wait).await,
        Operation::Restart => run_state::restart(target, run_state::Build::Keep, wait).await,
        Operation::FactoryRestart => run_state::restart(target, run_state::Build::Anew, wait).await,
        Operation::Pause => run_state::pause(target, wait).await,
        Operation::Wake => run_state::wake(target, wait).await,
        Operation::Logs { kinds, lines } => show_logs::show(target, kinds, *lines, wait).await,
        Operation::Hardware { wanted, sleep_time } => {
            machine::request_hardware(target, wanted, *sleep_time, wait).await
        }
        Operation::SleepTime(sleep_time) => machine::set_sleep_time(target, *sleep_time).await,
        Operation::DevMode(Switch::On) => dev_mode::switch_on(target, wait).await,
        Operation::DevMode(Switch::Off) => dev_mode::switch_off(target, wait).await,
        Operation::Delete => delete::delete(target).await,
    }
}
