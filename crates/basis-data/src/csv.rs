//! Reads one CSV file into exact columns.
//!
//! A line splitter over one read of the file; quoting is not part of the layout. A byte order mark
//! and CRLF line ends are accepted, blanks around values are not. By hand, because every malformed line of a
//! file is named with its text as it stands there, and a truncated end must show: a CSV library unquotes,
//! skips empty lines, and gives up the line it read.
//!
//! **Invariants.** No number passes through a float. Every malformed line is counted; a file with
//! any is refused as a whole by [`load_bars`] and [`load_rates`].

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use basis_core::error::{Code, ComponentError};
use basis_core::num::{Fixed18, ParseError, Price, Quantity, Rate, Rounding};
use basis_core::types::{SeriesId, Span, Timestamp};
use basis_market::{BarSeries, BarSeriesBuilder, RateSeries};

use crate::catalogue::bar_length;

/// The header of a bar file.
pub const BAR_HEADER: &str = "timestamp,open,high,low,close,volume";
/// The header of a funding file.
pub const RATE_HEADER: &str = "timestamp,funding_rate";

/// How many malformed lines of a file an error of [`load_bars`] or [`load_rates`] spells out.
pub(crate) const SHOWN_WHEN_LOADING: usize = 5;
/// The longest text of a file that is repeated in a message, in characters.
const SHOWN_TEXT_MAX: usize = 60;

/// One malformed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file, from 1; the header is line 1.
    pub line: u64,
    /// The column, when one value is to blame.
    pub column: Option<&'static str>,
    /// The text found there, shortened to 60 characters.
    pub text: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = self.column {
            write!(f, ", column `{column}`")?;
        }
        // A whole line that is empty needs no quotation; an empty value does.
        if self.column.is_none() && self.text.is_empty() {
            return write!(f, ": {}", self.what);
        }
        write!(f, ": `{}` {}", self.text, self.what)
    }
}

/// What reading a file gave: the well-formed rows, and what was wrong with the others.
#[derive(Debug)]
pub(crate) struct Parsed<T> {
    pub(crate) series: T,
    pub(crate) problems: Problems,
}

impl<T> Parsed<T> {
    /// The series, where every line is well formed.
    ///
    /// # Errors
    /// `DATA-002` with the problems of the file at `path`.
    pub(crate) fn whole(self, path: &Path) -> Result<T, ComponentError> {
        match self.problems.error(path) {
            None => Ok(self.series),
            Some(e) => Err(e),
        }
    }

    /// The same with another series.
    pub(crate) fn map<U>(self, wrap: impl FnOnce(T) -> U) -> Parsed<U> {
        Parsed {
            series: wrap(self.series),
            problems: self.problems,
        }
    }
}

/// Malformed lines, the first of them kept.
#[derive(Debug)]
pub(crate) struct Problems {
    pub(crate) kept: Vec<Problem>,
    pub(crate) count: u64,
    limit: usize,
}

impl Problems {
    fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            count: 0,
            limit,
        }
    }

    #[cold]
    pub(crate) fn add(
        &mut self,
        line: u64,
        column: Option<&'static str>,
        text: &[u8],
        what: impl Into<String>,
    ) {
        self.count += 1;
        if self.kept.len() >= self.limit {
            return;
        }
        let whole = String::from_utf8_lossy(text);
        let mut text: String = whole.chars().take(SHOWN_TEXT_MAX).collect();
        if text.len() < whole.len() {
            text.push('…');
        }
        let what = what.into();
        self.kept.push(Problem {
            line,
            column,
            text,
            what,
        });
    }

    /// The error for a file with problems; `None` without any.
    pub(crate) fn error(&self, path: &Path) -> Option<ComponentError> {
        if self.count == 0 {
            return None;
        }
        let mut lines: Vec<_> = self.kept.iter().map(ToString::to_string).collect();
        let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.count > shown {
            lines.push(format!("and {} more", self.count - shown));
        }
        let message = format!("{}: {}", path.display(), lines.join("; "));
        Some(ComponentError::new(Code::DataMalformed, message))
    }
}

