//! What stands between the engine and the world outside: the durable journal.
//!
//! [`sqlite`] keeps a book's [`Journal`](basis_core::journal::Journal) in one SQLite file, and [`memory`]
//! keeps one in memory for tests that lose what was not committed.
//!
//! **Invariants.** Nothing here knows a venue, a strategy or the engine. No clock is read and no random
//! number is drawn: both are given. What is written can be read back as it was, or is refused.
//!
//! **Features.** `sqlite` (default): the journal in an SQLite file.

pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;
