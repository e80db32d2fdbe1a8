//! One file of a folder.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use hub::{Oid, RepoPath, Sha256, SizeChanged};

use super::cache::{CacheSlot, HashCache};
use super::error::Error;
use super::hash;

/// One file to deploy.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path relative to the folder.
    pub path: RepoPath,
    pub content: FileContent,
    /// Size in bytes, when the folder was read.
    pub size: u64,
    /// Cache that may know the hashes of the file.
    pub cache: Option<Arc<HashCache>>,
}

/// Location of the content of a file.
#[derive(Debug, Clone)]
pub enum FileContent {
    /// In the file at this absolute path.
    Disk(PathBuf),
    /// In memory: the file was generated, or is an edited copy.
    Memory(Bytes),
}

impl SourceFile {
    /// Returns the error of a failed read. A file that is gone or has another size was changed since it was found.
    pub fn error(&self, source: io::Error) -> Error {
        let path = self.path.to_string();
        let is_resized = source.get_ref().is_some_and(|inner| inner.is::<SizeChanged>());
        if is_resized || matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) {
            return Error::FileChanged { path, source };
        }
        Error::FileUnreadable { path, source }
    }

    /// Opens the content at its beginning.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.content {
            FileContent::Disk(path) => Ok(Box::new(File::open(path)?)),
            FileContent::Memory(bytes) => Ok(Box::new(bytes.clone().reader())),
        }
    }

    /// Opens the content at the byte `offset`. Content that is shorter has no more bytes.
    pub fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.content {
            FileContent::Disk(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(file))
            }
            FileContent::Memory(bytes) => {
                let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
                Ok(Box::new(bytes.slice(start..).reader()))
            }
        }
    }

    /// Reads the whole content of a small file.
    pub fn read_to_vec(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open()?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// Returns the git blob id. The error has a [`SizeChanged`] inside if the file has another size by now.
    pub fn git_blob_oid(&self) -> io::Result<Oid> {
        let slot = self.cache_slot();
        if let Some(oid) = slot.as_ref().and_then(CacheSlot::oid) {
            return Ok(oid);
        }
        let oid = hub::git_blob_oid(self.open()?, self.size)?;
        if let Some(slot) = slot {
            slot.store(Some(oid), None);
        }
        Ok(oid)
    }

    /// Returns the SHA-256 of the content. Fails like [`SourceFile::git_blob_oid`].
    pub fn sha256(&self) -> io::Result<Sha256> {
        self.sha256_and_checksum().map(|(sha256, _)| sha256)
    }

    /// Returns the SHA-256, and the [`Checksum`](hub::Checksum) for comparison with a later read: `None` if the cache has
    /// the SHA-256, so that nothing was read.
    pub fn sha256_and_checksum(&self) -> io::Result<(Sha256, Option<u64>)> {
        let slot = self.cache_slot();
        if let Some(sha256) = slot.as_ref().and_then(CacheSlot::sha256) {
            return Ok((sha256, None));
        }
        let (sha256, checksum) = hash::sha256_of_size(self.open()?, self.size)?;
        if let Some(slot) = slot {
            slot.store(None, Some(sha256));
        }
        Ok((sha256, Some(checksum)))
    }

    /// Returns the slot of the file in the cache. Take it before the file is read, and store the hashes afterwards.
    pub(super) fn cache_slot(&self) -> Option<CacheSlot<'_>> {
        match (&self.cache, &self.content) {
            (Some(cache), FileContent::Disk(path)) => cache.slot(path, self.size),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_in_memory_and_on_disk_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = "x".repeat(600);
        std::fs::write(&path, &content).unwrap();
        let memory = SourceFile {
            path: "file".parse().unwrap(),
            content: FileContent::Memory(Bytes::from(content.clone())),
            size: 600,
            cache: None,
        };
        let disk = SourceFile { content: FileContent::Disk(path.clone()), ..memory.clone() };
        for offset in [0, 1, 599, 600, 601] {
            let rest = |file: &SourceFile| io::read_to_string(file.open_at(offset).unwrap()).unwrap();
            assert_eq!(rest(&memory), content[600.min(offset as usize)..]);
            assert_eq!(rest(&memory), rest(&disk));
        }
        assert_eq!(memory.git_blob_oid().unwrap(), disk.git_blob_oid().unwrap());
        assert_eq!(memory.sha256().unwrap(), disk.sha256().unwrap());

        std::fs::write(&path, "shorter").unwrap();
        assert_eq!(disk.git_blob_oid().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(disk.sha256().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
