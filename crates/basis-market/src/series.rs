//! Columns of one series, checked once when they are built.

pub(crate) mod rows;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use basis_core::num::{Fixed18, Price, Quantity, Rate};
use basis_core::types::{SeriesId, SeriesKind, Span, Timestamp};

use self::rows::RowStore;
use super::columns::{NumberRows, TimeColumn};

pub use self::rows::{
    AaveEMode, AaveRiskParameters, GasFees, PointSeries, ReserveRow, Reward, RowSeries, SeriesRow,
};

/// Price bars of one instrument, sorted by opening time; made by [`BarSeriesBuilder`] or from
/// [`BarColumns`], and whole: every row has been checked.
#[derive(Clone, Debug)]
pub struct BarSeries {
    /// Which series.
    pub id: SeriesId,
    /// Length of a bar; a bar is known at its opening time plus this.
    pub length: Span,
    opened_at: TimeColumn,
    numbers: NumberRows,
}

/// One row of a [`BarSeries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When it opened.
    pub opened_at: Timestamp,
    /// First price, quote per base unit.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Volume in base units (a venue that counts contracts is converted when the data is loaded); in
    /// USD for a pool ([`SeriesKind::Dex`]).
    pub volume: Quantity,
}

/// The columns of a [`BarSeries`] as plain vectors, for markets made in code.
#[derive(Clone, Debug)]
pub struct BarColumns {
    /// Which series.
    pub id: SeriesId,
    /// Length of a bar.
    pub length: Span,
    /// Opening times, strictly ascending.
    pub opened_at: Vec<Timestamp>,
    /// First price of the bar, quote per base unit.
    pub open: Vec<Price>,
    /// Highest price.
    pub high: Vec<Price>,
    /// Lowest price.
    pub low: Vec<Price>,
    /// Last price.
    pub close: Vec<Price>,
    /// Volume in base units.
    pub volume: Vec<Quantity>,
}

/// Funding rates of one perp, sorted by settlement instant.
#[derive(Clone, Debug)]
pub struct RateSeries {
    /// Which series.
    pub id: SeriesId,
    /// Settlement instants, strictly ascending.
    pub at: Vec<Timestamp>,
    /// Rate settled then for the interval before it; positive: longs pay shorts.
    pub rate: Vec<Rate>,
}

/// Why columns are no series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// Columns of different lengths.
    #[error("{id}: column `{column}` has {found} rows, the timestamps {expected}")]
    Length {
        /// Which series.
        id: SeriesId,
        /// Which column.
        column: &'static str,
        /// Its rows.
        found: usize,
        /// The rows expected.
        expected: usize,
    },
    /// Timestamps that do not ascend.
    #[error("{id}: row {row} at {at} does not come after the row before it")]
    Order {
        /// Which series.
        id: SeriesId,
        /// Index of the offending row, from 0.
        row: usize,
        /// Its timestamp.
        at: Timestamp,
    },
    /// A price of zero, or a bar whose extremes do not hold its prices.
    #[error("{id}: row {row} at {at}: {what}")]
    Bar {
        /// Which series.
        id: SeriesId,
        /// Index of the offending row, from 0.
        row: usize,
        /// Its timestamp.
        at: Timestamp,
        /// What is wrong.
        what: String,
    },
    /// A series of another kind than expected, or the same one twice.
    #[error("{id}: {what}")]
    Kind {
        /// Which series.
        id: SeriesId,
        /// What is wrong.
        what: &'static str,
    },
    /// A row for a series that the view does not read.
    #[error("{0}: the view reads no such series")]
    NotRead(SeriesId),
    /// A row for a view with shocks, which change recorded series alone.
    #[error("{0}: a view with shocks cannot be written to")]
    Shocked(SeriesId),
}

/// Refuses an instant that does not come after the last one.
pub(super) fn check_next(
    id: SeriesId,
    before: &[Timestamp],
    at: Timestamp,
) -> Result<(), SeriesError> {
    match before.last() {
        Some(last) if at <= *last => Err(SeriesError::Order {
            id,
            row: before.len(),
            at,
        }),
        _ => Ok(()),
    }
}

