//! Content by Xet, through Hugging Face's own transfer engine, hf-xet.

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
use xet::xet_session::{XetConfig, XetDownloadStreamGroup, XetSession, XetSessionBuilder, XetUploadCommit};

use crate::call::Call;
use crate::client::Hub;
use crate::error::{Cause, Error};
use crate::large_file::Transfer;
use crate::operation::OnBytes;
use crate::secret::Secret;
use crate::url::encode;
use crate::xet_feed::{self, Fed, Feed, transfer_error};

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

/// Size below which a file is one of many small ones, about which the storage need not be asked.
const SMALL_FILE: u64 = 1 << 20;
/// Small files about which the storage is asked in any case.
const SAMPLE: usize = 16;

/// Settings of the engine for downloads that differ from its defaults: no telemetry, the same waits, and buffers of
/// megabytes in place of gigabytes, because the disk takes the content as it comes.
const READING_SETTINGS: &[(&str, &str)] = &[
    ("telemetry.enabled", "false"),
    ("reconstruction.min_reconstruction_fetch_size", "16mb"),
    ("reconstruction.min_prefetch_buffer", "32mb"),
    ("reconstruction.download_buffer_size", "64mb"),
    ("reconstruction.download_buffer_perfile_size", "16mb"),
    ("reconstruction.download_buffer_limit", "128mb"),
    ("client.ac_max_download_concurrency", "16"),
    ("client.connect_timeout", "15s"),
    ("client.read_timeout", "75s"),
    ("client.retry_base_delay", "2s"),
    ("client.retry_max_duration", "8s"),
    ("client.retry_max_attempts", "8"),
];

/// Permission for the storage (`GET …/xet-(read|write)-token`).
#[derive(Clone)]
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

/// Requests a permission to write the files of a repo. Returns `None` if the Hub has no Xet storage.
pub(crate) async fn access(hub: &Hub, transfer: &Transfer) -> Result<Option<XetAccess>, Error> {
    let operation = format!("open the storage of the {}", transfer.repo);
    let query = if transfer.create_pr { "?create_pr=1" } else { "" };
    let revision = encode(transfer.revision.as_str());
    access_at(hub, &operation, &format!("{}/xet-write-token/{revision}{query}", transfer.repo.api())).await
}

