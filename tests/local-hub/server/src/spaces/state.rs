//! The state of a Space: secrets, variables, hardware and stages.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::core::objects::Oid;
use crate::http::answer::HubError;
use crate::spaces::logs::{Log, LogRows};
use crate::spaces::script::{BuildCause, BuildScript, Live, Reported, StageSha, StageStep};
use crate::util::{iso, now_ms};

/// A secret or a variable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) updated_ms: u64,
    /// Place in the order of creation.
    #[serde(default)]
    pub(crate) made: u64,
}

/// State of a Space, as stored in its `space.json`.
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
    /// True if the files are enough for a build (`app.py`, `Dockerfile`).
    pub(crate) has_app: bool,
    pub(crate) started_ms: u64,
    pub(crate) target: Option<Oid>,
    pub(crate) previous: Option<Oid>,
    /// Steps of builds without their own script. Empty means `BUILDING` for a fixed time, then `RUNNING`.
    pub(crate) script: Vec<StageStep>,
    /// Scripts of single builds, in their order.
    #[serde(default)]
    pub(crate) queue: Vec<BuildScript>,
    /// Script of the current build.
    #[serde(default)]
    pub(crate) playing: Vec<StageStep>,
    /// Lines of `logs/build` and `logs/run`.
    pub(crate) logs: BTreeMap<Log, LogRows>,
    /// Number of restarts and builds.
    pub(crate) builds: u64,
    /// True if the Space sleeps.
    #[serde(default)]
    pub(crate) asleep: bool,
    /// Error of the card.
    #[serde(default)]
    pub(crate) config_error: Option<String>,
    /// Time after the start of the build during which the old commit is reported as running.
    #[serde(default)]
    pub(crate) stale_ms: u64,
    /// Duration of a build without a script and without an app.
    #[serde(default)]
    pub(crate) build_ms: u64,
    /// Stage of a running build.
    #[serde(skip)]
    pub(crate) live: Option<Live>,
    /// Origin of the app at the edge.
    #[serde(skip)]
    pub(crate) edge: Option<String>,
}

