//! What a Space has beside its files: variables, secrets, hardware, sleep time, volumes.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::secret::Secret;
use crate::types::{Flavor, Repo, SleepTime, Volume};

/// What a Space runs on, as the Hub says with the Space itself, with its runtime, and after each change
/// of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Machine {
    #[serde(deserialize_with = "or_default")]
    pub hardware: MachineHardware,
    /// Seconds of idling until it sleeps; below zero, or absent, is never.
    pub gc_timeout: Option<i64>,
    #[serde(deserialize_with = "or_default")]
    pub volumes: Vec<MountedVolume>,
}

/// Takes `null` for what is missing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MachineHardware {
    /// What it runs on now: nothing while it is built.
    pub current: Option<String>,
    /// What was asked for last: nothing for static Spaces.
    pub requested: Option<String>,
}

impl Machine {
    /// What the Space will run on, if it runs on anything.
    pub fn flavor(&self) -> Option<&str> {
        self.hardware.requested.as_deref().or(self.hardware.current.as_deref())
    }
}

/// A mounted volume, as the Hub writes it (`PUT …/volumes`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountedVolume {
    #[serde(rename = "type")]
    pub kind: String,
    pub source: String,
    pub mount_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl From<&Volume> for MountedVolume {
    fn from(volume: &Volume) -> Self {
        Self {
            kind: volume.kind.as_str().to_owned(),
            source: volume.source.clone(),
            mount_path: volume.mount.clone(),
            revision: None,
            read_only: Some(volume.read_only),
            path: volume.path.clone(),
        }
    }
}

/// What a flavor costs (`GET /api/spaces/hardware`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    pub name: String,
    #[serde(rename = "unitCostUSD")]
    pub unit_cost_usd: f64,
    /// `minute`, as far as is known.
    pub unit_label: String,
}

impl Price {
    /// The price of an hour in US dollars, if the unit is a known one.
    pub fn per_hour(&self) -> Option<f64> {
        match self.unit_label.as_str() {
            "second" => Some(self.unit_cost_usd * 3600.0),
            "minute" => Some(self.unit_cost_usd * 60.0),
            "hour" => Some(self.unit_cost_usd),
            _ => None,
        }
    }
}

/// The two kinds of settings. A name can only be one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    Variable,
    Secret,
}

impl SettingKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Variable => "variable",
            Self::Secret => "secret",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Variable => "variables",
            Self::Secret => "secrets",
        }
    }
}

#[derive(Deserialize)]
struct VariableRow {
    #[serde(default)]
    value: String,
}

impl Hub {
    /// The variables of a Space with their values, by name.
    pub async fn variables(&self, space: &Repo) -> Result<BTreeMap<String, String>, Error> {
        let rows: BTreeMap<String, VariableRow> = self.list_settings(space, SettingKind::Variable).await?;
        Ok(rows.into_iter().map(|(key, row)| (key, row.value)).collect())
    }

    /// The names of the secrets of a Space. Nobody can read their values.
    pub async fn secret_names(&self, space: &Repo) -> Result<Vec<String>, Error> {
        let rows: BTreeMap<String, Value> = self.list_settings(space, SettingKind::Secret).await?;
        Ok(rows.into_keys().collect())
    }

