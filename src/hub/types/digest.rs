//! Ids of contents and commits.
//!
//! The Hub identifies a regular file by its git blob id, and a large one by its SHA-256.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::Digest as _;

/// Size of one read: large enough that hashing takes the time, not the system calls.
const BUFFER: usize = 128 * 1024;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Returns the bytes of the digest.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            /// Writes lower-case hex, as the Hub does.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl From<[u8; $bytes]> for $name {
            fn from(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
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
    /// Id of a git object: the SHA-1 of `blob <size>\0` and the content.
    Oid, 20
}

digest! {
    /// SHA-256 of a content: its name in Git LFS and Xet.
    Sha256, 32
}

digest! {
    /// Hash of a content in the Xet storage, as its hex form has it: the root of a tree of chunk hashes.
    XetHash, 32
}

/// Id of a content: the git blob id of a regular file, or the SHA-256 of a large one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentId {
    /// Git blob id.
    Git(Oid),
    /// SHA-256.
    Sha256(Sha256),
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(oid) => oid.fmt(f),
            Self::Sha256(sha256) => sha256.fmt(f),
        }
    }
}

impl FromStr for ContentId {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        text.parse().map(Self::Git).or_else(|_| text.parse().map(Self::Sha256))
    }
}

/// Error of a text that is not the hex form of a digest.
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

/// Error of content that has another size when it is read than was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("changed while it was read: expected {expected} bytes, found {found}")]
pub struct SizeChanged {
    /// Announced size in bytes.
    pub expected: u64,
    /// Bytes that were read; possibly fewer than there are, if there are more than announced.
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
pub struct GitBlobHasher {
    sha1: sha1::Sha1,
    expected: u64,
    found: u64,
}

impl GitBlobHasher {
    /// Starts the id of a blob of `size` bytes.
    pub fn new(size: u64) -> Self {
        let mut sha1 = sha1::Sha1::new();
        sha1.update(format!("blob {size}\0"));
        Self { sha1, expected: size, found: 0 }
    }

    /// Adds the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.found += bytes.len() as u64;
        self.sha1.update(bytes);
    }

    /// Returns the id, unless more or fewer bytes came than were announced.
    pub fn finish(self) -> Result<Oid, SizeChanged> {
        let Self { sha1, expected, found } = self;
        if found != expected {
            return Err(SizeChanged { expected, found });
        }
        Ok(Oid(sha1.finalize().into()))
    }
}

/// Computes the git blob id of `size` bytes.
pub fn git_blob_oid(reader: impl Read, size: u64) -> io::Result<Oid> {
    let mut hasher = GitBlobHasher::new(size);
    read_in_blocks(reader, |bytes| hasher.update(bytes))?;
    Ok(hasher.finish()?)
}

/// Computes the SHA-256 of everything that `reader` yields.
pub fn sha256(reader: impl Read) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    read_in_blocks(reader, |bytes| hasher.update(bytes))?;
    Ok(Sha256(hasher.finalize().into()))
}

/// Checksum that compares two readings of the same content (CRC-64/NVME), with a twentieth of the work of a SHA-256.
/// It detects changes by accident, not by intent.
#[derive(Debug, Clone)]
pub struct Checksum(crc_fast::Digest);

impl Checksum {
    /// Starts a checksum.
    pub fn new() -> Self {
        Self(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme))
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the checksum of all bytes that were added.
    pub fn finish(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads to the end, passes each block on, and returns the number of bytes.
pub fn read_in_blocks(mut reader: impl Read, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn another_size_than_announced_is_an_error() {
        for (content, size) in [("abc", 2), ("abc", 4), ("", 1)] {
            let found = content.len() as u64;
            let error = git_blob_oid(content.as_bytes(), size).unwrap_err();
            assert_eq!(error.to_string(), SizeChanged { expected: size, found }.to_string());
        }
    }

    #[test]
    fn the_id_of_a_content_is_of_either_kind() {
        for length in [40, 64] {
            let text = "a".repeat(length);
            let id: ContentId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(matches!(id, ContentId::Sha256(_)), length == 64);
        }
        assert!("a".repeat(41).parse::<ContentId>().is_err());
    }

    #[test]
    fn digests_are_strings_in_json() {
        let oid: Oid = serde_json::from_str("\"ce013625030ba8dba906f756967f9e9ca394464a\"").unwrap();
        assert_eq!(serde_json::to_string(&oid).unwrap(), "\"ce013625030ba8dba906f756967f9e9ca394464a\"");
        assert!(serde_json::from_str::<Oid>("\"main\"").is_err());
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
            let mut hasher = GitBlobHasher::new(content.len() as u64);
            hasher.update(&content[..cut]);
            hasher.update(&content[cut..]);
            let whole = git_blob_oid(content.as_slice(), content.len() as u64).unwrap();
            prop_assert_eq!(hasher.finish().unwrap(), whole);
        }
    }
}
