//! Reading of files for the transfer engine: each once, in blocks, within a limit of memory.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, mpsc};
use xet::XetError;
use xet::xet_session::{Sha256Policy, XetUploadCommit};

use crate::content::{Content, ContentError};
use crate::error::{Cause, Error, TransferFault};
use crate::lock::lock;
use crate::types::{Checksum, Sha256, SizeChanged, XetHash, sha256};

const MIB: u64 = 1 << 20;

/// Size of one read.
const BLOCK: usize = 1 << 20;

/// Size of the files that are read at the same time, in MiB. The engine asks the storage about the first chunk of each
/// file, and the file waits for the answer: many files of a few MiB wait together, a large one has the engine to itself.
const SIDE_BY_SIDE: u32 = 32;
/// Least size that a file counts with, in MiB.
const SMALLEST: u32 = 3;

/// One file for the engine.
pub(crate) struct Feed<'a> {
    /// Path that errors name.
    pub(crate) path: &'a str,
    pub(crate) content: &'a Arc<dyn Content>,
    /// SHA-256 of the content, if it is known already.
    pub(crate) sha256: Option<Sha256>,
    /// [`Checksum`] of the reading that `sha256` comes from.
    pub(crate) checksum: Option<u64>,
    /// False for buckets, which name content by its Xet hash only.
    pub(crate) needs_sha256: bool,
}

/// One file that the engine has read.
pub(crate) struct Fed {
    pub(crate) xet_hash: XetHash,
    /// SHA-256 of the content, if the file needed it.
    pub(crate) sha256: Option<Sha256>,
    pub(crate) size: u64,
}

/// Feeds all files to the engine. Returns their ids, in order.
pub(crate) async fn feed(commit: &XetUploadCommit, files: &[Feed<'_>]) -> Result<Vec<Fed>, Error> {
    let room = Semaphore::new(SIDE_BY_SIDE as usize);
    let feeder = Feeder { commit, room, ending: Semaphore::new(1), pool: Pool::default() };
    let most = (SIDE_BY_SIDE / SMALLEST) as usize;
    stream::iter(files).map(|file| feeder.file(file)).buffered(most).try_collect().await
}

struct Feeder<'a> {
    commit: &'a XetUploadCommit,
    room: Semaphore,
    /// Lets one file end at a time. The end of a small file may fill the block that it shares with others, and the engine
    /// keeps a full block in memory until another one has been sent.
    ending: Semaphore,
    pool: Pool,
}

impl Feeder<'_> {
    async fn file(&self, file: &Feed<'_>) -> Result<Fed, Error> {
        let operation = format!("upload `{}`", file.path);
        let (content, size) = (file.content, file.content.size());
        let of_content = |error| Error::new(&operation, Cause::Content(error));
        let unreadable = |error| of_content(ContentError::reading(&**content, error));
        let failed = |error: XetError| transfer_error(&operation, error);
        let closed = |_| ended_early(&operation);
        let _room = self.room.acquire_many(weight(size)).await.map_err(closed)?;
        let remember = content.before_reading();
        // A checksum is compared, because content that changed after it was hashed must not be stored under the old id.
        let mut hashed = file.sha256.zip(file.checksum).map(|known| (known, Checksum::new()));
        let policy = match &hashed {
            _ if !file.needs_sha256 => Sha256Policy::Skip,
            Some(((sha256, _), _)) => Sha256Policy::from_hex(&sha256.to_string()),
            None => Sha256Policy::Compute,
        };
        let sink = self.commit.upload_stream(None, policy).await.map_err(failed)?;
        let mut blocks = blocks_of(Arc::clone(content), self.pool.clone());
        while let Some(block) = blocks.recv().await {
            let block = block.map_err(unreadable)?;
            if let Some((_, checksum)) = &mut hashed {
                checksum.update(&block);
            }
            sink.write(block).await.map_err(failed)?;
        }
        if hashed.is_some_and(|((_, planned), checksum)| checksum.finish() != planned) {
            return Err(of_content(ContentError::changed(&**content)));
        }
        let ending = self.ending.acquire().await.map_err(closed)?;
        let info = sink.finish().await.map_err(failed)?.xet_info;
        drop(ending);
        if info.file_size.is_some_and(|found| found != size) {
            return Err(of_content(ContentError::changed(&**content)));
        }
        let missing = |what: &str| {
            let detail = format!("the transfer engine returned no {what}");
            Error::new(&operation, Cause::Transfer { fault: TransferFault::Other, detail })
        };
        let xet_hash = info.hash.parse::<XetHash>().map_err(|_| missing("Xet hash"))?;
        if !file.needs_sha256 {
            return Ok(Fed { xet_hash, sha256: None, size });
        }
        // Computed here for an empty file, because the engine returns a placeholder for it.
        let sha256 = if size == 0 {
            sha256(io::empty()).map_err(unreadable)?
        } else {
            let found = info.sha256.and_then(|text| text.parse::<Sha256>().ok());
            found.ok_or_else(|| missing("SHA-256"))?
        };
        // Also if it differs from the plan: then the remembered SHA-256 was wrong, and the next run should not fail too.
        remember(sha256);
        if file.sha256.is_some_and(|planned| planned != sha256) {
            return Err(of_content(ContentError::changed(&**content)));
        }
        Ok(Fed { xet_hash, sha256: Some(sha256), size })
    }
}

