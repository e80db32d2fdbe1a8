//! A network between the binary and the local Hub that breaks where a test says.
//!
//! It forwards HTTP/1.1 request by request, so that "the n-th request of this kind" is a place. The Hub's port in
//! what passes is replaced by its own: addresses that the Hub hands out lead through here as well.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::harness::until;

/// The fault of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The connection is reset, and the Hub hears nothing.
    ResetBefore,
    /// The same, and the port is closed for a while.
    RefusedForAWhile,
    /// The same, and the port stays closed.
    Gone,
    /// The Hub gets half of the body, then both sides are cut off.
    CutRequest,
    /// The Hub does it; its answer is lost.
    ResetAfter,
    /// The Hub does it; half of its answer arrives.
    CutAnswer,
    /// The Hub does it; its answer arrives in small pieces, with pauses.
    SlowAnswer,
    /// The Hub hears nothing, and neither does the client: the connection is half open.
    SilentBefore,
    /// The Hub does it, and the client hears nothing.
    SilentAfter,
    /// The Hub does it; half of its answer arrives, then nothing.
    SilentInAnswer,
}

/// One request, as it can be found again in another run: commits, hashes and numbers differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Method and path.
    pub(crate) request: String,
    /// The how-manieth of its kind, from 0.
    pub(crate) occurrence: usize,
}

/// Time that the port is closed after [`Kind::RefusedForAWhile`].
const OUTAGE: Duration = Duration::from_millis(1500);

pub(crate) struct Network {
    address: SocketAddr,
    state: Arc<State>,
    accepting: tokio::task::JoinHandle<()>,
}

