//! Diagnosis of a log: one cause, its fixes, and a place in the deployed files.

mod names;
mod row_match;
mod table;

use std::sync::LazyLock;

use hub::LogKind;
use regex::Regex;

use super::traceback::{Traceback, last_traceback};
use crate::text::without_colors;
use row_match::RowMatch;
use table::{CauseRow, TABLE, TextOrigin};

/// A cause of a failure, as a log describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The row of the table.
    pub name: String,
    /// The end of a sentence: ``pip finds no package `numpi` ``.
    pub cause: String,
    /// One imperative action each.
    pub fixes: Vec<String>,
    pub spot: Option<Spot>,
    /// The cause only repeats a line of the log.
    pub is_weak: bool,
}

/// A place that a log names, in a file that may be one of the deployed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// As the log has it: absolute, or relative to some folder.
    pub file: String,
    /// Counted from 1.
    pub line: Option<u32>,
    /// Text of the line, if its number is not known.
    pub find: Option<String>,
}

/// Text about a failed Space.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The Hub's own message (`errorMessage` of the runtime), which often ends with a piece of the log.
    pub hub: Option<&'a str>,
    pub kind: LogKind,
    /// The lines of the log of that kind.
    pub log: &'a [&'a str],
}

/// Finds the cause of a failure. The first error of a build decides, and the last traceback of an app.
pub fn diagnose(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let hub = evidence.hub.map(without_colors).unwrap_or_default();
    let hub_lines: Vec<&str> = hub.lines().map(bare).collect();
    let log_lines: Vec<&str> = evidence.log.iter().copied().map(bare).collect();
    let traceback =
        last_traceback(log_lines.iter().copied()).or_else(|| last_traceback(hub_lines.iter().copied()));
    // The log of an app has warnings of all kinds before the exception that ended it.
    let from_here = match last_traceback(log_lines.iter().copied()) {
        Some(traceback) if evidence.kind == LogKind::Run => traceback.first_line,
        _ => 0,
    };
    let log = log_lines.get(from_here..).unwrap_or_default().join("\n");
    let hub = hub_lines.join("\n");

    let find = |text: &'_ str, is_wanted: &dyn Fn(&CauseRow) -> bool| -> Option<Diagnosis> {
        let mut rows = TABLE.causes.iter().filter(|row| is_wanted(row));
        rows.find_map(|row| Some((row.weak, RowMatch::find(row, text)?)))
            .map(|(is_weak, found)| described(&found, traceback.as_ref(), is_weak))
    };
    let kind = evidence.kind;
    find(&hub, &|row| row.from == Some(TextOrigin::Hub))
        .or_else(|| find(&log, &|row| row.reads(kind) && !row.weak))
        .or_else(|| find(&hub, &|row| row.reads(kind) && !row.weak))
        .or_else(|| find(&log, &|row| row.reads(kind) && row.weak))
        .or_else(|| find(&hub, &|row| row.reads(kind) && row.weak))
}

fn described(found: &RowMatch<'_>, traceback: Option<&Traceback>, is_weak: bool) -> Diagnosis {
    let origin = traceback.and_then(|traceback| traceback.origin.as_ref());
    let spot = match found.place() {
        Some((file, line, find)) => Some(Spot { file, line, find }),
        None => origin.map(|origin| Spot { file: origin.file.clone(), line: Some(origin.line), find: None }),
    };
    let shown = traceback.map_or_else(|| "an exception".to_owned(), ToString::to_string);
    Diagnosis {
        name: found.name().to_owned(),
        cause: found.cause(&shown),
        fixes: found.fixes(),
        spot,
        is_weak,
    }
}

/// Removes the margins of BuildKit and progress bars from a line.
fn bare(line: &str) -> &str {
    static MARGIN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^(?:#\d+ (?:\[[^\]]*\] )?)?(?:\d+\.\d{2,} )?(?:--> )?").ok());
    let line = line.trim_end();
    let line = line.rsplit('\r').next().unwrap_or(line);
    let margin = MARGIN.as_ref().and_then(|margin| margin.find(line)).map_or(0, |margin| margin.end());
    line.get(margin..).unwrap_or(line)
}

#[cfg(test)]
mod tests;
