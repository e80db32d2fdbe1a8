//! Advice in the log of a deploy that goes on, or that could not undo all it wrote.

use std::fmt::Display;

use crate::setting::{
    EXCLUDE, FORCE_SECRETS, HF_TOKEN, HUGGINGFACE_REPO, LEAVE_OPEN_ON_FAILURE, MAX_DELETES, PRIVATE,
    SOURCE_DIR, SPACE_SDK, VISIBILITY, WAIT,
};
use crate::text::{name_some, quoted_all};
use hub::{Repo, RepoId, SpaceSdk};

/// Returns the warning about a Streamlit Space whose folder has a Dockerfile.
pub fn streamlit_own_dockerfile() -> String {
    format!(
        "the Hub no longer has a Streamlit SDK: this is deployed as a Docker Space with the folder's own Dockerfile; set {}",
        SPACE_SDK.with("docker")
    )
}

/// Returns the warning about a Streamlit Space whose Dockerfile is generated.
pub fn streamlit_generated_dockerfile() -> String {
    format!(
        "the Hub no longer has a Streamlit SDK: this is deployed as a Docker Space with a generated Dockerfile; to keep it under your control, add a Dockerfile to the folder and set {}",
        SPACE_SDK.with("docker")
    )
}

/// Returns the line about the end of the dev mode that a failed deploy has left.
pub fn dev_mode_ends() -> String {
    format!(
        "push what you change there: the next run with {LEAVE_OPEN_ON_FAILURE} ends dev mode, and the Hub ends it after 48 hours without use"
    )
}

/// Returns the warning about a failed Space that does not stay in dev mode.
pub fn not_left_open(repo: &Repo, reason: &str) -> String {
    format!("the {repo} is not left in dev mode: {reason}")
}

/// Returns the warning about a Space that a failure would not leave in dev mode.
pub fn would_not_be_left_open(repo: &Repo, reason: &str) -> String {
    format!("{LEAVE_OPEN_ON_FAILURE} has no effect on the {repo}: {reason}")
}

/// Returns the hint about variables that stay as this deploy wrote them.
pub fn variables_stay(names: &[String]) -> String {
    format!(
        "the variables {} are those of this deploy already: run the job again, or set them back by hand",
        names.join(", ")
    )
}

/// Returns the hint about a change of which the branch has the first `done` of `of` parts.
pub fn parts_on_branch(done: usize, of: usize) -> String {
    format!(
        "{done} of {of} parts are on the branch, which is neither the old tree nor the new one: run the job again, it sends the rest"
    )
}

/// Returns the warning about a dry run without a token that finds no repo.
pub fn planned_without_token(repo: &Repo) -> String {
    format!(
        "cannot see the {repo}: it does not exist, or it is private and this run has no token; planning as for a new one; check the secret behind {HF_TOKEN}, unless this run is for a fork"
    )
}

/// Returns the warning about a proxy in front of a Space that everybody can reach without it.
pub fn needless_proxy(repo: &Repo) -> String {
    format!("everybody can open the app of the {repo} without its proxy: set {}", PRIVATE.with(true))
}

/// Returns the warning about files that a `.gitignore` excludes.
pub fn left_out_by_gitignore(paths: &[String]) -> String {
    format!(
        "left out, because a `.gitignore` in the folder or in the repo matches: {} (to deploy them, leave that `.gitignore` out with {EXCLUDE}, and delete it on the Hub)",
        name_some(&quoted_all(paths))
    )
}

/// Returns the warning about `private: false` for a repo that stays private.
pub fn stays_private(repo: &Repo) -> String {
    format!(
        "{} does not publish the {repo}, which stays private: to publish it, set {}",
        PRIVATE.with(false),
        VISIBILITY.with("public")
    )
}

/// Returns the warning about a Space whose state the Hub does not report.
pub fn readiness_unknown(error: &dyn Display) -> String {
    format!(
        "the commit is on the Hub, but whether it runs is not known: {error}; give the token read access to the Space's settings, or set {}",
        WAIT.with(false)
    )
}

/// Returns the warning about a file whose name is not quite the one that the Hub reads.
pub fn near_miss(found: &str, meant: &str) -> String {
    format!("`{found}` is not `{meant}`, which is the one that the Hub reads: rename it")
}

/// Returns the warning about a file that a Dockerfile starts with `command`, and that loses its file mode.
pub fn file_mode_lost(path: &str, command: &str) -> String {
    format!(
        "the Dockerfile starts `{command}`, and the Hub's commits keep no file modes: `{path}` will not be executable there; add `RUN chmod +x {command}` after its `COPY`, write `COPY --chmod=755`, or start it with `sh {command}`"
    )
}

/// Returns the warning about a card whose SDK is not that of the input. `place` names the README.md.
pub fn sdk_differs(place: &str, in_card: &str, wanted: SpaceSdk) -> String {
    let wanted = wanted.as_str();
    format!(
        "{place} says `sdk: {in_card}` and {SPACE_SDK} says `{wanted}`: the uploaded copy says `{wanted}`; make them agree"
    )
}

/// Returns the warning about a repo that has another name now.
pub fn repo_renamed(repo: &Repo, now: &RepoId) -> String {
    format!("the {repo} is `{now}` now: write that in {HUGGINGFACE_REPO}")
}

/// Returns the warning about files with secrets that are deployed. `subject` describes the files, `readers` their
/// audience, and `excludes` are the patterns that leave them out.
pub fn secrets_deployed(
    repo: &Repo,
    subject: &str,
    readers: &str,
    findings: &[String],
    excludes: &str,
) -> String {
    format!(
        "this deploys {subject} to the {repo}, {readers}: {} (to leave the files out, write into {EXCLUDE}, one line each: {excludes})",
        findings.join("; ")
    )
}

/// Returns the warning about a deploy that deletes much. `summary` has the number of files.
pub fn many_deletes(summary: &str) -> String {
    format!(
        "{summary}, because the folder does not have them: check {SOURCE_DIR}, or set {MAX_DELETES} to make this an error"
    )
}

/// Returns the warning about a pull request that could not be closed.
pub fn pull_request_stays_open(url: &str, cause: &str) -> String {
    format!("{url} stays open, close it by hand: {cause}")
}

/// Returns the line about secrets that are not written again.
pub fn secrets_left(names: &str) -> String {
    format!(
        "left the secrets as they are: `{names}` (they cannot be compared, and writing them restarts the Space; {} writes them)",
        FORCE_SECRETS.with(true)
    )
}
