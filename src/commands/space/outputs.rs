//! The outputs of an operation on a Space.

use hub::HardwareName;

use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::failure::Code;
use crate::ops::space::HardwareStatus;
use crate::ops::space_operation::report::SpaceReport;

outputs! {
    pub(super), (report: &SpaceReport, _timings),
    Output::own_word(
        "status",
        "Result: `done`, `unchanged` (the Space was so already), `failed` or `cancelled`.",
    ) => status(report).to_owned();
    ERROR_CODE => error_code(report.failure.as_ref());
    Output::text(
        "space_stage",
        "Last stage of the Space, such as `RUNNING` or `PAUSED`. Empty after a deletion.",
    ) => text(report.runtime.as_ref().map(|runtime| runtime.stage.as_str()));
    Output::text(
        "space_url",
        "Address of the app.",
    ) => text(report.space_url.as_deref());
    Output::text(
        "repo_id",
        "Space, as `namespace/name`.",
    ) => report.repo.as_ref().map(|repo| repo.id.to_string()).unwrap_or_default();
    Output::text(
        "repo_url",
        "Page of the Space on the Hub.",
    ) => report.page().unwrap_or_default();
    Output::text(
        "commit_sha",
        "Commit that runs. Empty for a static Space, and while nothing runs.",
    ) => text(report.runtime.as_ref().and_then(|runtime| runtime.sha.as_deref()));
    Output::text(
        "space_hardware",
        "Current or requested hardware of the Space. Empty for a static Space.",
    ) => text(report.hardware().map(HardwareName::as_str));
    Output::own_word(
        "hardware_status",
        "Result of the operation `hardware`: `granted` or `unchanged`. Empty for other operations.",
    ) => text(report.hardware_status.map(HardwareStatus::as_str));
    Output::own_word(
        "price_usd_per_hour",
        "Price of an hour on that hardware, in US dollars, while the Space starts and runs. Empty if it is not known.",
    ) => report.hourly_price.map(|price| format!("{price:.2}")).unwrap_or_default();
    Output::own_word(
        "sleep_time_seconds",
        "Idle time after which the Space sleeps, or `-1` for never. Empty for a static Space.",
    ) => sleep_time(report);
    Output::own_word(
        "dev_mode",
        "`true` while dev mode holds back commits, else `false`. Empty if it is not known.",
    ) => report.runtime.as_ref().map(|runtime| runtime.dev_mode.to_string()).unwrap_or_default();
    Output::text(
        "ssh_address",
        "Target of `ssh` for a Space that `dev-mode` opened.",
    ) => text(report.dev_mode.as_ref().and_then(|access| access.ssh.as_deref()));
    Output::text(
        "editor_url",
        "Address of the editor for a Space that `dev-mode` opened.",
    ) => text(report.dev_mode.as_ref().map(|access| access.editor.as_str()));
}

/// Returns the status. A run without an outcome has failed.
pub(super) fn status(report: &SpaceReport) -> &'static str {
    match (&report.failure, report.outcome) {
        (Some(failure), _) if failure.code == Code::Cancelled => "cancelled",
        (None, Some(outcome)) => outcome.as_str(),
        _ => "failed",
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn sleep_time(report: &SpaceReport) -> String {
    let Some(runtime) = report.runtime.as_ref().filter(|runtime| runtime.flavor().is_some()) else {
        return String::new();
    };
    runtime.gc_timeout.filter(|seconds| *seconds >= 0).unwrap_or(-1).to_string()
}
