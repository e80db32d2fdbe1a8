//! The bucket of a Job: the checkout before it, and the files of `/output` after it.

use std::path::{Path, PathBuf};

use hub::{BucketId, BucketPath, Hub, Job, MountedVolume, TargetFolder};

use super::context::Context;
use super::options::{ArtifactOptions, RunId};
use super::place;
use crate::action::journal::{Phase, Undo, Undone};
use crate::action::{PostState, SavedState};
use crate::failure::bucket::bucket_failure;
use crate::failure::{Code, Failure, Result, job as advice};
use crate::folder::{self, Source, SourceOptions};
use crate::ops::buckets::{FetchOptions, SyncOptions, fetch, sync, write_text};
use crate::text::count;

/// Name of the bucket that the official command line uses.
pub const BUCKET: &str = "jobs-artifacts";
/// Folder in which the output is mounted.
const OUTPUT: &str = "/output";
/// Name of the folder with the output, in the bucket and in the workspace.
pub(super) const FOLDER: &str = "output";
/// Working directory of a Job with a checkout.
const WORKSPACE: &str = "/workspace";
/// State for the post step: the bucket and the folder of a checkout, which the post step deletes.
const STATE: &str = "checkout";
/// File in a new folder for output, because the Hub mounts no folder without a file.
const PLACEHOLDER: &str = ".keep";

/// Folders of a run in a bucket.
pub(super) struct Artifacts {
    bucket: BucketId,
    source: Option<BucketPath>,
    output: Option<BucketPath>,
    pub(super) keep_output: bool,
    output_stays_here: bool,
    tls_roots: Option<PathBuf>,
    /// Deletion of the checkout if the run ends early.
    undo: Option<Undo>,
}

impl Artifacts {
    /// Opens the bucket, and sends the checkout to it.
    ///
    /// # Errors
    ///
    /// The bucket is public, or a file or a request failed. No Job is created then.
    pub(super) async fn prepare(
        context: &Context<'_>,
        (namespace, run): (&str, &RunId),
        options: &ArtifactOptions,
        tls_roots: Option<&Path>,
    ) -> Result<Self> {
        let _phase = context.journal.enter(Phase::Upload, "upload");
        let bucket = match &options.bucket {
            Some(bucket) => bucket.clone(),
            None => BucketId::new(namespace, BUCKET).map_err(|error| advice::unusable_bucket(&error))?,
        };
        let path =
            |name: &str| format!("{run}/{name}").parse().map_err(|error| advice::unusable_bucket(&error));
        let output: BucketPath = path(FOLDER)?;
        let mut artifacts = Self {
            bucket,
            source: None,
            output: Some(output.clone()),
            keep_output: options.keep_output,
            output_stays_here: options.output_stays_here,
            tls_roots: tls_roots.map(Path::to_owned),
            undo: None,
        };
        let source = match &options.checkout {
            Some(checkout) => Some(read(checkout.clone()).await?),
            None => None,
        };
        let opened = context.hub.open_private_bucket(&artifacts.bucket).await;
        opened.map_err(|error| bucket_failure(error, &artifacts.bucket))?;
        if let Some(source) = source {
            let folder: BucketPath = path("source")?;
            let place = format!("{} {folder}", artifacts.bucket);
            context.state.save(STATE, &place).map_err(advice::cannot_save_state)?;
            artifacts.undo = Some(register_deletion(context, &artifacts.bucket, &folder));
            artifacts.send(context, &source, folder).await?;
        }
        let place = output.join(PLACEHOLDER).map_err(|error| advice::unusable_bucket(&error))?;
        write_text(context.session, &artifacts.bucket, &place, "\n", tls_roots).await?;
        Ok(artifacts)
    }

    async fn send(&mut self, context: &Context<'_>, source: &Source, folder: BucketPath) -> Result<()> {
        let options = SyncOptions {
            bucket: self.bucket.clone(),
            folder: folder.clone(),
            copy_from: None,
            executables: Some(super::wrapper::EXECUTABLES.to_owned()),
            prune: false,
            tls_roots: self.tls_roots.clone(),
        };
        sync(context.session, source, &options).await?;
        self.source = Some(folder);
        Ok(())
    }

    /// Returns the folders of an earlier step, as its Job mounts them.
    pub(super) fn of_job(job: &Job, run: &RunId, tls_roots: Option<PathBuf>) -> Option<Self> {
        let folder = |name: &str| {
            let path = format!("{run}/{name}");
            let volume = job
                .volumes
                .iter()
                .find(|volume| volume.kind == "bucket" && volume.path.as_deref() == Some(path.as_str()))?;
            Some((volume.source.parse::<BucketId>().ok()?, path.parse::<BucketPath>().ok()?))
        };
        let (bucket, output) = folder(FOLDER)?;
        let source = folder("source").map(|(_, path)| path);
        Some(Self {
            bucket,
            source,
            output: Some(output),
            keep_output: true,
            output_stays_here: true,
            tls_roots,
            undo: None,
        })
    }

