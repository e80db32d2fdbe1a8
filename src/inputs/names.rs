//! The names of the inputs, and what names that are not among them were meant to be.

/// One input of the contract.
#[derive(Debug, Clone, Copy)]
pub struct InputSpec {
    /// The name as users write it under `with:`.
    pub name: &'static str,
    /// The default of action.yml, which is also what an empty value means unless validation says otherwise.
    pub default: Option<&'static str>,
}

const fn plain(name: &'static str) -> InputSpec {
    InputSpec { name, default: None }
}

const fn with_default(name: &'static str, default: &'static str) -> InputSpec {
    InputSpec { name, default: Some(default) }
}

/// Every input there is, in the order of action.yml, to which a test holds it.
///
/// `private` has no default: `false` in action.yml could not be told from `false` by the user, who may
/// contradict `visibility` with it. Neither has what only Spaces have: it is a fault for a model, and a
/// default would stand there for all.
pub const INPUTS: &[InputSpec] = &[
    plain("huggingface_repo"),
    plain("hf_token"),
    plain("missing_token"),
    with_default("repo_type", "space"),
    plain("space_sdk"),
    plain("private"),
    plain("visibility"),
    plain("secrets_in_files"),
    with_default("source_dir", "."),
    plain("path_in_repo"),
    plain("cache_path"),
    plain("include"),
    plain("exclude"),
    plain("default_excludes"),
    with_default("prune", "auto"),
    plain("max_deletes"),
    with_default("revision", "main"),
    with_default("create_pr", "false"),
    plain("commit_message"),
    plain("commit_description"),
    plain("max_commit_files"),
    plain("max_commit_size"),
    with_default("dry_run", "false"),
    plain("variables"),
    plain("secrets"),
    plain("settings_strategy"),
    plain("force_secrets"),
    plain("hardware"),
    plain("fallback_hardware"),
    plain("require_hardware"),
    plain("sleep_time"),
    plain("volumes"),
    plain("wait"),
    plain("timeout"),
    plain("verify"),
    plain("health_path"),
    plain("health_status"),
    plain("health_contains"),
    plain("api_name"),
    plain("api_args"),
    plain("api_kwargs"),
    plain("expect"),
    plain("expect_contains"),
    plain("expect_regex"),
    plain("max_latency"),
    plain("on_failure"),
    with_default("create_proxy", "false"),
    with_default("proxy_space_suffix", "-proxy"),
    plain("proxy_hf_token"),
    plain("proxy_target_url"),
    with_default("proxy_allow_origins", "*"),
    plain("proxy_hardware"),
    plain("proxy_sleep_time"),
    plain("proxy_settings"),
    plain("allow_any_target"),
];

/// Names for inputs of ours that users know from elsewhere (the official client, `huggingface/hub-sync`):
/// no spelling leads from them to ours, and to ignore them would deploy the wrong folder or repo.
const ELSEWHERE: &[(&str, &str)] = &[
    ("repo_id", "huggingface_repo"),
    ("subdirectory", "source_dir"),
    ("folder", "source_dir"),
    ("folder_path", "source_dir"),
    ("allow_patterns", "include"),
    ("ignore_patterns", "exclude"),
    ("delete_patterns", "prune"),
    ("branch", "revision"),
    ("sdk", "space_sdk"),
    ("huggingface_token", "hf_token"),
    ("space_hardware", "hardware"),
    ("space_sleep_time", "sleep_time"),
    ("space_secrets", "secrets"),
    ("space_variables", "variables"),
    ("space_volumes", "volumes"),
];

/// The variable in which the runner passes an input: upper case, `_` for spaces, all else as it is
/// (GitHub docs, "Metadata syntax", `inputs`).
pub(super) fn variable(name: &str) -> String {
    format!("INPUT_{}", name.replace(' ', "_").to_uppercase())
}

pub(super) fn is_known(name: &str) -> bool {
    INPUTS.iter().any(|spec| spec.name == name)
}

/// The input that an unknown name (in lower case, as the runner's upper case leaves nothing else) stands
/// for, if it looks like one.
pub(super) fn meant_by(unknown: &str) -> Option<&'static str> {
    if let Some((_, ours)) = ELSEWHERE.iter().find(|(theirs, _)| *theirs == unknown) {
        return Some(ours);
    }
    closest(unknown, INPUTS.iter().map(|spec| spec.name))
}

/// The one of `known` that a name looks like.
pub(super) fn closest(unknown: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let letters = letters_of(unknown);
    let (distance, best) = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&letters, &letters_of(name)), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= slips(letters.len().max(letters_of(best).len()))).then_some(best)
}

/// How many slips make a name of this length unlike the one that was meant. Another variable of the image
/// must not end the run, so that short names have to be closer.
fn slips(length: usize) -> usize {
    match length {
        0..=5 => 1,
        6..=11 => 2,
        _ => 3,
    }
}

/// A name without what people mix up: `repo-type`, `repoType` and `repo_type` have the same letters.
fn letters_of(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_action_yml_say_the_same() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/action.yml")).unwrap();
        let action: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let inputs = action["inputs"].as_mapping().unwrap();
        let theirs: Vec<(String, Option<String>)> = inputs
            .iter()
            .map(|(name, spec)| {
                let default = spec.get("default").map(|value| value.as_str().expect("a string").to_owned());
                (name.as_str().unwrap().to_owned(), default)
            })
            .collect();
        let ours: Vec<_> =
            INPUTS.iter().map(|spec| (spec.name.to_owned(), spec.default.map(str::to_owned))).collect();
        assert_eq!(theirs, ours);
        for (name, spec) in inputs {
            let description = spec["description"].as_str().unwrap();
            assert!(description.contains("empty"), "{name:?} does not say what empty means");
            assert!(description.ends_with('.'), "{name:?} is not a sentence");
        }
        assert!(action["description"].as_str().unwrap().len() < 125);
    }

    #[test]
    fn typos_are_known_and_strangers_are_not() {
        for (typo, meant) in [
            ("huggingface_repos", "huggingface_repo"),
            ("huggingface_repo_id", "huggingface_repo"),
            ("huggingface-repo", "huggingface_repo"),
            ("repotype", "repo_type"),
            ("token", "hf_token"),
            ("hf_tokne", "hf_token"),
            ("subdirectory", "source_dir"),
            ("dryrun", "dry_run"),
            ("purne", "prune"),
            ("proxy-space-sufix", "proxy_space_suffix"),
            ("commit_mesage", "commit_message"),
        ] {
            assert_eq!(meant_by(typo), Some(meant), "{typo}");
        }
        for stranger in ["path", "user", "version", "who_to_greet", "args", "entrypoint", "name", "files"] {
            assert_eq!(meant_by(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn variables_are_named_as_the_runner_names_them() {
        assert_eq!(variable("hf_token"), "INPUT_HF_TOKEN");
        assert_eq!(variable("a b-c"), "INPUT_A_B-C");
    }
}
