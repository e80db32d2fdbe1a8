//! WebSockets: only after the app has switched, and then each byte in both directions, to both ends.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::world::{TOKEN, Upstream, World, find, soon, values};

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: streamlit\r\n\
                      X-Proxied-Host: http://10.0.0.1\r\n\r\n";

fn handshake(world: &World, lines: &str) -> String {
    format!(
        "GET /_stcore/stream HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: streamlit, xsrf\r\n{lines}\r\n",
        world.addr
    )
}

/// Starts an app that switches, with `early` in the same packet, echoes all bytes, and sends `bye` at the end.
async fn echoing(early: &'static str) -> Upstream {
    Upstream::start(move |mut caller, _, seen| {
        Box::pin(async move {
            let head = caller.head().await;
            seen.lock().unwrap().push(head);
            caller.send(format!("{SWITCH}{early}")).await;
            loop {
                let bytes = std::mem::take(&mut caller.buffer);
                caller.send(&bytes).await;
                if !caller.more().await {
                    caller.send("bye").await;
                    let _ = caller.stream.shutdown().await;
                    return;
                }
            }
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_passes_all_bytes_in_both_directions() {
    let upstream = echoing("early").await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    // The first bytes of the new protocol are in the packet of the handshake.
    let origin = format!("Origin: http://{}\r\n", world.addr);
    caller.send(handshake(&world, &origin) + "first").await;
    let reply = caller.reply(false).await;
    assert_eq!(reply.status, 101, "{}", reply.head);
    assert_eq!(reply.header("upgrade"), Some("websocket"));
    assert_eq!(reply.header("connection").map(str::to_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(reply.header("sec-websocket-protocol"), Some("streamlit"));
    assert_eq!(reply.header("x-proxied-host"), None);
    let head = upstream.last();
    assert_eq!(values(&head, "sec-websocket-protocol"), ["streamlit, xsrf"]);
    assert_eq!(values(&head, "sec-websocket-key"), ["dGhlIHNhbXBsZSBub25jZQ=="]);
    assert_eq!(values(&head, "origin"), [format!("http://{}", upstream.addr)]);
    assert_eq!(values(&head, "x-hf-authorization"), [format!("Bearer {TOKEN}")]);
    assert!(caller.until("earlyfirst").await.is_some());
    let big = "z".repeat(1 << 20);
    caller.send(&big).await;
    while caller.buffer.len() < big.len() {
        assert!(caller.more().await);
    }
    assert_eq!(caller.buffer, big.as_bytes());
    caller.buffer.clear();
    // The caller's direction ends, and the other still sends its last bytes.
    caller.stream.shutdown().await.unwrap();
    assert!(caller.until("bye").await.is_some());
    assert!(caller.is_closed().await);
    assert!(find(world.log().as_bytes(), b"\"status\":101").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_may_end_first() {
    let upstream = Upstream::start(|mut caller, _, seen| {
        Box::pin(async move {
            caller.head().await;
            caller.send(SWITCH).await;
            let _ = caller.stream.shutdown().await;
            while caller.more().await {}
            seen.lock().unwrap().push(String::from_utf8_lossy(&caller.buffer).into_owned());
        })
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    caller.send(handshake(&world, "")).await;
    assert_eq!(caller.reply(false).await.status, 101);
    assert!(!caller.more().await);
    caller.send("last words").await;
    drop(caller);
    soon(async {
        while upstream.last() != "last words" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_switches_are_refused() {
    let lines = "Connection: Upgrade\r\n";
    for (name, answer) in [
        ("another protocol", format!("HTTP/1.1 101 X\r\nUpgrade: h2c\r\n{lines}\r\n")),
        ("no protocol", format!("HTTP/1.1 101 X\r\n{lines}\r\n")),
        ("two protocols", format!("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n{lines}\r\n")),
        ("no Connection", "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n".to_owned()),
    ] {
        let upstream = Upstream::fixed(answer).await;
        let world = World::start(upstream.addr, &[]).await;
        let reply = world.ask(&handshake(&world, "")).await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_invalid"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_app_is_passed_on() {
    let upstream = Upstream::fixed("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let world = World::start(upstream.addr, &[]).await;
    let reply = world.ask(&handshake(&world, "")).await;
    assert_eq!((reply.status, reply.text().as_str()), (403, "no"));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_handshakes_are_refused() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("ALLOW_ORIGINS", "https://a.example")]).await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for (name, request, status) in [
        ("a body", format!("GET / HTTP/1.1\r\nHost: HOST\r\n{upgrade}Content-Length: 5\r\n\r\nhello"), 400),
        (
            "chunks",
            format!("GET / HTTP/1.1\r\nHost: HOST\r\n{upgrade}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        ("a POST", format!("POST / HTTP/1.1\r\nHost: HOST\r\n{upgrade}\r\n"), 400),
        ("a foreign page", handshake(&world, "Origin: https://evil.example\r\n"), 403),
    ] {
        let reply = world.ask(&request).await;
        assert_eq!(reply.status, status, "{name}");
        assert_eq!(upstream.count(), 0, "{name}");
    }
    // An incomplete handshake is an ordinary request.
    world.ask("GET / HTTP/1.1\r\nHost: HOST\r\nUpgrade: websocket\r\n\r\n").await;
    assert!(values(&upstream.last(), "upgrade").is_empty());
    world
        .ask("GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n")
        .await;
    assert!(values(&upstream.last(), "upgrade").is_empty());
    assert!(values(&upstream.last(), "connection").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_tunnels_end_and_busy_ones_stay() {
    let upstream = echoing("").await;
    let world = World::start(upstream.addr, &[("WEBSOCKET_IDLE_TIMEOUT", "600ms")]).await;
    let mut caller = world.caller().await;
    caller.send(handshake(&world, "")).await;
    assert_eq!(caller.reply(false).await.status, 101);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        caller.send("ping").await;
        assert!(caller.until("ping").await.is_some());
    }
    assert!(!caller.more().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_end_with_the_process() {
    let upstream = echoing("").await;
    let mut world = World::start(upstream.addr, &[("DRAIN_TIMEOUT", "500ms")]).await;
    let mut caller = world.caller().await;
    caller.send(handshake(&world, "")).await;
    assert_eq!(caller.reply(false).await.status, 101);
    world.stop();
    caller.send("still").await;
    assert!(caller.until("still").await.is_some());
    assert!(!caller.more().await);
    soon(&mut world.served).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_ends_the_tunnel() {
    let upstream = echoing("").await;
    let world = World::start(upstream.addr, &[("MAX_STREAMS_PER_IP", "1")]).await;
    let mut caller = world.caller().await;
    caller.send(handshake(&world, "")).await;
    assert_eq!(caller.reply(false).await.status, 101);
    assert_eq!(world.ask(&handshake(&world, "")).await.status, 429);
    drop(caller);
    soon(async {
        while world.ask(&handshake(&world, "")).await.status != 101 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
