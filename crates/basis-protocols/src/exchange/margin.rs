//! Margin of linear perpetual futures: tiers, initial and maintenance margin, what binds an order.
//!
//! Sources: Binance USD-M, Bybit v5 and OKX v5 margin documentation (facts sheet §2.10, §3.9, §4.9).

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::{InstrumentRules, MarginTier, PerpRules, TierMethod, TierUnit};

use super::position::PerpPosition;

/// The tier of a position of `size` base units (>= 0) worth `notional`; `None` above the last.
#[must_use]
pub fn tier(rules: &PerpRules, size: Quantity, notional: Value) -> Option<&MarginTier> {
    let measure = match rules.tier_unit {
        TierUnit::Notional => notional.get(),
        TierUnit::Base => size.get(),
    };
    rules.tiers.iter().find(|tier| measure <= tier.up_to)
}

/// Maintenance margin of signed `quantity` at `mark`, rounded up. Above the last tier the last
/// tier's rate applies: such a position cannot be opened, but a price can lift it there.
///
/// # Errors
/// [`MathError`] out of range.
pub fn maintenance_margin(
    rules: &PerpRules,
    quantity: Quantity,
    mark: Price,
) -> Result<Value, MathError> {
    let size = quantity.abs()?;
    maintenance_of(rules, size, size.notional(mark, Rounding::Ceil)?)
}

/// As [`maintenance_margin`], for a `size` (>= 0) whose worth at mark is known.
///
/// # Errors
/// [`MathError`] out of range.
pub fn maintenance_of(
    rules: &PerpRules,
    size: Quantity,
    notional: Value,
) -> Result<Value, MathError> {
    let (gross, deduction) = maintenance_parts(rules, size, notional)?;
    gross.sub(deduction)
}

/// What [`maintenance_of`] is made of: notional × the tier's rate, rounded up, which
/// moves with the price, and the tier's deduction, which does not.
///
/// # Errors
/// [`MathError`] out of range.
pub fn maintenance_parts(
    rules: &PerpRules,
    size: Quantity,
    notional: Value,
) -> Result<(Value, Value), MathError> {
    let Some(tier) = tier(rules, size, notional).or(rules.tiers.last()) else {
        return Ok((Value::ZERO, Value::ZERO));
    };
    let gross = notional.at_rate(tier.maintenance_margin_rate, Rounding::Ceil)?;
    let deduction = match rules.tier_method {
        TierMethod::Deduction => tier.deduction,
        TierMethod::Whole => Value::ZERO,
    };
    Ok((gross, deduction))
}

/// Initial margin of signed `quantity` at `mark` and `leverage` (>= 1), rounded up.
///
/// # Errors
/// [`MathError`] out of range.
pub fn initial_margin(
    quantity: Quantity,
    mark: Price,
    leverage: Fixed18,
) -> Result<Value, MathError> {
    let notional = quantity.abs()?.notional(mark, Rounding::Ceil)?;
    Ok(Value::new(notional.get().div(leverage, Rounding::Ceil)?))
}

/// What positions on one collateral have and need, in the settlement asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    /// Cash plus unrealised results.
    pub balance: Value,
    /// Initial margin bound by positions.
    pub initial: Value,
    /// Below or at this the account is liquidated.
    pub maintenance: Value,
}

impl Margin {
    /// Cash without positions.
    #[must_use]
    pub const fn of_cash(cash: Quantity) -> Self {
        Self {
            balance: Value::new(cash.get()),
            initial: Value::ZERO,
            maintenance: Value::ZERO,
        }
    }

    /// Adds a position at `price`; leaves `initial` alone without a leverage.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn add(
        &mut self,
        rules: &InstrumentRules,
        position: &PerpPosition,
        price: Price,
        leverage: Option<Fixed18>,
    ) -> Result<(), MathError> {
        self.balance = self.balance.add(position.unrealized(price)?)?;
        let Some(perp) = &rules.perp else {
            return Ok(());
        };
        match leverage {
            Some(leverage) => {
                let margin = initial_margin(position.quantity, price, leverage)?;
                self.initial = self.initial.add(margin)?;
            }
            None => {
                let margin = maintenance_margin(perp, position.quantity, price)?;
                self.maintenance = self.maintenance.add(margin)?;
            }
        }
        Ok(())
    }

    /// What may be bound anew: balance − initial margin; negative when over-bound.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn available(&self) -> Result<Value, MathError> {
        self.balance.sub(self.initial)
    }
}

