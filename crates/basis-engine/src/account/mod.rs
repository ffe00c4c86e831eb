//! The books of a run: ledger, holdings, exposure.

mod books;
mod exposure;
mod isolated;
mod measure;
mod risk_view;
mod shared;
#[cfg(test)]
mod tests;

pub use books::{Books, Holding, Posted, Pricing};
pub(crate) use books::{SavedBooks, StepClose, opens_cost};
pub use exposure::{Exposure, MarginAccount};
pub use isolated::{IsolatedPosition, margin_ratio};
pub(crate) use measure::liquidation_distance;
pub use measure::{Direction, LendingMeasure, MarginMeasure, RiskMeasure, TokenMeasure};
pub(crate) use risk_view::SavedRiskView;
pub use risk_view::{RiskColumns, RiskRow, RiskSubject, RiskSummary, RiskView, WorstRisk};
pub use shared::SharedPositions;
