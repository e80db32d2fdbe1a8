//! Jobs: containers that run a command on the Hub's hardware.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::call::{Call, Repeat};
use crate::client::Hub;
use crate::error::Error;
use crate::runtime::MountedVolume;
use crate::secret::Secret;
use crate::space_logs::LogBytes;
use crate::types::{JobId, JobStage};

/// Hardware for Jobs, with its price (`GET /api/jobs/hardware`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobHardware {
    /// Name of the flavor, such as `a10g-small`.
    pub name: String,
    /// Name for people.
    pub pretty_name: String,
    /// Processors, such as `4 vCPU`.
    #[serde(default)]
    pub cpu: String,
    /// Memory, such as `15 GB`.
    #[serde(default)]
    pub ram: String,
    /// Disk of the container, such as `50 GB`.
    #[serde(default)]
    pub ephemeral_storage: String,
    /// GPU or another accelerator.
    #[serde(default)]
    pub accelerator: Option<Accelerator>,
    /// Price of a unit of time, in millionths of a US dollar.
    #[serde(rename = "unitCostMicroUSD")]
    pub unit_cost_micro_usd: f64,
    /// Unit of time: `minute`, as far as it is known.
    pub unit_label: String,
}

/// Accelerators of a flavor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Accelerator {
    /// Model, such as `A10G`.
    pub model: String,
    /// Number of them.
    pub quantity: String,
    /// Memory of all of them, such as `24 GB`.
    pub vram: String,
}

impl JobHardware {
    /// Returns the price of a minute in millionths of a US dollar, if the unit is known.
    pub fn micro_usd_per_minute(&self) -> Option<f64> {
        match self.unit_label.as_str() {
            "second" => Some(self.unit_cost_micro_usd * 60.0),
            "minute" => Some(self.unit_cost_micro_usd),
            "hour" => Some(self.unit_cost_micro_usd / 60.0),
            _ => None,
        }
    }
}

/// Image of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobImage {
    /// An image of a registry.
    Docker(String),
    /// The image of a Space, as `namespace/name`.
    Space(String),
}

/// A Job to create (`POST /api/jobs/{namespace}`).
#[derive(Debug, Clone)]
pub struct JobSpec {
    /// Image of the container.
    pub image: JobImage,
    /// Command with its arguments. The entry point of the image is not used.
    pub command: Vec<String>,
    /// Variables of the container.
    pub environment: BTreeMap<String, String>,
    /// Secret variables of the container.
    pub secrets: BTreeMap<String, Secret>,
    /// Name of the hardware.
    pub flavor: String,
    /// Longest time of an attempt.
    pub timeout: Duration,
    /// Number of times that the command may be started.
    pub attempts: u32,
    /// Labels, by which Jobs are found.
    pub labels: BTreeMap<String, String>,
    /// Folders of the Hub that the container mounts.
    pub volumes: Vec<MountedVolume>,
}

impl JobSpec {
    fn to_json(&self) -> Value {
        let secrets: BTreeMap<&str, &str> =
            self.secrets.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        let mut body = json!({
            "command": self.command,
            "arguments": [],
            "environment": self.environment,
            "flavor": self.flavor,
            "timeoutSeconds": self.timeout.as_secs().max(1),
            "attempts": self.attempts,
            "labels": self.labels,
        });
        let (key, image) = match &self.image {
            JobImage::Docker(image) => ("dockerImage", image),
            JobImage::Space(space) => ("spaceId", space),
        };
        body[key] = json!(image);
        if !secrets.is_empty() {
            body["secrets"] = json!(secrets);
        }
        // The Hub refuses an empty list.
        if !self.volumes.is_empty() {
            body["volumes"] = json!(self.volumes);
        }
        body
    }
}

