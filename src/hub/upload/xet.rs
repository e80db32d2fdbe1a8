//! Large files by Xet, through Hugging Face's own transfer engine.

mod feed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;
use xet::XetError;
use xet::xet_session::{XetConfig, XetSessionBuilder, XetUploadCommit};

use super::{LargeFile, OnBytes, Transfer, Uploaded};
use crate::auth::Secret;
use crate::failure::{Code, Failure};
use crate::hub::call::Call;
use crate::hub::client::Hub;
use crate::hub::encode;
use crate::hub::error::HubError;
use crate::image;

/// How often the engine is asked how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// How long an upload may go without a byte moving, retries included, before it is given up. The engine waits for
/// five minutes for an answer, and tries again; for the answer to its last request it would wait for ever.
const QUIET_TIMEOUT: Duration = Duration::from_secs(600);

/// What this action changes of the engine's defaults.
///
/// No telemetry: a deploy talks to the Hub about the deploy, and nothing else.
///
/// Six blocks of 16 MB on their way, each of which takes three requests one after the other. By default a block has
/// 64 MB, two of which take more memory than these six: a block is held twice while it is packed. (Its size is a
/// setting of the engine in builds with its feature `simulation` only; the storage takes any up to 64 MB.) What a later
/// session could resume from goes to the disk early, for the sake of memory as well.
///
/// The waits of retries are about those of the other requests (the engine draws each between zero and 2, 4, 8, 8, …
/// seconds): its default takes minutes to see that the storage is gone.
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

/// A permission to write to the storage (`GET …/xet-write-token/{rev}`).
pub(super) struct XetAccess {
    endpoint: String,
    token: Secret,
    /// When the token ends, in seconds of Unix time.
    expires: u64,
    /// Where the engine gets the next one.
    refresh_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenAnswer {
    cas_url: String,
    access_token: String,
    exp: u64,
}

impl Hub {
    /// Asks for a permission to write to the Xet storage: `None` where the Hub has none.
    pub(super) async fn xet_access(&self, transfer: &Transfer) -> Result<Option<XetAccess>, HubError> {
        let what = format!("open the storage of the {}", transfer.repo);
        let query = if transfer.create_pr { "?create_pr=1" } else { "" };
        let revision = encode(transfer.revision.as_str());
        let url = self.url(&format!("{}/xet-write-token/{revision}{query}", transfer.repo.api()))?;
        let refresh_url = url.to_string();
        let answer = match self.call(&Call::new(&what, Method::GET, url)).await {
            Ok(answer) => answer.json::<TokenAnswer>(&what)?,
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
}

/// Uploads in one reading pass: the engine chunks, hashes (SHA-256 too) and sends as it reads.
pub(super) async fn upload(
    hub: &Hub,
    access: XetAccess,
    files: &[LargeFile],
    on_bytes: OnBytes,
) -> Result<(Vec<Uploaded>, u64), Failure> {
    let scratch = image::temporary_folder().map_err(|error| {
        Failure::new(Code::LocalIo, "cannot make a temporary folder for the upload").caused_by(error)
    })?;
    let authorization = hub.authorization().await?;
    let commit =
        open(access, authorization, scratch.path()).await.map_err(|error| engine_failure("start", error))?;
    // A run that ends early (a failure, a signal) leaves no task behind.
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

/// Waits until `moved` has stood still for `limit`.
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

fn stalled() -> Failure {
    let minutes = QUIET_TIMEOUT.as_secs() / 60;
    let message = format!("the upload of large files stands still: no byte moved for {minutes} minutes");
    Failure::new(Code::Timeout, message).hint(AGAIN)
}

async fn open(
    access: XetAccess,
    authorization: Option<HeaderValue>,
    scratch: &std::path::Path,
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

async fn transfer_all(
    commit: &XetUploadCommit,
    files: &[LargeFile],
) -> Result<(Vec<Uploaded>, u64), Failure> {
    let uploaded = feed::feed(commit, files).await?;
    let report = commit.commit().await.map_err(|error| engine_failure("finish", error))?;
    Ok((uploaded, report.dedup_metrics.total_bytes_uploaded))
}

fn file_failure(file: &LargeFile, error: XetError) -> Failure {
    engine_failure(&format!("upload `{}`", file.path), error)
}

/// The engine's errors, as users meet them.
fn engine_failure(what: &str, error: XetError) -> Failure {
    let code = match &error {
        XetError::Authentication(_) => Code::PermissionDenied,
        XetError::Network(_) | XetError::ServerError(_) => Code::HubUnavailable,
        XetError::RateLimited(_) => Code::RateLimited,
        XetError::Timeout(_) => Code::Timeout,
        XetError::Io(_) => Code::LocalIo,
        XetError::KeyboardInterrupt | XetError::UserCancelled(_) | XetError::Cancelled(_) => Code::Cancelled,
        _ => Code::UploadFailed,
    };
    let what = if what.contains(' ') { what.to_owned() } else { format!("{what} the upload of large files") };
    Failure::new(code, format!("cannot {what}: {error}")).hint(AGAIN)
}

/// What to do after an upload that failed.
const AGAIN: &str =
    "nothing was committed; run the job again: content that is in the storage is not sent twice";

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

/// Tells how far the engine is, until it is finished or dropped.
struct Reporter {
    task: tokio::task::JoinHandle<()>,
    commit: XetUploadCommit,
    told: Arc<AtomicU64>,
    on_bytes: OnBytes,
}

fn report_progress(commit: XetUploadCommit, on_bytes: OnBytes) -> Reporter {
    let told = Arc::new(AtomicU64::new(0));
    let task = {
        let (commit, told, on_bytes) = (commit.clone(), Arc::clone(&told), Arc::clone(&on_bytes));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PROGRESS_INTERVAL).await;
                tell(&commit, &told, &on_bytes);
            }
        })
    };
    Reporter { task, commit, told, on_bytes }
}

/// Tells what is new since the last time.
fn tell(commit: &XetUploadCommit, told: &AtomicU64, on_bytes: &OnBytes) {
    let done = commit.progress().total_bytes_completed;
    let before = told.fetch_max(done, Ordering::Relaxed);
    if done > before {
        on_bytes(done - before);
    }
}

impl Reporter {
    fn finish(self) {
        tell(&self.commit, &self.told, &self.on_bytes);
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
    async fn an_upload_is_given_up_only_when_nothing_moves() {
        let started = Instant::now();
        // A byte a minute, for an hour.
        let moved = || started.elapsed().as_secs().min(3600) / 60;
        quiet(moved, QUIET_TIMEOUT).await;
        let minutes = started.elapsed().as_secs() / 60;
        assert!((70..=71).contains(&minutes), "{minutes}");
        assert_eq!(stalled().code, Code::Timeout);
    }
}
