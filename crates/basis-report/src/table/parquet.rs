//! Parquet tables of a run directory: instants as UTC nanoseconds, numbers as `decimal(38, 18)`,
//! counts as unsigned integers, statistics as 64-bit floats, the rest as text; a field without a value is null.
//!
//! **Invariants.** The same rows give the same bytes. At most [`BATCH_ROWS`] rows wait.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, Decimal128Builder, Float64Builder, StringBuilder, TimestampNanosecondBuilder,
    UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use basis_core::error::{Code, ComponentError};
use basis_core::num::Fixed18;
use basis_core::types::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{Column, Kind, Rows};

/// Rows gathered before they go to the writer.
const BATCH_ROWS: usize = 4_096;
/// Rows of a row group; what the writer holds encoded.
const GROUP_ROWS: usize = 65_536;
/// Precision of a number: as many digits as 128 bits hold.
const PRECISION: u8 = 38;
/// Decimals of a number.
const SCALE: i8 = 18;

/// Values of one column that wait.
#[derive(Debug)]
enum Values {
    Instant(TimestampNanosecondBuilder),
    Number(Decimal128Builder),
    Count(UInt64Builder),
    Statistic(Float64Builder),
    Text(StringBuilder),
}

impl Values {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Instant => Self::Instant(TimestampNanosecondBuilder::new().with_timezone("UTC")),
            Kind::Number => Self::Number(
                Decimal128Builder::new().with_data_type(DataType::Decimal128(PRECISION, SCALE)),
            ),
            Kind::Count => Self::Count(UInt64Builder::new()),
            Kind::Statistic => Self::Statistic(Float64Builder::new()),
            Kind::Text => Self::Text(StringBuilder::new()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Instant(values) => ArrayBuilder::finish(values),
            Self::Number(values) => ArrayBuilder::finish(values),
            Self::Count(values) => ArrayBuilder::finish(values),
            Self::Statistic(values) => ArrayBuilder::finish(values),
            Self::Text(values) => ArrayBuilder::finish(values),
        }
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Instant => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Kind::Number => DataType::Decimal128(PRECISION, SCALE),
        Kind::Count => DataType::UInt64,
        Kind::Statistic => DataType::Float64,
        Kind::Text => DataType::Utf8,
    }
}

/// One file being written.
pub(crate) struct ParquetTable<W: Write + Send> {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<W>,
    columns: Vec<Values>,
    /// The column that takes the next field.
    next: usize,
    rows: usize,
    text: String,
}

impl<W: Write + Send> fmt::Debug for ParquetTable<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetTable")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl ParquetTable<File> {
    pub(crate) fn create(
        directory: &Path,
        name: &str,
        columns: &[Column<'_>],
    ) -> Result<Self, ComponentError> {
        let path = directory.join(name);
        let file = File::create(&path).map_err(|e| crate::directory::failed(&path, &e))?;
        Self::over(path, file, columns)
    }
}

impl ParquetTable<Vec<u8>> {
    /// The bytes of a small table whose rows `write` adds. `name` is what errors call it.
    ///
    /// # Errors
    /// Those of `write`; EVT-002 when the rows cannot be encoded.
    pub(crate) fn bytes(
        name: &str,
        columns: &[Column<'_>],
        write: impl FnOnce(&mut Self) -> Result<(), ComponentError>,
    ) -> Result<Vec<u8>, ComponentError> {
        let mut table = Self::over(PathBuf::from(name), Vec::new(), columns)?;
        write(&mut table)?;
        table.write_batch()?;
        let Self { path, writer, .. } = table;
        writer.into_inner().map_err(|e| failed(&path, e))
    }
}

impl<W: Write + Send> ParquetTable<W> {
    fn over(path: PathBuf, file: W, columns: &[Column<'_>]) -> Result<Self, ComponentError> {
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, kind)| Field::new(*name, data_type(*kind), true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(|e| failed(&path, e))?;
        Ok(Self {
            path,
            schema,
            writer,
            columns: columns.iter().map(|(_, kind)| Values::new(*kind)).collect(),
            next: 0,
            rows: 0,
            text: String::new(),
        })
    }

    fn next_column(&mut self) -> Option<&mut Values> {
        self.next += 1;
        self.columns.get_mut(self.next - 1)
    }

    fn write_batch(&mut self) -> Result<(), ComponentError> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let arrays = self.columns.iter_mut().map(Values::finish).collect();
        // Columns of different lengths, a field of the wrong kind among them, end here.
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|e| failed(&self.path, ParquetError::from(e)))?;
        self.writer.write(&batch).map_err(|e| failed(&self.path, e))
    }
}

/// `EVT-002`: writing `path` failed.
fn failed(path: &Path, e: ParquetError) -> ComponentError {
    let message = format!("cannot write {}: {e}", path.display());
    ComponentError::new(Code::OutputFailed, message).with_source(e)
}

