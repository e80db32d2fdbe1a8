//! The folder itself: it exists, is a folder, and is not empty.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hub::suggest;

use super::error::{EmptyReason, Error, MissingFolder, MissingReason, Result, Siblings};
use super::submodules::{empty_submodules, is_empty_folder};
use crate::text::quoted_path;

/// Number of entries that a message lists.
const MAX_SIBLINGS: usize = 8;

/// Returns the canonical path of the folder `given`, which is not empty. `checkout` is the folder that `given` should
/// be in.
pub(super) fn find_root(given: &Path, checkout: Option<&Path>) -> Result<PathBuf> {
    let absolute = std::path::absolute(given).unwrap_or_else(|_| given.to_owned());
    let named = checkout.and_then(|checkout| absolute.strip_prefix(checkout).ok()).unwrap_or(&absolute);
    let path = named.to_owned();
    let root = match fs::canonicalize(&absolute) {
        Ok(root) => root,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            let siblings = siblings(&absolute, checkout);
            let reason = missing_reason(&absolute, checkout);
            return Err(Error::Missing(MissingFolder { path, siblings, reason }));
        }
        Err(source) => return Err(Error::FolderUnreadable { path, source }),
    };
    if !root.is_dir() {
        return Err(Error::NotAFolder(path));
    }
    if is_empty_folder(&root) {
        let reason = if !empty_submodules(&root).is_empty() {
            EmptyReason::Submodule
        } else if checkout.is_some_and(|checkout| checkout != absolute && !is_empty_folder(checkout)) {
            EmptyReason::NothingBuilt
        } else {
            EmptyReason::NoCheckout
        };
        return Err(Error::Empty { path, reason });
    }
    Ok(root)
}

/// Returns the first folder above a path that exists.
fn parent_that_exists(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|folder| folder.is_dir())
}

/// Lists the entries of the nearest folder that exists, if that is in the checkout.
fn siblings(path: &Path, checkout: Option<&Path>) -> Siblings {
    let Some((parent, checkout)) = parent_that_exists(path).zip(checkout) else { return Siblings::default() };
    let Ok(below) = parent.strip_prefix(checkout) else { return Siblings::default() };
    let entries = entries(parent);
    let names = entries.iter().take(MAX_SIBLINGS).map(|(name, _)| quoted_path(Path::new(name))).collect();
    Siblings { folder: Some(below.to_owned()), names, has_more: entries.len() > MAX_SIBLINGS }
}

/// Returns the names in a folder, each with true for a folder. Folders come first, hidden entries are left out.
fn entries(folder: &Path) -> Vec<(String, bool)> {
    let mut entries: Vec<(String, bool)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path().is_dir()))
        .filter(|(name, _)| !name.starts_with('.'))
        .collect();
    entries.sort_by(|(name, is_folder), (other, is_other)| is_other.cmp(is_folder).then(name.cmp(other)));
    entries
}

fn missing_reason(path: &Path, checkout: Option<&Path>) -> MissingReason {
    let parent = parent_that_exists(path);
    if checkout.or(parent).is_some_and(is_empty_folder) {
        return MissingReason::EmptyCheckout;
    }
    if let Some(checkout) = checkout.filter(|checkout| !path.starts_with(checkout)) {
        return MissingReason::OutsideCheckout { inside: path_inside(path, checkout) };
    }
    if path.to_string_lossy().contains(['*', '?', '[']) {
        return MissingReason::Wildcards;
    }
    let similar = parent.and_then(|parent| similar_folder(path, parent));
    let base = checkout.unwrap_or(Path::new(""));
    let relative = |folder: PathBuf| folder.strip_prefix(base).map(Path::to_owned).unwrap_or(folder);
    MissingReason::NotMade { similar: similar.map(relative) }
}

/// Returns the folder that a misspelt path stands for.
fn similar_folder(path: &Path, parent: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(parent).ok()?;
    let mut parts = rest.components();
    let missing = parts.next()?.as_os_str().to_str()?;
    let entries = entries(parent);
    let folders: Vec<&str> =
        entries.iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| name.as_str()).collect();
    let similar = parent.join(suggest::meant(missing, &folders)?);
    let whole = similar.join(parts.as_path());
    Some(if whole.is_dir() { whole } else { similar })
}

