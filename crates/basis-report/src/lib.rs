//! What `basis` leaves on disk and shows: the directories of runs, sweeps and stress tables, and the
//! pages made of them.
//!
//! [`run`] writes a run directory, [`RunReport`] reads one and makes its page, [`sweep`] and [`stress`]
//! hold the rows of many runs and their files. All tables go through one writer and one reader, all
//! pages through one kit.
//!
//! It is not where results are computed: that is the engine, which knows no text. It reads no
//! environment and no clock but to measure its own writing, and prints nothing.
//!
//! **Invariants.** A directory is there whole or not at all. The same result gives the same bytes. A
//! page is made from the files of its directory alone.

mod directory;
pub mod journal;
mod page;
mod report;
pub mod run;
pub mod stress;
pub mod sweep;
mod table;

pub use directory::{WrittenFile, check_out_dir, write_files};
pub use report::{Difference, FILE_NAME, RunReport, compare_page, differences};
pub use table::Format;
