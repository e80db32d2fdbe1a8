//! Commits: operations on a tree, applied in order and all or none.

use std::collections::BTreeMap;

use serde_json::json;

use crate::core::attributes::{LfsRules, append_rule};
use crate::core::content::Core;
use crate::core::discussion::{Discussion, Event, NewDiscussion};
use crate::core::objects::{Kind, Oid, Pointer};
use crate::core::repo::{MAIN, NewCommit, Repo, RepoState};
use crate::core::snapshot::FileEntry;
use crate::http::answer::HubError;
use crate::util::{lock, now_ms};

/// The Hub's message if `parentCommit` is no longer the head.
const STALE: &str = "The branch was updated since you opened this page. Please refresh and try again.";

/// One operation of a commit.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A file whose blob is stored.
    File { path: String, oid: Oid },
    /// A large file whose content is stored.
    Lfs { path: String, sha256: String, size: Option<u64> },
    /// Removes a folder with all files below it.
    DeleteFolder { path: String },
    /// Removes a file, or else a folder.
    DeleteEntry { path: String },
    /// Changes the mode of a file, which `git push` can do and a commit over HTTP cannot.
    Chmod { path: String, mode: u32 },
    /// Copies a file of another revision (or of the parent) to `path`; `remove` deletes the source.
    Copy { path: String, from: String, rev: Option<String>, remove: bool },
}

impl Op {
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::File { path, .. }
            | Self::Lfs { path, .. }
            | Self::DeleteFolder { path }
            | Self::DeleteEntry { path }
            | Self::Chmod { path, .. }
            | Self::Copy { path, .. } => path,
        }
    }
}

/// A parsed commit request.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) parent: Option<String>,
    pub(crate) ops: Vec<Op>,
}

/// Target and author of a commit.
#[derive(Debug)]
pub(crate) struct CommitTarget<'a> {
    pub(crate) rev: &'a str,
    pub(crate) author: &'a str,
    /// Opens a pull request instead of moving the branch.
    pub(crate) create_pr: bool,
    /// Keeps the mode of a file that the commit replaces.
    pub(crate) keeps_modes: bool,
}

/// A new commit.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) oid: Oid,
    /// Number of the pull request it opened.
    pub(crate) pull_request: Option<u64>,
    /// True if it is the new head of `main`.
    pub(crate) moved_main: bool,
}

/// The files of a commit while its operations are applied.
struct Tree {
    files: BTreeMap<String, FileEntry>,
    /// Paths of the large files that the commit writes.
    large: Vec<String>,
}

/// The parent of a commit, and the mode of the file that an operation writes.
struct Place {
    base: Oid,
    mode: u32,
}

/// Refuses paths that git or the Hub refuse; `folder` allows a trailing slash.
pub(crate) fn check_path(path: &str, folder: bool) -> Result<(), HubError> {
    let bare = if folder { path.trim_end_matches('/') } else { path };
    let bad = |why: &str| Err(HubError::bad_request(format!("Invalid path \"{path}\": {why}")));
    if path.chars().count() > 1000 {
        return Err(HubError::bad_request("Invalid path: longer than 1000 characters"));
    }
    if bare.starts_with("..\\") {
        return Err(HubError::new(422, format!("Invalid path \"{path}\": must not lead out of the repo")));
    }
    if bare.is_empty() || bare.starts_with('/') {
        return bad("must be relative");
    }
    if bare.chars().any(char::is_control) {
        return bad("control characters are not allowed");
    }
    for part in bare.split('/') {
        match part {
            "" | "." | ".." => return bad("empty and dot segments are not allowed"),
            _ if part.eq_ignore_ascii_case(".git") => return bad("`.git` is not allowed"),
            _ => {}
        }
    }
    Ok(())
}

/// Returns the message of the Hub's hook for a pointer without content.
fn missing_object(path: &str) -> HubError {
    HubError::bad_request(format!(
        "Your push was rejected because an LFS pointer pointed to a file that does not exist. Offending file: {path}"
    ))
}

