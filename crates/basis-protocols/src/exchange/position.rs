//! A position in a linear perpetual future: open cost, realised result.
//!
//! A position is a signed quantity `q` (base units, long > 0) and its open cost `c`, the signed sum
//! of quantity × fill price still open. Unrealised result = q × mark − c; average cost = c ÷ q.
//! Keeping the cost instead of the average makes every step exact: no division is ever booked.
//!
//! Sources: Binance USD-M, Bybit v5 and OKX v5 margin documentation (facts sheet §2.10, §3.9, §4.9).

use basis_core::num::{MathError, Price, Quantity, Rounding, Value};

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
}
