//! The license of a model.

use hub::ModelInfo;
use serde_json::Value;

use super::facts::card_text;

/// Words in the names of licenses that forbid commercial use.
const NON_COMMERCIAL: &[&str] =
    &["-nc", "non-commercial", "noncommercial", "non_commercial", "research-only", "coqui-public-model"];

/// Returns the license as the card has it.
pub(super) fn license(info: &ModelInfo) -> Option<String> {
    let listed = || info.card.get("license")?.as_array()?.iter().find_map(Value::as_str);
    let tagged = || info.tags.iter().find_map(|tag| tag.strip_prefix("license:"));
    let found = card_text(info, "license").or_else(listed).or_else(tagged)?;
    (!found.trim().is_empty() && found != "unknown").then(|| found.trim().to_owned())
}

/// Returns the license that forbids commercial use, by its own name.
pub(super) fn non_commercial(info: &ModelInfo) -> Option<String> {
    let names = [license(info), card_text(info, "license_name").map(str::to_owned)];
    let forbids = |name: &String| {
        let name = name.to_lowercase();
        NON_COMMERCIAL.iter().any(|word| name.contains(word))
    };
    names.into_iter().flatten().find(forbids)
}
