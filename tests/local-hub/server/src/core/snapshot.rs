//! All files of a revision, flat and in git's order, and the git trees written from them.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::core::objects::{Kind, ObjectStore, Oid};

/// One file of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// Git mode: `0o100644`, `0o100755` or `0o120000`.
    pub(crate) mode: u32,
    pub(crate) oid: Oid,
}

/// Every file and folder of one revision.
///
/// Sorting whole paths bytewise gives git's own order, in which a folder sorts as its name with a slash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) files: BTreeMap<String, FileEntry>,
    /// Tree id of every folder; the root is the empty path.
    pub(crate) dirs: BTreeMap<String, Oid>,
}

/// A row of a listing.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Dir(String, Oid),
    File(String, FileEntry),
}

impl Row {
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Dir(path, _) | Self::File(path, _) => path,
        }
    }
}

impl Snapshot {
    /// Reads a tree and all its subtrees.
    pub(crate) fn load(store: &ObjectStore, root: Oid) -> anyhow::Result<Self> {
        let mut snapshot = Self::default();
        let mut pending = vec![(String::new(), root)];
        while let Some((dir, oid)) = pending.pop() {
            let data = store.get(Kind::Tree, oid)?;
            let mut rest = data.as_slice();
            while !rest.is_empty() {
                let space = rest.iter().position(|b| *b == b' ').context("broken tree")?;
                let nul = rest.iter().position(|b| *b == 0).context("broken tree")?;
                let mode = u32::from_str_radix(std::str::from_utf8(&rest[..space])?, 8)?;
                let name = std::str::from_utf8(&rest[space + 1..nul])?;
                let id = Oid(rest.get(nul + 1..nul + 21).context("broken tree")?.try_into()?);
                rest = &rest[nul + 21..];
                let path = if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
                if mode == 0o40000 {
                    pending.push((path, id));
                } else {
                    snapshot.files.insert(path, FileEntry { mode, oid: id });
                }
            }
            snapshot.dirs.insert(dir, oid);
        }
        Ok(snapshot)
    }

    /// Writes the trees of `files` and returns the snapshot with the ids of its folders.
    pub(crate) fn write(store: &ObjectStore, files: BTreeMap<String, FileEntry>) -> anyhow::Result<Self> {
        // Children of each folder, keyed so that a folder sorts with its slash, as git wants.
        let mut children: BTreeMap<String, BTreeMap<String, (u32, Oid)>> = BTreeMap::new();
        children.insert(String::new(), BTreeMap::new());
        for (path, entry) in &files {
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            children.entry(dir.to_owned()).or_default().insert(name.to_owned(), (entry.mode, entry.oid));
            let mut parent = dir;
            while let Some((up, _)) = parent.rsplit_once('/') {
                children.entry(up.to_owned()).or_default();
                parent = up;
            }
        }
        let mut dirs = BTreeMap::new();
        // Deepest folders first, so that every child has its id when the parent is written.
        let mut order: Vec<String> = children.keys().cloned().collect();
        order.sort_by_key(|d| std::cmp::Reverse(if d.is_empty() { 0 } else { d.matches('/').count() + 1 }));
        for dir in order {
            let entries = children.remove(&dir).unwrap_or_default();
            let mut data = Vec::with_capacity(entries.len() * 40);
            for (name, (mode, oid)) in &entries {
                data.extend_from_slice(format!("{mode:o} ").as_bytes());
                data.extend_from_slice(name.trim_end_matches('/').as_bytes());
                data.push(0);
                data.extend_from_slice(&oid.0);
            }
            let oid = store.put(Kind::Tree, &data)?;
            if !dir.is_empty() {
                let (up, name) = dir.rsplit_once('/').unwrap_or(("", &dir));
                if let Some(parent) = children.get_mut(up) {
                    parent.insert(format!("{name}/"), (0o40000, oid));
                }
            }
            dirs.insert(dir, oid);
        }
        Ok(Self { files, dirs })
    }

    /// Returns the id of the root tree.
    pub(crate) fn root(&self) -> Oid {
        self.dirs.get("").copied().unwrap_or(Oid([0; 20]))
    }

    /// Returns true if the path is a folder (the empty path is the root).
    pub(crate) fn is_dir(&self, path: &str) -> bool {
        self.dirs.contains_key(path)
    }

    /// Returns the rows of a folder in git's order: its direct entries, or with `recursive` all entries below it,
    /// each folder before its content.
    pub(crate) fn rows(&self, dir: &str, recursive: bool) -> Vec<Row> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let mut rows = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (path, entry) in self.files.range(prefix.clone()..).take_while(|(p, _)| p.starts_with(&prefix)) {
            let inner = &path[prefix.len()..];
            let parts: Vec<&str> = inner.split('/').collect();
            let depth = parts.len() - 1;
            let common = seen.iter().zip(&parts[..depth]).take_while(|(a, b)| a == *b).count();
            seen.truncate(common);
            for (level, part) in parts.iter().enumerate().take(depth).skip(common) {
                seen.push((*part).to_owned());
                if recursive || level == 0 {
                    let full = format!("{prefix}{}", seen.join("/"));
                    if let Some(oid) = self.dirs.get(&full) {
                        rows.push(Row::Dir(full, *oid));
                    }
                }
            }
            if recursive || depth == 0 {
                rows.push(Row::File(path.clone(), *entry));
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_git_order() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let store = ObjectStore::open(&dir.path().join("o"))?;
        let oid = store.put(Kind::Blob, b"x")?;
        let files = ["a.txt", "a/b/c", "a/d", "a-b", "z"]
            .into_iter()
            .map(|p| (p.to_owned(), FileEntry { mode: 0o100_644, oid }))
            .collect();
        let snapshot = Snapshot::write(&store, files)?;
        let names = |rows: Vec<Row>| rows.iter().map(|r| r.path().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(snapshot.rows("", true)), ["a-b", "a.txt", "a", "a/b", "a/b/c", "a/d", "z"]);
        assert_eq!(names(snapshot.rows("", false)), ["a-b", "a.txt", "a", "z"]);
        assert_eq!(names(snapshot.rows("a", false)), ["a/b", "a/d"]);
        let again = Snapshot::load(&store, snapshot.root())?;
        assert_eq!(again.files, snapshot.files);
        assert_eq!(again.dirs, snapshot.dirs);
        Ok(())
    }
}
