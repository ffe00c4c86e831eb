//! The books of a run: ledger, holdings, exposure.

mod books;
mod exposure;
mod isolated;
mod shared;
#[cfg(test)]
mod tests;

pub use books::{Books, Holding, Pricing};
pub use exposure::{Exposure, MarginAccount};
pub use isolated::{IsolatedPosition, margin_ratio};
pub use shared::SharedPositions;
