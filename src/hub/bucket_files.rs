//! Files of a bucket: upload, batches, deletion.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::call::{Body, Call};
use crate::client::Hub;
use crate::content::Content;
use crate::error::{BatchFailure, Cause, Error};
use crate::operation::OnBytes;
use crate::refusal::Refusal;
use crate::types::{BucketId, BucketPath, XetHash};
use crate::xet;
use crate::xet_feed::Feed;

/// Operations in one batch: the number of the official client.
pub const BUCKET_BATCH: usize = 1000;

/// Content that is in the storage of a bucket, ready to be put at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredContent {
    /// Hash of the content.
    pub xet_hash: XetHash,
    /// Size in bytes.
    pub size: u64,
}

/// One change of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketOperation {
    /// Puts content that was uploaded for this bucket at a path.
    Add {
        /// Path in the bucket.
        path: BucketPath,
        /// Hash of the content.
        xet_hash: XetHash,
        /// Time of the last change of the file.
        mtime: SystemTime,
    },
    /// Puts content of a file that a bucket has already at another path. Nothing is sent.
    Copy {
        /// Path in the bucket.
        path: BucketPath,
        /// Hash of the content.
        xet_hash: XetHash,
        /// Bucket that has it.
        source: BucketId,
        /// Time of the last change of the file.
        mtime: SystemTime,
    },
    /// Deletes a file. The path may be any that a listing has.
    Delete {
        /// Path in the bucket.
        path: String,
    },
}

impl BucketOperation {
    /// Returns the path that the operation changes.
    pub fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Copy { path, .. } => path.as_str(),
            Self::Delete { path } => path,
        }
    }
}

/// Line of a batch (`POST …/batch`).
#[derive(Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
enum Line<'a> {
    #[serde(rename = "addFile")]
    Add {
        path: &'a str,
        xet_hash: XetHash,
        /// Milliseconds since 1970.
        mtime: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        content_type: Option<&'static str>,
    },
    #[serde(rename = "copyFile")]
    Copy {
        path: &'a str,
        xet_hash: XetHash,
        mtime: u64,
        source_repo_type: &'static str,
        source_repo_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        content_type: Option<&'static str>,
    },
    #[serde(rename = "deleteFile")]
    Delete { path: &'a str },
}

impl<'a> From<&'a BucketOperation> for Line<'a> {
    fn from(operation: &'a BucketOperation) -> Self {
        match operation {
            BucketOperation::Add { path, xet_hash, mtime } => Self::Add {
                path: path.as_str(),
                xet_hash: *xet_hash,
                mtime: milliseconds(*mtime),
                content_type: content_type(path.as_str()),
            },
            BucketOperation::Copy { path, xet_hash, source, mtime } => Self::Copy {
                path: path.as_str(),
                xet_hash: *xet_hash,
                mtime: milliseconds(*mtime),
                source_repo_type: "bucket",
                source_repo_id: source.to_string(),
                content_type: content_type(path.as_str()),
            },
            BucketOperation::Delete { path } => Self::Delete { path },
        }
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn content_type(path: &str) -> Option<&'static str> {
    mime_guess::from_path(path).first_raw()
}

#[derive(Deserialize)]
struct BatchAnswer {
    failed: Vec<BatchFailure>,
}

