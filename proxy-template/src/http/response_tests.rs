use http::HeaderName;

use super::*;
use crate::policy::target::Target;

const TOKEN: &str = "hf_secret";

/// Returns the head that the caller gets for an answer with these headers.
fn passed(
    method: &Method,
    status: u16,
    lines: &[(&str, &str)],
    rewrite: bool,
) -> Result<(response::Parts, BodyPlan), &'static str> {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in lines {
        builder = builder.header(*name, *value);
    }
    let settings = ResponseSettings {
        method,
        addresses: Addresses {
            target: &Target::parse("https://ada-demo.hf.space").unwrap(),
            public_scheme: "https",
            public_host: "me.example",
        },
        secrets: &SecretScanner::new([TOKEN]),
        trailers: true,
        visitor_quota: false,
        rewrite,
    };
    client_head(builder.body(()).unwrap().into_parts().0, &settings).map_err(|refusal| refusal.code)
}

fn mapped(name: &str, value: &str) -> Option<String> {
    let (parts, _) = passed(&Method::GET, 200, &[(name, value)], false).unwrap();
    parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn headers_of_requests_do_not_come_back() {
    for name in [
        "authorization",
        "x-hf-authorization",
        "cookie",
        "host",
        "user-agent",
        "accept",
        "range",
        "if-none-match",
        "x-forwarded-for",
        "x-proxied-host",
        "proxy-status",
        "access-control-allow-origin",
        "x-ip-token",
        "x-zerogpu-token",
        "sec-fetch-site",
        "x-amzn-requestid",
        "forwarded",
        "referer",
        "origin",
        "te",
        "via",
    ] {
        assert_eq!(mapped(name, "x"), None, "{name}");
    }
    for name in [
        "accept-ranges",
        "accept-ch",
        "accept-patch",
        "etag",
        "cache-control",
        "content-range",
        "content-disposition",
        "content-encoding",
        "server",
        "www-authenticate",
        "strict-transport-security",
        "referrer-policy",
        "x-custom",
        "content-security-policy",
        "retry-after",
        "age",
        "allow",
        "sec-websocket-version",
    ] {
        assert_eq!(mapped(name, "x").as_deref(), Some("x"), "{name}");
        assert!(HeaderName::from_bytes(name.as_bytes()).is_ok());
    }
}

#[test]
fn locations_are_mapped() {
    for (given, want) in [
        ("https://ada-demo.hf.space/x?a#b", "https://me.example/x?a#b"),
        ("http://ada-demo.hf.space/x", "https://me.example/x"),
        ("HTTPS://ADA-demo.hf.space:443", "https://me.example"),
        ("//ada-demo.hf.space/x", "https://me.example/x"),
        ("/x", "/x"),
        ("x/y", "x/y"),
        ("https://ada-demo.hf.space.evil/x", "https://ada-demo.hf.space.evil/x"),
        ("https://ada-demo.hf.space:8443/x", "https://ada-demo.hf.space:8443/x"),
        ("https://me@ada-demo.hf.space/x", "https://me@ada-demo.hf.space/x"),
        (
            "https://huggingface.co/login?to=https://ada-demo.hf.space/",
            "https://huggingface.co/login?to=https://ada-demo.hf.space/",
        ),
        ("/x?__sign=eyJ", "/x"),
        ("https://ada-demo.hf.space/?__sign=eyJ&a=1#f", "https://me.example/?a=1#f"),
        ("https://other.hf.space/?__sign=eyJ", "https://other.hf.space/"),
        ("https://other.hf.space/?%5f_s%69gn=eyJ&a=1", "https://other.hf.space/?a=1"),
    ] {
        assert_eq!(mapped("location", given).as_deref(), Some(want), "{given}");
    }
    assert_eq!(
        mapped("refresh", "3; URL=https://ada-demo.hf.space/").as_deref(),
        Some("3; URL=https://me.example/")
    );
    assert_eq!(mapped("refresh", "3").as_deref(), Some("3"));
}

#[test]
fn cookies_are_bound_to_the_proxy() {
    for (given, want) in [
        ("a=1", Some("a=1")),
        ("a=1; Domain=ada-demo.hf.space; Secure", Some("a=1; Secure")),
        ("a=1; domain = .HF.space", Some("a=1")),
        ("a=1; Path=/; Domain=space", Some("a=1; Path=/")),
        ("a=Domain=hf.space; Path=/", Some("a=Domain=hf.space; Path=/")),
        ("a=1; Domain=other.example", Some("a=1; Domain=other.example")),
        ("spaces-jwt=x; Path=/", None),
        (" Spaces-JWT =x", None),
        ("my-spaces-jwt=x", Some("my-spaces-jwt=x")),
    ] {
        assert_eq!(mapped("set-cookie", given).as_deref(), want, "{given}");
    }
}

#[test]
fn links_to_the_private_space_are_removed() {
    let canonical = "<https://huggingface.co/spaces/ada/demo>;rel=\"canonical\"";
    assert_eq!(mapped("link", canonical), None);
    let both = format!("</a,b.css>; rel=preload, {canonical}, </c>; rel=next");
    assert_eq!(mapped("link", &both).as_deref(), Some("</a,b.css>; rel=preload, </c>; rel=next"));
    assert_eq!(mapped("link", "</own>; rel=canonical").as_deref(), Some("</own>; rel=canonical"));
}

#[test]
fn secrets_are_removed_or_refused() {
    assert_eq!(mapped("x-a", "is hf_secret."), None);
    assert_eq!(passed(&Method::GET, 302, &[("location", "/hf_secret")], false).unwrap_err(), "upstream_leak");
    assert_eq!(
        passed(&Method::GET, 200, &[("set-cookie", "a=hf_secret")], false).unwrap_err(),
        "upstream_leak"
    );
    let trailers = [("x-sum", "1"), ("x-a", "hf_secret"), ("content-length", "1"), ("set-cookie", "a=1")];
    let trailers: HeaderMap = trailers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let clean = clean_trailers(trailers, &SecretScanner::new([TOKEN]), false);
    assert_eq!(clean.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-sum"]);
    assert!(!format!("{:?}", SecretScanner::new([TOKEN])).contains(TOKEN));
}

#[test]
fn an_answer_has_one_length() {
    let length = |status, method: &Method, lines: &[(&str, &str)]| {
        let (parts, plan) = passed(method, status, lines, false)?;
        Ok((parts.headers.get(CONTENT_LENGTH).map(|l| l.to_str().unwrap().to_owned()), plan))
    };
    let five = Some("5".to_owned());
    assert_eq!(length(200, &Method::GET, &[("content-length", "5")]), Ok((five.clone(), BodyPlan::Pass)));
    assert_eq!(length(200, &Method::HEAD, &[("content-length", "5")]), Ok((five.clone(), BodyPlan::None)));
    assert_eq!(length(304, &Method::GET, &[("content-length", "5")]), Ok((five, BodyPlan::None)));
    assert_eq!(length(204, &Method::GET, &[("content-length", "0")]), Ok((None, BodyPlan::None)));
    let both = [("content-length", "5"), ("transfer-encoding", "chunked")];
    assert_eq!(length(200, &Method::GET, &both), Ok((None, BodyPlan::Pass)));
    let twice = [("content-length", "5"), ("content-length", "5")];
    assert_eq!(length(200, &Method::GET, &twice), Err("upstream_invalid"));
    assert_eq!(length(200, &Method::GET, &[("content-length", "5, 5")]), Err("upstream_invalid"));
    assert_eq!(length(407, &Method::GET, &[]), Err("upstream_invalid"));
    for coding in ["gzip, chunked", "gzip", "identity", "chunked, chunked", "xchunked", ""] {
        let lines = [("transfer-encoding", coding)];
        assert_eq!(length(200, &Method::GET, &lines), Err("upstream_invalid"), "{coding}");
    }
    let twice = [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")];
    assert_eq!(length(200, &Method::GET, &twice), Err("upstream_invalid"));
    assert_eq!(length(200, &Method::GET, &[("transfer-encoding", "Chunked")]), Ok((None, BodyPlan::Pass)));
}

#[test]
fn text_is_rewritten() {
    for (status, lines, want) in [
        (200, &[("content-type", "application/json; charset=utf-8")][..], BodyPlan::Rewrite),
        (200, &[("content-type", "text/event-stream")], BodyPlan::Rewrite),
        (404, &[("content-type", "text/html")], BodyPlan::Rewrite),
        (206, &[("content-type", "text/html")], BodyPlan::Pass),
        (200, &[("content-type", "text/html"), ("content-encoding", "br")], BodyPlan::Pass),
        (200, &[("content-type", "image/png")], BodyPlan::Pass),
        (304, &[("content-type", "text/html")], BodyPlan::None),
    ] {
        assert_eq!(passed(&Method::GET, status, lines, true).unwrap().1, want, "{status} {lines:?}");
        assert_ne!(passed(&Method::GET, status, lines, false).unwrap().1, BodyPlan::Rewrite);
    }
    let lines = [
        ("content-type", "text/html"),
        ("content-length", "5"),
        ("etag", "\"a\""),
        ("accept-ranges", "bytes"),
    ];
    let (parts, _) = passed(&Method::GET, 200, &lines, true).unwrap();
    assert_eq!(parts.headers[ETAG], "W/\"a\"");
    assert!(!parts.headers.contains_key(CONTENT_LENGTH) && !parts.headers.contains_key("accept-ranges"));
}

#[test]
fn only_a_switch_to_websocket_is_passed_on() {
    let head = |lines: &[(&str, &str)]| {
        let mut builder = http::Response::builder().status(101);
        for (name, value) in lines {
            builder = builder.header(*name, *value);
        }
        let settings = ResponseSettings {
            method: &Method::GET,
            addresses: Addresses {
                target: &Target::parse("https://ada-demo.hf.space").unwrap(),
                public_scheme: "https",
                public_host: "me.example",
            },
            secrets: &SecretScanner::new([TOKEN]),
            trailers: false,
            visitor_quota: false,
            rewrite: false,
        };
        switching_head(builder.body(()).unwrap().into_parts().0, &settings).map_err(|refusal| refusal.code)
    };
    let accept = ("sec-websocket-accept", "x");
    let parts = head(&[("upgrade", "WebSocket"), ("connection", "Upgrade"), accept]).unwrap();
    assert_eq!(parts.headers["sec-websocket-accept"], "x");
    assert_eq!(parts.headers[UPGRADE], "websocket");
    assert!(head(&[("upgrade", "h2c"), ("connection", "Upgrade"), accept]).is_err());
    assert!(head(&[("upgrade", "websocket"), accept]).is_err());
}
