//! Limits of callers: visitors at work are not refused, and floods are, while others are served.

use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crate::world::{Upstream, World, ok, soon, values};

/// Starts a proxy with the default limits.
async fn with_default_limits(upstream: &Upstream) -> World {
    // An empty variable counts as unset.
    World::start(upstream.addr, &[("RATE_LIMIT", ""), ("RATE_LIMIT_COMPUTE", "")]).await
}

/// Starts a Gradio app that begins each call, and ends all calls when their stream is opened.
async fn gradio() -> Upstream {
    let (count, begun) = (AtomicUsize::new(0), Mutex::new(vec![]));
    Upstream::answering(move |head, _| {
        let mut begun = begun.lock().unwrap();
        if head.starts_with("POST /gradio_api/queue/join") {
            let event = format!("event{}", count.fetch_add(1, Ordering::Relaxed));
            let answer = format!("{{\"event_id\":\"{event}\"}}");
            begun.push(event);
            return ok(answer.as_bytes());
        }
        if !head.starts_with("GET /gradio_api/queue/data") {
            return ok(b"page");
        }
        let message = |event| {
            format!("data: {{\"msg\":\"process_completed\",\"event_id\":\"{event}\",\"output\":{{}}}}\n\n")
        };
        let events: String = begun.drain(..).map(message).collect();
        let length = events.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {length}\r\n\r\n{events}"
        )
        .into()
    })
    .await
}

/// Sends a request for each of `lines` on one connection. Returns the statuses.
async fn ask_all(world: &World, lines: &[String], more: &str) -> Vec<u16> {
    let mut caller = world.caller().await;
    let mut statuses = vec![];
    for line in lines {
        let body = if line.starts_with("POST") { "Content-Length: 2\r\n\r\n{}" } else { "\r\n" };
        caller.send(format!("{line} HTTP/1.1\r\nHost: {}\r\n{more}{body}", world.addr)).await;
        statuses.push(caller.reply(false).await.status);
    }
    statuses
}

fn refused(statuses: &[u16]) -> usize {
    statuses.iter().filter(|status| **status != 200).count()
}

/// Each has six connections.
#[tokio::test(flavor = "multi_thread")]
async fn eight_browsers_that_open_a_page_are_served() {
    let upstream = Upstream::echo().await;
    let world = with_default_limits(&upstream).await;
    let page: Vec<String> = (0..143)
        .map(|number| match number {
            0 => "GET /".to_owned(),
            1..12 => format!("GET /gradio_api/info?{number}"),
            _ => format!("GET /assets/module-{number}.js"),
        })
        .collect();
    let connections = page.chunks(24).cycle().take(8 * 6);
    let asked = connections.map(|lines| ask_all(&world, lines, ""));
    let statuses = together(asked).await.concat();
    assert_eq!((statuses.len(), refused(&statuses)), (8 * 143, 0));
}

