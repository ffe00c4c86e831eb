//! Scaled balances: what aTokens and variable debt tokens store.
//!
//! A balance is its scaled balance times the reserve's index. Minting, burning and transferring
//! divide the amount by the index and round half up, so a holder can gain or lose up to half a
//! scaled unit by each; a remainder of the contract that this module keeps.
//!
//! Mirrors `ScaledBalanceTokenBase` and `IncentivizedERC20`, the same in both versions, without the
//! index of a holder's last interaction: it enters events only.

use super::error::{PoolError, Revert, require};
use super::limbs::long;
use super::math::{add, ray_div, sub, to_u128};
use basis_core::num::U256;

/// One side of a reserve seen by one holder: the total and the holder's part, in scaled units.
#[derive(Debug)]
pub(super) struct Holding<'a> {
    pub(super) total: &'a mut U256,
    pub(super) balance: &'a mut u128,
}

impl Holding<'_> {
    /// Mirrors `_mintScaled`. Returns the scaled units minted.
    pub(super) fn mint(&mut self, amount: U256, index: U256) -> Result<u128, Revert> {
        let scaled = ray_div(amount, index)?;
        require(!scaled.is_zero(), PoolError::InvalidMintAmount)?;
        let scaled_short = to_u128(scaled)?;
        let total = add(*self.total, scaled)?;
        *self.balance = self
            .balance
            .checked_add(scaled_short)
            .ok_or(Revert::Arithmetic)?;
        *self.total = total;
        Ok(scaled_short)
    }

    /// Mirrors `_burnScaled`. Returns the scaled units burned.
    pub(super) fn burn(&mut self, amount: U256, index: U256) -> Result<u128, Revert> {
        let scaled = ray_div(amount, index)?;
        require(!scaled.is_zero(), PoolError::InvalidBurnAmount)?;
        let scaled_short = to_u128(scaled)?;
        let total = sub(*self.total, scaled)?;
        *self.balance = self
            .balance
            .checked_sub(scaled_short)
            .ok_or(Revert::Arithmetic)?;
        *self.total = total;
        Ok(scaled_short)
    }
}

/// Mirrors `_transfer` of `ScaledBalanceTokenBase`: takes the scaled units of `amount` from the
/// sender and returns them. The caller adds them to the recipient by [`credit`].
pub(super) fn debit(sender: &mut u128, amount: U256, index: U256) -> Result<u128, Revert> {
    let scaled = to_u128(ray_div(amount, index)?)?;
    *sender = sender.checked_sub(scaled).ok_or(Revert::Arithmetic)?;
    Ok(scaled)
}

/// The other half of [`debit`].
pub(super) fn credit(recipient: &mut u128, scaled: u128) -> Result<(), Revert> {
    *recipient = recipient.checked_add(scaled).ok_or(Revert::Arithmetic)?;
    Ok(())
}

/// A balance in base units: scaled units × index, rounded half up.
pub(super) fn balance_of(scaled: u128, index: U256) -> Result<U256, Revert> {
    super::math::ray_mul(long(scaled), index)
}

#[cfg(test)]
mod tests {
    use super::super::math::RAY;
    use super::*;

    #[test]
    fn amounts_below_half_a_scaled_unit_are_refused_by_number() {
        let (mut total, mut balance) = (U256::ZERO, 0);
        let mut holding = Holding {
            total: &mut total,
            balance: &mut balance,
        };
        let index = long(3 * RAY);
        assert_eq!(
            holding.mint(U256::ONE, index),
            Err(PoolError::InvalidMintAmount.into())
        );
        assert_eq!(holding.mint(U256::from(2), index), Ok(1));
        assert_eq!(
            holding.burn(U256::ONE, index),
            Err(PoolError::InvalidBurnAmount.into())
        );
        assert_eq!(
            holding.burn(U256::from(6), index),
            Err(Revert::Arithmetic),
            "two scaled units of one"
        );
        assert_eq!(holding.burn(U256::from(3), index), Ok(1));
        assert_eq!((total, balance), (U256::ZERO, 0));
    }

    #[test]
    fn units_beyond_128_bits_do_not_fit_a_balance() {
        let (mut total, mut balance) = (U256::ZERO, u128::MAX);
        let mut holding = Holding {
            total: &mut total,
            balance: &mut balance,
        };
        let index = long(RAY);
        assert_eq!(
            holding.mint(long(u128::MAX).wrapping_add(U256::ONE), index),
            Err(Revert::Cast)
        );
        assert_eq!(holding.mint(U256::ONE, index), Err(Revert::Arithmetic));
        assert_eq!((total, balance), (U256::ZERO, u128::MAX));
    }

    #[test]
    fn a_transfer_moves_the_same_units_out_and_in() {
        let (mut sender, mut recipient) = (10, u128::MAX - 2);
        let moved = debit(&mut sender, U256::from(9), long(3 * RAY)).unwrap();
        assert_eq!((moved, sender), (3, 7));
        assert_eq!(credit(&mut recipient, moved), Err(Revert::Arithmetic));
        assert_eq!(
            debit(&mut sender, U256::from(24), long(3 * RAY)),
            Err(Revert::Arithmetic)
        );
    }
}
