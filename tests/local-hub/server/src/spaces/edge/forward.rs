//! Streams a request to the app, and tunnels upgraded connections.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::http::answer::set;
use crate::spaces::edge::pages;
use crate::spaces::edge::visit::Visit;
use crate::util::{now_ms, unique_hex};

/// Headers of one connection only (RFC 9110, section 7.6.1).
const HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// Target of a forwarded request.
pub(super) struct Route<'a> {
    pub(super) app: SocketAddr,
    /// Value of `X-Forwarded-Proto`.
    pub(super) proto: &'a str,
    /// Origin of the Hub.
    pub(super) hub: &'a str,
}

/// Sends the request to the app and returns its response.
pub(super) async fn forward(mut request: Request, visit: &Visit, route: &Route<'_>) -> Response {
    let upgrade = request.headers().get(header::UPGRADE).cloned();
    let tunnel = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    let target = replica_less(&parts.uri);
    let path = target.path().to_owned();
    let host = parts.uri.authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok());
    strip(&mut parts.headers);
    into_app(&mut parts.headers, visit, route.proto);
    if let Some(host) = host {
        parts.headers.entry(header::HOST).or_insert(host);
    }
    if let Some(upgrade) = &upgrade {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(header::UPGRADE, upgrade.clone());
    }
    parts.uri = target;
    parts.version = axum::http::Version::HTTP_11;
    let answer = match send(Request::from_parts(parts, body), route.app).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, "the app did not respond");
            return pages::in_error();
        }
    };
    let mut response = if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        switch(answer, tunnel)
    } else {
        let (mut parts, body) = answer.into_parts();
        strip(&mut parts.headers);
        Response::from_parts(parts, Body::new(body))
    };
    set(&mut response, "x-proxied-host", "http://10.0.0.1");
    set(
        &mut response,
        "x-proxied-replica",
        &format!("{}-local", &visit.repo_id[..8.min(visit.repo_id.len())]),
    );
    set(&mut response, "x-proxied-path", &path);
    let link = format!("<{}/spaces/{}>;rel=\"canonical\"", route.hub, visit.id);
    if let Ok(value) = HeaderValue::from_str(&link) {
        response.headers_mut().append(header::LINK, value);
    }
    response
}

async fn send(request: Request, app: SocketAddr) -> anyhow::Result<hyper::Response<hyper::body::Incoming>> {
    let stream = TcpStream::connect(app).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection lives as long as its one exchange.
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}

/// Returns the response and joins the two connections once both are upgraded.
fn switch(
    answer: hyper::Response<hyper::body::Incoming>,
    tunnel: Option<hyper::upgrade::OnUpgrade>,
) -> Response {
    let Some(tunnel) = tunnel else { return pages::in_error() };
    let (parts, body) = answer.into_parts();
    let mut given = Response::from_parts(parts.clone(), Body::empty());
    let answer = hyper::Response::from_parts(parts, body);
    tokio::spawn(async move {
        let both = tokio::try_join!(tunnel, hyper::upgrade::on(answer));
        if let Ok((visitor, app)) = both {
            // An end or an error of either side ends the visit.
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(visitor), &mut TokioIo::new(app)).await;
        }
    });
    given.headers_mut().remove(header::CONTENT_LENGTH);
    given
}

/// Removes `/--replicas/{id}` from a path, which pins a replica. Here is only one.
fn replica_less(uri: &Uri) -> Uri {
    let full = uri.path_and_query().map_or("/", |p| p.as_str());
    let rest = full
        .strip_prefix("/--replicas/")
        .and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)))
        .unwrap_or(full);
    rest.parse().unwrap_or_else(|_| Uri::from_static("/"))
}

/// Removes the headers of the connection, and those that `Connection` lists.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP {
        headers.remove(name);
    }
}

/// Changes the headers for the app. Removes `X-HF-Authorization` and keeps `Authorization`. Appends the visitor's
/// address to `X-Forwarded-For`. Keeps a caller's `X-Ip-Token`, and `X-Forwarded-Host`, whose real handling is unknown.
fn into_app(headers: &mut HeaderMap, visit: &Visit, proto: &str) {
    headers.remove("x-hf-authorization");
    let mut chain: Vec<String> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .map(ToOwned::to_owned)
        .collect();
    chain.push(visit.peer.ip().to_string());
    let mut put = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    put("x-forwarded-for", chain.join(", "));
    put("x-forwarded-proto", proto.to_owned());
    put("x-request-id", visit.request_id.clone());
    put("x-amzn-trace-id", format!("Root=1-{:08x}-{}", now_ms() / 1000, unique_hex(24)));
    if !headers.contains_key("x-ip-token")
        && let Ok(value) = HeaderValue::from_str(&visit.ip_token())
    {
        headers.insert("x-ip-token", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_loses_the_pinned_replica() {
        let path = |uri: &str| replica_less(&uri.parse().unwrap()).to_string();
        assert_eq!(path("/--replicas/abc/x?y=%zz"), "/x?y=%zz");
        assert_eq!(path("/a/..%2fb?q=1"), "/a/..%2fb?q=1");
        assert_eq!(path("/"), "/");
    }

    #[test]
    fn connection_headers_are_stripped() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "X-Own, keep-alive"), ("x-own", "1"), ("te", "x"), ("accept", "*")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
    }
}
