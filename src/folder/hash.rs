//! Hashes of files, computed while the next block is read.

use std::io::{self, Read};
use std::sync::mpsc;
use std::thread;

pub use hub::{Checksum, GitBlobHasher, Oid, Sha256, SizeChanged, git_blob_oid, sha256};
use sha2::Digest as _;

/// Size from which one thread reads a file and another one hashes it.
const READ_AHEAD: u64 = 32 << 20;
/// Size of a block that is handed from thread to thread.
const BLOCK: usize = 1 << 20;

/// Computes the SHA-256 of `size` bytes, and their [`Checksum`].
pub(super) fn sha256_of_size(reader: impl Read + Send, size: u64) -> io::Result<(Sha256, u64)> {
    let (mut hasher, mut checksum) = (sha2::Sha256::new(), Checksum::new());
    let each = |bytes: &[u8]| {
        hasher.update(bytes);
        checksum.update(bytes);
    };
    let found = match size {
        0..READ_AHEAD => hub::read_in_blocks(reader, each)?,
        _ => read_ahead(reader, each)?,
    };
    if found != size {
        return Err(SizeChanged { expected: size, found }.into());
    }
    Ok((Sha256::from(<[u8; 32]>::from(hasher.finalize())), checksum.finish()))
}

/// Reads to the end, with the next block read while `each` works on this one. Returns the number of bytes.
fn read_ahead(mut reader: impl Read + Send, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let (full, filled) = mpsc::sync_channel(1);
    let (empty, emptied) = mpsc::channel::<Vec<u8>>();
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let mut block = emptied.try_recv().unwrap_or_default();
                block.clear();
                let read = reader.by_ref().take(BLOCK as u64).read_to_end(&mut block);
                let is_last = matches!(read, Ok(0) | Err(_));
                if full.send(read.map(|_| block)).is_err() || is_last {
                    return;
                }
            }
        });
        let mut size = 0;
        for block in filled {
            let block = block?;
            each(&block);
            size += block.len() as u64;
            // The reader has already exited when the last blocks come back, so an error is expected.
            let _ = empty.send(block);
        }
        Ok(size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_fails_for_another_size_than_expected() {
        for (content, size) in [("abc", 2), ("abc", 4), ("", 1)] {
            assert!(sha256_of_size(content.as_bytes(), size).is_err());
        }
    }

    #[test]
    fn reading_ahead_makes_no_difference() {
        struct Breaks;
        impl Read for Breaks {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7] {
            let content: Vec<u8> = (0..size).map(|n| (n / 1000) as u8).collect();
            let mut found = Vec::new();
            assert_eq!(
                read_ahead(content.as_slice(), |bytes| found.extend_from_slice(bytes)).unwrap(),
                size as u64
            );
            assert!(found == content, "{size}");
        }
        let broken = (&b"begins"[..]).chain(Breaks);
        assert_eq!(read_ahead(broken, |_| ()).unwrap_err().to_string(), "gone");
    }

    #[test]
    fn a_checksum_knows_content_again_whatever_its_pieces() {
        let (_, planned) = sha256_of_size(&b"one and two"[..], 11).unwrap();
        for (pieces, same) in [(["one ", "and two"], true), (["one and", " too"], false)] {
            let mut checksum = Checksum::new();
            pieces.iter().for_each(|piece| checksum.update(piece.as_bytes()));
            assert_eq!(checksum.finish() == planned, same, "{pieces:?}");
        }
    }
}
