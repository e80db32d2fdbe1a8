//! A row of JSON: its keys and types are merged into the columns, without a tree of the row.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::columns::{Column, ColumnCount, Fields, Kind, MAX_COLUMNS};
use super::encoding::Encoding;
use super::fault::Faults;
use super::table::{MAX_EXAMPLE, Table};

/// Largest number of conflicts of types in a row that are noted.
const MAX_CONFLICTS: usize = 5;

/// Rows so far, and the state that their faults need.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) table: Table,
    encoding: Encoding,
    state: State,
    is_too_wide: bool,
    /// A first line that ends in the middle of an object is no line of objects at all.
    is_one_object: bool,
}

/// State of the rows.
#[derive(Debug, Default)]
struct State {
    /// Line of the row.
    line: u64,
    /// Number of the object that was entered last.
    objects: u64,
    /// Path of the value, such as `a.b`.
    path: String,
    count: ColumnCount,
    /// Faults of the row.
    sentences: Vec<String>,
}

impl Rows {
    /// Reads the lines of a file that may be one object on several lines, or a list.
    pub(super) fn of_json_file() -> Self {
        Self { is_one_object: true, ..Self::default() }
    }

    /// Reads a row that begins on `line`. Returns false if the rest of the file is of no use.
    pub(super) fn read(&mut self, row: &[u8], line: u64, faults: &mut Faults<'_>) -> bool {
        self.table.rows += 1;
        if !self.encoding.accepts(row, line, faults) {
            return !faults.is_full();
        }
        self.state.line = line;
        self.state.path.clear();
        let mut from = serde_json::Deserializer::from_slice(row);
        let seed = RowSeed { fields: &mut self.table.columns, state: &mut self.state };
        let read = seed.deserialize(&mut from).and_then(|()| from.end());
        if let Err(error) = read {
            if self.is_one_object && self.table.rows == 1 && error.is_eof() {
                faults.add(line, "must be a list of objects, or an object on each line");
                return false;
            }
            let place = line + (error.line() as u64).saturating_sub(1);
            faults.add(place, json_fault(&error));
        }
        for sentence in self.state.sentences.drain(..) {
            faults.add(line, sentence);
        }
        if self.state.count.is_exceeded() && !self.is_too_wide {
            self.is_too_wide = true;
            faults.add(
                line,
                format!(
                    "has the column {}: keys that differ from row to row belong into a list",
                    MAX_COLUMNS + 1
                ),
            );
        }
        if self.table.rows == 1 && row.len() <= MAX_EXAMPLE {
            self.table.example = serde_json::from_slice::<Value>(row).ok();
        }
        !self.is_too_wide && !faults.is_full()
    }
}

/// Returns the fault of a row that is no JSON object. The parser's text repeats nothing of the row.
fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cause = text.split(" at line ").next().unwrap_or_default();
    if error.is_data() {
        cause.to_owned()
    } else {
        format!("is no JSON: {cause} (column {})", error.column())
    }
}

struct RowSeed<'a> {
    fields: &'a mut Fields,
    state: &'a mut State,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(RowVisitor(self))
    }
}

struct RowVisitor<'a>(RowSeed<'a>);

const NO_OBJECT: &str = "is no JSON object";

impl<'de> Visitor<'de> for RowVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        read_object(map, self.0.fields, self.0.state)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom(NO_OBJECT))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Err(E::custom(NO_OBJECT))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        Err(E::custom(NO_OBJECT))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        Err(E::custom(NO_OBJECT))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        Err(E::custom(NO_OBJECT))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom(NO_OBJECT))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(NO_OBJECT))
    }
}

/// Reads the keys of an object into the columns.
fn read_object<'de, A: MapAccess<'de>>(
    mut map: A,
    fields: &mut Fields,
    state: &mut State,
) -> Result<(), A::Error> {
    state.objects += 1;
    let (object, depth) = (state.objects, state.path.len());
    let mut guess = 0;
    while let Some(at) = map.next_key_seed(KeySeed { fields, state, guess })? {
        let Some(at) = at else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        guess = at + 1;
        let is_first = fields.mark(at, object);
        let (name, column) = fields.at(at);
        if !state.path.is_empty() {
            state.path.push('.');
        }
        state.path.push_str(name);
        if !is_first {
            let sentence = format!("has the key `{}` twice", state.path);
            state.note(sentence);
        }
        map.next_value_seed(ValueSeed { column, state })?;
        state.path.truncate(depth);
    }
    Ok(())
}

impl State {
    fn note(&mut self, sentence: String) {
        if self.sentences.len() < MAX_CONFLICTS {
            self.sentences.push(sentence);
        }
    }

    /// Merges the type of a value into its column.
    fn merge(&mut self, column: &mut Column, kind: Kind) {
        match column.kind.mixed_with(&kind) {
            Some(mixed) if mixed == column.kind => {}
            Some(mixed) => *column = Column::new(mixed, self.line),
            None => self.conflict(column, kind.word()),
        }
    }

    fn conflict(&mut self, column: &Column, word: &str) {
        let sentence = format!(
            "has the type {word} in the column `{}`, which is {} since line {}",
            self.path,
            column.kind.word(),
            column.line
        );
        self.note(sentence);
    }
}

/// Finds the place of a key; the inner `None` is beyond the limit of columns.
struct KeySeed<'a> {
    fields: &'a mut Fields,
    state: &'a mut State,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        if let Some(at) = self.fields.position(name, self.guess) {
            return Ok(Some(at));
        }
        Ok(self.state.count.add().then(|| self.fields.push(name)))
    }
}

struct ValueSeed<'a> {
    column: &'a mut Column,
    state: &'a mut State,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.state.merge(self.column, Kind::Bool);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.state.merge(self.column, Kind::Int);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        let kind = if i64::try_from(number).is_ok() { Kind::Int } else { Kind::Float };
        self.state.merge(self.column, kind);
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.state.merge(self.column, Kind::Float);
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.state.merge(self.column, Kind::Text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { column, state } = self;
        if column.kind == Kind::Null {
            *column = Column::new(Kind::List(Box::default()), state.line);
        }
        let Kind::List(item) = &mut column.kind else {
            state.conflict(column, "list");
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        while list.next_element_seed(ValueSeed { column: item, state })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { column, state } = self;
        if column.kind == Kind::Null {
            *column = Column::new(Kind::Struct(Fields::default()), state.line);
        }
        let Kind::Struct(fields) = &mut column.kind else {
            state.conflict(column, "struct");
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        read_object(map, fields, state)
    }
}
