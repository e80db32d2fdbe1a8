//! The job summary of a deploy: the report, in GitHub's Markdown.

use crate::action::markdown;
use crate::commands::summary_parts::{facts_table, failure_section, log_section, warnings_section};
use crate::ops::deploy::plan::{Action, Change, Plan};
use crate::ops::deploy::report::{DeployReport, Status};
use crate::text::{count, human_bytes};

use super::facts::{Tense, facts};

/// Largest number of rows that are not folded.
const OPEN_ROWS: usize = 10;
/// Largest number of changes of a kind that the summary lists.
const SHOWN_CHANGES: usize = 200;

/// Renders the job summary: the verdict and, after a failure, its cause with the end of the log. Then the facts, the
/// changes of the files, and the warnings.
pub fn summary(report: &DeployReport, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", verdict(report));
    if report.status() == Status::DryRun {
        text.push_str("Nothing was changed.\n\n");
    }
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
        for tail in report.failed_logs().iter().filter(|tail| !tail.is_empty()) {
            text.push_str(&log_section(tail));
        }
    }
    text.push_str(&facts_table(facts(report)));
    if let Some(plan) = &report.plan {
        let new_repo = report.repo.as_ref().filter(|_| report.created).map(|repo| repo.repo_type.noun());
        text.push_str(&plan_section(plan, Tense::of(report), new_repo));
    }
    text.push_str(&warnings_section(warnings));
    text
}

/// Renders the result of the run as one line.
pub fn verdict(report: &DeployReport) -> String {
    let repo = match &report.repo {
        Some(repo) => format!("the {} {}", repo.repo_type.noun(), markdown::code(&repo.id.to_string())),
        None => "Hugging Face".to_owned(),
    };
    let target = match &report.revision {
        Some(revision) => format!("{} of {repo}", markdown::code(revision.as_str())),
        None => repo,
    };
    match report.status() {
        Status::Deployed if !report.has_changed_files() => {
            let waited = if report.not_waited_for { ", and were not waited for" } else { "" };
            let what = if report.settings_changed() { "its settings" } else { "its proxy" };
            format!("✅ No file to deploy to {target}: only {what} changed{waited}")
        }
        Status::Deployed if report.not_waited_for => format!("✅ Committed to {target}: not waited for"),
        Status::Deployed => format!("✅ Deployed to {target}"),
        Status::Unchanged => format!("✅ Nothing to deploy to {target}: unchanged"),
        Status::DryRun => format!("🔍 Dry run: {}", planned(report, &target)),
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

/// Describes in the conditional what a deploy would do.
fn planned(report: &DeployReport, target: &str) -> String {
    let has_changes = report.plan.as_ref().is_some_and(|plan| !plan.is_empty());
    if report.is_new_repo() {
        format!("a deploy would create {target}")
    } else if has_changes {
        format!("a deploy would change {target}")
    } else if report.settings_changed() {
        format!("a deploy would change the settings of {target}, and no file")
    } else {
        format!("a deploy would change nothing in {target}")
    }
}

/// Renders the deletions, then the other changes. `new_repo` is the noun of a repo that this run created: the Hub had put
/// the deleted files into it.
pub fn plan_section(plan: &Plan, tense: Tense, new_repo: Option<&str>) -> String {
    let (deleted, written): (Vec<&Change>, Vec<&Change>) =
        plan.changes.iter().partition(|change| change.action == Action::Delete);
    let mut text = String::new();
    let title = |changes: &[&Change], verbs: &str| {
        let files = count(changes.len(), "file");
        match tense {
            Tense::Done => format!("{files} {verbs}"),
            Tense::Conditional => format!("{files} would be {verbs}"),
            Tense::RolledBack => format!("{files} {verbs}, and restored"),
        }
    };
    if !deleted.is_empty() {
        let rows: Vec<String> = deleted
            .iter()
            .take(SHOWN_CHANGES)
            .map(|change| format!("- {}\n", markdown::code(change.path.as_str())))
            .collect();
        let origin = new_repo.map(|noun| format!(" that came with the new {noun}")).unwrap_or_default();
        let title = format!("{}{origin}", title(&deleted, "deleted"));
        text.push_str(&folded(&title, &rows.concat(), deleted.len()));
    }
    if !written.is_empty() {
        let mut table = "| Change | Path | Size |\n| --- | --- | ---: |\n".to_owned();
        table.extend(written.iter().take(SHOWN_CHANGES).map(|change| row(change)));
        let title = title(&written, "added or updated");
        text.push_str(&folded(&title, &table, written.len()));
    }
    text
}

fn row(change: &Change) -> String {
    let verb = match change.action {
        Action::Add => "add",
        Action::Update => "update",
        Action::Delete => "delete",
    };
    let (path, size) = (markdown::cell_code(change.path.as_str()), human_bytes(change.size));
    format!("| {verb} | {path} | {size} |\n")
}

/// Renders a list below its title. A long list is folded.
fn folded(title: &str, list: &str, length: usize) -> String {
    let cut = match length {
        length if length > SHOWN_CHANGES => format!("\nshowing {SHOWN_CHANGES} of {length}\n"),
        _ => String::new(),
    };
    if length > OPEN_ROWS {
        format!("<details>\n<summary>{title}</summary>\n\n{list}{cut}\n</details>\n\n")
    } else {
        format!("#### {title}\n\n{list}{cut}\n")
    }
}
