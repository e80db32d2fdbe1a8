//! ID tokens of GitHub Actions: a job with `permissions: id-token: write` can request one (GitHub docs, "OpenID Connect
//! reference").

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hub::{IdToken, IdTokenFuture, IdTokenSource, Secret, shorten};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

/// Time allowed for GitHub's answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum number of requests, if GitHub does not answer.
const ATTEMPTS: u32 = 3;
/// Maximum size of an answer, in bytes. A token has about 2 kB.
const MAX_ANSWER: usize = 64 << 10;
/// Maximum length of a claim in a message, in characters.
const MAX_CLAIM: usize = 200;
/// Claims that a trusted publisher may be bound to, and that a person can compare.
const SHOWN_CLAIMS: [&str; 8] = [
    "repository",
    "ref",
    "workflow",
    "environment",
    "event_name",
    "job_workflow_ref",
    "repository_owner",
    "sub",
];

/// Source of the ID tokens of a job.
#[derive(Debug, Clone)]
pub struct IdTokens {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`, which has a query already.
    pub url: Url,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub request_token: Secret,
}

#[derive(Deserialize)]
struct IdTokenResponse {
    value: String,
}

/// Error of a request for an ID token.
#[derive(Debug, thiserror::Error)]
#[error("GitHub gives this job no identity token: {0}")]
pub struct IdTokenError(String);

impl IdTokenSource for IdTokens {
    fn request_secret(&self) -> Option<&Secret> {
        Some(&self.request_token)
    }

    fn request_id_token<'a>(&'a self, audience: &'a str) -> IdTokenFuture<'a> {
        Box::pin(async move {
            let token = self.request(audience).await?;
            Ok(IdToken { claims: shown_claims(&token), token })
        })
    }
}

impl IdTokens {
    async fn request(&self, audience: &str) -> Result<Secret, IdTokenError> {
        let failed = |detail: &dyn std::fmt::Display| IdTokenError(detail.to_string());
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let http =
            hub::http::client(crate::USER_AGENT).timeout(TIMEOUT).build().map_err(|error| failed(&error))?;
        let mut pause = Duration::from_secs(1);
        let mut attempt = 1;
        loop {
            let request = http.get(url.clone()).bearer_auth(self.request_token.expose());
            let detail = match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    let body = answer.bytes().await.map_err(|error| failed(&error.without_url()))?;
                    if body.len() > MAX_ANSWER {
                        return Err(failed(&"its answer is too large"));
                    }
                    let response: IdTokenResponse =
                        serde_json::from_slice(&body).map_err(|error| failed(&error))?;
                    return Ok(Secret::new(response.value));
                }
                Ok(answer) if answer.status().is_client_error() => {
                    return Err(failed(&format!("it answered {}", answer.status().as_u16())));
                }
                Ok(answer) => format!("it answered {}", answer.status().as_u16()),
                Err(error) => error.without_url().to_string(),
            };
            if attempt == ATTEMPTS {
                return Err(failed(&detail));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }
}

/// Returns the claims of an ID token that a message may show. The signature is not checked.
fn shown_claims(token: &Secret) -> Vec<(String, String)> {
    let claims = token.expose().split('.').nth(1).and_then(|payload| {
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    });
    let claims = claims.unwrap_or_default();
    let shown = SHOWN_CLAIMS.iter().filter_map(|name| Some((*name, claims.get(*name)?.as_str()?)));
    shown.map(|(name, value)| (name.to_owned(), shorten(value, MAX_CLAIM))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comparable_claims_are_shown() {
        let payload =
            URL_SAFE_NO_PAD.encode(r#"{"repository":"octo/hello","ref":"refs/heads/main","jti":"x"}"#);
        let shown = shown_claims(&Secret::new(format!("h.{payload}.s")));
        let pairs: Vec<(&str, &str)> =
            shown.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("repository", "octo/hello"), ("ref", "refs/heads/main")]);
        for broken in ["", "a", "a.b.c", "a.e30.c"] {
            assert!(shown_claims(&Secret::new(broken)).is_empty(), "{broken}");
        }
    }
}
