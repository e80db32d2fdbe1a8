//! Names of inputs in the variables of the runner, and advice for names that are no inputs.

use hub::suggest::{closest, letters_of};

use super::declaration::{Group, Input};

/// Beginning of the variables in which the runner passes inputs.
pub(super) const PREFIX: &str = "INPUT_";

/// Returns the variable in which the runner passes an input: upper case, `_` for blanks, everything else unchanged
/// (GitHub docs, "Metadata syntax", `inputs`).
pub(super) fn runner_variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace(' ', "_").to_uppercase())
}

/// Returns advice for an unknown name in lower case, if it looks like an input.
pub(super) fn advice(groups: &'static [Group], unknown: &str, value: &str) -> Option<String> {
    let letters = letters_of(unknown);
    let switches = inputs(groups).flat_map(|input| input.switches.iter().map(move |switch| (input, switch)));
    for (input, (theirs, [on, off])) in switches {
        if letters_of(theirs) != letters {
            continue;
        }
        let word = match value.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => on,
            "false" | "no" | "off" | "0" => off,
            // A wrong guess could delete files.
            _ => return Some(format!("did you mean `{}`?", input.name)),
        };
        return Some(format!("write `{}: {word}`", input.name));
    }
    meant(groups, unknown).map(|meant| format!("did you mean `{meant}`?"))
}

/// Returns the input that an unknown name stands for.
fn meant(groups: &'static [Group], unknown: &str) -> Option<&'static str> {
    let letters = letters_of(unknown);
    let has_name = |input: &&Input| input.elsewhere.iter().any(|name| letters_of(name) == letters);
    if let Some(input) = inputs(groups).find(has_name) {
        return Some(input.name);
    }
    closest(unknown, inputs(groups).map(|input| input.name))
}

fn inputs(groups: &'static [Group]) -> impl Iterator<Item = &'static Input> {
    groups.iter().flat_map(|group| group.inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::deploy::inputs::GROUPS;
    use crate::commands::inputs::declaration::find;

    #[test]
    fn misspelt_names_are_recognised() {
        for (typo, expected) in [
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
            assert_eq!(meant(GROUPS, typo), Some(expected), "{typo}");
        }
        for stranger in ["user", "version", "who_to_greet", "args", "entrypoint", "name", "files"] {
            assert_eq!(meant(GROUPS, stranger), None, "{stranger}");
        }
    }

    #[test]
    fn names_of_other_tools_lead_to_the_input() {
        for (theirs, ours) in [
            ("path", "source_dir"),
            ("source_folder", "source_dir"),
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
            assert_eq!(advice(GROUPS, theirs, "x").unwrap(), format!("did you mean `{ours}`?"), "{theirs}");
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
            assert_eq!(advice(GROUPS, theirs, value).unwrap(), format!("write `{ours}`"));
        }
        assert_eq!(advice(GROUPS, "delete", "*.tmp").unwrap(), "did you mean `prune`?");
        for input in inputs(GROUPS) {
            let theirs = input.elsewhere.iter().chain(input.switches.iter().map(|(name, _)| name));
            assert!(theirs.clone().all(|name| find(GROUPS, name).is_none()), "{}", input.name);
        }
    }

    #[test]
    fn variables_have_the_names_of_the_runner() {
        assert_eq!(runner_variable("hf_token"), "INPUT_HF_TOKEN");
        assert_eq!(runner_variable("a b-c"), "INPUT_A_B-C");
    }
}
