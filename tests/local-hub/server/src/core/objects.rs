//! Git objects: ids, encodings and an append-only store.
//!
//! One file per repository holds every object, uncompressed, as `kind, id, length, bytes`. An index in memory
//! is rebuilt by reading the record heads when the server starts, so a commit of many thousand small files
//! costs one system call per file and no directory work.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use crate::util::{hex, lock, unhex};

/// A git object id: the SHA-1 of `"<kind> <length>\0"` and the object's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Oid(pub(crate) [u8; 20]);

impl Oid {
    /// Parses 40 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() != 40 {
            return None;
        }
        Some(Self(unhex(text)?.try_into().ok()?))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Oid {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a git object id"))
    }
}

/// The kind of a git object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Blob,
    Tree,
    Commit,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Tree => "tree",
            Self::Commit => "commit",
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Blob, Self::Tree, Self::Commit].into_iter().find(|k| *k as u8 == byte)
    }
}

/// Returns the id that git gives to an object.
pub(crate) fn object_id(kind: Kind, data: &[u8]) -> Oid {
    let mut hasher = Sha1::new();
    hasher.update(format!("{} {}\0", kind.name(), data.len()).as_bytes());
    hasher.update(data);
    Oid(hasher.finalize().into())
}

/// An LFS pointer: the content's SHA-256 in hexadecimal and its size in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

impl Pointer {
    /// Returns the canonical pointer text (git-lfs specification, version 1).
    pub(crate) fn text(&self) -> String {
        format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
            self.sha256, self.size
        )
    }

    /// Parses a pointer; `None` for any other content.
    pub(crate) fn parse(data: &[u8]) -> Option<Self> {
        if data.len() > 1024 {
            return None;
        }
        let text = std::str::from_utf8(data).ok()?;
        let mut lines = text.lines();
        lines.next()?.strip_prefix("version https://git-lfs.github.com/spec/")?;
        let (mut sha256, mut size) = (None, None);
        for line in lines {
            if let Some(oid) = line.strip_prefix("oid sha256:") {
                sha256 = (oid.len() == 64 && unhex(oid).is_some()).then(|| oid.to_owned());
            } else if let Some(n) = line.strip_prefix("size ") {
                size = n.parse().ok();
            }
        }
        Some(Self { sha256: sha256?, size: size? })
    }
}

/// Place of an object in the file, and its facts for a listing.
#[derive(Clone, Debug)]
struct Entry {
    kind: Kind,
    offset: u64,
    len: u64,
    pointer: Option<Pointer>,
}

/// Facts about one blob.
#[derive(Clone, Debug)]
pub(crate) struct BlobInfo {
    /// Length of the blob itself, in bytes.
    pub(crate) len: u64,
    /// Set when the blob is an LFS pointer.
    pub(crate) pointer: Option<Pointer>,
}

const HEAD: usize = 1 + 20 + 8;

/// Every object of one repository.
pub(crate) struct ObjectStore {
    file: File,
    inner: Mutex<Inner>,
}

struct Inner {
    end: u64,
    index: HashMap<Oid, Entry>,
}

