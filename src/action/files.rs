//! Files in which a step writes its outputs and its summary for the runner (GitHub docs, "Workflow commands for GitHub
//! Actions": `GITHUB_OUTPUT`, `GITHUB_STEP_SUMMARY`).

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Maximum size of the summary of one step. GitHub drops a larger one completely.
const MAX_SUMMARY: usize = 1024 * 1024;

const CUT: &str = "\n\n*The rest of this summary is cut: GitHub takes 1 MiB for a step.*\n";

/// Places for the outputs and the summary of a step. Without a runner there are no files, and writing does nothing.
#[derive(Clone, Default)]
pub struct OutputFiles {
    output: Option<PathBuf>,
    summary: Option<PathBuf>,
    /// Stdout, if the report is printed as JSON.
    json: Option<Arc<Mutex<dyn Write + Send>>>,
}

impl fmt::Debug for OutputFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { output, summary, json: _ } = self;
        f.debug_struct("OutputFiles")
            .field("output", output)
            .field("summary", summary)
            .finish_non_exhaustive()
    }
}

impl OutputFiles {
    pub fn from_vars(vars: &[(String, String)]) -> Self {
        let path = |wanted: &str| {
            let (_, value) = vars.iter().rev().find(|(name, _)| name == wanted)?;
            (!value.is_empty()).then(|| PathBuf::from(value))
        };
        Self { output: path("GITHUB_OUTPUT"), summary: path("GITHUB_STEP_SUMMARY"), json: None }
    }

    /// Prints the report as JSON too.
    #[must_use]
    pub fn with_json(self, to: Box<dyn Write + Send>) -> Self {
        Self { json: Some(Arc::new(Mutex::new(to))), ..self }
    }

    pub(super) fn has_json(&self) -> bool {
        self.json.is_some()
    }

    /// Prints the report, which ends with a line break.
    pub(super) fn print_json(&self, text: &str) -> io::Result<()> {
        let Some(json) = &self.json else { return Ok(()) };
        let mut json = json.lock().unwrap_or_else(PoisonError::into_inner);
        json.write_all(text.as_bytes())?;
        json.flush()
    }

