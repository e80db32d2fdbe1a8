//! Reading the source folder, with the digests that earlier runs left.

use std::path::PathBuf;
use std::sync::Arc;

use crate::action::Log;
use crate::failure::folder::{cache_not_used, cache_not_written, left_out_notes, left_out_warnings};
use crate::failure::{Code, Failure, Result};
use crate::folder::{self, HashCache, Source, SourceOptions};

use super::options::DeployOptions;

/// Opens the cache of digests: `None` without the option.
pub(super) async fn open_cache(options: &DeployOptions, log: &Log) -> Result<Option<Arc<HashCache>>> {
    let Some(file) = options.cache_path.clone() else { return Ok(None) };
    let base = options.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    let opened = tokio::task::spawn_blocking(move || HashCache::open(file, &base)).await;
    let (cache, note) = opened
        .map_err(|error| Failure::new(Code::Internal, "reading the cache ended early").caused_by(error))?;
    if let Some(note) = note {
        log.info(&cache_not_used(&note));
    }
    Ok(Some(Arc::new(cache)))
}

/// Saves the cache. A write error is logged as a warning, because the deploy does not depend on the cache.
pub(super) async fn save_cache(cache: Option<Arc<HashCache>>, log: &Log) {
    let Some(cache) = cache else { return };
    let written = tokio::task::spawn_blocking(move || cache.write()).await;
    if let Err(error) = written.map_err(std::io::Error::other).flatten() {
        log.warning(&cache_not_written(&error));
    }
}

/// Reads the source folder, and logs what it notes.
pub(super) async fn read_source(
    options: &DeployOptions,
    log: &Log,
    cache: Option<Arc<HashCache>>,
) -> Result<Source> {
    let options = SourceOptions {
        root: options.source_dir.clone(),
        include: options.include.clone(),
        exclude: options.exclude.clone(),
        default_excludes: options.default_excludes,
        workspace: options.workspace.clone(),
        cache,
    };
    // A thread of its own, because a signal has to end the run also while a large folder is read.
    let source = tokio::task::spawn_blocking(move || folder::read(&options))
        .await
        .map_err(|error| Failure::new(Code::Internal, "reading the source ended early").caused_by(error))??;
    left_out_notes(&source.left_out).iter().for_each(|note| log.info(note));
    left_out_warnings(&source.left_out).iter().for_each(|warning| log.warning(warning));
    Ok(source)
}
