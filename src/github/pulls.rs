//! Pull requests.

use serde::Deserialize;

use super::client::{Github, Operation};
use super::error::{Error, Permission};

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub title: String,
    pub is_open: bool,
    /// Head commit, in hexadecimal.
    pub head: String,
}

impl Github {
    /// Reads the list of pull requests. Without the right to see them, GitHub says that a pull request does not exist;
    /// this call fails then.
    ///
    /// # Errors
    ///
    /// The token cannot see the repository or its pull requests, GitHub refuses, or it cannot be reached.
    pub async fn check_access_to_pull_requests(&self) -> Result<(), Error> {
        let path = "/pulls?state=all&per_page=1".to_owned();
        let operation = Operation::get("list the pull requests", Permission::PullRequests, path);
        self.send(&operation).await.map(drop)
    }

    /// Returns a pull request: `None` where there is none, as after the account of its author was deleted.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn pull_request(&self, number: u64) -> Result<Option<PullRequest>, Error> {
        #[derive(Deserialize)]
        struct Row {
            number: u64,
            title: String,
            state: String,
            head: Head,
        }
        #[derive(Deserialize)]
        struct Head {
            sha: String,
        }
        let name = format!("look up pull request #{number}");
        let operation = Operation::get(name, Permission::PullRequests, format!("/pulls/{number}"));
        match self.call::<Row>(&operation).await {
            Ok(row) => Ok(Some(PullRequest {
                number: row.number,
                title: row.title,
                is_open: row.state == "open",
                head: row.head.sha,
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
