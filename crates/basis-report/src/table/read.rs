//! Tables of a run directory, row by row.
//!
//! A year of minutes has half a gigabyte of positions, so nothing here holds more than one row. A run has
//! its tables as CSV whatever else it was written as, so CSV is what is read.

use std::fs::File;
use std::path::{Path, PathBuf};

use basis_core::error::{Code, ComponentError};
use basis_core::types::Timestamp;
use csv::{ByteRecord, Position, Reader, ReaderBuilder};

/// Bytes read at once.
const CHUNK: usize = 1 << 18;

/// One table being read: only the wanted columns, found by the names in the header.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    reader: Reader<File>,
    /// The row, or the header before the first.
    record: ByteRecord,
    /// Where the wanted columns are.
    columns: Vec<usize>,
    /// One more than the last wanted column.
    needed: usize,
}

/// One row: fields in the order of the wanted columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a>(&'a Table);

impl Table {
    pub(crate) fn open(
        directory: &Path,
        name: &str,
        wanted: &[&str],
    ) -> Result<Self, ComponentError> {
        let path = directory.join(name);
        let file = File::open(&path).map_err(|e| unreadable(&path, &e.to_string()))?;
        let reader = ReaderBuilder::new()
            .has_headers(false)
            // What a short row lacks is said here, with its line.
            .flexible(true)
            .buffer_capacity(CHUNK)
            .from_reader(file);
        let mut table = Self {
            path,
            reader,
            record: ByteRecord::new(),
            columns: Vec::new(),
            needed: 0,
        };
        if !table.read()? {
            return Err(unreadable(&table.path, "it is empty"));
        }
        for name in wanted {
            let at = table
                .record
                .iter()
                .position(|field| field == name.as_bytes());
            let at = at.ok_or_else(|| unreadable(&table.path, &format!("no column `{name}`")))?;
            table.columns.push(at);
        }
        table.needed = table.columns.iter().max().map_or(0, |last| last + 1);
        Ok(table)
    }

    /// Whether the header of a file names `column`.
    pub(crate) fn has(directory: &Path, name: &str, column: &str) -> Result<bool, ComponentError> {
        let table = Self::open(directory, name, &[])?;
        Ok(table.record.iter().any(|field| field == column.as_bytes()))
    }

    /// The next row, or none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'_>>, ComponentError> {
        if !self.read()? {
            return Ok(None);
        }
        if self.record.len() < self.needed {
            return Err(self.wrong("fewer fields than the header"));
        }
        Ok(Some(Row(self)))
    }

    fn read(&mut self) -> Result<bool, ComponentError> {
        self.reader
            .read_byte_record(&mut self.record)
            .map_err(|e| unreadable(&self.path, &e.to_string()).with_source(e))
    }

    fn wrong(&self, what: &str) -> ComponentError {
        let line = self.record.position().map_or(0, Position::line);
        unreadable(&self.path, &format!("line {line}: {what}"))
    }
}

impl<'a> Row<'a> {
    /// The bytes of the wanted column `index`.
    pub(crate) fn bytes(&self, index: usize) -> &'a [u8] {
        let column = self.0.columns.get(index);
        column
            .and_then(|column| self.0.record.get(*column))
            .unwrap_or_default()
    }

    /// The text of the wanted column `index`; what is not UTF-8 is shown as such.
    pub(crate) fn text(&self, index: usize) -> &'a str {
        std::str::from_utf8(self.bytes(index)).unwrap_or("\u{fffd}")
    }

    /// The number in the wanted column `index`; none in an empty field.
    pub(crate) fn number(&self, index: usize) -> Result<Option<f64>, ComponentError> {
        let bytes = self.bytes(index);
        if bytes.is_empty() {
            return Ok(None);
        }
        if let Some(number) = short_decimal(bytes) {
            return Ok(Some(number));
        }
        match self.text(index).parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self
                .0
                .wrong(&format!("`{}` is not a number", self.text(index)))),
        }
    }

    /// The number in the wanted column `index`; 0 in an empty field.
    pub(crate) fn amount(&self, index: usize) -> Result<f64, ComponentError> {
        Ok(self.number(index)?.unwrap_or_default())
    }

    /// The instant in the wanted column `index`, in seconds since 1970.
    pub(crate) fn seconds(&self, index: usize) -> Result<i64, ComponentError> {
        Timestamp::parse_bytes(self.bytes(index))
            .map(|at| at.nanos().div_euclid(1_000_000_000))
            .ok_or_else(|| {
                self.0
                    .wrong(&format!("`{}` is not an instant", self.text(index)))
            })
    }
}

