//! Deploys a folder to a repo. This file has the order of the stages, and nothing else.

mod app_file;
mod apply_settings;
mod attempt;
mod card;
mod change_set;
mod check_app;
mod check_plan;
mod context;
mod dataset_files;
mod deployed;
mod draft;
mod ensure_repo;
mod go_live;
mod hashing;
mod large_names;
mod leave_open;
mod listed;
mod make_plan;
mod mark;
mod merge;
mod message;
mod moves;
mod new_repo;
pub mod options;
mod parts;
mod pending_write;
mod place;
pub mod plan;
mod plan_base;
mod preflight;
mod prepare;
mod preupload;
mod print_plan;
mod publish;
mod remote_settings;
mod repo;
pub mod report;
mod rollback;
mod secrets;
mod series;
mod settings_undo;
mod source;
mod upload;
mod visibility;
mod wait;

use std::sync::Arc;

use crate::action::{Log, Recorder};
use crate::failure::{self, Result};
use crate::folder::Source;
use crate::text::{count, human_bytes};
use hub::Lookup;

use super::Session;
use apply_settings::log_first_settings;
use attempt::{Attempt, AttemptEnd, SpaceState, fetch_head, run_attempt};
use context::Context;
use deployed::before_any_write;
use ensure_repo::ensure_repo;
use options::Origin;
use plan_base::plan_for_nothing;
use prepare::Prepared;
use print_plan::print_plan;
use remote_settings::fetch_settings;
use report::Status;
use visibility::VisibilityAnswer;

pub use deployed::{Deployed, DryPlan};
use mark::check_file_mark;
pub(crate) use mark::{check_mark, check_space_is_own};
pub use options::DeployOptions;
pub(crate) use preflight::check_plan_of_proxy;
pub(crate) use repo::resolve_repo;
pub use report::DeployReport;

/// Number of attempts: a second plan is made if the branch moved during the first one.
const ATTEMPTS: u32 = 2;