/// Runs all at the same time.
async fn together<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    poll_fn(|cx| {
        for (one, done) in &mut all {
            if done.is_none()
                && let Poll::Ready(result) = one.as_mut().poll(cx)
            {
                *done = Some(result);
            }
        }
        if all.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

/// Each letter is a call and a request for its events. So is each step of a slider, and each call of a script.
#[tokio::test(flavor = "multi_thread")]
async fn people_and_scripts_at_work_are_served() {
    let upstream = gradio().await;
    let world = with_default_limits(&upstream).await;
    let call =
        ["POST /gradio_api/queue/join".to_owned(), "GET /gradio_api/queue/data?session_hash=x".to_owned()];
    let typed = vec![call[0].clone(); 75];
    assert_eq!(refused(&ask_all(&world, &typed, "").await), 0, "typing");
    assert_eq!(refused(&ask_all(&world, &[&call[..]; 60].concat(), "").await), 0, "a slider");
    assert_eq!(refused(&ask_all(&world, &[&call[..]; 200].concat(), "").await), 0, "a script");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_rest_app_do_not_count_as_computations() {
    let upstream = Upstream::echo().await;
    let world = with_default_limits(&upstream).await;
    for path in ["/api/embed", "/run/job", "/v1/embeddings"] {
        assert_eq!(refused(&ask_all(&world, &vec![format!("POST {path}"); 200], "").await), 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_computations_at_once_are_limited() {
    let upstream = gradio().await;
    let world = with_default_limits(&upstream).await;
    let join = "POST /gradio_api/queue/join".to_owned();
    let statuses = ask_all(&world, &vec![join.clone(); 200], "").await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 100);
    let one = "POST /gradio_api/queue/join HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}";
    let reply = world.ask(one).await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "too_many_computations"));
    assert!(reply.text().starts_with("{\"error\":\"Too many of your calls are running"), "{}", reply.text());
    let others = ask_all(&world, &vec![join; 20], "X-Forwarded-For: 203.0.113.8\r\n").await;
    assert_eq!(refused(&others), 0);
    // An unrelated stream does not free them, and their ends do.
    assert_eq!(world.get("/gradio_api/call/predict/other", "").await.status, 200);
    assert_eq!(world.ask(one).await.status, 429);
    world.get("/gradio_api/queue/data?session_hash=x", "").await;
    assert_eq!(world.ask(one).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_limited_and_others_are_served() {
    let upstream = Upstream::echo().await;
    let world = with_default_limits(&upstream).await;
    let flood = vec!["GET /search".to_owned(); 400];
    let floods = (0..8).map(|_| ask_all(&world, &flood, "X-Forwarded-For: 203.0.113.7\r\n"));
    let other = vec!["GET /search".to_owned(); 100];
    let (floods, served) =
        tokio::join!(together(floods), ask_all(&world, &other, "X-Forwarded-For: 203.0.113.8\r\n"));
    assert_eq!(refused(&served), 0);
    // On a slow machine, each second admits a hundred more than the burst.
    assert!(refused(&floods.concat()) > 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_limit_applies_to_files_too() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("RATE_LIMIT", "1/h:2")]).await;
    let dotted = vec!["GET /static/../api/x".to_owned(); 5];
    assert_eq!(ask_all(&world, &dotted, "").await, [200, 200, 429, 429, 429]);
    let files = vec!["GET /api/search/x.js".to_owned(); 400];
    assert_eq!(refused(&ask_all(&world, &files, "").await), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_read_for_events_are_not_compressed() {
    let upstream = Upstream::echo().await;
    for (most, want) in [("", "identity"), ("0", "gzip, br")] {
        let world = World::start(upstream.addr, &[("MAX_COMPUTE_PER_IP", most)]).await;
        for line in [
            "POST /gradio_api/queue/join",
            "POST /gradio_api/call/predict",
            "GET /gradio_api/call/predict/event",
            "GET /gradio_api/queue/data?session_hash=x",
        ] {
            ask_all(&world, &[line.to_owned()], "Accept-Encoding: gzip, br\r\n").await;
            assert_eq!(values(&upstream.last(), "accept-encoding"), [want], "{line}");
        }
        ask_all(&world, &["GET /theme.css".to_owned()], "Accept-Encoding: gzip, br\r\n").await;
        assert_eq!(values(&upstream.last(), "accept-encoding"), ["gzip, br"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn computing_has_a_rate_of_its_own() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("RATE_LIMIT_COMPUTE", "1/h:2")]).await;
    let join = "POST /gradio_api/queue/join HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}";
    let call = "POST /gradio_api/call/predict HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(world.ask(join).await.status, 200);
    assert_eq!(world.ask(call).await.status, 200);
    assert_eq!(world.ask(join).await.status, 429);
    assert_eq!(world.get("/config", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_streams_at_once_are_limited() {
    let upstream = Upstream::start(|mut caller, _, seen| {
        Box::pin(async move {
            while let Some((head, _)) = caller.request().await {
                let stream = head.contains("/stream");
                seen.lock().unwrap().push(head);
                if !stream {
                    caller.send(ok(b"hi")).await;
                    continue;
                }
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
                caller.send(head).await;
                caller.send("3\r\n:\n\n\r\n").await;
                while caller.more().await {}
                return;
            }
        })
    })
    .await;
    let world = World::start(upstream.addr, &[("MAX_IN_FLIGHT", "3"), ("MAX_STREAMS_PER_IP", "2")]).await;
    let open = || async {
        let mut caller = world.caller().await;
        caller.send(format!("GET /stream HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr)).await;
        let head = caller.head().await;
        (caller, head)
    };
    let (first, head) = open().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (_second, _) = open().await;
    let (mut third, head) = open().await;
    assert!(head.starts_with("HTTP/1.1 429"), "{head}");
    assert!(third.body(&head, &mut vec![]).await.0.starts_with(b"{\"error\":\"Too many open streams."));
    assert_eq!(world.get("/x", "").await.status, 200);
    drop(first);
    // The permit is free again after the end of its stream.
    soon(async {
        while !open().await.1.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let full = World::start(upstream.addr, &[("MAX_IN_FLIGHT", "1")]).await;
    let mut held = full.caller().await;
    held.send(format!("GET /stream HTTP/1.1\r\nHost: {}\r\n\r\n", full.addr)).await;
    held.head().await;
    let reply = full.get("/x", "").await;
    assert_eq!(
        (reply.status, reply.code().as_str(), reply.header("retry-after")),
        (503, "overloaded", Some("1"))
    );
    assert_eq!(full.get("/_proxy/readyz", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_limit_are_closed() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("MAX_CONNECTIONS", "20")]).await;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr);
    let mut held = vec![];
    for _ in 0..20 {
        let mut caller = world.caller().await;
        caller.send(&request).await;
        assert_eq!(caller.reply(false).await.status, 200);
        held.push(caller);
    }
    for _ in 0..200 {
        let mut refused = world.caller().await;
        assert!(refused.is_closed().await, "one too many");
    }
    for caller in &mut held {
        caller.send(&request).await;
        assert_eq!(caller.reply(false).await.status, 200);
    }
    held.pop();
    soon(async {
        loop {
            let mut next = world.caller().await;
            next.send(&request).await;
            if next.more().await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}
