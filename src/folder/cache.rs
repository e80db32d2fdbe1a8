//! Hashes of files, kept in a file from run to run.
//!
//! An entry is valid while the size, inode and times of the file are the same, to the nanosecond. The time of the last
//! status change (`ctime`) is one of them, because no tool can set it back: a file that was replaced and kept its
//! `mtime` is read again.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::hash::{self, Oid, Sha256};

const FORMAT: &str = "hf-deploy hashes 1";

/// Maximum size of a cache that is read: more than a million entries.
const MAX_BYTES: u64 = 256 << 20;

/// Minimum age of a change when the file is read. A later change could otherwise have the same time, because some file
/// systems count time in steps of two seconds. Git's index calls such entries "racily clean".
const SETTLED: Duration = Duration::from_secs(2);

/// Hashes of files that were read, in this run or an earlier one.
#[derive(Debug)]
pub struct HashCache {
    file: PathBuf,
    /// Folder that paths of entries are relative to, so that a checkout may move.
    base: PathBuf,
    /// Entries of earlier runs.
    known: HashMap<String, Entry>,
    /// Entries of files that this run has used.
    used: Mutex<BTreeMap<String, Entry>>,
    clock: fn() -> SystemTime,
}

/// Hashes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    stamp: Stamp,
    oid: Option<Oid>,
    sha256: Option<Sha256>,
}

/// Metadata by which a file is recognised. Times are in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    mtime: i64,
    ctime: i64,
}

/// First line of the file.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    /// SHA-256 of all other lines, so that a damaged file is recognised.
    sha256: String,
}

/// One of the other lines.
#[derive(Serialize, Deserialize)]
struct Record {
    path: String,
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    git: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sha256: Option<String>,
}

impl HashCache {
    /// Reads the cache at `file`. A cache that cannot be read is empty, and the second value is the reason. Blocks.
    pub fn open(file: PathBuf, base: &Path) -> (Self, Option<String>) {
        Self::open_with_clock(file, base, SystemTime::now)
    }

    /// Reads the cache as [`HashCache::open`] does. `clock` returns the time at which files are read.
    fn open_with_clock(file: PathBuf, base: &Path, clock: fn() -> SystemTime) -> (Self, Option<String>) {
        let base = fs::canonicalize(base).unwrap_or_else(|_| base.to_owned());
        let (known, reason) = match read(&file) {
            Ok(known) => (known, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (HashMap::new(), None),
            Err(error) => (HashMap::new(), Some(error.to_string())),
        };
        (Self { file, base, known, used: Mutex::default(), clock }, reason)
    }

    /// Returns the path of the cache, under the name that a walk finds.
    pub(super) fn canonical_file(&self) -> PathBuf {
        let parent = self.file.parent().and_then(|parent| fs::canonicalize(parent).ok());
        match (parent, self.file.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => self.file.clone(),
        }
    }

    /// Returns the slot of the file `disk`, which is about to be read: `None` if its size is not `size`.
    pub(super) fn slot(&self, disk: &Path, size: u64) -> Option<CacheSlot<'_>> {
        let now = nanoseconds((self.clock)().duration_since(UNIX_EPOCH).ok()?)?;
        let stamp = Stamp::of(disk).filter(|stamp| stamp.size == size)?;
        let name = disk.strip_prefix(&self.base).unwrap_or(disk).to_string_lossy().into_owned();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            used.get(&name).or_else(|| self.known.get(&name)).filter(|entry| entry.stamp == stamp).copied();
        if let Some(entry) = entry {
            used.insert(name.clone(), entry);
        }
        drop(used);
        Some(CacheSlot { cache: self, name, disk: disk.to_owned(), stamp, now, entry })
    }

    /// Writes the cache with one rename, so that readers never see half a file. Blocks.
    ///
    /// Entries of earlier runs are kept while their files are the same, because another step may use them. Fails if the
    /// file is outside of the base, behind a symbolic link.
    pub fn write(&self) -> io::Result<()> {
        let mut entries = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, entry) in &self.known {
            if !entries.contains_key(name) && Stamp::of(&self.base.join(name)) == Some(entry.stamp) {
                entries.insert(name.clone(), *entry);
            }
        }
        if entries.len() == self.known.len()
            && entries.iter().all(|(name, entry)| self.known.get(name) == Some(entry))
        {
            return Ok(());
        }
        let mut body = Vec::new();
        for (name, entry) in entries {
            let record = Record {
                path: name,
                stamp: entry.stamp,
                git: entry.oid.map(|oid| oid.to_string()),
                sha256: entry.sha256.map(|sha256| sha256.to_string()),
            };
            serde_json::to_writer(&mut body, &record)?;
            body.push(b'\n');
        }
        let parent = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let parent = fs::canonicalize(parent)?;
        if !parent.starts_with(&self.base) {
            return Err(io::Error::other("a symbolic link leads out of the workspace"));
        }
        let header = Header { format: FORMAT.to_owned(), sha256: hash::sha256(body.as_slice())?.to_string() };
        let mut file = tempfile::Builder::new().prefix(".hf-deploy-").tempfile_in(&parent)?;
        serde_json::to_writer(&mut file, &header)?;
        file.write_all(b"\n")?;
        file.write_all(&body)?;
        file.persist(self.canonical_file())?;
        Ok(())
    }
}

