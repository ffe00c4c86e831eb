//! Adding and removing liquidity.

use super::arithmetic::{FEE, add, div, mean, mul_div, mul_div_constant, sub};
use super::curve::Curve;
use super::error::StableSwapError;
use super::parameters::Template;
use super::per_coin::PerCoin;
use super::pool::{Pool, add_each, scale_one, sub_each, unscale};
use basis_core::num::U256;

/// What a deposit gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Liquidity tokens minted, 18 decimals, rounded down.
    pub minted: U256,
    /// The fee for leaving the pool's proportion, in base units of each coin, the admin's part
    /// included. Zero for the first deposit.
    pub fees: PerCoin,
}

/// What an unbalanced withdrawal costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImbalancedWithdrawal {
    /// Liquidity tokens burned, 18 decimals; one more than what rounding down gives.
    pub burned: U256,
    /// The fee for leaving the pool's proportion, in base units of each coin, the admin's part
    /// included.
    pub fees: PerCoin,
}

/// What a withdrawal in one coin gives, in base units of the coin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneCoinWithdrawal {
    /// What is paid out, rounded down, less one unit of 18 decimals.
    pub received: U256,
    /// What would have been paid without fees, less `received`.
    pub fee: U256,
}

/// The books after an unbalanced change, and its fees.
struct Rebalanced {
    /// Balances without the admin's part of the fees.
    balances: PerCoin,
    admin_balances: PerCoin,
    /// Base units of each coin.
    fees: PerCoin,
    /// `D` of the balances without any fees: what the change is worth.
    invariant: U256,
}

impl Pool {
    /// `add_liquidity`: gives `amounts` base units of each coin and mints liquidity tokens.
    ///
    /// The first deposit needs all coins and mints `D`. Any other mints supply × (D2 − D0) ÷ D0,
    /// where D2 is the invariant after the fees on what differs from the pool's proportion.
    ///
    /// # Errors
    /// [`StableSwapError::MintedBelowMinimum`] below `min_mint` liquidity tokens;
    /// [`StableSwapError::InvariantNotRaised`], also when nothing is given;
    /// [`StableSwapError::InitialDepositIncomplete`], [`StableSwapError::WrongCount`]; and as
    /// [`Curve::get_d`].
    pub fn add_liquidity(
        &mut self,
        amounts: &[U256],
        min_mint: U256,
    ) -> Result<Deposit, StableSwapError> {
        const OP: &str = "add liquidity";
        let amounts = self.balances.like(amounts)?;
        let curve = self.curve()?;
        let first = self.lp_supply.is_zero();
        let empty = |(_, amount): &(usize, &U256)| amount.is_zero();
        if first && let Some((coin, _)) = amounts.iter().enumerate().find(empty) {
            return Err(StableSwapError::InitialDepositIncomplete { coin });
        }
        let new_balances = add_each(&self.balances, &amounts)?;
        // The 3pool takes what lies in a pool without supply for nothing.
        let before = if first && self.parameters.template == Template::ThreePool {
            U256::ZERO
        } else {
            self.invariant_of(&curve, &self.balances)?
        };
        let after = self.invariant_of(&curve, &new_balances)?;
        if after <= before {
            return Err(StableSwapError::InvariantNotRaised { before, after });
        }
        let (minted, rebalanced) = if first {
            let rebalanced = Rebalanced {
                balances: new_balances,
                admin_balances: self.admin_balances,
                fees: amounts.zeroed(),
                invariant: after,
            };
            (after, rebalanced)
        } else {
            let rebalanced = self.rebalance(&curve, &new_balances, before, after)?;
            let raised = sub(rebalanced.invariant, before, OP)?;
            (mul_div(self.lp_supply, raised, before, OP)?, rebalanced)
        };
        if minted < min_mint {
            return Err(StableSwapError::MintedBelowMinimum {
                minted,
                minimum: min_mint,
            });
        }
        let supply = add(self.lp_supply, minted, OP)?;
        Ok(Deposit {
            minted,
            fees: self.keep(&rebalanced, supply),
        })
    }

