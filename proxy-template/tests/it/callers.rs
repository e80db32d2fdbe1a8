//! Callers: their admission, and the headers that go on to the app.

use crate::world::{TOKEN, Upstream, World, values};

#[tokio::test(flavor = "multi_thread")]
async fn the_app_gets_the_request_with_the_headers_of_the_proxy() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    let reply = world
        .get(
            "/",
            "Connection: X-Foo, keep-alive\r\nConnection: X-Bar\r\nX-Foo: 1\r\nX-Bar: 1\r\nX-Kept: a\r\nX-Kept: b\r\n\
             Keep-Alive: 1\r\nProxy-Authorization: Basic x\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: x\r\nTE: gzip\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\n\
             X-Forwarded-Prefix: /x\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Original-URL: /admin\r\n\
             X-Rewrite-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\nX-Gradio-Server: https://evil.example\r\n\
             X-HF-Authorization: Bearer mine\r\nx_hf_authorization: Bearer mine\r\nX-Under: 1\r\nX_Under: 2\r\nProxy: http://x\r\n\
             CF-Connecting-IP: 1.2.3.4\r\nTrue-Client-IP: 1.2.3.4\r\nX-Proxied-Host: x\r\nX-Amzn-Trace-Id: x\r\n\
             X-Direct-Url: x\r\nX-Request-Id: mine\r\nCookie: a=1; spaces-jwt=eyJ; b=2\r\nUser-Agent: me\r\n\
             Accept-Encoding: br\r\nX-IP-Token: jwt\r\nX-Gradio-User: api\r\n",
        )
        .await;
    assert_eq!(reply.status, 200);
    let head = upstream.last();
    for gone in [
        "x-foo",
        "x-bar",
        "connection",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
        "http2-settings",
        "te",
        "x-forwarded-prefix",
        "forwarded",
        "x-real-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-gradio-server",
        "x_hf_authorization",
        "proxy",
        "cf-connecting-ip",
        "true-client-ip",
        "x-proxied-host",
        "x-amzn-trace-id",
        "x-direct-url",
        "authorization",
    ] {
        assert!(values(&head, gone).is_empty(), "{gone} in\n{head}");
    }
    for (name, want) in [
        ("host", upstream.addr.to_string()),
        ("x-hf-authorization", format!("Bearer {TOKEN}")),
        ("x-forwarded-host", world.addr.to_string()),
        ("x-forwarded-proto", "http".to_owned()),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("cookie", "a=1; b=2".to_owned()),
        ("user-agent", "me".to_owned()),
        ("accept-encoding", "br".to_owned()),
        ("x-ip-token", "jwt".to_owned()),
        ("x-gradio-user", "api".to_owned()),
    ] {
        assert_eq!(values(&head, name), [want], "{name} in\n{head}");
    }
    assert_eq!(values(&head, "x-kept"), ["a", "b"]);
    assert_eq!((values(&head, "x-under"), values(&head, "x_under")), (vec!["1"], vec![]));
    assert_eq!(values(&head, "x-request-id"), [reply.header("x-request-id").unwrap()]);
    assert!(values(&head, "via")[0].starts_with("1.1 hf-proxy-"));
}

/// The proxy inserts its headers after it has removed the nominated ones.
#[tokio::test(flavor = "multi_thread")]
async fn callers_cannot_nominate_the_headers_of_the_proxy() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    world.get("/", "Connection: X-HF-Authorization, Host, X-Forwarded-For, X-Forwarded-Host, Via\r\n").await;
    let head = upstream.last();
    for name in ["host", "x-hf-authorization", "x-forwarded-for", "x-forwarded-host", "via"] {
        assert_eq!(values(&head, name).len(), 1, "{name} in\n{head}");
    }
    world.get("/", "").await;
    assert!(values(&upstream.last(), "user-agent").is_empty(), "invented");
}