/// Reads price bars; the bar length comes from the file's name (`_1h`).
///
/// `volume_multiplier` is what one unit of the file's volume is in base units: 1, or the contract
/// size where a venue counts contracts. The product is rounded half-even at 18 decimals.
///
/// # Errors
/// `DATA-001` when the file cannot be read; `DATA-002` naming file, line, column and text when a
/// line is malformed: the wrong header, no rows, too few or too many fields, a timestamp that is no
/// UTC instant, is off the bar length or does not ascend, a number that is not finite or not exact,
/// a price not above zero, a negative volume, or open or close outside low and high.
pub fn load_bars(
    path: &Path,
    id: SeriesId,
    volume_multiplier: Fixed18,
) -> Result<BarSeries, ComponentError> {
    let Some(length) = bar_length(path) else {
        return Err(ComponentError::new(
            Code::DataMalformed,
            format!(
                "{}: no bar length in the file name; expected e.g. {}_1h.csv",
                path.display(),
                id.symbol
            ),
        ));
    };
    let bytes = read(path)?;
    parse_bars(&bytes, id, length, volume_multiplier, SHOWN_WHEN_LOADING).whole(path)
}

/// Reads funding rates.
///
/// # Errors
/// As [`load_bars`], but a rate may have any sign and an instant any time of day.
pub fn load_rates(path: &Path, id: SeriesId) -> Result<RateSeries, ComponentError> {
    parse_rates(&read(path)?, id, SHOWN_WHEN_LOADING).whole(path)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    fs::read(path).map_err(|e| {
        let what = match e.kind() {
            io::ErrorKind::NotFound => "does not exist".to_owned(),
            _ => format!("cannot be read: {e}"),
        };
        ComponentError::new(Code::DataMissing, format!("{} {what}", path.display())).with_source(e)
    })
}

pub(crate) fn parse_bars(
    bytes: &[u8],
    id: SeriesId,
    length: Span,
    volume_multiplier: Fixed18,
    limit: usize,
) -> Parsed<BarSeries> {
    // A line of bars has 50 characters or more.
    let rows = bytes.len() / 50;
    let mut series = BarSeriesBuilder::new(id, length, rows);
    let mut file = Rows::new(bytes, BAR_HEADER, limit);
    while let Some((line, fields)) = file.next_row::<6>() {
        let [timestamp, open, high, low, close, volume] = fields;
        let Some(opened_at) = file.timestamp(line, timestamp) else {
            continue;
        };
        let problems = &mut file.problems;
        if opened_at.floor_to(length) != opened_at {
            let what = format!("is not a multiple of the bar length {length}");
            problems.add(line, Some("timestamp"), timestamp, what);
            continue;
        }
        let (Some(open_price), Some(high_price), Some(low_price), Some(close_price)) = (
            price(problems, line, "open", open),
            price(problems, line, "high", high),
            price(problems, line, "low", low),
            price(problems, line, "close", close),
        ) else {
            continue;
        };
        let Some(volume) = volume_in_base(problems, line, volume, volume_multiplier) else {
            continue;
        };
        if high_price < low_price {
            let what = format!("is below the low of {low_price}");
            problems.add(line, Some("high"), high, what);
            continue;
        }
        let range = low_price..=high_price;
        let outside = [("open", open, open_price), ("close", close, close_price)]
            .into_iter()
            .find(|(_, _, price)| !range.contains(price));
        if let Some((column, text, _)) = outside {
            let what = format!("is outside low {low_price} and high {high_price}");
            problems.add(line, Some(column), text, what);
            continue;
        }
        // A row before the last good one is a problem already counted.
        if series.last_opened().is_some_and(|last| last >= opened_at) {
            continue;
        }
        let prices = [open_price, high_price, low_price, close_price];
        if let Err(e) = series.push(opened_at, prices, volume) {
            problems.add(line, None, timestamp, e.to_string());
        }
    }
    Parsed {
        series: series.finish(),
        problems: file.problems,
    }
}

pub(crate) fn parse_rates(bytes: &[u8], id: SeriesId, limit: usize) -> Parsed<RateSeries> {
    let mut series = RateSeries {
        id,
        at: Vec::with_capacity(bytes.len() / 25),
        rate: Vec::with_capacity(bytes.len() / 25),
    };
    let mut file = Rows::new(bytes, RATE_HEADER, limit);
    while let Some((line, [timestamp, rate])) = file.next_row::<2>() {
        let Some(at) = file.timestamp(line, timestamp) else {
            continue;
        };
        let Some(rate) = number(&mut file.problems, line, "funding_rate", rate) else {
            continue;
        };
        if series.at.last().is_some_and(|last| *last >= at) {
            continue;
        }
        series.at.push(at);
        series.rate.push(Rate::new(rate));
    }
    Parsed {
        series,
        problems: file.problems,
    }
}

