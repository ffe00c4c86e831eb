//! The simulated world that stands under the venues of a backtest: an exchange with its bar matcher,
//! the chain with what its lending markets, staking protocols and pools have in common, the wallet,
//! and what is on its way between them.
//!
//! It is a library, never a second control flow: a venue's driver builds an interface from it, and the
//! engine cannot tell that from a live one. It names no venue but the wallet; what is one venue's own
//! stands in that venue's folder.
//!
//! **Invariants.** A tally is changed by its owner's arithmetic alone, never by ledger lines, and nobody
//! here reads the engine's books: reconciliation compares two independent things. A refused instruction
//! changes nothing. Two runs agree to the last bit.

// The tests include the profiles of venues, which name this crate.
#[cfg(test)]
extern crate self as basis_sim;

pub mod chain;
pub mod exchange;
mod failing;
pub mod holdings;
mod interface;
pub mod lending;
pub mod pools;
pub mod refusal;
#[cfg(feature = "server")]
pub mod server;
pub mod settings;
pub mod staking;
mod transfer;
pub mod wallet;
pub mod world;
