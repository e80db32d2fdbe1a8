//! The template for a model: by library, task, tags and architecture.

use hub::ModelInfo;

use crate::setting::{RUNTIME, SPACE_HF_TOKEN, TASK, TEMPLATE};
use crate::templates::{Template, has_static_page};

use super::blockers::{Blocker, BlockerId};
use super::facts::{Base, ModelFacts, architectures, config_part, has_tag, is_chat, model_type};
use super::library::{Library, is_adapter};
use super::settings::{RuntimeChoice, Settings};
use super::weights::{Format, formats};

/// Template of a model, and the task that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Classified {
    pub(super) template: Template,
    pub(super) task: String,
}

/// Models of speech recognition that are small enough for a browser.
const SMALL_SPEECH: &[&str] = &["tiny", "base", "small"];

/// Tasks for which no template exists, and the reason.
const UNSERVED: &[(&str, &str)] = &[
    ("tabular-classification", "its models are pickle files of scikit-learn"),
    ("tabular-regression", "its models are pickle files of scikit-learn"),
    ("time-series-forecasting", "each model has an interface of its own"),
    ("reinforcement-learning", "it needs an environment to act in"),
    ("robotics", "it needs a robot"),
    ("text-to-3d", "it needs CUDA code of its own"),
    ("image-to-3d", "it needs CUDA code of its own"),
    ("mask-generation", "its app needs points that the user draws"),
    ("keypoint-detection", "its app needs points that the user draws"),
    ("graph-ml", "each model has an interface of its own"),
];

/// Finds the template of a model.
pub(super) fn classify(facts: &ModelFacts, settings: &Settings) -> Result<Classified, Blocker> {
    let info = &facts.info;
    let task = settings.task.as_deref().or_else(|| facts.task());
    if let Some(template) = settings.template {
        let task = task.unwrap_or_else(|| template.name());
        return Ok(Classified { template: chosen(info, template, task, settings)?, task: task.to_owned() });
    }
    let Some(task) = task else { return Err(no_task(info)) };
    let found = match settings.runtime {
        RuntimeChoice::Provider => provider(info, task, settings),
        RuntimeChoice::Static => in_browser(info, task),
        RuntimeChoice::Auto | RuntimeChoice::ZeroGpu | RuntimeChoice::Gpu | RuntimeChoice::Cpu => {
            in_python(info, task)
        }
    };
    let template = found.map_err(|blocker| match facts.task().filter(|own| *own != task) {
        Some(own) => {
            let fix = format!("leave out {TASK}: the card of the model names `{own}`");
            Blocker::new(blocker.id, blocker.evidence, fix)
        }
        None => blocker,
    })?;
    Ok(Classified { template, task: task.to_owned() })
}

/// Returns the template that the model would get, if the user chose one that returns another kind of content.
pub(super) fn contradicted(facts: &ModelFacts, settings: &Settings) -> Option<Template> {
    let chosen = settings.template?;
    let found = classify(facts, &Settings { template: None, ..settings.clone() }).ok()?.template;
    let content = |template: Template| template.manifest().output.content();
    (content(found) != content(chosen)).then_some(found)
}

/// Checks that the template that the user chose can show the model.
fn chosen(
    info: &ModelInfo,
    template: Template,
    task: &str,
    settings: &Settings,
) -> Result<Template, Blocker> {
    let is_for_adapters = matches!(template, Template::PeftChat | Template::DiffusersLora);
    match (template, is_adapter(info)) {
        (Template::StaticTransformersjs, _) => in_browser(info, task),
        (Template::ProviderChat, _) => provider(info, task, settings),
        (_, false) if is_for_adapters => Err(Blocker::new(
            BlockerId::AdapterWithoutBase,
            format!("the template `{template}` is for adapters, and the model is none"),
            format!("choose another {TEMPLATE}, or leave it out"),
        )),
        (_, true) if !is_for_adapters => Err(Blocker::new(
            BlockerId::UnsupportedLibrary,
            format!("the model is an adapter, and the template `{template}` loads none"),
            format!("set {TEMPLATE} to `peft-chat` or `diffusers-lora`, or leave it out"),
        )),
        _ => Ok(template),
    }
}

fn no_task(info: &ModelInfo) -> Blocker {
    let classes = architectures(info);
    let has =
        if classes.is_empty() { String::new() } else { format!(" (architecture {})", classes.join(", ")) };
    Blocker::new(
        BlockerId::UnknownTask,
        format!("the model has no `pipeline_tag`{has}"),
        format!("set {TASK}, such as `text-generation`, or add `pipeline_tag` to the card of the model"),
    )
}

fn unserved(task: &str, reason: &str) -> Blocker {
    Blocker::new(
        BlockerId::UnknownTask,
        format!("no template does the task `{task}`: {reason}"),
        format!(
            "set {TASK} or {TEMPLATE} if the model does another task as well, or write the app of the Space by hand"
        ),
    )
}

