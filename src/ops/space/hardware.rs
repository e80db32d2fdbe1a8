//! The hardware policy: the first that the Hub grants, and a deploy that completes without.

use hub::{Flavor, Hub, Machine, Price, Refusal, Repo, SleepTime, SpaceSdk};

use super::options::HardwareOptions;
use crate::action::Log;
use crate::failure::{Code, Failure, Result};

/// What became of the hardware that was asked for: the output `hardware_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HardwareStatus {
    Granted,
    /// The Space had it already.
    Unchanged,
    /// The Hub grants none of it: somebody has to choose.
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

/// What was asked for when this deploy created the Space.
#[derive(Debug, Clone, Default)]
pub struct AtCreation {
    pub granted: Option<Flavor>,
    pub refused: Vec<(Flavor, Refusal)>,
}

/// What the Space has in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `None` when no hardware was asked for.
    pub status: Option<HardwareStatus>,
    /// What it has or has requested.
    pub flavor: Option<String>,
}

/// Refuses what no plan makes possible, before anything is touched.
pub fn check_sdk(wanted: &HardwareOptions, has_volumes: bool, sdk: SpaceSdk) -> Result<()> {
    let fault = |message: String| {
        let hint =
            "change the input, or the SDK in `space_sdk` or in the card of README.md; nothing was changed";
        Err(Failure::new(Code::InvalidInput, message).hint(hint))
    };
    if sdk == SpaceSdk::Static {
        let named = [
            ("hardware", !wanted.wanted.is_empty()),
            ("sleep_time", wanted.sleep_time.is_some()),
            ("volumes", has_volumes),
        ];
        if let Some((input, _)) = named.iter().find(|(_, given)| *given) {
            return fault(format!("`{input}` must be left out for a static Space: nothing runs there"));
        }
    }
    let zero_gpu = wanted.wanted.iter().find(|flavor| flavor.is_zero_gpu());
    if let (Some(flavor), true) = (zero_gpu, sdk != SpaceSdk::Gradio) {
        let sdk = sdk.hub_name();
        return fault(format!(
            "`hardware` is `{flavor}`, and ZeroGPU needs the Gradio SDK: this Space has `{sdk}`"
        ));
    }
    Ok(())
}

/// Asks for the hardware in its order, until the Hub grants one, and sets the sleep time.
pub async fn settle(
    hub: &Hub,
    space: &Repo,
    wanted: &HardwareOptions,
    machine: &Machine,
    at_creation: &AtCreation,
    log: &Log,
) -> Result<Outcome> {
    let mut policy = Policy { hub, space, wanted, machine, log, refusals: Vec::new() };
    policy.refusals.extend(at_creation.refused.clone());
    let outcome = policy.hardware(at_creation).await?;
    policy.sleep_time(&outcome, at_creation.granted.is_some()).await?;
    Ok(outcome)
}

/// What [`settle`] would do, for the log of a dry run.
pub fn preview(wanted: &HardwareOptions, machine: &Machine, log: &Log) {
    let has = machine.flavor();
    if let Some(first) = wanted.wanted.first().filter(|first| !has.is_some_and(|name| first.is(name))) {
        let now = has.map(|name| format!(" (now `{name}`)")).unwrap_or_default();
        log.info(&format!("would ask for the hardware `{first}`{now}"));
    }
    if let Some(sleep_time) = wanted.sleep_time.filter(|wanted| !sleeps_as_wanted(machine, *wanted)) {
        log.info(&format!("would set the sleep time: {sleep_time}"));
    }
}

struct Policy<'a> {
    hub: &'a Hub,
    space: &'a Repo,
    wanted: &'a HardwareOptions,
    machine: &'a Machine,
    log: &'a Log,
    refusals: Vec<(Flavor, Refusal)>,
}

