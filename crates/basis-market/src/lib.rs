//! Recorded or live market data, and the only door to it.
//!
//! [`MarketData`] holds columns; [`MarketView`] is what everybody reads: a value exists in it from
//! the instant it could have been known until its maximum age, never earlier and never later.

mod columns;
mod coverage;
mod funding;
mod interface;
mod mark;
mod oracle;
mod row_view;
mod rows;
mod schedule;
mod series;
mod shock;
mod slot;
mod view;
mod writer;

pub use coverage::{Coverage, Gap, GapTreatment, Unscheduled, coverage};
pub use funding::FundingLookup;
pub use interface::{ExecutionInterface, Horizon, PriceBounds};
pub use mark::{Mark, RateSource, is_dollar};
pub use oracle::{OracleError, OracleQuote, OracleRatio};
pub use row_view::{GasSlot, Known, PointQuote, PointSlot, ReserveSlot, RewardSlot, RowSlot};
pub use rows::{
    AaveEMode, AaveRiskParameters, GasFees, PointSeries, ReserveRow, Reward, RowSeries, SeriesRow,
};
pub use schedule::{SCHEDULE_TOLERANCE, Schedule, Shifts};
pub use series::{
    Bar, BarColumns, BarSeries, BarSeriesBuilder, MarketData, Provenance, RateSeries, SeriesError,
};
pub use shock::{Shock, ShockError, ShockParseError, ShockSet};
pub use view::{
    GapPolicy, MarketView, PriceState, Quote, SeriesRequest, SlotId, ViewError, ViewPolicy,
};
pub use writer::MarketWriter;
