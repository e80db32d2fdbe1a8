//! A Job: created, followed to its end, and judged by its stage.

mod artifacts;
mod context;
mod create;
mod follow;
pub mod options;
mod place;
mod price;
pub mod report;
mod result;
mod sink;
mod wrapper;

use std::path::{Path, PathBuf};

use hub::{Hub, Job, JobName};

pub use artifacts::{BUCKET, left_checkout};
pub use create::cancel;
pub use follow::read_log;
pub use price::Price;
pub use wrapper::MAX_SCRIPT;

use self::artifacts::Artifacts;
use self::context::Context;
use self::create::OwnJob;
use self::options::{ExistingJob, JobOptions, NewJob, RUN_LABEL, RunId, Target};
use self::report::JobReport;
use self::sink::LogSink;
use super::Session;
use crate::action::journal::Phase;
use crate::action::{PostState, Recorder};
use crate::failure::{Result, job as advice};

/// Runs a Job, or follows one that exists.
///
/// # Errors
///
/// The Job cannot be created, or does not end with success.
pub async fn run(
    options: &JobOptions,
    session: &Session<'_>,
    recorder: &Recorder<JobReport>,
    state: &PostState,
) -> Result<()> {
    let context = Context { session, recorder, state };
    let Started { own, run, mut sink, artifacts } = match &options.target {
        Target::New(new) => {
            let namespace = namespace(session.hub, options.namespace.as_deref()).await?;
            let sink = LogSink::open(&options.workspace, &new.run, session.log)?;
            let (own, artifacts) = start(&context, options, &namespace, new).await?;
            Started { own, run: new.run.clone(), sink, artifacts }
        }
        Target::Existing(existing) => attach(&context, options, existing).await?,
    };
    if !options.is_waited_for {
        recorder.record(|report| report.is_left_running = true);
        own.ending.settle();
        if let Some(artifacts) = artifacts {
            artifacts.leave(state);
        }
        return Ok(());
    }
    let OwnJob { job, ending } = own;
    let page = format!("{}/jobs/{}", session.hub.endpoint(), job.name());
    let job = {
        let _phase = session.journal.enter(Phase::Job, "job");
        session.log.info(&format!("following the Job {page}"));
        recorder.record(|report| report.log_path = sink.path());
        let followed = follow::follow(&context, job, &mut sink).await;
        recorder.record(|report| {
            report.log_path = sink.path();
            report.last_lines = sink.last_lines();
        });
        followed?
    };
    let exit_code = sink.exit_code(&job);
    recorder.record(|report| report.exit_code = exit_code);
    ending.settle();
    let collected = match artifacts {
        Some(artifacts) => artifacts.collect(&context, &options.workspace, &run).await,
        None => Ok(()),
    };
    if let Err(failure) = result::conclude(&job, exit_code) {
        // The failure of the Job matters more.
        if let Err(other) = collected {
            session.log.warning(&other.to_string());
        }
        return Err(failure);
    }
    collected?;
    recorder.record(|report| report.has_succeeded = true);
    Ok(())
}

/// A Job to follow.
struct Started {
    own: OwnJob,
    run: RunId,
    sink: LogSink,
    artifacts: Option<Artifacts>,
}

/// Prepares the state of a step that runs several Jobs, one after the other.
///
/// # Errors
///
/// The state cannot be written.
pub fn begin_another(state: &PostState) -> Result<()> {
    let written = state.unsettle().and_then(|()| state.save(create::KNOWN, ""));
    written.map_err(advice::cannot_save_state)
}

/// Returns the path of a Job's output: in the workspace of its options, and in its bucket.
pub fn output_paths(workspace: &Path, run: &RunId) -> (PathBuf, String) {
    (workspace.join(place::path(run, artifacts::FOLDER)), format!("{run}/{}", artifacts::FOLDER))
}

/// Returns the namespace of Jobs: the given one, or the user of the token.
pub async fn namespace(hub: &Hub, given: Option<&str>) -> Result<String> {
    match given {
        Some(namespace) => Ok(namespace.to_owned()),
        None => Ok(hub.whoami().await?.name),
    }
}

/// Returns a Job by its name.
pub async fn find(hub: &Hub, given: Option<&str>, name: &JobName) -> Result<Job> {
    let namespace = namespace(hub, name.namespace.as_deref().or(given)).await?;
    hub.job(&namespace, &name.id).await.map_err(|error| advice::not_found(error, &name.id))
}

async fn start(
    context: &Context<'_>,
    options: &JobOptions,
    namespace: &str,
    new: &NewJob,
) -> Result<(OwnJob, Option<Artifacts>)> {
    let price = price::check(context.hub, new).await?;
    context.recorder.record(|report| {
        report.flavor = Some(new.flavor.clone());
        report.price = price;
    });
    let artifacts = match &new.artifacts {
        Some(wanted) => {
            artifacts::reserve_output(&options.workspace, &new.run)?;
            let tls_roots = options.tls_roots.as_deref();
            Some(Artifacts::prepare(context, (namespace, &new.run), wanted, tls_roots).await?)
        }
        None => None,
    };
    let own = create::create(context, namespace, new, artifacts.as_ref()).await?;
    let cost = price.map(|price| format!(" at ${:.4} per minute", price.per_minute())).unwrap_or_default();
    context.log.info(&format!("created the Job `{}` on `{}`{cost}", own.job.name(), new.flavor));
    context.journal.event(
        "job_created",
        format!("created the Job `{}`", own.job.name()),
        serde_json::json!({ "id": own.job.id.as_str(), "namespace": namespace }),
    );
    Ok((own, artifacts))
}

/// Finds a Job of another step, with the log of its beginning.
async fn attach(context: &Context<'_>, options: &JobOptions, existing: &ExistingJob) -> Result<Started> {
    let job = find(context.hub, options.namespace.as_deref(), &existing.name).await?;
    // A Job that this program did not create has no such label.
    let run = job.labels.get(RUN_LABEL).and_then(|label| RunId::from_label(label));
    let run = run.or_else(|| RunId::from_label(&job.id.as_str().replace('_', "-")));
    let Some(run) = run else { return Err(advice::unusable_id(&job.id)) };
    let sink = LogSink::open(&options.workspace, &run, context.log)?;
    // The cost is an estimate, so the run goes on without a price.
    if let Ok(all) = context.hub.job_hardware().await {
        let hardware = all.iter().find(|hardware| hardware.name == job.flavor);
        context.recorder.record(|report| report.price = hardware.and_then(Price::of));
    }
    let namespace = job.owner.name.clone();
    let mut artifacts = Artifacts::of_job(&job, &run, options.tls_roots.clone());
    if let Some(artifacts) = &mut artifacts {
        artifacts::reserve_output(&options.workspace, &run)?;
        artifacts.keep_output = existing.keep_output;
    }
    let own = if options.is_cancelled_with_run {
        create::adopt(context, &namespace, &run, job)?
    } else {
        create::watch(context, job)
    };
    Ok(Started { own, run, sink, artifacts })
}
