//! Small files that have only another name than before. The Hub moves them, and their content is not sent again.
//!
//! Large files need no move, because the storage knows them by their content.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::context::Context;
use super::plan::{Action, Candidate, Plan};
use crate::folder::Oid;
use crate::text::count;
use hub::{Operation, RemoteFile, RepoPath};

/// Small files of the repo that the source no longer has.
#[derive(Default)]
pub(super) struct Departing {
    oids: HashMap<String, String>,
    sizes: HashSet<u64>,
}

impl Departing {
    pub(super) fn of<'a>(remote: &'a [RemoteFile], kept: &HashSet<&'a str>) -> Self {
        let mut departing = Self::default();
        // An empty file saves nothing, and a file without an object id may have any content.
        let small = |file: &&RemoteFile| file.sha256.is_none() && file.size > 0 && file.oid.is_some();
        for file in remote.iter().filter(small).filter(|file| !kept.contains(file.path.as_str())) {
            departing.oids.extend(file.oid.map(|oid| (file.path.clone(), oid.to_string())));
            departing.sizes.insert(file.size);
        }
        departing
    }

    /// Returns true if a new file of this size may be one of them.
    pub(super) fn has_size(&self, size: u64) -> bool {
        self.sizes.contains(&size)
    }

    /// Pairs added files with deleted ones of the same content: from the index of the candidate to the old path.
    ///
    /// A file is left out if its path becomes a folder, or if a file takes the place of its folder, because it has to
    /// be gone before the others come.
    pub(super) fn pair(&self, plan: &Plan, candidates: &[Candidate]) -> HashMap<usize, RepoPath> {
        if self.oids.is_empty() {
            return HashMap::new();
        }
        let written: BTreeSet<&str> = plan
            .changes
            .iter()
            .filter(|change| change.action != Action::Delete)
            .map(|change| change.path.as_str())
            .collect();
        let mut gone: HashMap<&str, Vec<&RepoPath>> = HashMap::new();
        for change in plan.changes.iter().rev().filter(|change| change.action == Action::Delete) {
            if let Some(oid) = self.oids.get(change.path.as_str())
                && !is_in_the_way(change.path.as_str(), &written)
            {
                gone.entry(oid).or_default().push(&change.path);
            }
        }
        let added = plan.changes.iter().filter(|change| change.action == Action::Add && !change.large);
        added
            .filter_map(|change| {
                let index = change.candidate?;
                let oid = candidates.get(index)?.local.as_deref()?;
                Some((index, gone.get_mut(oid)?.pop()?.clone()))
            })
            .collect()
    }
}

fn is_in_the_way(path: &str, written: &BTreeSet<&str>) -> bool {
    let folder = format!("{path}/");
    let inside = written.range(folder.as_str()..).next().is_some_and(|other| other.starts_with(&folder));
    inside || path.match_indices('/').any(|(end, _)| written.contains(&path[..end]))
}

/// Replaces moves by a write under the new name and a deletion of the old one.
pub(super) fn expand(operations: &[Operation]) -> Vec<Operation> {
    let gone = operations.iter().filter_map(|operation| match operation {
        Operation::Move { from, .. } => Some(Operation::Delete { path: from.clone() }),
        _ => None,
    });
    let written = operations.iter().map(|operation| match operation {
        Operation::Move { path, content, oid, .. } => {
            Operation::File { path: path.clone(), content: content.clone(), oid: Some(*oid) }
        }
        other => other.clone(),
    });
    gone.chain(written).collect()
}

fn moves(operations: &[Operation]) -> impl Iterator<Item = (&RepoPath, &RepoPath, &Oid)> {
    operations.iter().filter_map(|operation| match operation {
        Operation::Move { from, path, oid, .. } => Some((from, path, oid)),
        _ => None,
    })
}

/// Returns true if the Hub may have refused the moves, and not the commit as such. A Hub that does not know them may
/// also fail on them.
pub(super) fn are_refused(error: &hub::Error, operations: &[Operation]) -> bool {
    matches!(error.status(), Some(400 | 422 | 500..=599)) && moves(operations).next().is_some()
}

/// Logs that the Hub has refused moves.
pub(super) fn log_refused(context: &Context<'_>, error: &hub::Error) {
    context.log.info(&format!("the Hub does not move files, their content is sent: {error}"));
}

