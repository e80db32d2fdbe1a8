//! Advice on datasets.

use std::path::Path;

use super::{Code, Failure};
use crate::text::{count, name_some, quoted_all, quoted_path};
use hub::{Refusal, Repo, RepoId, Revision};

/// Returns the failure of a file whose name is not UTF-8.
pub fn name_not_text(path: &Path) -> Failure {
    Failure::new(Code::InvalidPath, format!("cannot upload {}: its name is not UTF-8", quoted_path(path)))
        .hint("rename the file")
}

/// Returns the failure of a dataset that does not exist, or that the token cannot see.
pub fn not_found(dataset: &Repo, refusal: &Refusal) -> Failure {
    Failure::new(Code::RepoNotFound, format!("cannot find the {dataset}: the Hub answered {refusal}"))
        .hint("check the name; a private dataset that the token cannot see looks the same")
}

/// Returns the failure of a revision that does not exist.
pub fn no_revision(dataset: &Repo, revision: &Revision) -> Failure {
    Failure::new(Code::RepoNotFound, format!("cannot find the revision `{revision}` of the {dataset}"))
        .hint("name a branch, a tag or a commit that the dataset has, or leave `revision` out for `main`")
}

/// Returns the failure of a download of nothing. `there` is the number of files in the dataset.
pub fn nothing_to_download(dataset: &Repo, there: usize) -> Failure {
    let files = count(there, "file");
    Failure::new(
        Code::InvalidInput,
        format!("cannot download the {dataset}: `include` and `exclude` leave none of its {files}"),
    )
    .hint("list the paths with `dataset list NAMESPACE/NAME/`, and change the patterns")
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
    .hint("all other files are there: leave these out with `exclude`, or rename them in the dataset")
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
