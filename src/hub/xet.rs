//! Large files by Xet, through Hugging Face's own transfer engine, hf-xet.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::Instant;
use xet::XetError;
use xet::xet_session::{XetConfig, XetSessionBuilder, XetUploadCommit};

use crate::call::Call;
use crate::client::Hub;
use crate::error::{Cause, Error};
use crate::large_file::{LargeFile, Transfer, Uploaded};
use crate::operation::OnBytes;
use crate::secret::Secret;
use crate::url::encode;
use crate::xet_feed::{self, transfer_error};

/// Interval at which the progress of the engine is read.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Time that an upload may go without a byte moving, retries included. The engine waits for 5 minutes for an answer, and
/// sends the request again; for the answer to its last request it waits without end.
const QUIET_TIMEOUT: Duration = Duration::from_secs(600);

/// Settings of the engine that differ from its defaults.
///
/// No telemetry, because an upload speaks with the Hub about the upload only.
///
/// Up to 6 blocks of 16 MB are sent at the same time, each in 3 requests one after the other. By default a block has
/// 64 MB, and 2 of them take more memory than these 6, because a block is in memory twice while it is packed. (Its size
/// is a setting only in builds of the engine with its feature `simulation`; the storage accepts any size up to 64 MB.)
/// State for a later session is written to the disk early, because of memory as well.
///
/// Waits before retries are similar to those of other requests (the engine draws each between zero and 2, 4, 8, 8, …
/// seconds), because its default needs minutes to notice that the storage is gone.
const ENGINE_SETTINGS: &[(&str, &str)] = &[
    ("telemetry.enabled", "false"),
    ("xorb.simulation_max_bytes", "16mb"),
    ("client.ac_max_upload_concurrency", "6"),
    ("client.ac_initial_upload_concurrency", "6"),
    ("data.session_xorb_metadata_flush_max_count", "32"),
    ("client.connect_timeout", "15s"),
    ("client.retry_base_delay", "2s"),
    ("client.retry_max_duration", "8s"),
    ("client.retry_max_attempts", "8"),
];

