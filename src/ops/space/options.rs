//! The options of a Space beside its files: settings and hardware.

use hub::{Flavor, Secret, SleepTime, Volume};

/// Variables, secrets and volumes of a Space.
#[derive(Debug, Clone, Default)]
pub struct SettingsOptions {
    pub variables: Vec<Variable>,
    /// True if the list of variables is given, which may be empty: only then does `Overwrite` delete variables.
    pub variables_given: bool,
    pub secrets: Vec<NamedSecret>,
    /// The same for `secrets`, with all their values.
    pub secrets_given: bool,
    pub strategy: SettingsStrategy,
    /// Writes secrets although nothing else restarts the Space.
    pub force_secrets: bool,
    /// `None` leaves them as they are; an empty list unmounts everything.
    pub volumes: Option<Vec<Volume>>,
}

/// A variable of a Space, which everybody can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub key: String,
    pub value: String,
}

/// A secret of a Space, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSecret {
    pub key: String,
    pub value: Secret,
}

/// Treatment of settings that are not named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SettingsStrategy {
    /// They stay.
    #[default]
    Merge,
    /// They are deleted.
    Overwrite,
}

/// Spaces that an option of the hardware is for, because each kind has options of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OptionOf {
    #[default]
    Space,
    Previews,
    Proxy,
}

/// Hardware of a Space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HardwareOptions {
    /// In the order of preference; an empty list leaves it as it is.
    pub wanted: Vec<Flavor>,
    pub wanted_by: OptionOf,
    /// Fails the deploy if none of it is granted.
    pub required: bool,
    /// The app runs on no other hardware: a Space without it is not waited for.
    pub is_needed: bool,
    /// `None` leaves it as it is.
    pub sleep_time: Option<SleepTime>,
    pub sleep_time_by: OptionOf,
    /// The sleep time is for hardware that costs something, and not for ZeroGPU.
    pub sleeps_if_paid: bool,
}

impl HardwareOptions {
    /// Returns the sleep time on this hardware, if it has one.
    pub fn sleep_time_on(&self, flavor: Flavor) -> Option<SleepTime> {
        let stays = flavor.is_basic() || (self.sleeps_if_paid && flavor.is_zero_gpu());
        self.sleep_time.filter(|_| !stays)
    }
}
