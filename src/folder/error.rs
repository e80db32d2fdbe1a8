//! Errors of a folder that cannot be deployed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use hub::shorten;

use super::limits::{MAX_FILE_BYTES, MAX_FOLDER_ENTRIES};
use super::patterns::UnusedPattern;
use crate::text::{count, name_some, quoted_path};

/// Maximum length of a path in a message, in characters, because a message may name ten of them.
const MAX_SHOWN_PATH: usize = 200;

/// Result of an operation on a folder.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error of a folder that cannot be deployed. All problems of one kind are in one error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder does not exist.
    #[error("the source folder {} does not exist{}", quoted_path(&.0.path), .0.siblings)]
    Missing(MissingFolder),
    /// The path names a file.
    #[error("the source folder {} is not a folder", quoted_path(.0))]
    NotAFolder(PathBuf),
    /// The folder has no entries.
    #[error("the source folder {} is empty", quoted_path(.path))]
    Empty { path: PathBuf, reason: EmptyReason },
    /// All entries of the folder are left out.
    #[error("the source folder {} holds nothing to deploy", quoted_path(.path))]
    NothingLeft {
        path: PathBuf,
        /// Number of files and folders that patterns left out.
        left_out: usize,
        unused_patterns: Vec<UnusedPattern>,
    },
    /// The folder itself cannot be read.
    #[error("cannot read the source folder {}: {source}", quoted_path(.path))]
    FolderUnreadable { path: PathBuf, source: io::Error },
    /// Patterns are malformed. Each text names the list and the pattern.
    #[error("cannot read the patterns of the source folder: {}", .0.join("; "))]
    BadPatterns(Vec<String>),
    /// An ignore file is not UTF-8.
    #[error("`{}` is not UTF-8", .0.display())]
    IgnoreFileNotUtf8(PathBuf),
    /// Entries of the folder cannot be read.
    #[error("cannot read {} of the source: {}", count(.0.len(), "path"), name_some(&with_errors(.0)))]
    Unreadable(Vec<(String, io::Error)>),
    /// The Hub refuses paths.
    #[error("the Hub refuses {} of the source: {}", count(.0.len(), "path"), name_some(.0))]
    RefusedPaths(Vec<String>),
    /// Symbolic links lead out of the folder, to nothing, or in a circle.
    #[error("cannot follow {}: {}", count(.0.len(), "symbolic link"), name_some(.0))]
    Links(Vec<String>),
    /// Files are Git LFS pointers.
    #[error("found a Git LFS pointer in place of the content in {}: {}", count(.0.len(), "file"), name_some(.0))]
    LfsPointers(Vec<String>),
    /// Files or folders exceed the limits of the Hub.
    #[error(
        "the Hub takes files of at most {} GB and folders of at most {MAX_FOLDER_ENTRIES} entries: {}",
        MAX_FILE_BYTES / 1_000_000_000,
        name_some(.0)
    )]
    TooLarge(Vec<String>),
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    FileUnreadable { path: String, source: io::Error },
    /// A file is no longer the one that was found.
    #[error("`{path}` changed while it was deployed")]
    FileChanged { path: String, source: io::Error },
}

/// A folder that does not exist.
#[derive(Debug)]
pub struct MissingFolder {
    /// Relative to the checkout, if it is in the checkout.
    pub path: PathBuf,
    /// Entries of the nearest folder that exists.
    pub siblings: Siblings,
    /// Probable reason.
    pub reason: MissingReason,
}

/// Entries of the nearest folder that exists, as the end of a sentence. Empty outside of the checkout.
#[derive(Debug, Default)]
pub struct Siblings {
    /// Relative to the checkout.
    pub(super) folder: Option<PathBuf>,
    /// Some entries, for a message.
    pub(super) names: Vec<String>,
    /// True if there are more entries.
    pub(super) has_more: bool,
}

