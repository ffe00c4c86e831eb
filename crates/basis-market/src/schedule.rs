//! When the values of a series are due.

use basis_core::rules::{RuleBook, VenueRules};
use basis_core::types::{InstrumentKind, SeriesId, SeriesKind, Span, Symbol, Timestamp};

use super::series::MarketData;

/// How far from its instant a row may be stamped and still be the value of that instant. Venues stamp
/// settlements milliseconds to seconds late, chains by their blocks.
pub const SCHEDULE_TOLERANCE: Span = Span::from_seconds(60);

/// The time between settlements of a perp that no rules know.
const SETTLEMENT_INTERVAL: Span = Span::from_hours(8);

/// When the values of a series are due.
#[derive(Clone, Copy, Debug)]
pub enum Schedule<'a> {
    /// At the multiples of a span since the epoch.
    Every(Span),
    /// At the settlements of a venue's dated rules, changes of the interval included.
    Settlements(&'a VenueRules),
}

impl From<Span> for Schedule<'_> {
    fn from(every: Span) -> Self {
        Self::Every(every)
    }
}

/// The instants that settle something, each with the instant of its row, and rows that settle nothing.
type Settled = (Vec<(Timestamp, Timestamp)>, Vec<Timestamp>);

impl<'a> Schedule<'a> {
    /// The schedule of `series`: of funding what the rules of its venue say (every 8 hours where none list
    /// the perp), of anything else the interval of the data, or `otherwise` for a series that is not there.
    #[must_use]
    pub fn of(series: SeriesId, rules: &'a RuleBook, data: &MarketData, otherwise: Span) -> Self {
        if series.kind != SeriesKind::Funding {
            return Self::Every(data.interval(series).unwrap_or(otherwise));
        }
        let listed = |rules: &&VenueRules| {
            let mut snapshots = rules.snapshots().iter();
            snapshots.any(|s| s.instrument(InstrumentKind::Perp, series.symbol).is_some())
        };
        let rules = rules.venue(series.venue).map(std::convert::AsRef::as_ref);
        rules
            .filter(listed)
            .map_or(Self::Every(SETTLEMENT_INTERVAL), Self::Settlements)
    }

    pub(super) fn is_positive(self) -> bool {
        match self {
            Self::Every(every) => every > Span::ZERO,
            Self::Settlements(_) => true,
        }
    }

    /// The first instant after `at` at which a value is due; none when the rules list the perp no more.
    #[must_use]
    pub fn next(self, symbol: Symbol, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(every) => Some(at.floor_to(every).plus(every)),
            Self::Settlements(rules) => rules.next_funding(symbol, at),
        }
    }

    /// The time between two values around `at`.
    #[must_use]
    pub fn interval(self, symbol: Symbol, at: Timestamp) -> Span {
        match self {
            Self::Every(every) => every,
            Self::Settlements(rules) => rules
                .at(at)
                .instrument(InstrumentKind::Perp, symbol)
                .and_then(|instrument| instrument.perp.as_ref())
                .map_or(SETTLEMENT_INTERVAL, |perp| perp.funding_interval),
        }
    }

    /// Which of the instants due in `(from, to]` the rows at `times` settle, one row each, and which rows
    /// of that range settle none.
    pub(super) fn settled(
        self,
        symbol: Symbol,
        times: &[Timestamp],
        (from, to): (Timestamp, Timestamp),
    ) -> Settled {
        let (mut settled, mut stray): Settled = Default::default();
        let reach = SCHEDULE_TOLERANCE;
        let first = times.partition_point(|at| *at < from.minus(reach));
        let rows = times.get(first..).unwrap_or_default();
        for &at in rows.iter().take_while(|at| **at <= to.plus(reach)) {
            let earliest = at.minus(reach).minus(Span::from_nanos(1));
            let due = self
                .next(symbol, earliest)
                .filter(|due| *due <= at.plus(reach));
            match due {
                Some(due) if due <= from || due > to => {}
                Some(due) if settled.last().is_none_or(|(last, _)| *last < due) => {
                    settled.push((due, at));
                }
                _ if at > from && at <= to => stray.push(at),
                _ => {}
            }
        }
        (settled, stray)
    }
}

/// The multiple of `every` that `at` stands for, within [`SCHEDULE_TOLERANCE`].
pub(super) fn on_grid(at: Timestamp, every: Span) -> Option<Timestamp> {
    let before = at.floor_to(every);
    let near = |grid: &Timestamp| {
        at.since(*grid).nanos().unsigned_abs() <= SCHEDULE_TOLERANCE.nanos().unsigned_abs()
    };
    [before, before.plus(every)].into_iter().find(near)
}

/// Rows that stand for an instant without lying on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shifts {
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// The least shift, early below zero.
    pub least: Span,
    /// The greatest shift.
    pub most: Span,
}

impl Shifts {
    pub(super) const fn new(first: Timestamp) -> Self {
        Self {
            rows: 0,
            first,
            last: first,
            least: Span::from_nanos(i64::MAX),
            most: Span::from_nanos(i64::MIN),
        }
    }

    pub(super) fn add(&mut self, shift: Span, at: Timestamp) {
        self.rows += 1;
        self.last = at;
        self.least = self.least.min(shift);
        self.most = self.most.max(shift);
    }
}
