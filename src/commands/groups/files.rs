//! The files: which of them are deployed, and which files of the repo are deleted.

use std::path::{Path, PathBuf};

use hub::{RepoPath, shorten};

use crate::action::GithubContext;
use crate::commands::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{self, Parsed, SHOWN, not_like, refuse};
use crate::commands::inputs::values::Values;
use crate::ops::deploy::options::{DeleteLimit, Prune, SecretsInFiles};

inputs! {
    /// Inputs of the files.
    FILES: "Files", "";
    SOURCE_DIR = Input {
        kind: ValueKind::Text("FOLDER"),
        summary: "Folder to deploy, relative to the root of the checkout",
        details: "An empty value is an error.",
        default: DefaultValue::Passed("."),
        elsewhere: &[
            "path", "directory", "dir", "folder", "folder_path", "subdirectory", "subdir", "source", "source_folder",
            "source_path", "src", "src_dir",            "working_directory", "publish_dir", "public_dir", "build_dir", "local_dir", "app_dir",
        ],
        ..Input::new("source_dir")
    };
    PATH_IN_REPO = Input {
        kind: ValueKind::Text("FOLDER"),
        summary: "Folder of the repo to deploy into",
        default: DefaultValue::Words("the root of the repo"),
        elsewhere: &["target_folder", "target_dir", "destination_dir", "server_dir", "remote_path"],
        ..Input::new("path_in_repo")
    };
    INCLUDE = Input {
        kind: ValueKind::Text("PATTERNS"),
        summary: "Patterns of the files to deploy, one per line in gitignore syntax",
        default: DefaultValue::Words("every file"),
        elsewhere: &["allow_patterns"],
        ..Input::new("include")
    };
    EXCLUDE = Input {
        kind: ValueKind::Text("PATTERNS"),
        summary: "Patterns of files that are neither deployed nor deleted, one per line in gitignore syntax",
        elsewhere: &["ignore", "ignore_patterns", "exclude_assets", "clean_exclude"],
        ..Input::new("exclude")
    };
    DEFAULT_EXCLUDES = Input {
        kind: ValueKind::Flag,
        summary: "Exclude `.venv/`, `node_modules/`, `__pycache__/`, `.DS_Store` and, where the whole checkout is deployed, `.github/`",
        default: DefaultValue::Value("true"),
        ..Input::new("default_excludes")
    };
    PRUNE = Input {
        kind: ValueKind::Choice(&["auto", "true", "false"]),
        summary: "Delete files from the repo that the folder does not have",
        details: "`auto` is `true` for Spaces, and `false` for models and datasets.",
        default: DefaultValue::Passed("auto"),
        elsewhere: &["delete_patterns"],
        switches: &[
            ("delete_removed", ["true", "false"]),
            ("delete", ["true", "false"]),
            ("clean", ["true", "false"]),
            ("keep_files", ["false", "true"]),
        ],
        ..Input::new("prune")
    };
    MAX_DELETES = Input {
        kind: ValueKind::Text("LIMIT"),
        summary: "Number or percentage of the files in the repo that a deploy may delete, such as `20` or `50%`",
        details: "A deploy that would delete more is an error.",
        default: DefaultValue::Words("no limit, with a warning from 10 files and half of the repo on"),
        ..Input::new("max_deletes")
    };
    SECRETS_IN_FILES = Input {
        kind: ValueKind::Choice(&["error", "warn", "ignore"]),
        summary: "Reaction to a file or a variable that looks like a secret",
        default: DefaultValue::Words("`error` for variables and in a public repo, `warn` elsewhere"),
        ..Input::new("secrets_in_files")
    };
    CACHE_PATH = Input {
        kind: ValueKind::Text("FILE"),
        summary: "File in the checkout that stores the hashes of large files, so that the next run does not read unchanged files again",
        ..Input::new("cache_path")
    };
}

/// Options of the files.
pub(crate) struct FileOptions {
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) default_excludes: bool,
    pub(crate) prune: Prune,
    pub(crate) max_deletes: Option<DeleteLimit>,
    /// `None` decides by the readers of the repo.
    pub(crate) secrets_in_files: Option<SecretsInFiles>,
    pub(crate) cache_path: Option<PathBuf>,
}

/// Reads all inputs but the folders.
pub(crate) fn read(values: &Values, github: &GithubContext, diagnostics: &mut Diagnostics) -> FileOptions {
    let workspace = github.workspace.as_deref();
    let patterns = |input| parse::patterns(values.text(input).unwrap_or_default());
    FileOptions {
        secrets_in_files: values.field(&SECRETS_IN_FILES, secrets_in_files, diagnostics).ok(),
        cache_path: values.field(&CACHE_PATH, |text| cache_path(text, workspace), diagnostics).ok(),
        prune: values.value(&PRUNE, prune, diagnostics),
        default_excludes: values.flag(&DEFAULT_EXCLUDES, diagnostics),
        max_deletes: values.field(&MAX_DELETES, delete_limit, diagnostics).ok(),
        include: patterns(&INCLUDE),
        exclude: patterns(&EXCLUDE),
    }
}

/// Reads the folder of the repo. `None` is its root.
pub(crate) fn read_path_in_repo(values: &Values, diagnostics: &mut Diagnostics) -> Option<RepoPath> {
    values.field(&PATH_IN_REPO, path_in_repo, diagnostics).ok().flatten()
}

