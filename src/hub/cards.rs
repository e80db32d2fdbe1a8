//! README cards.

use reqwest::Method;
use serde::Deserialize;

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::types::RepoType;

/// Result of the Hub's check of a README's metadata block (`POST /api/validate-yaml`).
#[derive(Debug, Default, Clone)]
pub struct CardCheck {
    /// Reasons why the Hub refuses the block.
    pub errors: Vec<String>,
    /// Warnings about the block.
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
struct CardAnswer {
    #[serde(default)]
    errors: Vec<CardMessage>,
    #[serde(default)]
    warnings: Vec<CardMessage>,
}

#[derive(Deserialize)]
struct CardMessage {
    message: String,
}

impl Hub {
    /// Checks the metadata block of a README, before anything is uploaded.
    pub async fn check_card(&self, repo_type: RepoType, readme: &str) -> Result<CardCheck, Error> {
        let operation = "check the metadata of README.md";
        let body = serde_json::json!({ "content": readme, "repoType": repo_type.as_str() });
        let call = Call::new(operation, Method::POST, self.url("/api/validate-yaml")?).json(&body);
        let messages = |list: Vec<CardMessage>| list.into_iter().map(|entry| entry.message).collect();
        match self.call(&call).await {
            Ok(answer) => {
                let answer: CardAnswer = answer.json(operation)?;
                Ok(CardCheck { errors: messages(answer.errors), warnings: messages(answer.warnings) })
            }
            // The refusal's text is its errors, joined.
            Err(error) if error.status() == Some(400) => {
                let errors = error.refusal().map(|refusal| vec![refusal.message.clone()]).unwrap_or_default();
                Ok(CardCheck { errors, warnings: Vec::new() })
            }
            Err(error) => Err(error),
        }
    }
}
