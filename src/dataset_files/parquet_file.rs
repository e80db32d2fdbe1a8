//! Parquet: the schema in its footer, and its rows, which are decoded one by one.

use parquet::basic::{Compression, ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, FileReader as _, SerializedFileReader};
use parquet::schema::types::Type;

use super::columns::{Column, Fields, Kind, MAX_COLUMNS};
use super::fault::Faults;
use super::parquet_row::value_of;
use super::table::Table;
use crate::text::human_bytes;

/// Reads a file, and decodes each row. `max_group` is the size of the largest row group in bytes, before compression.
///
/// Rows with a codec that this program does not have are counted, and not decoded. `on_bytes` gets the sizes of the parts
/// that were read, as far as the number of rows shows them.
pub fn read_parquet<R: ChunkReader + 'static>(
    input: R,
    max_group: u64,
    faults: &mut Faults<'_>,
    on_bytes: &dyn Fn(u64),
) -> Table {
    let mut table = Table::default();
    if let Err(error) = read(input, max_group, (&mut table, on_bytes), faults) {
        faults.add_whole(format!("cannot be read as Parquet at row {}: {}", table.rows + 1, plain(&error)));
    }
    table
}

fn read<R: ChunkReader + 'static>(
    input: R,
    max_group: u64,
    (table, on_bytes): (&mut Table, &dyn Fn(u64)),
    faults: &mut Faults<'_>,
) -> Result<(), ParquetError> {
    let bytes = input.len();
    let reader = SerializedFileReader::new(input)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema();
    if metadata.file_metadata().schema_descr().num_columns() > MAX_COLUMNS {
        faults.add_whole(format!("has more than {MAX_COLUMNS} columns"));
        return Ok(());
    }
    table.columns = fields_of(schema);
    let announced = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default();
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let size = u64::try_from(group.total_byte_size()).unwrap_or(u64::MAX);
        if size > max_group {
            let what = format!("a row group {} of {}", number + 1, human_bytes(size));
            faults.add_too_large(None, &what, max_group);
        }
    }
    if faults.is_full() || !can_decode(metadata) {
        table.rows = announced;
        return Ok(());
    }
    let mut counted = 0;
    for row in reader.get_row_iter(None)? {
        let row = row?;
        if table.rows == 0 {
            table.example = Some(value_of(&row));
        }
        table.rows += 1;
        let through = share(bytes, table.rows, announced);
        on_bytes(through.saturating_sub(counted));
        counted = through;
    }
    if table.rows != announced {
        faults.add_whole(format!("has {} rows, and its footer announces {announced}", table.rows));
    }
    Ok(())
}

/// Returns the part of `bytes` that `rows` of `all` rows take on average.
fn share(bytes: u64, rows: u64, all: u64) -> u64 {
    let part = u128::from(bytes) * u128::from(rows.min(all)) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(bytes)
}

fn plain(error: &ParquetError) -> String {
    match error {
        ParquetError::General(text) | ParquetError::NYI(text) | ParquetError::EOF(text) => text.clone(),
        other => other.to_string(),
    }
}

fn can_decode(metadata: &ParquetMetaData) -> bool {
    let mut columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    columns.all(|column| !matches!(column.compression(), Compression::LZO | Compression::BROTLI(_)))
}

fn fields_of(group: &Type) -> Fields {
    let mut fields = Fields::default();
    for field in group.get_fields() {
        fields.insert(field.name(), Column::new(kind_of(field), 0));
    }
    fields
}

/// Returns the type of a column, with the names that the `datasets` library has for it.
fn kind_of(field: &Type) -> Kind {
    if field.is_primitive() {
        return primitive(field);
    }
    let is_list = matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::List))
        || field.get_basic_info().converted_type() == ConvertedType::LIST;
    match field.get_fields() {
        // The standard form has a group between the list and its items.
        [repeated] if is_list => match repeated.is_group().then(|| repeated.get_fields()) {
            Some([item]) => list(kind_of(item)),
            _ => list(kind_of(repeated)),
        },
        _ => Kind::Struct(fields_of(field)),
    }
}

fn list(kind: Kind) -> Kind {
    Kind::List(Box::new(Column::new(kind, 0)))
}

fn primitive(field: &Type) -> Kind {
    let info = field.get_basic_info();
    let physical = match field.get_physical_type() {
        Physical::BOOLEAN => return Kind::Bool,
        Physical::INT32 => "int32",
        Physical::INT64 => "int64",
        Physical::INT96 => "timestamp[ns]",
        Physical::FLOAT => "float32",
        Physical::DOUBLE => return Kind::Float,
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => "binary",
    };
    let name = match info.logical_type_ref() {
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) => return Kind::Text,
        Some(LogicalType::Unknown) => return Kind::Null,
        Some(LogicalType::Integer(int)) => {
            format!("{}int{}", if int.is_signed { "" } else { "u" }, int.bit_width)
        }
        Some(LogicalType::Decimal(decimal)) => format!("decimal({}, {})", decimal.precision, decimal.scale),
        Some(LogicalType::Date) => "date32".to_owned(),
        Some(LogicalType::Time(time)) => format!("time[{}]", unit(&time.unit)),
        Some(LogicalType::Timestamp(time)) => format!("timestamp[{}]", unit(&time.unit)),
        Some(LogicalType::Float16) => "float16".to_owned(),
        Some(LogicalType::Uuid) => "uuid".to_owned(),
        _ => match info.converted_type() {
            ConvertedType::UTF8 => return Kind::Text,
            ConvertedType::DATE => "date32".to_owned(),
            ConvertedType::TIMESTAMP_MILLIS => "timestamp[ms]".to_owned(),
            ConvertedType::TIMESTAMP_MICROS => "timestamp[us]".to_owned(),
            _ => physical.to_owned(),
        },
    };
    if name == "int64" { Kind::Int } else { Kind::Other(name) }
}

fn unit(unit: &TimeUnit) -> &'static str {
    match unit {
        TimeUnit::MILLIS => "ms",
        TimeUnit::MICROS => "us",
        TimeUnit::NANOS => "ns",
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use bytes::Bytes;
    use parquet::data_type::Int64Type;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn file_of(values: &[i64]) -> Bytes {
        let schema = Arc::new(parse_message_type("message rows { required int64 id; }").unwrap());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(values, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.into_inner().unwrap().into()
    }

    #[test]
    fn all_bytes_are_counted_while_the_rows_are_read() {
        let file = file_of(&[1, 2, 3, 4, 5, 6, 7]);
        let (counted, calls) = (Cell::new(0), Cell::new(0));
        let on_bytes = |bytes| {
            counted.set(counted.get() + bytes);
            calls.set(calls.get() + 1);
        };
        let mut found = Vec::new();
        let table = read_parquet(file.clone(), 1000, &mut Faults::new("x", &mut found, 9), &on_bytes);
        assert_eq!((table.rows, found.len()), (7, 0));
        assert_eq!((counted.get(), calls.get()), (file.len() as u64, 7));
    }
}
