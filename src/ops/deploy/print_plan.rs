//! Prints a plan.

use crate::failure::deploy_log as advice;
use crate::text::{count, human_bytes, name_some, quoted_all};

use super::context::Context;
use super::plan::{Action, Plan};

/// Largest number of changes that the log of a deploy lists. A dry run lists all of them.
const LINES: usize = 200;

/// Prints a plan, and records it.
pub(super) fn print_plan(context: &Context<'_>, plan: &Plan) {
    let log = context.log;
    let [add, update, delete] =
        [Action::Add, Action::Update, Action::Delete].map(|action| plan.count(action));
    let unchanged = plan.unchanged;
    let title = format!("plan: {add} to add, {update} to update, {delete} to delete, {unchanged} unchanged");
    let group = log.group(&title);
    let lines = if context.options.dry_run { usize::MAX } else { LINES };
    for change in plan.changes.iter().take(lines) {
        let (sign, size) = match change.action {
            Action::Add => ('+', human_bytes(change.size)),
            Action::Update => ('~', human_bytes(change.size)),
            Action::Delete => ('-', String::new()),
        };
        let large = if change.large { ", large" } else { "" };
        let size = if size.is_empty() { size } else { format!(" ({size}{large})") };
        log.info(&format!("{sign} {}{size}", change.path));
    }
    if plan.changes.len() > lines {
        log.info(&format!("and {} more", plan.changes.len() - lines));
    }
    for path in plan.ignored.iter().take(lines) {
        log.info(&format!("! {path} (left out: a .gitignore matches it)"));
    }
    for path in plan.kept.iter().take(lines) {
        log.info(&format!("! {path} (stays on the Hub: a .gitignore matches it)"));
    }
    drop(group);
    warn_about_ignored(context, &plan.ignored);
    if !plan.kept.is_empty() {
        log.info(&format!(
            "kept {} on the Hub, because a `.gitignore` matches: {}",
            count(plan.kept.len(), "file"),
            name_some(&quoted_all(&plan.kept))
        ));
    }
    let data = serde_json::json!({ "add": add, "update": update, "delete": delete, "unchanged": unchanged });
    context.journal.event("planned", title, data);
    context.recorder.record(|report| report.plan = Some(plan.clone()));
}

/// Warns about files that a `.gitignore` excludes, because a built folder is often among them.
fn warn_about_ignored(context: &Context<'_>, ignored: &[String]) {
    if !ignored.is_empty() {
        context.log.warning(&advice::left_out_by_gitignore(ignored));
    }
}
