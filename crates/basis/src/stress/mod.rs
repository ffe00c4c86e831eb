//! A mode under every scenario of a list, each held against the run without it.
//!
//! [`scenarios`] reads the list and puts instants and names into its sentences, [`instants`] chooses the instants of
//! a table over several, [`run`] runs base and scenarios on threads over one data set, [`outcome`] computes what a scenario came to; the table of
//! them is [`basis_report::stress`]. What a run does under a shock is the engine's to say, and the same as of a single
//! `basis backtest --shock`.
//!
//! **Invariant.** A row depends on its scenario, the configuration and the data only, never on threads
//! or on the other scenarios.

pub mod instants;
pub mod outcome;
pub mod run;
pub mod scenarios;
