//! The report of a run: facts for outputs, summary and other programs.

use std::path::PathBuf;
use std::time::Duration;

use hub::{Bill, InferenceBill, RepoId};

use super::answer::Tokens;
use super::options::Operation;
use super::results::ItemResult;
use crate::failure::Failure;

/// Facts about a run.
#[derive(Debug, Default)]
pub struct InferenceReport {
    pub operation: Option<Operation>,
    pub model: Option<RepoId>,
    /// The Hub's address without a trailing slash.
    pub endpoint: String,
    /// Number of inputs.
    pub planned: usize,
    /// Number of results from an earlier run.
    pub resumed: usize,
    /// Properties of the results were expected.
    pub has_expectations: bool,
    pub totals: Totals,
    /// The newest result.
    pub last: Option<ItemResult>,
    /// Results that are not as expected: ids, and the differences.
    pub mismatches: Vec<(String, String)>,
    /// File with all results.
    pub results: Option<PathBuf>,
    /// Bill of the current period.
    pub usage: Option<Bill>,
    /// Requests to Inference Providers in the current month.
    pub inference_usage: Option<InferenceBill>,
    pub failure: Option<Failure>,
}

/// Sums over all results, also those of an earlier run.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    pub done: usize,
    pub tokens: Option<Tokens>,
    /// In US dollars. `None` if the price of a result is not known.
    pub cost_usd: Option<f64>,
    pub latencies: Vec<Duration>,
    pub providers: Vec<String>,
    pub matched: usize,
}

impl Totals {
    pub(super) fn add(&mut self, result: &ItemResult) {
        let is_first = self.done == 0;
        self.done += 1;
        self.matched += usize::from(result.matched);
        if let Some(new) = result.tokens() {
            let old = self.tokens.unwrap_or_default();
            let (prompt, completion) = (old.prompt + new.prompt, old.completion + new.completion);
            self.tokens = Some(Tokens { prompt, completion });
        }
        self.cost_usd = match (self.cost_usd, result.cost_usd) {
            (_, new) if is_first => new,
            (Some(old), Some(new)) => Some(old + new),
            _ => None,
        };
        self.latencies.push(Duration::try_from_secs_f64(result.latency_seconds).unwrap_or_default());
        if let Some(provider) = result.provider.as_ref().filter(|one| !self.providers.contains(one)) {
            self.providers.push(provider.clone());
        }
    }

    /// Returns the median time of a result.
    pub fn latency(&self) -> Option<Duration> {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let count = latencies.len();
        let middle = |index: usize| latencies.get(index).copied();
        Some((middle(count.checked_sub(1)? / 2)? + middle(count / 2)?) / 2)
    }
}
