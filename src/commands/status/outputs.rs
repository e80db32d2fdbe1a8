//! The outputs of the account.

use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::failure::Code;
use crate::ops::account::{Plan, State};

use super::json;
use super::report::StatusReport;

outputs! {
    pub(super), (report: &StatusReport, _timings),
    Output::own_word(
        "status",
        "Result: `done`, `failed` or `cancelled`.",
    ) => status(report).to_owned();
    ERROR_CODE => error_code(report.failure.as_ref());
    Output::text(
        "user",
        "Name of the user. Empty if the Hub does not say.",
    ) => user(report).map(|user| user.name.clone()).unwrap_or_default();
    Output::text(
        "plan",
        "Plan of the namespace: `free`, `pro`, or that of an organization. Empty if it is not known.",
    ) => plan(report).unwrap_or_default();
    Output::text(
        "token_role",
        "Role of the token: `read`, `write` or `fineGrained`. Empty if the Hub does not say.",
    ) => user(report).and_then(|user| user.token().role_name).unwrap_or_default();
    Output::text(
        "token_expires_at",
        "End of the token's life. Empty if the Hub names none.",
    ) => user(report).and_then(|user| user.token().expires_at).unwrap_or_default();
    Output::own_word(
        "features",
        "Features that are there, separated by spaces, such as `dev_mode jobs`.",
    ) => present(report);
    Output::text(
        "report",
        "All of it as JSON: `user`, `plan`, `token`, `organizations`, `features` and `limits`.",
    ) => report.account.as_ref().map(|(facts, features)| json::of_account(facts, features).to_string()).unwrap_or_default();
}

fn status(report: &StatusReport) -> &'static str {
    match report.code() {
        Some(Code::Cancelled) => "cancelled",
        Some(_) => "failed",
        None => "done",
    }
}

fn user(report: &StatusReport) -> Option<&hub::WhoAmI> {
    report.account.as_ref()?.0.user.as_ref().ok()
}

fn plan(report: &StatusReport) -> Option<String> {
    let namespace = report.account.as_ref()?.0.namespace.as_ref()?;
    Plan::of(user(report)?, namespace).name().map(str::to_owned)
}

fn present(report: &StatusReport) -> String {
    let features = report.account.iter().flat_map(|(_, features)| features);
    let names: Vec<&str> =
        features.filter(|feature| feature.state == State::Yes).map(|feature| feature.name).collect();
    names.join(" ")
}
