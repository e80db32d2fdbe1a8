//! The report of a deploy: facts for outputs and summary, true in whichever moment the run ends.
//!
//! Operations write it through a [`Recorder`](crate::action::Recorder), and never read it.

use std::time::Duration;

use crate::app_check::CheckResult;
use crate::failure::{Code, Failure};
use crate::ops::space::{DevModeAccess, HardwareStatus, LogTail};
use hub::{
    CommitId, CommitReceipt, Flavor, HardwareName, Repo, Revision, SleepTime, SpaceSdk, Stage, Visibility,
};

use super::options::Provenance;
use super::plan::{Action, Plan};

/// End of a run: the output `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Deployed,
    Unchanged,
    DryRun,
    /// There was nothing to do: no token, and the workflow accepts that, or no preview to delete.
    Skipped,
    /// The preview of a closed pull request is deleted.
    Deleted,
    Failed,
    /// The deploy failed, and the previous tree is restored.
    RolledBack,
    Cancelled,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Unchanged => "unchanged",
            Self::DryRun => "dry-run",
            Self::Skipped => "skipped",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Facts about a deploy.
#[derive(Debug, Default)]
pub struct DeployReport {
    pub status: Option<Status>,
    /// Kind of sign-in: the output `auth`.
    pub auth: &'static str,
    /// The Hub's address without a trailing slash.
    pub endpoint: String,
    pub repo: Option<Repo>,
    /// Source of the files on GitHub.
    pub provenance: Provenance,
    /// Time from the start of the run to its end.
    pub took: Option<Duration>,
    /// Audience of the repo: `None` before it is known.
    pub access: Option<RepoAccess>,
    /// Address of the live app, as the Hub names it.
    pub space_url: Option<String>,
    /// SDK of the Space, as the card or the files have it.
    pub sdk: Option<SpaceSdk>,
    /// Hardware that the workflow prefers.
    pub wanted_hardware: Option<Flavor>,
    /// Hardware that the Space has or has requested.
    pub space_hardware: Option<HardwareName>,
    /// Price of an hour in US dollars: of that hardware, or in a dry run of the hardware that it would request.
    pub hourly_price: Option<f64>,
    /// Result of the request for hardware, if there was one.
    pub hardware_status: Option<HardwareStatus>,
    /// Settings that were written beside the files.
    pub written: Settings,
    /// Settings that a dry run would write.
    pub planned: Settings,
    pub plan: Option<Plan>,
    pub commit: Option<CommitReceipt>,
    /// True once this run has created the repo.
    pub created: bool,
    /// A branch other than `main`, or a pull request, that the run deploys to.
    pub revision: Option<Revision>,
    /// True if the workflow does not wait until the commit runs.
    pub not_waited_for: bool,
    /// State of the last write that got no answer.
    pub unanswered: Unanswered,
    /// Finished parts and their total number, while the branch has neither the old tree nor the new one.
    pub parts_on_branch: Option<(usize, usize)>,
    /// Head of the branch, if nothing changed.
    pub head: Option<CommitId>,
    /// Bytes of content that were sent.
    pub bytes_uploaded: u64,
    /// Last stage of the Space that was seen.
    pub space_stage: Option<Stage>,
    /// Result of the check of the running app.
    pub check: Option<CheckResult>,
    /// Last lines of the Space's logs, if they were followed.
    pub log_tails: Vec<LogTail>,
    /// Ways into the failed Space, if this run left it in dev mode.
    pub dev_mode: Option<DevModeAccess>,
    /// Commit that restored the previous tree.
    pub rollback_commit: Option<CommitId>,
    /// Commit whose tree was restored.
    pub restored: Option<CommitId>,
    /// The proxy Space, if there is one.
    pub proxy: Option<Box<ProxyReport>>,
    pub failure: Option<Failure>,
    /// Reason of a run that is skipped.
    pub skipped_because: Option<&'static str>,
    /// Objects of the run on GitHub.
    pub preview: PreviewReport,
}

/// Facts about the preview of a pull request, and about a deployment on GitHub.
#[derive(Debug, Default)]
pub struct PreviewReport {
    /// The run is for a pull request, and does not touch the repo of the inputs.
    pub is_preview: bool,
    /// Page of the comment on the pull request.
    pub comment_url: Option<String>,
    /// Id of the deployment on GitHub.
    pub deployment_id: Option<u64>,
}

/// Facts about the proxy Space in front of a private one.
#[derive(Debug, Default)]
pub struct ProxyReport {
    pub repo: Option<Repo>,
    pub state: ProxyState,
    pub deploy: DeployReport,
}

/// Progress of the deploy of a proxy Space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyState {
    /// A dry run, or the deploy has not ended.
    #[default]
    Pending,
    Deployed,
    Failed,
}

/// State of a write that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unanswered {
    /// There is no such write, or the Hub was asked, and the rest of the report has the result.
    #[default]
    Settled,
    /// The Hub was asked, and does not have it.
    NotSeen,
    /// The Hub could not be asked.
    Unknown,
}

