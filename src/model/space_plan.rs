//! Facts that the files of a Space depend on, beside the choice of hardware.

use serde_json::Value;

use crate::templates::Template;

use super::classify::Classified;
use super::facts::{Base, ModelFacts, card_text};
use super::library::Library;
use super::license;
use super::settings::Settings;
use super::size::{Size, is_bitsandbytes};
use super::weights;

/// Facts for the files of a Space. Texts are those of the author of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct SpacePlan {
    /// Model whose weights are loaded.
    pub model: String,
    pub sha: Option<String>,
    /// Base model of an adapter, with its commit.
    pub base: Option<(String, Option<String>)>,
    pub template: Template,
    pub task: String,
    pub license: Option<String>,
    pub license_name: Option<String>,
    pub license_link: Option<String>,
    /// Words that a prompt must have for a LoRA to show.
    pub instance_prompt: Option<String>,
    pub trusts_code: bool,
    /// Weights are packed by bitsandbytes.
    pub is_bitsandbytes: bool,
    /// Variant of the weights, if there is no other: `fp16`.
    pub variant: Option<&'static str>,
    /// Everyone can read the files.
    pub is_public: bool,
    /// The Space needs a secret to read the files, or to call the provider.
    pub needs_token: bool,
    /// Size of the weights in the files.
    pub weights_bytes: Option<u64>,
    /// Examples of the author, as they came.
    pub widget: Vec<Value>,
}

impl SpacePlan {
    pub(super) fn new(facts: &ModelFacts, settings: &Settings, classified: &Classified, size: &Size) -> Self {
        let info = &facts.info;
        let base = match &facts.base {
            Base::Found { info, .. } => Some((info.id.clone(), info.sha.clone())),
            Base::None | Base::Unnamed | Base::Hidden { .. } => None,
        };
        let text = |name: &str| card_text(info, name).map(str::to_owned);
        let is_open = |info: &hub::ModelInfo| !info.private && info.gated.is_none();
        let is_public = is_open(info) && is_open(facts.loaded());
        let is_variant =
            Library::of(facts.loaded()) == Library::Diffusers && weights::is_half_only(facts.loaded());
        let card_widget = info.card.get("widget").and_then(Value::as_array).cloned();
        let widget = Some(info.examples.clone()).filter(|list| !list.is_empty()).or(card_widget);
        Self {
            model: info.id.clone(),
            sha: info.sha.clone(),
            base,
            template: classified.template,
            task: classified.task.clone(),
            license: license::license(info),
            license_name: text("license_name"),
            license_link: text("license_link"),
            instance_prompt: text("instance_prompt"),
            trusts_code: settings.trust_remote_code,
            is_bitsandbytes: is_bitsandbytes(facts.loaded()),
            variant: is_variant.then_some("fp16"),
            is_public,
            needs_token: !is_public || classified.template == Template::ProviderChat,
            weights_bytes: size.stored,
            widget: widget.unwrap_or_default(),
        }
    }
}
