//! The head of the request to the target, made from the caller's. Pure.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, COOKIE, HOST, MAX_FORWARDS, ORIGIN, REFERER, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, request};

use crate::config::PassAuthorization;
use crate::http::fields::{
    CONNECTION_UPGRADE, WEBSOCKET, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_HF_AUTHORIZATION,
    X_REQUEST_ID, nominated,
};
use crate::http::refusal::{self, Refusal};
use crate::http::request::{ValidRequest, max_forwards};
use crate::http::request_headers::{RequestRule, announced, rule, shadows};
use crate::policy::cors::Caller;
use crate::policy::credentials::{bearer, carries_hub_token, is_signed, without_sign, without_space_cookie};
use crate::policy::target::Target;
use crate::secret::Secret;

static HTTP: HeaderValue = HeaderValue::from_static("http");
static HTTPS: HeaderValue = HeaderValue::from_static("https");
static IDENTITY: HeaderValue = HeaderValue::from_static("identity");
static TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
static CONNECTION_TE: HeaderValue = HeaderValue::from_static("te");
static CHUNKED: HeaderValue = HeaderValue::from_static("chunked");

/// `Bearer <token>`, and the header that carries it.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    /// True for `X-HF-Authorization`, false for `Authorization`.
    pub hf_header: bool,
    /// The value, marked as sensitive.
    pub value: &'a HeaderValue,
}

/// Parts of the outgoing request that do not come from the caller's head.
#[derive(Debug)]
pub struct RequestSettings<'a> {
    /// The app that the request goes to.
    pub target: &'a Target,
    /// The credential that opens the target.
    pub credential: Credential<'a>,
    /// The treatment of the caller's own `Authorization`.
    pub pass_authorization: PassAuthorization,
    /// The key of this proxy, which does not go to the app.
    pub api_key: Option<&'a Secret>,
    /// True if the visitor's quota is spent.
    pub visitor_quota: bool,
    /// The kind of page that sends the request.
    pub caller: Caller,
    /// True if the app sees its own host only, without `X-Forwarded-Host`.
    pub one_host: bool,
    /// The entry of this proxy in `Via`.
    pub via: &'a HeaderValue,
    /// The id of the request.
    pub request_id: &'a HeaderValue,
    /// True if the app must not compress the answer, because the proxy reads or rewrites it.
    pub identity: bool,
    /// True if the body has no known length, so that it goes in chunks.
    pub chunked: bool,
}

/// Makes the head of the outgoing request. The caller's stays as it is, so that a retry can make another. A loop is
/// refused (RFC 9110, section 7.6.3).
pub fn outgoing_head(
    caller: &request::Parts,
    request: &ValidRequest<'_>,
    settings: &RequestSettings<'_>,
) -> Result<request::Parts, Refusal> {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = caller.method.clone();
    parts.version = Version::HTTP_11;
    parts.uri = outgoing_uri(&caller.uri)?;
    parts.headers.reserve(caller.headers.len() + 12);
    let mut filter = HeaderFilter { request, settings, nominated: nominated(&caller.headers) };
    for (name, value) in &caller.headers {
        if !filter.is_nominated(name) && !shadows(name.as_str(), &caller.headers) {
            filter.copy(name, value, &mut parts.headers)?;
        }
    }
    if caller.method == Method::OPTIONS
        && let Some(left) = max_forwards(&parts.headers)
    {
        parts.headers.insert(MAX_FORWARDS, HeaderValue::from(left.saturating_sub(1)));
    }
    insert_own(request, settings, &mut parts.headers);
    Ok(parts)
}

/// Decides about each header of a request.
struct HeaderFilter<'a> {
    request: &'a ValidRequest<'a>,
    settings: &'a RequestSettings<'a>,
    nominated: Vec<&'a [u8]>,
}

