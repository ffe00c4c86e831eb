//! Venues in process: what tests, and later other people's clients, speak to instead of the real ones.
//!
//! A server is sans-IO: requests, frames and instants go in, answers and frames come out at their own
//! instants. There is no socket and no clock here; whoever drives it passes the time, so that a day of
//! faults takes a moment and repeats to the byte.
//!
//! It speaks the real venue's wire forms, written from that venue's documentation and samples with code of
//! its own: it shares the exchange mathematics with the simulation and nothing with the live clients. It is
//! a second control flow on purpose, and never below a backtest.

pub mod binance;
pub mod book;
pub mod bybit;
pub mod faults;
mod http;
mod network;
pub mod okx;
mod random;
mod seam;
mod signature;
pub mod unified;
mod venue;

pub use self::network::{Broken, Server};
pub use self::seam::{ConnectionId, Content, Delivery, RequestId};
pub use self::signature::Verifier;
pub use self::venue::{Behavior, Channel, Latency, ServedVenue, VenueSettings};
