//! Repositories: git objects, refs, commits, discussions, and large files by LFS or Xet.

pub(crate) mod attributes;
pub(crate) mod card;
pub(crate) mod commit;
pub(crate) mod content;
pub(crate) mod discussion;
pub(crate) mod large_files;
pub(crate) mod lfs;
pub(crate) mod merge;
pub(crate) mod new_repo;
pub(crate) mod objects;
pub(crate) mod planted;
pub(crate) mod repo;
pub(crate) mod repo_type;
pub(crate) mod repos;
pub(crate) mod snapshot;
pub(crate) mod xet;
