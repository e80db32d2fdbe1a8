//! Models: the facts that the Hub has about one, and the access to its files.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value};

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::inference::providers;
use crate::refusal::{Refusal, RefusalKind};
use crate::types::{Repo, Revision};
use crate::url::{encode, encode_path};

/// Parts of a model that one request asks for (`ExpandModelProperty_T` of the official client).
const EXPANDED: [&str; 20] = [
    "pipeline_tag",
    "library_name",
    "tags",
    "safetensors",
    "gguf",
    "gated",
    "disabled",
    "private",
    "cardData",
    "config",
    "transformersInfo",
    "siblings",
    "usedStorage",
    "sha",
    "widgetData",
    "mask_token",
    "baseModels",
    "inferenceProviderMapping",
    "inference",
    "spaces",
];

/// Facts about a model at a revision (`GET /api/models/{id}[/revision/{rev}]`).
///
/// The Hub copies most of them from files of the model, whose authors write anything there. So a part that is missing,
/// or has another type than usual, is empty here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelInfo {
    /// Current `namespace/name`: another than in the request if the model was renamed.
    pub id: String,
    /// Commit at the head of the revision.
    pub sha: Option<String>,
    /// Task, such as `text-generation`.
    pub pipeline_tag: Option<String>,
    /// Library, such as `transformers`.
    pub library_name: Option<String>,
    /// Tags of the card, and others that the Hub adds.
    pub tags: Vec<String>,
    /// Number of parameters by data type, such as `BF16`, of the weights in `.safetensors` files.
    pub parameters: BTreeMap<String, u64>,
    /// Number of parameters of the weights in a `.gguf` file.
    pub gguf_parameters: Option<u64>,
    /// Longest context of the weights in a `.gguf` file, in tokens.
    pub gguf_context: Option<u64>,
    /// Kind of the approval that the files need: `auto` or `manual`; `None` for a model that is not gated.
    pub gated: Option<String>,
    /// True if the Hub closed the access to the model.
    pub disabled: bool,
    /// True if the model is not public.
    pub private: bool,
    /// Metadata of README.md.
    pub card: Map<String, Value>,
    /// Parts of `config.json` and of the files beside it.
    pub config: Map<String, Value>,
    /// Classes of the library `transformers` for this model.
    pub transformers: Map<String, Value>,
    /// All files of the revision, with their sizes if they are known.
    pub files: Vec<ModelFile>,
    /// Inputs that the author of the model gives as examples.
    pub examples: Vec<Value>,
    /// Word that stands for a gap in a text.
    pub mask_token: Option<String>,
    /// Models that this one was made from.
    pub base_models: Vec<String>,
    /// Relation to these models, such as `adapter` or `quantized`.
    pub base_relation: Option<String>,
    /// Providers of the model, with their states.
    pub providers: Vec<(String, String)>,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Path in the repo.
    pub path: String,
    /// Size in bytes; `None` if the request did not ask for it.
    pub size: Option<u64>,
}

/// Result of a lookup of a model.
#[derive(Debug)]
pub enum ModelLookup {
    /// It exists.
    Found(Box<ModelInfo>),
    /// It does not exist, or the token cannot see it.
    NoModel(Refusal),
    /// It exists, and the Hub closed the access to it.
    Disabled(Refusal),
    /// It exists, the revision does not.
    NoRevision,
}

/// Parts of a model that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelParts {
    /// All that a Space for the model depends on.
    Expanded,
    /// Those that the Hub shows by itself, with the sizes of the files.
    WithSizes,
}

/// Access of a token to the files of a model.
#[derive(Debug)]
pub enum FileAccess {
    /// The token may read the file.
    Granted,
    /// It may not, for this reason of the Hub.
    Refused(Refusal),
}

impl ModelInfo {
    /// Reads the answer of the Hub.
    pub fn read(answer: &Value) -> Self {
        let part = |name: &str| &answer[name];
        let texts = |name: &str| list(part(name)).iter().filter_map(text).collect();
        let base = part("baseModels");
        Self {
            id: text(part("id")).unwrap_or_default(),
            sha: text(part("sha")),
            pipeline_tag: text(part("pipeline_tag")),
            library_name: text(part("library_name")),
            tags: texts("tags"),
            parameters: map(&part("safetensors")["parameters"])
                .into_iter()
                .filter_map(|(kind, number)| Some((kind, count(&number)?)))
                .collect(),
            gguf_parameters: count(&part("gguf")["total"]),
            gguf_context: count(&part("gguf")["context_length"]),
            gated: text(part("gated")),
            disabled: part("disabled") == true,
            private: part("private") == true,
            card: map(part("cardData")),
            config: map(part("config")),
            transformers: map(part("transformersInfo")),
            files: list(part("siblings")).iter().filter_map(ModelFile::read).collect(),
            examples: list(part("widgetData")).to_vec(),
            mask_token: text(part("mask_token")),
            base_models: list(&base["models"]).iter().filter_map(|model| text(&model["id"])).collect(),
            base_relation: text(&base["relation"]),
            providers: providers(answer),
        }
    }
}

