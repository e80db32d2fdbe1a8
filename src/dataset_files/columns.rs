//! Columns with their types, as they are found row by row.

use std::collections::HashMap;
use std::fmt;

/// Largest number of columns and nested keys of a file. Keys that differ from row to row would fill the memory.
pub(super) const MAX_COLUMNS: usize = 10_000;

/// Type of the values of a column.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Kind {
    /// No row has a value.
    #[default]
    Null,
    Bool,
    Int,
    Float,
    Text,
    List(Box<Column>),
    Struct(Fields),
    /// A type of Parquet, by its name.
    Other(String),
}

/// A column, or a key of a nested object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Column {
    pub kind: Kind,
    /// Line of the first value of this type.
    pub line: u64,
    /// Some rows have no value. Noted for CSV only, where it changes the type.
    pub has_gaps: bool,
}

impl Column {
    /// Makes a column whose first value of this type is on a line.
    pub(super) fn new(kind: Kind, line: u64) -> Self {
        Self { kind, line, has_gaps: false }
    }
}

/// Columns in the order of their first rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    list: Vec<Field>,
    index: HashMap<String, usize>,
}

/// A column with its name.
#[derive(Debug, Clone, Default, PartialEq)]
struct Field {
    name: String,
    column: Column,
    /// Number of the object in which the key was seen last.
    seen_in: u64,
}

impl Fields {
    /// Returns the columns with their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.list.iter().map(|field| (field.name.as_str(), &field.column))
    }

    /// Returns the column of this name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.index.get(name).map(|at| &self.list[*at].column)
    }

    /// Returns true if there is no column.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds a column, or replaces the one of this name.
    pub(super) fn insert(&mut self, name: &str, column: Column) {
        let at = self.position(name, 0).unwrap_or_else(|| self.push(name));
        self.list[at].column = column;
    }

    /// Returns the place of a column. Rows repeat the order of their columns, so that `guess` is right most often.
    pub(super) fn position(&self, name: &str, guess: usize) -> Option<usize> {
        match self.list.get(guess) {
            Some(field) if field.name == name => Some(guess),
            _ => self.index.get(name).copied(),
        }
    }

    /// Adds a column without a value, and returns its place.
    pub(super) fn push(&mut self, name: &str) -> usize {
        let at = self.list.len();
        self.list.push(Field { name: name.to_owned(), ..Field::default() });
        self.index.insert(name.to_owned(), at);
        at
    }

    /// Marks a key as seen in an object. Returns false if it was seen in it before.
    pub(super) fn mark(&mut self, at: usize, object: u64) -> bool {
        std::mem::replace(&mut self.list[at].seen_in, object) != object
    }

    /// Returns the name and the column at a place.
    pub(super) fn at(&mut self, at: usize) -> (&str, &mut Column) {
        let field = &mut self.list[at];
        (&field.name, &mut field.column)
    }
}

/// Number of columns of a file so far.
#[derive(Debug, Default)]
pub(super) struct ColumnCount(usize);

impl ColumnCount {
    /// Counts a new column. Returns false beyond the limit.
    pub(super) fn add(&mut self) -> bool {
        self.0 += 1;
        self.0 <= MAX_COLUMNS
    }

    /// Returns true beyond the limit.
    pub(super) fn is_exceeded(&self) -> bool {
        self.0 > MAX_COLUMNS
    }
}

impl Kind {
    /// Returns the type of values of both types, for two that mix in a column.
    pub(super) fn mixed_with(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Null, kind) | (kind, Self::Null) => Some(kind.clone()),
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Some(Self::Float),
            (one, other) => (one.is_scalar() && one == other).then(|| one.clone()),
        }
    }

    fn is_scalar(&self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Float | Self::Text)
    }

    /// Returns the type in a word, without what it holds.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int64",
            Self::Float => "float64",
            Self::Text => "string",
            Self::List(_) => "list",
            Self::Struct(_) => "struct",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(item) => write!(f, "list<{}>", item.kind),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (number, (name, column)) in fields.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}: {}", column.kind)?;
                }
                f.write_str(">")
            }
            other => f.write_str(other.word()),
        }
    }
}
