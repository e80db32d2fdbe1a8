//! An unfinished file: content that came so far, and its hash.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use bytes::Bytes;

use super::types::{Download, DownloadId};
use super::verifier::{Verifier, text_of};
use crate::types::sha256;

/// File that grows with the content. It stays on the disk if the download is interrupted.
pub(super) struct Unfinished {
    file: File,
    place: PathBuf,
    verifier: Verifier,
    id: DownloadId,
    /// Number of bytes that are there.
    pub(super) length: u64,
    /// Announced size in bytes.
    size: u64,
}

/// Returns the name of the unfinished file of a download: another content never continues it.
pub(super) fn name_of(download: &Download) -> io::Result<String> {
    let place = sha256(download.to.as_bytes())?.to_string();
    Ok(format!("{}-{}", &place[..16], text_of(download.id)))
}

impl Unfinished {
    /// Opens the unfinished file of an earlier download, or a new one. Blocks, because what is there is hashed.
    pub(super) fn open(place: PathBuf, download: &Download) -> io::Result<Self> {
        // The folder belongs to this program, so that only its own files are in it. A link would lead elsewhere.
        if std::fs::symlink_metadata(&place).is_ok_and(|found| !found.is_file()) {
            std::fs::remove_file(&place)?;
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&place)?;
        let mut verifier = Verifier::new(download.id, download.size);
        let mut length = file.metadata()?.len();
        if length > download.size {
            file.set_len(0)?;
            length = 0;
        }
        if length > 0 {
            length = verifier.read(&mut file)?;
        }
        file.seek(SeekFrom::Start(length))?;
        Ok(Self { file, place, verifier, id: download.id, length, size: download.size })
    }

    /// Adds the next bytes. Bytes beyond the announced size are an error.
    pub(super) fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.verifier.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Returns true if as many bytes are there as were announced, or more.
    pub(super) fn is_complete(&self) -> bool {
        self.length >= self.size
    }

    /// Starts again from nothing, because the server does not continue.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.verifier = Verifier::new(self.id, self.size);
        self.length = 0;
        Ok(())
    }

    /// Compares the hash. If it is not the wanted one, starts again from nothing, and returns the hash that was found.
    pub(super) fn check(&mut self) -> io::Result<Result<(), String>> {
        let verifier = std::mem::replace(&mut self.verifier, Verifier::new(self.id, self.size));
        let result = if self.length == self.size {
            verifier.finish(self.id)
        } else {
            Err(format!("{} bytes in place of {}", self.length, self.size))
        };
        if result.is_err() {
            self.restart()?;
        }
        Ok(result)
    }

    /// Closes the file, and returns its place.
    pub(super) fn into_place(self) -> PathBuf {
        self.place
    }
}

#[cfg(test)]
impl Unfinished {
    /// Makes an empty unfinished file of any file, such as a device.
    pub(super) fn on(file: File, download: &Download) -> Self {
        let verifier = Verifier::new(download.id, download.size);
        Self { file, place: PathBuf::new(), verifier, id: download.id, length: 0, size: download.size }
    }
}
