//! Files of datasets: their formats, their rows and columns, and the splits that they belong to.
//!
//! Each reader reads a stream once, and holds one row of it at most. It collects the faults with their lines, and the
//! types of the columns.

mod agreement;
mod columns;
mod delimited;
mod encoding;
mod fault;
mod format;
mod json_lines;
mod json_list;
mod json_row;
mod lines;
mod parquet_file;
mod parquet_row;
mod splits;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, BufReader, Read};

use table::BUFFER;

pub use agreement::{Difference, differences, differences_of_shards};
pub use columns::{Column, Fields, Kind};
pub use fault::{Fault, Faults};
pub use format::{Format, is_compressed};
pub use parquet_file::read_parquet;
pub use splits::{NamedSplits, SplitError, is_split_name, split_by_name};
pub use table::Table;

/// Reads a text file, and checks each row. `max_row` is the size of the largest row in bytes.
///
/// # Errors
///
/// The file cannot be read. Faults of its content are noted in `faults`.
pub fn read_text(
    format: Format,
    input: impl Read,
    max_row: u64,
    faults: &mut Faults<'_>,
) -> io::Result<Table> {
    let mut input = BufReader::with_capacity(BUFFER, input);
    encoding::skip_mark(&mut input)?;
    if let Some(sentence) = encoding::refused_start(input.fill_buf()?) {
        faults.add(1, sentence);
        return Ok(Table::default());
    }
    match format {
        Format::JsonLines => json_lines::read(&mut input, json_row::Rows::default(), max_row, faults),
        Format::Json => json_list::read(&mut input, max_row, faults),
        Format::Csv => delimited::read(input, b',', max_row, faults),
        Format::Tsv => delimited::read(input, b'\t', max_row, faults),
        // Its content is no text. The caller has `read_parquet` for it.
        Format::Parquet => Ok(Table::default()),
    }
}
