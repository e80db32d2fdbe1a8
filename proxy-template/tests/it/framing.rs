//! Requests of callers that are invalid, or nearly so (RFC 9112), each with its answer.

use crate::world::{Upstream, World, soon, values};

/// A request after its host line, the allowed statuses, and the number of requests that may reach the app.
struct Row {
    name: &'static str,
    request: String,
    statuses: &'static [u16],
    reaches: usize,
}

fn row(name: &'static str, request: &str, statuses: &'static [u16], reaches: usize) -> Row {
    Row { name, request: request.to_owned(), statuses, reaches }
}

/// Returns a POST with these header lines and this body.
fn post(name: &'static str, lines: &str, body: &str, statuses: &'static [u16]) -> Row {
    row(
        name,
        &format!("POST /p HTTP/1.1\r\nHost: HOST\r\n{lines}\r\n{body}"),
        statuses,
        usize::from(statuses == [200]),
    )
}

fn get(name: &'static str, lines: &str, statuses: &'static [u16]) -> Row {
    row(
        name,
        &format!("GET / HTTP/1.1\r\nHost: HOST\r\n{lines}\r\n"),
        statuses,
        usize::from(statuses == [200]),
    )
}

fn rows() -> Vec<Row> {
    let long = |n: usize| "a".repeat(n);
    let many: String = (0..150).map(|i| format!("X-H{i}: 1\r\n")).collect();
    vec![
        post("TE xchunked", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", &[400]),
        post("TE quoted", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n", &[400]),
        post("TE with VT", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n", &[400]),
        post("TE with NUL", "Transfer-Encoding: chunked\0\r\n", "0\r\n\r\n", &[400]),
        post("TE gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", &[400]),
        post("TE identity, chunked", "Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n", &[400]),
        post("TE chunked, chunked", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n", &[400]),
        post("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", &[400]),
        post("TE identity", "Transfer-Encoding: identity\r\n", "", &[400]),
        post("TE obs-fold", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n", &[400]),
        post("CL 5, 5", "Content-Length: 5, 5\r\n", "hello", &[400]),
        post("CL +5", "Content-Length: +5\r\n", "hello", &[400]),
        post("CL -1", "Content-Length: -1\r\n", "hello", &[400]),
        post("CL 0x5", "Content-Length: 0x5\r\n", "hello", &[400]),
        post("CL empty", "Content-Length: \r\n", "hello", &[400]),
        post("CL overflow", "Content-Length: 99999999999999999999999\r\n", "hello", &[400]),
        post("CL differing", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello", &[400]),
        post("chunk bare LF", "Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n", &[400]),
        post("chunk size bad", "Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n", &[400]),
        post("chunk size negative", "Transfer-Encoding: chunked\r\n", "-5\r\nhello\r\n0\r\n\r\n", &[400]),
        post("chunk without CRLF", "Transfer-Encoding: chunked\r\n", "5\r\nhelloXX0\r\n\r\n", &[400]),
        row(
            "HTTP/1.0 with TE",
            "POST / HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[400],
            0,
        ),
        get("NUL in a value", "X-A: a\0b\r\n", &[400]),
        get("obs-fold", "X-A: a\r\n b\r\n", &[400]),
        get("space before the colon", "X-A : a\r\n", &[400]),
        row("no Host", "GET / HTTP/1.1\r\nX: HOST\r\n\r\n", &[400], 0),
        row("two Hosts", "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", &[400], 0),
        row("empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", &[400], 0),
        row("Host with a path", "GET / HTTP/1.1\r\nHost: HOST/x\r\n\r\n", &[400], 0),
        row(
            "absolute-form, other host",
            "GET http://other.example/ HTTP/1.1\r\nHost: HOST\r\n\r\n",
            &[400],
            0,
        ),
        row("absolute-form, same host", "GET http://HOST/abs?q=1 HTTP/1.1\r\nHost: HOST\r\n\r\n", &[200], 1),
        row("absolute-form, https", "GET https://HOST/abs HTTP/1.1\r\nHost: HOST\r\n\r\n", &[200], 1),
        row("absolute-form, other scheme", "GET ftp://HOST/z HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400], 0),
        row("authority-form", "GET HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400], 0),
        row("CONNECT", "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", &[405], 0),
        row("TRACE", "TRACE / HTTP/1.1\r\nHost: HOST\r\n\r\n", &[405], 0),
        row("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400], 0),
        row("plain OPTIONS", "OPTIONS /x HTTP/1.1\r\nHost: HOST\r\n\r\n", &[200], 1),
        row("non-ASCII target", "GET /\u{e9} HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400], 0),
        row("space in the target", "GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400], 0),
        get("20 kB of headers", &format!("X-A: {}\r\n", long(20_000)), &[200]),
        get("40 kB of headers", &format!("X-A: {}\r\n", long(40_000)), &[431]),
        get("100 kB of headers", &format!("X-A: {}\r\n", long(100_000)), &[431]),
        get("600 kB of headers", &format!("X-A: {}\r\n", long(600_000)), &[431]),
        get("150 headers", &many, &[431]),
        row("a target of 20 kB", &format!("GET /{} HTTP/1.1\r\nHost: HOST\r\n\r\n", long(20_000)), &[414], 0),
        get("Expect bogus", "Expect: 200-ok\r\n", &[417]),
        row("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0, 400, 505], 0),
        row("not HTTP", "hello\r\n\r\n", &[400], 0),
        get("bare LF header line", "X-A: 1\nX-B: 2\r\n", &[200, 400]),
        post("CL", "Content-Length: 5\r\n", "hello", &[200]),
        post("TE chunked", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", &[200]),
        post("TE Chunked", "Transfer-Encoding: Chunked\r\n", "5;x=y\r\nhello\r\n0\r\n\r\n", &[200]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_row_gets_its_answer() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    for row in rows() {
        let before = upstream.count();
        let mut caller = world.caller().await;
        caller.send(row.request.replace("HOST", &world.addr.to_string())).await;
        let reply = caller.reply(false).await;
        assert!(row.statuses.contains(&reply.status), "{}: {}", row.name, reply.head);
        if reply.status != 200 {
            assert_eq!(upstream.count(), before, "{} reached the upstream", row.name);
            let may_stay = matches!(reply.status, 405);
            assert!(may_stay || caller.is_closed().await, "{}: the connection stays", row.name);
        } else if row.reaches > 0 {
            assert_eq!(upstream.count(), before + row.reaches, "{}", row.name);
        }
    }
    assert_eq!(world.get("/after", "").await.status, 200);
}

/// RFC 9112, section 6.3: `Content-Length` is dropped and the connection closed, so that later bytes are not a request.
#[tokio::test(flavor = "multi_thread")]
async fn two_lengths_end_the_connection() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    for lines in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ] {
        let before = upstream.count();
        let mut caller = world.caller().await;
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
        let host = world.addr;
        caller
            .send(format!("POST /p HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n5\r\nhello\r\n0\r\n\r\n{smuggled}"))
            .await;
        let reply = caller.reply(false).await;
        assert!(matches!(reply.status, 200 | 400), "{}", reply.head);
        assert!(caller.is_closed().await, "after {lines}");
        assert!(upstream.count() <= before + 1);
        assert!(!upstream.seen.lock().unwrap().iter().any(|head| head.contains("smuggled")));
        if reply.status == 200 {
            assert!(values(&upstream.last(), "content-length").is_empty(), "{}", upstream.last());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_lengths_become_one() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    let reply = world
        .ask("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert!(matches!(reply.status, 200 | 400));
    if reply.status == 200 {
        assert_eq!(values(&upstream.last(), "content-length"), ["5"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_pass_byte_for_byte() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    for target in
        ["/a/..%2f..%2fb/%2e%2e/c?q=%zz", "//x/y", "/?a=1;b=2&c=%20+", "/x?", "/a/./b/../c", "/x?__signed=1"]
    {
        assert_eq!(world.get(target, "").await.status, 200, "{target}");
        assert!(upstream.last().starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{}", upstream.last());
    }
    world.get("/x?a=1&__sign=tok&b=2", "").await;
    assert!(upstream.last().starts_with("GET /x?a=1&b=2 HTTP/1.1\r\n"));
    for name in ["%5F_sign", "__s%69gn", "%5f%5F%73%69%67%6e"] {
        world.get(&format!("/x?{name}=tok"), "").await;
        assert!(upstream.last().starts_with("GET /x HTTP/1.1\r\n"), "{}", upstream.last());
    }
    world.ask("GET http://HOST/abs?q=1 HTTP/1.1\r\nHost: HOST\r\n\r\n").await;
    assert!(upstream.last().starts_with("GET /abs?q=1 HTTP/1.1\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_pipelined_requests_are_answered() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    let mut caller = world.caller().await;
    caller.send("GET /old HTTP/1.0\r\n\r\n").await;
    assert_eq!(caller.reply(false).await.status, 200);
    assert!(caller.is_closed().await);
    assert!(upstream.last().starts_with("GET /old HTTP/1.1\r\n"));
    let mut caller = world.caller().await;
    let one = |path: &str| format!("GET /{path} HTTP/1.1\r\nHost: {}\r\n\r\n", world.addr);
    caller.send(one("1") + &one("2") + &one("3")).await;
    for path in ["1", "2", "3"] {
        let reply = caller.reply(false).await;
        assert!(reply.text().starts_with(&format!("GET /{path} ")), "{}", reply.text());
    }
}

/// RFC 9110, section 7.6.2.
#[tokio::test(flavor = "multi_thread")]
async fn max_forwards_limits_options() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    let ask = |method: &'static str, left: &'static str| {
        let request = format!("{method} /x HTTP/1.1\r\nHost: HOST\r\nMax-Forwards: {left}\r\n\r\n");
        let world = &world;
        async move { world.ask(&request).await }
    };
    let reply = ask("OPTIONS", "0").await;
    assert_eq!((reply.status, reply.header("content-length"), upstream.count()), (204, None, 0));
    assert!(reply.header("allow").unwrap().contains("PATCH") && reply.header("x-request-id").is_some());
    for (method, given, sent) in
        [("OPTIONS", "1", "0"), ("OPTIONS", "07", "6"), ("OPTIONS", "many", "many"), ("GET", "0", "0")]
    {
        assert_eq!(ask(method, given).await.status, 200);
        assert_eq!(values(&upstream.last(), "max-forwards"), [sent], "{method} {given}");
    }
}

/// RFC 9110, section 10.1.1.
#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_asks_for_the_body_itself() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("MAX_BODY", "100kB")]).await;
    for length in [5, 90_000] {
        let mut caller = world.caller().await;
        let host = world.addr;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        );
        caller.send(head).await;
        assert_eq!(caller.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        caller.send("x".repeat(length)).await;
        assert_eq!(caller.reply(false).await.status, 200);
        assert!(values(&upstream.last(), "expect").is_empty());
    }
    let mut caller = world.caller().await;
    let host = world.addr;
    caller
        .send(format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n"
        ))
        .await;
    let reply = caller.reply(false).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
    assert!(!reply.raw.starts_with(b"HTTP/1.1 100"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_size_limit() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("MAX_BODY", "100kB")]).await;
    let mut caller = world.caller().await;
    let head = format!("POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", world.addr);
    caller.send(head).await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..8 {
        caller.send(&chunk).await;
    }
    let reply = caller.reply(false).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
    soon(async { while !caller.is_closed().await {} }).await;
    assert_eq!(upstream.count(), 0);
}
