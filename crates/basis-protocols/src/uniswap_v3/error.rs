//! Why a pool, a router or this module refuses.

use basis_core::num::{MathError, U256};

/// A refusal, with the reason that the contract would give.
///
/// [`UniswapV3Error::code`] is the text of the contract's `require`; the message adds the value and
/// the bound it broke. All variants are `Copy`: refusing allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UniswapV3Error {
    /// The pool has no price yet. The contract's lock is closed until `initialize`.
    #[error("the pool has no price yet (LOK)")]
    NotInitialized,
    /// The pool has a price already.
    #[error("the pool was initialized before, at sqrt price {sqrt_price_x96} (AI)")]
    AlreadyInitialized {
        /// The pool's sqrt price, Q64.96.
        sqrt_price_x96: U256,
    },
    /// A swap of nothing.
    #[error("a swap of 0 units (AS)")]
    AmountZero,
    /// An amount that `int256` cannot hold; a router refuses it before the pool sees it.
    #[error("amount {amount} does not fit int256")]
    AmountTooLarge {
        /// The amount, in base units.
        amount: U256,
    },
    /// A price limit on the wrong side of the price, or outside what a price can be.
    #[error("sqrt price limit {limit_x96} is not above {above_x96} and below {below_x96} (SPL)")]
    PriceLimit {
        /// The refused limit, Q64.96.
        limit_x96: U256,
        /// The limit must be above this.
        above_x96: U256,
        /// The limit must be below this.
        below_x96: U256,
    },
    /// A range whose lower tick is not below its upper tick.
    #[error("lower tick {lower} is not below upper tick {upper} (TLU)")]
    TickOrder {
        /// The lower tick.
        lower: i32,
        /// The upper tick.
        upper: i32,
    },
    /// A lower tick below the least tick.
    #[error("lower tick {lower} is below {min} (TLM)")]
    TickLowerTooLow {
        /// The refused tick.
        lower: i32,
        /// The least tick.
        min: i32,
    },
    /// An upper tick above the greatest tick.
    #[error("upper tick {upper} is above {max} (TUM)")]
    TickUpperTooHigh {
        /// The refused tick.
        upper: i32,
        /// The greatest tick.
        max: i32,
    },
    /// A tick that has no price.
    #[error("tick {tick} is not between -{max} and {max} (T)")]
    TickOutOfRange {
        /// The refused tick.
        tick: i32,
        /// The greatest magnitude.
        max: i32,
    },
    /// A price that has no tick.
    #[error("sqrt price {sqrt_price_x96} is not between {min_x96} and below {end_x96} (R)")]
    SqrtPriceOutOfRange {
        /// The refused sqrt price, Q64.96.
        sqrt_price_x96: U256,
        /// The least sqrt price, Q64.96.
        min_x96: U256,
        /// The first sqrt price beyond the range, Q64.96.
        end_x96: U256,
    },
    /// A tick that is no multiple of the pool's spacing.
    #[error("tick {tick} is no multiple of the tick spacing {tick_spacing}")]
    TickNotSpaced {
        /// The refused tick.
        tick: i32,
        /// The pool's tick spacing.
        tick_spacing: i32,
    },
    /// More liquidity at one tick than the pool allows.
    #[error("liquidity {gross} at tick {tick} is above the pool's {max} (LO)")]
    LiquidityPerTick {
        /// The tick.
        tick: i32,
        /// What the tick would have.
        gross: u128,
        /// The most a tick may have.
        max: u128,
    },
    /// More liquidity is taken away than there is.
    #[error("removing liquidity {removed} from {liquidity} (LS)")]
    LiquidityUnderflow {
        /// What is there.
        liquidity: u128,
        /// What would be removed.
        removed: u128,
    },
    /// Liquidity beyond 128 bits.
    #[error("adding liquidity {added} to {liquidity} exceeds 128 bits (LA)")]
    LiquidityOverflow {
        /// What is there.
        liquidity: u128,
        /// What would be added.
        added: u128,
    },
    /// A burn of 0, which only settles fees, of a position without liquidity.
    #[error("no liquidity in the position from tick {lower} to {upper} (NP)")]
    NoPosition {
        /// The lower tick.
        lower: i32,
        /// The upper tick.
        upper: i32,
    },
    /// A mint of no liquidity.
    #[error("a mint of liquidity 0")]
    MintZero,
    /// A flash loan from a pool without active liquidity, to whom its fee could be given.
    #[error("a flash loan while no liquidity is active (L)")]
    NoLiquidity,
    /// A flash loan that did not come back with its fee.
    #[error("flash loan paid {paid} of {due} units of token{token} fees (F{token})")]
    FlashUnpaid {
        /// 0 or 1.
        token: u8,
        /// What came back above the loan, in base units.
        paid: U256,
        /// The least that must, in base units.
        due: U256,
    },
    /// A protocol fee that the contract does not know.
    #[error("protocol fees 1/{fee0} and 1/{fee1}: each must be 0 or 4 to 10")]
    FeeProtocol {
        /// Divisor of token0's swap fee.
        fee0: u8,
        /// Divisor of token1's swap fee.
        fee1: u8,
    },
    /// A number beyond the contract's integer for it (`SafeCast`).
    #[error("{what} {value} does not fit {bits} bits")]
    Unrepresentable {
        /// What the number means.
        what: &'static str,
        /// The number.
        value: U256,
        /// The bits that it would have to fit.
        bits: u32,
    },
    /// More output is asked than any price could give.
    #[error("an output of {amount} units is more than liquidity {liquidity} can give")]
    OutputTooLarge {
        /// The asked output, in base units.
        amount: U256,
        /// The active liquidity.
        liquidity: u128,
    },
    /// An exact output without a price limit that the pool cannot give in full.
    #[error("the pool gives {given} of {wanted} units")]
    OutputIncomplete {
        /// What the pool can give, in base units.
        given: U256,
        /// What was asked, in base units.
        wanted: U256,
    },
    /// A swap fee of 100 % or more.
    #[error("fee {fee_pips} is not below {end} hundredths of a basis point")]
    FeeTooHigh {
        /// The refused fee.
        fee_pips: u32,
        /// The first fee refused.
        end: u32,
    },
    /// A tick spacing that no factory enables.
    #[error("tick spacing {tick_spacing} is not between 1 and {max}")]
    TickSpacingOutOfRange {
        /// The refused spacing.
        tick_spacing: i32,
        /// The greatest spacing.
        max: i32,
    },
    /// A given state that no pool can be in.
    #[error("not a pool's state: {what} is {found}, expected {expected}")]
    Inconsistent {
        /// What disagrees.
        what: &'static str,
        /// The given value.
        found: i128,
        /// What the rest of the state implies.
        expected: i128,
    },
    /// The arithmetic has no answer.
    #[error(transparent)]
    Math(#[from] MathError),
}