pub(super) fn check_order(id: SeriesId, at: &[Timestamp]) -> Result<(), SeriesError> {
    for (row, pair) in at.windows(2).enumerate() {
        if let [earlier, later] = pair
            && later <= earlier
        {
            return Err(SeriesError::Order {
                id,
                row: row + 1,
                at: *later,
            });
        }
    }
    Ok(())
}

impl From<Infallible> for SeriesError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Puts a [`BarSeries`] together row by row, in the narrow form from the start.
#[derive(Clone, Debug)]
pub struct BarSeriesBuilder {
    series: BarSeries,
}

impl BarSeriesBuilder {
    /// A series without a row, with room for `rows`.
    #[must_use]
    pub fn new(id: SeriesId, length: Span, rows: usize) -> Self {
        Self {
            series: BarSeries {
                id,
                length,
                opened_at: TimeColumn::with_capacity(length, rows),
                numbers: NumberRows::with_capacity(rows),
            },
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`SeriesError`] when it does not come after the row before it, its low is not above zero, or
    /// open or close lie outside low and high; the row is not added then.
    pub fn push(
        &mut self,
        opened_at: Timestamp,
        [open, high, low, close]: [Price; 4],
        volume: Quantity,
    ) -> Result<(), SeriesError> {
        let bar = Bar {
            opened_at,
            open,
            high,
            low,
            close,
            volume,
        };
        self.series.check_next(&bar)?;
        self.series.push(bar);
        Ok(())
    }

    /// The last opening time pushed; none without rows.
    #[must_use]
    pub fn last_opened(&self) -> Option<Timestamp> {
        self.series.last_opened()
    }

    /// The series, without spare room.
    #[must_use]
    pub fn finish(self) -> BarSeries {
        let mut series = self.series;
        series.opened_at.shrink();
        series.numbers.shrink();
        series
    }
}

impl TryFrom<BarColumns> for BarSeries {
    type Error = SeriesError;

    /// Checks lengths, order, prices above zero, and that `low <= open, close <= high`; the first
    /// [`SeriesError`] found is the answer.
    fn try_from(columns: BarColumns) -> Result<Self, SeriesError> {
        let expected = columns.opened_at.len();
        let lengths = [
            ("open", columns.open.len()),
            ("high", columns.high.len()),
            ("low", columns.low.len()),
            ("close", columns.close.len()),
            ("volume", columns.volume.len()),
        ];
        for (column, found) in lengths {
            if found != expected {
                return Err(SeriesError::Length {
                    id: columns.id,
                    column,
                    found,
                    expected,
                });
            }
        }
        let mut builder = BarSeriesBuilder::new(columns.id, columns.length, expected);
        let prices = columns.open.into_iter().zip(columns.high);
        let prices = prices.zip(columns.low.into_iter().zip(columns.close));
        let rows = columns.opened_at.into_iter().zip(columns.volume);
        for ((at, volume), ((open, high), (low, close))) in rows.zip(prices) {
            builder.push(at, [open, high, low, close], volume)?;
        }
        Ok(builder.finish())
    }
}

/// The price of a column that only prices entered.
#[inline]
fn price(number: Fixed18) -> Price {
    Price::new(number).expect("invariant: only prices were pushed")
}

impl BarSeries {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.opened_at.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the bar of `row` opened.
    #[inline]
    #[must_use]
    pub fn opened_at(&self, row: usize) -> Option<Timestamp> {
        self.opened_at.get(row)
    }

    /// First price of the bar of `row`, quote per base unit.
    #[must_use]
    pub fn open(&self, row: usize) -> Option<Price> {
        self.numbers.get(row).map(|[open, ..]| price(open))
    }

    /// Highest price of the bar of `row`.
    #[must_use]
    pub fn high(&self, row: usize) -> Option<Price> {
        self.numbers.get(row).map(|[_, high, ..]| price(high))
    }

    /// Lowest price of the bar of `row`.
    #[must_use]
    pub fn low(&self, row: usize) -> Option<Price> {
        self.numbers.get(row).map(|[_, _, low, ..]| price(low))
    }

    /// Last price of the bar of `row`.
    #[must_use]
    pub fn close(&self, row: usize) -> Option<Price> {
        self.numbers
            .get(row)
            .map(|[_, _, _, close, _]| price(close))
    }

