//! The review of what an agent returned: the rules that decide before any file is used.

mod app;
mod folder;
mod packages;
mod placeholders;

use std::path::Path;

use self::folder::Returned;
use super::blockers::{self, AgentBlocker, BLOCKERS_FILE};
use super::editable::{APP, EDITABLE};
use super::job_result::{JobResult, LeftOutReason};
use super::leaks;
use super::refusal::{Fault, Refusal};
use crate::redact::Redactor;
use crate::templates::{GeneratedFile, check_rules};

/// An accepted answer of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// All files of the Space, by path.
    Files(Vec<GeneratedFile>),
    /// Reasons why the model cannot work.
    Blockers(Vec<AgentBlocker>),
}

/// Reviews the folder that the agent returned. `ours` are the files that it got, `known` has the secrets of the run.
///
/// # Errors
///
/// The files break rules: all of them are returned.
pub fn review(
    returned: &Path,
    ours: &[GeneratedFile],
    known: &Redactor,
    result: &JobResult,
) -> Result<Reviewed, Refusal> {
    let Returned { files, mut faults } = folder::read(returned);
    if let Some(text) = files.get(BLOCKERS_FILE) {
        match blockers::read(text, known) {
            Ok(blockers) if !blockers.is_empty() => return Ok(Reviewed::Blockers(blockers)),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    for left_out in &result.refused {
        let text = match left_out.reason {
            // A file that the app does not need stays out, and does no harm.
            LeftOutReason::OtherName => continue,
            LeftOutReason::Link => "is a link",
            LeftOutReason::TooLarge => "is too large",
            LeftOutReason::Special => "is neither a file nor a folder",
        };
        faults.push(Fault::whole(&left_out.path, text));
    }
    let mut accepted: Vec<GeneratedFile> =
        ours.iter().filter(|file| !EDITABLE.contains(&file.path)).cloned().collect();
    for path in EDITABLE {
        let our = ours.iter().find(|file| file.path == path);
        let Some(text) = files.get(path) else {
            let is_faulty = faults.iter().any(|fault| fault.path == path);
            if our.is_some() && !is_faulty {
                faults.push(Fault::whole(path, "was deleted"));
            }
            continue;
        };
        faults.extend(
            leaks::find(text, known)
                .into_iter()
                .map(|leak| Fault { line: leak.line, ..Fault::whole(path, format!("holds {}", leak.kind)) }),
        );
        faults.extend(check_rules(path, text).into_iter().map(|broken| Fault {
            line: broken.line,
            ..Fault::whole(path, format!("breaks the rule that {}", broken.rule))
        }));
        faults.extend(match path {
            APP => app::check(text, our.map(|file| file.text.as_str()).unwrap_or_default(), result),
            path => packages::check(path, text),
        });
        let text = match (path, our) {
            (APP, Some(our)) => app::with_header(text, &our.text),
            _ => text.clone(),
        };
        if our.is_some() || !text.trim().is_empty() {
            accepted.push(GeneratedFile { path, text });
        }
    }
    if !faults.is_empty() {
        faults.sort_by(|one, other| (&one.path, one.line).cmp(&(&other.path, other.line)));
        return Err(Refusal { faults });
    }
    accepted.sort_unstable_by_key(|file| file.path);
    Ok(Reviewed::Files(accepted))
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