/// Returns the folder of the checkout that a path of the runner's machine, such as `/__w/repo/repo/dist`, stands for.
fn path_inside(path: &Path, checkout: &Path) -> Option<PathBuf> {
    let parts: Vec<&OsStr> = path.components().skip(1).map(|part| part.as_os_str()).collect();
    let tails = (1..parts.len()).map(|skipped| parts[skipped..].iter().collect::<PathBuf>());
    let mut inside = tails.filter(|tail| checkout.join(tail).is_dir());
    inside.next()
}

/// Reports whether the folder is a checkout, and not a folder in one.
pub(super) fn is_whole_checkout(root: &Path, workspace: Option<&Path>) -> bool {
    let is_workspace =
        workspace.and_then(|workspace| fs::canonicalize(workspace).ok()).is_some_and(|it| it == root);
    is_workspace || fs::symlink_metadata(root.join(".git")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout with the folders `app/web` and `docs`, and a file.
    fn checkout() -> tempfile::TempDir {
        let checkout = tempfile::tempdir().unwrap();
        fs::create_dir_all(checkout.path().join("app/web")).unwrap();
        fs::create_dir(checkout.path().join("docs")).unwrap();
        fs::create_dir(checkout.path().join(".git")).unwrap();
        fs::write(checkout.path().join("README.md"), "x").unwrap();
        checkout
    }

    fn error(checkout: &tempfile::TempDir, folder: impl AsRef<Path>) -> Error {
        find_root(&checkout.path().join(folder), Some(checkout.path())).unwrap_err()
    }

    fn reason(checkout: &tempfile::TempDir, folder: impl AsRef<Path>) -> MissingReason {
        match error(checkout, folder) {
            Error::Missing(missing) => missing.reason,
            other => panic!("not a missing folder: {other}"),
        }
    }

    #[test]
    fn missing_folder_lists_its_siblings() {
        let checkout = checkout();
        assert_eq!(
            error(&checkout, "App").to_string(),
            "the source folder `App` does not exist in the checkout (there are: `app`, `docs`, `README.md`)"
        );
        assert_eq!(
            error(&checkout, "app/wbe").to_string(),
            "the source folder `app/wbe` does not exist in `app` (there are: `web`)"
        );
    }

    #[test]
    fn missing_folder_has_a_probable_reason() {
        let checkout = checkout();
        let similar = |folder: &str| MissingReason::NotMade { similar: Some(folder.into()) };
        assert_eq!(reason(&checkout, "App"), similar("app"));
        assert_eq!(reason(&checkout, "app/wbe"), similar("app/web"));
        assert_eq!(reason(&checkout, "App/web"), similar("app/web"));
        assert_eq!(reason(&checkout, "dist"), MissingReason::NotMade { similar: None });
        assert_eq!(reason(&checkout, "app/*"), MissingReason::Wildcards);
        assert_eq!(reason(&tempfile::tempdir().unwrap(), "dist"), MissingReason::EmptyCheckout);
    }

    #[test]
    fn path_of_the_runner_is_found_in_the_checkout() {
        let checkout = checkout();
        for (path, inside) in [
            ("/__w/my-repo/my-repo/app", Some("app")),
            ("/home/runner/work/my-repo/my-repo/app/web", Some("app/web")),
            ("/__w/my-repo/my-repo/dist", None),
        ] {
            let message = error(&checkout, path).to_string();
            assert!(message.contains(&format!("`{path}` does not exist")), "{message}");
            let inside = inside.map(PathBuf::from);
            assert_eq!(reason(&checkout, path), MissingReason::OutsideCheckout { inside });
        }
    }

    #[test]
    fn empty_folder_has_a_probable_reason() {
        let checkout = checkout();
        let docs = error(&checkout, "docs");
        assert_eq!(docs.to_string(), "the source folder `docs` is empty");
        assert!(matches!(docs, Error::Empty { reason: EmptyReason::NothingBuilt, .. }));
        let empty = error(&tempfile::tempdir().unwrap(), "");
        assert!(matches!(empty, Error::Empty { reason: EmptyReason::NoCheckout, .. }));
    }
}
