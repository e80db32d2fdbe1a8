//! Storage buckets: creation, lookup, listing, deletion.
//!
//! A bucket has no versions: the last write wins. It is written by Xet and a batch (`bucket_files.rs`), and read by
//! [`Hub::download`].

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::client::Hub;
use crate::error::{Cause, Error};
use crate::refusal::RefusalKind;
use crate::repos::Creation;
use crate::types::{BucketId, BucketPath, XetHash};
use crate::url::encode_path;

/// Entries in one page of a listing: the maximum of the OpenAPI document.
const PAGE: usize = 5000;
/// Maximum number of pages of a listing: 50 million files.
const MAX_PAGES: usize = 10_000;
/// Paths in one question: the OpenAPI document allows 2,000.
const PATHS: usize = 1000;
/// Number of times that a new bucket is looked up, 1 second apart.
const LOOKS: u32 = 5;

/// A bucket (`GET /api/buckets/{id}`).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketInfo {
    /// Current `namespace/name`.
    pub id: String,
    /// True if only its namespace can read it. The Hub leaves it out for a public bucket.
    #[serde(default, deserialize_with = "false_if_null")]
    pub private: bool,
    /// Size of all files in bytes.
    #[serde(default)]
    pub size: u64,
    /// Number of files.
    #[serde(default)]
    pub total_files: u64,
}

/// A bucket in the list of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBucket {
    /// Its `namespace/name`.
    pub id: BucketId,
    /// Time of its creation (RFC 3339).
    pub created_at: Option<String>,
}

/// Row of the list of a namespace.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BucketRow {
    id: String,
    created_at: Option<String>,
}

/// A file in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketFile {
    /// Path in the bucket. It comes from outside: [`TargetFolder`](crate::TargetFolder) checks it.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the content.
    pub xet_hash: XetHash,
    /// Time of the last change that the writer named (RFC 3339).
    pub mtime: Option<String>,
    /// Time of the upload (RFC 3339).
    pub uploaded_at: Option<String>,
}

/// Row of a listing: a file or a folder.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Row {
    File(BucketFile),
    #[serde(other)]
    Other,
}

fn false_if_null<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Option::<bool>::deserialize(from).map(Option::unwrap_or_default)
}

