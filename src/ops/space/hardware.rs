//! The hardware of a Space: the first of the wanted flavors that the Hub grants, or none.

use std::fmt;

use hub::{Flavor, HardwareName, Hub, Refusal, Repo, Runtime, SleepTime, SpaceSdk};

use super::options::{HardwareOptions, OptionOf};
use super::price::{HourlyPrices, is_free};
use crate::action::Log;
use crate::failure::hardware as advice;

/// Result of the request for hardware: the output `hardware_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardwareStatus {
    Granted,
    /// The Space had it already.
    Unchanged,
    /// The Hub grants none of it, so a person has to choose.
    ManualHardwareRequired,
}

impl HardwareStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Unchanged => "unchanged",
            Self::ManualHardwareRequired => "manual_hardware_required",
        }
    }
}

/// Answers to the requests for hardware when this deploy created the Space.
#[derive(Debug, Clone, Default)]
pub struct AtCreation {
    pub granted: Option<Flavor>,
    pub refused: Vec<(Flavor, Refusal)>,
}

/// Hardware of the Space after the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareResult {
    /// `None` if no hardware was wanted.
    pub status: Option<HardwareStatus>,
    /// The flavor that it has or will get.
    pub flavor: Option<HardwareName>,
    /// Sleep time that was written.
    pub sleep_time: Option<SleepTime>,
}

/// Changes that a deploy would make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HardwarePreview {
    pub hardware: Option<HardwareName>,
    pub sleep_time: Option<SleepTime>,
}

/// Wanted and present hardware of a Space.
#[derive(Debug, Clone, Copy)]
pub struct HardwareRequest<'a> {
    pub wanted: &'a HardwareOptions,
    pub machine: &'a Runtime,
    pub at_creation: &'a AtCreation,
}

/// Option about the machine of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineOption {
    Hardware(OptionOf),
    SleepTime(OptionOf),
    Volumes,
}

/// Hardware that no plan of the Hub makes possible for the SDK of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsupportedHardware {
    /// The option has no meaning for a static Space, because nothing runs there.
    StaticSpace(MachineOption),
    /// ZeroGPU needs the Gradio SDK.
    ZeroGpu { flavor: Flavor, wanted_by: OptionOf, sdk: SpaceSdk },
}

/// All wanted flavors were refused.
#[derive(Debug)]
pub struct HardwareRefused {
    /// Each flavor with its price and the Hub's reason.
    reasons: Vec<String>,
    /// The page on which a person can choose.
    pub settings_page: String,
}

impl fmt::Display for HardwareRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Hub grants no hardware that was asked for: {}", self.reasons.join(", "))
    }
}

/// Error of a request for hardware.
#[derive(Debug)]
pub enum HardwareError {
    /// The hardware is required, and the Hub refused all of it.
    Refused(HardwareRefused),
    Hub(hub::Error),
}

impl From<hub::Error> for HardwareError {
    fn from(error: hub::Error) -> Self {
        Self::Hub(error)
    }
}

/// Refuses hardware that no plan makes possible, before any write.
pub fn check_sdk(
    wanted: &HardwareOptions,
    has_volumes: bool,
    sdk: SpaceSdk,
) -> Result<(), UnsupportedHardware> {
    if sdk == SpaceSdk::Static {
        let options = [
            (MachineOption::Hardware(wanted.wanted_by), !wanted.wanted.is_empty()),
            (MachineOption::SleepTime(wanted.sleep_time_by), wanted.sleep_time.is_some()),
            (MachineOption::Volumes, has_volumes),
        ];
        if let Some((option, _)) = options.iter().find(|(_, is_given)| *is_given) {
            return Err(UnsupportedHardware::StaticSpace(*option));
        }
    }
    let zero_gpu = wanted.wanted.iter().find(|flavor| flavor.is_zero_gpu());
    match zero_gpu {
        Some(flavor) if sdk != SpaceSdk::Gradio => {
            Err(UnsupportedHardware::ZeroGpu { flavor: *flavor, wanted_by: wanted.wanted_by, sdk })
        }
        _ => Ok(()),
    }
}

