//! KING: the token in which EtherFi pays restaking rewards, and the basket behind it.
//!
//! Mirrors `LRTSquaredCore.redeem` and `CumulativeMerkleDrop.claim`: a holder is owed a sum that only
//! grows and draws what is new; KING then burns into its part of every basket asset, rounded down.
//! Only the two assets that EtherFi's stakers were paid in are kept, EIGEN and ETHFI. Fees of the
//! vault (none on redemption while the recorded rewards were paid), its price oracle and its limits
//! are not modeled.

use super::shares::{ONE_TOKEN, difference, product_over_floor, sum};
use basis_core::num::{MathError, U256};

/// A refusal in the words of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KingError {
    /// `CumulativeMerkleDrop.claim` when all that is owed has been drawn.
    #[error("NothingToClaim()")]
    NothingToClaim,
    /// `LRTSquaredCore.redeem` of more KING than the holder has.
    #[error("InsufficientShares(): {wanted} wei of KING wanted, {held} held")]
    InsufficientShares {
        /// Wei of KING asked for.
        wanted: U256,
        /// Wei of KING held.
        held: U256,
    },
    /// `LRTSquaredCore.assetsForVaultShares` of a vault without KING.
    #[error("TotalSupplyZero()")]
    TotalSupplyZero,
    /// The contract's checked arithmetic reverts.
    #[error(transparent)]
    Math(#[from] MathError),
}

/// What KING was burned into, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KingRedemption {
    /// Wei of EIGEN.
    pub eigen: U256,
    /// Wei of ETHFI.
    pub ethfi: U256,
}

/// KING in existence and the basket it stands for. Cloning it is a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KingVault {
    /// Wei of KING in existence.
    pub total_supply: U256,
    /// The vault's assets.
    pub basket: KingRedemption,
}

impl KingVault {
    /// A vault of `king` whole tokens, each standing for the wei of EIGEN and ETHFI given.
    ///
    /// # Errors
    /// [`MathError::Overflow256`].
    pub fn per_king(king: u64, each: KingRedemption) -> Result<Self, MathError> {
        let count = U256::from(king);
        let times = |a: U256, op| a.checked_mul(count).ok_or(MathError::Overflow256 { op });
        Ok(Self {
            total_supply: times(ONE_TOKEN, "supply of KING")?,
            basket: KingRedemption {
                eigen: times(each.eigen, "EIGEN of the basket")?,
                ethfi: times(each.ethfi, "ETHFI of the basket")?,
            },
        })
    }

    /// What `king` wei stand for, each asset rounded down: `assetsForVaultShares`.
    ///
    /// # Errors
    /// [`KingError::TotalSupplyZero`]; [`KingError::Math`].
    pub fn assets_for(&self, king: U256) -> Result<KingRedemption, KingError> {
        if self.total_supply.is_zero() {
            return Err(KingError::TotalSupplyZero);
        }
        let part = |held, op| product_over_floor(king, held, self.total_supply, op);
        Ok(KingRedemption {
            eigen: part(self.basket.eigen, "EIGEN for KING")?,
            ethfi: part(self.basket.ethfi, "ETHFI for KING")?,
        })
    }

    /// A reward: `assets` come into the basket and `king` wei are minted for them (the vault's oracle
    /// decides how many; here the caller does).
    ///
    /// # Errors
    /// [`KingError::Math`].
    pub fn deposit(&mut self, assets: KingRedemption, king: U256) -> Result<(), KingError> {
        *self = Self {
            total_supply: sum(self.total_supply, king)?,
            basket: KingRedemption {
                eigen: sum(self.basket.eigen, assets.eigen)?,
                ethfi: sum(self.basket.ethfi, assets.ethfi)?,
            },
        };
        Ok(())
    }

