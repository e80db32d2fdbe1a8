//! The facts of a run for its bundle.

use serde_json::{Value, json};

use crate::agent::program;
use crate::commands::groups::check_outputs::seconds;
use crate::ops::build_space::{AgentReport, BuildReport, Gate};
use crate::ops::check;
use crate::run_bundle::{BundleContent, BundleFile, RunFacts, TargetHardware, TargetSpace};

/// Name of the file with the verdict.
const GATE: &str = "inference_gate.json";

/// Returns the facts for the state of the run.
pub(super) fn facts(report: &BuildReport) -> RunFacts {
    let deploy = &report.deploy;
    let target = deploy.repo.as_ref().map(|repo| TargetSpace {
        id: repo.id.to_string(),
        url: Some(format!("{}/{}", report.endpoint, repo.page())),
        app_url: deploy.space_url.clone(),
        visibility: deploy.access.and_then(|access| access.visibility).map(|visibility| visibility.as_str()),
        sdk: deploy.sdk.map(|sdk| sdk.as_str()),
        hardware: TargetHardware {
            requested: deploy.wanted_hardware.map(|flavor| flavor.to_string()),
            current: deploy.space_hardware.as_ref().map(|hardware| hardware.as_str().to_owned()),
        },
        sha: deploy.commit_sha().map(str::to_owned),
        created: deploy.created,
    });
    RunFacts {
        model: (!report.model.is_empty()).then(|| report.model.clone()),
        space: deploy.repo.as_ref().map(|repo| repo.id.to_string()),
        gate_status: report.gate.as_ref().map(|gate| gate.status.as_str()),
        target_space: target,
        job: report.agent.job.facts(),
        ..RunFacts::default()
    }
}

/// Returns the files that the bundle gets at the end: the verdict, and those of the check.
pub(super) fn files(report: &BuildReport) -> Vec<BundleFile> {
    let gate = report.gate.as_ref().map(|gate| BundleFile {
        path: GATE.to_owned(),
        content: BundleContent::Json(verdict(gate, report)),
    });
    let of_check = report.deploy.check.iter().flat_map(|check| check::bundle_files(check, "tests"));
    gate.into_iter().chain(of_check).collect()
}

/// Returns the work of the agent. Its cost is that of its model, with the Job's own beside it.
fn agent(model: &str, report: &AgentReport) -> Value {
    let result = report.result.as_ref();
    json!({
        "model": model,
        "package": program::PACKAGE,
        "version": program::PACKAGE_VERSION,
        "job": report.job.job.as_ref().map(|job| job.url.as_str()),
        "job_cost_usd": report.job.cost(),
        "ended": result.map(|result| result.ended.as_str()),
        "requests": result.map(|result| result.requests),
        "input_tokens": result.map(|result| result.input_tokens),
        "output_tokens": result.map(|result| result.output_tokens),
        "model_cost_usd": result.and_then(|result| result.cost_usd),
        "raw_sessions": report.sessions,
    })
}

fn verdict(gate: &Gate, report: &BuildReport) -> Value {
    let deploy = &report.deploy;
    let check = deploy.check.as_ref();
    json!({
        "status": gate.status.as_str(),
        "reasons": gate.reasons,
        "evidence": {
            "space": deploy.repo.as_ref().map(|repo| repo.id.to_string()),
            "commit": deploy.commit_sha(),
            "stage": deploy.space_stage.as_ref().map(|stage| stage.as_str()),
            "hardware": deploy.space_hardware.as_ref().map(|hardware| hardware.as_str()),
            "template": report.template,
            "endpoint": check.and_then(|check| check.endpoint.as_deref()),
            "detail": check.map(|check| check.detail.as_str()),
            "outputs": check.map(|check| check.outputs.as_slice()),
            "latency_seconds": check.and_then(|check| check.latency()).map(|latency| seconds(latency.wall)),
            "blockers": report.analysis.as_ref().map(|analysis| {
                let found = analysis.blockers.iter().map(|blocker| blocker.id.as_str());
                Value::from_iter(found.chain(report.agent.blockers.iter().map(|blocker| blocker.id.as_str())))
            }),
            "agent": report.agent.model.as_deref().map(|model| agent(model, &report.agent)),
            "error_code": report.failure.as_ref().map(|failure| failure.code.as_str()),
        },
    })
}
