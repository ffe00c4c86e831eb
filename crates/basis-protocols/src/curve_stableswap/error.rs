//! Why a pool refuses.

use super::spot::IMBALANCE_MAX;
use basis_core::num::{MathError, U256};

/// A refusal: the contract would revert, or the request makes no sense to it.
///
/// Texts that the contract itself gives stand first in the message; a `require` without a text has
/// ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StableSwapError {
    /// An exchange gives less than asked for.
    #[error("Exchange resulted in fewer coins than expected: {received} below minimum {minimum}")]
    ExchangeBelowMinimum {
        /// Base units the exchange gives.
        received: U256,
        /// Base units asked for.
        minimum: U256,
    },
    /// A balanced withdrawal gives less of a coin than asked for.
    #[error(
        "Withdrawal resulted in fewer coins than expected: {received} of coin {coin} below \
         minimum {minimum}"
    )]
    WithdrawalBelowMinimum {
        /// The coin.
        coin: usize,
        /// Base units the withdrawal gives.
        received: U256,
        /// Base units asked for.
        minimum: U256,
    },
    /// A withdrawal in one coin gives less than asked for.
    #[error("Not enough coins removed: {received} below minimum {minimum}")]
    OneCoinBelowMinimum {
        /// Base units the withdrawal gives.
        received: U256,
        /// Base units asked for.
        minimum: U256,
    },
    /// A deposit mints less than asked for.
    #[error("Slippage screwed you: {minted} liquidity tokens minted, minimum {minimum}")]
    MintedBelowMinimum {
        /// Liquidity tokens the deposit mints.
        minted: U256,
        /// Liquidity tokens asked for.
        minimum: U256,
    },
    /// An unbalanced withdrawal burns more than allowed.
    #[error("Slippage screwed you: {burned} liquidity tokens burned, maximum {maximum}")]
    BurnedAboveMaximum {
        /// Liquidity tokens the withdrawal burns.
        burned: U256,
        /// Liquidity tokens allowed.
        maximum: U256,
    },
    /// A coin is exchanged for itself.
    #[error("coin {coin} exchanged for itself")]
    SameCoin {
        /// The coin.
        coin: usize,
    },
    /// A coin that the pool does not have.
    #[error("no coin {coin} in a pool of {coins}")]
    NoSuchCoin {
        /// The coin asked for, from 0.
        coin: usize,
        /// The pool's coins.
        coins: usize,
    },
    /// Not one number for each coin.
    #[error("{given} numbers given for a pool of {coins} coins")]
    WrongCount {
        /// Numbers given.
        given: usize,
        /// The pool's coins.
        coins: usize,
    },
    /// A pool has 2 to 4 coins here.
    #[error("a pool of {coins} coins; 2 to 4 are supported")]
    UnsupportedCount {
        /// Coins given.
        coins: usize,
    },
    /// An amount of zero where the operation needs some.
    #[error("{what} is zero; it must be at least 1")]
    ZeroAmount {
        /// What the amount is.
        what: &'static str,
    },
    /// A first deposit without one of the coins.
    #[error("initial deposit requires all coins: none of coin {coin} given, minimum 1")]
    InitialDepositIncomplete {
        /// The missing coin.
        coin: usize,
    },
    /// A deposit that does not raise the invariant.
    #[error("a deposit must raise the invariant: D {after} after, {before} before")]
    InvariantNotRaised {
        /// `D` before.
        before: U256,
        /// `D` after.
        after: U256,
    },
    /// An unbalanced withdrawal so small that it would burn nothing.
    #[error("zero tokens burned: the withdrawal lowers D by {lowered}, too little to burn 1")]
    NothingBurned {
        /// By how much `D` falls.
        lowered: U256,
    },
    /// More liquidity tokens than there are.
    #[error("{burned} liquidity tokens to burn, only {supply} exist")]
    AboveSupply {
        /// Liquidity tokens to burn.
        burned: U256,
        /// Liquidity tokens in existence.
        supply: U256,
    },
    /// A pool of other than two coins that is to be moved to a price.
    #[error("a pool of {coins} coins; only one of 2 is moved to a price")]
    TwoCoinsOnly {
        /// The pool's coins.
        coins: usize,
    },
    /// A price that no exchange brings the pool to.
    #[error(
        "price {target} is out of reach: at {reached} the pool has {IMBALANCE_MAX} times as much of \
         one coin as of the other, or refuses more"
    )]
    PriceOutOfReach {
        /// Coin 0 for a unit of coin 1, 18 decimals of the common unit.
        target: U256,
        /// The price as near to it as the pool comes.
        reached: U256,
    },
    /// Newton's iteration did not settle; only a drained or absurd pool comes here.
    #[error("{what} does not converge: it still moved by {moved} after {rounds} rounds")]
    NotConverging {
        /// `D` or `y`.
        what: &'static str,
        /// The last step, above the tolerance of 1.
        moved: U256,
        /// Rounds allowed.
        rounds: u32,
    },
    /// A parameter that the contract's constructor or setter would refuse.
    #[error("{what} {value} out of range {min} to {max}")]
    InvalidParameter {
        /// Which parameter.
        what: &'static str,
        /// The least allowed value.
        min: U256,
        /// The greatest allowed value.
        max: U256,
        /// The refused value.
        value: U256,
    },
    /// A subtraction that the contract checks and reverts.
    #[error("below zero in {op}: {left} − {right}")]
    BelowZero {
        /// The operation.
        op: &'static str,
        /// What is subtracted from.
        left: U256,
        /// What is subtracted.
        right: U256,
    },
    /// An overflow or a division by zero that the contract checks and reverts.
    #[error(transparent)]
    Math(#[from] MathError),
}

impl StableSwapError {
    /// The text that the contract reverts with; `None` where it reverts without one.
    #[must_use]
    pub const fn revert_reason(&self) -> Option<&'static str> {
        match self {
            Self::ExchangeBelowMinimum { .. } => {
                Some("Exchange resulted in fewer coins than expected")
            }
            Self::WithdrawalBelowMinimum { .. } => {
                Some("Withdrawal resulted in fewer coins than expected")
            }
            Self::OneCoinBelowMinimum { .. } => Some("Not enough coins removed"),
            Self::MintedBelowMinimum { .. } | Self::BurnedAboveMaximum { .. } => {
                Some("Slippage screwed you")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_starts_with_the_words_of_the_contract_and_names_value_and_bound() {
        let refused = StableSwapError::ExchangeBelowMinimum {
            received: U256::from(99_u64),
            minimum: U256::from(100_u64),
        };
        let reason = refused.revert_reason().unwrap();
        assert_eq!(
            refused.to_string(),
            format!("{reason}: 99 below minimum 100")
        );
        let same = StableSwapError::SameCoin { coin: 1 };
        assert_eq!(same.revert_reason(), None);
        assert_eq!(same.to_string(), "coin 1 exchanged for itself");
    }
}
