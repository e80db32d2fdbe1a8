//! The time that a run waits for GitHub, because a deploy that is good must not wait for its comment.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time allowed for all waits of a run together, also those for answers that come late or never.
const BUDGET: Duration = Duration::from_secs(60);
/// Longest time allowed for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Time of an answer that is usual, and so no wait.
const USUAL_ANSWER: Duration = Duration::from_secs(1);
/// Time allowed for an answer while little of the budget is left. The last answer of a run may have it.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The time that is left for waits. Copies share it.
#[derive(Debug, Clone)]
pub(super) struct Patience(Arc<Mutex<Left>>);

#[derive(Debug)]
struct Left {
    time: Duration,
    /// An answer was late after the budget was used up.
    is_over: bool,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Left { time: BUDGET, is_over: false })))
    }

    /// Returns the time allowed for the next answer: `None` once GitHub is given up.
    pub(super) fn limit(&self) -> Option<Duration> {
        let left = self.lock();
        (!left.is_over).then(|| ANSWER_TIMEOUT.min(left.time.max(SHORTEST_TIMEOUT)))
    }

    /// Takes the time of a request out of the time that is left. The usual part of an answer is free.
    pub(super) fn spend(&self, took: Duration, is_answered: bool) {
        let mut left = self.lock();
        let waited = if is_answered { took.saturating_sub(USUAL_ANSWER) } else { took };
        let is_late = took > USUAL_ANSWER;
        left.is_over |= left.time.is_zero() && is_late;
        left.time = left.time.saturating_sub(waited);
    }

    /// Takes a wait out of the time that is left. Returns false and takes nothing if less is left.
    pub(super) fn take(&self, wait: Duration) -> bool {
        let mut left = self.lock();
        let rest = left.time.checked_sub(wait);
        left.time = rest.unwrap_or(left.time);
        rest.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_of_a_run_are_about_a_minute_whatever_github_does() {
        let patience = Patience::new();
        let mut waited = Duration::ZERO;
        let mut requests = 0;
        while let Some(limit) = patience.limit() {
            patience.spend(limit, false);
            (waited, requests) = (waited + limit, requests + 1);
        }
        assert_eq!((waited, requests), (BUDGET + SHORTEST_TIMEOUT, 4));
    }

    #[test]
    fn usual_answers_are_free_and_late_ones_end_it() {
        let patience = Patience::new();
        for _ in 0..1000 {
            patience.spend(SECOND, true);
        }
        assert!(patience.take(60 * SECOND) && !patience.take(SECOND));
        // GitHub is asked while it answers in the usual time.
        patience.spend(SECOND / 2, true);
        assert_eq!(patience.limit(), Some(SHORTEST_TIMEOUT));
        patience.clone().spend(SECOND * 3 / 2, true);
        assert_eq!(patience.limit(), None);
    }

    #[test]
    fn a_wait_that_is_too_long_takes_nothing() {
        let patience = Patience::new();
        assert!(!patience.take(61 * SECOND) && patience.take(59 * SECOND));
        assert_eq!(patience.limit(), Some(SHORTEST_TIMEOUT));
        assert!(patience.take(SECOND) && !patience.take(SECOND));
    }
}
