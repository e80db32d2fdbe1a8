//! One request to a model, and its answer.

use std::time::Instant;

use hub::{ChatStream, Inferred, Router};
use serde_json::{Map, Value, json};

use super::answer::{Content, Tokens, embedding, labels};
use super::budget::Prices;
use super::options::{InferenceOptions, Item, Operation, Routing};
use super::results::ItemResult;
use crate::failure::{Failure, Result, inference as advice};
use crate::ops::Session;

/// Name of the provider of embeddings and labels.
const HF_INFERENCE: &str = "hf-inference";

/// The model of a run.
pub(super) struct Asker<'a> {
    pub(super) options: &'a InferenceOptions,
    pub(super) router: &'a Router,
    pub(super) session: &'a Session<'a>,
    pub(super) prices: &'a Prices,
}

/// An answer before it is judged.
struct Answer {
    content: Content,
    provider: Option<String>,
    tokens: Option<Tokens>,
}

impl Asker<'_> {
    /// Asks for one input.
    pub(super) async fn ask(&self, item: &Item) -> Result<ItemResult> {
        let started = Instant::now();
        let answer = match self.options.operation {
            Operation::Generate => self.generate(item).await?,
            Operation::Embed => self.embed(item).await?,
            Operation::Classify => self.classify(item).await?,
        };
        let latency = started.elapsed();
        let Answer { content, provider, tokens } = answer;
        Ok(ItemResult {
            id: item.id.clone(),
            matched: content.mismatch(&self.options.expectations, latency).is_none(),
            cost_usd: self.prices.cost(provider.as_deref(), tokens),
            content,
            provider,
            usage_prompt: tokens.map(|tokens| tokens.prompt),
            usage_completion: tokens.map(|tokens| tokens.completion),
            latency_seconds: latency.as_secs_f64(),
        })
    }

    async fn generate(&self, item: &Item) -> Result<Answer> {
        let options = self.options;
        let mut body = options.params.clone();
        body.insert("model".to_owned(), format!("{}{}", options.model, options.routing.suffix()).into());
        let messages = match &item.input {
            Value::String(text) => json!([{ "role": "user", "content": text }]),
            messages => messages.clone(),
        };
        body.insert("messages".to_owned(), messages);
        if let Some(most) = options.max_tokens {
            body.insert("max_tokens".to_owned(), most.into());
        }
        if options.stream {
            body.insert("stream".to_owned(), true.into());
            body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
        }
        let (text, provider, usage) =
            if options.stream { self.stream(body).await? } else { self.chat(body).await? };
        if text.trim().is_empty() {
            return Err(advice::no_text(&item.id));
        }
        let provider = provider.or_else(|| match &options.routing {
            Routing::Provider(name) => Some(name.clone()),
            _ => None,
        });
        Ok(Answer { content: Content::Text(text), provider, tokens: Tokens::read(&usage) })
    }

    async fn chat(&self, body: Map<String, Value>) -> Result<(String, Option<String>, Value)> {
        let model = self.options.model.to_string();
        let answered = self.router.chat(&model, &body.into()).await;
        let Inferred { mut body, provider } = self.unless_refused(answered).await?;
        let text = body["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        Ok((text, provider, body["usage"].take()))
    }

    /// Asks for a stream, and prints its lines as they come.
    async fn stream(&self, body: Map<String, Value>) -> Result<(String, Option<String>, Value)> {
        let model = self.options.model.to_string();
        let opened = self.router.open_chat(&model, &body.into()).await;
        let mut stream: ChatStream = self.unless_refused(opened).await?;
        let (mut text, mut printed, mut usage) = (String::new(), 0, Value::Null);
        while let Some(mut event) = self.unless_refused(stream.next().await).await? {
            if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
                let message = error["message"].as_str().or(error.as_str()).unwrap_or("no reason given");
                return Err(advice::stream_failed(&self.options.model, message));
            }
            if !event["usage"].is_null() {
                usage = event["usage"].take();
            }
            text.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
            if let Some(end) = text[printed..].rfind('\n') {
                self.session.log.untrusted(&text[printed..=printed + end]);
                printed += end + 1;
            }
        }
        if printed < text.len() {
            self.session.log.untrusted(&format!("{}\n", &text[printed..]));
        }
        Ok((text, stream.provider().map(str::to_owned), usage))
    }

    async fn embed(&self, item: &Item) -> Result<Answer> {
        let mut body = self.options.params.clone();
        body.insert("inputs".to_owned(), item.input.clone());
        let answered = self.router.embed(&self.options.model, &body.into()).await;
        let Inferred { body, .. } = self.unless_refused(answered).await?;
        let numbers = embedding(&body).ok_or_else(|| advice::unreadable(&self.options.model, "embedding"))?;
        Ok(Answer {
            content: Content::Embedding(numbers),
            provider: Some(HF_INFERENCE.to_owned()),
            tokens: None,
        })
    }

    async fn classify(&self, item: &Item) -> Result<Answer> {
        let mut body = json!({ "inputs": item.input });
        if !self.options.params.is_empty() {
            body["parameters"] = Value::Object(self.options.params.clone());
        }
        let answered = self.router.classify(&self.options.model, &body).await;
        let Inferred { body, .. } = self.unless_refused(answered).await?;
        let labels =
            labels(&body).ok_or_else(|| advice::unreadable(&self.options.model, "list of labels"))?;
        Ok(Answer { content: Content::Labels(labels), provider: Some(HF_INFERENCE.to_owned()), tokens: None })
    }

    /// Explains the error of a request. For a model that the provider does not have, it asks the Hub who has it.
    async fn unless_refused<T>(&self, answered: Result<T, hub::Error>) -> Result<T> {
        let error = match answered {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let (model, hub) = (&self.options.model, self.session.hub);
        let providers = match error.kind() {
            Some(hub::RefusalKind::ModelNotSupported) => {
                hub.inference_providers(model).await.unwrap_or_default()
            }
            _ => Vec::new(),
        };
        Err::<T, Failure>(advice::request_failed(error, model, &providers, hub.endpoint()))
    }
}
