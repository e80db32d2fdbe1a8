//! The creation of a Job, and its cancellation if the run ends early.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hub::{Hub, Job, JobId, JobSpec, JobStage, MountedVolume};

use super::artifacts::Artifacts;
use super::context::Context;
use super::options::{NewJob, RUN_LABEL, RunId, Work};
use super::report::JobReport;
use super::wrapper;
use crate::action::journal::{Undo, Undone};
use crate::action::{Log, PostState, Recorder};
use crate::failure::{Result, job as advice};

/// State for the post step: the Job of the step, once it is known.
pub(super) const KNOWN: &str = "job";
/// Number of times that the creation is sent.
const ATTEMPTS: u32 = 3;
/// Waits before the looks for a Job whose creation was not answered, because the Hub may still be creating it.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];
/// Time for the cancellation, because a runner kills a cancelled step after 10 seconds.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(6);
/// Waits before the looks for a Job whose creation was interrupted. A post step looks once more.
const LAST_LOOKS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(1)];
/// Largest number of Jobs of one run.
const MAX_FOUND: usize = 20;

/// A Job of this run, which is cancelled if the run ends early.
pub(super) struct OwnJob {
    pub(super) job: Job,
    pub(super) ending: Ending,
}

/// Registered cancellation of a Job.
pub(super) struct Ending {
    undo: Option<Undo>,
    state: PostState,
}

impl Ending {
    /// Removes the cancellation, because the Job has ended or is left running.
    pub(super) fn settle(self) {
        if let Some(undo) = self.undo {
            undo.settle();
        }
        self.state.settle();
    }
}

/// Creates a Job. A creation whose answer was lost is looked for by the label of this run before it is sent again.
pub(super) async fn create(
    context: &Context<'_>,
    namespace: &str,
    new: &NewJob,
    artifacts: Option<&Artifacts>,
) -> Result<OwnJob> {
    let spec = spec(new, artifacts);
    context.state.save("launch", &format!("{namespace}/{}", new.run)).map_err(advice::cannot_save_state)?;
    let cancellation = Cancellation::new(context, namespace, &new.run);
    let known = Arc::clone(&cancellation.known);
    let ending = register(context, cancellation);
    let mut sent = 0;
    let job = loop {
        sent += 1;
        let error = match context.hub.create_job(namespace, &spec).await {
            Ok(job) => break job,
            Err(error) => error,
        };
        if !error.is_ambiguous() {
            ending.settle();
            return Err(advice::creation_refused(error, namespace));
        }
        context.log.info(&format!("{error}; looking for the Job before it is created again"));
        if let Some(job) = look(context, namespace, &new.run).await? {
            context.log.info("the Hub had created the Job");
            break job;
        }
        if sent == ATTEMPTS {
            return Err(error.into());
        }
    };
    *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.id.clone());
    save_job(context, &job)?;
    context.observe(&job);
    if sent > 1 {
        cancel_others(context, namespace, new, &job).await?;
    }
    Ok(OwnJob { job, ending })
}

/// Follows a Job of another step. It goes on if this run ends early.
pub(super) fn watch(context: &Context<'_>, job: Job) -> OwnJob {
    context.observe(&job);
    context.recorder.record(|report| report.is_only_watched = true);
    OwnJob { job, ending: Ending { undo: None, state: context.state.clone() } }
}

/// Takes over a Job of another step, which this run cancels as well.
pub(super) fn adopt(context: &Context<'_>, namespace: &str, run: &RunId, job: Job) -> Result<OwnJob> {
    let cancellation = Cancellation::new(context, namespace, run);
    *cancellation.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.id.clone());
    let ending = register(context, cancellation);
    save_job(context, &job)?;
    context.observe(&job);
    Ok(OwnJob { job, ending })
}

fn save_job(context: &Context<'_>, job: &Job) -> Result<()> {
    context.state.save(KNOWN, &job.name()).map_err(advice::cannot_save_state)
}

fn register(context: &Context<'_>, cancellation: Cancellation) -> Ending {
    let state = context.state.clone();
    let undo = context.journal.on_early_end("Job", move |_| cancellation.run());
    Ending { undo: Some(undo), state }
}

