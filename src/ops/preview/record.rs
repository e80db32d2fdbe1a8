//! The deployment of a run on GitHub: from `in_progress` to `success`, `failure` or `inactive`.

use std::sync::{Arc, OnceLock};

use hub::Repo;

use super::connection::Connection;
use super::deployments::{deactivate, task};
use crate::action::Recorder;
use crate::github::{Deployment, DeploymentState, Error, NewDeployment, NewStatus, Permission};
use crate::ops::deploy::DeployReport;

/// A deployment that a run makes.
#[derive(Debug, Clone)]
pub struct RecordOptions {
    pub environment: String,
    /// Commit on GitHub, in hexadecimal.
    pub commit: String,
    /// True for an environment that ends, as a preview does.
    pub is_transient: bool,
    /// Page of the workflow run.
    pub run_url: Option<String>,
}

/// The deployment of a run. Copies share it.
#[derive(Debug, Clone)]
pub struct Record {
    connection: Connection,
    options: RecordOptions,
    /// The repo on the Hub that is deployed.
    repo: Repo,
    id: Arc<OnceLock<u64>>,
}

impl Record {
    pub fn new(connection: Connection, options: RecordOptions, repo: Repo) -> Self {
        Self { connection, options, repo, id: Arc::default() }
    }

    /// Creates the deployment, and records its id. Earlier ones of an environment that ends, end at once.
    pub async fn start(&self, recorder: &Recorder<DeployReport>) {
        if self.connection.lacks(Permission::Deployments) {
            return;
        }
        let Some(deployment) = self.connection.note(self.create().await) else { return };
        let id = *self.id.get_or_init(|| deployment.id);
        recorder.record(|report| report.preview.deployment_id = Some(id));
        self.set(DeploymentState::InProgress, "the deploy has begun", None).await;
        if self.options.is_transient {
            self.end_earlier().await;
        }
    }

    /// Ends the deployment of a run that is cancelled.
    pub async fn cancel(&self) {
        self.set(DeploymentState::Inactive, "the run was cancelled", None).await;
    }

    /// Ends the earlier deployments of this repo, if there is one now.
    pub async fn end_earlier(&self) {
        let Some(id) = self.id.get().copied() else { return };
        let environment = &self.options.environment;
        let replaced = deactivate(
            &self.connection.github,
            environment,
            &self.repo,
            Some(id),
            "replaced by a later deploy",
        )
        .await;
        self.connection.note(replaced);
    }

    /// Adds a status, if there is a deployment.
    pub async fn set(&self, state: DeploymentState, description: &str, url: Option<&str>) {
        let Some(id) = self.id.get() else { return };
        let status = NewStatus {
            state,
            description: description.to_owned(),
            environment_url: url.map(str::to_owned),
            log_url: self.options.run_url.clone(),
        };
        let mut set = self.connection.github.set_deployment_status(*id, &status).await;
        // The same status twice does no harm.
        if set.as_ref().is_err_and(Error::is_ambiguous) {
            set = self.connection.github.set_deployment_status(*id, &status).await;
        }
        self.connection.note(set);
    }

    /// Ends all deployments of this repo.
    pub async fn end_all(&self, description: &str) {
        if self.connection.lacks(Permission::Deployments) {
            return;
        }
        let ended =
            deactivate(&self.connection.github, &self.options.environment, &self.repo, None, description)
                .await;
        self.connection.note(ended);
    }

    async fn create(&self) -> Result<Deployment, Error> {
        let RecordOptions { environment, commit, is_transient, .. } = &self.options;
        let new = NewDeployment {
            commit: commit.clone(),
            environment: environment.clone(),
            description: self.repo.id.to_string(),
            task: task(&self.repo),
            is_transient: *is_transient,
            is_production: environment == "production",
        };
        match self.connection.github.create_deployment(&new).await {
            // GitHub may have created it before the answer was lost.
            Err(error) if error.is_ambiguous() => match self.find_fresh(&new).await? {
                Some(found) => Ok(found),
                None => self.connection.github.create_deployment(&new).await,
            },
            created => created,
        }
    }

    /// Returns the newest deployment, if it is of this commit and has no status yet.
    async fn find_fresh(&self, new: &NewDeployment) -> Result<Option<Deployment>, Error> {
        let newest = self
            .connection
            .github
            .list_deployments(&new.environment, Some(&new.task))
            .await?
            .into_iter()
            .next();
        let Some(newest) = newest.filter(|newest| newest.sha == new.commit) else { return Ok(None) };
        let state = self.connection.github.deployment_state(newest.id).await?;
        Ok(state.is_none().then_some(newest))
    }
}
