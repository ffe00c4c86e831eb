//! What the venue does not do, before it has the words of one venue.

use basis_core::num::MathError;

use super::settings::Category;

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such instrument.
    #[error("no instrument of {0:?} has this symbol")]
    NotListed(Category),
    /// The account cannot pay for it, or has not the margin.
    #[error("the account has not enough for an order of {0:?}")]
    Funds(Category),
    /// The position would be larger than its tier allows at this leverage.
    #[error("the position would exceed its tier at the current leverage")]
    Size,
    /// Numbers so large that no filter lets them through.
    #[error(transparent)]
    Math(#[from] MathError),
}