    /// `remove_liquidity`: burns `burn` liquidity tokens for the same part of every coin, rounded
    /// down; returns base units of each. No invariant is computed, so it works in any pool.
    ///
    /// `StableSwapNG` also pays the admin's fees out unless told otherwise: that is
    /// [`Pool::withdraw_admin_fees`].
    ///
    /// # Errors
    /// [`StableSwapError::WithdrawalBelowMinimum`] below `min_amounts` base units of a coin;
    /// [`StableSwapError::ZeroAmount`], [`StableSwapError::AboveSupply`],
    /// [`StableSwapError::WrongCount`].
    pub fn remove_liquidity(
        &mut self,
        burn: U256,
        min_amounts: &[U256],
    ) -> Result<PerCoin, StableSwapError> {
        const OP: &str = "remove liquidity";
        let minima = self.balances.like(min_amounts)?;
        let supply = self.burn_from_supply(burn)?;
        let mut coins = 0..self.balances.len();
        let paid = self.balances.zip_with(&minima, |balance, minimum| {
            let coin = coins.next().unwrap_or_default();
            let received = mul_div(balance, burn, self.lp_supply, OP)?;
            if received < minimum {
                return Err(StableSwapError::WithdrawalBelowMinimum {
                    coin,
                    received,
                    minimum,
                });
            }
            Ok(received)
        })?;
        self.balances = sub_each(&self.balances, &paid)?;
        self.lp_supply = supply;
        Ok(paid)
    }

    /// `remove_liquidity_imbalance`: takes exactly `amounts` base units of each coin and burns
    /// supply × (D0 − D2) ÷ D0 + 1 liquidity tokens, where D2 is the invariant after the fees on
    /// what differs from the pool's proportion.
    ///
    /// # Errors
    /// [`StableSwapError::BurnedAboveMaximum`] above `max_burn` liquidity tokens;
    /// [`StableSwapError::NothingBurned`], [`StableSwapError::AboveSupply`],
    /// [`StableSwapError::WrongCount`]; [`StableSwapError::BelowZero`] for more of a coin than
    /// there is; and as [`Curve::get_d`].
    pub fn remove_liquidity_imbalance(
        &mut self,
        amounts: &[U256],
        max_burn: U256,
    ) -> Result<ImbalancedWithdrawal, StableSwapError> {
        const OP: &str = "remove liquidity imbalance";
        let amounts = self.balances.like(amounts)?;
        if self.lp_supply.is_zero() {
            return Err(StableSwapError::ZeroAmount {
                what: "total supply",
            });
        }
        let curve = self.curve()?;
        let before = self.invariant_of(&curve, &self.balances)?;
        let new_balances = sub_each(&self.balances, &amounts)?;
        let after = self.invariant_of(&curve, &new_balances)?;
        let rebalanced = self.rebalance(&curve, &new_balances, before, after)?;
        let lowered = sub(before, rebalanced.invariant, OP)?;
        let burned = mul_div(lowered, self.lp_supply, before, OP)?;
        if burned.is_zero() {
            return Err(StableSwapError::NothingBurned { lowered });
        }
        // One more in case of rounding errors, as in the contract.
        let burned = add(burned, U256::ONE, OP)?;
        if burned > max_burn {
            return Err(StableSwapError::BurnedAboveMaximum {
                burned,
                maximum: max_burn,
            });
        }
        let supply = self.burn_from_supply(burned)?;
        Ok(ImbalancedWithdrawal {
            burned,
            fees: self.keep(&rebalanced, supply),
        })
    }

