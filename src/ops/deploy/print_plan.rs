//! Prints a plan.

use crate::failure::deploy_log as advice;
use crate::text::{MAX_NAMES, count, human_bytes, name_some, quoted_all};

use super::context::Context;
use super::options::Origin;
use super::plan::{Action, Change, Created, Plan};

/// Largest number of changes that the log of a deploy lists. A dry run lists all of them.
const LINES: usize = 200;

/// Prints a plan, and records it. `created` are the files that the repo was created with.
pub(super) fn print_plan(context: &Context<'_>, plan: &Plan, created: &[Created]) {
    let log = context.log;
    let [add, update, delete] =
        [Action::Add, Action::Update, Action::Delete].map(|action| plan.count(action));
    let unchanged = plan.unchanged;
    let title = format!("plan: {add} to add, {update} to update, {delete} to delete, {unchanged} unchanged");
    let shown = if plan.is_empty() {
        nothing_to_do(context, unchanged)
    } else if !created.is_empty() && add + update == 0 {
        format!("deleting {} that came with the new {}", count(delete, "file"), context.repo.repo_type.noun())
    } else {
        title.clone()
    };
    let lines = lines(context, plan);
    match context.options.origin {
        Origin::Proxy if plan.is_empty() => {}
        Origin::Proxy => log.info(&shown),
        Origin::Checkout | Origin::Model if !lines.is_empty() => {
            let _group = log.group(&shown);
            lines.iter().for_each(|line| log.info(line));
        }
        // The line about the creation named the files.
        Origin::Checkout | Origin::Model if !created.is_empty() => {}
        Origin::Checkout | Origin::Model => log.info(&shown),
    }
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

fn nothing_to_do(context: &Context<'_>, unchanged: usize) -> String {
    let change = if context.options.dry_run { "would change" } else { "changed" };
    let noun = context.repo.repo_type.noun();
    match unchanged {
        0 => format!("no file {change}"),
        1 => format!("no file {change}: the {noun} has its file already"),
        _ => format!("no file {change}: the {noun} has its {unchanged} files already"),
    }
}

/// Describes the changes, one line each, and the paths that a `.gitignore` matches, if they are too many for a message.
fn lines(context: &Context<'_>, plan: &Plan) -> Vec<String> {
    let most = if context.options.dry_run { usize::MAX } else { LINES };
    let mut lines: Vec<String> = plan.changes.iter().take(most).map(describe).collect();
    if plan.changes.len() > most {
        lines.push(format!("and {} more", plan.changes.len() - most));
    }
    for (paths, fate) in [(&plan.ignored, "left out"), (&plan.kept, "stays on the Hub")] {
        if paths.len() > MAX_NAMES {
            let line = |path: &String| format!("! {path} ({fate}: a .gitignore matches it)");
            lines.extend(paths.iter().take(most).map(line));
        }
    }
    lines
}

fn describe(change: &Change) -> String {
    let sign = match change.action {
        Action::Delete => return format!("- {}", change.path),
        Action::Add => '+',
        Action::Update => '~',
    };
    let large = if change.large { ", large" } else { "" };
    format!("{sign} {} ({}{large})", change.path, human_bytes(change.size))
}

/// Warns about files that a `.gitignore` excludes, because a built folder is often among them.
fn warn_about_ignored(context: &Context<'_>, ignored: &[String]) {
    if !ignored.is_empty() {
        context.log.warning(&advice::left_out_by_gitignore(ignored));
    }
}