fn unsupported(task: &str, library: &str) -> Blocker {
    Blocker::new(
        BlockerId::UnsupportedLibrary,
        format!("no template does the task `{task}` with {library}"),
        "choose a version of the model for `transformers`, `diffusers`, `sentence-transformers` or `timm`, or write the app by hand",
    )
}

/// Returns the template for weights that a Space loads in Python.
fn in_python(info: &ModelInfo, task: &str) -> Result<Template, Blocker> {
    if let Some((_, reason)) = UNSERVED.iter().find(|(name, _)| *name == task) {
        return Err(unserved(task, reason));
    }
    match Library::of(info) {
        Library::Diffusers => diffusers(info, task),
        Library::SentenceTransformers => sentences(info, task),
        Library::Timm => timm(task),
        Library::Peft => peft(info, task),
        Library::TransformersJs => in_browser(info, task),
        Library::Transformers => transformers(info, task),
        Library::Gguf if formats(info).iter().any(|format| *format != Format::Gguf) => {
            transformers(info, task)
        }
        Library::Gguf => Err(Blocker::gguf_only(info)),
        Library::Onnx if formats(info).contains(&Format::Safetensors) => transformers(info, task),
        Library::Onnx => Err(Blocker::onnx_only(info)),
        Library::Mlx => Err(Blocker::mlx_only(info)),
        Library::Server(name) => Err(Blocker::docker_only(&name)),
        Library::Other(name) => Err(unsupported(task, &format!("the library `{name}`"))),
        Library::Unnamed => match formats(info).as_slice() {
            [Format::Gguf] => Err(Blocker::gguf_only(info)),
            [Format::Onnx] => Err(Blocker::onnx_only(info)),
            _ => Err(unsupported(task, "a model that names no library and has no `config.json`")),
        },
    }
}

fn transformers(info: &ModelInfo, task: &str) -> Result<Template, Blocker> {
    let kind = model_type(info);
    let is_seq2seq = ["t5", "mt5", "umt5", "longt5", "bart", "mbart", "marian", "pegasus", "m2m_100", "led"]
        .contains(&kind);
    Ok(match task {
        "text-generation" if is_seq2seq => Template::Seq2seq,
        "text-generation" if is_chat(info) => Template::Chat,
        "text-generation" => Template::TextGeneration,
        "translation" if matches!(kind, "m2m_100" | "nllb" | "nllb-moe" | "mbart") => {
            Template::TranslationMultilingual
        }
        "text2text-generation" | "summarization" | "translation" if !is_seq2seq && is_chat(info) => {
            Template::Chat
        }
        "text2text-generation" | "summarization" | "translation" => Template::Seq2seq,
        "text-ranking" => Template::TextRanking,
        "text-classification" if is_reranker(info) => Template::TextRanking,
        "text-classification" => Template::TextClassification,
        "zero-shot-classification" => Template::ZeroShotClassification,
        "token-classification" => Template::TokenClassification,
        "fill-mask" => Template::FillMask,
        "question-answering" => Template::QuestionAnswering,
        "table-question-answering" => Template::TableQuestionAnswering,
        "sentence-similarity" | "feature-extraction" => Template::SentenceSimilarity,
        "image-classification" => Template::ImageClassification,
        "zero-shot-image-classification" => Template::ZeroShotImageClassification,
        "object-detection" => Template::ObjectDetection,
        "zero-shot-object-detection" => Template::ZeroShotObjectDetection,
        "image-segmentation" => Template::ImageSegmentation,
        "depth-estimation" => Template::DepthEstimation,
        "image-to-image" if kind == "swin2sr" => Template::ImageToImageTransformers,
        "image-to-text" | "visual-question-answering" if is_chat(info) => Template::ImageTextToText,
        "image-to-text" => Template::ImageToText,
        "image-text-to-text" | "any-to-any" if matches!(kind, "blip" | "git" | "vision-encoder-decoder") => {
            Template::ImageToText
        }
        "image-text-to-text" | "any-to-any" => Template::ImageTextToText,
        "visual-question-answering" => Template::VisualQuestionAnswering,
        "document-question-answering" => Template::DocumentQuestionAnswering,
        "automatic-speech-recognition" => Template::AutomaticSpeechRecognition,
        "text-to-speech" | "text-to-audio" => Template::TextToSpeech,
        "audio-classification" => Template::AudioClassification,
        "zero-shot-audio-classification" => Template::ZeroShotAudioClassification,
        "video-classification" => Template::VideoClassification,
        "text-to-image" | "image-to-image" | "text-to-video" | "image-to-video" => {
            return Err(unsupported(task, "the library `transformers`"));
        }
        _ => return Err(unserved(task, "the catalogue has no app for it")),
    })
}

