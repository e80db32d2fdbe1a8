//! Lines of a stream, each with a limit of its size.

use std::io::{self, BufRead};

/// A line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The buffer has it, without its line break.
    Whole,
    /// It is larger than the limit, with this size.
    TooLong(u64),
    /// The stream has ended.
    End,
}

/// Reads the next line into `line`. Of one that is too long, no more than the limit is held.
pub(super) fn next_line(input: &mut impl BufRead, max: u64, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut size = 0_u64;
    let mut is_begun = false;
    loop {
        let piece = input.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        is_begun = true;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let length = end.unwrap_or(piece.len());
        size += length as u64;
        if size <= max {
            line.extend_from_slice(&piece[..length]);
        }
        input.consume(length + usize::from(end.is_some()));
        if end.is_some() {
            break;
        }
    }
    Ok(match size {
        _ if !is_begun => Line::End,
        size if size > max => Line::TooLong(size),
        _ => {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            Line::Whole
        }
    })
}
