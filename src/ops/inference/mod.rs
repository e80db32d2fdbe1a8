//! Calls of models at Inference Providers: one input or many, with results that can be resumed.

mod answer;
mod ask;
mod budget;
mod options;
mod report;
mod results;
mod usage;

use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt as _, stream};
use hub::Router;

pub use answer::{Content, Label, Tokens};
pub use options::{Expectations, InferenceOptions, Item, Operation, ResultsPath, Routing};
pub use report::{InferenceReport, Totals};
pub use results::{ItemResult, ResultsError};
pub use usage::read_usage;

use crate::action::Recorder;
use crate::action::journal::Phase;
use crate::failure::{Result, inference as advice};
use crate::ops::Session;
use ask::Asker;
use budget::{Budget, Prices};
use results::ResultsFile;

/// Sends all inputs that have no result yet, and writes the results in their order.
///
/// # Errors
///
/// `check_failed`: a result is not as expected. `cost_limit_reached`: inputs are left. Any code of a request that failed.
pub async fn infer(
    options: &InferenceOptions,
    router: &Router,
    session: &Session<'_>,
    recorder: &Recorder<InferenceReport>,
) -> Result<()> {
    let (log, path) = (session.log, &options.results.path());
    recorder.record(|report| {
        report.operation = Some(options.operation);
        report.model = Some(options.model.clone());
        report.endpoint = session.hub.endpoint().to_owned();
        report.planned = options.items.len();
        report.has_expectations = options.expectations.are_set();
    });
    let (mut file, kept) = ResultsFile::open(&options.results, &options.items)
        .map_err(|error| advice::results_unusable(path, error))?;
    let mut totals = Totals::default();
    for result in &kept {
        note(result, options, &mut totals, recorder);
    }
    recorder.record(|report| {
        report.results = Some(path.clone());
        report.resumed = kept.len();
    });
    if !kept.is_empty() {
        let (kept, all) = (kept.len(), options.items.len());
        log.info(&format!("resuming: {kept} of {all} results are in {}", results::shown(path)));
    }
    let left = &options.items[kept.len()..];
    let _phase = session.journal.enter(Phase::Job, "infer");
    let prices = if left.is_empty() { Prices::default() } else { prices(options, router, session).await? };
    let asker = Asker { options, router, session, prices: &prices };
    let budget = Mutex::new(Budget::new(options.max_cost, totals.cost_usd.unwrap_or_default()));
    let answers = stream::iter(left).map(|item| ask_within(&asker, &budget, item));
    let mut answers = std::pin::pin!(answers.buffered(options.concurrency));
    while let Some(answer) = answers.next().await {
        let Some(result) = answer? else {
            return Err(advice::cost_limit(
                options.max_cost.unwrap_or_default(),
                totals.done,
                options.items.len(),
            ));
        };
        file.append(&result).map_err(|error| advice::results_not_written(path, error))?;
        note(&result, options, &mut totals, recorder);
        log_result(&result, options, totals.done, session);
    }
    advice::conclude(totals.matched, options.items.len())
}

/// Asks for one input. Returns `None` if that could exceed the budget.
async fn ask_within(asker: &Asker<'_>, budget: &Mutex<Budget>, item: &Item) -> Result<Option<ItemResult>> {
    let lock = || budget.lock().unwrap_or_else(PoisonError::into_inner);
    if !lock().start() {
        return Ok(None);
    }
    let result = asker.ask(item).await?;
    lock().end(result.cost_usd.unwrap_or_default());
    Ok(Some(result))
}

/// Reads the prices of the model. Without them, the cost is unknown, and no limit of it can hold.
async fn prices(options: &InferenceOptions, router: &Router, session: &Session<'_>) -> Result<Prices> {
    if options.operation != Operation::Generate {
        return Ok(Prices::default());
    }
    let prices = match router.models().await {
        Ok(models) => Prices::of(&options.model.to_string(), &models),
        Err(error) if options.max_cost.is_none() => {
            session.log.warning(&format!("the cost is not known: {error}"));
            Prices::default()
        }
        Err(error) => return Err(advice::request_failed(error, &options.model, &[], session.hub.endpoint())),
    };
    if prices.is_empty() && options.max_cost.is_some() {
        return Err(advice::no_price(&options.model));
    }
    Ok(prices)
}

/// Adds a result to the sums, and to the report.
fn note(
    result: &ItemResult,
    options: &InferenceOptions,
    totals: &mut Totals,
    recorder: &Recorder<InferenceReport>,
) {
    totals.add(result);
    let latency = totals.latencies.last().copied().unwrap_or_default();
    let mismatch = result.content.mismatch(&options.expectations, latency);
    recorder.record(|report| {
        report.totals.add(result);
        report.last = Some(result.clone());
        report.mismatches.extend(mismatch.map(|difference| (result.id.clone(), difference)));
    });
}

fn log_result(result: &ItemResult, options: &InferenceOptions, done: usize, session: &Session<'_>) {
    let all = options.items.len();
    let provider = result.provider.as_ref().map(|name| format!(" by `{name}`")).unwrap_or_default();
    let cost = result.cost_usd.map(|cost| format!(", {cost:.6} USD")).unwrap_or_default();
    let seconds = result.latency_seconds;
    session.log.info(&format!("{done} of {all}: `{}`{provider} in {seconds:.2} s{cost}", result.id));
    let latency = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    if let Some(difference) = result.content.mismatch(&options.expectations, latency) {
        session.log.error(&format!("the result of `{}` {difference}", result.id));
    }
    if all == 1 && !options.stream && options.operation != Operation::Embed {
        session.log.untrusted(&format!("{}\n", result.content.text()));
    }
}
