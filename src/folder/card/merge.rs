//! Keeps the keys of the card on the Hub.

use serde_yaml::Mapping;

use super::card_sdk;
use super::edit::CardEdit;
use super::front_matter::{line_end, repair_opening_fence, split, without_bom};
use super::yaml_edit::written_value;
use crate::folder::yaml::parse_mapping;
use hub::SpaceSdk;

/// Log phrase for a README that keeps the keys of the card on the Hub.
const KEPT: &str = "keep the settings of the README.md on the Hub, because the folder's names no `sdk`";

/// Returns the README with the keys of the card on the Hub, if its own card has no SDK, because an ordinary README must
/// not remove the settings of a Space. `None` if there is nothing to keep, or if a card cannot be read.
///
/// Keys that the README has win.
pub fn keep_hub_keys(on_hub: &[u8], readme: &[u8]) -> Option<CardEdit> {
    let on_hub = repair_opening_fence(on_hub).unwrap_or_else(|| on_hub.to_owned());
    card_sdk(&on_hub)?.parse::<SpaceSdk>().ok()?;
    let theirs = split(&on_hub).ok()??;
    let Some(ours) = split(readme).ok()? else {
        let body = without_bom(readme);
        let end = line_end(body);
        let yaml = theirs.yaml.replace("\r\n", "\n").trim_end_matches('\n').replace('\n', end);
        let bytes = [format!("---{end}{yaml}{end}---{end}").as_bytes(), body].concat();
        return Some(CardEdit { bytes, changes: vec![KEPT.to_owned()], replaced_sdk: None });
    };
    let mut merged = parse_mapping(ours.yaml).ok()?;
    let mut yaml = ours.yaml.to_owned();
    if !yaml.is_empty() && !yaml.ends_with('\n') {
        yaml.push_str(ours.line_end);
    }
    for (key, value) in parse_mapping(theirs.yaml).ok()? {
        if merged.contains_key(&key) {
            continue;
        }
        // The value is copied as it is written, because a version `3.10` is a number in YAML.
        let written = key.as_str().and_then(|key| Some((key, written_value(theirs.yaml, key)?)));
        let entry = match written {
            Some((key, written)) => format!("{key}: {written}\n"),
            None => serde_yaml::to_string(&Mapping::from_iter([(key.clone(), value.clone())])).ok()?,
        };
        yaml.push_str(&entry.replace('\n', ours.line_end));
        merged.insert(key, value);
    }
    let is_merged = parse_mapping(&yaml).is_ok_and(|parsed| parsed == merged);
    let bytes = [ours.head, yaml.as_bytes(), ours.tail].concat();
    is_merged.then(|| CardEdit { bytes, changes: vec![KEPT.to_owned()], replaced_sdk: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_without_sdk_keeps_the_keys_of_the_hub() {
        let held = "---\ntitle: App\nsdk: docker\napp_port: 8000\npython_version: 3.10\nmodels:\n  - a/b\n---\n# Old\n";
        let kept = |readme: &str| {
            let edit = keep_hub_keys(held.as_bytes(), readme.as_bytes())?;
            Some(String::from_utf8(edit.bytes).unwrap())
        };
        let block = "title: App\nsdk: docker\napp_port: 8000\npython_version: 3.10\nmodels:\n";
        assert_eq!(kept("# New\n").unwrap(), format!("---\n{block}  - a/b\n---\n# New\n"));
        assert_eq!(
            kept("---\nlicense: mit\ntitle: Mine\n---\n# New\n").unwrap(),
            format!(
                "---\nlicense: mit\ntitle: Mine\n{}- a/b\n---\n# New\n",
                block.replace("title: App\n", "")
            )
        );
        assert!(kept("a\r\nb\r\n").unwrap().contains("sdk: docker\r\napp_port: 8000\r\n"));
        // A README that cannot be merged is left as it is, and the Hub checks it.
        assert_eq!(kept("---\n{license: mit}\n---\n"), None);
        assert_eq!(kept("---\nlicense: [\n---\n"), None);
        assert_eq!(keep_hub_keys(b"# no card\n", b"# New\n"), None);
        assert_eq!(keep_hub_keys(b"---\nlicense: mit\n---\n", b"# New\n"), None);
    }
}
