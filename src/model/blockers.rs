//! Obstacles between a model and its Space, each with its way out.

use hub::ModelInfo;
use serde::{Serialize, Serializer};

use crate::setting::{
    ALLOW_PICKLE, HF_TOKEN, MODEL, REVISION, RUNTIME, SPACE_HF_TOKEN, TRUST_REMOTE_CODE, USE_BASE_MODEL,
};
use crate::templates::{Template, WeightsDtype};

use super::facts::{Base, ModelFacts, SpaceAccess, architectures, base_ids, needs_own_code, quantization};
use super::library::{Library, is_adapter};
use super::license;
use super::settings::Settings;
use super::size::is_bitsandbytes;
use super::weights::{Format, formats};

/// An obstacle, or a warning that programs can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    pub id: BlockerId,
    pub severity: Severity,
    /// Fact that it follows from.
    pub evidence: String,
    /// One thing that the user can do.
    pub fix: String,
}

/// Effect of an obstacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No Space can be made.
    Blocker,
    /// The Space can be made.
    Warning,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// Stable name of an obstacle. The order is that of reports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum BlockerId { $($(#[$doc])* $name,)* }

        impl BlockerId {
            /// All ids.
            pub const ALL: &[BlockerId] = &[$(BlockerId::$name,)*];

            /// Returns the id as users see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

ids! {
    /// There is no such model, or the token cannot see it.
    ModelNotFound = "model_not_found";
    /// The Hub closed the access to the model.
    ModelDisabled = "model_disabled";
    /// The model is private, and the Space has no token.
    PrivateModel = "private_model";
    /// The model is gated, and the Space has no access.
    GatedNoAccess = "gated_no_access";
    /// The task is missing, or no template does it.
    UnknownTask = "unknown_task";
    /// No template uses the library of the model.
    UnsupportedLibrary = "unsupported_library";
    /// The weights are for MLX, which runs on Apple's hardware only.
    MlxOnly = "mlx_only";
    /// The weights are for llama.cpp.
    GgufOnly = "gguf_only";
    /// The weights are for ONNX.
    OnnxOnly = "onnx_only";
    /// The model runs in a server of its own.
    DockerOnly = "docker_only";
    /// There are no weights.
    NoWeights = "no_weights";
    /// Loading the weights can run any code.
    WeightsPickleOnly = "weights_pickle_only";
    /// The base model of an adapter is missing.
    AdapterWithoutBase = "adapter_without_base";
    /// The weights are packed for kernels that a Space does not have.
    QuantKernel = "quant_kernel";
    /// The model runs code of its own.
    CustomCode = "custom_code";
    /// The code of the model imports a package that no Space can build.
    FlashAttnImport = "flash_attn_import";
    /// No GPU of the Hub has enough memory.
    TooLarge = "too_large";
    /// The model needs more than one GPU.
    MultiGpu = "multi_gpu";
    /// No provider serves the model, or the Space cannot call it.
    NoProvider = "no_provider";
    /// The model names no license.
    LicenseMissing = "license_missing";
    /// The license forbids commercial use.
    LicenseNonCommercial = "license_non_commercial";
    /// The users of the model accepted terms that the Space shows to everyone.
    GatedTerms = "gated_terms";
}

impl Serialize for BlockerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Way out of weights in another format: the base model.
fn with_base(info: &ModelInfo, otherwise: &str) -> String {
    match base_ids(info).first() {
        Some(base) => {
            format!("set {} for the weights of `{base}`, or {otherwise}", USE_BASE_MODEL.with("true"))
        }
        None => otherwise.to_owned(),
    }
}

impl Blocker {
    pub(super) fn new(id: BlockerId, evidence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { id, severity: Severity::Blocker, evidence: evidence.into(), fix: fix.into() }
    }

    fn warning(id: BlockerId, evidence: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(id, evidence, fix) }
    }

    /// Returns true if no Space can be made.
    pub fn blocks(&self) -> bool {
        self.severity == Severity::Blocker
    }

    pub(super) fn gguf_only(info: &ModelInfo) -> Self {
        let fix = with_base(
            info,
            "create a Docker Space with `ghcr.io/ggml-org/llama.cpp:server`, or an app that loads the file with `gguf_file=`",
        );
        Self::new(BlockerId::GgufOnly, "all weights are `.gguf` files, which are for llama.cpp", fix)
    }

    pub(super) fn onnx_only(info: &ModelInfo) -> Self {
        let page = RUNTIME.with("static");
        let fix = with_base(info, &format!("set {page}, which loads ONNX weights in the browser"));
        Self::new(BlockerId::OnnxOnly, "all weights are `.onnx` files", fix)
    }

    pub(super) fn mlx_only(info: &ModelInfo) -> Self {
        let fix = with_base(info, "choose a version of the model for `transformers`");
        Self::new(BlockerId::MlxOnly, "the weights are for MLX, which runs on Apple's hardware only", fix)
    }

    pub(super) fn docker_only(server: &str) -> Self {
        Self::new(
            BlockerId::DockerOnly,
            format!("the model is for the server `{server}`, and has no files for `transformers`"),
            "create a Docker Space that runs this server",
        )
    }
}

