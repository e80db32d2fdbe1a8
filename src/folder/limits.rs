//! Limits of the Hub for files and folders.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::text::quoted_path;

/// Maximum number of entries of one folder: "cannot exceed" (hub docs, storage limits).
pub(super) const MAX_FOLDER_ENTRIES: usize = 10_000;

/// Maximum size of one file, a hard limit (hub docs, storage limits).
pub(super) const MAX_FILE_BYTES: u64 = 500_000_000_000;

/// Lists the folders with too many entries. Folders without files are not deployed and do not count.
pub(super) fn full_folders<'a>(files: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut entries: HashMap<&str, usize> = HashMap::new();
    let mut known: HashSet<&str> = HashSet::new();
    for mut path in files {
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
        .map(|(folder, entries)| format!("{} has {entries} entries", quoted_path(Path::new(folder))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_a_folder_count_as_entries() {
        let mut files: Vec<_> = (0..MAX_FOLDER_ENTRIES - 1).map(|i| format!("many/{i}")).collect();
        files.extend((0..3).map(|i| format!("many/sub/{i}")));
        assert!(full_folders(files.iter().map(String::as_str)).is_empty());
        files.push("many/one more/x".to_owned());
        assert_eq!(full_folders(files.iter().map(String::as_str)), ["`many` has 10001 entries"]);
    }
}