    async fn list_settings<T: serde::de::DeserializeOwned>(
        &self,
        space: &Repo,
        kind: SettingKind,
    ) -> Result<T, Error> {
        let operation = format!("read the {} of the {space}", kind.plural());
        let url = self.url(&format!("{}/{}", space.api(), kind.plural()))?;
        self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)
    }

    pub async fn set_variable(&self, space: &Repo, key: &str, value: &str) -> Result<(), Error> {
        self.set_setting(space, SettingKind::Variable, key, value).await
    }

    pub async fn set_secret(&self, space: &Repo, key: &str, value: &Secret) -> Result<(), Error> {
        self.set_setting(space, SettingKind::Secret, key, value.expose()).await
    }

    async fn set_setting(
        &self,
        space: &Repo,
        kind: SettingKind,
        key: &str,
        value: &str,
    ) -> Result<(), Error> {
        let operation = format!("set the {} `{key}` of the {space}", kind.as_str());
        let url = self.url(&format!("{}/{}", space.api(), kind.plural()))?;
        let body = json!({ "key": key, "value": value });
        self.call(&Call::new(operation, Method::POST, url).json(&body)).await?;
        Ok(())
    }

    /// Deletes a variable or a secret. One that is not there is no fault.
    pub async fn delete_setting(&self, space: &Repo, kind: SettingKind, key: &str) -> Result<(), Error> {
        let operation = format!("delete the {} `{key}` of the {space}", kind.as_str());
        let url = self.url(&format!("{}/{}", space.api(), kind.plural()))?;
        self.call(&Call::new(operation, Method::DELETE, url).json(&json!({ "key": key }))).await?;
        Ok(())
    }

    /// What a Space runs on (`GET …/runtime`).
    pub async fn machine(&self, space: &Repo) -> Result<Machine, Error> {
        let operation = format!("read the hardware of the {space}");
        let url = self.url(&format!("{}/runtime", space.api()))?;
        self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)
    }

    /// Asks for hardware, which restarts the Space. A 400, 401, 402 or 403 is the Hub's no.
    pub async fn request_hardware(
        &self,
        space: &Repo,
        flavor: Flavor,
        sleep_time: Option<SleepTime>,
    ) -> Result<Machine, Error> {
        let operation = format!("get the hardware `{flavor}` for the {space}");
        let url = self.url(&format!("{}/hardware", space.api()))?;
        let mut body = json!({ "flavor": flavor.as_str() });
        if let Some(sleep_time) = sleep_time {
            body["sleepTimeSeconds"] = json!(sleep_time.seconds());
        }
        self.call(&Call::new(&operation, Method::POST, url).json(&body)).await?.json(&operation)
    }

    pub async fn set_sleep_time(&self, space: &Repo, sleep_time: SleepTime) -> Result<(), Error> {
        let operation = format!("set the sleep time of the {space}");
        let url = self.url(&format!("{}/sleeptime", space.api()))?;
        let body = json!({ "seconds": sleep_time.seconds() });
        self.call(&Call::new(operation, Method::POST, url).json(&body)).await?;
        Ok(())
    }

    /// Mounts exactly these volumes: none at all unmounts everything.
    pub async fn set_volumes(&self, space: &Repo, volumes: &[MountedVolume]) -> Result<(), Error> {
        let operation = format!("set the volumes of the {space}");
        let url = self.url(&format!("{}/volumes", space.api()))?;
        let call = match volumes {
            [] => Call::new(operation, Method::DELETE, url),
            some => Call::new(operation, Method::PUT, url).json(&json!({ "volumes": some })),
        };
        self.call(&call).await?;
        Ok(())
    }

    /// What each flavor costs.
    pub async fn prices(&self) -> Result<Vec<Price>, Error> {
        let operation = "read the prices of the hardware";
        self.call(&Call::new(operation, Method::GET, self.url("/api/spaces/hardware")?))
            .await?
            .json(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_as_the_hub_writes_them() {
        let read = |text: &str| serde_json::from_str::<Machine>(text).unwrap();
        let fixed =
            read(r#"{"stage":"RUNNING","hardware":{"current":null,"requested":null},"volumes":null}"#);
        assert_eq!(fixed.flavor(), None);
        assert_eq!(read(r#"{"hardware":null}"#), Machine::default());
        let building = read(
            r#"{"stage":"BUILDING","hardware":{"current":null,"requested":"t4-small"},"gcTimeout":-1,
            "volumes":[{"type":"bucket","source":"a/b","mountPath":"/data","readOnly":false}]}"#,
        );
        assert_eq!(building.flavor(), Some("t4-small"));
        assert_eq!(building.gc_timeout, Some(-1));
        assert_eq!(building.volumes, [MountedVolume::from(&"bucket:a/b:/data".parse().unwrap())]);
    }

    #[test]
    fn prices_are_told_by_the_hour() {
        let price = |unit_cost_usd, unit_label: &str| {
            Price { name: "t4-small".to_owned(), unit_cost_usd, unit_label: unit_label.to_owned() }.per_hour()
        };
        assert_eq!(price(0.5, "minute"), Some(30.0));
        assert_eq!(price(0.5, "hour"), Some(0.5));
        assert_eq!(price(0.5, "month"), None);
    }
}
