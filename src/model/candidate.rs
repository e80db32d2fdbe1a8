//! Hardware that suits a model, and hardware that does not.

use hub::{Flavor, SleepTime};
use serde::Serialize;

use crate::templates::Template;

/// Share of a GPU of ZeroGPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroGpuSize {
    Large,
    /// The whole GPU, which counts twice.
    XLarge,
}

impl ZeroGpuSize {
    /// Returns the value of the decorator's argument `size`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Large => "large",
            Self::XLarge => "xlarge",
        }
    }
}

/// Hardware that a run may ask for by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Template of the files, which is another one for a static page.
    pub template: Template,
    /// `None` for a static page.
    pub hardware: Option<Flavor>,
    /// Size on ZeroGPU.
    pub size: Option<ZeroGpuSize>,
    /// Time on the GPU for a call, on ZeroGPU, in seconds.
    pub duration: Option<u32>,
    /// Price of an hour in US dollars, if it is known.
    pub price: Option<f64>,
    /// Idle time before it sleeps, for paid hardware.
    pub sleep_time: Option<SleepTime>,
}

/// Hardware that suffices, for a person to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manual {
    pub hardware: Flavor,
    pub price: Option<f64>,
}

/// Other hardware that suffices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alternative {
    pub hardware: String,
    pub reason: String,
    pub price_usd_hour: Option<f64>,
}

/// Hardware that does not suffice, or cannot be had.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rejected {
    pub hardware: String,
    pub reason: String,
}

impl Alternative {
    pub(super) fn new(hardware: &str, reason: &str, price: Option<f64>) -> Self {
        Self { hardware: hardware.to_owned(), reason: reason.to_owned(), price_usd_hour: price }
    }
}