/// The lines of a file after its header.
pub(crate) struct Rows<'a> {
    rest: &'a [u8],
    /// Number of the line last taken.
    line: u64,
    rows: u64,
    header: &'static str,
    /// Line and timestamp of the row before.
    before: Option<(u64, Timestamp)>,
    pub(crate) problems: Problems,
    /// Whether the last line lacks its line end, as that of a truncated file does.
    open_end: bool,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(bytes: &'a [u8], header: &'static str, limit: usize) -> Self {
        let rest = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut rows = Self {
            rest,
            line: 0,
            rows: 0,
            header,
            before: None,
            problems: Problems::new(limit),
            open_end: rest.last().is_some_and(|last| *last != b'\n'),
        };
        match rows.next_line() {
            None => {
                let what = format!("the file is empty; expected `{header}`");
                rows.problems.add(1, None, b"", what);
            }
            Some(found) if found == header.as_bytes() => {}
            Some(found) => {
                let what = format!("is not the header; expected `{header}`");
                rows.problems.add(1, None, found, what);
                rows.rest = &[];
            }
        }
        rows
    }

    fn next_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let end = memchr::memchr(b'\n', self.rest);
        let (line, rest) = match end {
            Some(end) => (
                self.rest.get(..end).unwrap_or_default(),
                self.rest.get(end + 1..).unwrap_or_default(),
            ),
            None => (self.rest, Default::default()),
        };
        self.rest = rest;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The next line with `N` fields; lines with another number of them are problems.
    pub(crate) fn next_row<const N: usize>(&mut self) -> Option<(u64, [&'a [u8]; N])> {
        loop {
            let Some(text) = self.next_line() else {
                if self.rows == 0 && self.problems.count == 0 {
                    let header = self.header.as_bytes();
                    let what = "is the only line; expected rows after it";
                    self.problems.add(1, None, header, what);
                }
                return None;
            };
            if text.is_empty() && self.rest.trim_ascii().is_empty() {
                self.rest = &[];
                continue;
            }
            self.rows += 1;
            let mut fields: [&[u8]; N] = [&[]; N];
            let mut found = 0;
            fields_of(text, b',', |field| {
                if let Some(slot) = fields.get_mut(found) {
                    *slot = field;
                }
                found += 1;
            });
            if found == N && self.open_end && self.rest.is_empty() {
                // A number cut short is a number: nothing else tells that the row is not whole.
                let what =
                    "has no line end: is the file cut off? If the row is whole, end its line";
                self.problems.add(self.line, None, text, what);
                continue;
            }
            if found == N {
                return Some((self.line, fields));
            }
            let last = self.rest.is_empty() && found < N;
            let cut = if last { "; is the file cut off?" } else { "" };
            let what = format!("has {found} fields, expected {N} (`{}`){cut}", self.header);
            self.problems.add(self.line, None, text, what);
        }
    }

    /// The instant of a row, which must come after that of the row before.
    pub(crate) fn timestamp(&mut self, line: u64, text: &[u8]) -> Option<Timestamp> {
        let Some(at) = Timestamp::parse_bytes(text) else {
            let what = "is no UTC instant; expected e.g. 2024-05-01T08:00:00Z";
            self.problems.add(line, Some("timestamp"), text, what);
            return None;
        };
        self.ascending(line, "timestamp", text, at)
    }

    /// The instant `at` of a row, which must come after that of the row before.
    pub(crate) fn ascending(
        &mut self,
        line: u64,
        column: &'static str,
        text: &[u8],
        at: Timestamp,
    ) -> Option<Timestamp> {
        let before = self.before.replace((line, at));
        if let Some((line_before, at_before)) = before
            && at <= at_before
        {
            let what = if at == at_before {
                format!("repeats the {column} of line {line_before}")
            } else {
                format!("comes before {at_before} of line {line_before}; sort by {column}")
            };
            self.problems.add(line, Some(column), text, what);
            return None;
        }
        Some(at)
    }
}

