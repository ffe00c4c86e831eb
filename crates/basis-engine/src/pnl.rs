//! Attribution: where each step's change of equity came from.
//!
//! With R the reference spot price, per step: `price` = starting delta × ΔR; `basis` = Σ starting
//! quantity × Δ(mark − R); a token valued at a rate × R has a delta of units × rate, and units × Δrate ×
//! R at the end is `staking_yield` where the rate is its protocol's, `basis` where a pool's. Every
//! ledger line adds its own: a trade line quantity × reference price −
//! value to `slippage`, any other kind its value to its bucket, and each line of a priced item its
//! quantity × (mark at the step's end − reference price) to `price`: R at a moment within a bar is not
//! recorded, so what a mark drifts between such a moment and the step's end counts as R's. A fill at
//! the open of the step's bar adds quantity × (R at the end − R at the open) to `price` and the rest of
//! its drift to `basis`. What the run's dollar token did against the dollar is `peg` ([`crate::peg`]). No bucket is a remainder; `residual` = Δequity − external flows − Σ buckets,
//! zero to rounding.

use serde::{Deserialize, Serialize};

use basis_core::num::{Fixed18, MathError, Price, Rounding, Value};

/// Returns the most that rounding may leave over in a step that ends with `equity`, >= 0: 0.000000001, and
/// of a book beyond a billion a part in 10^18 of it. Rates are rounded at 18 decimals, so that what is left
/// over grows with the units they multiply.
///
/// # Errors
/// [`MathError`] out of range.
pub(crate) fn residual_bound(equity: Value) -> Result<Value, MathError> {
    const LEAST: Value = Value::literal("0.000000001");
    const PART: Fixed18 = Fixed18::literal("0.000000000000000001");
    let part = equity.abs()?.get().mul(PART, Rounding::Up)?;
    Ok(LEAST.max(Value::new(part)))
}

/// What a summary needs of a step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StepEnd {
    /// Equity at the end of the step, USD.
    pub equity_usd: Value,
    /// Capital that came from (> 0) or went (< 0) outside within the step, USD.
    pub external_flow_usd: Value,
    /// Attribution of the step, USD.
    pub attribution: Attribution,
    /// The reference price at the step.
    pub reference: Price,
}

/// The buckets of a step or a run, in USD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// Net delta × move of the reference.
    pub price: Value,
    /// Moves of marks against the reference.
    pub basis: Value,
    /// Funding payments.
    pub funding: Value,
    /// Interest earned.
    pub interest: Value,
    /// Interest owed.
    pub borrow_cost: Value,
    /// Growth of liquid staking tokens against what they stake, at their protocols' rates.
    pub staking_yield: Value,
    /// Rewards.
    pub rewards: Value,
    /// Fees that liquidity in pools has earned.
    pub liquidity_fees: Value,
    /// Fills against the mark, those among them by which a pool turns one asset of our liquidity into
    /// another: what others call impermanent loss.
    pub slippage: Value,
    /// Trading fees.
    pub fees: Value,
    /// Gas.
    pub gas: Value,
    /// Cost of transfers.
    pub transfer_cost: Value,
    /// What liquidations took, net of [`Attribution::written_off`].
    pub liquidation: Value,
    /// Moves of the run's dollar token against the dollar.
    pub peg: Value,
    /// What of `liquidation` others bore, >= 0: no bucket of its own.
    #[serde(default)]
    pub written_off: Value,
    /// What the buckets leave unexplained.
    pub residual: Value,
}

impl Attribution {
    /// The sum of the buckets, the residual left out.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn total(&self) -> Result<Value, MathError> {
        let [named @ .., _residual] = self.values();
        named.into_iter().try_fold(Value::ZERO, Value::add)
    }

    /// Adds another step's buckets to these.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn accumulate(&mut self, other: &Self) -> Result<(), MathError> {
        for (bucket, value) in self.buckets_mut().into_iter().zip(other.values()) {
            if !value.is_zero() {
                *bucket = bucket.add(value)?;
            }
        }
        self.written_off = self.written_off.add(other.written_off)?;
        Ok(())
    }

    /// The values of [`Attribution::rows`].
    pub(crate) fn values(&self) -> [Value; 15] {
        self.rows().map(|(_, value)| value)
    }

    pub(crate) const fn buckets_mut(&mut self) -> [&mut Value; 15] {
        [
            &mut self.price,
            &mut self.basis,
            &mut self.funding,
            &mut self.interest,
            &mut self.borrow_cost,
            &mut self.staking_yield,
            &mut self.rewards,
            &mut self.liquidity_fees,
            &mut self.slippage,
            &mut self.fees,
            &mut self.gas,
            &mut self.transfer_cost,
            &mut self.liquidation,
            &mut self.peg,
            &mut self.residual,
        ]
    }

    /// Bucket names and values in the order of the output files; `residual` last.
    #[must_use]
    pub const fn rows(&self) -> [(&'static str, Value); 15] {
        [
            ("price", self.price),
            ("basis", self.basis),
            ("funding", self.funding),
            ("interest", self.interest),
            ("borrow_cost", self.borrow_cost),
            ("staking_yield", self.staking_yield),
            ("rewards", self.rewards),
            ("liquidity_fees", self.liquidity_fees),
            ("slippage", self.slippage),
            ("fees", self.fees),
            ("gas", self.gas),
            ("transfer_cost", self.transfer_cost),
            ("liquidation", self.liquidation),
            ("peg", self.peg),
            ("residual", self.residual),
        ]
    }
}
