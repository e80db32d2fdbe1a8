//! Files that the check keeps: `.hf-deploy/` in the workspace.
//!
//! The names are chosen here, never by the app. A file that cannot be kept is a warning, because it does not change the
//! judgement.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hub::Sha256;
use reqwest::Response;
use serde_json::Value;
use sha2::Digest as _;
use tempfile::NamedTempFile;

use super::answer::RequestError;
use super::media;
use super::observer::CheckObserver;
use crate::workspace::{FOLDER, OwnFolder};

/// Largest file that is fetched, in bytes.
const MAX_FILE: usize = 200 << 20;

/// Folder for the files that are kept.
#[derive(Debug)]
pub(super) struct Artifacts<'a> {
    folder: Option<OwnFolder>,
    kept: Mutex<Vec<PathBuf>>,
    observer: &'a dyn CheckObserver,
}

/// A file that was fetched to its end.
#[derive(Debug)]
pub(super) struct KeptFile {
    /// Its first bytes.
    pub(super) head: Vec<u8>,
    /// In bytes.
    pub(super) length: u64,
    pub(super) sha256: Sha256,
    /// Its name in the folder, if it could be kept.
    pub(super) name: Option<String>,
}

impl<'a> Artifacts<'a> {
    /// Opens the folder in the workspace, or the folder of the check with this number below it.
    pub(super) fn open(workspace: &Path, number: Option<usize>, observer: &'a dyn CheckObserver) -> Self {
        let opened = OwnFolder::open(workspace).and_then(|folder| match number {
            Some(number) => folder.subfolder(&format!("check-{number}")),
            None => Ok(folder),
        });
        let folder = match opened {
            Ok(folder) => Some(folder),
            Err(error) => {
                observer.warning(&format!("cannot keep files in `{FOLDER}/`: {error}"));
                None
            }
        };
        Self { folder, kept: Mutex::default(), observer }
    }

    /// Returns the files that were kept.
    pub(super) fn kept(&self) -> Vec<PathBuf> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a JSON value, without secrets.
    pub(super) fn keep_json(&self, name: &str, value: &Value) {
        let text = self.observer.redact(&format!("{value:#}\n"));
        let Some(folder) = &self.folder else { return };
        let write = || {
            let mut file = folder.temporary_file()?;
            file.write_all(text.as_bytes())?;
            Ok::<_, std::io::Error>(file)
        };
        match write() {
            Ok(file) => {
                self.persist(file, name);
            }
            Err(error) => self.observer.warning(&format!("cannot keep `{FOLDER}/{name}`: {error}")),
        }
    }

    /// Reads a file of the result to its end, and keeps it as `output-{number}.{extension}`.
    ///
    /// # Errors
    ///
    /// The connection failed, or the file is too large.
    pub(super) async fn keep(&self, mut response: Response, number: usize) -> Result<KeptFile, RequestError> {
        let mut file = self.folder.as_ref().and_then(|folder| folder.temporary_file().ok());
        let mut head = Vec::new();
        let mut hasher = sha2::Sha256::new();
        let mut length = 0u64;
        while let Some(chunk) = response.chunk().await? {
            length += chunk.len() as u64;
            if length > MAX_FILE as u64 {
                return Err(RequestError::TooLarge(MAX_FILE));
            }
            let room = media::HEAD - head.len();
            head.extend_from_slice(&chunk[..chunk.len().min(room)]);
            hasher.update(&chunk);
            if let Some(open) = &mut file
                && let Err(error) = open.write_all(&chunk)
            {
                self.observer.warning(&format!("cannot keep a file of the result: {error}"));
                file = None;
            }
        }
        Ok(self.named(file, KeptFile { head, length, sha256: sha256_of(hasher), name: None }, number))
    }

    /// Keeps a file that came with the result, as `output-{number}.{extension}`.
    pub(super) fn keep_bytes(&self, bytes: &[u8], number: usize) -> KeptFile {
        let file = self.folder.as_ref().and_then(|folder| folder.temporary_file().ok());
        let file = file.and_then(|mut file| file.write_all(bytes).is_ok().then_some(file));
        let head = bytes[..bytes.len().min(media::HEAD)].to_vec();
        let sha256 = sha256_of(sha2::Sha256::new().chain_update(bytes));
        self.named(file, KeptFile { head, length: bytes.len() as u64, sha256, name: None }, number)
    }

    /// Names a file by its format.
    fn named(&self, file: Option<NamedTempFile>, content: KeptFile, number: usize) -> KeptFile {
        let extension = media::sniff(&content.head).map_or("bin", |format| format.extension);
        let name = format!("output-{number}.{extension}");
        let is_kept = file.is_some_and(|file| self.persist(file, &name));
        KeptFile { name: is_kept.then_some(name), ..content }
    }

    fn persist(&self, file: NamedTempFile, name: &str) -> bool {
        let Some(folder) = &self.folder else { return false };
        let path = folder.path().join(name);
        match file.persist(&path) {
            Ok(_) => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                // A later call replaces the files of an earlier one.
                if !kept.contains(&path) {
                    kept.push(path);
                }
                true
            }
            Err(error) => {
                self.observer.warning(&format!("cannot keep `{FOLDER}/{name}`: {}", error.error));
                false
            }
        }
    }
}

fn sha256_of(hasher: sha2::Sha256) -> Sha256 {
    Sha256::from(<[u8; 32]>::from(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app_check::observer::tests::TestObserver;

    #[test]
    fn kept_file_contains_no_secret() {
        let workspace = tempfile::tempdir().unwrap();
        let observer = TestObserver::default();
        let artifacts = Artifacts::open(workspace.path(), None, &observer);
        artifacts.keep_json("result.json", &json!({"text": "hf_secret"}));
        let text = std::fs::read_to_string(workspace.path().join(".hf-deploy/result.json")).unwrap();
        assert_eq!(text, "{\n  \"text\": \"***\"\n}\n");
        assert_eq!(std::fs::read_to_string(workspace.path().join(".hf-deploy/.gitignore")).unwrap(), "*\n");
        assert_eq!(artifacts.kept().len(), 1);
    }

    #[test]
    fn one_of_several_checks_has_a_folder_of_its_own() {
        let workspace = tempfile::tempdir().unwrap();
        let observer = TestObserver::default();
        let artifacts = Artifacts::open(workspace.path(), Some(2), &observer);
        artifacts.keep_json("result.json", &json!({"run": 1}));
        artifacts.keep_json("result.json", &json!({"run": 2}));
        let path = workspace.path().join(".hf-deploy/check-2/result.json");
        assert_eq!(artifacts.kept(), std::slice::from_ref(&path), "the second one replaces the first");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "{\n  \"run\": 2\n}\n");
    }

    #[test]
    fn link_in_place_of_the_folder_is_not_followed() {
        let workspace = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), workspace.path().join(".hf-deploy")).unwrap();
        let observer = TestObserver::default();
        let artifacts = Artifacts::open(workspace.path(), None, &observer);
        artifacts.keep_json("result.json", &json!({}));
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        assert_eq!(observer.warnings.lock().unwrap().len(), 1);
    }
}
