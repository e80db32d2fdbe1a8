//! Logs of a Space, and streams of logs.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::types::Repo;

/// Kind of a log of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// Log of the build.
    Build,
    /// Log of the app.
    Run,
}

impl LogKind {
    /// Returns the name that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Run => "run",
        }
    }
}

/// Time that a log may be silent. Keep-alives are far more frequent.
const LOG_SILENCE: Duration = Duration::from_secs(120);

/// End of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The Hub closed it.
    Closed,
    /// The connection broke.
    Broken,
    /// No byte came for too long.
    Silent,
}

/// Stream of a log (server-sent events).
#[derive(Debug)]
pub struct LogBytes(reqwest::Response);

impl LogBytes {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self(response)
    }

    /// Returns the next bytes; `None` if the stream ended, broke, or was silent for too long.
    pub async fn next(&mut self) -> Option<Bytes> {
        tokio::time::timeout(LOG_SILENCE, self.0.chunk()).await.ok()?.ok()?
    }

    /// Returns the next bytes, or the way in which the stream ended. `silence` is the longest time without bytes.
    pub async fn next_within(&mut self, silence: Duration) -> Result<Bytes, StreamEnd> {
        match tokio::time::timeout(silence, self.0.chunk()).await {
            Ok(Ok(Some(bytes))) => Ok(bytes),
            Ok(Ok(None)) => Err(StreamEnd::Closed),
            Ok(Err(_)) => Err(StreamEnd::Broken),
            Err(_) => Err(StreamEnd::Silent),
        }
    }
}

impl Hub {
    /// Opens a log. Each connection starts from the beginning of the log.
    pub async fn open_log(&self, space: &Repo, kind: LogKind) -> Result<LogBytes, Error> {
        let operation = format!("read the {} log of the {space}", kind.as_str());
        let url = self.url(&format!("{}/logs/{}", space.api(), kind.as_str()))?;
        self.open_stream(&Call::new(operation, Method::GET, url)).await.map(LogBytes::new)
    }

    /// Opens a log at its last `lines` lines.
    pub async fn open_log_end(&self, space: &Repo, kind: LogKind, lines: u32) -> Result<LogBytes, Error> {
        let operation = format!("read the {} log of the {space}", kind.as_str());
        let url = self.url(&format!("{}/logs/{}?tail={lines}", space.api(), kind.as_str()))?;
        self.open_stream(&Call::new(operation, Method::GET, url)).await.map(LogBytes::new)
    }
}
