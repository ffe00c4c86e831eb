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

use basis_core::num::{Bps, Fixed18, MathError, Price, Rounding, Value};
use basis_core::types::Side;

pub use self::error::BarPoolError;

/// The denominator of pool fees: 3000 is 0.30 %.
pub const FEE_DENOMINATOR: u32 = 1_000_000;

/// The most that [`Impact::Sqrt`] may cost, in basis points.
///
/// An order that moves its whole price by c receives most at c = 2/3; beyond it a larger order
/// would receive less.
pub const SQRT_IMPACT_MAX: Bps = Bps::literal("6666");

const BPS_PER_ONE: Fixed18 = Fixed18::from_int(10_000);

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
    /// >= 0, and at most what [`BarPool::receive`] says of `given`.
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
        let rest = self.receive(bar, side, given)?.sub(taken)?;
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
            Ok::<_, MathError>(self.receive(bar, flow.side, amount(units))? >= taken)
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

    /// What `net`, the fee taken, gets from the pool at rest; 18 decimals, rounded down.
    fn receive(&self, bar: &PoolBar, side: Side, net: Fixed18) -> Result<Fixed18, MathError> {
        match self.impact {
            Impact::None => at(bar.mid, side, net, Rounding::Floor),
            Impact::FixedBps(bps) => at_worse(bar.mid, side, net, bps),
            Impact::Sqrt { impact, max } => {
                let cost = sqrt_cost(bar, side, net, impact, max)?;
                at_worse(bar.mid, side, net, cost)
            }
            Impact::ConstantProduct { depth } => {
                let depth = depth.get();
                // With x worth the depth at mid, y·dx ÷ (x + dx) is depth·v ÷ (depth + v), where v
                // is what dx is worth. It grows with v, so a v rounded down never gives more.
                let worth = match side {
                    Side::Sell => at(bar.mid, side, net, Rounding::Floor)?,
                    Side::Buy => net,
                };
                let out = depth.mul_div(worth, depth.add(worth)?, Rounding::Floor)?;
                match side {
                    Side::Sell => Ok(out),
                    Side::Buy => at(bar.mid, side, out, Rounding::Floor),
                }
            }
        }
    }
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
}

/// The least number above zero.
const SMALLEST: Fixed18 = Fixed18::from_mantissa(1);

