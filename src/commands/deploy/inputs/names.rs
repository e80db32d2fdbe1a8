//! The names of the inputs, and what names that are not among them were meant to be.

use hub::suggest::{closest, letters_of};

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

/// Names that inputs of ours have elsewhere: in the official client, in `huggingface/hub-sync`, and in actions
/// that deploy to other hosts. No spelling leads from them to ours, and to ignore one would deploy the wrong
/// folder, or delete what was to be kept. Those of two words are found in every spelling (`publish-dir`).
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("huggingface_repo", &["repo_id", "repo", "repository", "repo_name", "space", "space_id", "space_name"]),
    ("huggingface_repo", &["hf_repo", "hf_space", "hf_space_id", "huggingface_space"]),
    (
        "hf_token",
        &["huggingface_token", "hugging_face_token", "hub_token", "hf_api_token", "hf_access_token"],
    ),
    ("hf_token", &["api_token", "access_token", "api_key"]),
    ("repo_type", &["type"]),
    ("space_sdk", &["sdk"]),
    ("visibility", &["public"]),
    (
        "source_dir",
        &["path", "directory", "dir", "folder", "folder_path", "subdirectory", "subdir", "source"],
    ),
    ("source_dir", &["working_directory", "publish_dir", "public_dir", "build_dir", "local_dir", "app_dir"]),
    ("path_in_repo", &["target_folder", "target_dir", "destination_dir", "server_dir", "remote_path"]),
    ("include", &["allow_patterns"]),
    ("exclude", &["ignore", "ignore_patterns", "exclude_assets", "clean_exclude"]),
    ("revision", &["branch", "publish_branch", "ref"]),
    ("create_pr", &["pull_request", "create_pull_request"]),
    ("commit_message", &["message", "deploy_message"]),
    ("variables", &["vars", "env", "env_vars", "environment_variables", "space_variables"]),
    ("secrets", &["space_secrets"]),
    ("hardware", &["space_hardware", "flavor", "space_flavor"]),
    ("sleep_time", &["space_sleep_time"]),
    ("volumes", &["space_volumes"]),
    ("timeout", &["timeout_minutes"]),
    ("on_failure", &["rollback"]),
    ("prune", &["delete_patterns"]),
];

/// Names that say elsewhere what `prune` says here: whether `true` deletes what the folder does not have.
const DELETES: &[(&str, bool)] =
    &[("delete_removed", true), ("delete", true), ("clean", true), ("keep_files", false)];

/// The variable in which the runner passes an input: upper case, `_` for spaces, all else as it is
/// (GitHub docs, "Metadata syntax", `inputs`).
pub(super) fn variable(name: &str) -> String {
    format!("INPUT_{}", name.replace(' ', "_").to_uppercase())
}

pub(super) fn is_known(name: &str) -> bool {
    INPUTS.iter().any(|spec| spec.name == name)
}

/// Returns what to write in place of an unknown name (in lower case, as the runner's upper case leaves
/// nothing else), if it looks like one of ours.
pub(super) fn advice(unknown: &str, value: &str) -> Option<String> {
    let letters = letters_of(unknown);
    if let Some((_, deletes)) = DELETES.iter().find(|(theirs, _)| letters_of(theirs) == letters) {
        let is_on = match value.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => true,
            "false" | "no" | "off" | "0" => false,
            // A wrong guess would delete files.
            _ => return Some("did you mean `prune`?".to_owned()),
        };
        return Some(format!("write `prune: {}`", is_on == *deletes));
    }
    meant_by(unknown).map(|meant| format!("did you mean `{meant}`?"))
}

/// The input that an unknown name stands for, if it looks like one.
fn meant_by(unknown: &str) -> Option<&'static str> {
    let letters = letters_of(unknown);
    let is_theirs = |names: &[&str]| names.iter().any(|name| letters_of(name) == letters);
    if let Some((ours, _)) = ELSEWHERE.iter().find(|(_, theirs)| is_theirs(theirs)) {
        return Some(ours);
    }
    closest(unknown, INPUTS.iter().map(|spec| spec.name))
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
        for stranger in ["user", "version", "who_to_greet", "args", "entrypoint", "name", "files"] {
            assert_eq!(meant_by(stranger), None, "{stranger}");
        }
    }

    #[test]
    fn names_of_other_actions_lead_to_ours() {
        for (theirs, ours) in [
            ("path", "source_dir"),
            ("directory", "source_dir"),
            ("working-directory", "source_dir"),
            ("workingdirectory", "source_dir"),
            ("publish-dir", "source_dir"),
            ("publish_dir", "source_dir"),
            ("folder", "source_dir"),
            ("env_vars", "variables"),
            ("vars", "variables"),
            ("ignore", "exclude"),
            ("branch", "revision"),
            ("destination_dir", "path_in_repo"),
        ] {
            assert_eq!(advice(theirs, "x").unwrap(), format!("did you mean `{ours}`?"), "{theirs}");
        }
        for (theirs, value, ours) in [
            ("delete_removed", "false", "prune: false"),
            ("delete-removed", "true", "prune: true"),
            ("clean", "false", "prune: false"),
            ("keep_files", "true", "prune: false"),
            ("delete_removed", "False", "prune: false"),
            ("delete_removed", "no", "prune: false"),
            ("clean", "0", "prune: false"),
        ] {
            assert_eq!(advice(theirs, value).unwrap(), format!("write `{ours}`"));
        }
        assert_eq!(advice("delete", "*.tmp").unwrap(), "did you mean `prune`?");
        for (ours, theirs) in ELSEWHERE {
            assert!(is_known(ours), "{ours}");
            assert!(theirs.iter().all(|name| !is_known(name)), "{theirs:?}");
        }
    }

    #[test]
    fn variables_are_named_as_the_runner_names_them() {
        assert_eq!(variable("hf_token"), "INPUT_HF_TOKEN");
        assert_eq!(variable("a b-c"), "INPUT_A_B-C");
    }
}