    /// `remove_liquidity_one_coin`: burns `burn` liquidity tokens for coin `i` alone.
    ///
    /// # Errors
    /// [`StableSwapError::OneCoinBelowMinimum`] below `min_received` base units;
    /// [`StableSwapError::ZeroAmount`], [`StableSwapError::AboveSupply`],
    /// [`StableSwapError::NoSuchCoin`]; [`StableSwapError::BelowZero`] when `burn` is too small to
    /// give anything; and as [`Curve::get_d`].
    pub fn remove_liquidity_one_coin(
        &mut self,
        burn: U256,
        i: usize,
        min_received: U256,
    ) -> Result<OneCoinWithdrawal, StableSwapError> {
        const OP: &str = "remove liquidity one coin";
        let withdrawal = self.calc_withdraw_one_coin(burn, i)?;
        if withdrawal.received < min_received {
            return Err(StableSwapError::OneCoinBelowMinimum {
                received: withdrawal.received,
                minimum: min_received,
            });
        }
        let supply = self.burn_from_supply(burn)?;
        let admin_fee = self.admin_part(withdrawal.fee)?;
        let left = add(withdrawal.received, admin_fee, OP)?;
        let balance = sub(self.balances.of(i)?, left, OP)?;
        let admin = add(self.admin_balances.of(i)?, admin_fee, OP)?;
        self.balances = self.balances.with(i, balance);
        self.admin_balances = self.admin_balances.with(i, admin);
        self.lp_supply = supply;
        Ok(withdrawal)
    }

    /// `calc_withdraw_one_coin`: what `burn` liquidity tokens give in coin `i`; exactly what
    /// [`Pool::remove_liquidity_one_coin`] then pays.
    ///
    /// # Errors
    /// As [`Pool::remove_liquidity_one_coin`], but for the minimum.
    pub fn calc_withdraw_one_coin(
        &self,
        burn: U256,
        i: usize,
    ) -> Result<OneCoinWithdrawal, StableSwapError> {
        const OP: &str = "withdraw one coin";
        let rate = self.parameters.rates.of(i)?;
        self.burn_from_supply(burn)?;
        let curve = self.curve()?;
        let xp = self.xp()?;
        let xp_i = xp.of(i)?;
        let before = curve.get_d(&xp)?;
        let after = sub(before, mul_div(burn, before, self.lp_supply, OP)?, OP)?;
        let y = curve.get_y_d(i, &xp, after)?;
        let reduced = self.reduced_by_fees(i, &xp, y, before, after)?;
        let left = curve.get_y_d(i, &reduced, after)?;
        let dy = sub(reduced.of(i)?, left, OP)?;
        // One less in case of rounding errors, as in the contract.
        let amounts = [sub(dy, U256::ONE, OP)?, sub(xp_i, y, OP)?];
        let [received, without_fees] = unscale(amounts, rate)?;
        Ok(OneCoinWithdrawal {
            received,
            fee: sub(without_fees, received, OP)?,
        })
    }

    /// `calc_token_amount`: liquidity tokens that `amounts` base units would mint
    /// (`is_deposit`) or burn, 18 decimals, rounded down.
    ///
    /// The older contracts leave fees out of this view; that of `StableSwapNG`
    /// (`CurveStableSwapNGViews.vy` 1.2.0) has them, and gives `D` for a first deposit.
    ///
    /// # Errors
    /// [`StableSwapError::WrongCount`]; [`StableSwapError::BelowZero`] for more of a coin than
    /// there is; [`StableSwapError::Math`] in an empty pool of the older contracts; and as
    /// [`Curve::get_d`].
    pub fn calc_token_amount(
        &self,
        amounts: &[U256],
        is_deposit: bool,
    ) -> Result<U256, StableSwapError> {
        const OP: &str = "token amount";
        let amounts = self.balances.like(amounts)?;
        let curve = self.curve()?;
        let before = self.invariant_of(&curve, &self.balances)?;
        let new_balances = if is_deposit {
            add_each(&self.balances, &amounts)?
        } else {
            sub_each(&self.balances, &amounts)?
        };
        let mut after = self.invariant_of(&curve, &new_balances)?;
        if self.parameters.template == Template::StableSwapNg {
            if self.lp_supply.is_zero() {
                return Ok(after);
            }
            after = self
                .rebalance(&curve, &new_balances, before, after)?
                .invariant;
        }
        let difference = if is_deposit {
            sub(after, before, OP)?
        } else {
            sub(before, after, OP)?
        };
        mul_div(difference, self.lp_supply, before, OP)
    }

