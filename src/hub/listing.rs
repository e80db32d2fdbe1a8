//! The repos of a namespace, and the end of one.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::Repo;
use super::call::Call;
use super::client::Hub;
use super::error::{Cause, HubError};
use crate::target::{RepoName, RepoType};

/// A namespace of more pages than this does not end: a hundred thousand repos.
const MAX_PAGES: usize = 1000;

/// A repo as a listing has it.
#[derive(Debug, Clone)]
pub struct ListedRepo {
    pub repo: Repo,
    /// RFC 3339, such as `2026-11-20T16:18:11.000Z`.
    pub created_at: Option<String>,
    /// Those of its card, among others.
    pub tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl Hub {
    /// Lists the repos of a namespace whose names hold `search`, page by page (`GET /api/{types}?author=…`).
    pub async fn list_repos(
        &self,
        namespace: &str,
        repo_type: RepoType,
        search: &str,
    ) -> Result<Vec<ListedRepo>, HubError> {
        let what = format!("list the {} of `{namespace}`", repo_type.plural());
        let mut url = self.url(&format!("/api/{}", repo_type.plural()))?;
        url.query_pairs_mut()
            .append_pair("author", namespace)
            .append_pair("search", search)
            .append_pair("expand[]", "createdAt")
            .append_pair("expand[]", "tags")
            .append_pair("limit", "100");
        let mut next = Some(url);
        let mut repos = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(repos) };
            let answer = self.call(&Call::new(&what, Method::GET, url.clone())).await?;
            let rows: Vec<Row> = answer.json(&what)?;
            for row in rows {
                let Some(id) = row.id.parse::<RepoName>().ok().and_then(|name| name.full()) else { continue };
                let repo = Repo { repo_type, id };
                repos.push(ListedRepo { repo, created_at: row.created_at, tags: row.tags });
            }
            next = self.next_page(&what, &url, &answer.headers)?;
        }
        let detail = format!("a listing of more than {MAX_PAGES} pages");
        Err(HubError::new(what, Cause::Unexpected { detail }))
    }

    /// Deletes a repo with all that it holds (`DELETE /api/repos/delete`). Returns whether it was there.
    pub async fn delete_repo(&self, repo: &Repo) -> Result<bool, HubError> {
        let what = format!("delete the {repo}");
        let call = Call::new(&what, Method::DELETE, self.url("/api/repos/delete")?).json(&json!({
            "name": repo.id.name,
            "organization": repo.id.namespace,
            "type": repo.repo_type.as_str(),
        }));
        match self.call(&call).await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
