//! The outputs of the deploy: the report, as values for later steps.

use std::time::Duration;

use hub::{HardwareName, Stage, Visibility};

use crate::action::journal::Timing;
use crate::commands::groups::check_outputs::{self, seconds};
use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::ops::deploy::DeployReport;
use crate::ops::deploy::plan::Action;
use crate::ops::space::HardwareStatus;

outputs! {
    pub, (report: &DeployReport, timings),
    Output::own_word(
        "status",
        "Result of the run: `deployed`, `unchanged` (no file and no setting changed), `dry-run`, `skipped`, `deleted` (a preview), `failed`, `rolled-back` or `cancelled`.",
    ) => report.status().as_str().to_owned();
    Output::text(
        "space_url",
        "Address of the live app. Empty for models and datasets.",
    ) => text(report.space_url.as_deref());
    Output::text(
        "commit_sha",
        "Commit of the deploy, on the pull request with `create_pr`. Without changes, the current commit of the branch.",
    ) => text(report.commit_sha());
    check_outputs::VERIFY_STATUS => check_outputs::status(report.check.as_ref());
    Output::text(
        "proxy_url",
        "Public address of the proxy. Empty without a proxy.",
    ) => text(report.proxy_space().map(|(_, url)| url));
    ERROR_CODE => error_code(report.failure.as_ref());
    Output::own_word(
        "settings_changed",
        "`true` if the run changed the visibility of the repo, or variables, secrets, volumes, hardware or sleep time of the Space, or if a dry run would. Else `false`.",
    ) => report.settings_changed().to_string();
    Output::own_word(
        "visibility",
        "Visibility of the repo after the run: `public`, `private` or `protected`. In a dry run, the visibility that the repo would have. Empty if the Hub does not report it.",
    ) => text(report.access.and_then(|access| access.visibility).map(Visibility::as_str));
    Output::own_word(
        "created",
        "`true` if the run created the repo, or if a dry run would. Else `false`.",
    ) => report.is_new_repo().to_string();
    Output::text(
        "repo_id",
        "Repo of the deploy, as `namespace/name`.",
    ) => report.repo.as_ref().map(|repo| repo.id.to_string()).unwrap_or_default();
    Output::text(
        "repo_url",
        "Page of the repo on the Hub.",
    ) => report.repo_url().unwrap_or_default();
    Output::text(
        "commit_url",
        "Page of the commit on the Hub.",
    ) => report.commit_url().unwrap_or_default();
    Output::text(
        "pull_request_url",
        "Page of the pull request that `create_pr` opened, or that `revision` names as `refs/pr/N`.",
    ) => report.pull_request_url().unwrap_or_default();
    Output::own_word(
        "files_added",
        "Number of new files.",
    ) => count(report, Action::Add);
    Output::own_word(
        "files_updated",
        "Number of files with new content.",
    ) => count(report, Action::Update);
    Output::own_word(
        "files_deleted",
        "Number of files deleted from the repo.",
    ) => count(report, Action::Delete);
    Output::own_word(
        "files_unchanged",
        "Number of files that the Hub already had.",
    ) => report.plan.as_ref().map(|plan| plan.unchanged.to_string()).unwrap_or_default();
    Output::own_word(
        "bytes_uploaded",
        "Number of bytes sent for the content of files, as packed by the storage. Content on the Hub is not sent.",
    ) => report.plan.as_ref().map(|_| report.bytes_uploaded.to_string()).unwrap_or_default();
    Output::text(
        "space_hardware",
        "Current or requested hardware of the Space. Empty for static Spaces, models and datasets.",
    ) => text(report.space_hardware.as_ref().map(HardwareName::as_str));
    Output::own_word(
        "hardware_status",
        "Result of the request for `hardware`: `granted`, `unchanged` or `manual_hardware_required`. Empty without a request.",
    ) => text(report.hardware_status.map(HardwareStatus::as_str));
    Output::text(
        "space_stage",
        "Last stage of the Space, such as `RUNNING`. Empty without a wait.",
    ) => text(report.space_stage.as_ref().map(Stage::as_str));
    check_outputs::VERIFY_LATENCY_SECONDS => check_outputs::latency(report.check.as_ref());
    check_outputs::RECOMMENDED_DURATION_SECONDS => check_outputs::recommended_duration(report.check.as_ref());
    Output::text(
        "ssh_address",
        "Target of `ssh` for a failed Space that `leave_open_on_failure` left in dev mode. Else empty.",
    ) => text(report.dev_mode.as_ref().and_then(|access| access.ssh.as_deref()));
    Output::text(
        "editor_url",
        "Address of the editor for such a Space. Else empty.",
    ) => text(report.dev_mode.as_ref().map(|access| access.editor.as_str()));
    Output::text(
        "rollback_commit_sha",
        "Commit that restored the previous tree. Empty without a rollback.",
    ) => text(report.rollback_commit.as_deref());
    Output::own_word(
        "proxy_enabled",
        "`true` if a proxy Space forwards to the Space, else `false`.",
    ) => report.proxy_space().is_some().to_string();
    Output::text(
        "proxy_repo_id",
        "Proxy Space, as `namespace/name`. Empty without a proxy.",
    ) => report.proxy_space().map(|(repo, _)| repo.id.to_string()).unwrap_or_default();
    Output::own_word(
        "timings",
        "Seconds of each phase, as a JSON object.",
    ) => timings_json(timings);
    Output::own_word(
        "auth",
        "Sign-in of the run: `token` or `oidc` (without a stored token). Empty without a sign-in.",
    ) => report.auth.to_owned();
    Output::own_word(
        "preview",
        "`true` if the run is for the preview of a pull request, else `false`.",
    ) => report.preview.is_preview.to_string();
    Output::text(
        "comment_url",
        "Page of the comment on the pull request. Empty without a comment.",
    ) => text(report.preview.comment_url.as_deref());
    Output::own_word(
        "deployment_id",
        "Id of the deployment on GitHub. Empty without a deployment.",
    ) => report.preview.deployment_id.map(|id| id.to_string()).unwrap_or_default();
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

fn count(report: &DeployReport, action: Action) -> String {
    report.count(action).map(|count| count.to_string()).unwrap_or_default()
}

/// Renders the phases as a JSON object of seconds: `{"plan":0.412,"commit":1.5}`.
fn timings_json(timings: &[Timing]) -> String {
    let mut sums = serde_json::Map::new();
    for Timing { name, taken } in timings {
        let before = sums.get(*name).and_then(serde_json::Value::as_f64).unwrap_or_default();
        sums.insert((*name).to_owned(), seconds(*taken + Duration::from_secs_f64(before)).into());
    }
    if sums.is_empty() { String::new() } else { serde_json::Value::from(sums).to_string() }
}
