//! Wishes of the user, and the rights of the account, as plain values.

use hub::Flavor;

use crate::templates::Template;

/// Wishes of the user.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Task in place of the one of the model.
    pub task: Option<String>,
    /// Template in place of the one that the task leads to.
    pub template: Option<Template>,
    pub runtime: RuntimeChoice,
    /// Hardware to ask for first.
    pub hardware_preference: Flavor,
    /// Paid hardware may be taken if the free one cannot be had.
    pub allow_fallback: bool,
    /// Paid hardware in the order of preference; empty for the smallest that suffices.
    pub fallback_hardware: Vec<Flavor>,
    /// Limit of the price of an hour, in US dollars.
    pub max_hourly_price: Option<f64>,
    /// The Space gets a token of its own.
    pub has_space_token: bool,
    pub trust_remote_code: bool,
    pub allow_pickle: bool,
    /// The weights of the base model may stand in for weights that cannot be used.
    pub use_base_model: bool,
    pub require_license: bool,
    /// The revision is a commit, so that its code cannot change.
    pub is_pinned: bool,
}

impl Settings {
    /// Returns true if a run may ask for paid hardware.
    pub(crate) fn may_pay(&self) -> bool {
        let is_paid = !self.hardware_preference.is_zero_gpu() && !self.hardware_preference.is_basic();
        self.allow_fallback || self.runtime == RuntimeChoice::Gpu || is_paid
    }
}

/// Kind of machine that runs the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// The best that the account may use.
    Auto,
    ZeroGpu,
    /// A GPU that is paid by the hour.
    Gpu,
    Cpu,
    /// The browser of each visitor.
    Static,
    /// A provider of inference.
    Provider,
}

/// Rights of the namespace in which the Space is created.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Gradio Spaces on the free hardware.
    pub cpu_basic: Grant,
    pub zero_gpu: Grant,
    pub paid_hardware: Grant,
}

/// Prediction for a feature of the Hub. The Hub decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Grant {
    Yes,
    /// The Hub will refuse it, for this reason.
    No(String),
    #[default]
    Unknown,
}

impl Grant {
    /// Returns the reason for a refusal.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::No(reason) => Some(reason),
            Self::Yes | Self::Unknown => None,
        }
    }
}

impl Default for Settings {
    /// Returns the settings of a call without inputs.
    fn default() -> Self {
        Self {
            task: None,
            template: None,
            runtime: RuntimeChoice::Auto,
            hardware_preference: Flavor::ZERO_GPU,
            allow_fallback: false,
            fallback_hardware: Vec::new(),
            max_hourly_price: None,
            has_space_token: false,
            trust_remote_code: false,
            allow_pickle: false,
            use_base_model: false,
            require_license: false,
            is_pinned: false,
        }
    }
}
