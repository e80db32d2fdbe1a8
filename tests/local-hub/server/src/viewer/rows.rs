//! Rows and columns of a file, as far as the viewer's answers need them. Pure.

use std::collections::BTreeMap;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;

/// A file that the viewer cannot turn into rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// `X-Error-Code`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Failed {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn in_file(path: &str, why: impl std::fmt::Display) -> Self {
        let text = format!("An error occurred while generating the dataset: {path}: {why}");
        Self::new("DatasetGenerationError", text)
    }
}

/// Rows of a file or of a split.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Type of each column; `null` until a row has a value.
    types: BTreeMap<String, &'static str>,
}

impl Table {
    pub(super) fn columns(&self) -> usize {
        self.types.len()
    }

    /// Returns true if the viewer can search in a column.
    pub(super) fn has_text(&self) -> bool {
        self.types.values().any(|name| *name == "string")
    }

    /// Adds the rows of another file, whose columns must be the same.
    pub(super) fn append(&mut self, other: Self) -> Result<(), Failed> {
        if self.rows > 0 && other.rows > 0 {
            let names = |table: &Self| table.types.keys().cloned().collect::<Vec<_>>();
            if names(self) != names(&other) {
                let text = format!(
                    "All the data files must have the same columns, but at some point there are {:?} and {:?}",
                    names(self),
                    names(&other)
                );
                return Err(Failed::new("DatasetGenerationCastError", text));
            }
        }
        for (column, name) in other.types {
            self.note(&column, name).map_err(|why| Failed::new("DatasetGenerationCastError", why))?;
        }
        self.rows += other.rows;
        self.bytes += other.bytes;
        Ok(())
    }

    /// Notes the type of a value.
    fn note(&mut self, column: &str, name: &'static str) -> Result<(), String> {
        let known = self.types.entry(column.to_owned()).or_insert("null");
        if *known == "null" {
            *known = name;
        }
        if name == "null" || *known == name {
            Ok(())
        } else {
            Err(format!("Column {column} changed from {known} to {name}"))
        }
    }

    fn add_object(&mut self, value: &Value) -> Result<(), String> {
        let object = value.as_object().ok_or("JSON row is not an object")?;
        for (column, value) in object {
            self.note(column, type_of(value))?;
        }
        self.rows += 1;
        Ok(())
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "struct",
    }
}

/// Reads a file by the ending of its name.
pub(super) fn read(path: &str, content: &[u8]) -> Result<Table, Failed> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    let table = match ending.as_str() {
        "csv" => read_csv(content, b','),
        "tsv" => read_csv(content, b'\t'),
        "parquet" => read_parquet(content),
        "txt" => read_text(content),
        _ => read_json(content),
    };
    let table = table.map_err(|why| Failed::in_file(path, why))?;
    Ok(Table { bytes: content.len() as u64, ..table })
}

/// Reads JSON lines, or one JSON list.
fn read_json(content: &[u8]) -> Result<Table, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let mut table = Table::default();
    if let Ok(Value::Array(list)) = serde_json::from_str(text) {
        list.iter().try_for_each(|value| table.add_object(value))?;
        return Ok(table);
    }
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| format!("JSON parse error: {error}"))?;
        table.add_object(&value)?;
    }
    Ok(table)
}

fn read_csv(content: &[u8], delimiter: u8) -> Result<Table, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(content);
    let mut table = Table::default();
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    for column in &header {
        table.types.insert(column.to_owned(), "null");
    }
    for record in reader.records() {
        let record = record.map_err(|error| format!("Error tokenizing data: {error}"))?;
        for (column, cell) in header.iter().zip(&record) {
            // A column of numbers with one text is a column of texts.
            let name = if cell.is_empty() {
                "null"
            } else if cell.parse::<f64>().is_ok() && table.types.get(column) != Some(&"string") {
                "number"
            } else {
                "string"
            };
            if name != "null" {
                table.types.insert(column.to_owned(), name);
            }
        }
        table.rows += 1;
    }
    Ok(table)
}

fn read_parquet(content: &[u8]) -> Result<Table, String> {
    use parquet::basic::{ConvertedType, Type as Physical};
    let content = bytes::Bytes::copy_from_slice(content);
    let reader = SerializedFileReader::new(content).map_err(|error| error.to_string())?;
    let metadata = reader.metadata().file_metadata();
    let mut table =
        Table { rows: u64::try_from(metadata.num_rows()).unwrap_or_default(), ..Table::default() };
    for column in metadata.schema().get_fields() {
        let name = if !column.is_primitive() {
            "struct"
        } else if column.get_basic_info().converted_type() == ConvertedType::UTF8 {
            "string"
        } else if column.get_physical_type() == Physical::BOOLEAN {
            "bool"
        } else {
            "number"
        };
        table.types.insert(column.name().to_owned(), name);
    }
    Ok(table)
}

fn read_text(content: &[u8]) -> Result<Table, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let rows = text.lines().count() as u64;
    Ok(Table { rows, bytes: 0, types: [("text".to_owned(), "string")].into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(path: &str, content: &str) -> (u64, usize) {
        let table = read(path, content.as_bytes()).unwrap_or_else(|failed| panic!("{failed:?}"));
        (table.rows, table.columns())
    }

    fn why(path: &str, content: &str) -> String {
        read(path, content.as_bytes()).err().map(|failed| failed.message).unwrap_or_default()
    }

    #[test]
    fn files_have_rows_and_columns() {
        assert_eq!(size("a.jsonl", "{\"a\":1,\"b\":\"x\"}\n\n{\"a\":null,\"b\":\"y\"}\n"), (2, 2));
        assert_eq!(size("a.json", "[{\"a\":1}, {\"a\":2}, {\"b\":[3]}]"), (3, 2));
        assert_eq!(size("a.csv", "a,b\n1,\"x, y\n z\"\n2,\n"), (2, 2));
        assert_eq!(size("a.tsv", "a\tb\n1\t2\n"), (1, 2));
        assert_eq!(size("a.txt", "one\ntwo\n"), (2, 1));
        assert_eq!(size("empty.jsonl", ""), (0, 0));
    }

    #[test]
    fn files_without_rows_say_why() {
        assert!(why("a.jsonl", "{\"a\":1}\n{\"a\":\n").contains("a.jsonl: JSON parse error"));
        assert!(
            why("a.jsonl", "{\"a\":1}\n{\"a\":\"x\"}\n").contains("Column a changed from number to string")
        );
        assert!(why("a.jsonl", "[1]\n").contains("JSON row is not an object"));
        assert!(why("a.csv", "a,b\n1\n").contains("Error tokenizing data"));
        assert!(why("a.parquet", "no Parquet").starts_with("An error occurred"));
    }

    #[test]
    fn shards_have_the_same_columns() -> Result<(), Failed> {
        let mut table = read("1.jsonl", b"{\"a\":1}")?;
        table.append(read("2.jsonl", b"{\"a\":2}")?)?;
        assert_eq!((table.rows, table.columns()), (2, 1));
        let other = table.append(read("3.jsonl", b"{\"b\":2}")?);
        assert_eq!(other.err().map(|failed| failed.code), Some("DatasetGenerationCastError"));
        Ok(())
    }
}
