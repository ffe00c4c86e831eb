//! The words and rules that every part of `basis` shares: exact numbers, identifiers, time,
//! instructions, ledger lines, market data, the execution interface, configuration as located text,
//! and the error registry.
//!
//! **Invariants.** No I/O, no clock reads, no randomness, no threads of its own. Money is exact.
//! Nothing here knows a venue, a strategy or a file format.

pub mod clock;
pub mod config;
pub mod error;
pub mod event;
pub mod health;
pub mod in_flight;
pub mod instruction;
pub mod journal;
pub mod ledger;
pub mod num;
pub mod plan;
pub mod rules;
pub mod secret;
pub mod text;
pub mod transport;
pub mod types;
pub mod venue;
pub mod venue_event;
