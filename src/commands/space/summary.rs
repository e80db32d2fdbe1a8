//! The job summary of an operation on a Space.

use hub::HardwareName;

use crate::action::markdown;
use crate::commands::summary_parts::{
    editor, facts_table, failure_section, log_section, ssh, warnings_section,
};
use crate::ops::space_operation::report::SpaceReport;

use super::outputs::status;

pub(super) fn summary(report: &SpaceReport, warnings: &[String]) -> String {
    let space = match &report.repo {
        Some(repo) => format!("The Space {}", markdown::code(&repo.id.to_string())),
        None => "The Space".to_owned(),
    };
    let mut text = match status(report) {
        "done" => format!("### ✅ {space}: done\n\n"),
        "unchanged" => format!("### ✅ {space}: unchanged\n\n"),
        "cancelled" => format!("### 🚫 {space}: cancelled\n\n"),
        _ => format!("### ❌ {space}: failed\n\n"),
    };
    if let Some(failure) = &report.failure {
        text.push_str(&failure_section(failure));
    }
    text.push_str(&facts_table(facts(report)));
    if report.failure.is_some() {
        for tail in report.log_tails.iter().filter(|tail| !tail.is_empty()) {
            text.push_str(&log_section(tail));
        }
    }
    text.push_str(&warnings_section(warnings));
    text
}

fn facts(report: &SpaceReport) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let (Some(repo), Some(url)) = (&report.repo, report.page()) {
        rows.push(("Space", markdown::link(&repo.id.to_string(), &url)));
    }
    if let Some(url) = &report.space_url {
        rows.push(("App", markdown::link(url, url)));
    }
    if let Some(runtime) = &report.runtime {
        rows.push(("Stage", markdown::cell_code(runtime.stage.as_str())));
    }
    if let Some(hardware) = report.hardware().map(HardwareName::as_str) {
        let price = report.hourly_price.filter(|price| *price > 0.0);
        let price = price.map(|price| format!(" at ${price:.2} an hour")).unwrap_or_default();
        rows.push(("Hardware", format!("{}{price}", markdown::cell_code(hardware))));
    }
    if let Some(access) = &report.dev_mode {
        rows.extend(ssh(access));
        rows.push(editor(access));
    }
    rows
}
