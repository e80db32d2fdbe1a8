//! The source folder itself: there, a folder, and not empty.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::faults::shown;
use super::submodules::{empty_submodules, is_empty_folder};
use crate::failure::{Code, Failure, Result};

/// The canonical path of the source folder, which is not empty.
pub(super) fn find_root(given: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(given).unwrap_or_else(|_| given.to_owned());
    let missing = |what: &str| {
        let message = format!("the source folder {} {what}", shown(&absolute));
        Failure::new(Code::SourceMissing, message)
    };
    let root = match fs::canonicalize(&absolute) {
        Ok(root) => root,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Err(missing("does not exist").hint(hint_for_missing(&absolute)));
        }
        Err(error) => {
            let message = format!("cannot read the source folder {}: {error}", shown(&absolute));
            return Err(Failure::new(Code::SourceUnreadable, message).caused_by(error));
        }
    };
    if !root.is_dir() {
        return Err(missing("is not a folder").hint("`source_dir` names the folder that holds the files"));
    }
    if is_empty_folder(&root) {
        let failure = missing("is empty");
        let is_submodule = !empty_submodules(&root).is_empty();
        return Err(failure.hint(if is_submodule { SUBMODULE_HINT } else { CHECKOUT_HINT }));
    }
    Ok(root)
}

const CHECKOUT_HINT: &str = "run actions/checkout in this job, before this step: the workspace starts empty";
pub(super) const SUBMODULE_HINT: &str =
    "set `submodules: true` for actions/checkout, so that it fetches the submodules";

/// The first folder above `path` that exists tells whether the checkout or a build step was forgotten.
fn hint_for_missing(path: &Path) -> &'static str {
    match path.ancestors().skip(1).find(|folder| folder.is_dir()) {
        Some(folder) if is_empty_folder(folder) => CHECKOUT_HINT,
        _ => "check `source_dir`; a step that creates the folder must run in this job, before this step",
    }
}

/// Reports whether the source folder is a checkout, and not a folder in one.
pub(super) fn is_whole_checkout(root: &Path, workspace: Option<&Path>) -> bool {
    let is_workspace =
        workspace.and_then(|workspace| fs::canonicalize(workspace).ok()).is_some_and(|it| it == root);
    is_workspace || fs::symlink_metadata(root.join(".git")).is_ok()
}

/// All there is in the source folder is left out.
pub(super) fn nothing_to_deploy(root: &Path, hidden: usize) -> Failure {
    let message = format!("the source folder {} holds nothing to deploy", shown(root));
    let failure = Failure::new(Code::SourceMissing, message);
    match hidden {
        // Only what never travels (a bare checkout), or nothing but empty folders.
        0 => failure.hint(CHECKOUT_HINT),
        _ => failure.hint(format!(
            "`include`, `exclude`, .hfignore, .gitignore and the defaults leave out all there is ({hidden} entries)"
        )),
    }
}
