//! Limits of one caller, and of all callers together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::policy::address::{MAX_NETWORKS, network};
use crate::policy::jobs::Jobs;
use crate::sync::lock;
use crate::values::Rate;

/// Smallest share of one caller in the requests at once.
const MIN_SHARE: usize = 32;

/// Rate of files, as a multiple of `RATE_LIMIT`. It stays in proportion to a strict limit, because the path alone makes a
/// file, so that an app may compute for one. By default sixty people may open a page of 150 files at once.
const FILE_FACTORS: Rate = Rate { per_second: 5.0, burst: 10.0 };
/// Smallest burst of files, so that a page opens under any `RATE_LIMIT`.
const MIN_FILE_BURST: f64 = 300.0;

/// Settings of the limits.
#[derive(Debug, Clone)]
pub struct Caps {
    /// Requests of one caller, except for files.
    pub rate: Option<Rate>,
    /// Requests of one caller that make a Gradio app compute.
    pub rate_compute: Option<Rate>,
    /// Computations of one caller that run in a Gradio app at once; 0 is no limit.
    pub compute_per_ip: usize,
    /// Requests, streams and tunnels at once, of which one caller may have a quarter; 0 is no limit.
    pub in_flight: usize,
    /// Event streams and tunnels of one caller at once; 0 is no limit.
    pub streams_per_ip: usize,
    /// Connections of callers at once.
    pub connections: usize,
    /// Bytes in the body of a request; 0 is no limit.
    pub body: u64,
}

/// All limits with their state.
#[derive(Debug)]
pub struct Limits {
    general: Option<Buckets>,
    files: Option<Buckets>,
    compute: Option<Buckets>,
    /// Computations that run in a Gradio app.
    pub jobs: Arc<Jobs>,
    in_flight: Arc<InFlightCount>,
    streams: Arc<Streams>,
}

impl Limits {
    /// Makes the limits, all of them unused.
    pub fn new(caps: &Caps) -> Self {
        Self {
            general: caps.rate.map(Buckets::new),
            files: caps.rate.map(|rate| Buckets::new(file_rate(rate))),
            compute: caps.rate_compute.map(Buckets::new),
            jobs: Arc::new(Jobs::new(caps.compute_per_ip)),
            in_flight: Arc::new(InFlightCount::new(caps.in_flight)),
            streams: Arc::new(Streams { most: caps.streams_per_ip, open: Mutex::default() }),
        }
    }

    /// Takes a token for one request. The error is the time until the next token.
    pub fn request(&self, address: IpAddr, kind: RequestKind, now: Instant) -> Result<(), Duration> {
        let take = |buckets: &Option<Buckets>| match buckets {
            Some(buckets) => buckets.take(network(address), now),
            None => Ok(()),
        };
        match kind {
            RequestKind::File => take(&self.files),
            RequestKind::Other => take(&self.general),
            RequestKind::Compute => take(&self.general).and_then(|()| take(&self.compute)),
        }
    }

    /// Counts one more request of this caller until the permit is dropped. One caller gets a quarter of all places,
    /// because a slow one could take all of them otherwise.
    pub fn enter(&self, address: IpAddr) -> Result<InFlight, LimitReached> {
        let count = &self.in_flight;
        let before = count.now.fetch_add(1, Ordering::Relaxed);
        let mut permit = InFlight { count: count.clone(), address: None };
        if count.most == 0 {
            return Ok(permit);
        }
        if before >= count.most {
            return Err(LimitReached::All);
        }
        let address = network(address);
        let mut shares = lock(&count.shares);
        let share = shares.entry(address).or_insert(0);
        if *share >= count.share {
            return Err(LimitReached::Share);
        }
        *share += 1;
        permit.address = Some(address);
        Ok(permit)
    }

    /// Counts one more stream of this caller until the permit is dropped, or returns `None` if it has too many.
    pub fn stream(&self, address: IpAddr) -> Option<StreamPermit> {
        let address = network(address);
        let mut open = lock(&self.streams.open);
        let count = open.entry(address).or_insert(0);
        if self.streams.most > 0 && *count >= self.streams.most {
            return None;
        }
        *count += 1;
        Some(StreamPermit { streams: self.streams.clone(), address })
    }

    /// Returns the number of running requests.
    pub fn running(&self) -> usize {
        self.in_flight.now.load(Ordering::Relaxed)
    }
}