/// Makes the obstacle of a model that the Hub does not show. Without a token, its answer is the same for a private one.
pub fn not_found(has_token: bool) -> Blocker {
    let (evidence, fix) = if has_token {
        (
            "the Hub shows no such model to this token",
            "check the name; a private model needs a token that can read it".to_owned(),
        )
    } else {
        (
            "the Hub shows no such model without a token",
            format!("check the name; a private model needs {HF_TOKEN}"),
        )
    };
    Blocker::new(BlockerId::ModelNotFound, evidence, fix)
}

/// Makes the obstacle of a model whose access the Hub closed.
pub fn disabled(reason: &str) -> Blocker {
    Blocker::new(
        BlockerId::ModelDisabled,
        format!("the Hub closed the access to the model: {reason}"),
        "choose another model, or ask its author",
    )
}

/// Finds the obstacles of a model, except for those of its task and size.
pub(super) fn find(facts: &ModelFacts, settings: &Settings, template: Option<Template>) -> Vec<Blocker> {
    let info = &facts.info;
    let mut found = Vec::new();
    if info.sha.is_none() {
        let evidence = "the Hub names no commit of the model, which the Space loads";
        found.push(Blocker::new(BlockerId::NoWeights, evidence, format!("check {MODEL}: it may be empty")));
    }
    let loads_weights = template.is_none_or(|template| template.manifest().dtype != WeightsDtype::Unloaded);
    if info.disabled {
        found.push(disabled("it is marked as disabled"));
    }
    match template {
        // A provider has the weights already.
        Some(Template::ProviderChat) => (),
        Some(Template::StaticTransformersjs) => found.extend(closed_to_browsers(info)),
        _ => found.extend(closed(info, &facts.access)),
    }
    if loads_weights {
        found.extend(base(facts));
        found.extend(weights(facts, settings));
        found.extend(loaded(facts).into_iter().filter_map(|info| packed(info, template)));
        found.extend(own_code(info, settings, settings.is_pinned));
        if let Base::Found { info, .. } = &facts.base {
            // The app loads the commit of the base model that was read here.
            found.extend(own_code(info, settings, true));
        }
        found.extend(flash_attention(facts));
    }
    found.extend(terms(facts, settings));
    found
}

/// Returns the models whose files the Space loads.
fn loaded(facts: &ModelFacts) -> Vec<&ModelInfo> {
    match &facts.base {
        Base::Found { info, .. } => vec![&facts.info, info],
        Base::None | Base::Unnamed | Base::Hidden { .. } => vec![&facts.info],
    }
}

/// Returns the obstacle of a model whose files the Space cannot read.
fn closed(info: &ModelInfo, access: &SpaceAccess) -> Option<Blocker> {
    let token = format!("set {SPACE_HF_TOKEN} to a read-only token, never to the one of the deploy");
    let id = &info.id;
    let (blocker, what) = match &info.gated {
        Some(kind) => (BlockerId::GatedNoAccess, format!("`{id}` is gated (`{kind}`)")),
        None => (BlockerId::PrivateModel, format!("`{id}` is private")),
    };
    let accept = format!("accept the terms at https://huggingface.co/{id}");
    Some(match access {
        SpaceAccess::Granted => return None,
        SpaceAccess::NoToken { user: Some(Err(reason)) } if info.gated.is_some() => Blocker::new(
            blocker,
            format!("{what}, and the files cannot be read: {reason}"),
            format!("{accept}, and {token}"),
        ),
        SpaceAccess::NoToken { user: None } if info.gated.is_some() => Blocker::new(
            blocker,
            format!("{what}, and the Space has no token"),
            format!("{accept}, and {token}"),
        ),
        SpaceAccess::NoToken { .. } => {
            Blocker::new(blocker, format!("{what}, and the Space has no token"), token)
        }
        SpaceAccess::Refused(reason) => {
            let fix = if info.gated.is_some() {
                format!("{accept} as the user of {SPACE_HF_TOKEN}")
            } else {
                format!("give the token behind {SPACE_HF_TOKEN} the right to read `{id}`")
            };
            Blocker::new(blocker, format!("{what}, and {SPACE_HF_TOKEN} cannot read it: {reason}"), fix)
        }
    })
}

