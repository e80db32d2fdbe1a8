//! The order of operations, and nothing else.

mod app_file;
mod carry;
mod draft;
mod judge;
mod land;
mod listed;
mod live;
mod moves;
mod open;
pub mod options;
mod parts;
mod place;
pub mod plan;
mod preflight;
mod prepare;
mod refusals;
mod remote;
mod rollback;
mod secrets;
mod settings;
mod unsettled;
mod visibility;

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Log;
use crate::failure::folder::{left_out_notes, left_out_warnings};
use crate::failure::{Code, Failure, Result};
use crate::folder::{self, HashCache, Source, SourceFile, SourceOptions};
use crate::ops::deploy::plan::{Action, Created, Plan};
use crate::report::{Ledger, Outcome, Status};
use crate::text::{count, human_bytes, name_some, quoted_all};
use app_file::AppFile;
use hub::{Hub, Lookup, Preupload, Repo, RepoInfo, RepoName, RepoType, Runtime, Transfer};
use land::Landed;
use open::Born;
pub use options::DeployOptions;
pub(crate) use preflight::check_plan_of_proxy;
use prepare::Prepared;
pub(crate) use refusals::explain_token;
use remote::Against;
use settings::Surroundings;
pub(crate) use unsettled::conclude;
use visibility::Said;

/// How often a plan is made: once, and once more when the branch moved meanwhile.
const PLANS: u32 = 2;

/// Deploys a folder. What is known along the way goes into the ledger at once, so that a run that ends
/// early still reports it.
pub async fn deploy(options: &DeployOptions, hub: &Hub, log: &Log, ledger: &Ledger) -> Result<()> {
    let cache = open_cache(options, log).await?;
    let result = read_and_deploy(options, hub, log, ledger, cache.clone()).await;
    // After a failure as well: what was read is read.
    write_cache(cache, log).await;
    result.map_err(|failure| if hub.uses_trusted_publishing() { explain_keyless(failure) } else { failure })
}

/// What a keyless token may not do is no fault of a token that somebody could mend.
fn explain_keyless(mut failure: Failure) -> Failure {
    if matches!(failure.code, Code::TokenInvalid | Code::PermissionDenied | Code::RepoNotFound) {
        failure.code = Code::PermissionDenied;
        failure.hints = vec![
            "a keyless token writes files to its one repo, and may be refused everything else: set variables, secrets, hardware and visibility once by hand in the settings of the repo, and leave their inputs out".to_owned(),
            "or pass `hf_token`".to_owned(),
        ];
    }
    failure
}

async fn read_and_deploy(
    options: &DeployOptions,
    hub: &Hub,
    log: &Log,
    ledger: &Ledger,
    cache: Option<Arc<HashCache>>,
) -> Result<()> {
    let source = read_source(options, log, cache).await?;
    let repo = resolve_repo(&options.repo, options.repo_type, hub).await?;
    let hub = &signed_in(hub.for_repo(&repo), options, log).await?;
    ledger.update(|outcome| {
        outcome.repo = Some(repo.clone());
        outcome.revision = (!options.revision.is_main()).then(|| options.revision.clone());
    });
    log.info(&format!("deploying {} to the {repo} on {}", described(&source), hub.endpoint()));

    let mut deploy = Deploy { options, hub, log, ledger, repo, app_file: None, said: Said::Unknown };
    let (user, prepared, said) = tokio::join!(deploy.user(), deploy.prepare(source), deploy.ask_visibility());
    let prepared = prepared.map_err(early)?;
    deploy.said = said;
    deploy.app_file.clone_from(&prepared.app_file);
    deploy.follow_a_new_name(&prepared.lookup);
    if let Some(user) = &user {
        deploy.preflight(user, &prepared.lookup, prepared.sdk)?;
    }
    deploy.question_the_proxy(&prepared.lookup);
    let done = deploy.to_the_end(prepared).await;
    if done.is_err() {
        conclude(log, ledger).await;
        deploy.take_back_settings().await;
    }
    done.map_err(|failure| match &user {
        Some(user) => refusals::explain(failure, user, &deploy.repo, options.create_pr),
        None => failure,
    })
}

