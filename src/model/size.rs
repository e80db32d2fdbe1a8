//! Memory that a model needs, in 10^9 bytes.

use std::collections::BTreeMap;

use hub::ModelInfo;
use serde_json::Value;

use crate::templates::{Template, WeightsDtype};

use super::facts::{BITSANDBYTES, ModelFacts, quantization};
use super::library::Library;
use super::weights;

/// Share of memory beside the weights, which the allocator and the framework use.
const OVERHEAD: f64 = 1.2;
/// Longest conversation that a demo keeps in memory, in tokens.
const MAX_CONTEXT: u64 = 8192;

/// Size of the weights that a Space loads.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Size {
    /// Number of parameters, if it is known.
    pub(super) params: Option<u64>,
    /// Data type that most parameters have in the files.
    pub(super) dtype: Option<String>,
    /// Size in the files, in bytes.
    pub(super) stored: Option<u64>,
    /// Memory of a GPU for the weights and the work with them.
    pub(super) need_gb: Option<f64>,
}

impl Size {
    /// Returns the size in the files in 10^9 bytes.
    pub(super) fn stored_gb(&self) -> Option<f64> {
        self.stored.map(gigabytes)
    }
}

/// Returns bytes in 10^9 bytes.
#[expect(
    clippy::cast_precision_loss,
    reason = "a size has fewer than 53 significant bits, or needs no such precision"
)]
pub(super) fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// Returns true if the sizes of the files are needed beside the facts: for packed weights, whose parameters the Hub
/// counts in packs, for models of many components, and for weights whose parameters the Hub does not count.
pub(crate) fn needs_file_sizes(info: &ModelInfo) -> bool {
    quantization(info).is_some() || Library::of(info) == Library::Diffusers || info.parameters.is_empty()
}

/// Measures the weights that a Space with this template loads.
pub(super) fn measure(facts: &ModelFacts, template: Option<Template>) -> Size {
    let info = facts.loaded();
    let packed = quantization(info);
    let is_diffusers = Library::of(info) == Library::Diffusers;
    let dtype = template.map_or(WeightsDtype::Cast, |template| template.manifest().dtype);
    let (size, loaded) = if packed.is_none() && !is_diffusers && !info.parameters.is_empty() {
        by_parameters(&info.parameters, dtype)
    } else {
        let stored = weights::loaded_bytes(info, is_diffusers);
        // Half precision is the usual one of files that do not say.
        let params = stored.filter(|_| packed.is_none()).map(|bytes| bytes / 2).or(info.gguf_parameters);
        let dtype =
            packed.map(|method| bits(info).map_or(method.clone(), |bits| format!("{method} {bits}-bit")));
        (Size { params, dtype, stored, need_gb: None }, stored)
    };
    let Some(template) = template.filter(|_| dtype != WeightsDtype::Unloaded) else { return size };
    let beside = template.manifest().activation_gb + context_gb(info, template);
    let need_gb = loaded.map(|bytes| round(gigabytes(bytes).mul_add(OVERHEAD, beside)));
    Size { need_gb, ..size }
}

/// Measures weights by their data types. Returns the bytes in memory as well.
fn by_parameters(parameters: &BTreeMap<String, u64>, dtype: WeightsDtype) -> (Size, Option<u64>) {
    let sum = |bits: &dyn Fn(&str) -> u64| {
        parameters
            .iter()
            .fold(0_u64, |sum, (kind, number)| sum.saturating_add(number.saturating_mul(bits(kind)) / 8))
    };
    let loaded = sum(&|kind| match dtype {
        WeightsDtype::Cast if is_float(kind) => 16,
        WeightsDtype::Float32 if is_float(kind) => 32,
        WeightsDtype::Cast | WeightsDtype::Float32 | WeightsDtype::Checkpoint | WeightsDtype::Unloaded => {
            bits_of(kind)
        }
    });
    let most = parameters.iter().max_by_key(|(_, number)| **number);
    let params = parameters.values().fold(0_u64, |sum, number| sum.saturating_add(*number));
    let dtype = most.map(|(kind, _)| kind.clone());
    (Size { params: Some(params), dtype, stored: Some(sum(&bits_of)), need_gb: None }, Some(loaded))
}

