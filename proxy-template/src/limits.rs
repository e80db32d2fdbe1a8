//! What one caller, and all of them together, may have at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Caps;
use crate::jobs::Jobs;
use crate::values::Rate;

/// Addresses that are remembered at most: about a megabyte. Beyond it, those that have all their tokens back are
/// forgotten, which changes nothing for them.
pub const MAX_ADDRESSES: usize = 16_384;
/// However few requests there may be at once, one address may have so many of them.
const LEAST_SHARE: usize = 32;

/// Files that one address may load beside `RATE_LIMIT`, as a multiple of it. The path alone makes a file, so that an
/// app may compute for one: this stays in proportion to a strict limit. By default sixty people may open a page of 150
/// files at once.
const FILES: Rate = Rate { per_second: 5.0, burst: 10.0 };
/// The smallest burst of files, with which a page opens under any `RATE_LIMIT`.
const LEAST_FILES: f64 = 300.0;

/// Every limit with its state.
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
    /// As `caps` say.
    pub fn new(caps: &Caps) -> Self {
        Self {
            general: caps.rate.map(Buckets::new),
            files: caps.rate.map(|rate| Buckets::new(rate_of_files(rate))),
            compute: caps.rate_compute.map(Buckets::new),
            jobs: Arc::new(Jobs::new(caps.compute_per_ip)),
            in_flight: Arc::new(InFlightCount::new(caps.in_flight)),
            streams: Arc::new(Streams { most: caps.streams_per_ip, open: Mutex::default() }),
        }
    }

    /// Takes a token for one request. The error is the wait for the next token.
    pub fn request(&self, address: IpAddr, kind: Kind, now: Instant) -> Result<(), Duration> {
        let take = |buckets: &Option<Buckets>| match buckets {
            Some(buckets) => buckets.take(network(address), now),
            None => Ok(()),
        };
        match kind {
            Kind::File => take(&self.files),
            Kind::Other => take(&self.general),
            Kind::Compute => take(&self.general).and_then(|()| take(&self.compute)),
        }
    }

    /// Room for one more request of this address, until the permit is dropped. One address may have a quarter of all
    /// the room: whoever sends or reads slowly enough could have all of it otherwise.
    pub fn enter(&self, address: IpAddr) -> Result<InFlight, Full> {
        let count = &self.in_flight;
        let before = count.now.fetch_add(1, Ordering::Relaxed);
        let mut permit = InFlight { count: count.clone(), address: None };
        if count.most == 0 {
            return Ok(permit);
        }
        if before >= count.most {
            return Err(Full::All);
        }
        let address = network(address);
        let mut shares = lock(&count.shares);
        let share = shares.entry(address).or_insert(0);
        if *share >= count.share {
            return Err(Full::Share);
        }
        *share += 1;
        permit.address = Some(address);
        Ok(permit)
    }

    /// Room for one more stream of this address, until the permit is dropped.
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

    /// Requests that run now.
    pub fn running(&self) -> usize {
        self.in_flight.now.load(Ordering::Relaxed)
    }
}

/// Returns the limit of files that belongs to a `RATE_LIMIT`.
fn rate_of_files(rate: Rate) -> Rate {
    Rate {
        per_second: rate.per_second * FILES.per_second,
        burst: (rate.burst * FILES.burst).max(LEAST_FILES),
    }
}

/// The kind of a request, by which it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of a page.
    File,
    /// A call that makes a Gradio app compute.
    Compute,
    /// Anything else.
    Other,
}

/// Why there is no room for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// There are too many.
    All,
    /// Its address has too many.
    Share,
}

#[derive(Debug)]
struct InFlightCount {
    now: AtomicUsize,
    most: usize,
    /// What one address may have of it.
    share: usize,
    shares: Mutex<HashMap<IpAddr, usize>>,
}

impl InFlightCount {
    fn new(most: usize) -> Self {
        let share = (most / 4).max(LEAST_SHARE).min(most);
        Self { now: AtomicUsize::new(0), most, share, shares: Mutex::default() }
    }
}

/// One running request.
#[derive(Debug)]
pub struct InFlight {
    count: Arc<InFlightCount>,
    /// Whose share it is counted in.
    address: Option<IpAddr>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.count.now.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = self.address {
            give_back(&self.count.shares, address);
        }
    }
}

#[derive(Debug)]
struct Streams {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One open stream.
#[derive(Debug)]
pub struct StreamPermit {
    streams: Arc<Streams>,
    address: IpAddr,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        give_back(&self.streams.open, self.address);
    }
}

/// Counts one less, and forgets an address that has none.
fn give_back(counts: &Mutex<HashMap<IpAddr, usize>>, address: IpAddr) {
    let mut counts = lock(counts);
    if let Some(count) = counts.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&address);
        }
    }
}

