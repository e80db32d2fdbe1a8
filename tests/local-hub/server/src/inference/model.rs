//! Models of the router.

use serde_json::{Value, json};

use super::scripted::ScriptedTurn;

/// A chat model.
#[derive(Clone, Debug)]
pub struct ChatModel {
    /// Name on the Hub.
    pub id: String,
    /// Providers, the fastest first.
    pub providers: Vec<ProviderOffer>,
    /// Answers, one for each turn of a conversation; empty for a model that repeats the input.
    pub script: Vec<ScriptedTurn>,
}

/// A provider of a chat model.
#[derive(Clone, Debug)]
pub struct ProviderOffer {
    /// Name of the provider.
    pub provider: String,
    /// True if it answers.
    pub is_live: bool,
    /// Price of a million tokens of prompts and of answers, in US dollars.
    pub price: Option<(f64, f64)>,
}

/// A model of `hf-inference`.
#[derive(Clone, Debug)]
pub enum TaskModel {
    /// Answers with an embedding; for each token if `by_token`.
    Embed {
        /// Name on the Hub.
        id: String,
        /// Answers with one embedding per word.
        by_token: bool,
    },
    /// Answers with labels; in a list of lists if `is_nested`.
    Classify {
        /// Name on the Hub.
        id: String,
        /// Answers with a list in a list.
        is_nested: bool,
        /// Number of requests during which it still loads.
        loads: usize,
    },
    /// Gated, and closed to the caller.
    Gated {
        /// Name on the Hub.
        id: String,
    },
}

impl ChatModel {
    /// Makes a model with these providers: name and price.
    #[must_use]
    pub fn new(id: &str, providers: &[(&str, Option<(f64, f64)>)]) -> Self {
        let offer = |(provider, price): &(&str, Option<(f64, f64)>)| ProviderOffer {
            provider: (*provider).to_owned(),
            is_live: true,
            price: *price,
        };
        Self { id: id.to_owned(), providers: providers.iter().map(offer).collect(), script: Vec::new() }
    }

    /// Lets the model follow a script.
    #[must_use]
    pub fn scripted(self, script: Vec<ScriptedTurn>) -> Self {
        Self { script, ..self }
    }

    pub(super) fn listed(&self) -> Value {
        let providers = self.providers.iter().map(|offer| {
            let mut value = json!({
                "provider": offer.provider, "status": if offer.is_live { "live" } else { "error" },
                "context_length": 32768, "supports_tools": !self.script.is_empty(), "supports_structured_output": false,
            });
            if let Some((input, output)) = offer.price {
                value["pricing"] = json!({ "input": input, "output": output });
            }
            value
        });
        json!({
            "id": self.id, "object": "model", "created": 1_760_000_000,
            "owned_by": self.id.split('/').next(), "providers": Value::from_iter(providers),
        })
    }

    /// Returns the provider for the end of a model's name; without one, the fastest.
    pub(super) fn choose(&self, suffix: Option<&str>) -> Option<&ProviderOffer> {
        let mut live = self.providers.iter().filter(|offer| offer.is_live);
        let price = |offer: &&ProviderOffer| offer.price.map_or(f64::MAX, |(input, output)| input + output);
        match suffix {
            None | Some("fastest" | "preferred") => live.next(),
            Some("cheapest") => live.min_by(|one, other| price(one).total_cmp(&price(other))),
            Some(name) => live.find(|offer| offer.provider == name),
        }
    }
}

impl TaskModel {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Embed { id, .. } | Self::Classify { id, .. } | Self::Gated { id } => id,
        }
    }
}
