//! The first step: the environment as text, before anything is judged.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::names;
use crate::failure::{Code, Failure, Result};

/// The inputs as the runner passes them. `None` is an input that is not there at all, which the runner
/// never does with one that has a default: it happens on a terminal.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(default)]
pub(super) struct Raw {
    pub(super) huggingface_repo: Option<String>,
    pub(super) hf_token: Option<String>,
    pub(super) missing_token: Option<String>,
    pub(super) repo_type: Option<String>,
    pub(super) space_sdk: Option<String>,
    pub(super) private: Option<String>,
    pub(super) visibility: Option<String>,
    pub(super) secrets_in_files: Option<String>,
    pub(super) source_dir: Option<String>,
    pub(super) path_in_repo: Option<String>,
    pub(super) cache_path: Option<String>,
    pub(super) include: Option<String>,
    pub(super) exclude: Option<String>,
    pub(super) default_excludes: Option<String>,
    pub(super) prune: Option<String>,
    pub(super) max_deletes: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) create_pr: Option<String>,
    pub(super) commit_message: Option<String>,
    pub(super) commit_description: Option<String>,
    pub(super) max_commit_files: Option<String>,
    pub(super) max_commit_size: Option<String>,
    pub(super) dry_run: Option<String>,
    pub(super) variables: Option<String>,
    pub(super) secrets: Option<String>,
    pub(super) settings_strategy: Option<String>,
    pub(super) force_secrets: Option<String>,
    pub(super) hardware: Option<String>,
    pub(super) fallback_hardware: Option<String>,
    pub(super) require_hardware: Option<String>,
    pub(super) sleep_time: Option<String>,
    pub(super) volumes: Option<String>,
    pub(super) wait: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) verify: Option<String>,
    pub(super) health_path: Option<String>,
    pub(super) health_status: Option<String>,
    pub(super) health_contains: Option<String>,
    pub(super) api_name: Option<String>,
    pub(super) api_args: Option<String>,
    pub(super) api_kwargs: Option<String>,
    pub(super) expect: Option<String>,
    pub(super) expect_contains: Option<String>,
    pub(super) expect_regex: Option<String>,
    pub(super) max_latency: Option<String>,
    pub(super) on_failure: Option<String>,
    pub(super) create_proxy: Option<String>,
    pub(super) proxy_space_suffix: Option<String>,
    pub(super) proxy_hf_token: Option<String>,
    pub(super) proxy_target_url: Option<String>,
    pub(super) proxy_allow_origins: Option<String>,
    pub(super) proxy_hardware: Option<String>,
    pub(super) proxy_sleep_time: Option<String>,
    pub(super) proxy_settings: Option<String>,
    pub(super) allow_any_target: Option<String>,
}

/// The environment, split into what is ours and what is not.
pub(super) struct Environment {
    pub(super) raw: Raw,
    /// Unknown names that look like one of ours, with what to write instead.
    pub(super) typos: Vec<(String, String)>,
    vars: BTreeMap<String, String>,
}

impl Environment {
    pub(super) fn read(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let vars: BTreeMap<String, String> = vars.into_iter().collect();
        // envy folds the case of all names and strips a repeated prefix: it gets only names that are ours.
        let known = names::INPUTS.iter().filter_map(|spec| {
            let name = names::variable(spec.name);
            let value = vars.get(&name)?.clone();
            Some((name, value))
        });
        let raw = envy::prefixed("INPUT_").from_iter(known).map_err(|error| {
            Failure::new(Code::Internal, "cannot read the inputs from the environment").caused_by(error)
        })?;
        let unknown = vars.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix("INPUT_")?.to_lowercase();
            (!names::is_known(&name)).then_some((name, value))
        });
        let typos = unknown
            .filter_map(|(name, value)| names::advice(&name, value).map(|advice| (name, advice)))
            .collect();
        Ok(Self { raw, typos, vars })
    }

    /// A variable exactly as it is set.
    pub(super) fn exact(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }

    /// A variable that is set, and not to white space.
    pub(super) fn var(&self, name: &str) -> Option<&str> {
        given(self.vars.get(name).map(String::as_str))
    }
}

/// The value without white space around it, if anything is left. YAML block scalars and secrets that were
/// pasted into a form end in newlines which nobody means.
pub(super) fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Environment {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::read(vars).unwrap()
    }

    #[test]
    fn the_struct_and_the_table_name_the_same_inputs() {
        let fields = serde_json::to_value(Raw::default()).unwrap();
        let mut fields: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
        let mut names: Vec<&str> = names::INPUTS.iter().map(|spec| spec.name).collect();
        fields.sort_unstable();
        names.sort_unstable();
        assert_eq!(fields, names);
    }

    #[test]
    fn only_exact_names_are_read() {
        let environment = read(&[
            ("INPUT_PRUNE", "true"),
            ("input_repo_type", "model"),
            ("INPUT_INPUT_HF_TOKEN", "x"),
            ("INPUT_REPO-TYPE", "model"),
            ("PRUNE", "false"),
            ("INPUT_WHATEVER_ELSE", "1"),
        ]);
        assert_eq!(environment.raw.prune.as_deref(), Some("true"));
        assert_eq!(environment.raw.repo_type, None);
        assert_eq!(environment.raw.hf_token, None);
        assert_eq!(environment.typos, [("repo-type".to_owned(), "did you mean `repo_type`?".to_owned())]);
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let environment = read(&[("GITHUB_SHA", " \n"), ("GITHUB_REPOSITORY", " a/b\n")]);
        assert_eq!(environment.var("GITHUB_SHA"), None);
        assert_eq!(environment.var("GITHUB_REPOSITORY"), Some("a/b"));
        assert_eq!(environment.var("GITHUB_REF"), None);
    }
}
