//! Makes the plan: from the source and the state of the repo to changes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::failure::{self, Result};
use crate::folder::Source;
use crate::folder::gitignore::{GitIgnoreMatch, GitIgnores};
use hub::{LargeFile, Lookup, Preupload, PreuploadFile, RemoteFile, RepoPath, Revision, UploadMode};

use super::context::Context;
use super::hashing::{Hash, HashKind, HeldFiles, PendingUpload, hash_all};
use super::listed::{Listed, list_files};
use super::moves::Departing;
use super::plan::{self, Action, Candidate, Change, PathConflict, Plan, Pruning};
use super::plan_base::{PlanBase, files_in_repo};
use super::preupload::{add_oids, find_content, preupload_or_compare};

/// A plan, with the files to carry it out.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// Files of the repo, or of the folder that is deployed into: `None` if nothing is deleted.
    pub(super) there: Option<Vec<String>>,
    /// Number of deleted files whose content the repo keeps under no other name.
    pub(super) lost: usize,
    files: Vec<PendingUpload>,
    /// Old path of each small file that has a new name, by the index of the file.
    moves: HashMap<usize, RepoPath>,
}

impl Planned {
    /// Returns each change that sends something, with its file.
    pub(super) fn writes(&self) -> impl Iterator<Item = (&Change, &PendingUpload)> {
        self.plan.changes.iter().filter_map(|change| Some((change, &self.files[change.candidate?])))
    }

    /// Returns the large files that the Hub does not have.
    fn large_writes(&self) -> impl Iterator<Item = (&Change, &PendingUpload)> {
        self.writes().filter(|(change, file)| change.large && !file.is_stored)
    }

    /// Returns the old path of a file that has only another name.
    pub(super) fn moved_from(&self, change: &Change) -> Option<&RepoPath> {
        self.moves.get(&change.candidate?)
    }

    /// Returns the old paths of moved files, whose deletions are part of the moves.
    pub(super) fn moved(&self) -> HashSet<&RepoPath> {
        self.moves.values().collect()
    }

    /// Returns the number of operations in a commit of this plan, and the bytes of content in it.
    pub(super) fn commit_size(&self) -> (usize, u64) {
        let is_inline = |change: &&Change| !change.large && self.moved_from(change).is_none();
        let bytes = self.plan.changes.iter().filter(is_inline).map(|change| change.size).sum();
        (self.plan.changes.len() - self.moves.len(), bytes)
    }

    /// Returns the bytes of the large files that the Hub does not have.
    pub(super) fn large_bytes(&self) -> u64 {
        self.large_writes().map(|(change, _)| change.size).sum()
    }

    pub(super) fn large_files(&self) -> Vec<LargeFile> {
        self.large_writes()
            .map(|(change, file)| LargeFile {
                path: change.path.clone(),
                content: file.source.clone(),
                sha256: file.sha256,
                checksum: file.checksum,
            })
            .collect()
    }
}

/// Makes a plan: `None` if the branch moved while the Hub was asked. `asked` holds answers that the Hub gave before.
pub(super) async fn make_plan(
    context: &Context<'_>,
    source: &Arc<Source>,
    base: &PlanBase<'_>,
    asked: Option<Preupload>,
) -> Result<Option<Planned>> {
    let answers = async {
        match asked {
            Some(asked) => Ok(asked),
            None => preupload_or_compare(context, source, base).await,
        }
    };
    let (mut answers, listed) = tokio::try_join!(answers, list_files(context, source, base))?;
    // The answers were given for a commit that is not the base.
    if let Some(sha) = &base.info.sha
        && answers.commits.iter().any(|commit| commit != sha)
        && head_moved(context, base.revision, sha).await?
    {
        return Ok(None);
    }
    let elsewhere = match &listed {
        None if !base.is_new => find_content(context, &answers, base.info).await?,
        _ => Vec::new(),
    };
    let known = || listed.iter().flat_map(|listed| &listed.ours).chain(&elsewhere);
    add_oids(&mut answers, known());
    let held = HeldFiles::of(known());
    let departing = departing(context, listed.as_ref(), &answers);
    let hashes = hash_all(source, hash_kinds(source, &answers, &held, &departing)).await?;
    let stored: Vec<bool> = hashes.iter().map(|hash| held.has(hash)).collect();
    let own_git_ignores = source.git_ignores.within(context.options.path_in_repo.as_ref());
    let git_ignores = listed.as_ref().map_or(&own_git_ignores, |listed| &listed.git_ignores);
    let candidates = candidates(context, source, answers, &hashes, git_ignores)?;
    let mut plan = plan::plan(&candidates, &pruning(listed.as_ref()));
    plan.ignored.extend(source.left_out.ignored.iter().cloned());
    let there = match (&base.info.siblings, &listed) {
        (Some(siblings), _) => siblings.iter().map(|sibling| sibling.rfilename.as_str()).collect(),
        (None, Some(listed)) => listed.paths.iter().map(String::as_str).collect(),
        (None, None) => Vec::new(),
    };
    make_room(context, &mut plan, source, &there, git_ignores)?;
    let lost =
        listed.as_ref().map_or_else(|| plan.count(Action::Delete), |listed| lost(&plan, listed, &hashes));
    let (there, kept) = listed.map(|listed| (listed.paths, listed.kept)).unzip();
    plan.kept = kept.unwrap_or_default();
    let moves = departing.pair(&plan, &candidates);
    let files = source.files.iter().zip(hashes).zip(stored);
    let files = files.map(|((file, hash), is_stored)| PendingUpload::new(file, hash, is_stored)).collect();
    Ok(Some(Planned { plan, there, lost, files, moves }))
}

