//! Tests that cross crates: the built binary as a user meets it.
#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

mod accounts;
mod adoption;
mod audit;
mod audit_chain;
mod audit_liquidity;
mod audit_models;
mod audit_morpho;
mod audit_stress;
mod audit_triggers;
mod backtest;
mod commands;
mod configuration;
mod conformance;
mod counterparty;
mod dry_run;
mod dry_run_headers;
mod eth_basis;
mod exact_output;
mod files;
mod fuzz;
mod grids;
mod hedge_mode;
mod hedged;
mod imports;
mod instruct;
mod interleaving;
mod isolated;
mod journal;
mod lending;
mod leveraged;
mod library;
mod liquidity;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "live")]
mod live_bybit;
#[cfg(feature = "live")]
mod live_okx;
mod loop_carry;
mod market_neutral;
mod marks;
mod messages;
mod minutes;
mod never_naked;
mod next_open;
mod no_silence;
mod rebalancing;
mod reconciliation;
mod report;
mod report_modes;
mod reproduce;
mod risk_view;
mod runner;
mod scenarios;
mod scripted;
mod seams;
mod size;
mod stress;
mod sweep;
mod tight_loop;
mod variants;
mod world;
