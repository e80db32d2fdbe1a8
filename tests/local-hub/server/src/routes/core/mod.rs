//! Routes of repositories.

pub(super) mod commit;
pub(super) mod compare;
pub(super) mod create;
pub(super) mod discussions;
pub(super) mod duplicate;
mod expand;
pub(super) mod gated;
pub(super) mod info;
pub(super) mod lfs_files;
pub(super) mod moved;
pub(super) mod new_repo;
pub(super) mod ranges;
pub(super) mod refs;
pub(super) mod repos;
pub(super) mod resolve;
pub(super) mod transfer;
pub(super) mod tree;
pub(super) mod upload;
