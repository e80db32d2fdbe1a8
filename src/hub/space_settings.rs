//! Settings of a Space: variables, secrets and volumes.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::runtime::MountedVolume;
use crate::secret::Secret;
use crate::types::Repo;

/// Kind of a setting. A name is used for one kind only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Readable by everyone in a public Space.
    Variable,
    /// Readable by the app only.
    Secret,
}

impl SettingKind {
    /// Returns the name in a sentence.
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
    /// Returns the variables of a Space with their values, by name.
    pub async fn variables(&self, space: &Repo) -> Result<BTreeMap<String, String>, Error> {
        let rows: BTreeMap<String, VariableRow> = self.list_settings(space, SettingKind::Variable).await?;
        Ok(rows.into_iter().map(|(key, row)| (key, row.value)).collect())
    }

    /// Returns the names of the secrets of a Space. Their values cannot be read.
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

    /// Sets a variable, which restarts the Space.
    pub async fn set_variable(&self, space: &Repo, key: &str, value: &str) -> Result<(), Error> {
        self.set_setting(space, SettingKind::Variable, key, value).await
    }

    /// Sets a secret, which restarts the Space.
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

    /// Deletes a variable or a secret. One that does not exist is no error.
    pub async fn delete_setting(&self, space: &Repo, kind: SettingKind, key: &str) -> Result<(), Error> {
        let operation = format!("delete the {} `{key}` of the {space}", kind.as_str());
        let url = self.url(&format!("{}/{}", space.api(), kind.plural()))?;
        self.call(&Call::new(operation, Method::DELETE, url).json(&json!({ "key": key }))).await?;
        Ok(())
    }

    /// Mounts exactly these volumes (`PUT …/volumes`). An empty list unmounts all.
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
}
