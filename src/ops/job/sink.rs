//! The lines of a Job's log on this side: printed, kept in a file, and searched for the exit code.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use hub::{Job, JobEnd};

use super::options::RunId;
use super::place;
use super::report::SHOWN_LINES;
use super::wrapper::{self, Mark};
use crate::action::Log;
use crate::failure::{Result, job as advice};
use crate::text::without_colors;

/// Name of the log in the run bundle.
const NAME: &str = "job";
/// Name of the file with the log of a run without a bundle.
const FILE: &str = "job.log";

/// Receiver of the lines of a log.
pub(super) struct LogSink {
    log: Log,
    run: RunId,
    place: Place,
    last_lines: VecDeque<String>,
    /// Number of attempts that began, as far as the log announces them.
    begun: u32,
    exit_code: Option<i32>,
}

/// Place in which the log is kept.
enum Place {
    Bundle,
    /// File of a run without a bundle, with its path relative to the workspace.
    File(File, String),
    /// The file could not be written.
    Lost,
}

impl LogSink {
    /// Creates the file of the log: in the run bundle, if the run has one.
    ///
    /// # Errors
    ///
    /// A link has the name of one of the folders, or the workspace cannot be written.
    pub(super) fn open(workspace: &Path, run: &RunId, log: &Log) -> Result<Self> {
        let has_bundle = log.bundle().is_some_and(|bundle| bundle.path().is_some());
        let is_in_bundle = has_bundle && log.keep_in_bundle(|bundle| bundle.add_text(NAME, "")).is_some();
        let place = if is_in_bundle {
            Place::Bundle
        } else {
            let path = place::path(run, FILE);
            let file = create(workspace, run).map_err(|error| advice::cannot_create(&path, error))?;
            Place::File(file, path)
        };
        let (last_lines, exit_code) = (VecDeque::new(), None);
        Ok(Self { log: log.clone(), run: run.clone(), place, last_lines, begun: 0, exit_code })
    }

    /// Takes texts of the log, each of one or more lines.
    pub(super) fn take(&mut self, texts: &[String]) {
        if texts.is_empty() {
            return;
        }
        let mut printed = String::new();
        for line in texts.iter().flat_map(|text| text.strip_suffix('\n').unwrap_or(text).split('\n')) {
            let line = without_colors(line.strip_suffix('\r').unwrap_or(line));
            match wrapper::mark(&line, &self.run) {
                Some(Mark::Begin) => (self.begun, self.exit_code) = (self.begun + 1, None),
                Some(Mark::Exit(code)) => self.exit_code = Some(code),
                None => {}
            }
            printed.push_str(&line);
            printed.push('\n');
            if self.last_lines.len() == SHOWN_LINES {
                self.last_lines.pop_front();
            }
            self.last_lines.push_back(line);
        }
        self.log.untrusted(&printed);
        self.keep(&printed);
    }

    /// Writes to the file. A full disk must not end the run, because the Job goes on.
    fn keep(&mut self, text: &str) {
        match &mut self.place {
            Place::Bundle => {
                self.log.keep_in_bundle(|bundle| bundle.add_text(NAME, text));
            }
            Place::File(file, path) => {
                if let Err(error) = file.write_all(self.log.redact(text).as_bytes()) {
                    self.log.warning(&format!("cannot keep the log in `{path}`: {error}"));
                    self.place = Place::Lost;
                }
            }
            Place::Lost => {}
        }
    }

    /// Returns the path of the file, if the whole log is in it.
    pub(super) fn path(&self) -> Option<String> {
        match &self.place {
            Place::Bundle => self.log.bundle()?.log_path(NAME),
            Place::File(_, path) => Some(path.clone()),
            Place::Lost => None,
        }
    }

    /// Returns the exit code of the script, if the last attempt of the Job reported one.
    pub(super) fn exit_code(&self, job: &Job) -> Option<i32> {
        let has_attempts = job.retry.is_some_and(|retry| retry > 0.0);
        let failures = job.status.failure_count.unwrap_or_default() as u32;
        match job.end() {
            JobEnd::Completed => self.exit_code.filter(|code| *code == 0),
            // An attempt that ended before its script has no place in the log.
            JobEnd::Failed if has_attempts && self.begun < failures => None,
            JobEnd::Failed => self.exit_code,
            // A script that was stopped did not report its end.
            JobEnd::TimedOut | JobEnd::Canceled | JobEnd::Deleted => None,
        }
    }

    /// Returns the last lines, without secrets.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last_lines.iter().map(|line| self.log.redact(line)).collect()
    }
}

/// Creates the file in the folder of the run. No link of the checkout leads it elsewhere.
fn create(workspace: &Path, run: &RunId) -> io::Result<File> {
    let path = place::open(workspace, run)?.path().join(FILE);
    // An earlier step may have followed the same Job.
    if std::fs::symlink_metadata(&path).is_ok() {
        std::fs::remove_file(&path)?;
    }
    File::create_new(path)
}
