//! Parquet files of other people, as lines that a map of columns reads.
//!
//! Only the columns that the map names are read. What stands in them becomes the text that a CSV of the same
//! rows would have: decimals and whole numbers exactly, a binary float as the shortest decimal that reads back
//! as the same float, which is counted; a time with its zone in UTC, one without as it stands.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use basis_core::types::Timestamp;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::table::Tally;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8_192;
const DAY_SECONDS: i64 = 86_400;

/// Returns the columns `needed` of a Parquet file as CSV with a header.
///
/// # Errors
/// What is wrong with the file, or a column that is not there or of a type that has no text.
pub(super) fn lines(path: &Path, needed: &[&str], tally: &mut Tally) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    let refused = |e: parquet::errors::ParquetError| format!("is no whole Parquet file: {e}");
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(refused)?;
    let there: Vec<&str> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    if let Some(name) = needed.iter().find(|name| !there.contains(name)) {
        return Err(format!(
            "has no column `{name}`; it has {}",
            there.join(", ")
        ));
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), needed.iter().copied());
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
    let mut out = needed.join(",");
    out.push('\n');
    for batch in reader.build().map_err(refused)? {
        let batch = batch.map_err(|e| format!("is no whole Parquet file: {e}"))?;
        add(&batch, needed, &mut out, tally)?;
    }
    Ok(out.into_bytes())
}

fn add(
    batch: &RecordBatch,
    needed: &[&str],
    out: &mut String,
    tally: &mut Tally,
) -> Result<(), String> {
    let columns: Vec<&dyn Array> = needed
        .iter()
        .filter_map(|name| Some(batch.column_by_name(name)?.as_ref()))
        .collect();
    for row in 0..batch.num_rows() {
        for (at, (array, name)) in columns.iter().zip(needed).enumerate() {
            if at > 0 {
                out.push(',');
            }
            // What has no value has no text either, and is refused as an empty cell by its line.
            if !array.is_null(row) {
                tally.floats += u64::from(array.data_type().is_floating());
                cell(*array, row, out).map_err(|what| format!("column `{name}` {what}"))?;
            }
        }
        out.push('\n');
    }
    Ok(())
}

/// Appends the text of one value.
fn cell(array: &dyn Array, row: usize, out: &mut String) -> Result<(), String> {
    macro_rules! number {
        ($type:ty) => {
            put(out, array.as_primitive::<$type>().value(row))
        };
    }
    match array.data_type() {
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => number!(Float32Type),
        DataType::Float64 => number!(Float64Type),
        DataType::Decimal128(..) => {
            out.push_str(&array.as_primitive::<Decimal128Type>().value_as_string(row));
        }
        DataType::Boolean => put(out, array.as_boolean().value(row)),
        DataType::Utf8 => text(array.as_string::<i32>().value(row), out)?,
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row), out)?,
        DataType::Utf8View => text(array.as_string_view().value(row), out)?,
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(row));
            let midnight = Timestamp::from_seconds(days.saturating_mul(DAY_SECONDS));
            put(out, midnight);
        }
        DataType::Timestamp(unit, zone) => {
            let nanos = nanos(array, *unit, row).ok_or("holds an instant beyond the range")?;
            put(out, Timestamp::from_nanos(nanos));
            if zone.is_none() {
                // Without its `Z` it is listed as an instant that names no zone.
                out.pop();
            }
        }
        other => return Err(format!("is {other}, which is no number, time or text")),
    }
    Ok(())
}

fn put(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("invariant: a String takes every write");
}

fn text(value: &str, out: &mut String) -> Result<(), String> {
    if value.contains([',', '"', '\n', '\r']) {
        return Err(format!(
            "holds `{value}`: a comma, a quote or a line end; such text is not read"
        ));
    }
    out.push_str(value);
    Ok(())
}

