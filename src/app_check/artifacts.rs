//! What the check keeps: `.hf-deploy/` in the workspace.
//!
//! Names are ours, never the app's. What cannot be kept is told, and fails nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use reqwest::Response;
use serde_json::Value;
use tempfile::NamedTempFile;

use super::edge::{self, Trouble};
use super::media;
use crate::action::Log;

/// The folder in the workspace.
const FOLDER: &str = ".hf-deploy";
/// The largest file that is fetched, in bytes.
const MAX_ARTIFACT: usize = 200 << 20;

/// Keeps files, and knows which.
#[derive(Debug)]
pub(super) struct Store {
    folder: Option<PathBuf>,
    kept: Vec<PathBuf>,
    log: Log,
}

/// A file that was fetched to its end.
#[derive(Debug)]
pub(super) struct Artifact {
    /// Its first bytes.
    pub(super) head: Vec<u8>,
    /// In bytes.
    pub(super) length: u64,
    /// Its name in the folder, where it could be kept.
    pub(super) name: Option<String>,
}

impl Store {
    pub(super) fn open(workspace: &Path, log: &Log) -> Self {
        let folder = match prepare(workspace) {
            Ok(folder) => Some(folder),
            Err(error) => {
                log.warning(&format!("cannot keep files in `{FOLDER}/`: {error}"));
                None
            }
        };
        Self { folder, kept: Vec::new(), log: log.clone() }
    }

    /// The files that were kept.
    pub(super) fn into_kept(self) -> Vec<PathBuf> {
        self.kept
    }

    /// Keeps a JSON value, without secrets.
    pub(super) fn keep_json(&mut self, name: &str, value: &Value) {
        let text = self.log.redact(&format!("{value:#}\n"));
        let Some(folder) = &self.folder else { return };
        let write = || {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            Ok::<_, std::io::Error>(file)
        };
        match write() {
            Ok(file) => {
                self.persist(file, name);
            }
            Err(error) => self.log.warning(&format!("cannot keep `{FOLDER}/{name}`: {error}")),
        }
    }

    /// Reads a file of the result to its end, and keeps it as `output-{number}.{extension}`.
    ///
    /// # Errors
    ///
    /// Why it could not be read: the connection, or its size.
    pub(super) async fn keep(&mut self, mut response: Response, number: usize) -> Result<Artifact, Trouble> {
        let mut file = self.folder.as_ref().and_then(|folder| NamedTempFile::new_in(folder).ok());
        let mut head = Vec::new();
        let mut length = 0u64;
        while let Some(chunk) = response.chunk().await.map_err(edge::trouble)? {
            length += chunk.len() as u64;
            if length > MAX_ARTIFACT as u64 {
                return Err(Trouble::TooLarge(MAX_ARTIFACT));
            }
            let room = media::HEAD - head.len();
            head.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if let Some(open) = &mut file
                && let Err(error) = open.write_all(&chunk)
            {
                self.log.warning(&format!("cannot keep a file of the result: {error}"));
                file = None;
            }
        }
        Ok(self.named(file, head, length, number))
    }

    /// Keeps a file that came with the result, as `output-{number}.{extension}`.
    pub(super) fn keep_bytes(&mut self, bytes: &[u8], number: usize) -> Artifact {
        let file = self.folder.as_ref().and_then(|folder| NamedTempFile::new_in(folder).ok());
        let file = file.and_then(|mut file| file.write_all(bytes).is_ok().then_some(file));
        let head = bytes[..bytes.len().min(media::HEAD)].to_vec();
        self.named(file, head, bytes.len() as u64, number)
    }

    /// Gives a file its name by what it is.
    fn named(&mut self, file: Option<NamedTempFile>, head: Vec<u8>, length: u64, number: usize) -> Artifact {
        let extension = media::sniff(&head).map_or("bin", |format| format.extension);
        let name = format!("output-{number}.{extension}");
        let kept = file.is_some_and(|file| self.persist(file, &name));
        Artifact { head, length, name: kept.then_some(name) }
    }

    fn persist(&mut self, file: NamedTempFile, name: &str) -> bool {
        let Some(folder) = &self.folder else { return false };
        let path = folder.join(name);
        match file.persist(&path) {
            Ok(_) => {
                self.kept.push(path);
                true
            }
            Err(error) => {
                self.log.warning(&format!("cannot keep `{FOLDER}/{name}`: {}", error.error));
                false
            }
        }
    }
}

/// Makes the folder, with a rule that keeps it out of git. A link in its place could lead anywhere.
fn prepare(workspace: &Path) -> std::io::Result<PathBuf> {
    let folder = workspace.join(FOLDER);
    match std::fs::symlink_metadata(&folder) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => return Err(std::io::Error::other("it is there, and is not a folder")),
        Err(_) => std::fs::create_dir(&folder)?,
    }
    let rule = folder.join(".gitignore");
    if std::fs::symlink_metadata(&rule).is_err() {
        std::fs::write(&rule, "*\n")?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::action::Mode;
    use crate::auth::Secret;

    fn log() -> Log {
        Log::new(Mode::Plain, Box::new(std::io::sink()))
    }

    #[test]
    fn what_is_kept_holds_no_secret() {
        let workspace = tempfile::tempdir().unwrap();
        let log = log();
        log.mask(&Secret::new("hf_secret"));
        let mut store = Store::open(workspace.path(), &log);
        store.keep_json("result.json", &json!({"text": "hf_secret"}));
        let text = std::fs::read_to_string(workspace.path().join(".hf-deploy/result.json")).unwrap();
        assert_eq!(text, "{\n  \"text\": \"***\"\n}\n");
        assert_eq!(std::fs::read_to_string(workspace.path().join(".hf-deploy/.gitignore")).unwrap(), "*\n");
        assert_eq!(store.into_kept().len(), 1);
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_not_followed() {
        let workspace = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), workspace.path().join(".hf-deploy")).unwrap();
        let log = log();
        let mut store = Store::open(workspace.path(), &log);
        store.keep_json("result.json", &json!({}));
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        assert_eq!(log.warnings().len(), 1);
    }
}
