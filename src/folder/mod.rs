//! A local folder: its files, ignore rules, hashes, and the README card and SDK of a Space.
//!
//! [`read`] walks the folder, and refuses files that the Hub would refuse. It returns a list of files, and opens none
//! of them except small ones that could be Git LFS pointers.

mod cache;
pub mod card;
mod content;
mod error;
pub mod executables;
mod filter;
pub mod framework;
pub mod gitignore;
pub mod hash;
pub mod leaks;
mod left_out;
mod limits;
pub mod near_misses;
mod patterns;
mod pointer;
mod root;
pub mod sdk;
mod source;
mod source_file;
pub mod streamlit;
mod submodules;
mod walk;
pub mod yaml;

pub use cache::HashCache;
pub use error::{EmptyReason, Error, MissingFolder, MissingReason, Result, Siblings};
pub use filter::PathFilter;
pub use gitignore::GitIgnores;
pub use hash::{Checksum, Oid, Sha256, SizeChanged};
pub use left_out::LeftOut;
pub use patterns::{PatternList, UnusedPattern};

pub use source::{Source, SourceOptions};
pub use source_file::{FileContent, SourceFile};
pub use walk::read;

#[cfg(test)]
mod testing {
    use std::path::PathBuf;

    use bytes::Bytes;

    use super::*;

    /// A source that exists in memory only.
    pub(super) fn source(files: &[(&str, &str)]) -> Source {
        let mut source = Source {
            root: PathBuf::from("/nowhere"),
            files: Vec::new(),
            filter: PathFilter::default(),
            git_ignores: GitIgnores::default(),
            left_out: LeftOut::default(),
            unused_patterns: Vec::new(),
        };
        for (path, content) in files {
            source.replace_or_insert(path.parse().unwrap(), Bytes::copy_from_slice(content.as_bytes()));
        }
        source
    }
}
