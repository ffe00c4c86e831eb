//! What stands between the engine and the world outside: the durable journal and the network.
//!
//! [`sqlite`] keeps a book's [`Journal`](basis_core::journal::Journal) in one SQLite file, and [`memory`]
//! keeps one in memory for tests that lose what was not committed. `net` sends requests, each at most once.
//!
//! **Invariants.** Nothing here knows a venue, a strategy or the engine. No clock is read and no random
//! number is drawn: both are given. What is written can be read back as it was, or is refused.
//!
//! **Features.** `sqlite` (default): the journal in an SQLite file. `net`: the HTTP transport and streams.

pub mod actor;
pub mod memory;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "sqlite")]
pub mod sqlite;