/// A plain decimal of at most 15 digits, the same float as the standard library's: digits and scale
/// are both exact, so the one division rounds once. None for anything else.
fn short_decimal(bytes: &[u8]) -> Option<f64> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, bytes),
    };
    if digits.len() > 16 {
        return None;
    }
    let (mut whole, mut seen, mut scale) = (0_u64, 0_u32, None::<u32>);
    for c in digits {
        match c {
            b'0'..=b'9' => {
                whole = whole * 10 + u64::from(c - b'0');
                seen += 1;
                scale = scale.map(|scale| scale + 1);
            }
            b'.' if scale.is_none() => scale = Some(0),
            _ => return None,
        }
    }
    if seen == 0 || seen > 15 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "below 10^15, which a float holds exactly"
    )]
    let number = whole as f64 / POWERS.get(scale.unwrap_or(0) as usize)?;
    Some(if negative { -number } else { number })
}

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// `EVT-003`: the file cannot be read as part of a run directory.
pub(crate) fn unreadable(path: &Path, why: &str) -> ComponentError {
    ComponentError::new(
        Code::RunUnreadable,
        format!("cannot read {}: {why}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::Scratch;

    #[test]
    fn columns_are_found_by_name_and_quotes_hold_commas() {
        let scratch = Scratch::new("read");
        scratch.write("t.csv", "a,b,c\n1,\"x,\ny\",2024-05-01T00:00:00Z\n,,\n");
        let mut table = Table::open(&scratch.path, "t.csv", &["c", "a", "b"]).unwrap();
        let row = table.next().unwrap().unwrap();
        assert_eq!(row.seconds(0).unwrap(), 1_714_521_600);
        assert_eq!(row.number(1).unwrap(), Some(1.0));
        assert_eq!(row.text(2), "x,\ny");
        let row = table.next().unwrap().unwrap();
        assert_eq!(row.number(1).unwrap(), None);
        assert!(table.next().unwrap().is_none());
    }

    #[test]
    fn short_decimals_are_the_floats_of_the_standard_library() {
        for text in [
            "0",
            "-0.1",
            "104544.7",
            "915.993028",
            "-160825.181063",
            "999999999999999",
            "0.30000000000000",
            "12345.6789012345",
            ".5",
            "5.",
        ] {
            let expected = text.parse::<f64>().unwrap();
            assert_eq!(
                short_decimal(text.as_bytes()).map(f64::to_bits),
                Some(expected.to_bits()),
                "{text}"
            );
        }
        for text in ["", "-", ".", "1e5", "1.2.3", "1234567890.1234567", "x"] {
            assert_eq!(short_decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        let scratch = Scratch::new("read-wrong");
        scratch.write("t.csv", "a,b\nx,1\n2\n");
        let e = Table::open(&scratch.path, "t.csv", &["z"]).unwrap_err();
        assert!(e.message.ends_with("t.csv: no column `z`"), "{e}");
        let mut table = Table::open(&scratch.path, "t.csv", &["a", "b"]).unwrap();
        let e = table.next().unwrap().unwrap().number(0).unwrap_err();
        assert!(e.message.ends_with("line 2: `x` is not a number"), "{e}");
        let e = table.next().unwrap_err();
        assert!(e.message.contains("line 3: fewer fields"), "{e}");
        assert!(Table::open(&scratch.path, "none.csv", &[]).is_err());
    }
}
