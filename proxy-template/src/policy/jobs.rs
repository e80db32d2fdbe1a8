//! Counts of the computations that one caller has running in a Gradio app.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::policy::address::{MAX_NETWORKS, network};
use crate::sync::lock;

/// Time after which a computation without an end is forgotten, because its caller may have left before it began.
const JOB_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Limit of the ends that are remembered for calls whose answer is still on its way.
const MAX_EARLY_ENDS: usize = 64;

/// Running computations, by network.
#[derive(Debug)]
pub struct Jobs {
    most: usize,
    running: Mutex<HashMap<IpAddr, Running>>,
    calls: AtomicU64,
}

#[derive(Debug, Default)]
struct Running {
    /// Start of each, by the hash of its event's id, or by the number of its call while it has no event.
    jobs: HashMap<u64, Instant>,
    /// Events that ended before the answer to their call arrived.
    early: Vec<u64>,
}

impl Running {
    fn forget_old(&mut self, now: Instant) {
        self.jobs.retain(|_, since| now.saturating_duration_since(*since) < JOB_TIMEOUT);
    }
}

/// One computation. It ends with the drop of this value, unless an event has taken its place.
#[derive(Debug)]
pub struct Job {
    jobs: Arc<Jobs>,
    address: IpAddr,
    key: u64,
}

impl Jobs {
    /// Allows `most` computations of one caller. Zero is no limit, and nothing is counted then.
    pub fn new(most: usize) -> Self {
        Self { most, running: Mutex::default(), calls: AtomicU64::new(0) }
    }

    /// Returns true if computations are counted.
    pub fn are_counted(&self) -> bool {
        self.most > 0
    }

    /// Begins one more computation of this caller, or returns `None` if it has too many.
    pub fn begin(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Job> {
        let address = network(address);
        let mut running = lock(&self.running);
        if running.len() >= MAX_NETWORKS && !running.contains_key(&address) {
            running.retain(|_, of_address| {
                of_address.forget_old(now);
                !of_address.jobs.is_empty()
            });
            if running.len() >= MAX_NETWORKS {
                // Refused, because visitors do not come from that many networks at once.
                return None;
            }
        }
        let of_address = running.entry(address).or_default();
        if of_address.jobs.len() >= self.most {
            of_address.forget_old(now);
            if of_address.jobs.len() >= self.most {
                return None;
            }
        }
        // Odd, because the keys of events are even.
        let key = self.calls.fetch_add(1, Ordering::Relaxed) << 1 | 1;
        of_address.jobs.insert(key, now);
        Some(Job { jobs: self.clone(), address, key })
    }

    /// Returns the number of running computations of this caller.
    pub fn count(&self, address: IpAddr) -> usize {
        lock(&self.running).get(&network(address)).map_or(0, |of_address| of_address.jobs.len())
    }

    /// Ends the computation of an event. An unknown event is remembered, because the answer to its call is still on its
    /// way.
    pub fn end_event(&self, address: IpAddr, event: u64) {
        self.end(network(address), event, true);
    }

    fn end(&self, address: IpAddr, key: u64, is_event: bool) {
        let mut running = lock(&self.running);
        let Some(of_address) = running.get_mut(&address) else { return };
        if of_address.jobs.remove(&key).is_none() && is_event && of_address.early.len() < MAX_EARLY_ENDS {
            of_address.early.push(key);
        }
        if of_address.jobs.is_empty() {
            running.remove(&address);
        }
    }
}

impl Job {
    /// Keeps the computation running until its event has ended. The key of an event is even.
    pub fn continue_as(self, event: u64) {
        let mut running = lock(&self.jobs.running);
        let Some(of_address) = running.get_mut(&self.address) else { return };
        if let Some(at) = of_address.early.iter().position(|early| *early == event) {
            of_address.early.swap_remove(at);
        } else if let Some(since) = of_address.jobs.get(&self.key).copied() {
            of_address.jobs.insert(event, since);
        }
        // The drop of `self` removes its own entry.
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.jobs.end(self.address, self.key, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_computation_without_an_end_is_forgotten() {
        let jobs = Arc::new(Jobs::new(1));
        let now = Instant::now();
        jobs.begin(A, now).unwrap().continue_as(2);
        assert!(jobs.begin(A, now + JOB_TIMEOUT / 2).is_none());
        assert!(jobs.begin(A, now + JOB_TIMEOUT).is_some());
    }

    #[test]
    fn the_map_of_computations_is_bounded() {
        let (jobs, now) = (Arc::new(Jobs::new(1)), Instant::now());
        let address = |number: usize| IpAddr::V4(std::net::Ipv4Addr::from(u32::try_from(number).unwrap()));
        for number in 0..MAX_NETWORKS {
            jobs.begin(address(number), now).unwrap().continue_as(2);
        }
        assert!(jobs.begin(A, now).is_none());
        assert!(jobs.begin(A, now + JOB_TIMEOUT).is_some());
        assert!(lock(&jobs.running).is_empty());
    }
}
