//! State that all steps of one check share.

use tokio::time::Instant;
use url::Url;

use super::artifacts::Artifacts;
use super::client::AppClient;
use super::error::{CheckError, CheckFailure};
use super::observer::CheckObserver;
use super::options::Check;

/// A check in progress.
#[derive(Debug, Clone)]
pub(super) struct Session<'a> {
    pub(super) client: AppClient,
    /// Start of all paths of the Gradio API: empty, or `/gradio_api`. Empty until the config is read.
    pub(super) api_prefix: String,
    pub(super) check: &'a Check,
    pub(super) deadline: Instant,
    pub(super) observer: &'a dyn CheckObserver,
    pub(super) artifacts: &'a Artifacts<'a>,
}

impl Session<'_> {
    /// Returns the address of a path of the Gradio API.
    pub(super) fn api_url(&self, path: &str) -> Result<Url, CheckError> {
        self.client.url(&format!("{}{path}", self.api_prefix))
    }
}

/// Ends a piece of work at a deadline. `action` completes the sentence "cannot … before the timeout".
pub(super) async fn within<T>(
    deadline: Instant,
    action: &str,
    work: impl Future<Output = Result<T, CheckError>>,
) -> Result<T, CheckError> {
    match tokio::time::timeout_at(deadline, work).await {
        Ok(result) => result,
        Err(_) => Err(CheckError::new(CheckFailure::TimedOut, format!("cannot {action} before the timeout"))),
    }
}