/// Entry of a file that is about to be read.
#[derive(Debug)]
pub(super) struct CacheSlot<'a> {
    cache: &'a HashCache,
    name: String,
    disk: PathBuf,
    stamp: Stamp,
    now: i64,
    entry: Option<Entry>,
}

impl CacheSlot<'_> {
    pub(super) fn oid(&self) -> Option<Oid> {
        self.entry?.oid
    }

    pub(super) fn sha256(&self) -> Option<Sha256> {
        self.entry?.sha256
    }

    /// Stores hashes of the file, unless it changed while it was read, or shortly before.
    pub(super) fn store(&self, oid: Option<Oid>, sha256: Option<Sha256>) {
        let settled = i64::try_from(SETTLED.as_nanos()).unwrap_or(i64::MAX);
        let is_fresh = self.stamp.mtime.max(self.stamp.ctime) > self.now.saturating_sub(settled);
        if is_fresh || Stamp::of(&self.disk) != Some(self.stamp) {
            return;
        }
        let before = self.entry.unwrap_or(Entry { stamp: self.stamp, oid: None, sha256: None });
        let entry = Entry { oid: oid.or(before.oid), sha256: sha256.or(before.sha256), ..before };
        let mut used = self.cache.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(self.name.clone(), entry);
    }
}

impl Stamp {
    fn of(disk: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(disk).ok().filter(fs::Metadata::is_file)?;
        let time = |seconds: i64, rest: i64| seconds.checked_mul(1_000_000_000)?.checked_add(rest);
        Some(Self {
            size: found.len(),
            inode: found.ino(),
            mtime: time(found.mtime(), found.mtime_nsec())?,
            ctime: time(found.ctime(), found.ctime_nsec())?,
        })
    }
}

fn nanoseconds(time: Duration) -> Option<i64> {
    i64::try_from(time.as_nanos()).ok()
}

