//! What every exchange computes: filters, fees, impact, positions, margin, funding, forced closing.
//!
//! Free functions over the rules of an instrument, facts in and facts out: there is no view, no bar, no
//! order book and no venue here. Refusals are facts too; the venue that makes one gives it its own code.

pub mod fees;
pub mod filters;
mod funding;
pub mod impact;
pub mod liquidation;
pub mod margin;
pub mod orders;
mod position;

pub use position::{PerpPosition, PositionChange};
