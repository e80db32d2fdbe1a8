//! Failures of requests about buckets, with their advice.

use hub::{Access, BucketId, Error, RefusalKind};

use super::Failure;
use super::token_page::token_page;

/// Returns the failure of a request about a bucket. The advice for other refusals is about repos.
pub fn bucket_failure(error: Error, bucket: &BucketId) -> Failure {
    let kind = error.kind();
    let mut failure = Failure::from(error);
    let hint = match kind {
        Some(RefusalKind::RepoNotFound | RefusalKind::EntryNotFound) => format!(
            "check the name of the bucket, `{bucket}`; a private bucket that the token cannot see looks the same"
        ),
        Some(RefusalKind::Forbidden) => format!(
            "the token needs write access to the bucket `{bucket}`: make one at {}",
            token_page(Access::Write, None)
        ),
        _ => return failure,
    };
    failure.hints = vec![hint];
    failure
}
