//! Reads one Parquet file into exact columns, batch by batch: the file is never in memory whole.
//!
//! The columns are those of the CSV layout, in any order; others are not read. Numbers are decimals,
//! whole numbers or text; a floating-point column is refused, for what it holds is not what was
//! written down. Times are UTC timestamps of any unit, or text as in CSV.
//!
//! **Invariants.** No number passes through a float. The first malformed row refuses the file.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, Price, Quantity, Rate, Rounding};
use basis_core::types::{SeriesId, Span, Timestamp};
use basis_market::{BarSeries, BarSeriesBuilder, RateSeries};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::csv::{BAR_HEADER, RATE_HEADER};

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8_192;

/// Reads price bars of `length`; `volume_multiplier` as [`crate::csv::load_bars`] has it.
///
/// # Errors
/// `DATA-001` when the file cannot be opened; `DATA-002` naming file, row and column when it is no
/// Parquet file, lacks a column, has one of floats, or holds a row that [`crate::csv::load_bars`]
/// would refuse.
pub fn load_bars(
    path: &Path,
    id: SeriesId,
    length: Span,
    volume_multiplier: Fixed18,
) -> Result<BarSeries, ComponentError> {
    let (reader, rows) = open(path, BAR_HEADER)?;
    let mut series = BarSeriesBuilder::new(id, length, rows);
    let mut first = 0;
    for batch in reader {
        let batch = batch.map_err(|e| malformed(path, &e.to_string()))?;
        add_bars(&batch, first, &mut series, length, volume_multiplier)
            .map_err(|e| malformed(path, &e))?;
        first += batch.num_rows();
    }
    not_empty(path, first)?;
    Ok(series.finish())
}

/// Reads funding rates.
///
/// # Errors
/// As [`load_bars`], but a rate may have any sign and an instant any time of day.
pub fn load_rates(path: &Path, id: SeriesId) -> Result<RateSeries, ComponentError> {
    let (reader, rows) = open(path, RATE_HEADER)?;
    let mut series = RateSeries {
        id,
        at: Vec::with_capacity(rows),
        rate: Vec::with_capacity(rows),
    };
    for batch in reader {
        let batch = batch.map_err(|e| malformed(path, &e.to_string()))?;
        add_rates(&batch, &mut series).map_err(|e| malformed(path, &e))?;
    }
    not_empty(path, series.at.len())?;
    Ok(series)
}

fn malformed(path: &Path, what: &str) -> ComponentError {
    ComponentError::new(Code::DataMalformed, format!("{}: {what}", path.display()))
}

fn not_empty(path: &Path, rows: usize) -> Result<(), ComponentError> {
    if rows > 0 {
        return Ok(());
    }
    Err(malformed(path, "has no rows"))
}

/// The reader of the columns that `header` names, and how many rows the file says it has.
fn open(path: &Path, header: &str) -> Result<(ParquetRecordBatchReader, usize), ComponentError> {
    let file = File::open(path).map_err(|e| {
        let message = format!("{} cannot be read: {e}", path.display());
        ComponentError::new(Code::DataMissing, message).with_source(e)
    })?;
    let refused = |e: parquet::errors::ParquetError| malformed(path, &e.to_string());
    // What the file itself says, not what the program that wrote it would have made of it.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(refused)?;
    for name in header.split(',') {
        if builder.schema().column_with_name(name).is_none() {
            let what = format!("has no column `{name}`; expected `{header}`");
            return Err(malformed(path, &what));
        }
    }
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
    let mask = ProjectionMask::columns(builder.parquet_schema(), header.split(','));
    let reader = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(refused)?;
    Ok((reader, rows))
}

fn add_bars(
    batch: &RecordBatch,
    first: usize,
    series: &mut BarSeriesBuilder,
    length: Span,
    volume_multiplier: Fixed18,
) -> Result<(), String> {
    let at = Field::new(batch, "timestamp")?;
    let prices = [
        Field::new(batch, "open")?,
        Field::new(batch, "high")?,
        Field::new(batch, "low")?,
        Field::new(batch, "close")?,
    ];
    let volumes = Field::new(batch, "volume")?;
    for row in 0..batch.num_rows() {
        let here = |what: String| format!("row {}, {what}", first + row + 1);
        let opened_at = at.instant(row).map_err(here)?;
        if opened_at.floor_to(length) != opened_at {
            return Err(here(format!(
                "column `timestamp`: {opened_at} is not a multiple of the bar length {length}"
            )));
        }
        let mut bar = [Price::ZERO; 4];
        for (price, field) in bar.iter_mut().zip(&prices) {
            let number = field.number(row).map_err(here)?;
            *price = Price::positive(number).map_err(|e| here(field.refuse(&e.to_string())))?;
        }
        let volume = volumes.number(row).map_err(here)?;
        if volume.is_negative() {
            return Err(here(volumes.refuse(&format!("{volume} is below zero"))));
        }
        let volume = volume
            .mul(volume_multiplier, Rounding::HalfEven)
            .map_err(|e| here(volumes.refuse(&e.to_string())))?;
        series
            .push(opened_at, bar, Quantity::new(volume))
            .map_err(|e| here(e.to_string()))?;
    }
    Ok(())
}