/// A file that changed before anything was written left everything as it was.
fn early(failure: Failure) -> Failure {
    if failure.code == Code::SourceChanged { failure.before_any_write() } else { failure }
}

impl Deploy<'_> {
    /// From a look at the target to a deploy that is what was wanted.
    async fn to_the_end(&self, prepared: Prepared) -> Result<()> {
        let mut around = self.look_around(&prepared).await?;
        if !matches!(prepared.lookup, Lookup::Found(_)) {
            self.warn_of_unused_patterns(&prepared.source.unused_patterns, None);
        }
        let source = Arc::new(prepared.source);
        // A repo or a branch that is not there gets every file, some of them at its creation.
        if !matches!(prepared.lookup, Lookup::Found(_)) {
            self.search_all(&source, self.audience_after(around.audience)).await?;
        }
        let target = self.open(prepared.lookup, prepared.sdk, &source).await?;
        for attempt in 1..=PLANS {
            let (info, asked) = self.head_and_answers(&source, &target, attempt).await?;
            let Some(info) = info else { return self.plan_for_nothing(&source) };
            let round = self.once(&source, &target, &info, asked, &mut around, attempt).await?;
            match round {
                Round::Done => return Ok(()),
                Round::Overtaken if attempt < PLANS => {
                    self.log.info("the branch moved meanwhile, planning again");
                }
                Round::Mixed if attempt < PLANS => {
                    self.log.warning(
                        "somebody else committed right before the merge, and the branch has both: planning again",
                    );
                }
                Round::Overtaken => {}
                Round::Mixed => return Err(self.mixed()),
            }
        }
        Err(self.never_in_time())
    }

    /// The Hub redirects what is asked of an old name, but takes no upload there.
    fn follow_a_new_name(&mut self, lookup: &Lookup) {
        let Lookup::Found(info) = lookup else { return };
        let named =
            info.id.as_deref().and_then(|id| id.parse::<RepoName>().ok()).and_then(|name| name.full());
        let Some(id) = named.filter(|id| *id != self.repo.id) else { return };
        self.log.warning(&format!("the {} is `{id}` now: write that in `huggingface_repo`", self.repo));
        self.repo.id = id;
        self.ledger.update(|outcome| outcome.repo = Some(self.repo.clone()));
    }
}

struct Deploy<'a> {
    options: &'a DeployOptions,
    hub: &'a Hub,
    log: &'a Log,
    ledger: &'a Ledger,
    repo: Repo,
    /// The file that the Space starts with.
    app_file: Option<AppFile>,
    /// The Hub's answer about its visibility.
    said: Said,
}

/// What a look at the target found, before anything is written.
enum Target {
    /// The repo and the branch are there.
    Ready(Box<RepoInfo>),
    /// The repo or the branch was created by this deploy, which knows what it gave to a new repo.
    Created(Option<Box<Born>>),
    /// A dry run: what is missing stays missing.
    Missing,
}

impl Target {
    /// What a repo that this deploy created was created with.
    fn created_files(&self) -> &[Created] {
        match self {
            Self::Created(Some(born)) => &born.files,
            _ => &[],
        }
    }
}

enum Round {
    Done,
    /// Another commit landed between plan and commit.
    Overtaken,
    /// It landed between the last look and the merge: the branch has both.
    Mixed,
}

/// What earlier runs knew of the files: `None` without the input.
async fn open_cache(options: &DeployOptions, log: &Log) -> Result<Option<Arc<HashCache>>> {
    let Some(file) = options.cache_path.clone() else { return Ok(None) };
    let base = options.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    let opened = tokio::task::spawn_blocking(move || HashCache::open(file, &base)).await;
    let (cache, note) = opened
        .map_err(|error| Failure::new(Code::Internal, "reading the cache ended early").caused_by(error))?;
    if let Some(note) = note {
        log.info(&format!("`cache_path` is not used: {note}; it is written anew"));
    }
    Ok(Some(Arc::new(cache)))
}

/// A cache that cannot be written is told, and fails nothing.
async fn write_cache(cache: Option<Arc<HashCache>>, log: &Log) {
    let Some(cache) = cache else { return };
    let written = tokio::task::spawn_blocking(move || cache.write()).await;
    if let Err(error) = written.map_err(std::io::Error::other).flatten() {
        log.warning(&format!("cannot write `cache_path`: {error}"));
    }
}

