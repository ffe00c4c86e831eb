//! A DEX pool of which only price bars are recorded: what a swap gets at a bar's price.
//!
//! What it is: mid price, pool fee and a model of price impact, for exact amounts in or out, in either
//! direction. What it is not: a pool. It has no reserves or ticks; where a pool's state is recorded,
//! [`uniswap_v3`](super::uniswap_v3) and [`curve_stableswap`](super::curve_stableswap) compute what
//! the contract does, and this only estimates it.
//!
//! Where an impact grows with the size, swaps of one bar meet the pool where those before them left
//! it ([`Displacement`]): an order in pieces gets no more than the order in one, and the way back
//! gives back what the way there moved, less fees. A new bar is the pool at rest again, as if others
//! had brought it back meanwhile: whoever spreads an order over bars must not take this model for
//! proof that the market has.
//!
//! # Invariants
//!
//! Every rounding is against the user: the fee and what an impact costs round up, what is received
//! rounds down. All swaps of a bar together get at most what a swap of their net amount gets, so they
//! are never better than mid, and there and back never gains.

mod error;
mod exact_output;
mod impact;
#[cfg(test)]
mod tests;

use basis_core::num::{Bps, Fixed18, MathError, Price, Rounding, Value};
use basis_core::types::Side;

use self::impact::at;

pub use self::error::BarPoolError;
pub use self::impact::{Impact, SQRT_IMPACT_MAX};

/// The denominator of pool fees: 3000 is 0.30 %.
pub const FEE_DENOMINATOR: u32 = 1_000_000;

const BPS_PER_ONE: Fixed18 = Fixed18::from_int(10_000);

/// What one bar says of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolBar {
    /// Quote per base, fee aside; above 0.
    pub mid: Price,
    /// The bar's volume in quote units; only [`Impact::Sqrt`] looks at it. Recorded volumes are
    /// often in dollars instead: convert them first.
    pub volume: Value,
}

/// A pool known by its bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarPool {
    fee: u32,
    impact: Impact,
    base_decimals: u32,
    quote_decimals: u32,
}

/// How far the swaps of a bar have moved its pool: what they gave and took, netted. The default is the
/// pool at rest; so is [`Impact::None`] and [`Impact::FixedBps`] always, whose impact knows no size.
///
/// Belongs to one bar: with the next one start from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Displacement {
    net: Option<NetFlow>,
}

/// What the swaps of a bar come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NetFlow {
    /// Which way they went.
    side: Side,
    /// Fees taken, > 0.
    given: Fixed18,
    /// >= 0, and at most what [`Impact::receive`] says of `given`.
    taken: Fixed18,
}

/// What a swap gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarSwap {
    /// Given, fee included.
    pub amount_in: Fixed18,
    /// Received, in the other asset, rounded down to its decimals.
    pub amount_out: Fixed18,
    /// The part of the amount in that the pool keeps, rounded up to its decimals.
    pub fee: Fixed18,
    /// How much less `amount_out` is than the amount in, less fee, at mid: basis points, rounded
    /// up. The rounding to decimals is in it. Below zero for what goes back where swaps before it in
    /// the bar came from.
    pub price_impact: Bps,
}

impl BarPool {
    /// A pool with `fee` in [`FEE_DENOMINATOR`]ths (below one) and the decimals of its assets (18
    /// at most; more are kept as 18).
    ///
    /// # Errors
    /// [`MathError::OutOfRange`] for a fee or an impact outside its bounds.
    pub fn new(
        fee: u32,
        impact: Impact,
        base_decimals: u32,
        quote_decimals: u32,
    ) -> Result<Self, MathError> {
        let fee_max = i64::from(FEE_DENOMINATOR).saturating_sub(1);
        let fee_given = Fixed18::from_int(i64::from(fee));
        within(
            "pool fee",
            Fixed18::ZERO,
            Fixed18::from_int(fee_max),
            fee_given,
        )?;
        match impact {
            Impact::None => {}
            Impact::FixedBps(bps) => {
                let most = BPS_PER_ONE.sub(SMALLEST)?;
                within("impact in basis points", Fixed18::ZERO, most, bps.get())?;
            }
            Impact::ConstantProduct { depth } => {
                within("depth", SMALLEST, Fixed18::MAX, depth.get())?;
            }
            Impact::Sqrt { impact, max } => {
                within(
                    "impact in basis points",
                    Fixed18::ZERO,
                    Fixed18::MAX,
                    impact.get(),
                )?;
                let most = SQRT_IMPACT_MAX.get();
                within(
                    "most impact in basis points",
                    Fixed18::ZERO,
                    most,
                    max.get(),
                )?;
            }
        }
        Ok(Self {
            fee,
            impact,
            base_decimals: base_decimals.min(Fixed18::DECIMALS),
            quote_decimals: quote_decimals.min(Fixed18::DECIMALS),
        })
    }

