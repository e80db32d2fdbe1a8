//! From the facts of a model to the Space that suits it: template, memory, hardware, and the obstacles. Pure.

mod blockers;
mod candidate;
mod classify;
mod facts;
mod hardware;
mod library;
mod license;
mod recommendation;
mod runtime;
mod settings;
mod size;
mod space_plan;
pub mod table;
mod warnings;
mod weights;

pub(crate) use blockers::wants_base;
pub use blockers::{Blocker, BlockerId, Severity, disabled, not_found};
pub use candidate::{Alternative, Candidate, Manual, Rejected, ZeroGpuSize};
pub use facts::{Base, ModelFacts, SpaceAccess};
pub(crate) use facts::{base_ids, code_file};
pub use hardware::Prices;
pub(crate) use library::is_adapter;
pub use recommendation::{Chosen, ModelSummary, Recommendation};
pub use settings::{Account, Grant, RuntimeChoice, Settings};
pub(crate) use size::needs_file_sizes;
pub use space_plan::SpacePlan;
pub(crate) use weights::file_to_check;

use classify::Classified;
use runtime::Choice;

/// Result of the analysis of a model.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// Obstacles and warnings with an id, the worst first.
    pub blockers: Vec<Blocker>,
    pub recommendation: Recommendation,
    /// Facts for the files of the Space: `None` if an obstacle is in the way.
    pub plan: Option<SpacePlan>,
}

impl Analysis {
    /// Makes the analysis of a model about which nothing is known, because of this obstacle.
    pub fn of_nothing(id: &str, blocker: Blocker) -> Self {
        let recommendation = Recommendation::of_nothing(id);
        Self { blockers: vec![blocker], recommendation, plan: None }
    }

    /// Returns true if no Space can be made.
    pub fn is_blocked(&self) -> bool {
        self.blockers.iter().any(Blocker::blocks)
    }
}

/// Analyzes a model.
pub fn analyze(facts: &ModelFacts, settings: &Settings, account: &Account, prices: &Prices) -> Analysis {
    let classified = classify::classify(facts, settings);
    let template = classified.as_ref().ok().map(|classified| classified.template);
    let size = size::measure(facts, template);
    let mut blockers: Vec<Blocker> = classified.as_ref().err().cloned().into_iter().collect();
    blockers.extend(blockers::find(facts, settings, template));
    blockers.extend(runtime::too_large(settings, template, &size));
    // A worse obstacle explains a missing template better.
    blockers.sort_by_key(|blocker| (blocker.severity, blocker.id));
    let is_blocked = blockers.iter().any(Blocker::blocks);
    let choice = match &classified {
        Ok(Classified { template, task }) if !is_blocked => Choice::make(&runtime::Question {
            facts,
            settings,
            account,
            prices,
            size: &size,
            template: *template,
            task,
        }),
        _ => Choice::default(),
    };
    let plan = classified
        .as_ref()
        .ok()
        .filter(|_| !is_blocked)
        .map(|classified| SpacePlan::new(facts, settings, classified, &size));
    let warnings = warnings::list(facts, settings, &blockers, &size, &choice);
    let recommendation = Recommendation::new(facts, template, &size, choice, warnings);
    Analysis { blockers, recommendation, plan }
}

#[cfg(test)]
mod tests;
