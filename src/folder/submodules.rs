//! Submodules that were not checked out: their folders exist, and are empty.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Returns the empty submodule folders below `root`, as paths relative to it, sorted.
///
/// `root` is canonical. Submodules are listed in `.gitmodules` at the top of a checkout (`git help gitmodules`): that
/// of `root` itself, and that of the checkout around `root`. The path is empty if `root` itself is an empty submodule.
/// Files that cannot be read are ignored, because the result only leads to a warning.
pub(super) fn empty_submodules(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = checkouts(root)
        .flat_map(|top| listed(top).into_iter().map(|path| top.join(path)))
        .filter_map(|path| path.strip_prefix(root).ok().map(Path::to_owned))
        .filter(|path| is_empty_folder(&root.join(path)))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Returns the folders whose `.gitmodules` may list submodules below `root`.
fn checkouts(root: &Path) -> impl Iterator<Item = &Path> {
    let checkout = root.ancestors().find(|folder| fs::symlink_metadata(folder.join(".git")).is_ok());
    [root].into_iter().chain(checkout.filter(|checkout| *checkout != root))
}

/// Returns the paths in the `.gitmodules` of `top`, without those that lead out of it.
fn listed(top: &Path) -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string(top.join(".gitmodules")) else { return Vec::new() };
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("path"))
        .filter_map(|rest| rest.trim_start().strip_prefix('='))
        .map(|path| PathBuf::from(path.trim().trim_matches('"')))
        .filter(|path| path.components().all(|part| matches!(part, Component::Normal(_))))
        .collect()
}

pub(super) fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_submodules_are_found_from_any_folder_of_the_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        for path in [".git", "app/lib", "app/full", "app/empty-but-not-listed", "vendor/x"] {
            fs::create_dir_all(top.join(path)).unwrap();
        }
        fs::write(top.join("app/full/file"), "").unwrap();
        fs::write(
            top.join(".gitmodules"),
            "[submodule \"lib\"]\n\tpath = app/lib\n\turl = x\n[submodule \"x\"]\n  path=\"vendor/x\"\n\
             [submodule \"f\"]\n\tpath = app/full\n[submodule \"e\"]\n\tpath = ../elsewhere\n",
        )
        .unwrap();
        assert_eq!(empty_submodules(&top), [Path::new("app/lib"), Path::new("vendor/x")]);
        assert_eq!(empty_submodules(&top.join("app")), [Path::new("lib")]);
        assert_eq!(empty_submodules(&top.join("vendor/x")), [Path::new("")]);
        assert!(empty_submodules(&top.join("app/full")).is_empty());
    }
}
