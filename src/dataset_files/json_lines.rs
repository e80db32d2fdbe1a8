//! JSON Lines: an object on each line.

use std::io::{self, BufRead};

use super::fault::Faults;
use super::json_row::Rows;
use super::lines::{Line, next_line};
use super::table::Table;
use crate::text::human_bytes;

/// Reads all rows behind those in `rows`.
pub(super) fn read(
    input: &mut impl BufRead,
    mut rows: Rows,
    max_row: u64,
    faults: &mut Faults<'_>,
) -> io::Result<Table> {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        match next_line(input, max_row, &mut line)? {
            Line::End => break,
            Line::TooLong(size) => {
                rows.table.rows += 1;
                faults.add_too_large(Some(number), &row_of(size), max_row);
            }
            Line::Whole if line.trim_ascii().is_empty() => {}
            Line::Whole => {
                if !rows.read(&line, number, faults) {
                    break;
                }
            }
        }
        if faults.is_full() {
            break;
        }
    }
    Ok(rows.table)
}

/// Describes a row by its size.
pub(super) fn row_of(size: u64) -> String {
    format!("a row of {}", human_bytes(size))
}
