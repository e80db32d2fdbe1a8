//! The recommendation for a model, as text for a terminal and as Markdown for the summary.

use std::fmt::Write as _;

use crate::action::markdown;
use crate::model::Analysis;
use crate::model::table::{self, Row};
use crate::text::plain;

/// Returns the recommendation as lines.
pub(crate) fn lines(analysis: &Analysis) -> String {
    let mut text = table::text(&analysis.recommendation);
    for warning in &analysis.recommendation.warnings {
        let _ = write!(text, "\nwarning: {}", plain(warning));
    }
    text
}

/// Returns the recommendation as Markdown.
pub(crate) fn markdown(analysis: &Analysis) -> String {
    let recommendation = &analysis.recommendation;
    let mut text = String::from("| | |\n| --- | --- |\n");
    for (name, value) in table::facts(recommendation) {
        let _ = writeln!(text, "| {name} | {} |", markdown::cell(&value));
    }
    let rows = table::rows(recommendation);
    if !rows.is_empty() {
        text.push_str("\n| hardware | price of an hour | |\n| --- | --- | --- |\n");
    }
    for Row { hardware, price, note } in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            markdown::cell_code(&hardware),
            markdown::cell(&price),
            markdown::cell(&note)
        );
    }
    for warning in &recommendation.warnings {
        let _ = write!(text, "\n- {}", markdown::text(warning));
    }
    text
}
