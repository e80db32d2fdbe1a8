//! The report of a call of Inference Providers, for other programs.

use serde_json::{Value, json};

use crate::commands::groups::check_outputs::seconds;
use crate::ops::inference::{InferenceReport, Operation};

/// Returns everything that is known.
pub(super) fn json(report: &InferenceReport) -> Value {
    let error = report.failure.as_ref().map(|failure| {
        json!({ "code": failure.code.as_str(), "message": failure.message, "hints": failure.hints })
    });
    if let Some(usage) = &report.usage {
        let lines = usage.usage.values().flatten().map(|line| {
            json!({
                "product": line.product_pretty_name,
                "label": line.label,
                "cost_usd": line.total_cost_micro_usd / 1e6,
            })
        });
        return json!({
            "period": { "start": usage.period.period_start, "end": usage.period.period_end },
            "account": usage.period.entity_name,
            "lines": Value::from_iter(lines),
            "error": error,
        });
    }
    let totals = &report.totals;
    json!({
        "operation": report.operation.map(Operation::as_str),
        "model": report.model.as_ref().map(ToString::to_string),
        "done": totals.done,
        "planned": report.planned,
        "matched": totals.matched,
        "result": report.last.as_ref().filter(|_| report.planned == 1),
        "result_path": report.results,
        "providers": totals.providers,
        "usage_prompt": totals.tokens.map(|tokens| tokens.prompt),
        "usage_completion": totals.tokens.map(|tokens| tokens.completion),
        "cost_usd": totals.cost_usd,
        "latency_seconds": totals.latency().map(seconds),
        "error": error,
    })
}
