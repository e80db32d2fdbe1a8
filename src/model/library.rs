//! Libraries that models are made for.

use hub::ModelInfo;

use super::facts::{architectures, card_text, has_tag, model_type};
use super::weights::is_whole_model;

/// Library of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Library {
    Transformers,
    Diffusers,
    SentenceTransformers,
    Timm,
    Peft,
    TransformersJs,
    Gguf,
    Onnx,
    Mlx,
    /// Programs that serve models, and need a Docker Space.
    Server(String),
    /// A library that no template uses.
    Other(String),
    /// The model names no library, and has no configuration of one.
    Unnamed,
}

/// Names of libraries that have a template or an explanation.
const KNOWN: &[(&str, Library)] = &[
    ("transformers", Library::Transformers),
    ("pytorch-transformers", Library::Transformers),
    ("diffusers", Library::Diffusers),
    ("sentence-transformers", Library::SentenceTransformers),
    ("timm", Library::Timm),
    ("peft", Library::Peft),
    ("transformers.js", Library::TransformersJs),
    ("gguf", Library::Gguf),
    ("ggml", Library::Gguf),
    ("llama.cpp", Library::Gguf),
    ("llama-cpp-python", Library::Gguf),
    ("mlx", Library::Mlx),
    ("mlx-lm", Library::Mlx),
    ("mlx-vlm", Library::Mlx),
    ("onnx", Library::Onnx),
    ("optimum", Library::Onnx),
    ("onnxruntime", Library::Onnx),
];

/// Libraries that train or serve models of `transformers`, and keep their format.
const SAME_FORMAT: &[&str] = &["vllm", "sglang", "unsloth", "trl", "axolotl", "llama-factory", "pytorch"];

/// Programs that serve models.
const SERVERS: &[&str] = &["vllm", "sglang", "tensorrt-llm", "nim", "triton", "ollama", "llamafile", "tgi"];

impl Library {
    /// Returns the library that a model names, or the one whose files it has.
    pub(super) fn of(info: &ModelInfo) -> Self {
        let known =
            |name: &str| KNOWN.iter().find(|(known, _)| *known == name).map(|(_, library)| library.clone());
        let named = info.library_name.as_deref().map(str::to_lowercase);
        let Some(name) = named else {
            let tagged = KNOWN.iter().find(|(name, _)| *name != "onnx" && has_tag(info, name));
            return tagged.map_or_else(|| Self::by_files(info), |(_, library)| library.clone());
        };
        if let Some(library) = known(&name) {
            return library;
        }
        if SAME_FORMAT.contains(&name.as_str()) && Self::by_files(info) != Self::Unnamed {
            return Self::by_files(info);
        }
        if SERVERS.contains(&name.as_str()) { Self::Server(name) } else { Self::Other(name) }
    }

    fn by_files(info: &ModelInfo) -> Self {
        let has = |name: &str| info.files.iter().any(|file| file.path == name);
        if has("model_index.json") || info.config.contains_key("diffusers") {
            return Self::Diffusers;
        }
        if has("adapter_config.json") || info.config.contains_key("peft") {
            return Self::Peft;
        }
        if has("modules.json") && has("config_sentence_transformers.json") {
            return Self::SentenceTransformers;
        }
        let is_transformers =
            !info.transformers.is_empty() || !model_type(info).is_empty() || !architectures(info).is_empty();
        if is_transformers || has("config.json") { Self::Transformers } else { Self::Unnamed }
    }
}

/// Returns true for an adapter, which needs the weights of another model.
pub(crate) fn is_adapter(info: &ModelInfo) -> bool {
    let has = |name: &str| info.files.iter().any(|file| file.path == name);
    if has("model_index.json") {
        return false;
    }
    let is_peft = info.config.contains_key("peft") || has("adapter_config.json");
    let is_lora = Library::of(info) == Library::Diffusers
        && (has_tag(info, "lora")
            || info.base_relation.as_deref() == Some("adapter")
            || card_text(info, "base_model_relation") == Some("adapter")
            || info.tags.iter().any(|tag| tag.starts_with("base_model:adapter:")));
    // Some repos have the adapter beside the merged model.
    is_lora || is_peft && !info.files.iter().any(|file| is_whole_model(&file.path))
}