fn spec(new: &NewJob, artifacts: Option<&Artifacts>) -> JobSpec {
    let has_checkout = artifacts.is_some_and(Artifacts::has_checkout);
    let has_wrapper = !matches!(new.work, Work::Command(_));
    let mounted = artifacts.map(|artifacts| artifacts.volumes(has_wrapper)).unwrap_or_default();
    let setting = wrapper::Setting { run: &new.run, has_checkout, has_attempts: new.attempts > 1 };
    let command = match &new.work {
        Work::Script(script) => wrapper::command(script, setting),
        Work::Python(script) => wrapper::python_command(script, setting),
        Work::Command(command) => command.clone(),
    };
    let mut labels = new.labels.clone();
    labels.insert(RUN_LABEL.to_owned(), new.run.as_str().to_owned());
    JobSpec {
        image: new.image.clone(),
        command,
        environment: new.environment.clone(),
        secrets: new.secrets.clone(),
        flavor: new.flavor.clone(),
        timeout: new.timeout,
        attempts: new.attempts,
        labels,
        volumes: new.volumes.iter().map(MountedVolume::from).chain(mounted).collect(),
    }
}

/// Looks for the Job of this run.
async fn look(context: &Context<'_>, namespace: &str, run: &RunId) -> Result<Option<Job>> {
    for wait in LOOKS {
        tokio::time::sleep(wait).await;
        let mut found = context.hub.jobs(namespace, &[(RUN_LABEL, run.as_str())], &[], MAX_FOUND).await?;
        if let Some(job) = found.pop() {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Cancels the Jobs that lost answers have left beside `kept`.
async fn cancel_others(context: &Context<'_>, namespace: &str, new: &NewJob, kept: &Job) -> Result<()> {
    for job in unfinished(context.hub, namespace, &new.run).await? {
        if job.id != kept.id {
            context.hub.cancel_job(namespace, &job.id).await?;
            context.log.info(&format!("cancelled the Job `{}`, which a lost answer had left", job.name()));
        }
    }
    Ok(())
}

/// Returns the Jobs of a run that have not ended.
async fn unfinished(hub: &Hub, namespace: &str, run: &RunId) -> Result<Vec<Job>, hub::Error> {
    let stages = [JobStage::Scheduling, JobStage::Running];
    hub.jobs(namespace, &[(RUN_LABEL, run.as_str())], &stages, MAX_FOUND).await
}

/// The cancellation of the Job of a run.
pub(super) struct Cancellation {
    hub: Hub,
    log: Log,
    recorder: Recorder<JobReport>,
    state: PostState,
    namespace: String,
    run: RunId,
    /// Id of the Job; `None` if the creation was not answered.
    known: Arc<Mutex<Option<JobId>>>,
}

impl Cancellation {
    fn new(context: &Context<'_>, namespace: &str, run: &RunId) -> Self {
        Self {
            hub: context.hub.clone(),
            log: context.log.clone(),
            recorder: context.recorder.clone(),
            state: context.state.clone(),
            namespace: namespace.to_owned(),
            run: run.clone(),
            known: Arc::default(),
        }
    }

    async fn run(self) -> Undone {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match tokio::time::timeout(CANCEL_TIMEOUT, self.cancel(known)).await {
            Ok(Ok(jobs)) => {
                // The Hub may still carry out an interrupted creation, so the post step looks again.
                if !jobs.is_empty() {
                    self.state.settle();
                }
                for job in jobs {
                    self.log.info(&format!("cancelled the Job `{}`", job.name()));
                    self.recorder.record(|report| report.observe(&job));
                }
                Undone::TakenBack
            }
            Ok(Err(error)) => Undone::Left { hint: advice::cancel_by_hand(&self.namespace, Some(&error)) },
            Err(_) => Undone::Left { hint: advice::cancel_by_hand(&self.namespace, None) },
        }
    }

    async fn cancel(&self, known: Option<JobId>) -> Result<Vec<Job>, hub::Error> {
        let mut cancelled = Vec::new();
        for wait in LAST_LOOKS {
            tokio::time::sleep(wait).await;
            cancelled = cancel(&self.hub, &self.namespace, &self.run, known.clone()).await?;
            if !cancelled.is_empty() {
                break;
            }
        }
        Ok(cancelled)
    }
}

/// Cancels a Job, or the unfinished Jobs of a run if its id is not known. Returns the cancelled ones.
pub async fn cancel(
    hub: &Hub,
    namespace: &str,
    run: &RunId,
    known: Option<JobId>,
) -> Result<Vec<Job>, hub::Error> {
    let ids = match known {
        Some(id) => vec![id],
        None => unfinished(hub, namespace, run).await?.into_iter().map(|job| job.id).collect(),
    };
    let mut cancelled = Vec::new();
    for id in ids {
        cancelled.push(hub.cancel_job(namespace, &id).await?);
    }
    Ok(cancelled)
}
