//! The job summary of a Space that is made from a model, in GitHub's Markdown.

use crate::action::markdown;
use crate::app_check::CheckStatus;
use crate::commands::recommendation;
use crate::commands::summary_parts::{facts_table, failure_section, log_section, warnings_section};
use crate::model::Blocker;
use crate::ops::build_space::{AgentReport, BuildReport};
use crate::text::{count, human_duration};

use super::outputs;

/// Renders the job summary: the verdict, the facts, and the recommendation with its prices.
pub(super) fn summary(report: &BuildReport, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", headline(report));
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
        for tail in report.deploy.log_tails.iter().filter(|tail| !tail.is_empty()) {
            text.push_str(&log_section(tail));
        }
    }
    text.push_str(&facts_table(facts(report)));
    text.push_str(&obstacles(report));
    if let Some(analysis) = report.analysis.as_ref().filter(|analysis| !analysis.is_blocked()) {
        text.push_str(&format!("#### Recommendation\n\n{}\n", recommendation::markdown(analysis)));
    }
    text.push_str(&warnings_section(warnings));
    text
}

fn headline(report: &BuildReport) -> String {
    let model = markdown::code(&report.model);
    let verdict = report.gate.as_ref().map(|gate| gate.status);
    match (&report.failure, verdict) {
        (_, Some(CheckStatus::TechnicalBlocker)) => format!("⛔ {model} cannot become a Space"),
        (_, Some(CheckStatus::ManualHardwareRequired)) => {
            format!("🖐️ The Space of {model} needs hardware that a person chooses")
        }
        (Some(_), _) if report.is_dry_run => format!("❌ The recommendation for {model} failed"),
        (Some(_), _) => format!("❌ The Space of {model} failed"),
        (None, _) if report.is_dry_run => format!("🔍 Dry run: a Space for {model}"),
        (None, Some(CheckStatus::FullInferenceSuccess)) => format!("✅ The Space of {model} works"),
        (None, Some(CheckStatus::HealthOnly)) => format!("✅ The Space of {model} answers"),
        (None, _) => format!("⚠️ The Space of {model} runs, and its inference is not proven"),
    }
}

/// Returns the rows of the table: a name, and Markdown that is safe in a cell.
fn facts(report: &BuildReport) -> Vec<(&'static str, String)> {
    let deploy = &report.deploy;
    let mut rows = Vec::new();
    if !report.model.is_empty() {
        let page = format!("{}/{}", report.endpoint, report.model);
        rows.push(("Model", markdown::link(&report.model, &page)));
    }
    if let (Some(repo), Some(url)) = (&deploy.repo, deploy.repo_url()) {
        rows.push(("Space", markdown::link(&repo.id.to_string(), &url)));
    }
    if let Some(url) = &deploy.space_url {
        rows.push(("App", markdown::link(url, url)));
    }
    if let Some(gate) = &report.gate {
        let reason = gate.reasons.first().map(|reason| format!(": {}", markdown::cell(reason)));
        rows.push((
            "Gate",
            format!("{}{}", markdown::cell_code(gate.status.as_str()), reason.unwrap_or_default()),
        ));
    }
    if let Some(template) = report.template {
        rows.push(("Template", markdown::cell_code(template)));
    }
    if let Some(model) = &report.agent.model {
        rows.push(("Agent", format!("{}{}", markdown::cell_code(model), agent_work(&report.agent))));
    }
    let hardware = outputs::hardware(report);
    if !hardware.is_empty() {
        let price = outputs::price(report).map(|price| format!(", {}", shown_price(price)));
        rows.push(("Hardware", format!("{}{}", markdown::cell_code(&hardware), price.unwrap_or_default())));
    }
    if let Some(took) = report.took {
        rows.push(("Took", human_duration(took)));
    }
    rows
}

/// Returns the requests and the cost of the agent, as the rest of a cell.
fn agent_work(agent: &AgentReport) -> String {
    let requests = agent.result.as_ref().map(|result| {
        format!(", {}", count(usize::try_from(result.requests).unwrap_or(usize::MAX), "request"))
    });
    let cost = agent.cost().map(|cost| format!(", about ${cost:.4}"));
    let job = agent.job.job.as_ref().map(|job| format!(", {}", markdown::link("its Job", &job.url)));
    [requests, cost, job].into_iter().flatten().collect()
}

/// Renders the obstacles with the way out of each.
fn obstacles(report: &BuildReport) -> String {
    let blockers = report.analysis.iter().flat_map(|analysis| &analysis.blockers);
    let found = blockers
        .filter(|blocker| Blocker::blocks(blocker))
        .map(|blocker| [blocker.id.as_str(), &blocker.evidence, &blocker.fix]);
    let of_agent =
        report.agent.obstacles().map(|blocker| [blocker.id.as_str(), &blocker.evidence, &blocker.fix]);
    let rows: Vec<String> = found
        .chain(of_agent)
        .map(|[id, evidence, fix]| {
            let name = markdown::cell_code(id);
            format!("| {name} | {} | {} |\n", markdown::cell(evidence), markdown::cell(fix))
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("#### Obstacles\n\n| obstacle | evidence | way out |\n| --- | --- | --- |\n{}\n", rows.concat())
}

fn shown_price(price: f64) -> String {
    if price > 0.0 { format!("${price:.2} an hour") } else { "free".to_owned() }
}
