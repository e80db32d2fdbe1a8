//! What a deploy changes: local × remote × policy → plan. Nothing here reads, sends or waits.

use std::collections::{BTreeSet, HashSet};

use hub::RepoPath;

/// A file of the source, as the Hub sees it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where it goes in the repo.
    pub path: RepoPath,
    pub size: u64,
    /// Whether it goes into the storage for large files.
    pub large: bool,
    /// True if a `.gitignore` matches it.
    pub ignored: bool,
    /// What the Hub holds at this path, as an object id.
    pub remote: Option<String>,
    /// The object id of the local content: known wherever `remote` is.
    pub local: Option<String>,
}

/// What happens to files that the source no longer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pruning {
    /// They stay.
    Off,
    /// They are deleted: these paths, among which the Hub's own files and hidden ones no longer are.
    On { remote: Vec<String> },
}

/// What is done to one path.
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
    /// The content in bytes: 0 for a deletion.
    pub size: u64,
    pub large: bool,
    /// The place of the file among the candidates: `None` for a deletion.
    pub candidate: Option<usize>,
}

/// What a deploy does, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub changes: Vec<Change>,
    pub unchanged: usize,
    /// Files and folders of the source that a `.gitignore` keeps out.
    pub ignored: Vec<String>,
    /// Files that only the Hub has, and that a `.gitignore` keeps there.
    pub kept: Vec<String>,
}

/// A file that the repo was created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub path: RepoPath,
    pub size: u64,
}

impl Plan {
    /// The same for the report, of a deploy that created the repo with these files: by the time of the
    /// plan they are unchanged, and yet it is this deploy that added them.
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

    /// The bytes of all content that is added or updated.
    pub fn bytes(&self) -> u64 {
        self.changes.iter().map(|change| change.size).sum()
    }

    /// Whether this plan writes to `path`.
    pub fn writes(&self, path: &str) -> bool {
        self.changes.iter().any(|change| change.action != Action::Delete && change.path.as_str() == path)
    }
}

/// Compares the source with the Hub.
///
/// Equal object ids mean equal content: the git blob SHA-1 for a small file, the SHA-256 for a large one.
/// A file that the repo's `.gitignore` matches is left as it is on the Hub, whichever that is.
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
pub enum Obstacle {
    /// A file of the repo, where the new file needs a folder.
    File { path: String },
    /// A folder of the repo, with its number of files, in the place of the new file.
    Folder { path: String, files: usize },
}

/// Finds what is in the way of a plan, given the paths that are in the repo. Each obstacle is named once.
pub fn obstacles<'a>(plan: &Plan, there: impl IntoIterator<Item = &'a str>) -> Vec<Obstacle> {
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
        found.extend(file.map(|file| Obstacle::File { path: file.to_owned() }));
        let folder = format!("{path}/");
        let inside = staying.range(folder.as_str()..).take_while(|other| other.starts_with(&folder));
        let files = inside.count();
        if files > 0 {
            found.push(Obstacle::Folder { path: path.to_owned(), files });
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

/// A path that is on the Hub but that no commit may name stays where it is.
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
    fn what_the_repo_was_created_with_is_told_as_added() {
        let plan = plan(
            &[candidate("a", Some("1"), "1"), candidate("b", Some("1"), "2"), candidate("c", None, "3")],
            &Pruning::Off,
        );
        let created = ["a", "b"].map(|path| Created { path: path.parse().unwrap(), size: 1 });
        let told = plan.with_created(&created);
        assert_eq!(summary(&told), [(Action::Add, "a"), (Action::Update, "b"), (Action::Add, "c")]);
        assert_eq!(told.unchanged, 0);
    }

    #[test]
    fn added_updated_unchanged_deleted() {
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
    fn an_ignored_file_is_neither_sent_nor_deleted() {
        let mut ignored = candidate("x.log", Some("1"), "2");
        ignored.ignored = true;
        let plan = plan(&[ignored], &Pruning::On { remote: vec!["x.log".to_owned()] });
        assert!(plan.is_empty());
        assert_eq!(plan.ignored.len(), 1);
    }

    #[test]
    fn files_and_folders_in_the_way_are_found() {
        let candidates =
            [("train/a", None), ("train/b", None), ("test", None), ("same", Some("1")), ("x/y", None)];
        let candidates = candidates.map(|(path, remote)| candidate(path, remote, "2"));
        let off = plan(&candidates, &Pruning::Off);
        let there = ["train", "test/1", "test/2", "same", "testing", "x"];
        assert_eq!(
            obstacles(&off, there),
            [
                Obstacle::Folder { path: "test".to_owned(), files: 2 },
                Obstacle::File { path: "train".to_owned() },
                Obstacle::File { path: "x".to_owned() },
            ]
        );
        let remote = there.iter().filter(|path| **path != "x").map(|path| (*path).to_owned()).collect();
        let mut on = plan(&candidates, &Pruning::On { remote });
        assert_eq!(obstacles(&on, there), [Obstacle::File { path: "x".to_owned() }]);
        on.delete("x");
        assert!(obstacles(&on, there).is_empty());
    }

    /// A repo as a map from paths to contents, and what a plan makes of it.
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
        let pruning = match prune {
            true => Pruning::On { remote: repo.keys().cloned().collect() },
            false => Pruning::Off,
        };
        plan(&candidates, &pruning)
    }

    proptest! {
        #[test]
        fn a_plan_that_was_carried_out_leaves_nothing_to_do(
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