/// `amount` at `price`: base × price when it is sold, quote ÷ price when it buys.
fn at(price: Price, side: Side, amount: Fixed18, rounding: Rounding) -> Result<Fixed18, MathError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use basis_core::fixed18;
    use proptest::prelude::*;

    pub(super) const BAR: PoolBar = PoolBar {
        mid: Price::literal("2000"),
        volume: Value::literal("1000000"),
    };

    /// The pool at the bar's mid.
    pub(super) const REST: Displacement = Displacement { net: None };

    /// WETH and USDT at 0.30 %.
    pub(super) fn pool(impact: Impact) -> BarPool {
        BarPool::new(3_000, impact, 18, 6).unwrap()
    }

    fn sell(impact: Impact, amount: Fixed18) -> BarSwap {
        pool(impact).quote(&BAR, &REST, Side::Sell, amount).unwrap()
    }

    fn buy(impact: Impact, amount: Fixed18) -> BarSwap {
        pool(impact).quote(&BAR, &REST, Side::Buy, amount).unwrap()
    }

    #[test]
    fn without_impact_a_swap_pays_the_fee_alone() {
        let sold = sell(Impact::None, fixed18!("10"));
        assert_eq!(sold.amount_out, fixed18!("19940"));
        assert_eq!(sold.fee, fixed18!("0.03"));
        assert_eq!(sold.price_impact, Bps::ZERO);
        let bought = buy(Impact::None, fixed18!("20000"));
        assert_eq!(bought.amount_out, fixed18!("9.97"));
        assert_eq!(bought.fee, fixed18!("60"));
    }

    #[test]
    fn a_fixed_impact_moves_the_price_against_the_user() {
        let impact = Impact::FixedBps(Bps::literal("50"));
        assert_eq!(sell(impact, fixed18!("10")).amount_out, fixed18!("19840.3"));
        assert_eq!(
            sell(impact, fixed18!("10")).price_impact,
            Bps::literal("50")
        );
        // 19940 ÷ 2010.
        let bought = buy(impact, fixed18!("20000"));
        assert_eq!(bought.amount_out, fixed18!("9.920398009950248756"));
        // Half a percent up is a little less than half a percent fewer; the last digits are the
        // rounding to 18 decimals.
        assert_eq!(bought.price_impact, Bps::literal("49.751243781094527583"));
    }

    #[test]
    fn a_virtual_pool_gives_half_its_depth_for_all_of_it() {
        let impact = Impact::ConstantProduct {
            depth: Value::literal("1000000"),
        };
        let free = BarPool::new(0, impact, 18, 6).unwrap();
        let sold = free
            .quote(&BAR, &REST, Side::Sell, fixed18!("500"))
            .unwrap();
        assert_eq!(sold.amount_out, fixed18!("500000"));
        assert_eq!(sold.price_impact, Bps::literal("5000"));
        let bought = free
            .quote(&BAR, &REST, Side::Buy, fixed18!("1000000"))
            .unwrap();
        assert_eq!(bought.amount_out, fixed18!("250"));
        let little = free
            .quote(&BAR, &REST, Side::Sell, fixed18!("0.5"))
            .unwrap();
        // 1000 ÷ 1.001.
        assert_eq!(little.amount_out, fixed18!("999.000999"));
    }

    #[test]
    fn impact_grows_with_the_root_of_the_share_up_to_its_bound() {
        let impact = Impact::Sqrt {
            impact: Bps::literal("10"),
            max: Bps::literal("30"),
        };
        let free = BarPool::new(0, impact, 18, 6).unwrap();
        let cost = |amount| {
            free.quote(&BAR, &REST, Side::Sell, amount)
                .unwrap()
                .price_impact
        };
        assert_eq!(cost(fixed18!("5")), Bps::literal("1"));
        assert_eq!(cost(fixed18!("20")), Bps::literal("2"));
        assert_eq!(cost(fixed18!("500")), Bps::literal("10"));
        assert_eq!(cost(fixed18!("50000")), Bps::literal("30"));
        let quiet = PoolBar {
            volume: Value::ZERO,
            ..BAR
        };
        let bound = free
            .quote(&quiet, &REST, Side::Sell, fixed18!("5"))
            .unwrap();
        assert_eq!(bound.price_impact, Bps::literal("30"));
    }

    #[test]
    fn a_minimum_that_is_not_met_is_refused_with_both_numbers() {
        let pool = pool(Impact::None);
        let done = pool.swap(
            &BAR,
            &mut REST.clone(),
            Side::Sell,
            fixed18!("1"),
            fixed18!("1994"),
        );
        assert!(done.is_ok());
        let refused = pool
            .swap(
                &BAR,
                &mut REST.clone(),
                Side::Sell,
                fixed18!("1"),
                fixed18!("1994.000001"),
            )
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Too little received: 1994 below minimum 1994.000001"
        );
    }

    #[test]
    fn what_no_pool_takes_is_refused() {
        let pool = pool(Impact::None);
        let text = |side, amount| {
            pool.quote(&BAR, &REST, side, amount)
                .unwrap_err()
                .to_string()
        };
        assert!(text(Side::Sell, Fixed18::ZERO).starts_with("amount in 0 out of range"));
        assert!(text(Side::Sell, fixed18!("-1")).starts_with("amount in -1 out of range"));
        assert_eq!(
            text(Side::Buy, fixed18!("1.0000001")),
            "amount 1.0000001 has more than the asset's 6 decimals"
        );
        let worthless = PoolBar {
            mid: Price::ZERO,
            ..BAR
        };
        assert!(
            pool.quote(&worthless, &REST, Side::Sell, Fixed18::ONE)
                .is_err()
        );
        let refused = [
            (FEE_DENOMINATOR, Impact::None),
            (0, Impact::FixedBps(Bps::literal("-1"))),
            (0, Impact::FixedBps(Bps::literal("10000"))),
            (0, Impact::ConstantProduct { depth: Value::ZERO }),
            (
                0,
                Impact::Sqrt {
                    impact: Bps::literal("10"),
                    max: Bps::literal("6667"),
                },
            ),
        ];
        for (fee, impact) in refused {
            assert!(BarPool::new(fee, impact, 18, 6).is_err(), "{impact:?}");
        }
    }

    /// Swaps one after the other within the bar, from rest.
    fn in_turn(pool: &BarPool, swaps: &[(Side, Fixed18)]) -> (Vec<Fixed18>, Displacement) {
        let mut displacement = REST;
        let out = swaps.iter().map(|(side, amount)| {
            let swap = pool.swap(&BAR, &mut displacement, *side, *amount, Fixed18::ZERO);
            swap.unwrap().amount_out
        });
        (out.collect(), displacement)
    }

    pub(super) const POOL: Impact = Impact::ConstantProduct {
        depth: Value::literal("1000000"),
    };
    pub(super) const ROOT: Impact = Impact::Sqrt {
        impact: Bps::literal("100"),
        max: Bps::literal("500"),
    };

    #[test]
    fn a_second_swap_in_the_bar_meets_the_price_the_first_one_left() {
        let free = BarPool::new(0, POOL, 18, 6).unwrap();
        let half = (Side::Sell, fixed18!("250"));
        let (out, _) = in_turn(&free, &[half, half]);
        // 500 sell for half of the depth, whether at once or in two.
        assert_eq!(out, [fixed18!("333333.333333"), fixed18!("166666.666667")]);
        let free = BarPool::new(0, ROOT, 18, 6).unwrap();
        let whole = free.quote(&BAR, &REST, Side::Sell, fixed18!("20")).unwrap();
        let (out, _) = in_turn(
            &free,
            &[(Side::Sell, fixed18!("5")), (Side::Sell, fixed18!("15"))],
        );
        // 10 bps on the first 10,000 of a million, 20 bps on 40,000 in all.
        assert_eq!(out, [fixed18!("9990"), fixed18!("29930")]);
        assert_eq!(whole.amount_out, fixed18!("39920"));
    }

    #[test]
    fn the_way_back_gives_back_what_the_way_there_moved_less_fees() {
        for impact in [POOL, ROOT] {
            let free = BarPool::new(0, impact, 18, 6).unwrap();
            let there = (Side::Sell, fixed18!("5"));
            let got = in_turn(&free, &[there]).0[0];
            let (out, after) = in_turn(&free, &[there, (Side::Buy, got)]);
            assert_eq!(out[1], fixed18!("5"), "{impact:?}");
            assert_eq!(after, REST);
            // Half of the way, then the other half.
            let half = got.mul(fixed18!("0.5"), Rounding::Floor).unwrap();
            let half = half.round_to_decimals(6, Rounding::Floor).unwrap();
            let rest = got.sub(half).unwrap();
            let (out, after) = in_turn(&free, &[there, (Side::Buy, half), (Side::Buy, rest)]);
            // The price was furthest from mid for what was sold last, so that is dearest back.
            assert!(out[1] > out[2], "{impact:?}: {out:?}");
            assert_eq!(out[1].add(out[2]).unwrap(), fixed18!("5"));
            assert_eq!(after, REST);
            // With a fee both ways less comes back, and the rest stands in the pool.
            let dear = BarPool::new(3_000, impact, 18, 6).unwrap();
            let got = in_turn(&dear, &[there]).0[0];
            let (out, after) = in_turn(&dear, &[there, (Side::Buy, got)]);
            assert!(out[1] < fixed18!("4.985"), "{impact:?}: {out:?}");
            assert_ne!(after, REST);
        }
    }

    #[test]
    fn beyond_the_way_back_a_swap_goes_on_as_from_rest() {
        let free = BarPool::new(0, POOL, 18, 6).unwrap();
        let (out, after) = in_turn(
            &free,
            &[
                (Side::Sell, fixed18!("500")),
                (Side::Buy, fixed18!("1500000")),
            ],
        );
        // 500,000 buy the 500 back, a million more half of the depth.
        assert_eq!(out, [fixed18!("500000"), fixed18!("750")]);
        let (alone, rested) = in_turn(&free, &[(Side::Buy, fixed18!("1000000"))]);
        assert_eq!((alone, after), (vec![fixed18!("250")], rested));
    }

    #[test]
    fn a_cost_that_knows_no_size_moves_nothing() {
        for impact in [Impact::None, Impact::FixedBps(Bps::literal("50"))] {
            let pool = pool(impact);
            let swap = (Side::Sell, fixed18!("10"));
            let (out, after) = in_turn(&pool, &[swap, swap]);
            assert_eq!((out[0], after), (out[1], REST), "{impact:?}");
        }
    }

    #[test]
    fn a_refused_swap_leaves_the_pool_where_it_was() {
        let pool = pool(POOL);
        let (_, mut displacement) = in_turn(&pool, &[(Side::Sell, fixed18!("10"))]);
        let before = displacement;
        let all = fixed18!("99999999");
        let refused = pool.swap(&BAR, &mut displacement, Side::Sell, fixed18!("1"), all);
        assert!(refused.is_err());
        assert_eq!(displacement, before);
    }

    #[test]
    fn dust_is_given_for_nothing() {
        let sold = sell(Impact::None, fixed18!("0.0000000001"));
        assert_eq!(sold.amount_out, Fixed18::ZERO);
        assert_eq!(sold.price_impact, Bps::literal("10000"));
    }

    fn bps(below: i64) -> impl Strategy<Value = Bps> {
        (0..below)
            .prop_map(|tenths| Bps::new(Fixed18::from_ratio(tenths, 10, Rounding::Down).unwrap()))
    }

    fn impact() -> impl Strategy<Value = Impact> {
        prop_oneof![
            Just(Impact::None),
            bps(90_000).prop_map(Impact::FixedBps),
            (1_i64..1_000_000_000_000).prop_map(|depth| Impact::ConstantProduct {
                depth: Value::new(Fixed18::from_ratio(depth, 1_000, Rounding::Down).unwrap()),
            }),
            (bps(100_000), bps(66_660)).prop_map(|(impact, max)| Impact::Sqrt { impact, max }),
        ]
    }

    pub(super) fn bar() -> impl Strategy<Value = PoolBar> {
        (1_i64..100_000_000_000, 0_i64..10_000_000_000).prop_map(|(mid, volume)| PoolBar {
            // From a millionth to a hundred thousand.
            mid: Price::new(Fixed18::from_ratio(mid, 1_000_000, Rounding::Down).unwrap()).unwrap(),
            volume: Value::new(Fixed18::from_int(volume)),
        })
    }

    pub(super) fn any_pool() -> impl Strategy<Value = BarPool> {
        (0_u32..100_000, impact(), 6_u32..=18, 6_u32..=18)
            .prop_map(|(fee, impact, base, quote)| BarPool::new(fee, impact, base, quote).unwrap())
    }

    /// Millionths, which every asset of these pools can hold.
    pub(super) fn amount() -> impl Strategy<Value = Fixed18> {
        prop_oneof![1_i64..1_000, 1_i64..10_000_000_000_000]
            .prop_map(|units| Fixed18::from_ratio(units, 1_000_000, Rounding::Down).unwrap())
    }

    pub(super) fn side() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Buy), Just(Side::Sell)]
    }

    proptest! {
        #[test]
        fn prop_never_better_than_mid(
            pool in any_pool(), bar in bar(), side in side(), amount in amount(),
        ) {
            let swap = pool.quote(&bar, &REST, side, amount).unwrap();
            let at_mid = at(bar.mid, side, amount, Rounding::Floor).unwrap();
            prop_assert!(swap.amount_out <= at_mid);
            prop_assert!(!swap.price_impact.is_negative() && !swap.fee.is_negative());
            let decimals = if side == Side::Sell { pool.quote_decimals } else { pool.base_decimals };
            let whole = swap.amount_out.round_to_decimals(decimals, Rounding::Down);
            prop_assert_eq!(whole, Ok(swap.amount_out));
        }

        #[test]
        fn prop_a_larger_amount_never_gets_less(
            pool in any_pool(), bar in bar(), side in side(), a in amount(), b in amount(),
        ) {
            let (less, more) = (a.min(b), a.max(b));
            let [less, more] = [less, more].map(|x| pool.quote(&bar, &REST, side, x).unwrap().amount_out);
            // A cost in basis points is rounded to its last decimal, and the price after it; this
            // is what these can move an amount near the other by.
            let slack = if matches!(pool.impact, Impact::Sqrt { .. }) {
                more.mul(fixed18!("1e-11"), Rounding::Ceil).unwrap().max(SMALLEST)
            } else {
                Fixed18::ZERO
            };
            prop_assert!(more.add(slack).unwrap() >= less, "{less} then {more}");
        }

        #[test]
        fn prop_there_and_back_never_profits(
            pool in any_pool(), bar in bar(), side in side(), amount in amount(),
        ) {
            let there = pool.quote(&bar, &REST, side, amount).unwrap();
            if there.amount_out.is_positive() {
                let back = pool.quote(&bar, &REST, side.opposite(), there.amount_out).unwrap();
                prop_assert!(back.amount_out <= amount);
            }
        }

        /// Whoever swaps to and fro within a bar is never left with more of one asset and no less of
        /// the other, nor with more than the net amount gets at mid.
        #[test]
        fn prop_swaps_of_a_bar_never_beat_their_net_amount_at_mid(
            pool in any_pool(), bar in bar(), swaps in prop::collection::vec((side(), amount()), 1..6),
        ) {
            let mut displacement = REST;
            let (mut base, mut quote) = (Fixed18::ZERO, Fixed18::ZERO);
            for (side, amount) in swaps {
                let out = pool.swap(&bar, &mut displacement, side, amount, Fixed18::ZERO).unwrap().amount_out;
                let (given, taken) = match side {
                    Side::Sell => (&mut base, &mut quote),
                    Side::Buy => (&mut quote, &mut base),
                };
                *given = given.sub(amount).unwrap();
                *taken = taken.add(out).unwrap();
                if quote.is_positive() {
                    prop_assert!(!base.is_positive());
                    let worth = at(bar.mid, Side::Sell, base.neg().unwrap(), Rounding::Ceil).unwrap();
                    prop_assert!(quote <= worth, "{quote} for {base}");
                }
                if base.is_positive() {
                    prop_assert!(!quote.is_positive());
                    let worth = at(bar.mid, Side::Buy, quote.neg().unwrap(), Rounding::Ceil).unwrap();
                    prop_assert!(base <= worth, "{base} for {quote}");
                }
            }
        }

        #[test]
        fn prop_an_order_in_pieces_gets_no_more_than_in_one(
            pool in any_pool(), bar in bar(), side in side(),
            pieces in prop::collection::vec(amount(), 2..6),
        ) {
            let whole = pieces.iter().try_fold(Fixed18::ZERO, |sum, piece| sum.add(*piece)).unwrap();
            let whole = pool.quote(&bar, &REST, side, whole).unwrap().amount_out;
            let (mut displacement, mut sum) = (REST, Fixed18::ZERO);
            for piece in pieces {
                let swap = pool.swap(&bar, &mut displacement, side, piece, Fixed18::ZERO).unwrap();
                sum = sum.add(swap.amount_out).unwrap();
            }
            let slack = if matches!(pool.impact, Impact::Sqrt { .. }) {
                whole.mul(fixed18!("1e-11"), Rounding::Ceil).unwrap().max(SMALLEST)
            } else {
                Fixed18::ZERO
            };
            prop_assert!(sum <= whole.add(slack).unwrap(), "{sum} in pieces, {whole} in one");
        }

        #[test]
        fn prop_deeper_pools_and_quieter_models_never_give_less(
            bar in bar(), side in side(), amount in amount(), depth in 1_i64..1_000_000_000,
        ) {
            let depth = |factor| Impact::ConstantProduct {
                depth: Value::new(Fixed18::from_int(depth).mul_int(factor).unwrap()),
            };
            let out = [depth(1), depth(2), Impact::None]
                .map(|impact| super::BarPool::new(500, impact, 18, 6).unwrap())
                .map(|pool| pool.quote(&bar, &REST, side, amount).unwrap().amount_out);
            prop_assert!(out.is_sorted(), "{out:?}");
        }
    }
}