fn read(file: &Path) -> io::Result<HashMap<String, Entry>> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let found = fs::symlink_metadata(file)?;
    if !found.is_file() {
        return Err(invalid("it is not a file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(invalid("it is too large"));
    }
    parse(&bytes).ok_or_else(|| invalid("it is damaged, or not from this action"))
}

fn parse(bytes: &[u8]) -> Option<HashMap<String, Entry>> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header = serde_json::from_slice(head).ok()?;
    if header.format != FORMAT || hash::sha256(body).ok()?.to_string() != header.sha256 {
        return None;
    }
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let record: Record = serde_json::from_slice(line).ok()?;
            let oid = record.git.map(|git| git.parse()).transpose().ok()?;
            let sha256 = record.sha256.map(|sha256| sha256.parse()).transpose().ok()?;
            Some((record.path, Entry { stamp: record.stamp, oid, sha256 }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::{FileContent, SourceFile};
    use std::sync::Arc;

    /// A workspace with the file `data`.
    struct Workspace {
        folder: tempfile::TempDir,
    }

    /// Returns a time at which all changes so far are old enough.
    fn later() -> SystemTime {
        SystemTime::now() + SETTLED + Duration::from_secs(1)
    }

    impl Workspace {
        fn new(content: &str) -> Self {
            let workspace = Self { folder: tempfile::tempdir().unwrap() };
            workspace.put(content);
            workspace
        }

        fn put(&self, content: &str) {
            fs::write(self.data(), content).unwrap();
        }

        fn data(&self) -> PathBuf {
            self.folder.path().canonicalize().unwrap().join("data")
        }

        fn open(&self) -> (Arc<HashCache>, Option<String>) {
            self.open_at(later)
        }

        fn open_at(&self, clock: fn() -> SystemTime) -> (Arc<HashCache>, Option<String>) {
            let file = self.folder.path().join("keep/cache");
            let (cache, reason) = HashCache::open_with_clock(file, self.folder.path(), clock);
            (Arc::new(cache), reason)
        }

        fn file(&self, cache: &Arc<HashCache>) -> SourceFile {
            SourceFile {
                path: "data".parse().unwrap(),
                size: fs::metadata(self.data()).unwrap().len(),
                content: FileContent::Disk(self.data()),
                cache: Some(Arc::clone(cache)),
            }
        }

        /// Writes a cache with this hash of `data`, as a run that had read it would.
        fn write_cache(&self, sha256: Sha256) {
            let (cache, _) = self.open();
            cache
                .slot(&self.data(), fs::metadata(self.data()).unwrap().len())
                .unwrap()
                .store(None, Some(sha256));
            cache.write().unwrap();
        }
    }

    fn sha256(text: &str) -> Sha256 {
        hash::sha256(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_changed_files_are_read() {
        let workspace = Workspace::new("one");
        workspace.write_cache(sha256("something else"));
        let (cache, reason) = workspace.open();
        assert_eq!(reason, None);
        assert_eq!(workspace.file(&cache).sha256().unwrap(), sha256("something else"), "it was not read");
        assert_eq!(
            workspace.file(&cache).git_blob_oid().unwrap(),
            hash::git_blob_oid(&b"one"[..], 3).unwrap()
        );

        // The same size, inode and `mtime`, but another `ctime`.
        let modified = fs::metadata(workspace.data()).unwrap().modified().unwrap();
        // File systems take the time from a clock that ticks every few milliseconds.
        std::thread::sleep(Duration::from_millis(20));
        workspace.put("two");
        fs::File::options().write(true).open(workspace.data()).unwrap().set_modified(modified).unwrap();
        assert_eq!(workspace.file(&cache).sha256().unwrap(), sha256("two"), "its status has changed since");
        // Another file under the same name.
        let (cache, _) = workspace.open();
        fs::write(workspace.folder.path().join("new"), "six").unwrap();
        fs::rename(workspace.folder.path().join("new"), workspace.data()).unwrap();
        assert_eq!(workspace.file(&cache).sha256().unwrap(), sha256("six"));
    }

    #[test]
    fn fresh_changes_are_not_stored() {
        let workspace = Workspace::new("one");
        let (cache, _) = workspace.open_at(SystemTime::now);
        assert_eq!(workspace.file(&cache).sha256().unwrap(), sha256("one"));
        cache.write().unwrap();
        assert!(workspace.open().0.known.is_empty());
    }

    #[test]
    fn entries_are_kept_while_their_files_are_the_same() {
        let workspace = Workspace::new("one");
        let (cache, _) = workspace.open();
        workspace.file(&cache).sha256().unwrap();
        cache.write().unwrap();
        // A run that reads no files keeps all entries.
        let (cache, _) = workspace.open();
        cache.write().unwrap();
        let (cache, _) = workspace.open();
        assert_eq!(cache.known["data"].sha256, Some(sha256("one")));
        fs::remove_file(workspace.data()).unwrap();
        cache.write().unwrap();
        assert!(workspace.open().0.known.is_empty());
    }

    #[test]
    fn damaged_cache_is_reported_and_replaced() {
        let workspace = Workspace::new("one");
        workspace.write_cache(sha256("one"));
        let path = workspace.folder.path().join("keep/cache");
        let good = fs::read(&path).unwrap();
        let flipped: Vec<u8> =
            good.iter().rev().enumerate().map(|(n, b)| if n == 9 { b ^ 1 } else { *b }).rev().collect();
        for bad in
            [&b""[..], b"\n", b"{}\n", b"\xff\xfe", &good[..good.len() - 3], &flipped, b"[1, 2]\n[3]\n"]
        {
            fs::write(&path, bad).unwrap();
            let (cache, reason) = workspace.open();
            assert!(reason.is_some() && cache.known.is_empty(), "{}", String::from_utf8_lossy(bad));
            assert_eq!(workspace.file(&cache).sha256().unwrap(), sha256("one"));
            cache.write().unwrap();
            assert_eq!(fs::read(&path).unwrap(), good);
        }
    }

    #[test]
    fn cache_behind_a_link_out_of_the_workspace_is_not_written() {
        let outside = tempfile::tempdir().unwrap();
        let workspace = Workspace::new("one");
        std::os::unix::fs::symlink(outside.path(), workspace.folder.path().join("keep")).unwrap();
        let (cache, _) = workspace.open();
        workspace.file(&cache).sha256().unwrap();
        assert!(cache.write().unwrap_err().to_string().contains("leads out"));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
