//! From a folder and a head to a plan.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use hub::{
    Content, ContentId, LargeFile, ParseError, Preupload, PreuploadFile, RemoteFile, RepoInfo, RepoPath,
    Revision, Transfer, UploadMode,
};

use super::listed::Listed;
use super::moves::Departing;
use super::{Deploy, Sendable};
use crate::failure::{Code, Failure, Result};
use crate::folder::gitignore::{GitIgnoreMatch, GitIgnores};
use crate::folder::{Oid, Sha256, Source, SourceFile};
use crate::ops::deploy::plan::{self, Action, Candidate, Change, Obstacle, Plan, Pruning};
use crate::text::count;

/// Files that are hashed as one task: small files cost less than starting a task for each.
const HASH_BATCH: usize = 64;

/// The Hub's own file: it says which files are large, and is never pruned.
pub(super) const GIT_ATTRIBUTES: &str = ".gitattributes";

/// A plan, with the files to carry it out.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// The files of the repo, or of the folder that is deployed into: `None` where nothing is deleted.
    pub(super) there: Option<Vec<String>>,
    /// Number of deleted files whose content the repo keeps under no other name.
    pub(super) lost: usize,
    files: Vec<Sendable>,
    /// Where the repo holds a small file that has another name now: by the place of the file.
    moves: HashMap<usize, RepoPath>,
}

impl Planned {
    /// Each change that sends something, with its file.
    pub(super) fn writes(&self) -> impl Iterator<Item = (&Change, &Sendable)> {
        self.plan.changes.iter().filter_map(|change| Some((change, &self.files[change.candidate?])))
    }

    /// The name under which the repo holds a changed file now, where only the name is another.
    pub(super) fn moved_from(&self, change: &Change) -> Option<&RepoPath> {
        self.moves.get(&change.candidate?)
    }

    /// The deletions that are none, since the file moves.
    pub(super) fn moved(&self) -> HashSet<&RepoPath> {
        self.moves.values().collect()
    }

    pub(super) fn large_files(&self) -> Vec<LargeFile> {
        self.writes()
            .filter(|(change, file)| change.large && !file.stored)
            .map(|(change, file)| LargeFile {
                path: change.path.clone(),
                content: file.source.clone(),
                sha256: file.sha256,
                checksum: file.checksum,
            })
            .collect()
    }
}

/// What is planned against.
pub(super) struct Against<'a> {
    pub(super) revision: &'a Revision,
    pub(super) info: &'a RepoInfo,
    /// Whether this deploy created the repo a moment ago.
    pub(super) fresh: bool,
}

