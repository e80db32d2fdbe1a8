//! What the Hub's answers are read with, for the fuzz targets.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use super::retry::{WaitBudget, wait_asked_for};
use super::{Machine, Price, Refusal, RepoInfo, Runtime, WhoAmI};
use crate::failure::Failure;

/// An answer, read as every type that there is, and as a refusal.
pub(crate) fn answer(body: &[u8]) -> String {
    fn is<T: DeserializeOwned>(body: &[u8]) -> bool {
        serde_json::from_slice::<T>(body).is_ok()
    }
    let prices = serde_json::from_slice::<Vec<Price>>(body);
    let hourly =
        prices.map(|prices| prices.iter().map(|price| price.per_hour().is_some()).collect::<Vec<_>>());
    let refusal = Refusal::read(StatusCode::BAD_REQUEST, &HeaderMap::new(), body);
    assert!(refusal.message.chars().count() <= 601, "{}", refusal.message.len());
    let failure = Failure::from(super::HubError::new("do it", super::Cause::Status(refusal.clone())));
    format!(
        "{:?} {:?} {:?} {:?} {hourly:?} {} {}",
        is::<RepoInfo>(body),
        serde_json::from_slice::<Runtime>(body)
            .map(|runtime| (runtime.stage.is_error(), runtime.sha.is_some()))
            .ok(),
        serde_json::from_slice::<Machine>(body).map(|machine| machine.volumes.len().min(4)).ok(),
        is::<WhoAmI>(body),
        refusal.message.len().min(20),
        failure.message.len().min(90),
    )
}

/// Headers, one in each line: how long the Hub asks to wait, and whether a run does.
pub(crate) fn wait(bytes: &[u8]) -> String {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.insert(name, value);
        }
    }
    let mut shape = String::new();
    for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        let wait =
            wait_asked_for(status, &headers, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let budget = WaitBudget::new(Duration::from_secs(660));
        let waits = wait.map(|wait| (budget.take(wait), wait.as_secs().min(3)));
        assert!(waits.is_none_or(|(taken, _)| !taken || wait <= Some(Duration::from_secs(660))));
        shape.push_str(&format!("{waits:?}"));
    }
    shape
}
