//! Positions: who owns how much liquidity over which range, and what the pool owes them.

use super::UniswapV3Error;
use super::ticks::add_delta;
use basis_core::num::U256;
use basis_core::num::uint256::mul_div_floor;

/// The account that owns a position: an address, or any 20 bytes in a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub [u8; 20]);

/// What identifies a position in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PositionKey {
    /// The account.
    pub owner: Owner,
    /// The lowest tick at which the liquidity is active.
    pub tick_lower: i32,
    /// The first tick above at which it no longer is.
    pub tick_upper: i32,
}

/// A position as the pool stores it (`Position.Info`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Liquidity of the position.
    pub liquidity: u128,
    /// Fee growth of token0 inside the range when the position was last touched, Q128.128, wrapping.
    pub fee_growth_inside0_last_x128: U256,
    /// The same of token1.
    pub fee_growth_inside1_last_x128: U256,
    /// Base units of token0 to collect: fees and burned principal.
    pub tokens_owed0: u128,
    /// Base units of token1 to collect.
    pub tokens_owed1: u128,
}

impl Position {
    /// The position after `liquidity_delta` and with its fees credited up to the given growth inside
    /// its range. Fees beyond 128 bits wrap, as in the contract.
    ///
    /// Mirrors `Position.update`.
    pub(super) fn updated(
        self,
        key: &PositionKey,
        liquidity_delta: i128,
        (inside0_x128, inside1_x128): (U256, U256),
    ) -> Result<Self, UniswapV3Error> {
        if liquidity_delta == 0 && self.liquidity == 0 {
            return Err(UniswapV3Error::NoPosition {
                lower: key.tick_lower,
                upper: key.tick_upper,
            });
        }
        let liquidity = add_delta(self.liquidity, liquidity_delta)?;
        let fees0 = self.fees(inside0_x128, self.fee_growth_inside0_last_x128)?;
        let fees1 = self.fees(inside1_x128, self.fee_growth_inside1_last_x128)?;
        Ok(Self {
            liquidity,
            fee_growth_inside0_last_x128: inside0_x128,
            fee_growth_inside1_last_x128: inside1_x128,
            tokens_owed0: self.tokens_owed0.wrapping_add(fees0),
            tokens_owed1: self.tokens_owed1.wrapping_add(fees1),
        })
    }

    fn fees(&self, inside_x128: U256, last_x128: U256) -> Result<u128, UniswapV3Error> {
        let growth = inside_x128.wrapping_sub(last_x128);
        let q128 = U256::from_limbs([0, 0, 1, 0]);
        let fees = mul_div_floor(growth, U256::from(self.liquidity), q128)?;
        Ok(low_128(fees))
    }
}

/// The low 128 bits, Solidity's `uint128(x)`.
#[inline]
pub(super) fn low_128(number: U256) -> u128 {
    let [low, high, ..] = *number.as_limbs();
    u128::from(low) | (u128::from(high) << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PositionKey = PositionKey {
        owner: Owner([0; 20]),
        tick_lower: -60,
        tick_upper: 60,
    };

    #[test]
    fn fees_are_growth_times_liquidity_even_across_a_wrap() {
        let position = Position {
            liquidity: 1000,
            fee_growth_inside0_last_x128: U256::MAX,
            ..Position::default()
        };
        // Growth of one and a half units per unit of liquidity, counted from just before zero.
        let inside = (U256::from_limbs([0, 1 << 63, 1, 0]), U256::ZERO);
        let after = position.updated(&KEY, -400, inside).unwrap();
        assert_eq!((after.tokens_owed0, after.tokens_owed1), (1500, 0));
        assert_eq!(after.liquidity, 600);
    }

    #[test]
    fn a_position_without_liquidity_cannot_be_poked_or_reduced() {
        let empty = Position::default();
        let growth = (U256::ZERO, U256::ZERO);
        let poked = empty.updated(&KEY, 0, growth).unwrap_err();
        assert_eq!(poked.code(), Some("NP"));
        let reduced = empty.updated(&KEY, -1, growth).unwrap_err();
        assert_eq!(reduced.to_string(), "removing liquidity 1 from 0 (LS)");
    }
}
