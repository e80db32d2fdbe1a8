//! The job summary of the check: the report, in GitHub's Markdown.

use std::time::Duration;

use crate::action::markdown;
use crate::app_check::{GPU_PLANS, Latency};
use crate::commands::summary_parts::{facts_table, failure_section, log_section, warnings_section};
use crate::ops::verify::{EndedCheck, Target, VerifyReport};

/// Renders the job summary.
pub(super) fn summary(report: &VerifyReport, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", headline(report));
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
    }
    text.push_str(&facts_table(facts(report)));
    if !report.checks.is_empty() {
        text.push_str(&checks(&report.checks));
    }
    text.push_str(&gpu_time(&report.checks));
    if report.failure.is_some() {
        for tail in report.log_tails.iter().filter(|tail| !tail.is_empty()) {
            text.push_str(&log_section(tail));
        }
    }
    text.push_str(&warnings_section(warnings));
    text
}

fn headline(report: &VerifyReport) -> String {
    let app = match &report.target {
        Some(Target::Space(id)) => format!("the Space {}", markdown::code(&id.to_string())),
        Some(Target::Url(url)) => format!("the app at {}", markdown::code(url.as_str())),
        None => "the app".to_owned(),
    };
    let (passed, planned) = (report.passed(), report.planned);
    match (report.failure.is_some(), report.checks.iter().any(|check| check.result.is_unjudged())) {
        (true, _) if report.checks.is_empty() => format!("❌ The check of {app} failed"),
        (true, _) => format!("❌ {} of {planned} checks of {app} failed", planned - passed),
        (false, true) => format!("⚠️ {app} passed, as far as it could be judged"),
        (false, false) if planned == 1 => format!("✅ The check of {app} passed"),
        (false, false) => format!("✅ All {planned} checks of {app} passed"),
    }
}

/// Returns the rows of the table: a name, and Markdown that is safe in a cell.
fn facts(report: &VerifyReport) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(Target::Space(id)) = &report.target {
        let page = format!("{}/spaces/{id}", report.endpoint);
        rows.push(("Space", markdown::link(&id.to_string(), &page)));
    }
    if let Some(url) = &report.app_url {
        rows.push(("App", markdown::link(url.as_str(), url.as_str())));
    }
    if let Some(stage) = &report.space_stage {
        rows.push(("Stage", markdown::cell_code(stage.as_str())));
    }
    if let Some(status) = report.status() {
        rows.push(("Result", markdown::cell_code(status.as_str())));
    }
    rows
}

/// Renders the table of the checks. With several calls of a check, it has the distribution of their times.
fn checks(checks: &[EndedCheck]) -> String {
    let has_runs = checks.iter().any(|check| check.result.calls.len() > 1);
    let (titles, rule) = if has_runs {
        ("| min | median | p95 | calls |", " ---: | ---: | ---: | ---: |")
    } else {
        ("| time |", " ---: |")
    };
    let mut text = format!("| | check | result | detail {titles}\n| --- | --- | --- | --- |{rule}\n");
    for check in checks {
        let mark = match (check.has_failed, check.result.is_unjudged()) {
            (true, _) => "❌",
            (false, true) => "⚠️",
            (false, false) => "✅",
        };
        let name = markdown::cell_code(&check.name);
        let status = markdown::cell_code(check.result.status.as_str());
        let detail = markdown::cell(&check.result.detail);
        let times = match check.result.distribution().filter(|_| has_runs) {
            Some(times) => {
                let [min, median, p95] = [times.min, times.median, times.p95].map(shown);
                format!("{min} | {median} | {p95} | {}", times.calls)
            }
            None if has_runs => " | | | 0".to_owned(),
            None => shown(check.took),
        };
        text.push_str(&format!("| {mark} | {name} | {status} | {detail} | {times} |\n"));
    }
    text.push('\n');
    text
}

fn shown(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// Renders the GPU time that the calls need, if they were made often enough to say so.
fn gpu_time(checks: &[EndedCheck]) -> String {
    let measured = checks.iter().filter(|check| check.result.calls.len() > 1);
    let slowest = measured
        .filter_map(|check| Some((check.result.recommended_duration_seconds?, check)))
        .max_by_key(|(seconds, _)| *seconds);
    let Some((seconds, check)) = slowest else { return String::new() };
    let calls: &[Latency] = &check.result.calls;
    let mut text = format!(
        "#### On ZeroGPU\n\n`@spaces.GPU(duration={seconds})` leaves room for {}. ZeroGPU admits a call if 1.5 times that \
         duration is left of the caller's quota.\n\n| caller | GPU time a day | largest duration | this one | calls a day, about |\n\
         | --- | ---: | ---: | --- | ---: |\n",
        markdown::code(&check.name)
    );
    for plan in GPU_PLANS {
        let admitted = if seconds <= plan.largest_duration() { "admitted" } else { "refused" };
        let daily = plan.daily_calls(calls).map(|calls| calls.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "| {} | {} s | {} s | {admitted} | {daily} |\n",
            plan.name,
            plan.daily_seconds,
            plan.largest_duration()
        ));
    }
    text.push('\n');
    text
}
