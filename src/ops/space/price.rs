//! Prices of hardware.

use std::time::Duration;

use hub::{HardwareName, Hub, Price};

/// Time allowed for the prices, which only the report needs.
const PRICES_TIMEOUT: Duration = Duration::from_secs(5);

/// Prices of an hour on hardware, in US dollars. An hour counts while the Space starts and runs.
#[derive(Debug)]
pub struct HourlyPrices(Vec<Price>);

impl HourlyPrices {
    /// Reads the prices. Without an answer of the Hub, only those of free hardware are known.
    pub async fn read(hub: &Hub) -> Self {
        let prices = tokio::time::timeout(PRICES_TIMEOUT, hub.prices()).await;
        Self(prices.ok().and_then(Result::ok).unwrap_or_default())
    }

    /// Returns the price of hardware, if it is known.
    pub fn of(&self, hardware: &HardwareName) -> Option<f64> {
        if is_free(hardware) {
            return Some(0.0);
        }
        let is_meant = |price: &&Price| match hardware {
            HardwareName::Known(flavor) => flavor.is(&price.name),
            HardwareName::Unknown(name) => *name == price.name,
        };
        self.0.iter().find(is_meant)?.per_hour()
    }
}

/// Returns true for hardware that costs nothing.
pub fn is_free(hardware: &HardwareName) -> bool {
    matches!(hardware, HardwareName::Known(flavor) if flavor.is_basic() || flavor.is_zero_gpu())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_those_of_an_hour() {
        let price = |name: &str, unit_cost_usd| Price {
            name: name.to_owned(),
            unit_cost_usd,
            unit_label: "minute".to_owned(),
        };
        let prices = HourlyPrices(vec![price("t4-small", 0.01), price("quantum-x1", 1.0)]);
        let of = |name: &str| prices.of(&HardwareName::from(name.to_owned()));
        assert_eq!(of("t4-small"), Some(0.6));
        assert_eq!(of("quantum-x1"), Some(60.0));
        assert_eq!((of("cpu-basic"), of("zerogpu"), of("a100x8")), (Some(0.0), Some(0.0), None));
    }
}