fn secrets_in_files(text: &str) -> Parsed<SecretsInFiles> {
    parse::choice(&SECRETS_IN_FILES, text, |word| match word {
        "error" => Some(SecretsInFiles::Error),
        "warn" => Some(SecretsInFiles::Warn),
        "ignore" => Some(SecretsInFiles::Ignore),
        _ => None,
    })
}

fn prune(text: &str) -> Parsed<Prune> {
    parse::choice(&PRUNE, text, |word| match (word, parse::boolean(word)) {
        ("auto", _) => Some(Prune::Auto),
        (_, Ok(true)) => Some(Prune::Always),
        (_, Ok(false)) => Some(Prune::Never),
        _ => None,
    })
}

/// Parses a number of files, or a percentage of the existing ones.
fn delete_limit(text: &str) -> Parsed<DeleteLimit> {
    let (digits, is_percent) =
        text.strip_suffix('%').map_or((text, false), |digits| (digits.trim_end(), true));
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(most) if is_plain && is_percent && most <= 100 => Ok(DeleteLimit::Percent(most)),
        Ok(most) if is_plain && !is_percent => Ok(DeleteLimit::Files(most)),
        _ => not_like("a number of files like `20`, or a percentage like `50%`", text),
    }
}

/// Reads the folder. An empty value is refused, and not read as the whole checkout: it is most often the output of a
/// build step that does not exist, and pruning would then replace the content of the repo.
pub(crate) fn read_source_dir(
    values: &Values,
    github: &GithubContext,
    diagnostics: &mut Diagnostics,
) -> PathBuf {
    let text = values.text(&SOURCE_DIR).or(SOURCE_DIR.default.value()).unwrap_or_default().trim();
    if text.is_empty() {
        diagnostics.fault(&SOURCE_DIR, "must not be empty: `.` deploys the whole checkout");
    }
    source_dir(text, github.workspace.as_deref())
}

/// Returns the folder below the checkout, without the `.` parts, which would appear in every message.
pub(crate) fn source_dir(text: &str, workspace: Option<&Path>) -> PathBuf {
    let joined = workspace.map_or_else(|| PathBuf::from(text), |workspace| workspace.join(text));
    let clean: PathBuf = joined.components().collect();
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}

/// Parses a folder of the repo. The root is `None`, also for `.` and `./`.
fn path_in_repo(text: &str) -> Parsed<Option<RepoPath>> {
    let path = text.trim_start_matches("./").trim_end_matches('/');
    if path.contains('\\') {
        return refuse(format!("must separate folders by `/`, not by `\\`: `{}`", shorten(text, SHOWN)));
    }
    match path {
        "" | "." => Ok(None),
        path => path.parse().map(Some),
    }
}

/// Parses a file below the checkout. Files outside of it are lost after the run.
fn cache_path(text: &str, workspace: Option<&Path>) -> Parsed<PathBuf> {
    let path: RepoPath = text.trim_start_matches("./").parse()?;
    Ok(workspace.unwrap_or(Path::new(".")).join(path.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prune_takes_booleans_and_auto() {
        assert_eq!(prune("auto"), Ok(Prune::Auto));
        assert_eq!(prune("TRUE"), Ok(Prune::Always));
        assert_eq!(prune("false"), Ok(Prune::Never));
        assert!(prune("always").unwrap_err().0.starts_with("must be `auto`"));
    }

    #[test]
    fn delete_limit_is_a_number_or_a_percentage() {
        assert_eq!(delete_limit("0").ok(), Some(DeleteLimit::Files(0)));
        assert_eq!(delete_limit("20").ok(), Some(DeleteLimit::Files(20)));
        assert_eq!(delete_limit("50 %").ok(), Some(DeleteLimit::Percent(50)));
        for text in ["", "%", "-1", "+1", "101%", "1.5", "half", "10 files"] {
            assert!(delete_limit(text).is_err(), "{text}");
        }
        assert!(DeleteLimit::Files(2).allows(2, 2) && !DeleteLimit::Files(2).allows(3, 9));
        assert!(DeleteLimit::Percent(50).allows(5, 10) && !DeleteLimit::Percent(50).allows(6, 10));
        assert!(DeleteLimit::Percent(0).allows(0, 0) && !DeleteLimit::Percent(0).allows(1, 1000));
    }

    #[test]
    fn root_of_a_repo_may_be_written_as_a_dot() {
        for root in [".", "./", "/"] {
            assert_eq!(path_in_repo(root), Ok(None), "{root}");
        }
        assert_eq!(path_in_repo("./data/").unwrap().unwrap().as_str(), "data");
        assert!(path_in_repo("/data").is_err());
        assert!(path_in_repo("../data").is_err());
    }

    #[test]
    fn source_dir_is_relative_to_the_checkout() {
        let workspace = Some(Path::new("/github/workspace"));
        for (text, full) in [
            (".", "/github/workspace"),
            ("./a/./b/", "/github/workspace/a/b"),
            ("../x", "/github/workspace/../x"),
            ("/srv/app", "/srv/app"),
        ] {
            assert_eq!(source_dir(text, workspace), Path::new(full), "{text}");
        }
        assert_eq!(source_dir(".", None), Path::new("."));
        assert_eq!(source_dir("./", None), Path::new("."));
        assert_eq!(source_dir("a/b", None), Path::new("a/b"));
    }
}
