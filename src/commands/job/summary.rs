//! The job summary of a Job: the report, in GitHub's Markdown.

use std::time::Duration;

use crate::action::markdown;
use crate::commands::summary_parts::{failure_section, warnings_section};
use crate::ops::job::report::{JobReport, Status};
use crate::text::{count, human_duration};

/// Renders the job summary.
pub(super) fn summary(report: &JobReport, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", headline(report));
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
    }
    let rows = facts(report);
    if !rows.is_empty() {
        text.push_str("| | |\n| --- | --- |\n");
        for (name, value) in rows {
            text.push_str(&format!("| {name} | {value} |\n"));
        }
        text.push('\n');
    }
    if report.failure.is_some() && !report.last_lines.is_empty() {
        let lines = report.last_lines.join("\n");
        text.push_str(&format!("#### The end of the log\n\n{}\n", markdown::fenced(&lines)));
    }
    text.push_str(&warnings_section(warnings));
    text
}

fn headline(report: &JobReport) -> String {
    let job = match &report.job {
        Some(job) => {
            format!("The Job {}", markdown::link(&format!("{}/{}", job.namespace, job.id), &job.url))
        }
        None => "The Job".to_owned(),
    };
    match report.status() {
        Status::Succeeded => format!("✅ {job} succeeded"),
        Status::Running => format!("🏃 {job} runs on: not waited for"),
        Status::Cancelled => format!("🚫 {job} was cancelled"),
        Status::Failed if report.job.is_none() => "❌ No Job was created".to_owned(),
        Status::Failed => format!("❌ {job} failed"),
    }
}

/// Returns the rows of the table: a name, and Markdown that is safe in a cell.
fn facts(report: &JobReport) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(flavor) = report.flavor.as_ref().filter(|flavor| !flavor.is_empty()) {
        rows.push(("Hardware", markdown::cell_code(flavor)));
    }
    if let Some(price) = report.price {
        rows.push(("Price", format!("${:.2} per hour", price.per_hour())));
    }
    let time = |seconds: Option<f64>| {
        seconds.map(|seconds| human_duration(Duration::from_secs_f64(seconds.max(0.0))))
    };
    if let Some(time) = time(report.durations.scheduling_secs) {
        rows.push(("Queue time", time));
    }
    if let Some(time) = time(report.durations.running_secs) {
        rows.push(("Run time", time));
    }
    if let Some(cost) = report.cost() {
        rows.push(("Cost", format!("about ${cost:.4}")));
    }
    if report.failed_attempts > 0 && report.attempts > 1 {
        rows.push(("Failed attempts", report.failed_attempts.to_string()));
    }
    if let Some(message) = report.message.as_ref().filter(|_| report.failure.is_some()) {
        rows.push(("Message of the Hub", markdown::cell(message)));
    }
    if let Some(code) = report.exit_code {
        rows.push(("Exit code", code.to_string()));
    }
    if let (Some(folder), Some(files)) = (&report.output_dir, report.output_files) {
        rows.push(("Output", format!("{} in {}", count(files, "file"), markdown::cell_code(folder))));
    }
    if let Some(path) = &report.log_path {
        rows.push(("Log", markdown::cell_code(path)));
    }
    rows
}
