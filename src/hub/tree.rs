//! What a repo holds at a revision.

use std::collections::HashMap;

use reqwest::Method;
use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::call::Call;
use super::client::Hub;
use super::error::{Cause, HubError};
use super::{Repo, encode, encode_path};
use crate::target::RepoPath;

/// A file in a repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    pub path: String,
    /// Its content in bytes, also where the repo holds only a pointer.
    pub size: u64,
    /// The git blob SHA-1; of the pointer, for a large file.
    pub oid: String,
    /// The SHA-256 of the content, for a large file.
    pub sha256: Option<String>,
}

impl RemoteFile {
    /// A file of which only the name is known.
    pub fn named(path: &str) -> Self {
        Self { path: path.to_owned(), size: 0, oid: String::new(), sha256: None }
    }
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: String,
    #[serde(default)]
    size: u64,
    lfs: Option<LfsRow>,
}

#[derive(Deserialize)]
struct LfsRow {
    oid: String,
}

/// How many paths are asked about at once: the contract allows 2,000.
const PATHS: usize = 1000;
/// A listing of more pages than this does not end: 100 million files.
const MAX_PAGES: usize = 100_000;

impl Hub {
    /// Lists every file below `folder` (or in the whole repo) at a commit, a page of 1,000 at a time
    /// (`GET …/tree/{rev}/{path}?recursive=true`). A folder that is not there holds nothing.
    pub async fn list_files(
        &self,
        repo: &Repo,
        commit: &str,
        folder: Option<&RepoPath>,
    ) -> Result<Vec<RemoteFile>, HubError> {
        let what = format!("list the files of the {repo}");
        let mut path = format!("{}/tree/{}", repo.api(), encode(commit));
        if let Some(folder) = folder {
            path.push_str(&format!("/{}", encode_path(folder.as_str())));
        }
        let first = self.url(&format!("{path}?recursive=true"))?;
        let rows = self.rows(&what, first).await?;
        Ok(rows.into_iter().filter(|row| row.kind == "file").map(RemoteFile::from).collect())
    }

    /// What lies at the root of a commit: names, with the git ids of files and of whole folders. Two commits with
    /// the same root have the same tree.
    pub async fn root_of(&self, repo: &Repo, commit: &str) -> Result<Vec<(String, String)>, HubError> {
        let what = format!("read the tree of the {repo}");
        let first = self.url(&format!("{}/tree/{}", repo.api(), encode(commit)))?;
        Ok(self.rows(&what, first).await?.into_iter().map(|row| (row.path, row.oid)).collect())
    }

    /// The git ids of what lies at some paths of a commit (`POST …/paths-info/{rev}`), by path. Where nothing is,
    /// there is no entry.
    pub async fn oids_of(
        &self,
        repo: &Repo,
        commit: &str,
        paths: &[&str],
    ) -> Result<HashMap<String, String>, HubError> {
        let rows = self.rows_at(repo, commit, paths).await?;
        Ok(rows.into_iter().map(|row| (row.path, row.oid)).collect())
    }

    /// The files that lie at some paths of a commit.
    pub async fn files_at(
        &self,
        repo: &Repo,
        commit: &str,
        paths: &[&str],
    ) -> Result<Vec<RemoteFile>, HubError> {
        let rows = self.rows_at(repo, commit, paths).await?;
        Ok(rows.into_iter().filter(|row| row.kind == "file").map(RemoteFile::from).collect())
    }

    async fn rows_at(&self, repo: &Repo, commit: &str, paths: &[&str]) -> Result<Vec<Row>, HubError> {
        let what = format!("look at files of the {repo}");
        let mut found = Vec::new();
        for paths in paths.chunks(PATHS) {
            let url = self.url(&format!("{}/paths-info/{}", repo.api(), encode(commit)))?;
            let call = Call::new(&what, Method::POST, url).json(&json!({ "paths": paths, "expand": false }));
            found.extend(self.call(&call).await?.json::<Vec<Row>>(&what)?);
        }
        Ok(found)
    }

    /// Every row of a listing, page by page.
    async fn rows(&self, what: &str, first: Url) -> Result<Vec<Row>, HubError> {
        let mut next = Some(first);
        let mut all = Vec::new();
        let mut pages = 0;
        while let Some(url) = next {
            let answer = match self.call(&Call::new(what, Method::GET, url.clone())).await {
                Ok(answer) => answer,
                Err(error) if error.refusal().is_some_and(|refusal| refusal.is(404, "EntryNotFound")) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            };
            all.extend(answer.json::<Vec<Row>>(what)?);
            pages += 1;
            next = self.next_page(what, &url, &answer.headers)?;
            if pages == MAX_PAGES {
                let detail = format!("a listing of more than {MAX_PAGES} pages");
                return Err(HubError::new(what, Cause::Unexpected { detail }));
            }
        }
        Ok(all)
    }

    /// The address of the next page. It must be on the Hub, since the token goes there.
    pub(super) fn next_page(
        &self,
        what: &str,
        current: &Url,
        headers: &HeaderMap,
    ) -> Result<Option<Url>, HubError> {
        let unexpected = |detail: String| HubError::new(what, Cause::Unexpected { detail });
        let Some(link) = headers.get(LINK).and_then(|value| next_link(value.to_str().ok()?)) else {
            return Ok(None);
        };
        let url = current.join(link).map_err(|error| unexpected(format!("a bad link to a page: {error}")))?;
        if !self.is_own(&url) {
            return Err(unexpected(format!(
                "a link to another host: `{}`",
                url.origin().ascii_serialization()
            )));
        }
        Ok(Some(url))
    }
}

/// The target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    header.split(", <").find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let next = parameters.split(';').any(|parameter| {
            matches!(parameter.trim().split_once('='), Some(("rel", rel)) if rel.trim_matches('"') == "next")
        });
        next.then(|| target.trim_start_matches('<'))
    })
}

impl From<Row> for RemoteFile {
    fn from(row: Row) -> Self {
        Self { path: row.path, size: row.size, oid: row.oid, sha256: row.lfs.map(|lfs| lfs.oid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_link_that_says_so() {
        assert_eq!(next_link(r#"<https://h/api?c=a>; rel="next""#), Some("https://h/api?c=a"));
        assert_eq!(next_link(r#"<https://h/1>; rel="prev", <https://h/2>; rel=next"#), Some("https://h/2"));
        assert_eq!(next_link(r#"<https://h/1>; rel="last""#), None);
        assert_eq!(next_link("nonsense"), None);
    }
}