impl Deploy<'_> {
    /// Asks the Hub what it has of each file, and how it wants to get it.
    pub(super) async fn ask(&self, source: &Source, revision: &Revision) -> Result<Preupload> {
        let questions = self.questions(source)?;
        let questions: Vec<(RepoPath, &dyn Content)> =
            questions.into_iter().map(|(path, file)| (path, file as &dyn Content)).collect();
        let git_ignore = self.git_ignore(source)?;
        let transfer = Transfer { revision: revision.clone(), ..self.transfer() };
        Ok(self.hub.preupload(&transfer, &questions, git_ignore.as_deref()).await?)
    }

    fn questions<'s>(&self, source: &'s Source) -> Result<Vec<(RepoPath, &'s SourceFile)>> {
        let paths = repo_paths(source, self.options.path_in_repo.as_ref())?;
        Ok(paths.into_iter().zip(&source.files).collect())
    }

    /// Hashes what may be the same on the Hub, and plans: `None` when the branch moved while the Hub was asked.
    /// `asked` is what the Hub said already.
    pub(super) async fn plan(
        &self,
        source: &Arc<Source>,
        against: &Against<'_>,
        asked: Option<Preupload>,
    ) -> Result<Option<Planned>> {
        let info = against.info;
        let questions = self.questions(source)?;
        let (mut answers, listed) = tokio::try_join!(
            async {
                match asked {
                    Some(asked) => Ok(asked),
                    None => self.ask_or_compare(source, &questions, against).await,
                }
            },
            self.list(source, info, against.fresh),
        )?;
        // A commit that the answers were given for, and that is not the head we plan against.
        if let Some(sha) = &info.sha
            && answers.commits.iter().any(|commit| commit != sha)
            && self.head_moved(against.revision, sha).await?
        {
            return Ok(None);
        }
        let elsewhere = match &listed {
            None if !against.fresh => self.where_content_may_be(&answers, info).await?,
            _ => Vec::new(),
        };
        name_oids(&mut answers, listed.iter().flat_map(|listed| &listed.ours).chain(&elsewhere));
        let held = Held::of(listed.iter().flat_map(|listed| &listed.ours).chain(&elsewhere));
        let departing = match &listed {
            // A pull request that one commit opens has no second one, should the Hub not move as it was asked.
            Some(listed) if !self.options.create_pr => {
                Departing::of(&listed.ours, &answers.files.iter().map(|file| file.path.as_str()).collect())
            }
            _ => Departing::default(),
        };
        let git_ignores = match &listed {
            Some(listed) => &listed.git_ignores,
            None => &source.git_ignores.within(self.options.path_in_repo.as_ref()),
        };
        // The Hub knows the `.gitignore` at the top of the repo only, and those in folders have the last word.
        let is_ignored = |answer: &PreuploadFile| match git_ignores.matched(&answer.path) {
            GitIgnoreMatch::None => answer.should_ignore,
            GitIgnoreMatch::Ignored(_) => true,
            GitIgnoreMatch::Kept => false,
        };
        let wanted = answers
            .files
            .iter()
            .zip(&source.files)
            .map(|(answer, file)| wanted_hash(answer, &held, &departing, file.size))
            .collect();
        let hashes = hash_all(source, wanted).await?;
        let stored: Vec<bool> = hashes.iter().map(|hash| held.has(hash)).collect();
        let candidates: Vec<Candidate> = questions
            .iter()
            .zip(answers.files)
            .zip(&hashes)
            .map(|(((path, file), answer), hash)| Candidate {
                path: path.clone(),
                size: file.size,
                large: answer.upload_mode == UploadMode::Lfs,
                ignored: is_ignored(&answer),
                remote: answer.oid.map(|id| id.to_string()),
                local: hash.text(),
            })
            .collect();
        let pruning = match &listed {
            None => Pruning::Off,
            Some(listed) => {
                Pruning::On { remote: listed.ours.iter().map(|file| file.path.clone()).collect() }
            }
        };
        let mut plan = plan::plan(&candidates, &pruning);
        plan.ignored.extend(source.left_out.ignored.iter().cloned());
        let there = match (&info.siblings, &listed) {
            (Some(siblings), _) => siblings.iter().map(|sibling| sibling.rfilename.as_str()).collect(),
            (None, Some(listed)) => listed.paths.iter().map(String::as_str).collect(),
            (None, None) => Vec::new(),
        };
        self.make_room(&mut plan, source, &there, git_ignores)?;
        let lost =
            listed.as_ref().map_or_else(|| plan.count(Action::Delete), |listed| lost(&plan, listed, &hashes));
        let (there, kept) = listed.map(|listed| (listed.paths, listed.kept)).unzip();
        plan.kept = kept.unwrap_or_default();
        let moves = departing.pair(&plan, &candidates);
        let files = source.files.iter().zip(hashes).zip(stored);
        let files = files.map(|((file, hash), stored)| hash.into_sendable(file, stored)).collect();
        Ok(Some(Planned { plan, there, lost, files, moves }))
    }

    /// Deletes the files of the repo that a folder of the source takes the place of, whatever is pruned: that is an
    /// update of the name. A folder is not given up for a file, because much may lie in it.
    fn make_room(
        &self,
        plan: &mut Plan,
        source: &Source,
        there: &[&str],
        git_ignores: &GitIgnores,
    ) -> Result<()> {
        let refusal =
            |message: String| Failure::new(Code::InvalidPath, format!("{message} (nothing was changed)"));
        for obstacle in plan::obstacles(plan, there.iter().copied()) {
            match obstacle {
                Obstacle::File { path } => {
                    let parsed: Option<RepoPath> = path.parse().ok();
                    let relative =
                        parsed.as_ref().and_then(|path| path.below(self.options.path_in_repo.as_ref()));
                    let is_ours = relative.is_some_and(|path| !source.filter.hides(path))
                        && !matches!(git_ignores.matched(&path), GitIgnoreMatch::Ignored(_));
                    if !is_ours {
                        return Err(refusal(format!("cannot deploy into the folder `{path}`: the {} has a file of that name, which is none of this deploy", self.repo))
                            .hint(format!("delete `{path}` on the Hub, or choose another folder")));
                    }
                    plan.delete(&path);
                }
                Obstacle::Folder { path, files } => {
                    let files = count(files, "file");
                    let failure = refusal(format!("cannot deploy the file `{path}`: the {} has a folder of that name, with {files} that this deploy does not delete", self.repo))
                        .hint(format!("delete the folder `{path}` on the Hub, or rename the file"));
                    return Err(match self.options.prunes() {
                        true => failure,
                        false => failure
                            .hint("or set `prune: true`, which deletes all that `source_dir` does not have"),
                    });
                }
            }
        }
        Ok(())
    }

    /// Lists the repo where a large file comes under a name that is new, because it may be there under another one.
    /// Where all names are new, only those are looked at, because some Hubs name the object id of no file.
    async fn where_content_may_be(&self, answers: &Preupload, info: &RepoInfo) -> Result<Vec<RemoteFile>> {
        let is_new = |answer: &PreuploadFile| {
            answer.upload_mode == UploadMode::Lfs && answer.oid.is_none() && !answer.should_ignore
        };
        let no_oids = answers.files.iter().all(|answer| answer.oid.is_none());
        let Some(sha) = &info.sha else { return Ok(Vec::new()) };
        if !answers.files.iter().any(is_new) {
            if !no_oids {
                return Ok(Vec::new());
            }
            let paths: Vec<&str> = answers.files.iter().map(|answer| answer.path.as_str()).collect();
            match self.hub.files_at(&self.repo, sha, &paths).await {
                // Such a Hub may not know the question either.
                Err(error) if error.refusal().is_some() => {}
                found => return Ok(found?),
            }
        }
        Ok(self.hub.list_files(&self.repo, sha, None).await?)
    }

    /// What the Hub says, where it may be asked: it tells nobody who may not write.
    async fn ask_or_compare(
        &self,
        source: &Source,
        questions: &[(RepoPath, &SourceFile)],
        against: &Against<'_>,
    ) -> Result<Preupload> {
        if !self.hub.has_token() {
            return self.compare_as_everybody(questions, against.info).await;
        }
        match self.ask(source, against.revision).await {
            Err(failure) if self.options.dry_run && may_not(failure.code) => {
                self.log.info("comparing with what the repo shows: this token may not ask about an upload");
                self.compare_as_everybody(questions, against.info).await
            }
            asked => asked,
        }
    }

    /// What the Hub would answer about an upload, as far as the tree shows it.
    async fn compare_as_everybody(
        &self,
        questions: &[(RepoPath, &SourceFile)],
        info: &RepoInfo,
    ) -> Result<Preupload> {
        let remote = match &info.sha {
            Some(sha) => self.hub.list_files(&self.repo, sha, None).await?,
            None => Vec::new(),
        };
        let remote: HashMap<String, RemoteFile> =
            remote.into_iter().map(|file| (file.path.clone(), file)).collect();
        let answer = |(path, file): &(RepoPath, &SourceFile)| {
            let held = remote.get(path.as_str());
            let is_large = held.is_some_and(|file| file.sha256.is_some()) && file.size > 0;
            let upload_mode = if is_large { UploadMode::Lfs } else { UploadMode::Regular };
            PreuploadFile {
                path: path.to_string(),
                upload_mode,
                should_ignore: false,
                oid: held.and_then(RemoteFile::content_id),
            }
        };
        Ok(Preupload { files: questions.iter().map(answer).collect(), commits: Vec::new() })
    }

    /// The `.gitignore` that this deploy brings: the Hub judges by it instead of the committed one.
    pub(super) fn git_ignore(&self, source: &Source) -> Result<Option<String>> {
        let Some(file) = source.get(".gitignore").filter(|_| self.options.path_in_repo.is_none()) else {
            return Ok(None);
        };
        let mut text = Vec::new();
        let read = file.open().and_then(|mut reader| std::io::Read::read_to_end(&mut reader, &mut text));
        read.map_err(|error| file.error(error))?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    async fn head_moved(&self, revision: &Revision, sha: &str) -> Result<bool> {
        match self.hub.look_up(&self.repo, revision).await? {
            hub::Lookup::Found(info) => Ok(info.sha.as_deref() != Some(sha)),
            _ => Ok(true),
        }
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

/// Adds the object ids of files that the repo holds, where the Hub named none: its tree knows them.
fn name_oids<'a>(answers: &mut Preupload, held: impl Iterator<Item = &'a RemoteFile>) {
    if answers.files.iter().all(|answer| answer.oid.is_some()) {
        return;
    }
    let held: HashMap<&str, &RemoteFile> = held.map(|file| (file.path.as_str(), file)).collect();
    for answer in answers.files.iter_mut().filter(|answer| answer.oid.is_none()) {
        let Some(file) = held.get(answer.path.as_str()) else { continue };
        answer.oid = file.content_id();
    }
}

/// Whether it is the token's rights that are missing.
pub(super) fn may_not(code: Code) -> bool {
    matches!(code, Code::TokenInvalid | Code::PermissionDenied)
}

/// The plan of a dry run against a repo that does not exist.
pub(super) fn plan_for_nothing(source: &Source, folder: Option<&RepoPath>) -> Result<Plan> {
    let candidates: Vec<Candidate> = repo_paths(source, folder)?
        .into_iter()
        .zip(&source.files)
        .map(|(path, file)| Candidate {
            path,
            size: file.size,
            large: false,
            ignored: false,
            remote: None,
            local: None,
        })
        .collect();
    let mut plan = plan::plan(&candidates, &Pruning::Off);
    plan.ignored.extend(source.left_out.ignored.iter().cloned());
    Ok(plan)
}

/// Where each file goes in the repo.
pub(super) fn repo_paths(source: &Source, folder: Option<&RepoPath>) -> Result<Vec<RepoPath>> {
    let paths: Result<Vec<RepoPath>, ParseError> =
        source.files.iter().map(|file| file.path.within(folder)).collect();
    paths.map_err(|error| {
        Failure::new(Code::InvalidPath, format!("a path in `path_in_repo` {error}"))
            .hint("shorten `path_in_repo` or the folders of the source")
    })
}

/// Which hash of a local file the Hub's object id can be compared with.
#[derive(Clone, Copy)]
enum Wanted {
    Nothing,
    GitBlob,
    Sha256,
}

/// A large file of another size is another content, without reading it, unless it moved: then a file of its size is
/// there under another name. So is a small file that moved.
fn wanted_hash(answer: &PreuploadFile, held: &Held, departing: &Departing, size: u64) -> Wanted {
    let large = answer.upload_mode == UploadMode::Lfs && !matches!(answer.oid, Some(ContentId::Git(_)));
    let other_size = held.size(&answer.path).is_some_and(|remote| remote != size);
    match answer.oid {
        _ if answer.should_ignore => Wanted::Nothing,
        _ if large && held.sizes.contains(&size) => Wanted::Sha256,
        _ if other_size => Wanted::Nothing,
        Some(ContentId::Git(_)) => Wanted::GitBlob,
        Some(ContentId::Sha256(_)) => Wanted::Sha256,
        None if !large && departing.has_size(size) => Wanted::GitBlob,
        _ => Wanted::Nothing,
    }
}

/// The large files that the repo is known to hold.
struct Held {
    by_path: HashMap<String, u64>,
    sizes: HashSet<u64>,
    contents: HashSet<Sha256>,
}

impl Held {
    fn of<'a>(remote: impl Iterator<Item = &'a RemoteFile>) -> Self {
        let mut held = Self { by_path: HashMap::new(), sizes: HashSet::new(), contents: HashSet::new() };
        for file in remote {
            let Some(sha256) = &file.sha256 else { continue };
            held.by_path.insert(file.path.clone(), file.size);
            held.sizes.insert(file.size);
            held.contents.insert(*sha256);
        }
        held
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.by_path.get(path).copied()
    }

    fn has(&self, hash: &Hash) -> bool {
        matches!(hash, Hash::Sha256(sha256, _) if self.contents.contains(sha256))
    }
}

