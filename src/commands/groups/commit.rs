//! The commit: its branch, its message and its limits.

use hub::{RepoType, Revision, shorten};

use crate::action::GithubContext;
use crate::commands::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{Parsed, SHOWN, not_like, refuse, size};
use crate::commands::inputs::place::InputPlace;
use crate::commands::inputs::values::Values;
use crate::ops::deploy::options::{CommitLimits, Provenance};

inputs! {
    /// Inputs of the commit.
    COMMIT: "Commit", "";
    DRY_RUN = Input {
        kind: ValueKind::Flag,
        summary: "Only show what a deploy would do",
        default: DefaultValue::Passed("false"),
        ..Input::new("dry_run")
    };
    REVISION = Input {
        kind: ValueKind::Text("BRANCH"),
        summary: "Branch to commit to, which is created if it is missing",
        details: "A Space runs `main` only.",
        default: DefaultValue::Passed("main"),
        elsewhere: &["branch", "publish_branch", "ref"],
        ..Input::new("revision")
    };
    CREATE_PR = Input {
        kind: ValueKind::Flag,
        summary: "Open a pull request on the Hub instead of committing to the branch",
        details: "Each run with changes opens another one.",
        default: DefaultValue::Passed("false"),
        elsewhere: &["pull_request", "create_pull_request"],
        ..Input::new("create_pr")
    };
    COMMIT_MESSAGE = Input {
        summary: "First line of the commit on the Hub",
        default: DefaultValue::Words("a line that names the GitHub repository and commit"),
        elsewhere: &["message", "deploy_message"],
        ..Input::new("commit_message")
    };
    COMMIT_DESCRIPTION = Input {
        summary: "Text below the first line of the commit, before the trailers that name the source",
        default: DefaultValue::Words("only the trailers"),
        ..Input::new("commit_description")
    };
    MAX_COMMIT_FILES = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Number of files that one commit may change, such as `500`",
        details: "A larger deploy is collected in a draft pull request, and merged at once.",
        default: DefaultValue::Value("1000"),
        ..Input::new("max_commit_files")
    };
    MAX_COMMIT_SIZE = Input {
        kind: ValueKind::Text("SIZE"),
        summary: "Size of the small files in one commit, such as `50MB`",
        details: "A larger deploy is collected in a draft pull request, and merged at once.",
        default: DefaultValue::Value("100MB"),
        ..Input::new("max_commit_size")
    };
}

/// Options of the commit.
pub(crate) struct CommitOptions {
    pub(crate) revision: Revision,
    pub(crate) create_pr: bool,
    pub(crate) message: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) limits: CommitLimits,
}

pub(crate) fn read(
    values: &Values,
    repo_type: Option<RepoType>,
    diagnostics: &mut Diagnostics,
) -> CommitOptions {
    CommitOptions {
        revision: read_revision(values, repo_type, diagnostics),
        create_pr: values.flag(&CREATE_PR, diagnostics),
        message: values.string(&COMMIT_MESSAGE),
        description: values.string(&COMMIT_DESCRIPTION),
        limits: CommitLimits {
            files: values.value(&MAX_COMMIT_FILES, files, diagnostics),
            bytes: values.value(&MAX_COMMIT_SIZE, size, diagnostics),
        },
    }
}

fn read_revision(values: &Values, repo_type: Option<RepoType>, diagnostics: &mut Diagnostics) -> Revision {
    let place = values.place();
    let revision = values.value(&REVISION, |text| revision(text, place), diagnostics);
    if repo_type == Some(RepoType::Space) && !revision.is_main() {
        let input = values.quoted(&REVISION);
        diagnostics.warn(format!(
            "a Space runs what is on `main`: this deploy changes nothing that visitors see, as {input} is `{revision}`"
        ));
    }
    revision
}

/// Parses a branch of the Hub, also in the form of `${{ github.ref }}`.
fn revision(text: &str, place: InputPlace) -> Parsed<Revision> {
    let input = place.name(&REVISION);
    if let Some(tag) = text.strip_prefix("refs/tags/") {
        return refuse(format!(
            "must be a branch on the Hub, not the tag `{tag}`: leave `{input}` out, which deploys what is checked out to `main`"
        ));
    }
    if let Some(pull_request) = text.strip_prefix("refs/pull/") {
        let create_pr = place.setting(&CREATE_PR, "true");
        return refuse(format!(
            "must be a branch on the Hub, not the pull request `{pull_request}` of GitHub: leave `{input}` out, and set `{create_pr}` to open one on the Hub"
        ));
    }
    let of_the_hub = ["refs/heads/", "refs/pr/", "refs/convert/"];
    if text.starts_with("refs/") && !of_the_hub.iter().any(|start| text.starts_with(start)) {
        return refuse(format!("must be a branch on the Hub, not `{}`", shorten(text, SHOWN)));
    }
    text.strip_prefix("refs/heads/").unwrap_or(text).parse()
}

fn files(text: &str) -> Parsed<usize> {
    match text.parse() {
        Ok(files) if files > 0 => Ok(files),
        _ => not_like("a number of files, like `1000`", text),
    }
}

/// Returns the source that a commit names.
pub(crate) fn provenance(github: &GithubContext) -> Provenance {
    let GithubContext { repository, sha, commit_url, run_url, .. } = github.clone();
    Provenance { repository, sha, commit_url, run_url }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::inputs::parse;

    #[test]
    fn default_limits_are_those_of_the_operation() {
        let limits = CommitLimits::default();
        assert_eq!(parse::default(&MAX_COMMIT_FILES, files), limits.files);
        assert_eq!(parse::default(&MAX_COMMIT_SIZE, size), limits.bytes);
    }

    #[test]
    fn number_of_files_is_at_least_one() {
        assert_eq!(files("1").ok(), Some(1));
        assert!(files("0").is_err() && files("many").is_err() && files("-1").is_err());
    }

    #[test]
    fn revisions_are_branches_of_the_hub() {
        let revision = |text| revision(text, InputPlace::Workflow);
        assert_eq!(revision("refs/heads/next").unwrap().as_str(), "next");
        assert_eq!(revision("refs/pr/3").unwrap().as_str(), "refs/pr/3");
        assert_eq!(revision("v1").unwrap().as_str(), "v1");
        for (text, part) in [
            ("refs/tags/v1", "not the tag `v1`: leave `revision` out"),
            ("refs/pull/7/merge", "not the pull request `7/merge` of GitHub"),
            ("refs/notes/x", "not `refs/notes/x`"),
        ] {
            assert!(revision(text).unwrap_err().0.contains(part), "{text}");
        }
    }
}