impl Policy<'_> {
    async fn hardware(&mut self, at_creation: &AtCreation) -> Result<Outcome> {
        let has = self.machine.flavor();
        if self.wanted.wanted.is_empty() {
            return Ok(Outcome { status: None, flavor: has.map(str::to_owned) });
        }
        for flavor in &self.wanted.wanted {
            if has.is_some_and(|name| flavor.is(name)) {
                let status = match at_creation.granted {
                    Some(granted) if granted == *flavor => {
                        self.log.info(&format!("the Hub grants the hardware `{flavor}`"));
                        HardwareStatus::Granted
                    }
                    _ => HardwareStatus::Unchanged,
                };
                return Ok(Outcome { status: Some(status), flavor: has.map(str::to_owned) });
            }
            if self.refusals.iter().any(|(refused, _)| refused == flavor) {
                continue;
            }
            let sleep_time = self.wanted.sleep_time.filter(|_| !flavor.is_basic());
            match self.hub.request_hardware(self.space, *flavor, sleep_time).await {
                Ok(machine) => {
                    self.log.info(&format!("the Hub grants the hardware `{flavor}`"));
                    let flavor = machine.flavor().unwrap_or(flavor.as_str()).to_owned();
                    return Ok(Outcome { status: Some(HardwareStatus::Granted), flavor: Some(flavor) });
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
        self.none_granted().await?;
        let status = Some(HardwareStatus::ManualHardwareRequired);
        Ok(Outcome { status, flavor: has.map(str::to_owned) })
    }

    async fn none_granted(&self) -> Result<()> {
        if self.wanted.required {
            return Err(refused(self.hub, self.space, &self.refusals).await);
        }
        let message = refusal_of_all(self.hub, &self.refusals).await;
        let page = settings_page(self.hub, self.space);
        let why = if self.hub.uses_trusted_publishing() {
            " (a keyless token may be refused this whatever the plan)"
        } else {
            ""
        };
        self.log.warning(&format!("{message}{why}; choose it by hand at {page}"));
        Ok(())
    }

    /// `created` says that it went along with the creation.
    async fn sleep_time(&self, outcome: &Outcome, created: bool) -> Result<()> {
        let Some(wanted) = self.wanted.sleep_time else { return Ok(()) };
        if outcome.flavor.as_deref().is_none_or(|name| name == "cpu-basic") {
            self.log.warning("`sleep_time` cannot be set on `cpu-basic`, which always sleeps after 48 hours");
            return Ok(());
        }
        let sent = outcome.status == Some(HardwareStatus::Granted) && !created;
        if sent || sleeps_as_wanted(self.machine, wanted) {
            return Ok(());
        }
        self.hub.set_sleep_time(self.space, wanted).await?;
        self.log.info(&format!("set the sleep time: {wanted}"));
        Ok(())
    }
}

/// The failure of a deploy that requires hardware, after the Hub refused all of it.
pub async fn refused(hub: &Hub, space: &Repo, refusals: &[(Flavor, Refusal)]) -> Failure {
    let page = settings_page(hub, space);
    Failure::new(Code::HardwareRefused, refusal_of_all(hub, refusals).await)
        .hint(format!("choose the hardware at {page}, or add a payment method to the namespace"))
        .hint("without `require_hardware: true` the deploy goes on with the hardware that the Space has")
}

/// What was refused, with its price and the Hub's reason.
async fn refusal_of_all(hub: &Hub, refusals: &[(Flavor, Refusal)]) -> String {
    // A missing price is no reason to fail.
    let prices = hub.prices().await.unwrap_or_default();
    let priced: Vec<String> = refusals
        .iter()
        .map(|(flavor, refusal)| {
            let price = price_of(*flavor, &prices).map(|price| format!(" at ${price:.2} an hour"));
            let (status, reason) = (refusal.status.as_u16(), &refusal.message);
            format!("`{flavor}`{} ({status} {reason})", price.unwrap_or_default())
        })
        .collect();
    format!("the Hub grants no hardware that was asked for: {}", priced.join(", "))
}

fn settings_page(hub: &Hub, space: &Repo) -> String {
    format!("{}/{}/settings", hub.endpoint(), space.page())
}

fn sleeps_as_wanted(machine: &Machine, wanted: SleepTime) -> bool {
    match machine.gc_timeout {
        None => wanted == SleepTime::Never,
        Some(seconds) if seconds < 0 => wanted == SleepTime::Never,
        Some(seconds) => wanted.seconds() == seconds,
    }
}

fn price_of(flavor: Flavor, prices: &[Price]) -> Option<f64> {
    prices.iter().find(|price| flavor.is(&price.name))?.per_hour()
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
    fn what_no_plan_makes_possible() {
        assert!(check_sdk(&inputs(&["zero-a10g"]), false, SpaceSdk::Gradio).is_ok());
        let failure = check_sdk(&inputs(&["t4-small", "zerogpu"]), false, SpaceSdk::Streamlit).unwrap_err();
        assert_eq!(
            failure.message,
            "`hardware` is `zerogpu`, and ZeroGPU needs the Gradio SDK: this Space has `docker`"
        );
        let failure = check_sdk(&inputs(&[]), true, SpaceSdk::Static).unwrap_err();
        assert_eq!(failure.message, "`volumes` must be left out for a static Space: nothing runs there");
        assert!(check_sdk(&inputs(&[]), false, SpaceSdk::Static).is_ok());
    }

    #[test]
    fn never_has_several_spellings() {
        let machine = |gc_timeout| Machine { gc_timeout, ..Machine::default() };
        let hour = SleepTime::After(std::time::Duration::from_secs(3600));
        assert!(sleeps_as_wanted(&machine(None), SleepTime::Never));
        assert!(sleeps_as_wanted(&machine(Some(-1)), SleepTime::Never));
        assert!(!sleeps_as_wanted(&machine(Some(172_800)), SleepTime::Never));
        assert!(sleeps_as_wanted(&machine(Some(3600)), hour) && !sleeps_as_wanted(&machine(None), hour));
    }
}