/// Requests the hardware in its order until the Hub grants one, and sets the sleep time.
pub async fn settle(
    hub: &Hub,
    space: &Repo,
    request: HardwareRequest<'_>,
    log: &Log,
) -> Result<HardwareResult, HardwareError> {
    let mut policy = Policy { hub, space, request, log, refusals: request.at_creation.refused.clone() };
    let mut result = policy.request_hardware().await?;
    result.sleep_time = policy.set_sleep_time(&result).await?;
    Ok(result)
}

/// Logs and returns the changes that [`settle`] would make, for a dry run.
pub fn preview(wanted: &HardwareOptions, machine: &Runtime, log: &Log) -> HardwarePreview {
    let has = machine.flavor();
    let hardware = wanted.wanted.first().filter(|first| !has.is_some_and(|name| name.is(**first)));
    if let Some(first) = hardware {
        let now = has.map(|name| format!(" (now `{name}`)")).unwrap_or_default();
        log.info(&format!("would request the hardware `{first}`{now}"));
    }
    let sleep_time = wanted.sleep_time.filter(|wanted| !has_sleep_time(machine, *wanted));
    if let Some(sleep_time) = sleep_time {
        log.info(&format!("would set the sleep time: {sleep_time}"));
    }
    HardwarePreview { hardware: hardware.copied().map(HardwareName::Known), sleep_time }
}

struct Policy<'a> {
    hub: &'a Hub,
    space: &'a Repo,
    request: HardwareRequest<'a>,
    log: &'a Log,
    refusals: Vec<(Flavor, Refusal)>,
}

impl Policy<'_> {
    async fn request_hardware(&mut self) -> Result<HardwareResult, HardwareError> {
        let HardwareRequest { wanted, machine, at_creation } = self.request;
        let has = machine.flavor();
        if wanted.wanted.is_empty() && !wanted.is_needed {
            return Ok(HardwareResult { status: None, flavor: has.cloned(), sleep_time: None });
        }
        for flavor in &wanted.wanted {
            if has.is_some_and(|name| name.is(*flavor)) {
                let status = match at_creation.granted {
                    Some(granted) if granted == *flavor => HardwareStatus::Granted,
                    _ => HardwareStatus::Unchanged,
                };
                let flavor = has.cloned();
                return Ok(HardwareResult { status: Some(status), flavor, sleep_time: None });
            }
            if self.refusals.iter().any(|(refused, _)| refused == flavor) {
                continue;
            }
            let sleep_time = wanted.sleep_time_on(*flavor);
            match self.hub.request_hardware(self.space, *flavor, sleep_time).await {
                Ok(machine) => {
                    self.log.info(&format!("the Hub grants the hardware `{flavor}`"));
                    let flavor = machine.flavor().cloned().unwrap_or(HardwareName::Known(*flavor));
                    let status = Some(HardwareStatus::Granted);
                    return Ok(HardwareResult { status, flavor: Some(flavor), sleep_time: None });
                }
                Err(error) => match error.refusal() {
                    Some(refusal) if matches!(refusal.status.as_u16(), 400..=403) => {
                        self.log.info(&format!("the Hub does not grant the hardware `{flavor}`: {refusal}"));
                        self.refusals.push((*flavor, refusal.clone()));
                    }
                    _ => return Err(error.into()),
                },
            }
        }
        // A person chose it, because the Hub grants no other.
        if wanted.is_needed && has.is_some_and(|name| !is_basic(name)) {
            let flavor = has.cloned();
            return Ok(HardwareResult { status: Some(HardwareStatus::Unchanged), flavor, sleep_time: None });
        }
        let refused = refused(self.hub, self.space, &self.refusals).await;
        if wanted.required {
            return Err(HardwareError::Refused(refused));
        }
        // Without hardware that is needed, the operation ends with its own advice.
        if !wanted.is_needed {
            self.warn_of_refusal(&refused);
        }
        let status = Some(HardwareStatus::ManualHardwareRequired);
        Ok(HardwareResult { status, flavor: has.cloned(), sleep_time: None })
    }

    fn warn_of_refusal(&self, refused: &HardwareRefused) {
        let is_keyless = self.hub.uses_trusted_publishing();
        self.log.warning(&advice::not_granted(refused, &refused.settings_page, is_keyless));
    }

    /// Sets the sleep time, and returns it if it was not set before.
    async fn set_sleep_time(&self, result: &HardwareResult) -> Result<Option<SleepTime>, hub::Error> {
        let HardwareRequest { wanted: options, machine, at_creation } = self.request;
        let (sleep_time_by, Some(wanted)) = (options.sleep_time_by, options.sleep_time) else {
            return Ok(None);
        };
        if options.sleeps_if_paid && result.flavor.as_ref().is_none_or(is_free) {
            return Ok(None);
        }
        if result.flavor.as_ref().is_none_or(is_basic) {
            self.log.warning(&advice::no_sleep_time(sleep_time_by));
            return Ok(None);
        }
        // The request for hardware had the sleep time. The creation of the Space may have lost it.
        let was_sent = result.status == Some(HardwareStatus::Granted) && at_creation.granted.is_none();
        if has_sleep_time(machine, wanted) {
            return Ok(None);
        }
        if !was_sent {
            self.hub.set_sleep_time(self.space, wanted).await?;
            self.log.info(&format!("set the sleep time: {wanted}"));
        }
        Ok(Some(wanted))
    }
}

