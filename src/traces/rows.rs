//! The objects of a file: a line each, elements of a list, or one after the other. Nothing is kept.

use std::fmt;
use std::io::{BufRead, Read as _};

use serde::de::{Deserializer as _, Error as _, SeqAccess, Visitor};
use serde_json::Value;

use super::error::TraceError;

/// Longest line that is read.
const MAX_LINE: u64 = 256 << 20;

/// Lines of a file with their numbers.
pub(super) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, number: 0 }
    }

    /// Number of the line that was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the first byte that is no white space, without reading past it.
    pub(super) fn first_byte(&mut self) -> Result<Option<u8>, TraceError> {
        loop {
            let buffer =
                self.input.fill_buf().map_err(|error| TraceError::reading(self.number + 1, &error))?;
            let skipped = if buffer.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            let white = buffer[skipped..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            if buffer.is_empty() {
                return Ok(None);
            }
            if let Some(byte) = buffer.get(skipped + white) {
                let byte = *byte;
                self.number += buffer[..skipped + white].iter().filter(|byte| **byte == b'\n').count() as u64;
                self.input.consume(skipped + white);
                return Ok(Some(byte));
            }
            let read = buffer.len();
            self.number += buffer.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.input.consume(read);
        }
    }

    /// Returns the next line with its end, as it is in the file.
    pub(super) fn next(&mut self) -> Result<Option<String>, TraceError> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|error| TraceError::reading(self.number + 1, &error))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 == MAX_LINE && !line.ends_with(b"\n") {
            return Err(TraceError::new(self.number, "is longer than 256 MiB"));
        }
        match String::from_utf8(line) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(TraceError::new(self.number, "is no UTF-8")),
        }
    }

    /// Passes each value of a document to `row`: the elements of a list, or values one after the other. `before` is the
    /// part that was read already. `row` gets the line at which the reader stands after a value.
    pub(super) fn values(
        self,
        before: &str,
        form: Form,
        row: &mut dyn FnMut(u64, Value) -> Result<(), TraceError>,
    ) -> Result<(), TraceError> {
        let first = self.number.saturating_sub(u64::from(!before.is_empty()));
        let mut reader = before.as_bytes().chain(self.input);
        let (mut fault, mut number) = (None, 0);
        // The parser knows its own errors only, so another one is kept until it has ended.
        let mut pass = |value: Value| {
            number += 1;
            match row(number, value) {
                Ok(()) => Ok(()),
                Err(error) => {
                    fault = Some(error);
                    Err(serde_json::Error::custom("stopped"))
                }
            }
        };
        let mut documents = serde_json::Deserializer::from_reader(&mut reader);
        let result = match form {
            Form::List => {
                documents.deserialize_seq(Elements { pass: &mut pass }).and_then(|()| documents.end())
            }
            Form::Values => documents.into_iter::<Value>().try_for_each(|value| pass(value?)),
        };
        match (fault, result) {
            (Some(fault), _) => Err(fault),
            (None, Ok(())) => Ok(()),
            (None, Err(error)) => Err(TraceError::json(first + error.line() as u64, &error)),
        }
    }
}

/// Form of a document that is no list of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One list.
    List,
    /// Values that may span lines.
    Values,
}

/// Passes on each element of a list, so that the list is never in memory as a whole.
struct Elements<'a> {
    pass: &'a mut dyn FnMut(Value) -> Result<(), serde_json::Error>,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(value) = elements.next_element()? {
            (self.pass)(value).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
