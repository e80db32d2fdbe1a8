//! The outputs of a Space that is made from a model.

use crate::app_check::CheckStatus;
use crate::commands::groups::check_outputs;
use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::model::Blocker;
use crate::ops::build_space::BuildReport;
use crate::ops::space::HardwareStatus;
use hub::HardwareName;

outputs! {
    pub(super), (report: &BuildReport, _timings),
    Output::own_word(
        "gate_status",
        "Verdict in one word: `full_inference_success`, `full_inference_candidate_health_passed`, `health_only`, `manual_hardware_required`, `technical_blocker` or `failed`. Empty without one.",
    ) => report.gate.as_ref().map(|gate| gate.status.as_str().to_owned()).unwrap_or_default();
    Output::text(
        "space_id",
        "Space, as `namespace/name`. Empty if the run did not come to it.",
    ) => report.deploy.repo.as_ref().map(|repo| repo.id.to_string()).unwrap_or_default();
    Output::text(
        "space_url",
        "Address of the live app.",
    ) => report.deploy.space_url.clone().unwrap_or_default();
    Output::own_word(
        "created",
        "`true` if the run created the Space, else `false`.",
    ) => report.deploy.created.to_string();
    Output::own_word(
        "template",
        "Template of the files, such as `text-to-image`. Empty if none suits the model.",
    ) => report.template.unwrap_or_default().to_owned();
    Output::text(
        "hardware",
        "Hardware of the Space. In a dry run, the hardware that the run would ask for first; `static` for a page.",
    ) => hardware(report);
    Output::own_word(
        "hardware_status",
        "Result of the request for hardware: `granted`, `unchanged` or `manual_hardware_required`. Empty without a request.",
    ) => hardware_status(report).map(HardwareStatus::as_str).unwrap_or_default().to_owned();
    Output::text(
        "blockers",
        "Names of the obstacles that keep the model from becoming a Space, separated by commas. Those of the agent are its own words.",
    ) => blockers(report);
    check_outputs::VERIFY_LATENCY_SECONDS => check_outputs::latency(report.deploy.check.as_ref());
    check_outputs::RECOMMENDED_DURATION_SECONDS => check_outputs::recommended_duration(report.deploy.check.as_ref());
    Output::own_word(
        "price_usd_hour",
        "Price of an hour on that hardware in US dollars. Empty if it is not known.",
    ) => price(report).map(|price| in_cents(price).to_string()).unwrap_or_default();
    Output::own_word(
        "status",
        "Result of the run: `deployed`, `unchanged` (the Space had these files), `dry-run`, `skipped` (nothing was made, and `fail_on` accepts that), `failed` or `cancelled`.",
    ) => report.status().as_str().to_owned();
    ERROR_CODE => error_code(report.failure.as_ref());
}

/// Returns the hardware that the Space has, or would ask for.
pub(super) fn hardware(report: &BuildReport) -> String {
    let of_space = report.deploy.space_hardware.as_ref().map(HardwareName::as_str);
    let chosen = report.analysis.as_ref().and_then(|analysis| analysis.recommendation.chosen.as_ref());
    let chosen = chosen.filter(|_| report.is_dry_run).map(|chosen| chosen.hardware);
    of_space.or(chosen).unwrap_or_default().to_owned()
}

/// Returns the result of the request for hardware.
fn hardware_status(report: &BuildReport) -> Option<HardwareStatus> {
    let is_manual =
        report.gate.as_ref().is_some_and(|gate| gate.status == CheckStatus::ManualHardwareRequired);
    report.deploy.hardware_status.or_else(|| is_manual.then_some(HardwareStatus::ManualHardwareRequired))
}

fn blockers(report: &BuildReport) -> String {
    let blockers = report.analysis.iter().flat_map(|analysis| &analysis.blockers);
    let found = blockers.filter(|one| Blocker::blocks(one)).map(|one| one.id.as_str());
    let of_agent = report.agent.obstacles().map(|one| one.id.as_str());
    let names: Vec<&str> = found.chain(of_agent).collect();
    names.join(",")
}

/// Returns the price of an hour on the hardware.
pub(super) fn price(report: &BuildReport) -> Option<f64> {
    let chosen = report.analysis.as_ref().and_then(|analysis| analysis.recommendation.chosen.as_ref());
    let recommended = chosen.and_then(|chosen| chosen.price_usd_hour);
    let is_free = report.deploy.space_hardware.as_ref().is_some_and(crate::ops::space::is_free);
    report
        .deploy
        .hourly_price
        .or_else(|| recommended.filter(|_| report.is_dry_run))
        .or_else(|| is_free.then_some(0.0))
}

/// Rounds a price to cents, because the Hub names millionths of a dollar for a minute.
fn in_cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}
