//! A JSON file: a list of objects, or an object on each line.

use std::io::{self, BufRead};

use super::fault::Faults;
use super::json_lines::{self, row_of};
use super::json_row::Rows;
use super::table::Table;

/// Reads all rows.
pub(super) fn read(input: &mut impl BufRead, max_row: u64, faults: &mut Faults<'_>) -> io::Result<Table> {
    let mut line = 1;
    match skip_blanks(input, &mut line)? {
        Some(b'[') => {
            input.consume(1);
            read_list(input, line, max_row, faults)
        }
        Some(_) if line == 1 => json_lines::read(input, Rows::of_json_file(), max_row, faults),
        // The lines before would not be counted.
        Some(_) => {
            faults.add(line, "must be a list of objects, or an object on each line from the first one on");
            Ok(Table::default())
        }
        None => Ok(Table::default()),
    }
}

/// Place of the reader between and in the elements of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind `[`.
    Start,
    /// Behind an element.
    AfterElement,
    /// Behind a comma.
    AfterComma,
}

fn read_list(
    input: &mut impl BufRead,
    mut line: u64,
    max_row: u64,
    faults: &mut Faults<'_>,
) -> io::Result<Table> {
    let (mut rows, mut element) = (Rows::default(), Vec::new());
    let mut place = Place::Start;
    loop {
        match (skip_blanks(input, &mut line)?, place) {
            (None, _) => {
                faults.add(line, "ends in the middle of its list");
                return Ok(rows.table);
            }
            (Some(b']'), Place::Start | Place::AfterElement) => break,
            (Some(b','), Place::AfterElement) => {
                input.consume(1);
                place = Place::AfterComma;
            }
            (Some(b']' | b','), _) => {
                faults.add(line, "has a comma without an object behind it");
                return Ok(rows.table);
            }
            (Some(_), Place::AfterElement) => {
                faults.add(line, "has no comma between two objects");
                return Ok(rows.table);
            }
            (Some(_), Place::Start | Place::AfterComma) => {
                let first = line;
                let size = read_element(input, &mut line, max_row, &mut element)?;
                let goes_on = if size > max_row {
                    rows.table.rows += 1;
                    faults.add_too_large(Some(first), &row_of(size), max_row);
                    !faults.is_full()
                } else {
                    rows.read(&element, first, faults)
                };
                if !goes_on {
                    return Ok(rows.table);
                }
                place = Place::AfterElement;
            }
        }
    }
    input.consume(1);
    if skip_blanks(input, &mut line)?.is_some() {
        faults.add(line, "has text behind its list");
    }
    Ok(rows.table)
}

/// Skips white space, and returns the byte behind it. Counts the lines.
fn skip_blanks(input: &mut impl BufRead, line: &mut u64) -> io::Result<Option<u8>> {
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            return Ok(None);
        }
        let blanks = piece.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        *line += piece[..blanks].iter().filter(|byte| **byte == b'\n').count() as u64;
        let found = piece.get(blanks).copied();
        input.consume(blanks);
        if found.is_some() {
            return Ok(found);
        }
    }
}

/// Reads an element of the list, up to the comma or the bracket behind it. Returns its size; of one over the limit, no
/// more than the limit is held.
pub(super) fn read_element(
    input: &mut impl BufRead,
    line: &mut u64,
    max_row: u64,
    element: &mut Vec<u8>,
) -> io::Result<u64> {
    element.clear();
    let (mut size, mut scan) = (0_u64, Scan::default());
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            return Ok(size);
        }
        let end = piece.iter().position(|byte| scan.ends_before(*byte));
        let length = end.unwrap_or(piece.len());
        size += length as u64;
        if size <= max_row {
            element.extend_from_slice(&piece[..length]);
        }
        *line += piece[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        input.consume(length);
        if end.is_some() {
            return Ok(size);
        }
    }
}

/// Scan of an element for its end.
#[derive(Debug, Default)]
struct Scan {
    depth: u64,
    is_in_string: bool,
    is_escaped: bool,
    /// The last bracket of the element is closed.
    is_closed: bool,
}

impl Scan {
    /// Returns true if the element ends before this byte.
    fn ends_before(&mut self, byte: u8) -> bool {
        if self.is_closed {
            return true;
        }
        if self.is_in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.is_in_string = true,
            b'[' | b'{' => self.depth += 1,
            b',' | b']' if self.depth == 0 => return true,
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                self.is_closed = self.depth == 0;
            }
            _ => {}
        }
        false
    }
}
