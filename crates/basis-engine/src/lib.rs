//! The engine of `basis`: one loop, one set of books, the same in backtest and live.
//!
//! It sees venues only as [`basis_market::ExecutionInterface`], data only through
//! [`basis_market::MarketView`], and time only through a clock it is given.

pub mod account;
pub mod benchmark;
mod block;
mod config;
mod desk;
mod engine;
mod event_log;
pub mod exit;
pub mod journal;
pub mod limits;
pub mod mode;
pub mod numeraire;
pub mod peg;
pub mod pnl;
pub mod posting;
pub mod result;
pub mod risk;
mod setup;
mod sink;
pub mod size;
pub mod statistics;
mod step_row;
pub mod strategy;
mod venue_share;
pub mod wake;

pub use account::SharedPositions;
pub use config::{CarryRule, ExternalFlow, RebalanceTo, RiskConfig, RunConfig, RunRequest};
pub use engine::{Engine, EngineJournal, EngineParts, JournalSync, Progress, Recovery};
pub use event_log::EventLog;
pub use result::{RunResult, Stopped, UnpaidWithdrawal};
pub use setup::{needed_venues, refusal, required_series, survey, wanted_series};
pub use sink::{NullSink, StepChunk, StepSink};
