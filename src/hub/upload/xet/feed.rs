//! Files on their way into the transfer engine: each read once, in blocks, and no faster than memory allows.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, mpsc};
use xet::XetError;
use xet::xet_session::{Sha256Policy, XetUploadCommit};

use super::{LargeFile, Uploaded, file_failure};
use crate::failure::{Code, Failure};
use crate::folder::{Checksum, SizeChanged, SourceFile, hash};
use crate::hub::client::lock;

const MIB: u64 = 1 << 20;

/// How much of a file is read at a time.
const BLOCK: usize = 1 << 20;

/// How many MiB of files are under way side by side. The engine asks the storage about the first chunk of each
/// file, and a file waits for the answer: many files of a few MiB wait together, a large one has the engine to itself.
const SIDE_BY_SIDE: u32 = 32;
/// The least that a file counts for.
const SMALLEST: u32 = 3;

/// Puts all files into the engine: what they are known by, in order.
pub(super) async fn feed(commit: &XetUploadCommit, files: &[LargeFile]) -> Result<Vec<Uploaded>, Failure> {
    let room = Semaphore::new(SIDE_BY_SIDE as usize);
    let feed = Feed { commit, room, ending: Semaphore::new(1), pool: Pool::default() };
    let most = (SIDE_BY_SIDE / SMALLEST) as usize;
    stream::iter(files).map(|file| feed.file(file)).buffered(most).try_collect().await
}

struct Feed<'a> {
    commit: &'a XetUploadCommit,
    room: Semaphore,
    /// The end of a small file may fill the block that it shares with others. The engine packs a full block at once,
    /// and holds it until one on its way has arrived: not several of them.
    ending: Semaphore,
    pool: Pool,
}

impl Feed<'_> {
    async fn file(&self, file: &LargeFile) -> Result<Uploaded, Failure> {
        let _room = self
            .room
            .acquire_many(weight(file.source.size))
            .await
            .map_err(|error| ended().caused_by(error))?;
        let failed = |error: XetError| file_failure(file, error);
        // Content that changed after it was hashed must not be stored under the old name.
        let look = file.source.look();
        let mut hashed = file.sha256.zip(file.checksum).map(|known| (known, Checksum::new()));
        let policy = match &hashed {
            Some(((sha256, _), _)) => Sha256Policy::from_hex(&sha256.to_string()),
            None => Sha256Policy::Compute,
        };
        let sink = self.commit.upload_stream(None, policy).await.map_err(failed)?;
        let mut blocks = blocks_of(Arc::clone(&file.source), self.pool.clone());
        while let Some(block) = blocks.recv().await {
            let block = block.map_err(|error| file.source.failure(error))?;
            if let Some((_, checksum)) = &mut hashed {
                checksum.update(&block);
            }
            sink.write(block).await.map_err(failed)?;
        }
        if hashed.is_some_and(|((_, planned), checksum)| checksum.finish() != planned) {
            return Err(file.source.changed());
        }
        let ending = self.ending.acquire().await.map_err(|error| ended().caused_by(error))?;
        let info = sink.finish().await.map_err(failed)?.xet_info;
        drop(ending);
        // The engine has a placeholder for the hash of no bytes.
        let sha256 = if file.source.size == 0 {
            let hashed = hash::sha256(io::empty()).map_err(|error| file.source.failure(error))?;
            Some(hashed.to_string())
        } else {
            info.sha256
        };
        let Some(sha256) = sha256 else {
            let message = format!("the transfer engine gave no SHA-256 for `{}`", file.path);
            return Err(Failure::new(Code::Internal, message));
        };
        // Also what differs from the plan: then the cache was wrong, and the next run must not fail as well.
        if let Some(look) = look {
            look.learn(None, sha256.parse().ok());
        }
        let changed = info.file_size.is_some_and(|size| size != file.source.size)
            || file.sha256.as_ref().is_some_and(|planned| planned.to_string() != sha256);
        if changed {
            return Err(file.source.changed());
        }
        Ok(Uploaded { sha256, size: file.source.size })
    }
}

fn weight(size: u64) -> u32 {
    u32::try_from(size.div_ceil(MIB)).unwrap_or(SIDE_BY_SIDE).clamp(SMALLEST, SIDE_BY_SIDE)
}

fn ended() -> Failure {
    Failure::new(Code::Internal, "the upload of large files ended early")
}

/// Reads ahead by one block, on a thread of its own: the disk and the engine work at the same time.
fn blocks_of(source: Arc<SourceFile>, pool: Pool) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let result = read(&source, &pool, |block| sender.blocking_send(Ok(block)).is_ok());
        if let Err(error) = result {
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Hands on each block until `each` wants no more. Fails when there are more bytes or fewer than were found.
fn read(source: &SourceFile, pool: &Pool, mut each: impl FnMut(Bytes) -> bool) -> io::Result<()> {
    let expected = source.size;
    let mut reader = source.open()?;
    let mut found = 0;
    loop {
        let mut block = pool.take();
        reader.by_ref().take(BLOCK as u64).read_to_end(&mut block.bytes)?;
        found += block.bytes.len() as u64;
        let last = block.bytes.is_empty();
        if found > expected || (last && found < expected) {
            return Err(SizeChanged { expected, found }.into());
        }
        if last || !each(Bytes::from_owner(block)) {
            return Ok(());
        }
    }
}

/// Blocks that the engine has let go of. Many were made and freed for each file otherwise, and allocators keep what
/// was freed in between.
#[derive(Clone, Default)]
struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

struct Block {
    bytes: Vec<u8>,
    pool: Pool,
}

impl Pool {
    fn take(&self) -> Block {
        let bytes = lock(&self.0).pop().unwrap_or_else(|| Vec::with_capacity(BLOCK));
        Block { bytes, pool: self.clone() }
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        lock(&self.pool.0).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Content;

    fn source(content: &[u8], size: u64) -> SourceFile {
        let content = Content::Memory(Bytes::copy_from_slice(content));
        SourceFile { path: "file".parse().unwrap(), content, size, cache: None }
    }

    #[test]
    fn a_file_is_read_in_blocks_that_are_used_again() {
        let content: Vec<u8> = (0..3 * BLOCK + 7).map(|n| (n / 1000) as u8).collect();
        let (pool, mut seen) = (Pool::default(), Vec::new());
        let result = read(&source(&content, content.len() as u64), &pool, |block| {
            assert!(block.len() <= BLOCK);
            seen.extend_from_slice(&block);
            true
        });
        result.unwrap();
        assert!(seen == content);
        assert_eq!(lock(&pool.0).len(), 1, "each block was let go of before the next was read");
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        for (content, size) in [(&b"abc"[..], 2), (b"abc", 4), (b"", 1), (b"a", 0)] {
            let error = read(&source(content, size), &Pool::default(), |_| true).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{size}");
        }
    }

    #[test]
    fn a_large_file_is_alone_and_small_ones_are_not() {
        assert_eq!([0, 1, 5 * MIB, 5_000 * MIB, u64::MAX].map(weight), [3, 3, 5, SIDE_BY_SIDE, SIDE_BY_SIDE]);
    }
}
