//! The proxy as a library: another program gives it variables, a listener and a shutdown future.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hf_proxy::{Proxy, UpstreamStatus};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::world::{Caller, TOKEN, Upstream, ok, soon, values};

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

fn proxy(variables: &[(&str, &str)], log: Log) -> Result<Proxy, String> {
    let get = |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.to_owned());
    Proxy::from_variables(get, log)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_proxy_serves_until_its_shutdown_and_drains() {
    let slow_began = Arc::<AtomicBool>::default();
    let began = slow_began.clone();
    let upstream = Upstream::answering(move |head, _| {
        if head.starts_with("GET /slow") {
            began.store(true, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(300));
        }
        ok(head.as_bytes())
    })
    .await;
    let log = Log::default();
    let target = format!("http://{}", upstream.addr);
    let proxy = proxy(&[("TARGET_URL", &target), ("TARGET_TOKEN", TOKEN)], log.clone()).unwrap();
    assert_eq!(proxy.check().await.upstream, UpstreamStatus::Ok);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = {
        let proxy = proxy.clone();
        tokio::spawn(async move {
            proxy
                .run(listener, async {
                    let _ = stopped.await;
                })
                .await
        })
    };
    let mut caller = Caller::new(TcpStream::connect(addr).await.unwrap());
    caller.send(format!("GET /x HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
    let reply = caller.reply(false).await;
    assert_eq!(reply.status, 200);
    assert_eq!(values(&reply.text(), "x-hf-authorization"), [format!("Bearer {TOKEN}")]);
    caller.send(format!("GET /slow HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
    soon(async {
        while !slow_began.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    stop.send(()).unwrap();
    assert_eq!(caller.reply(false).await.status, 200);
    soon(served).await.unwrap().unwrap();
    proxy.flush_log();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains(&format!("listens on port {}", addr.port())), "{log}");
    assert!(log.contains("\"path\":\"/slow\"") && log.contains("drained") && !log.contains(TOKEN), "{log}");
}

#[test]
fn a_linked_proxy_reports_all_invalid_variables() {
    let faults = proxy(&[("TARGET_TOKEN", TOKEN), ("MAX_BODY", "lots")], Log::default()).unwrap_err();
    assert_eq!(faults.lines().count(), 2, "{faults}");
    assert!(faults.contains("`TARGET_URL`: is missing"), "{faults}");
    assert!(faults.contains("`MAX_BODY`: must be a size like `100MB` or `512kB`: `lots`"), "{faults}");
}