/// Returns the rate of files for a `RATE_LIMIT`.
fn file_rate(rate: Rate) -> Rate {
    Rate {
        per_second: rate.per_second * FILE_FACTORS.per_second,
        burst: (rate.burst * FILE_FACTORS.burst).max(MIN_FILE_BURST),
    }
}

/// Kind of a request, by which it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// A file of a page.
    File,
    /// A call that makes a Gradio app compute.
    Compute,
    /// Anything else.
    Other,
}

/// Cause of a refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitReached {
    /// All callers together have too many requests.
    All,
    /// This caller has too many.
    Share,
}

#[derive(Debug)]
struct InFlightCount {
    now: AtomicUsize,
    most: usize,
    /// Limit of one caller.
    share: usize,
    shares: Mutex<HashMap<IpAddr, usize>>,
}

impl InFlightCount {
    fn new(most: usize) -> Self {
        let share = (most / 4).max(MIN_SHARE).min(most);
        Self { now: AtomicUsize::new(0), most, share, shares: Mutex::default() }
    }
}

/// Permit of one running request.
#[derive(Debug)]
pub struct InFlight {
    count: Arc<InFlightCount>,
    /// The caller whose share counts it.
    address: Option<IpAddr>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.count.now.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = self.address {
            release(&self.count.shares, address);
        }
    }
}

#[derive(Debug)]
struct Streams {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// Permit of one open stream.
#[derive(Debug)]
pub struct StreamPermit {
    streams: Arc<Streams>,
    address: IpAddr,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        release(&self.streams.open, self.address);
    }
}

/// Counts one less, and forgets a caller that has none.
fn release(counts: &Mutex<HashMap<IpAddr, usize>>, address: IpAddr) {
    let mut counts = lock(counts);
    if let Some(count) = counts.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&address);
        }
    }
}

