//! The price a taking order gets.

use basis_core::num::{Bps, MathError, Price, Quantity, Rounding};
use basis_core::types::Side;
use basis_market::Quote;
use basis_protocols::exchange::orders::against_us;

use super::settings::Slippage;

impl Slippage {
    /// Basis points by which an order of `quantity` base units (> 0) is worse than the mark.
    ///
    /// # Errors
    /// [`MathError`] when quantity and volume are out of proportion.
    pub fn cost(self, quantity: Quantity, volume: Quantity) -> Result<Bps, MathError> {
        match self {
            Self::None => Ok(Bps::ZERO),
            Self::FixedBps(bps) => Ok(bps),
            Self::SqrtImpact { max, .. } if !volume.is_positive() => Ok(max),
            Self::SqrtImpact { impact, max } => {
                // Rounded up, so that a cost is never understated.
                let share = quantity.ratio(volume, Rounding::Ceil)?.get().sqrt_floor()?;
                let cost = Bps::new(impact.get().mul(share, Rounding::Ceil)?);
                Ok(cost.min(max))
            }
        }
    }
}

/// The price at which `quantity` is taken now: mark plus slippage, rounded to the tick against us.
pub(crate) fn taking_price(
    slippage: Slippage,
    quote: &Quote,
    side: Side,
    quantity: Quantity,
    tick: Price,
) -> Result<Price, MathError> {
    let cost = slippage.cost(quantity, quote.volume)?;
    let shift = match side {
        Side::Buy => cost,
        Side::Sell => cost.neg()?,
    };
    quote
        .mark
        .shift_bps(shift, against_us(side))?
        .round_to_tick(tick, against_us(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impact_grows_with_the_root_of_the_share_up_to_its_bound() {
        let model = Slippage::SqrtImpact {
            impact: Bps::literal("10"),
            max: Bps::literal("30"),
        };
        let cost = |quantity: &str, volume: &str| {
            model
                .cost(quantity.parse().unwrap(), volume.parse().unwrap())
                .unwrap()
        };
        assert_eq!(cost("1", "100"), Bps::literal("1"));
        assert_eq!(cost("4", "100"), Bps::literal("2"));
        assert_eq!(cost("100", "100"), Bps::literal("10"));
        assert_eq!(cost("10000", "100"), Bps::literal("30"));
        assert_eq!(cost("1", "0"), Bps::literal("30"));
    }
}
