//! One attempt: plans against a head, applies settings, and publishes the plan.

use std::sync::Arc;

use crate::action::journal::Phase;
use crate::failure::{self, Failure, Result};
use crate::folder::Source;
use crate::ops::space::settings::Restart;
use hub::{CommitReceipt, Lookup, Preupload, PullRow, RepoInfo, Runtime};

use super::app_file::AppFile;
use super::apply_settings::{AppliedSettings, apply_settings};
use super::change_set::CommitOutcome;
use super::check_plan::{check_plan, warn_about_unused_patterns};
use super::context::Context;
use super::deployed::{Deployed, DryPlan, before_any_write};
use super::draft::list_own_pull_requests;
use super::ensure_repo::Target;
use super::go_live::wait_and_check;
use super::leave_open::warn_if_public;
use super::make_plan::{Planned, make_plan};
use super::plan_base::PlanBase;
use super::preupload::preupload;
use super::print_plan::print_plan;
use super::remote_settings::RemoteSettings;
use super::report::Status;
use super::secrets;
use super::upload::{EarlyDraft, UploadInput, is_surely_staged, may_be_staged, open_early_draft, upload};
use super::visibility::{apply_visibility, audience_after};
use super::wait::LiveTarget;

/// Input of an attempt.
pub(super) struct Attempt<'a> {
    /// Number of the attempt, from 1.
    pub(super) number: u32,
    pub(super) source: &'a Arc<Source>,
    pub(super) target: &'a Target,
    pub(super) app_file: Option<&'a AppFile>,
    /// Commit of an attempt before, which was merged together with commits of another writer.
    pub(super) merged: Option<&'a CommitReceipt>,
}

/// State of the Space that attempts share, because settings are applied once.
pub(super) struct SpaceState {
    pub(super) settings: RemoteSettings,
    pub(super) applied: Option<AppliedSettings>,
}

impl SpaceState {
    /// Keeps the settings, because the files that belong to them are on the branch.
    pub(super) fn keep_settings(&mut self) {
        if let Some(applied) = &mut self.applied {
            applied.keep();
        }
    }
}

/// End of an attempt.
pub(super) enum AttemptEnd {
    Done(Box<Deployed>),
    /// Another commit landed between plan and commit.
    Overtaken {
        merged: Option<CommitReceipt>,
    },
    /// Another commit landed between the last look and the merge: the branch has both.
    Mixed(CommitReceipt),
}

/// Head of the branch, and answers that the Hub gave at the same time.
pub(super) struct Head {
    info: Box<RepoInfo>,
    asked: Option<Preupload>,
    early_draft: Option<EarlyDraft>,
}

impl Attempt<'_> {
    /// Returns true if this deploy has created the repo or the branch a moment ago.
    fn is_on_new_branch(&self) -> bool {
        self.number == 1 && matches!(self.target, Target::Created(_))
    }
}

/// Fetches the head to plan against: `None` in a dry run against a missing repo. The Hub is asked about the files of a
/// new repo at the same time.
pub(super) async fn fetch_head(context: &Context<'_>, attempt: &Attempt<'_>) -> Result<Option<Head>> {
    let plain = |info| Head { info, asked: None, early_draft: None };
    let new_repo = match attempt.target {
        Target::Missing => return Ok(None),
        Target::Existing(info) if attempt.number == 1 => {
            record_head(context, info);
            return Ok(Some(plain(info.clone())));
        }
        Target::Created(new_repo) if attempt.number == 1 => new_repo.as_ref(),
        Target::Existing(_) | Target::Created(_) => {
            return look_up_head(context).await.map(|info| Some(plain(info)));
        }
    };
    if let Some((info, asked)) = new_repo.and_then(|new_repo| new_repo.known.clone()) {
        return Ok(Some(Head { info, asked: Some(asked), early_draft: None }));
    }
    let source = attempt.source;
    let head = async {
        let info = look_up_head(context).await?;
        // A repo that another writer has created meanwhile may have the files already, and so has one that was created
        // with them.
        let may_have_files = new_repo.is_none_or(|new_repo| !new_repo.files.is_empty());
        if may_have_files || !is_surely_staged(context, source) {
            return Ok::<_, Failure>((info, None));
        }
        let draft = open_early_draft(context, source, info.sha.as_ref()).await?;
        Ok((info, Some(draft)))
    };
    let (head, asked) = tokio::join!(head, preupload(context, source, &context.options.revision));
    let (info, early_draft) = head?;
    Ok(Some(Head { info, asked: Some(asked?), early_draft }))
}