    /// Writes all outputs with one write.
    pub fn write_outputs(&self, outputs: &[(&'static str, String)]) -> io::Result<()> {
        let Some(path) = &self.output else { return Ok(()) };
        let text: String =
            outputs.iter().map(|(name, value)| heredoc(name, value, crate::text::random_token)).collect();
        append(path, &text)
    }

    /// Appends to the job summary, cut to the size that GitHub accepts.
    pub fn append_summary(&self, markdown: &str) -> io::Result<()> {
        let Some(path) = &self.summary else { return Ok(()) };
        let already =
            std::fs::metadata(path).map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(usize::MAX));
        append(path, &fitted(markdown, MAX_SUMMARY.saturating_sub(already)))
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let before = file.metadata()?.len();
    file.write_all(text.as_bytes()).inspect_err(|_| {
        // Removes half a value, because the runner fails a step for a value without an end mark.
        let _ = file.set_len(before);
    })
}

/// Returns `name<<mark`, the value and `mark`, the only form that can hold any value. The mark is random, because a value
/// with a known mark could end itself and set other outputs.
fn heredoc(name: &str, value: &str, mut random: impl FnMut() -> String) -> String {
    let mut mark = format!("ghadelimiter_{}", random());
    while value.contains(&mark) {
        mark.push_str(&random());
    }
    format!("{name}<<{mark}\n{value}\n{mark}\n")
}

/// Returns the text, or the first lines of it with a notice. A fenced block that is cut is closed.
fn fitted(markdown: &str, room: usize) -> String {
    if markdown.len() <= room {
        return markdown.to_owned();
    }
    let mut kept = 0;
    let mut fence: Option<&str> = None;
    let mut open_at_cut: Option<&str> = None;
    for line in markdown.split_inclusive('\n') {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        let after = match fence {
            None if ticks.len() >= 3 => Some(ticks),
            Some(open) if ticks.len() >= open.len() && line[ticks.len()..].trim().is_empty() => None,
            unchanged => unchanged,
        };
        let closing = after.map_or(0, |open| open.len() + 2);
        if kept + line.len() + closing + CUT.len() > room {
            break;
        }
        kept += line.len();
        fence = after;
        open_at_cut = after;
    }
    let closing = open_at_cut.map_or(String::new(), |open| format!("\n{open}\n"));
    // Without space for the notice, the summary is full of earlier text.
    if CUT.len() > room { String::new() } else { format!("{}{closing}{CUT}", &markdown[..kept]) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parses an output file as the runner does (`FileCommandManager.cs`): lines end at `\n` only.
    fn parse(text: &str) -> Vec<(String, String)> {
        let mut read = Vec::new();
        let mut rest = text;
        let next = |rest: &mut &str| -> Option<String> {
            if rest.is_empty() {
                return None;
            }
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let line = line.to_owned();
            *rest = after;
            Some(line)
        };
        while let Some(line) = next(&mut rest) {
            if line.is_empty() {
                continue;
            }
            let heredoc = line.find("<<");
            match (line.find('='), heredoc) {
                (Some(equals), heredoc) if heredoc.is_none_or(|heredoc| equals < heredoc) => {
                    read.push((line[..equals].to_owned(), line[equals + 1..].to_owned()));
                }
                (_, Some(_)) => {
                    let (name, mark) = line.split_once("<<").unwrap();
                    let mut lines = Vec::new();
                    loop {
                        let line = next(&mut rest).expect("a matching delimiter");
                        if line == mark {
                            break;
                        }
                        lines.push(line);
                    }
                    read.push((name.to_owned(), lines.join("\n")));
                }
                _ => panic!("invalid format: {line}"),
            }
        }
        read
    }

    #[test]
    fn outputs_and_summary_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let vars =
            [("GITHUB_OUTPUT".to_owned(), path("out")), ("GITHUB_STEP_SUMMARY".to_owned(), path("sum"))];
        let files = OutputFiles::from_vars(&vars);
        files.write_outputs(&[("status", "failed".to_owned())]).unwrap();
        files.write_outputs(&[("repo_id", String::new()), ("x", "a\nb<<c\n".to_owned())]).unwrap();
        let text = std::fs::read_to_string(path("out")).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parse(&text), [pair("status", "failed"), pair("repo_id", ""), pair("x", "a\nb<<c\n")]);

        files.append_summary("one\n").unwrap();
        files.append_summary(&"two\n".repeat(400_000)).unwrap();
        let summary = std::fs::read_to_string(path("sum")).unwrap();
        assert!(summary.starts_with("one\ntwo\n") && summary.ends_with(CUT));
        assert!(summary.len() <= MAX_SUMMARY);
        files.append_summary("three").unwrap();
        assert_eq!(std::fs::read_to_string(path("sum")).unwrap(), summary);
    }

    #[test]
    fn nothing_is_written_without_a_runner() {
        let files = OutputFiles::from_vars(&[("GITHUB_OUTPUT".to_owned(), String::new())]);
        files.write_outputs(&[("status", "failed".to_owned())]).unwrap();
        files.append_summary("x").unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let vars = [("GITHUB_OUTPUT".to_owned(), "/nonexistent/x".to_owned())];
        assert!(OutputFiles::from_vars(&vars).write_outputs(&[("a", String::new())]).is_err());
    }

    #[test]
    fn a_cut_block_is_closed() {
        let markdown = format!("a\n````text\n```\n{}````\n", "line\n".repeat(100));
        let cut = fitted(&markdown, 200);
        assert!(cut.ends_with(&format!("line\n\n````\n{CUT}")), "{cut}");
        assert!(cut.len() <= 200);
        let cut = fitted(&format!("````text\nx\n````\n{}", "line\n".repeat(100)), 200);
        assert!(cut.ends_with(&format!("line\n{CUT}")), "{cut}");
    }

    proptest! {
        #[test]
        fn values_are_read_back(values in proptest::collection::vec("(\n|\r|<<|=|ghadelimiter_0|0|\\PC){0,20}", 0..4)) {
            // The worst case is a random mark that the values contain.
            let text: String = values.iter().map(|value| heredoc("name", value, || "0".to_owned())).collect();
            let read: Vec<String> = parse(&text).into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn no_value_ends_its_heredoc(value in any::<String>()) {
            let text = heredoc("name", &value, crate::text::random_token);
            let mark = text.lines().next().unwrap().split_once("<<").unwrap().1.to_owned();
            prop_assert_eq!(text.matches(&mark).count(), 2);
        }

        #[test]
        fn cut_text_fits(text in "(```\n|\n|a|`{3,6}text\n|ü){0,200}", room in 0usize..300) {
            prop_assert!(fitted(&text, room).len() <= room);
        }
    }
}
