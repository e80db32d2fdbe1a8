//! Readers of Gradio's answers, for the begin and the end of computations.
//!
//! Gradio answers a call at once with the id of an event, and reports its end on an event stream. So the answers to calls
//! are read for the id, and the event streams for the ends.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use memchr::{memchr, memmem::find};

use crate::policy::jobs::{Job, Jobs};

/// Length of the beginning of a line or an answer, in which Gradio puts the kind of a message and the id of its event.
const HEAD_BYTES: usize = 256;

/// Reader of one of Gradio's answers while it is passed on.
#[derive(Debug)]
pub(crate) enum Watch {
    /// Reads the answer to a call, which names its event.
    Call {
        /// The computation that began with the call, until the event is known.
        job: Option<Job>,
        /// The beginning of the answer so far.
        head: Vec<u8>,
    },
    /// Reads a stream of events.
    Events(Events),
}

impl Watch {
    /// Makes the reader of the answer to a call.
    pub(crate) fn call(job: Job) -> Self {
        Self::Call { job: Some(job), head: Vec::new() }
    }

    /// Makes the reader of a session's events. `event` is the id of the only event of the stream, if it has only one.
    pub(crate) fn events(jobs: Arc<Jobs>, address: IpAddr, event: Option<&str>) -> Self {
        let open = event.map(|id| event_key(id.as_bytes())).into_iter().collect();
        Self::Events(Events { jobs, address, open, line: Vec::new(), is_read: false })
    }

    /// Reads the next piece of the answer.
    pub(crate) fn read(&mut self, data: &[u8]) {
        match self {
            Self::Call { job, head } => {
                if job.is_none() {
                    return;
                }
                head.extend_from_slice(&data[..data.len().min(HEAD_BYTES - head.len())]);
                if let Some(id) = string_field(head, b"event_id")
                    && let Some(job) = job.take()
                {
                    job.continue_as(event_key(id));
                }
            }
            Self::Events(events) => events.read(data),
        }
    }
}

/// Reader of a stream of events. It reads the beginning of each line.
#[derive(Debug)]
pub(crate) struct Events {
    jobs: Arc<Jobs>,
    address: IpAddr,
    /// Keys of the events that have begun and not ended.
    open: Vec<u64>,
    /// The beginning of the line so far.
    line: Vec<u8>,
    /// True if the rest of the line is skipped.
    is_read: bool,
}

impl Events {
    fn read(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let end = memchr(b'\n', data);
            if !self.is_read {
                let piece = &data[..end.unwrap_or(data.len())];
                self.line.extend_from_slice(&piece[..piece.len().min(HEAD_BYTES - self.line.len())]);
                if end.is_some() || self.line.len() == HEAD_BYTES {
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
        if let (Some(kind), Some(id)) = (string_field(&line, b"msg"), string_field(&line, b"event_id")) {
            let event = event_key(id);
            self.open.retain(|open| *open != event);
            if matches!(kind, b"process_completed" | b"unexpected_error") {
                self.jobs.end_event(self.address, event);
            } else {
                self.open.push(event);
            }
        }
        self.line = line;
        self.line.clear();
    }
}

impl Drop for Events {
    /// Ends all open events, because Gradio ends the events of a session with its stream.
    fn drop(&mut self) {
        for event in mem::take(&mut self.open) {
            self.jobs.end_event(self.address, event);
        }
    }
}

/// Finds a field with a string in the beginning of a JSON object, and returns the string as it is written. A parser cannot
/// read it, because the object is cut off.
fn string_field<'a>(json: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut quoted = [0; 16];
    quoted[0] = b'"';
    quoted.get_mut(1..=key.len())?.copy_from_slice(key);
    *quoted.get_mut(key.len() + 1)? = b'"';
    let at = find(json, &quoted[..key.len() + 2])?;
    let rest = json[at + key.len() + 2..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let text = rest.strip_prefix(b"\"")?;
    Some(&text[..memchr(b'"', text)?])
}

/// Returns the key of an event: even, because those of calls are odd.
fn event_key(id: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() & !1
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn begin(jobs: &Arc<Jobs>, event: &str) {
        let mut call = Watch::call(jobs.begin(A, Instant::now()).unwrap());
        let answer = format!("{{\"event_id\": \"{event}\"}}");
        let (one, other) = answer.split_at(9);
        call.read(one.as_bytes());
        call.read(other.as_bytes());
    }

    #[test]
    fn a_computation_counts_from_its_call_to_its_last_message() {
        let jobs = Arc::new(Jobs::new(2));
        begin(&jobs, "one");
        begin(&jobs, "two");
        assert!(jobs.count(A) == 2 && jobs.begin(A, Instant::now()).is_none());
        assert!(jobs.begin("192.0.2.2".parse().unwrap(), Instant::now()).is_some());
        let mut stream = Watch::events(jobs.clone(), A, None);
        for piece in [
            "data: {\"msg\":\"estimation\",\"event_id\":\"one\",\"rank\":0}\n\n",
            "data: {\"msg\":\"process_gen",
            "erating\",\"event_id\":\"one\",\"output\":{\"data\":[\"\\\"msg\\\":\\\"process_completed\\\"\"]}}\n\n",
            "data: {\"msg\":\"heartbeat\",\"event_id\":null}\n\n",
        ] {
            stream.read(piece.as_bytes());
            assert_eq!(jobs.count(A), 2, "{piece}");
        }
        let long = "x".repeat(100_000);
        stream.read(
            format!("data: {{\"msg\":\"process_completed\",\"event_id\":\"one\",\"output\":\"{long}")
                .as_bytes(),
        );
        assert_eq!(jobs.count(A), 1);
        stream.read(b"\"}\n\ndata: {\"msg\":\"process_completed\",\"event_id\":\"two\"}\n\n");
        assert!(jobs.count(A) == 0);
    }

    #[test]
    fn the_end_of_a_stream_ends_its_events() {
        let jobs = Arc::new(Jobs::new(9));
        for event in ["seen", "asked", "other"] {
            begin(&jobs, event);
        }
        let mut session = Watch::events(jobs.clone(), A, None);
        session.read(b"data: {\"msg\":\"process_starts\",\"event_id\":\"seen\"}\n\n");
        drop(session);
        assert_eq!(jobs.count(A), 2);
        drop(Watch::events(jobs.clone(), A, Some("asked")));
        assert_eq!(jobs.count(A), 1);
    }

    #[test]
    fn a_call_without_an_event_ends_with_its_answer() {
        let jobs = Arc::new(Jobs::new(1));
        let mut call = Watch::call(jobs.begin(A, Instant::now()).unwrap());
        call.read(&[b'x'; 300]);
        call.read(b"\"event_id\":\"late\"");
        assert_eq!(jobs.count(A), 1);
        drop(call);
        assert_eq!(jobs.count(A), 0);
    }

    #[test]
    fn an_end_may_come_before_the_answer_to_the_call() {
        let jobs = Arc::new(Jobs::new(1));
        let job = jobs.begin(A, Instant::now()).unwrap();
        let mut stream = Watch::events(jobs.clone(), A, None);
        stream.read(b"data: {\"msg\":\"process_completed\",\"event_id\":\"one\"}\n\n");
        let mut call = Watch::call(job);
        call.read(b"{\"event_id\":\"one\"}");
        drop(call);
        assert_eq!(jobs.count(A), 0);
    }
}