/// Returns the small files that the source no longer has, which may have moved.
fn departing(context: &Context<'_>, listed: Option<&Listed>, answers: &Preupload) -> Departing {
    match listed {
        // A pull request that one commit opens gets no second one, should the Hub not move as it was asked.
        Some(listed) if !context.options.create_pr => {
            Departing::of(&listed.ours, &answers.files.iter().map(|file| file.path.as_str()).collect())
        }
        _ => Departing::default(),
    }
}

fn hash_kinds(
    source: &Source,
    answers: &Preupload,
    held: &HeldFiles,
    departing: &Departing,
) -> Vec<HashKind> {
    let pairs = answers.files.iter().zip(&source.files);
    pairs.map(|(answer, file)| HashKind::of(answer, held, departing, file.size)).collect()
}

fn candidates(
    context: &Context<'_>,
    source: &Source,
    answers: Preupload,
    hashes: &[Hash],
    git_ignores: &GitIgnores,
) -> Result<Vec<Candidate>> {
    // The Hub knows the `.gitignore` at the top of the repo only, and those in folders have the last word.
    let is_ignored = |answer: &PreuploadFile| match git_ignores.matched(&answer.path) {
        GitIgnoreMatch::None => answer.should_ignore,
        GitIgnoreMatch::Ignored(_) => true,
        GitIgnoreMatch::Kept => false,
    };
    let files = files_in_repo(context, source)?.into_iter().zip(answers.files).zip(hashes);
    let candidate = |(((path, file), answer), hash): (((RepoPath, _), PreuploadFile), &Hash)| {
        let file: &crate::folder::SourceFile = file;
        Candidate {
            path,
            size: file.size,
            large: answer.upload_mode == UploadMode::Lfs,
            ignored: is_ignored(&answer),
            remote: answer.oid.map(|id| id.to_string()),
            local: hash.text(),
        }
    };
    Ok(files.map(candidate).collect())
}

fn pruning(listed: Option<&Listed>) -> Pruning {
    match listed {
        None => Pruning::Off,
        Some(listed) => Pruning::On { remote: listed.ours.iter().map(|file| file.path.clone()).collect() },
    }
}

/// Deletes files of the repo that are in the place of a folder of the source, even without pruning, because that
/// updates the name. A folder is not deleted for a file, because it may hold many files.
fn make_room(
    context: &Context<'_>,
    plan: &mut Plan,
    source: &Source,
    there: &[&str],
    git_ignores: &GitIgnores,
) -> Result<()> {
    for conflict in plan::path_conflicts(plan, there.iter().copied()) {
        match conflict {
            PathConflict::File { path } => {
                let parsed: Option<RepoPath> = path.parse().ok();
                let folder = context.options.path_in_repo.as_ref();
                let relative = parsed.as_ref().and_then(|path| path.below(folder));
                let is_ours = relative.is_some_and(|path| !source.filter.hides(path))
                    && !matches!(git_ignores.matched(&path), GitIgnoreMatch::Ignored(_));
                if !is_ours {
                    return Err(failure::deploy::file_in_the_way(&context.repo, &path));
                }
                plan.delete(&path);
            }
            PathConflict::Folder { path, files } => {
                let prunes = context.options.prunes();
                return Err(failure::deploy::folder_in_the_way(&context.repo, &path, files, prunes));
            }
        }
    }
    Ok(())
}

async fn head_moved(context: &Context<'_>, revision: &Revision, sha: &str) -> Result<bool> {
    match context.hub.look_up(&context.repo, revision).await? {
        Lookup::Found(info) => Ok(info.sha.as_deref() != Some(sha)),
        _ => Ok(true),
    }
}

/// Counts the deleted files whose content the source has under no name.
fn lost(plan: &Plan, listed: &Listed, hashes: &[Hash]) -> usize {
    let local: HashSet<String> = hashes.iter().filter_map(Hash::text).collect();
    let there: HashMap<&str, &RemoteFile> =
        listed.ours.iter().map(|file| (file.path.as_str(), file)).collect();
    let is_elsewhere =
        |file: &&RemoteFile| file.content_id().is_some_and(|id| local.contains(&id.to_string()));
    let deleted = plan.changes.iter().filter(|change| change.action == Action::Delete);
    deleted.filter(|change| !there.get(change.path.as_str()).is_some_and(is_elsewhere)).count()
}
