//! A commit to be: operations on a tree, applied in order and all or none.

use std::collections::BTreeMap;

use crate::answer::HubError;
use crate::attributes::{LfsRules, append_rule};
use crate::discussion::{Discussion, Event};
use crate::hub::Hub;
use crate::objects::{Kind, Oid, Pointer};
use crate::repo::{NewCommit, Repo};
use crate::snapshot::FileEntry;
use crate::stage::BuildCause;
use crate::util::lock;

/// The Hub's answer when `parentCommit` is not the head any more.
pub(crate) const STALE: &str =
    "The branch was updated since you opened this page. Please refresh and try again.";

/// One operation of a commit.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A file whose blob is stored already.
    File { path: String, oid: Oid },
    /// A large file that was uploaded before.
    Lfs { path: String, sha256: String, size: Option<u64> },
    /// A folder is removed with all below it.
    DeleteFolder { path: String },
    /// A file or a folder, whichever it is.
    DeleteEntry { path: String },
    /// The mode of a file is changed, as `git push` can and no commit over HTTP.
    Chmod { path: String, mode: u32 },
    /// A file of another revision (or of the parent) is put at `path`; `remove` takes the source away.
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
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) parent: Option<String>,
    pub(crate) ops: Vec<Op>,
}

/// A commit that was made.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) oid: Oid,
    /// Number of the pull request it opened.
    pub(crate) pull_request: Option<u64>,
}

/// Refuses paths git or the Hub would refuse; `folder` allows a trailing slash.
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

/// The text the Hub's hook gives for a pointer without content.
fn missing_object(path: &str) -> HubError {
    HubError::bad_request(format!(
        "Your push was rejected because an LFS pointer pointed to a file that does not exist. Offending file: {path}"
    ))
}

impl Hub {
    /// Applies a plan to a branch; with `create_pr` to a new pull request instead. The caller of an HTTP request
    /// holds the repository's writer lock.
    pub(crate) fn apply(
        &self,
        repo: &Repo,
        rev: &str,
        plan: Plan,
        author: &str,
        create_pr: bool,
    ) -> Result<Done, HubError> {
        let (target, head) = {
            let state = lock(&repo.state);
            let head = state.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
            (state.writable_ref(rev), head)
        };
        let mut base = head;
        if let Some(parent) = &plan.parent {
            if create_pr {
                base = repo.resolve(parent).ok_or_else(|| HubError::revision_not_found(parent))?;
            } else if parent.len() < 7 || !head.to_string().starts_with(parent.as_str()) {
                return Err(HubError::new(412, STALE));
            }
        }
        let target = if create_pr {
            None
        } else {
            Some(
                target
                    .ok_or_else(|| HubError::bad_request(format!("Cannot commit to {rev}: not a branch")))?,
            )
        };
        if let Some(number) = target.as_deref().and_then(pull_request) {
            let status = lock(&repo.state).discussions.get(&number).map(|found| found.status.clone());
            if status.is_some_and(|status| matches!(status.as_str(), "closed" | "merged")) {
                return Err(HubError::forbidden("This pull request takes no more commits"));
            }
        }
        let mut files = repo.snapshot(base)?.files.clone();
        let mut large = Vec::new();
        for op in &plan.ops {
            self.apply_op(repo, base, op, &mut files, &mut large)?;
        }
        check_conflicts(&files)?;
        track_large_files(repo, &mut files, &large)?;
        let new = NewCommit {
            author: author.to_owned(),
            summary: plan.summary.clone(),
            description: plan.description.clone(),
        };
        let oid = repo.write_commit(files, vec![base], &new)?;
        let pull_request = repo.update(|state| {
            state.modified_ms = crate::util::now_ms();
            if let Some(name) = &target {
                state.refs.insert(name.clone(), oid);
                if let Some(number) = pull_request(name)
                    && let Some(discussion) = state.discussions.get_mut(&number)
                {
                    let data = serde_json::json!({"subject": plan.summary, "oid": oid.to_string()});
                    discussion.events.push(Event::new(author, "commit", data));
                }
                return None;
            }
            let number = state.discussions.keys().next_back().copied().unwrap_or(0) + 1;
            let mut discussion =
                Discussion::new(number, &plan.summary, author, &plan.description, "open", true);
            let data = serde_json::json!({"subject": plan.summary, "oid": oid.to_string()});
            discussion.events.push(Event::new(author, "commit", data));
            state.discussions.insert(number, discussion);
            state.refs.insert(format!("refs/pr/{number}"), oid);
            Some(number)
        })?;
        if target.as_deref() == Some("refs/heads/main") {
            self.rebuild_space(repo, BuildCause::Commit)?;
        }
        Ok(Done { oid, pull_request })
    }

    fn apply_op(
        &self,
        repo: &Repo,
        base: Oid,
        op: &Op,
        files: &mut BTreeMap<String, FileEntry>,
        large: &mut Vec<String>,
    ) -> Result<(), HubError> {
        let folder = matches!(op, Op::DeleteFolder { .. } | Op::DeleteEntry { .. });
        check_path(op.path(), folder)?;
        let keeps = lock(&self.policy).commits_keep_modes;
        let mode = files.get(op.path()).filter(|_| keeps).map_or(0o100_644, |e| e.mode);
        match op {
            Op::File { path, oid } => {
                files.insert(path.clone(), FileEntry { mode, oid: *oid });
            }
            Op::Lfs { path, sha256, size } => {
                let stored = self.large_size(repo, sha256).ok_or_else(|| missing_object(path))?;
                if size.is_some_and(|s| s != stored) {
                    return Err(HubError::bad_request(format!(
                        "Invalid LFS pointer for \"{path}\": {} bytes were uploaded",
                        stored
                    )));
                }
                let text = Pointer { sha256: sha256.clone(), size: stored }.text();
                let oid = repo.objects.put(Kind::Blob, text.as_bytes())?;
                files.insert(path.clone(), FileEntry { mode, oid });
                large.push(path.clone());
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
                let entry =
                    entry.or(repo.snapshot(base)?.files.get(from).copied()).ok_or_else(|| gone(from))?;
                if *remove {
                    files.remove(from);
                }
                if repo.objects.blob_info(entry.oid).is_some_and(|i| i.pointer.is_some()) {
                    large.push(path.clone());
                }
                files.insert(path.clone(), entry);
            }
        }
        Ok(())
    }
}

/// The number of the pull request whose ref this is.
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

/// A name cannot be a file and a folder at once.
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

/// Adds `.gitattributes` rules for large files no rule covers, as the commit endpoint does.
fn track_large_files(
    repo: &Repo,
    files: &mut BTreeMap<String, FileEntry>,
    large: &[String],
) -> Result<(), HubError> {
    const NAME: &str = ".gitattributes";
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
