//! What a swap's own size costs it.

use basis_core::num::{Bps, Fixed18, MathError, Price, Rounding, Value};
use basis_core::types::Side;

use super::{PoolBar, SMALLEST};

/// The most that [`Impact::Sqrt`] may cost, in basis points.
///
/// An order that moves its whole price by c receives most at c = 2/3; beyond it a larger order
/// would receive less.
pub const SQRT_IMPACT_MAX: Bps = Bps::literal("6666");

/// How much worse than mid a swap gets by its own size, the fee aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impact {
    /// Not at all.
    None,
    /// By this many basis points of the price, whatever the size; 0 or more, below 10000.
    FixedBps(Bps),
    /// As in a constant-product pool that holds at mid what is worth `depth` on each side:
    /// y·dx ÷ (x + dx).
    ConstantProduct {
        /// Quote units on each side, above 0.
        depth: Value,
    },
    /// By `impact` × √(size ÷ the bar's volume), at most `max`; `max` when there was no volume.
    ///
    /// The same as the taking orders of the CEX pay. The last decimals of cost and price are
    /// rounded, so that of two sizes next to each other the larger may get 10^-11 of it less.
    Sqrt {
        /// Basis points for a swap as large as the whole bar's volume, 0 or more.
        impact: Bps,
        /// Upper bound in basis points, 0 to [`SQRT_IMPACT_MAX`].
        max: Bps,
    },
}

impl Impact {
    /// Whether a larger swap meets a worse price: then it has moved the pool.
    #[must_use]
    pub const fn grows_with_size(&self) -> bool {
        match self {
            Self::None | Self::FixedBps(_) => false,
            Self::ConstantProduct { .. } | Self::Sqrt { .. } => true,
        }
    }

    /// What `net`, the fee taken, gets from the pool at rest; 18 decimals, rounded down.
    pub(super) fn receive(
        &self,
        bar: &PoolBar,
        side: Side,
        net: Fixed18,
    ) -> Result<Fixed18, MathError> {
        match *self {
            Self::None => at(bar.mid, side, net, Rounding::Floor),
            Self::FixedBps(bps) => at_worse(bar.mid, side, net, bps),
            Self::Sqrt { impact, max } => {
                let cost = sqrt_cost(bar, side, net, impact, max)?;
                at_worse(bar.mid, side, net, cost)
            }
            Self::ConstantProduct { depth } => {
                let depth = depth.get();
                // With x worth the depth at mid, y·dx ÷ (x + dx) is depth·v ÷ (depth + v), where v
                // is what dx is worth. It grows with v, so a v rounded down never gives more.
                let value = match side {
                    Side::Sell => at(bar.mid, side, net, Rounding::Floor)?,
                    Side::Buy => net,
                };
                let out = depth.mul_div(value, depth.add(value)?, Rounding::Floor)?;
                match side {
                    Side::Sell => Ok(out),
                    Side::Buy => at(bar.mid, side, out, Rounding::Floor),
                }
            }
        }
    }
}

/// `amount` at `price`: base × price when it is sold, quote ÷ price when it buys.
pub(super) fn at(
    price: Price,
    side: Side,
    amount: Fixed18,
    rounding: Rounding,
) -> Result<Fixed18, MathError> {
    match side {
        Side::Sell => amount.mul(price.get(), rounding),
        Side::Buy => amount.div(price.get(), rounding),
    }
}

/// `amount` at a mid that is `bps` worse for this side, rounded down.
fn at_worse(mid: Price, side: Side, amount: Fixed18, bps: Bps) -> Result<Fixed18, MathError> {
    let price = match side {
        Side::Sell => mid.shift_bps(bps.neg()?, Rounding::Floor)?,
        Side::Buy => mid.shift_bps(bps, Rounding::Ceil)?,
    };
    at(price, side, amount, Rounding::Floor)
}

/// `impact` × √(size ÷ volume), both in quote units; rounded up.
fn sqrt_cost(
    bar: &PoolBar,
    side: Side,
    net: Fixed18,
    impact: Bps,
    max: Bps,
) -> Result<Bps, MathError> {
    if !bar.volume.is_positive() {
        return Ok(max);
    }
    let size = match side {
        Side::Sell => at(bar.mid, side, net, Rounding::Ceil)?,
        Side::Buy => net,
    };
    let share = size.div(bar.volume.get(), Rounding::Ceil)?;
    let mut root = share.sqrt_floor()?;
    if root.mul(root, Rounding::Floor)? < share {
        root = root.add(SMALLEST)?;
    }
    let cost = Bps::new(impact.get().mul(root, Rounding::Ceil)?);
    Ok(cost.min(max))
}
