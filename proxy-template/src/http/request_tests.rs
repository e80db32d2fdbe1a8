use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

fn config(variables: &[(&str, &str)]) -> Config {
    let base = [("TARGET_URL", "https://ada-demo.hf.space"), ("TARGET_TOKEN", "hf_secret")];
    let read = |name: &str| {
        base.iter().chain(variables).find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    };
    Config::read(read).unwrap()
}

fn parts(target: &str, lines: &[(&str, &str)]) -> request::Parts {
    let mut builder = http::Request::builder().uri(target);
    if !lines.iter().any(|(name, _)| *name == "host") {
        builder = builder.header(HOST, "me.example");
    }
    for (name, value) in lines {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn judged(target: &str, lines: &[(&str, &str)]) -> Result<(), &'static str> {
    validate(&parts(target, lines), &config(&[]), PEER).map(drop).map_err(|refusal| refusal.code)
}

#[test]
fn invalid_heads_are_refused() {
    for (target, lines, want) in [
        ("/", &[][..], Ok(())),
        ("/", &[("host", "a b")], Err("bad_host")),
        ("/", &[("host", "me@example")], Err("bad_host")),
        ("/", &[("host", "[::1]:80")], Ok(())),
        ("*", &[], Err("bad_target")),
        ("http://me.example/x", &[], Ok(())),
        ("http://ME.example", &[], Ok(())),
        ("https://me.example/x", &[], Ok(())),
        ("http://other.example/x", &[], Err("bad_target")),
        ("ftp://me.example/x", &[], Err("bad_target")),
        ("me.example", &[], Err("bad_target")),
        ("/", &[("transfer-encoding", "chunked")], Ok(())),
        ("/", &[("transfer-encoding", "gzip, chunked")], Err("bad_framing")),
        ("/", &[("transfer-encoding", "chunked"), ("content-length", "5")], Err("bad_framing")),
        ("/", &[("content-length", "5"), ("content-length", "5")], Err("bad_framing")),
        ("/", &[("content-length", "+5")], Err("bad_framing")),
        ("/", &[("expect", "100-Continue")], Ok(())),
        ("/", &[("expect", "tea")], Err("bad_expectation")),
        (
            "/",
            &[("upgrade", "websocket"), ("connection", "upgrade"), ("content-length", "1")],
            Err("bad_upgrade"),
        ),
        ("/", &[("upgrade", "websocket"), ("connection", "upgrade"), ("content-length", "0")], Ok(())),
    ] {
        assert_eq!(judged(target, lines), want, "{target} {lines:?}");
    }
    assert_eq!(judged(&format!("/{}", "a".repeat(20_000)), &[]), Err("target_too_long"));
    assert_eq!(judged("/", &[("x-a", &"a".repeat(40_000))]), Err("headers_too_large"));
}

#[test]
fn the_callers_address_is_the_last_one_that_a_trusted_hop_wrote() {
    let outside: IpAddr = "203.0.113.9".parse().unwrap();
    for (chain, peer, want) in [
        (&["1.1.1.1, 203.0.113.7"][..], PEER, "203.0.113.7"),
        (&["1.1.1.1", "203.0.113.7"], PEER, "203.0.113.7"),
        (&["203.0.113.7:4711"], PEER, "203.0.113.7"),
        (&["::ffff:203.0.113.7"], PEER, "203.0.113.7"),
        (&["1.1.1.1,"], PEER, "10.0.0.1"),
        (&[], PEER, "10.0.0.1"),
        (&["1.1.1.1"], outside, "203.0.113.9"),
    ] {
        let lines: Vec<_> = chain.iter().map(|entry| ("x-forwarded-for", *entry)).collect();
        let parts = parts("/", &lines);
        let address = client_ip(&parts.headers, peer, is_private(peer));
        assert_eq!(address.to_string(), want, "{chain:?} {peer}");
    }
}

#[test]
fn the_scheme_is_that_of_the_callers_browser() {
    let scheme = |host: &str, lines: &[(&str, &str)]| {
        let lines: Vec<_> = [("host", host)].iter().chain(lines).copied().collect();
        validate(&parts("/", &lines), &config(&[]), PEER).unwrap().scheme
    };
    assert_eq!(scheme("me.example", &[]), "https");
    assert_eq!(scheme("me.example", &[("x-forwarded-proto", "http")]), "https");
    assert_eq!(scheme("127.0.0.1:7860", &[]), "http");
    assert_eq!(scheme("localhost:7860", &[("x-forwarded-proto", "https")]), "https");
}

#[test]
fn only_the_names_of_this_proxy_are_served() {
    let config = config(&[("SPACE_HOST", "a.hf.space,b.example")]);
    let asked = |host: &str| {
        let parts = parts("/", &[("host", host)]);
        validate(&parts, &config, PEER)
            .map(|request| Cow::into_owned(request.public).host)
            .map_err(|r| r.code)
    };
    assert_eq!(asked("B.example"), Ok("b.example".to_owned()));
    assert_eq!(asked("c.example"), Err("wrong_host"));
}

#[test]
fn handshakes_of_websockets_are_known() {
    let config = config(&[]);
    for (upgrade, connection, want) in [
        ("websocket", "Upgrade", true),
        ("h2c, WebSocket", "keep-alive, upgrade", true),
        ("h2c", "upgrade", false),
        ("websocket", "keep-alive", false),
    ] {
        let parts = parts("/", &[("upgrade", upgrade), ("connection", connection)]);
        assert_eq!(validate(&parts, &config, PEER).unwrap().tunnel, want, "{upgrade} {connection}");
    }
}
