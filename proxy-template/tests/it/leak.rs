//! The token stays inside: it is not in headers, trailers, addresses, cookies, pages, log, metrics or `Debug`.

use crate::world::{Reply, TOKEN, Upstream, World, find, ok, values};

/// Returns the headers that an app sees behind the edge: all but `X-HF-Authorization`.
fn behind_the_edge(head: &str) -> String {
    head.lines()
        .filter(|line| !line.to_lowercase().starts_with("x-hf-authorization:"))
        .collect::<Vec<_>>()
        .join("\r\n")
}

/// Returns the header lines of a request as lines of an answer.
fn echoed(head: &str) -> String {
    head.lines()
        .skip(1)
        .filter(|line| {
            let lower = line.to_lowercase();
            !line.is_empty() && !lower.starts_with("content-length") && !lower.starts_with("connection")
        })
        .map(|line| format!("{line}\r\n"))
        .collect()
}

fn clean(name: &str, bytes: &[u8]) {
    assert!(find(bytes, TOKEN.as_bytes()).is_none(), "{name}: {}", String::from_utf8_lossy(bytes));
}

/// Gradio answers a Range with a copy of the request's headers. Without an edge, the token is in the copy.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_in_a_copy_of_the_request_is_removed() {
    for mode in ["x-hf-authorization", "authorization"] {
        let upstream = Upstream::answering(|head, _| {
            format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/10\r\nContent-Length: 4\r\n{}\r\ndata",
                echoed(head)
            )
            .into_bytes()
        })
        .await;
        let world = World::start(upstream.addr, &[("AUTH_MODE", mode)]).await;
        let lines = "Range: bytes=0-3\r\nCookie: a=b\r\nUser-Agent: me\r\nAccept: */*\r\nAccept-Language: en\r\n\
                     Referer: http://x.example/\r\nIf-None-Match: \"x\"\r\nX-Ip-Token: jwt\r\nSec-Fetch-Mode: cors\r\n";
        let reply = world.get("/gradio_api/file=/tmp/x", lines).await;
        assert_eq!((reply.status, reply.text().as_str()), (206, "data"));
        assert!(upstream.last().contains(TOKEN));
        clean(mode, &reply.raw);
        for name in [
            "authorization",
            "x-hf-authorization",
            "host",
            "cookie",
            "user-agent",
            "accept",
            "accept-language",
            "range",
            "referer",
            "if-none-match",
            "x-ip-token",
            "sec-fetch-mode",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "via",
        ] {
            assert_eq!(reply.header(name), None, "{name}");
        }
        assert_eq!(reply.header("content-range"), Some("bytes 0-3/10"));
        clean("log", world.log().as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_removed_wherever_the_app_puts_it() {
    let answer = |lines: &str| format!("HTTP/1.1 200 {TOKEN}\r\n{lines}Content-Length: 0\r\n\r\n");
    for (name, lines, status) in [
        ("any header", format!("X-Debug: is {TOKEN}!\r\nX-Json: {{\"t\":\"Bearer {TOKEN}\"}}\r\n"), 200),
        ("a header's name", format!("{TOKEN}: 1\r\n"), 200),
        ("a lower-case name", format!("x-{}: {TOKEN}\r\n", TOKEN.to_lowercase()), 200),
        ("Location", format!("Location: /?t={TOKEN}\r\n"), 502),
        ("Content-Location", format!("Content-Location: /?t={TOKEN}\r\n"), 502),
        ("Refresh", format!("Refresh: 1; url=/?t={TOKEN}\r\n"), 502),
        ("Set-Cookie", format!("Set-Cookie: t={TOKEN}\r\n"), 502),
        ("Set-Cookie of the platform", format!("Set-Cookie: spaces-jwt={TOKEN}\r\n"), 200),
        ("Vary", format!("Vary: {TOKEN}\r\n"), 200),
        ("WWW-Authenticate", format!("WWW-Authenticate: Bearer realm=\"{TOKEN}\"\r\n"), 200),
    ] {
        let upstream = Upstream::fixed(answer(&lines)).await;
        let world = World::start(upstream.addr, &[]).await;
        let reply = world.get("/", "").await;
        assert_eq!(reply.status, status, "{name}: {}", reply.head);
        clean(name, &reply.raw);
        if status == 502 {
            assert_eq!(reply.code(), "upstream_leak", "{name}");
        }
        clean(name, world.log().as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_in_trailers_is_removed() {
    let upstream = Upstream::fixed(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A, X-B, Authorization, Set-Cookie\r\n\r\n\
         2\r\nhi\r\n0\r\nX-A: {TOKEN}\r\nX-B: fine\r\nAuthorization: x\r\nSet-Cookie: spaces-jwt=x\r\n\r\n"
    ))
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let reply = world.get("/", "TE: trailers\r\nConnection: te\r\n").await;
    assert_eq!(reply.trailers.to_lowercase(), "x-b: fine\r\n");
    clean("trailers", &reply.raw);
}

/// Bodies are not searched, because an app behind the edge does not see the token.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_behind_the_edge_does_not_see_the_token() {
    let upstream = Upstream::answering(|head, body| {
        assert!(head.contains(TOKEN));
        ok(&[behind_the_edge(head).as_bytes(), body].concat())
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    for lines in [
        "",
        "Connection: X-HF-Authorization\r\n",
        "X-HF-Authorization: Bearer hf_mine\r\nX_HF_Authorization: Bearer hf_mine\r\n",
        "Authorization: Bearer hf_mine\r\n",
    ] {
        let reply = world.get("/headers", lines).await;
        assert_eq!(reply.status, 200);
        clean("body", &reply.raw);
        assert!(!reply.text().contains("hf_mine"), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_pages_errors_and_debug_have_no_token() {
    let upstream = Upstream::echo().await;
    let dead = "http://127.0.0.1:9";
    let metrics = [("METRICS_TOKEN", "metrics-token-of-this-test"), ("MAX_BODY", "10")];
    for target in [format!("http://{}", upstream.addr).as_str(), dead] {
        let world = World::start_with(target, &metrics, |_| {}).await;
        let mut replies: Vec<Reply> = vec![];
        for path in ["/_proxy/healthz", "/_proxy/readyz", "/_proxy/metrics", "/_proxy/x", "/monitoring"] {
            replies.push(world.get(path, "Authorization: Bearer metrics-token-of-this-test\r\n").await);
            replies.push(world.get(path, "Accept: text/html\r\n").await);
        }
        if target == dead {
            replies.push(world.get("/", "").await);
            replies.push(world.get("/", "Accept: text/html\r\n").await);
        }
        replies.push(world.ask("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 50\r\n\r\n").await);
        replies.push(world.ask(&format!("GET /{TOKEN} HTTP/1.1\r\n\r\n")).await);
        for reply in &replies {
            assert!(reply.status >= 200, "{reply:?}");
            clean(&reply.head, &reply.raw);
        }
        let debug = format!("{:?} {:#?}", world.proxy, world.proxy);
        clean("Debug", debug.as_bytes());
        assert!(!debug.contains("metrics-token-of-this-test"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_paths_and_no_secrets() {
    let upstream = Upstream::echo().await;
    for format in ["json", "text"] {
        let world = World::start(upstream.addr, &[("LOG_FORMAT", format)]).await;
        let lines =
            "Cookie: s=c00kie\r\nAuthorization: Bearer hf_theirs\r\nX-HF-Authorization: Bearer hf_theirs\r\n";
        world.get("/seen?q=qu3ry", lines).await;
        let log = world.log();
        clean("log", log.as_bytes());
        for secret in ["qu3ry", "c00kie", "hf_theirs"] {
            assert!(!log.contains(secret), "{log}");
        }
        assert!(log.contains("/seen"));
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
            assert_eq!((line["path"].as_str(), line["status"].as_u64()), (Some("/seen"), Some(200)));
            assert_eq!(line["id"].as_str(), Some(values(&upstream.last(), "x-request-id")[0]));
        }
    }
}

/// The token goes to one host only.
#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let other = Upstream::echo().await;
    let location =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", other.addr);
    let upstream = Upstream::fixed(location).await;
    let world = World::start(upstream.addr, &[]).await;
    assert_eq!(world.get("/", "").await.status, 302);
    for target in [format!("//{}/x", other.addr), format!("/\\{}/x", other.addr)] {
        world.get(&target, "").await;
    }
    assert_eq!(other.count(), 0);
}