/// A Job as the Hub describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its owner.
    pub owner: JobOwner,
    /// Its state.
    pub status: JobStatus,
    /// Time of its creation (RFC 3339).
    #[serde(default)]
    pub created_at: Option<String>,
    /// Time of its start (RFC 3339); `None` before it.
    #[serde(default)]
    pub started_at: Option<String>,
    /// Name of its hardware.
    #[serde(default)]
    pub flavor: String,
    /// Image of a registry.
    #[serde(default)]
    pub docker_image: Option<String>,
    /// Space whose image it has.
    #[serde(default)]
    pub space_id: Option<String>,
    /// Command with its arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Longest time of an attempt, in seconds.
    #[serde(default)]
    pub timeout: Option<f64>,
    /// Number of attempts after the first one.
    #[serde(default)]
    pub retry: Option<f64>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Folders of the Hub that it mounts.
    #[serde(default)]
    pub volumes: Vec<MountedVolume>,
    /// Its durations.
    #[serde(default)]
    pub durations: JobDurations,
}

/// Owner of a Job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobOwner {
    /// Namespace.
    pub name: String,
}

/// State of a Job.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// Stage.
    pub stage: JobStage,
    /// Message of the Hub about the stage.
    #[serde(default)]
    pub message: Option<String>,
    /// Reason for which the Hub cancelled the Job, such as `NO_CREDITS`.
    #[serde(default)]
    pub cancel_reason: Option<String>,
    /// Number of attempts that failed.
    #[serde(default)]
    pub failure_count: Option<f64>,
}

/// Durations of a Job, in seconds. A missing one has not begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobDurations {
    /// Time before its start.
    pub scheduling_secs: Option<f64>,
    /// Time that it runs or ran.
    pub running_secs: Option<f64>,
    /// Time since its creation.
    pub total_secs: Option<f64>,
}

/// End of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// The command ended with success.
    Completed,
    /// The command failed, or could not be started.
    Failed,
    /// The time of the Job was over.
    TimedOut,
    /// A user or the Hub cancelled the Job.
    Canceled,
    /// The Job was deleted.
    Deleted,
}

/// Words in the message of the stage `ERROR` for a Job whose time was over, in lower case.
const TIMEOUT_WORDS: [&str; 2] = ["job timeout", "timed out"];

impl Job {
    /// Returns the way in which the Job ended. The Hub has no stage of its own for a timeout.
    pub fn end(&self) -> JobEnd {
        let message = self.status.message.as_deref().unwrap_or_default().to_lowercase();
        match self.status.stage {
            JobStage::Completed => JobEnd::Completed,
            JobStage::Canceled => JobEnd::Canceled,
            JobStage::Deleted => JobEnd::Deleted,
            _ if TIMEOUT_WORDS.iter().any(|words| message.contains(words)) => JobEnd::TimedOut,
            _ => JobEnd::Failed,
        }
    }

    /// Returns `namespace/id`, as the official command line names a Job.
    pub fn name(&self) -> String {
        format!("{}/{}", self.owner.name, self.id)
    }
}

impl Hub {
    /// Returns the hardware for Jobs with its prices.
    pub async fn job_hardware(&self) -> Result<Vec<JobHardware>, Error> {
        let operation = "read the prices of Jobs";
        self.call(&Call::new(operation, Method::GET, self.url("/api/jobs/hardware")?)).await?.json(operation)
    }

    /// Creates a Job. After an ambiguous error ([`Error::is_ambiguous`]) it may exist: [`Hub::jobs`] finds it by a label.
    pub async fn create_job(&self, namespace: &str, spec: &JobSpec) -> Result<Job, Error> {
        let operation = format!("create a Job of `{namespace}`");
        let url = self.url(&format!("/api/jobs/{namespace}"))?;
        let mut call = Call::new(&operation, Method::POST, url).json(&spec.to_json());
        call.repeat = Repeat::IfNotApplied;
        self.call(&call).await?.json(&operation)
    }

    /// Returns a Job.
    pub async fn job(&self, namespace: &str, id: &JobId) -> Result<Job, Error> {
        let (operation, call) = self.job_call(namespace, id)?;
        self.call(&call).await?.json(&operation)
    }

    /// Returns a Job, without a retry.
    pub async fn job_once(&self, namespace: &str, id: &JobId) -> Result<Job, Error> {
        let (operation, call) = self.job_call(namespace, id)?;
        self.call_once(&call).await?.json(&operation)
    }

