//! Runtime of a Space: stage, hardware, sleep time and volumes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::stage::Stage;
use crate::types::{CommitId, Flavor, Volume};

/// Runtime of a Space (`GET /api/spaces/{id}/runtime`). It is part of the Space's repo info too, and the answer to each
/// change of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Runtime {
    /// Stage of the Space.
    #[serde(deserialize_with = "or_default")]
    pub stage: Stage,
    /// Commit whose image runs; `None` for static Spaces, and while nothing runs.
    pub sha: Option<CommitId>,
    /// Message of an error stage.
    pub error_message: Option<String>,
    /// Hardware of the Space.
    #[serde(deserialize_with = "or_default")]
    pub hardware: Hardware,
    /// Idle time before the Space sleeps, in seconds; `None` or negative for never.
    pub gc_timeout: Option<i64>,
    /// Mounted volumes.
    #[serde(deserialize_with = "or_default")]
    pub volumes: Vec<MountedVolume>,
    /// True in dev mode, which keeps the container: a commit is not built.
    #[serde(deserialize_with = "or_default")]
    pub dev_mode: bool,
}

/// Takes `null` for the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Hardware of a Space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Hardware that it runs on now; `None` while it is built.
    pub current: Option<HardwareName>,
    /// Hardware that was requested last; `None` for static Spaces.
    pub requested: Option<HardwareName>,
}

/// The Hub's name of hardware.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum HardwareName {
    /// Hardware that this crate knows.
    Known(Flavor),
    /// Hardware that this crate does not know.
    Unknown(String),
}

impl From<String> for HardwareName {
    fn from(text: String) -> Self {
        match text.parse() {
            Ok(flavor) => Self::Known(flavor),
            Err(_) => Self::Unknown(text),
        }
    }
}

impl HardwareName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(flavor) => flavor.as_str(),
            Self::Unknown(text) => text,
        }
    }

    /// Returns true if this is the name of `flavor`.
    pub fn is(&self, flavor: Flavor) -> bool {
        flavor.is(self.as_str())
    }
}

impl fmt::Display for HardwareName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Runtime {
    /// Returns the hardware that the Space will run on, if it runs on any.
    pub fn flavor(&self) -> Option<&HardwareName> {
        self.hardware.requested.as_ref().or(self.hardware.current.as_ref())
    }
}

/// A mounted volume (`PUT …/volumes`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountedVolume {
    /// Kind of the source: `bucket`, `model`, `dataset` or `space`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `namespace/name` of the source.
    pub source: String,
    /// Absolute path inside the container.
    pub mount_path: String,
    /// Revision of a repo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// True if the app cannot write to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Folder inside the source; `None` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl From<&Volume> for MountedVolume {
    fn from(volume: &Volume) -> Self {
        Self {
            kind: volume.kind.as_str().to_owned(),
            source: volume.source.clone(),
            mount_path: volume.mount.clone(),
            revision: volume.revision.clone(),
            read_only: Some(volume.read_only),
            path: volume.path.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Runtime {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_running_space_has_a_stage_and_a_commit() {
        let gradio = read(
            r#"{"stage":"RUNNING","hardware":{"current":"cpu-basic","requested":"cpu-basic"},"storage":null,
                "gcTimeout":172800,"replicas":{"current":1,"requested":1},"devMode":false,"sha":"abc",
                "domains":[{"domain":"x.hf.space","stage":"READY"}]}"#,
        );
        assert_eq!((gradio.stage, gradio.sha.as_deref()), (Stage::Running, Some("abc")));
    }

    #[test]
    fn a_static_space_has_no_commit_and_no_hardware() {
        let fixed = read(
            r#"{"stage":"RUNNING","hardware":{"current":null,"requested":null},"storage":null,"volumes":null}"#,
        );
        assert_eq!((fixed.sha.as_deref(), fixed.flavor()), (None, None));
        assert_eq!(read(r#"{"hardware":null}"#), Runtime::default());
    }

    #[test]
    fn a_space_that_is_built_has_requested_hardware() {
        let building = read(
            r#"{"stage":"BUILDING","hardware":{"current":null,"requested":"t4-small"},"gcTimeout":-1,
            "volumes":[{"type":"bucket","source":"a/b","mountPath":"/data","readOnly":false}]}"#,
        );
        assert_eq!(building.flavor(), Some(&HardwareName::Known("t4-small".parse().unwrap())));
        assert_eq!(building.gc_timeout, Some(-1));
        assert_eq!(building.volumes, [MountedVolume::from(&"bucket:a/b:/data".parse().unwrap())]);
    }

    #[test]
    fn unknown_hardware_keeps_its_name() {
        let runtime = read(r#"{"stage":"RUNNING","hardware":{"current":"quantum-x1"}}"#);
        assert_eq!(runtime.flavor().map(HardwareName::as_str), Some("quantum-x1"));
    }
}
