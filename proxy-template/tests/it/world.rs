//! A proxy for each test, with a scripted app behind it and a socket in front of it.

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hf_proxy::config::Config;
use hf_proxy::internals::{ProxyState, Workers, serve};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The token of all tests. It must not leave the proxy.
pub(crate) const TOKEN: &str = "hf_T0pS3cretT0kenOfThisTest";
/// Time limit of each step, long enough for slow machines.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns the result of `future` within the time limit.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(STEP_TIMEOUT, future).await.expect("a step ended within its time limit")
}

/// A proxy with its log.
pub(crate) struct World {
    pub addr: SocketAddr,
    pub proxy: Arc<ProxyState>,
    log: Log,
    stop: Option<oneshot::Sender<()>>,
    pub served: JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl World {
    /// Starts a proxy in front of `upstream`, without rate limits unless the variables set them.
    pub(crate) async fn start(upstream: SocketAddr, variables: &[(&str, &str)]) -> Self {
        Self::start_with(&format!("http://{upstream}"), variables, |_| {}).await
    }

    /// Starts a proxy in front of any target, with changes that no variable can make.
    pub(crate) async fn start_with(
        target: &str,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let base = [
            ("TARGET_URL", target),
            ("TARGET_TOKEN", TOKEN),
            ("RATE_LIMIT", "off"),
            ("RATE_LIMIT_COMPUTE", "off"),
        ];
        let read = Config::read(|name| {
            base.iter().chain(variables).rev().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        });
        let mut config = read.unwrap();
        change(&mut config);
        let log = Log::default();
        let proxy = ProxyState::new(config, log.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        // One worker, so that a test knows which idle connections it gets.
        let workers = Workers::start(1, &proxy.connector).unwrap();
        let served = tokio::spawn(serve(listener, proxy.clone(), workers, async move {
            let _ = stopped.await;
        }));
        Self { addr, proxy, log, stop: Some(stop), served }
    }

    /// Begins the drain, as SIGTERM does.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Opens a connection.
    pub(crate) async fn caller(&self) -> Caller<TcpStream> {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Caller::new(stream)
    }

    /// Sends one request on a new connection. `HOST` stands for the proxy's address.
    pub(crate) async fn ask(&self, request: &str) -> Reply {
        let mut caller = self.caller().await;
        caller.send(request.replace("HOST", &self.addr.to_string())).await;
        caller.reply(is_head(request.as_bytes())).await
    }

    /// Sends `GET path` with more header lines.
    pub(crate) async fn get(&self, path: &str, lines: &str) -> Reply {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: HOST\r\n{lines}\r\n")).await
    }

    /// Returns the log so far. Waits for running requests first, because a caller sees the end of an answer before it is
    /// logged.
    pub(crate) fn log(&self) -> String {
        for _ in 0..100 {
            if self.proxy.limits.running() == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.proxy.logger.flush();
        String::from_utf8_lossy(&self.log.0.lock().unwrap()).into_owned()
    }
}

fn is_head(request: &[u8]) -> bool {
    request.starts_with(b"HEAD ")
}

/// An answer as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    pub body: Vec<u8>,
    /// The lines after the last chunk.
    pub trailers: String,
    /// True if the body is complete.
    pub whole: bool,
    /// All bytes.
    pub raw: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the code of a refusal.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// One end of a connection, which reads messages as they are on the wire.
pub(crate) struct Caller<S> {
    pub stream: S,
    pub buffer: Vec<u8>,
}

impl<S: AsyncRead + tokio::io::AsyncWrite + Unpin> Caller<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: vec![] }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // Ignored, because a refusal may close the connection before the end of the request.
        let _ = soon(self.stream.write_all(bytes.as_ref())).await;
        let _ = self.stream.flush().await;
    }

