//! Retry policy of requests.

use std::sync::Mutex;
use std::time::Duration;

use crate::lock::lock;

/// Retry policy of a client.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Maximum number of times that one request is sent.
    pub attempts: u32,
    /// Wait after the first failure, doubled after each further one.
    pub first_delay: Duration,
    /// Longest wait, unless the Hub asks for a longer one.
    pub max_delay: Duration,
    /// Time allowed for all waits of a client together.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    /// Returns the policy of the official client (5 retries, 1 to 8 seconds apart), with room for two of the Hub's
    /// rate-limit windows of 5 minutes.
    fn default() -> Self {
        Self {
            attempts: 6,
            first_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(8),
            budget: Duration::from_secs(11 * 60),
        }
    }
}

impl RetryPolicy {
    /// Returns the wait after failure number `failures` (counted from 1), for `jitter` in `0.0..1.0`.
    pub fn delay(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self.first_delay.saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.max_delay).mul_f64(1.0 + jitter / 4.0)
    }
}

/// Rest of the time allowed for all waits together.
#[derive(Debug)]
pub(crate) struct WaitBudget(Mutex<Duration>);

impl WaitBudget {
    pub(crate) fn new(total: Duration) -> Self {
        Self(Mutex::new(total))
    }

    /// Takes `wait` out of the budget. Returns false and takes nothing if less is left.
    pub(crate) fn take(&self, wait: Duration) -> bool {
        let mut left = lock(&self.0);
        match left.checked_sub(wait) {
            None => false,
            Some(rest) => {
                *left = rest;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_limit() {
        let policy = RetryPolicy::default();
        let seconds: Vec<u64> = (1..=6).map(|failures| policy.delay(failures, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 8, 8]);
        assert!(policy.delay(1, 0.999) < Duration::from_millis(1250));
    }

    #[test]
    fn a_wait_beyond_the_budget_takes_nothing() {
        let budget = WaitBudget::new(Duration::from_secs(10));
        assert!(budget.take(Duration::from_secs(6)));
        assert!(!budget.take(Duration::from_secs(6)));
        assert!(budget.take(Duration::from_secs(4)));
    }
}