/// A token bucket for each address.
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
        if filled.len() >= MAX_ADDRESSES && !filled.contains_key(&address) {
            filled.retain(|_, bucket| self.tokens(bucket, now) < self.rate.burst);
            if filled.len() >= MAX_ADDRESSES {
                // So many addresses at work at once are no visitors.
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

/// What counts as one caller: an IPv4 address, or the /64 of an IPv6 address, which one household has to itself.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// A panic elsewhere leaves these maps whole, so that they can be used on.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_bucket_empties_and_fills() {
        let buckets = Buckets::new(Rate { per_second: 2.0, burst: 2.0 });
        let start = Instant::now();
        assert!(buckets.take(A, start).is_ok() && buckets.take(A, start).is_ok());
        assert_eq!(buckets.take(A, start), Err(Duration::from_millis(500)));
        assert!(buckets.take(A, start + Duration::from_millis(600)).is_ok());
        assert!(buckets.take("192.0.2.2".parse().unwrap(), start).is_ok());
    }

    #[test]
    fn computing_and_files_have_their_own() {
        let (limits, now) = (limits(0, 0), Instant::now());
        assert!(limits.request(A, Kind::Compute, now).is_ok());
        assert!(limits.request(A, Kind::Compute, now).is_err());
        assert!(limits.request(A, Kind::Other, now).is_ok());
        assert!(limits.request(A, Kind::Other, now).is_err());
        let files = |now| (0..1000).filter(|_| limits.request(A, Kind::File, now).is_ok()).count();
        assert_eq!(files(now), 300);
        assert_eq!(files(now + Duration::from_secs(10)), 50);
    }

    /// The limits that a proxy has when no variable is set.
    fn defaults() -> Limits {
        let config = crate::config::Config::read(|name| match name {
            "TARGET_URL" => Some("https://ada-demo.hf.space".to_owned()),
            "TARGET_TOKEN" => Some("hf_x".to_owned()),
            _ => None,
        });
        Limits::new(&config.unwrap().caps)
    }

    /// Asks `count` times for each kind in each of `steps` steps. Returns how many were refused.
    fn refused(limits: &Limits, asked: &[(Kind, usize)], steps: u32, step: Duration) -> usize {
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
                vec![(Kind::File, 8 * 131), (Kind::Other, 8 * 12)],
                1,
                second,
            ),
            ("the same without files", vec![(Kind::Other, 8 * 125)], 1, second),
            (
                "a person types 75 characters",
                vec![(Kind::Compute, 1), (Kind::Other, 1)],
                75,
                second * 12 / 100,
            ),
            ("a person drags a slider", vec![(Kind::Compute, 1), (Kind::Other, 1)], 300, second / 60),
            (
                "a timer of half a second for ten minutes",
                vec![(Kind::Compute, 1), (Kind::Other, 1)],
                1200,
                second / 2,
            ),
            ("eight such timers", vec![(Kind::Compute, 8), (Kind::Other, 8)], 1200, second / 2),
            (
                "a script calls predict 200 times",
                vec![(Kind::Compute, 1), (Kind::Other, 2)],
                200,
                second / 50,
            ),
            ("200 POSTs to a REST app", vec![(Kind::Other, 200)], 1, second),
        ] {
            assert_eq!(refused(&defaults(), &asked, steps, step), 0, "{what}");
        }
    }

    #[test]
    fn a_flood_of_one_address_is_held() {
        let limits = defaults();
        let tenth = Duration::from_millis(100);
        let passed = 100 * 100 - refused(&limits, &[(Kind::Other, 100)], 100, tenth);
        assert!(passed < 2_100, "{passed} of 10000 in ten seconds");
        let passed = 600 * 100 - refused(&limits, &[(Kind::File, 100)], 600, tenth);
        assert!(passed < 41_000, "{passed} of 60000 files in a minute");
        let other = "192.0.2.2".parse().unwrap();
        assert!(limits.request(other, Kind::Other, Instant::now()).is_ok());
    }

    #[test]
    fn permits_come_back() {
        let limits = limits(1, 1);
        let first = limits.enter(A);
        assert!(first.is_ok() && limits.enter(A).is_err_and(|full| full == Full::All));
        drop(first);
        assert!(limits.enter(A).is_ok());
        let stream = limits.stream(A);
        assert!(stream.is_some() && limits.stream(A).is_none());
        drop(stream);
        assert!(limits.stream(A).is_some() && lock(&limits.streams.open).is_empty());
    }

    /// Nobody takes all the room, and what is given back can be taken again.
    #[test]
    fn an_address_has_a_share() {
        let (limits, other) = (limits(200, 0), "192.0.2.2".parse().unwrap());
        let mut held: Vec<_> = (0..50).map(|_| limits.enter(A).unwrap()).collect();
        assert_eq!(limits.enter(A).unwrap_err(), Full::Share);
        assert!(limits.enter(other).is_ok());
        assert_eq!(limits.running(), 50);
        held.pop();
        assert!(limits.enter(A).is_ok());
        drop(held);
        assert!(limits.running() == 0 && lock(&limits.in_flight.shares).is_empty());
    }

    #[test]
    fn the_map_is_bounded() {
        let buckets = Buckets::new(Rate { per_second: 1.0, burst: 1.0 });
        let start = Instant::now();
        for i in 0..MAX_ADDRESSES {
            let address = IpAddr::V4(std::net::Ipv4Addr::from(u32::try_from(i).unwrap()));
            assert!(buckets.take(address, start).is_ok());
        }
        assert!(buckets.take(A, start).is_err());
        assert!(buckets.take(A, start + Duration::from_secs(2)).is_ok());
        assert_eq!(lock(&buckets.filled).len(), 1);
    }

    #[test]
    fn ipv6_counts_by_network() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}