enum Hash {
    Nothing,
    GitBlob(Oid),
    /// And the checksum of what was read for it.
    Sha256(Sha256, Option<u64>),
}

impl Hash {
    fn text(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::GitBlob(oid) => Some(oid.to_string()),
            Self::Sha256(sha256, _) => Some(sha256.to_string()),
        }
    }

    fn into_sendable(self, file: &SourceFile, stored: bool) -> Sendable {
        let source = Arc::new(file.clone());
        let nothing = Sendable { source, oid: None, sha256: None, checksum: None, stored };
        match self {
            Self::Nothing => nothing,
            Self::GitBlob(oid) => Sendable { oid: Some(oid), ..nothing },
            Self::Sha256(sha256, checksum) => Sendable { sha256: Some(sha256), checksum, ..nothing },
        }
    }
}

/// Hashes files on all cores, in order.
async fn hash_all(source: &Arc<Source>, wanted: Vec<Wanted>) -> Result<Vec<Hash>> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let wanted = Arc::new(wanted);
    let starts: Vec<usize> = (0..source.files.len()).step_by(HASH_BATCH).collect();
    let batches: Vec<Vec<Hash>> = stream::iter(starts)
        .map(|start| {
            let (source, wanted) = (Arc::clone(source), Arc::clone(&wanted));
            async move {
                let end = (start + HASH_BATCH).min(source.files.len());
                let hash =
                    move || (start..end).map(|index| hash_one(&source.files[index], wanted[index])).collect();
                tokio::task::spawn_blocking(hash).await.unwrap_or_else(|error| {
                    Err(Failure::new(Code::Internal, "hashing ended early").caused_by(error))
                })
            }
        })
        .buffered(cores)
        .try_collect()
        .await?;
    Ok(batches.into_iter().flatten().collect())
}

fn hash_one(file: &SourceFile, wanted: Wanted) -> Result<Hash> {
    let hash = match wanted {
        Wanted::Nothing => Ok(Hash::Nothing),
        Wanted::GitBlob => file.git_blob_oid().map(Hash::GitBlob),
        Wanted::Sha256 => file.sha256_and_checksum().map(|(sha256, checksum)| Hash::Sha256(sha256, checksum)),
    };
    Ok(hash.map_err(|error| file.error(error))?)
}
