//! The card of a Space: the metadata that the Hub reads.

use hub::SpaceSdk;
use serde_yaml::{Mapping, Value};

use super::input::RenderInput;
use super::record::OWNERSHIP_TAG;

/// Version of Gradio that each template was tried with.
pub const SDK_VERSION: &str = "6.31.0";
/// Version of Python in the Space: one of the two that ZeroGPU has.
pub const PYTHON_VERSION: &str = "3.12";

/// Longest short description that the Hub accepts, in characters.
const MAX_SHORT_DESCRIPTION: usize = 60;
/// Weights from this size on take longer to load than the 30 minutes that the Hub waits by default.
const SLOW_START_BYTES: u64 = 10_000_000_000;
/// Weights up to this size fit into the image of the Space, whose disk has 50 GB.
const PRELOADED_BYTES: u64 = 40_000_000_000;

/// Returns the metadata, between and with its lines `---`.
pub(super) fn front_matter(input: &RenderInput) -> String {
    let manifest = input.template.manifest();
    let is_gradio = manifest.sdk == SpaceSdk::Gradio;
    let loads_weights = is_gradio && !input.renders_scaffold() && input.weights_bytes.is_some();
    let weights = input.weights_bytes.filter(|_| loads_weights).unwrap_or_default();
    let mut card = Mapping::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            card.insert(key.into(), value);
        }
    };
    let text = |text: &str| Some(Value::from(text));
    let list = |text: &str| Some(Value::Sequence(vec![text.into()]));
    set("title", text(input.title()));
    set("emoji", text(manifest.emoji));
    set("colorFrom", text("indigo"));
    set("colorTo", text("green"));
    set("sdk", text(manifest.sdk.hub_name()));
    set("sdk_version", text(SDK_VERSION).filter(|_| is_gradio));
    set("python_version", text(PYTHON_VERSION).filter(|_| is_gradio));
    set("app_file", text(if is_gradio { "app.py" } else { "index.html" }));
    set("pinned", Some(false.into()));
    set("short_description", text(&short_description(input)));
    set("models", list(&input.model));
    if let Some(license) = &input.license {
        set("license", text(&license.id));
        set("license_name", license.name.as_deref().map(Value::from));
        set("license_link", license.link.as_deref().map(Value::from));
    }
    set("tags", list(OWNERSHIP_TAG));
    set("suggested_hardware", input.hardware.as_deref().filter(|_| is_gradio).map(Value::from));
    set("startup_duration_timeout", text("1h").filter(|_| weights > SLOW_START_BYTES));
    let is_preloaded = input.is_public && weights > 0 && weights < PRELOADED_BYTES;
    set("preload_from_hub", list(&input.model).filter(|_| is_preloaded));
    // A mapping of texts always serializes.
    format!("---\n{}---\n", serde_yaml::to_string(&card).unwrap_or_default())
}

/// Returns one sentence about the model that the Hub accepts.
fn short_description(input: &RenderInput) -> String {
    let purpose = if input.renders_scaffold() { "About" } else { input.template.manifest().purpose };
    let name = input.model.rsplit('/').next().unwrap_or_default();
    let sentence: String =
        format!("{purpose} {name}").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if sentence.chars().count() <= MAX_SHORT_DESCRIPTION {
        return sentence;
    }
    let kept: String = sentence.chars().take(MAX_SHORT_DESCRIPTION - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::{License, Template};

    #[test]
    fn card_has_what_the_model_needs() {
        let mut input = RenderInput::new(Template::Chat, "acme/my-model", "abc");
        let small = front_matter(&input);
        assert_eq!(
            small,
            "---\ntitle: my-model\nemoji: 💬\ncolorFrom: indigo\ncolorTo: green\nsdk: gradio\nsdk_version: 6.31.0\n\
             python_version: '3.12'\napp_file: app.py\npinned: false\nshort_description: Chat with my-model\n\
             models:\n- acme/my-model\ntags:\n- generated-by-hf-deploy\n---\n"
        );
        input.weights_bytes = Some(12_000_000_000);
        input.hardware = Some("zero-a10g".to_owned());
        input.license =
            Some(License { id: "other".into(), name: Some("acme: 1".into()), link: Some("LICENSE".into()) });
        let large = front_matter(&input);
        for line in [
            "license: other\nlicense_name: 'acme: 1'\nlicense_link: LICENSE\n",
            "suggested_hardware: zero-a10g\nstartup_duration_timeout: 1h\npreload_from_hub:\n- acme/my-model\n",
        ] {
            assert!(large.contains(line), "{large}");
        }
        input.is_public = false;
        assert!(!front_matter(&input).contains("preload"));
        input.is_public = true;
        input.weights_bytes = Some(PRELOADED_BYTES);
        assert!(!front_matter(&input).contains("preload"));
    }

    #[test]
    fn short_description_fits() {
        let input = RenderInput::new(Template::Chat, format!("acme/{}", "é".repeat(200)), "abc");
        let description = short_description(&input);
        assert_eq!(description.chars().count(), 60);
        assert!(description.ends_with('…'), "{description}");
    }
}