/// Deploys a folder. Facts are recorded at once, so that a run that ends early still reports them.
///
/// Writes that are under way are in the journal. The driver unwinds it if the run ends early.
pub async fn deploy(
    options: &DeployOptions,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<Deployed> {
    with_source(options, session, async |source| deploy_source(options, source, session, recorder).await)
        .await
}

/// Reads the folder of a deploy, and passes it on. Digests that are computed meanwhile are kept for the next run.
pub async fn with_source<T>(
    options: &DeployOptions,
    session: &Session<'_>,
    work: impl AsyncFnOnce(Source) -> Result<T>,
) -> Result<T> {
    let cache = source::open_cache(options, session.log).await?;
    let result = match source::read_source(options, session.log, cache.clone()).await {
        Ok(source) => work(source).await,
        Err(failure) => Err(failure),
    };
    // Also after a failure, because the digests are still valid.
    source::save_cache(cache, session.log).await;
    result
}

/// Deploys a folder that is read already.
pub async fn deploy_source(
    options: &DeployOptions,
    source: Source,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<Deployed> {
    let result = sign_in_and_deploy(options, source, session, recorder).await;
    result.map_err(|failure| {
        if session.hub.uses_trusted_publishing() {
            failure::deploy::explain_trusted_publishing(failure)
        } else {
            failure
        }
    })
}

async fn sign_in_and_deploy(
    options: &DeployOptions,
    source: Source,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<Deployed> {
    let Session { hub, log, journal } = session;
    let repo = repo::resolve_repo(&options.repo, options.repo_type, hub).await?;
    let hub = repo::sign_in(hub.for_repo(&repo), options, log).await?;
    recorder.record(|report| {
        report.repo = Some(repo.clone());
        report.provenance = options.provenance.clone();
        report.revision = (!options.revision.is_main()).then(|| options.revision.clone());
    });
    log_start(options, &source, &format!("the {repo} on {}", hub.endpoint()), log);

    let mut context = Context { options, hub, repo, log, journal, recorder };
    let (user, prepared, visibility) = tokio::join!(
        preflight::fetch_user(&context.hub),
        prepare::prepare(&context, source),
        visibility::fetch_visibility(&context)
    );
    let prepared = prepared.map_err(before_any_write)?;
    check_file_mark(&context, &prepared.lookup).await?;
    recorder.record(|report| {
        report.sdk = prepared.sdk;
        report.wanted_hardware = options.space.hardware.wanted.first().copied();
    });
    if let Some(repo) = repo::present_name(&context, &prepared.lookup) {
        context.repo = repo;
    }
    if let Some(user) = &user {
        preflight::check_rights(&context, user, &prepared.lookup, prepared.sdk)?;
    }
    preflight::warn_about_needless_proxy(&context, &prepared.lookup);
    let deployed = deploy_prepared(&context, prepared, visibility).await;
    let deployed = deployed.map(|deployed| Deployed { repo: Some(context.repo.clone()), ..deployed });
    deployed.map_err(|failure| match &user {
        Some(user) => failure::deploy::explain_refusal(failure, user, &context.repo, options.create_pr),
        None => failure,
    })
}

/// Deploys a prepared source, with as many attempts as the branch needs.
async fn deploy_prepared(
    context: &Context<'_>,
    prepared: Prepared,
    visibility: VisibilityAnswer,
) -> Result<Deployed> {
    let settings = fetch_settings(context, &prepared, visibility).await?;
    let Prepared { source, sdk, app_file, lookup } = prepared;
    let source = Arc::new(source);
    if !matches!(lookup, Lookup::Found(_)) {
        check_plan::warn_about_unused_patterns(context, &source.unused_patterns, None);
        // Before anything is created, because a new repo or branch gets every file.
        let audience = visibility::audience_after(context, settings.audience);
        secrets::search_all(context, &source, audience).await?;
    }
    let target = ensure_repo(context, lookup, sdk, &source).await?;
    let mut state = SpaceState { settings, applied: None };
    let mut merged = None;
    for number in 1..=ATTEMPTS {
        let attempt = Attempt {
            number,
            source: &source,
            target: &target,
            app_file: app_file.as_ref(),
            merged: merged.as_ref(),
        };
        let Some(head) = fetch_head(context, &attempt).await? else {
            return plan_missing_repo(context, &source).await;
        };
        match run_attempt(context, &attempt, head, &mut state).await? {
            AttemptEnd::Done(deployed) => return Ok(*deployed),
            AttemptEnd::Overtaken { merged: found } => {
                merged = found.or(merged);
                if merged.is_some() {
                    state.keep_settings();
                }
                if number < ATTEMPTS {
                    context.log.info("the branch moved meanwhile, planning again");
                }
            }
            AttemptEnd::Mixed(receipt) => {
                merged = Some(receipt);
                state.keep_settings();
                if number == ATTEMPTS {
                    let revision = &context.options.revision;
                    return Err(failure::deploy::merged_with_others(&context.repo, revision));
                }
                context.log.warning(
                    "another writer committed right before the merge, and the branch has both: planning again",
                );
            }
        }
    }
    let (repo, revision) = (&context.repo, &context.options.revision);
    Err(failure::deploy::branch_keeps_moving(repo, revision, merged.is_some()))
}

/// Plans a dry run against a repo or a branch that does not exist: everything is new.
async fn plan_missing_repo(context: &Context<'_>, source: &Source) -> Result<Deployed> {
    let plan = plan_for_nothing(source, context.options.path_in_repo.as_ref())?;
    print_plan(context, &plan, &[]);
    log_first_settings(context).await;
    context.recorder.record(|report| report.status = Some(Status::DryRun));
    let large = plan.changes.iter().filter(|change| change.large).map(|change| change.size).sum();
    Ok(Deployed { dry_plan: DryPlan { plan, large_bytes: large }, ..Deployed::default() })
}

/// Logs the first line of a deploy. The files of a proxy are of no interest to the reader.
fn log_start(options: &DeployOptions, source: &Source, target: &str, log: &Log) {
    let doing = if options.dry_run { "planning a deploy of" } else { "deploying" };
    let what = match options.origin {
        Origin::Checkout => {
            format!("{} ({})", count(source.files.len(), "file"), human_bytes(source.total_size()))
        }
        Origin::Proxy => "the proxy".to_owned(),
        Origin::Model => count(source.files.len(), "generated file"),
    };
    log.info(&format!("{doing} {what} to {target}"));
}
