//! Recorded or live market data, and the only door to it.
//!
//! [`MarketData`] holds columns; [`MarketView`] is what everybody reads: a value exists in it from
//! the instant it could have been known until its maximum age, never earlier and never later.

mod agreement;
mod columns;
mod coverage;
mod interface;
mod plausible;
mod schedule;
mod series;
mod view;
mod writer;

pub use agreement::{SuspectMonth, suspect_months};
pub use coverage::{Coverage, Gap, GapTreatment, Unscheduled, coverage, mark_suspects};
pub use interface::{ExecutionInterface, Horizon, PriceBounds};
pub use plausible::{Bounds, Implausible};
pub use schedule::{SCHEDULE_TOLERANCE, Schedule, Shifts};
pub use series::{
    AaveEMode, AaveRiskParameters, Bar, BarColumns, BarSeries, BarSeriesBuilder, DataFile, GasFees,
    MarketData, PointSeries, Provenance, RateSeries, ReserveRow, Reward, RowSeries, SeriesError,
    SeriesRow,
};
pub use view::{
    ETHER_POOL_SERIES, FundingLookup, GAS_SERIES, GapPolicy, GasSlot, Known, Mark, MarketView,
    OracleError, OracleQuote, OracleRatio, PointQuote, PointSlot, PriceState, Quote, RateSource,
    ReserveSlot, RewardSlot, RowSlot, SeriesRequest, Shock, ShockError, ShockParseError, ShockSet,
    SlotId, ViewError, ViewPolicy, is_dollar,
};
pub use writer::MarketWriter;