/// Returns the obstacle of a model whose files a static page cannot read, because it has no secrets.
fn closed_to_browsers(info: &ModelInfo) -> Option<Blocker> {
    let (id, word) = match &info.gated {
        Some(_) => (BlockerId::GatedNoAccess, "gated"),
        None if info.private => (BlockerId::PrivateModel, "private"),
        None => return None,
    };
    let evidence = format!("`{}` is {word}, and a static page has no token to read it", info.id);
    Some(Blocker::new(id, evidence, format!("choose another {RUNTIME}")))
}

/// Returns the obstacle of an adapter's base model.
fn base(facts: &ModelFacts) -> Option<Blocker> {
    let missing = |evidence: String| {
        Blocker::new(
            BlockerId::AdapterWithoutBase,
            evidence,
            "name a model of the Hub as `base_model` in the card of the adapter, or publish the merged model",
        )
    };
    match &facts.base {
        Base::None => None,
        Base::Unnamed => Some(missing("the adapter names no base model of the Hub".to_owned())),
        Base::Hidden { id, reason } => {
            Some(missing(format!("the adapter is for `{id}`, which the Hub does not show: {reason}")))
        }
        Base::Found { info, .. } if info.disabled => {
            Some(disabled(&format!("the base model `{}` is disabled", info.id)))
        }
        Base::Found { info, access } => closed(info, access),
    }
}

/// Returns the obstacle of weights that no template loads, or that are not safe to load.
fn weights(facts: &ModelFacts, settings: &Settings) -> Option<Blocker> {
    let info = &facts.info;
    // A classification that failed has explained these.
    let is_explained = matches!(
        Library::of(info),
        Library::Mlx
            | Library::Onnx
            | Library::Server(_)
            | Library::Other(_)
            | Library::Unnamed
            | Library::TransformersJs
    );
    let all = formats(info);
    let pickled = |info: &ModelInfo| {
        let formats = formats(info);
        formats.contains(&Format::Pickle) && !formats.contains(&Format::Safetensors)
    };
    if let Some(unsafe_one) = loaded(facts).into_iter().find(|info| pickled(info)) {
        let file =
            unsafe_one.files.iter().find(|file| super::weights::format(&file.path) == Some(Format::Pickle));
        let file = file.map(|file| file.path.as_str()).unwrap_or_default();
        let evidence = format!(
            "the weights of `{}` are pickle files only (`{file}`), and loading them can run any code",
            unsafe_one.id
        );
        let allow = ALLOW_PICKLE.with("true");
        let fix = format!("set {allow} if you trust the author, or convert the weights to safetensors");
        return (!settings.allow_pickle).then(|| Blocker::new(BlockerId::WeightsPickleOnly, evidence, fix));
    }
    if is_explained || all.contains(&Format::Safetensors) || all.contains(&Format::Pickle) {
        return None;
    }
    match all.as_slice() {
        [Format::Gguf, ..] if Library::of(info) != Library::Gguf => Some(Blocker::gguf_only(info)),
        [Format::Gguf, ..] => None,
        [Format::Onnx, ..] => Some(Blocker::onnx_only(info)),
        [Format::Foreign, ..] => Some(Blocker::new(
            BlockerId::NoWeights,
            "the model has weights of TensorFlow, Flax or another framework only",
            "convert the weights to safetensors, or choose a version that has them",
        )),
        _ => Some(Blocker::new(
            BlockerId::NoWeights,
            "the model has no file of weights",
            format!("check {MODEL} and {REVISION}: the weights may be on another branch"),
        )),
    }
}