/// Audience of the repo, and this run's part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepoAccess {
    /// `None`: public or protected, and the Hub does not say which.
    pub visibility: Option<Visibility>,
    pub change: AccessChange,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessChange {
    Kept,
    /// The repo is new.
    Created,
    Changed,
    /// A dry run: the repo does not exist.
    WouldCreate,
    WouldChange,
}

/// Settings of a Space that a run writes, or would write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub settings: Vec<WrittenSetting>,
    pub volumes: bool,
    pub sleep_time: Option<SleepTime>,
    /// Hardware that a dry run would request.
    pub hardware: Option<HardwareName>,
}

impl Settings {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A variable or a secret that was written, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenSetting {
    pub is_secret: bool,
    pub key: String,
    pub deleted: bool,
}

impl DeployReport {
    /// Ends the report with a failure.
    pub fn fail(&mut self, failure: Failure) {
        self.status = Some(match self.status {
            _ if failure.code == Code::Cancelled => Status::Cancelled,
            Some(Status::RolledBack) => Status::RolledBack,
            _ => Status::Failed,
        });
        self.failure = Some(failure);
    }

    /// Returns the status as far as it is known. A run without a status has failed. A run that changed only settings, or
    /// only the proxy Space, has deployed something.
    pub fn status(&self) -> Status {
        match self.status.unwrap_or(Status::Failed) {
            Status::Unchanged if self.settings_changed() || self.has_changed_proxy() => Status::Deployed,
            status => status,
        }
    }

    fn has_changed_proxy(&self) -> bool {
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.state == ProxyState::Deployed);
        proxy.is_some_and(|proxy| proxy.deploy.status() == Status::Deployed)
    }

    /// Returns true if the run has created the repo, or a dry run would.
    pub fn is_new_repo(&self) -> bool {
        let change = self.access.map(|access| access.change);
        self.created || matches!(change, Some(AccessChange::Created | AccessChange::WouldCreate))
    }

    /// Returns true if the run has put files of the folder on the Hub.
    pub fn has_changed_files(&self) -> bool {
        let has_files = self.plan.as_ref().is_some_and(|plan| !plan.is_empty());
        self.commit.is_some() || (has_files && self.status() == Status::Deployed)
    }

    /// Returns the number of changes of a kind, if there is a plan.
    pub fn count(&self, action: Action) -> Option<usize> {
        self.plan.as_ref().map(|plan| plan.count(action))
    }

    /// Returns true if the run ended before a file of the plan was on the Hub.
    pub fn is_refused(&self) -> bool {
        let has_landed = self.commit.is_some()
            || self.parts_on_branch.is_some()
            || self.access.is_some_and(|access| access.change == AccessChange::Created);
        matches!(self.status(), Status::Failed | Status::Cancelled) && !has_landed
    }

    /// Returns the repo's page on the Hub.
    pub fn repo_url(&self) -> Option<String> {
        let repo = self.repo.as_ref()?;
        Some(format!("{}/{}", self.endpoint, repo.page()))
    }

    /// Returns true if something beside the files changed, or would change in a dry run.
    pub fn settings_changed(&self) -> bool {
        let is_granted = self.hardware_status == Some(HardwareStatus::Granted);
        let change = self.access.map(|access| access.change);
        let has_new_audience = matches!(change, Some(AccessChange::Changed | AccessChange::WouldChange));
        is_granted || has_new_audience || !self.written.is_empty() || !self.planned.is_empty()
    }

    /// Returns the commit that the branch has.
    pub fn commit_sha(&self) -> Option<&str> {
        self.commit.as_ref().map(|commit| commit.oid.as_str()).or(self.head.as_deref())
    }

    /// Returns the page of that commit.
    pub fn commit_url(&self) -> Option<String> {
        match &self.commit {
            Some(commit) => Some(commit.url.clone()),
            None => Some(format!("{}/commit/{}", self.repo_url()?, self.head.as_deref()?)),
        }
    }

    /// Returns the page of the pull request that the deploy is in.
    pub fn pull_request_url(&self) -> Option<String> {
        let opened = self.commit.as_ref().and_then(|commit| commit.pull_request_url.clone());
        let number = || self.revision.as_ref()?.as_str().strip_prefix("refs/pr/");
        opened.or_else(|| Some(format!("{}/discussions/{}", self.repo_url()?, number()?)))
    }

    /// Returns the page of the branch, if it is another than `main`.
    pub fn branch_url(&self) -> Option<String> {
        Some(format!("{}/tree/{}", self.repo_url()?, self.revision.as_ref()?))
    }

    /// Returns the proxy Space with its public address, once it is deployed.
    pub fn proxy_space(&self) -> Option<(&Repo, &str)> {
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.state != ProxyState::Pending)?;
        Some((proxy.repo.as_ref()?, proxy.deploy.space_url.as_deref()?))
    }

    /// Returns the ends of the logs that belong to the failure.
    pub fn failed_logs(&self) -> &[LogTail] {
        match &self.proxy {
            Some(proxy) if proxy.state == ProxyState::Failed => &proxy.deploy.log_tails,
            _ => &self.log_tails,
        }
    }
}
