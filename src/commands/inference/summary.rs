//! The job summary of a call of Inference Providers: the report, in GitHub's Markdown.

use crate::action::markdown;
use crate::commands::summary_parts::{facts_table, failure_section, warnings_section};
use crate::ops::inference::{InferenceReport, Operation};
use crate::text::human_duration;

/// Largest number of results that the summary lists.
const SHOWN_MISMATCHES: usize = 20;
/// Largest number of lines of a bill that the summary lists.
const SHOWN_LINES: usize = 50;

/// Renders the job summary.
pub(super) fn summary(report: &InferenceReport, warnings: &[String]) -> String {
    let mut text = format!("### {}\n\n", headline(report));
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
    }
    text.push_str(&facts_table(facts(report)));
    text.push_str(&mismatches(report));
    text.push_str(&bill(report));
    text.push_str(&warnings_section(warnings));
    text
}

fn headline(report: &InferenceReport) -> String {
    let Some(model) = &report.model else {
        let title =
            if report.failure.is_some() { "❌ No model was asked" } else { "✅ Usage of this period" };
        return title.to_owned();
    };
    let (model, done, planned) = (markdown::code(&model.to_string()), report.totals.done, report.planned);
    match report.failure {
        Some(_) => format!("❌ {done} of {planned} answers of {model}, and a failure"),
        None => format!("✅ {done} of {planned} answers of {model}"),
    }
}

/// Returns the rows of the table: a name, and Markdown that is safe in a cell.
fn facts(report: &InferenceReport) -> Vec<(&'static str, String)> {
    let (mut rows, totals) = (Vec::new(), &report.totals);
    if let Some(model) = &report.model {
        rows.push(("Model", markdown::link(&model.to_string(), &format!("{}/{model}", report.endpoint))));
    }
    if let Some(operation) = report.operation {
        rows.push(("Operation", markdown::cell_code(operation.as_str())));
    }
    if !totals.providers.is_empty() {
        let names: Vec<String> = totals.providers.iter().map(|name| markdown::cell_code(name)).collect();
        rows.push(("Provider", names.join(", ")));
    }
    if report.resumed > 0 {
        rows.push(("From earlier runs", report.resumed.to_string()));
    }
    if let Some(tokens) = totals.tokens {
        rows.push(("Tokens", format!("{} of prompts, {} of answers", tokens.prompt, tokens.completion)));
    }
    if let Some(cost) = totals.cost_usd {
        rows.push(("Cost", format!("{cost:.6} USD")));
    }
    if let Some(latency) = totals.latency() {
        rows.push(("Time of an answer", format!("{} (median)", human_duration(latency))));
    }
    if report.has_expectations {
        rows.push(("As expected", format!("{} of {}", totals.matched, report.planned)));
    }
    let only =
        report.last.as_ref().filter(|_| report.planned == 1 && report.operation != Some(Operation::Embed));
    if let Some(result) = only {
        rows.push(("Answer", markdown::cell_code(&result.content.text())));
    }
    rows
}

fn mismatches(report: &InferenceReport) -> String {
    if report.mismatches.is_empty() {
        return String::new();
    }
    let mut text = "#### Not as expected\n\n| input | the result |\n| --- | --- |\n".to_owned();
    for (id, difference) in report.mismatches.iter().take(SHOWN_MISMATCHES) {
        text.push_str(&format!("| {} | {} |\n", markdown::cell_code(id), markdown::cell(difference)));
    }
    if report.mismatches.len() > SHOWN_MISMATCHES {
        text.push_str(&format!("\nshowing {SHOWN_MISMATCHES} of {}\n", report.mismatches.len()));
    }
    text.push('\n');
    text
}

fn bill(report: &InferenceReport) -> String {
    let Some(usage) = &report.usage else { return String::new() };
    let period = &usage.period;
    let mut text = format!(
        "{}, from {} to {}\n\n| product | | cost |\n| --- | --- | ---: |\n",
        markdown::text(&period.entity_name),
        markdown::text(&period.period_start),
        markdown::text(&period.period_end)
    );
    for line in usage.usage.values().flatten().take(SHOWN_LINES) {
        let label = markdown::cell_code(line.label.as_deref().unwrap_or_default());
        let cost = line.total_cost_micro_usd / 1e6;
        text.push_str(&format!(
            "| {} | {label} | {cost:.4} USD |\n",
            markdown::cell(&line.product_pretty_name)
        ));
    }
    text.push('\n');
    text
}
