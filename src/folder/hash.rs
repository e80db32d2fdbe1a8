//! The two names that the Hub knows a file by.
//!
//! A regular file is known by its git blob id, a large one by its SHA-256; preupload answers with one or
//! the other as `oid` (`POST /api/{type}s/{id}/preupload/{rev}`), and equal means unchanged.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;

use sha1::Digest as _;

/// How much is read at a time: large enough that the hash, not the system call, takes the time.
const BUFFER: usize = 128 * 1024;
/// From which size on a file is read by one thread and hashed by another, and how much is handed over at a time.
const READ_AHEAD: u64 = 32 << 20;
const BLOCK: usize = 1 << 20;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            /// Lower-case hex, as the Hub writes it.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotADigest;

            fn from_str(text: &str) -> Result<Self, NotADigest> {
                let mut bytes = [0; $bytes];
                if text.len() != 2 * bytes.len() {
                    return Err(NotADigest);
                }
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
                }
                Ok(Self(bytes))
            }
        }
    };
}

digest! {
    /// The id of a git object: SHA-1 over `blob <size>\0` and the content.
    Oid, 20
}

digest! {
    /// The SHA-256 of a content: its name in LFS and Xet.
    Sha256, 32
}

/// A text is not the hex form of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a digest in hex")]
pub struct NotADigest;

fn hex_digit(digit: u8) -> Result<u8, NotADigest> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(NotADigest),
    }
}

/// A file had another size when it was read than when it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("changed while it was read: expected {expected} bytes, found {found}")]
pub struct SizeChanged {
    pub expected: u64,
    /// What was read: at least this many bytes, if there were more than expected.
    pub found: u64,
}

impl From<SizeChanged> for io::Error {
    fn from(error: SizeChanged) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Computes a git blob id while the content passes by.
///
/// Git hashes the size ahead of the content (`git help hash-object`), so the size must be known first.
#[derive(Debug, Clone)]
pub struct BlobHasher {
    sha1: sha1::Sha1,
    expected: u64,
    found: u64,
}

impl BlobHasher {
    pub fn new(size: u64) -> Self {
        let mut sha1 = sha1::Sha1::new();
        sha1.update(format!("blob {size}\0"));
        Self { sha1, expected: size, found: 0 }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.found += bytes.len() as u64;
        self.sha1.update(bytes);
    }

    /// The id, unless more or fewer bytes came than were announced.
    pub fn finish(self) -> Result<Oid, SizeChanged> {
        let Self { sha1, expected, found } = self;
        if found != expected {
            return Err(SizeChanged { expected, found });
        }
        Ok(Oid(sha1.finalize().into()))
    }
}

/// The git blob id of `size` bytes.
pub fn git_blob_oid(reader: impl Read, size: u64) -> io::Result<Oid> {
    let mut hasher = BlobHasher::new(size);
    read_all(reader, |bytes| hasher.update(bytes))?;
    Ok(hasher.finish()?)
}

/// The SHA-256 of everything that `reader` gives.
pub fn sha256(reader: impl Read) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    read_all(reader, |bytes| hasher.update(bytes))?;
    Ok(Sha256(hasher.finalize().into()))
}

/// Tells whether content is the same in two readings (CRC-64/NVME): a twentieth of the work of a SHA-256. It is no
/// defence against whoever wants two contents to look alike.
#[derive(Debug, Clone)]
pub struct Checksum(crc_fast::Digest);

impl Checksum {
    pub fn new() -> Self {
        Self(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

/// The SHA-256 of `size` bytes, and their [`Checksum`].
pub(super) fn sha256_of_size(reader: impl Read + Send, size: u64) -> io::Result<(Sha256, u64)> {
    let (mut hasher, mut checksum) = (sha2::Sha256::new(), Checksum::new());
    let each = |bytes: &[u8]| {
        hasher.update(bytes);
        checksum.update(bytes);
    };
    let found = match size {
        0..READ_AHEAD => read_all(reader, each)?,
        _ => read_ahead(reader, each)?,
    };
    if found != size {
        return Err(SizeChanged { expected: size, found }.into());
    }
    Ok((Sha256(hasher.finalize().into()), checksum.finish()))
}

/// Reads to the end and returns the number of bytes.
fn read_all(mut reader: impl Read, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(n) => {
                each(&buffer[..n]);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The same, where the next block is read while `each` has this one.
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
            // Whoever reads is done by the time of the last ones.
            let _ = empty.send(block);
        }
        Ok(size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digests_are_those_of_git_and_sha256sum() {
        let cases = [
            (
                "",
                "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "hello\n",
                "ce013625030ba8dba906f756967f9e9ca394464a",
                "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
            ),
        ];
        for (content, oid, hash) in cases {
            let found = git_blob_oid(content.as_bytes(), content.len() as u64).unwrap();
            assert_eq!(found.to_string(), oid);
            assert_eq!(oid.parse(), Ok(found));
            assert_eq!(oid.to_uppercase().parse(), Ok(found));
            assert_eq!(sha256(content.as_bytes()).unwrap().to_string(), hash);
        }
    }

    #[test]
    fn a_size_that_does_not_fit_is_told() {
        for (content, size) in [("abc", 2), ("abc", 4), ("", 1)] {
            let found = content.len() as u64;
            let error = git_blob_oid(content.as_bytes(), size).unwrap_err();
            assert_eq!(error.to_string(), SizeChanged { expected: size, found }.to_string());
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

    #[test]
    fn texts_that_are_no_digest() {
        for text in [
            "",
            "e69de29b",
            "g69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            "é69de29bb2d1d6434b8b29ae775ad8c2e48c539",
        ] {
            assert_eq!(text.parse::<Oid>(), Err(NotADigest), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(content: Vec<u8>, cut in 0usize..64) {
            let cut = cut.min(content.len());
            let mut hasher = BlobHasher::new(content.len() as u64);
            hasher.update(&content[..cut]);
            hasher.update(&content[cut..]);
            let whole = git_blob_oid(content.as_slice(), content.len() as u64).unwrap();
            prop_assert_eq!(hasher.finish().unwrap(), whole);
        }
    }
}
