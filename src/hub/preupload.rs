//! Questions before an upload: the content that the Hub has, and the way it wants each file.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde::{Deserialize, Deserializer, Serialize};

use crate::call::Call;
use crate::client::Hub;
use crate::content::{self, Content, ContentError};
use crate::error::{Cause, Error};
use crate::large_file::Transfer;
use crate::types::{CommitId, ContentId, RepoPath};
use crate::url::encode;

/// Files in one request: the OpenAPI document allows 1,000, the official client sends 256.
const BATCH: usize = 500;
/// Size of the smallest batch that is halved after a refusal.
const SMALLEST_BATCH: usize = 16;
/// Number of requests at the same time.
const PARALLEL: usize = 4;

/// Way in which the Hub wants a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadMode {
    /// In the commit itself.
    Regular,
    /// In the storage of large files, before the commit.
    Lfs,
}

/// Answer of the Hub for all files.
#[derive(Debug, Clone)]
pub struct Preupload {
    /// One entry per file, in the order of the question.
    pub files: Vec<PreuploadFile>,
    /// Commits that the answers are about: more than one if the branch moved meanwhile.
    pub commits: Vec<CommitId>,
}

/// Answer of the Hub for one file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreuploadFile {
    /// Path in the repo.
    pub path: String,
    /// Way in which the Hub wants it.
    pub upload_mode: UploadMode,
    /// True if a `.gitignore` matches it: the Hub advises to leave it out.
    #[serde(default)]
    pub should_ignore: bool,
    /// Present content of this path: the git blob id, or the SHA-256 of a large file.
    #[serde(default, deserialize_with = "known_id")]
    pub oid: Option<ContentId>,
}

/// Takes an id of an unknown form for none, because it can be compared with nothing.
fn known_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ContentId>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

#[derive(Serialize)]
struct Question<'a> {
    files: Vec<FileQuestion<'a>>,
    #[serde(rename = "gitIgnore", skip_serializing_if = "Option::is_none")]
    git_ignore: Option<&'a str>,
}

#[derive(Serialize)]
struct FileQuestion<'a> {
    path: &'a str,
    size: u64,
    /// First 512 bytes, in base64.
    sample: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    files: Vec<PreuploadFile>,
    commit_oid: Option<CommitId>,
}

/// Parts of the question that all batches share.
struct Asking<'a> {
    transfer: &'a Transfer,
    git_ignore: Option<&'a str>,
    /// Maximum number of files in one request, as far as it is known.
    limit: &'a AtomicUsize,
}

/// Reason why a batch has no answer.
enum Refused {
    /// The Hub may accept fewer files at once.
    TooMany(Error),
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error.status() {
            Some(400 | 413 | 422) => Self::TooMany(error),
            _ => Self::Other(error),
        }
    }
}

impl Hub {
    /// Asks about files (`POST …/preupload/{rev}`), in batches. `git_ignore` is the `.gitignore` that will be committed,
    /// if there is one.
    pub async fn preupload(
        &self,
        transfer: &Transfer,
        files: &[(RepoPath, &dyn Content)],
        git_ignore: Option<&str>,
    ) -> Result<Preupload, Error> {
        let limit = AtomicUsize::new(BATCH);
        let asking = Asking { transfer, git_ignore, limit: &limit };
        let replies: Vec<Vec<Reply>> = stream::iter(files.chunks(BATCH))
            .map(|batch| self.preupload_batch(&asking, batch))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let replies: Vec<Reply> = replies.into_iter().flatten().collect();
        let mut commits: Vec<CommitId> =
            replies.iter().filter_map(|reply| reply.commit_oid.clone()).collect();
        commits.dedup();
        Ok(Preupload { files: replies.into_iter().flat_map(|reply| reply.files).collect(), commits })
    }

    /// Asks about a batch, in halves if the Hub refuses it as a whole.
    async fn preupload_batch(
        &self,
        asking: &Asking<'_>,
        batch: &[(RepoPath, &dyn Content)],
    ) -> Result<Vec<Reply>, Error> {
        let mut waiting = VecDeque::from([batch]);
        let mut replies = Vec::new();
        while let Some(batch) = waiting.pop_front() {
            let limit = asking.limit.load(Ordering::Relaxed);
            if batch.len() > limit {
                let (first, rest) = batch.split_at(limit);
                waiting.push_front(rest);
                waiting.push_front(first);
                continue;
            }
            match self.preupload_once(asking, batch).await {
                Ok(reply) => replies.push(reply),
                Err(Refused::TooMany(_)) if batch.len() > SMALLEST_BATCH => {
                    asking.limit.fetch_min(batch.len().div_ceil(2), Ordering::Relaxed);
                    waiting.push_front(batch);
                }
                Err(Refused::TooMany(error) | Refused::Other(error)) => return Err(error),
            }
        }
        Ok(replies)
    }

    async fn preupload_once(
        &self,
        asking: &Asking<'_>,
        batch: &[(RepoPath, &dyn Content)],
    ) -> Result<Reply, Refused> {
        let Asking { transfer, git_ignore, .. } = *asking;
        let operation = format!("prepare the upload to the {}", transfer.repo);
        let query = if transfer.create_pr { "?create_pr=1" } else { "" };
        let path = format!("{}/preupload/{}{query}", transfer.repo.api(), encode(transfer.revision.as_str()));
        let mut questions = Vec::with_capacity(batch.len());
        for (path, content) in batch {
            let sample = content::sample(*content).map_err(|error| {
                Refused::Other(Error::new(&operation, Cause::Content(ContentError::reading(*content, error))))
            })?;
            questions.push(FileQuestion {
                path: path.as_str(),
                size: content.size(),
                sample: STANDARD.encode(sample),
            });
        }
        let question = Question { files: questions, git_ignore };
        let call = Call::new(&operation, Method::POST, self.url(&path)?).json(&question);
        let answer = self.call(&call).await.map_err(Refused::from)?;
        let mut reply: Reply = answer.json(&operation).map_err(Refused::Other)?;
        // The Hub answers in the order of the question. Any other order is put right.
        if !batch.iter().map(|(path, _)| path.as_str()).eq(reply.files.iter().map(|file| file.path.as_str()))
        {
            reply.files = in_order(batch, reply.files).map_err(|path| {
                Refused::Other(Error::unexpected(&operation, format!("no answer for `{path}`")))
            })?;
        }
        // An empty file is always committed as a regular one, because a large file without content is a pointer to nothing.
        for (file, _) in reply.files.iter_mut().zip(batch).filter(|(_, (_, content))| content.size() == 0) {
            file.upload_mode = UploadMode::Regular;
        }
        Ok(reply)
    }
}

fn in_order(
    batch: &[(RepoPath, &dyn Content)],
    files: Vec<PreuploadFile>,
) -> Result<Vec<PreuploadFile>, String> {
    let mut by_path: std::collections::HashMap<String, PreuploadFile> =
        files.into_iter().map(|file| (file.path.clone(), file)).collect();
    batch.iter().map(|(path, _)| by_path.remove(path.as_str()).ok_or_else(|| path.to_string())).collect()
}
