//! The computations that one address has running in a Gradio app, from the call to its end.
//!
//! Gradio answers a call at once with the id of an event, and reports its end on an event stream. So the
//! answers to calls are read for the id, and the event streams for the ends.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use memchr::{memchr, memmem::find};

use crate::limits::{MAX_ADDRESSES, lock, network};

/// A computation of which no end is seen for so long is forgotten: its caller may have left before it began.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10 * 60);
/// Ends that are remembered for calls whose answer is still on its way.
const EARLY_ENDS: usize = 64;
/// The beginning of a line or of an answer, in which Gradio puts the kind of a message and the id of its event.
const HEAD: usize = 256;

/// Running computations, by address.
#[derive(Debug)]
pub struct Jobs {
    most: usize,
    running: Mutex<HashMap<IpAddr, Running>>,
    calls: AtomicU64,
}

#[derive(Debug, Default)]
struct Running {
    /// When each began, by the hash of its event's id, or by the number of the call as long as there is no event.
    jobs: HashMap<u64, Instant>,
    /// Events that ended before the answer to their call came through.
    early: Vec<u64>,
}

impl Running {
    fn forget_old(&mut self, now: Instant) {
        self.jobs.retain(|_, since| now.saturating_duration_since(*since) < FORGOTTEN_AFTER);
    }
}

/// One computation, which ends when this goes, unless an event has taken its place.
#[derive(Debug)]
pub struct Job {
    jobs: Arc<Jobs>,
    address: IpAddr,
    key: u64,
}

impl Jobs {
    /// At most `most` of one address; 0 is no limit, and then nothing is counted.
    pub fn new(most: usize) -> Self {
        Self { most, running: Mutex::default(), calls: AtomicU64::new(0) }
    }

    /// Returns true when computations are counted.
    pub fn are_counted(&self) -> bool {
        self.most > 0
    }

