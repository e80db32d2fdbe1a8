//! Advice on datasets.

use std::path::Path;

use super::{Code, Failure, SourceLocation};
use crate::dataset_files::Fault;
use crate::setting::{
    CONFIG_NAME, EXCLUDE, INCLUDE, MAX_ROW_SIZE, PATH, RAW_TRACES, REVISION, SPLITS, in_workflow_or_terminal,
};
use crate::text::{count, name_some, quoted, quoted_all, quoted_path};
use hub::{Refusal, Repo, RepoId, Revision};

/// Returns the failure of a file whose name is not UTF-8.
pub fn name_not_text(path: &Path) -> Failure {
    Failure::new(Code::InvalidPath, format!("cannot upload {}: its name is not UTF-8", quoted_path(path)))
        .hint("rename the file")
}

/// Returns the failure of a path that does not exist. The message has it relative to the checkout.
pub fn path_missing(path: &Path, checkout: Option<&Path>) -> Failure {
    let named = checkout.and_then(|checkout| path.strip_prefix(checkout).ok()).unwrap_or(path);
    Failure::new(Code::SourceMissing, format!("{PATH} names {}, which does not exist", quoted_path(named)))
        .hint(in_workflow_or_terminal(
            "write `path` relative to the root of the checkout",
            "write the path relative to the folder in which you run this command",
        ))
        .hint(in_workflow_or_terminal(
            "if a step makes the files, run it in this job, before this step",
            "if a build makes the files, run it first",
        ))
}

/// Returns the failure of a folder without a data file.
pub fn no_data(compressed: &[String]) -> Failure {
    let failure = Failure::new(
        Code::SourceMissing,
        format!("{PATH} holds no data file: none ends with `.jsonl`, `.json`, `.csv`, `.tsv` or `.parquet`"),
    );
    if compressed.is_empty() {
        failure.hint(in_workflow_or_terminal(
            "upload other files with the deploy action and `repo_type: dataset`",
            "upload other files with `hf-deploy deploy` and `--repo-type=dataset`",
        ))
    } else {
        failure.hint(format!("unpack {}", name_some(&quoted_all(compressed))))
    }
}

/// Returns the failure of files that are not right. From `limit` faults on, there may be more. `in_checkout` returns the
/// path of a file relative to the checkout.
pub fn faulty(faults: &[Fault], limit: usize, in_checkout: impl Fn(&str) -> String) -> Failure {
    let failure = match faults {
        [fault] => Failure::new(Code::InvalidDataset, line_of(fault)),
        faults => {
            let lines: Vec<String> = faults.iter().map(line_of).collect();
            let more = if faults.len() >= limit { ", and the check ended there" } else { "" };
            Failure::new(
                Code::InvalidDataset,
                format!("{} faults in the dataset{more}:\n{}", faults.len(), lines.join("\n")),
            )
        }
    };
    let places = faults.iter().map(|fault| SourceLocation {
        file: in_checkout(&fault.path),
        line: fault.line.and_then(|line| line.try_into().ok()),
        message: fault.sentence.clone(),
    });
    let failure = failure
        .hint(format!("correct the files, or leave them out with {EXCLUDE}; nothing was sent"))
        .at(places.collect::<Vec<_>>());
    if faults.iter().any(|fault| fault.is_over_limit) {
        failure.hint(
            format!("{MAX_ROW_SIZE} raises the limit; the viewer does not show 100 rows that have more than 300 MB together"),
        )
    } else {
        failure
    }
}

fn line_of(fault: &Fault) -> String {
    match fault.line {
        Some(line) => format!("{} {}", quoted(&format!("{}:{line}", fault.path)), fault.sentence),
        None => format!("{} {}", quoted(&fault.path), fault.sentence),
    }
}

/// Returns the failure of files whose split is not clear.
pub fn splits_unclear(faults: &[Fault]) -> Failure {
    let lines: Vec<String> = faults.iter().take(20).map(line_of).collect();
    Failure::new(Code::InvalidDataset, format!("the split of files is not clear:\n{}", lines.join("\n")))
        .hint(format!("name the files of each split with {SPLITS}, such as `train=data/train*.csv`"))
}

/// Returns the failure of splits that have no data file.
pub fn splits_without_files(names: &[&str]) -> Failure {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    Failure::new(Code::InvalidInput, format!("{SPLITS} matches no data file for {}", name_some(&names)))
        .hint(format!("patterns have the syntax of .gitignore, and are relative to {PATH}"))
}

/// Returns the failure of files with formats that one configuration cannot have.
pub fn formats_differ(first: &str, other: &str) -> Failure {
    Failure::new(
        Code::InvalidDataset,
        format!("the data files have different formats: {} and {}", quoted(first), quoted(other)),
    )
    .hint(format!("leave out the files of one format with {EXCLUDE}"))
    .hint(format!(
        "to keep both, upload each format as a configuration of its own, with {CONFIG_NAME} and {INCLUDE}"
    ))
}