    /// What [`BarPool::swap`] gives for `amount_in` (above 0) where the bar's swaps so far have left the
    /// pool: base units to sell, quote units to buy with.
    ///
    /// # Errors
    /// As [`BarPool::swap`], but for the minimum.
    pub fn quote(
        &self,
        bar: &PoolBar,
        displacement: &Displacement,
        side: Side,
        amount_in: Fixed18,
    ) -> Result<BarSwap, BarPoolError> {
        Ok(self.fill(bar, displacement, side, amount_in)?.0)
    }

    /// Gives `amount_in` (above 0) to the pool: base units to sell, quote units to buy with. The fee
    /// is taken from it first, as Uniswap does, and does not move the price. `displacement` is that of
    /// this bar, and moves along; a refusal leaves it.
    ///
    /// # Errors
    /// [`BarPoolError::TooLittleReceived`] below `min_out`; [`BarPoolError::TooManyDecimals`];
    /// [`MathError`] for an amount or a mid price of zero or less, or a result out of range.
    pub fn swap(
        &self,
        bar: &PoolBar,
        displacement: &mut Displacement,
        side: Side,
        amount_in: Fixed18,
        min_out: Fixed18,
    ) -> Result<BarSwap, BarPoolError> {
        let (swap, moved) = self.fill(bar, displacement, side, amount_in)?;
        if swap.amount_out < min_out {
            return Err(BarPoolError::TooLittleReceived {
                received: swap.amount_out,
                minimum: min_out,
            });
        }
        *displacement = moved;
        Ok(swap)
    }

    /// The swap, and where it leaves the pool.
    fn fill(
        &self,
        bar: &PoolBar,
        displacement: &Displacement,
        side: Side,
        amount_in: Fixed18,
    ) -> Result<(BarSwap, Displacement), BarPoolError> {
        within("mid price", SMALLEST, Fixed18::MAX, bar.mid.get())?;
        let decimals_in = self.decimals_given(side);
        check_amount("amount in", amount_in, decimals_in)?;
        let kept = Fixed18::from_int(i64::from(FEE_DENOMINATOR.saturating_sub(self.fee)));
        let one = Fixed18::from_int(i64::from(FEE_DENOMINATOR));
        let net = amount_in
            .mul_div(kept, one, Rounding::Floor)?
            .round_to_decimals(decimals_in, Rounding::Floor)?;
        let (amount_out, moved) = match displacement.net {
            Some(flow) if flow.side != side => self.back(bar, flow, net)?,
            flow => self.onward(bar, flow, side, net)?,
        };
        let swap = BarSwap {
            amount_in,
            amount_out,
            fee: amount_in.sub(net)?,
            price_impact: shortfall(at(bar.mid, side, net, Rounding::Ceil)?, amount_out)?,
        };
        Ok((swap, moved))
    }

    /// Further away from mid: what all that was given so far gets as one swap, less what was taken.
    fn onward(
        &self,
        bar: &PoolBar,
        flow: Option<NetFlow>,
        side: Side,
        net: Fixed18,
    ) -> Result<(Fixed18, Displacement), MathError> {
        let (given, taken) = flow.map_or((Fixed18::ZERO, Fixed18::ZERO), |f| (f.given, f.taken));
        let given = given.add(net)?;
        // At the bound of the square root the last digits may make a larger amount get less.
        let rest = self.impact.receive(bar, side, given)?.sub(taken)?;
        let out = rest
            .max(Fixed18::ZERO)
            .round_to_decimals(self.decimals_taken(side), Rounding::Floor)?;
        let moved = NetFlow {
            side,
            given,
            taken: taken.add(out)?,
        };
        let moves = self.impact.grows_with_size() && given.is_positive();
        let net = moves.then_some(moved);
        Ok((out, Displacement { net }))
    }