fn is_basic(name: &HardwareName) -> bool {
    matches!(name, HardwareName::Known(flavor) if flavor.is_basic())
}

/// Returns the error for refused hardware, with prices.
pub async fn refused(hub: &Hub, space: &Repo, refusals: &[(Flavor, Refusal)]) -> HardwareRefused {
    // The error is complete without prices.
    let prices = HourlyPrices::read(hub).await;
    let reason = |(flavor, refusal): &(Flavor, Refusal)| {
        let price = prices.of(&HardwareName::Known(*flavor)).map(|price| format!(" at ${price:.2} an hour"));
        let (status, reason) = (refusal.status.as_u16(), &refusal.message);
        format!("`{flavor}`{} ({status} {reason})", price.unwrap_or_default())
    };
    HardwareRefused {
        reasons: refusals.iter().map(reason).collect(),
        settings_page: format!("{}/{}/settings", hub.endpoint(), space.page()),
    }
}

/// Returns the price of an hour of paid hardware in US dollars: `None` for free hardware, and if the Hub does not say.
pub async fn hourly_price(hub: &Hub, name: &HardwareName) -> Option<f64> {
    if is_free(name) {
        return None;
    }
    HourlyPrices::read(hub).await.of(name)
}

/// Returns true if a Space already has this sleep time.
pub fn has_sleep_time(machine: &Runtime, wanted: SleepTime) -> bool {
    match machine.gc_timeout {
        None => wanted == SleepTime::Never,
        Some(seconds) if seconds < 0 => wanted == SleepTime::Never,
        Some(seconds) => wanted.seconds() == seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(flavors: &[&str]) -> HardwareOptions {
        HardwareOptions {
            wanted: flavors.iter().map(|name| name.parse().unwrap()).collect(),
            ..HardwareOptions::default()
        }
    }

    #[test]
    fn unsupported_hardware_is_refused() {
        assert!(check_sdk(&inputs(&["zero-a10g"]), false, SpaceSdk::Gradio).is_ok());
        let flavor = "zerogpu".parse().unwrap();
        assert_eq!(
            check_sdk(&inputs(&["t4-small", "zerogpu"]), false, SpaceSdk::Streamlit),
            Err(UnsupportedHardware::ZeroGpu {
                flavor,
                wanted_by: OptionOf::Space,
                sdk: SpaceSdk::Streamlit
            })
        );
        assert_eq!(
            check_sdk(&inputs(&[]), true, SpaceSdk::Static),
            Err(UnsupportedHardware::StaticSpace(MachineOption::Volumes))
        );
        assert!(check_sdk(&inputs(&[]), false, SpaceSdk::Static).is_ok());
    }

    #[test]
    fn never_has_several_spellings() {
        let machine = |gc_timeout| Runtime { gc_timeout, ..Runtime::default() };
        let hour = SleepTime::After(std::time::Duration::from_secs(3600));
        assert!(has_sleep_time(&machine(None), SleepTime::Never));
        assert!(has_sleep_time(&machine(Some(-1)), SleepTime::Never));
        assert!(!has_sleep_time(&machine(Some(172_800)), SleepTime::Never));
        assert!(has_sleep_time(&machine(Some(3600)), hour) && !has_sleep_time(&machine(None), hour));
    }
}
