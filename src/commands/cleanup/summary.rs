//! The job summary of a clean-up.

use crate::action::markdown;
use crate::commands::summary_parts::{failure_section, warnings_section};
use crate::ops::cleanup::{CleanupReport, Outcome, Status};
use crate::text::count;

/// Largest number of decisions that the summary lists.
const SHOWN_DECISIONS: usize = 100;

/// Renders the job summary: failed repos first, then deleted ones.
pub(super) fn summary(report: &CleanupReport, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", headline(report));
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
    }
    let mut decisions: Vec<_> = report.decisions.iter().collect();
    decisions.sort_by_key(|decision| match decision.outcome {
        Outcome::Failed => 0,
        Outcome::Deleted => 1,
        Outcome::Settled => 2,
        Outcome::Gone => 3,
        Outcome::Kept => 4,
    });
    if !decisions.is_empty() {
        text.push_str("| Repo | | Reason |\n| --- | --- | --- |\n");
    }
    for decision in decisions.iter().take(SHOWN_DECISIONS) {
        let [repo, reason] = [&decision.repo.to_string(), &decision.reason].map(|text| markdown::cell(text));
        let word = word(decision.outcome, report.is_dry_run);
        text.push_str(&format!("| {repo} | {word} | {reason} |\n"));
    }
    if decisions.len() > SHOWN_DECISIONS {
        text.push_str(&format!("\nshowing {SHOWN_DECISIONS} of {}\n", decisions.len()));
    }
    text.push('\n');
    text.push_str(&warnings_section(warnings));
    text
}

fn headline(report: &CleanupReport) -> String {
    let deleted = count(report.count(Outcome::Deleted), "repo");
    match report.status() {
        Status::Deleted => format!("✅ Deleted {deleted}"),
        Status::Unchanged => "✅ No repo to delete".to_owned(),
        Status::DryRun => format!("🔍 Dry run: {deleted} would be deleted"),
        Status::Failed => "❌ The clean-up failed".to_owned(),
        Status::Cancelled => "🚫 The clean-up was cancelled".to_owned(),
    }
}

fn word(outcome: Outcome, is_dry_run: bool) -> &'static str {
    match outcome {
        Outcome::Deleted if is_dry_run => "would be deleted",
        Outcome::Deleted => "deleted",
        Outcome::Kept => "kept",
        Outcome::Gone => "gone already",
        Outcome::Settled if is_dry_run => "GitHub would be brought up to date",
        Outcome::Settled => "GitHub brought up to date",
        Outcome::Failed => "**not deleted**",
    }
}
