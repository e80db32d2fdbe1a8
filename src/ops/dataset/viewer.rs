//! The dataset viewer's answer about a commit.

use std::fmt;
use std::time::Duration;

use hub::{CommitId, DatasetViewer, Error, RepoId, ViewerParts, ViewerSize, ViewerSplits};

/// Number of times that the viewer is asked, because it needs a while after a commit.
const ATTEMPTS: u32 = 3;
/// Wait between them.
const PAUSE: Duration = Duration::from_secs(2);

/// Answer of the viewer about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewerAnswer {
    Shown(Shown),
    /// It has not read the commit yet: the reason.
    NotReady(String),
    /// It does not show the dataset, or was not reached: the reason.
    Absent(String),
}

/// Parts and splits that the viewer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub parts: ViewerParts,
    /// Configuration and name of each split, with its number of rows if it is known.
    pub splits: Vec<(String, String, Option<u64>)>,
    /// Configurations that it cannot read.
    pub failed: Vec<String>,
    /// It has read the first part only.
    pub is_partial: bool,
}

/// Asks the viewer about a commit, a few times if it is not ready. Nothing of it is an error.
pub(super) async fn ask(viewer: &DatasetViewer, dataset: &RepoId, commit: &CommitId) -> ViewerAnswer {
    let mut answer = ask_once(viewer, dataset, commit).await;
    for _ in 1..ATTEMPTS {
        if !matches!(answer, ViewerAnswer::NotReady(_)) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        answer = ask_once(viewer, dataset, commit).await;
    }
    answer
}

async fn ask_once(viewer: &DatasetViewer, dataset: &RepoId, commit: &CommitId) -> ViewerAnswer {
    let (parts, splits, size) =
        match tokio::try_join!(viewer.parts(dataset), viewer.splits(dataset), viewer.size(dataset)) {
            Ok(answers) => answers,
            Err(error) => return unanswered(&error),
        };
    let mut revisions = [&parts.revision, &splits.revision, &size.revision].into_iter().flatten();
    if let Some(other) = revisions.find(|revision| *revision != commit.as_str()) {
        let short = other.get(..7).unwrap_or(other);
        return ViewerAnswer::NotReady(format!("it still shows commit {short}"));
    }
    let pending = splits.value.pending.len().max(size.value.pending.len());
    if pending > 0 || (splits.value.splits.is_empty() && splits.value.failed.is_empty()) {
        return ViewerAnswer::NotReady("it is reading the files".to_owned());
    }
    ViewerAnswer::Shown(shown(parts.value, splits.value, size.value))
}

fn shown(parts: ViewerParts, splits: ViewerSplits, size: ViewerSize) -> Shown {
    let rows = |config: &str, split: &str| {
        let mut sizes = size.size.splits.iter();
        sizes.find(|size| size.config == config && size.split == split).map(|size| size.num_rows)
    };
    let mut failed: Vec<String> = splits
        .failed
        .iter()
        .chain(&size.failed)
        .map(|config| config.config.clone().unwrap_or_default())
        .collect();
    failed.sort();
    failed.dedup();
    Shown {
        parts,
        splits: splits
            .splits
            .iter()
            .map(|split| (split.config.clone(), split.split.clone(), rows(&split.config, &split.split)))
            .collect(),
        failed,
        is_partial: size.partial,
    }
}

fn unanswered(error: &Error) -> ViewerAnswer {
    match error.status() {
        // The viewer answers so while it computes (`ResponseNotReady`).
        Some(500 | 503) => ViewerAnswer::NotReady(error.to_string()),
        _ => ViewerAnswer::Absent(error.to_string()),
    }
}

impl Shown {
    /// Returns the words for the parts that work.
    pub fn working(&self) -> Vec<&'static str> {
        let ViewerParts { preview, viewer, search, filter, statistics } = self.parts;
        let parts = [
            (preview, "preview"),
            (viewer, "viewer"),
            (search, "search"),
            (filter, "filter"),
            (statistics, "statistics"),
        ];
        parts.iter().filter(|(works, _)| *works).map(|(_, word)| *word).collect()
    }
}

impl fmt::Display for ViewerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self {
            Self::NotReady(reason) => return write!(f, "the dataset viewer is not ready: {reason}"),
            Self::Absent(reason) => {
                return write!(f, "the dataset viewer does not show the dataset: {reason}");
            }
            Self::Shown(shown) => shown,
        };
        let splits = shown.splits.iter().map(|(config, split, rows)| {
            let rows = rows.map(|rows| format!(" {rows}")).unwrap_or_default();
            format!("`{config}/{split}`{rows}")
        });
        let splits: Vec<String> = splits.collect();
        write!(
            f,
            "the dataset viewer shows {}",
            if splits.is_empty() { "nothing".to_owned() } else { splits.join(", ") }
        )?;
        if shown.is_partial {
            f.write_str(", the first part only")?;
        }
        if !shown.failed.is_empty() {
            write!(f, "; it cannot read `{}`", shown.failed.join("`, `"))?;
        }
        match shown.working().as_slice() {
            [] => f.write_str(" (no part of it works)"),
            words => write!(f, " ({})", words.join(", ")),
        }
    }
}
