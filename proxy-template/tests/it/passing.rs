//! Streams: in order, without delay, with backpressure, and with the right end.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{Caller, Upstream, World, ok, soon, values};

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_one_by_one() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.request().await;
            caller.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            for i in 0..5 {
                caller.send(format!("9\r\ndata: {i}\n\n\r\n")).await;
                // Waits until the test has read this event.
                if caller.stream.readable().await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    let start = Instant::now();
    caller.send(format!("GET /e HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr)).await;
    caller.head().await;
    assert!(caller.until("data: 0\n\n").await.is_some());
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Starts an app that reports the end of its connection.
async fn watched(answer: &'static str) -> (Upstream, tokio::sync::mpsc::UnboundedReceiver<Instant>) {
    let (ended, ends) = tokio::sync::mpsc::unbounded_channel();
    let upstream = Upstream::start(move |mut caller, _, seen| {
        let ended = ended.clone();
        Box::pin(async move {
            let Some((head, _)) = caller.request().await else { return };
            caller.send(answer).await;
            seen.lock().unwrap().push(head);
            while caller.more().await {}
            let _ = ended.send(Instant::now());
        })
    })
    .await;
    (upstream, ends)
}

/// Also while the app sends nothing, before or after its head.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_ends_the_request() {
    for answer in ["", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"] {
        for lines in ["", "Content-Length: 5\r\n"] {
            let (upstream, mut ends) = watched(answer).await;
            let world = World::start(upstream.addr, &[]).await;
            let mut caller = world.caller().await;
            let method = if lines.is_empty() { "GET" } else { "POST" };
            let body = if lines.is_empty() { "" } else { "hello" };
            caller.send(format!("{method} /e HTTP/1.1\r\nHost: {}\r\n{lines}\r\n{body}", world.addr)).await;
            if answer.is_empty() {
                soon(async {
                    while upstream.count() == 0 {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                })
                .await;
            } else {
                assert!(caller.until("data: 1").await.is_some());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let left = Instant::now();
            drop(caller);
            let seen = soon(ends.recv()).await.unwrap();
            // Longer than the promised 0.3 s, for a busy machine.
            assert!(seen - left < Duration::from_millis(1000), "{:?}", seen - left);
        }
    }
}

/// The bytes must not collect in the memory of the proxy.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_does_not_read_stops_the_app() {
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = sent.clone();
    let upstream = Upstream::start(move |mut caller, _, _| {
        let counted = counted.clone();
        Box::pin(async move {
            caller.request().await;
            caller.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
            let piece = vec![b'x'; 64 * 1024];
            while let Ok(n) = caller.stream.write(&piece).await {
                counted.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
            }
        })
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    caller.send(format!("GET /big HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr)).await;
    let read = || sent.load(std::sync::atomic::Ordering::Relaxed);
    let mut last = 0;
    soon(async {
        loop {
            tokio::time::sleep(Duration::from_millis(400)).await;
            if read() == last && last > 0 {
                return;
            }
            last = read();
        }
    })
    .await;
    // Most bytes are in the buffers of four sockets, which grow to megabytes on loopback.
    assert!(last < 20_000_000, "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_does_not_read_stops_the_caller() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.head().await;
            std::future::pending::<()>().await;
        })
    })
    .await;
    let world = World::start(upstream.addr, &[("MAX_BODY", "1GB")]).await;
    let mut caller = world.caller().await;
    caller
        .send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 500000000\r\n\r\n", world.addr))
        .await;
    let piece = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    while let Ok(Ok(n)) = tokio::time::timeout(Duration::from_millis(800), caller.stream.write(&piece)).await
    {
        sent += n;
        assert!(sent < 30_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_arrive_whole() {
    let upstream = Upstream::answering(|_, body| ok(body)).await;
    let world = World::start(upstream.addr, &[]).await;
    for size in [0, 1, 65_536, 65_537, 3_000_000] {
        let body: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
        let mut caller = world.caller().await;
        let head = format!("POST /b HTTP/1.1\r\nHost: {}\r\nContent-Length: {size}\r\n\r\n", world.addr);
        caller.send([head.as_bytes(), &body].concat()).await;
        let reply = caller.reply(false).await;
        assert!(reply.status == 200 && reply.whole && reply.body == body, "{size}");
        assert_eq!(values(&upstream.last(), "content-length"), [size.to_string()]);
    }
    let chunks: String = (0..100).map(|_| format!("400\r\n{}\r\n", "y".repeat(0x400))).collect();
    for method in ["POST", "GET"] {
        let reply = world
            .ask(&format!(
                "{method} /c HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
            ))
            .await;
        assert_eq!(reply.body.len(), 102_400, "{method}");
        assert_eq!(values(&upstream.last(), "transfer-encoding"), ["chunked"]);
    }
}

/// Starts an app that answers with the head and the trailers of a request.
async fn showing_trailers() -> Upstream {
    Upstream::start(|mut caller, _, seen| {
        Box::pin(async move {
            let head = caller.head().await;
            let (_, trailers, _) = caller.body(&head, &mut vec![]).await;
            seen.lock().unwrap().push(head);
            caller.send(ok(trailers.as_bytes())).await;
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn request_trailers_pass() {
    let upstream = showing_trailers().await;
    let world = World::start(upstream.addr, &[]).await;
    let reply = world
        .ask(
            "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
             2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n",
        )
        .await;
    assert_eq!(reply.text().to_lowercase(), "x-sum: 42\r\n");
}

/// RFC 9110, section 6.5.1. Some apps merge trailers into the headers.
#[tokio::test(flavor = "multi_thread")]
async fn request_trailers_follow_the_table() {
    let upstream = showing_trailers().await;
    let world = World::start(upstream.addr, &[("ZEROGPU_QUOTA", "owner")]).await;
    let names = [
        "X-HF-Authorization",
        "Authorization",
        "Cookie",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X_Forwarded_Host",
        "X-IP-Token",
        "X-ZeroGPU-Token",
        "X-Gradio-Server",
        "X-Proxy-Key",
        "X-Request-Id",
        "Connection",
        "Host",
        "Origin",
        "Via",
        "Content-Type",
        "Content-Length",
        "Transfer-Encoding",
        "Range",
        "If-Match",
        "Trailer",
        "X-Nominated",
    ];
    let trailers: String = names.iter().map(|name| format!("{name}: 1\r\n")).collect();
    for announced in
        [format!("{}, X-Sum", names.join(", ")), names.join(",\u{e9},"), "X-Nominated".to_owned()]
    {
        let reply = world
            .ask(&format!(
                "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nConnection: x-nominated\r\n\
                 Trailer: {announced}\r\n\r\n2\r\nhi\r\n0\r\n{trailers}X-Sum: 42\r\n\r\n"
            ))
            .await;
        let is_announced = announced.contains("X-Sum");
        assert_eq!(
            reply.text().to_lowercase(),
            if is_announced { "x-sum: 42\r\n" } else { "" },
            "{announced}"
        );
        assert_eq!(values(&upstream.last(), "trailer"), if is_announced { vec!["x-sum"] } else { vec![] });
    }
    // A body without trailers announces none.
    world.ask("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\nTrailer: X-Sum\r\n\r\nhi").await;
    assert!(values(&upstream.last(), "trailer").is_empty());
}

/// A 413 from before the end of the body must reach the caller, who is still sending.
#[tokio::test(flavor = "multi_thread")]
async fn early_answers_reach_the_caller() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.head().await;
            caller.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig").await;
            let _ = caller.stream.shutdown().await;
            while caller.more().await {}
        })
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    caller.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 5000000\r\n\r\n", world.addr)).await;
    let piece = vec![b'x'; 100_000];
    for _ in 0..20 {
        if soon(caller.stream.write_all(&piece)).await.is_err() {
            break;
        }
    }
    let reply = caller.reply(false).await;
    assert_eq!((reply.status, reply.text().as_str()), (413, "big"));
}

/// The answer begins before the body has ended.
#[tokio::test(flavor = "multi_thread")]
async fn both_directions_stream_at_once() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.head().await;
            caller.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while let Some(line) = caller.until("\r\n").await {
                let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).unwrap();
                while caller.buffer.len() < size + 2 {
                    if !caller.more().await {
                        return;
                    }
                }
                let chunk: Vec<u8> = caller.buffer.drain(..size + 2).collect();
                caller.send([&line[..], &chunk].concat()).await;
                if size == 0 {
                    return;
                }
            }
        })
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    caller
        .send(format!("POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", world.addr))
        .await;
    caller.send("3\r\none\r\n").await;
    caller.head().await;
    for word in ["one", "two", "six"] {
        assert!(caller.until(word).await.is_some());
        let next = if word == "one" { "two" } else { "six" };
        caller.send(format!("3\r\n{next}\r\n")).await;
    }
    caller.send("0\r\n\r\n").await;
    assert!(caller.until("0\r\n\r\n").await.is_some());
}

/// The answer has megabytes and begins before the request has ended. The upload must go on although the answer is not
/// read.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_sends_everything_before_it_reads_is_served() {
    const SIZE: usize = 60_000_000;
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.head().await;
            let mut got = caller.buffer.len();
            let (mut read, mut write) = caller.stream.into_split();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
            let writing = tokio::spawn(async move {
                let _ = write.write_all(head.as_bytes()).await;
                let _ = write.write_all(&vec![b'x'; SIZE]).await;
                write
            });
            // Fills all buffers of the way back before the upload goes on.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut piece = vec![0; 256 * 1024];
            while got < SIZE {
                match read.read(&mut piece).await {
                    Ok(n) if n > 0 => got += n,
                    _ => return,
                }
            }
            let _ = writing.await;
        })
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    caller.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: {SIZE}\r\n\r\n", world.addr)).await;
    soon(caller.stream.write_all(&vec![b'y'; SIZE])).await.unwrap();
    let reply = caller.reply(false).await;
    assert!(reply.status == 200 && reply.whole && reply.body.len() == SIZE, "{}", reply.head);
}

/// Starts an app that answers once, and closes when the next request on that connection arrives.
async fn closing_upstream() -> Upstream {
    Upstream::start(|mut caller, number, seen| {
        Box::pin(async move {
            let mut first = true;
            while let Some((head, _)) = caller.request().await {
                seen.lock().unwrap().push(head);
                if number == 0 && !first {
                    return;
                }
                first = false;
                caller.send(ok(b"hi")).await;
            }
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_on_a_stale_connection_is_sent_again() {
    let upstream = closing_upstream().await;
    let world = World::start(upstream.addr, &[]).await;
    for path in ["/1", "/2", "/3"] {
        let reply = world.get(path, "").await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "hi"), "{path}");
    }
    // The second request was sent twice.
    assert_eq!(upstream.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_never_sent_twice() {
    let upstream = closing_upstream().await;
    let world = World::start(upstream.addr, &[]).await;
    let post = "POST /p HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(world.ask(post).await.status, 200);
    let reply = world.ask(post).await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_closed"));
    assert_eq!(upstream.count(), 2);
    let put = "PUT /p HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(world.ask(put).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_that_the_app_has_closed_is_not_used() {
    let upstream = Upstream::fixed(ok(b"hi")).await;
    let world = World::start(upstream.addr, &[]).await;
    for _ in 0..3 {
        let reply = world.ask("POST /p HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nhi").await;
        assert_eq!(reply.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_kept_and_expire() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("POOL_IDLE_TIMEOUT", "300ms")]).await;
    let made = || upstream.connections.load(std::sync::atomic::Ordering::Relaxed);
    for _ in 0..5 {
        world.get("/", "").await;
    }
    assert_eq!(made(), 1);
    tokio::time::sleep(Duration::from_millis(700)).await;
    world.get("/", "").await;
    assert_eq!(made(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_app_is_unreachable() {
    let world = World::start_with("http://127.0.0.1:9", &[], |_| {}).await;
    let reply = world.get("/", "").await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_unreachable"));
    let page = world.get("/", "Accept: text/html\r\n").await;
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let counts = world.proxy.connector.counts();
    let counts = [&counts.connected, &counts.failed].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_of_one_caller_are_served() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    let callers = (0..50).map(|number| {
        let addr = world.addr;
        tokio::spawn(async move {
            let mut caller = Caller::new(tokio::net::TcpStream::connect(addr).await.unwrap());
            for i in 0..20 {
                caller.send(format!("GET /{number}/{i} HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
                let reply = caller.reply(false).await;
                assert!(reply.text().starts_with(&format!("GET /{number}/{i} HTTP/1.1")), "{}", reply.text());
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        soon(caller).await.unwrap();
    }
}
