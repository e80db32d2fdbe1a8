//! Credentials of a client, and trusted publishing: the exchange of an ID token for a token of one repo.
//!
//! `POST /oauth/token`, RFC 8693 (token exchange), as hub-docs "Trusted Publishers" describes it. Such a token is for
//! one repo and for an hour.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::call::Call;
use crate::error::{Cause, Error, ExchangeError};
use crate::refusal::RefusalKind;
use crate::secret::Secret;
use crate::transport::Transport;
use crate::types::TokenSubject;

/// Rest of a token's life at which it is exchanged again, as in the official client.
const MARGIN: Duration = Duration::from_secs(300);
/// Life of a token if the Hub does not name it.
const LIFE: Duration = Duration::from_secs(3600);
/// Maximum number of exchanges, if the Hub breaks them off (`invalid_grant`, "This operation was aborted").
const ATTEMPTS: u32 = 3;

/// Credentials of a client.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// No credentials.
    Anonymous,
    /// A token of a user.
    Token(Secret),
    /// ID tokens of a workload, for which the repo has a trusted publisher.
    TrustedPublishing(Arc<dyn IdTokenSource>),
}

impl Credentials {
    /// Returns the name of the method: `token`, `oidc`, or nothing.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Anonymous => "",
            Self::Token(_) => "token",
            Self::TrustedPublishing(_) => "oidc",
        }
    }

    /// Returns the token of a user.
    pub fn token(&self) -> Option<&Secret> {
        match self {
            Self::Token(token) => Some(token),
            Self::Anonymous | Self::TrustedPublishing(_) => None,
        }
    }

    /// Returns the value that no log may show.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Anonymous => None,
            Self::Token(token) => Some(token),
            Self::TrustedPublishing(source) => source.request_secret(),
        }
    }
}

/// An ID token, and its claims for an error message.
#[derive(Debug, Clone)]
pub struct IdToken {
    /// The token.
    pub token: Secret,
    /// Claims that a trusted publisher may be bound to, by name.
    pub claims: Vec<(String, String)>,
}

/// Future of an [`IdTokenSource`].
pub type IdTokenFuture<'a> =
    Pin<Box<dyn Future<Output = Result<IdToken, Box<dyn std::error::Error + Send + Sync>>> + Send + 'a>>;

/// Source of ID tokens (OpenID Connect), such as the runner of a CI service.
pub trait IdTokenSource: fmt::Debug + Send + Sync {
    /// Returns the secret that the source itself is asked with, if there is one.
    fn request_secret(&self) -> Option<&Secret>;

    /// Requests an ID token for an audience: the address of a Hub.
    fn request_id_token<'a>(&'a self, audience: &'a str) -> IdTokenFuture<'a>;
}

/// Callback for each token that is issued on the way, before it is used, so that a log can mask it.
pub type OnSecret = Arc<dyn Fn(&Secret) + Send + Sync>;

/// Source of the token that requests carry.
pub(crate) enum TokenSource {
    Nothing,
    Token(Secret, HeaderValue),
    TrustedPublishing(TrustedPublishing),
}

/// Exchange of ID tokens for tokens of one repo or bucket.
pub(crate) struct TrustedPublishing {
    id_tokens: Arc<dyn IdTokenSource>,
    on_secret: OnSecret,
    /// Repo or bucket that the token is for; `None` until it is known.
    subject: Option<TokenSubject>,
    session: tokio::sync::Mutex<Option<Session>>,
}

/// A token that is valid until it is renewed.
#[derive(Clone)]
struct Session {
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

impl TokenSource {
    pub(crate) fn new(credentials: Credentials, on_secret: OnSecret) -> Result<Self, Error> {
        Ok(match credentials {
            Credentials::Anonymous => Self::Nothing,
            Credentials::Token(token) => {
                let header = bearer(&token)?;
                Self::Token(token, header)
            }
            Credentials::TrustedPublishing(id_tokens) => {
                Self::TrustedPublishing(TrustedPublishing::new(id_tokens, on_secret, None))
            }
        })
    }