impl HeaderFilter<'_> {
    fn is_nominated(&self, name: &HeaderName) -> bool {
        !self.nominated.is_empty()
            && self.nominated.iter().any(|other| other.eq_ignore_ascii_case(name.as_str().as_bytes()))
    }

    /// Keeps, drops or changes one header, by the table.
    fn copy(&mut self, name: &HeaderName, value: &HeaderValue, out: &mut HeaderMap) -> Result<(), Refusal> {
        let settings = self.settings;
        match rule(name.as_str()) {
            RequestRule::Drop => return Ok(()),
            RequestRule::Keep => {}
            RequestRule::Authorization => {
                if !passes_authorization(value, settings) {
                    return Ok(());
                }
            }
            RequestRule::Cookie => {
                if let Some(value) = without_space_cookie(value) {
                    out.append(COOKIE, value);
                }
                return Ok(());
            }
            RequestRule::Origin => {
                if settings.caller.counts_as_own() {
                    out.append(ORIGIN, settings.target.origin_by(self.request.scheme).clone());
                    return Ok(());
                }
            }
            RequestRule::Referer => {
                if let Some(value) = map_referer(value, self.request, settings.target) {
                    out.append(REFERER, value);
                    return Ok(());
                }
            }
            RequestRule::AcceptEncoding => {
                if settings.identity {
                    return Ok(());
                }
            }
            RequestRule::Quota => {
                if !settings.visitor_quota {
                    return Ok(());
                }
            }
            RequestRule::WebSocket => {
                if !self.request.tunnel {
                    return Ok(());
                }
            }
            RequestRule::Trailer => {
                if settings.chunked
                    && let Some(value) = announced(value, &self.nominated)
                {
                    out.append(TRAILER, value);
                }
                return Ok(());
            }
            RequestRule::Via => {
                if memchr::memmem::find(value.as_bytes(), pseudonym(settings.via)).is_some() {
                    return Err(refusal::LOOP);
                }
            }
        }
        out.append(name.clone(), value.clone());
        Ok(())
    }
}

/// Returns the name in `1.1 name`.
fn pseudonym(via: &HeaderValue) -> &[u8] {
    via.as_bytes().get(4..).unwrap_or_default()
}

/// Inserts the headers that the proxy sets itself.
fn insert_own(request: &ValidRequest<'_>, settings: &RequestSettings<'_>, out: &mut HeaderMap) {
    out.insert(HOST, settings.target.host_header.clone());
    let credential = settings.credential;
    let carrier = if credential.hf_header { X_HF_AUTHORIZATION.clone() } else { AUTHORIZATION };
    out.insert(carrier, credential.value.clone());
    // Exactly one of each, because apps read the first entry, and Gradio's page server reads the whole value.
    if !settings.one_host && !request.public.host.is_empty() {
        out.insert(X_FORWARDED_HOST.clone(), request.public.header.clone());
    }
    let proto = if request.scheme == "https" { HTTPS.clone() } else { HTTP.clone() };
    out.insert(X_FORWARDED_PROTO.clone(), proto);
    if let Ok(address) = HeaderValue::from_str(&request.client_ip.to_string()) {
        out.insert(X_FORWARDED_FOR.clone(), address);
    }
    out.insert(X_REQUEST_ID.clone(), settings.request_id.clone());
    out.append(VIA, settings.via.clone());
    if settings.identity {
        out.insert(ACCEPT_ENCODING, IDENTITY.clone());
    }
    if settings.chunked {
        out.insert(TRANSFER_ENCODING, CHUNKED.clone());
    }
    if request.tunnel {
        out.insert(CONNECTION, CONNECTION_UPGRADE.clone());
        out.insert(UPGRADE, WEBSOCKET.clone());
    } else if request.trailers {
        out.insert(TE, TRAILERS.clone());
        out.insert(CONNECTION, CONNECTION_TE.clone());
    }
}

fn passes_authorization(value: &HeaderValue, settings: &RequestSettings<'_>) -> bool {
    if !settings.credential.hf_header {
        return false;
    }
    if settings.api_key.is_some_and(|key| bearer(value).is_some_and(|token| key.matches(token))) {
        return false;
    }
    match settings.pass_authorization {
        PassAuthorization::Always => true,
        PassAuthorization::Never => false,
        PassAuthorization::Auto => !carries_hub_token(value),
    }
}

/// Returns a `Referer` with the target's origin in place of the proxy's, because frameworks compare it with their host.
fn map_referer(value: &HeaderValue, request: &ValidRequest<'_>, target: &Target) -> Option<HeaderValue> {
    let path = request.own_path(value)?;
    let origin = target.origin_by(request.scheme).to_str().ok()?;
    HeaderValue::from_str(&format!("{origin}{path}")).ok()
}

/// Returns path and query, byte for byte, without the parameter `__sign`, because that is a credential.
fn outgoing_uri(uri: &Uri) -> Result<Uri, Refusal> {
    let query = uri.query().unwrap_or_default();
    let signed = is_signed(query);
    if uri.authority().is_none() && !signed {
        return Ok(uri.clone());
    }
    let path = match uri.path() {
        "" => "/",
        path => path,
    };
    let target = if signed {
        without_sign(path, query)
    } else if uri.query().is_some() {
        format!("{path}?{query}")
    } else {
        path.to_owned()
    };
    let target = PathAndQuery::try_from(target).map_err(|_| refusal::BAD_TARGET)?;
    Ok(Uri::from(target))
}

#[cfg(test)]
#[path = "outgoing_request_tests.rs"]
mod tests;
