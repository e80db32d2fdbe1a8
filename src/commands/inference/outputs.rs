//! The outputs of a call of Inference Providers.

use crate::commands::groups::check_outputs::seconds;
use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::ops::inference::InferenceReport;

outputs! {
    pub(super), (report: &InferenceReport, _timings),
    Output::text(
        "text",
        "Answer to the only input: its text, its best label, or its embedding as a JSON list. Empty for many inputs.",
    ) => text(report);
    Output::text(
        "result_path",
        "File with all results, as JSON lines in the order of the inputs.",
    ) => report.results.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    Output::own_word(
        "matched",
        "`true` if all results are there and as expected, else `false`.",
    ) => (report.planned > 0 && report.totals.matched == report.planned).to_string();
    Output::own_word(
        "done",
        "Number of results, also from earlier runs.",
    ) => report.totals.done.to_string();
    Output::text(
        "provider",
        "Providers that answered, separated by commas. Empty if the router does not name them.",
    ) => report.totals.providers.join(",");
    Output::own_word(
        "usage_prompt",
        "Tokens of all prompts. Empty if no answer names them.",
    ) => report.totals.tokens.map(|tokens| tokens.prompt.to_string()).unwrap_or_default();
    Output::own_word(
        "usage_completion",
        "Tokens of all answers. Empty if no answer names them.",
    ) => report.totals.tokens.map(|tokens| tokens.completion.to_string()).unwrap_or_default();
    Output::own_word(
        "cost_usd",
        "Cost of all results in US dollars, by the prices of the router. For `usage`, that of the period. Empty if it is not known.",
    ) => cost(report);
    Output::own_word(
        "latency_seconds",
        "Time of an answer in seconds: the median of all.",
    ) => report.totals.latency().map(|time| seconds(time).to_string()).unwrap_or_default();
    ERROR_CODE => error_code(report.failure.as_ref());
}

fn text(report: &InferenceReport) -> String {
    let only = report.last.as_ref().filter(|_| report.planned == 1);
    only.map(|result| result.content.text()).unwrap_or_default()
}

fn cost(report: &InferenceReport) -> String {
    let bill = report
        .usage
        .as_ref()
        .map(|usage| usage.usage.values().flatten().map(|line| line.total_cost_micro_usd).sum::<f64>() / 1e6);
    report.totals.cost_usd.or(bill).map(|cost| format!("{cost:.6}")).unwrap_or_default()
}
