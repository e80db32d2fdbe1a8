//! Cuts a deploy that is too large for one commit into parts. Pure functions from operations to operations.

use std::collections::BTreeMap;

use hub::Operation;

use super::options::CommitLimits;

/// Returns true if the operations fit into one commit.
pub(super) fn fits(operations: &[Operation], limits: CommitLimits) -> bool {
    operations.len() <= limits.files && inline_bytes(operations) <= limits.bytes
}

/// Returns the bytes of content that travel with a commit of these operations.
pub(super) fn inline_bytes(operations: &[Operation]) -> u64 {
    operations.iter().map(Operation::inline_bytes).sum()
}

/// Cuts into parts that fit, in the given order. An operation that is too large for any part gets one of its own.
pub(super) fn cut(operations: Vec<Operation>, limits: CommitLimits) -> Vec<Vec<Operation>> {
    let mut parts: Vec<Vec<Operation>> = Vec::new();
    let mut bytes = 0;
    for operation in operations {
        let size = operation.inline_bytes();
        match parts.last_mut() {
            Some(part) if part.len() < limits.files && bytes + size <= limits.bytes => {
                bytes += size;
                part.push(operation);
            }
            _ => {
                bytes = size;
                parts.push(vec![operation]);
            }
        }
    }
    parts
}

/// Returns half of the limits, after the Hub has refused these operations as too large.
pub(super) fn lower(operations: &[Operation], limits: CommitLimits) -> CommitLimits {
    CommitLimits {
        files: limits.files.min(operations.len().div_ceil(2)).max(1),
        bytes: limits.bytes.min(inline_bytes(operations).div_ceil(2)).max(1),
    }
}

/// Cuts into parts for a branch that people read meanwhile: data first, then code, then files that decide how the app
/// is built, then deletions. A reader finds the old app with new data for most of the time, and never an app without
/// its files.
///
/// A deletion that makes room for a new file comes right before it, if one is a folder and the other a file.
pub(super) fn cut_for_a_branch(operations: Vec<Operation>, limits: CommitLimits) -> Vec<Vec<Operation>> {
    let (deletions, mut writes): (Vec<_>, Vec<_>) =
        operations.into_iter().partition(|operation| matches!(operation, Operation::Delete { .. }));
    let mut deleted: Deletions =
        deletions.into_iter().map(|operation| (operation.path().to_string(), operation)).collect();
    writes.sort_by_key(rank);
    let code = writes.partition_point(|operation| rank(operation) == Rank::Content);
    let code = writes.split_off(code);
    let content = with_room(writes, &mut deleted);
    let mut code = with_room(code, &mut deleted);
    code.extend(deleted.into_values());
    let mut parts = cut(content, limits);
    parts.extend(cut(code, limits));
    parts
}

/// Deletions by their paths.
type Deletions = BTreeMap<String, Operation>;

/// Inserts before each write the deletions that make room for it.
fn with_room(writes: Vec<Operation>, deleted: &mut Deletions) -> Vec<Operation> {
    let mut all = Vec::with_capacity(writes.len());
    for write in writes {
        let path = write.path().as_str();
        let above = path.match_indices('/').map(|(end, _)| path[..end].to_owned());
        let folder = format!("{path}/");
        let inside = deleted.range(folder.clone()..).map(|(other, _)| other.clone());
        let in_the_way: Vec<String> =
            above.chain(inside.take_while(|other| other.starts_with(&folder))).collect();
        all.extend(in_the_way.iter().filter_map(|other| deleted.remove(other)));
        all.push(write);
    }
    all
}

/// Order in which files may change under a running app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Content,
    Code,
    /// Files that decide how a Space is built.
    Build,
}

/// Endings of files that an app consists of, in contrast to the data that it reads or shows.
const CODE: &str = "bash c cfg cjs conf cpp css go h htm html ini ipynb java jinja jinja2 js jsx kt lock lua mjs mojo php \
    pl ps1 py pyi pyx r rb rs sh sql svelte swift toml ts tsx vue wasm yaml yml zsh";
/// Files in the root of a Space that decide how it is built: its card, image, packages and entry.
const BUILD: &[&str] =
    &["README.md", "Dockerfile", "requirements.txt", "packages.txt", "pre-requirements.txt", "app.py"];

