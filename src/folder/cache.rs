//! What files were known by when they were last read, kept in a file from run to run (`cache_path`).
//!
//! An entry speaks for a file only while its size, inode, and times of last change are the same, to the
//! nanosecond. The time of the last status change (`ctime`) is among them, since no tool can set it back: a file
//! that was replaced under a kept `mtime` is read again.

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

/// The largest file that is read: more than a million entries.
const MAX_BYTES: u64 = 256 << 20;

/// A file that changed this shortly before it was read may change again and look the same: some file systems
/// count time in steps of two seconds. Git's index knows such entries as "racily clean".
const SETTLED: Duration = Duration::from_secs(2);

/// The digests of files that were read, in this run or an earlier one.
#[derive(Debug)]
pub struct HashCache {
    file: PathBuf,
    /// What entries are named relative to, so that a checkout may move.
    base: PathBuf,
    known: HashMap<String, Entry>,
    /// What this run has looked at.
    seen: Mutex<BTreeMap<String, Entry>>,
}

/// What is known of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    stamp: Stamp,
    oid: Option<Oid>,
    sha256: Option<Sha256>,
}

/// By what a file is recognised without reading it. Times in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    mtime: i64,
    ctime: i64,
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    /// Of all that follows: what was damaged is not believed.
    sha256: String,
}

/// One of the other lines.
#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    git: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sha256: Option<String>,
}

impl HashCache {
    /// Reads the cache at `file`. One that cannot be used is as good as none; the second value says why. Blocks.
    pub fn open(file: PathBuf, base: &Path) -> (Self, Option<String>) {
        let base = fs::canonicalize(base).unwrap_or_else(|_| base.to_owned());
        let (known, note) = match read(&file) {
            Ok(known) => (known, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (HashMap::new(), None),
            Err(error) => (HashMap::new(), Some(error.to_string())),
        };
        (Self { file, base, known, seen: Mutex::default() }, note)
    }

    /// Returns the path of the cache, under the name that a walk finds.
    pub(super) fn canonical_file(&self) -> PathBuf {
        let parent = self.file.parent().and_then(|parent| fs::canonicalize(parent).ok());
        match (parent, self.file.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => self.file.clone(),
        }
    }

    /// Looks at the file `disk` before it is read: `None` when it is not the `size` bytes that were found.
    pub(super) fn look(&self, disk: &Path, size: u64) -> Option<Look<'_>> {
        let now = nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).ok()?)?;
        let stamp = Stamp::of(disk).filter(|stamp| stamp.size == size)?;
        let name = disk.strip_prefix(&self.base).unwrap_or(disk).to_string_lossy().into_owned();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            seen.get(&name).or_else(|| self.known.get(&name)).filter(|entry| entry.stamp == stamp).copied();
        if let Some(entry) = entry {
            seen.insert(name.clone(), entry);
        }
        drop(seen);
        Some(Look { cache: self, name, disk: disk.to_owned(), stamp, now, entry })
    }

    /// Writes what is known by now, in one step: nobody finds half a file. Blocks.
    ///
    /// What an earlier run knew stays while the file is the same: another step may use it. Fails when the file
    /// would lie outside the base, behind a symbolic link.
    pub fn write(&self) -> io::Result<()> {
        let mut entries = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
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
            let line = Line {
                path: name,
                stamp: entry.stamp,
                git: entry.oid.map(|oid| oid.to_string()),
                sha256: entry.sha256.map(|sha256| sha256.to_string()),
            };
            serde_json::to_writer(&mut body, &line)?;
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

/// A file as it was before it was read.
#[derive(Debug)]
pub struct Look<'a> {
    cache: &'a HashCache,
    name: String,
    disk: PathBuf,
    stamp: Stamp,
    now: i64,
    entry: Option<Entry>,
}