/// Probable reason why a folder does not exist.
#[derive(Debug, PartialEq, Eq)]
pub enum MissingReason {
    /// The checkout is empty.
    EmptyCheckout,
    /// The path is outside of the checkout.
    OutsideCheckout {
        /// Folder of the checkout that the path may stand for.
        inside: Option<PathBuf>,
    },
    /// The path has wildcards.
    Wildcards,
    /// The folder was not made, or its name is misspelt.
    NotMade {
        /// Folder with a similar name, relative to the checkout.
        similar: Option<PathBuf>,
    },
}

/// Probable reason why a folder is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyReason {
    /// It is a submodule that was not fetched.
    Submodule,
    /// The checkout has files, but no step wrote into this folder.
    NothingBuilt,
    /// The repository was not checked out.
    NoCheckout,
}

impl fmt::Display for Siblings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(folder) = &self.folder else { return Ok(()) };
        if folder.as_os_str().is_empty() {
            f.write_str(" in the checkout")?;
        } else {
            write!(f, " in {}", quoted_path(folder))?;
        }
        if self.names.is_empty() {
            return Ok(());
        }
        let more = if self.has_more { ", …" } else { "" };
        write!(f, " (there are: {}{more})", self.names.join(", "))
    }
}

/// Problems of the entries of a folder, by kind. Names are as messages show them.
#[derive(Default)]
pub(super) struct Problems {
    pub(super) unreadable: Vec<(String, io::Error)>,
    pub(super) refused_paths: Vec<String>,
    pub(super) links: Vec<String>,
    pub(super) lfs_pointers: Vec<String>,
    pub(super) too_large: Vec<String>,
}

impl Problems {
    /// Returns the first kind that occurred, with all its cases.
    pub(super) fn into_result(mut self) -> Result<()> {
        self.unreadable.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if !self.unreadable.is_empty() {
            return Err(Error::Unreadable(self.unreadable));
        }
        refuse(self.refused_paths, Error::RefusedPaths)?;
        refuse(self.links, Error::Links)?;
        refuse(self.lfs_pointers, Error::LfsPointers)?;
        refuse(self.too_large, Error::TooLarge)
    }
}

fn refuse(mut names: Vec<String>, error: fn(Vec<String>) -> Error) -> Result<()> {
    names.sort_unstable();
    if names.is_empty() { Ok(()) } else { Err(error(names)) }
}

fn with_errors(paths: &[(String, io::Error)]) -> Vec<String> {
    paths.iter().map(|(path, error)| format!("{path} ({error})")).collect()
}

/// Returns a path that the Hub refuses, with the reason: a parse error that may end with the path.
pub(super) fn refused(path: &Path, reason: &str) -> String {
    let reason = reason.split_once(": \"").map_or(reason, |(reason, _)| reason);
    let escaped = format!("{path:?}");
    format!("{} ({reason})", shorten(&escaped, MAX_SHOWN_PATH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_paths_cannot_break_a_message() {
        let reason = "a\nb".parse::<hub::RepoPath>().unwrap_err().to_string();
        let message = refused(Path::new("a\nb"), &reason);
        assert_eq!(message, "\"a\\nb\" (has the control character '\\n', which the Hub refuses)");
    }

    #[test]
    fn problems_are_reported_one_kind_at_a_time_and_in_order() {
        assert!(Problems::default().into_result().is_ok());
        let lfs_pointers = || vec!["`b`".to_owned(), "`a`".to_owned()];
        let links = vec!["`c` leads to nothing".to_owned()];
        let both = Problems { lfs_pointers: lfs_pointers(), links, ..Problems::default() };
        assert!(matches!(both.into_result(), Err(Error::Links(links)) if links.len() == 1));
        let one = Problems { lfs_pointers: lfs_pointers(), ..Problems::default() };
        assert_eq!(
            one.into_result().unwrap_err().to_string(),
            "found a Git LFS pointer in place of the content in 2 files: `a`, `b`"
        );
    }
}
