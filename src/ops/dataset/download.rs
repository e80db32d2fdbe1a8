//! The download of a dataset into a folder.

use std::path::PathBuf;

use hub::{Download, DownloadFrom, Hub, Lookup, Repo, RepoInfo, RepoName, RepoType, Revision, TargetFolder};

use crate::action::Progress;
use crate::failure::{Result, dataset as advice};
use crate::folder::PathFilter;
use crate::ops::buckets::{counting, provide_roots};
use crate::ops::deploy::resolve_repo;
use crate::ops::{Session, dataset};
use crate::text::{count, human_bytes};

/// Options of a download.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// Without a namespace, the dataset belongs to the token's user.
    pub repo: RepoName,
    pub revision: Revision,
    /// Folder for the files.
    pub folder: PathBuf,
    /// Patterns in gitignore syntax; an empty list includes everything.
    pub include: Vec<String>,
    /// Patterns in gitignore syntax.
    pub exclude: Vec<String>,
    /// PEM file with trusted root certificates.
    pub tls_roots: Option<PathBuf>,
}

/// Result of a download.
#[derive(Debug, Clone)]
pub struct DownloadedDataset {
    pub repo: Repo,
    /// Commit of the files.
    pub commit: String,
    /// Number of files that were written, and of those that were there already with the same content.
    pub written: usize,
    pub present: usize,
    /// Bytes that came from the Hub.
    pub bytes: u64,
}

/// Downloads the files of a dataset at one commit. A file that is there with the same content is left as it is, and an
/// unfinished one is continued. Each file gets its name when its hash is that of the Hub.
///
/// # Errors
///
/// The dataset, its revision or a matching file does not exist, a file cannot be written, or its name would leave the
/// folder. The other files are downloaded first.
pub async fn download(options: &DownloadOptions, session: &Session<'_>) -> Result<DownloadedDataset> {
    let Session { hub, log, .. } = *session;
    let filter = PathFilter::of_repo(&options.include, &options.exclude)?;
    let repo = resolve_repo(&options.repo, RepoType::Dataset, hub).await?;
    let info = find(hub, &repo, &options.revision).await?;
    let repo = dataset::present_name(&repo, &info, log);
    let Some(commit) = info.sha.as_ref().map(ToString::to_string) else {
        return Err(advice::no_revision(&repo, &options.revision));
    };
    let files = hub.list_files(&repo, &commit, None).await?;
    let wanted: Vec<Download> =
        files.iter().filter(|file| !filter.hides(&file.path)).filter_map(Download::of_repo_file).collect();
    if wanted.is_empty() {
        return Err(advice::nothing_to_download(&repo, files.len()));
    }
    let target = open(options)?;
    provide_roots(options.tls_roots.as_deref(), log);
    let size: u64 = wanted.iter().map(|file| file.size).sum();
    let label = format!("downloading {} ({})", count(wanted.len(), "file"), human_bytes(size));
    let progress = Progress::start(log, &label, size);
    let from = DownloadFrom::Repo { repo: repo.clone(), commit: commit.clone() };
    let done = hub.download(&from, &wanted, &target, counting(&progress)).await?;
    progress.finish();
    if !done.refused.is_empty() {
        let refused = done.refused.iter().map(|one| format!("{:?} {}", one.path, one.fault));
        return Err(advice::unsafe_paths(&repo, &refused.collect::<Vec<_>>()));
    }
    log.info(&format!(
        "downloaded {}, {} of them unchanged, of the {repo} at {} into `{}`",
        count(done.written + done.present, "file"),
        done.present,
        commit.get(..7).unwrap_or(&commit),
        options.folder.display()
    ));
    let (written, present, bytes) = (done.written, done.present, done.bytes);
    Ok(DownloadedDataset { repo, commit, written, present, bytes })
}

async fn find(hub: &Hub, repo: &Repo, revision: &Revision) -> Result<RepoInfo> {
    match hub.look_up(repo, revision).await? {
        Lookup::Found(info) => Ok(*info),
        Lookup::NoRevision => Err(advice::no_revision(repo, revision)),
        Lookup::NoRepo(refusal) => Err(advice::not_found(repo, &refusal)),
    }
}

/// Creates the folder, or takes the one that is there.
fn open(options: &DownloadOptions) -> Result<TargetFolder> {
    let folder = &options.folder;
    std::fs::create_dir_all(folder).map_err(|error| advice::no_folder(folder, error))?;
    Ok(TargetFolder::open(folder)?)
}