/// Permission to write to the storage (`GET …/xet-write-token/{rev}`).
pub(crate) struct XetAccess {
    endpoint: String,
    token: Secret,
    /// End of the token, in seconds of Unix time.
    expires: u64,
    /// Address of the next token for the engine.
    refresh_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenAnswer {
    cas_url: String,
    access_token: String,
    exp: u64,
}

/// Requests a permission to write to the Xet storage. Returns `None` if the Hub has no such storage.
pub(crate) async fn access(hub: &Hub, transfer: &Transfer) -> Result<Option<XetAccess>, Error> {
    let operation = format!("open the storage of the {}", transfer.repo);
    let query = if transfer.create_pr { "?create_pr=1" } else { "" };
    let revision = encode(transfer.revision.as_str());
    let url = hub.url(&format!("{}/xet-write-token/{revision}{query}", transfer.repo.api()))?;
    let refresh_url = url.to_string();
    let answer = match hub.call(&Call::new(&operation, Method::GET, url)).await {
        Ok(answer) => answer.json::<TokenAnswer>(&operation)?,
        Err(error) if error.status() == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(XetAccess {
        endpoint: answer.cas_url,
        token: Secret::new(answer.access_token),
        expires: answer.exp,
        refresh_url,
    }))
}

/// Uploads files in one pass: the engine chunks, hashes (SHA-256 too) and sends while it reads.
pub(crate) async fn upload(
    hub: &Hub,
    access: XetAccess,
    files: &[LargeFile],
    on_bytes: OnBytes,
) -> Result<(Vec<Uploaded>, u64), Error> {
    let scratch = temporary_folder(hub.scratch())
        .map_err(|error| Error::new("make a temporary folder for the upload", Cause::Scratch(error)))?;
    let authorization = hub.authorization().await?;
    let commit = open(access, authorization, scratch.path())
        .await
        .map_err(|error| transfer_error("start the upload of large files", error))?;
    // Stops the tasks of the engine if the upload ends early, by a failure or a signal.
    let guard = AbortOnDrop(Some(commit.clone()));
    let reporter = report_progress(commit.clone(), on_bytes);
    let moved = || {
        let progress = commit.progress();
        progress.total_bytes_completed + progress.total_transfer_bytes_completed
    };
    let result = tokio::select! {
        result = transfer_all(&commit, files) => result,
        () = quiet(moved, QUIET_TIMEOUT) => return Err(stalled()),
    };
    reporter.finish();
    guard.disarm();
    result
}

/// Makes a folder that is deleted when it is dropped. An image may have no `/tmp` yet.
fn temporary_folder(parent: &Path) -> io::Result<TempDir> {
    std::fs::create_dir_all(parent)?;
    tempfile::tempdir_in(parent)
}

/// Waits until `moved` has not changed for `limit`.
async fn quiet(moved: impl Fn() -> u64, limit: Duration) {
    let (mut seen, mut since) = (moved(), Instant::now());
    while since.elapsed() < limit {
        tokio::time::sleep(limit / 60).await;
        let now = moved();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

fn stalled() -> Error {
    Error::new("upload large files", Cause::Stalled { after: QUIET_TIMEOUT })
}

async fn open(
    access: XetAccess,
    authorization: Option<HeaderValue>,
    scratch: &Path,
) -> Result<XetUploadCommit, XetError> {
    let mut config = XetConfig::new();
    for (name, value) in ENGINE_SETTINGS {
        config =
            config.with_config(name, value).map_err(|error| XetError::Configuration(error.to_string()))?;
    }
    let session = XetSessionBuilder::new_with_config(config)
        .with_cache_dir(scratch)
        .with_tokio_handle(tokio::runtime::Handle::current())
        .build()?;
    let mut headers = HeaderMap::new();
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
    session
        .new_upload_commit()?
        .with_endpoint(access.endpoint)
        .with_token_info(access.token.expose(), access.expires)
        .with_token_refresh_url(access.refresh_url, headers)
        .build()
        .await
}

async fn transfer_all(commit: &XetUploadCommit, files: &[LargeFile]) -> Result<(Vec<Uploaded>, u64), Error> {
    let uploaded = xet_feed::feed(commit, files).await?;
    let report =
        commit.commit().await.map_err(|error| transfer_error("finish the upload of large files", error))?;
    Ok((uploaded, report.dedup_metrics.total_bytes_uploaded))
}

struct AbortOnDrop(Option<XetUploadCommit>);

impl AbortOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(commit) = self.0.take() {
            let _ = commit.abort();
        }
    }
}

/// Reports the progress of the engine, until it is finished or dropped.
struct Reporter {
    task: tokio::task::JoinHandle<()>,
    commit: XetUploadCommit,
    reported: Arc<AtomicU64>,
    on_bytes: OnBytes,
}

fn report_progress(commit: XetUploadCommit, on_bytes: OnBytes) -> Reporter {
    let reported = Arc::new(AtomicU64::new(0));
    let task = {
        let (commit, reported, on_bytes) = (commit.clone(), Arc::clone(&reported), Arc::clone(&on_bytes));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PROGRESS_INTERVAL).await;
                report_new_bytes(&commit, &reported, &on_bytes);
            }
        })
    };
    Reporter { task, commit, reported, on_bytes }
}

/// Reports the bytes since the last report.
fn report_new_bytes(commit: &XetUploadCommit, reported: &AtomicU64, on_bytes: &OnBytes) {
    let done = commit.progress().total_bytes_completed;
    let before = reported.fetch_max(done, Ordering::Relaxed);
    if done > before {
        on_bytes(done - before);
    }
}

impl Reporter {
    fn finish(self) {
        report_new_bytes(&self.commit, &self.reported, &self.on_bytes);
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upload_stalls_only_if_no_byte_moves() {
        let started = Instant::now();
        // One byte per minute, for an hour.
        let moved = || started.elapsed().as_secs().min(3600) / 60;
        quiet(moved, QUIET_TIMEOUT).await;
        let minutes = started.elapsed().as_secs() / 60;
        assert!((70..=71).contains(&minutes), "{minutes}");
        assert_eq!(stalled().to_string(), "cannot upload large files: no byte moved for 10 minutes");
    }
}
