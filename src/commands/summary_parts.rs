//! Parts of job summaries that several commands have.

use crate::action::markdown;
use crate::failure::Failure;
use crate::ops::space::{DevModeAccess, LogTail};

/// Largest number of warnings that the summary lists.
const SHOWN_WARNINGS: usize = 20;

/// Renders a table of facts: names, and Markdown that is safe in a cell. The first one is the head of the table, because
/// an empty head would be a blank row. Empty without facts.
pub(crate) fn facts_table(rows: Vec<(&'static str, String)>) -> String {
    let mut rows = rows.into_iter().map(|(name, value)| format!("| {name} | {value} |\n"));
    let Some(head) = rows.next() else { return String::new() };
    format!("{head}| --- | --- |\n{}\n", rows.collect::<String>())
}

/// Renders a failure with its causes, its hints and its code.
pub(crate) fn failure_section(failure: &Failure) -> String {
    // A fence does not wrap, so a long sentence would be hard to read in it.
    let mut text = match failure.message.trim() {
        message if message.contains('\n') => format!("{}\n", markdown::fenced(message)),
        message => format!("**{}**\n\n", markdown::text(message)),
    };
    let causes = failure.causes();
    if !causes.is_empty() {
        text.push_str(&format!("Caused by:\n\n{}\n", markdown::fenced(&causes.join("\n"))));
    }
    for hint in &failure.hints {
        text.push_str(&format!("- {}\n", markdown::text(hint)));
    }
    let code = markdown::code(failure.code.as_str());
    let help = failure.help.as_ref().map(|help| format!(" ({})", markdown::link("help", &help.0)));
    text.push_str(&format!("\nError code: {code}{}\n\n", help.unwrap_or_default()));
    text
}

/// Renders the warnings of the run; empty without any.
pub(crate) fn warnings_section(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let mut text = "#### Warnings\n\n".to_owned();
    for warning in warnings.iter().take(SHOWN_WARNINGS) {
        text.push_str(&format!("- {}\n", markdown::text(warning)));
    }
    if warnings.len() > SHOWN_WARNINGS {
        text.push_str(&format!("\nshowing {SHOWN_WARNINGS} of {}\n", warnings.len()));
    }
    text.push('\n');
    text
}

/// Renders the end of a log in a fence, so that it cannot be anything but text.
pub(crate) fn log_section(tail: &LogTail) -> String {
    let lines: Vec<&str> = tail.lines().collect();
    format!("#### The end of the {} log\n\n{}\n", tail.kind.as_str(), markdown::fenced(&lines.join("\n")))
}

/// Returns the row with the command for SSH into a Space in dev mode.
pub(crate) fn ssh(access: &DevModeAccess) -> Option<(&'static str, String)> {
    Some(("SSH", markdown::cell_code(&format!("ssh {}", access.ssh.as_ref()?))))
}

/// Returns the row with the editor of a Space in dev mode.
pub(crate) fn editor(access: &DevModeAccess) -> (&'static str, String) {
    ("Editor", markdown::link(&access.editor, &access.editor))
}
