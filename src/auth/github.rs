//! Identity tokens of GitHub Actions: a job with `permissions: id-token: write` may ask for one (GitHub docs,
//! "OpenID Connect reference"), and the Hub takes it in place of a secret (hub-docs, "Trusted Publishers").

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::Secret;
use crate::failure::{Code, Failure, Result};

/// How long GitHub may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is asked, where it does not answer.
const ATTEMPTS: u32 = 3;
/// The largest answer, in bytes: a token is about 2 kB.
const MAX_ANSWER: usize = 64 << 10;
/// The claims that a publisher may be bound to, as far as a person can look at them.
const TOLD: [&str; 8] = [
    "repository",
    "ref",
    "workflow",
    "environment",
    "event_name",
    "job_workflow_ref",
    "repository_owner",
    "sub",
];

/// Where a job gets its identity tokens.
#[derive(Debug, Clone)]
pub struct IdTokens {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`: it has a query already.
    pub url: Url,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub request_token: Secret,
}

#[derive(Deserialize)]
struct Minted {
    value: String,
}

impl IdTokens {
    /// Asks for a token that is meant for `audience`.
    ///
    /// # Errors
    ///
    /// `id_token_unavailable`: GitHub does not give one.
    pub async fn mint(&self, audience: &str) -> Result<Secret> {
        let failed = |detail: &dyn std::fmt::Display| {
            Failure::new(
                Code::IdTokenUnavailable,
                format!("GitHub gives this job no identity token: {detail}"),
            )
            .hint("give the job `permissions: id-token: write`; runs of forks never get it")
            .hint("or pass `hf_token`")
        };
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let http = crate::http::client().timeout(TIMEOUT).build().map_err(|error| failed(&error))?;
        let mut pause = Duration::from_secs(1);
        for attempt in 1.. {
            let request = http.get(url.clone()).bearer_auth(self.request_token.expose());
            let detail = match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    let body = answer.bytes().await.map_err(|error| failed(&error.without_url()))?;
                    if body.len() > MAX_ANSWER {
                        return Err(failed(&"its answer is too large"));
                    }
                    let minted: Minted = serde_json::from_slice(&body).map_err(|error| failed(&error))?;
                    return Ok(Secret::new(minted.value));
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
        }
        Err(failed(&"it was not asked"))
    }
}

/// What a token says of its job, for a person: `` `repository` = `octo/hello` ``. The token itself is not shown, and
/// its signature not judged.
pub fn told_claims(token: &Secret) -> Vec<String> {
    let claims = token.expose().split('.').nth(1).and_then(|payload| {
        let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    });
    let claims = claims.unwrap_or_default();
    let told = TOLD.iter().filter_map(|name| Some((name, claims.get(*name)?.as_str()?)));
    told.map(|(name, value)| format!("`{name}` = `{}`", crate::target::shorten(value, 200))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_told_and_nothing_else() {
        let payload =
            URL_SAFE_NO_PAD.encode(r#"{"repository":"octo/hello","ref":"refs/heads/main","jti":"x"}"#);
        let told = told_claims(&Secret::new(format!("h.{payload}.s")));
        assert_eq!(told, ["`repository` = `octo/hello`", "`ref` = `refs/heads/main`"]);
        for broken in ["", "a", "a.b.c", "a.e30.c"] {
            assert!(told_claims(&Secret::new(broken)).is_empty(), "{broken}");
        }
    }
}