    /// Volume of the bar of `row` in base units.
    #[must_use]
    pub fn volume(&self, row: usize) -> Option<Quantity> {
        self.numbers
            .get(row)
            .map(|[_, _, _, _, volume]| Quantity::new(volume))
    }

    /// The bar of `row`.
    #[inline(always)]
    #[must_use]
    pub fn bar(&self, row: usize) -> Option<Bar> {
        let opened_at = self.opened_at(row)?;
        let [open, high, low, close, volume] = self.numbers.get(row)?;
        Some(Bar {
            opened_at,
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume: Quantity::new(volume),
        })
    }

    /// Every bar, from early to late.
    pub fn bars(&self) -> impl Iterator<Item = Bar> + '_ {
        (0..self.len()).map_while(|row| self.bar(row))
    }

    /// When the first bar opened; none without rows.
    #[must_use]
    pub fn first_opened(&self) -> Option<Timestamp> {
        self.opened_at(0)
    }

    /// When the last bar opened; none without rows.
    #[must_use]
    pub fn last_opened(&self) -> Option<Timestamp> {
        self.opened_at(self.len().checked_sub(1)?)
    }

    /// Refuses a bar that does not come after the last one, or whose prices cannot be.
    pub(super) fn check_next(&self, bar: &Bar) -> Result<(), SeriesError> {
        let (id, row, at) = (self.id, self.len(), bar.opened_at);
        if self.last_opened().is_some_and(|last| at <= last) {
            return Err(SeriesError::Order { id, row, at });
        }
        let refused = |what: String| SeriesError::Bar { id, row, at, what };
        let Bar {
            open,
            high,
            low,
            close,
            ..
        } = *bar;
        if low <= Price::ZERO {
            return Err(refused(format!("low {low} is not above zero")));
        }
        if open.min(close) < low || open.max(close) > high {
            return Err(refused(format!(
                "open {open} and close {close} are not within low {low} and high {high}"
            )));
        }
        Ok(())
    }

    /// Appends a bar that has been checked.
    pub(super) fn push(&mut self, bar: Bar) {
        self.opened_at.push(bar.opened_at);
        let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(Price::get);
        self.numbers
            .push([open, high, low, close, bar.volume.get()]);
    }

    /// Drops the first `rows` bars.
    pub(super) fn drop_first(&mut self, rows: usize) {
        self.opened_at.drop_first(rows);
        self.numbers.drop_first(rows);
    }

    /// How many bars are closed at `now`.
    #[must_use]
    pub fn closed_by(&self, now: Timestamp) -> usize {
        let length = self.length;
        self.opened_at
            .partition_point(|opened| opened.plus(length) <= now)
    }
}

/// Every series of a run, immutable and shared between runs.
#[derive(Clone, Debug, Default)]
pub struct MarketData {
    pub(super) bars: BTreeMap<SeriesId, Arc<BarSeries>>,
    pub(super) rates: BTreeMap<SeriesId, Arc<RateSeries>>,
    pub(super) rows: RowStore,
    pub(super) risk_parameters: Arc<[AaveRiskParameters]>,
    pub(super) provenance: Arc<Provenance>,
}

/// Where market data came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Where it came from, for results.
    pub source: String,
    /// Whether it was generated; then every output says so.
    pub synthetic: bool,
    /// What was read, in the order it was asked for; none of generated data.
    pub files: Vec<DataFile>,
}

/// A file that a series, or the table of a lending market's risk parameters, was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// The series, as `perp.okx.BTCUSDT`, or `aave_risk_parameters`.
    pub series: String,
    /// Its path below the data directory.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

impl MarketData {
    /// No series yet. `source` names where they come from, in results; `synthetic` labels them.
    #[must_use]
    pub fn new(source: impl Into<String>, synthetic: bool) -> Self {
        Self {
            provenance: Arc::new(Provenance {
                source: source.into(),
                synthetic,
                files: Vec::new(),
            }),
            ..Self::default()
        }
    }

    /// Adds what was read, for results.
    pub fn add_file(&mut self, file: DataFile) {
        Arc::make_mut(&mut self.provenance).files.push(file);
    }

