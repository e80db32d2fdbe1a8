//! The recommendation in the log.

use crate::action::Log;
use crate::model::{Analysis, Candidate};

/// Logs the recommendation, and its warnings.
pub(super) fn recommendation(analysis: &Analysis, log: &Log) {
    let recommendation = &analysis.recommendation;
    if let Some(template) = recommendation.template {
        let group = log.group(&format!("template `{template}`{}", memory(recommendation.need_gb)));
        for (index, candidate) in recommendation.candidates.iter().enumerate() {
            log.info(&format!("{}. {}", index + 1, described(candidate)));
        }
        for alternative in &recommendation.alternatives {
            let price = price(alternative.price_usd_hour);
            log.info(&format!("also: `{}`{price} ({})", alternative.hardware, alternative.reason));
        }
        for rejected in &recommendation.rejected {
            log.info(&format!("not: `{}` ({})", rejected.hardware, rejected.reason));
        }
        drop(group);
    }
    recommendation.warnings.iter().for_each(|warning| log.warning(warning));
}

fn described(candidate: &Candidate) -> String {
    let Some(flavor) = candidate.hardware else {
        return format!("a static page, with the template `{}`", candidate.template);
    };
    let size = candidate.size.map(|size| format!(", size `{}`", size.as_str())).unwrap_or_default();
    let duration = candidate.duration.map(|seconds| format!(", `duration={seconds}`")).unwrap_or_default();
    format!("`{flavor}`{size}{duration}{}", price(candidate.price))
}

fn memory(need_gb: Option<f64>) -> String {
    need_gb.map(|gb| format!(", {gb:.1} GB of memory")).unwrap_or_default()
}

fn price(price: Option<f64>) -> String {
    match price {
        None => String::new(),
        Some(0.0) => ", free".to_owned(),
        Some(price) => format!(", ${price:.2} an hour"),
    }
}
