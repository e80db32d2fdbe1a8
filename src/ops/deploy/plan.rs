//! The plan of a deploy: local × remote × policy → changes. Pure functions.

use std::collections::{BTreeSet, HashSet};

use hub::RepoPath;

/// A file of the source, as the Hub sees it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Path in the repo.
    pub path: RepoPath,
    pub size: u64,
    /// True if it goes into the storage for large files.
    pub large: bool,
    /// True if a `.gitignore` matches it.
    pub ignored: bool,
    /// Object id that the Hub holds at this path.
    pub remote: Option<String>,
    /// Object id of the local content. It is known if `remote` is.
    pub local: Option<String>,
}

/// Treatment of files that the source no longer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pruning {
    /// They stay.
    Off,
    /// These paths are deleted. The Hub's own files and hidden ones are not among them.
    On { remote: Vec<String> },
}

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    Update,
    Delete,
}

/// One change of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub path: RepoPath,
    pub action: Action,
    /// Size of the content in bytes: 0 for a deletion.
    pub size: u64,
    pub large: bool,
    /// Index of the file among the candidates: `None` for a deletion.
    pub candidate: Option<usize>,
}

/// Changes of a deploy, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
    pub unchanged: usize,
    /// Files and folders of the source that a `.gitignore` excludes.
    pub ignored: Vec<String>,
    /// Files that only the Hub has, and that a `.gitignore` protects.
    pub kept: Vec<String>,
}

/// A file that the repo was created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub path: RepoPath,
    pub size: u64,
}

impl Plan {
    /// Adds files that this deploy has created the repo with, for the report. The plan was made later, so it has them
    /// as unchanged.
    #[must_use]
    pub fn with_created(mut self, files: &[Created]) -> Self {
        for file in files.iter().filter(|file| !self.writes(file.path.as_str())).cloned().collect::<Vec<_>>()
        {
            self.unchanged = self.unchanged.saturating_sub(1);
            self.changes.push(Change {
                path: file.path,
                action: Action::Add,
                size: file.size,
                large: false,
                candidate: None,
            });
        }
        self.changes.sort_by(|a, b| a.path.cmp(&b.path));
        self
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }

    /// Returns the bytes of all content that is added or updated.
    pub fn bytes(&self) -> u64 {
        self.changes.iter().map(|change| change.size).sum()
    }

    /// Returns true if this plan writes to `path`.
    pub fn writes(&self, path: &str) -> bool {
        self.changes.iter().any(|change| change.action != Action::Delete && change.path.as_str() == path)
    }
}

/// Compares the source with the Hub.
///
/// Equal object ids mean equal content: the git blob SHA-1 for a small file, the SHA-256 for a large one.
/// A file that the repo's `.gitignore` matches stays as it is on the Hub.
pub fn plan(candidates: &[Candidate], pruning: &Pruning) -> Plan {
    let mut plan = Plan::default();
    for (index, candidate) in candidates.iter().enumerate() {
        if candidate.ignored {
            plan.ignored.push(candidate.path.to_string());
            continue;
        }
        let action = match &candidate.remote {
            None => Action::Add,
            Some(_) if candidate.remote == candidate.local => {
                plan.unchanged += 1;
                continue;
            }
            Some(_) => Action::Update,
        };
        plan.changes.push(Change {
            path: candidate.path.clone(),
            action,
            size: candidate.size,
            large: candidate.large,
            candidate: Some(index),
        });
    }
    if let Pruning::On { remote } = pruning {
        let kept: HashSet<&str> = candidates.iter().map(|candidate| candidate.path.as_str()).collect();
        plan.changes.extend(
            remote.iter().filter(|path| !kept.contains(path.as_str())).filter_map(|path| deletion(path)),
        );
    }
    plan.changes.sort_by(|a, b| a.path.cmp(&b.path));
    plan
}

/// An existing path in the place of a new file: a path cannot be a file and a folder at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathConflict {
    /// A file of the repo, where the new file needs a folder.
    File { path: String },
    /// A folder of the repo, with its number of files, in the place of the new file.
    Folder { path: String, files: usize },
}

/// Finds the conflicts of a plan with the paths in the repo. Each conflict is named once.
pub fn path_conflicts<'a>(plan: &Plan, there: impl IntoIterator<Item = &'a str>) -> Vec<PathConflict> {
    let deleted: HashSet<&str> = plan
        .changes
        .iter()
        .filter(|change| change.action == Action::Delete)
        .map(|change| change.path.as_str())
        .collect();
    let staying: BTreeSet<&str> = there.into_iter().filter(|path| !deleted.contains(path)).collect();
    let mut found = Vec::new();
    for change in plan.changes.iter().filter(|change| change.action == Action::Add) {
        let path = change.path.as_str();
        let file = path.match_indices('/').map(|(end, _)| &path[..end]).find(|above| staying.contains(above));
        found.extend(file.map(|file| PathConflict::File { path: file.to_owned() }));
        let folder = format!("{path}/");
        let inside = staying.range(folder.as_str()..).take_while(|other| other.starts_with(&folder));
        let files = inside.count();
        if files > 0 {
            found.push(PathConflict::Folder { path: path.to_owned(), files });
        }
    }
    found.dedup();
    found
}

