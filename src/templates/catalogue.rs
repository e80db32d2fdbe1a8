//! The facts of each template.

use hub::SpaceSdk;
use serde_json::json;

use super::manifest::{Argument, Manifest, Output, WeightsDtype};
use super::template::Template;
use Argument::{File, Sample, Value as V};
use WeightsDtype::{Cast, Checkpoint, Float32, Unloaded};

/// The fields that most templates share.
const GRADIO: Manifest = Manifest {
    sdk: SpaceSdk::Gradio,
    requirements: &[],
    packages: &[],
    duration_seconds: 15,
    output: Output::Label,
    dtype: Cast,
    activation_gb: 1.0,
    emoji: "🔎",
    purpose: "Try",
    parameters: &[],
    smoke: Vec::new,
};

/// Declares the manifest of each template as a static.
macro_rules! catalogue {
    ($($variant:ident { $($field:ident: $value:expr),* $(,)? })+) => {
        impl Template {
            /// Returns the facts of the template.
            pub fn manifest(self) -> &'static Manifest {
                match self {
                    $(Self::$variant => {
                        static MANIFEST: Manifest = Manifest { $($field: $value,)* ..GRADIO };
                        &MANIFEST
                    })+
                }
            }
        }
    };
}

catalogue! {
    AudioClassification {
        requirements: &["transformers", "accelerate", "torchaudio", "librosa"],
        emoji: "🎵",
        purpose: "Classify sounds with",
        parameters: &["audio"],
        smoke: || vec![Sample],
    }
    AutomaticSpeechRecognition {
        requirements: &["transformers", "accelerate", "torchaudio", "librosa"],
        duration_seconds: 60,
        output: Output::Textbox,
        activation_gb: 2.0,
        emoji: "🎤",
        purpose: "Transcribe speech with",
        parameters: &["audio"],
        smoke: || vec![Sample],
    }
    Chat {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Chat,
        activation_gb: 2.0,
        emoji: "💬",
        purpose: "Chat with",
        parameters: &["message", "max_new_tokens", "temperature"],
        smoke: || vec![V(json!("Hello!")), V(json!(16)), V(json!(0.0))],
    }
    DepthEstimation {
        requirements: &["transformers", "accelerate", "torchvision"],
        duration_seconds: 30,
        output: Output::Image,
        dtype: Float32,
        emoji: "📐",
        purpose: "Estimate depth with",
        parameters: &["image"],
        smoke: || vec![Sample],
    }
    DiffusersLora {
        requirements: &["diffusers", "transformers", "accelerate", "safetensors", "peft", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Image,
        activation_gb: 4.0,
        emoji: "🎨",
        purpose: "Draw with",
        parameters: &["prompt", "steps", "seed"],
        smoke: || vec![V(json!("a cinematic robot cat astronaut")), V(json!(4)), V(json!(0))],
    }
    DocumentQuestionAnswering {
        requirements: &["transformers", "accelerate", "torchvision", "pytesseract"],
        packages: &["tesseract-ocr"],
        duration_seconds: 30,
        output: Output::Textbox,
        dtype: Checkpoint,
        emoji: "📄",
        purpose: "Ask documents with",
        parameters: &["image", "question"],
        smoke: || vec![File("invoice.png"), V(json!("What is the total?"))],
    }
    FillMask {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        emoji: "🧩",
        purpose: "Fill gaps in texts with",
        parameters: &["text"],
        smoke: || vec![V(json!("Paris is the [MASK] of France."))],
    }
    ImageClassification {
        requirements: &["transformers", "accelerate", "torchvision"],
        emoji: "📷",
        purpose: "Classify images with",
        parameters: &["image"],
        smoke: || vec![Sample],
    }
    ImageClassificationTimm {
        requirements: &["timm", "torchvision"],
        dtype: Checkpoint,
        emoji: "📷",
        purpose: "Classify images with",
        parameters: &["image"],
        smoke: || vec![Sample],
    }
    ImageSegmentation {
        requirements: &["transformers", "accelerate", "torchvision", "timm", "scipy"],
        duration_seconds: 30,
        output: Output::AnnotatedImage,
        dtype: Checkpoint,
        emoji: "🧭",
        purpose: "Segment images with",
        parameters: &["image"],
        smoke: || vec![Sample],
    }
    ImageTextToText {
        requirements: &["transformers", "accelerate", "torchvision", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Textbox,
        activation_gb: 2.0,
        emoji: "👀",
        purpose: "Ask about images with",
        parameters: &["image", "prompt", "max_new_tokens"],
        smoke: || vec![Sample, V(json!("Describe this image.")), V(json!(16))],
    }
    ImageToImage {
        requirements: &["diffusers", "transformers", "accelerate", "safetensors", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Image,
        activation_gb: 4.0,
        emoji: "🎨",
        purpose: "Edit images with",
        parameters: &["image", "prompt", "steps", "seed"],
        smoke: || vec![Sample, V(json!("make it a watercolor")), V(json!(4)), V(json!(0))],
    }
    ImageToImageTransformers {
        requirements: &["transformers", "accelerate", "torchvision"],
        duration_seconds: 30,
        output: Output::Image,
        activation_gb: 4.0,
        emoji: "🔬",
        purpose: "Restore images with",
        parameters: &["image"],
        smoke: || vec![Sample],
    }
    ImageToText {
        requirements: &["transformers", "accelerate", "torchvision", "sentencepiece"],
        duration_seconds: 30,
        output: Output::Textbox,
        activation_gb: 2.0,
        emoji: "📷",
        purpose: "Describe images with",
        parameters: &["image", "max_new_tokens"],
        smoke: || vec![Sample, V(json!(16))],
    }
    ImageToVideo {
        requirements: &["diffusers", "transformers", "accelerate", "safetensors", "sentencepiece", "ftfy", "imageio", "imageio-ffmpeg"],
        duration_seconds: 180,
        output: Output::Video,
        activation_gb: 12.0,
        emoji: "🎬",
        purpose: "Animate images with",
        parameters: &["image", "prompt", "steps", "frames", "seed"],
        smoke: || vec![Sample, V(json!("it waves")), V(json!(2)), V(json!(9)), V(json!(0))],
    }
    ObjectDetection {
        requirements: &["transformers", "accelerate", "torchvision", "timm"],
        output: Output::AnnotatedImage,
        dtype: Checkpoint,
        emoji: "🎯",
        purpose: "Detect objects with",
        parameters: &["image", "threshold"],
        smoke: || vec![Sample, V(json!(0.5))],
    }
    PeftChat {
        requirements: &["transformers", "accelerate", "peft", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Chat,
        activation_gb: 2.0,
        emoji: "💬",
        purpose: "Chat with",
        parameters: &["message", "max_new_tokens", "temperature"],
        smoke: || vec![V(json!("Hello!")), V(json!(16)), V(json!(0.0))],
    }
    ProviderChat {
        // ZeroGPU checks that a function is decorated, and never calls it.
        output: Output::Chat,
        dtype: Unloaded,
        activation_gb: 0.0,
        emoji: "💬",
        purpose: "Chat with",
        parameters: &["message", "max_new_tokens"],
        smoke: || vec![V(json!("Hello!")), V(json!(16))],
    }
    QuestionAnswering {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        output: Output::Textbox,
        emoji: "❓",
        purpose: "Find answers in texts with",
        parameters: &["question", "context"],
        smoke: || vec![V(json!("Where do I live?")), V(json!("My name is Wolfgang and I live in Berlin"))],
    }
    SentenceSimilarity {
        requirements: &["sentence-transformers"],
        output: Output::Json,
        dtype: Checkpoint,
        emoji: "🔗",
        purpose: "Compare sentences with",
        parameters: &["source", "sentences"],
        smoke: || {
            vec![V(json!("That is a happy person")), V(json!("That is a happy dog\nToday is a sunny day"))]
        },
    }
    Seq2seq {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        duration_seconds: 30,
        output: Output::Textbox,
        activation_gb: 2.0,
        emoji: "📝",
        purpose: "Rewrite texts with",
        parameters: &["text", "max_new_tokens"],
        smoke: || vec![V(json!("The tower is 324 metres tall.")), V(json!(16))],
    }
    StaticTransformersjs {
        sdk: SpaceSdk::Static,
        duration_seconds: 0,
        output: Output::Page,
        // The browser of each visitor loads the weights.
        dtype: Unloaded,
        activation_gb: 0.0,
        emoji: "🌐",
        purpose: "Run in your browser:",
    }
    TableQuestionAnswering {
        requirements: &["transformers", "accelerate", "pandas"],
        output: Output::Textbox,
        dtype: Checkpoint,
        emoji: "📊",
        purpose: "Ask tables with",
        parameters: &["question", "table"],
        smoke: || {
            let table = json!({
                "headers": ["Repository", "Stars"],
                "data": [["Transformers", "36542"], ["Datasets", "4512"]],
                "metadata": null,
            });
            vec![V(json!("How many stars does Transformers have?")), V(table)]
        },
    }
    TextClassification {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        emoji: "🔖",
        purpose: "Classify texts with",
        parameters: &["text"],
        smoke: || vec![V(json!("I like you. I love you"))],
    }
    TextGeneration {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Textbox,
        activation_gb: 2.0,
        emoji: "📝",
        purpose: "Continue texts with",
        parameters: &["prompt", "max_new_tokens"],
        smoke: || vec![V(json!("Once upon a time")), V(json!(16))],
    }
    TextRanking {
        requirements: &["sentence-transformers"],
        output: Output::Json,
        dtype: Checkpoint,
        emoji: "🔗",
        purpose: "Rank passages with",
        parameters: &["query", "passages"],
        smoke: || vec![V(json!("red planet")), V(json!("Mars is red\nVenus is hot"))],
    }
    TextToImage {
        requirements: &["diffusers", "transformers", "accelerate", "safetensors", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Image,
        activation_gb: 4.0,
        emoji: "🎨",
        purpose: "Draw with",
        parameters: &["prompt", "steps", "seed"],
        smoke: || vec![V(json!("a cinematic robot cat astronaut")), V(json!(4)), V(json!(0))],
    }
    TextToSpeech {
        requirements: &["transformers", "accelerate", "scipy", "sentencepiece"],
        duration_seconds: 60,
        output: Output::Audio,
        activation_gb: 2.0,
        emoji: "🔊",
        purpose: "Speak texts with",
        parameters: &["text"],
        smoke: || vec![V(json!("I love the hugging face hub."))],
    }
    TextToVideo {
        requirements: &["diffusers", "transformers", "accelerate", "safetensors", "sentencepiece", "ftfy", "imageio", "imageio-ffmpeg"],
        duration_seconds: 180,
        output: Output::Video,
        activation_gb: 12.0,
        emoji: "🎬",
        purpose: "Film texts with",
        parameters: &["prompt", "steps", "frames", "seed"],
        smoke: || vec![V(json!("A man plays a red electric guitar.")), V(json!(2)), V(json!(9)), V(json!(0))],
    }
    TokenClassification {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        output: Output::HighlightedText,
        emoji: "🔖",
        purpose: "Find names in texts with",
        parameters: &["text"],
        smoke: || vec![V(json!("My name is Sarah and I live in London"))],
    }
    TranslationMultilingual {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        duration_seconds: 30,
        output: Output::Textbox,
        activation_gb: 2.0,
        emoji: "🌍",
        purpose: "Translate with",
        // The languages are the defaults of the app, because each family of models has other codes.
        parameters: &["text", "source_language", "target_language"],
        smoke: || vec![V(json!("Hello"))],
    }
    VideoClassification {
        requirements: &["transformers", "accelerate", "torchvision", "av"],
        duration_seconds: 30,
        dtype: Checkpoint,
        activation_gb: 2.0,
        emoji: "🎥",
        purpose: "Classify videos with",
        parameters: &["video"],
        smoke: || vec![File("sample.mp4")],
    }
    VisualQuestionAnswering {
        requirements: &["transformers", "accelerate", "torchvision"],
        output: Output::Textbox,
        dtype: Checkpoint,
        emoji: "👀",
        purpose: "Ask about images with",
        parameters: &["image", "question"],
        smoke: || vec![Sample, V(json!("What is in the image?"))],
    }
    ZeroShotAudioClassification {
        requirements: &["transformers", "accelerate", "librosa"],
        dtype: Checkpoint,
        emoji: "🎵",
        purpose: "Classify sounds with",
        parameters: &["audio", "candidate_labels"],
        smoke: || vec![Sample, V(json!("dog, music"))],
    }
    ZeroShotClassification {
        requirements: &["transformers", "accelerate", "sentencepiece"],
        emoji: "🔖",
        purpose: "Classify texts with",
        parameters: &["text", "candidate_labels", "multi_label"],
        smoke: || vec![V(json!("My phone is broken")), V(json!("urgent, not urgent")), V(json!(false))],
    }
    ZeroShotImageClassification {
        requirements: &["transformers", "accelerate", "torchvision", "sentencepiece"],
        emoji: "📷",
        purpose: "Classify images with",
        parameters: &["image", "candidate_labels"],
        smoke: || vec![Sample, V(json!("cat, dog"))],
    }
    ZeroShotObjectDetection {
        requirements: &["transformers", "accelerate", "torchvision"],
        output: Output::AnnotatedImage,
        dtype: Checkpoint,
        emoji: "🎯",
        purpose: "Detect objects with",
        parameters: &["image", "candidate_labels", "threshold"],
        smoke: || vec![Sample, V(json!("cat")), V(json!(0.2))],
    }
}
