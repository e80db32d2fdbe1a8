//! Apps that sleep, start, are broken, or do not accept the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::world::{Upstream, World};

const STARTING: &str =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\nstarting";

/// Starts an edge that answers `asleep` a number of times before the app answers.
async fn waking(asleep: &'static str, times: usize) -> Upstream {
    let left = Arc::new(AtomicUsize::new(times));
    Upstream::answering(move |_, body| {
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
            return asleep.as_bytes().to_vec();
        }
        let length = body.len() + 5;
        [
            format!("HTTP/1.1 200 OK\r\nX-Proxied-Host: x\r\nContent-Length: {length}\r\n\r\nawake")
                .as_bytes(),
            body,
        ]
        .concat()
    })
    .await
}

async fn world(upstream: &Upstream, hold: &str) -> World {
    let variables = [("TARGET_EDGE", "always"), ("HOLD_TIMEOUT", hold)];
    let target = format!("http://{}", upstream.addr);
    World::start_with(&target, &variables, |config| config.timeouts.hold_interval = Duration::from_millis(50))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_the_app() {
    for status in ["502 Bad", "503 Un", "504 Time"] {
        let asleep: &'static str =
            Box::leak(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhm").into_boxed_str());
        let upstream = waking(asleep, 3).await;
        let world = world(&upstream, "30s").await;
        let reply = world.get("/", "").await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "awake"), "{status}");
        assert_eq!(upstream.count(), 4);
        // Four attempts are one request.
        assert_eq!(world.proxy.metrics.held.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_waits_too() {
    let upstream = waking(STARTING, 3).await;
    let world = world(&upstream, "30s").await;
    let reply = world.ask("POST /call/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nhi").await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "awakehi"));
}

/// A 502 or 504 may come from a running app.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_may_have_arrived_is_not_sent_again() {
    let upstream = waking("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n", 9).await;
    let world = world(&upstream, "30s").await;
    let reply = world.ask("POST /x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\nhi").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "upstream_starting"));
    assert_eq!(upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_for_an_app_ends() {
    let upstream = waking(STARTING, usize::MAX).await;
    let world = world(&upstream, "300ms").await;
    let reply = world.get("/", "").await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "upstream_starting"));
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert!(upstream.count() > 1);
    // A large body is not buffered, so it cannot wait.
    let before = upstream.count();
    let body = "x".repeat(70_000);
    let reply =
        world.ask(&format!("PUT / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 70000\r\n\r\n{body}")).await;
    assert_eq!((reply.status, upstream.count()), (503, before + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_get_a_page_at_once() {
    let upstream = waking(STARTING, usize::MAX).await;
    let world = world(&upstream, "30s").await;
    let reply = world.get("/", "Accept: text/html,*/*\r\nSec-Fetch-Mode: navigate\r\n").await;
    assert_eq!((reply.status, upstream.count()), (503, 1));
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.text().contains("http-equiv=\"refresh\" content=\"5\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_app_is_not_waited_for() {
    let text = "Your space is in error, check its status on hf.co";
    let broken: &'static str = Box::leak(
        format!("HTTP/1.1 503 Un\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_boxed_str(),
    );
    let upstream = waking(broken, usize::MAX).await;
    let world = world(&upstream, "30s").await;
    let reply = world.get("/", "").await;
    assert_eq!((reply.status, reply.code().as_str(), upstream.count()), (503, "upstream_in_error", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_a_fault_of_the_proxy() {
    for status in [401, 404] {
        let refused = format!("HTTP/1.1 {status} No\r\nContent-Length: 3\r\n\r\nSry");
        let upstream = Upstream::answering(move |_, _| refused.clone().into_bytes()).await;
        let world = world(&upstream, "30s").await;
        let reply = world.get("/", "").await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_auth"));
        assert!(world.log().contains("TARGET_TOKEN"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_the_platform_is_passed_on() {
    let slow = "HTTP/1.1 429 Slow\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n";
    let upstream = Upstream::answering(move |_, _| slow.as_bytes().to_vec()).await;
    let world = world(&upstream, "30s").await;
    let reply = world.get("/", "").await;
    assert_eq!(
        (reply.status, reply.code().as_str(), reply.header("retry-after")),
        (429, "upstream_busy", Some("17"))
    );
}

/// Without a known edge, all errors count as the app's.
#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_app_are_passed_on() {
    let upstream = Upstream::answering(|head, _| {
        let marked = if head.contains("/marked") { "X-Proxied-Host: x\r\n" } else { "" };
        format!("HTTP/1.1 404 Not Found\r\n{marked}Content-Length: 4\r\n\r\nmine").into_bytes()
    })
    .await;
    let always = world(&upstream, "30s").await;
    assert_eq!(always.get("/marked", "").await.text(), "mine");
    assert_eq!(always.get("/unmarked", "").await.status, 502);
    let auto = World::start(upstream.addr, &[]).await;
    assert_eq!(auto.get("/unmarked", "").await.text(), "mine");
    assert_eq!(auto.get("/marked", "").await.text(), "mine");
    assert_eq!(auto.get("/unmarked", "").await.status, 502);
    let never = World::start(upstream.addr, &[("TARGET_EDGE", "never")]).await;
    never.get("/marked", "").await;
    assert_eq!(never.get("/unmarked", "").await.text(), "mine");
    let asleep = waking(STARTING, 1).await;
    let plain = World::start(asleep.addr, &[]).await;
    assert_eq!(plain.get("/", "").await.status, 503);
}
