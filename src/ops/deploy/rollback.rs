//! The way back: the tree of the previous head, in one commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hub::{CommitId, Lookup, Oid, Operation, RemoteFile, RepoPath, SettingKind};

use super::Deploy;
use super::land::{Change, Landed};
use super::live::Target;
use super::prepare::{self, Message};
use super::unsettled;
use crate::failure::{Code, Failure, Result};
use crate::folder::{FileContent, SourceFile};
use crate::image;
use crate::report::{Landing, Outcome, Status};

impl Deploy<'_> {
    /// Restores the tree that was there before this deploy's commit, and waits until it runs. What cannot
    /// be done is told: the failure that led here stays the failure of the run.
    pub(super) async fn roll_back(&self, target: &Target<'_>) {
        let Some(previous) = target.before.sha.as_deref().filter(|_| !target.created) else {
            return self.log.warning("not rolled back: the Space is new, there is nothing to go back to");
        };
        let Some(receipt) = target.receipt else { return self.roll_back_variables(target).await };
        let mut restored = self.restore(&receipt.oid, previous).await;
        if restored.is_err() {
            unsettled::conclude(self.log, self.ledger).await;
            if let Some(commit) = self.ledger.read(|outcome| outcome.rollback_commit.clone()) {
                restored = Ok(Some(commit));
            }
        }
        // The commit of the run stays the one that failed, also where the way back took several.
        self.ledger.update(|outcome| outcome.commit = Some(receipt.clone()));
        match restored {
            Ok(None) => {
                self.log.warning("not rolled back: somebody else committed after this deploy");
            }
            Ok(Some(commit)) => {
                self.log.info(&format!("rolled back to the tree of {previous}: commit {commit}"));
                self.restore_variables().await;
                self.ledger.update(|outcome| {
                    outcome.status = Some(Status::RolledBack);
                    outcome.rollback_commit = Some(commit.clone());
                });
                let Some(timeout) = self.options.space.wait else { return };
                if let Err(end) = self.wait_for(target, &commit, true, timeout).await {
                    let failure = end.failure;
                    self.log.warning(&format!("the tree is restored, but it does not run: {failure}"));
                }
            }
            Err(failure) => self.log.warning(&format!("the rollback failed: {failure}")),
        }
    }

    /// The way back of a deploy that changed settings only.
    async fn roll_back_variables(&self, target: &Target<'_>) {
        if self.ledger.read(|outcome| outcome.variables_before.is_empty()) {
            return self.log.warning("not rolled back: this deploy changed no file and no variable");
        }
        self.restore_variables().await;
        self.ledger.update(|outcome| outcome.status = Some(Status::RolledBack));
        let Some(timeout) = self.options.space.wait else { return };
        if let Err(end) = self.wait_for(target, target.commit, true, timeout).await {
            let failure = end.failure;
            self.log.warning(&format!("the variables are restored, but the Space does not run: {failure}"));
        }
    }

    /// Takes back the settings of a deploy whose files did not land: the old app is not to run with them.
    pub(super) async fn take_back_settings(&self) {
        let unknown = self.ledger.read(|outcome| outcome.landing == Landing::Unknown);
        if self.ledger.read(Outcome::settings_are_ahead) && !unknown {
            self.restore_variables().await;
        }
    }

    /// Gives the variables the values that they had before this deploy.
    async fn restore_variables(&self) {
        let (variables, secrets) = self.ledger.update(|outcome| {
            let secrets = outcome.written.settings.iter().filter(|setting| setting.is_secret).count();
            (std::mem::take(&mut outcome.variables_before), secrets)
        });
        // A write that got no answer may have changed nothing, and another one would restart the Space.
        let mut now = None;
        if !variables.is_empty() {
            now = self.hub.variables(&self.repo).await.ok();
        }
        for (key, before) in variables {
            if now.as_ref().is_some_and(|now| now.get(&key) == before.as_ref()) {
                continue;
            }
            let result = match &before {
                Some(value) => self.hub.set_variable(&self.repo, &key, value).await,
                None => self.hub.delete_setting(&self.repo, SettingKind::Variable, &key).await,
            };
            match result {
                Ok(()) => self.log.info(&format!("the variable `{key}` is as it was before")),
                Err(error) => {
                    self.log.warning(&format!("the variable `{key}` is not as it was before: {error}"))
                }
            }
        }
        if secrets > 0 {
            self.log
                .warning("the secrets keep the values of this deploy: nobody can read what they were before");
        }
    }

    /// Makes the commit: `None` when the head is no longer ours.
    async fn restore(&self, ours: &str, previous: &str) -> Result<Option<String>> {
        let Lookup::Found(info) = self.hub.look_up(&self.repo, &self.options.revision).await? else {
            return Ok(None);
        };
        if info.sha.as_deref() != Some(ours) {
            return Ok(None);
        }
        let (was, is) = tokio::try_join!(
            self.hub.list_files(&self.repo, previous, None),
            self.hub.list_files(&self.repo, ours, None),
        )?;
        let scratch = image::temporary_folder().map_err(|error| {
            Failure::new(Code::LocalIo, "cannot make a temporary folder").caused_by(error)
        })?;
        let operations = self.way_back(&was, &is, previous, scratch.path()).await?;
        let Message { description, marker, .. } = prepare::commit_message(self.options, &self.repo);
        let change = Change {
            operations: Arc::new(operations),
            message: Message {
                summary: format!("Roll back to {}", previous.get(..7).unwrap_or(previous)),
                description: format!("Rolls back: {ours}\n{description}"),
                marker,
            },
            parent: Some(CommitId::new(ours)),
            create_pr: false,
            is_rollback: true,
            scope: format!("the tree of {previous}"),
            draft: None,
            on_bytes: Arc::new(|_| {}),
        };
        match self.land(change).await? {
            Landed::Yes(receipt) | Landed::Mixed(receipt) => Ok(Some(receipt.oid.to_string())),
            Landed::Overtaken => Ok(None),
        }
    }

    /// What turns the tree that is into the tree that was. Large files are named by their hash: their
    /// content is in the storage.
    async fn way_back(
        &self,
        was: &[RemoteFile],
        is: &[RemoteFile],
        previous: &str,
        scratch: &Path,
    ) -> Result<Vec<Operation>> {
        let by_path = |files: &[RemoteFile]| -> BTreeMap<String, Option<Oid>> {
            files.iter().map(|file| (file.path.clone(), file.oid)).collect()
        };
        let (then, now) = (by_path(was), by_path(is));
        let mut operations = Vec::new();
        for path in now.keys().filter(|path| !then.contains_key(*path)) {
            operations.push(Operation::Delete { path: known(path)? });
        }
        for (index, file) in was.iter().filter(|file| now.get(&file.path) != Some(&file.oid)).enumerate() {
            let path = known(&file.path)?;
            if let Some(sha256) = &file.sha256 {
                operations.push(Operation::LargeFile { path, sha256: *sha256, size: file.size });
                continue;
            }
            let Some(content) = self.hub.read_small_file(&self.repo, previous, &file.path).await? else {
                let message = format!("the Hub no longer has `{path}` of {previous}");
                return Err(Failure::new(Code::HubRefused, message));
            };
            let copy = scratch.join(index.to_string());
            std::fs::write(&copy, &content).map_err(|error| {
                Failure::new(Code::LocalIo, "cannot write to the temporary folder").caused_by(error)
            })?;
            let source = SourceFile {
                path: path.clone(),
                content: FileContent::Disk(copy),
                size: content.len() as u64,
                cache: None,
            };
            operations.push(Operation::File { path, content: Arc::new(source), oid: file.oid });
        }
        Ok(operations)
    }
}

fn known(path: &str) -> Result<RepoPath> {
    path.parse().map_err(|error| {
        Failure::new(Code::InvalidPath, format!("a path on the Hub cannot be committed: `{path}` {error}"))
    })
}
