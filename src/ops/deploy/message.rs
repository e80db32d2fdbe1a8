//! The message of a commit.

use hub::{Marker, Repo};

use super::options::DeployOptions;

/// Message of a commit.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) summary: String,
    pub(super) description: String,
    /// Marker of the commit. The description ends with it.
    pub(super) marker: Marker,
}

/// Writes the message: the user's text, then trailers (`git interpret-trailers`) that name the source of the files.
/// The last trailer is unique, so that the commit can be found again.
pub(super) fn commit_message(options: &DeployOptions, repo: &Repo) -> Message {
    let github = &options.provenance;
    let short_sha = github.sha.as_deref().map(|sha| &sha[..sha.len().min(7)]);
    let default = || match (&github.repository, short_sha) {
        (Some(repository), Some(sha)) => format!("Deploy {repository}@{sha}"),
        (Some(repository), None) => format!("Deploy {repository}"),
        _ => format!("Deploy {}", repo.id.name),
    };
    let wanted = options.commit_message.clone().unwrap_or_else(default);
    let wanted = wanted.trim();
    let (summary, rest) = wanted.split_once('\n').unwrap_or((wanted, ""));
    let marker = Marker::new(fastrand::u64(..));
    let mut trailers = Vec::new();
    if let Some(repository) = &github.repository {
        trailers.push(format!("Source-Repository: {repository}"));
    }
    if let Some(sha) = &github.sha {
        trailers.push(format!("Source-Commit: {sha}"));
    }
    if let Some(url) = &github.run_url {
        trailers.push(format!("Workflow-Run: {url}"));
    }
    trailers.push(marker.to_string());
    let paragraphs = [rest.trim(), options.commit_description.as_deref().unwrap_or("").trim()];
    let mut description: String =
        paragraphs.iter().filter(|text| !text.is_empty()).map(|text| format!("{text}\n\n")).collect();
    description.push_str(&trailers.join("\n"));
    Message { summary: summary.trim().to_owned(), description, marker }
}
