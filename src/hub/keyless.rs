//! Signing in without a stored token: the identity of a GitHub job becomes a token of one repo, for an hour.
//!
//! `POST /oauth/token`, RFC 8693 (token exchange), as hub-docs "Trusted Publishers" has it. Such a token is good
//! for one repo, so that each repo has a [`Hub`] of its own ([`Hub::for_repo`]).

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Repo;
use super::call::{Call, Repeat};
use super::client::{Hub, bearer};
use super::error::{Cause, HubError};
use crate::auth::{IdTokens, Secret, told_claims};
use crate::failure::{Code, Failure};
use crate::target::RepoType;

/// A token is exchanged again when it has less than this to live, as in the official client.
const MARGIN: Duration = Duration::from_secs(300);
/// How long a token lives where the Hub does not say.
const LIFE: Duration = Duration::from_secs(3600);
/// How often an exchange is tried that the Hub broke off (`invalid_grant`, "This operation was aborted").
const ATTEMPTS: u32 = 3;

/// What a hub of one repo signs in with.
#[derive(Debug)]
pub(super) struct Keyless {
    pub(super) id_tokens: IdTokens,
    /// The repo that the token is for: `None` until it is known.
    pub(super) repo: Option<Repo>,
    pub(super) session: tokio::sync::Mutex<Option<Session>>,
}

/// A token that is good until it is renewed.
#[derive(Debug, Clone)]
pub(super) struct Session {
    token: Secret,
    header: HeaderValue,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Keyless {
    pub(super) fn new(id_tokens: IdTokens, repo: Option<Repo>) -> Self {
        Self { id_tokens, repo, session: tokio::sync::Mutex::default() }
    }
}

impl Hub {
    /// The token that is good now, exchanged anew where the last one ends soon.
    pub(super) async fn keyless_session(&self, keyless: &Keyless) -> Result<(Secret, HeaderValue), HubError> {
        let mut session = keyless.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| session.renew_at > Instant::now()) {
            return Ok((session.token.clone(), session.header.clone()));
        }
        let fresh = self.sign_in(keyless).await?;
        *session = Some(fresh.clone());
        Ok((fresh.token, fresh.header))
    }

    async fn sign_in(&self, keyless: &Keyless) -> Result<Session, HubError> {
        let what = "sign in without a token";
        let local = |failure| HubError::new(what, Cause::Local(failure));
        let Some(repo) = &keyless.repo else {
            return Err(local(
                Failure::new(
                    Code::InvalidInput,
                    "`huggingface_repo` must be `namespace/name` where there is no `hf_token`",
                )
                .hint("a keyless token belongs to one repo, and to no user whose namespace it could be"),
            ));
        };
        let mut pause = Duration::from_secs(2);
        for attempt in 1.. {
            // A token of its own for each try: the Hub may take each but once.
            let id_token = keyless.id_tokens.mint(self.endpoint()).await.map_err(local)?;
            self.hide(&id_token);
            let error = match self.exchange_id_token(repo, &id_token).await {
                Ok(grant) => {
                    let token = Secret::new(grant.access_token);
                    self.hide(&token);
                    let life = grant.expires_in.map_or(LIFE, Duration::from_secs);
                    let renew_at = Instant::now() + life.saturating_sub(MARGIN.min(life / 2));
                    let header = bearer(&token).map_err(local)?;
                    return Ok(Session { token, header, renew_at });
                }
                Err(error) => error,
            };
            let refusal = error.refusal().filter(|refusal| refusal.status.as_u16() == 400);
            let Some(refusal) = refusal.cloned() else { return Err(error) };
            if attempt < ATTEMPTS && refusal.message.contains("aborted") {
                self.note(&format!("the Hub broke off the sign-in ({}): trying again", refusal.message));
                tokio::time::sleep(pause).await;
                pause *= 2;
                continue;
            }
            return Err(local(refused(self.endpoint(), repo, &id_token, &refusal.to_string())));
        }
        Err(local(Failure::new(Code::Internal, "no sign-in was tried")))
    }

    async fn exchange_id_token(&self, repo: &Repo, id_token: &Secret) -> Result<Grant, HubError> {
        let what = format!("sign in for the {repo}");
        let call = Call::new(&what, Method::POST, self.url("/oauth/token")?);
        let call = Call { with_token: false, repeat: Repeat::Freely, ..call }.json(&json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "subject_token": id_token.expose(),
            "resource": resource(repo),
        }));
        self.call(&call).await?.json(&what)
    }
}

/// The name of a repo in an exchange: `ns/name`, `spaces/ns/name` or `datasets/ns/name`.
fn resource(repo: &Repo) -> String {
    match repo.repo_type {
        RepoType::Model => repo.id.to_string(),
        other => format!("{}/{}", other.plural(), repo.id),
    }
}

/// Why the Hub may have said no, from what the token says of its job.
fn refused(endpoint: &str, repo: &Repo, id_token: &Secret, refusal: &str) -> Failure {
    let page = format!("{endpoint}/{}/settings", repo.page());
    let claims = told_claims(id_token);
    let github = claims.iter().find_map(|claim| claim.strip_prefix("`repository` = "));
    Failure::new(
        Code::KeylessRefused,
        format!("the Hub does not let this job write to the {repo} without a token: {refusal}"),
    )
    .hint(format!("this job says of itself: {}", claims.join(", ")))
    .hint(format!(
        "at {page}, under Trusted Publishers, there has to be one for GitHub Actions with the repository {}; a branch, workflow or environment that it names has to be the one above, to the letter",
        github.unwrap_or("of this workflow")
    ))
    .hint(format!(
        "the {repo} has to exist: nobody can create a repo without a token; make it once by hand at {endpoint}/new{}",
        match repo.repo_type {
            RepoType::Space => "-space",
            RepoType::Dataset => "-dataset",
            RepoType::Model => "",
        }
    ))
    .hint("the job needs `permissions: { contents: read, id-token: write }`; or pass `hf_token`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::RepoName;

    #[test]
    fn resources_are_named_as_the_hub_names_them() {
        let of = |repo_type| {
            let id = "ada/app".parse::<RepoName>().unwrap().full().unwrap();
            resource(&Repo { repo_type, id })
        };
        let all = [RepoType::Model, RepoType::Dataset, RepoType::Space].map(of);
        assert_eq!(all, ["ada/app", "datasets/ada/app", "spaces/ada/app"]);
    }
}
