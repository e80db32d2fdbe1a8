//! A row of Parquet as JSON, for the example of a card.

use parquet::record::{Field, Row};
use serde_json::{Map, Value};

/// Returns a row as JSON. Bytes become their number, and times their text.
pub(super) fn value_of(row: &Row) -> Value {
    let columns = row.get_column_iter().map(|(name, field)| (name.clone(), field_value(field)));
    Value::Object(columns.collect::<Map<_, _>>())
}

fn field_value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float(value) => (*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(value) => value.as_str().into(),
        Field::Bytes(value) => format!("{} bytes", value.len()).into(),
        Field::Group(row) => value_of(row),
        Field::ListInternal(list) => list.elements().iter().map(field_value).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, value)| match key {
                Field::Str(key) => (key.clone(), field_value(value)),
                other => (other.to_string(), field_value(value)),
            });
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => other.to_string().into(),
    }
}
