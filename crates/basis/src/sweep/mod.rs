//! Sweeps: many variants of one mode over one loaded data set.
//!
//! [`grid`] reads parameters and lists variants, [`fields`] says which figures have a column, [`run`] checks and runs them on threads,
//! [`results`] holds one row per variant, [`store`] keeps finished variants on disk, and [`report`]
//! ranks them and draws one figure over the grid. What a variant is reckoned by is the engine's, as in a
//! single run.
//!
//! **Invariants.** A row is what the single run of the same configuration puts into `summary.json`,
//! whatever the number of threads and however often the sweep was stopped and resumed. Nothing runs
//! before every variant's configuration is sound.

pub mod fields;
pub mod grid;
mod heatmap;
mod palette;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod report;
pub mod results;
pub mod run;
pub mod store;
mod values;
