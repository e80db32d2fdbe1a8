//! The job summary of a deploy: the report, in GitHub's Markdown.

use crate::action::markdown;
use crate::app_check::{CheckResult, CheckStatus};
use crate::commands::summary_parts::{facts_table, failure_section, log_section, warnings_section};
use crate::ops::deploy::plan::{Action, Plan};
use crate::ops::deploy::report::{AccessChange, DeployReport, RepoAccess, Settings, Status};
use crate::ops::space::HardwareStatus;
use crate::text::human_bytes;
use hub::Visibility;

/// Largest number of changes that the summary lists.
const SHOWN_CHANGES: usize = 50;

/// Renders the job summary.
pub fn summary(report: &DeployReport, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", headline(report));
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
    }
    text.push_str(&facts_table(facts(report)));
    if let Some(plan) = report.plan.as_ref().filter(|plan| !plan.is_empty()) {
        text.push_str(&plan_section(plan, report.status()));
    }
    if report.failure.is_some() {
        for tail in report.failed_logs().iter().filter(|tail| !tail.is_empty()) {
            text.push_str(&log_section(tail));
        }
    }
    text.push_str(&warnings_section(warnings));
    text
}

fn headline(report: &DeployReport) -> String {
    let repo = match &report.repo {
        Some(repo) => format!("the {} {}", repo.repo_type.noun(), markdown::code(&repo.id.to_string())),
        None => "Hugging Face".to_owned(),
    };
    let target = match &report.revision {
        Some(revision) => format!("{} of {repo}", markdown::code(revision.as_str())),
        None => repo,
    };
    match report.status() {
        Status::Deployed if report.not_waited_for => {
            format!("✅ Committed to {target}: not waited for")
        }
        Status::Deployed => format!("✅ Deployed to {target}"),
        Status::Unchanged if report.settings_changed() => {
            format!("✅ No file to deploy to {target}: only its settings changed")
        }
        Status::Unchanged => format!("✅ Nothing to deploy to {target}: unchanged"),
        Status::DryRun => format!("🔍 Dry run against {target}: nothing was changed"),
        Status::Skipped => match report.skipped_because {
            Some(reason) => format!("⏭️ Skipped: {reason}"),
            None => "⏭️ Skipped: this run has no token, and nothing was deployed".to_owned(),
        },
        Status::Deleted => format!("🗑️ Deleted {target}, the preview of a closed pull request"),
        Status::Failed => format!("❌ The deploy to {target} failed"),
        Status::RolledBack => format!("↩️ The deploy to {target} failed, and was rolled back"),
        Status::Cancelled => format!("🚫 The deploy to {target} was cancelled"),
    }
}

/// Returns the rows of the table: a name, and Markdown that is safe in a cell.
fn facts(report: &DeployReport) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let (Some(repo), Some(url)) = (&report.repo, report.repo_url()) {
        rows.push(("Repo", markdown::link(&repo.id.to_string(), &url)));
    }
    if let Some(access) = report.access {
        rows.push(("Visibility", visible(access)));
    }
    // The app runs the branch `main` only.
    let affects_app = report.revision.is_none() && report.pull_request_url().is_none();
    if let Some(url) = report.space_url.as_ref().filter(|_| affects_app) {
        rows.push(("App", markdown::link(url, url)));
    }
    if let Some(hardware) = &report.space_hardware {
        let status = report.hardware_status.map(|status| match status {
            HardwareStatus::Granted => " (granted)",
            HardwareStatus::Unchanged => " (unchanged)",
            HardwareStatus::ManualHardwareRequired => " (what was asked for is not granted)",
        });
        rows.push((
            "Hardware",
            format!("{}{}", markdown::cell_code(hardware.as_str()), status.unwrap_or_default()),
        ));
    }
    if !report.written.is_empty() {
        rows.push(("Settings", settings(&report.written, "set", "deleted")));
    }
    if !report.planned.is_empty() {
        rows.push(("Settings", settings(&report.planned, "to set", "to delete")));
    }
    if let Some(stage) = &report.space_stage {
        rows.push(("Stage", markdown::cell_code(stage.as_str())));
    }
    if let Some((_, url)) = report.proxy_space() {
        rows.push(("Proxy", markdown::link(url, url)));
    }
    if let Some(url) = &report.preview.comment_url {
        rows.push(("Comment", markdown::link(url, url)));
    }
    if let Some(result) = &report.check {
        rows.push(("Check", check(result)));
    }
    if let (Some(sha), Some(url)) = (report.commit_sha(), report.commit_url()) {
        let name = if report.rollback_commit.is_some() { "Failed commit" } else { "Commit" };
        rows.push((name, markdown::link(sha.get(..7).unwrap_or(sha), &url)));
    }
    if let (Some(sha), Some(repo)) = (&report.rollback_commit, report.repo_url()) {
        let url = format!("{repo}/commit/{sha}");
        rows.push(("Live again", markdown::link(sha.get(..7).unwrap_or(sha), &url)));
    }
    if let Some(url) = &report.pull_request_url() {
        rows.push(("Pull request", markdown::link(url, url)));
    }
    if let Some(plan) = &report.plan {
        let is_dry = report.status() == Status::DryRun;
        let [add, update, delete] = if is_dry || report.is_refused() {
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
            rows.push(("Uploaded", human_bytes(report.bytes_uploaded)));
        }
    }
    rows
}

/// Renders the audience of the repo.
fn visible(access: RepoAccess) -> String {
    let seen = access.visibility.map_or("not private", Visibility::as_str);
    match access.change {
        AccessChange::Kept => seen.to_owned(),
        AccessChange::Created => format!("{seen}, created by this run"),
        AccessChange::Changed => format!("{seen}, changed by this run"),
        AccessChange::WouldCreate => format!("{seen}, would be created"),
        AccessChange::WouldChange => format!("would become {seen}"),
    }
}

/// Renders the status of the check, and the time of its call.
fn check(result: &CheckResult) -> String {
    let mut text = markdown::code(result.status.as_str());
    if let Some(endpoint) = &result.endpoint {
        text.push_str(&format!(" by {}", markdown::cell_code(endpoint)));
    }
    if let Some(latency) = result.latency() {
        text.push_str(&format!(": {latency}"));
    } else if result.status != CheckStatus::Failed {
        text.push_str(&format!(": {}", markdown::cell(&result.detail)));
    }
    text
}

/// Renders the names of written settings. Values are never rendered.
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
