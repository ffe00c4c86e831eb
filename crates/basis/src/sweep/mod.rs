//! Sweeps: many variants of one mode over one loaded data set.
//!
//! [`parse`] reads parameters, [`run`] checks the variants and runs them on threads; the rows, their
//! directory and their page are [`basis_report::sweep`]. What a variant comes to is the engine's to say,
//! as in a single run.
//!
//! **Invariants.** A row is what the single run of the same configuration puts into `summary.json`,
//! whatever the number of threads and however often the sweep was stopped and resumed. Nothing runs
//! before every variant's configuration is sound.

pub mod parse;
pub mod run;
mod values;
