//! What every exchange computes: positions, margin, liquidation prices.
//!
//! Facts in and facts out: rules are data, there is no view, no bar and no venue here.

pub mod margin;
mod position;

pub use position::{PerpPosition, PositionChange};
