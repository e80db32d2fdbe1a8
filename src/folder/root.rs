//! The source folder itself: there, a folder, and not empty.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::faults::shown;
use super::submodules::{empty_submodules, is_empty_folder};
use crate::failure::{Code, Failure, Result};
use crate::target::suggest;

/// Number of names that a message lists of a folder.
const LISTED: usize = 8;

/// Returns the canonical path of the source folder, which is not empty. `checkout` is the folder that `given` is
/// below, unless it leads elsewhere.
pub(super) fn find_root(given: &Path, checkout: Option<&Path>) -> Result<PathBuf> {
    let absolute = std::path::absolute(given).unwrap_or_else(|_| given.to_owned());
    let named = checkout.and_then(|checkout| absolute.strip_prefix(checkout).ok()).unwrap_or(&absolute);
    let missing = |what: &str| {
        let message = format!("the source folder {} {what}", shown(named));
        Failure::new(Code::SourceMissing, message)
    };
    let root = match fs::canonicalize(&absolute) {
        Ok(root) => root,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            let what = format!("does not exist{}", neighbours(&absolute, checkout));
            let hints = hints_for_missing(&absolute, checkout);
            return Err(hints.into_iter().fold(missing(&what), Failure::hint));
        }
        Err(error) => {
            let message = format!("cannot read the source folder {}: {error}", shown(named));
            return Err(Failure::new(Code::SourceUnreadable, message).caused_by(error));
        }
    };
    if !root.is_dir() {
        return Err(missing("is not a folder").hint("`source_dir` names the folder that holds the files"));
    }
    if is_empty_folder(&root) {
        let hint = if !empty_submodules(&root).is_empty() {
            SUBMODULE_HINT
        } else if checkout.is_some_and(|checkout| checkout != absolute && !is_empty_folder(checkout)) {
            EMPTY_HINT
        } else {
            CHECKOUT_HINT
        };
        return Err(missing("is empty").hint(hint));
    }
    Ok(root)
}

const CHECKOUT_HINT: &str = "run actions/checkout in this job, before this step: the workspace starts empty";
const EMPTY_HINT: &str =
    "check where the build step writes to, and that it runs in this job, before this step";
const BUILD_HINT: &str = "if a step makes the folder, run it in this job, before this step";
pub(super) const SUBMODULE_HINT: &str =
    "set `submodules: true` for actions/checkout, so that it fetches the submodules";

/// Returns the first folder above a path that exists.
fn parent_that_exists(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|folder| folder.is_dir())
}

/// Lists what is there in place of a folder that is missing, as the end of a sentence.
fn neighbours(path: &Path, checkout: Option<&Path>) -> String {
    let Some((parent, checkout)) = parent_that_exists(path).zip(checkout) else { return String::new() };
    let Ok(below) = parent.strip_prefix(checkout) else { return String::new() };
    let entries = entries(parent);
    let names: Vec<String> = entries.iter().take(LISTED).map(|(name, _)| shown(Path::new(name))).collect();
    let more = if entries.len() > LISTED { ", …" } else { "" };
    let is_top = below.as_os_str().is_empty();
    let place = if is_top { " in the checkout".to_owned() } else { format!(" in {}", shown(below)) };
    if names.is_empty() {
        return place;
    }
    format!("{place} (there are: {}{more})", names.join(", "))
}

/// Returns the names in a folder, and whether each is a folder: folders first, and nothing hidden.
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

fn hints_for_missing(path: &Path, checkout: Option<&Path>) -> Vec<String> {
    let parent = parent_that_exists(path);
    if checkout.or(parent).is_some_and(is_empty_folder) {
        return vec![CHECKOUT_HINT.to_owned()];
    }
    if let Some(checkout) = checkout.filter(|checkout| !path.starts_with(checkout)) {
        let inside = path_inside(path, checkout);
        let inside = inside.map(|inside| format!(": did you mean {}?", shown(&inside))).unwrap_or_default();
        return vec![format!(
            "this step runs in a container that has the checkout only: write `source_dir` relative to it{inside}"
        )];
    }
    if path.to_string_lossy().contains(['*', '?', '[']) {
        return vec![
            "`source_dir` names one folder, without `*`: choose the files in it with `include`".to_owned(),
        ];
    }
    let near = parent.and_then(|parent| near_folder(path, parent));
    let base = checkout.unwrap_or(Path::new(""));
    let near = near.map(|near| format!("did you mean {}?", shown(near.strip_prefix(base).unwrap_or(&near))));
    near.into_iter().chain([BUILD_HINT.to_owned()]).collect()
}