impl Core {
    /// Applies a plan to a branch, or to a new pull request. The route of an HTTP request holds the repository's writer
    /// lock.
    pub(crate) fn apply(
        &self,
        repo: &Repo,
        plan: Plan,
        target: &CommitTarget<'_>,
    ) -> Result<Commit, HubError> {
        let base = base_of(repo, &plan, target)?;
        let name = if target.create_pr { None } else { Some(writable(repo, target.rev)?) };
        let mut tree = Tree { files: repo.snapshot(base)?.files.clone(), large: Vec::new() };
        for op in &plan.ops {
            check_path(op.path(), matches!(op, Op::DeleteFolder { .. } | Op::DeleteEntry { .. }))?;
            let kept = tree.files.get(op.path()).filter(|_| target.keeps_modes);
            let place = Place { base, mode: kept.map_or(0o100_644, |entry| entry.mode) };
            self.apply_op(repo, &place, op, &mut tree)?;
        }
        check_conflicts(&tree.files)?;
        track_large_files(repo, &mut tree)?;
        let new = NewCommit {
            author: target.author.to_owned(),
            summary: plan.summary.clone(),
            description: plan.description.clone(),
        };
        let oid = repo.write_commit(tree.files, vec![base], &new)?;
        let pull_request = repo.update(|state| {
            state.modified_ms = now_ms();
            let data = json!({"subject": plan.summary, "oid": oid.to_string()});
            let event = Event::new(target.author, "commit", data);
            let Some(name) = &name else { return Some(open_pull_request(state, &new, oid, event)) };
            state.refs.insert(name.clone(), oid);
            if let Some(discussion) = pull_request(name).and_then(|number| state.discussions.get_mut(&number))
            {
                discussion.events.push(event);
            }
            None
        })?;
        Ok(Commit { oid, pull_request, moved_main: name.as_deref() == Some(MAIN) })
    }

    fn apply_op(&self, repo: &Repo, place: &Place, op: &Op, tree: &mut Tree) -> Result<(), HubError> {
        let (files, mode) = (&mut tree.files, place.mode);
        match op {
            Op::File { path, oid } => {
                files.insert(path.clone(), FileEntry { mode, oid: *oid });
            }
            Op::Lfs { path, sha256, size } => {
                let stored = self.large_size(repo, sha256).ok_or_else(|| missing_object(path))?;
                if size.is_some_and(|s| s != stored) {
                    return Err(HubError::bad_request(format!(
                        "Invalid LFS pointer for \"{path}\": {stored} bytes were uploaded"
                    )));
                }
                let text = Pointer { sha256: sha256.clone(), size: stored }.text();
                let oid = repo.objects.put(Kind::Blob, text.as_bytes())?;
                files.insert(path.clone(), FileEntry { mode, oid });
                tree.large.push(path.clone());
            }
            Op::DeleteFolder { path } => remove_below(files, path)?,
            Op::DeleteEntry { path } => {
                if files.remove(path).is_none() {
                    remove_below(files, path)?;
                }
            }
            Op::Chmod { path, mode } => files.get_mut(path).ok_or_else(|| gone(path))?.mode = *mode,
            Op::Copy { path, from, rev, remove } => {
                let entry = match rev {
                    None => files.get(from).copied(),
                    Some(rev) => {
                        let at = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
                        repo.snapshot(at)?.files.get(from).copied()
                    }
                };
                let before = repo.snapshot(place.base)?.files.get(from).copied();
                let entry = entry.or(before).ok_or_else(|| gone(from))?;
                if *remove {
                    files.remove(from);
                }
                if repo.objects.blob_info(entry.oid).is_some_and(|i| i.pointer.is_some()) {
                    tree.large.push(path.clone());
                }
                files.insert(path.clone(), entry);
            }
        }
        Ok(())
    }
}