    /// Supply after `burn`.
    fn burn_from_supply(&self, burn: U256) -> Result<U256, StableSwapError> {
        if burn.is_zero() {
            return Err(StableSwapError::ZeroAmount {
                what: "liquidity tokens to burn",
            });
        }
        self.lp_supply
            .checked_sub(burn)
            .ok_or(StableSwapError::AboveSupply {
                burned: burn,
                supply: self.lp_supply,
            })
    }

    /// The admin's part of a fee, rounded down.
    #[inline]
    fn admin_part(&self, fee: U256) -> Result<U256, StableSwapError> {
        let part = U256::from(self.parameters.admin_fee);
        mul_div_constant(fee, part, &FEE, "admin fee")
    }

    /// The fee on what differs from the pool's proportion: fee × n ÷ (4 × (n − 1)).
    #[inline]
    fn imbalance_fee(&self) -> U256 {
        let coins = self.balances.len() as u64;
        let bottom = coins.saturating_sub(1).saturating_mul(4);
        // At most 2^33 × 4, over 4 or more.
        let fee = self.parameters.fee.saturating_mul(coins);
        U256::from(fee.checked_div(bottom).unwrap_or_default())
    }

    /// Takes the fees of a change from `self.balances` to `new_balances`, whose invariants without
    /// fees are `before` and `after`.
    fn rebalance(
        &self,
        curve: &Curve,
        new_balances: &PerCoin,
        before: U256,
        after: U256,
    ) -> Result<Rebalanced, StableSwapError> {
        const OP: &str = "imbalance fee";
        let base_fee = self.imbalance_fee();
        let mut rates = self.parameters.rates.iter().copied();
        let ys = if self.grows_liquidity_fees() {
            let coins = U256::from(self.balances.len());
            Some(div(add(before, after, OP)?, coins, OP)?)
        } else {
            None
        };
        let fees = self.balances.zip_with(new_balances, |old, new| {
            let ideal = mul_div(after, old, before, OP)?;
            let rate = rates.next().unwrap_or_default();
            let fee = match ys {
                // Both sums of two balances, so their relation is that of the means.
                Some(ys) => self.offpeg_fee(scale_one(rate, add(old, new, OP)?)?, ys, base_fee)?,
                None => base_fee,
            };
            mul_div_constant(fee, ideal.abs_diff(new), &FEE, OP)
        })?;
        let admin_fees = fees.zip_with(&fees, |fee, _| self.admin_part(fee))?;
        let without_fees = sub_each(new_balances, &fees)?;
        Ok(Rebalanced {
            balances: sub_each(new_balances, &admin_fees)?,
            admin_balances: add_each(&self.admin_balances, &admin_fees)?,
            fees,
            invariant: self.invariant_of(curve, &without_fees)?,
        })
    }

    /// Writes the books and passes the fees on.
    fn keep(&mut self, rebalanced: &Rebalanced, supply: U256) -> PerCoin {
        self.balances = rebalanced.balances;
        self.admin_balances = rebalanced.admin_balances;
        self.lp_supply = supply;
        rebalanced.fees
    }

    /// `xp_reduced`: `xp` less the fees of taking coin `i` down to `y` alone, where a balanced
    /// withdrawal would have taken every coin from `before` to `after`.
    fn reduced_by_fees(
        &self,
        i: usize,
        xp: &PerCoin,
        y: U256,
        before: U256,
        after: U256,
    ) -> Result<PerCoin, StableSwapError> {
        const OP: &str = "withdraw one coin";
        let base_fee = self.imbalance_fee();
        let ys = if self.grows_liquidity_fees() {
            let twice = U256::from(self.balances.len().saturating_mul(2));
            Some(div(add(before, after, OP)?, twice, OP)?)
        } else {
            None
        };
        let mut coins = 0..xp.len();
        xp.zip_with(xp, |x, _| {
            let kept = mul_div(x, after, before, OP)?;
            let (expected, mean) = if coins.next() == Some(i) {
                (sub(kept, y, OP)?, mean(x, y, OP)?)
            } else {
                (sub(x, kept, OP)?, x)
            };
            let fee = match ys {
                Some(ys) => self.offpeg_fee(mean, ys, base_fee)?,
                None => base_fee,
            };
            sub(x, mul_div_constant(fee, expected, &FEE, OP)?, OP)
        })
    }
}