fn weight(size: u64) -> u32 {
    u32::try_from(size.div_ceil(MIB)).unwrap_or(SIDE_BY_SIDE).clamp(SMALLEST, SIDE_BY_SIDE)
}

fn ended_early(operation: &str) -> Error {
    let detail = "the upload of large files ended early".to_owned();
    Error::new(operation, Cause::Transfer { fault: TransferFault::Other, detail })
}

/// Makes the error of an upload that the engine made.
pub(crate) fn transfer_error(operation: &str, error: XetError) -> Error {
    Error::new(operation, Cause::Transfer { fault: fault_of(&error), detail: error.to_string() })
}

/// Returns the kind of an error of the engine.
pub(crate) fn fault_of(error: &XetError) -> TransferFault {
    match error {
        XetError::Authentication(_) => TransferFault::Permission,
        XetError::Network(_) | XetError::ServerError(_) => TransferFault::Unavailable,
        XetError::RateLimited(_) => TransferFault::RateLimited,
        XetError::Timeout(_) => TransferFault::TimedOut,
        XetError::Io(_) => TransferFault::LocalIo,
        XetError::KeyboardInterrupt | XetError::UserCancelled(_) | XetError::Cancelled(_) => {
            TransferFault::Cancelled
        }
        _ => TransferFault::Other,
    }
}

/// Reads one block ahead on a thread of its own, so that the disk and the engine work at the same time.
fn blocks_of(content: Arc<dyn Content>, pool: Pool) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let result = read(&*content, &pool, |block| sender.blocking_send(Ok(block)).is_ok());
        if let Err(error) = result {
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Passes each block on until `each` returns false. Fails if there are more or fewer bytes than planned.
fn read(content: &dyn Content, pool: &Pool, mut each: impl FnMut(Bytes) -> bool) -> io::Result<()> {
    let expected = content.size();
    let mut reader = content.open_at(0)?;
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

/// Blocks that the engine has released. They are used again, because allocators keep memory that is freed in between.
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
    /// Content of another size than it says.
    #[derive(Debug)]
    struct Announced(Bytes, u64);

    impl Content for Announced {
        fn path(&self) -> &str {
            "file"
        }

        fn size(&self) -> u64 {
            self.1
        }

        fn open_at(&self, _: u64) -> io::Result<Box<dyn Read + Send>> {
            Ok(Box::new(io::Cursor::new(self.0.clone())))
        }
    }

    fn content(bytes: &[u8], size: u64) -> Announced {
        Announced(Bytes::copy_from_slice(bytes), size)
    }

    #[test]
    fn a_file_is_read_in_blocks_that_are_used_again() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 7).map(|n| (n / 1000) as u8).collect();
        let (pool, mut seen) = (Pool::default(), Vec::new());
        let result = read(&content(&bytes, bytes.len() as u64), &pool, |block| {
            assert!(block.len() <= BLOCK);
            seen.extend_from_slice(&block);
            true
        });
        result.unwrap();
        assert!(seen == bytes);
        assert_eq!(lock(&pool.0).len(), 1, "each block was let go of before the next was read");
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        for (bytes, size) in [(&b"abc"[..], 2), (b"abc", 4), (b"", 1), (b"a", 0)] {
            let error = read(&content(bytes, size), &Pool::default(), |_| true).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{size}");
        }
    }

    #[test]
    fn a_large_file_is_alone_and_small_ones_are_not() {
        assert_eq!([0, 1, 5 * MIB, 5_000 * MIB, u64::MAX].map(weight), [3, 3, 5, SIDE_BY_SIDE, SIDE_BY_SIDE]);
    }
}
