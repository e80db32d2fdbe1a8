//! The agreement of files: what the first one has, each further one must have too.
//!
//! The `datasets` library takes the types of the first file, and casts the others to them. A whole number fits into a
//! column of fractions, a column without values fits into each, and in CSV each value is a text. Shards of CSV in one split
//! must have equal types and the same order of columns (measured with version 5.2).

use super::columns::{Column, Fields, Kind};
use super::format::Format;

/// A column in which a file does not agree with the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Name of the column, with the path of a nested key.
    pub column: String,
    /// Line of the file with the first value of the other type.
    pub line: Option<u64>,
    disagreement: Disagreement,
}

/// Kind of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Disagreement {
    Missing,
    New,
    /// The columns are the same, in another order.
    Order,
    /// Types, as text: that of the first file, and that of this one.
    Type {
        first: String,
        here: String,
    },
}

impl Difference {
    fn of_types(column: String, line: Option<u64>, (first, here): (&Kind, &Kind)) -> Self {
        let disagreement =
            Disagreement::Type { first: first.word().to_owned(), here: here.word().to_owned() };
        Self { column, line, disagreement }
    }

    /// Returns the fault: the rest of a sentence behind the place. `first` names the other file.
    pub fn sentence(&self, first: &str) -> String {
        let column = &self.column;
        match &self.disagreement {
            Disagreement::Missing => format!("has no column `{column}`, which {first} has"),
            Disagreement::Order => format!("has its columns in another order than {first}"),
            Disagreement::New => format!("has a column `{column}`, which {first} does not have"),
            Disagreement::Type { first: kind, here } => {
                format!("has the type {here} in the column `{column}`, which is {kind} in {first}")
            }
        }
    }
}

/// Returns the columns in which `later` does not agree with `first`.
pub fn differences(first: &Fields, later: &Fields, format: Format) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, _) in first.iter().filter(|(name, _)| later.get(name).is_none()) {
        found.push(Difference { column: name.to_owned(), line: None, disagreement: Disagreement::Missing });
    }
    compare(first, later, "", &mut Comparison { format, found: &mut found });
    found
}

/// Returns the columns in which a shard of CSV is not equal to the first one of its split.
pub fn differences_of_shards(first: &Fields, later: &Fields) -> Vec<Difference> {
    let mut found = differences(first, later, Format::Csv);
    let names = |fields: &Fields| fields.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    if found.is_empty() && names(first) != names(later) {
        let (column, disagreement) = (String::new(), Disagreement::Order);
        found.push(Difference { column, line: Some(1), disagreement });
    }
    for (name, column) in later.iter() {
        let Some(wanted) = first.get(name).map(pandas_kind) else { continue };
        let here = pandas_kind(column);
        if wanted != here && found.iter().all(|difference| difference.column != name) {
            found.push(Difference::of_types(name.to_owned(), line_of(column), (&wanted, &here)));
        }
    }
    found
}

/// Returns the type that pandas has for a column of CSV. It has no whole numbers with gaps.
fn pandas_kind(column: &Column) -> Kind {
    match column.kind {
        Kind::Null => Kind::Float,
        Kind::Int if column.has_gaps => Kind::Float,
        _ => column.kind.clone(),
    }
}

fn line_of(column: &Column) -> Option<u64> {
    (column.line > 0).then_some(column.line)
}

struct Comparison<'a> {
    format: Format,
    found: &'a mut Vec<Difference>,
}

/// Compares the columns that `later` has. Nested keys may be missing.
fn compare(first: &Fields, later: &Fields, above: &str, comparison: &mut Comparison<'_>) {
    for (name, column) in later.iter() {
        let path = format!("{above}{name}");
        let line = line_of(column);
        match first.get(name) {
            None => comparison.found.push(Difference { column: path, line, disagreement: Disagreement::New }),
            Some(wanted) => {
                let is_csv = matches!(comparison.format, Format::Csv | Format::Tsv);
                let wanted = if is_csv { &pandas_kind(wanted) } else { &wanted.kind };
                compare_kinds(wanted, &column.kind, (path, line), comparison);
            }
        }
    }
}

fn compare_kinds(
    first: &Kind,
    later: &Kind,
    (path, line): (String, Option<u64>),
    comparison: &mut Comparison<'_>,
) {
    let is_csv = matches!(comparison.format, Format::Csv | Format::Tsv);
    let is_parquet = comparison.format == Format::Parquet;
    match (first, later) {
        (_, Kind::Null) => {}
        (Kind::Text, _) if is_csv => {}
        (Kind::Float, Kind::Int) if !is_parquet => {}
        (Kind::List(first), Kind::List(later)) => {
            let line = if later.line > 0 { Some(later.line) } else { line };
            compare_kinds(&first.kind, &later.kind, (path, line), comparison);
        }
        (Kind::Struct(first), Kind::Struct(later)) => {
            compare(first, later, &format!("{path}."), comparison);
        }
        (first, later) if first == later => {}
        (first, later) => comparison.found.push(Difference::of_types(path, line, (first, later))),
    }
}