impl Hub {
    /// Looks up a bucket (`GET /api/buckets/{id}`). Returns `None` if it does not exist, or the token cannot see it.
    pub async fn bucket(&self, bucket: &BucketId) -> Result<Option<BucketInfo>, Error> {
        let operation = format!("read the bucket `{bucket}`");
        match self.call(&Call::new(&operation, Method::GET, self.url(&bucket.api())?)).await {
            Ok(answer) => answer.json(&operation).map(Some),
            Err(error) if error.kind() == Some(RefusalKind::RepoNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the buckets of a namespace whose names contain `search` (`GET /api/buckets/{namespace}`).
    pub async fn list_buckets(&self, namespace: &str, search: &str) -> Result<Vec<ListedBucket>, Error> {
        let operation = format!("list the buckets of `{namespace}`");
        let mut url = self.url(&format!("/api/buckets/{}", encode_path(namespace)))?;
        url.query_pairs_mut().append_pair("search", search);
        let rows: Vec<BucketRow> =
            self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)?;
        let listed = rows
            .into_iter()
            .filter_map(|row| Some(ListedBucket { id: row.id.parse().ok()?, created_at: row.created_at }));
        Ok(listed.collect())
    }

    /// Creates a private bucket (`POST /api/buckets/{id}`). A bucket that exists already is a result, not an error, and
    /// may be public: [`Hub::open_private_bucket`] looks.
    pub async fn create_bucket(&self, bucket: &BucketId) -> Result<Creation, Error> {
        let operation = format!("create the bucket `{bucket}`");
        // Without `private`, the Hub makes a public bucket.
        let call =
            Call::new(&operation, Method::POST, self.url(&bucket.api())?).json(&json!({ "private": true }));
        match self.call(&call).await {
            Ok(_) => Ok(Creation::Created),
            // The call is repeated freely, because a second creation has no effect.
            Err(error) if error.kind() == Some(RefusalKind::Conflict) => Ok(Creation::Existed),
            Err(error) => Err(error),
        }
    }

    /// Opens a bucket for private content: creates it if it is missing, and reads back that it is private.
    ///
    /// # Errors
    ///
    /// [`Cause::PublicBucket`] if others can read it. Nothing was written to it then.
    ///
    /// ```no_run
    /// # async fn example(hub: hub::Hub) -> Result<(), Box<dyn std::error::Error>> {
    /// let bucket = "ada/jobs-artifacts".parse()?;
    /// let info = hub.open_private_bucket(&bucket).await?;
    /// println!("{} has {} files", info.id, info.total_files);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open_private_bucket(&self, bucket: &BucketId) -> Result<BucketInfo, Error> {
        let mut found = self.bucket(bucket).await?;
        if found.is_none() {
            self.create_bucket(bucket).await?;
            // A read may come from a replica that does not have the bucket yet.
            for look in 0..LOOKS {
                if look > 0 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                found = self.bucket(bucket).await?;
                if found.is_some() {
                    break;
                }
            }
        }
        match found {
            Some(info) if info.private => Ok(info),
            Some(_) => Err(Error::new(format!("write to the bucket `{bucket}`"), Cause::PublicBucket)),
            None => {
                let detail = "the bucket was created, and cannot be read";
                Err(Error::unexpected(format!("read the bucket `{bucket}`"), detail))
            }
        }
    }

    /// Lists all files below `folder`, or in the whole bucket, in pages of 5,000 (`GET …/tree[/{path}]`). A folder that
    /// does not exist is empty.
    pub async fn list_bucket(
        &self,
        bucket: &BucketId,
        folder: Option<&BucketPath>,
    ) -> Result<Vec<BucketFile>, Error> {
        let operation = format!("list the files of the bucket `{bucket}`");
        let path = folder.map(|folder| format!("/{}", encode_path(folder.as_str()))).unwrap_or_default();
        let url = self.url(&format!("{}/tree{path}?recursive=true&limit={PAGE}", bucket.api()))?;
        let mut next = Some(url);
        let mut files = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(files) };
            let answer = match self.call(&Call::new(&operation, Method::GET, url.clone())).await {
                Ok(answer) => answer,
                Err(error) if error.kind() == Some(RefusalKind::EntryNotFound) => return Ok(files),
                Err(error) => return Err(error),
            };
            let rows: Vec<Row> = answer.json(&operation)?;
            // The Hub matches the path as the beginning of names, so that `runs/4` also lists `runs/42/a.txt`.
            let is_inside =
                |file: &BucketFile| folder.is_none_or(|folder| folder.below(&file.path).is_some());
            files.extend(files_of(rows).filter(is_inside));
            next = self.next_page(&operation, &url, &answer.headers)?;
        }
        Err(Error::unexpected(operation, format!("a listing of more than {MAX_PAGES} pages")))
    }

    /// Returns the files at some paths (`POST …/paths-info`). A path that does not exist has no entry.
    pub async fn bucket_files_at(&self, bucket: &BucketId, paths: &[&str]) -> Result<Vec<BucketFile>, Error> {
        let operation = format!("look at files of the bucket `{bucket}`");
        let mut found = Vec::new();
        for paths in paths.chunks(PATHS) {
            let url = self.url(&format!("{}/paths-info", bucket.api()))?;
            let call = Call::new(&operation, Method::POST, url).json(&json!({ "paths": paths }));
            found.extend(files_of(self.call(&call).await?.json::<Vec<Row>>(&operation)?));
        }
        Ok(found)
    }

    /// Deletes a bucket with all its files (`DELETE /api/buckets/{id}`). Returns false if it did not exist.
    pub async fn delete_bucket(&self, bucket: &BucketId) -> Result<bool, Error> {
        let operation = format!("delete the bucket `{bucket}`");
        match self.call(&Call::new(operation, Method::DELETE, self.url(&bucket.api())?)).await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn files_of(rows: Vec<Row>) -> impl Iterator<Item = BucketFile> {
    rows.into_iter().filter_map(|row| match row {
        Row::File(file) => Some(file),
        Row::Other => None,
    })
}