async fn look_up_head(context: &Context<'_>) -> Result<Box<RepoInfo>> {
    match context.hub.look_up(&context.repo, &context.options.revision).await? {
        Lookup::Found(info) => {
            record_head(context, &info);
            Ok(info)
        }
        Lookup::NoRevision | Lookup::NoRepo(_) => Err(failure::deploy::repo_hidden(&context.repo)),
    }
}

fn record_head(context: &Context<'_>, info: &RepoInfo) {
    let hardware = info.runtime.as_ref().and_then(Runtime::flavor).cloned();
    context.recorder.record(|report| {
        report.space_url.clone_from(&info.host);
        report.space_hardware = hardware;
    });
}

/// Plans against a head, applies the settings, and publishes the plan.
pub(super) async fn run_attempt(
    context: &Context<'_>,
    attempt: &Attempt<'_>,
    head: Head,
    state: &mut SpaceState,
) -> Result<AttemptEnd> {
    let Head { info, asked, early_draft } = head;
    let base =
        PlanBase { revision: &context.options.revision, info: &info, is_new: attempt.is_on_new_branch() };
    let (planned, own_pull_requests) = plan(context, attempt, &base, asked).await?;
    let Some(planned) = planned else {
        return Ok(AttemptEnd::Overtaken { merged: close_unused(early_draft).await });
    };
    let is_merged = attempt.merged.is_some() && planned.plan.is_empty();
    if is_merged {
        context.log.info("nothing is left to do on top of both");
        context.recorder.record(|report| report.status = Some(Status::Deployed));
    } else {
        print_plan(context, &planned.plan, attempt.target.created_files());
    }
    if !base.is_new && !is_merged {
        if attempt.number == 1 {
            warn_about_unused_patterns(context, &attempt.source.unused_patterns, planned.there.as_deref());
        }
        check_plan(context, &planned, attempt.source, &info, attempt.app_file).await?;
    }
    search_secrets(context, attempt, &planned, &info, state).await?;
    state.settings.audience = apply_visibility(context, state.settings.audience).await?;

    let commits = !planned.plan.is_empty();
    let mut uploaded = None;
    if commits && !context.options.dry_run {
        let source = attempt.source;
        let input = UploadInput { source, planned: &planned, base, own_pull_requests, early_draft };
        uploaded = Some(upload(context, input).await?);
    } else {
        close_unused(early_draft).await;
    }
    // After the upload, because the old app must not run with new settings while large files are sent.
    if state.applied.is_none() {
        let new_repo = attempt.target.new_repo().filter(|new_repo| !new_repo.is_unanswered);
        let at_creation = new_repo.map(|new_repo| &new_repo.hardware);
        let restart = if commits { Restart::Expected } else { Restart::None };
        let applied = apply_settings(context, &mut state.settings, at_creation, &info, restart).await?;
        state.applied = Some(applied);
    }
    if context.options.dry_run {
        context.recorder.record(|report| report.status = Some(Status::DryRun));
        let large_bytes = planned.large_bytes();
        let dry_plan = DryPlan { plan: planned.plan, large_bytes };
        return Ok(done(Deployed::dry_run(&info, dry_plan)));
    }
    let Some(uploaded) = uploaded else {
        if !is_merged {
            conclude_without_commit(context, attempt, planned, &info);
        }
        return go_live(context, attempt, &info, None, state).await.map(done);
    };
    let receipt = match uploaded.commit(context).await? {
        CommitOutcome::Overtaken { merged } => return Ok(AttemptEnd::Overtaken { merged }),
        CommitOutcome::Committed(receipt) => {
            report_commit(context, attempt, planned, &receipt);
            receipt
        }
        CommitOutcome::Mixed(receipt) => {
            report_commit(context, attempt, planned, &receipt);
            return Ok(AttemptEnd::Mixed(receipt));
        }
    };
    go_live(context, attempt, &info, Some(&receipt), state).await.map(done)
}

fn done(deployed: Deployed) -> AttemptEnd {
    AttemptEnd::Done(Box::new(deployed))
}