impl Plan {
    /// Deletes one more file.
    pub fn delete(&mut self, path: &str) {
        self.changes.extend(deletion(path));
        self.changes.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

/// Returns the deletion of a path: `None` for a path of the Hub that no commit may name, which stays.
fn deletion(path: &str) -> Option<Change> {
    let path = path.parse().ok()?;
    Some(Change { path, action: Action::Delete, size: 0, large: false, candidate: None })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn candidate(path: &str, remote: Option<&str>, local: &str) -> Candidate {
        Candidate {
            path: path.parse().unwrap(),
            size: 1,
            large: false,
            ignored: false,
            remote: remote.map(str::to_owned),
            local: remote.map(|_| local.to_owned()),
        }
    }

    fn summary(plan: &Plan) -> Vec<(Action, &str)> {
        plan.changes.iter().map(|change| (change.action, change.path.as_str())).collect()
    }

    #[test]
    fn files_of_the_creation_are_reported_as_added() {
        let plan = plan(
            &[candidate("a", Some("1"), "1"), candidate("b", Some("1"), "2"), candidate("c", None, "3")],
            &Pruning::Off,
        );
        let created = ["a", "b"].map(|path| Created { path: path.parse().unwrap(), size: 1 });
        let reported = plan.with_created(&created);
        assert_eq!(summary(&reported), [(Action::Add, "a"), (Action::Update, "b"), (Action::Add, "c")]);
        assert_eq!(reported.unchanged, 0);
    }

    #[test]
    fn plan_adds_updates_and_deletes() {
        let candidates = [
            candidate("new", None, "1"),
            candidate("same", Some("2"), "2"),
            candidate("other", Some("3"), "4"),
        ];
        let remote = ["gone", "other", "same"].map(str::to_owned).to_vec();
        let plan = plan(&candidates, &Pruning::On { remote });
        assert_eq!(
            summary(&plan),
            [(Action::Delete, "gone"), (Action::Add, "new"), (Action::Update, "other")]
        );
        assert_eq!(plan.unchanged, 1);
        assert!(plan.writes("new") && !plan.writes("gone"));
    }

    #[test]
    fn ignored_file_is_neither_sent_nor_deleted() {
        let mut ignored = candidate("x.log", Some("1"), "2");
        ignored.ignored = true;
        let plan = plan(&[ignored], &Pruning::On { remote: vec!["x.log".to_owned()] });
        assert!(plan.is_empty());
        assert_eq!(plan.ignored.len(), 1);
    }

    #[test]
    fn path_conflicts_are_files_and_folders_of_the_repo() {
        let candidates =
            [("train/a", None), ("train/b", None), ("test", None), ("same", Some("1")), ("x/y", None)];
        let candidates = candidates.map(|(path, remote)| candidate(path, remote, "2"));
        let off = plan(&candidates, &Pruning::Off);
        let there = ["train", "test/1", "test/2", "same", "testing", "x"];
        assert_eq!(
            path_conflicts(&off, there),
            [
                PathConflict::Folder { path: "test".to_owned(), files: 2 },
                PathConflict::File { path: "train".to_owned() },
                PathConflict::File { path: "x".to_owned() },
            ]
        );
        let remote = there.iter().filter(|path| **path != "x").map(|path| (*path).to_owned()).collect();
        let mut on = plan(&candidates, &Pruning::On { remote });
        assert_eq!(path_conflicts(&on, there), [PathConflict::File { path: "x".to_owned() }]);
        on.delete("x");
        assert!(path_conflicts(&on, there).is_empty());
    }

    /// Applies a plan to a repo, which is a map from paths to contents.
    fn apply(repo: &mut BTreeMap<String, String>, source: &BTreeMap<String, String>, plan: &Plan) {
        for change in &plan.changes {
            let path = change.path.as_str();
            match change.action {
                Action::Delete => drop(repo.remove(path)),
                _ => drop(repo.insert(path.to_owned(), source[path].clone())),
            }
        }
    }

    fn plan_for(repo: &BTreeMap<String, String>, source: &BTreeMap<String, String>, prune: bool) -> Plan {
        let candidates: Vec<Candidate> = source
            .iter()
            .map(|(path, content)| candidate(path, repo.get(path).map(String::as_str), content))
            .collect();
        let pruning =
            if prune { Pruning::On { remote: repo.keys().cloned().collect() } } else { Pruning::Off };
        plan(&candidates, &pruning)
    }

    proptest! {
        #[test]
        fn applied_plan_leaves_nothing_to_do(
            mut repo in prop::collection::btree_map("[a-d]{1,2}", "[0-2]", 0..12),
            source in prop::collection::btree_map("[a-d]{1,2}", "[0-2]", 0..12),
            prune: bool,
        ) {
            let before = repo.clone();
            let first = plan_for(&repo, &source, prune);
            apply(&mut repo, &source, &first);
            prop_assert!(plan_for(&repo, &source, prune).is_empty());
            for (path, content) in &source {
                prop_assert_eq!(&repo[path], content);
            }
            let kept = before.keys().filter(|path| !source.contains_key(*path));
            for path in kept {
                prop_assert_eq!(repo.contains_key(path), !prune);
            }
        }
    }
}