/// Returns operations that make up for moves which a commit has left out.
///
/// By the contract there are none. But no official client asks for moves in this way, so the answer alone proves little.
pub(super) async fn unmoved(context: &Context<'_>, commit: &str, operations: &[Operation]) -> Vec<Operation> {
    let log = context.log;
    let asked: Vec<&str> =
        moves(operations).flat_map(|(from, path, _)| [from.as_str(), path.as_str()]).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let found = match context.hub.oids_of(&context.repo, commit, &asked).await {
        Ok(found) => found,
        Err(error) => {
            log.warning(&format!("whether the Hub moved files as it was asked is not known: {error}"));
            return Vec::new();
        }
    };
    let files = count(asked.len() / 2, "file");
    let only_moves: Vec<Operation> =
        operations.iter().filter(|one| matches!(one, Operation::Move { .. })).cloned().collect();
    let is_left = |operation: &Operation| match operation {
        Operation::Delete { path } => found.contains_key(path.as_str()),
        Operation::File { path, oid: Some(oid), .. } => found.get(path.as_str()) != Some(oid),
        _ => false,
    };
    let left: Vec<Operation> = expand(&only_moves).into_iter().filter(is_left).collect();
    match left.len() {
        0 => log.info(&format!("{files} moved on the Hub: the content was not sent again")),
        _ => log.warning(&format!("the Hub was asked to move {files}, and did not: the content is sent")),
    }
    left
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::parts::tests::tree as tree_of_any_shape;
    use super::*;
    use crate::folder::{FileContent, SourceFile};
    use crate::ops::deploy::plan::{Pruning, plan};

    /// A repo, or a folder: contents by path.
    type Tree = BTreeMap<String, u8>;

    fn oid(content: u8) -> Oid {
        format!("{content:040x}").parse().unwrap()
    }

    fn remote(tree: &Tree) -> Vec<RemoteFile> {
        let file = |(path, content): (&String, &u8)| RemoteFile {
            path: path.clone(),
            size: u64::from(*content),
            oid: Some(oid(*content)),
            sha256: None,
            xet_hash: None,
        };
        tree.iter().map(file).collect()
    }

    fn candidates(from: &Tree, to: &Tree) -> Vec<Candidate> {
        let candidate = |(path, content): (&String, &u8)| Candidate {
            path: path.parse().unwrap(),
            size: u64::from(*content),
            large: false,
            ignored: false,
            remote: from.get(path).map(|content| oid(*content).to_string()),
            local: Some(oid(*content).to_string()),
        };
        to.iter().map(candidate).collect()
    }

    /// Returns the operations of a deploy of `to` onto `from`, in order.
    fn operations(from: &Tree, to: &Tree) -> Vec<Operation> {
        let (remote, candidates) = (remote(from), candidates(from, to));
        let kept = to.keys().map(String::as_str).collect();
        let pruning = Pruning::On { remote: from.keys().cloned().collect() };
        let plan = plan(&candidates, &pruning);
        let paired = Departing::of(&remote, &kept).pair(&plan, &candidates);
        let moved: HashSet<&RepoPath> = paired.values().collect();
        let deleted = plan
            .changes
            .iter()
            .filter(|change| change.action == Action::Delete && !moved.contains(&change.path))
            .map(|change| Operation::Delete { path: change.path.clone() });
        let written = plan.changes.iter().filter_map(|change| {
            let index = change.candidate?;
            let path = change.path.clone();
            let content = Arc::new(SourceFile {
                path: path.clone(),
                content: FileContent::Memory(Bytes::new()),
                size: change.size,
                cache: None,
            });
            let oid = oid(u8::try_from(change.size).unwrap());
            Some(match paired.get(&index) {
                Some(from) => Operation::Move { from: from.clone(), path, content, oid },
                None => Operation::File { path, content, oid: Some(oid) },
            })
        });
        deleted.chain(written).collect()
    }

    /// Applies operations as the Hub does: a file cannot lie where a folder is, nor a folder where a file is.
    fn apply(repo: &mut Tree, operations: &[Operation]) {
        for operation in operations {
            let path = operation.path().to_string();
            let content = match operation {
                Operation::Delete { .. } => {
                    assert!(repo.remove(&path).is_some(), "no {path}");
                    continue;
                }
                Operation::Move { from, .. } => repo.remove(from.as_str()).expect("a moved file exists"),
                Operation::File { content, .. } => u8::try_from(content.size()).unwrap(),
                Operation::LargeFile { .. } => unreachable!("no large file was planned"),
            };
            let folder = format!("{path}/");
            assert!(!repo.keys().any(|other| other.starts_with(&folder)), "{path} is a folder");
            for (end, _) in path.match_indices('/') {
                assert!(!repo.contains_key(&path[..end]), "{path} lies in a file");
            }
            repo.insert(path, content);
        }
    }

    fn tree(files: &[(&str, u8)]) -> Tree {
        files.iter().map(|(path, content)| ((*path).to_owned(), *content)).collect()
    }

    fn shown(operations: &[Operation]) -> Vec<String> {
        let one = |operation: &Operation| match operation {
            Operation::Delete { path } => format!("-{path}"),
            Operation::Move { from, path, .. } => format!("{from} > {path}"),
            other => other.path().to_string(),
        };
        operations.iter().map(one).collect()
    }

    #[test]
    fn renamed_files_are_moved() {
        let from = tree(&[("a/1", 1), ("a/2", 2), ("b", 3), ("c", 4), ("empty", 0), ("kept", 5)]);
        let to = tree(&[("z/1", 1), ("z/2", 9), ("b", 4), ("new-empty", 0), ("kept", 5), ("copy", 5)]);
        let operations = operations(&from, &to);
        // Not moved: what came onto a path that is there, what is empty, and what stays under its old name too.
        assert_eq!(
            shown(&operations),
            ["-a/2", "-c", "-empty", "b", "copy", "new-empty", "a/1 > z/1", "z/2"]
        );
        let expanded = shown(&expand(&operations));
        assert_eq!(expanded, ["-a/1", "-a/2", "-c", "-empty", "b", "copy", "new-empty", "z/1", "z/2"]);
    }

    #[test]
    fn files_of_the_same_content_move_once_each() {
        let from = tree(&[("a", 1), ("b", 1)]);
        assert_eq!(
            shown(&operations(&from, &tree(&[("c", 1), ("d", 1), ("e", 1)]))),
            ["a > c", "b > d", "e"]
        );
        assert_eq!(shown(&operations(&from, &tree(&[("c", 1)]))), ["-b", "a > c"]);
    }

    /// Few contents, so that many files have the same one.
    fn any_tree() -> impl Strategy<Value = Tree> {
        let content = |(path, size): (String, u64)| (path, u8::try_from(size % 4).unwrap());
        tree_of_any_shape(10).prop_map(move |tree| tree.into_iter().map(content).collect())
    }

    proptest! {
        #[test]
        fn moves_lead_to_the_same_tree(from in any_tree(), to in any_tree()) {
            let operations = operations(&from, &to);
            for operations in [expand(&operations), operations] {
                let mut repo = from.clone();
                apply(&mut repo, &operations);
                prop_assert_eq!(&repo, &to);
            }
        }
    }
}