impl UniswapV3Error {
    /// The text with which the contract reverts; `None` where it reverts without one, or where the
    /// refusal is this module's own.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::NotInitialized => Some("LOK"),
            Self::AlreadyInitialized { .. } => Some("AI"),
            Self::AmountZero => Some("AS"),
            Self::PriceLimit { .. } => Some("SPL"),
            Self::TickOrder { .. } => Some("TLU"),
            Self::TickLowerTooLow { .. } => Some("TLM"),
            Self::TickUpperTooHigh { .. } => Some("TUM"),
            Self::TickOutOfRange { .. } => Some("T"),
            Self::SqrtPriceOutOfRange { .. } => Some("R"),
            Self::LiquidityPerTick { .. } => Some("LO"),
            Self::LiquidityUnderflow { .. } => Some("LS"),
            Self::LiquidityOverflow { .. } => Some("LA"),
            Self::NoPosition { .. } => Some("NP"),
            Self::NoLiquidity => Some("L"),
            Self::FlashUnpaid { token: 0, .. } => Some("F0"),
            Self::FlashUnpaid { .. } => Some("F1"),
            Self::AmountTooLarge { .. }
            | Self::TickNotSpaced { .. }
            | Self::MintZero
            | Self::FeeProtocol { .. }
            | Self::Unrepresentable { .. }
            | Self::OutputTooLarge { .. }
            | Self::OutputIncomplete { .. }
            | Self::FeeTooHigh { .. }
            | Self::TickSpacingOutOfRange { .. }
            | Self::Inconsistent { .. }
            | Self::Math(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_value_bound_and_code() {
        let refused = UniswapV3Error::PriceLimit {
            limit_x96: U256::from(5_u64),
            above_x96: U256::from(7_u64),
            below_x96: U256::from(9_u64),
        };
        assert_eq!(
            refused.to_string(),
            "sqrt price limit 5 is not above 7 and below 9 (SPL)"
        );
        assert_eq!(refused.code(), Some("SPL"));
        let unpaid = UniswapV3Error::FlashUnpaid {
            token: 1,
            paid: U256::ZERO,
            due: U256::ONE,
        };
        assert_eq!(
            unpaid.to_string(),
            "flash loan paid 0 of 1 units of token1 fees (F1)"
        );
        assert_eq!(unpaid.code(), Some("F1"));
        assert_eq!(UniswapV3Error::MintZero.code(), None);
    }
}
