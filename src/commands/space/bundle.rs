//! The facts of an operation for its run bundle.

use hub::HardwareName;

use crate::ops::space_operation::report::SpaceReport;
use crate::run_bundle::{RunFacts, TargetHardware, TargetSpace};

/// Returns the facts for the state of the run.
pub(super) fn facts(report: &SpaceReport) -> RunFacts {
    let Some(repo) = &report.repo else { return RunFacts::default() };
    let runtime = report.runtime.as_ref();
    let name = |hardware: Option<&HardwareName>| hardware.map(|hardware| hardware.as_str().to_owned());
    let target = TargetSpace {
        id: repo.id.to_string(),
        url: report.page(),
        app_url: report.space_url.clone(),
        hardware: TargetHardware {
            requested: name(runtime.and_then(|runtime| runtime.hardware.requested.as_ref())),
            current: name(runtime.and_then(|runtime| runtime.hardware.current.as_ref())),
        },
        sha: runtime.and_then(|runtime| runtime.sha.as_deref()).map(str::to_owned),
        ..TargetSpace::default()
    };
    RunFacts { space: Some(repo.id.to_string()), target_space: Some(target), ..RunFacts::default() }
}
