//! The books of a run: ledger, holdings, exposure.

mod books;
mod exposure;
mod isolated;
mod risk_view;
mod shared;
mod standing;
#[cfg(test)]
mod tests;

pub use books::{Books, Holding, Posted, Pricing};
pub(crate) use books::{SavedBooks, StepClose, opens_cost};
pub use exposure::{Exposure, MarginAccount};
pub use isolated::{IsolatedPosition, margin_ratio};
pub(crate) use risk_view::SavedRiskView;
pub use risk_view::{RiskColumns, RiskRow, RiskSubject, RiskSummary, RiskView, WorstRisk};
pub use shared::SharedPositions;
pub use standing::{Direction, LendingStanding, MarginStanding, Standing, TokenStanding};
