//! Timers, and the end of the process.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hf_proxy::config::Config;
use hf_proxy::internals::{Connector, Pool, RequestBody, send};
use http::{HeaderValue, Request};
use tokio::task::consume_budget;

use crate::world::{TOKEN, Upstream, World, ok, soon};

/// The head has a shorter timer than the wait between requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_ends_and_an_idle_connection_stays() {
    let upstream = Upstream::echo().await;
    let variables = [("HEADER_READ_TIMEOUT", "400ms"), ("KEEP_ALIVE_TIMEOUT", "1500ms")];
    let world = World::start(upstream.addr, &variables).await;
    let mut slow = world.caller().await;
    let start = Instant::now();
    slow.send("GET / HTTP/1.1\r\n").await;
    soon(async {
        let mut piece = [0; 8];
        loop {
            slow.send("X-A: a\r\n").await;
            let read = tokio::io::AsyncReadExt::read(&mut slow.stream, &mut piece);
            if tokio::time::timeout(Duration::from_millis(50), read).await.is_ok() {
                return;
            }
        }
    })
    .await;
    assert!(start.elapsed() >= Duration::from_millis(350), "{:?}", start.elapsed());
    let mut silent = world.caller().await;
    assert!(silent.is_closed().await, "a connection without a byte");
    let mut idle = world.caller().await;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr);
    idle.send(&request).await;
    idle.reply(false).await;
    let start = Instant::now();
    tokio::time::sleep(Duration::from_millis(800)).await;
    // Still open after the time limit of a head.
    idle.send(&request).await;
    assert_eq!(idle.reply(false).await.status, 200);
    assert!(!idle.more().await);
    assert!(start.elapsed() >= Duration::from_millis(2000), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_does_not_answer_times_out() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.request().await;
            std::future::pending::<()>().await;
        })
    })
    .await;
    let world = World::start(upstream.addr, &[("RESPONSE_TIMEOUT", "200ms")]).await;
    let reply = world.get("/", "").await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "upstream_timeout"));
    let body = "x".repeat(100_000);
    let reply =
        world.ask(&format!("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 100000\r\n\r\n{body}")).await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "upstream_timeout"));
}

/// An app has no reason to answer before the end of the body.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_does_not_count_as_a_slow_answer() {
    let upstream = Upstream::answering(|_, body| ok(&body.len().to_string().into_bytes())).await;
    let world = World::start(upstream.addr, &[("RESPONSE_TIMEOUT", "600ms")]).await;
    let mut caller = world.caller().await;
    caller.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000\r\n\r\n", world.addr)).await;
    for _ in 0..10 {
        caller.send("x".repeat(10_000)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(caller.reply(false).await.text(), "100000");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_stop_are_cut() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            let head = caller.head().await;
            if head.starts_with("GET") {
                caller.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
            }
            std::future::pending::<()>().await;
        })
    })
    .await;
    let world = World::start(upstream.addr, &[("BODY_IDLE_TIMEOUT", "300ms")]).await;
    let reply = world.get("/", "").await;
    assert_eq!((reply.text().as_str(), reply.whole), ("hello", false));
    for length in [10, 100_000] {
        let reply =
            world.ask(&format!("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: {length}\r\n\r\nhel")).await;
        assert_eq!((reply.status, reply.code().as_str()), (408, "body_timeout"), "{length}");
    }
}

/// A small body is buffered, so it must be complete in time. A large one is streamed.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_that_drips_in_times_out() {
    let upstream = Upstream::echo().await;
    let target = format!("http://{}", upstream.addr);
    let world = World::start_with(&target, &[("BODY_IDLE_TIMEOUT", "400ms")], |config| {
        config.timeouts.small_body = Duration::from_millis(500);
    })
    .await;
    for (length, status) in [(10, 408), (70_000, 200)] {
        let mut caller = world.caller().await;
        let head = format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n", world.addr);
        caller.send(head).await;
        for _ in 0..10 {
            caller.send("x".repeat(length / 10)).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let reply = caller.reply(false).await;
        assert_eq!(reply.status, status, "{length}");
        assert_eq!(reply.code(), if status == 408 { "body_timeout" } else { "" });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_running_requests_and_refuses_new_ones() {
    let upstream = Upstream::start(|mut caller, _, seen| {
        Box::pin(async move {
            while let Some((head, _)) = caller.request().await {
                seen.lock().unwrap().push(head);
                caller.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
                tokio::time::sleep(Duration::from_millis(1500)).await;
                caller.send("world").await;
            }
        })
    })
    .await;
    let mut world = World::start(upstream.addr, &[]).await;
    let mut running = world.caller().await;
    running.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr)).await;
    let head = running.head().await;
    let mut idle = world.caller().await;
    idle.send(format!("GET /_proxy/readyz HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr)).await;
    assert_eq!(idle.reply(false).await.text(), "{\"ready\":true}\n");
    world.stop();
    assert!(idle.is_closed().await, "idle connections go at once");
    assert_eq!(world.get("/_proxy/readyz", "").await.status, 503);
    let reply = world.get("/", "").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "draining"));
    assert_eq!(upstream.count(), 1);
    let (body, _, whole) = running.body(&head, &mut vec![]).await;
    assert_eq!((body.as_slice(), whole), (&b"helloworld"[..], true));
    soon(&mut world.served).await.unwrap();
    assert!(tokio::net::TcpStream::connect(world.addr).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_has_a_time_limit() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.request().await;
            std::future::pending::<()>().await;
        })
    })
    .await;
    let mut world = World::start(upstream.addr, &[("DRAIN_TIMEOUT", "300ms")]).await;
    let mut running = world.caller().await;
    running.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.stop();
    soon(&mut world.served).await.unwrap();
}

/// A task that has used up its Tokio budget when the answer arrives must still take it.
#[tokio::test]
async fn an_answer_reaches_a_task_without_budget() {
    // Like an event stream without an event: after the head, nothing wakes the task.
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.request().await;
            caller.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            caller.more().await;
        })
    })
    .await;
    let config = Config::read(|name| match name {
        "TARGET_URL" => Some(format!("http://{}", upstream.addr)),
        "TARGET_TOKEN" => Some(TOKEN.to_owned()),
        _ => None,
    });
    let connector = Connector::new(&config.unwrap()).unwrap();
    let pool = Arc::new(Pool::new(Arc::new(connector)));
    // A budget has 128 steps, and reading the answer takes a few of them.
    for spent in 118..=128 {
        let lease = pool.lease(true).await.unwrap();
        let mut request = Request::new(RequestBody::Empty);
        request.headers_mut().insert("host", HeaderValue::from_static("app.example"));
        let mut answer = pin!(send(lease, request, None, &pool));
        poll_fn(|cx| {
            assert!(answer.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let mut spending = (0..spent).map(|_| Box::pin(consume_budget())).collect::<Vec<_>>();
        let answered = poll_fn(|cx| {
            for mut step in spending.drain(..) {
                let _ = step.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
            answer.as_mut().poll(cx)
        });
        // Measured, because the end of the timeout would poll once more and find the answer.
        let began = Instant::now();
        let response = tokio::time::timeout(Duration::from_secs(3), answered).await.unwrap().unwrap();
        assert_eq!(response.head.status, 200);
        assert!(began.elapsed() < Duration::from_secs(2), "lost after {spent} steps");
    }
}
