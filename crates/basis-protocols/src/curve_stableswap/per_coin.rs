//! One number for each coin, without allocation.

use std::ops::Deref;

use super::error::StableSwapError;
use basis_core::num::U256;

/// The fewest coins of a pool.
pub const COINS_MIN: usize = 2;
/// The most coins of a pool that are supported here.
pub const COINS_MAX: usize = 4;

/// One number for each coin of a pool, in the pool's order; reads like a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PerCoin {
    /// Places beyond `coins` stay zero, so that equality and hashes are those of the slice.
    values: [U256; COINS_MAX],
    coins: usize,
}

impl PerCoin {
    /// Takes one number for each coin.
    ///
    /// # Errors
    /// [`StableSwapError::UnsupportedCount`] for fewer than 2 or more than 4.
    pub fn new(values: &[U256]) -> Result<Self, StableSwapError> {
        let mut all = Self::zero(values.len())?;
        all.values
            .iter_mut()
            .zip(values)
            .for_each(|(place, value)| *place = *value);
        Ok(all)
    }

    /// Zero for each of `coins` coins.
    ///
    /// # Errors
    /// [`StableSwapError::UnsupportedCount`] for fewer than 2 or more than 4.
    pub const fn zero(coins: usize) -> Result<Self, StableSwapError> {
        if coins < COINS_MIN || coins > COINS_MAX {
            return Err(StableSwapError::UnsupportedCount { coins });
        }
        Ok(Self {
            values: [U256::ZERO; COINS_MAX],
            coins,
        })
    }

    /// Zero for each coin that `self` has.
    #[inline]
    pub(super) const fn zeroed(&self) -> Self {
        Self {
            values: [U256::ZERO; COINS_MAX],
            coins: self.coins,
        }
    }

    /// The number of `coin`.
    #[inline]
    pub(super) fn of(&self, coin: usize) -> Result<U256, StableSwapError> {
        self.get(coin).copied().ok_or(StableSwapError::NoSuchCoin {
            coin,
            coins: self.coins,
        })
    }

    /// The same numbers with `value` for `coin`.
    #[inline]
    pub(super) fn with(mut self, coin: usize, value: U256) -> Self {
        if let Some(place) = self
            .values
            .get_mut(..self.coins)
            .and_then(|v| v.get_mut(coin))
        {
            *place = value;
        }
        self
    }

    /// Numbers made from each of ours and the same coin's of `other`.
    #[inline]
    pub(super) fn zip_with(
        &self,
        other: &Self,
        mut make: impl FnMut(U256, U256) -> Result<U256, StableSwapError>,
    ) -> Result<Self, StableSwapError> {
        let mut made = self.zeroed();
        let pairs = self.iter().zip(other.iter());
        for (place, (ours, theirs)) in made.values.iter_mut().zip(pairs) {
            *place = make(*ours, *theirs)?;
        }
        Ok(made)
    }

    /// Refuses a slice that has not one number for each coin.
    #[inline]
    pub(super) fn like(&self, values: &[U256]) -> Result<Self, StableSwapError> {
        if values.len() != self.coins {
            return Err(StableSwapError::WrongCount {
                given: values.len(),
                coins: self.coins,
            });
        }
        Self::new(values)
    }
}

impl Deref for PerCoin {
    type Target = [U256];

    #[inline]
    fn deref(&self) -> &[U256] {
        self.values.get(..self.coins).unwrap_or(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_to_four_numbers_are_held() {
        let numbers = [1_u64, 2, 3, 4, 5].map(U256::from);
        for coins in 2..=4 {
            let held = PerCoin::new(&numbers[..coins]).unwrap();
            assert_eq!(&*held, &numbers[..coins]);
            assert_eq!(held.of(coins - 1).unwrap(), numbers[coins - 1]);
            let outside = StableSwapError::NoSuchCoin { coin: coins, coins };
            assert_eq!(held.of(coins), Err(outside));
            assert_eq!(held.with(coins, U256::MAX), held);
            assert!(held.like(&numbers).is_err());
        }
        for coins in [0, 1, 5] {
            let refused = Err(StableSwapError::UnsupportedCount { coins });
            assert_eq!(PerCoin::new(&numbers[..coins]), refused);
        }
    }
}
