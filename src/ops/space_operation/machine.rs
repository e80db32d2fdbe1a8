//! Operations on the machine of a Space: hardware and sleep time.

use std::time::Duration;

use hub::{Flavor, HardwareName, SleepTime};

use crate::failure::{Result, space_operation as advice};
use crate::ops::space::hardware::{self, HardwareError, HardwareRequest};
use crate::ops::space::{AtCreation, HardwareOptions, HardwareStatus, HourlyPrices, is_free};

use super::report::Outcome;
use super::run_state::finish;
use super::target::Target;

/// Requests the hardware in its order until the Hub grants one. The price of each stands in the log before it.
pub(super) async fn request_hardware(
    target: &Target<'_>,
    wanted: &[Flavor],
    sleep_time: Option<SleepTime>,
    wait: Option<Duration>,
) -> Result<Outcome> {
    let wanted =
        HardwareOptions { wanted: wanted.to_vec(), required: true, sleep_time, ..HardwareOptions::default() };
    if let Some(sdk) = target.sdk() {
        hardware::check_sdk(&wanted, false, sdk)?;
    }
    let machine = target.read().await?;
    let prices = HourlyPrices::read(target.session.hub).await;
    for hardware in wanted.wanted.iter().map(|flavor| HardwareName::Known(*flavor)) {
        if !is_free(&hardware) {
            target.session.log.info(&advice::price(hardware.as_str(), prices.of(&hardware)));
        }
    }
    let request = HardwareRequest { wanted: &wanted, machine: &machine, at_creation: &AtCreation::default() };
    let settled = hardware::settle(target.session.hub, &target.repo, request, target.session.log).await;
    let result = settled.map_err(|error| match error {
        HardwareError::Refused(refused) => advice::hardware_refused(&refused),
        HardwareError::Hub(error) => error.into(),
    })?;
    let has_changed = result.status == Some(HardwareStatus::Granted);
    target.recorder.record(|report| {
        report.hardware_status = result.status;
        report.hourly_price = result.flavor.as_ref().and_then(|hardware| prices.of(hardware));
    });
    if !has_changed {
        target.session.log.info(&format!("the {} has this hardware already", target.repo));
        target.read().await?;
        return Ok(Outcome::Unchanged);
    }
    if machine.stage.is_asleep() {
        target.session.log.info("the Space sleeps on: wake it to start it on this hardware");
        target.read().await?;
    } else {
        finish(target, &machine.stage, wait).await?;
    }
    Ok(Outcome::Done)
}

pub(super) async fn set_sleep_time(target: &Target<'_>, wanted: SleepTime) -> Result<Outcome> {
    let machine = target.read().await?;
    let is_basic = |name: &HardwareName| matches!(name, HardwareName::Known(flavor) if flavor.is_basic());
    if machine.flavor().is_none_or(is_basic) {
        return Err(advice::no_sleep_time(&target.repo));
    }
    if hardware::has_sleep_time(&machine, wanted) {
        target.session.log.info(&format!("the {} has this sleep time already: {wanted}", target.repo));
        return Ok(Outcome::Unchanged);
    }
    target.session.hub.set_sleep_time(&target.repo, wanted).await?;
    target.session.log.info(&format!("set the sleep time of the {}: {wanted}", target.repo));
    target.read().await?;
    Ok(Outcome::Done)
}