fn add_rates(batch: &RecordBatch, series: &mut RateSeries) -> Result<(), String> {
    let at = Field::new(batch, "timestamp")?;
    let rates = Field::new(batch, "funding_rate")?;
    for row in 0..batch.num_rows() {
        let number = series.at.len() + 1;
        let here = |what: String| format!("row {number}, {what}");
        let instant = at.instant(row).map_err(here)?;
        if let Some(before) = series.at.last().filter(|before| instant <= **before) {
            return Err(here(format!(
                "column `timestamp`: {instant} does not come after {before}; sort by timestamp"
            )));
        }
        let rate = rates.number(row).map_err(here)?;
        series.at.push(instant);
        series.rate.push(Rate::new(rate));
    }
    Ok(())
}

/// One column of a batch, read by row.
struct Field<'a> {
    name: &'static str,
    array: &'a dyn Array,
}

impl<'a> Field<'a> {
    /// The column `name`, when its type can be read exactly.
    fn new(batch: &'a RecordBatch, name: &'static str) -> Result<Self, String> {
        let array = batch
            .column_by_name(name)
            .ok_or_else(|| format!("has no column `{name}`"))?
            .as_ref();
        let field = Self { name, array };
        match (name, array.data_type()) {
            (_, DataType::Utf8) => Ok(field),
            ("timestamp", DataType::Timestamp(_, Some(_))) => Ok(field),
            ("timestamp", DataType::Timestamp(_, None)) => Err(field.refuse(
                "holds times without a time zone; write them as UTC (isAdjustedToUTC) or as text",
            )),
            ("timestamp", other) => Err(field.refuse(&format!(
                "is {other}; expected a UTC timestamp or text as 2024-05-01T08:00:00Z"
            ))),
            (_, DataType::Decimal128(..) | DataType::Int32 | DataType::Int64) => Ok(field),
            (_, DataType::Float16 | DataType::Float32 | DataType::Float64) => Err(field.refuse(
                "holds floating-point numbers, which are not exact; write decimals, as \
                 decimal(38, 18), or text",
            )),
            (_, other) => Err(field.refuse(&format!(
                "is {other}; expected a decimal, a whole number or text"
            ))),
        }
    }

    fn refuse(&self, what: &str) -> String {
        format!("column `{}`: {what}", self.name)
    }

    fn present(&self, row: usize) -> Result<(), String> {
        if self.array.is_null(row) {
            return Err(self.refuse("has no value"));
        }
        Ok(())
    }

    fn number(&self, row: usize) -> Result<Fixed18, String> {
        self.present(row)?;
        match self.array.data_type() {
            DataType::Decimal128(_, scale) => {
                let mantissa = self.array.as_primitive::<Decimal128Type>().value(row);
                rescaled(mantissa, *scale).ok_or_else(|| {
                    self.refuse(&format!(
                        "{mantissa}e{} needs more than 18 decimals or is too large",
                        -i32::from(*scale)
                    ))
                })
            }
            DataType::Int32 => {
                let value = self.array.as_primitive::<Int32Type>().value(row);
                Ok(Fixed18::from_int(i64::from(value)))
            }
            DataType::Int64 => {
                let value = self.array.as_primitive::<Int64Type>().value(row);
                Ok(Fixed18::from_int(value))
            }
            _ => {
                let text = self.array.as_string::<i32>().value(row);
                Fixed18::parse(text).map_err(|e| self.refuse(&format!("`{text}`: {e}")))
            }
        }
    }