    fn job_call(&self, namespace: &str, id: &JobId) -> Result<(String, Call), Error> {
        let operation = format!("read the Job `{namespace}/{id}`");
        let url = self.url(&format!("/api/jobs/{namespace}/{id}"))?;
        Ok((operation.clone(), Call::new(operation, Method::GET, url)))
    }

    /// Returns up to `limit` Jobs that have all labels and one of the stages, the newest first. No stages are all.
    pub async fn jobs(
        &self,
        namespace: &str,
        labels: &[(&str, &str)],
        stages: &[JobStage],
        limit: usize,
    ) -> Result<Vec<Job>, Error> {
        let operation = format!("list the Jobs of `{namespace}`");
        let mut url = self.url(&format!("/api/jobs/{namespace}"))?;
        let pairs = labels.iter().map(|(key, value)| ("label", format!("{key}={value}")));
        let pairs = pairs.chain(stages.iter().map(|stage| ("stage", stage.as_str().to_owned())));
        // An empty query would leave a `?` at the end.
        let pairs: Vec<(&str, String)> = pairs.collect();
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        let mut jobs: Vec<Job> = Vec::new();
        let mut next: Option<Url> = Some(url);
        while let Some(url) = next.filter(|_| jobs.len() < limit) {
            let answer = self.call(&Call::new(&operation, Method::GET, url.clone())).await?;
            jobs.extend(answer.json::<Vec<Job>>(&operation)?);
            next = self.next_page(&operation, &url, &answer.headers)?;
        }
        jobs.truncate(limit);
        Ok(jobs)
    }

    /// Opens the log of a Job: each connection starts from its beginning, or with its last `tail` lines.
    ///
    /// A connection with `tail` cannot be continued by another one, because the lines have no numbers.
    pub async fn open_job_log(
        &self,
        namespace: &str,
        id: &JobId,
        tail: Option<u64>,
    ) -> Result<LogBytes, Error> {
        let operation = format!("read the log of the Job `{namespace}/{id}`");
        let query = tail.map(|lines| format!("?tail={lines}")).unwrap_or_default();
        let url = self.url(&format!("/api/jobs/{namespace}/{id}/logs{query}"))?;
        self.open_stream(&Call::new(operation, Method::GET, url)).await.map(LogBytes::new)
    }

    /// Cancels a Job. One that has ended stays as it is.
    pub async fn cancel_job(&self, namespace: &str, id: &JobId) -> Result<Job, Error> {
        let operation = format!("cancel the Job `{namespace}/{id}`");
        let url = self.url(&format!("/api/jobs/{namespace}/{id}/cancel"))?;
        self.call(&Call::new(&operation, Method::POST, url)).await?.json(&operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> JobSpec {
        JobSpec {
            image: JobImage::Docker("python:3.12".to_owned()),
            command: vec!["true".to_owned()],
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            flavor: "cpu-basic".to_owned(),
            timeout: Duration::from_secs(90),
            attempts: 1,
            labels: BTreeMap::new(),
            volumes: Vec::new(),
        }
    }

    #[test]
    fn empty_lists_are_left_out_of_a_new_job() {
        let body = spec().to_json();
        assert_eq!((&body["dockerImage"], &body["timeoutSeconds"]), (&json!("python:3.12"), &json!(90)));
        assert!(body.get("volumes").is_none() && body.get("secrets").is_none());
        let space = JobSpec { image: JobImage::Space("ada/app".to_owned()), ..spec() }.to_json();
        assert_eq!(space["spaceId"], json!("ada/app"));
        assert!(space.get("dockerImage").is_none());
    }

    #[test]
    fn prices_are_converted_to_a_minute() {
        let price = |unit_label: &str| {
            let row = json!({
                "name": "t4-small", "prettyName": "T4", "unitCostMicroUSD": 600, "unitLabel": unit_label,
            });
            serde_json::from_value::<JobHardware>(row).unwrap().micro_usd_per_minute()
        };
        assert_eq!(price("minute"), Some(600.0));
        assert_eq!(price("hour"), Some(10.0));
        assert_eq!(price("fortnight"), None);
    }
}
