//! Comments on pull requests, which GitHub keeps as comments on issues.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::{Github, Operation};
use super::error::{Error, Permission};

/// Rows of one page, the most that GitHub gives.
const ROWS: u32 = 100;
/// Pages that are read: 5,000 comments.
const PAGES: u32 = 50;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comment {
    pub id: u64,
    #[serde(default)]
    pub body: String,
    /// Its page.
    pub html_url: String,
    /// `None` after the account was deleted.
    user: Option<Account>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Account {
    login: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Comment {
    /// Returns true if the account with this login wrote it. Without a login, an app must have written it, because a
    /// workflow's token is no user's.
    pub fn is_by(&self, login: Option<&str>) -> bool {
        let Some(user) = &self.user else { return false };
        login.map_or(user.kind == "Bot", |login| user.login.eq_ignore_ascii_case(login))
    }
}

impl Github {
    /// Returns the comments on a pull request, the oldest first.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn list_comments(&self, number: u64) -> Result<Vec<Comment>, Error> {
        let mut comments = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/issues/{number}/comments?per_page={ROWS}&page={page}");
            let name = format!("list the comments on pull request #{number}");
            let operation = Operation::get(name, Permission::PullRequests, path);
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

    /// Returns the login behind the token: `None` for the token of a workflow or of an app, which has none.
    ///
    /// # Errors
    ///
    /// GitHub cannot be reached, or does not know the token.
    pub async fn login(&self) -> Result<Option<String>, Error> {
        #[derive(Deserialize)]
        struct User {
            login: String,
        }
        let name = "look up the user of the token";
        let operation = Operation::get(name, Permission::PullRequests, "user".to_owned());
        match self.call::<User>(&operation).await {
            Ok(user) => Ok(Some(user.login)),
            Err(error) if error.missing_permission().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
