//! The dataset viewer, which has an address of its own (`https://datasets-server.huggingface.co`).

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::client::{Hub, HubOptions};
use crate::error::Error;
use crate::types::RepoId;
use crate::url::encode;

/// Header with the commit that an answer is about.
const REVISION: &str = "x-revision";
/// Longest wait for an answer.
const QUIET_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the viewer. Each question is asked once.
#[derive(Debug, Clone)]
pub struct DatasetViewer {
    hub: Hub,
}

/// An answer of the viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewed<T> {
    /// The answer.
    pub value: T,
    /// Commit that it is about, if the viewer names it.
    pub revision: Option<String>,
}

/// Parts of the viewer that work for a dataset (`/is-valid`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ViewerParts {
    /// First rows.
    pub preview: bool,
    /// All rows.
    pub viewer: bool,
    /// Full-text search.
    pub search: bool,
    /// Filters.
    pub filter: bool,
    /// Statistics of the columns.
    pub statistics: bool,
}

/// Splits of a dataset (`/splits`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ViewerSplits {
    /// The splits.
    pub splits: Vec<ViewerSplit>,
    /// Configurations that are being computed.
    pub pending: Vec<ViewerConfig>,
    /// Configurations that the viewer cannot read.
    pub failed: Vec<ViewerConfig>,
}

/// A split.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ViewerSplit {
    /// Name of its configuration.
    pub config: String,
    /// Name of the split.
    pub split: String,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ViewerConfig {
    /// Its name.
    #[serde(default)]
    pub config: Option<String>,
}

/// Sizes of a dataset (`/size`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ViewerSize {
    /// The sizes.
    pub size: ViewerSizes,
    /// Configurations that are being computed.
    pub pending: Vec<ViewerConfig>,
    /// Configurations that the viewer cannot read.
    pub failed: Vec<ViewerConfig>,
    /// The viewer has read the first part of a large dataset only.
    pub partial: bool,
}

/// Sizes of the splits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ViewerSizes {
    /// A size for each split.
    pub splits: Vec<SplitSize>,
}

/// Size of a split.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SplitSize {
    /// Name of its configuration.
    pub config: String,
    /// Name of the split.
    pub split: String,
    /// Number of rows.
    pub num_rows: u64,
}

impl DatasetViewer {
    /// Makes a client. `options` has the address of the viewer.
    ///
    /// # Errors
    ///
    /// As for [`Hub::new`].
    pub fn new(options: HubOptions) -> Result<Self, Error> {
        Ok(Self { hub: Hub::new(options)? })
    }

    /// Returns the parts of the viewer that work for a dataset.
    pub async fn parts(&self, dataset: &RepoId) -> Result<Viewed<ViewerParts>, Error> {
        self.ask("is-valid", dataset).await
    }

    /// Returns the splits that the viewer knows.
    pub async fn splits(&self, dataset: &RepoId) -> Result<Viewed<ViewerSplits>, Error> {
        self.ask("splits", dataset).await
    }

    /// Returns the numbers of rows that the viewer knows.
    pub async fn size(&self, dataset: &RepoId) -> Result<Viewed<ViewerSize>, Error> {
        self.ask("size", dataset).await
    }

    async fn ask<T: DeserializeOwned>(&self, question: &str, dataset: &RepoId) -> Result<Viewed<T>, Error> {
        let operation = format!("ask the dataset viewer for `{question}`");
        let url = self.hub.url(&format!("/{question}?dataset={}", encode(&dataset.to_string())))?;
        let mut call = Call::new(&operation, Method::GET, url);
        call.quiet_timeout = QUIET_TIMEOUT;
        let answer = self.hub.call_once(&call).await?;
        let revision = answer.headers.get(REVISION).and_then(|value| value.to_str().ok());
        Ok(Viewed { revision: revision.map(str::to_owned), value: answer.json(&operation)? })
    }
}