async fn read_source(options: &DeployOptions, log: &Log, cache: Option<Arc<HashCache>>) -> Result<Source> {
    let options = SourceOptions {
        root: options.source_dir.clone(),
        include: options.include.clone(),
        exclude: options.exclude.clone(),
        default_excludes: options.default_excludes,
        workspace: options.workspace.clone(),
        cache,
    };
    // On a thread of its own, so that a signal ends the run also while a large folder is read.
    let source = tokio::task::spawn_blocking(move || folder::read(&options))
        .await
        .map_err(|error| Failure::new(Code::Internal, "reading the source ended early").caused_by(error))??;
    left_out_notes(&source.left_out).iter().for_each(|note| log.info(note));
    left_out_warnings(&source.left_out).iter().for_each(|warning| log.warning(warning));
    Ok(source)
}

/// Signs in before anything else. A dry run may go on without: public repos are open to all.
async fn signed_in(hub: Hub, options: &DeployOptions, log: &Log) -> Result<Hub> {
    match hub.token().await {
        Err(error) if options.dry_run => {
            log.info(&format!("looking at the repo without signing in: {error}"));
            Ok(hub.anonymous())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(hub),
    }
}

/// The repo, with the namespace of the token's user where it names none.
pub(crate) async fn resolve_repo(name: &RepoName, repo_type: RepoType, hub: &Hub) -> Result<Repo> {
    let id = match name.full() {
        Some(id) => id,
        None if !hub.has_token() => {
            return Err(Failure::new(
                Code::TokenMissing,
                "`huggingface_repo` has no namespace, and there is no token whose user could be it",
            )
            .hint("write `namespace/name`, or set `hf_token`"));
        }
        None => name.with_namespace(&hub.whoami().await?.name),
    };
    Ok(Repo { repo_type, id })
}

fn described(source: &Source) -> String {
    format!("{} ({})", count(source.files.len(), "file"), human_bytes(source.total_size()))
}

impl Deploy<'_> {
    /// The state to plan against, and what the Hub says of the files where that can be asked at the same time.
    async fn head_and_answers(
        &self,
        source: &Source,
        target: &Target,
        attempt: u32,
    ) -> Result<(Option<Box<RepoInfo>>, Option<Preupload>)> {
        let born = match target {
            Target::Created(born) if attempt == 1 => born,
            _ => return Ok((self.head(target, attempt).await?, None)),
        };
        if let Some((info, asked)) = born.as_ref().and_then(|born| born.known.clone()) {
            return Ok((Some(info), Some(asked)));
        }
        let (head, asked) =
            tokio::join!(self.head(target, attempt), self.ask(source, &self.options.revision));
        Ok((head?, Some(asked?)))
    }

    /// The state to plan against: `None` in a dry run against nothing.
    async fn head(&self, target: &Target, attempt: u32) -> Result<Option<Box<RepoInfo>>> {
        let info = match target {
            Target::Missing => return Ok(None),
            Target::Ready(info) if attempt == 1 => info.clone(),
            Target::Ready(_) | Target::Created(_) => {
                match self.hub.look_up(&self.repo, &self.options.revision).await? {
                    Lookup::Found(info) => info,
                    Lookup::NoRevision | Lookup::NoRepo(_) => {
                        let message = format!("the {} exists, but this token cannot see it", self.repo);
                        return Err(Failure::new(Code::PermissionDenied, message)
                            .hint("the token needs read and write access to this repo"));
                    }
                }
            }
        };
        let hardware = info.runtime.as_ref().and_then(Runtime::flavor).map(ToString::to_string);
        self.ledger.update(|outcome| {
            outcome.space_url.clone_from(&info.host);
            outcome.space_hardware = hardware;
        });
        Ok(Some(info))
    }

    /// Plans against a head, settles what is beside the files, and carries the plan out.
    async fn once(
        &self,
        source: &Arc<Source>,
        target: &Target,
        info: &RepoInfo,
        asked: Option<Preupload>,
        around: &mut Surroundings,
        attempt: u32,
    ) -> Result<Round> {
        let fresh = attempt == 1 && matches!(target, Target::Created(_));
        let phase = self.ledger.phase("plan");
        let against = Against { revision: &self.options.revision, info, fresh };
        let untouched = !fresh && attempt == 1;
        let planned = self.plan(source, &against, asked).await;
        let planned = if untouched { planned.map_err(early) } else { planned };
        let Some(planned) = planned? else { return Ok(Round::Overtaken) };
        drop(phase);
        // What landed in the round before this one is what this run did, also if nothing is left to do.
        let merged = planned.plan.is_empty() && self.ledger.read(|outcome| outcome.commit.is_some());
        if merged {
            self.log.info("nothing is left to do on top of both");
            self.ledger.update(|outcome| outcome.status = Some(Status::Deployed));
        } else {
            self.tell(&planned.plan);
        }
        if !fresh && !merged {
            if attempt == 1 {
                self.warn_of_unused_patterns(&source.unused_patterns, planned.there.as_deref());
            }
            self.judge(&planned, source, info).await?;
        }
        if matches!(target, Target::Ready(_)) {
            let after = self.audience_after(around.audience);
            let is_published =
                after.reads_files() && around.audience.is_some_and(|before| !before.reads_files());
            if is_published {
                let names = info.siblings.iter().flatten().map(|sibling| sibling.rfilename.as_str());
                self.search_published(source, names, after).await?;
            } else {
                self.search_plan(source, &planned.plan, after).await?;
            }
        }
        self.match_visibility(around).await?;
        let commits = !planned.plan.is_empty();
        // What the old app is not to run with waits until the upload, which may take long, has come to its end.
        let sent = match commits && !self.options.dry_run {
            true => Some(self.send(source, &planned, &against, attempt).await?),
            false => None,
        };
        self.settle(around, target, info, commits).await?;
        if self.options.dry_run {
            self.log.info("dry run: nothing was changed");
            self.ledger.update(|outcome| outcome.status = Some(Status::DryRun));
            return Ok(Round::Done);
        }
        let created = target.created_files();
        let Some(sent) = sent else {
            if !merged {
                self.conclude_without_commit(planned.plan, info, created);
            }
            if let Some(commit) = &info.sha {
                self.go_live(&live::Target {
                    commit,
                    before: info,
                    receipt: None,
                    created: fresh,
                    sdk: around.sdk,
                    source,
                })
                .await?;
            }
            return Ok(Round::Done);
        };
        let (receipt, whole) = match self.commit(sent).await? {
            Landed::Yes(receipt) => (receipt, true),
            Landed::Mixed(receipt) => (receipt, false),
            Landed::Overtaken => return Ok(Round::Overtaken),
        };
        if receipt.recovered {
            self.log.info("the commit had landed: its answer was lost on the way");
        }
        self.log.info(&format!("committed {}", receipt.url));
        self.ledger.update(|outcome| {
            outcome.status = Some(Status::Deployed);
            outcome.commit = Some(receipt.clone());
            outcome.plan = Some(planned.plan.with_created(created));
        });
        if !whole {
            return Ok(Round::Mixed);
        }
        let target = live::Target {
            commit: &receipt.oid,
            before: info,
            receipt: Some(&receipt),
            created: fresh,
            sdk: around.sdk,
            source,
        };
        self.go_live(&target).await?;
        Ok(Round::Done)
    }

    /// The head is what is wanted: it was before, or this deploy created the repo with it.
    fn conclude_without_commit(&self, plan: Plan, info: &RepoInfo, created: &[Created]) {
        let status = match created {
            [] => {
                let what = if self.ledger.read(Outcome::settings_changed) { "no file" } else { "nothing" };
                self.log.info(&format!("{what} changed: no commit"));
                Status::Unchanged
            }
            _ => {
                self.log.info("the repo was created with all files: no further commit");
                Status::Deployed
            }
        };
        self.ledger.update(|outcome| {
            outcome.status = Some(status);
            outcome.head = info.sha.as_ref().map(ToString::to_string);
            outcome.plan = Some(plan.with_created(created));
        });
    }

    fn never_in_time(&self) -> Failure {
        let message = format!("the branch `{}` of the {} keeps moving", self.options.revision, self.repo);
        let merged = self.ledger.read(|outcome| outcome.commit.is_some());
        Failure::new(Code::Conflict, message)
            .hint("another writer commits to this branch: run one deploy at a time, with a `concurrency` group in the workflow")
            .hint(if merged {
                "this deploy was merged together with commits of somebody else; run the job again"
            } else {
                "nothing of this deploy was committed; run the job again"
            })
    }

    fn mixed(&self) -> Failure {
        let message = format!(
            "the branch `{}` of the {} keeps moving: this deploy was merged, together with commits of somebody else",
            self.options.revision, self.repo
        );
        Failure::new(Code::Conflict, message)
            .hint("another writer commits to this branch: run one deploy at a time, with a `concurrency` group in the workflow")
            .hint("run the job again: it makes the branch what the folder is")
    }

    fn transfer(&self) -> Transfer {
        Transfer {
            repo: self.repo.clone(),
            revision: self.options.revision.clone(),
            create_pr: self.options.create_pr,
        }
    }

    /// A dry run against a repo or a branch that is not there yet: everything is new.
    fn plan_for_nothing(&self, source: &Source) -> Result<()> {
        let plan = remote::plan_for_nothing(source, self.options.path_in_repo.as_ref())?;
        self.tell(&plan);
        self.tell_first_settings();
        self.log.info("dry run: nothing was changed");
        self.ledger.update(|outcome| outcome.status = Some(Status::DryRun));
        Ok(())
    }

    fn tell(&self, plan: &Plan) {
        const LINES: usize = 200;
        let title = format!(
            "plan: {} to add, {} to update, {} to delete, {} unchanged",
            plan.count(Action::Add),
            plan.count(Action::Update),
            plan.count(Action::Delete),
            plan.unchanged
        );
        let group = self.log.group(&title);
        let lines = if self.options.dry_run { usize::MAX } else { LINES };
        for change in plan.changes.iter().take(lines) {
            let (sign, size) = match change.action {
                Action::Add => ('+', human_bytes(change.size)),
                Action::Update => ('~', human_bytes(change.size)),
                Action::Delete => ('-', String::new()),
            };
            let large = if change.large { ", large" } else { "" };
            let size = if size.is_empty() { size } else { format!(" ({size}{large})") };
            self.log.info(&format!("{sign} {}{size}", change.path));
        }
        if plan.changes.len() > lines {
            self.log.info(&format!("and {} more", plan.changes.len() - lines));
        }
        for path in plan.ignored.iter().take(lines) {
            self.log.info(&format!("! {path} (left out: a .gitignore matches it)"));
        }
        for path in plan.kept.iter().take(lines) {
            self.log.info(&format!("! {path} (stays on the Hub: a .gitignore matches it)"));
        }
        drop(group);
        self.warn_of_ignored(&plan.ignored);
        if !plan.kept.is_empty() {
            self.log.info(&format!(
                "kept {} on the Hub, because a `.gitignore` matches: {}",
                count(plan.kept.len(), "file"),
                name_some(&quoted_all(&plan.kept))
            ));
        }
        self.ledger.update(|outcome| outcome.plan = Some(plan.clone()));
    }

    /// Warns of files that a `.gitignore` leaves out, because a built folder is often among them.
    fn warn_of_ignored(&self, ignored: &[String]) {
        if !ignored.is_empty() {
            self.log.warning(&format!(
                "left out, because a `.gitignore` in the folder or in the repo matches: {} (to deploy them, leave that `.gitignore` out with `exclude`, and delete it on the Hub)",
                name_some(&quoted_all(ignored))
            ));
        }
    }
}

/// A source file behind a shared pointer, as uploads hold it.
#[derive(Debug, Clone)]
struct Sendable {
    source: Arc<SourceFile>,
    oid: Option<folder::Oid>,
    sha256: Option<folder::Sha256>,
    /// Of what was read for the SHA-256.
    checksum: Option<u64>,
    /// The repo has this content under another name: it is not sent again.
    stored: bool,
}
