//! What a run came to: one model, and its renderings as outputs and as a job summary.

mod ends;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hub::{CommitReceipt, Repo, Revision, Stage, Visibility};

use crate::action::markdown;
use crate::app_check::{CheckResult, CheckStatus};
use crate::failure::{Code, Failure};
use crate::ops::deploy::plan::{Action, Plan};
use crate::ops::space::{HardwareStatus, LogTail};
use crate::text::human_bytes;
pub use ends::{InFlight, Landing, Sent, Unfinished};

/// How a run ended: the output `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Deployed,
    Unchanged,
    DryRun,
    /// There was no token, and the workflow says that this is no failure.
    Skipped,
    Failed,
    /// It failed, and the tree that was there before is back.
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
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is known of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    pub status: Option<Status>,
    /// How the run signed in: the output `auth`.
    pub auth: &'static str,
    /// The Hub's address without a trailing slash.
    pub endpoint: String,
    pub repo: Option<Repo>,
    /// The audience of the repo: `None` before it is known.
    pub access: Option<Access>,
    /// The live app's address, as the Hub names it.
    pub space_url: Option<String>,
    /// What the Space has or has requested.
    pub space_hardware: Option<String>,
    /// What became of the hardware that was asked for, if any was.
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
    /// A write that has no answer yet.
    pub in_flight: Option<InFlight>,
    /// The state of the last write that got no answer.
    pub landing: Landing,
    /// A pull request that is to be closed if the run ends now.
    pub unfinished: Option<Unfinished>,
    /// How many parts of how many are on the branch, while it is neither the old tree nor the new one.
    pub parts_on_branch: Option<(usize, usize)>,
    /// The head of the branch, when nothing changed.
    pub head: Option<String>,
    /// The bytes of content that travelled.
    pub bytes_uploaded: u64,
    /// The last stage of the Space that was seen.
    pub space_stage: Option<Stage>,
    /// The result of the check of the running app.
    pub check: Option<CheckResult>,
    /// The last lines of the Space's logs, where they were followed.
    pub log_tails: Vec<LogTail>,
    /// The variables that were written, with their values before: `None` for those that were not there.
    pub variables_before: Vec<(String, Option<String>)>,
    /// The commit that restored the previous tree.
    pub rollback_commit: Option<String>,
    /// The proxy Space, once it was made or changed.
    pub proxy: Option<ProxySpace>,
    /// How long each phase took, in the order of their ends.
    pub timings: Vec<(&'static str, Duration)>,
    pub failure: Option<Failure>,
}

/// The audience of the repo, and this run's part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
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
    /// A dry run: the repo is not there.
    WouldCreate,
    WouldChange,
}

/// The Space in front of the private one.
#[derive(Debug, Clone)]
pub struct ProxySpace {
    pub repo: Repo,
    /// Its public address, as the Hub names it.
    pub url: Option<String>,
}

/// Variables, secrets and volumes that a run writes, or would write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub settings: Vec<WrittenSetting>,
    pub volumes: bool,
}

impl Settings {
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty() && !self.volumes
    }
}

/// A variable or a secret that was written, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenSetting {
    pub is_secret: bool,
    pub key: String,
    pub deleted: bool,
}

/// What is known of a run that is under way: shared by the deploy, which writes it, and by the report,
/// which must be right at whichever moment the run ends.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Mutex<Outcome>>);

