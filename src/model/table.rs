//! The recommendation as a table: facts about the model, and hardware with its prices.

use std::fmt::Write as _;

use super::recommendation::{ModelSummary, Recommendation};
use crate::text::plain;

/// A row of the table of hardware.
#[derive(Debug)]
pub struct Row {
    pub hardware: String,
    /// Price of an hour. Empty for hardware that does not suffice, and `?` if it is not known.
    pub price: String,
    pub note: String,
}

/// Returns the table as text, without the warnings.
pub fn text(recommendation: &Recommendation) -> String {
    let mut text = String::new();
    for (name, value) in facts(recommendation) {
        let _ = writeln!(text, "{name:<10}  {}", plain(&value));
    }
    let rows = rows(recommendation);
    if !rows.is_empty() {
        text.push_str("\nhardware          price/h\n");
    }
    for Row { hardware, price, note } in rows {
        let _ = writeln!(text, "{hardware:<16}  {price:>7}  {note}");
    }
    text
}

/// Returns the facts about the model, with their names.
pub fn facts(recommendation: &Recommendation) -> Vec<(&'static str, String)> {
    let Recommendation { model, template, need_gb, chosen, .. } = recommendation;
    let commit =
        model.sha.as_deref().map(|sha| format!(" at {}", sha.get(..7).unwrap_or(sha))).unwrap_or_default();
    let kind: Vec<&str> =
        [&model.library_name, &model.pipeline_tag].into_iter().filter_map(|part| part.as_deref()).collect();
    let kind = if kind.is_empty() { String::new() } else { format!(" ({})", kind.join(", ")) };
    let mut facts = vec![("model", format!("{}{commit}{kind}", model.id))];
    facts.extend(template.map(|template| ("template", template.to_owned())));
    let weights = weights(model);
    facts.extend(weights.map(|weights| ("weights", weights)));
    facts.extend(need_gb.map(|need| ("memory", format!("{need:.1} GB of a GPU"))));
    let duration = chosen.as_ref().and_then(|chosen| chosen.duration_s);
    facts.extend(duration.map(|seconds| ("duration", format!("{seconds} s for @spaces.GPU"))));
    facts
}

/// Describes the weights: their size, their number and their type.
fn weights(model: &ModelSummary) -> Option<String> {
    let bytes = model.weights_bytes.map(size);
    let params = model.params.map(|params| format!("{} parameters", number(params)));
    let parts: Vec<String> = [bytes, params, model.dtype.clone()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn number(params: u64) -> String {
    match params {
        0..1_000_000_000 => format!("{:.0} M", params as f64 / 1e6),
        _ => format!("{:.1} B", params as f64 / 1e9),
    }
}

/// Returns the rows of the table of hardware, the first choice first.
pub fn rows(recommendation: &Recommendation) -> Vec<Row> {
    let price = |price: Option<f64>| match price {
        Some(0.0) => "free".to_owned(),
        Some(price) => format!("${price:.2}"),
        None => "?".to_owned(),
    };
    let chosen = recommendation.chosen.iter().map(|chosen| Row {
        hardware: [Some(chosen.hardware), chosen.size].into_iter().flatten().collect::<Vec<_>>().join(" "),
        price: price(chosen.price_usd_hour),
        note: "chosen".to_owned(),
    });
    let alternatives = recommendation.alternatives.iter().map(|other| Row {
        hardware: other.hardware.clone(),
        price: price(other.price_usd_hour),
        note: other.reason.clone(),
    });
    let rejected = recommendation.rejected.iter().map(|other| Row {
        hardware: other.hardware.clone(),
        price: String::new(),
        note: format!("no: {}", other.reason),
    });
    chosen.chain(alternatives).chain(rejected).collect()
}