    /// `LRTSquaredCore.redeem`: burns `king` of the `held` wei of a holder and pays out its part.
    ///
    /// # Errors
    /// [`KingError::InsufficientShares`], [`KingError::TotalSupplyZero`], [`KingError::Math`].
    pub fn redeem(&mut self, king: U256, held: U256) -> Result<KingRedemption, KingError> {
        if king > held {
            return Err(KingError::InsufficientShares { wanted: king, held });
        }
        let paid = self.assets_for(king)?;
        *self = Self {
            total_supply: difference(self.total_supply, king)?,
            basket: KingRedemption {
                eigen: difference(self.basket.eigen, paid.eigen)?,
                ethfi: difference(self.basket.ethfi, paid.ethfi)?,
            },
        };
        Ok(paid)
    }
}

/// What one holder has been awarded and has drawn, in wei of KING; both only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KingClaims {
    /// The sum of every award.
    pub awarded: U256,
    /// The sum of every claim: `cumulativeClaimed`.
    pub claimed: U256,
}

impl KingClaims {
    /// Adds an award: the next merkle root names a larger sum.
    ///
    /// # Errors
    /// [`KingError::Math`].
    pub fn award(&mut self, king: U256) -> Result<(), KingError> {
        self.awarded = sum(self.awarded, king)?;
        Ok(())
    }

    /// `CumulativeMerkleDrop.claim`: draws all that is new and returns it.
    ///
    /// # Errors
    /// [`KingError::NothingToClaim`].
    pub fn claim(&mut self) -> Result<U256, KingError> {
        let new = self.awarded.saturating_sub(self.claimed);
        if new.is_zero() {
            return Err(KingError::NothingToClaim);
        }
        self.claimed = self.awarded;
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wei(value: u128) -> U256 {
        U256::from(value)
    }

    #[test]
    fn claims_are_cumulative() {
        let mut claims = KingClaims::default();
        assert_eq!(claims.claim(), Err(KingError::NothingToClaim));
        claims.award(wei(5)).unwrap();
        claims.award(wei(7)).unwrap();
        assert_eq!(claims.claim(), Ok(wei(12)));
        assert_eq!(claims.claim(), Err(KingError::NothingToClaim));
        claims.award(wei(1)).unwrap();
        assert_eq!(claims.claim(), Ok(wei(1)));
    }

    #[test]
    fn king_burns_into_its_part_of_the_basket_rounded_down() {
        let each = KingRedemption {
            eigen: wei(3),
            ethfi: wei(7_000_000_000_000_000_000),
        };
        let mut vault = KingVault::per_king(2, each).unwrap();
        let half = wei(500_000_000_000_000_000);
        assert_eq!(
            vault.redeem(half, half),
            Ok(KingRedemption {
                eigen: wei(1),
                ethfi: wei(3_500_000_000_000_000_000)
            })
        );
        assert_eq!(
            vault.redeem(half, half - wei(1)).unwrap_err().to_string(),
            "InsufficientShares(): 500000000000000000 wei of KING wanted, 499999999999999999 held"
        );
        let mut empty = KingVault::per_king(0, each).unwrap();
        assert_eq!(empty.redeem(half, half), Err(KingError::TotalSupplyZero));
    }

    proptest! {
        #[test]
        fn prop_redeeming_in_parts_never_gains_and_takes_nothing_from_the_rest(
            eigen: u64, ethfi: u64, first in 1_u64.., second in 1_u64.., others in 1_u64..,
        ) {
            let mut vault = KingVault {
                total_supply: wei(0),
                basket: KingRedemption::default(),
            };
            let supply = U256::from(first) + U256::from(second) + U256::from(others);
            let assets = KingRedemption { eigen: U256::from(eigen), ethfi: U256::from(ethfi) };
            vault.deposit(assets, supply).unwrap();
            let (a, b) = (U256::from(first), U256::from(second));
            let whole = vault.assets_for(a + b).unwrap();
            let before = vault.assets_for(U256::from(others)).unwrap();
            let one = vault.redeem(a, a).unwrap();
            let two = vault.redeem(b, b).unwrap();
            prop_assert!(one.eigen + two.eigen <= whole.eigen + U256::ONE);
            prop_assert!(one.ethfi + two.ethfi <= whole.ethfi + U256::ONE);
            let after = vault.assets_for(U256::from(others)).unwrap();
            prop_assert!(after.eigen >= before.eigen && after.ethfi >= before.ethfi);
        }
    }
}
