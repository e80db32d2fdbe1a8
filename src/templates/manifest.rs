//! The facts of a template.

use hub::SpaceSdk;
use serde_json::Value;

/// Type of the values of the weights in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightsDtype {
    /// bfloat16 on a GPU and float32 on a CPU, whatever the file has.
    Cast,
    /// As in the file.
    Checkpoint,
    /// Always float32.
    Float32,
    /// The Space loads no weights.
    Unloaded,
}

/// The component that shows the result, as the description of the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Textbox,
    /// A chat, whose API returns JSON with a text.
    Chat,
    Label,
    HighlightedText,
    Json,
    Image,
    AnnotatedImage,
    Audio,
    Video,
    /// A static page without an API.
    Page,
}

impl Output {
    /// Returns the content that a call returns, in the words of the check: `text`, `image`, `audio` or `video`.
    /// `None` if nothing can be called.
    pub fn content(self) -> Option<&'static str> {
        match self {
            Self::Textbox | Self::Chat | Self::Label | Self::HighlightedText | Self::Json => Some("text"),
            Self::Image | Self::AnnotatedImage => Some("image"),
            Self::Audio => Some("audio"),
            Self::Video => Some("video"),
            Self::Page => None,
        }
    }
}

/// A value for one argument of the endpoint, in the order of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// Sent as it is.
    Value(Value),
    /// An image or a sound that the check makes.
    Sample,
    /// A file that this module ships, by its name.
    File(&'static str),
}

/// The facts of a template.
#[derive(Debug)]
pub struct Manifest {
    pub sdk: SpaceSdk,
    /// Lines of `requirements.txt`. The Hub installs Gradio, `spaces` and torch itself.
    pub requirements: &'static [&'static str],
    /// Lines of `packages.txt`: Debian packages.
    pub packages: &'static [&'static str],
    /// Time on the GPU that a call may take, in seconds, with the defaults of the app.
    pub duration_seconds: u32,
    pub output: Output,
    pub dtype: WeightsDtype,
    /// Memory of the GPU beside the weights, in 10^9 bytes.
    pub activation_gb: f64,
    /// Emoji of the card.
    pub emoji: &'static str,
    /// Start of a sentence about the model: `Chat with`.
    pub purpose: &'static str,
    /// Names of the parameters of the endpoint, without the state of a chat.
    pub parameters: &'static [&'static str],
    /// Returns arguments that keep a call short: few steps, few tokens.
    pub smoke: fn() -> Vec<Argument>,
}
