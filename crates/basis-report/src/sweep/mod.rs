//! Sweeps on disk and on a page: one row per variant, the figures that have a column, the directory
//! that keeps finished variants, and the page that ranks them and draws one figure over the grid.
//!
//! **Invariant.** A row is what the single run of the same configuration puts into `summary.json`.

pub mod fields;
pub mod grid;
mod heatmap;
pub mod page;
mod palette;
pub mod results;
pub mod store;
