//! What the contract answers instead of doing.

/// A revert of Morpho Blue, with the contract's own message (`ErrorsLib`) or Solidity's panic.
///
/// A refused operation changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Both assets and shares are zero, or neither is.
    #[error("inconsistent input")]
    InconsistentInput,
    /// Collateral and flash loans take an amount above zero.
    #[error("zero assets")]
    ZeroAssets,
    /// The position would owe more than its collateral allows.
    #[error("insufficient collateral")]
    InsufficientCollateral,
    /// The market would owe more than it was supplied with.
    #[error("insufficient liquidity")]
    InsufficientLiquidity,
    /// Only a position that owes more than its collateral allows is liquidated.
    #[error("position is healthy")]
    HealthyPosition,
    /// An amount does not fit the contract's 128-bit storage.
    #[error("max uint128 exceeded")]
    MaxUint128Exceeded,
    /// The liquidation loan-to-value is 100 % or more.
    #[error("max LLTV exceeded")]
    MaxLltvExceeded,
    /// The fee is above 25 %.
    #[error("max fee exceeded")]
    MaxFeeExceeded,
    /// The setting already has this value.
    #[error("already set")]
    AlreadySet,
    /// The contract does not hold what it should pay out.
    #[error("transfer reverted")]
    TransferReverted,
    /// Checked arithmetic left its integer: repaying more than is owed, taking more than is there.
    #[error("panic: arithmetic underflow or overflow (0x11)")]
    ArithmeticPanic,
    /// A division by zero: an oracle that answers zero.
    #[error("panic: division or modulo by zero (0x12)")]
    DivisionPanic,
}

impl Refusal {
    /// Returns the code of Solidity's `Panic(uint256)`, or `None` for a revert with a message.
    #[must_use]
    pub const fn panic_code(self) -> Option<u8> {
        match self {
            Self::ArithmeticPanic => Some(0x11),
            Self::DivisionPanic => Some(0x12),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_contract_s() {
        assert_eq!(
            Refusal::InsufficientCollateral.to_string(),
            "insufficient collateral"
        );
        assert_eq!(Refusal::HealthyPosition.to_string(), "position is healthy");
        assert_eq!(Refusal::HealthyPosition.panic_code(), None);
        assert_eq!(Refusal::ArithmeticPanic.panic_code(), Some(0x11));
        assert_eq!(Refusal::DivisionPanic.panic_code(), Some(0x12));
    }
}