/// Returns true for a cross encoder, which scores a text against a query.
fn is_reranker(info: &ModelInfo) -> bool {
    ["cross-encoder", "reranker", "text-ranking"].iter().any(|tag| has_tag(info, tag))
}

fn sentences(info: &ModelInfo, task: &str) -> Result<Template, Blocker> {
    match task {
        "sentence-similarity" | "feature-extraction" => Ok(Template::SentenceSimilarity),
        "text-ranking" => Ok(Template::TextRanking),
        "text-classification" if is_reranker(info) => Ok(Template::TextRanking),
        _ => Err(unsupported(task, "the library `sentence-transformers`")),
    }
}

fn timm(task: &str) -> Result<Template, Blocker> {
    match task {
        "image-classification" => Ok(Template::ImageClassificationTimm),
        _ => Err(unsupported(task, "the library `timm`")),
    }
}

fn diffusers(info: &ModelInfo, task: &str) -> Result<Template, Blocker> {
    match (task, is_adapter(info)) {
        ("text-to-image", true) => Ok(Template::DiffusersLora),
        ("text-to-image", false) => Ok(Template::TextToImage),
        ("image-to-image", false) => Ok(Template::ImageToImage),
        ("text-to-video", false) => Ok(Template::TextToVideo),
        ("image-to-video", false) => Ok(Template::ImageToVideo),
        (_, true) => Err(unsupported(task, "a LoRA of the library `diffusers`")),
        _ => Err(unsupported(task, "the library `diffusers`")),
    }
}

fn peft(info: &ModelInfo, task: &str) -> Result<Template, Blocker> {
    let kind =
        config_part(info, "peft").and_then(|peft| peft.get("task_type")?.as_str()).unwrap_or("CAUSAL_LM");
    match task {
        "text-generation" | "text2text-generation" | "summarization" | "translation"
            if kind == "CAUSAL_LM" =>
        {
            Ok(Template::PeftChat)
        }
        // The adapter beside a merged model is not needed.
        _ if !is_adapter(info) => transformers(info, task),
        _ => Err(unsupported(task, &format!("an adapter of the kind `{kind}`"))),
    }
}

/// Returns the template of a static page, if the library `transformers.js` can do the task with the model's files.
pub(super) fn in_browser(info: &ModelInfo, task: &str) -> Result<Template, Blocker> {
    let task_fits = has_static_page(task);
    let is_large = task == "automatic-speech-recognition"
        && !SMALL_SPEECH.iter().any(|size| info.id.to_lowercase().contains(size));
    if !formats(info).contains(&Format::Onnx) {
        return Err(Blocker::new(
            BlockerId::NoWeights,
            "the model has no ONNX weights, which a static page loads",
            format!("choose a version of the model with a folder `onnx`, or another {RUNTIME}"),
        ));
    }
    if !task_fits || is_large {
        let reason = if is_large {
            "the model is too large for a browser"
        } else {
            "`transformers.js` has no short app for it"
        };
        return Err(unserved(task, &format!("on a static page, {reason}")));
    }
    Ok(Template::StaticTransformersjs)
}

/// Returns the template that asks a provider, and loads no weights.
fn provider(info: &ModelInfo, task: &str, settings: &Settings) -> Result<Template, Blocker> {
    let missing = |evidence: String, fix: String| Err(Blocker::new(BlockerId::NoProvider, evidence, fix));
    if live_provider(info).is_none() {
        let states: Vec<String> =
            info.providers.iter().map(|(name, state)| format!("`{name}`: {state}")).collect();
        let states = if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) };
        return missing(
            format!("no provider serves the model{states}"),
            format!("choose another {RUNTIME}, or another model"),
        );
    }
    if !(is_chat(info) || matches!(task, "text-generation" | "image-text-to-text")) {
        return missing(
            format!("the app for providers is a chat, and the task is `{task}`"),
            format!("choose another {RUNTIME}"),
        );
    }
    if !settings.has_space_token {
        return missing(
            "the app calls the provider with a token, and the Space has none".to_owned(),
            format!("set {SPACE_HF_TOKEN} to a token that may only make calls to Inference Providers"),
        );
    }
    Ok(Template::ProviderChat)
}

/// Returns a provider that serves the model now.
fn live_provider(info: &ModelInfo) -> Option<&str> {
    info.providers.iter().find(|(_, state)| state == "live").map(|(name, _)| name.as_str())
}

/// Returns true if the model can be shown on a static page.
pub(super) fn has_browser_version(facts: &ModelFacts, task: &str) -> bool {
    let is_public = !facts.info.private && facts.info.gated.is_none();
    is_public && matches!(facts.base, Base::None) && in_browser(&facts.info, task).is_ok()
}