/// Hands out the fields of a line, which is split by `separator`. Eight bytes are looked at together: fields are a
/// handful of bytes, too short for a search each.
#[inline]
pub(crate) fn fields_of<'a>(line: &'a [u8], separator: u8, mut take: impl FnMut(&'a [u8])) {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const LOW: u64 = ONES * 0x7f;
    let wanted = ONES * u64::from(separator);
    let (mut start, mut base) = (0, 0);
    let (words, rest) = line.as_chunks::<8>();
    for word in words {
        let apart = u64::from_le_bytes(*word) ^ wanted;
        // The highest bit of each byte that is the separator.
        let mut found = !((apart & LOW).wrapping_add(LOW) | apart | LOW);
        while found != 0 {
            let at = base + (found.trailing_zeros() / 8) as usize;
            take(line.get(start..at).unwrap_or_default());
            start = at + 1;
            found &= found - 1;
        }
        base += 8;
    }
    for (at, byte) in (base..).zip(rest) {
        if *byte == separator {
            take(line.get(start..at).unwrap_or_default());
            start = at + 1;
        }
    }
    take(line.get(start..).unwrap_or_default());
}

pub(crate) fn number(
    problems: &mut Problems,
    line: u64,
    column: &'static str,
    text: &[u8],
) -> Option<Fixed18> {
    match Fixed18::parse_bytes(text) {
        Ok(number) => Some(number),
        Err(e) => {
            problems.add(line, Some(column), text, explain(text, e));
            None
        }
    }
}

fn price(problems: &mut Problems, line: u64, column: &'static str, text: &[u8]) -> Option<Price> {
    let number = number(problems, line, column, text)?;
    match Price::positive(number) {
        Ok(price) => Some(price),
        // The error's range says no more than the words do.
        Err(_) => {
            problems.add(
                line,
                Some(column),
                text,
                "is no price: it must be above zero",
            );
            None
        }
    }
}

fn volume_in_base(
    problems: &mut Problems,
    line: u64,
    text: &[u8],
    multiplier: Fixed18,
) -> Option<Quantity> {
    let volume = number(problems, line, "volume", text)?;
    if volume.is_negative() {
        problems.add(line, Some("volume"), text, "is negative");
        return None;
    }
    if multiplier == Fixed18::ONE {
        return Some(Quantity::new(volume));
    }
    match volume.mul(multiplier, Rounding::HalfEven) {
        Ok(volume) => Some(Quantity::new(volume)),
        Err(e) => {
            let what = format!("times the contract size {multiplier}: {e}");
            problems.add(line, Some("volume"), text, what);
            None
        }
    }
}

