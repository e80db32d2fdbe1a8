//! The way back to the variables before a deploy, because the old app must not run with the new ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::action::journal::{EndCause, Undo, Undone, Unwinding};
use crate::action::{Log, Recorder};
use crate::failure::deploy_log as advice;
use crate::ops::space::CurrentSettings;
use crate::ops::space::settings::SettingChange;
use hub::{Hub, Repo, SettingKind};

use super::context::Context;
use super::report::DeployReport;

/// Settings that this deploy has written, and their way back.
#[derive(Debug)]
pub(super) struct SettingsUndo {
    restore: Restore,
    undo: Option<Undo>,
}

#[derive(Debug, Clone)]
struct Restore {
    hub: Hub,
    repo: Repo,
    log: Log,
    recorder: Recorder<DeployReport>,
    written: Arc<Mutex<Written>>,
}

#[derive(Debug, Default)]
struct Written {
    /// Variables with their values before: `None` for new ones.
    variables: Vec<(String, Option<String>)>,
    secrets: usize,
}

impl SettingsUndo {
    /// Registers the way back for the case that the files of the deploy do not land.
    pub(super) fn register(context: &Context<'_>) -> Self {
        let restore = Restore {
            hub: context.hub.clone(),
            repo: context.repo.clone(),
            log: context.log.clone(),
            recorder: context.recorder.clone(),
            written: Arc::default(),
        };
        let description = format!("the settings of the {}", context.repo);
        let undo = context.journal.on_early_end(description, {
            let restore = restore.clone();
            move |unwinding| async move { restore.unwind(unwinding).await }
        });
        Self { restore, undo: Some(undo) }
    }

    /// Notes a setting that is about to be written.
    pub(super) fn note(&self, change: &SettingChange, current: &CurrentSettings) {
        let mut written = self.restore.written();
        match change.kind() {
            SettingKind::Variable => {
                let key = change.key();
                written.variables.push((key.to_owned(), current.variables.get(key).cloned()));
            }
            SettingKind::Secret => written.secrets += 1,
        }
    }

    /// Forgets the setting that was noted last, because the Hub has refused it.
    pub(super) fn forget_last(&self, change: &SettingChange) {
        let mut written = self.restore.written();
        match change.kind() {
            SettingKind::Variable => drop(written.variables.pop()),
            SettingKind::Secret => written.secrets -= 1,
        }
    }

    /// Keeps the settings, because the files that belong to them are on the branch. A rollback can still restore them.
    pub(super) fn keep(&mut self) {
        if let Some(undo) = self.undo.take() {
            undo.settle();
        }
    }

    /// Returns true if variables were written.
    pub(super) fn has_variables(&self) -> bool {
        !self.restore.written().variables.is_empty()
    }

    /// Restores the variables.
    pub(super) async fn restore(&self) {
        self.restore.run().await;
    }
}

impl Restore {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn unwind(&self, unwinding: Unwinding) -> Undone {
        let names: Vec<String> = self.written().variables.iter().map(|(key, _)| format!("`{key}`")).collect();
        if unwinding.later_stands || names.is_empty() {
            // The files that belong to the settings are on the branch, or there is nothing to restore.
            return Undone::TakenBack;
        }
        if unwinding.later_is_unknown || unwinding.cause == EndCause::Cancelled {
            return Undone::Left { hint: advice::variables_stay(&names) };
        }
        self.run().await;
        Undone::TakenBack
    }

    async fn run(&self) {
        let Written { variables, secrets } = std::mem::take(&mut *self.written());
        // A write without an answer may have changed nothing, and another one would restart the Space.
        let now = if variables.is_empty() { None } else { self.hub.variables(&self.repo).await.ok() };
        for (key, before) in variables {
            if now.as_ref().is_some_and(|now| now.get(&key) == before.as_ref()) {
                continue;
            }
            let result = match &before {
                Some(value) => self.hub.set_variable(&self.repo, &key, value).await,
                None => self.hub.delete_setting(&self.repo, SettingKind::Variable, &key).await,
            };
            match result {
                Ok(()) => {
                    self.log.info(&format!("restored variable `{key}`"));
                    self.recorder.record(|report| {
                        report.written.settings.retain(|written| written.is_secret || written.key != key);
                    });
                }
                Err(error) => {
                    self.log.warning(&format!("cannot restore variable `{key}`: {error}"));
                }
            }
        }
        if secrets > 0 {
            self.log.warning("the secrets keep the values of this deploy: the values before cannot be read");
        }
    }
}
