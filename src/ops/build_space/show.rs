//! The recommendation in the log.

use crate::action::Log;
use crate::model::{Analysis, table};

/// Logs the recommendation, and its warnings.
pub(super) fn recommendation(analysis: &Analysis, log: &Log) {
    let recommendation = &analysis.recommendation;
    if let Some(template) = recommendation.template {
        let group = log.group(&format!("template `{template}`"));
        table::text(recommendation).lines().for_each(|line| log.info(line));
        drop(group);
    }
    recommendation.warnings.iter().for_each(|warning| log.warning(warning));
}