struct State {
    /// The Hub.
    upstream: SocketAddr,
    own: SocketAddr,
    seen: Mutex<Vec<Place>>,
    breaks: Mutex<Vec<(Place, Kind)>>,
    struck: Notify,
    /// Requests that the Hub may be at.
    under_way: AtomicUsize,
    /// Time to keep the port closed; `None` is for ever.
    outages: mpsc::UnboundedSender<Option<Duration>>,
    /// A wrong `Date` for every answer.
    date: Mutex<Option<String>>,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Network {
    /// In front of `endpoint`, such as `http://127.0.0.1:8080`.
    pub(crate) async fn before(endpoint: &str) -> Self {
        let upstream: SocketAddr = endpoint.trim_start_matches("http://").parse().unwrap();
        // An address of its own, since a port that is given up must not become another test's; and as long as the
        // Hub's, since it stands in answers.
        let own = Ipv4Addr::new(127, fastrand::u8(0..10), fastrand::u8(0..10), fastrand::u8(2..10));
        let listener = TcpListener::bind((own, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (outages, ordered) = mpsc::unbounded_channel();
        let state = Arc::new(State {
            upstream,
            own: address,
            seen: Mutex::default(),
            breaks: Mutex::default(),
            struck: Notify::new(),
            under_way: AtomicUsize::new(0),
            outages,
            date: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, address, Arc::clone(&state), ordered));
        Self { address, state, accepting }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks one request to come.
    pub(crate) fn break_at(&self, place: &Place, kind: Kind) {
        self.state.breaks.lock().unwrap().push((place.clone(), kind));
    }

    /// From now on every answer carries this `Date`.
    pub(crate) fn set_date(&self, date: &str) {
        *self.state.date.lock().unwrap() = Some(date.to_owned());
    }

    /// Waits until a break struck.
    pub(crate) async fn struck(&self) {
        self.state.struck.notified().await;
    }

    /// Waits until the Hub has answered all that it has heard.
    pub(crate) async fn settled(&self) {
        until(|| self.state.under_way.load(Ordering::SeqCst) == 0).await;
    }

    /// Reports whether every fault was used.
    pub(crate) fn all_struck(&self) -> bool {
        self.state.breaks.lock().unwrap().is_empty()
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Place> {
        self.state.seen.lock().unwrap().clone()
    }
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
    mut outages: mpsc::UnboundedReceiver<Option<Duration>>,
) {
    let mut listener = Some(listener);
    loop {
        let mut connections = JoinSet::new();
        let outage = loop {
            tokio::select! {
                outage = outages.recv() => break outage.flatten(),
                accepted = listener.as_ref().unwrap().accept() => {
                    if let Ok((client, _)) = accepted {
                        connections.spawn(serve(client, Arc::clone(&state)));
                    }
                }
            }
        };
        // What is under way goes down with the listener.
        listener.take();
        connections.shutdown().await;
        let Some(outage) = outage else { return };
        tokio::time::sleep(outage).await;
        listener = Some(TcpListener::bind(address).await.unwrap());
    }
}

/// Serves one connection of the client, request by request.
async fn serve(mut client: TcpStream, state: Arc<State>) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut client, &mut buffer).await {
        let under_way = UnderWay::begin(&state);
        let place = state.arrived(&request);
        let kind = state.take_break(&place);
        if kind.is_some() {
            state.struck.notify_one();
        }
        let going_on = match kind {
            None => pass(&mut client, &state, &request, Pace::Fast).await,
            Some(Kind::SlowAnswer) => pass(&mut client, &state, &request, Pace::Slow).await,
            Some(kind) => {
                strike(client, &state, &request, kind, under_way).await;
                return;
            }
        };
        if !going_on {
            return;
        }
    }
}

/// A request that the Hub may be at.
struct UnderWay(Arc<State>);

impl UnderWay {
    fn begin(state: &Arc<State>) -> Self {
        state.under_way.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Breaks a request, for good.
async fn strike(mut client: TcpStream, state: &State, request: &Request, kind: Kind, under_way: UnderWay) {
    match kind {
        Kind::ResetBefore => {}
        Kind::RefusedForAWhile => drop(state.outages.send(Some(OUTAGE))),
        Kind::Gone => drop(state.outages.send(None)),
        Kind::CutRequest => {
            if let Ok(mut hub) = TcpStream::connect(state.upstream).await {
                let bytes = request.for_hub(state);
                let head = bytes.len() - request.body().len();
                let _ = hub.write_all(&bytes[..head + request.body().len() / 2]).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Kind::ResetAfter | Kind::CutAnswer | Kind::SilentAfter | Kind::SilentInAnswer => {
            let answer = ask(state, request).await.unwrap_or_default();
            if matches!(kind, Kind::CutAnswer | Kind::SilentInAnswer) {
                let head = head_length(&answer).unwrap_or(0);
                let _ = client.write_all(&answer[..head + (answer.len() - head) / 2]).await;
            }
            if kind == Kind::CutAnswer {
                let _ = client.shutdown().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                return;
            }
        }
        Kind::SilentBefore | Kind::SlowAnswer => {}
    }
    drop(under_way);
    if matches!(kind, Kind::SilentBefore | Kind::SilentAfter | Kind::SilentInAnswer) {
        // Until the client gives up.
        while client.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
        return;
    }
    let _ = client.set_zero_linger();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Fast,
    Slow,
}

/// Passes a request and its answer on: whether the connection can be used again.
async fn pass(client: &mut TcpStream, state: &State, request: &Request, pace: Pace) -> bool {
    let Ok(mut hub) = TcpStream::connect(state.upstream).await else { return false };
    if hub.write_all(&request.for_hub(state)).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    loop {
        let mut piece = vec![0; 64 << 10];
        let Ok(length) = hub.read(&mut piece).await else { return false };
        answer.extend_from_slice(&piece[..length]);
        if length == 0 {
            break;
        }
        // Events have no end that could be waited for.
        if head_length(&answer)
            .is_some_and(|head| has_header(&answer[..head], "content-type: text/event-stream"))
        {
            let _ = client.write_all(&answer).await;
            let _ = tokio::io::copy_bidirectional(client, &mut hub).await;
            return false;
        }
    }
    let answer = state.for_client(answer);
    let pieces = if pace == Pace::Slow { 10 } else { 1 };
    for piece in answer.chunks(answer.len().div_ceil(pieces).max(1)) {
        if client.write_all(piece).await.is_err() {
            return false;
        }
        if pace == Pace::Slow {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    true
}

/// The whole answer of the Hub.
async fn ask(state: &State, request: &Request) -> std::io::Result<Vec<u8>> {
    let mut hub = TcpStream::connect(state.upstream).await?;
    hub.write_all(&request.for_hub(state)).await?;
    let mut answer = Vec::new();
    // A log has no end: its beginning will do.
    let _ = tokio::time::timeout(Duration::from_secs(2), hub.read_to_end(&mut answer)).await;
    Ok(state.for_client(answer))
}

impl State {
    fn arrived(&self, request: &Request) -> Place {
        let request = request.described();
        let mut seen = self.seen.lock().unwrap();
        let occurrence = seen.iter().filter(|place| place.request == request).count();
        let place = Place { request, occurrence };
        seen.push(place.clone());
        place
    }

    fn take_break(&self, place: &Place) -> Option<Kind> {
        let mut breaks = self.breaks.lock().unwrap();
        let index = breaks.iter().position(|(at, _)| at == place)?;
        Some(breaks.remove(index).1)
    }

    /// An answer as the client should see it. Both ports have five digits, so that no length changes.
    fn for_client(&self, answer: Vec<u8>) -> Vec<u8> {
        let mut answer = replaced(answer, self.upstream, self.own);
        let Some(head) = head_length(&answer) else { return answer };
        let body = answer.split_off(head);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let date = self.date.lock().unwrap().clone();
        let mut made = String::new();
        for line in text.trim_end().split("\r\n") {
            let lower = line.to_ascii_lowercase();
            match &date {
                _ if lower.starts_with("connection:") => {}
                Some(date) if lower.starts_with("date:") => made.push_str(&format!("date: {date}\r\n")),
                _ => made.push_str(&format!("{line}\r\n")),
            }
        }
        made.push_str("\r\n");
        [made.into_bytes(), body].concat()
    }
}

/// One request as it came, with its head and its body.
struct Request {
    bytes: Vec<u8>,
    head: usize,
}

impl Request {
    fn body(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Method and path without what differs from run to run.
    fn described(&self) -> String {
        let head = String::from_utf8_lossy(&self.bytes[..self.head]);
        let line = head.lines().next().unwrap_or_default();
        let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
        let target = rest.split(' ').next().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let stable = |segment: &str| match segment.len() {
            32.. => "…".to_owned(),
            _ => segment.to_owned(),
        };
        let path: Vec<String> = path.split('/').map(stable).collect();
        format!("{method} {}", path.join("/"))
    }

    /// Request as the Hub should see it: one request for each connection.
    fn for_hub(&self, state: &State) -> Vec<u8> {
        let head = replaced(self.bytes[..self.head].to_vec(), state.own, state.upstream);
        let text = String::from_utf8_lossy(&head).into_owned();
        let kept = text
            .trim_end()
            .split("\r\n")
            .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let head: String = kept.map(|line| format!("{line}\r\n")).collect();
        [head.as_bytes(), b"connection: close\r\n\r\n", self.body()].concat()
    }
}

/// The next request of a connection: `None` at its end.
async fn read_request(client: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let mut piece = vec![0; 64 << 10];
    loop {
        if let Some(length) = message_length(buffer) {
            let rest = buffer.split_off(length);
            let bytes = std::mem::replace(buffer, rest);
            let head = head_length(&bytes)?;
            return Some(Request { bytes, head });
        }
        match client.read(&mut piece).await {
            Ok(length @ 1..) => buffer.extend_from_slice(&piece[..length]),
            _ => return None,
        }
    }
}

/// The bytes of the first message, once it is complete.
fn message_length(buffer: &[u8]) -> Option<usize> {
    let head = head_length(buffer)?;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let complete = if text.contains("transfer-encoding: chunked") {
        const END: &[u8] = b"\r\n0\r\n\r\n";
        let from = head - 2;
        from + buffer[from..].windows(END.len()).position(|window| window == END)? + END.len()
    } else {
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        head + length.map_or(0, |length| length.trim().parse().unwrap())
    };
    (buffer.len() >= complete).then_some(complete)
}

fn head_length(buffer: &[u8]) -> Option<usize> {
    buffer.windows(4).position(|window| window == b"\r\n\r\n").map(|end| end + 4)
}

fn has_header(head: &[u8], header: &str) -> bool {
    String::from_utf8_lossy(head).to_ascii_lowercase().contains(header)
}

fn replaced(mut bytes: Vec<u8>, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let (from, to) = (from.to_string(), to.to_string());
    assert_eq!(from.len(), to.len(), "addresses of as many characters");
    let mut start = 0;
    while let Some(at) = bytes[start..].windows(from.len()).position(|window| window == from.as_bytes()) {
        bytes[start + at..start + at + to.len()].copy_from_slice(to.as_bytes());
        start += at + to.len();
    }
    bytes
}