    /// Back towards mid, by the way that `flow` came, and beyond it as from rest.
    fn back(
        &self,
        bar: &PoolBar,
        flow: NetFlow,
        net: Fixed18,
    ) -> Result<(Fixed18, Displacement), MathError> {
        if net >= flow.taken {
            let beyond = net.sub(flow.taken)?;
            let (more, moved) = self.onward(bar, None, flow.side.opposite(), beyond)?;
            return Ok((flow.given.add(more)?, moved));
        }
        let taken = flow.taken.sub(net)?;
        let given = self.least_given(bar, flow, taken)?;
        let net = Some(NetFlow {
            given,
            taken,
            ..flow
        });
        Ok((flow.given.sub(given)?, Displacement { net }))
    }

    /// The least amount, in whole units of its asset, for which a swap from rest gets `taken` (above 0,
    /// at most the flow's own): found by halving, for the square root has no short inverse.
    fn least_given(
        &self,
        bar: &PoolBar,
        flow: NetFlow,
        taken: Fixed18,
    ) -> Result<Fixed18, MathError> {
        let unit = unit_of(self.decimals_given(flow.side));
        let amount = |units: i128| Fixed18::from_mantissa(units.saturating_mul(unit));
        let whole = flow.given.mantissa().checked_div(unit).unwrap_or_default();
        let least = least_enough(0, whole, |units| {
            Ok::<_, MathError>(self.impact.receive(bar, flow.side, amount(units))? >= taken)
        });
        Ok(amount(least?))
    }

    const fn decimals_given(&self, side: Side) -> u32 {
        match side {
            Side::Sell => self.base_decimals,
            Side::Buy => self.quote_decimals,
        }
    }

    const fn decimals_taken(&self, side: Side) -> u32 {
        self.decimals_given(side.opposite())
    }
}

/// The least number above zero.
const SMALLEST: Fixed18 = Fixed18::from_mantissa(1);

/// How much `received` falls short of `ideal`, in basis points, rounded up; zero for nothing.
fn shortfall(ideal: Fixed18, received: Fixed18) -> Result<Bps, MathError> {
    if ideal.is_zero() {
        return Ok(Bps::ZERO);
    }
    let missing = ideal.sub(received)?;
    Ok(Bps::new(missing.mul_div(
        BPS_PER_ONE,
        ideal,
        Rounding::Ceil,
    )?))
}

/// The least whole number between the two that is enough, where `little` is not and `enough` is taken to
/// be; at most 127 halvings.
fn least_enough<E>(
    mut little: i128,
    mut enough: i128,
    mut is_enough: impl FnMut(i128) -> Result<bool, E>,
) -> Result<i128, E> {
    while enough.saturating_sub(little) > 1 {
        let middle = little.midpoint(enough);
        if is_enough(middle)? {
            enough = middle;
        } else {
            little = middle;
        }
    }
    Ok(enough)
}

/// The mantissa of one unit of an asset with so many decimals.
const fn unit_of(decimals: u32) -> i128 {
    10_i128.pow(Fixed18::DECIMALS.saturating_sub(decimals))
}

/// Refuses zero, less, and digits beyond the asset's.
fn check_amount(what: &'static str, amount: Fixed18, decimals: u32) -> Result<(), BarPoolError> {
    within(what, SMALLEST, Fixed18::MAX, amount)?;
    if amount.round_to_decimals(decimals, Rounding::Down)? == amount {
        return Ok(());
    }
    Err(BarPoolError::TooManyDecimals { amount, decimals })
}

fn within(what: &'static str, min: Fixed18, max: Fixed18, value: Fixed18) -> Result<(), MathError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(MathError::OutOfRange {
        what,
        min,
        max,
        value,
    })
}
