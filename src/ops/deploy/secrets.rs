//! Secrets in files, found before anything is written.

use crate::ops::deploy::options::Origin;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use hub::RepoType;

use crate::failure::{Code, Failure, Place, Result};
use crate::folder::Source;
use crate::folder::leaks::{self, Leak};
use crate::ops::deploy::options::SecretsInFiles;
use crate::ops::deploy::plan::Plan;
use crate::text::count;

use super::Deploy;
use super::visibility::Audience;

/// Files that are searched as one task.
const SCAN_BATCH: usize = 64;

/// Files that a message names, and annotations that one step may make (GitHub shows ten).
const NAMED: usize = 20;
const ANNOTATED: usize = 10;

/// A secret in a file, by the place of the file in the source.
struct Found {
    file: usize,
    leak: Leak,
}

impl Deploy<'_> {
    /// Searches every file, of which a repo or a branch that does not exist yet gets all.
    pub(super) async fn search_all(&self, source: &Arc<Source>, after: Audience) -> Result<()> {
        self.search(source, (0..source.files.len()).collect(), after).await
    }

    /// Searches every file of a repo that this deploy makes public, because those that do not change are published too.
    /// Of the files that only the Hub has (among `there`), the names are judged.
    pub(super) async fn search_published(
        &self,
        source: &Arc<Source>,
        there: impl Iterator<Item = &str>,
        after: Audience,
    ) -> Result<()> {
        self.search_all(source, after).await?;
        let policy = self.options.secrets_in_files.unwrap_or(SecretsInFiles::Error);
        let found: Vec<String> = there
            .filter(|path| source.get(path).is_none())
            .filter_map(|path| Some(format!("`{path}`: {}", leaks::in_file_name(path)?)))
            .take(NAMED)
            .collect();
        if found.is_empty() || policy != SecretsInFiles::Error {
            return Ok(());
        }
        let message = format!(
            "cannot make the {} public, because it holds what looks like a secret:\n{}",
            self.repo,
            found.join("\n")
        );
        Err(Failure::new(Code::SecretsInFiles, message)
            .hint("delete the files on the Hub, and replace the secrets: the history stays readable")
            .hint("if it is no secret, or may be read, set `secrets_in_files: warn`"))
    }

    /// Searches the files that a plan sends.
    pub(super) async fn search_plan(&self, source: &Arc<Source>, plan: &Plan, after: Audience) -> Result<()> {
        self.search(source, plan.changes.iter().filter_map(|change| change.candidate).collect(), after).await
    }

    async fn search(&self, source: &Arc<Source>, files: Vec<usize>, after: Audience) -> Result<()> {
        let policy = self.options.secrets_in_files.unwrap_or(match after.reads_files() {
            true => SecretsInFiles::Error,
            false => SecretsInFiles::Warn,
        });
        // The proxy is made of this action's own files.
        if policy == SecretsInFiles::Ignore || self.options.origin == Origin::Generated {
            return Ok(());
        }
        let found = scan(source, files).await?;
        if found.is_empty() {
            return Ok(());
        }
        let named = Named::of(source, &found);
        let readers = match after.reads_files() {
            true => "which everybody can read",
            false => "whose readers can all read it",
        };
        let what = format!("{} with what looks like a secret", count(named.files, "file"));
        if policy == SecretsInFiles::Warn {
            self.log.warning(&format!(
                "this deploys {what} to the {}, {readers}: {} (to leave the files out, write into `exclude`, one line each: {})",
                self.repo,
                named.findings.join("; "),
                named.excludes
            ));
            return Ok(());
        }
        let message =
            format!("cannot deploy {what} to the {}, {readers}:\n{}", self.repo, named.findings.join("\n"));
        let places = found.iter().take(ANNOTATED).map(|found| Place {
            file: self.annotated(source.files[found.file].path.as_str()),
            line: found.leak.line,
            message: format!("this looks like {}", found.leak.kind),
        });
        let failure = Failure::new(Code::SecretsInFiles, message)
            .at(places)
            .hint(format!("leave the files out, one line each in the input `exclude`: {}", named.excludes));
        let failure = match self.options.repo_type {
            RepoType::Space => failure.hint("or take the value out of the file, name it in the input `secrets`, and let the app read it from its environment"),
            RepoType::Model | RepoType::Dataset => failure,
        };
        Err(failure.hint("if it is no secret, or may be read, set `secrets_in_files: warn`"))
    }
}

/// Findings as messages name them, without the secrets.
struct Named {
    files: usize,
    findings: Vec<String>,
    /// The patterns that leave the files out.
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

/// The pattern that leaves out this one file (`git help gitignore`).
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

/// Searches files on all cores, in order.
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
    fn a_pattern_names_one_file() {
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
