//! Storage buckets: files without versions, whose content is in the CAS.

pub(crate) mod batch;
pub(crate) mod bucket;
pub(crate) mod registry;
