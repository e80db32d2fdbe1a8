//! Warnings about a model that can be shown all the same.

use crate::text::plain;

use super::blockers::{Blocker, BlockerId};
use super::candidate::ZeroGpuSize;
use super::facts::{ModelFacts, base_ids, has_tag, needs_own_code};
use super::runtime::Choice;
use super::settings::Settings;
use super::size::{Size, is_bitsandbytes};
use super::weights::{Format, formats};

/// Longest call that users report to have passed on ZeroGPU for a free visitor, in seconds.
const FREE_CALL_SECONDS: u32 = 120;

/// Size of weights that may not fit on the disk of a Space, which has 50 GB.
const MAX_DISK_GB: f64 = 40.0;

/// Lists the warnings.
pub(super) fn list(
    facts: &ModelFacts,
    settings: &Settings,
    blockers: &[Blocker],
    size: &Size,
    choice: &Choice,
) -> Vec<String> {
    let info = &facts.info;
    let mut all = Vec::new();
    for blocker in blockers.iter().filter(|blocker| !blocker.blocks()) {
        all.push(match blocker.id {
            BlockerId::LicenseMissing => "license missing".to_owned(),
            _ => plain(&blocker.evidence),
        });
    }
    if let Some(id) = &facts.in_place_of {
        all.push(format!("the weights of `{}` stand in for those of `{}`", info.id, plain(id)));
    }
    if let (Some(chosen), Some(found)) = (settings.template, super::classify::contradicted(facts, settings)) {
        all.push(format!("the model is of the template `{found}`, so an app of `{chosen}` may not run it"));
    }
    let first = choice.candidates.first();
    if first.is_some_and(|candidate| candidate.size == Some(ZeroGpuSize::XLarge)) {
        all.push("the size `xlarge` of ZeroGPU uses the quota of visitors twice as fast".to_owned());
    }
    if first.and_then(|candidate| candidate.duration).is_some_and(|seconds| seconds > FREE_CALL_SECONDS) {
        all.push("calls of more than 120 s may be refused for visitors on the free plan".to_owned());
    }
    if first.is_some_and(|candidate| candidate.hardware.is_some()) {
        if size.stored_gb().is_some_and(|gb| gb >= MAX_DISK_GB) {
            all.push(
                "40 GB of weights or more may not fit on the disk of a Space, and are not preloaded"
                    .to_owned(),
            );
        }
        if size.need_gb.is_none() && size.stored.is_none() {
            all.push("the size of the weights is not known, so the hardware may be too small".to_owned());
        }
        if needs_own_code(info) && settings.trust_remote_code {
            all.push("Python code of the model runs in the Space".to_owned());
        }
        if formats(info).contains(&Format::Pickle) && !formats(info).contains(&Format::Safetensors) {
            all.push("the weights are pickle files, which can run any code".to_owned());
        }
        if is_bitsandbytes(facts.loaded()) {
            all.push("weights packed by bitsandbytes answer less exactly than the base model".to_owned());
        }
    }
    if super::library::is_adapter(info) && base_ids(info).len() > 1 {
        all.push(format!("the adapter names several base models; `{}` is used", facts.loaded().id));
    }
    if has_tag(info, "not-for-all-audiences") {
        all.push("the author marks the model as not for all audiences".to_owned());
    }
    all
}
