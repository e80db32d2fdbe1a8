//! The data files of a folder, with their formats and splits.

use crate::action::Log;
use crate::dataset_files::{Fault, Format, NamedSplits, is_compressed, split_by_name};
use crate::failure::{Result, dataset as advice};
use crate::folder::Source;
use crate::setting::SPLITS;
use crate::text::{name_some, quoted_all};

/// Split of files whose names have none.
const DEFAULT_SPLIT: &str = "train";
/// Splits that come first, in this order.
const FIRST_SPLITS: [&str; 3] = ["train", "validation", "test"];

/// A data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataFile {
    /// Path in the folder.
    pub(super) path: String,
    pub(super) format: Format,
    pub(super) split: String,
}

/// Returns the data files in the order in which the `datasets` library reads them: split by split.
pub(super) fn assign(source: &Source, splits: Option<&NamedSplits>, log: &Log) -> Result<Vec<DataFile>> {
    let paths: Vec<&str> = source.files.iter().map(|file| file.path.as_str()).collect();
    let compressed: Vec<String> =
        paths.iter().filter(|path| is_compressed(path)).map(|path| (*path).to_owned()).collect();
    if !compressed.is_empty() {
        let names = name_some(&quoted_all(&compressed));
        log.warning(&format!(
            "not checked, and not in the card, because this program does not unpack them: {names}"
        ));
    }
    let (mut files, mut faults, mut left_over) = (Vec::new(), Vec::new(), Vec::new());
    for path in paths {
        let Some(format) = Format::of(path) else { continue };
        let split = match splits {
            Some(splits) => splits.split_of(path).map(|split| split.map(str::to_owned)),
            None => split_by_name(path).map(|split| Some(split.unwrap_or_else(|| DEFAULT_SPLIT.to_owned()))),
        };
        match split {
            Ok(Some(split)) => files.push(DataFile { path: path.to_owned(), format, split }),
            Ok(None) => left_over.push(path.to_owned()),
            Err(error) => faults.push(Fault {
                path: path.to_owned(),
                line: None,
                sentence: error.to_string(),
                is_over_limit: false,
            }),
        }
    }
    if !faults.is_empty() {
        return Err(advice::splits_unclear(&faults));
    }
    if !left_over.is_empty() {
        let names = name_some(&quoted_all(&left_over));
        log.warning(&format!("in no split of {SPLITS}, so not checked, and not in the card: {names}"));
    }
    let names: Vec<&str> = splits.map(|splits| splits.names().collect()).unwrap_or_default();
    let unmatched: Vec<&str> =
        names.iter().filter(|name| files.iter().all(|file| file.split != **name)).copied().collect();
    if !unmatched.is_empty() {
        return Err(advice::splits_without_files(&unmatched));
    }
    if files.is_empty() {
        return Err(advice::no_data(&compressed));
    }
    files.sort_by_cached_key(|file| (rank(&file.split, &names), file.split.clone(), file.path.clone()));
    check_formats(&files)?;
    Ok(files)
}

/// Returns the place of a split among the others: as the input names it, else the usual ones first.
fn rank(split: &str, names: &[&str]) -> usize {
    let order = if names.is_empty() { &FIRST_SPLITS[..] } else { names };
    order.iter().position(|name| *name == split).unwrap_or(order.len())
}

/// Refuses files of different formats, which one configuration cannot have.
fn check_formats(files: &[DataFile]) -> Result<()> {
    let Some(first) = files.first() else { return Ok(()) };
    match files.iter().find(|file| file.format.family() != first.format.family()) {
        Some(other) => Err(advice::formats_differ(&first.path, &other.path)),
        None => Ok(()),
    }
}
