//! The lines of a Job's log on this side: printed, kept in a file, and searched for the exit code.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::options::RunId;
use super::report::SHOWN_LINES;
use super::wrapper;
use crate::action::Log;
use crate::failure::{Result, job as advice};
use crate::text::without_colors;

/// Folder of this program in the workspace, and the folder of Jobs in it.
pub(super) const FOLDERS: [&str; 2] = [".hf-deploy", "job"];
/// Name of the file with the log.
const FILE: &str = "job.log";

/// Receiver of the lines of a log.
pub(super) struct LogSink {
    log: Log,
    run: RunId,
    file: Option<BufWriter<File>>,
    /// Path of the file, relative to the workspace.
    path: String,
    last_lines: VecDeque<String>,
    exit_code: Option<i32>,
}

impl LogSink {
    /// Creates the file of the log.
    ///
    /// # Errors
    ///
    /// A link has the name of one of the folders, or the workspace cannot be written.
    pub(super) fn open(workspace: &Path, run: &RunId, log: &Log) -> Result<Self> {
        let path = format!("{}/{run}/{FILE}", FOLDERS.join("/"));
        let file = create(workspace, run).map_err(|error| advice::cannot_keep_log(&path, error))?;
        Ok(Self {
            log: log.clone(),
            run: run.clone(),
            file: Some(BufWriter::new(file)),
            path,
            last_lines: VecDeque::new(),
            exit_code: None,
        })
    }

    /// Takes texts of the log, each of one or more lines.
    pub(super) fn take(&mut self, texts: &[String]) {
        if texts.is_empty() {
            return;
        }
        let mut printed = String::new();
        for line in texts.iter().flat_map(|text| text.strip_suffix('\n').unwrap_or(text).split('\n')) {
            let line = without_colors(line.strip_suffix('\r').unwrap_or(line));
            if let Some(code) = wrapper::exit_code(&line, &self.run) {
                self.exit_code = Some(code);
            }
            printed.push_str(&line);
            printed.push('\n');
            if self.last_lines.len() == SHOWN_LINES {
                self.last_lines.pop_front();
            }
            self.last_lines.push_back(line);
        }
        self.log.untrusted(&printed);
        self.log.keep_lines("job", printed.trim_end_matches('\n'));
        self.keep(&printed);
    }

    /// Writes to the file. A full disk must not end the run, because the Job goes on.
    fn keep(&mut self, text: &str) {
        let Some(file) = &mut self.file else { return };
        let text = self.log.redact(text);
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.flush()) {
            self.log.warning(&format!("cannot keep the log in `{}`: {error}", self.path));
            self.file = None;
        }
    }

    /// Returns the path of the file, if the whole log is in it.
    pub(super) fn path(&self) -> Option<String> {
        self.file.as_ref().map(|_| self.path.clone())
    }

    pub(super) fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// Returns the last lines, without secrets.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.last_lines.iter().map(|line| self.log.redact(line)).collect()
    }
}

/// Creates the file in the folder of the run. No link of the checkout leads it elsewhere.
fn create(workspace: &Path, run: &RunId) -> io::Result<File> {
    let mut folder: PathBuf = workspace.to_owned();
    for name in FOLDERS.into_iter().chain([run.as_str()]) {
        folder.push(name);
        match std::fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !std::fs::symlink_metadata(&folder)?.is_dir() {
            return Err(io::Error::other(format!("`{name}` is there, and is not a folder")));
        }
        let rule = folder.join(".gitignore");
        if name == FOLDERS[0] && std::fs::symlink_metadata(&rule).is_err() {
            std::fs::write(rule, "*\n")?;
        }
    }
    let path = folder.join(FILE);
    // An earlier step may have followed the same Job.
    if std::fs::symlink_metadata(&path).is_ok() {
        std::fs::remove_file(&path)?;
    }
    File::create_new(path)
}
