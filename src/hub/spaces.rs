//! Spaces: runtime, restarts, hardware and prices.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use crate::call::Call;
use crate::client::Hub;
use crate::error::Error;
use crate::runtime::Runtime;
use crate::stage::Stage;
use crate::types::{Flavor, Repo, SleepTime};

/// Price of hardware (`GET /api/spaces/hardware`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// Name of the hardware.
    pub name: String,
    /// Price of a unit of time, in US dollars.
    #[serde(rename = "unitCostUSD")]
    pub unit_cost_usd: f64,
    /// Unit of time: `minute`, as far as it is known.
    pub unit_label: String,
}

impl Price {
    /// Returns the price of an hour in US dollars, if the unit is known.
    pub fn per_hour(&self) -> Option<f64> {
        match self.unit_label.as_str() {
            "second" => Some(self.unit_cost_usd * 3600.0),
            "minute" => Some(self.unit_cost_usd * 60.0),
            "hour" => Some(self.unit_cost_usd),
            _ => None,
        }
    }
}

impl Hub {
    /// Returns the runtime of a Space (`GET …/runtime`).
    ///
    /// ```no_run
    /// # async fn example(hub: hub::Hub, space: hub::Repo) -> Result<(), hub::Error> {
    /// let runtime = hub.runtime(&space).await?;
    /// println!("{space} is {} on {:?}", runtime.stage.as_str(), runtime.flavor());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn runtime(&self, space: &Repo) -> Result<Runtime, Error> {
        let operation = format!("read the state of the {space}");
        let url = self.url(&format!("{}/runtime", space.api()))?;
        let runtime: Runtime = self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)?;
        if runtime.stage == Stage::default() {
            return Err(Error::unexpected(operation, "a runtime without a stage"));
        }
        Ok(runtime)
    }

    /// Restarts a Space, or wakes it.
    pub async fn restart(&self, space: &Repo) -> Result<(), Error> {
        let url = self.url(&format!("{}/restart", space.api()))?;
        self.call(&Call::new(format!("restart the {space}"), Method::POST, url)).await?;
        Ok(())
    }

    /// Rebuilds a Space without the caches of earlier builds.
    pub async fn rebuild(&self, space: &Repo) -> Result<(), Error> {
        let url = self.url(&format!("{}/restart?factory=true", space.api()))?;
        self.call(&Call::new(format!("rebuild the {space}"), Method::POST, url)).await?;
        Ok(())
    }

    /// Pauses a Space until a restart. Paid hardware costs nothing meanwhile.
    pub async fn pause_space(&self, space: &Repo) -> Result<(), Error> {
        let url = self.url(&format!("{}/pause", space.api()))?;
        self.call(&Call::new(format!("pause the {space}"), Method::POST, url)).await?;
        Ok(())
    }

    /// Switches dev mode, which restarts the Space (`POST …/dev-mode`).
    pub async fn set_dev_mode(&self, space: &Repo, is_on: bool) -> Result<(), Error> {
        let word = if is_on { "on" } else { "off" };
        let url = self.url(&format!("{}/dev-mode", space.api()))?;
        let call = Call::new(format!("switch dev mode {word} for the {space}"), Method::POST, url);
        self.call(&call.json(&json!({ "enabled": is_on }))).await?;
        Ok(())
    }

    /// Requests hardware, which restarts the Space. The Hub refuses with 400, 401, 402 or 403.
    pub async fn request_hardware(
        &self,
        space: &Repo,
        flavor: Flavor,
        sleep_time: Option<SleepTime>,
    ) -> Result<Runtime, Error> {
        let operation = format!("get the hardware `{flavor}` for the {space}");
        let url = self.url(&format!("{}/hardware", space.api()))?;
        let mut body = json!({ "flavor": flavor.as_str() });
        if let Some(sleep_time) = sleep_time {
            body["sleepTimeSeconds"] = json!(sleep_time.seconds());
        }
        self.call(&Call::new(&operation, Method::POST, url).json(&body)).await?.json(&operation)
    }

    /// Sets the idle time before the Space sleeps.
    pub async fn set_sleep_time(&self, space: &Repo, sleep_time: SleepTime) -> Result<(), Error> {
        let operation = format!("set the sleep time of the {space}");
        let url = self.url(&format!("{}/sleeptime", space.api()))?;
        let body = json!({ "seconds": sleep_time.seconds() });
        self.call(&Call::new(operation, Method::POST, url).json(&body)).await?;
        Ok(())
    }

    /// Returns the prices of all hardware.
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
    fn prices_are_converted_to_an_hour() {
        let price = |unit_cost_usd, unit_label: &str| {
            Price { name: "t4-small".to_owned(), unit_cost_usd, unit_label: unit_label.to_owned() }.per_hour()
        };
        assert_eq!(price(0.5, "minute"), Some(30.0));
        assert_eq!(price(0.5, "hour"), Some(0.5));
        assert_eq!(price(0.5, "month"), None);
    }
}
