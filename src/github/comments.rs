//! Comments on pull requests, which GitHub keeps as comments on issues.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Github, Operation};
use super::error::{Cause, Error, Permission};

/// Rows of one page, the most that GitHub gives.
const ROWS: u32 = 100;
/// Pages that are read: 5,000 comments on a pull request, and 1,000 of a repository.
const PAGES: u32 = 50;
const PAGES_OF_REPOSITORY: u32 = 10;
/// Account of the token that each workflow run gets.
const WORKFLOW_ACCOUNT: &str = "github-actions[bot]";

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comment {
    pub id: u64,
    #[serde(default)]
    pub body: String,
    /// Its page.
    pub html_url: String,
    /// Address of the pull request, or the issue, that it is on.
    issue_url: String,
    /// Time of its last change (RFC 3339).
    pub updated_at: String,
    /// `None` after the account was deleted.
    user: Option<Account>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Account {
    login: String,
}

impl Comment {
    /// Returns true if the account with this login wrote it. Without a login, it must be that of a workflow's token. No
    /// person has its name, because their names hold no brackets.
    pub fn is_by(&self, login: Option<&str>) -> bool {
        let login = login.unwrap_or(WORKFLOW_ACCOUNT);
        self.user.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(login))
    }

    /// Returns the number of the pull request that it is on.
    pub fn number(&self) -> Option<u64> {
        self.issue_url.rsplit('/').next()?.parse().ok()
    }
}

impl Github {
    /// Returns the comments on a pull request, the oldest first.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn list_comments(&self, number: u64) -> Result<Vec<Comment>, Error> {
        let name = format!("list the comments on pull request #{number}");
        self.comment_pages(name, &format!("/issues/{number}/comments?"), PAGES).await
    }

    /// Returns the comments of the repository that changed last, the newest change first.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn list_recent_comments(&self) -> Result<Vec<Comment>, Error> {
        let path = "/issues/comments?sort=updated&direction=desc&";
        self.comment_pages("list the comments of the repository".to_owned(), path, PAGES_OF_REPOSITORY).await
    }

    /// Reads pages of comments. `path` ends where the parameters of the page begin.
    async fn comment_pages(&self, name: String, path: &str, pages: u32) -> Result<Vec<Comment>, Error> {
        let mut comments = Vec::new();
        for page in 1..=pages {
            let path = format!("{path}per_page={ROWS}&page={page}");
            let operation = Operation::get(name.clone(), Permission::PullRequests, path);
            let (rows, has_next): (Vec<Comment>, bool) = self.call_with_link(&operation).await?;
            comments.extend(rows);
            if !has_next {
                break;
            }
        }
        Ok(comments)
    }

    /// Writes a comment on a pull request.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached. After an ambiguous error the comment may be there.
    pub async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, Error> {
        let path = format!("/issues/{number}/comments");
        let name = format!("comment on pull request #{number}");
        let operation = Operation::get(name, Permission::PullRequests, path);
        self.call(&operation.write(Method::POST, &json!({ "body": body }))).await
    }

    /// Replaces the text of a comment.
    ///
    /// # Errors
    ///
    /// The comment was deleted, GitHub refuses, or it cannot be reached.
    pub async fn update_comment(&self, id: u64, body: &str) -> Result<Comment, Error> {
        let operation =
            Operation::get("update the comment", Permission::PullRequests, format!("/issues/comments/{id}"));
        self.call(&operation.write(Method::PATCH, &json!({ "body": body }))).await
    }

    /// Deletes a comment. One that is gone is fine.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn delete_comment(&self, id: u64) -> Result<(), Error> {
        let operation =
            Operation::get("delete the comment", Permission::PullRequests, format!("/issues/comments/{id}"));
        match self.send(&Operation { method: Method::DELETE, ..operation }).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the login of the token's account: `None` if GitHub refuses to name it.
    ///
    /// The REST API names only people. GraphQL also names the account of a workflow's token, as comments have it.
    ///
    /// # Errors
    ///
    /// GitHub cannot be reached, does not know the token, or has no answer left for it.
    pub async fn login(&self) -> Result<Option<String>, Error> {
        let name = "look up the account of the token";
        let operation = Operation::query(name, Permission::PullRequests, "query { viewer { login } }");
        let answer: Value = match self.call(&operation).await {
            Ok(answer) => answer,
            Err(error) if error.is_refused() => return Ok(None),
            Err(error) => return Err(error),
        };
        if answer["errors"][0]["type"] == "RATE_LIMITED" {
            return Err(operation.error(Cause::RateLimited { wait: None }));
        }
        Ok(answer["data"]["viewer"]["login"].as_str().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(login: Option<&str>) -> Comment {
        let user = login.map(|login| json!({ "login": login, "type": "Bot" }));
        let comment = json!({
            "id": 1, "html_url": "", "issue_url": "https://api.github.com/repos/octo/hello/issues/12",
            "updated_at": "2026-01-01T00:00:00Z", "user": user,
        });
        serde_json::from_value(comment).unwrap()
    }

    #[test]
    fn a_comment_belongs_to_one_account() {
        let bot = comment(Some("github-actions[bot]"));
        assert!(bot.is_by(None) && bot.is_by(Some("GitHub-Actions[bot]")));
        assert!(!bot.is_by(Some("github-actions")) && !bot.is_by(Some("other[bot]")));
        let person = comment(Some("Mona"));
        assert!(person.is_by(Some("mona")) && !person.is_by(None));
        for other in [comment(Some("other[bot]")), comment(Some("github-actions")), comment(None)] {
            assert!(!other.is_by(None) && !other.is_by(Some("mona")), "{other:?}");
        }
        assert_eq!(bot.number(), Some(12));
    }
}
