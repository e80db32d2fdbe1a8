//! The report of an upload.

use std::fmt;

use crate::ops::dataset::viewer::ViewerAnswer;
use crate::ops::deploy::DeployReport;
use crate::text::count;
use crate::traces::RedactionCounts;

/// Facts about an upload.
#[derive(Debug, Default)]
pub struct DatasetReport {
    /// The deploy of the files.
    pub deploy: DeployReport,
    /// Number of data files.
    pub files: Option<usize>,
    /// The splits, once all rows were checked.
    pub splits: Option<Vec<SplitFacts>>,
    /// Answer of the dataset viewer after the commit.
    pub viewer: Option<ViewerAnswer>,
    /// Facts about the sessions, once all of them were read.
    pub sessions: Option<SessionFacts>,
}

/// Facts about the sessions of an upload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// Files with sessions in the folder.
    pub files: usize,
    /// `None` if the files are uploaded as they are.
    pub sessions: Option<u64>,
    /// Lines of all sessions.
    pub rows: u64,
    /// Number of replaced values by kind.
    pub redactions: RedactionCounts,
}

impl SessionFacts {
    /// Returns the number of sessions and files.
    pub fn size(&self) -> String {
        let files = count(self.files, "file");
        match self.sessions {
            Some(1) => format!("1 session in {files}"),
            Some(sessions) => format!("{sessions} sessions in {files}"),
            None => format!("{files} of sessions, with every secret in them"),
        }
    }
}

impl fmt::Display for SessionFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.size())?;
        match self.sessions {
            Some(_) if self.redactions.is_empty() => return f.write_str("; no secret was found"),
            Some(_) => f.write_str("; replaced: ")?,
            None => return Ok(()),
        }
        let kinds: Vec<String> =
            self.redactions.iter().map(|(kind, number)| format!("{kind} ({number})")).collect();
        f.write_str(&kinds.join(", "))
    }
}

/// Facts about a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitFacts {
    pub name: String,
    pub files: Vec<FileFacts>,
}

/// Facts about a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Path in the repo.
    pub path: String,
    pub format: &'static str,
    pub rows: u64,
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}

impl SplitFacts {
    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Returns the size in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl DatasetReport {
    /// Returns the number of rows of all splits, or of lines of all sessions.
    pub fn rows(&self) -> Option<u64> {
        match &self.sessions {
            Some(sessions) => Some(sessions.rows),
            None => Some(self.splits.as_ref()?.iter().map(SplitFacts::rows).sum()),
        }
    }

    /// Returns the number of values that were replaced.
    pub fn redactions(&self) -> u64 {
        self.sessions.as_ref().map_or(0, |sessions| sessions.redactions.values().sum())
    }
}
