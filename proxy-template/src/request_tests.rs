use std::borrow::Cow;

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
    check(&parts(target, lines), &config(&[]), PEER).map(drop).map_err(|refusal| refusal.code)
}

/// The upstream's head of a request that is sound.
fn made(config: &Config, target: &str, lines: &[(&str, &str)]) -> request::Parts {
    passed(config, &parts(target, lines))
}

/// The same for a head that was made before.
fn passed(config: &Config, parts: &request::Parts) -> request::Parts {
    let sound = check(parts, config, PEER).unwrap();
    let token = config.token.bearer().unwrap();
    let page = config.cors.caller(&parts.headers, sound.scheme, &sound.public.host);
    let passage = Passage {
        target: &config.target,
        credential: Credential { hf_header: true, value: &token },
        pass_authorization: config.pass_authorization,
        api_key: config.api_key.as_ref(),
        visitor_quota: config.visitor_quota,
        caller: page,
        one_host: may_be_compared(parts, &sound, page),
        via: &HeaderValue::from_static("1.1 hf-proxy-1"),
        request_id: &HeaderValue::from_static("id"),
        identity: false,
        chunked: false,
    };
    upstream_head(parts, &sound, &passage).unwrap()
}

#[test]
fn what_is_sound() {
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
fn tunnels() {
    let config = config(&[]);
    for (upgrade, connection, want) in [
        ("websocket", "Upgrade", true),
        ("h2c, WebSocket", "keep-alive, upgrade", true),
        ("h2c", "upgrade", false),
        ("websocket", "keep-alive", false),
    ] {
        let parts = parts("/", &[("upgrade", upgrade), ("connection", connection)]);
        assert_eq!(check(&parts, &config, PEER).unwrap().tunnel, want, "{upgrade} {connection}");
    }
    let head =
        made(&config, "/", &[("upgrade", "h2c, websocket"), ("connection", "upgrade, x-a"), ("x-a", "1")]);
    assert_eq!((&head.headers[UPGRADE], &head.headers[CONNECTION]), (&WEBSOCKET, &CONNECTION_UPGRADE));
    assert!(!head.headers.contains_key("x-a"));
}

#[test]
fn whose_address_it_is() {
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
    for (address, want) in [
        ("100.64.0.1", true),
        ("100.128.0.1", false),
        ("172.16.0.1", true),
        ("fd00::1", true),
        ("2001:db8::1", false),
    ] {
        assert_eq!(is_private(address.parse().unwrap()), want, "{address}");
    }
}

#[test]
fn the_scheme_that_callers_see() {
    let sound = |host: &str, lines: &[(&str, &str)]| {
        let lines: Vec<_> = [("host", host)].iter().chain(lines).copied().collect();
        check(&parts("/", &lines), &config(&[]), PEER).unwrap().scheme
    };
    assert_eq!(sound("me.example", &[]), "https");
    assert_eq!(sound("me.example", &[("x-forwarded-proto", "http")]), "https");
    assert_eq!(sound("127.0.0.1:7860", &[]), "http");
    assert_eq!(sound("localhost:7860", &[("x-forwarded-proto", "https")]), "https");
}

#[test]
fn credentials_in_targets_and_cookies() {
    let config = config(&[]);
    for (given, want) in [
        ("/a?__sign=x", "/a"),
        ("/a?b=1&__sign=x&c=2", "/a?b=1&c=2"),
        ("/a?%5f%5Fsign=x", "/a"),
        ("/a?_%5Fsign=x&b", "/a?b"),
        ("/a?__s%69gn=x&b", "/a?b"),
        ("/a?%5f%5f%73%69%67%6E=x", "/a"),
        ("/a?__sig%zzn=x&%", "/a?__sig%zzn=x&%"),
        ("/a?my__sign=x", "/a?my__sign=x"),
        ("/a?b=__sign", "/a?b=__sign"),
        ("/%zz?%zz&&=;", "/%zz?%zz&&=;"),
    ] {
        assert_eq!(made(&config, given, &[]).uri, want, "{given}");
    }
    for (given, want) in [
        ("a=1; spaces-jwt=x; b=2", Some("a=1; b=2")),
        ("spaces-jwt=x", None),
        ("spaces-jwt=", None),
        ("a=1; \u{a0}spaces-jwt\t=x", Some("a=1")),
        ("my spaces-jwt=x", Some("my spaces-jwt=x")),
        ("a=spaces-jwt", Some("a=spaces-jwt")),
        ("a=1;b=2", Some("a=1;b=2")),
    ] {
        let head = made(&config, "/", &[("cookie", given)]);
        assert_eq!(head.headers.get(COOKIE).map(|value| value.to_str().unwrap()), want, "{given}");
    }
}

#[test]
fn the_key_stays_here() {
    let config = config(&[("PROXY_API_KEY", "key")]);
    let head = made(&config, "/", &[("authorization", "Bearer key"), ("x-proxy-key", "key")]);
    assert!(!head.headers.contains_key(AUTHORIZATION) && !head.headers.contains_key("x-proxy-key"));
    let head = made(&config, "/", &[("authorization", "Bearer of-the-app"), ("x-proxy-key", "key")]);
    assert_eq!(head.headers[AUTHORIZATION], "Bearer of-the-app");
}

#[test]
fn referers() {
    let config = config(&[]);
    for (given, want) in [
        ("https://me.example/x?y", "https://ada-demo.hf.space/x?y"),
        ("https://ME.example", "https://ada-demo.hf.space"),
        ("https://me.example.evil/x", "https://me.example.evil/x"),
        ("http://me.example/x", "http://me.example/x"),
        ("https://other.example/", "https://other.example/"),
    ] {
        assert_eq!(made(&config, "/", &[("referer", given)]).headers[REFERER], want, "{given}");
    }
}

#[test]
fn names_of_this_proxy() {
    let config = config(&[("SPACE_HOST", "a.hf.space,b.example")]);
    let asked = |host: &str| {
        let parts = parts("/", &[("host", host)]);
        check(&parts, &config, PEER).map(|sound| Cow::into_owned(sound.public).host).map_err(|r| r.code)
    };
    assert_eq!(asked("B.example"), Ok("b.example".to_owned()));
    assert_eq!(asked("c.example"), Err("wrong_host"));
}

#[test]
fn trailers_are_asked_for_on_behalf_of_callers() {
    let config = config(&[]);
    let head = made(&config, "/", &[("te", "gzip, trailers;q=0.5")]);
    assert_eq!((&head.headers[TE], &head.headers[CONNECTION]), (&TRAILERS, &CONNECTION_TE));
    assert!(!made(&config, "/", &[("te", "gzip")]).headers.contains_key(TE));
}

/// An app that compares the origin of a page finds it equal to `Host`, and finds no `X-Forwarded-Host` beside that.
#[test]
fn what_an_app_compares_agrees() {
    let own = &[("SPACE_HOST", "me.example")];
    let listed = &[("SPACE_HOST", "me.example"), ("ALLOW_ORIGINS", "https://page.example")];
    let (private, public) = ("https://ada-demo.hf.space", Some("me.example"));
    for (variables, method, lines, origin, host) in [
        (&own[..], Method::POST, &[("origin", "https://me.example")][..], private, None),
        (own, Method::GET, &[("origin", "https://me.example")], private, None),
        (listed, Method::POST, &[("origin", "https://page.example")], private, None),
        // A foreign page must stay foreign to the app.
        (own, Method::POST, &[("origin", "https://page.example")], "https://page.example", public),
        (own, Method::POST, &[], "", public),
        (own, Method::POST, &[("referer", "https://me.example/form")], "", None),
        (own, Method::POST, &[("referer", "https://page.example/")], "", public),
        (own, Method::GET, &[("referer", "https://me.example/")], "", public),
    ] {
        let config = config(variables);
        let mut parts = parts("/x", lines);
        parts.method = method.clone();
        let head = passed(&config, &parts).headers;
        let value = |name: &str| head.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value("origin").unwrap_or_default(), origin, "{method} {lines:?}");
        assert_eq!(value("x-forwarded-host"), host, "{method} {lines:?}");
        assert_eq!(value("host"), Some("ada-demo.hf.space"));
    }
}