    /// Returns the volumes of the Job. A wrapper copies the checkout to the working directory.
    pub(super) fn volumes(&self, has_wrapper: bool) -> Vec<MountedVolume> {
        let mount = |path: &BucketPath, mount: &str, read_only: bool| MountedVolume {
            kind: "bucket".to_owned(),
            source: self.bucket.to_string(),
            mount_path: mount.to_owned(),
            revision: None,
            read_only: Some(read_only),
            path: Some(path.as_str().to_owned()),
        };
        let place = if has_wrapper { super::wrapper::SOURCE } else { WORKSPACE };
        let source = self.source.iter().map(|path| mount(path, place, true));
        source.chain(self.output.iter().map(|path| mount(path, OUTPUT, false))).collect()
    }

    pub(super) fn has_checkout(&self) -> bool {
        self.source.is_some()
    }

    /// Leaves everything in the bucket for another step.
    pub(super) fn leave(self, state: &PostState) {
        if let Some(undo) = self.undo {
            undo.settle();
        }
        forget(state);
    }

    /// Downloads the output, and deletes what is not kept.
    ///
    /// # Errors
    ///
    /// The output of the Job cannot be downloaded.
    pub(super) async fn collect(
        mut self,
        context: &Context<'_>,
        workspace: &Path,
        run: &RunId,
    ) -> Result<()> {
        let _phase = context.journal.enter(Phase::Collect, "collect");
        let fetched = self.fetch(context, workspace, run).await;
        if let Some(source) = self.source.take() {
            self.delete(context, &source).await;
        }
        if let Some(undo) = self.undo.take() {
            undo.settle();
        }
        forget(context.state);
        let count = fetched?;
        if let Some(output) = self.output.take().filter(|_| count == 0 || !self.keep_output) {
            self.delete(context, &output).await;
        }
        Ok(())
    }

    async fn fetch(&self, context: &Context<'_>, workspace: &Path, run: &RunId) -> Result<usize> {
        let Some(output) = &self.output else { return Ok(0) };
        let place = place::path(run, FOLDER);
        let options = FetchOptions {
            bucket: self.bucket.clone(),
            folder: output.clone(),
            without: vec![PLACEHOLDER.to_owned()],
            target: TargetFolder::create(workspace, &place)?,
            tls_roots: self.tls_roots.clone(),
        };
        let fetched = fetch(context.session, &options).await?;
        let files = fetched.written + fetched.present;
        if self.output_stays_here {
            context.log.info(&format!("{} of `/output` in `{place}`", count(files, "file")));
        }
        context.recorder.record(|report| {
            report.output_dir = Some(place);
            report.output_files = Some(files);
        });
        Ok(files)
    }

    /// Deletes a folder of the bucket. A failure is a warning, because the Job has ended.
    async fn delete(&self, context: &Context<'_>, folder: &BucketPath) {
        if let Err(error) = context.hub.delete_bucket_folder(&self.bucket, folder).await {
            context.log.warning(&format!("`{folder}` stays in the bucket `{}`: {error}", self.bucket));
        }
    }
}

fn register_deletion(context: &Context<'_>, bucket: &BucketId, folder: &BucketPath) -> Undo {
    let (hub, bucket, folder): (Hub, _, _) = (context.hub.clone(), bucket.clone(), folder.clone());
    let state = context.state.clone();
    context.journal.on_early_end("checkout in the bucket", move |_| async move {
        match hub.delete_bucket_folder(&bucket, &folder).await {
            Ok(_) => {
                forget(&state);
                Undone::TakenBack
            }
            Err(_) => Undone::Left { hint: advice::delete_checkout_by_hand(&bucket, &folder) },
        }
    })
}

/// Leaves no checkout to the post step. If the state cannot be written, the post step finds nothing to delete.
fn forget(state: &PostState) {
    let _ = state.save(STATE, "");
}

/// Returns the checkout that a killed step left in its bucket.
pub fn left_checkout(saved: &SavedState) -> Option<(BucketId, BucketPath)> {
    let (bucket, folder) = saved.get(STATE)?.split_once(' ')?;
    Some((bucket.parse().ok()?, folder.parse().ok()?))
}

/// Creates the folder for the output before the Job is paid.
///
/// # Errors
///
/// A link of the checkout is in its place, or the workspace cannot be written.
pub(super) fn reserve_output(workspace: &Path, run: &RunId) -> Result<()> {
    let reserved = place::open(workspace, run).and_then(|folder| folder.subfolder(FOLDER));
    reserved.map(drop).map_err(|error| advice::cannot_create(&place::path(run, FOLDER), error))
}

/// Reads the folder of the checkout.
async fn read(options: SourceOptions) -> Result<Source> {
    // A thread of its own, because a signal must end the run also while a large folder is read.
    let read = tokio::task::spawn_blocking(move || folder::read(&options)).await;
    Ok(read
        .map_err(|error| Failure::new(Code::Internal, "reading the source ended early").caused_by(error))??)
}
