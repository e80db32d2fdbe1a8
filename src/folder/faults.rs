//! Everything that can be wrong with the files of the source, and how it is told.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use super::SourceFile;
use crate::failure::{Code, Failure, Result};
use crate::target::shorten;
use crate::text::{count, name_some, quoted};

/// The Hub's limit for one folder: "cannot exceed" (hub docs, storage limits).
pub(super) const MAX_FOLDER_ENTRIES: usize = 10_000;

/// The Hub's hard limit for one file (hub docs, storage limits).
pub(super) const MAX_FILE_BYTES: u64 = 500_000_000_000;

/// What ends the run, by kind. Names are as messages show them.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) unreadable: Vec<(String, io::Error)>,
    pub(super) names: Vec<String>,
    pub(super) links: Vec<String>,
    pub(super) pointers: Vec<String>,
    pub(super) too_large: Vec<String>,
}

impl Faults {
    /// The first kind that there is, with all its cases.
    pub(super) fn into_result(mut self) -> Result<()> {
        self.unreadable.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for names in [&mut self.names, &mut self.links, &mut self.pointers, &mut self.too_large] {
            names.sort_unstable();
        }
        if !self.unreadable.is_empty() {
            let names: Vec<_> =
                self.unreadable.iter().map(|(name, error)| format!("{name} ({error})")).collect();
            let failure = Failure::new(
                Code::SourceUnreadable,
                format!("cannot read {} of the source: {}", count(names.len(), "path"), name_some(&names)),
            )
            .hint("leave out with `exclude` what is not part of the app, or make it readable for this step");
            return Err(match self.unreadable.into_iter().next() {
                Some((_, error)) => failure.caused_by(error),
                None => failure,
            });
        }
        if !self.names.is_empty() {
            let message = format!(
                "the Hub refuses {} of the source: {}",
                count(self.names.len(), "path"),
                name_some(&self.names)
            );
            return Err(Failure::new(Code::InvalidPath, message)
                .hint("rename the files, or leave them out with `exclude`"));
        }
        if !self.links.is_empty() {
            let message = format!(
                "cannot follow {}: {}",
                count(self.links.len(), "symbolic link"),
                name_some(&self.links)
            );
            return Err(Failure::new(Code::LinkOutsideSource, message).hint(
                "put the files themselves in the place of the links, or leave the links out with `exclude`",
            ));
        }
        if !self.pointers.is_empty() {
            let message = format!(
                "found a Git LFS pointer in place of the content in {}: {}",
                count(self.pointers.len(), "file"),
                name_some(&self.pointers)
            );
            return Err(Failure::new(Code::LfsPointer, message)
                .hint("set `lfs: true` for actions/checkout, so that it fetches the content")
                .hint("leave out with `exclude` what is meant to be a pointer"));
        }
        if !self.too_large.is_empty() {
            let message = format!(
                "the Hub takes files of at most {} GB and folders of at most {MAX_FOLDER_ENTRIES} entries: {}",
                MAX_FILE_BYTES / 1_000_000_000,
                name_some(&self.too_large)
            );
            return Err(Failure::new(Code::SourceTooLarge, message)
                .hint("split the file or folder, or leave it out with `exclude`"));
        }
        Ok(())
    }
}

/// The folders with more entries than the Hub takes. Folders that hold no files do not travel and do not
/// count. `files` are sorted.
pub(super) fn full_folders(files: &[SourceFile]) -> Vec<String> {
    let mut entries: HashMap<&str, usize> = HashMap::new();
    let mut known: HashSet<&str> = HashSet::new();
    for file in files {
        let mut path = file.path.as_str();
        loop {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            *entries.entry(folder).or_default() += 1;
            if folder.is_empty() || !known.insert(folder) {
                break;
            }
            path = folder;
        }
    }
    entries
        .into_iter()
        .filter(|(_, entries)| *entries > MAX_FOLDER_ENTRIES)
        .map(|(folder, entries)| format!("{} has {entries} entries", shown(Path::new(folder))))
        .collect()
}

/// Why the Hub refuses the path `path`, told as `reason` (a parse error that may end with the path).
pub(super) fn bad_path(path: &Path, reason: &str) -> String {
    let reason = reason.split_once(": \"").map_or(reason, |(reason, _)| reason);
    let escaped = format!("{path:?}");
    format!("{} ({reason})", shorten(&escaped, MAX_SHOWN_PATH))
}

/// Longer paths are cut in messages that may name ten of them.
const MAX_SHOWN_PATH: usize = 200;

/// A path in a message: in backticks, or escaped when it has characters that could be misread.
pub(super) fn shown(path: &Path) -> String {
    match path.to_str() {
        Some("") => "`.`".to_owned(),
        Some(text) => quoted(text),
        None => format!("{path:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_break_a_message() {
        for (path, expected) in [("a b/ü", "`a b/ü`"), ("", "`.`"), ("a\nb", "\"a\\nb\""), ("a`b", "\"a`b\"")]
        {
            assert_eq!(shown(Path::new(path)), expected);
        }
        let refused = "a\nb".parse::<crate::target::RepoPath>().unwrap_err().to_string();
        let told = bad_path(Path::new("a\nb"), &refused);
        assert_eq!(told, "\"a\\nb\" (has the control character '\\n', which the Hub refuses)");
    }

    #[test]
    fn kinds_are_told_one_at_a_time_and_in_order() {
        let mut faults = Faults::default();
        assert!(Faults::default().into_result().is_ok());
        faults.pointers = vec!["`b`".into(), "`a`".into()];
        faults.links = vec!["`c` leads to nothing".into()];
        let failure = faults.into_result().unwrap_err();
        assert_eq!(failure.code, Code::LinkOutsideSource);
        let faults = Faults { pointers: vec!["`b`".into(), "`a`".into()], ..Faults::default() };
        let failure = faults.into_result().unwrap_err();
        assert_eq!(failure.code, Code::LfsPointer);
        assert_eq!(failure.message, "found a Git LFS pointer in place of the content in 2 files: `a`, `b`");
        assert!(failure.hints[0].contains("`lfs: true`"));
    }

    #[test]
    fn folders_are_counted_with_the_folders_in_them() {
        let file = |path: String| SourceFile {
            path: path.parse().unwrap(),
            content: super::super::Content::Memory(bytes::Bytes::new()),
            size: 0,
            cache: None,
        };
        let mut files: Vec<_> = (0..MAX_FOLDER_ENTRIES - 1).map(|i| file(format!("many/{i}"))).collect();
        files.extend((0..3).map(|i| file(format!("many/sub/{i}"))));
        assert!(full_folders(&files).is_empty());
        files.push(file("many/one more/x".to_owned()));
        assert_eq!(full_folders(&files), ["`many` has 10001 entries"]);
    }
}