    /// Returns the source for one repo or bucket, if it differs from this one.
    pub(crate) fn for_subject(&self, subject: TokenSubject) -> Option<Self> {
        let Self::TrustedPublishing(TrustedPublishing { id_tokens, on_secret, .. }) = self else {
            return None;
        };
        let (id_tokens, on_secret) = (Arc::clone(id_tokens), Arc::clone(on_secret));
        Some(Self::TrustedPublishing(TrustedPublishing::new(id_tokens, on_secret, Some(subject))))
    }

    /// Returns the token that is valid now, and the `Authorization` header with it.
    pub(crate) async fn current(
        &self,
        transport: &Transport,
    ) -> Result<Option<(Secret, HeaderValue)>, Error> {
        match self {
            Self::Nothing => Ok(None),
            Self::Token(token, header) => Ok(Some((token.clone(), header.clone()))),
            Self::TrustedPublishing(publishing) => publishing.current(transport).await.map(Some),
        }
    }
}

impl TrustedPublishing {
    fn new(id_tokens: Arc<dyn IdTokenSource>, on_secret: OnSecret, subject: Option<TokenSubject>) -> Self {
        Self { id_tokens, on_secret, subject, session: tokio::sync::Mutex::default() }
    }

    /// Returns the token that is valid now. Exchanges a new ID token if the last one ends soon.
    async fn current(&self, transport: &Transport) -> Result<(Secret, HeaderValue), Error> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| session.renew_at > Instant::now()) {
            return Ok((session.token.clone(), session.header.clone()));
        }
        let fresh = self.sign_in(transport).await?;
        *session = Some(fresh.clone());
        Ok((fresh.token, fresh.header))
    }

    async fn sign_in(&self, transport: &Transport) -> Result<Session, Error> {
        let failed = |error| Error::new("sign in by trusted publishing", Cause::Exchange(error));
        let Some(subject) = &self.subject else { return Err(failed(ExchangeError::NoRepo)) };
        let mut pause = Duration::from_secs(2);
        let mut attempt = 1;
        loop {
            // A new ID token for each attempt, because the Hub may accept each only once.
            let id_token = self.id_tokens.request_id_token(transport.endpoint()).await;
            let id_token = id_token.map_err(|error| failed(ExchangeError::NoIdToken(error)))?;
            (self.on_secret)(&id_token.token);
            let error = match exchange(transport, subject, &id_token.token).await {
                Ok(grant) => return self.session(grant),
                Err(error) => error,
            };
            let refusal = error.refusal().filter(|refusal| refusal.status.as_u16() == 400);
            let Some(refusal) = refusal.cloned() else { return Err(error) };
            if attempt == ATTEMPTS || refusal.kind() != RefusalKind::ExchangeAborted {
                return Err(failed(ExchangeError::Refused {
                    endpoint: transport.endpoint().to_owned(),
                    subject: subject.clone(),
                    refusal,
                    claims: id_token.claims,
                }));
            }
            transport.note(&format!("the Hub broke off the sign-in ({}), retrying", refusal.message));
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    fn session(&self, grant: Grant) -> Result<Session, Error> {
        let token = Secret::new(grant.access_token);
        (self.on_secret)(&token);
        let life = grant.expires_in.map_or(LIFE, Duration::from_secs);
        let renew_at = Instant::now() + life.saturating_sub(MARGIN.min(life / 2));
        let header = bearer(&token)?;
        Ok(Session { token, header, renew_at })
    }
}

async fn exchange(transport: &Transport, subject: &TokenSubject, id_token: &Secret) -> Result<Grant, Error> {
    let operation = format!("sign in for the {subject}");
    let call = Call::new(&operation, Method::POST, transport.url("/oauth/token")?).json(&json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "subject_token": id_token.expose(),
        "resource": subject.resource(),
    }));
    transport.call(&call).await?.json(&operation)
}

fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| Error::new("use the token", Cause::MalformedToken))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_a_newline_is_refused_without_showing_it() {
        let error = bearer(&Secret::new("hf_a\nb")).unwrap_err();
        assert!(matches!(*error.cause, Cause::MalformedToken));
        assert!(!format!("{error:?}").contains("hf_a"));
    }
}