/// Returns what an order of `quantity` (> 0) at `limit` binds of which `opening` would open: initial margin
/// of that part and the fee at `fee_rate` on all of it, rounded up to `decimals` of the settlement asset.
///
/// # Errors
/// [`MathError`] out of range.
pub fn order_margin(
    (opening, quantity): (Quantity, Quantity),
    limit: Price,
    leverage: Fixed18,
    fee_rate: Rate,
    decimals: u32,
) -> Result<Quantity, MathError> {
    let margin = initial_margin(opening, limit, leverage)?;
    let turnover = quantity.notional(limit, Rounding::Ceil)?;
    let fee = turnover.at_rate(fee_rate, Rounding::Ceil)?;
    let needed = margin.add(fee)?.get();
    let needed = needed.round_to_decimals(decimals, Rounding::Ceil)?;
    Ok(Quantity::new(needed))
}

/// Returns the margin that an isolated position keeps after a fill at `price` brought it from `before`,
/// which kept `margin`, to `after`: of what is kept its share, rounded up, and initial margin for what is
/// opened. Quantities are signed; a flat position keeps nothing.
///
/// # Errors
/// [`MathError`] out of range.
pub fn isolated_margin(
    (before, margin): (Quantity, Quantity),
    after: Quantity,
    price: Price,
    leverage: Fixed18,
    decimals: u32,
) -> Result<Quantity, MathError> {
    let (size, was) = (after.abs()?, before.abs()?);
    let flips = before.signum() * after.signum() < 0;
    let (kept, opened) = if flips {
        (Quantity::ZERO, size)
    } else if size >= was {
        (margin, size.sub(was)?)
    } else {
        let kept = margin.get();
        let kept = kept.mul_div(size.get(), was.get(), Rounding::Ceil)?;
        let kept = kept.round_to_decimals(decimals, Rounding::Ceil)?;
        (Quantity::new(kept), Quantity::ZERO)
    };
    let added = initial_margin(opened, price, leverage)?.get();
    let added = added.round_to_decimals(decimals, Rounding::Ceil)?;
    kept.add(Quantity::new(added))
}

/// Returns the margin of an isolated position of open `cost` at another leverage: |cost| ÷ leverage, rounded
/// up to `decimals` of the settlement asset.
///
/// # Errors
/// [`MathError`] out of range.
pub fn isolated_margin_of_cost(
    cost: Value,
    leverage: Fixed18,
    decimals: u32,
) -> Result<Quantity, MathError> {
    let margin = cost.abs()?.get().div(leverage, Rounding::Ceil)?;
    let margin = margin.round_to_decimals(decimals, Rounding::Ceil)?;
    Ok(Quantity::new(margin))
}

/// The bound that a position is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionLimit {
    /// No tier holds a position of this size worth so much.
    LastTier {
        /// Base units, >= 0.
        size: Quantity,
        /// At the mark.
        notional: Value,
    },
    /// The leverage chosen is above what the tier of the position allows.
    Leverage {
        /// At the mark.
        notional: Value,
        /// The most.
        max: Fixed18,
    },
}

/// Returns the limit that a position of signed `quantity` at `mark` and `leverage` is beyond, if any.
///
/// # Errors
/// [`MathError`] out of range.
pub fn position_limit(
    rules: &PerpRules,
    quantity: Quantity,
    mark: Price,
    leverage: Fixed18,
) -> Result<Option<PositionLimit>, MathError> {
    let size = quantity.abs()?;
    let notional = size.notional(mark, Rounding::Ceil)?;
    Ok(match tier(rules, size, notional) {
        None => Some(PositionLimit::LastTier { size, notional }),
        Some(tier) if leverage > tier.max_leverage => Some(PositionLimit::Leverage {
            notional,
            max: tier.max_leverage,
        }),
        Some(_) => None,
    })
}

/// Returns the highest leverage for a position of `size` (>= 0) at `mark`: what its tier allows, and at
/// most that of all tiers.
///
/// # Errors
/// [`MathError`] out of range.
pub fn leverage_max(rules: &PerpRules, size: Quantity, mark: Price) -> Result<Fixed18, MathError> {
    let notional = size.notional(mark, Rounding::Ceil)?;
    let of_tier = tier(rules, size, notional)
        .or(rules.tiers.last())
        .map_or(rules.max_leverage, |tier| tier.max_leverage);
    Ok(of_tier.min(rules.max_leverage))
}

/// Tells whether the position after a fill binds more than the one before: it grew, or turned around.
///
/// # Errors
/// [`MathError`] out of range.
pub fn binds_more(before: &PerpPosition, after: &PerpPosition) -> Result<bool, MathError> {
    let flips = before.quantity.signum() * after.quantity.signum() < 0;
    Ok(flips || after.quantity.abs()? > before.quantity.abs()?)
}