impl Ledger {
    pub fn update<T>(&self, change: impl FnOnce(&mut Outcome) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    pub fn read<T>(&self, look: impl FnOnce(&Outcome) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Ledger {
    /// Measures a phase until the guard is dropped.
    #[must_use = "the phase ends when this is dropped"]
    pub fn phase(&self, name: &'static str) -> Phase {
        Phase { ledger: self.clone(), name, started: Instant::now() }
    }
}

/// A phase of the run that is being measured.
#[derive(Debug)]
pub struct Phase {
    ledger: Ledger,
    name: &'static str,
    started: Instant,
}

impl Drop for Phase {
    fn drop(&mut self) {
        let taken = self.started.elapsed();
        self.ledger.update(|outcome| outcome.timings.push((self.name, taken)));
    }
}

/// Changes that the summary lists.
const SHOWN_CHANGES: usize = 50;
/// Warnings that the summary lists.
const SHOWN_WARNINGS: usize = 20;

impl Outcome {
    /// Ends the run with a failure.
    pub fn fail(&mut self, failure: Failure) {
        self.status = Some(match self.status {
            _ if failure.code == Code::Cancelled => Status::Cancelled,
            Some(Status::RolledBack) => Status::RolledBack,
            _ => Status::Failed,
        });
        self.failure = Some(failure);
    }

    fn status(&self) -> Status {
        self.status.unwrap_or(Status::Failed)
    }

    /// Returns true if the run ended before a file of the plan was on the Hub.
    fn is_refused(&self) -> bool {
        let has_landed = self.commit.is_some()
            || self.parts_on_branch.is_some()
            || self.access.is_some_and(|access| access.change == AccessChange::Created);
        matches!(self.status(), Status::Failed | Status::Cancelled) && !has_landed
    }

    /// The repo's page on the Hub.
    pub fn repo_url(&self) -> Option<String> {
        let repo = self.repo.as_ref()?;
        Some(format!("{}/{}", self.endpoint, repo.page()))
    }

    /// Whether variables were written for files that have not come, and are not there already.
    pub fn settings_are_ahead(&self) -> bool {
        self.commit.is_none() && self.head.is_none() && !self.variables_before.is_empty()
    }

    /// Whether something beside the files changed.
    pub fn settings_changed(&self) -> bool {
        let granted = self.hardware_status == Some(HardwareStatus::Granted);
        let published = self.access.is_some_and(|access| access.change == AccessChange::Changed);
        granted || published || !self.written.is_empty()
    }

    fn commit_sha(&self) -> Option<&str> {
        self.commit.as_ref().map(|commit| commit.oid.as_str()).or(self.head.as_deref())
    }

    fn commit_url(&self) -> Option<String> {
        match &self.commit {
            Some(commit) => Some(commit.url.clone()),
            None => Some(format!("{}/commit/{}", self.repo_url()?, self.head.as_deref()?)),
        }
    }
}

/// Every output with its value: an empty one where there is nothing to say.
pub fn outputs(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let plan = outcome.plan.as_ref();
    let count = |action| plan.map(|plan| plan.count(action).to_string()).unwrap_or_default();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let sent = plan.map(|_| outcome.bytes_uploaded.to_string()).unwrap_or_default();
    let pull_request = outcome.pull_request_url();
    let error_code = outcome.failure.as_ref().map(|failure| failure.code.as_str());
    let [check_status, latency, recommended] = check_outputs(outcome.check.as_ref());
    vec![
        ("repo_id", outcome.repo.as_ref().map(|repo| repo.id.to_string()).unwrap_or_default()),
        ("repo_url", outcome.repo_url().unwrap_or_default()),
        ("space_url", text(outcome.space_url.as_deref())),
        ("proxy_enabled", outcome.proxy.is_some().to_string()),
        ("proxy_repo_id", outcome.proxy.as_ref().map(|proxy| proxy.repo.id.to_string()).unwrap_or_default()),
        ("proxy_url", text(outcome.proxy.as_ref().and_then(|proxy| proxy.url.as_deref()))),
        ("status", outcome.status().as_str().to_owned()),
        ("commit_sha", text(outcome.commit_sha())),
        ("commit_url", outcome.commit_url().unwrap_or_default()),
        ("pull_request_url", pull_request.unwrap_or_default()),
        ("files_added", count(Action::Add)),
        ("files_updated", count(Action::Update)),
        ("files_deleted", count(Action::Delete)),
        ("files_unchanged", plan.map(|plan| plan.unchanged.to_string()).unwrap_or_default()),
        ("bytes_uploaded", sent),
        ("space_hardware", text(outcome.space_hardware.as_deref())),
        ("hardware_status", text(outcome.hardware_status.map(HardwareStatus::as_str))),
        ("space_stage", text(outcome.space_stage.as_ref().map(Stage::as_str))),
        check_status,
        latency,
        recommended,
        ("rollback_commit_sha", text(outcome.rollback_commit.as_deref())),
        ("timings", timings(&outcome.timings)),
        ("auth", outcome.auth.to_owned()),
        ("error_code", text(error_code)),
    ]
}

/// Whether an output holds nothing but words and numbers of this action: a secret that happens to be one of them, such
/// as `false`, must not change it.
pub fn is_own_word(output: &str) -> bool {
    output.starts_with("files_")
        || output.starts_with("verify_")
        || matches!(
            output,
            "proxy_enabled"
                | "status"
                | "bytes_uploaded"
                | "hardware_status"
                | "recommended_duration_seconds"
                | "timings"
                | "auth"
                | "error_code"
        )
}

/// Returns the outputs of a check.
pub fn check_outputs(check: Option<&CheckResult>) -> [(&'static str, String); 3] {
    let latency = check.and_then(|check| check.latency).map(|latency| seconds(latency.wall).to_string());
    let recommended = check.and_then(|check| check.recommended_duration_seconds);
    [
        ("verify_status", check.map(|check| check.status.as_str().to_owned()).unwrap_or_default()),
        ("verify_latency_seconds", latency.unwrap_or_default()),
        ("recommended_duration_seconds", recommended.map(|seconds| seconds.to_string()).unwrap_or_default()),
    ]
}

/// The phases as a JSON object of seconds: `{"plan":0.412,"commit":1.5}`.
fn timings(phases: &[(&'static str, Duration)]) -> String {
    let mut sums = serde_json::Map::new();
    for (name, taken) in phases {
        let before = sums.get(*name).and_then(serde_json::Value::as_f64).unwrap_or_default();
        sums.insert((*name).to_owned(), seconds(*taken + Duration::from_secs_f64(before)).into());
    }
    if sums.is_empty() { String::new() } else { serde_json::Value::from(sums).to_string() }
}

/// In seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The job summary, in GitHub's Markdown.
pub fn summary(outcome: &Outcome, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", headline(outcome));
    if let Some(failure) = &outcome.failure {
        text.push_str(&failure_section(failure));
    }
    let rows = facts(outcome);
    if !rows.is_empty() {
        text.push_str("| | |\n| --- | --- |\n");
        for (name, value) in rows {
            text.push_str(&format!("| {name} | {value} |\n"));
        }
        text.push('\n');
    }
    if let Some(plan) = outcome.plan.as_ref().filter(|plan| !plan.is_empty()) {
        text.push_str(&plan_section(plan, outcome.status()));
    }
    if outcome.failure.is_some() {
        for tail in outcome.log_tails.iter().filter(|tail| !tail.is_empty()) {
            text.push_str(&log_section(tail));
        }
    }
    if !warnings.is_empty() {
        text.push_str(&warnings_section(warnings));
    }
    text
}

fn headline(outcome: &Outcome) -> String {
    let target = match &outcome.repo {
        Some(repo) => format!("the {} {}", repo.repo_type.noun(), markdown::code(&repo.id.to_string())),
        None => "Hugging Face".to_owned(),
    };
    let target = match &outcome.revision {
        Some(revision) => format!("{} of {target}", markdown::code(revision.as_str())),
        None => target,
    };
    match outcome.status() {
        Status::Deployed if outcome.not_waited_for => {
            format!("✅ Committed to {target}: not waited for")
        }
        Status::Deployed => format!("✅ Deployed to {target}"),
        Status::Unchanged if outcome.settings_changed() => {
            format!("✅ No file to deploy to {target}: only its settings changed")
        }
        Status::Unchanged => format!("✅ Nothing to deploy to {target}: unchanged"),
        Status::DryRun => format!("🔍 Dry run against {target}: nothing was changed"),
        Status::Skipped => "⏭️ Skipped: this run has no token, and nothing was deployed".to_owned(),
        Status::Failed => format!("❌ The deploy to {target} failed"),
        Status::RolledBack => format!("↩️ The deploy to {target} failed, and was rolled back"),
        Status::Cancelled => format!("🚫 The deploy to {target} was cancelled"),
    }
}

fn failure_section(failure: &Failure) -> String {
    let mut text = format!("{}\n", markdown::fenced(&failure.message));
    let causes = failure.causes();
    if !causes.is_empty() {
        text.push_str(&format!("Caused by:\n\n{}\n", markdown::fenced(&causes.join("\n"))));
    }
    for hint in &failure.hints {
        text.push_str(&format!("- {}\n", markdown::text(hint)));
    }
    text.push_str(&format!("\nError code: {}\n\n", markdown::code(failure.code.as_str())));
    text
}

/// The rows of the one table: a name, and Markdown that is safe in a cell.
fn facts(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let (Some(repo), Some(url)) = (&outcome.repo, outcome.repo_url()) {
        rows.push(("Repo", markdown::link(&repo.id.to_string(), &url)));
    }
    if let Some(access) = outcome.access {
        rows.push(("Visibility", visible(access)));
    }
    // Only the branch `main` runs.
    let is_aside = outcome.revision.is_some() || outcome.pull_request_url().is_some();
    if let Some(url) = outcome.space_url.as_ref().filter(|_| !is_aside) {
        rows.push(("App", markdown::link(url, url)));
    }
    if let Some(hardware) = &outcome.space_hardware {
        let status = outcome.hardware_status.map(|status| match status {
            HardwareStatus::Granted => " (granted)",
            HardwareStatus::Unchanged => " (unchanged)",
            HardwareStatus::ManualHardwareRequired => " (what was asked for is not granted)",
        });
        rows.push(("Hardware", format!("{}{}", markdown::cell_code(hardware), status.unwrap_or_default())));
    }
    if !outcome.written.is_empty() {
        rows.push(("Settings", settings(&outcome.written, "set", "deleted")));
    }
    if !outcome.planned.is_empty() {
        rows.push(("Settings", settings(&outcome.planned, "to set", "to delete")));
    }
    if let Some(stage) = &outcome.space_stage {
        rows.push(("Stage", markdown::cell_code(stage.as_str())));
    }
    if let Some(url) = outcome.proxy.as_ref().and_then(|proxy| proxy.url.as_deref()) {
        rows.push(("Proxy", markdown::link(url, url)));
    }
    if let Some(result) = &outcome.check {
        rows.push(("Check", check(result)));
    }
    if let (Some(sha), Some(url)) = (outcome.commit_sha(), outcome.commit_url()) {
        let name = if outcome.rollback_commit.is_some() { "Failed commit" } else { "Commit" };
        rows.push((name, markdown::link(sha.get(..7).unwrap_or(sha), &url)));
    }
    if let (Some(sha), Some(repo)) = (&outcome.rollback_commit, outcome.repo_url()) {
        let url = format!("{repo}/commit/{sha}");
        rows.push(("Live again", markdown::link(sha.get(..7).unwrap_or(sha), &url)));
    }
    if let Some(url) = &outcome.pull_request_url() {
        rows.push(("Pull request", markdown::link(url, url)));
    }
    if let Some(plan) = &outcome.plan {
        let is_dry = outcome.status() == Status::DryRun;
        let [add, update, delete] = if is_dry || outcome.is_refused() {
            ["to add", "to update", "to delete"]
        } else {
            ["added", "updated", "deleted"]
        };
        let files = format!(
            "{} {add}, {} {update}, {} {delete}, {} unchanged",
            plan.count(Action::Add),
            plan.count(Action::Update),
            plan.count(Action::Delete),
            plan.unchanged
        );
        rows.push(("Files", files));
        if !is_dry {
            rows.push(("Uploaded", human_bytes(outcome.bytes_uploaded)));
        }
    }
    rows
}

/// Renders the audience of the repo.
fn visible(access: Access) -> String {
    let seen = access.visibility.map_or("not private", Visibility::as_str);
    match access.change {
        AccessChange::Kept => seen.to_owned(),
        AccessChange::Created => format!("{seen}, created by this run"),
        AccessChange::Changed => format!("{seen}, changed by this run"),
        AccessChange::WouldCreate => format!("{seen}, would be created"),
        AccessChange::WouldChange => format!("would become {seen}"),
    }
}

/// Renders the status of the check, and the times of its call.
fn check(result: &CheckResult) -> String {
    let mut text = markdown::code(result.status.as_str());
    if let Some(endpoint) = &result.endpoint {
        text.push_str(&format!(" by {}", markdown::cell_code(endpoint)));
    }
    if let Some(latency) = &result.latency {
        text.push_str(&format!(": {latency}"));
    } else if result.status != CheckStatus::Failed {
        text.push_str(&format!(": {}", markdown::cell(&result.detail)));
    }
    text
}

/// The names of what is written: never a value.
fn settings(written: &Settings, set: &str, delete: &str) -> String {
    let mut parts = Vec::new();
    for (verb, deleted) in [(set, false), (delete, true)] {
        for (kind, is_secret) in [("variables", false), ("secrets", true)] {
            let some = written.settings.iter().filter(|s| s.is_secret == is_secret && s.deleted == deleted);
            let names: Vec<String> = some.map(|setting| markdown::cell_code(&setting.key)).collect();
            if !names.is_empty() {
                parts.push(format!("{kind} {verb}: {}", names.join(", ")));
            }
        }
    }
    if written.volumes {
        parts.push(format!("volumes {set}"));
    }
    parts.join("; ")
}

fn plan_section(plan: &Plan, status: Status) -> String {
    let title = match status {
        Status::Deployed | Status::Unchanged => "Changes",
        _ => "Plan",
    };
    let mut text = format!("#### {title}\n\n| Change | Path | Size |\n| --- | --- | ---: |\n");
    for change in plan.changes.iter().take(SHOWN_CHANGES) {
        let (verb, size) = match change.action {
            Action::Add => ("add", human_bytes(change.size)),
            Action::Update => ("update", human_bytes(change.size)),
            Action::Delete => ("delete", String::new()),
        };
        text.push_str(&format!("| {verb} | {} | {size} |\n", markdown::cell_code(change.path.as_str())));
    }
    if plan.changes.len() > SHOWN_CHANGES {
        text.push_str(&format!("\nshowing {SHOWN_CHANGES} of {}\n", plan.changes.len()));
    }
    text.push('\n');
    text
}

/// The end of a log: what it says is shown, and nothing else.
fn log_section(tail: &LogTail) -> String {
    let lines: Vec<&str> = tail.lines().collect();
    format!("#### The end of the {} log\n\n{}\n", tail.kind.as_str(), markdown::fenced(&lines.join("\n")))
}

fn warnings_section(warnings: &[String]) -> String {
    let mut text = "#### Warnings\n\n".to_owned();
    for warning in warnings.iter().take(SHOWN_WARNINGS) {
        text.push_str(&format!("- {}\n", markdown::text(warning)));
    }
    if warnings.len() > SHOWN_WARNINGS {
        text.push_str(&format!("\nshowing {SHOWN_WARNINGS} of {}\n", warnings.len()));
    }
    text.push('\n');
    text
}