#[tokio::test(flavor = "multi_thread")]
async fn authorization_goes_on_unless_it_is_a_hub_token() {
    let upstream = Upstream::echo().await;
    for (mode, pass, given, want) in [
        ("auto", "auto", "Bearer hf_theirs", None),
        ("auto", "auto", "bearer  hf_theirs", None),
        ("auto", "auto", "Basic dXNlcjpoZl90aGVpcnM=", None),
        ("auto", "auto", "Basic YWRhOnB3", Some("Basic YWRhOnB3")),
        ("auto", "auto", "Bearer of-the-app", Some("Bearer of-the-app")),
        ("auto", "always", "Bearer hf_theirs", Some("Bearer hf_theirs")),
        ("auto", "never", "Bearer of-the-app", None),
        ("authorization", "auto", "Bearer of-the-app", Some("ours")),
    ] {
        let world = World::start(upstream.addr, &[("AUTH_MODE", mode), ("PASS_AUTHORIZATION", pass)]).await;
        world.get("/", &format!("Authorization: {given}\r\n")).await;
        let ours = format!("Bearer {TOKEN}");
        let want = if want == Some("ours") { Some(ours.as_str()) } else { want };
        assert_eq!(values(&upstream.last(), "authorization").first().copied(), want, "{mode} {pass} {given}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_tokens_follow_the_setting() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("ZEROGPU_QUOTA", "owner")]).await;
    world.get("/", "X-IP-Token: jwt\r\nX-ZeroGPU-Token: t\r\n").await;
    assert!(values(&upstream.last(), "x-ip-token").is_empty());
    assert!(values(&upstream.last(), "x-zerogpu-token").is_empty());
}

/// The edge appends the caller's address. The entries before it come from the caller.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_forwarded_address_counts() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("RATE_LIMIT", "1/h:1")]).await;
    let from = |chain: &str| format!("X-Forwarded-For: {chain}\r\n");
    assert_eq!(world.get("/", &from("6.6.6.6, 203.0.113.7")).await.status, 200);
    assert_eq!(values(&upstream.last(), "x-forwarded-for"), ["203.0.113.7"]);
    // The spoofed entry before it changes nothing.
    let reply = world.get("/", &from("9.9.9.9, 203.0.113.7")).await;
    assert_eq!((reply.status, reply.code().as_str()), (429, "rate_limited"));
    assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() > 1000);
    assert_eq!(world.get("/", &from("203.0.113.8")).await.status, 200);
    let two_lines = from("203.0.113.8") + &from("[2001:db8::1]:443");
    assert_eq!(world.get("/", &two_lines).await.status, 200);
    assert_eq!(values(&upstream.last(), "x-forwarded-for"), ["2001:db8::1"]);
    assert_eq!(world.get("/", &from("not an address")).await.status, 200);
    assert_eq!(values(&upstream.last(), "x-forwarded-for"), ["127.0.0.1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_configured_hosts_are_served() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("SPACE_HOST", "ada-demo-proxy.hf.space, demo.example")]).await;
    let ask = |host: &'static str, path: &'static str| {
        let world = &world;
        async move { world.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await }
    };
    assert_eq!(ask("ada-demo-proxy.hf.space", "/").await.status, 200);
    assert_eq!(values(&upstream.last(), "x-forwarded-host"), ["ada-demo-proxy.hf.space"]);
    assert_eq!(values(&upstream.last(), "x-forwarded-proto"), ["https"]);
    assert_eq!(ask("DEMO.example", "/").await.status, 200);
    assert_eq!(values(&upstream.last(), "x-forwarded-host"), ["demo.example"]);
    let reply = ask("other.example", "/").await;
    assert_eq!((reply.status, reply.code().as_str()), (421, "wrong_host"));
    assert_eq!(ask("other.example", "/_proxy/healthz").await.status, 200);
    // The platform probes by address.
    assert_eq!(ask("10.0.0.7:7860", "/").await.text(), "{\"ready\":true}\n");
    assert_eq!(ask("10.0.0.7:7860", "/x").await.status, 421);
    assert_eq!(upstream.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn loops_are_refused() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    world.get("/", "Via: 1.0 fred\r\n").await;
    let vias = values(&upstream.last(), "via").join(", ");
    assert!(vias.starts_with("1.0 fred, 1.1 hf-proxy-"), "{vias}");
    let reply = world.get("/", &format!("Via: {vias}\r\n")).await;
    assert_eq!((reply.status, reply.code().as_str()), (508, "loop"));
}

#[tokio::test(flavor = "multi_thread")]
async fn listed_origins_may_act() {
    let upstream = Upstream::answering(|head, _| {
        let origin = values(head, "origin").join("|");
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nVary: Accept\r\nAccess-Control-Allow-Origin: https://evil.example\r\n\
             Access-Control-Allow-Credentials: true\r\n\r\n{origin}",
            origin.len()
        )
        .into_bytes()
    })
    .await;
    let listed =
        [("ALLOW_ORIGINS", "https://a.example\nhttp://localhost:3000"), ("ALLOW_CREDENTIALS", "true")];
    let world = World::start(upstream.addr, &listed).await;
    let own = format!("http://{}", world.addr);
    let mapped = format!("http://{}", upstream.addr);
    for (method, origin, status, sent, allowed) in [
        ("GET", "https://a.example", 200, mapped.as_str(), true),
        ("POST", "https://a.example", 200, &mapped, true),
        ("POST", "http://localhost:3000", 200, &mapped, true),
        ("POST", &own, 200, &mapped, true),
        ("GET", "https://evil.example", 200, "https://evil.example", false),
        ("POST", "https://evil.example", 403, "", false),
        ("DELETE", "https://a.example.evil", 403, "", false),
        ("POST", "null", 403, "", false),
        ("POST", "https://A.example", 200, &mapped, true),
    ] {
        let reply =
            world.ask(&format!("{method} /x HTTP/1.1\r\nHost: HOST\r\nOrigin: {origin}\r\n\r\n")).await;
        assert_eq!(reply.status, status, "{method} {origin}: {}", reply.text());
        if status == 200 {
            assert_eq!(reply.text(), sent, "{method} {origin}");
        }
        let echoed = reply.headers("access-control-allow-origin");
        assert_eq!(echoed, if allowed { vec![origin] } else { vec![] }, "{method} {origin}");
        assert_eq!(reply.headers("access-control-allow-credentials").len(), usize::from(allowed));
        let vary = reply.headers("vary").join(", ").to_lowercase();
        assert!(vary.contains("origin"), "{vary}");
    }
    assert_eq!(world.get("/", "").await.headers("vary"), ["Accept", "Origin"]);
    let page = format!("Referer: {own}/page?a=1\r\n");
    let head = Upstream::echo().await;
    let other = World::start(head.addr, &[]).await;
    other.get("/", &page.replace(&world.addr.to_string(), &other.addr.to_string())).await;
    assert_eq!(values(&head.last(), "referer"), [format!("http://{}/page?a=1", head.addr)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_origin_may_act_without_a_list() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[]).await;
    let reply = world.ask("POST / HTTP/1.1\r\nHost: HOST\r\nOrigin: https://x.example\r\n\r\n").await;
    assert_eq!((reply.status, reply.headers("access-control-allow-origin")), (200, vec!["*"]));
    // The app sees the origin of a foreign page, and its own for a page of the proxy.
    assert_eq!(values(&upstream.last(), "origin"), ["https://x.example"]);
    world.get("/", &format!("Origin: http://{}\r\n", world.addr)).await;
    assert_eq!(values(&upstream.last(), "origin"), [format!("http://{}", upstream.addr)]);
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    assert_eq!(
        reply.header("access-control-expose-headers"),
        Some("Content-Disposition, Retry-After, X-Request-Id")
    );
    let lax =
        World::start(upstream.addr, &[("ALLOW_ORIGINS", "https://a.example"), ("ENFORCE_ORIGIN", "false")])
            .await;
    let reply = lax.ask("POST / HTTP/1.1\r\nHost: HOST\r\nOrigin: https://x.example\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, None));
}

/// A page that may read answers may also read a refusal from before the host was known.
#[tokio::test(flavor = "multi_thread")]
async fn pages_read_early_refusals() {
    let upstream = Upstream::echo().await;
    let variables = [("ALLOW_ORIGINS", "https://a.example"), ("SPACE_HOST", "me.example")];
    let world = World::start(upstream.addr, &variables).await;
    for (start, status) in [
        ("GET / HTTP/1.1\r\nHost: other.example\r\n", 421),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: me.example\r\nExpect: tea\r\n", 417),
    ] {
        for (origin, allowed) in [("https://a.example", true), ("https://evil.example", false)] {
            let reply = world.ask(&format!("{start}Origin: {origin}\r\n\r\n")).await;
            let echoed = reply.header("access-control-allow-origin");
            assert_eq!((reply.status, echoed), (status, allowed.then_some(origin)), "{start}");
            assert_eq!(reply.header("vary"), Some("Origin"));
        }
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_by_the_proxy() {
    let upstream = Upstream::echo().await;
    let variables =
        [("ALLOW_ORIGINS", "https://a.example"), ("ALLOW_METHODS", "GET, POST"), ("PROXY_API_KEY", "k")];
    let world = World::start(upstream.addr, &variables).await;
    let ask = |origin: &'static str| {
        let world = &world;
        async move {
            world
                .ask(&format!(
                    "OPTIONS /x HTTP/1.1\r\nHost: HOST\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: authorization,x-a\r\n\r\n"
                ))
                .await
        }
    };
    let reply = ask("https://a.example").await;
    assert_eq!((reply.status, reply.header("content-length")), (204, None));
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(reply.header("access-control-allow-methods"), Some("GET, POST"));
    assert_eq!(reply.header("access-control-allow-headers"), Some("authorization,x-a"));
    assert_eq!(reply.header("access-control-max-age"), Some("7200"));
    assert_eq!(
        reply.header("vary"),
        Some("Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
    );
    let reply = ask("https://evil.example").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, None));
    let reply = world.ask("OPTIONS /x HTTP/1.1\r\nHost: HOST\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, POST")));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_paths_and_methods_are_checked() {
    let upstream = Upstream::echo().await;
    let variables =
        [("PROXY_API_KEY", "the-key"), ("DENY_PATHS", "/admin*"), ("ALLOW_ORIGINS", "https://a.example")];
    let world = World::start(upstream.addr, &variables).await;
    let key = "X-Proxy-Key: the-key\r\n";
    for (path, lines, status, code) in [
        ("/", "", 401, "key_required"),
        ("/", "X-Proxy-Key: other\r\n", 401, "key_required"),
        ("/", "Authorization: Bearer the-key\r\n", 200, ""),
        ("/", key, 200, ""),
        ("/admin/x", key, 403, "path_refused"),
        ("/%61dmin", key, 403, "path_refused"),
        ("/gradio_api/file=http://169.254.169.254/", key, 403, "path_refused"),
        ("/gradio_api/proxy=https://x.hf.space/", key, 403, "path_refused"),
        ("/_proxy/nothing", "", 404, "not_found"),
        ("/_proxy/metrics", "", 404, "not_found"),
    ] {
        let lines = format!("{lines}Origin: https://a.example\r\n");
        let reply = world.get(path, &lines).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path} {lines}");
        if status == 200 {
            let head = upstream.last();
            assert!(!head.contains("the-key"), "{head}");
        } else if !path.starts_with("/_proxy/") {
            assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.example"), "{path}");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_served() {
    let upstream = Upstream::echo().await;
    let world = World::start(upstream.addr, &[("METRICS_TOKEN", "m")]).await;
    world.get("/", "").await;
    let health: serde_json::Value =
        serde_json::from_slice(&world.get("/_proxy/healthz", "").await.body).unwrap();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["draining"], false);
    assert_eq!(health["selfcheck"]["upstream"], "pending");
    assert_eq!(health["selfcheck"]["auth_mode"], "x-hf-authorization");
    assert!(!health.to_string().contains(&upstream.addr.to_string()));
    assert_eq!(world.get("/_proxy/metrics", "").await.status, 404);
    assert_eq!(world.get("/_proxy/metrics", "Authorization: Bearer x\r\n").await.status, 404);
    let metrics = world.get("/_proxy/metrics", "Authorization: Bearer m\r\n").await;
    assert!(metrics.text().contains("hf_proxy_requests_total{status=\"2xx\"}"), "{}", metrics.text());
    let reply = world.ask("POST /_proxy/healthz HTTP/1.1\r\nHost: HOST\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
}