impl Look<'_> {
    pub(super) fn oid(&self) -> Option<Oid> {
        self.entry?.oid
    }

    pub(super) fn sha256(&self) -> Option<Sha256> {
        self.entry?.sha256
    }

    /// Remembers what the file was read as, unless it changed meanwhile, or just before.
    pub fn learn(&self, oid: Option<Oid>, sha256: Option<Sha256>) {
        let settled = i64::try_from(SETTLED.as_nanos()).unwrap_or(i64::MAX);
        let fresh = self.stamp.mtime.max(self.stamp.ctime) > self.now.saturating_sub(settled);
        if fresh || Stamp::of(&self.disk) != Some(self.stamp) {
            return;
        }
        let before = self.entry.unwrap_or(Entry { stamp: self.stamp, oid: None, sha256: None });
        let entry = Entry { oid: oid.or(before.oid), sha256: sha256.or(before.sha256), ..before };
        let mut seen = self.cache.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(self.name.clone(), entry);
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
            let line: Line = serde_json::from_slice(line).ok()?;
            let oid = line.git.map(|git| git.parse()).transpose().ok()?;
            let sha256 = line.sha256.map(|sha256| sha256.parse()).transpose().ok()?;
            Some((line.path, Entry { stamp: line.stamp, oid, sha256 }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::{Content, SourceFile};
    use std::sync::Arc;

    struct World {
        folder: tempfile::TempDir,
    }

    impl World {
        /// A folder with the file `data` in it, last changed a while ago as far as the cache can tell.
        fn new(content: &str) -> Self {
            let world = Self { folder: tempfile::tempdir().unwrap() };
            world.put(content);
            world
        }

        fn put(&self, content: &str) {
            fs::write(self.data(), content).unwrap();
            std::thread::sleep(SETTLED + Duration::from_millis(50));
        }

        fn data(&self) -> PathBuf {
            self.folder.path().canonicalize().unwrap().join("data")
        }

        fn open(&self) -> (Arc<HashCache>, Option<String>) {
            let (cache, note) = HashCache::open(self.folder.path().join("keep/cache"), self.folder.path());
            (Arc::new(cache), note)
        }

        fn file(&self, cache: &Arc<HashCache>) -> SourceFile {
            SourceFile {
                path: "data".parse().unwrap(),
                size: fs::metadata(self.data()).unwrap().len(),
                content: Content::Disk(self.data()),
                cache: Some(Arc::clone(cache)),
            }
        }

        /// Writes a cache that says `sha256` of `data`, as a run that had read it would.
        fn lie(&self, sha256: Sha256) {
            let (cache, _) = self.open();
            cache
                .look(&self.data(), fs::metadata(self.data()).unwrap().len())
                .unwrap()
                .learn(None, Some(sha256));
            cache.write().unwrap();
        }
    }

    fn sha256(text: &str) -> Sha256 {
        hash::sha256(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_unchanged_is_not_read_and_what_changed_is() {
        let world = World::new("one");
        world.lie(sha256("something else"));
        let (cache, note) = world.open();
        assert_eq!(note, None);
        assert_eq!(world.file(&cache).sha256().unwrap(), sha256("something else"), "it was not read");
        assert_eq!(world.file(&cache).git_blob_oid().unwrap(), hash::git_blob_oid(&b"one"[..], 3).unwrap());

        // The same size, the same inode, the same time of change.
        let modified = fs::metadata(world.data()).unwrap().modified().unwrap();
        world.put("two");
        fs::File::options().write(true).open(world.data()).unwrap().set_modified(modified).unwrap();
        assert_eq!(world.file(&cache).sha256().unwrap(), sha256("two"), "its status has changed since");
        // Another file under the same name.
        let (cache, _) = world.open();
        fs::write(world.folder.path().join("new"), "six").unwrap();
        fs::rename(world.folder.path().join("new"), world.data()).unwrap();
        assert_eq!(world.file(&cache).sha256().unwrap(), sha256("six"));
    }

    #[test]
    fn what_changed_just_now_is_not_remembered() {
        let world = World::new("one");
        fs::write(world.data(), "two").unwrap();
        let (cache, _) = world.open();
        assert_eq!(world.file(&cache).sha256().unwrap(), sha256("two"));
        cache.write().unwrap();
        assert!(world.open().0.known.is_empty());
    }

    #[test]
    fn entries_live_as_long_as_their_files() {
        let world = World::new("one");
        let (cache, _) = world.open();
        world.file(&cache).sha256().unwrap();
        cache.write().unwrap();
        // A run that looks at nothing forgets nothing.
        let (cache, _) = world.open();
        cache.write().unwrap();
        let (cache, _) = world.open();
        assert_eq!(cache.known["data"].sha256, Some(sha256("one")));
        fs::remove_file(world.data()).unwrap();
        cache.write().unwrap();
        assert!(world.open().0.known.is_empty());
    }

    #[test]
    fn a_file_that_is_damaged_or_foreign_is_told_and_replaced() {
        let world = World::new("one");
        world.lie(sha256("one"));
        let path = world.folder.path().join("keep/cache");
        let good = fs::read(&path).unwrap();
        let flipped: Vec<u8> =
            good.iter().rev().enumerate().map(|(n, b)| if n == 9 { b ^ 1 } else { *b }).rev().collect();
        for bad in
            [&b""[..], b"\n", b"{}\n", b"\xff\xfe", &good[..good.len() - 3], &flipped, b"[1, 2]\n[3]\n"]
        {
            fs::write(&path, bad).unwrap();
            let (cache, note) = world.open();
            assert!(note.is_some() && cache.known.is_empty(), "{}", String::from_utf8_lossy(bad));
            assert_eq!(world.file(&cache).sha256().unwrap(), sha256("one"));
            cache.write().unwrap();
            assert_eq!(fs::read(&path).unwrap(), good);
        }
    }

    #[test]
    fn nothing_is_written_behind_a_link_that_leads_out() {
        let outside = tempfile::tempdir().unwrap();
        let world = World::new("one");
        std::os::unix::fs::symlink(outside.path(), world.folder.path().join("keep")).unwrap();
        let (cache, _) = world.open();
        world.file(&cache).sha256().unwrap();
        assert!(cache.write().unwrap_err().to_string().contains("leads out"));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
