//! The encoding of text files: all of a file must be UTF-8.

use std::io::{self, BufRead};

use super::fault::Faults;

/// Byte order mark of UTF-8, which the `datasets` library skips.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Skips the byte order mark of UTF-8.
pub(super) fn skip_mark(input: &mut impl BufRead) -> io::Result<()> {
    if input.fill_buf()?.starts_with(MARK) {
        input.consume(MARK.len());
    }
    Ok(())
}

/// Returns the fault of a file that begins with the byte order mark of another encoding.
pub(super) fn refused_start(start: &[u8]) -> Option<&'static str> {
    match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("is UTF-16 and must be UTF-8"),
        _ => None,
    }
}

/// The encoding of the rows so far.
#[derive(Debug, Default)]
pub(super) struct Encoding {
    /// First line with a character of UTF-8 beyond ASCII.
    utf8_line: Option<u64>,
    /// A row was no UTF-8. The fault of each further one would be the same.
    is_reported: bool,
}

impl Encoding {
    /// Returns true if a row that begins on `line` is UTF-8. Notes the first one that is not.
    pub(super) fn accepts(&mut self, row: &[u8], line: u64, faults: &mut Faults<'_>) -> bool {
        if row.is_ascii() {
            return true;
        }
        let Err(error) = std::str::from_utf8(row) else {
            self.utf8_line.get_or_insert(line);
            return true;
        };
        if !self.is_reported {
            self.is_reported = true;
            let before = &row[..error.valid_up_to()];
            let breaks = before.iter().filter(|byte| **byte == b'\n').count() as u64;
            let mixed = match self.utf8_line {
                Some(first) => format!(", while line {first} is: the file mixes encodings"),
                None => String::new(),
            };
            faults.add(line + breaks, format!("is not UTF-8{mixed}"));
        }
        false
    }
}
