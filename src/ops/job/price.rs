//! Prices of Jobs, and the limit of their cost.

use std::time::Duration;

use hub::{Hub, JobHardware, suggest};

use super::options::NewJob;
use crate::failure::{Result, job as advice};
use crate::text::human_duration;

/// Price of a minute, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price(f64);

/// Half of the last digit of a price, by which the Hub may have rounded it up: $1 an hour is $0.016667 a minute.
const ROUNDING: f64 = 0.5e-6;

impl Price {
    /// Reads the price of hardware, if the unit is known.
    pub fn of(hardware: &JobHardware) -> Option<Self> {
        hardware.micro_usd_per_minute().map(|micro| Self(micro / 1e6))
    }

    pub fn per_minute(self) -> f64 {
        self.0
    }

    pub fn per_hour(self) -> f64 {
        self.0 * 60.0
    }

    /// Returns the price of a time, for each minute that begins in it.
    pub fn of_seconds(self, seconds: f64) -> f64 {
        (seconds / 60.0).ceil() * self.0
    }

    /// Returns the largest price of all attempts.
    fn limit(self, timeout: Duration, attempts: u32) -> f64 {
        self.of_seconds(timeout.as_secs_f64()) * f64::from(attempts)
    }

    /// Returns true if all attempts together cost no more than `max_cost`.
    fn is_within(self, max_cost: f64, timeout: Duration, attempts: u32) -> bool {
        Self(self.0 - ROUNDING).limit(timeout, attempts) <= max_cost
    }

    /// Returns the longest timeout in whole minutes whose price stays within `limit`.
    fn longest(self, limit: f64, attempts: u32) -> Option<Duration> {
        let minutes = (limit / ((self.0 - ROUNDING) * f64::from(attempts))).floor();
        (minutes >= 1.0 && minutes.is_finite()).then(|| Duration::from_secs(minutes as u64 * 60))
    }
}

/// Finds the hardware of a new Job, and refuses one that may cost more than its limit.
pub(super) async fn check(hub: &Hub, job: &NewJob) -> Result<Option<Price>> {
    let all = hub.job_hardware().await?;
    let Some(hardware) = all.iter().find(|hardware| hardware.name == job.flavor) else {
        let names: Vec<&str> = all.iter().map(|hardware| hardware.name.as_str()).collect();
        return Err(advice::unknown_flavor(&job.flavor, nearest(&job.flavor, &all), &names));
    };
    let price = Price::of(hardware);
    let Some(max_cost) = job.max_cost else { return Ok(price) };
    let Some(price) = price else {
        return Err(advice::unknown_price(&job.flavor, &hardware.unit_label));
    };
    if !price.is_within(max_cost, job.timeout, job.attempts) {
        let longest = price.longest(max_cost, job.attempts).map(human_minutes);
        return Err(advice::too_expensive(&advice::Expense {
            flavor: &job.flavor,
            timeout: human_duration(job.timeout),
            attempts: job.attempts,
            cost: price.limit(job.timeout, job.attempts),
            max_cost,
            longest,
        }));
    }
    Ok(Some(price))
}

/// Returns the flavor that was meant. Of one family, it is the cheapest.
fn nearest<'a>(name: &str, all: &'a [JobHardware]) -> Option<&'a str> {
    let mut sorted: Vec<&JobHardware> = all.iter().collect();
    sorted.sort_by(|a, b| a.unit_cost_micro_usd.total_cmp(&b.unit_cost_micro_usd));
    let names: Vec<&str> = sorted.iter().map(|hardware| hardware.name.as_str()).collect();
    suggest::meant(name, &names).or_else(|| suggest::of_the_family(name, &names))
}

/// Formats a time as the input `timeout` takes it.
fn human_minutes(time: Duration) -> String {
    format!("{}m", time.as_secs() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_that_begins_is_paid() {
        let price = Price(0.5);
        assert_eq!(price.of_seconds(0.0), 0.0);
        assert_eq!(price.of_seconds(1.0), 0.5);
        assert_eq!(price.of_seconds(60.0), 0.5);
        assert_eq!(price.of_seconds(61.0), 1.0);
        assert_eq!(price.limit(Duration::from_secs(90), 3), 3.0);
    }

    #[test]
    fn rounded_price_of_an_hour_is_within_the_price_of_an_hour() {
        let hour = Duration::from_secs(3600);
        assert!(Price(0.016667).is_within(1.0, hour, 1));
        assert!(!Price(0.016667).is_within(0.99, hour, 1));
        assert!(!Price(0.016667).is_within(1.99, hour, 2));
    }

    #[test]
    fn longest_timeout_stays_within_the_limit() {
        let minutes = |price: f64, limit: f64, attempts: u32| {
            Price(price).longest(limit, attempts).map(|time| time.as_secs() / 60)
        };
        assert_eq!(minutes(0.016667, 0.5, 1), Some(30));
        assert_eq!(minutes(0.016667, 0.5, 2), Some(15));
        assert_eq!(minutes(0.5, 0.4, 1), None);
        assert_eq!(minutes(1.0, 30.0, 1), Some(30), "a price that is not rounded");
        assert_eq!(minutes(0.0, 0.4, 1), None, "hardware without a price has no longest time");
    }
}