/// Returns the folder that a misspelt one stands for.
fn near_folder(path: &Path, parent: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(parent).ok()?;
    let mut parts = rest.components();
    let missing = parts.next()?.as_os_str().to_str()?;
    let entries = entries(parent);
    let folders: Vec<&str> =
        entries.iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| name.as_str()).collect();
    let near = parent.join(suggest::meant(missing, &folders)?);
    let whole = near.join(parts.as_path());
    Some(if whole.is_dir() { whole } else { near })
}

/// Returns the folder of the checkout that a path of the runner's machine, such as `/__w/repo/repo/dist`, stands for.
fn path_inside(path: &Path, checkout: &Path) -> Option<PathBuf> {
    let parts: Vec<&OsStr> = path.components().skip(1).map(|part| part.as_os_str()).collect();
    let tails = (1..parts.len()).map(|skipped| parts[skipped..].iter().collect::<PathBuf>());
    let mut inside = tails.filter(|tail| checkout.join(tail).is_dir());
    inside.next()
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
            "`include`, `exclude`, .hfignore, .gitignore and the defaults leave out all there is ({hidden} {})",
            if hidden == 1 { "entry" } else { "entries" }
        )),
    }
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

    fn missing(checkout: &tempfile::TempDir, source_dir: &str) -> Failure {
        let failure = find_root(&checkout.path().join(source_dir), Some(checkout.path())).unwrap_err();
        assert_eq!(failure.code, Code::SourceMissing);
        failure
    }

    #[test]
    fn a_missing_folder_names_what_is_there() {
        let checkout = checkout();
        let failure = missing(&checkout, "App");
        assert_eq!(
            failure.message,
            "the source folder `App` does not exist in the checkout (there are: `app`, `docs`, `README.md`)"
        );
        assert_eq!(failure.hints, ["did you mean `app`?", BUILD_HINT]);
        let failure = missing(&checkout, "app/wbe");
        assert_eq!(failure.message, "the source folder `app/wbe` does not exist in `app` (there are: `web`)");
        assert_eq!(failure.hints, ["did you mean `app/web`?", BUILD_HINT]);
        assert_eq!(missing(&checkout, "App/web").hints[0], "did you mean `app/web`?");
        assert_eq!(missing(&checkout, "dist").hints, [BUILD_HINT]);
        assert!(missing(&checkout, "app/*").hints[0].contains("with `include`"));
    }

    #[test]
    fn a_path_of_the_runner_is_explained() {
        let checkout = checkout();
        for (path, inside) in [
            ("/__w/my-repo/my-repo/app", Some("`app`")),
            ("/home/runner/work/my-repo/my-repo/app/web", Some("`app/web`")),
            ("/__w/my-repo/my-repo/dist", None),
        ] {
            let failure = find_root(Path::new(path), Some(checkout.path())).unwrap_err();
            assert!(failure.message.contains(&format!("`{path}` does not exist")), "{failure}");
            let hint = &failure.hints[0];
            assert!(hint.contains("a container that has the checkout only"), "{hint}");
            match inside {
                Some(inside) => assert!(hint.ends_with(&format!("did you mean {inside}?")), "{hint}"),
                None => assert!(hint.ends_with("relative to it"), "{hint}"),
            }
        }
    }

    #[test]
    fn an_empty_folder_of_a_full_checkout_is_no_missing_checkout() {
        let checkout = checkout();
        let failure = missing(&checkout, "docs");
        assert_eq!(failure.message, "the source folder `docs` is empty");
        assert_eq!(failure.hints, [EMPTY_HINT]);
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(missing(&empty, "").hints, [CHECKOUT_HINT]);
        assert_eq!(missing(&empty, "dist").hints, [CHECKOUT_HINT]);
    }
}
