//! One file of sessions: its format, and its lines without secrets in the format that the Hub shows.

use std::io::{self, BufRead};

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::{NO_OBJECT, Place, TraceError};
use super::format::Format;
use super::redaction::{Redaction, RedactionCounts};
use super::rows::{Form, Lines};
use super::session::{Calls, Header, Shape, messages_of};

/// Receiver of the sessions of a file.
pub trait Sink {
    /// Begins a session; the first has the number 1.
    fn begin(&mut self, number: u64) -> io::Result<()>;

    /// Writes bytes of the session that began last.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Options of the conversion of one file.
#[derive(Debug, Clone, Copy)]
pub struct ConvertOptions<'a> {
    pub redaction: &'a Redaction,
    /// Id of a session that has none.
    pub name: &'a str,
}

/// Result of the conversion of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// `None` for a file without an object.
    pub format: Option<Format>,
    pub sessions: u64,
    /// Lines that were written, headers included.
    pub rows: u64,
    pub redactions: RedactionCounts,
    /// The last line of the file was cut off, as by a program that was killed, and is left out.
    pub is_cut_off: bool,
}

/// Converts a file: sessions of known programs pass through, without their secrets, and other objects become sessions.
///
/// # Errors
///
/// A line is no JSON object, or reading or writing fails.
pub fn convert(
    input: &mut dyn BufRead,
    sink: &mut dyn Sink,
    options: ConvertOptions<'_>,
) -> Result<Converted, TraceError> {
    let mut writer = Writer::new(sink, options);
    let mut lines = Lines::new(input);
    match lines.first_byte()? {
        None => return Ok(writer.converted),
        Some(b'[') => {
            writer.converted.format = Some(Format::Other);
            lines.values("", Form::List, &mut |number, value| writer.add(Place::Element(number), value))?;
            return Ok(writer.converted);
        }
        Some(_) => {}
    }
    let Some(first) = lines.next()? else { return Ok(writer.converted) };
    let Ok(value) = serde_json::from_str::<Value>(&first) else {
        // A document whose objects span lines.
        writer.converted.format = Some(Format::Other);
        lines.values(&first, Form::Values, &mut |number, value| writer.add(Place::Element(number), value))?;
        return Ok(writer.converted);
    };
    let Value::Object(object) = &value else { return Err(TraceError::new(lines.number(), NO_OBJECT)) };
    let format = Format::of(object);
    writer.converted.format = Some(format);
    if format == Format::Other {
        writer.add(Place::Line(lines.number()), value)?;
        while let Some(line) = lines.next()? {
            if let Some(value) = writer.parsed::<Value>(lines.number(), &line)? {
                writer.add(Place::Line(lines.number()), value)?;
            }
        }
        return Ok(writer.converted);
    }
    writer.begin()?;
    writer.pass(&first)?;
    while let Some(line) = lines.next()? {
        if line.trim().is_empty() {
            writer.write(&line)?;
        } else if writer.parsed::<Map<String, Value>>(lines.number(), &line)?.is_some() {
            writer.pass(&line)?;
        }
    }
    Ok(writer.converted)
}

/// A session that comes in parts.
#[derive(Debug, PartialEq, Eq)]
struct OpenSession {
    /// Its name, if the parts have one.
    key: Option<String>,
}

/// Writes the sessions of one file.
struct Writer<'a> {
    sink: &'a mut dyn Sink,
    options: ConvertOptions<'a>,
    converted: Converted,
    /// The session that further parts belong to.
    open: Option<OpenSession>,
    calls: Calls,
}

impl<'a> Writer<'a> {
    fn new(sink: &'a mut dyn Sink, options: ConvertOptions<'a>) -> Self {
        let redactions = RedactionCounts::new();
        let converted = Converted { format: None, sessions: 0, rows: 0, redactions, is_cut_off: false };
        Self { sink, options, converted, open: None, calls: Calls::default() }
    }

    fn begin(&mut self) -> Result<(), TraceError> {
        self.converted.sessions += 1;
        self.calls = Calls::default();
        self.sink.begin(self.converted.sessions).map_err(TraceError::Write)
    }

    fn write(&mut self, text: &str) -> Result<(), TraceError> {
        self.sink.write(text.as_bytes()).map_err(TraceError::Write)
    }

    /// Writes a line of JSON without its secrets. Other bytes stay as they are.
    fn pass(&mut self, line: &str) -> Result<(), TraceError> {
        let redacted = self.options.redaction.redact_json(line, &mut self.converted.redactions);
        self.sink.write(redacted.as_bytes()).map_err(TraceError::Write)?;
        self.converted.rows += 1;
        Ok(())
    }

    fn pass_value(&mut self, value: &impl Serialize) -> Result<(), TraceError> {
        let mut line = serde_json::to_string(value).map_err(|error| TraceError::Write(error.into()))?;
        line.push('\n');
        self.pass(&line)
    }

    /// Parses a line. `None` for an empty one, and for the last line if it was cut off.
    fn parsed<T: serde::de::DeserializeOwned>(
        &mut self,
        number: u64,
        line: &str,
    ) -> Result<Option<T>, TraceError> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        match serde_json::from_str(line) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_eof() && !line.ends_with('\n') => {
                self.converted.is_cut_off = true;
                Ok(None)
            }
            Err(_) => Err(TraceError::new(number, NO_OBJECT)),
        }
    }

    /// Adds a value of another program.
    fn add(&mut self, place: Place, value: Value) -> Result<(), TraceError> {
        let shape = match value {
            Value::Object(object) => Shape::of(object),
            Value::Array(messages) if !messages.is_empty() && messages.iter().all(Value::is_object) => {
                Shape::Conversation { messages, rest: Map::new() }
            }
            _ => return Err(TraceError::Fault { place, fault: NO_OBJECT }),
        };
        match shape {
            Shape::Conversation { messages, rest } => {
                self.open = None;
                self.header(rest)?;
                for (position, item) in messages.into_iter().enumerate() {
                    self.messages(item, position)?;
                }
                Ok(())
            }
            Shape::Part { key, object } => {
                let session = OpenSession { key };
                if self.open.as_ref() != Some(&session) {
                    let mut metadata = Map::new();
                    metadata.extend(session.key.clone().map(|key| ("id".to_owned(), Value::String(key))));
                    self.open = Some(session);
                    self.header(metadata)?;
                }
                self.messages(Value::Object(object), 0)
            }
        }
    }

    fn header(&mut self, metadata: Map<String, Value>) -> Result<(), TraceError> {
        self.begin()?;
        let name = self.options.name;
        let id = match self.converted.sessions {
            1 => name.to_owned(),
            number => format!("{name}-{number}"),
        };
        self.pass_value(&Header::new(metadata, id))
    }

    fn messages(&mut self, item: Value, position: usize) -> Result<(), TraceError> {
        for mut line in messages_of(item, position) {
            self.calls.link(&mut line);
            self.pass_value(&line)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
