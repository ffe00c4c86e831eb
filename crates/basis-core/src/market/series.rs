//! Columns of one series, checked once when they are built.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::num::{Price, Quantity, Rate};
use crate::types::{SeriesId, SeriesKind, Span, Timestamp};

/// Price bars of one instrument, one column per field, sorted by opening time.
#[derive(Clone, Debug)]
pub struct BarSeries {
    /// Which series.
    pub id: SeriesId,
    /// Length of a bar; a bar is known at its opening time plus this.
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
    /// Volume in base units (a venue that counts contracts is converted when the data is loaded).
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
}

fn check_order(id: SeriesId, at: &[Timestamp]) -> Result<(), SeriesError> {
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

impl BarSeries {
    /// Checks lengths, order, prices above zero, and that `low <= open, close <= high`.
    ///
    /// # Errors
    /// The first [`SeriesError`] found.
    pub fn check(&self) -> Result<(), SeriesError> {
        let expected = self.opened_at.len();
        let columns = [
            ("open", self.open.len()),
            ("high", self.high.len()),
            ("low", self.low.len()),
            ("close", self.close.len()),
            ("volume", self.volume.len()),
        ];
        for (column, found) in columns {
            if found != expected {
                return Err(SeriesError::Length {
                    id: self.id,
                    column,
                    found,
                    expected,
                });
            }
        }
        check_order(self.id, &self.opened_at)?;
        let prices = self
            .open
            .iter()
            .zip(&self.high)
            .zip(self.low.iter().zip(&self.close));
        for (row, (((open, high), (low, close)), at)) in prices.zip(&self.opened_at).enumerate() {
            let bar = |what: String| SeriesError::Bar {
                id: self.id,
                row,
                at: *at,
                what,
            };
            if *low <= Price::ZERO {
                return Err(bar(format!("low {low} is not above zero")));
            }
            if open.min(close) < low || open.max(close) > high {
                return Err(bar(format!(
                    "open {open} and close {close} are not within low {low} and high {high}"
                )));
            }
        }
        Ok(())
    }
}

/// Every series of a run, immutable and shared between runs.
#[derive(Clone, Debug, Default)]
pub struct MarketData {
    bars: BTreeMap<SeriesId, Arc<BarSeries>>,
    rates: BTreeMap<SeriesId, Arc<RateSeries>>,
    synthetic: bool,
    source: String,
}

impl MarketData {
    /// No series yet. `source` names where they come from, in results; `synthetic` labels them.
    #[must_use]
    pub fn new(source: impl Into<String>, synthetic: bool) -> Self {
        Self {
            source: source.into(),
            synthetic,
            ..Self::default()
        }
    }

    /// Adds price bars.
    ///
    /// # Errors
    /// [`SeriesError`] when they fail [`BarSeries::check`], are of another kind, or are there
    /// already.
    pub fn add_bars(&mut self, series: BarSeries) -> Result<(), SeriesError> {
        let id = series.id;
        if !matches!(id.kind, SeriesKind::Spot | SeriesKind::Perp) {
            return Err(SeriesError::Kind {
                id,
                what: "is not a kind with price bars",
            });
        }
        series.check()?;
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
        ids.sort_unstable();
        ids.into_iter()
    }

    /// Whether the data was generated; then every output says so.
    #[must_use]
    pub const fn is_synthetic(&self) -> bool {
        self.synthetic
    }

    /// Where the data came from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}