    /// Reads more bytes. Returns false after the end of the connection or an error.
    pub(crate) async fn more(&mut self) -> bool {
        let mut piece = vec![0; 64 * 1024];
        match soon(self.stream.read(&mut piece)).await {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.buffer.extend_from_slice(&piece[..n]);
                true
            }
        }
    }

    /// Reads until the buffer holds `text`, and takes the bytes up to its end.
    pub(crate) async fn until(&mut self, text: &str) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, text.as_bytes()) {
                return Some(self.buffer.drain(..at + text.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Returns true if the other side closes now, without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return false;
        }
        let mut piece = [0; 64];
        match tokio::time::timeout(Duration::from_millis(1500), self.stream.read(&mut piece)).await {
            Ok(Ok(0) | Err(_)) => true,
            Ok(Ok(n)) => {
                self.buffer.extend_from_slice(&piece[..n]);
                false
            }
            Err(_) => false,
        }
    }

    /// Returns the head of the next message, or an empty text after the last.
    pub(crate) async fn head(&mut self) -> String {
        let head = self.until("\r\n\r\n").await.unwrap_or_default();
        String::from_utf8_lossy(&head).into_owned()
    }

    /// Returns the next answer.
    pub(crate) async fn reply(&mut self, head_only: bool) -> Reply {
        let mut head = self.head().await;
        let mut raw = head.clone().into_bytes();
        while head.starts_with("HTTP/1.1 100") {
            head = self.head().await;
            raw.extend_from_slice(head.as_bytes());
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let bodiless = head_only || matches!(status, 101 | 204 | 304 | 0);
        let (body, trailers, whole) =
            if bodiless { (vec![], String::new(), true) } else { self.body(&head, &mut raw).await };
        Reply { status, head, body, trailers, whole, raw }
    }

    /// Returns the body that belongs to `head`, its trailers, and true if it is complete.
    pub(crate) async fn body(&mut self, head: &str, raw: &mut Vec<u8>) -> (Vec<u8>, String, bool) {
        let value = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_owned())
        };
        if value("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            let mut body = vec![];
            loop {
                let Some(line) = self.until("\r\n").await else { return (body, String::new(), false) };
                raw.extend_from_slice(&line);
                let size = String::from_utf8_lossy(&line);
                let size = usize::from_str_radix(size.trim().split(';').next().unwrap(), 16);
                let Ok(size) = size else { return (body, String::new(), false) };
                if size == 0 {
                    let mut trailers = vec![];
                    loop {
                        let Some(line) = self.until("\r\n").await else {
                            return (body, String::new(), false);
                        };
                        raw.extend_from_slice(&line);
                        if line == b"\r\n" {
                            return (body, String::from_utf8_lossy(&trailers).into_owned(), true);
                        }
                        trailers.extend_from_slice(&line);
                    }
                }
                while self.buffer.len() < size + 2 {
                    if !self.more().await {
                        body.append(&mut self.buffer);
                        return (body, String::new(), false);
                    }
                }
                let chunk: Vec<u8> = self.buffer.drain(..size + 2).collect();
                raw.extend_from_slice(&chunk);
                body.extend_from_slice(&chunk[..size]);
            }
        }
        let request = !head.starts_with("HTTP/");
        let length = value("content-length").map(|length| length.parse::<usize>().unwrap());
        let Some(length) = length.or(request.then_some(0)) else {
            while self.more().await {}
            raw.extend_from_slice(&self.buffer);
            return (std::mem::take(&mut self.buffer), String::new(), true);
        };
        while self.buffer.len() < length && self.more().await {}
        let whole = self.buffer.len() >= length;
        let body: Vec<u8> = self.buffer.drain(..length.min(self.buffer.len())).collect();
        raw.extend_from_slice(&body);
        (body, String::new(), whole)
    }

    /// Returns head and body of the next request.
    pub(crate) async fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let head = self.head().await;
        if head.is_empty() {
            return None;
        }
        let (body, _, whole) = self.body(&head, &mut vec![]).await;
        whole.then_some((head, body))
    }
}

pub(crate) fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// A scripted app. It keeps the heads of all requests.
pub(crate) struct Upstream {
    pub addr: SocketAddr,
    pub seen: Arc<Mutex<Vec<String>>>,
    pub connections: Arc<std::sync::atomic::AtomicUsize>,
    task: JoinHandle<()>,
}

type Script = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Upstream {
    /// Runs `script` for each connection, with the connection, its number from 0, and the list of heads.
    pub(crate) async fn start<F>(script: F) -> Self
    where
        F: Fn(Caller<TcpStream>, usize, Arc<Mutex<Vec<String>>>) -> Script + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let connections = Arc::<std::sync::atomic::AtomicUsize>::default();
        let (kept, counted) = (seen.clone(), connections.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                stream.set_nodelay(true).unwrap();
                let number = counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::spawn(script(Caller::new(stream), number, kept.clone()));
            }
        });
        Self { addr, seen, connections, task }
    }

    /// Answers each request by `answer`, which gets head and body. An answer with `Connection: close`, or an empty one, ends
    /// the connection.
    pub(crate) async fn answering(answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::start(move |mut caller, _, seen| {
            let answer = answer.clone();
            Box::pin(async move {
                while let Some((head, body)) = caller.request().await {
                    let bytes = answer(&head, &body);
                    seen.lock().unwrap().push(head);
                    caller.send(&bytes).await;
                    if bytes.is_empty() || find(&bytes.to_ascii_lowercase(), b"connection: close").is_some() {
                        return;
                    }
                }
            })
        })
        .await
    }

    /// Answers 200 with head and body of the request.
    pub(crate) async fn echo() -> Self {
        Self::answering(|head, body| ok(&[head.as_bytes(), body].concat())).await
    }

    /// Answers each request with these bytes and closes.
    pub(crate) async fn fixed(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut caller, _, seen| {
            let bytes = bytes.clone();
            Box::pin(async move {
                if let Some((head, _)) = caller.request().await {
                    seen.lock().unwrap().push(head);
                    caller.send(&bytes).await;
                }
            })
        })
        .await
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(crate) fn last(&self) -> String {
        self.seen.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes a 200.
pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Returns the values of a header in a head.
pub(crate) fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}
