//! Inference Providers: the router, which has an address of its own (`https://router.huggingface.co`).

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use crate::call::{Call, Repeat};
use crate::client::{Hub, HubOptions};
use crate::error::{Cause, Error};
use crate::sse::Decoder;
use crate::types::RepoId;
use crate::url::encode;

/// Header that names the namespace that pays, as in the official client.
const BILL_TO: &str = "x-hf-bill-to";
/// Header in which the router names the provider that it chose.
const PROVIDER: &str = "x-inference-provider";
/// Longest silence of a model. Some think for minutes before their first token.
const SILENCE: Duration = Duration::from_secs(600);
/// Largest event of a stream, in bytes.
const MAX_EVENT: usize = 4 << 20;

/// A client of the router. Requests are repeated while the router or the model is busy.
#[derive(Debug, Clone)]
pub struct Router {
    hub: Hub,
    bill_to: Option<HeaderValue>,
}

/// A model that the router knows (`GET /v1/models`).
#[derive(Debug, Clone, Deserialize)]
pub struct RoutedModel {
    /// Name of the model on the Hub.
    pub id: String,
    /// Providers that have it.
    #[serde(default)]
    pub providers: Vec<RoutedProvider>,
}

/// A provider of a model.
#[derive(Debug, Clone, Deserialize)]
pub struct RoutedProvider {
    /// Name of the provider.
    pub provider: String,
    /// `live`, `staging` or `error`.
    #[serde(default)]
    pub status: String,
    /// Price of its tokens, if it names one.
    #[serde(default)]
    pub pricing: Option<TokenPrice>,
}

/// Price of a million tokens, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct TokenPrice {
    /// Tokens of the prompt.
    pub input: f64,
    /// Tokens of the answer.
    pub output: f64,
}

/// Answer of a model.
#[derive(Debug, Clone)]
pub struct Inferred {
    /// The answer.
    pub body: Value,
    /// Provider that gave it, if the router names it.
    pub provider: Option<String>,
}

/// Answer of a chat model, piece by piece.
#[derive(Debug)]
pub struct ChatStream {
    response: reqwest::Response,
    decoder: Decoder,
    /// Events that are decoded and not yet returned.
    ready: std::collections::VecDeque<Value>,
    /// The end was announced.
    is_done: bool,
    provider: Option<String>,
}

impl Router {
    /// Makes a client. `options` has the address of the router; `bill_to` is the namespace that pays.
    ///
    /// # Errors
    ///
    /// As for [`Hub::new`], or `bill_to` has a character that no header can carry.
    pub fn new(options: HubOptions, bill_to: Option<&str>) -> Result<Self, Error> {
        let bill_to = bill_to.map(HeaderValue::from_str).transpose().map_err(|_| {
            let detail = "the namespace that pays has a character that no header can carry".to_owned();
            Error::new("set up the client of the router", Cause::Setup { detail })
        })?;
        Ok(Self { hub: Hub::new(options)?, bill_to })
    }

    /// Returns all models, with their providers and prices.
    pub async fn models(&self) -> Result<Vec<RoutedModel>, Error> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<RoutedModel>,
        }
        let operation = "read the prices of Inference Providers";
        let call = Call::new(operation, Method::GET, self.hub.url("/v1/models")?);
        Ok(self.hub.call(&call).await?.json::<List>(operation)?.data)
    }

    /// Asks a chat model (`POST /v1/chat/completions`), and returns its whole answer.
    pub async fn chat(&self, model: &str, body: &Value) -> Result<Inferred, Error> {
        self.infer(&self.chat_call(model, body)?).await
    }

    /// Asks a chat model, and returns its answer as it comes. `body` requests a stream.
    pub async fn open_chat(&self, model: &str, body: &Value) -> Result<ChatStream, Error> {
        let response = self.hub.open_stream_with_retries(&self.chat_call(model, body)?).await?;
        let provider = provider_of(response.headers());
        let decoder = Decoder::new(MAX_EVENT);
        Ok(ChatStream {
            response,
            decoder,
            ready: std::collections::VecDeque::new(),
            is_done: false,
            provider,
        })
    }

    /// Computes embeddings (`POST /hf-inference/models/{id}/pipeline/feature-extraction`).
    pub async fn embed(&self, model: &RepoId, body: &Value) -> Result<Inferred, Error> {
        let path = format!("{}/pipeline/feature-extraction", hf_inference(model));
        let operation = format!("embed with `{model}`");
        self.infer(&self.post(operation, &path, body)?).await
    }

    /// Classifies text (`POST /hf-inference/models/{id}`).
    pub async fn classify(&self, model: &RepoId, body: &Value) -> Result<Inferred, Error> {
        let operation = format!("classify with `{model}`");
        self.infer(&self.post(operation, &hf_inference(model), body)?).await
    }

    fn chat_call(&self, model: &str, body: &Value) -> Result<Call, Error> {
        self.post(format!("generate with `{model}`"), "/v1/chat/completions", body)
    }

    fn post(&self, operation: String, path: &str, body: &Value) -> Result<Call, Error> {
        let mut call = Call::new(operation, Method::POST, self.hub.url(path)?).json(body);
        call.repeat = Repeat::WhileBusy;
        call.quiet_timeout = SILENCE;
        if let Some(bill_to) = &self.bill_to {
            call.headers.insert(BILL_TO, bill_to.clone());
        }
        Ok(call)
    }

    async fn infer(&self, call: &Call) -> Result<Inferred, Error> {
        let answer = self.hub.call(call).await?;
        Ok(Inferred { body: answer.json(&call.operation)?, provider: provider_of(&answer.headers) })
    }
}

