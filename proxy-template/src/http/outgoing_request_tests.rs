use std::net::IpAddr;

use super::*;
use crate::config::Config;
use crate::http::request::validate;

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

/// Returns the outgoing head of a valid request.
fn made(config: &Config, target: &str, lines: &[(&str, &str)]) -> request::Parts {
    passed(config, &parts(target, lines))
}

/// Returns the outgoing head of a head with any method.
fn passed(config: &Config, parts: &request::Parts) -> request::Parts {
    let request = validate(parts, config, PEER).unwrap();
    let token = config.token.bearer().unwrap();
    let page = config.cors.caller(&parts.headers, request.scheme, &request.public.host);
    let settings = RequestSettings {
        target: &config.target,
        credential: Credential { hf_header: true, value: &token },
        pass_authorization: config.pass_authorization,
        api_key: config.api_key.as_ref(),
        visitor_quota: config.visitor_quota,
        caller: page,
        one_host: request.may_be_compared(parts, page),
        via: &HeaderValue::from_static("1.1 hf-proxy-1"),
        request_id: &HeaderValue::from_static("id"),
        identity: false,
        chunked: false,
    };
    outgoing_head(parts, &request, &settings).unwrap()
}

#[test]
fn credentials_in_targets_and_cookies_are_removed() {
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
fn the_key_of_the_proxy_is_not_passed_on() {
    let config = config(&[("PROXY_API_KEY", "key")]);
    let head = made(&config, "/", &[("authorization", "Bearer key"), ("x-proxy-key", "key")]);
    assert!(!head.headers.contains_key(AUTHORIZATION) && !head.headers.contains_key("x-proxy-key"));
    let head = made(&config, "/", &[("authorization", "Bearer of-the-app"), ("x-proxy-key", "key")]);
    assert_eq!(head.headers[AUTHORIZATION], "Bearer of-the-app");
}

#[test]
fn a_referer_of_the_proxy_is_mapped() {
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
fn trailers_are_requested_for_callers_that_take_them() {
    let config = config(&[]);
    let head = made(&config, "/", &[("te", "gzip, trailers;q=0.5")]);
    assert_eq!((&head.headers[TE], &head.headers[CONNECTION]), (&TRAILERS, &CONNECTION_TE));
    assert!(!made(&config, "/", &[("te", "gzip")]).headers.contains_key(TE));
}

/// An app may compare the origin of a page with `Host`. It gets no `X-Forwarded-Host` beside that then.
#[test]
fn an_app_that_compares_hosts_finds_them_equal() {
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
fn names_with_underscores_shadow_no_header() {
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
fn headers_of_apps_pass_and_headers_of_edges_do_not() {
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

#[test]
fn an_upgrade_to_websocket_is_passed_on_without_the_rest() {
    let config = config(&[]);
    let head =
        made(&config, "/", &[("upgrade", "h2c, websocket"), ("connection", "upgrade, x-a"), ("x-a", "1")]);
    assert_eq!((&head.headers[UPGRADE], &head.headers[CONNECTION]), (&WEBSOCKET, &CONNECTION_UPGRADE));
    assert!(!head.headers.contains_key("x-a"));
}
