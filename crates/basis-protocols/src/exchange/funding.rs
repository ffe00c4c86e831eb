//! Funding payments of perpetual futures.
//!
//! Longs pay shorts when the rate is positive, on position × mark (Binance USD-M, Bybit v5 and OKX v5
//! documentation, facts sheet §2.10, §3.9, §4.9).

use basis_core::num::{MathError, Price, Quantity, Rate, Rounding};

use super::position::PerpPosition;

impl PerpPosition {
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

#[cfg(test)]
mod tests {
    use basis_core::num::Value;

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
