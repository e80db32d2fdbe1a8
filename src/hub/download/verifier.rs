//! Check of content while it passes by.

use std::io::{self, Read};

use bytes::Bytes;
use sha2::Digest as _;
use xet_core_structures::merklehash::{MerkleHash, file_hash};
use xet_data::deduplication::Chunker;

use super::types::DownloadId;
use crate::types::{ContentId, GitBlobHasher, Sha256, XetHash};

/// Size of one read.
const BLOCK: usize = 1 << 20;

/// Hash of content that comes in pieces, in the form that the wanted id has.
pub(super) enum Verifier {
    Git(GitBlobHasher),
    Sha256(sha2::Sha256),
    Xet(Box<XetHasher>),
}

impl Verifier {
    /// Starts the hash of content of `size` bytes.
    pub(super) fn new(id: DownloadId, size: u64) -> Self {
        match id {
            DownloadId::Content(ContentId::Git(_)) => Self::Git(GitBlobHasher::new(size)),
            DownloadId::Content(ContentId::Sha256(_)) => Self::Sha256(sha2::Sha256::new()),
            DownloadId::Xet(_) => Self::Xet(Box::default()),
        }
    }

    /// Adds the next bytes.
    pub(super) fn update(&mut self, bytes: &Bytes) {
        match self {
            Self::Git(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Xet(hasher) => hasher.update(bytes),
        }
    }

    /// Adds everything that `reader` yields, and returns the number of bytes.
    pub(super) fn read(&mut self, mut reader: impl Read) -> io::Result<u64> {
        let mut size = 0;
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            reader.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
            if block.is_empty() {
                return Ok(size);
            }
            size += block.len() as u64;
            self.update(&block.into());
        }
    }

    /// Compares the hash with the wanted id. The error is the hash, or a description if there is none.
    pub(super) fn finish(self, id: DownloadId) -> Result<(), String> {
        let found = match self {
            Self::Git(hasher) => match hasher.finish() {
                Ok(oid) => DownloadId::Content(ContentId::Git(oid)),
                Err(error) => return Err(error.to_string()),
            },
            Self::Sha256(hasher) => {
                DownloadId::Content(ContentId::Sha256(Sha256::from(<[u8; 32]>::from(hasher.finalize()))))
            }
            Self::Xet(hasher) => DownloadId::Xet(hasher.finish()),
        };
        if found == id { Ok(()) } else { Err(text_of(found)) }
    }
}

/// Returns an id as text.
pub(super) fn text_of(id: DownloadId) -> String {
    match id {
        DownloadId::Content(id) => id.to_string(),
        DownloadId::Xet(hash) => hash.to_string(),
    }
}

/// Hash of content in the Xet storage, computed as the transfer engine does it.
#[derive(Default)]
pub(super) struct XetHasher {
    chunker: Chunker,
    chunks: Vec<(MerkleHash, u64)>,
}

impl XetHasher {
    fn update(&mut self, bytes: &Bytes) {
        let chunks = self.chunker.next_block_bytes(bytes, false);
        self.chunks.extend(chunks.into_iter().map(|chunk| (chunk.hash, chunk.data.len() as u64)));
    }

    fn finish(mut self) -> XetHash {
        let last = self.chunker.finish();
        self.chunks.extend(last.map(|chunk| (chunk.hash, chunk.data.len() as u64)));
        // The hex form has the four numbers of the hash, each with its highest digit first.
        let mut bytes = [0; 32];
        for (part, number) in bytes.chunks_exact_mut(8).zip(file_hash(&self.chunks).iter()) {
            part.copy_from_slice(&number.to_be_bytes());
        }
        bytes.into()
    }
}

/// Computes the Xet hash of everything that `reader` yields, and the number of bytes. Nothing is sent.
pub fn xet_hash(reader: impl Read) -> io::Result<(XetHash, u64)> {
    let mut hasher = Verifier::Xet(Box::default());
    let size = hasher.read(reader)?;
    match hasher {
        Verifier::Xet(hasher) => Ok((hasher.finish(), size)),
        Verifier::Git(_) | Verifier::Sha256(_) => Err(io::Error::other("another kind of hash")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_id_is_compared() {
        let content = Bytes::from_static(b"hello\n");
        for id in [
            DownloadId::Content("ce013625030ba8dba906f756967f9e9ca394464a".parse().unwrap()),
            DownloadId::Content(
                "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".parse().unwrap(),
            ),
            DownloadId::Xet(xet_hash(&content[..]).unwrap().0),
        ] {
            let mut verifier = Verifier::new(id, 6);
            verifier.update(&content.slice(..2));
            verifier.update(&content.slice(2..));
            assert_eq!(verifier.finish(id), Ok(()));
            let mut verifier = Verifier::new(id, 6);
            verifier.update(&Bytes::from_static(b"hullo\n"));
            assert!(verifier.finish(id).is_err());
        }
    }

    #[test]
    fn pieces_do_not_change_a_xet_hash() {
        let content: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let (whole, size) = xet_hash(content.as_slice()).unwrap();
        assert_eq!(size, 1_200_000);
        for piece in [1000, 65_536, 1 << 20] {
            let mut hasher = XetHasher::default();
            content.chunks(piece).for_each(|bytes| hasher.update(&Bytes::copy_from_slice(bytes)));
            assert_eq!(hasher.finish(), whole, "{piece}");
        }
        assert_eq!(xet_hash(io::empty()).unwrap().0, XetHash::from([0; 32]));
    }
}
