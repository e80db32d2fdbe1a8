//! `?expand=`: the parts of a repository that a request can select.

use crate::core::repo_type::RepoType;
use crate::http::answer::HubError;
use crate::http::request::Req;

/// The OpenAPI document lacks these calls: the lists are those of huggingface_hub 2.4.0 (`ExpandModelProperty_T`
/// and its siblings), and two that its recorded answers have beside those.
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
    "gitalyUid",
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
    "xetEnabled",
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
    "gitalyUid",
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
    "xetEnabled",
];
const SPACE: &[&str] = &[
    "author",
    "cardData",
    "createdAt",
    "datasets",
    "disabled",
    "gitalyUid",
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
    "xetEnabled",
];

/// Returns the selected parts, or the Hub's 400 with a list of the known ones.
pub(super) fn wanted(req: &Req, t: RepoType) -> Result<Vec<&str>, HubError> {
    let mut known = match t {
        RepoType::Model => MODEL,
        RepoType::Dataset => DATASET,
        RepoType::Space => SPACE,
    }
    .to_vec();
    if t == RepoType::Space && req.hub.policy.get().expands_visibility {
        known.push("visibility");
    }
    let wanted = req.params("expand");
    match wanted.iter().find(|part| !known.contains(part)) {
        Some(part) => Err(HubError::bad_request(format!(
            "\"expand\" must be one of [{}], not \"{part}\"",
            known.join(", ")
        ))),
        None => Ok(wanted),
    }
}
