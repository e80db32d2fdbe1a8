//! The job summary of an upload of a dataset: the report, in GitHub's Markdown.

use crate::action::markdown;
use crate::commands::deploy::facts::{Tense, facts};
use crate::commands::deploy::summary::{plan_section, verdict};
use crate::commands::summary_parts::{facts_table, failure_section, warnings_section};
use crate::ops::dataset::upload::{DatasetReport, SessionFacts, SplitFacts};
use crate::ops::deploy::report::Status;
use crate::text::human_bytes;

/// Largest number of splits that the summary lists.
const SHOWN_SPLITS: usize = 50;

/// Renders the job summary. It shows no row, because more people may read it than the dataset.
pub(super) fn summary(report: &DatasetReport, warnings: &[String]) -> String {
    let deploy = &report.deploy;
    let mut text = format!("### {}\n\n", verdict(deploy));
    if deploy.status() == Status::DryRun {
        text.push_str("Nothing was changed.\n\n");
    }
    if let Some(failure) = &deploy.failure {
        text.push_str(&failure_section(failure));
    }
    let mut rows = facts(deploy);
    if let Some(viewer) = &report.viewer {
        rows.push(("Viewer", markdown::cell(&viewer.to_string())));
    }
    text.push_str(&facts_table(rows));
    if let Some(sessions) = &report.sessions {
        text.push_str(&sessions_section(sessions));
    }
    text.push_str(&splits_section(report.splits.as_deref().unwrap_or_default()));
    if let Some(plan) = &deploy.plan {
        text.push_str(&plan_section(plan, Tense::of(deploy), deploy.created.then_some("dataset")));
    }
    text.push_str(&warnings_section(warnings));
    text
}

fn sessions_section(facts: &SessionFacts) -> String {
    let mut text = format!("#### Sessions\n\n{}.\n\n", facts.size());
    if facts.redactions.is_empty() {
        return text;
    }
    text.push_str("| Replaced before the upload | Number |\n| --- | ---: |\n");
    for (kind, number) in &facts.redactions {
        text.push_str(&format!("| {} | {number} |\n", markdown::cell(kind)));
    }
    text.push('\n');
    text
}

fn splits_section(splits: &[SplitFacts]) -> String {
    if splits.is_empty() {
        return String::new();
    }
    let mut text = "#### Rows\n\n| Split | Rows | Files | Size |\n| --- | ---: | ---: | ---: |\n".to_owned();
    for split in splits.iter().take(SHOWN_SPLITS) {
        let (name, size) = (markdown::cell_code(&split.name), human_bytes(split.bytes()));
        text.push_str(&format!("| {name} | {} | {} | {size} |\n", split.rows(), split.files.len()));
    }
    if splits.len() > SHOWN_SPLITS {
        text.push_str(&format!("\nshowing {SHOWN_SPLITS} of {}\n", splits.len()));
    }
    text.push('\n');
    text
}
