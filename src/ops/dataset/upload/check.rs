//! The check of all rows, before anything is sent. It also collects the facts about the files.

use std::fs::File;
use std::io::{self, Read};

use hub::{Content as _, Sha256};
use sha2::{Digest as _, Sha256 as Hasher};

use crate::action::Counter;
use crate::dataset_files::{
    Fault, Faults, Fields, Format, Table, differences, differences_of_shards, read_parquet, read_text,
};
use crate::failure::Result;
use crate::folder::{FileContent, Source, SourceFile};

use super::assign::DataFile;
use super::report::{FileFacts, SplitFacts};

/// Largest number of faults that a run reports.
pub(super) const MAX_FAULTS: usize = 20;
/// Number of rows that the viewer shows on a page, which it reads together.
const ROWS_OF_PAGE: u64 = 100;

/// Result of the check.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) splits: Vec<SplitFacts>,
    /// Columns of the first file, to which the others agree.
    pub(super) columns: Fields,
    /// The first row.
    pub(super) example: Option<serde_json::Value>,
    /// An empty list: all is right.
    pub(super) faults: Vec<Fault>,
}

/// Reads all data files. Blocks.
///
/// # Errors
///
/// A file cannot be read, or has changed. Faults of the content are in the result.
pub(super) fn check(source: &Source, files: &[DataFile], max_row: u64, counter: &Counter) -> Result<Checked> {
    let mut checked = Checked::default();
    let mut first: Option<(&DataFile, Fields)> = None;
    let mut first_of_split: Option<(&DataFile, Fields)> = None;
    for file in files {
        let Some(on_disk) = source.get(&file.path) else { continue };
        let before = checked.faults.len();
        let mut faults = Faults::new(&file.path, &mut checked.faults, MAX_FAULTS);
        if on_disk.size == 0 {
            faults.add_whole("is empty");
            continue;
        }
        let (table, sha256) = read(on_disk, file.format, max_row, (counter, &mut faults))
            .map_err(|error| on_disk.error(error))?;
        first_of_split = first_of_split.filter(|(first, _)| first.split == file.split);
        compare(file, &table.columns, [&first, &first_of_split], &mut faults);
        if table.rows == 0 && !faults.is_full() && before == checked.faults.len() {
            Faults::new(&file.path, &mut checked.faults, MAX_FAULTS).add_whole("has no rows");
        }
        add(&mut checked, file, on_disk, (table.rows, sha256));
        if first_of_split.is_none() && before == checked.faults.len() {
            first_of_split = Some((file, table.columns.clone()));
        }
        if first.is_none() && before == checked.faults.len() {
            checked.columns = table.columns.clone();
            checked.example = table.example;
            first = Some((file, table.columns));
        }
        if checked.faults.len() >= MAX_FAULTS {
            break;
        }
    }
    Ok(checked)
}

/// Notes the columns in which a file does not agree with the first one, and a shard of CSV with the first of its split.
fn compare(
    file: &DataFile,
    columns: &Fields,
    [first, first_of_split]: [&Option<(&DataFile, Fields)>; 2],
    faults: &mut Faults<'_>,
) {
    let is_csv = matches!(file.format, Format::Csv | Format::Tsv);
    let (other, found) = match (first, first_of_split) {
        (_, Some((other, wanted))) if is_csv => (other, differences_of_shards(wanted, columns)),
        (Some((other, wanted)), _) => (other, differences(wanted, columns, file.format)),
        (None, _) => return,
    };
    let name = format!("`{}`", other.path);
    for difference in found {
        faults.push(difference.line, difference.sentence(&name));
    }
}

fn add(checked: &mut Checked, file: &DataFile, on_disk: &SourceFile, (rows, sha256): (u64, Option<Sha256>)) {
    let facts = FileFacts {
        path: file.path.clone(),
        format: file.format.as_str(),
        rows,
        bytes: on_disk.size,
        sha256: sha256.map(|sha256| sha256.to_string()).unwrap_or_default(),
    };
    match checked.splits.last_mut() {
        Some(split) if split.name == file.split => split.files.push(facts),
        _ => checked.splits.push(SplitFacts { name: file.split.clone(), files: vec![facts] }),
    }
}

/// Reads a file. The hash is `None` if a fault ended the read early.
fn read(
    file: &SourceFile,
    format: Format,
    max_row: u64,
    (counter, faults): (&Counter, &mut Faults<'_>),
) -> io::Result<(Table, Option<Sha256>)> {
    if format == Format::Parquet {
        let max_group = max_row.saturating_mul(ROWS_OF_PAGE);
        let on_bytes = |bytes| counter.add(bytes);
        let table = match &file.content {
            FileContent::Disk(path) => read_parquet(File::open(path)?, max_group, faults, &on_bytes),
            FileContent::Memory(bytes) => read_parquet(bytes.clone(), max_group, faults, &on_bytes),
        };
        return Ok((table, Some(file.sha256()?)));
    }
    let keep = file.before_reading();
    let mut hashed = Hashed {
        input: counter.of_reading(file.open()?),
        hasher: Hasher::new(),
        length: 0,
        is_at_end: false,
    };
    let table = read_text(format, &mut hashed, max_row, faults)?;
    if !hashed.is_at_end {
        return Ok((table, None));
    }
    if hashed.length != file.size {
        return Err(hub::SizeChanged { expected: file.size, found: hashed.length }.into());
    }
    let sha256 = Sha256::from(<[u8; 32]>::from(hashed.hasher.finalize()));
    keep(sha256);
    Ok((table, Some(sha256)))
}

/// A stream that is hashed while it is read.
struct Hashed<R> {
    input: R,
    hasher: Hasher,
    length: u64,
    is_at_end: bool,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        self.length += length as u64;
        self.is_at_end |= length == 0 && !buffer.is_empty();
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Log, Mode, Progress};
    use crate::folder::{self, SourceOptions};

    #[test]
    fn progress_counts_the_bytes_of_all_files() {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [("a.jsonl", "{\"a\": 1}\n"), ("b.jsonl", "{\"a\": 22}\n")] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let options = SourceOptions { root: folder.path().to_owned(), ..SourceOptions::default() };
        let source = folder::read(&options).unwrap();
        let files = source.files.iter().map(|file| DataFile {
            path: file.path.to_string(),
            format: Format::JsonLines,
            split: "train".to_owned(),
        });
        let log = Log::new(Mode::Plain, Box::new(io::sink()));
        let progress = Progress::start_reading(&log, "checking", 19);
        let checked = check(&source, &files.collect::<Vec<_>>(), 1000, &progress.counter()).unwrap();
        assert_eq!((checked.faults.len(), checked.splits[0].rows()), (0, 2));
        assert_eq!(progress.counter().read(), (19, 19));
    }
}
