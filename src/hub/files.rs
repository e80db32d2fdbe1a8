//! Files of a repo at a revision.

use std::collections::HashMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::refusal::RefusalKind;
use crate::types::{ContentId, Oid, Repo, RepoPath, Sha256, XetHash};
use crate::url::{encode, encode_path};

/// A file in a repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Path in the repo.
    pub path: String,
    /// Size of the content in bytes, also if the repo has only a pointer to it.
    pub size: u64,
    /// Git blob id; that of the pointer, for a large file. `None` if only the path is known.
    pub oid: Option<Oid>,
    /// SHA-256 of the content, for a large file.
    pub sha256: Option<Sha256>,
    /// Xet hash of the content, for a large file that is in the Xet storage.
    pub xet_hash: Option<XetHash>,
}

impl RemoteFile {
    /// Returns the id of the content, if it is known.
    pub fn content_id(&self) -> Option<ContentId> {
        self.sha256.map(ContentId::Sha256).or(self.oid.map(ContentId::Git))
    }

    /// Makes a file of which only the path is known.
    pub fn named(path: &str) -> Self {
        Self { path: path.to_owned(), size: 0, oid: None, sha256: None, xet_hash: None }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    oid: Oid,
    #[serde(default)]
    size: u64,
    lfs: Option<LfsRow>,
    #[serde(default)]
    xet_hash: Option<XetHash>,
}

#[derive(Deserialize)]
struct LfsRow {
    oid: Sha256,
}

/// Number of paths in one request: the OpenAPI document allows 2,000.
const PATHS: usize = 1000;
/// Maximum number of pages of a listing: 100 million files.
const MAX_PAGES: usize = 100_000;

impl Hub {
    /// Lists all files below `folder` (or in the whole repo) at a commit, in pages of 1,000
    /// (`GET …/tree/{rev}/{path}?recursive=true`). A folder that does not exist is empty.
    pub async fn list_files(
        &self,
        repo: &Repo,
        commit: &str,
        folder: Option<&RepoPath>,
    ) -> Result<Vec<RemoteFile>, Error> {
        let operation = format!("list the files of the {repo}");
        let mut path = format!("{}/tree/{}", repo.api(), encode(commit));
        if let Some(folder) = folder {
            path.push_str(&format!("/{}", encode_path(folder.as_str())));
        }
        let first = self.url(&format!("{path}?recursive=true"))?;
        let rows = self.rows(&operation, first).await?;
        Ok(rows.into_iter().filter(|row| row.kind == "file").map(RemoteFile::from).collect())
    }

    /// Returns the entries at the root of a commit: names, with the git ids of files and folders. Two commits with the
    /// same root have the same tree.
    pub async fn root_of(&self, repo: &Repo, commit: &str) -> Result<Vec<(String, Oid)>, Error> {
        let operation = format!("read the tree of the {repo}");
        let first = self.url(&format!("{}/tree/{}", repo.api(), encode(commit)))?;
        Ok(self.rows(&operation, first).await?.into_iter().map(|row| (row.path, row.oid)).collect())
    }

    /// Returns the git ids at some paths of a commit (`POST …/paths-info/{rev}`), by path. A path that does not exist has
    /// no entry.
    pub async fn oids_of(
        &self,
        repo: &Repo,
        commit: &str,
        paths: &[&str],
    ) -> Result<HashMap<String, Oid>, Error> {
        let rows = self.rows_at(repo, commit, paths).await?;
        Ok(rows.into_iter().map(|row| (row.path, row.oid)).collect())
    }

    /// Returns the files at some paths of a commit.
    pub async fn files_at(
        &self,
        repo: &Repo,
        commit: &str,
        paths: &[&str],
    ) -> Result<Vec<RemoteFile>, Error> {
        let rows = self.rows_at(repo, commit, paths).await?;
        Ok(rows.into_iter().filter(|row| row.kind == "file").map(RemoteFile::from).collect())
    }

    /// Downloads a small file at a commit. Returns `None` if it does not exist.
    pub async fn read_small_file(
        &self,
        repo: &Repo,
        commit: &str,
        path: &str,
    ) -> Result<Option<bytes::Bytes>, Error> {
        let operation = format!("read `{path}` of the {repo}");
        let url = format!("/{}/resolve/{}/{}", repo.page(), encode(commit), encode_path(path));
        match self.call(&Call::new(operation, Method::GET, self.url(&url)?)).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Downloads a small file at a commit by one request, from the cache that `resolve` redirects to
    /// (`GET /api/resolve-cache/…`). Returns `None` if it does not exist.
    pub async fn read_file_at_commit(
        &self,
        repo: &Repo,
        commit: &str,
        path: &str,
    ) -> Result<Option<bytes::Bytes>, Error> {
        let operation = format!("read `{path}` of the {repo}");
        let place = repo.api().replacen("/api/", "/api/resolve-cache/", 1);
        let url = format!("{place}/{}/{}", encode(commit), encode_path(path));
        match self.call(&Call::new(operation, Method::GET, self.url(&url)?)).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn rows_at(&self, repo: &Repo, commit: &str, paths: &[&str]) -> Result<Vec<Row>, Error> {
        let operation = format!("look at files of the {repo}");
        let mut found = Vec::new();
        for paths in paths.chunks(PATHS) {
            let url = self.url(&format!("{}/paths-info/{}", repo.api(), encode(commit)))?;
            let call =
                Call::new(&operation, Method::POST, url).json(&json!({ "paths": paths, "expand": false }));
            found.extend(self.call(&call).await?.json::<Vec<Row>>(&operation)?);
        }
        Ok(found)
    }

    /// Returns all rows of a listing, page by page.
    async fn rows(&self, operation: &str, first: Url) -> Result<Vec<Row>, Error> {
        let mut next = Some(first);
        let mut all = Vec::new();
        let mut pages = 0;
        while let Some(url) = next {
            let answer = match self.call(&Call::new(operation, Method::GET, url.clone())).await {
                Ok(answer) => answer,
                Err(error) if error.kind() == Some(RefusalKind::EntryNotFound) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            all.extend(answer.json::<Vec<Row>>(operation)?);
            pages += 1;
            next = self.next_page(operation, &url, &answer.headers)?;
            if pages == MAX_PAGES {
                return Err(Error::unexpected(
                    operation,
                    format!("a listing of more than {MAX_PAGES} pages"),
                ));
            }
        }
        Ok(all)
    }
}

impl From<Row> for RemoteFile {
    fn from(row: Row) -> Self {
        Self {
            path: row.path,
            size: row.size,
            oid: Some(row.oid),
            sha256: row.lfs.map(|lfs| lfs.oid),
            xet_hash: row.xet_hash,
        }
    }
}