    fn instant(&self, row: usize) -> Result<Timestamp, String> {
        self.present(row)?;
        let DataType::Timestamp(unit, _) = self.array.data_type() else {
            let text = self.array.as_string::<i32>().value(row);
            return Timestamp::parse_bytes(text.as_bytes())
                .ok_or_else(|| self.refuse(&format!("`{text}` is no UTC instant")));
        };
        let (count, nanos) = match unit {
            TimeUnit::Second => (
                self.array.as_primitive::<TimestampSecondType>().value(row),
                1_000_000_000,
            ),
            TimeUnit::Millisecond => (
                self.array
                    .as_primitive::<TimestampMillisecondType>()
                    .value(row),
                1_000_000,
            ),
            TimeUnit::Microsecond => (
                self.array
                    .as_primitive::<TimestampMicrosecondType>()
                    .value(row),
                1_000,
            ),
            TimeUnit::Nanosecond => (
                self.array
                    .as_primitive::<TimestampNanosecondType>()
                    .value(row),
                1,
            ),
        };
        let nanos = count.checked_mul(nanos);
        nanos
            .map(Timestamp::from_nanos)
            .ok_or_else(|| self.refuse(&format!("{count} is beyond the range of instants")))
    }
}

/// `mantissa` × 10^-`scale` exactly; `None` when it needs more than 18 decimals or is too large.
fn rescaled(mantissa: i128, scale: i8) -> Option<Fixed18> {
    let shift = i32::try_from(Fixed18::DECIMALS).ok()? - i32::from(scale);
    let factor = 10_i128.checked_pow(shift.unsigned_abs())?;
    let mantissa = if shift >= 0 {
        mantissa.checked_mul(factor)?
    } else if mantissa % factor == 0 {
        mantissa / factor
    } else {
        return None;
    };
    Some(Fixed18::from_mantissa(mantissa))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use arrow_array::{
        ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampMillisecondArray,
    };
    use parquet::arrow::ArrowWriter;
    use std::path::PathBuf;
    use std::sync::Arc;

    fn write(dir: &Scratch, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let path = dir.write("x.parquet", "");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    fn decimals(values: &[i128], scale: i8) -> ArrayRef {
        let array = Decimal128Array::from_iter_values(values.iter().copied());
        Arc::new(array.with_precision_and_scale(38, scale).unwrap())
    }

    fn hours(zone: Option<&str>) -> ArrayRef {
        let array = TimestampMillisecondArray::from(vec![0, 3_600_000]);
        match zone {
            Some(zone) => Arc::new(array.with_timezone(zone)),
            None => Arc::new(array),
        }
    }

    fn bars<'a>(at: ArrayRef, close: ArrayRef) -> Vec<(&'a str, ArrayRef)> {
        vec![
            ("close", close),
            ("volume", Arc::new(Int64Array::from(vec![7, 8]))),
            ("open", decimals(&[10_050, 10_100], 2)),
            (
                "high",
                Arc::new(StringArray::from(vec!["101.5", "1.025e2"])),
            ),
            ("low", decimals(&[99, 98], 0)),
            ("timestamp", at),
            ("ignored", Arc::new(Float64Array::from(vec![0.5, 0.5]))),
        ]
    }

    fn id() -> SeriesId {
        "perp.okx.BTCUSDT".parse().unwrap()
    }

    fn refusal(columns: Vec<(&str, ArrayRef)>) -> String {
        let dir = Scratch::new();
        let path = write(&dir, columns);
        let e = load_bars(&path, id(), Span::HOUR, Fixed18::ONE).unwrap_err();
        assert_eq!(e.code, Code::DataMalformed);
        assert!(e.message.starts_with(&path.display().to_string()), "{e}");
        e.message
    }

    #[test]
    fn decimals_whole_numbers_and_text_are_exact_in_any_order() {
        let dir = Scratch::new();
        let close = decimals(
            &[100_250_000_000_000_000_001, 99_000_000_000_000_000_000],
            18,
        );
        let path = write(&dir, bars(hours(Some("UTC")), close));
        let contract = Fixed18::literal("0.01");
        let series = load_bars(&path, id(), Span::HOUR, contract).unwrap();
        let bar = series.bar(0).unwrap();
        assert_eq!(bar.opened_at, Timestamp::EPOCH);
        assert_eq!(bar.open, Price::literal("100.5"));
        assert_eq!(bar.high, Price::literal("101.5"));
        assert_eq!(bar.low, Price::literal("99"));
        assert_eq!(bar.close, Price::literal("100.250000000000000001"));
        assert_eq!(bar.volume, Quantity::literal("0.07"));
        assert_eq!(series.len(), 2);
        let text = StringArray::from(vec!["1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"]);
        let path = write(&dir, bars(Arc::new(text), decimals(&[100, 99], 0)));
        let series = load_bars(&path, id(), Span::HOUR, Fixed18::ONE).unwrap();
        assert_eq!(series.last_opened(), Some(Timestamp::from_seconds(3_600)));
    }

    #[test]
    fn what_is_not_exact_or_not_sure_is_refused_with_the_way_out() {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![100.5, 99.5]));
        let message = refusal(bars(hours(Some("UTC")), floats));
        assert!(
            message.contains("column `close`: holds floating-point numbers"),
            "{message}"
        );
        assert!(message.contains("decimal(38, 18), or text"), "{message}");
        let message = refusal(bars(hours(None), decimals(&[100, 99], 0)));
        assert!(
            message.contains("without a time zone; write them as UTC"),
            "{message}"
        );
        let mut columns = bars(hours(Some("UTC")), decimals(&[100, 99], 0));
        columns.remove(1);
        assert!(refusal(columns).contains("has no column `volume`"));
        let fine = decimals(&[100 * 10_i128.pow(19) + 1, 99 * 10_i128.pow(19)], 19);
        let message = refusal(bars(hours(Some("UTC")), fine));
        assert!(message.contains("row 1, column `close`"), "{message}");
        assert!(message.contains("more than 18 decimals"), "{message}");
    }

    #[test]
    fn malformed_rows_are_named() {
        let late: ArrayRef =
            Arc::new(TimestampMillisecondArray::from(vec![3_600_000, 0]).with_timezone("UTC"));
        let message = refusal(bars(late, decimals(&[100, 99], 0)));
        assert!(message.contains("row 2, "), "{message}");
        assert!(message.contains("does not come after"), "{message}");
        let message = refusal(bars(hours(Some("UTC")), decimals(&[100, 500], 0)));
        assert!(message.contains("row 2, "), "{message}");
        assert!(message.contains("close 500 are not within"), "{message}");
        let missing: ArrayRef = Arc::new(StringArray::from(vec![Some("100"), None]));
        let message = refusal(bars(hours(Some("UTC")), missing));
        assert!(
            message.contains("row 2, column `close`: has no value"),
            "{message}"
        );
        let dir = Scratch::new();
        let path = dir.write("y.parquet", "no parquet at all");
        assert!(load_rates(&path, "funding.okx.BTCUSDT".parse().unwrap()).is_err());
    }

    #[test]
    fn rates_are_read_with_any_sign() {
        let dir = Scratch::new();
        let rates = StringArray::from(vec!["-3.2e-7", "0.0001"]);
        let path = write(
            &dir,
            vec![
                ("timestamp", hours(Some("+00:00"))),
                ("funding_rate", Arc::new(rates)),
            ],
        );
        let series = load_rates(&path, "funding.okx.BTCUSDT".parse().unwrap()).unwrap();
        assert_eq!(
            series.rate,
            [Rate::literal("-0.00000032"), Rate::literal("0.0001")]
        );
    }

    #[test]
    fn minutes_from_parquet_equal_those_from_csv_across_batches() {
        use crate::{LoadRequest, check, load};
        use std::fmt::Write as _;
        let count = i64::try_from(BATCH_ROWS).unwrap() * 2 + 5;
        let (mut text, mut times, mut prices) = (format!("{BAR_HEADER}\n"), vec![], vec![]);
        for row in 0..count {
            let (at, price) = (Timestamp::from_seconds(row * 60), 6_000_000 + row % 977);
            let shown = format!("{}.{:02}", price / 100, price % 100);
            writeln!(text, "{at},{shown},{shown},{shown},{shown},{price}").unwrap();
            times.push(row * 60_000);
            prices.push(i128::from(price));
        }
        let (csv, parquet) = (Scratch::new(), Scratch::new());
        csv.write("perp/okx/BTCUSDT_1m.csv", text);
        let at = TimestampMillisecondArray::from(times).with_timezone("UTC");
        let mut columns: Vec<(&str, ArrayRef)> = vec![("timestamp", Arc::new(at))];
        for name in ["open", "high", "low", "close"] {
            columns.push((name, decimals(&prices, 2)));
        }
        columns.push(("volume", decimals(&prices, 0)));
        let written = write(&parquet, columns);
        let place = parquet.write("perp/okx/BTCUSDT_1m.parquet", "");
        std::fs::rename(written, place).unwrap();
        let request = LoadRequest {
            ids: vec![id()],
            ..LoadRequest::default()
        };
        let loaded = |dir: &Scratch| {
            let loaded = load(dir.path(), &request, &|_| {}).unwrap();
            Arc::clone(loaded.data.bars(id()).unwrap())
        };
        assert!(loaded(&csv).bars().eq(loaded(&parquet).bars()));
        assert_eq!(loaded(&parquet).len(), times_len(count));
        let report = check(parquet.path(), &basis_core::rules::RuleBook::default()).unwrap();
        assert_eq!(
            (report.series[0].rows, report.series[0].problem_count),
            (count.unsigned_abs(), 0)
        );
    }

    fn times_len(count: i64) -> usize {
        usize::try_from(count).unwrap()
    }
}
