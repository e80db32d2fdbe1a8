//! `?expand=`: which parts of a repository may be asked for by name.

use crate::answer::HubError;
use crate::config::RepoType;
use crate::server::Req;
use crate::util::lock;

/// The OpenAPI document leaves these calls out: the lists are those of huggingface_hub 2.4.0 (`ExpandModelProperty_T`
/// and its siblings).
const MODEL: &[&str] = &[
    "author",
    "baseModels",
    "cardData",
    "childrenModelCount",
    "config",
    "createdAt",
    "disabled",
    "downloads",
    "downloadsAllTime",
    "evalResults",
    "gated",
    "gguf",
    "inference",
    "inferenceProviderMapping",
    "lastModified",
    "library_name",
    "likes",
    "mask_token",
    "model-index",
    "pipeline_tag",
    "private",
    "resourceGroup",
    "safetensors",
    "sha",
    "siblings",
    "spaces",
    "tags",
    "transformersInfo",
    "trendingScore",
    "usedStorage",
    "widgetData",
];
const DATASET: &[&str] = &[
    "author",
    "cardData",
    "citation",
    "createdAt",
    "description",
    "disabled",
    "downloads",
    "downloadsAllTime",
    "gated",
    "lastModified",
    "likes",
    "mainSize",
    "paperswithcode_id",
    "private",
    "resourceGroup",
    "sha",
    "siblings",
    "tags",
    "trendingScore",
    "usedStorage",
];
const SPACE: &[&str] = &[
    "author",
    "cardData",
    "createdAt",
    "datasets",
    "disabled",
    "lastModified",
    "likes",
    "models",
    "private",
    "region",
    "resourceGroup",
    "runtime",
    "sdk",
    "sha",
    "siblings",
    "subdomain",
    "tags",
    "trendingScore",
    "usedStorage",
];

/// The parts that a request asks for, or the Hub's 400 with those that there are.
pub(super) fn wanted(req: &Req, t: RepoType) -> Result<Vec<&str>, HubError> {
    let mut known = match t {
        RepoType::Model => MODEL,
        RepoType::Dataset => DATASET,
        RepoType::Space => SPACE,
    }
    .to_vec();
    if t == RepoType::Space && lock(&req.hub.policy).expands_visibility {
        known.push("visibility");
    }
    let wanted = req.params("expand");
    match wanted.iter().find(|part| !known.contains(part)) {
        Some(part) => Err(HubError::bad_request(format!(
            "Invalid expand \"{part}\": expected one of {}",
            known.join(", ")
        ))),
        None => Ok(wanted),
    }
}
