//! Linear perpetual futures: open cost, realised result, funding, margin.
//!
//! A position is a signed quantity `q` (base units, long > 0) and its open cost `c`, the signed sum
//! of quantity × fill price still open. Unrealised result = q × mark − c; average cost = c ÷ q.
//! Keeping the cost instead of the average makes every step exact: no division is ever booked.
//!
//! Sources: Binance USD-M, Bybit v5 and OKX v5 margin documentation (facts sheet §2.10, §3.9, §4.9);
//! funding: longs pay shorts when the rate is positive, on position × mark.

use crate::num::{Fixed18, MathError, Price, Quantity, Rate, Rounding, Value};
use crate::rules::{MarginTier, PerpRules, TierMethod, TierUnit};

/// A signed position and its open cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerpPosition {
    /// Signed base units, long > 0.
    pub quantity: Quantity,
    /// Signed quote units: the sum of quantity × fill price still open.
    pub cost: Value,
}

/// What a fill did to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionChange {
    /// The position after the fill.
    pub after: PerpPosition,
    /// The result settled in the quote asset; zero when the fill only added.
    pub realized: Value,
}

impl PerpPosition {
    /// Unrealised result at `mark`: q × mark − c. Half-even at 18 decimals.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn unrealized(&self, mark: Price) -> Result<Value, MathError> {
        self.quantity
            .notional(mark, Rounding::HalfEven)?
            .sub(self.cost)
    }

    /// Applies a fill of signed `quantity` at `price`.
    ///
    /// Reducing settles closed × (price − average cost), rounded down (toward minus infinity, against
    /// us) to `settlement_decimals` of the quote asset; what the rounding leaves stays in the open
    /// cost of what remains. A fill through zero closes first and opens the rest at its price.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn fill(
        &self,
        quantity: Quantity,
        price: Price,
        settlement_decimals: u32,
    ) -> Result<PositionChange, MathError> {
        let paid = quantity.notional(price, Rounding::HalfEven)?;
        let after = self.quantity.add(quantity)?;
        if self.quantity.signum() * quantity.signum() >= 0 {
            let after = Self {
                quantity: after,
                cost: self.cost.add(paid)?,
            };
            return Ok(PositionChange {
                after,
                realized: Value::ZERO,
            });
        }
        let crosses = after.signum() * self.quantity.signum() < 0;
        let opened = if crosses {
            after.notional(price, Rounding::HalfEven)?
        } else {
            Value::ZERO
        };
        // Cost of what stays open, in exact proportion; all of it is gone when nothing stays.
        let kept = if crosses || after.is_zero() {
            Value::ZERO
        } else {
            Value::new(self.cost.get().mul_div(
                after.get(),
                self.quantity.get(),
                Rounding::HalfEven,
            )?)
        };
        // closed cost + fill cost + realised = 0 before rounding.
        let exact = kept.add(opened)?.sub(self.cost)?.sub(paid)?;
        let realized = Value::new(
            exact
                .get()
                .round_to_decimals(settlement_decimals, Rounding::Floor)?,
        );
        let cost = self.cost.add(paid)?.add(realized)?;
        Ok(PositionChange {
            after: Self {
                quantity: after,
                cost,
            },
            realized,
        })
    }

    /// Signed funding at `mark` and `rate`: −(q × mark × rate), rounded down (against us) to
    /// `settlement_decimals`. Positive is received.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn funding(
        &self,
        mark: Price,
        rate: Rate,
        settlement_decimals: u32,
    ) -> Result<Quantity, MathError> {
        let notional = self.quantity.notional(mark, Rounding::HalfEven)?;
        let paid = notional.at_rate(rate, Rounding::HalfEven)?;
        let received = paid
            .get()
            .neg()?
            .round_to_decimals(settlement_decimals, Rounding::Floor)?;
        Ok(Quantity::new(received))
    }
}

impl PerpRules {
    /// The price at which `wallet` plus the position's unrealised result meets its maintenance
    /// margin: wallet + q·p − c = |q|·p·r − d, so p = (c − wallet − d) ÷ (q − |q|·r), with rate r
    /// and deduction d of the tier that the position falls into at p.
    ///
    /// Isolated: `wallet` is the position's own margin. Cross: the account's cash less what other
    /// positions keep isolated, less their maintenance, plus their unrealised result; this is
    /// Binance's published formula (facts sheet §2.10), and Bybit's and OKX's without closing fees.
    ///
    /// Not positive: no price reaches it. `None` when no tier holds its own solution, which happens
    /// only with tables whose margin jumps at a bound.
    ///
    /// # Errors
    /// [`MathError`] out of range, or for a flat position.
    pub fn liquidation_price(
        &self,
        position: &PerpPosition,
        wallet: Value,
        rounding: Rounding,
    ) -> Result<Option<Fixed18>, MathError> {
        let size = position.quantity.abs()?.get();
        let last = self.tiers.last().map(|tier| tier.up_to);
        let mut below = None;
        for tier in &self.tiers {
            let deduction = match self.tier_method {
                TierMethod::Deduction => tier.deduction,
                TierMethod::Whole => Value::ZERO,
            };
            let numerator = position.cost.sub(wallet)?.sub(deduction)?.get();
            let margin = size.mul(tier.maintenance_margin_rate.get(), Rounding::HalfEven)?;
            let denominator = position.quantity.get().sub(margin)?;
            let price = numerator.div(denominator, rounding)?;
            let measure = match self.tier_unit {
                TierUnit::Notional if price.is_positive() => size.mul(price, Rounding::Ceil)?,
                TierUnit::Notional => Fixed18::ZERO,
                TierUnit::Base => size,
            };
            let above_floor = below.is_none_or(|floor| measure > floor);
            let within = measure <= tier.up_to || Some(tier.up_to) == last;
            if above_floor && within {
                return Ok(Some(price));
            }
            below = Some(tier.up_to);
        }
        Ok(None)
    }