/// Makes the plan. If it may be too large for one commit, the pull requests of an interrupted run are listed meanwhile.
async fn plan(
    context: &Context<'_>,
    attempt: &Attempt<'_>,
    base: &PlanBase<'_>,
    asked: Option<Preupload>,
) -> Result<(Option<Planned>, Vec<PullRow>)> {
    let _phase = context.journal.enter(Phase::Analyze, "plan");
    let is_first = attempt.number == 1;
    let pull_requests = async {
        let may_resume = is_first && !base.is_new && !context.options.dry_run;
        if may_resume && may_be_staged(context, attempt.source) {
            return list_own_pull_requests(context).await;
        }
        Vec::new()
    };
    let (planned, pull_requests) =
        tokio::join!(make_plan(context, attempt.source, base, asked), pull_requests);
    let is_untouched = is_first && !base.is_new;
    let planned = if is_untouched { planned.map_err(before_any_write) } else { planned };
    Ok((planned?, pull_requests))
}

/// Searches the files of an existing repo. Those of a new one were searched before it was created.
async fn search_secrets(
    context: &Context<'_>,
    attempt: &Attempt<'_>,
    planned: &Planned,
    info: &RepoInfo,
    state: &SpaceState,
) -> Result<()> {
    if !matches!(attempt.target, Target::Existing(_)) {
        return Ok(());
    }
    let before = state.settings.audience;
    let after = audience_after(context, before);
    let is_published = after.reads_files() && before.is_some_and(|before| !before.reads_files());
    if is_published {
        let names = info.siblings.iter().flatten().map(|sibling| sibling.rfilename.as_str());
        return secrets::search_published(context, attempt.source, names, after).await;
    }
    secrets::search_plan(context, attempt.source, &planned.plan, after).await
}

/// Closes a draft that the plan did not need.
async fn close_unused(early_draft: Option<EarlyDraft>) -> Option<CommitReceipt> {
    early_draft?.opened.ok()?.closing.close().await
}

/// Reports that the head is as wanted: it was before, or this deploy has created the repo with it.
fn conclude_without_commit(context: &Context<'_>, attempt: &Attempt<'_>, planned: Planned, info: &RepoInfo) {
    let created = attempt.target.created_files();
    let status = if created.is_empty() { Status::Unchanged } else { Status::Deployed };
    context.recorder.record(|report| {
        report.status = Some(status);
        report.head.clone_from(&info.sha);
        report.plan = Some(planned.plan.with_created(created));
    });
}

fn report_commit(context: &Context<'_>, attempt: &Attempt<'_>, planned: Planned, receipt: &CommitReceipt) {
    if receipt.recovered {
        context.log.info("the commit is on the Hub, although its answer was lost");
    }
    context.log.info(&format!("committed {}", receipt.url));
    let created = attempt.target.created_files();
    context.recorder.record(|report| {
        report.status = Some(Status::Deployed);
        report.commit = Some(receipt.clone());
        report.plan = Some(planned.plan.with_created(created));
    });
}

/// Waits until the head runs. `receipt` is the commit of this deploy.
async fn go_live(
    context: &Context<'_>,
    attempt: &Attempt<'_>,
    before: &RepoInfo,
    receipt: Option<&CommitReceipt>,
    state: &mut SpaceState,
) -> Result<Deployed> {
    let mut deployed = Deployed {
        commit: receipt.map(|receipt| receipt.oid.clone()).or_else(|| before.sha.clone()),
        space_url: before.host.clone(),
        hardware: state.applied.as_ref().and_then(|applied| applied.hardware),
        ..Deployed::default()
    };
    let Some(commit) = &deployed.commit else { return Ok(deployed) };
    state.keep_settings();
    let target = LiveTarget {
        commit,
        before,
        receipt,
        is_new_space: attempt.is_on_new_branch(),
        sdk: state.settings.sdk,
        source: attempt.source,
        hardware: deployed.hardware,
        settings: state.applied.as_ref().and_then(|applied| applied.undo.as_ref()),
    };
    if context.runs_result() && context.options.space.wait.is_some() {
        warn_if_public(context, audience_after(context, state.settings.audience));
    }
    deployed.check = wait_and_check(context, &target).await?;
    Ok(deployed)
}