impl ModelFile {
    fn read(sibling: &Value) -> Option<Self> {
        Some(Self { path: text(&sibling["rfilename"])?, size: count(&sibling["size"]) })
    }
}

/// Returns a text that is not empty.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Returns a number that is not negative. Some answers have it with a fraction.
fn count(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion of a float ends at the limits of the integer"
    )]
    value.as_u64().or_else(|| value.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

impl Hub {
    /// Returns the facts about a model at a revision, by one request.
    pub async fn model(
        &self,
        model: &Repo,
        revision: &Revision,
        parts: ModelParts,
    ) -> Result<ModelLookup, Error> {
        let operation = format!("read the {model}");
        let path = format!("{}/revision/{}", model.api(), encode(revision.as_str()));
        let mut url = self.url(&path)?;
        match parts {
            ModelParts::Expanded => {
                url.query_pairs_mut().extend_pairs(EXPANDED.iter().map(|part| ("expand[]", part)));
            }
            ModelParts::WithSizes => {
                url.query_pairs_mut().append_pair("blobs", "true");
            }
        }
        let error = match self.call(&Call::new(&operation, Method::GET, url)).await {
            Ok(answer) => {
                let info = ModelInfo::read(&answer.json(&operation)?);
                return Ok(ModelLookup::Found(Box::new(info)));
            }
            Err(error) => error,
        };
        match (error.kind(), error.refusal()) {
            (Some(RefusalKind::RevisionNotFound), _) => Ok(ModelLookup::NoRevision),
            (Some(RefusalKind::RepoNotFound), Some(refusal)) => Ok(ModelLookup::NoModel(refusal.clone())),
            // Without a token, the Hub answers 401 for a model that is missing or private.
            (Some(RefusalKind::TokenRefused), Some(refusal)) if !self.has_token() => {
                Ok(ModelLookup::NoModel(refusal.clone()))
            }
            (Some(RefusalKind::Disabled), Some(refusal)) => Ok(ModelLookup::Disabled(refusal.clone())),
            _ => Err(error),
        }
    }

    /// Returns the access to a file of a model, without reading it (`HEAD …/resolve/{rev}/{path}`).
    pub async fn file_access(&self, model: &Repo, commit: &str, path: &str) -> Result<FileAccess, Error> {
        let operation = format!("look at `{path}` of the {model}");
        let url = format!("/{}/resolve/{}/{}", model.page(), encode(commit), encode_path(path));
        let mut call = Call::new(operation, Method::HEAD, self.url(&url)?);
        // The file itself may be on another server, which is not asked.
        call.accepts = &[302, 307];
        match self.call(&call).await {
            Ok(_) => Ok(FileAccess::Granted),
            Err(error) => match (error.status(), error.refusal()) {
                (Some(401 | 403 | 404), Some(refusal)) => Ok(FileAccess::Refused(refusal.clone())),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn odd_types_are_read_as_nothing() {
        let odd = json!({
            "id": "acme/m", "sha": 7, "pipeline_tag": ["x"], "library_name": "", "tags": "gguf",
            "safetensors": {"parameters": {"BF16": 12.0, "F32": -3, "I8": "many"}, "total": null},
            "gguf": [], "gated": false, "disabled": "yes", "cardData": null, "config": "none",
            "siblings": [{"rfilename": "a.bin", "size": 3}, {"path": "b"}, 7], "widgetData": {"text": "x"},
            "baseModels": {"relation": 1, "models": [{"id": "acme/base"}, {"_id": "x"}]},
        });
        let info = ModelInfo::read(&odd);
        assert_eq!(info.parameters, BTreeMap::from([("BF16".to_owned(), 12)]));
        assert_eq!(info.files, [ModelFile { path: "a.bin".to_owned(), size: Some(3) }]);
        assert_eq!(info.base_models, ["acme/base"]);
        let rest =
            ModelInfo { id: info.id.clone(), parameters: info.parameters.clone(), ..ModelInfo::default() };
        let rest = ModelInfo { files: info.files.clone(), base_models: info.base_models.clone(), ..rest };
        assert_eq!(info, rest);
    }

    #[test]
    fn answer_of_any_type_is_read() {
        for answer in [json!(null), json!([]), json!("x"), json!({})] {
            assert_eq!(ModelInfo::read(&answer), ModelInfo::default());
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(
                    prop_oneof![Just("parameters".to_owned()), Just("rfilename".to_owned()), ".*"],
                    inner,
                    0..4
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_panics(parts in prop::collection::vec(any_json(), EXPANDED.len())) {
            let fields = EXPANDED.iter().map(|name| (*name).to_owned()).zip(parts);
            ModelInfo::read(&Value::Object(fields.collect()));
        }
    }
}
