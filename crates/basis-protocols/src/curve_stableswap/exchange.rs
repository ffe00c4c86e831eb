//! Exchanging one coin for another.

use super::arithmetic::{FEE, add, mean, mul_div_constant, sub};
use super::error::StableSwapError;
use super::parameters::{FEE_DENOMINATOR, Template};
use super::pool::{Pool, scale_one, unscale};
use basis_core::num::U256;

/// What a refusal of an exchange names as its operation: below zero there, the input is too little.
pub(super) const EXCHANGE: &str = "exchange";

/// What an exchange gives, in base units of the coin received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What is paid out, fee taken.
    pub received: U256,
    /// The whole fee, rounded down; it stays in the pool, the admin's part included.
    pub fee: U256,
    /// The admin's part, rounded down, so that what is lost to rounding stays with liquidity.
    pub admin_fee: U256,
}

impl Pool {
    /// What [`Pool::exchange`] would give now for `dx` base units of coin `i` in coin `j`.
    ///
    /// # Errors
    /// As [`Pool::exchange`], but for the minimum.
    pub fn quote(&self, i: usize, j: usize, dx: U256) -> Result<Exchange, StableSwapError> {
        const OP: &str = EXCHANGE;
        if dx.is_zero() {
            return Err(StableSwapError::ZeroAmount {
                what: "exchange amount",
            });
        }
        let rates = &self.parameters.rates;
        let (rate_in, rate_out) = (rates.of(i)?, rates.of(j)?);
        let xp = self.xp()?;
        let (xp_in, xp_out) = (xp.of(i)?, xp.of(j)?);
        let curve = self.curve()?;
        let x = add(xp_in, scale_one(rate_in, dx)?, OP)?;
        let d = curve.get_d(&xp)?;
        let y = curve.get_y(i, j, x, &xp, d)?;
        // One less in case of rounding errors, as in the contract.
        let dy = sub(sub(xp_out, y, OP)?, U256::ONE, OP)?;
        let rate = self.offpeg_fee(
            mean(xp_in, x, OP)?,
            mean(xp_out, y, OP)?,
            U256::from(self.parameters.fee),
        )?;
        let fee = mul_div_constant(dy, rate, &FEE, OP)?;
        let admin_fee = mul_div_constant(fee, U256::from(self.parameters.admin_fee), &FEE, OP)?;
        let [received, fee, admin_fee] = unscale([sub(dy, fee, OP)?, fee, admin_fee], rate_out)?;
        Ok(Exchange {
            received,
            fee,
            admin_fee,
        })
    }

    /// `get_dy`: the contract's own view, in base units of coin `j`.
    ///
    /// The 3pool converts to base units before it takes the fee, so its view can differ from its
    /// exchange by one unit; the other contracts' views are exact.
    ///
    /// # Errors
    /// As [`Pool::quote`].
    pub fn get_dy(&self, i: usize, j: usize, dx: U256) -> Result<U256, StableSwapError> {
        const OP: &str = "get_dy";
        let has_contract_view = self.parameters.template == Template::ThreePool
            && self.parameters.offpeg_fee_multiplier <= FEE_DENOMINATOR;
        if !has_contract_view {
            return Ok(self.quote(i, j, dx)?.received);
        }
        let rates = &self.parameters.rates;
        let (rate_in, rate_out) = (rates.of(i)?, rates.of(j)?);
        let xp = self.xp()?;
        let curve = self.curve()?;
        let x = add(xp.of(i)?, scale_one(rate_in, dx)?, OP)?;
        let y = curve.get_y(i, j, x, &xp, curve.get_d(&xp)?)?;
        let dy = sub(sub(xp.of(j)?, y, OP)?, U256::ONE, OP)?;
        let [dy] = unscale([dy], rate_out)?;
        let fee = mul_div_constant(dy, U256::from(self.parameters.fee), &FEE, OP)?;
        sub(dy, fee, OP)
    }

    /// `exchange`: gives `dx` base units of coin `i` to the pool and takes coin `j` from it.
    ///
    /// dy = xp\[j\] − y − 1; the fee comes off dy; both are rounded down to base units after that.
    /// The admin's part of the fee leaves the balances. A `dx` of zero is refused for all
    /// contracts, though the older ones would take it for nothing.
    ///
    /// # Errors
    /// [`StableSwapError::ExchangeBelowMinimum`] below `min_dy` base units;
    /// [`StableSwapError::SameCoin`], [`StableSwapError::NoSuchCoin`],
    /// [`StableSwapError::ZeroAmount`]; [`StableSwapError::BelowZero`] when the amount is too small
    /// to give anything; and as [`Curve::get_d`](super::Curve::get_d).
    pub fn exchange(
        &mut self,
        i: usize,
        j: usize,
        dx: U256,
        min_dy: U256,
    ) -> Result<Exchange, StableSwapError> {
        const OP: &str = EXCHANGE;
        let exchange = self.quote(i, j, dx)?;
        if exchange.received < min_dy {
            return Err(StableSwapError::ExchangeBelowMinimum {
                received: exchange.received,
                minimum: min_dy,
            });
        }
        let grown = add(self.balances.of(i)?, dx, OP)?;
        let left = add(exchange.received, exchange.admin_fee, OP)?;
        let shrunk = sub(self.balances.of(j)?, left, OP)?;
        let admin = add(self.admin_balances.of(j)?, exchange.admin_fee, OP)?;
        self.balances = self.balances.with(i, grown).with(j, shrunk);
        self.admin_balances = self.admin_balances.with(j, admin);
        Ok(exchange)
    }
}
