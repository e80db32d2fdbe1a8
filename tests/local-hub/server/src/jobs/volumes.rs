//! Volumes of a Job: folders of this machine with the files of repos and buckets.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;

use super::job::Job;
use super::registry::Jobs;
use super::sandbox::Bound;
use super::spec::Volume;
use crate::buckets::bucket::Bucket;
use crate::core::content::Core;
use crate::core::repo_type::RepoType;
use crate::spaces::process::write_file;
use crate::util::lock;

/// Volumes with their files, which are deleted when this is dropped.
pub(super) struct Volumes {
    pub(super) bound: Vec<Bound>,
    mounted: Vec<MountedBucket>,
    folders: Vec<tempfile::TempDir>,
}

/// A folder of a bucket that the container may write to.
struct MountedBucket {
    bucket: Arc<Bucket>,
    /// Start of its paths: empty, or with a slash at the end.
    below: String,
    folder: PathBuf,
    /// Files as they were: size and time of the last change.
    before: BTreeMap<String, (u64, i64, i64)>,
}

/// Writes the files of all volumes of a Job.
pub(super) async fn bind(jobs: &Arc<Jobs>, job: &Job) -> anyhow::Result<Volumes> {
    let mut volumes = Volumes { bound: Vec::new(), mounted: Vec::new(), folders: Vec::new() };
    for volume in &job.spec.volumes {
        let folder = tempfile::Builder::new().prefix("volume-").tempdir_in(&jobs.folder)?;
        let read_only = volume.read_only.unwrap_or(volume.kind != "bucket") || volume.kind != "bucket";
        let written = if volume.kind == "bucket" {
            write_bucket(jobs, volume, folder.path()).await.map(Some)
        } else {
            write_repo(jobs, volume, folder.path()).await.map(|()| None)
        };
        let bucket = written.with_context(|| format!("cannot mount {} {}", volume.kind, volume.source))?;
        volumes.mounted.extend(bucket.filter(|_| !read_only));
        let (folder_path, mount) = (folder.path().to_owned(), volume.mount_path.clone());
        volumes.bound.push(Bound { folder: folder_path, mount, read_only });
        volumes.folders.push(folder);
    }
    Ok(volumes)
}

/// Puts what the container wrote into the buckets.
pub(super) async fn keep(jobs: &Jobs, volumes: &Volumes) -> anyhow::Result<()> {
    for mounted in &volumes.mounted {
        let after = files_of(&mounted.folder)?;
        let mut changed = Vec::new();
        for (path, state) in &after {
            if mounted.before.get(path) != Some(state) {
                let content = Bytes::from(std::fs::read(mounted.folder.join(path))?);
                changed.push((format!("{}{path}", mounted.below), content));
            }
        }
        if !changed.is_empty() {
            jobs.buckets.write(&mounted.bucket, changed).await?;
        }
        mounted.bucket.update(|state| {
            for path in mounted.before.keys().filter(|path| !after.contains_key(*path)) {
                state.files.remove(&format!("{}{path}", mounted.below));
            }
        })?;
    }
    Ok(())
}

fn start_of(volume: &Volume) -> String {
    volume.path.as_ref().map(|path| format!("{}/", path.trim_matches('/'))).unwrap_or_default()
}

async fn write_bucket(jobs: &Jobs, volume: &Volume, folder: &Path) -> anyhow::Result<MountedBucket> {
    let bucket = jobs.buckets.named(&volume.source).context("not found")?;
    let below = start_of(volume);
    let paths: Vec<String> =
        lock(&bucket.state).files.keys().filter(|path| path.starts_with(&below)).cloned().collect();
    anyhow::ensure!(!paths.is_empty() || below.is_empty(), "no file below {below}");
    for path in paths {
        let content = jobs.buckets.read(&bucket, &path).await?;
        write_file(folder, path.strip_prefix(&below).unwrap_or(&path), 0o100_644, &content)?;
    }
    let before = files_of(folder)?;
    Ok(MountedBucket { bucket, below, folder: folder.to_owned(), before })
}

/// Returns the files below a folder with their states. Links are none, because a bucket has no links.
fn files_of(folder: &Path) -> anyhow::Result<BTreeMap<String, (u64, i64, i64)>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let metadata = entry.metadata()?;
                let path = entry.path();
                let path = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                files.insert(path, (metadata.len(), metadata.mtime(), metadata.mtime_nsec()));
            }
        }
    }
    Ok(files)
}

async fn write_repo(jobs: &Jobs, volume: &Volume, folder: &Path) -> anyhow::Result<()> {
    let repo_type = match volume.kind.as_str() {
        "model" => RepoType::Model,
        "dataset" => RepoType::Dataset,
        "space" => RepoType::Space,
        other => anyhow::bail!("no volume of the type {other}"),
    };
    let repo = jobs.core.repos.get(repo_type, &volume.source).context("not found")?;
    let revision = volume.revision.as_deref().unwrap_or("main");
    let below = start_of(volume);
    let mut count = 0;
    for (path, file) in Core::tree(&repo, revision)? {
        let Some(inside) = path.strip_prefix(&below) else { continue };
        let content = jobs.core.read_file(&repo, revision, &path).await?;
        write_file(folder, inside, u32::from_str_radix(&file.mode, 8)?, &content)?;
        count += 1;
    }
    anyhow::ensure!(count > 0 || below.is_empty(), "no file below {below}");
    Ok(())
}
