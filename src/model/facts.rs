//! Facts about a model, in the words of the decisions that depend on them.

use hub::{ModelInfo, RepoName};
use serde_json::{Map, Value};

/// Facts about a model.
#[derive(Debug, Clone)]
pub struct ModelFacts {
    pub info: ModelInfo,
    pub base: Base,
    pub access: SpaceAccess,
    /// Python code of the model, if the settings trust it.
    pub code: Option<String>,
    /// Model that was asked for, if the base model stands in for it.
    pub in_place_of: Option<String>,
}

/// Model that an adapter changes.
#[derive(Debug, Clone)]
pub enum Base {
    /// The model is no adapter.
    None,
    /// The adapter names no base model, or none of the Hub.
    Unnamed,
    /// The Hub shows no such model, for this reason.
    Hidden {
        id: String,
        reason: String,
    },
    Found {
        info: Box<ModelInfo>,
        access: SpaceAccess,
    },
}

/// Access of the Space to the files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpaceAccess {
    /// Everyone can read them, or the token of the Space can.
    Granted,
    /// The Space has no token. The user can read the files, or not for this reason; `None` if it was not asked.
    NoToken { user: Option<Result<(), String>> },
    /// The token of the Space cannot read them, for this reason.
    Refused(String),
}

impl ModelFacts {
    /// Makes the facts of a model that everyone can read, and that is no adapter.
    pub fn new(info: ModelInfo) -> Self {
        Self { info, base: Base::None, access: SpaceAccess::Granted, code: None, in_place_of: None }
    }

    /// Returns the task: that of the card, or the one that the library `transformers` sees.
    pub fn task(&self) -> Option<&str> {
        self.info.pipeline_tag.as_deref().or_else(|| self.info.transformers.get("pipeline_tag")?.as_str())
    }

    /// Returns the model whose weights the Space loads first: the base of an adapter.
    pub fn loaded(&self) -> &ModelInfo {
        match &self.base {
            Base::Found { info, .. } => info,
            Base::None | Base::Unnamed | Base::Hidden { .. } => &self.info,
        }
    }

    /// Returns the ids of the models that the Space loads.
    pub fn ids(&self) -> Vec<&str> {
        let base = match &self.base {
            Base::Found { info, .. } => Some(info.id.as_str()),
            Base::None | Base::Unnamed | Base::Hidden { .. } => None,
        };
        std::iter::once(self.info.id.as_str()).chain(base).collect()
    }
}

/// Returns true if a model has a tag.
pub(super) fn has_tag(info: &ModelInfo, tag: &str) -> bool {
    info.tags.iter().any(|found| found.eq_ignore_ascii_case(tag))
}

/// Returns a text of the configuration.
pub(super) fn config_text<'a>(info: &'a ModelInfo, name: &str) -> &'a str {
    info.config.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the kind of the architecture, such as `llama`.
pub(super) fn model_type(info: &ModelInfo) -> &str {
    config_text(info, "model_type")
}

/// Returns the classes of the architecture, such as `LlamaForCausalLM`.
pub(super) fn architectures(info: &ModelInfo) -> Vec<&str> {
    let list = info.config.get("architectures").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns a part of the configuration.
pub(super) fn config_part<'a>(info: &'a ModelInfo, name: &str) -> Option<&'a Map<String, Value>> {
    info.config.get(name)?.as_object()
}

/// Returns true if the model takes a conversation.
pub(super) fn is_chat(info: &ModelInfo) -> bool {
    let template = |map: &Map<String, Value>| map.get("chat_template").is_some_and(|value| !value.is_null());
    has_tag(info, "conversational")
        || info.config.contains_key("chat_template_jinja")
        || config_part(info, "tokenizer_config").is_some_and(template)
        || config_part(info, "processor_config").is_some_and(template)
}

/// Returns true if the model needs Python code of its own repo.
pub(super) fn needs_own_code(info: &ModelInfo) -> bool {
    has_tag(info, "custom_code") || config_part(info, "auto_map").is_some_and(|map| !map.is_empty())
}

/// Returns the file of the repo that has the class of the model, for a model that needs code of its own.
pub(crate) fn code_file(info: &ModelInfo) -> Option<String> {
    let map = config_part(info, "auto_map")?;
    let model = map.iter().find(|(class, _)| class.starts_with("AutoModel")).or_else(|| map.iter().next());
    // A list has a slow and a fast class of a tokenizer.
    let value = model.map(|(_, value)| value)?;
    let class = value.as_str().or_else(|| value.get(0)?.as_str())?;
    // The code of another repo has its name in front.
    let module = class.rsplit_once("--").map_or(class, |(_, class)| class).split('.').next()?;
    let path = format!("{module}.py");
    info.files.iter().any(|file| file.path == path).then_some(path)
}

/// Returns the ids that may be the base model, in the order of trust.
pub(crate) fn base_ids(info: &ModelInfo) -> Vec<String> {
    let peft = config_part(info, "peft").and_then(|peft| peft.get("base_model_name_or_path"));
    let card = info.card.get("base_model");
    let listed = card.and_then(Value::as_array).into_iter().flatten();
    let named = peft.into_iter().chain(card).chain(listed).filter_map(Value::as_str);
    let tags = info.tags.iter().filter_map(|tag| tag.strip_prefix("base_model:"));
    let tags = tags.map(|tag| tag.rsplit_once(':').map_or(tag, |(_, id)| id));
    let all = named.chain(info.base_models.iter().map(String::as_str)).chain(tags);
    let mut ids: Vec<String> = Vec::new();
    for id in all {
        let is_repo = id.parse::<RepoName>().is_ok_and(|name| name.namespace.is_some());
        if is_repo && id != info.id && !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}

/// Returns a text of the card.
pub(super) fn card_text<'a>(info: &'a ModelInfo, name: &str) -> Option<&'a str> {
    info.card.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Returns the name of the method that packed the weights, in lower case, such as `awq`.
pub(super) fn quantization(info: &ModelInfo) -> Option<String> {
    let config = config_part(info, "quantization_config").filter(|config| !config.is_empty())?;
    let method = config.get("quant_method").and_then(Value::as_str).map(str::to_lowercase);
    let is_bits = |name: &str| config.get(name) == Some(&Value::Bool(true));
    // Older files of bitsandbytes have no name of the method.
    let old = || (is_bits("load_in_4bit") || is_bits("load_in_8bit")).then(|| BITSANDBYTES.to_owned());
    method.or_else(old).or_else(|| Some("unknown".to_owned()))
}

/// The one method whose kernels a Space can install without a build.
pub(super) const BITSANDBYTES: &str = "bitsandbytes";
