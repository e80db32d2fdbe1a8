//! Times of the calls of a check, and the GPU time that they need.

use std::fmt;
use std::time::Duration;

/// Times of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// From the request to the start of the work.
    pub queue: Duration,
    /// The work, as the app measured it: the sum over all steps of a generator.
    pub server: Duration,
    /// From the request to the last event.
    pub wall: Duration,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [queue, server, wall] = [self.queue, self.server, self.wall].map(|part| part.as_secs_f64());
        write!(f, "{wall:.2} s in all, {queue:.2} s in the queue, {server:.2} s of work")
    }
}

/// Distribution of the times of several calls, from the request to the last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distribution {
    /// Number of calls.
    pub calls: usize,
    pub min: Duration,
    /// The mean of both middle times, if their number is even.
    pub median: Duration,
    /// 95th percentile by nearest rank: at most one call in twenty took longer.
    pub p95: Duration,
}

impl Distribution {
    /// Returns the distribution of the calls, if there are any.
    pub fn of(calls: &[Latency]) -> Option<Self> {
        let mut walls: Vec<Duration> = calls.iter().map(|call| call.wall).collect();
        walls.sort_unstable();
        let count = walls.len();
        let min = *walls.first()?;
        let median = (walls[(count - 1) / 2] + walls[count / 2]) / 2;
        let p95 = walls[(count * 95).div_ceil(100) - 1];
        Some(Self { calls: count, min, median, p95 })
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, median, p95] = [self.min, self.median, self.p95].map(|part| part.as_secs_f64());
        write!(f, "{median:.2} s median, {min:.2} s min, {p95:.2} s p95 of {} calls", self.calls)
    }
}

/// Returns the argument of `@spaces.GPU(duration=…)` that leaves room for all these calls, in seconds: 1.4 times the
/// longest work, rounded up, and at least 10.
pub(super) fn recommended_duration_seconds(calls: &[Latency]) -> Option<u64> {
    let longest = calls.iter().map(|call| call.server).max()?;
    // Whole milliseconds, because 1.4 times a number of seconds is not exact in floating point.
    let milliseconds = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX / 14);
    Some((milliseconds.saturating_mul(14)).div_ceil(10_000).max(10))
}

/// GPU time of a caller of ZeroGPU Spaces, by plan (Hub docs, "Spaces ZeroGPU: Usage tiers").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuPlan {
    pub name: &'static str,
    /// Seconds of GPU time in 24 hours.
    pub daily_seconds: u64,
}

/// The plans, from the smallest.
pub const GPU_PLANS: [GpuPlan; 4] = [
    GpuPlan { name: "no account", daily_seconds: 120 },
    GpuPlan { name: "free", daily_seconds: 300 },
    GpuPlan { name: "PRO, Team", daily_seconds: 2400 },
    GpuPlan { name: "Enterprise", daily_seconds: 3600 },
];

impl GpuPlan {
    /// Returns the largest `duration` that ZeroGPU admits with an unused quota. It compares 1.5 times the duration with
    /// the rest of the quota, before the call (`spaces` 0.51, `zero/api.py`).
    pub fn largest_duration(self) -> u64 {
        self.daily_seconds * 2 / 3
    }

    /// Returns the number of calls like these that fit into a day. `None` if the calls need no measurable time.
    pub fn daily_calls(self, calls: &[Latency]) -> Option<u64> {
        // The app names its times, so that their sum may be larger than a `Duration`.
        let total: u128 = calls.iter().map(|call| call.server.as_millis()).sum();
        let count = u128::try_from(calls.len()).ok()?;
        let quota = u128::from(self.daily_seconds) * 1000;
        u64::try_from((quota * count).checked_div(total)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(seconds: &[u64]) -> Vec<Latency> {
        let of = |seconds: &u64| {
            let time = Duration::from_secs(*seconds);
            Latency { queue: Duration::ZERO, server: time, wall: time }
        };
        seconds.iter().map(of).collect()
    }

    #[test]
    fn recommended_duration_has_room() {
        let of = |milliseconds| {
            let server = Duration::from_millis(milliseconds);
            recommended_duration_seconds(&[Latency { server, ..Latency::default() }, Latency::default()])
        };
        let recommended = [0, 7_000, 10_000, 10_001, 60_000].map(of);
        assert_eq!(recommended, [10, 10, 14, 15, 84].map(Some));
        assert_eq!(recommended_duration_seconds(&[]), None);
    }

    #[test]
    fn distribution_is_by_nearest_rank() {
        let of = |seconds: &[u64]| {
            let Distribution { calls, min, median, p95 } = Distribution::of(&calls(seconds)).unwrap();
            (calls, min.as_secs(), median.as_millis(), p95.as_secs())
        };
        assert_eq!(of(&[4]), (1, 4, 4000, 4));
        assert_eq!(of(&[4, 1]), (2, 1, 2500, 4));
        assert_eq!(of(&[3, 1, 2]), (3, 1, 2000, 3));
        let twenty: Vec<u64> = (1..=20).rev().collect();
        assert_eq!(of(&twenty), (20, 1, 10_500, 19));
        assert_eq!(Distribution::of(&[]), None);
        let shown = Distribution::of(&calls(&[4, 1])).unwrap().to_string();
        assert_eq!(shown, "2.50 s median, 1.00 s min, 4.00 s p95 of 2 calls");
    }

    #[test]
    fn plans_admit_two_thirds_of_their_quota() {
        assert_eq!(GPU_PLANS.map(GpuPlan::largest_duration), [80, 200, 1600, 2400]);
        assert_eq!(GPU_PLANS[1].daily_calls(&calls(&[10, 20])), Some(20));
        assert_eq!(GPU_PLANS[1].daily_calls(&calls(&[0])), None);
        assert_eq!(GPU_PLANS[1].daily_calls(&calls(&[u64::MAX, u64::MAX])), Some(0));
    }
}