/// A name with an underscore passes, unless it could be read as a header that the request has or the proxy decides about.
#[test]
fn underscores_shadow_nothing() {
    for (lines, passed) in [
        (
            &[("api_key", "1"), ("access_token", "2"), ("x_custom", "3")][..],
            &["api_key", "access_token", "x_custom"][..],
        ),
        (&[("x-api-key", "1"), ("x_api_key", "2"), ("x-api_key", "3")], &["x-api-key"]),
        (
            &[
                ("x_forwarded_for", "1"),
                ("x-forwarded_host", "2"),
                ("x_hf_authorization", "3"),
                ("authorization_", "4"),
            ],
            &["authorization_"],
        ),
        (&[("content_length", "5"), ("transfer_encoding", "chunked"), ("accept_encoding", "x")], &[]),
        (
            &[
                ("cf_connecting_ip", "1"),
                ("x_original_url", "2"),
                ("x_zerogpu_token", "3"),
                ("sec_websocket_key", "4"),
            ],
            &[],
        ),
    ] {
        let head = made(&config(&[("SPACE_HOST", "me.example")]), "/", lines).headers;
        for (name, _) in lines {
            assert_eq!(head.contains_key(*name), passed.contains(name), "{name} in {lines:?}");
        }
    }
}

#[test]
fn headers_of_apps_are_no_headers_of_edges() {
    let lines = &[
        ("x-original-filename", "a.png"),
        ("cf-turnstile-response", "x"),
        ("x-rewrite-rules", "x"),
        ("x-original-url", "/admin"),
        ("cf-connecting-ip", "1.2.3.4"),
        ("cf-ipcountry", "FR"),
        ("x-original-forwarded-for", "1.2.3.4"),
        ("cf-access-jwt-assertion", "x"),
    ];
    let head = made(&config(&[]), "/", lines).headers;
    for (at, (name, _)) in lines.iter().enumerate() {
        assert_eq!(head.contains_key(*name), at < 3, "{name}");
    }
}