impl Hub {
    /// Uploads content to the storage of a bucket by Xet. Only chunks that the storage does not have are sent. The
    /// content is at no path until [`Hub::change_bucket`] puts it there.
    ///
    /// Returns one entry per content, in order, and the number of bytes that were sent.
    ///
    /// ```no_run
    /// # async fn example(hub: hub::Hub) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use std::time::SystemTime;
    ///
    /// use hub::{BucketOperation, Content, InMemory};
    ///
    /// let bucket = "ada/runs".parse()?;
    /// hub.open_private_bucket(&bucket).await?;
    /// let log: Arc<dyn Content> = Arc::new(InMemory { path: "log.txt".to_owned(), bytes: "ok".into() });
    /// let (stored, _sent) = hub.upload_to_bucket(&bucket, &[log], Arc::new(|_| ())).await?;
    /// let (path, mtime) = ("runs/42/log.txt".parse()?, SystemTime::now());
    /// let add = BucketOperation::Add { path, xet_hash: stored[0].xet_hash, mtime };
    /// let delete = BucketOperation::Delete { path: "runs/41/log.txt".to_owned() };
    /// hub.change_bucket(&bucket, &[add, delete]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn upload_to_bucket(
        &self,
        bucket: &BucketId,
        contents: &[Arc<dyn Content>],
        on_bytes: OnBytes,
    ) -> Result<(Vec<StoredContent>, u64), Error> {
        if contents.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let operation = format!("open the storage of the bucket `{bucket}`");
        let access = xet::access_at(self, &operation, &format!("{}/xet-write-token", bucket.api())).await?;
        let Some(access) = access else {
            return Err(Error::unexpected(
                operation,
                "the bucket does not exist, or the Hub has no Xet storage",
            ));
        };
        let feeds: Vec<Feed<'_>> = contents
            .iter()
            .map(|content| Feed {
                path: content.path(),
                content,
                sha256: None,
                checksum: None,
                needs_sha256: false,
            })
            .collect();
        let (fed, sent) = xet::upload_many(self, access, feeds, on_bytes).await?;
        let stored = fed.into_iter().map(|fed| StoredContent { xet_hash: fed.xet_hash, size: fed.size });
        Ok((stored.collect(), sent))
    }

    /// Uploads content, and puts each at its path: in one batch, if there are no more than 1,000. Returns the number of
    /// bytes that were sent.
    ///
    /// ```no_run
    /// # async fn example(hub: hub::Hub) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use hub::{Content, InMemory};
    ///
    /// let bucket = "ada/runs".parse()?;
    /// hub.open_private_bucket(&bucket).await?;
    /// let state: Arc<dyn Content> =
    ///     Arc::new(InMemory { path: "state.json".to_owned(), bytes: "{}".into() });
    /// hub.write_to_bucket(&bucket, &[("runs/42/state.json".parse()?, state)], Arc::new(|_| ())).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write_to_bucket(
        &self,
        bucket: &BucketId,
        files: &[(BucketPath, Arc<dyn Content>)],
        on_bytes: OnBytes,
    ) -> Result<u64, Error> {
        let contents: Vec<Arc<dyn Content>> = files.iter().map(|(_, content)| Arc::clone(content)).collect();
        let (stored, sent) = self.upload_to_bucket(bucket, &contents, on_bytes).await?;
        let mtime = SystemTime::now();
        let add = |((path, _), stored): (&(BucketPath, _), StoredContent)| BucketOperation::Add {
            path: path.clone(),
            xet_hash: stored.xet_hash,
            mtime,
        };
        let adds: Vec<BucketOperation> = files.iter().zip(stored).map(add).collect();
        self.change_bucket(bucket, &adds).await?;
        Ok(sent)
    }

    /// Changes files of a bucket (`POST …/batch`): additions first and deletions last, in batches of 1,000. Each batch is
    /// repeated after a lost answer, because a second one has the same effect. A file to delete that does not exist is no
    /// error.
    ///
    /// # Errors
    ///
    /// [`Cause::BatchFailed`] if the Hub refuses some operations. It has carried out the others, in all batches.
    pub async fn change_bucket(
        &self,
        bucket: &BucketId,
        operations: &[BucketOperation],
    ) -> Result<(), Error> {
        let operation = format!("change {} files of the bucket `{bucket}`", operations.len());
        let is_deletion = |operation: &&BucketOperation| matches!(operation, BucketOperation::Delete { .. });
        let mut ordered: Vec<&BucketOperation> =
            operations.iter().filter(|operation| !is_deletion(operation)).collect();
        ordered.extend(operations.iter().filter(is_deletion));
        let mut failed = Vec::new();
        for batch in ordered.chunks(BUCKET_BATCH) {
            let refused = self.send_batch(bucket, &operation, batch).await?;
            failed.extend(self.without_deleted(bucket, batch, refused).await?);
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(Error::new(operation, Cause::BatchFailed { sent: operations.len(), failed }))
    }

    /// Deletes all files below a folder of a bucket, and returns their number.
    pub async fn delete_bucket_folder(&self, bucket: &BucketId, folder: &BucketPath) -> Result<usize, Error> {
        let files = self.list_bucket(bucket, Some(folder)).await?;
        let operations: Vec<BucketOperation> =
            files.into_iter().map(|file| BucketOperation::Delete { path: file.path }).collect();
        self.change_bucket(bucket, &operations).await?;
        Ok(operations.len())
    }

    /// Sends one batch, and returns the operations that failed: they are in an answer of 200, or of 422 if all failed.
    async fn send_batch(
        &self,
        bucket: &BucketId,
        operation: &str,
        batch: &[&BucketOperation],
    ) -> Result<Vec<BatchFailure>, Error> {
        let mut body = Vec::new();
        for operation in batch {
            // Only maps with keys other than strings fail here, and there are none.
            body.extend(serde_json::to_vec(&Line::from(*operation)).unwrap_or_default());
            body.push(b'\n');
        }
        let url = self.url(&format!("{}/batch", bucket.api()))?;
        let mut call = Call::new(operation, Method::POST, url);
        call.body = Body::Bytes { content_type: "application/x-ndjson", bytes: body.into() };
        call.accepts = &[422];
        let answer = self.call(&call).await?;
        match answer.json::<BatchAnswer>(operation) {
            Ok(report) => Ok(report.failed),
            // A 422 without a report is a refusal of the request.
            Err(_) if answer.status == StatusCode::UNPROCESSABLE_ENTITY => {
                let refusal = Refusal::read(answer.status, &answer.headers, &answer.body, SystemTime::now());
                Err(Error::new(operation, Cause::Status(refusal)))
            }
            Err(error) => Err(error),
        }
    }

    /// Leaves out failed deletions of files that are not there: they were deleted before, perhaps by a batch whose answer
    /// was lost.
    async fn without_deleted(
        &self,
        bucket: &BucketId,
        batch: &[&BucketOperation],
        mut failed: Vec<BatchFailure>,
    ) -> Result<Vec<BatchFailure>, Error> {
        let deletions: HashSet<&str> = batch
            .iter()
            .filter(|operation| matches!(operation, BucketOperation::Delete { .. }))
            .map(|operation| operation.path())
            .collect();
        let in_doubt: Vec<&str> = failed
            .iter()
            .map(|failure| failure.path.as_str())
            .filter(|path| deletions.contains(path))
            .collect();
        if in_doubt.is_empty() {
            return Ok(failed);
        }
        let there = self.bucket_files_at(bucket, &in_doubt).await?;
        let there: HashSet<String> = there.into_iter().map(|file| file.path).collect();
        failed.retain(|failure| !deletions.contains(failure.path.as_str()) || there.contains(&failure.path));
        Ok(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_have_the_members_of_the_document() {
        let hash = XetHash::from([0xab; 32]);
        let mtime = UNIX_EPOCH + Duration::from_millis(1_760_000_000_123);
        let line = |operation: &BucketOperation| serde_json::to_value(Line::from(operation)).unwrap();
        let path: BucketPath = "runs/42/state.json".parse().unwrap();
        let add = BucketOperation::Add { path: path.clone(), xet_hash: hash, mtime };
        assert_eq!(
            line(&add),
            serde_json::json!({
                "type": "addFile",
                "path": "runs/42/state.json",
                "xetHash": "ab".repeat(32),
                "mtime": 1_760_000_000_123_u64,
                "contentType": "application/json",
            })
        );
        let source = "ada/data".parse().unwrap();
        let copy = line(&BucketOperation::Copy { path, xet_hash: hash, source, mtime });
        assert_eq!((&copy["type"], &copy["sourceRepoType"]), (&"copyFile".into(), &"bucket".into()));
        assert_eq!(copy["sourceRepoId"], "ada/data");
        let delete = BucketOperation::Delete { path: "../a".to_owned() };
        assert_eq!(line(&delete), serde_json::json!({"type": "deleteFile", "path": "../a"}));
    }
}