/// A token bucket for each caller.
#[derive(Debug)]
struct Buckets {
    rate: Rate,
    filled: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Buckets {
    fn new(rate: Rate) -> Self {
        Self { rate, filled: Mutex::default() }
    }

    fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut filled = lock(&self.filled);
        if filled.len() >= MAX_NETWORKS && !filled.contains_key(&address) {
            filled.retain(|_, bucket| self.tokens(bucket, now) < self.rate.burst);
            if filled.len() >= MAX_NETWORKS {
                // Refused, because visitors do not come from that many networks at once.
                return Err(Duration::from_secs(1));
            }
        }
        let bucket = filled.entry(address).or_insert(Bucket { tokens: self.rate.burst, at: now });
        bucket.tokens = self.tokens(bucket, now);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.rate.per_second))
    }

    fn tokens(&self, bucket: &Bucket, now: Instant) -> f64 {
        let flown = now.saturating_duration_since(bucket.at).as_secs_f64() * self.rate.per_second;
        (bucket.tokens + flown).min(self.rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn limits(in_flight: usize, streams: usize) -> Limits {
        Limits::new(&Caps {
            rate: Some(Rate { per_second: 1.0, burst: 3.0 }),
            rate_compute: Some(Rate { per_second: 0.1, burst: 1.0 }),
            compute_per_ip: 0,
            in_flight,
            streams_per_ip: streams,
            connections: 1,
            body: 1,
        })
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new(Rate { per_second: 2.0, burst: 2.0 });
        let start = Instant::now();
        assert!(buckets.take(A, start).is_ok() && buckets.take(A, start).is_ok());
        assert_eq!(buckets.take(A, start), Err(Duration::from_millis(500)));
        assert!(buckets.take(A, start + Duration::from_millis(600)).is_ok());
        assert!(buckets.take("192.0.2.2".parse().unwrap(), start).is_ok());
    }

    #[test]
    fn computing_and_files_have_rates_of_their_own() {
        let (limits, now) = (limits(0, 0), Instant::now());
        assert!(limits.request(A, RequestKind::Compute, now).is_ok());
        assert!(limits.request(A, RequestKind::Compute, now).is_err());
        assert!(limits.request(A, RequestKind::Other, now).is_ok());
        assert!(limits.request(A, RequestKind::Other, now).is_err());
        let files = |now| (0..1000).filter(|_| limits.request(A, RequestKind::File, now).is_ok()).count();
        assert_eq!(files(now), 300);
        assert_eq!(files(now + Duration::from_secs(10)), 50);
    }

    /// Returns the limits of a proxy without settings.
    fn defaults() -> Limits {
        let config = crate::config::Config::read(|name| match name {
            "TARGET_URL" => Some("https://ada-demo.hf.space".to_owned()),
            "TARGET_TOKEN" => Some("hf_x".to_owned()),
            _ => None,
        });
        Limits::new(&config.unwrap().caps)
    }

    /// Asks `count` times for each kind in each of `steps` steps. Returns the number of refusals.
    fn refused(limits: &Limits, asked: &[(RequestKind, usize)], steps: u32, step: Duration) -> usize {
        let start = Instant::now();
        let mut refused = 0;
        for number in 0..steps {
            for (kind, count) in asked {
                let ask = |_: &usize| limits.request(A, *kind, start + step * number).is_err();
                refused += (0..*count).filter(ask).count();
            }
        }
        refused
    }

    #[test]
    fn visitors_at_work_are_not_refused() {
        let second = Duration::from_secs(1);
        for (what, asked, steps, step) in [
            (
                "8 browsers open a page of 143 requests",
                vec![(RequestKind::File, 8 * 131), (RequestKind::Other, 8 * 12)],
                1,
                second,
            ),
            ("the same without files", vec![(RequestKind::Other, 8 * 125)], 1, second),
            (
                "a person types 75 characters",
                vec![(RequestKind::Compute, 1), (RequestKind::Other, 1)],
                75,
                second * 12 / 100,
            ),
            (
                "a person drags a slider",
                vec![(RequestKind::Compute, 1), (RequestKind::Other, 1)],
                300,
                second / 60,
            ),
            (
                "a timer of half a second for ten minutes",
                vec![(RequestKind::Compute, 1), (RequestKind::Other, 1)],
                1200,
                second / 2,
            ),
            ("eight such timers", vec![(RequestKind::Compute, 8), (RequestKind::Other, 8)], 1200, second / 2),
            (
                "a script calls predict 200 times",
                vec![(RequestKind::Compute, 1), (RequestKind::Other, 2)],
                200,
                second / 50,
            ),
            ("200 POSTs to a REST app", vec![(RequestKind::Other, 200)], 1, second),
        ] {
            assert_eq!(refused(&defaults(), &asked, steps, step), 0, "{what}");
        }
    }

    #[test]
    fn a_flood_of_one_caller_is_limited() {
        let limits = defaults();
        let tenth = Duration::from_millis(100);
        let passed = 100 * 100 - refused(&limits, &[(RequestKind::Other, 100)], 100, tenth);
        assert!(passed < 2_100, "{passed} of 10000 in ten seconds");
        let passed = 600 * 100 - refused(&limits, &[(RequestKind::File, 100)], 600, tenth);
        assert!(passed < 41_000, "{passed} of 60000 files in a minute");
        let other = "192.0.2.2".parse().unwrap();
        assert!(limits.request(other, RequestKind::Other, Instant::now()).is_ok());
    }

    #[test]
    fn dropped_permits_are_free_again() {
        let limits = limits(1, 1);
        let first = limits.enter(A);
        assert!(first.is_ok() && limits.enter(A).is_err_and(|reached| reached == LimitReached::All));
        drop(first);
        assert!(limits.enter(A).is_ok());
        let stream = limits.stream(A);
        assert!(stream.is_some() && limits.stream(A).is_none());
        drop(stream);
        assert!(limits.stream(A).is_some() && lock(&limits.streams.open).is_empty());
    }

    #[test]
    fn one_caller_gets_a_share_and_can_use_it_again() {
        let (limits, other) = (limits(200, 0), "192.0.2.2".parse().unwrap());
        let mut held: Vec<_> = (0..50).map(|_| limits.enter(A).unwrap()).collect();
        assert_eq!(limits.enter(A).unwrap_err(), LimitReached::Share);
        assert!(limits.enter(other).is_ok());
        assert_eq!(limits.running(), 50);
        held.pop();
        assert!(limits.enter(A).is_ok());
        drop(held);
        assert!(limits.running() == 0 && lock(&limits.in_flight.shares).is_empty());
    }

    #[test]
    fn the_map_of_buckets_is_bounded() {
        let buckets = Buckets::new(Rate { per_second: 1.0, burst: 1.0 });
        let start = Instant::now();
        for i in 0..MAX_NETWORKS {
            let address = IpAddr::V4(std::net::Ipv4Addr::from(u32::try_from(i).unwrap()));
            assert!(buckets.take(address, start).is_ok());
        }
        assert!(buckets.take(A, start).is_err());
        assert!(buckets.take(A, start + Duration::from_secs(2)).is_ok());
        assert_eq!(lock(&buckets.filled).len(), 1);
    }
}
