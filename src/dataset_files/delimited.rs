//! CSV and TSV. The `datasets` library reads them with pandas, which infers the types of each 10,000 rows anew.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, ErrorKind, ReaderBuilder};
use serde_json::{Map, Value};

use super::agreement::differences;
use super::columns::{Column, Fields, Kind, MAX_COLUMNS};
use super::encoding::Encoding;
use super::fault::Faults;
use super::format::Format;
use super::json_lines::row_of;
use super::table::{BUFFER, Table};

/// Number of rows whose types are inferred together (`chunksize` of the library's CSV reader).
const CHUNK: u64 = 10_000;

/// Texts that pandas takes for a missing value (`STR_NA_VALUES`).
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Reads all rows. The first one has the names of the columns.
pub(super) fn read(
    input: impl Read,
    delimiter: u8,
    max_row: u64,
    faults: &mut Faults<'_>,
) -> io::Result<Table> {
    let left = Rc::new(Cell::new(0));
    let limited = Limited { input, left: left.clone() };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(BUFFER)
        .from_reader(limited);
    let mut rows = DelimitedRows::default();
    let mut record = ByteRecord::new();
    loop {
        // The reader is ahead of the row by up to a buffer.
        left.set(max_row.saturating_add(BUFFER as u64));
        let begins = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => match error.into_kind() {
                ErrorKind::Io(_) if left.get() == 0 => {
                    faults.add_too_large(Some(begins), "a larger row, or a `\"` that is not closed", max_row);
                    break;
                }
                ErrorKind::Io(error) => return Err(error),
                kind => {
                    faults.add(begins, format!("cannot be read: {kind:?}"));
                    break;
                }
            },
        }
        let line = record.position().map_or(begins, csv::Position::line);
        if record.as_slice().len() as u64 > max_row {
            faults.add_too_large(Some(line), &row_of(record.as_slice().len() as u64), max_row);
        }
        if !rows.add(&record, line, faults) {
            break;
        }
    }
    rows.end_chunk(faults);
    Ok(rows.table)
}

/// A stream that fails once a row has taken more than it may.
struct Limited<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let length = self.input.read(&mut buffer[..most])?;
        self.left.set(left - length as u64);
        Ok(length)
    }
}

/// Rows so far.
#[derive(Debug, Default)]
struct DelimitedRows {
    table: Table,
    names: Vec<String>,
    has_header: bool,
    /// Columns of the rows since the last inference.
    chunk: Vec<Column>,
    encoding: Encoding,
}

impl DelimitedRows {
    /// Adds a row, or the header. Returns false if the rest of the file is of no use.
    fn add(&mut self, record: &ByteRecord, line: u64, faults: &mut Faults<'_>) -> bool {
        if !self.encoding.accepts(record.as_slice(), line, faults) {
            return self.has_header && !faults.is_full();
        }
        if !self.has_header {
            self.has_header = true;
            return self.header(record, line, faults);
        }
        self.table.rows += 1;
        if record.len() != self.names.len() {
            let (found, wanted) = (record.len(), self.names.len());
            faults.add(line, format!("has {found} fields, and the header has {wanted}"));
            return !faults.is_full();
        }
        for (column, cell) in self.chunk.iter_mut().zip(record) {
            merge(column, std::str::from_utf8(cell).unwrap_or_default(), line);
        }
        if self.table.rows == 1 {
            let cells =
                self.names.iter().zip(record).map(|(name, cell)| {
                    (name.clone(), value_of(std::str::from_utf8(cell).unwrap_or_default()))
                });
            self.table.example = Some(Value::Object(cells.collect::<Map<_, _>>()));
        }
        if self.table.rows.is_multiple_of(CHUNK) {
            self.end_chunk(faults);
        }
        !faults.is_full()
    }

    fn header(&mut self, record: &ByteRecord, line: u64, faults: &mut Faults<'_>) -> bool {
        if record.len() > MAX_COLUMNS {
            faults.add(line, format!("has more than {MAX_COLUMNS} columns"));
            return false;
        }
        for (number, cell) in record.iter().enumerate() {
            let name = match std::str::from_utf8(cell).unwrap_or_default() {
                // pandas names them so.
                "" => format!("Unnamed: {number}"),
                name => name.to_owned(),
            };
            if self.names.contains(&name) {
                faults.add(line, format!("has the column `{name}` twice"));
            }
            self.names.push(name);
        }
        self.chunk = vec![Column::default(); self.names.len()];
        !faults.is_full()
    }

    /// Merges the types of the last rows into those of the file.
    fn end_chunk(&mut self, faults: &mut Faults<'_>) {
        let mut fields = Fields::default();
        for (name, column) in self.names.iter().zip(&mut self.chunk) {
            fields.insert(name, std::mem::take(column));
        }
        if self.table.columns.is_empty() {
            self.table.columns = fields;
            return;
        }
        for difference in differences(&self.table.columns, &fields, Format::Csv) {
            faults.push(difference.line, difference.sentence("the rows before"));
        }
    }
}

/// Merges the type of a cell into its column. What does not fit is text, as in pandas.
fn merge(column: &mut Column, cell: &str, line: u64) {
    let kind = kind_of(cell);
    let mixed = column.kind.mixed_with(&kind).unwrap_or(Kind::Text);
    if mixed != column.kind {
        (column.kind, column.line) = (mixed, line);
    }
    column.has_gaps |= kind == Kind::Null;
}

/// Returns a cell as pandas reads it alone.
fn value_of(cell: &str) -> Value {
    let number = cell.trim_ascii();
    match kind_of(cell) {
        Kind::Null => Value::Null,
        Kind::Bool => cell.eq_ignore_ascii_case("true").into(),
        Kind::Int => number.parse::<i64>().map_or_else(|_| cell.into(), Value::from),
        Kind::Float => number.parse::<f64>().map_or_else(|_| cell.into(), Value::from),
        _ => cell.into(),
    }
}

fn kind_of(cell: &str) -> Kind {
    if MISSING.contains(&cell) {
        return Kind::Null;
    }
    let number = cell.trim_ascii();
    let starts_as_number = number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    match number {
        _ if matches!(cell, "True" | "TRUE" | "true" | "False" | "FALSE" | "false") => Kind::Bool,
        _ if starts_as_number && number.parse::<i64>().is_ok() => Kind::Int,
        _ if number.parse::<f64>().is_ok() => Kind::Float,
        _ => Kind::Text,
    }
}