impl<W: Write + Send> Rows for ParquetTable<W> {
    fn plain(&mut self, text: &str) {
        if let Some(Values::Text(values)) = self.next_column() {
            values.append_value(text);
        }
    }

    fn shown(&mut self, value: &impl Display) {
        use fmt::Write as _;
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        write!(text, "{value}").expect("invariant: a String takes every write");
        self.plain(&text);
        self.text = text;
    }

    fn text(&mut self, value: &impl Display) {
        self.shown(value);
    }

    fn number(&mut self, number: Fixed18) {
        if let Some(Values::Number(values)) = self.next_column() {
            values.append_value(number.mantissa());
        }
    }

    fn count(&mut self, count: u64) {
        if let Some(Values::Count(values)) = self.next_column() {
            values.append_value(count);
        }
    }

    fn statistic(&mut self, text: &str) {
        if let Some(Values::Statistic(values)) = self.next_column() {
            values.append_option(text.parse().ok());
        }
    }

    fn instant(&mut self, at: Timestamp) {
        if let Some(Values::Instant(values)) = self.next_column() {
            values.append_value(at.nanos());
        }
    }

    fn blank(&mut self, fields: usize) {
        for _ in 0..fields {
            match self.next_column() {
                Some(Values::Instant(values)) => values.append_null(),
                Some(Values::Number(values)) => values.append_null(),
                Some(Values::Count(values)) => values.append_null(),
                Some(Values::Statistic(values)) => values.append_null(),
                Some(Values::Text(values)) => values.append_null(),
                None => {}
            }
        }
    }

    fn end(&mut self) -> Result<(), ComponentError> {
        self.next = 0;
        self.rows += 1;
        if self.rows >= BATCH_ROWS {
            self.write_batch()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<u64, ComponentError> {
        self.write_batch()?;
        self.writer.finish().map_err(|e| failed(&self.path, e))?;
        Ok(u64::try_from(self.writer.bytes_written()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use crate::Format;
    use crate::directory::tests::Scratch;
    use crate::run::{RunWriter, sample};
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Decimal128Type, TimestampNanosecondType};
    use arrow_schema::DataType;
    use basis_core::num::Fixed18;
    use basis_core::types::Timestamp;
    use basis_engine::{StepChunk, StepSink as _};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use std::path::Path;

    fn as_csv(text: &str) -> String {
        if text.contains([',', '"']) {
            return format!("\"{}\"", text.replace('"', "\"\""));
        }
        text.to_owned()
    }

    fn cells(batch: &RecordBatch) -> Vec<String> {
        let cell = |column: usize, row: usize| {
            let array = batch.column(column);
            if array.is_null(row) {
                return String::new();
            }
            match array.data_type() {
                DataType::Decimal128(38, 18) => {
                    let mantissa = array.as_primitive::<Decimal128Type>().value(row);
                    Fixed18::from_mantissa(mantissa).to_string()
                }
                DataType::Timestamp(_, Some(zone)) => {
                    assert_eq!(zone.as_ref(), "UTC");
                    let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
                    Timestamp::from_nanos(nanos).to_string()
                }
                DataType::UInt64 => array
                    .as_primitive::<arrow_array::types::UInt64Type>()
                    .value(row)
                    .to_string(),
                _ => as_csv(array.as_string::<i32>().value(row)),
            }
        };
        (0..batch.num_rows())
            .map(|row| {
                let cells: Vec<_> = (0..batch.num_columns()).map(|c| cell(c, row)).collect();
                cells.join(",")
            })
            .collect()
    }

    fn rows(path: &Path) -> Vec<String> {
        let file = std::fs::File::open(path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let names: Vec<_> = reader
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        let mut rows = vec![names.join(",")];
        for batch in reader.build().unwrap() {
            rows.extend(cells(&batch.unwrap()));
        }
        rows
    }

    #[test]
    fn parquet_beside_csv_holds_the_same_cells() {
        let scratch = Scratch::new("parquet");
        let out = scratch.path.join("run");
        let result = sample::result();
        let mut writer =
            RunWriter::create(&out, (result.share_class, result.range.0), Format::Parquet).unwrap();
        for (steps, ledger) in sample::step_by_step(&result) {
            writer.take(StepChunk { steps, ledger }).unwrap();
        }
        let report = writer.finish(&result, &sample::context()).unwrap();
        for name in ["equity", "positions", "risk", "ledger", "executions"] {
            let text = std::fs::read_to_string(out.join(format!("{name}.csv"))).unwrap();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            let file = format!("{name}.parquet");
            assert_eq!(rows(&out.join(&file)), lines, "{name}");
            assert!(report.files.iter().any(|written| written.name == file));
        }
    }
}
