//! Answers of the proxy's own: JSON for programs, and a small page for browsers.

use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};

use crate::http::fields::X_REQUEST_ID;
use crate::http::refusal::Refusal;

static JSON: HeaderValue = HeaderValue::from_static("application/json");
static HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
static NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
static PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
);

/// Form of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalForm {
    /// JSON, for programs.
    Json,
    /// A page, for a browser that is about to show it. It reloads where that makes sense.
    Page,
    /// A page in answer to a submitted form. It does not reload, because that would not send the form again.
    PageOnce,
}

impl RefusalForm {
    /// Returns the form that a caller asks for.
    pub(crate) fn wanted(method: &Method, headers: &HeaderMap) -> Self {
        let navigates = headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
        let takes_html = headers
            .get_all(ACCEPT)
            .iter()
            .any(|value| memchr::memmem::find(value.as_bytes(), b"text/html").is_some());
        if !navigates || !takes_html {
            Self::Json
        } else if matches!(*method, Method::GET | Method::HEAD) {
            Self::Page
        } else {
            Self::PageOnce
        }
    }
}

/// Makes the head and the body of a refusal. The JSON body is `{"error", "code", "message", "request_id"}`. The field
/// `error` is a sentence too, because Gradio shows it to people.
pub(crate) fn refusal(
    refusal: &Refusal,
    id: &HeaderValue,
    methods: &HeaderValue,
    form: RefusalForm,
) -> (response::Parts, String) {
    let page = form != RefusalForm::Json;
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = &mut parts.headers;
    insert_own_headers(headers, if page { &HTML } else { &JSON }, id);
    if page {
        headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY.clone());
    }
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"proxy\""));
    }
    if refusal.status == 405 {
        headers.insert(ALLOW, methods.clone());
    }
    if refusal.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let id = id.to_str().unwrap_or_default();
    let body = if page { html(refusal, id, form) } else { json(refusal, id) };
    (parts, body)
}

/// Makes the answer to an OPTIONS request that must not be forwarded (RFC 9110, sections 7.6.2 and 9.3.7).
pub(crate) fn options(id: &HeaderValue, methods: &HeaderValue) -> (response::Parts, String) {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::NO_CONTENT;
    parts.headers.insert(ALLOW, methods.clone());
    parts.headers.insert(CACHE_CONTROL, NO_STORE.clone());
    parts.headers.insert(X_REQUEST_ID.clone(), id.clone());
    (parts, String::new())
}

/// Inserts the headers that each answer of the proxy's own has.
pub(crate) fn insert_own_headers(headers: &mut HeaderMap, kind: &HeaderValue, id: &HeaderValue) {
    headers.insert(CONTENT_TYPE, kind.clone());
    headers.insert(CACHE_CONTROL, NO_STORE.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF.clone());
    headers.insert(X_REQUEST_ID.clone(), id.clone());
}

/// Renders the JSON body. Codes, messages and ids are the proxy's own and need no escaping.
fn json(refusal: &Refusal, id: &str) -> String {
    format!(
        "{{\"error\":\"{message}\",\"code\":\"{code}\",\"message\":\"{message}\",\"request_id\":\"{id}\"}}\n",
        code = refusal.code,
        message = refusal.message,
    )
}

/// Renders the page. It reloads if that makes sense.
fn html(refusal: &Refusal, id: &str, form: RefusalForm) -> String {
    let wait = refusal.retry_after.filter(|_| form == RefusalForm::Page);
    let refresh =
        wait.map_or(String::new(), |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">"));
    let again = match refusal.retry_after {
        Some(_) if form == RefusalForm::Page => "<p>This page asks again by itself.</p>",
        Some(_) => "<p>Go back and send it again.</p>",
        None => "",
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">{refresh}\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{status}</title>\
         <style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 system-ui,sans-serif;display:grid;\
         place-content:center;min-height:90vh;margin:0 1.5rem;text-align:center}}small{{opacity:.6}}</style></head>\
         <body><main><h1>{title}</h1><p>{message}</p>{again}<small>{code} · {id}</small></main></body></html>\n",
        status = refusal.status,
        title = if refusal.retry_after.is_some() { "One moment" } else { "This did not work" },
        message = refusal.message,
        code = refusal.code,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::refusal as table;

    fn made(which: &Refusal, form: RefusalForm) -> (response::Parts, String) {
        refusal(which, &HeaderValue::from_static("id1"), &HeaderValue::from_static("GET"), form)
    }

    #[test]
    fn each_refusal_has_a_json_body() {
        for which in table::ALL {
            let (parts, body) = made(which, RefusalForm::Json);
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (body["error"].as_str(), body["code"].as_str()),
                (Some(which.message), Some(which.code))
            );
            assert_eq!(body["request_id"], "id1");
            assert_eq!(parts.status.as_u16(), which.status);
            assert_eq!(parts.headers[CACHE_CONTROL], "no-store");
            assert_eq!(parts.headers.contains_key(CONNECTION), which.close);
        }
    }

    /// Gradio shows the field `error` to people.
    #[test]
    fn messages_are_sentences() {
        for which in table::ALL {
            let sentence = which.message;
            assert!(
                sentence.ends_with('.') && sentence.contains(' ') && !sentence.contains('_'),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_browser_gets_a_page() {
        let (parts, body) = made(&table::UPSTREAM_STARTING, RefusalForm::Page);
        assert_eq!(parts.headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(parts.headers[RETRY_AFTER], "5");
        assert!(body.contains("http-equiv=\"refresh\" content=\"5\""));
        assert!(!made(&table::UPSTREAM_AUTH, RefusalForm::Page).1.contains("http-equiv=\"refresh\""));
        for which in [table::PATH_REFUSED, table::RATE_LIMITED, table::KEY_REQUIRED] {
            let (parts, body) = made(&which, RefusalForm::Page);
            assert_eq!(parts.headers[CONTENT_TYPE], "text/html; charset=utf-8");
            assert!(body.contains(which.message) && body.contains(which.code));
        }
        let sent = made(&table::RATE_LIMITED, RefusalForm::PageOnce).1;
        assert!(!sent.contains("http-equiv=\"refresh\"") && sent.contains("Go back"));
    }

    #[test]
    fn the_form_follows_the_headers() {
        let wanted = |method: &Method, pairs: &[(&'static str, &'static str)]| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            RefusalForm::wanted(method, &pairs.iter().map(pair).collect::<HeaderMap>())
        };
        let browser = [("accept", "text/html,*/*;q=0.8")];
        assert_eq!(wanted(&Method::GET, &browser), RefusalForm::Page);
        assert_eq!(wanted(&Method::POST, &browser), RefusalForm::PageOnce);
        assert_eq!(wanted(&Method::GET, &[("accept", "*/*")]), RefusalForm::Json);
        assert_eq!(
            wanted(&Method::GET, &[("accept", "text/html"), ("sec-fetch-mode", "cors")]),
            RefusalForm::Json
        );
    }
}
