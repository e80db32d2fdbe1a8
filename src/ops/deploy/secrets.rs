//! Secrets in files, found before anything is written.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::failure::deploy_log as advice;
use crate::failure::{self, Code, Failure, Result, SourceLocation};
use crate::folder::Source;
use crate::folder::leaks::{self, Leak};
use crate::text::count;

use super::context::Context;
use super::options::{Origin, SecretsInFiles};
use super::plan::Plan;
use super::visibility::Audience;

/// Files that are searched as one task.
const SCAN_BATCH: usize = 64;

/// Files that a message names.
const NAMED: usize = 20;
/// Annotations that one step may make. GitHub shows ten.
const ANNOTATED: usize = 10;

/// Secret in a file.
struct Found {
    /// Index of the file in the source.
    file: usize,
    leak: Leak,
}

/// Searches every file, because a new repo or branch gets all of them.
pub(super) async fn search_all(context: &Context<'_>, source: &Arc<Source>, after: Audience) -> Result<()> {
    search(context, source, (0..source.files.len()).collect(), after).await
}

/// Searches every file of a repo that this deploy makes public, because unchanged files are published too. Of the
/// files that only the Hub has (among `there`), the names are searched.
pub(super) async fn search_published(
    context: &Context<'_>,
    source: &Arc<Source>,
    there: impl Iterator<Item = &str>,
    after: Audience,
) -> Result<()> {
    search_all(context, source, after).await?;
    let policy = context.options.secrets_in_files.unwrap_or(SecretsInFiles::Error);
    let found: Vec<String> = there
        .filter(|path| source.get(path).is_none())
        .filter_map(|path| Some(format!("`{path}`: {}", leaks::in_file_name(path)?)))
        .take(NAMED)
        .collect();
    if found.is_empty() || policy != SecretsInFiles::Error {
        return Ok(());
    }
    Err(failure::deploy::secrets_on_the_hub(&context.repo, &found))
}

/// Searches the files that a plan sends.
pub(super) async fn search_plan(
    context: &Context<'_>,
    source: &Arc<Source>,
    plan: &Plan,
    after: Audience,
) -> Result<()> {
    let files = plan.changes.iter().filter_map(|change| change.candidate).collect();
    search(context, source, files, after).await
}

async fn search(
    context: &Context<'_>,
    source: &Arc<Source>,
    files: Vec<usize>,
    after: Audience,
) -> Result<()> {
    let Context { options, repo, log, .. } = context;
    let default = if after.reads_files() { SecretsInFiles::Error } else { SecretsInFiles::Warn };
    let policy = options.secrets_in_files.unwrap_or(default);
    // The source of a proxy is this program's own. Those of a model have texts of its card.
    if policy == SecretsInFiles::Ignore || options.origin == Origin::Proxy {
        return Ok(());
    }
    let found = scan(source, files).await?;
    if found.is_empty() {
        return Ok(());
    }
    let Named { files, findings, excludes } = Named::of(source, &found);
    let readers =
        if after.reads_files() { "which everybody can read" } else { "whose readers can all read it" };
    let what = format!("{} with what looks like a secret", count(files, "file"));
    if policy == SecretsInFiles::Warn {
        log.warning(&advice::secrets_deployed(repo, &what, readers, &findings, &excludes));
        return Ok(());
    }
    let message = format!("cannot deploy {what} to the {repo}, {readers}:\n{}", findings.join("\n"));
    let place = |found: &Found| SourceLocation {
        file: context.annotated(source.files[found.file].path.as_str()),
        line: found.leak.line,
        message: format!("this looks like {}", found.leak.kind),
    };
    let places = found.iter().take(ANNOTATED).map(place).collect();
    Err(failure::deploy::secrets_in_files(message, options.repo_type, &excludes, places))
}

/// Findings for messages, without the secrets.
struct Named {
    files: usize,
    findings: Vec<String>,
    /// Patterns that leave the files out.
    excludes: String,
}

impl Named {
    fn of(source: &Source, found: &[Found]) -> Self {
        let mut files: Vec<usize> = found.iter().map(|found| found.file).collect();
        files.dedup();
        let path = |file: usize| source.files[file].path.as_str();
        let describe = |found: &Found| {
            let line = found.leak.line.map(|line| format!(", line {line}")).unwrap_or_default();
            format!("`{}`{line}: {}", path(found.file), found.leak.kind)
        };
        let mut findings: Vec<String> = found.iter().take(NAMED).map(describe).collect();
        if found.len() > NAMED {
            findings.push(format!("and {} more", found.len() - NAMED));
        }
        let excludes: Vec<String> =
            files.iter().take(NAMED).map(|file| format!("`{}`", exclude_line(path(*file)))).collect();
        let more = if files.len() > NAMED { ", …" } else { "" };
        let excludes = format!("{}{more}", excludes.join(", "));
        Self { files: files.len(), findings, excludes }
    }
}

/// Returns the pattern that leaves out this one file (`git help gitignore`).
fn exclude_line(path: &str) -> String {
    let mut line = "/".to_owned();
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            line.push('\\');
        }
        line.push(c);
    }
    match line.strip_suffix(' ') {
        Some(start) => format!("{start}\\ "),
        None => line,
    }
}

/// Searches files on all cores, and returns the findings in order.
async fn scan(source: &Arc<Source>, files: Vec<usize>) -> Result<Vec<Found>> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let batches: Vec<Vec<usize>> = files.chunks(SCAN_BATCH).map(<[usize]>::to_vec).collect();
    let found: Vec<Vec<Found>> = stream::iter(batches)
        .map(|batch| {
            let source = Arc::clone(source);
            async move {
                let scan = move || scan_batch(&source, &batch);
                tokio::task::spawn_blocking(scan).await.unwrap_or_else(|error| {
                    Err(Failure::new(Code::Internal, "the search for secrets ended early").caused_by(error))
                })
            }
        })
        .buffered(cores)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

fn scan_batch(source: &Source, batch: &[usize]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for &file in batch {
        let leaks = leaks::in_file(&source.files[file]).map_err(|error| source.files[file].error(error))?;
        found.extend(leaks.into_iter().map(|leak| Found { file, leak }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclude_line_matches_one_file() {
        for (path, line) in [
            (".env", "/.env"),
            ("a/b c.py", "/a/b c.py"),
            ("app/[id]/*.ts", "/app/\\[id\\]/\\*.ts"),
            ("x ", "/x\\ "),
            ("#a", "/#a"),
            ("!a", "/!a"),
        ] {
            assert_eq!(exclude_line(path), line);
        }
    }
}
