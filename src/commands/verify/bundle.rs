//! The facts of a verification for its run bundle.

use crate::ops::check;
use crate::ops::verify::{Target, VerifyReport};
use crate::run_bundle::{BundleFile, RunFacts, TargetSpace};

/// Returns the facts for the state of the run.
pub(super) fn facts(report: &VerifyReport) -> RunFacts {
    let space = match &report.target {
        Some(Target::Space(id)) => Some(id.to_string()),
        Some(Target::Url(_)) | None => None,
    };
    let target = |id: &String| TargetSpace {
        id: id.clone(),
        url: Some(format!("{}/spaces/{id}", report.endpoint.trim_end_matches('/'))),
        app_url: report.app_url.as_ref().map(ToString::to_string),
        ..TargetSpace::default()
    };
    RunFacts {
        gate_status: report.status().map(|status| status.as_str()),
        target_space: space.as_ref().map(target),
        space,
        ..RunFacts::default()
    }
}

/// Returns the files of the checks. Each of several checks has a folder of its own.
pub(super) fn files(report: &VerifyReport) -> Vec<BundleFile> {
    let folder = |index: usize| match report.planned {
        1 => "tests".to_owned(),
        _ => format!("tests/check-{}", index + 1),
    };
    let checks = report.checks.iter().enumerate();
    checks.flat_map(|(index, ended)| check::bundle_files(&ended.result, &folder(index))).collect()
}
