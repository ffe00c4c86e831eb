//! `sweep.parquet`: the columns of `sweep.csv`. Amounts are `decimal(38, 18)`, statistics 64-bit
//! floats, counts and `variant` unsigned integers, the rest text; what a variant does not have is null.
//!
//! **Invariant.** The same rows give the same bytes.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{ArrowError, Field as ArrowField, Schema};
use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::fields::{FIELDS, Field, Kind};
use super::grid::Grid;
use super::results::Row;

/// The file.
///
/// # Errors
/// EVT-002 when the rows cannot be encoded.
pub fn table(grid: &Grid, rows: &[Row]) -> Result<Vec<u8>, ComponentError> {
    encode(grid, rows).map_err(|e| {
        let message = format!("cannot write sweep.parquet: {e}");
        ComponentError::new(Code::OutputFailed, message).with_source(e)
    })
}

fn encode(grid: &Grid, rows: &[Row]) -> Result<Vec<u8>, ParquetError> {
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    let numbers = rows.iter().map(|row| u64::try_from(row.number).ok());
    columns.push(("variant", Arc::new(UInt64Array::from_iter(numbers))));
    for (at, parameter) in grid.parameters().iter().enumerate() {
        let values = rows.iter().map(|row| row.values.get(at));
        columns.push((&parameter.key, Arc::new(StringArray::from_iter(values))));
    }
    let text = |of: fn(&Row) -> Option<&str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(of)))
    };
    columns.push(("status", text(|row| Some(row.status()))));
    columns.push(("error", text(|row| row.failure().map(|(code, _)| code))));
    for (at, field) in FIELDS.iter().enumerate() {
        columns.push((&field.name, figures(at, field, rows)?));
    }
    columns.push(("config_hash", text(|row| Some(&row.config_hash))));
    let message = |row: &Row| -> Option<String> {
        let failure = row.failure().map(|(_, message)| message);
        row.halted().or(failure).map(str::to_owned)
    };
    let messages = StringArray::from_iter(rows.iter().map(message));
    columns.push(("message", Arc::new(messages)));
    let fields: Vec<ArrowField> = columns
        .iter()
        .map(|(name, values)| ArrowField::new(*name, values.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, values)| values).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    writer.into_inner()
}

/// The column of one figure.
fn figures(at: usize, field: &Field, rows: &[Row]) -> Result<ArrayRef, ArrowError> {
    let texts = rows.iter().map(|row| row.figure(at));
    Ok(match field.kind {
        Kind::Amount => {
            let number = |text: &str| Fixed18::parse(text).ok().map(Fixed18::mantissa);
            let values = texts.map(|text| text.and_then(number));
            let values = Decimal128Array::from_iter(values);
            Arc::new(values.with_precision_and_scale(38, 18)?)
        }
        Kind::Number if field.name.starts_with("counts.") => {
            let values = texts.map(|text| text.and_then(|text| text.parse().ok()));
            Arc::new(UInt64Array::from_iter(values))
        }
        Kind::Number => {
            let values = texts.map(|text| text.and_then(|text| text.parse().ok()));
            Arc::new(Float64Array::from_iter(values))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, Float64Type, UInt64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::super::grid::tests::grid;
    use super::super::results::csv;
    use super::super::results::tests::{failed, row};
    use super::*;

    #[test]
    fn the_table_has_the_columns_and_values_of_the_csv() {
        let grid = grid(&[("k", &["{a: 1, b: 2}", "2"])]);
        let rows = [
            row(1, &["{a: 1, b: 2}"], "1.2345678901234567e-05"),
            failed(2, &["2"]),
        ];
        let bytes = table(&grid, &rows).unwrap();
        assert_eq!(bytes, table(&grid, &rows).unwrap());
        let path = std::env::temp_dir().join(format!("basis-sweep-{}.parquet", std::process::id()));
        std::fs::write(&path, &bytes).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        std::fs::remove_file(path).unwrap();
        let text = csv(&grid, &rows);
        let header: Vec<_> = text.lines().next().unwrap().split(',').collect();
        let schema = batch.schema();
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, header);
        let column = |name: &str| batch.column_by_name(name).unwrap();
        assert_eq!(column("k").as_string::<i32>().value(0), "{a: 1, b: 2}");
        let amount = column("equity_end").as_primitive::<Decimal128Type>();
        assert_eq!(amount.value(0), 1_000_000_000_000_000_000_001);
        let earned = column("return").as_primitive::<Float64Type>();
        let exact: f64 = "1.2345678901234567e-05".parse().unwrap();
        assert_eq!(earned.value(0).to_bits(), exact.to_bits());
        let steps = column("counts.steps").as_primitive::<UInt64Type>();
        assert_eq!((steps.value(0), steps.is_null(1)), (0, true));
        assert!(column("sharpe").is_null(0), "no deviation, no ratio");
        assert_eq!(column("error").as_string::<i32>().value(1), "STRAT-002");
        assert!(column("message").is_null(0));
    }
}