impl ObjectStore {
    /// Opens or creates the store. Drops a record that a crash cut off.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let total = file.metadata()?.len();
        let mut index = HashMap::new();
        let mut at = 0u64;
        let mut head = [0u8; HEAD];
        while at + HEAD as u64 <= total {
            file.read_exact_at(&mut head, at)?;
            let kind = Kind::from_byte(head[0]).context("unknown object kind in the store")?;
            let oid = Oid(head[1..21].try_into()?);
            let len = u64::from_le_bytes(head[21..].try_into()?);
            let offset = at + HEAD as u64;
            if offset + len > total {
                break;
            }
            let mut pointer = None;
            if kind == Kind::Blob && len <= 1024 {
                let mut data = vec![0; usize::try_from(len)?];
                file.read_exact_at(&mut data, offset)?;
                pointer = Pointer::parse(&data);
            }
            index.insert(oid, Entry { kind, offset, len, pointer });
            at = offset + len;
        }
        file.set_len(at)?;
        Ok(Self { file, inner: Mutex::new(Inner { end: at, index }) })
    }

    /// Stores an object, unless it is stored already, and returns its id.
    pub(crate) fn put(&self, kind: Kind, data: &[u8]) -> anyhow::Result<Oid> {
        let oid = object_id(kind, data);
        let mut inner = lock(&self.inner);
        if inner.index.contains_key(&oid) {
            return Ok(oid);
        }
        let mut record = Vec::with_capacity(HEAD + data.len());
        record.push(kind as u8);
        record.extend_from_slice(&oid.0);
        record.extend_from_slice(&(data.len() as u64).to_le_bytes());
        record.extend_from_slice(data);
        self.file.write_all_at(&record, inner.end)?;
        let offset = inner.end + HEAD as u64;
        inner.end += record.len() as u64;
        let pointer = if kind == Kind::Blob { Pointer::parse(data) } else { None };
        inner.index.insert(oid, Entry { kind, offset, len: data.len() as u64, pointer });
        Ok(oid)
    }

    /// Returns the bytes of an object of the expected kind.
    pub(crate) fn get(&self, kind: Kind, oid: Oid) -> anyhow::Result<Vec<u8>> {
        let entry =
            lock(&self.inner).index.get(&oid).cloned().with_context(|| format!("object {oid} is missing"))?;
        if entry.kind != kind {
            bail!("object {oid} is a {}, not a {}", entry.kind.name(), kind.name());
        }
        let mut data = vec![0; usize::try_from(entry.len)?];
        self.file.read_exact_at(&mut data, entry.offset)?;
        Ok(data)
    }

    /// Returns the object whose id has this prefix; `None` if there is none or more than one.
    pub(crate) fn find(&self, kind: Kind, prefix: &str) -> Option<Oid> {
        let inner = lock(&self.inner);
        let mut found = inner
            .index
            .iter()
            .filter(|(oid, entry)| entry.kind == kind && oid.to_string().starts_with(prefix))
            .map(|(oid, _)| *oid);
        found.next().filter(|_| found.next().is_none())
    }

    /// Returns true if the object is stored with this kind.
    pub(crate) fn has(&self, kind: Kind, oid: Oid) -> bool {
        lock(&self.inner).index.get(&oid).is_some_and(|e| e.kind == kind)
    }

    /// Returns the length and the LFS pointer of a blob.
    pub(crate) fn blob_info(&self, oid: Oid) -> Option<BlobInfo> {
        let inner = lock(&self.inner);
        let entry = inner.index.get(&oid)?;
        (entry.kind == Kind::Blob).then(|| BlobInfo { len: entry.len, pointer: entry.pointer.clone() })
    }
}

/// A parsed commit object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) tree: Oid,
    pub(crate) parents: Vec<Oid>,
    /// Name of the author (also the committer).
    pub(crate) author: String,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) time: u64,
    /// Summary, and after an empty line the description.
    pub(crate) message: String,
}

impl Commit {
    /// Encodes the commit like git.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let who = format!("{0} <{0}@users.noreply.localhost> {1} +0000", self.author, self.time);
        let mut out = format!("tree {}\n", self.tree);
        for parent in &self.parents {
            out.push_str(&format!("parent {parent}\n"));
        }
        out.push_str(&format!("author {who}\ncommitter {who}\n\n{}", self.message));
        out.into_bytes()
    }

    /// Decodes a commit of git.
    pub(crate) fn decode(data: &[u8]) -> anyhow::Result<Self> {
        let text = std::str::from_utf8(data)?;
        let (head, message) = text.split_once("\n\n").context("commit without a message")?;
        let mut commit = Self {
            tree: Oid([0; 20]),
            parents: vec![],
            author: String::new(),
            time: 0,
            message: message.to_owned(),
        };
        for line in head.lines() {
            match line.split_once(' ') {
                Some(("tree", id)) => commit.tree = Oid::parse(id).context("bad tree id")?,
                Some(("parent", id)) => commit.parents.push(Oid::parse(id).context("bad parent id")?),
                Some(("author", who)) => {
                    commit.author = who.split(" <").next().unwrap_or_default().to_owned();
                    commit.time = who.rsplit(' ').nth(1).and_then(|t| t.parse().ok()).unwrap_or(0);
                }
                _ => {}
            }
        }
        Ok(commit)
    }

    /// Returns the first line of the message.
    pub(crate) fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// Returns the message after the title, without the separating empty line.
    pub(crate) fn body(&self) -> &str {
        self.message.split_once('\n').map_or("", |(_, rest)| rest.trim_matches('\n'))
    }
}