    /// Begins one more computation of this address. `None` when it has too many.
    pub fn begin(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Job> {
        let address = network(address);
        let mut running = lock(&self.running);
        if running.len() >= MAX_ADDRESSES && !running.contains_key(&address) {
            running.retain(|_, of_address| {
                of_address.forget_old(now);
                !of_address.jobs.is_empty()
            });
            if running.len() >= MAX_ADDRESSES {
                // So many addresses at work at once are no visitors.
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
        // Odd, where those of events are even.
        let key = self.calls.fetch_add(1, Ordering::Relaxed) << 1 | 1;
        of_address.jobs.insert(key, now);
        Some(Job { jobs: self.clone(), address, key })
    }

    /// Computations of this address that run now.
    pub fn count(&self, address: IpAddr) -> usize {
        lock(&self.running).get(&network(address)).map_or(0, |of_address| of_address.jobs.len())
    }

    /// Removes a computation. An event that is not known ends before its call is answered.
    fn end(&self, address: IpAddr, key: u64, is_event: bool) {
        let mut running = lock(&self.running);
        let Some(of_address) = running.get_mut(&address) else { return };
        if of_address.jobs.remove(&key).is_none() && is_event && of_address.early.len() < EARLY_ENDS {
            of_address.early.push(key);
        }
        if of_address.jobs.is_empty() {
            running.remove(&address);
        }
    }
}

impl Job {
    /// Lets the computation go on until its event has ended.
    fn goes_on(self, event: u64) {
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

/// Reads an answer of Gradio's while it passes.
#[derive(Debug)]
pub enum Watch {
    /// The answer to a call, which names its event.
    Call {
        /// The computation that was begun with the call, until the event is known.
        job: Option<Job>,
        /// The answer so far.
        head: Vec<u8>,
    },
    /// A stream of events.
    Events(Events),
}

impl Watch {
    /// Reads the answer to a call.
    pub fn call(job: Job) -> Self {
        Self::Call { job: Some(job), head: Vec::new() }
    }

    /// Reads the events of a session. `event` is the one that the whole stream is about, if it is about one.
    pub fn events(jobs: Arc<Jobs>, address: IpAddr, event: Option<&str>) -> Self {
        let open = event.map(|id| hash(id.as_bytes())).into_iter().collect();
        Self::Events(Events { jobs, address: network(address), open, line: Vec::new(), is_read: false })
    }

    /// The next piece of the answer.
    pub fn see(&mut self, data: &[u8]) {
        match self {
            Self::Call { job, head } => {
                if job.is_none() {
                    return;
                }
                head.extend_from_slice(&data[..data.len().min(HEAD - head.len())]);
                if let Some(id) = string(head, b"event_id")
                    && let Some(job) = job.take()
                {
                    job.goes_on(hash(id));
                }
            }
            Self::Events(events) => events.see(data),
        }
    }
}

/// A stream of events, of which the beginning of each line is read.
#[derive(Debug)]
pub struct Events {
    jobs: Arc<Jobs>,
    address: IpAddr,
    /// Events that were seen and have not ended.
    open: Vec<u64>,
    /// The beginning of the line so far.
    line: Vec<u8>,
    /// The rest of the line does not matter.
    is_read: bool,
}

impl Events {
    fn see(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let end = memchr(b'\n', data);
            if !self.is_read {
                let piece = &data[..end.unwrap_or(data.len())];
                self.line.extend_from_slice(&piece[..piece.len().min(HEAD - self.line.len())]);
                if end.is_some() || self.line.len() == HEAD {
                    self.read_line();
                }
            }
            let Some(end) = end else { return };
            (self.is_read, data) = (false, &data[end + 1..]);
        }
    }

    fn read_line(&mut self) {
        self.is_read = true;
        let line = mem::take(&mut self.line);
        if let (Some(kind), Some(id)) = (string(&line, b"msg"), string(&line, b"event_id")) {
            let event = hash(id);
            self.open.retain(|open| *open != event);
            if matches!(kind, b"process_completed" | b"unexpected_error") {
                self.jobs.end(self.address, event, true);
            } else {
                self.open.push(event);
            }
        }
        self.line = line;
        self.line.clear();
    }
}

impl Drop for Events {
    /// Gradio ends the events of a session whose stream has ended.
    fn drop(&mut self) {
        for event in mem::take(&mut self.open) {
            self.jobs.end(self.address, event, true);
        }
    }
}

/// The text that belongs to a key, where both are within the beginning of a JSON object.
fn string<'a>(json: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut quoted = [0; 16];
    quoted[0] = b'"';
    quoted.get_mut(1..=key.len())?.copy_from_slice(key);
    *quoted.get_mut(key.len() + 1)? = b'"';
    let at = find(json, &quoted[..key.len() + 2])?;
    let rest = json[at + key.len() + 2..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let text = rest.strip_prefix(b"\"")?;
    Some(&text[..memchr(b'"', text)?])
}

/// Of the id of an event; even, where the numbers of calls are odd.
fn hash(id: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn begun(jobs: &Arc<Jobs>, event: &str) {
        let mut call = Watch::call(jobs.begin(A, Instant::now()).unwrap());
        let answer = format!("{{\"event_id\": \"{event}\"}}");
        let (one, other) = answer.split_at(9);
        call.see(one.as_bytes());
        call.see(other.as_bytes());
    }

    #[test]
    fn a_computation_runs_from_its_call_to_its_last_message() {
        let jobs = Arc::new(Jobs::new(2));
        begun(&jobs, "one");
        begun(&jobs, "two");
        assert!(jobs.count(A) == 2 && jobs.begin(A, Instant::now()).is_none());
        assert!(jobs.begin("192.0.2.2".parse().unwrap(), Instant::now()).is_some());
        let mut stream = Watch::events(jobs.clone(), A, None);
        for piece in [
            "data: {\"msg\":\"estimation\",\"event_id\":\"one\",\"rank\":0}\n\n",
            "data: {\"msg\":\"process_gen",
            "erating\",\"event_id\":\"one\",\"output\":{\"data\":[\"\\\"msg\\\":\\\"process_completed\\\"\"]}}\n\n",
            "data: {\"msg\":\"heartbeat\",\"event_id\":null}\n\n",
        ] {
            stream.see(piece.as_bytes());
            assert_eq!(jobs.count(A), 2, "{piece}");
        }
        let long = "x".repeat(100_000);
        stream.see(
            format!("data: {{\"msg\":\"process_completed\",\"event_id\":\"one\",\"output\":\"{long}")
                .as_bytes(),
        );
        assert_eq!(jobs.count(A), 1);
        stream.see(b"\"}\n\ndata: {\"msg\":\"process_completed\",\"event_id\":\"two\"}\n\n");
        assert!(jobs.count(A) == 0 && lock(&jobs.running).is_empty());
    }

    #[test]
    fn the_end_of_a_stream_ends_what_it_was_about() {
        let jobs = Arc::new(Jobs::new(9));
        for event in ["seen", "asked", "other"] {
            begun(&jobs, event);
        }
        let mut session = Watch::events(jobs.clone(), A, None);
        session.see(b"data: {\"msg\":\"process_starts\",\"event_id\":\"seen\"}\n\n");
        drop(session);
        assert_eq!(jobs.count(A), 2);
        drop(Watch::events(jobs.clone(), A, Some("asked")));
        assert_eq!(jobs.count(A), 1);
    }

    #[test]
    fn a_call_without_an_event_ends_with_its_answer() {
        let jobs = Arc::new(Jobs::new(1));
        let mut call = Watch::call(jobs.begin(A, Instant::now()).unwrap());
        call.see(&[b'x'; 300]);
        call.see(b"\"event_id\":\"late\"");
        assert_eq!(jobs.count(A), 1);
        drop(call);
        assert_eq!(jobs.count(A), 0);
    }

    #[test]
    fn an_end_may_come_before_the_answer_to_the_call() {
        let jobs = Arc::new(Jobs::new(1));
        let job = jobs.begin(A, Instant::now()).unwrap();
        let mut stream = Watch::events(jobs.clone(), A, None);
        stream.see(b"data: {\"msg\":\"process_completed\",\"event_id\":\"one\"}\n\n");
        let mut call = Watch::call(job);
        call.see(b"{\"event_id\":\"one\"}");
        drop(call);
        assert_eq!(jobs.count(A), 0);
    }

    #[test]
    fn what_has_no_end_is_forgotten() {
        let jobs = Arc::new(Jobs::new(1));
        begun(&jobs, "lost");
        let now = Instant::now();
        assert!(jobs.begin(A, now + FORGOTTEN_AFTER / 2).is_none());
        assert!(jobs.begin(A, now + FORGOTTEN_AFTER).is_some());
    }

    #[test]
    fn the_map_is_bounded() {
        let (jobs, now) = (Arc::new(Jobs::new(1)), Instant::now());
        let address = |number: usize| IpAddr::V4(std::net::Ipv4Addr::from(u32::try_from(number).unwrap()));
        for number in 0..MAX_ADDRESSES {
            jobs.begin(address(number), now).unwrap().goes_on(2);
        }
        assert!(jobs.begin(A, now).is_none());
        assert!(jobs.begin(A, now + FORGOTTEN_AFTER).is_some());
        assert!(lock(&jobs.running).is_empty());
    }
}