/// Returns the number of bits of a data type of safetensors.
fn bits_of(kind: &str) -> u64 {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let after = kind.find(|c: char| c.is_ascii_digit()).and_then(|at| digits(&kind[at..]));
    match kind {
        "BOOL" => 8,
        // Types such as F8_E4M3 have their bits first.
        _ => after.filter(|bits| (1..=128).contains(bits)).unwrap_or(16),
    }
}

fn is_float(kind: &str) -> bool {
    kind.starts_with('F') || kind.starts_with("BF")
}

/// Returns the number of bits of packed weights, if the configuration has it.
fn bits(info: &ModelInfo) -> Option<u64> {
    let config = super::facts::config_part(info, "quantization_config")?;
    let is_on = |name: &str| config.get(name) == Some(&Value::Bool(true));
    let given = config.get("bits").and_then(Value::as_u64);
    given.or_else(|| is_on("load_in_4bit").then_some(4)).or_else(|| is_on("load_in_8bit").then_some(8))
}

/// Returns true if weights are packed by the method that Spaces can install.
pub(super) fn is_bitsandbytes(info: &ModelInfo) -> bool {
    quantization(info).as_deref() == Some(BITSANDBYTES)
}

/// Returns the memory of a conversation, as far as the configuration describes it.
fn context_gb(info: &ModelInfo, template: Template) -> f64 {
    if !matches!(template, Template::Chat | Template::PeftChat) {
        return 0.0;
    }
    let number = |name: &str| info.config.get(name).and_then(Value::as_u64);
    let bytes = || {
        let heads = number("num_attention_heads")?;
        let head_dim = number("head_dim").or_else(|| number("hidden_size")?.checked_div(heads))?;
        let context = number("max_position_embeddings")?.min(MAX_CONTEXT);
        let factors =
            [number("num_hidden_layers")?, number("num_key_value_heads").unwrap_or(heads), head_dim, context];
        // Keys and values, of two bytes each.
        Some(factors.into_iter().fold(4_u64, u64::saturating_mul))
    };
    bytes().map_or(0.0, gigabytes)
}

/// Rounds to one digit, because no estimate is better.
fn round(gigabytes: f64) -> f64 {
    (gigabytes * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn need(info: Value, template: Template) -> Option<f64> {
        measure(&ModelFacts::new(ModelInfo::read(&info)), Some(template)).need_gb
    }

    #[test]
    fn weights_are_counted_as_the_template_loads_them() {
        let model = |kind: &str| json!({"library_name": "transformers", "safetensors": {"parameters": {kind: 1_000_000_000_u64}}});
        // 2 bytes x 1.2 + 1
        assert_eq!(need(model("BF16"), Template::TextClassification), Some(3.4));
        assert_eq!(need(model("F32"), Template::TextClassification), Some(3.4));
        assert_eq!(need(model("F32"), Template::ObjectDetection), Some(5.8));
        assert_eq!(need(model("F16"), Template::DepthEstimation), Some(5.8));
        assert_eq!(need(model("F8_E4M3"), Template::ObjectDetection), Some(2.2));
        assert_eq!(need(model("BF16"), Template::StaticTransformersjs), None);
    }

    #[test]
    fn packed_weights_are_counted_by_their_files() {
        let model = json!({
            "library_name": "transformers", "config": {"quantization_config": {"load_in_4bit": true}},
            "safetensors": {"parameters": {"U8": 4_000_000_000_u64}},
            "siblings": [{"rfilename": "model.safetensors", "size": 5_000_000_000_u64}],
        });
        let size = measure(&ModelFacts::new(ModelInfo::read(&model)), Some(Template::Chat));
        assert_eq!(
            (size.need_gb, size.params, size.dtype.as_deref()),
            (Some(8.0), None, Some("bitsandbytes 4-bit"))
        );
    }

    #[test]
    fn conversation_takes_memory_if_the_configuration_is_known() {
        let model = json!({
            "safetensors": {"parameters": {"BF16": 1_000_000_000_u64}},
            "config": {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096,
                "max_position_embeddings": 131_072},
        });
        // 4.4 GB, and 2 x 32 x 8 x 128 x 8192 x 2 bytes
        assert_eq!(need(model, Template::Chat), Some(5.5));
    }
}
