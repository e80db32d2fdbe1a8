//! A Space's runtime: secrets, variables, hardware and a small machine of stages.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::objects::Oid;
use crate::util::{iso, now_ms};

/// Which commit a stage reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageSha {
    /// None at all.
    None,
    /// The commit that ran before this build, if there was one.
    Previous,
    /// The commit being built.
    Head,
}

/// One step of a build: from `after` its start on, the runtime reports this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStep {
    /// Time since the build started.
    pub after: Duration,
    /// Stage name; `BUILDING` and `APP_STARTING` become `RUNNING_…` while an older build serves.
    pub stage: String,
    /// Commit shown as `sha`.
    pub sha: StageSha,
    /// Shown as `errorMessage`.
    pub error_message: Option<String>,
}

impl StageStep {
    /// A step without an error message; only `RUNNING` reports the new commit.
    #[must_use]
    pub fn new(after: Duration, stage: &str) -> Self {
        let sha = if stage == "RUNNING" { StageSha::Head } else { StageSha::Previous };
        Self { after, stage: stage.to_owned(), sha, error_message: None }
    }
}

/// A secret or a variable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) updated_ms: u64,
}

/// Everything a Space has beside its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SpaceState {
    /// `gradio`, `docker` or `static`.
    pub(crate) sdk: String,
    pub(crate) subdomain: String,
    pub(crate) hardware: Option<String>,
    pub(crate) sleep_time: Option<i64>,
    pub(crate) secrets: BTreeMap<String, Setting>,
    pub(crate) variables: BTreeMap<String, Setting>,
    pub(crate) volumes: Vec<Value>,
    pub(crate) dev_mode: bool,
    pub(crate) paused: bool,
    /// Whether the files are enough to build (`app.py`, `Dockerfile`).
    pub(crate) has_app: bool,
    pub(crate) started_ms: u64,
    pub(crate) target: Option<Oid>,
    pub(crate) previous: Option<Oid>,
    /// How builds go; empty means: running at once.
    pub(crate) script: Vec<StageStep>,
    /// Lines of `logs/build` and `logs/run`: milliseconds and text.
    pub(crate) logs: BTreeMap<String, Vec<(u64, String)>>,
    /// How often the Space was restarted or rebuilt.
    pub(crate) builds: u64,
}

impl SpaceState {
    pub(crate) fn new(sdk: &str, subdomain: String) -> Self {
        Self {
            sdk: sdk.to_owned(),
            subdomain,
            hardware: None,
            sleep_time: None,
            secrets: BTreeMap::new(),
            variables: BTreeMap::new(),
            volumes: vec![],
            dev_mode: false,
            paused: false,
            has_app: false,
            started_ms: now_ms(),
            target: None,
            previous: None,
            script: vec![],
            logs: BTreeMap::new(),
            builds: 0,
        }
    }

    pub(crate) fn is_static(&self) -> bool {
        self.sdk == "static"
    }

    /// Origin of the app, without a trailing slash.
    pub(crate) fn host(&self) -> String {
        format!("https://{}", self.domain())
    }

    fn domain(&self) -> String {
        format!("{}{}.hf.space", self.subdomain, if self.is_static() { ".static" } else { "" })
    }

    fn step(&self) -> StageStep {
        let elapsed = Duration::from_millis(now_ms().saturating_sub(self.started_ms));
        let running = StageStep::new(Duration::ZERO, "RUNNING");
        if self.script.is_empty() {
            return running;
        }
        self.script
            .iter()
            .rfind(|s| s.after <= elapsed)
            .cloned()
            .unwrap_or_else(|| StageStep::new(Duration::ZERO, "BUILDING"))
    }

    /// Starts a build of `head` (a push, a restart, a changed secret).
    pub(crate) fn rebuild(&mut self, head: Oid, has_app: bool) {
        let step = self.step();
        if self.has_app && !self.paused && step.stage == "RUNNING" && step.sha == StageSha::Head {
            self.previous = self.target;
        }
        if self.paused {
            self.previous = None;
        }
        self.has_app = has_app;
        self.paused = false;
        self.target = Some(head);
        self.started_ms = now_ms();
        self.builds += 1;
    }

    fn collides(&self) -> bool {
        self.secrets.keys().any(|k| self.variables.contains_key(k))
    }

    /// The runtime object (`GET /api/spaces/{id}/runtime`).
    pub(crate) fn runtime(&self) -> Value {
        if self.is_static() {
            return json!({
                "stage": "RUNNING",
                "hardware": {"current": null, "requested": null},
                "storage": null,
                "replicas": {"requested": 1, "current": 1},
            });
        }
        let step = self.step();
        let mut sha = match step.sha {
            StageSha::None => None,
            StageSha::Previous => self.previous,
            StageSha::Head => self.target,
        };
        let mut error = step.error_message;
        let mut stage = step.stage;
        if self.previous.is_some() && (stage == "BUILDING" || stage == "APP_STARTING") {
            stage = format!("RUNNING_{stage}");
        }
        if !self.has_app {
            (stage, sha) = ("NO_APP_FILE".into(), None);
        } else if self.paused {
            (stage, sha) = ("PAUSED".into(), None);
        } else if self.collides() {
            (stage, sha) = ("CONFIG_ERROR".into(), None);
            error = Some("Collision on variables and secrets names".into());
        }
        let requested = self.hardware.as_deref().unwrap_or("cpu-basic");
        let live = stage.starts_with("RUNNING");
        let mut out = json!({
            "stage": stage,
            "hardware": {"current": if live { json!(requested) } else { Value::Null }, "requested": requested},
            "storage": null,
            "gcTimeout": self.sleep_time.unwrap_or(172_800),
            "replicas": if live { json!({"requested": 1, "current": 1}) } else { json!({"requested": 1}) },
            "devMode": self.dev_mode,
            "domains": [{"domain": self.domain(), "stage": "READY"}],
        });
        if let Some(sha) = sha {
            out["sha"] = json!(sha.to_string());
        }
        if let Some(error) = error {
            out["errorMessage"] = json!(error);
        }
        if !self.volumes.is_empty() {
            out["volumes"] = json!(self.volumes);
        }
        out
    }
}

/// A map of settings as the Hub lists it. Values are shown for variables only; `keys` repeats each name in its row,
/// as the document says for `GET` (recorded answers of `POST` and `DELETE` do without).
pub(crate) fn listing(settings: &BTreeMap<String, Setting>, values: bool, keys: bool) -> Value {
    let rows = settings.iter().map(|(key, s)| {
        let mut row = json!({"updatedAt": iso(s.updated_ms)});
        if values {
            row["value"] = json!(s.value);
        }
        if keys {
            row["key"] = json!(key);
        }
        if let Some(text) = &s.description {
            row["description"] = json!(text);
        }
        (key.clone(), row)
    });
    Value::Object(rows.collect())
}
