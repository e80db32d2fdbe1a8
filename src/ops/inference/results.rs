//! The file of the results: one JSON object per line, in the order of the inputs.
//!
//! Each line is written as soon as all results before it are there, so that a run that ends early can be resumed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::answer::{Content, Tokens};
use super::options::{Item, OWN_RESULTS, ResultsPath};
use crate::workspace::OwnFolder;

/// Result of one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemResult {
    pub id: String,
    #[serde(flatten)]
    pub content: Content,
    pub provider: Option<String>,
    pub usage_prompt: Option<u64>,
    pub usage_completion: Option<u64>,
    pub cost_usd: Option<f64>,
    pub latency_seconds: f64,
    pub matched: bool,
}

/// Reason for which the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A line is no result of this program.
    #[error("line {line} is no result of an earlier run")]
    NoResult { line: usize },
    /// The file has the results of other inputs.
    #[error("line {line} has the result of the input `{found}`, and this run has {wanted} there")]
    OtherInput { line: usize, found: String, wanted: String },
}

/// The open file.
#[derive(Debug)]
pub(super) struct ResultsFile(File);

impl ResultsFile {
    /// Opens the file, and returns the results that stay. Half a line at its end is removed.
    pub(super) fn open(
        results: &ResultsPath,
        items: &[Item],
    ) -> Result<(Self, Vec<ItemResult>), ResultsError> {
        let path = match results {
            ResultsPath::Named(path) => path,
            ResultsPath::Own(workspace) => {
                let folder = OwnFolder::open(workspace)?;
                folder.write(OWN_RESULTS, b"")?;
                return Ok((Self(folder.append(OWN_RESULTS)?), Vec::new()));
            }
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut kept = Vec::new();
        for (index, line) in text[..whole].lines().enumerate() {
            let (number, wanted) = (index + 1, items.get(index));
            let result: ItemResult =
                serde_json::from_str(line).map_err(|_| ResultsError::NoResult { line: number })?;
            if wanted.is_none_or(|wanted| wanted.id != result.id) {
                let wanted = wanted.map_or_else(|| "none".to_owned(), |item| format!("`{}`", item.id));
                return Err(ResultsError::OtherInput { line: number, found: result.id, wanted });
            }
            kept.push(result);
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        file.set_len(whole as u64)?;
        Ok((Self(file), kept))
    }

    /// Appends a result.
    pub(super) fn append(&mut self, result: &ItemResult) -> io::Result<()> {
        let before = self.0.metadata()?.len();
        let line = serde_json::to_string(result)? + "\n";
        self.0.write_all(line.as_bytes()).and_then(|()| self.0.flush()).inspect_err(|_| {
            // Half a line would be removed by the next run anyway.
            let _ = self.0.set_len(before);
        })
    }
}

impl ItemResult {
    pub(super) fn tokens(&self) -> Option<Tokens> {
        Some(Tokens { prompt: self.usage_prompt?, completion: self.usage_completion? })
    }
}

/// Returns the path as users read it.
pub(super) fn shown(path: &Path) -> String {
    crate::text::quoted_path(path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(id: &str) -> Item {
        Item { id: id.to_owned(), input: json!("x") }
    }

    fn result(id: &str) -> ItemResult {
        ItemResult {
            id: id.to_owned(),
            content: Content::Text("hi\n\u{2028}".to_owned()),
            provider: None,
            usage_prompt: Some(1),
            usage_completion: None,
            cost_usd: None,
            latency_seconds: 0.5,
            matched: true,
        }
    }

    #[test]
    fn whole_lines_of_the_same_inputs_stay() {
        let folder = tempfile::tempdir().unwrap();
        let named = ResultsPath::Named(folder.path().join("new/results.jsonl"));
        let items = ["a", "b", "c"].map(item);
        let (mut file, kept) = ResultsFile::open(&named, &items).unwrap();
        assert_eq!(kept, []);
        file.append(&result("a")).unwrap();
        file.append(&result("b")).unwrap();
        file.0.write_all(b"{\"id\": \"c\", \"te").unwrap();
        let (mut file, kept) = ResultsFile::open(&named, &items).unwrap();
        assert_eq!(kept, [result("a"), result("b")]);
        file.append(&result("c")).unwrap();
        assert_eq!(ResultsFile::open(&named, &items).unwrap().1.len(), 3);
        let other = ResultsFile::open(&named, &["a", "x"].map(item)).unwrap_err();
        let message = "line 2 has the result of the input `b`, and this run has `x` there";
        assert_eq!(other.to_string(), message);
        assert!(ResultsFile::open(&named, &items[..1]).is_err());
        let own = ResultsPath::Own(folder.path().to_owned());
        ResultsFile::open(&own, &items).unwrap().0.append(&result("a")).unwrap();
        assert_eq!(fs::read_to_string(own.path()).unwrap().lines().count(), 1);
        assert_eq!(ResultsFile::open(&own, &items).unwrap().1, [], "each run starts it anew");
        assert_eq!(fs::read_to_string(own.path()).unwrap(), "");
        fs::write(folder.path().join("new/results.jsonl"), "1\n").unwrap();
        let error = ResultsFile::open(&named, &items).unwrap_err();
        assert_eq!(error.to_string(), "line 1 is no result of an earlier run");
    }
}
