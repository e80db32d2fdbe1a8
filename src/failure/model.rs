//! Advice on models that Spaces are made for.

use hub::{Refusal, RepoId, Revision};

use super::{Code, Failure};
use crate::model::Blocker;
use crate::setting::{REVISION, USE_BASE_MODEL};
use crate::text::{count, plain};

/// Returns the failure of a model with these obstacles.
pub fn blocked(model: &RepoId, blockers: &[Blocker]) -> Failure {
    let found: Vec<&Blocker> = blockers.iter().filter(|blocker| blocker.blocks()).collect();
    let line = |blocker: &&Blocker| format!("`{}`: {}", blocker.id.as_str(), plain(&blocker.evidence));
    let message = match found.as_slice() {
        [blocker] => format!("cannot make a Space for `{model}`: {}", line(blocker)),
        all => {
            let lines: Vec<String> = all.iter().map(line).collect();
            format!(
                "cannot make a Space for `{model}`, because of {}:\n{}",
                count(all.len(), "obstacle"),
                lines.join("\n")
            )
        }
    };
    let failure = Failure::new(Code::TechnicalBlocker, message);
    found.iter().fold(failure, |failure, blocker| failure.hint(plain(&blocker.fix)))
}

/// Returns the failure of a model without this revision.
pub fn no_revision(model: &RepoId, revision: &Revision) -> Failure {
    let message = format!("the model `{model}` has no branch, tag or commit `{revision}`");
    Failure::new(Code::RevisionNotFound, message)
        .hint(format!("check {REVISION}; without it, `main` is read"))
}

/// Returns the warning about a base model that cannot stand in for the model.
pub fn base_not_used(base: &RepoId, reason: Option<&Refusal>) -> String {
    match reason {
        Some(reason) => format!("{USE_BASE_MODEL} has no effect: the Hub shows no `{base}`: {reason}"),
        None => format!("{USE_BASE_MODEL} has no effect: `{base}` is empty"),
    }
}
