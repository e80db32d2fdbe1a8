//! ID tokens: the identity of a job, as GitHub signs it (GitHub docs, "OpenID Connect reference").

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{Inner, LocalGithub, lock};

pub(crate) const PATH: &str = "/token";

/// Claims of the job, and the tokens that it was given.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    /// Token that opens this endpoint, and the claims of the job: `None` before a job has one.
    job: Option<(String, Value)>,
    count: u64,
}

impl LocalGithub {
    /// Gives a job an identity. Returns the address for `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub fn allow_id_tokens(&self, request_token: &str, claims: Value) -> String {
        lock(&self.inner.id_tokens).job = Some((request_token.to_owned(), claims));
        format!("{}{PATH}?api-version=2.0", self.server_url())
    }

    /// Returns the number of ID tokens that were issued.
    pub fn issued_id_tokens(&self) -> u64 {
        lock(&self.inner.id_tokens).count
    }
}

pub(crate) fn answer(inner: &Inner, query: &[(String, String)], headers: &HeaderMap) -> Answer {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let mut issued = lock(&inner.id_tokens);
    let is_allowed =
        |token: &str| given == Some(&format!("Bearer {token}")) && value("api-version").is_some();
    let Some((_, claims)) = issued.job.clone().filter(|(token, _)| is_allowed(token)) else {
        return Answer::error(401, "Bad credentials");
    };
    issued.count += 1;
    let mut claims = claims;
    claims["aud"] = json!(value("audience").unwrap_or_default());
    claims["jti"] = json!(issued.count.to_string());
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    // The header says that there is no signature, and the last part stands where one would.
    Answer::new(200, json!({ "value": format!("eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl") }))
}
