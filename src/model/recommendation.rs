//! The recommendation: the file `runtime_recommendation.json` of a run bundle.

use serde::Serialize;

use crate::templates::Template;

use super::candidate::{Alternative, Candidate, Manual, Rejected, ZeroGpuSize};
use super::facts::ModelFacts;
use super::library::Library;
use super::runtime::Choice;
use super::size::Size;

/// Template and hardware for a model, with the reasons.
#[derive(Debug, Clone, Serialize)]
pub struct Recommendation {
    pub schema: u8,
    pub model: ModelSummary,
    /// Name of the template: `None` if there is none.
    pub template: Option<&'static str>,
    /// Memory of a GPU in 10^9 bytes: `None` for an app without weights, and if the size is not known.
    pub need_gb: Option<f64>,
    /// `None` if a person has to choose, or there is an obstacle.
    pub chosen: Option<Chosen>,
    pub alternatives: Vec<Alternative>,
    pub rejected: Vec<Rejected>,
    pub warnings: Vec<String>,
    /// Hardware that a run may ask for, in this order.
    #[serde(skip)]
    pub candidates: Vec<Candidate>,
    /// Smallest hardware that suffices, for a person to choose.
    #[serde(skip)]
    pub manual: Option<Manual>,
}

/// Facts about the model.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ModelSummary {
    pub id: String,
    pub sha: Option<String>,
    pub pipeline_tag: Option<String>,
    pub library_name: Option<String>,
    pub params: Option<u64>,
    pub dtype: Option<String>,
    pub weights_bytes: Option<u64>,
}

/// The first choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chosen {
    /// Name of the hardware, or `static`.
    pub hardware: &'static str,
    pub size: Option<&'static str>,
    pub duration_s: Option<u32>,
    pub price_usd_hour: Option<f64>,
}

impl From<&Candidate> for Chosen {
    fn from(candidate: &Candidate) -> Self {
        Self {
            hardware: candidate.hardware.map_or("static", hub::Flavor::as_str),
            size: candidate.size.map(ZeroGpuSize::as_str),
            duration_s: candidate.duration,
            price_usd_hour: candidate.price,
        }
    }
}

impl Recommendation {
    pub(super) fn new(
        facts: &ModelFacts,
        template: Option<Template>,
        size: &Size,
        choice: Choice,
        warnings: Vec<String>,
    ) -> Self {
        let info = &facts.info;
        let library = || match Library::of(info) {
            Library::Transformers => Some("transformers".to_owned()),
            Library::Diffusers => Some("diffusers".to_owned()),
            Library::Peft => Some("peft".to_owned()),
            _ => None,
        };
        let model = ModelSummary {
            id: info.id.clone(),
            sha: info.sha.clone(),
            pipeline_tag: facts.task().map(str::to_owned),
            library_name: info.library_name.clone().or_else(library),
            params: size.params,
            dtype: size.dtype.clone(),
            weights_bytes: size.stored,
        };
        let Choice { candidates, alternatives, rejected, manual } = choice;
        Self {
            schema: 1,
            model,
            template: template.map(Template::name),
            need_gb: size.need_gb,
            chosen: candidates.first().map(Chosen::from),
            alternatives,
            rejected,
            warnings,
            candidates,
            manual,
        }
    }

    /// Makes the recommendation for a model about which nothing is known.
    pub(super) fn of_nothing(id: &str) -> Self {
        Self {
            schema: 1,
            model: ModelSummary { id: id.to_owned(), ..ModelSummary::default() },
            template: None,
            need_gb: None,
            chosen: None,
            alternatives: Vec::new(),
            rejected: Vec::new(),
            warnings: Vec::new(),
            candidates: Vec::new(),
            manual: None,
        }
    }
}
