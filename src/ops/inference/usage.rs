//! The usage of the current period, as far as the token may read it.

use super::report::InferenceReport;
use crate::action::Recorder;
use crate::failure::{Result, inference as advice};
use crate::ops::Session;

/// Number of lines of the bill that are logged.
const MAX_LINES: usize = 20;

/// Reads the bill of the user, and the requests to Inference Providers. Each may be closed to the token.
///
/// # Errors
///
/// The token may read neither.
pub async fn read_usage(session: &Session<'_>, recorder: &Recorder<InferenceReport>) -> Result<()> {
    let (hub, log) = (session.hub, session.log);
    recorder.record(|report| report.endpoint = hub.endpoint().to_owned());
    let (bill, requests) = tokio::join!(hub.bill(), hub.inference_bill());
    if let (Err(error), Err(_)) = (&bill, &requests)
        && let Some(401 | 403) = error.status()
    {
        return Err(advice::usage_closed(error));
    }
    match bill {
        Ok(usage) => {
            let period = &usage.period;
            let sum: f64 = usage.usage.values().flatten().map(|line| line.total_cost_micro_usd).sum();
            let (name, start, end) = (&period.entity_name, &period.period_start, &period.period_end);
            log.info(&format!("`{name}` has used {:.4} USD from {start} to {end}", sum / 1e6));
            for line in usage.usage.values().flatten().take(MAX_LINES) {
                let label = line.label.as_deref().map(|label| format!(" (`{label}`)")).unwrap_or_default();
                let cost = line.total_cost_micro_usd / 1e6;
                log.info(&format!("{}{label}: {cost:.4} USD", line.product_pretty_name));
            }
            recorder.record(|report| report.usage = Some(usage));
        }
        Err(error) => log.warning(&format!("the bill is not known: {error}")),
    }
    match requests {
        Ok(usage) => {
            let sessions = || usage.periods.iter().flat_map(|period| &period.sessions);
            let count: f64 = sessions().map(|session| session.request_count).sum();
            let cents: f64 = sessions().map(|session| session.cost_cents).sum();
            log.info(&format!("Inference Providers: {count} requests, {:.4} USD this month", cents / 100.0));
            recorder.record(|report| report.inference_usage = Some(usage));
        }
        Err(error) => log.warning(&format!("the use of Inference Providers is not known: {error}")),
    }
    Ok(())
}
