//! Answers of apps that are invalid, or nearly so.

use crate::world::{Upstream, World};

/// Returns the proxy's answer for an app that sends exactly these bytes.
async fn through(bytes: impl Into<Vec<u8>>, request: &str) -> crate::world::Reply {
    let upstream = Upstream::fixed(bytes).await;
    let world = World::start(upstream.addr, &[]).await;
    world.ask(request).await
}

const GET: &str = "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n";
const GET_TE: &str = "GET / HTTP/1.1\r\nHost: HOST\r\nTE: trailers\r\nConnection: te\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn hop_by_hop_headers_end_here() {
    let reply = through(
        "HTTP/1.1 200 Fine\r\nConnection: X-Sec, keep-alive\r\nConnection: X-Other\r\nX-Sec: 1\r\nX-Other: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n\
         X-Kept: 1\r\nContent-Length: 2\r\n\r\nhi",
        GET,
    )
    .await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "hi"));
    for name in ["x-sec", "x-other", "keep-alive", "proxy-authenticate", "proxy-connection", "upgrade"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_eq!(reply.header("x-kept"), Some("1"));
    assert!(reply.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", reply.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_is_void() {
    let reply = through(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        GET,
    )
    .await;
    assert_eq!((reply.status, reply.text().as_str(), reply.whole), (200, "hello", true));
    assert_eq!(reply.header("content-length"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_502() {
    let big = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(70_000));
    for (name, bytes, code) in [
        (
            "CL differing",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
            "upstream_invalid",
        ),
        (
            "CL twice",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
            "upstream_invalid",
        ),
        ("CL list", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", "upstream_invalid"),
        ("CL bad", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi", "upstream_invalid"),
        (
            "TE gzip, chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "upstream_invalid",
        ),
        (
            "TE gzip",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
            "upstream_invalid",
        ),
        ("TE identity", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhi", "upstream_invalid"),
        (
            "TE twice",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "upstream_invalid",
        ),
        (
            "HTTP/1.0 with TE",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            "upstream_",
        ),
        ("garbage", "hello world, I am no HTTP\r\n\r\n", "upstream_invalid"),
        ("HTTP/0.9", "<html>hi</html>", "upstream_"),
        ("70 kB of headers", big.as_str(), "upstream_invalid"),
        ("407", "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "upstream_invalid"),
        (
            "unsolicited 101",
            "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "upstream_invalid",
        ),
        ("nothing", "", "upstream_closed"),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le", "upstream_closed"),
    ] {
        let reply = through(bytes, GET).await;
        assert_eq!(reply.status, 502, "{name}: {}", reply.head);
        assert!(reply.code().starts_with(code), "{name}: {}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn early_hints_are_skipped() {
    let reply = through(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        GET,
    )
    .await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "hi"));
}

/// RFC 9110, section 6.5.
#[tokio::test(flavor = "multi_thread")]
async fn only_callers_that_take_trailers_get_them() {
    let announced = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                     2\r\nhi\r\n0\r\nX-Sum: 42\r\n\r\n";
    let reply = through(announced, GET_TE).await;
    assert_eq!((reply.text().as_str(), reply.trailers.to_lowercase().as_str()), ("hi", "x-sum: 42\r\n"));
    assert_eq!(reply.header("trailer"), Some("X-Sum"));
    let reply = through(announced, GET).await;
    assert_eq!((reply.text().as_str(), reply.trailers.as_str(), reply.whole), ("hi", "", true));
    assert_eq!(reply.header("trailer"), None);
    let unannounced = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                       2\r\nhi\r\n0\r\nServer-Timing: x;dur=1\r\ngrpc-status: 0\r\n\r\n";
    let reply = through(unannounced, GET_TE).await;
    assert!(reply.trailers.to_lowercase().contains("server-timing: x;dur=1\r\n"), "{reply:?}");
    assert!(reply.trailers.to_lowercase().contains("grpc-status: 0\r\n"), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_answer_closes_the_connection() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    ] {
        let reply = through(bytes, GET).await;
        assert_eq!(reply.status, 200);
        assert!(!reply.whole, "{bytes}: {:?}", reply.raw);
    }
    let until_close = through("HTTP/1.1 200 OK\r\n\r\nhello", GET).await;
    assert_eq!((until_close.text().as_str(), until_close.whole), ("hello", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_keep_their_length() {
    let head = "HEAD / HTTP/1.1\r\nHost: HOST\r\n\r\n";
    let reply = through("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n", head).await;
    assert_eq!(
        (reply.status, reply.header("content-length"), reply.header("etag")),
        (200, Some("1234"), Some("\"a\""))
    );
    let reply =
        through("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n", GET).await;
    assert_eq!((reply.status, reply.header("content-length")), (304, Some("1234")));
    let reply = through("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", GET).await;
    assert_eq!((reply.status, reply.header("content-length")), (204, None));
    let reply = through("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GET).await;
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("0")));
}

/// The connection stays usable for both sides.
#[tokio::test(flavor = "multi_thread")]
async fn bodiless_answers_keep_the_connection() {
    let upstream = Upstream::answering(|head, _| {
        let status = if head.contains("/304") { "304 Not Modified" } else { "200 OK" };
        if head.starts_with("GET /x") {
            return crate::world::ok(b"last");
        }
        format!("HTTP/1.1 {status}\r\nContent-Length: 99\r\n\r\n").into_bytes()
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    let host = world.addr;
    caller.send(format!("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert_eq!(caller.reply(true).await.status, 200);
    caller.send(format!("GET /304 HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert_eq!(caller.reply(false).await.status, 304);
    caller.send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert_eq!(caller.reply(false).await.text(), "last");
    assert_eq!(upstream.connections.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_in_headers_are_mapped() {
    let upstream = Upstream::answering(|head, _| {
        let host = crate::world::values(head, "host")[0].to_owned();
        let location = head.split(' ').nth(1).unwrap().strip_prefix('/').unwrap().replace("UP", &host);
        format!(
            "HTTP/1.1 307 T\r\nLocation: {location}\r\nContent-Location: http://{host}/c\r\nContent-Length: 0\r\n\
             Refresh: 5; url=http://{host}/r\r\n\
             Set-Cookie: a=1; Domain=127.0.0.1; Path=/; HttpOnly\r\nSet-Cookie: b=2; Domain=.hf.space; Secure\r\n\
             Set-Cookie: spaces-jwt=eyJ; Path=/\r\nSet-Cookie: c=3; Domain=other.example\r\n\
             Link: <https://huggingface.co/spaces/ada/demo>;rel=\"canonical\", </x.css>; rel=preload\r\n\
             X-Proxied-Host: http://10.0.0.1\r\nX-Proxied-Replica: a-b\r\nX-Proxied-Path: /\r\n\r\n"
        )
        .into_bytes()
    })
    .await;
    let world = World::start(upstream.addr, &[]).await;
    let own = format!("http://{}", world.addr);
    for (given, want) in [
        ("http://UP/items/?a=1", format!("{own}/items/?a=1")),
        ("//UP/x", format!("{own}/x")),
        ("/relative", "/relative".to_owned()),
        ("http://UP.evil.example/x", format!("http://{}.evil.example/x", upstream.addr)),
        (
            "https://other.example/?next=http://UP/",
            format!("https://other.example/?next=http://{}/", upstream.addr),
        ),
        ("http://UP/x?__sign=eyJ&b=1", format!("{own}/x?b=1")),
    ] {
        let reply = world.get(&format!("/{given}"), "").await;
        assert_eq!(reply.header("location"), Some(want.as_str()), "{given}");
        assert_eq!(reply.header("content-location"), Some(format!("{own}/c").as_str()));
        assert_eq!(reply.header("refresh"), Some(format!("5; url={own}/r").as_str()));
        assert_eq!(
            reply.headers("set-cookie"),
            ["a=1; Path=/; HttpOnly", "b=2; Secure", "c=3; Domain=other.example"]
        );
        assert_eq!(reply.headers("link"), ["</x.css>; rel=preload"]);
        assert!(!reply.head.to_lowercase().contains("x-proxied"), "{}", reply.head);
    }
}