    /// Adds price bars.
    ///
    /// # Errors
    /// [`SeriesError`] when [`BarColumns`] are no series, when they are of another kind, or when
    /// they are there already.
    pub fn add_bars<S>(&mut self, series: S) -> Result<(), SeriesError>
    where
        S: TryInto<BarSeries>,
        SeriesError: From<S::Error>,
    {
        let series: BarSeries = series.try_into()?;
        let id = series.id;
        if !id.kind.has_bars() {
            return Err(SeriesError::Kind {
                id,
                what: "is not a kind with price bars",
            });
        }
        match self.bars.insert(id, Arc::new(series)) {
            None => Ok(()),
            Some(_) => Err(SeriesError::Kind {
                id,
                what: "was added twice",
            }),
        }
    }

    /// Adds funding rates.
    ///
    /// # Errors
    /// [`SeriesError`] when columns differ in length, instants do not ascend, the kind is another,
    /// or they are there already.
    pub fn add_rates(&mut self, series: RateSeries) -> Result<(), SeriesError> {
        let id = series.id;
        if id.kind != SeriesKind::Funding {
            return Err(SeriesError::Kind {
                id,
                what: "is not a kind with rates",
            });
        }
        if series.rate.len() != series.at.len() {
            let (found, expected) = (series.rate.len(), series.at.len());
            return Err(SeriesError::Length {
                id,
                column: "funding_rate",
                found,
                expected,
            });
        }
        check_order(id, &series.at)?;
        match self.rates.insert(id, Arc::new(series)) {
            None => Ok(()),
            Some(_) => Err(SeriesError::Kind {
                id,
                what: "was added twice",
            }),
        }
    }

    /// The bars of `id`.
    #[must_use]
    pub fn bars(&self, id: SeriesId) -> Option<&Arc<BarSeries>> {
        self.bars.get(&id)
    }

    /// The funding rates of `id`.
    #[must_use]
    pub fn rates(&self, id: SeriesId) -> Option<&Arc<RateSeries>> {
        self.rates.get(&id)
    }

    /// Every series there is, sorted.
    pub fn ids(&self) -> impl Iterator<Item = SeriesId> {
        let mut ids: Vec<_> = self.bars.keys().chain(self.rates.keys()).copied().collect();
        ids.extend(self.rows.ids());
        ids.sort_unstable();
        ids.into_iter()
    }

    /// Whether `id` is there.
    #[must_use]
    pub fn contains(&self, id: SeriesId) -> bool {
        self.bars.contains_key(&id) || self.rates.contains_key(&id) || self.rows.times(id).is_some()
    }

    /// The time from one value of `id` to the next: a bar's length, a row's interval. `None` when it
    /// is not there, and for funding rates and rewards, whose instants are their own.
    #[must_use]
    pub fn interval(&self, id: SeriesId) -> Option<Span> {
        match self.bars.get(&id) {
            Some(bars) => Some(bars.length),
            None => self.rows.times(id)?.1,
        }
    }

    /// From when to when `id` has a value: from a bar's opening (the value is known one length later)
    /// or a row's instant, to when the value after the last is due. `None` when it is not there, is
    /// empty, or happens at instants ([`SeriesKind::is_event`]), for then nothing bounds a run.
    #[must_use]
    pub fn extent(&self, id: SeriesId) -> Option<(Timestamp, Timestamp)> {
        if let Some(bars) = self.bars.get(&id) {
            return Some((bars.first_opened()?, bars.last_opened()?.plus(bars.length)));
        }
        if id.kind.is_event() {
            return None;
        }
        let (at, interval) = self.rows.times(id)?;
        Some((*at.first()?, at.last()?.plus(interval.unwrap_or_default())))
    }

    /// How many rows `id` has; `None` for bars and funding, and when it is not there.
    #[must_use]
    pub fn row_count(&self, id: SeriesId) -> Option<usize> {
        self.row_times(id).map(<[_]>::len)
    }

    /// The instants at which rows of `id` are known; `None` for bars and funding.
    pub(super) fn row_times(&self, id: SeriesId) -> Option<&[Timestamp]> {
        self.rows.times(id).map(|(at, _)| at)
    }

    /// Whether the data was generated; then every output says so.
    #[must_use]
    pub fn is_synthetic(&self) -> bool {
        self.provenance.synthetic
    }

    /// Where the data came from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.provenance.source
    }
}