/// Times of a build without a script.
pub(crate) struct BuildTimes {
    /// Time during which the old commit is still reported as running.
    pub(crate) stale: Duration,
    /// Duration of the build.
    pub(crate) build: Duration,
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
            queue: vec![],
            playing: vec![],
            logs: BTreeMap::new(),
            builds: 0,
            asleep: false,
            config_error: None,
            stale_ms: 0,
            build_ms: 0,
            live: None,
            edge: None,
        }
    }

    pub(crate) fn is_static(&self) -> bool {
        self.sdk == "static"
    }

    /// Returns the origin of the app, without a trailing slash.
    pub(crate) fn host(&self) -> String {
        self.edge.clone().unwrap_or_else(|| format!("https://{}", self.domain()))
    }

    /// Returns the app's name below `hf.space`.
    pub(crate) fn domain(&self) -> String {
        format!("{}{}.hf.space", self.subdomain, if self.is_static() { ".static" } else { "" })
    }

    fn elapsed(&self) -> u64 {
        now_ms().saturating_sub(self.started_ms)
    }

    /// Returns the current step of the script; `None` without a script.
    fn step(&self) -> Option<StageStep> {
        let elapsed = Duration::from_millis(self.elapsed());
        if self.playing.is_empty() {
            return None;
        }
        let found = self.playing.iter().rfind(|s| s.after <= elapsed).cloned();
        Some(found.unwrap_or_else(|| StageStep::new(Duration::ZERO, "BUILDING")))
    }

    /// Returns the current stage. States set by the owner or the files come first, then a script, then the running
    /// build. Without any of them a build takes a fixed time.
    pub(crate) fn reported(&self) -> Reported {
        if !self.has_app {
            return Reported::bare("NO_APP_FILE");
        }
        if self.paused {
            return Reported::bare("PAUSED");
        }
        if let Some(error) = self.config_fault() {
            return Reported { error: Some(error), ..Reported::bare("CONFIG_ERROR") };
        }
        if self.asleep {
            return Reported::bare("SLEEPING");
        }
        if self.previous.is_some() && self.elapsed() < self.stale_ms {
            return Reported { sha: self.previous, ..Reported::bare("RUNNING") };
        }
        let mut out = if let Some(step) = self.step() {
            let sha = match step.sha {
                StageSha::None => None,
                StageSha::Previous => self.previous,
                StageSha::Head => self.target,
            };
            Reported { stage: step.stage, sha, error: step.error_message }
        } else if let Some(live) = &self.live {
            Reported { stage: live.stage.to_owned(), sha: live.sha, error: live.error.clone() }
        } else if self.elapsed() < self.build_ms {
            Reported { sha: self.previous, ..Reported::bare("BUILDING") }
        } else {
            Reported { sha: self.target, ..Reported::bare("RUNNING") }
        };
        if self.previous.is_some() && (out.stage == "BUILDING" || out.stage == "APP_STARTING") {
            out.stage = format!("RUNNING_{}", out.stage);
        }
        out
    }

    /// Starts a build of `head` (a push, a restart, a changed secret).
    pub(crate) fn rebuild(&mut self, head: Oid, has_app: bool, cause: BuildCause, times: &BuildTimes) {
        let now = self.reported();
        self.previous = match (cause, now.stage.as_str()) {
            // A factory restart deletes the image.
            (BuildCause::FactoryRestart, _) => None,
            (_, "RUNNING") => now.sha,
            (_, "RUNNING_BUILDING" | "RUNNING_APP_STARTING" | "BUILDING" | "APP_STARTING") => self.previous,
            _ => None,
        };
        self.has_app = has_app;
        self.paused = false;
        self.asleep = false;
        self.live = None;
        self.target = Some(head);
        self.started_ms = now_ms();
        self.builds += 1;
        self.logs.values_mut().for_each(LogRows::free);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.stale_ms = if cause == BuildCause::Commit { millis(times.stale) } else { 0 };
        // A static Space has no build, and a sleeping one was built before.
        self.build_ms = if self.is_static() || cause == BuildCause::Wake { 0 } else { millis(times.build) };
        // A build that fails before its start takes no script from the queue.
        let free = has_app && self.config_fault().is_none();
        let next = self.queue.iter().position(|s| s.cause.is_none_or(|c| c == cause)).filter(|_| free);
        self.playing = match next.map(|at| self.queue.remove(at)) {
            Some(script) => {
                self.plan_log(Log::Build, &script.build_log);
                self.plan_log(Log::Run, &script.run_log);
                script.steps
            }
            // The script that put the Space to sleep must not do so again at once.
            None if cause == BuildCause::Wake => vec![],
            None => self.script.clone(),
        };
    }

    /// Replaces a log by lines that appear during the build. Without lines the app writes the log.
    fn plan_log(&mut self, log: Log, lines: &[(Duration, String)]) {
        let start = self.started_ms;
        if !lines.is_empty() {
            let at = |after: Duration| start + u64::try_from(after.as_millis()).unwrap_or(0);
            let lines = lines.iter().map(|(after, line)| (at(*after), line.clone()));
            self.logs.entry(log).or_default().script(lines);
        }
    }

    /// Returns the error of the configuration: the card, or a name that is both a variable and a secret.
    pub(crate) fn config_fault(&self) -> Option<String> {
        if self.secrets.keys().any(|k| self.variables.contains_key(k)) {
            return Some("Collision on variables and secrets names".into());
        }
        self.config_error.clone()
    }

    /// Returns the runtime object (`GET /api/spaces/{id}/runtime`). A static Space names no commit and no hardware.
    pub(crate) fn runtime(&self) -> Value {
        let Reported { stage, sha, error } = self.reported();
        if self.is_static() {
            let mut out = json!({
                "stage": stage,
                "hardware": {"current": null, "requested": null},
                "storage": null,
                "replicas": {"requested": 1, "current": 1},
            });
            if let Some(error) = error {
                out["errorMessage"] = json!(error);
            }
            return out;
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

/// Returns a JSON map of settings, in the order of their creation. Only variables have values. Each row repeats its
/// name, like in the document; older recorded responses do not.
pub(crate) fn listing(settings: &BTreeMap<String, Setting>, values: bool) -> String {
    let mut sorted: Vec<(&String, &Setting)> = settings.iter().collect();
    sorted.sort_by_key(|(_, setting)| setting.made);
    let rows = sorted.into_iter().map(|(key, s)| {
        let mut row = json!({"key": key, "updatedAt": iso(s.updated_ms)});
        if values {
            row["value"] = json!(s.value);
        }
        if let Some(text) = &s.description {
            row["description"] = json!(text);
        }
        format!("{}:{row}", json!(key))
    });
    format!("{{{}}}", rows.collect::<Vec<_>>().join(","))
}

/// Checks a key of a secret or variable: `^[a-zA-Z][_a-zA-Z0-9]*$`.
pub(crate) fn check_key(key: &str) -> Result<(), HubError> {
    let first = key.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if first && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(())
    } else {
        Err(HubError::bad_request(format!("Invalid key \"{key}\": must match ^[a-zA-Z][_a-zA-Z0-9]*$")))
    }
}