/// Returns the failure of a dataset that does not exist, or that the token cannot see.
pub fn not_found(dataset: &Repo, refusal: &Refusal) -> Failure {
    Failure::new(Code::RepoNotFound, format!("cannot find the {dataset}: the Hub answered {refusal}"))
        .hint("check the name; a private dataset that the token cannot see looks the same")
}

/// Returns the failure of a revision that does not exist.
pub fn no_revision(dataset: &Repo, revision: &Revision) -> Failure {
    Failure::new(Code::RepoNotFound, format!("cannot find the revision `{revision}` of the {dataset}")).hint(
        format!("name a branch, a tag or a commit that the dataset has, or leave {REVISION} out for `main`"),
    )
}

/// Returns the failure of a download of nothing. `there` is the number of files in the dataset.
pub fn nothing_to_download(dataset: &Repo, there: usize) -> Failure {
    let files = count(there, "file");
    Failure::new(
        Code::InvalidInput,
        format!("cannot download the {dataset}: {INCLUDE} and {EXCLUDE} leave none of its {files}"),
    )
    .hint("list the paths with `hf-deploy dataset list NAMESPACE/NAME/`, and change the patterns")
}

/// Returns the failure of a folder that cannot be created.
pub fn no_folder(folder: &Path, error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, format!("cannot create the folder {}", quoted_path(folder)))
        .caused_by(error)
        .hint("name a folder that this user may write to")
}

/// Returns the failure of files whose paths are not written below the folder. `refused` has a path and its fault each.
pub fn unsafe_paths(dataset: &Repo, refused: &[String]) -> Failure {
    Failure::new(
        Code::InvalidPath,
        format!("cannot write some files of the {dataset}, because of their paths: {}", name_some(refused)),
    )
    .hint(format!("all other files are there: leave these out with {EXCLUDE}, or rename them in the dataset"))
}

/// Returns the failure of the deletion of a dataset that does not exist. `others` have names that begin with this one.
pub fn nothing_to_delete(dataset: &Repo, refusal: &Refusal, others: &[String]) -> Failure {
    if others.is_empty() {
        return not_found(dataset, refusal);
    }
    let message = format!(
        "cannot delete the {dataset}: it does not exist, and only the beginning of a name matches (nothing was deleted)"
    );
    Failure::new(Code::RepoNotFound, message)
        .hint(format!("write the full name of one of these: {}", name_some(&quoted_all(others))))
}

/// Returns the failure of a deletion without `--yes`.
pub fn deletion_without_consent(dataset: &Repo) -> Failure {
    Failure::new(
        Code::InvalidInput,
        format!("cannot delete the {dataset} without `--yes` (nothing was deleted)"),
    )
    .hint("add `--yes` to delete it with all its files and its history, which cannot be undone")
}

/// Returns the failure of a deletion whose dataset has another name by now.
pub fn renamed_before_delete(dataset: &Repo, now: &RepoId) -> Failure {
    Failure::new(
        Code::InvalidInput,
        format!("cannot delete the {dataset}: it is `{now}` now (nothing was deleted)"),
    )
    .hint("write the present name")
}

/// Returns the failure of a deletion that the Hub confirmed without an effect.
pub fn still_there(dataset: &Repo) -> Failure {
    Failure::new(
        Code::HubRefused,
        format!("the Hub confirmed the deletion of the {dataset}, which is still there"),
    )
    .hint("look at the page of the dataset, and delete it there")
}

/// Returns the warning about a dataset that has another name by now.
pub fn renamed(dataset: &Repo, now: &RepoId) -> String {
    format!("the {dataset} is `{now}` now: use that name")
}

/// Returns the warning about sessions that are uploaded as they are.
pub fn raw_sessions() -> String {
    format!(
        "{RAW_TRACES} uploads the sessions as they are, with every secret in them: leave it out to have the secrets replaced"
    )
}

/// Returns the failure of a folder without a file of sessions. `others` are files of JSON that hold none.
pub fn no_sessions(others: &[String]) -> Failure {
    let message = if others.is_empty() {
        format!("{PATH} holds no file with sessions: none ends with `.jsonl`, `.ndjson` or `.json`")
    } else {
        let names = name_some(&quoted_all(others));
        format!("{PATH} holds no file with sessions: no conversation and no message is in {names}")
    };
    Failure::new(Code::SourceMissing, message)
        .hint("name the folder in which the agent keeps its sessions, such as `~/.claude/projects`")
}

/// Returns the warning about files of JSON that are no sessions.
pub fn holding_no_session(names: &str) -> String {
    format!("uploaded as other files, because they hold no conversation and no message: {names}")
}

/// Returns the failure of a copy that cannot be written.
pub fn no_copy(error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, "cannot write a copy of the sessions")
        .caused_by(error)
        .hint("free space in the folder for temporary files; nothing was sent")
}

/// Returns the warning about files whose last line is not complete.
pub fn sessions_cut_off(names: &str) -> String {
    format!("the last line is cut off, as by an agent that was killed, and is left out: {names}")
}

/// Returns the warning about files that hold no text.
pub fn not_searched(names: &str) -> String {
    format!("not searched for secrets, because these files hold no text: {names}")
}