    /// The tier of a position of `size` base units (>= 0) worth `notional`; `None` above the last.
    #[must_use]
    pub fn tier(&self, size: Quantity, notional: Value) -> Option<&MarginTier> {
        let measure = match self.tier_unit {
            TierUnit::Notional => notional.get(),
            TierUnit::Base => size.get(),
        };
        self.tiers.iter().find(|tier| measure <= tier.up_to)
    }

    /// Maintenance margin of signed `quantity` at `mark`, rounded up. Above the last tier the last
    /// tier's rate applies: such a position cannot be opened, but a price can lift it there.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn maintenance_margin(&self, quantity: Quantity, mark: Price) -> Result<Value, MathError> {
        let size = quantity.abs()?;
        self.maintenance_of(size, size.notional(mark, Rounding::Ceil)?)
    }

    /// As [`PerpRules::maintenance_margin`], for a `size` (>= 0) whose worth at mark is known.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn maintenance_of(&self, size: Quantity, notional: Value) -> Result<Value, MathError> {
        let (gross, deduction) = self.maintenance_parts(size, notional)?;
        gross.sub(deduction)
    }

    /// What [`PerpRules::maintenance_of`] is made of: notional × the tier's rate, rounded up, which
    /// moves with the price, and the tier's deduction, which does not.
    ///
    /// # Errors
    /// [`MathError`] out of range.
    pub fn maintenance_parts(
        &self,
        size: Quantity,
        notional: Value,
    ) -> Result<(Value, Value), MathError> {
        let Some(tier) = self.tier(size, notional).or(self.tiers.last()) else {
            return Ok((Value::ZERO, Value::ZERO));
        };
        let gross = notional.at_rate(tier.maintenance_margin_rate, Rounding::Ceil)?;
        let deduction = match self.tier_method {
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
        &self,
        quantity: Quantity,
        mark: Price,
        leverage: Fixed18,
    ) -> Result<Value, MathError> {
        let notional = quantity.abs()?.notional(mark, Rounding::Ceil)?;
        Ok(Value::new(notional.get().div(leverage, Rounding::Ceil)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    fn p(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn v(text: &str) -> Value {
        text.parse().unwrap()
    }

    #[test]
    fn short_opened_in_two_fills_and_reduced_settles_against_average_cost() {
        let flat = PerpPosition::default();
        let one = flat.fill(q("-1"), p("60000"), 6).unwrap().after;
        let two = one.fill(q("-1"), p("62000"), 6).unwrap().after;
        assert_eq!(
            two,
            PerpPosition {
                quantity: q("-2"),
                cost: v("-122000")
            }
        );
        let reduced = two.fill(q("0.5"), p("60000"), 6).unwrap();
        // Average cost 61,000; half a coin bought back 1,000 lower earns 500.
        assert_eq!(reduced.realized, v("500"));
        assert_eq!(
            reduced.after,
            PerpPosition {
                quantity: q("-1.5"),
                cost: v("-91500")
            }
        );
    }

    #[test]
    fn rounding_of_a_settlement_stays_in_the_open_cost() {
        let open = PerpPosition {
            quantity: q("-3"),
            cost: v("-100"),
        };
        let change = open.fill(q("1"), p("33"), 6).unwrap();
        assert_eq!(change.realized, v("0.333333"), "33.33… − 33, rounded down");
        let mark = p("33");
        let before = open.unrealized(mark).unwrap();
        let after = change
            .after
            .unrealized(mark)
            .unwrap()
            .add(change.realized)
            .unwrap();
        assert_eq!(before, after, "a fill at mark moves nothing");
    }

    #[test]
    fn a_fill_through_zero_closes_then_opens() {
        let open = PerpPosition {
            quantity: q("-1"),
            cost: v("-60000"),
        };
        let change = open.fill(q("3"), p("59000"), 6).unwrap();
        assert_eq!(change.realized, v("1000"));
        assert_eq!(
            change.after,
            PerpPosition {
                quantity: q("2"),
                cost: v("118000")
            }
        );
    }

    #[test]
    fn longs_pay_shorts_when_the_rate_is_positive() {
        let short = PerpPosition {
            quantity: q("-2"),
            cost: v("-120000"),
        };
        let rate = "0.0001".parse().unwrap();
        assert_eq!(short.funding(p("60000"), rate, 6).unwrap(), q("12"));
        let long = PerpPosition {
            quantity: q("2"),
            cost: v("120000"),
        };
        assert_eq!(long.funding(p("60000"), rate, 6).unwrap(), q("-12"));
        let tiny = "0.0000000001".parse().unwrap();
        assert_eq!(
            long.funding(p("1"), tiny, 6).unwrap(),
            q("-0.000001"),
            "against us"
        );
    }
}