/// Returns the parent of the new commit, or the Hub's refusal of a stale one.
fn base_of(repo: &Repo, plan: &Plan, target: &CommitTarget<'_>) -> Result<Oid, HubError> {
    let head =
        lock(&repo.state).resolve(target.rev).ok_or_else(|| HubError::revision_not_found(target.rev))?;
    let Some(parent) = &plan.parent else { return Ok(head) };
    if target.create_pr {
        return repo.resolve(parent).ok_or_else(|| HubError::revision_not_found(parent));
    }
    if parent.len() < 7 || !head.to_string().starts_with(parent.as_str()) {
        return Err(HubError::new(412, STALE));
    }
    Ok(head)
}

/// Returns the full name of the ref, unless it is a tag or the ref of a closed pull request.
fn writable(repo: &Repo, rev: &str) -> Result<String, HubError> {
    let state = lock(&repo.state);
    let name = state
        .writable_ref(rev)
        .ok_or_else(|| HubError::bad_request(format!("Cannot commit to {rev}: not a branch")))?;
    let status = pull_request(&name).and_then(|number| state.discussions.get(&number)).map(|d| &d.status);
    if status.is_some_and(|status| matches!(status.as_str(), "closed" | "merged")) {
        return Err(HubError::forbidden("This pull request takes no more commits"));
    }
    Ok(name)
}

/// Opens a pull request with its first commit, and returns its number.
fn open_pull_request(state: &mut RepoState, new: &NewCommit, oid: Oid, event: Event) -> u64 {
    let number = state.next_discussion();
    let mut discussion = Discussion::new(&NewDiscussion {
        number,
        title: &new.summary,
        author: &new.author,
        description: &new.description,
        status: "open",
        is_pull_request: true,
    });
    discussion.events.push(event);
    state.discussions.insert(number, discussion);
    state.refs.insert(format!("refs/pr/{number}"), oid);
    number
}

/// Returns the number of a pull request by the name of its ref.
fn pull_request(name: &str) -> Option<u64> {
    name.strip_prefix("refs/pr/")?.parse().ok()
}

fn gone(path: &str) -> HubError {
    HubError::entry_not_found(format!("A file with the name \"{path}\" does not exist"))
}

fn remove_below(files: &mut BTreeMap<String, FileEntry>, folder: &str) -> Result<(), HubError> {
    let prefix = format!("{}/", folder.trim_end_matches('/'));
    let before = files.len();
    files.retain(|path, _| !path.starts_with(&prefix));
    if files.len() == before { Err(gone(folder)) } else { Ok(()) }
}

/// Refuses a name that is a file and a folder at once.
fn check_conflicts(files: &BTreeMap<String, FileEntry>) -> Result<(), HubError> {
    for path in files.keys() {
        let mut rest = path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if files.contains_key(parent) {
                return Err(HubError::bad_request(format!(
                    "Invalid path \"{path}\": \"{parent}\" is a file"
                )));
            }
            rest = parent;
        }
    }
    Ok(())
}

/// Adds `.gitattributes` rules for large files without a rule, like the commit endpoint.
fn track_large_files(repo: &Repo, tree: &mut Tree) -> Result<(), HubError> {
    const NAME: &str = ".gitattributes";
    let Tree { files, large } = tree;
    let present: Vec<&String> = large.iter().filter(|p| files.contains_key(*p)).collect();
    if present.is_empty() {
        return Ok(());
    }
    let entry = files.get(NAME).copied();
    let mut text = match entry {
        Some(e) => String::from_utf8_lossy(&repo.objects.get(Kind::Blob, e.oid)?).into_owned(),
        None => String::new(),
    };
    let rules = LfsRules::parse(&text);
    let mut changed = false;
    for path in present {
        if !rules.matches(path) {
            append_rule(&mut text, path);
            changed = true;
        }
    }
    if changed {
        let oid = repo.objects.put(Kind::Blob, text.as_bytes())?;
        files.insert(NAME.to_owned(), FileEntry { mode: entry.map_or(0o100_644, |e| e.mode), oid });
    }
    Ok(())
}
