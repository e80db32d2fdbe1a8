//! Handles on repositories.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use crate::core::commit::{CommitTarget, Op, Plan};
use crate::core::content::TreeFile;
use crate::core::new_repo::{CreateRepo, NewCard};
use crate::core::objects::Kind;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::http::answer::HubError;
use crate::hub::Hub;
use crate::spaces::registry::NewSpace;
use crate::util::lock;

/// One commit of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Commit id.
    pub id: String,
    /// First line of the message.
    pub title: String,
    /// The rest of the message.
    pub message: String,
    /// Parent commits.
    pub parents: Vec<String>,
    /// Name of the author.
    pub author: String,
}

/// A repository to create.
#[derive(Clone, Copy, Debug)]
pub struct NewRepo<'a> {
    user: &'a str,
    repo_type: RepoType,
    id: &'a str,
    sdk: Option<&'a str>,
    private: bool,
}

impl<'a> NewRepo<'a> {
    /// A public repository, created by this user.
    #[must_use]
    pub fn new(user: &'a str, repo_type: RepoType, id: &'a str) -> Self {
        Self { user, repo_type, id, sdk: None, private: false }
    }

    /// Sets the SDK of a Space, which has a card and an app then.
    #[must_use]
    pub fn sdk(self, sdk: &'a str) -> Self {
        Self { sdk: Some(sdk), ..self }
    }

    /// Makes the repository private.
    #[must_use]
    pub fn private(self) -> Self {
        Self { private: true, ..self }
    }

    pub(super) fn create(self, hub: &Hub) -> anyhow::Result<String> {
        let (namespace, name) = self.id.split_once('/').context("an id is namespace/name")?;
        let sdk = self.sdk.filter(|_| self.repo_type == RepoType::Space).map(ToOwned::to_owned);
        let request = CreateRepo {
            repo_type: self.repo_type,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            author: self.user.to_owned(),
            visibility: if self.private { "private" } else { "public" }.to_owned(),
            card: NewCard { sdk: sdk.clone(), ..NewCard::default() },
            files: vec![],
            copy_of: None,
        };
        let space = sdk.map(|sdk| NewSpace { sdk, ..NewSpace::default() });
        let repo = hub.create_repo(&request, space)?.context("the repository exists")?;
        Ok(lock(&repo.state).id.clone())
    }
}

/// One repository of a local Hub.
#[derive(Clone, Copy)]
pub struct RepoHandle<'a> {
    hub: &'a Hub,
    repo_type: RepoType,
    id: &'a str,
}

impl std::fmt::Debug for RepoHandle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RepoHandle").field(&self.repo_type).field(&self.id).finish()
    }
}

impl<'a> RepoHandle<'a> {
    pub(super) fn new(hub: &'a Hub, repo_type: RepoType, id: &'a str) -> Self {
        Self { hub, repo_type, id }
    }

    fn get(&self) -> anyhow::Result<Arc<Repo>> {
        self.hub.core.repos.get(self.repo_type, self.id).context("no such repository")
    }

    /// Returns the files of a revision, by path.
    ///
    /// # Errors
    /// If the repository or the revision does not exist.
    pub fn tree(&self, rev: &str) -> anyhow::Result<BTreeMap<String, TreeFile>> {
        crate::core::content::Core::tree(&*self.get()?, rev)
    }

    /// Returns the commit of a revision.
    #[must_use]
    pub fn head(&self, rev: &str) -> Option<String> {
        Some(self.get().ok()?.resolve(rev)?.to_string())
    }

    /// Returns the visibility: `public`, `private` or `protected`.
    #[must_use]
    pub fn visibility(&self) -> Option<String> {
        let repo = self.get().ok()?;
        let state = lock(&repo.state);
        Some(state.visibility.clone())
    }

    /// Returns the commits of a revision, newest first.
    #[must_use]
    pub fn commits(&self, rev: &str) -> Vec<CommitInfo> {
        let Ok(repo) = self.get() else { return vec![] };
        let history = repo.resolve(rev).and_then(|head| repo.history(head).ok()).unwrap_or_default();
        history
            .into_iter()
            .map(|(oid, c)| CommitInfo {
                id: oid.to_string(),
                title: c.title().to_owned(),
                message: c.body().to_owned(),
                parents: c.parents.iter().map(ToString::to_string).collect(),
                author: c.author,
            })
            .collect()
    }

    /// Returns the content of a file. Size and SHA-256 of a large file are checked.
    ///
    /// # Errors
    /// If there is no such file or its content is not the announced one.
    pub async fn read_file_async(&self, rev: &str, path: &str) -> anyhow::Result<Vec<u8>> {
        self.hub.core.read_file(&*self.get()?, rev, path).await
    }

    /// Returns the content of a file like [`Self::read_file_async`], on a new thread, because the caller may run on a
    /// single-threaded runtime.
    ///
    /// # Errors
    /// If there is no such file or its content is not the announced one.
    pub fn read_file(&self, rev: &str, path: &str) -> anyhow::Result<Vec<u8>> {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(self.read_file_async(rev, path))
                })
                .join()
                .map_err(|_| anyhow::anyhow!("reading failed"))?
        })
    }

    /// Commits as another writer, and returns the new commit id.
    ///
    /// # Errors
    /// If the repository or the branch does not exist.
    pub fn commit_as(
        &self,
        user: &str,
        rev: &str,
        files: &[(&str, &[u8])],
        message: &str,
    ) -> anyhow::Result<String> {
        let repo = self.get()?;
        let mut ops = Vec::new();
        for (path, content) in files {
            let oid = repo.objects.put(Kind::Blob, content)?;
            ops.push(Op::File { path: (*path).to_owned(), oid });
        }
        self.apply(user, rev, message, ops)
    }

    /// Commits an executable mode as another writer, like `git push`, and returns the new commit id.
    ///
    /// # Errors
    /// If the repository, the branch or the file does not exist.
    pub fn make_executable_as(&self, user: &str, rev: &str, path: &str) -> anyhow::Result<String> {
        let ops = vec![Op::Chmod { path: path.to_owned(), mode: 0o100_755 }];
        self.apply(user, rev, &format!("chmod +x {path}"), ops)
    }

    fn apply(&self, author: &str, rev: &str, message: &str, ops: Vec<Op>) -> anyhow::Result<String> {
        let plan = Plan { summary: message.to_owned(), description: String::new(), parent: None, ops };
        let keeps_modes = self.hub.policy.get().commits_keep_modes;
        let target = CommitTarget { rev, author, create_pr: false, keeps_modes };
        let commit = self.hub.commit(&*self.get()?, plan, &target).map_err(HubError::into_anyhow)?;
        Ok(commit.oid.to_string())
    }

    /// Plants the facts of a model.
    pub(super) fn plant(&self, facts: &serde_json::Value) -> anyhow::Result<()> {
        self.get()?.update(|state| {
            state.planted = facts.clone();
            if facts["gated"].is_string() {
                state.gated = facts["gated"].clone();
            }
        })
    }

    /// Adds a trusted publisher: a CI identity with exactly these claims can exchange its token for this repository.
    ///
    /// # Errors
    /// If there is no such repository.
    pub fn add_trusted_publisher(&self, claims: BTreeMap<String, String>) -> anyhow::Result<()> {
        self.get()?.update(|s| s.publishers.push(claims))
    }
}
