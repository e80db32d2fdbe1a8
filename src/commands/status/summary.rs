//! The account as a job summary.

use crate::action::markdown;
use crate::commands::summary_parts::failure_section;

use super::report::StatusReport;
use super::text;

pub(super) fn summary(report: &StatusReport) -> String {
    let Some((facts, features)) = &report.account else {
        let failure = report.failure.as_ref().map(failure_section).unwrap_or_default();
        return format!("### ❌ The account is not known\n\n{failure}");
    };
    let namespace = facts.namespace.as_deref().unwrap_or("unknown");
    let mut made = format!("### Features of {}\n\n", markdown::code(namespace));
    match &facts.user {
        Ok(user) => {
            let plan = text::plan(user, &user.name);
            let user_line = format!("User `{}`, {plan}; {}", user.name, text::token(user));
            made.push_str(&format!("{}\n\n", markdown::text(&user_line)));
        }
        Err(reason) => made.push_str(&format!("{}\n\n", markdown::text(&format!("User unknown: {reason}")))),
    }
    made.push_str("| feature | | reason | fix |\n| --- | --- | --- | --- |\n");
    for feature in features {
        let fix = feature.fix.as_deref().map(markdown::cell).unwrap_or_default();
        made.push_str(&format!(
            "| {} | {} | {} | {fix} |\n",
            markdown::cell_code(feature.name),
            feature.state.as_str(),
            markdown::cell(&feature.reason),
        ));
    }
    made.push('\n');
    made
}
