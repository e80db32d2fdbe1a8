//! Modes that depend on the app: rewritten addresses, and the header of the token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hf_proxy::config::CheckPauses;
use hf_proxy::internals::selfcheck;

use crate::world::{Upstream, World, find, soon, values};

/// The app writes its private address if `X-Forwarded-Host` does not reach it.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_in_bodies_are_replaced_if_needed() {
    for lost in [true, false] {
        let upstream = Upstream::answering(move |head, _| {
            let host = values(head, "host")[0];
            let forwarded = values(head, "x-forwarded-host")[0];
            let root = if lost { host } else { forwarded };
            let body = format!("{{\"root\":\"http://{root}\",\"esc\":\"http:\\/\\/{root}\\/x\"}}");
            let kind = if head.contains("/bin") { "application/octet-stream" } else { "application/json" };
            format!(
                "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        })
        .await;
        let world = World::start(upstream.addr, &[]).await;
        let report = selfcheck::check(&world.proxy).await;
        assert_eq!(report.needs_rewriting(), lost, "{report:?}");
        world.proxy.health.record(report);
        let reply = world.get("/config", "Accept-Encoding: br\r\n").await;
        let own = world.addr.to_string();
        assert_eq!(reply.text(), format!("{{\"root\":\"http://{own}\",\"esc\":\"http:\\/\\/{own}\\/x\"}}"));
        assert_eq!(reply.header("etag"), Some(if lost { "W/\"a\"" } else { "\"a\"" }));
        assert_eq!(values(&upstream.last(), "accept-encoding"), [if lost { "identity" } else { "br" }]);
        assert_eq!(find(&world.get("/bin", "").await.body, own.as_bytes()).is_some(), !lost);
    }
}

/// Gradio 6 makes the examples of its API once, with the address of the first caller, who may be the owner.
#[tokio::test(flavor = "multi_thread")]
async fn the_private_address_in_examples_is_replaced() {
    let upstream = Upstream::answering(|head, _| {
        let body =
            format!("{{\"bash\":\"curl -X POST http://{}/gradio_api/call/x\"}}", values(head, "host")[0]);
        let head = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
        format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").into_bytes()
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    for (path, replaced) in [
        ("/gradio_api/info", true),
        ("/sub/gradio_api/info?all_endpoints=true", true),
        ("/gradio_api/openapi.json", true),
        ("/other/info", false),
    ] {
        let reply = world.get(path, "Accept-Encoding: br\r\n").await;
        let shown = if replaced { world.addr } else { upstream.addr };
        assert_eq!(reply.text(), format!("{{\"bash\":\"curl -X POST http://{shown}/gradio_api/call/x\"}}"));
        assert_eq!(values(&upstream.last(), "accept-encoding"), [if replaced { "identity" } else { "br" }]);
    }
}

/// Starts a proxy with short pauses of the self-check.
async fn checked(upstream: &Upstream, variables: &[(&str, &str)]) -> World {
    World::start_with(&format!("http://{}", upstream.addr), variables, |config| {
        let short = Duration::from_millis(20);
        config.timeouts.selfcheck =
            CheckPauses { retry: short, refusal: short, restore: short * 10, ..config.timeouts.selfcheck };
    })
    .await
}

/// Starts an edge that takes `Authorization`, and takes `X-HF-Authorization` if `takes` is true for the number of the probe.
async fn moody_edge(takes: impl Fn(usize) -> bool + Send + Sync + 'static) -> Upstream {
    let probes = AtomicUsize::new(0);
    Upstream::answering(move |head, _| {
        let hidden = !values(head, "x-hf-authorization").is_empty();
        if hidden && !takes(probes.fetch_add(1, Ordering::Relaxed)) {
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        let seen = if hidden { "hidden" } else { "visible" };
        let head = format!("X-Proxied-Host: x\r\nContent-Length: {}", seen.len());
        format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{seen}").into_bytes()
    })
    .await
}

/// Neither one refusal nor three in a row may show the token to the app.
#[tokio::test(flavor = "multi_thread")]
async fn stray_refusals_do_not_show_the_token() {
    for stray in 1..4 {
        let upstream = moody_edge(move |probe| probe >= stray).await;
        let world = checked(&upstream, &[("TARGET_EDGE", "always")]).await;
        world.proxy.health.record(selfcheck::check(&world.proxy).await);
        assert_eq!(world.get("/", "").await.text(), "hidden", "{stray}");
        assert_eq!(upstream.count(), 2 * stray + 2, "{stray}");
    }
}

/// The log warns of it, and it ends when the other header works again.
#[tokio::test(flavor = "multi_thread")]
async fn the_header_that_the_app_sees_is_a_last_resort() {
    let mended = Arc::new(AtomicBool::new(false));
    let takes = mended.clone();
    let upstream = moody_edge(move |_| takes.load(Ordering::Relaxed)).await;
    let world = checked(&upstream, &[("TARGET_EDGE", "always")]).await;
    let check = tokio::spawn(selfcheck::run(world.proxy.clone()));
    soon(async {
        while world.proxy.health.hf_header() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(world.get("/", "").await.text(), "visible");
    mended.store(true, Ordering::Relaxed);
    soon(async {
        while !world.proxy.health.hf_header() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(world.get("/", "").await.text(), "hidden");
    check.abort();
    let log = world.log();
    assert_eq!(log.matches("AUTH_MODE=x-hf-authorization forbids").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_selfcheck_finds_the_header_that_works() {
    for (accepted, hf_header) in [("x-hf-authorization", true), ("authorization", false)] {
        let upstream = Upstream::answering(move |head, _| {
            if values(head, accepted).is_empty() {
                return b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nSorr".to_vec();
            }
            b"HTTP/1.1 200 OK\r\nX-Proxied-Host: x\r\nSet-Cookie: spaces-jwt=e\r\nContent-Length: 2\r\n\r\nhi"
                .to_vec()
        })
        .await;
        let world = checked(&upstream, &[]).await;
        let report = selfcheck::check(&world.proxy).await;
        assert_eq!(report.hf_header, hf_header);
        assert_eq!(
            (report.json()["upstream"].as_str(), report.json()["space_cookies"].as_str()),
            (Some("ok"), Some("seen"))
        );
        world.proxy.health.record(report);
        assert_eq!(world.get("/", "").await.status, 200);
    }
    let refusing =
        Upstream::answering(|_, _| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let world = World::start(refusing.addr, &[("TARGET_EDGE", "always")]).await;
    assert_eq!(selfcheck::check(&world.proxy).await.json()["upstream"], "auth_refused");
    let plain = World::start(refusing.addr, &[]).await;
    assert_eq!(selfcheck::check(&plain.proxy).await.json()["upstream"], "ok");
}