fn explain(text: &[u8], e: ParseError) -> String {
    let unsigned = text
        .strip_prefix(b"-")
        .or_else(|| text.strip_prefix(b"+"))
        .unwrap_or(text);
    let not_finite = ["nan", "inf", "infinity"]
        .iter()
        .any(|word| unsigned.eq_ignore_ascii_case(word.as_bytes()));
    if not_finite {
        "is not a finite number".to_owned()
    } else {
        format!("is no exact number: {e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn spot() -> SeriesId {
        "spot.binance.BTCUSDT".parse().unwrap()
    }

    fn funding() -> SeriesId {
        "funding.binance.BTCUSDT".parse().unwrap()
    }

    /// The error for a bar file of these lines after the header.
    fn bar_error(lines: &str) -> String {
        let dir = Scratch::new();
        let path = dir.write("X_1h.csv", format!("{BAR_HEADER}\n{lines}"));
        let e = load_bars(&path, spot(), Fixed18::ONE).unwrap_err();
        assert_eq!(e.code, Code::DataMalformed);
        let start = format!("{}: ", path.display());
        let rest = e.message.strip_prefix(&start);
        rest.expect("the message names the file").to_owned()
    }

    #[test]
    fn numbers_round_trip_exactly() {
        let dir = Scratch::new();
        let path = dir.write(
            "X_1h.csv",
            format!("{BAR_HEADER}\n2024-01-01T00:00:00Z,42283.58,4.25e4,42261.020,42475.23,547874.5999999999\n"),
        );
        let bars = load_bars(&path, spot(), Fixed18::ONE).unwrap();
        assert_eq!(bars.length, Span::HOUR);
        assert_eq!(bars.opened_at(0), Timestamp::from_date(2024, 1, 1));
        assert_eq!(bars.open(0), Some(Price::literal("42283.58")));
        assert_eq!(bars.high(0), Some(Price::literal("42500")));
        assert_eq!(bars.low(0), Some(Price::literal("42261.02")));
        assert_eq!(bars.close(0), Some(Price::literal("42475.23")));
        assert_eq!(bars.volume(0), Some(Quantity::literal("547874.5999999999")));

        let path = dir.write(
            "X.csv",
            format!(
                "{RATE_HEADER}\n2025-05-31T08:00:00Z,-3.2e-7\n2025-05-31T16:00:00Z,4.687e-05\n"
            ),
        );
        let rates = load_rates(&path, funding()).unwrap();
        let expected = [Rate::literal("-0.00000032"), Rate::literal("0.00004687")];
        assert_eq!(rates.rate, expected);
    }

    #[test]
    fn volume_in_contracts_becomes_base_units_half_even() {
        let dir = Scratch::new();
        let text = format!(
            "{BAR_HEADER}\n2024-01-01T00:00:00Z,1,1,1,1,547874.6\n\
             2024-01-01T01:00:00Z,1,1,1,1,0.000000000000000005\n"
        );
        let path = dir.write("X_1h.csv", text);
        let bars = load_bars(&path, spot(), Fixed18::literal("0.1")).unwrap();
        let expected = [Quantity::literal("54787.46"), Quantity::ZERO];
        let volumes: Vec<_> = bars.bars().map(|bar| bar.volume).collect();
        assert_eq!(volumes, expected);
    }

    #[test]
    fn fields_are_those_that_splitting_gives() {
        let bytes = b"a,,bcdefghi,\x2d\xac,,\x80\xff,12345678,,,,x,yz,1704067200000,";
        for from in 0..bytes.len() {
            for to in from..bytes.len() {
                let line = &bytes[from..to];
                let mut found = Vec::new();
                fields_of(line, b',', |field| found.push(field));
                let expected: Vec<_> = line.split(|byte| *byte == b',').collect();
                assert_eq!(found, expected, "{line:?}");
            }
        }
    }

    #[test]
    fn byte_order_mark_crlf_and_blank_end_are_accepted() {
        let dir = Scratch::new();
        let text = "\u{feff}timestamp,funding_rate\r\n2024-01-01T00:00:00Z,0.0001\r\n\r\n";
        let path = dir.write("X.csv", text);
        assert_eq!(load_rates(&path, funding()).unwrap().at.len(), 1);
    }

    #[test]
    fn missing_file_is_data_001() {
        let dir = Scratch::new();
        let path = dir.path().join("X_1h.csv");
        let e = load_bars(&path, spot(), Fixed18::ONE).unwrap_err();
        assert_eq!(e.code, Code::DataMissing);
        assert_eq!(e.message, format!("{} does not exist", path.display()));
    }

    #[test]
    fn empty_file_wrong_header_and_no_rows_name_the_header() {
        let dir = Scratch::new();
        for (text, expected) in [
            (
                "",
                "line 1: the file is empty; expected `timestamp,funding_rate`",
            ),
            (
                "timestamp,rate\n2024-01-01T00:00:00Z,0\n",
                "line 1: `timestamp,rate` is not the header; expected `timestamp,funding_rate`",
            ),
            (
                "timestamp,funding_rate\n",
                "line 1: `timestamp,funding_rate` is the only line; expected rows after it",
            ),
        ] {
            let path = dir.write("X.csv", text);
            let e = load_rates(&path, funding()).unwrap_err();
            assert_eq!(e.message, format!("{}: {expected}", path.display()));
        }
    }

    #[test]
    fn file_name_without_bar_length_is_refused() {
        let dir = Scratch::new();
        let path = dir.write("BTCUSDT.csv", BAR_HEADER);
        let e = load_bars(&path, spot(), Fixed18::ONE).unwrap_err();
        assert!(e.message.contains("expected e.g. BTCUSDT_1h.csv"), "{e}");
    }

    #[test]
    fn malformed_lines_name_line_column_text_and_reason() {
        let row = "2024-01-01T00:00:00Z,2,3,1,2,10\n";
        for (lines, expected) in [
            (
                "2024-01-01T00:00:00Z,2,3,1,2,10,7\n2024-01-01T01:00:00Z,2,3,1,2,10\n",
                "line 2: `2024-01-01T00:00:00Z,2,3,1,2,10,7` has 7 fields, expected 6 (`timestamp,open,high,low,close,volume`)",
            ),
            (
                "2024-01-01T00:00:00Z,2,3,1,2,10\n2024-01-01T01:00:00Z,2,3.",
                "line 3: `2024-01-01T01:00:00Z,2,3.` has 3 fields, expected 6 (`timestamp,open,high,low,close,volume`); is the file cut off?",
            ),
            (
                "2024-02-30T00:00:00Z,2,3,1,2,10\n",
                "line 2, column `timestamp`: `2024-02-30T00:00:00Z` is no UTC instant; expected e.g. 2024-05-01T08:00:00Z",
            ),
            (
                "2024-01-01T00:30:00Z,2,3,1,2,10\n",
                "line 2, column `timestamp`: `2024-01-01T00:30:00Z` is not a multiple of the bar length 1h",
            ),
            (
                "2024-01-01T00:00:00Z,2,NaN,1,2,10\n",
                "line 2, column `high`: `NaN` is not a finite number",
            ),
            (
                "2024-01-01T00:00:00Z,2,3,1,2,-inf\n",
                "line 2, column `volume`: `-inf` is not a finite number",
            ),
            (
                "2024-01-01T00:00:00Z,2,3,1,,10\n",
                "line 2, column `close`: `` is no exact number: empty text where a decimal number is expected",
            ),
            (
                "2024-01-01T00:00:00Z,2,3,0,2,10\n",
                "line 2, column `low`: `0` is no price: it must be above zero",
            ),
            (
                "2024-01-01T00:00:00Z,-2,3,1,2,10\n",
                "line 2, column `open`: `-2` is no price: it must be above zero",
            ),
            (
                "2024-01-01T00:00:00Z,2,3,1,2,-10\n",
                "line 2, column `volume`: `-10` is negative",
            ),
            (
                "2024-01-01T00:00:00Z,2,1,3,2,10\n",
                "line 2, column `high`: `1` is below the low of 3",
            ),
            (
                "2024-01-01T00:00:00Z,2,3,1,4,10\n",
                "line 2, column `close`: `4` is outside low 1 and high 3",
            ),
            (
                "2024-01-01T00:00:00Z,0.5,3,1,2,10\n",
                "line 2, column `open`: `0.5` is outside low 1 and high 3",
            ),
            (
                &format!("{row}{row}"),
                "line 3, column `timestamp`: `2024-01-01T00:00:00Z` repeats the timestamp of line 2",
            ),
            (
                &format!("{row}2023-12-31T23:00:00Z,2,3,1,2,10\n"),
                "line 3, column `timestamp`: `2023-12-31T23:00:00Z` comes before 2024-01-01T00:00:00Z of line 2; sort by timestamp",
            ),
            (
                &format!("\n{row}"),
                "line 2: has 1 fields, expected 6 (`timestamp,open,high,low,close,volume`)",
            ),
        ] {
            assert_eq!(bar_error(lines), expected);
        }
    }

    #[test]
    fn rate_that_is_no_number_or_not_exact_is_refused() {
        let dir = Scratch::new();
        for (text, expected) in [
            ("1,5", "has 3 fields, expected 2"),
            ("inf", "`inf` is not a finite number"),
            ("0.1%", "unexpected '%' at byte 3"),
            ("1.5e-18", "more than 18 decimals"),
            ("\"0.1\"", "unexpected '\"' at byte 0"),
        ] {
            let path = dir.write(
                "X.csv",
                format!("{RATE_HEADER}\n2024-01-01T00:00:00Z,{text}\n"),
            );
            let e = load_rates(&path, funding()).unwrap_err();
            assert!(e.message.contains(expected), "{e}");
        }
    }

    #[test]
    fn several_malformed_lines_are_reported_together_up_to_five() {
        let line = |hour| format!("2024-01-01T0{hour}:00:00Z,2,3,1,2,nan\n");
        let message = bar_error(&(0..7).map(line).collect::<String>());
        assert_eq!(message.matches("is not a finite number").count(), 5);
        assert!(message.ends_with("; and 2 more"), "{message}");
    }

    #[test]
    fn long_text_and_bytes_that_are_no_utf8_are_shortened_in_messages() {
        let message = bar_error(&format!("{}\n", "9".repeat(1_000)));
        assert!(message.len() < 250, "{message}");
        let dir = Scratch::new();
        let path = dir.write(
            "X.csv",
            [RATE_HEADER.as_bytes(), b"\n\xFF\xFE,1\n"].concat(),
        );
        let e = load_rates(&path, funding()).unwrap_err();
        assert!(
            e.message.contains("column `timestamp`: `\u{fffd}\u{fffd}`"),
            "{e}"
        );
    }
}
