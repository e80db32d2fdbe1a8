//! What the Hub has of each file, and how it wants to get it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::Transfer;
use crate::failure::{Code, Failure};
use crate::folder::SourceFile;
use crate::hub::call::Call;
use crate::hub::client::Hub;
use crate::hub::encode;
use crate::hub::error::HubError;
use crate::target::RepoPath;

/// Files in one request: the contract allows 1,000, and the official client sends 256.
const BATCH: usize = 500;
/// The smallest batch that is halved, should the Hub refuse it.
const SMALLEST_BATCH: usize = 16;
/// Requests under way at once.
const PARALLEL: usize = 4;

/// How the Hub wants to get a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadMode {
    /// With the commit itself.
    Regular,
    /// Into the storage for large files, before the commit.
    Lfs,
}

/// The Hub's answer for all files, in the order asked.
#[derive(Debug, Clone)]
pub struct Preupload {
    pub files: Vec<PreuploadFile>,
    /// The commits that the answers were given for: more than one when the branch moved meanwhile.
    pub commits: Vec<String>,
}

/// The Hub's answer for one file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreuploadFile {
    pub path: String,
    pub upload_mode: UploadMode,
    /// A `.gitignore` in the repo matches it: the Hub advises to leave it out.
    #[serde(default)]
    pub should_ignore: bool,
    /// What the Hub holds at this path: the git blob SHA-1, or the SHA-256 of a large file.
    pub oid: Option<String>,
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
    /// The first 512 bytes, in base64.
    sample: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    files: Vec<PreuploadFile>,
    commit_oid: Option<String>,
}

/// The parts of a question that all batches of one upload share.
struct Asking<'a> {
    transfer: &'a Transfer,
    git_ignore: Option<&'a str>,
    /// Files in one request, as far as is known.
    limit: &'a AtomicUsize,
}

/// Why a batch has no answer.
enum Refused {
    /// The Hub may take fewer files at once.
    TooMany(Failure),
    Other(Failure),
}

impl From<HubError> for Refused {
    fn from(error: HubError) -> Self {
        match error.status() {
            Some(400 | 413 | 422) => Self::TooMany(error.into()),
            _ => Self::Other(error.into()),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl Hub {
    /// Asks about files (`POST …/preupload/{rev}`), a batch at a time. `git_ignore` is the `.gitignore`
    /// that is about to be committed, if there is one.
    pub async fn preupload(
        &self,
        transfer: &Transfer,
        files: &[(RepoPath, &SourceFile)],
        git_ignore: Option<&str>,
    ) -> Result<Preupload, Failure> {
        let limit = AtomicUsize::new(BATCH);
        let asking = Asking { transfer, git_ignore, limit: &limit };
        let replies: Vec<Vec<Reply>> = stream::iter(files.chunks(BATCH))
            .map(|batch| self.preupload_batch(&asking, batch))
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let replies: Vec<Reply> = replies.into_iter().flatten().collect();
        let mut commits: Vec<String> = replies.iter().filter_map(|reply| reply.commit_oid.clone()).collect();
        commits.dedup();
        Ok(Preupload { files: replies.into_iter().flat_map(|reply| reply.files).collect(), commits })
    }

    /// Asks about a batch, in halves where the Hub refuses it as a whole.
    async fn preupload_batch(
        &self,
        asking: &Asking<'_>,
        batch: &[(RepoPath, &SourceFile)],
    ) -> Result<Vec<Reply>, Failure> {
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
                Err(Refused::TooMany(failure) | Refused::Other(failure)) => return Err(failure),
            }
        }
        Ok(replies)
    }

    async fn preupload_once(
        &self,
        asking: &Asking<'_>,
        batch: &[(RepoPath, &SourceFile)],
    ) -> Result<Reply, Refused> {
        let Asking { transfer, git_ignore, .. } = *asking;
        let what = format!("prepare the upload to the {}", transfer.repo);
        let query = if transfer.create_pr { "?create_pr=1" } else { "" };
        let path = format!("{}/preupload/{}{query}", transfer.repo.api(), encode(transfer.revision.as_str()));
        let mut questions = Vec::with_capacity(batch.len());
        for (path, source) in batch {
            let sample = source.sample().map_err(|error| source.failure(error))?;
            questions.push(FileQuestion {
                path: path.as_str(),
                size: source.size,
                sample: STANDARD.encode(sample),
            });
        }
        let question = Question { files: questions, git_ignore };
        let call = Call::new(&what, Method::POST, self.url(&path)?).json(&question);
        let answer = self.call(&call).await.map_err(Refused::from)?;
        let mut reply: Reply = answer.json(&what).map_err(Failure::from)?;
        // The answer is in the order of the question; a Hub that answers otherwise is put in order.
        if !batch.iter().map(|(path, _)| path.as_str()).eq(reply.files.iter().map(|file| file.path.as_str()))
        {
            reply.files = in_order(batch, reply.files).map_err(|path| {
                Failure::new(Code::HubRefused, format!("cannot {what}: no answer for `{path}`"))
            })?;
        }
        // Whatever the Hub says of its name: a large file without content is a pointer to nothing.
        for (file, _) in reply.files.iter_mut().zip(batch).filter(|(_, (_, source))| source.size == 0) {
            file.upload_mode = UploadMode::Regular;
        }
        Ok(reply)
    }
}

fn in_order(
    batch: &[(RepoPath, &SourceFile)],
    files: Vec<PreuploadFile>,
) -> Result<Vec<PreuploadFile>, String> {
    let mut by_path: std::collections::HashMap<String, PreuploadFile> =
        files.into_iter().map(|file| (file.path.clone(), file)).collect();
    batch.iter().map(|(path, _)| by_path.remove(path.as_str()).ok_or_else(|| path.to_string())).collect()
}
