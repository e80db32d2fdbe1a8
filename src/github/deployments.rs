//! Deployments, which GitHub shows on pull requests and on the page of a repository.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::client::{Github, Operation};
use super::error::{Error, Permission};

/// Most characters that GitHub takes as the description of a status.
const MAX_DESCRIPTION: usize = 140;

/// A deployment to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewDeployment {
    /// Commit on GitHub, in hexadecimal.
    #[serde(rename = "ref")]
    pub commit: String,
    pub environment: String,
    pub description: String,
    /// Name of the deployed object, by which later runs find it.
    pub task: String,
    #[serde(rename = "transient_environment")]
    pub is_transient: bool,
    #[serde(rename = "production_environment")]
    pub is_production: bool,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deployment {
    pub id: u64,
    pub sha: String,
    pub environment: String,
    pub task: String,
    /// RFC 3339.
    pub created_at: String,
}

/// State of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    InProgress,
    Success,
    Failure,
    /// The deployed object is gone, or replaced by a later one.
    Inactive,
}

/// A status to add to a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    pub state: DeploymentState,
    pub description: String,
    /// Address of the deployed app; `None` where there is none yet.
    pub environment_url: Option<String>,
    /// Page of the workflow run.
    pub log_url: Option<String>,
}

impl Github {
    /// Creates a deployment. Neither checks nor merges are asked for, because the workflow run is a check itself.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn create_deployment(&self, new: &NewDeployment) -> Result<Deployment, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(flatten)]
            new: &'a NewDeployment,
            auto_merge: bool,
            required_contexts: [&'a str; 0],
        }
        let name = format!("create a deployment to the environment `{}`", new.environment);
        let operation = Operation::get(name, Permission::Deployments, "/deployments".to_owned());
        let body = Body { new, auto_merge: false, required_contexts: [] };
        self.call(&operation.write(Method::POST, &body)).await
    }

    /// Returns the last 100 deployments to an environment, or those of one task, the newest first.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn list_deployments(
        &self,
        environment: &str,
        task: Option<&str>,
    ) -> Result<Vec<Deployment>, Error> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("environment", environment)
            .extend_pairs(task.map(|task| ("task", task)))
            .append_pair("per_page", "100")
            .finish();
        let name = format!("list the deployments to the environment `{environment}`");
        self.call(&Operation::get(name, Permission::Deployments, format!("/deployments?{query}"))).await
    }

    /// Returns the last state of a deployment: `None` before the first, and for a state that this program never sets.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn deployment_state(&self, id: u64) -> Result<Option<DeploymentState>, Error> {
        #[derive(Deserialize)]
        struct Row {
            state: serde_json::Value,
        }
        let path = format!("/deployments/{id}/statuses?per_page=1");
        let operation = Operation::get("read the state of the deployment", Permission::Deployments, path);
        let rows: Vec<Row> = self.call(&operation).await?;
        Ok(rows.into_iter().next().and_then(|row| serde_json::from_value(row.state).ok()))
    }

    /// Adds a status to a deployment.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn set_deployment_status(&self, id: u64, status: &NewStatus) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            state: DeploymentState,
            description: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            environment_url: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            log_url: Option<&'a str>,
        }
        let body = Body {
            state: status.state,
            description: shortened(&status.description),
            environment_url: status.environment_url.as_deref(),
            log_url: status.log_url.as_deref(),
        };
        let path = format!("/deployments/{id}/statuses");
        let operation = Operation::get("set the state of the deployment", Permission::Deployments, path);
        let _: serde_json::Value = self.call(&operation.write(Method::POST, &body)).await?;
        Ok(())
    }
}

/// Cuts a description to the length that GitHub takes.
fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_DESCRIPTION {
        return text.to_owned();
    }
    text.chars().take(MAX_DESCRIPTION - 1).chain(['…']).collect()
}