/// Returns the obstacle of packed weights.
fn packed(info: &ModelInfo, template: Option<Template>) -> Option<Blocker> {
    let method = quantization(info)?;
    let can_load = template.is_none_or(loads_packed);
    if is_bitsandbytes(info) && can_load {
        return None;
    }
    let reason = if is_bitsandbytes(info) {
        "which this template does not load"
    } else {
        "for which a Space has no kernels"
    };
    Some(Blocker::new(
        BlockerId::QuantKernel,
        format!("the weights of `{}` are packed by `{method}`, {reason}", info.id),
        with_base(info, "choose a version of the model that is not packed, or is packed by bitsandbytes"),
    ))
}

/// Returns true for a template that passes the place of packed weights to `transformers`.
fn loads_packed(template: Template) -> bool {
    !matches!(
        template,
        Template::SentenceSimilarity
            | Template::TextRanking
            | Template::ImageClassificationTimm
            | Template::ImageToImage
            | Template::ImageToImageTransformers
            | Template::TextToImage
            | Template::DiffusersLora
            | Template::TextToVideo
            | Template::ImageToVideo
            | Template::VisualQuestionAnswering
            | Template::VideoClassification
    )
}

/// Returns the obstacle of code that the user does not trust yet.
fn own_code(info: &ModelInfo, settings: &Settings, is_pinned: bool) -> Option<Blocker> {
    if !needs_own_code(info) || (settings.trust_remote_code && is_pinned) {
        return None;
    }
    let sha = info.sha.as_deref().unwrap_or("a commit of the model");
    let classes = architectures(info);
    let class = classes.first().map(|class| format!(" (`{class}`)")).unwrap_or_default();
    let evidence = format!("`{}` runs Python code of its own repo{class}", info.id);
    let trust = TRUST_REMOTE_CODE.with("true");
    let missing = match (settings.trust_remote_code, is_pinned) {
        (true, _) => format!("set {}, so that the code cannot change", REVISION.with(sha)),
        (false, true) => format!("read its code, then set {trust}"),
        (false, false) => format!("read its code, then set {trust} and {}", REVISION.with(sha)),
    };
    Some(Blocker::new(BlockerId::CustomCode, evidence, missing))
}

/// Returns the obstacle of code that imports `flash_attn` at its start.
fn flash_attention(facts: &ModelFacts) -> Option<Blocker> {
    let code = facts.code.as_deref()?;
    let is_import =
        |line: &&str| line.starts_with("import flash_attn") || line.starts_with("from flash_attn");
    let line = code.lines().find(is_import)?;
    Some(Blocker::new(
        BlockerId::FlashAttnImport,
        format!("the code of the model has `{}`, and a Space cannot build that package", line.trim()),
        "choose a revision whose code uses `sdpa`, or write the app of a Docker Space by hand",
    ))
}

/// Returns the warnings about the license and the terms.
fn terms(facts: &ModelFacts, settings: &Settings) -> Vec<Blocker> {
    let info = &facts.info;
    let mut found = Vec::new();
    if license::license(info).is_none() {
        let fix = "add `license` to the card of the model";
        let evidence = "the model names no license";
        found.push(Blocker {
            severity: if settings.require_license { Severity::Blocker } else { Severity::Warning },
            ..Blocker::new(BlockerId::LicenseMissing, evidence, fix)
        });
    }
    for info in loaded(facts) {
        if let Some(name) = license::non_commercial(info) {
            let evidence = format!("the license `{name}` of `{}` forbids commercial use", info.id);
            found.push(Blocker::warning(
                BlockerId::LicenseNonCommercial,
                evidence,
                "use the Space for that only",
            ));
        }
        if info.gated.is_some() {
            let evidence = format!(
                "`{}` is gated: its users accepted terms, and visitors of the Space did not",
                info.id
            );
            let fix = "read the terms before you make the Space public";
            found.push(Blocker::warning(BlockerId::GatedTerms, evidence, fix));
        }
    }
    found
}

/// Returns true for a model whose weights cannot be used, and whose base model may stand in for it.
pub(crate) fn wants_base(info: &ModelInfo) -> bool {
    let is_packed = quantization(info).is_some() && !is_bitsandbytes(info);
    let formats = formats(info);
    let is_other =
        !formats.is_empty() && !formats.contains(&Format::Safetensors) && !formats.contains(&Format::Pickle);
    !is_adapter(info) && (is_packed || is_other || Library::of(info) == Library::Mlx)
}