fn nanos(array: &dyn Array, unit: TimeUnit, row: usize) -> Option<i64> {
    let (count, nanos) = match unit {
        TimeUnit::Second => (
            array.as_primitive::<TimestampSecondType>().value(row),
            1_000_000_000,
        ),
        TimeUnit::Millisecond => (
            array.as_primitive::<TimestampMillisecondType>().value(row),
            1_000_000,
        ),
        TimeUnit::Microsecond => (
            array.as_primitive::<TimestampMicrosecondType>().value(row),
            1_000,
        ),
        TimeUnit::Nanosecond => (
            array.as_primitive::<TimestampNanosecondType>().value(row),
            1,
        ),
    };
    count.checked_mul(nanos)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Decimal128Array, Float64Array, StringArray, TimestampMicrosecondArray,
    };
    use parquet::arrow::ArrowWriter;

    use super::super::{ImportRequest, import};
    use super::*;
    use crate::scratch::Scratch;

    fn write(dir: &Scratch, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let path = dir.write("rates.parquet", "");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    /// Two settlements, at midnight and at eight, as a data frame has them.
    fn times() -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![
            1_704_067_200_000_000,
            1_704_096_000_000_000,
        ]))
    }

    fn imported(
        columns: Vec<(&str, ArrayRef)>,
        map: &str,
    ) -> Result<(String, Vec<String>), String> {
        let dir = Scratch::new();
        let files = [write(&dir, columns)];
        let request = ImportRequest {
            map: Some(map),
            files: &files,
            ..ImportRequest::default()
        };
        let to = dir.path().join("data");
        let report = import(&request, &to, &|_, _| {}).map_err(|e| e.message)?;
        let made = report.series.first().unwrap();
        Ok((
            std::fs::read_to_string(to.join(&made.path)).unwrap(),
            report.rules,
        ))
    }

    const MAP: &str = "kind=funding,venue=okx,symbol=BTCUSDT,timestamp=date,funding_rate=rate";

    #[test]
    fn a_frame_of_floats_is_imported_as_its_shortest_decimals_and_listed() {
        let rates: ArrayRef = Arc::new(Float64Array::from(vec![0.0001, 5.711e-05]));
        let other: ArrayRef = Arc::new(StringArray::from(vec!["a,b", "c"]));
        let (text, rules) = imported(
            vec![("date", times()), ("note", other), ("rate", rates)],
            MAP,
        )
        .unwrap();
        assert_eq!(
            text,
            "timestamp,funding_rate\n2024-01-01T00:00:00Z,0.0001\n2024-01-01T08:00:00Z,0.00005711\n"
        );
        assert!(
            rules
                .iter()
                .any(|rule| rule.starts_with("2 numbers were binary floats")),
            "{rules:?}"
        );
        assert!(
            rules
                .iter()
                .any(|rule| rule.contains("2 instants name no time zone")),
            "{rules:?}"
        );
    }

    #[test]
    fn decimals_are_exact_and_what_is_missing_or_empty_is_refused() {
        let exact = Decimal128Array::from(vec![100_000_000_000_001_i128, -5]);
        let exact: ArrayRef = Arc::new(exact.with_precision_and_scale(38, 18).unwrap());
        let (text, rules) =
            imported(vec![("date", times()), ("rate", exact.clone())], MAP).unwrap();
        assert!(text.contains("0.000100000000000001"), "{text}");
        assert!(
            !rules.iter().any(|rule| rule.contains("floats")),
            "{rules:?}"
        );
        let said = imported(vec![("date", times()), ("r", exact)], MAP).unwrap_err();
        assert!(
            said.contains("has no column `rate`; it has date, r"),
            "{said}"
        );
        let empty: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.0001), None]));
        let said = imported(vec![("date", times()), ("rate", empty)], MAP).unwrap_err();
        assert!(said.contains("is empty"), "{said}");
        let nan: ArrayRef = Arc::new(Float64Array::from(vec![0.0001, f64::NAN]));
        let said = imported(vec![("date", times()), ("rate", nan)], MAP).unwrap_err();
        assert!(said.contains("is no finite decimal number"), "{said}");
    }
}
