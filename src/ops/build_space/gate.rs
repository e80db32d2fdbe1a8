//! The verdict about a Space: one of six statuses, with its reasons. Pure.

use super::options::{BuildMode, BuildOptions};
use super::report::Gate;
use crate::agent::AgentBlocker;
use crate::app_check::{CheckResult, CheckStatus};
use crate::failure::{Code, Failure};
use crate::model::{Analysis, Blocker};
use crate::ops::deploy::Deployed;
use crate::ops::space::HardwareStatus;

/// Judges a model that cannot become a Space.
pub(super) fn of_blocked(analysis: &Analysis) -> Gate {
    let blocking = analysis.blockers.iter().filter(|blocker| blocker.blocks());
    Gate { status: CheckStatus::TechnicalBlocker, reasons: blocking.map(sentence).collect() }
}

/// Judges a model for which an agent found obstacles.
pub(super) fn of_agent_blockers(blockers: &[AgentBlocker]) -> Gate {
    let reasons = blockers.iter().map(|blocker| format!("{}: {}", blocker.id, blocker.evidence)).collect();
    Gate { status: CheckStatus::TechnicalBlocker, reasons }
}

fn sentence(blocker: &Blocker) -> String {
    format!("{}: {}", blocker.id.as_str(), blocker.evidence)
}

/// Judges a Space that was deployed. `is_static` is true for a page without an API to call.
pub(super) fn of_deployed(options: &BuildOptions, deployed: &Deployed, is_static: bool) -> Gate {
    if deployed.hardware == Some(HardwareStatus::ManualHardwareRequired) {
        let reason = "the Hub grants the Space none of the hardware that its model needs";
        return Gate { status: CheckStatus::ManualHardwareRequired, reasons: vec![reason.to_owned()] };
    }
    let Some(check) = &deployed.check else {
        let reason = "the app runs, and it was not checked";
        return Gate { status: CheckStatus::HealthOnly, reasons: vec![reason.to_owned()] };
    };
    let has_inference = !is_static && options.mode != BuildMode::SafeScaffold;
    Gate { status: status(check, has_inference), reasons: vec![check.detail.clone()] }
}

/// Returns the status of a check. An app without inference cannot prove any.
fn status(check: &CheckResult, has_inference: bool) -> CheckStatus {
    match check.status {
        CheckStatus::FullInferenceSuccess | CheckStatus::FullInferenceCandidateHealthPassed
            if !has_inference =>
        {
            CheckStatus::HealthOnly
        }
        status => status,
    }
}

/// Judges a deploy or an agent that failed: `None` if the failure says nothing about the Space.
pub(super) fn of_failure(failure: &Failure) -> Option<Gate> {
    let status = match failure.code {
        Code::HardwareRefused => CheckStatus::ManualHardwareRequired,
        Code::CheckFailed
        | Code::AgentFailed
        | Code::AgentRefused
        | Code::SpaceBuildFailed
        | Code::SpaceCrashed
        | Code::SpaceMisconfigured
        | Code::SpaceWithoutApp
        | Code::SpaceNotReady => CheckStatus::Failed,
        _ => return None,
    };
    // A message may list its reasons, each on a line.
    let reasons = failure.message.lines().map(|line| line.trim_end_matches(':').to_owned()).collect();
    Some(Gate { status, reasons })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_check::CheckFailure;

    #[test]
    fn app_without_inference_proves_none() {
        let proven = CheckResult::passed(CheckStatus::FullInferenceSuccess, "fine");
        let healthy = CheckResult::passed(CheckStatus::FullInferenceCandidateHealthPassed, "fine");
        let quota = CheckResult::failed(CheckFailure::GpuQuota, "later");
        let broken = CheckResult::failed(CheckFailure::AppError, "no");
        for (check, with, without) in [
            (&proven, CheckStatus::FullInferenceSuccess, CheckStatus::HealthOnly),
            (&healthy, CheckStatus::FullInferenceCandidateHealthPassed, CheckStatus::HealthOnly),
            (&quota, CheckStatus::FullInferenceCandidateHealthPassed, CheckStatus::HealthOnly),
            (&broken, CheckStatus::Failed, CheckStatus::Failed),
        ] {
            assert_eq!((status(check, true), status(check, false)), (with, without), "{check:?}");
        }
    }

    #[test]
    fn failure_about_the_network_is_no_verdict() {
        let of = |code| of_failure(&Failure::new(code, "x")).map(|gate| gate.status);
        assert_eq!(of(Code::HubUnavailable), None);
        assert_eq!(of(Code::SpaceNameTaken), None);
        assert_eq!(of(Code::SpaceNotReady), Some(CheckStatus::Failed));
        assert_eq!(of(Code::AgentRefused), Some(CheckStatus::Failed));
        assert_eq!(of(Code::HardwareRefused), Some(CheckStatus::ManualHardwareRequired));
    }
}