fn rank(operation: &Operation) -> Rank {
    let path = operation.path().as_str();
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let is_code = |ending: &String| CODE.split_whitespace().any(|code| code == ending);
    if BUILD.contains(&path) {
        Rank::Build
    } else if matches!(operation, Operation::File { .. })
        && (matches!(name, "Dockerfile" | "Makefile" | "package.json")
            || ending.as_ref().is_some_and(is_code))
    {
        Rank::Code
    } else {
        Rank::Content
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::folder::{FileContent, SourceFile};
    use hub::RepoPath;

    const LARGE: CommitLimits = CommitLimits { files: 3, bytes: 100 };

    fn write(path: &str, size: u64) -> Operation {
        let path: RepoPath = path.parse().unwrap();
        let source =
            SourceFile { path: path.clone(), content: FileContent::Memory(Bytes::new()), size, cache: None };
        Operation::File { path, content: Arc::new(source), oid: None }
    }

    fn large(path: &str) -> Operation {
        Operation::LargeFile { path: path.parse().unwrap(), sha256: [0; 32].into(), size: 1 << 40 }
    }

    fn delete(path: &str) -> Operation {
        Operation::Delete { path: path.parse().unwrap() }
    }

    fn shown(parts: &[Vec<Operation>]) -> Vec<Vec<String>> {
        let one = |operation: &Operation| match operation {
            Operation::Delete { path } => format!("-{path}"),
            other => other.path().to_string(),
        };
        parts.iter().map(|part| part.iter().map(one).collect()).collect()
    }

    #[test]
    fn parts_are_cut_by_number_and_by_bytes() {
        let operations =
            vec![write("a", 60), write("b", 40), write("c", 1), large("d"), delete("e"), write("f", 500)];
        assert!(!fits(&operations, LARGE));
        let parts = cut(operations, LARGE);
        assert_eq!(shown(&parts), [vec!["a", "b"], vec!["c", "d", "-e"], vec!["f"]]);
        assert!(fits(&parts[1], LARGE));
        assert_eq!(lower(&parts[1], LARGE), CommitLimits { files: 2, bytes: 1 });
        assert!(cut(Vec::new(), LARGE).is_empty());
    }

    #[test]
    fn a_branch_gets_content_then_code_then_deletions() {
        let operations = vec![
            delete("old.py"),
            delete("assets"),
            delete("data/x/1"),
            delete("data/x/2"),
            write("README.md", 1),
            write("app.py", 1),
            write("assets/logo.svg", 1),
            write("data/x", 1),
            write("lib/util.py", 1),
            large("model.bin"),
        ];
        let parts = cut_for_a_branch(operations, CommitLimits { files: 4, bytes: 100 });
        assert_eq!(
            shown(&parts),
            [
                vec!["-assets", "assets/logo.svg", "-data/x/1", "-data/x/2"],
                vec!["data/x", "model.bin"],
                vec!["lib/util.py", "README.md", "app.py", "-old.py"],
            ]
        );
    }

    /// Applies parts as the Hub does: a file cannot lie where a folder is, nor a folder where a file is.
    fn apply(repo: &mut BTreeMap<String, u64>, part: &[Operation]) {
        for operation in part {
            let path = operation.path().to_string();
            match operation {
                Operation::Delete { .. } => assert!(repo.remove(&path).is_some(), "no {path}"),
                other => drop(repo.insert(path, other.inline_bytes())),
            }
        }
        for path in repo.keys() {
            for (end, _) in path.match_indices('/') {
                assert!(!repo.contains_key(&path[..end]), "{path} lies in a file");
            }
        }
    }

    /// Trees in which no file has the name of a folder.
    pub(in crate::ops::deploy) fn tree(most: usize) -> impl Strategy<Value = BTreeMap<String, u64>> {
        prop::collection::btree_map("[ab](/[abc](/[ab])?)?(\\.py)?", 0u64..90, 0..most).prop_map(|tree| {
            let folders: Vec<String> = tree
                .keys()
                .flat_map(|path| path.match_indices('/').map(|(end, _)| path[..end].to_owned()))
                .collect();
            tree.into_iter().filter(|(path, _)| !folders.contains(path)).collect()
        })
    }

    proptest! {
        #[test]
        fn every_cut_leads_from_tree_to_tree(from in tree(14), to in tree(14), files in 1usize..5) {
            let gone = from.keys().filter(|path| !to.contains_key(*path)).map(|path| delete(path));
            let new = to.iter().filter(|(path, size)| from.get(*path) != Some(size));
            let operations: Vec<_> = gone.chain(new.map(|(path, size)| write(path, *size))).collect();
            let limits = CommitLimits { files, bytes: 100 };
            for parts in [cut(operations.clone(), limits), cut_for_a_branch(operations.clone(), limits)] {
                let mut repo = from.clone();
                for part in &parts {
                    prop_assert!(!part.is_empty() && fits(part, limits));
                    apply(&mut repo, part);
                }
                prop_assert_eq!(&repo, &to);
            }
        }
    }
}
