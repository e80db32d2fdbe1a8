//! Discussions and pull requests.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::util::{iso, now_ms, sha256_hex, unique_hex};

/// One event of a discussion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) created_ms: u64,
    pub(crate) author: String,
    /// `comment`, `status-change`, `title-change` or `commit`.
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Event {
    pub(crate) fn new(author: &str, kind: &str, data: Value) -> Self {
        Self {
            id: unique_hex(24),
            created_ms: now_ms(),
            author: author.to_owned(),
            kind: kind.to_owned(),
            data,
        }
    }

    pub(crate) fn comment(author: &str, text: &str) -> Self {
        Self::new(
            author,
            "comment",
            json!({
                "edited": false,
                "hidden": false,
                "latest": latest(author, text),
                "numEdits": 0,
                "editors": [author],
                "editorAvatarUrls": [],
                "reactions": [],
                "isReport": false,
            }),
        )
    }

    /// Replaces the text of a comment.
    pub(crate) fn edit(&mut self, editor: &str, text: &str) {
        let edits = self.data["numEdits"].as_u64().unwrap_or(0) + 1;
        self.data["edited"] = json!(true);
        self.data["numEdits"] = json!(edits);
        self.data["latest"] = latest(editor, text);
    }

    /// Hides a comment.
    pub(crate) fn hide(&mut self, by: &str) {
        self.data["hidden"] = json!(true);
        self.data["hiddenBy"] = json!(by);
        self.data["latest"] = latest(by, "This comment has been hidden");
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "createdAt": iso(self.created_ms),
            "author": user_json(&self.author),
            "type": self.kind,
            "data": self.data,
        })
    }
}

/// Returns the current text of a comment.
fn latest(author: &str, text: &str) -> Value {
    let html = format!("<p>{text}</p>");
    json!({"raw": text, "html": html, "updatedAt": iso(now_ms()), "author": user_json(author)})
}

/// First content of a discussion.
pub(crate) struct NewDiscussion<'a> {
    pub(crate) number: u64,
    pub(crate) title: &'a str,
    pub(crate) author: &'a str,
    pub(crate) description: &'a str,
    /// `draft` or `open`.
    pub(crate) status: &'a str,
    pub(crate) is_pull_request: bool,
}

/// A discussion, or a pull request whose commits are under `refs/pr/{num}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Discussion {
    pub(crate) num: u64,
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) created_ms: u64,
    /// `draft`, `open`, `closed` or `merged`.
    pub(crate) status: String,
    pub(crate) is_pull_request: bool,
    pub(crate) events: Vec<Event>,
    pub(crate) merge_commit: Option<String>,
    #[serde(default)]
    pub(crate) pinned: bool,
}

impl Discussion {
    pub(crate) fn new(new: &NewDiscussion<'_>) -> Self {
        Self {
            num: new.number,
            title: new.title.to_owned(),
            author: new.author.to_owned(),
            created_ms: now_ms(),
            status: new.status.to_owned(),
            is_pull_request: new.is_pull_request,
            events: vec![Event::comment(new.author, new.description)],
            merge_commit: None,
            pinned: false,
        }
    }

    /// Returns a comment by its id.
    pub(crate) fn comment(&self, id: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.kind == "comment" && event.id == id)
    }

    pub(crate) fn comment_mut(&mut self, id: &str) -> Option<&mut Event> {
        self.events.iter_mut().find(|event| event.kind == "comment" && event.id == id)
    }

    /// Returns a row of the listing; `repo` is `{"name", "type"}`.
    pub(crate) fn row(&self, repo: &Value) -> Value {
        json!({
            "num": self.num,
            "author": user_json(&self.author),
            "repo": repo,
            "title": self.title,
            "createdAt": iso(self.created_ms),
            "topReactions": [],
            "status": self.status,
            "isPullRequest": self.is_pull_request,
            "numComments": self.events.iter().filter(|e| e.kind == "comment").count(),
            "numReactionUsers": 0,
            "pinned": self.pinned,
        })
    }

    /// Returns the details (`GET …/discussions/{num}`); `head` is the last commit of a pull request.
    pub(crate) fn details(&self, repo: &Value, diff_url: &str, head: Option<String>) -> Value {
        let mut out = json!({
            "_id": sha256_hex(format!("{}/{}", self.created_ms, self.num).as_bytes())[..24],
            "num": self.num,
            "author": user_json(&self.author),
            "repo": repo,
            "title": self.title,
            "createdAt": iso(self.created_ms),
            "status": self.status,
            "isPullRequest": self.is_pull_request,
            "events": self.events.iter().map(Event::json).collect::<Vec<_>>(),
            "pinned": self.pinned,
            "locked": false,
            "collection": "discussions",
        });
        if !self.is_pull_request {
            out["isReport"] = json!(false);
        }
        if self.is_pull_request {
            out["changes"] = json!({"base": "refs/heads/main"});
            if let Some(head) = head {
                out["changes"]["headCommitId"] = json!(head);
            }
            if let Some(id) = &self.merge_commit {
                out["changes"]["mergeCommitId"] = json!(id);
            }
            out["filesWithConflicts"] = json!([]);
            out["diffUrl"] = json!(diff_url);
        }
        out
    }
}

/// Returns the user object of discussions.
pub(crate) fn user_json(name: &str) -> Value {
    json!({
        "_id": sha256_hex(name.as_bytes())[..24],
        "avatarUrl": "/avatars/local.svg",
        "fullname": name,
        "name": name,
        "type": "user",
        "isPro": true,
        "isHf": false,
        "isHfAdmin": false,
        "isMod": false,
    })
}
