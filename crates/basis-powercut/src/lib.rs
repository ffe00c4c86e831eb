//! A disk in memory that loses what was not synced when its power is cut, under SQLite.
//!
//! [`Disk`] keeps of every file what was synced and the writes since. The power goes at the operation that
//! [`Disk::cut_at`] names: that operation fails, and so does every later one. [`Disk::after_cut`] is the
//! disk that is found then: of the writes since the last sync of a file none, some, all, or torn parts of
//! 512 bytes have survived, by a seed, and names that were made or removed without a sync of their directory
//! may be there or not.
//!
//! **Invariants.** What was synced is there. The same seed finds the same disk. Nothing here is part of the
//! product.

mod disk;
mod random;
mod vfs;

pub use disk::Disk;
pub use random::Random;