impl ChatStream {
    /// Returns the next event of the stream; `None` after its end.
    ///
    /// # Errors
    ///
    /// The stream broke off, or was silent for too long.
    pub async fn next(&mut self) -> Result<Option<Value>, Error> {
        let broken = |detail: String| {
            Error::new("read the answer", Cause::Unreachable { detail, attempts: 1, before_sending: false })
        };
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.is_done {
                return Ok(None);
            }
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk())
                .await
                .map_err(|_| Error::new("read the answer", Cause::TimedOut { after: SILENCE }))?
                .map_err(|error| broken(error.without_url().to_string()))?
                .ok_or_else(|| broken("the stream ended early".to_owned()))?;
            for event in self.decoder.push(&chunk) {
                if event.data.trim() == "[DONE]" {
                    self.is_done = true;
                    break;
                }
                let value = serde_json::from_str(&event.data)
                    .map_err(|error| Error::unexpected("read the answer", error.to_string()))?;
                self.ready.push_back(value);
            }
        }
    }

    /// Returns the provider that answers, if the router names it.
    pub fn provider(&self) -> Option<&str> {
        self.provider.as_deref()
    }
}

impl Hub {
    /// Returns the providers of a model, with their states (`?expand[]=inferenceProviderMapping`).
    pub async fn inference_providers(&self, model: &RepoId) -> Result<Vec<(String, String)>, Error> {
        let operation = format!("read the providers of `{model}`");
        let path = format!(
            "/api/models/{}/{}?expand=inferenceProviderMapping",
            encode(&model.namespace),
            encode(&model.name)
        );
        let answer = self.call(&Call::new(&operation, Method::GET, self.url(&path)?)).await?;
        Ok(providers(&answer.json(&operation)?))
    }
}

/// Reads `{provider: {status}}`, or a list of `{provider, status}`, which the Hub was seen to answer as well.
pub(crate) fn providers(info: &Value) -> Vec<(String, String)> {
    let status = |value: &Value| value["status"].as_str().unwrap_or_default().to_owned();
    match &info["inferenceProviderMapping"] {
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), status(value))).collect(),
        Value::Array(list) => {
            let named = |value: &Value| Some((value["provider"].as_str()?.to_owned(), status(value)));
            list.iter().filter_map(named).collect()
        }
        _ => Vec::new(),
    }
}

fn provider_of(headers: &HeaderMap) -> Option<String> {
    headers.get(PROVIDER).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn hf_inference(model: &RepoId) -> String {
    format!("/hf-inference/models/{}/{}", encode(&model.namespace), encode(&model.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_mapping_are_read() {
        let wanted = vec![("groq".to_owned(), "live".to_owned()), ("novita".to_owned(), "error".to_owned())];
        let map = serde_json::json!({"groq": {"status": "live"}, "novita": {"status": "error"}});
        assert_eq!(providers(&serde_json::json!({ "inferenceProviderMapping": map })), wanted);
        let list = serde_json::json!([{"provider": "groq", "status": "live"}, {"provider": "novita", "status": "error"}]);
        assert_eq!(providers(&serde_json::json!({ "inferenceProviderMapping": list })), wanted);
        assert_eq!(providers(&serde_json::json!({})), []);
    }
}