/// Requests the permission at a path of the Hub. Returns `None` if the Hub has no Xet storage there.
pub(crate) async fn access_at(hub: &Hub, operation: &str, path: &str) -> Result<Option<XetAccess>, Error> {
    let url = hub.url(path)?;
    let refresh_url = url.to_string();
    let answer = match hub.call(&Call::new(operation, Method::GET, url)).await {
        Ok(answer) => answer.json::<TokenAnswer>(operation)?,
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

/// Files that the storage has.
pub(crate) struct Stored {
    /// One entry per file, in order.
    pub(crate) files: Vec<Fed>,
    /// Number of bytes that were sent.
    pub(crate) sent: u64,
    /// True if the storage knew some content from earlier uploads.
    has_known: bool,
}

/// Questions of the engine to the storage: one about the first chunk of each file, and more for large files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Questions {
    Asked,
    Omitted,
}

/// Uploads many files. Where the storage knows none of a sample of the small ones, it is not asked about the others,
/// because the answers take longer than the content.
pub(crate) async fn upload_many(
    hub: &Hub,
    access: XetAccess,
    files: Vec<Feed<'_>>,
    on_bytes: OnBytes,
) -> Result<(Vec<Fed>, u64), Error> {
    let small = files.iter().filter(|file| file.content.size() < SMALL_FILE).count();
    if small < 4 * SAMPLE {
        let Stored { files, sent, .. } = upload(hub, access, &files, Questions::Asked, on_bytes).await?;
        return Ok((files, sent));
    }
    let mut seen = 0;
    let (first, rest): (Vec<_>, Vec<_>) = files.into_iter().enumerate().partition(|(_, file)| {
        if file.content.size() >= SMALL_FILE {
            return true;
        }
        seen += 1;
        (seen - 1) % (small / SAMPLE) == 0
    });
    let (mut order, first): (Vec<usize>, Vec<Feed<'_>>) = first.into_iter().unzip();
    let (others, rest): (Vec<usize>, Vec<Feed<'_>>) = rest.into_iter().unzip();
    let sample = upload(hub, access.clone(), &first, Questions::Asked, Arc::clone(&on_bytes)).await?;
    let questions = if sample.has_known { Questions::Asked } else { Questions::Omitted };
    let rest = upload(hub, access, &rest, questions, on_bytes).await?;
    order.extend(others);
    let mut stored: Vec<(usize, Fed)> =
        order.into_iter().zip(sample.files.into_iter().chain(rest.files)).collect();
    stored.sort_unstable_by_key(|(place, _)| *place);
    Ok((stored.into_iter().map(|(_, fed)| fed).collect(), sample.sent + rest.sent))
}

/// Uploads files in one pass: the engine chunks, hashes and sends while it reads.
pub(crate) async fn upload(
    hub: &Hub,
    access: XetAccess,
    files: &[Feed<'_>],
    questions: Questions,
    on_bytes: OnBytes,
) -> Result<Stored, Error> {
    let scratch = temporary_folder(hub.scratch())
        .map_err(|error| Error::new("make a temporary folder for the upload", Cause::Scratch(error)))?;
    let authorization = hub.authorization().await?;
    let commit = open(access, authorization, questions, scratch.path())
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
pub(crate) fn temporary_folder(parent: &Path) -> io::Result<TempDir> {
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
    questions: Questions,
    scratch: &Path,
) -> Result<XetUploadCommit, XetError> {
    let asks = if questions == Questions::Asked { "true" } else { "false" };
    let settings = [ENGINE_SETTINGS, &[("deduplication.global_dedup_query_enabled", asks)]].concat();
    session(&settings, scratch)?
        .new_upload_commit()?
        .with_endpoint(access.endpoint)
        .with_token_info(access.token.expose(), access.expires)
        .with_token_refresh_url(access.refresh_url, headers_with(authorization))
        .build()
        .await
}

/// Opens the storage for reading. Downloads share its connections.
pub(crate) async fn open_for_reading(
    access: XetAccess,
    authorization: Option<HeaderValue>,
    scratch: &Path,
) -> Result<XetDownloadStreamGroup, XetError> {
    session(READING_SETTINGS, scratch)?
        .new_download_stream_group()?
        .with_endpoint(access.endpoint)
        .with_token_info(access.token.expose(), access.expires)
        .with_token_refresh_url(access.refresh_url, headers_with(authorization))
        .build()
        .await
}

fn session(settings: &[(&str, &str)], scratch: &Path) -> Result<XetSession, XetError> {
    let mut config = XetConfig::new();
    for (name, value) in settings {
        config =
            config.with_config(name, value).map_err(|error| XetError::Configuration(error.to_string()))?;
    }
    XetSessionBuilder::new_with_config(config)
        .with_cache_dir(scratch)
        .with_tokio_handle(tokio::runtime::Handle::current())
        .build()
}

fn headers_with(authorization: Option<HeaderValue>) -> HeaderMap {
    authorization.map(|value| (AUTHORIZATION, value)).into_iter().collect()
}

async fn transfer_all(commit: &XetUploadCommit, files: &[Feed<'_>]) -> Result<Stored, Error> {
    let files = xet_feed::feed(commit, files).await?;
    let report =
        commit.commit().await.map_err(|error| transfer_error("finish the upload of large files", error))?;
    let metrics = report.dedup_metrics;
    let has_known = metrics.deduped_bytes_by_global_dedup > 0;
    Ok(Stored { files, sent: metrics.total_bytes_uploaded, has_known })
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
