//! The facts that a Space is rendered from.

use hub::SpaceSdk;
use serde::Serialize;
use serde_json::Value;

use super::template::Template;

/// Size of the GPU that ZeroGPU gives to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GpuSize {
    /// Half a GPU: 48 GB.
    #[default]
    Large,
    /// A whole GPU: 96 GB, at twice the quota.
    Xlarge,
}

/// The agent that edits the files after they are rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    /// Model of the agent.
    pub model: String,
    /// Package and version of the agent.
    pub package: String,
}

/// The licence of a model, as its card has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct License {
    /// An identifier of the Hub, such as `apache-2.0` or `other`.
    pub id: String,
    /// The name of another licence.
    pub name: Option<String>,
    /// The address of another licence.
    pub link: Option<String>,
}

/// The facts that a Space is rendered from.
#[derive(Debug, Clone)]
pub struct RenderInput {
    pub template: Template,
    /// Id of the model: `owner/name`.
    pub model: String,
    /// Commit of the model, which the app loads.
    pub sha: String,
    /// Task of the model, in the words of the Hub. The static template needs it.
    pub task: Option<String>,
    /// Id of the model that an adapter changes.
    pub base_model: Option<String>,
    /// Commit of that model. `None` loads its newest one.
    pub base_sha: Option<String>,
    /// Words that a LoRA was trained with.
    pub instance_prompt: Option<String>,
    /// Title of the Space. `None` is the name of the model.
    pub title: Option<String>,
    pub license: Option<License>,
    /// Flavor of the hardware, as advice for visitors who duplicate the Space.
    pub hardware: Option<String>,
    pub gpu_size: GpuSize,
    /// Time on the GPU that a call may take, in seconds. `None` is that of the template.
    pub duration_seconds: Option<u32>,
    /// Size of the weights that the app downloads.
    pub weights_bytes: Option<u64>,
    /// The model is neither private nor gated.
    pub is_public: bool,
    /// The app runs the code of the model's repo.
    pub trust_remote_code: bool,
    /// Variant of diffusers weights, such as `fp16`, if the repo has no other.
    pub variant: Option<String>,
    /// The weights were quantized with bitsandbytes.
    pub bitsandbytes: bool,
    /// Examples in the card of the model (`widgetData` of the model info).
    pub widget: Vec<Value>,
    /// Renders a page about the model, which loads nothing.
    pub is_scaffold: bool,
    /// `None` for files that stay as they are rendered.
    pub editor: Option<Editor>,
}

impl RenderInput {
    /// Returns the facts of a public model without anything special.
    pub fn new(template: Template, model: impl Into<String>, sha: impl Into<String>) -> Self {
        Self {
            template,
            model: model.into(),
            sha: sha.into(),
            task: None,
            base_model: None,
            base_sha: None,
            instance_prompt: None,
            title: None,
            license: None,
            hardware: None,
            gpu_size: GpuSize::Large,
            duration_seconds: None,
            weights_bytes: None,
            is_public: true,
            trust_remote_code: false,
            variant: None,
            bitsandbytes: false,
            widget: Vec::new(),
            is_scaffold: false,
            editor: None,
        }
    }

    /// Reports whether the Space is a page about the model. A static one always runs it, in the visitor's browser.
    pub(super) fn renders_scaffold(&self) -> bool {
        self.is_scaffold && self.template.manifest().sdk == SpaceSdk::Gradio
    }

    /// Returns the title of the Space.
    pub(super) fn title(&self) -> &str {
        let name = self.model.rsplit('/').next().unwrap_or_default();
        self.title.as_deref().filter(|title| !title.trim().is_empty()).unwrap_or(name)
    }
}
