//! Why a swap at a bar's price is refused.

use basis_core::num::{Fixed18, MathError};

/// A swap that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BarPoolError {
    /// The swap gives less than asked for.
    #[error("Too little received: {received} below minimum {minimum}")]
    TooLittleReceived {
        /// What the swap gives.
        received: Fixed18,
        /// What was asked for.
        minimum: Fixed18,
    },
    /// The output asked for costs more than is acceptable.
    #[error("Too much requested: {requested} above maximum {maximum}")]
    TooMuchRequested {
        /// What the swap costs.
        requested: Fixed18,
        /// The most that is acceptable.
        maximum: Fixed18,
    },
    /// More output than any input gets, or any that is reasonable.
    #[error("an output of {wanted} is more than the pool gives: {amount_in} gets {given}")]
    OutputTooLarge {
        /// What was asked for.
        wanted: Fixed18,
        /// The largest input that was tried.
        amount_in: Fixed18,
        /// What that gets.
        given: Fixed18,
    },
    /// An amount that the asset cannot hold.
    #[error("amount {amount} has more than the asset's {decimals} decimals")]
    TooManyDecimals {
        /// The amount.
        amount: Fixed18,
        /// The asset's decimals.
        decimals: u32,
    },
    /// A number out of its range, or a result that does not fit.
    #[error(transparent)]
    Math(#[from] MathError),
}
