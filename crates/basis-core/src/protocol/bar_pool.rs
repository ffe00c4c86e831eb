//! A DEX pool of which only price bars are recorded: what a swap gets at a bar's price.
//!
//! What it is: mid price, pool fee and a model of price impact, for exact amounts in, in either
//! direction. What it is not: a pool. It has no reserves or ticks; where a pool's state is recorded,
//! [`uniswap_v3`](super::uniswap_v3) and [`curve_stableswap`](super::curve_stableswap) compute what
//! the contract does, and this only estimates it.
//!
//! A swap moves the price within itself alone: the next one begins at the bar's mid again, as if
//! others had brought it back. So an order cut into pieces within one bar pays less impact here
//! than the market would charge; whoever cuts orders must not take this model for proof.
//!
//! # Invariants
//!
//! Every rounding is against the user: the fee and what an impact costs round up, what is received
//! rounds down. So nothing is ever better than mid, and there and back within a bar never gains.

use crate::num::{Bps, Fixed18, MathError, Price, Rounding, Value};
use crate::types::Side;

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

/// What a swap gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarSwap {
    /// Received, in the other asset, rounded down to its decimals.
    pub amount_out: Fixed18,
    /// The part of the amount in that the pool keeps, rounded up to its decimals.
    pub fee: Fixed18,
    /// How much less `amount_out` is than the amount in, less fee, at mid: basis points, rounded
    /// up. The rounding to decimals is in it.
    pub price_impact: Bps,
}

/// A swap that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BarPoolError {
    /// The swap gives less than asked for.
    #[error("Too little received: {received} below minimum {minimum}")]
    TooLittleReceived {
        /// What the swap gives.
        received: Fixed18,
        /// What was asked for.
        minimum: Fixed18,
    },
    /// An amount that the asset cannot hold.
    #[error("amount {amount} has more than the asset's {decimals} decimals")]
    TooManyDecimals {
        /// The amount in.
        amount: Fixed18,
        /// The asset's decimals.
        decimals: u32,
    },
    /// A number out of its range, or a result that does not fit.
    #[error(transparent)]
    Math(#[from] MathError),
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

    /// What [`BarPool::swap`] gives for `amount_in` (above 0): base units to sell, quote units to
    /// buy with.
    ///
    /// # Errors
    /// As [`BarPool::swap`], but for the minimum.
    pub fn quote(
        &self,
        bar: &PoolBar,
        side: Side,
        amount_in: Fixed18,
    ) -> Result<BarSwap, BarPoolError> {
        within("mid price", SMALLEST, Fixed18::MAX, bar.mid.get())?;
        within("amount in", SMALLEST, Fixed18::MAX, amount_in)?;
        let (decimals_in, decimals_out) = match side {
            Side::Sell => (self.base_decimals, self.quote_decimals),
            Side::Buy => (self.quote_decimals, self.base_decimals),
        };
        if amount_in.round_to_decimals(decimals_in, Rounding::Down)? != amount_in {
            return Err(BarPoolError::TooManyDecimals {
                amount: amount_in,
                decimals: decimals_in,
            });
        }
        let kept = Fixed18::from_int(i64::from(FEE_DENOMINATOR.saturating_sub(self.fee)));
        let one = Fixed18::from_int(i64::from(FEE_DENOMINATOR));
        let net = amount_in
            .mul_div(kept, one, Rounding::Floor)?
            .round_to_decimals(decimals_in, Rounding::Floor)?;
        let amount_out = self
            .receive(bar, side, net)?
            .round_to_decimals(decimals_out, Rounding::Floor)?;
        Ok(BarSwap {
            amount_out,
            fee: amount_in.sub(net)?,
            price_impact: shortfall(at(bar.mid, side, net, Rounding::Ceil)?, amount_out)?,
        })
    }

    /// Gives `amount_in` (above 0) to the pool: base units to sell, quote units to buy with. The fee
    /// is taken from it first, as Uniswap does.
    ///
    /// # Errors
    /// [`BarPoolError::TooLittleReceived`] below `min_out`; [`BarPoolError::TooManyDecimals`];
    /// [`MathError`] for an amount or a mid price of zero or less, or a result out of range.
    pub fn swap(
        &self,
        bar: &PoolBar,
        side: Side,
        amount_in: Fixed18,
        min_out: Fixed18,
    ) -> Result<BarSwap, BarPoolError> {
        let swap = self.quote(bar, side, amount_in)?;
        if swap.amount_out < min_out {
            return Err(BarPoolError::TooLittleReceived {
                received: swap.amount_out,
                minimum: min_out,
            });
        }
        Ok(swap)
    }

    /// What `net`, the fee taken, gets; 18 decimals, rounded down.
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
    use crate::fixed18;
    use proptest::prelude::*;

    const BAR: PoolBar = PoolBar {
        mid: Price::literal("2000"),
        volume: Value::literal("1000000"),
    };

    /// WETH and USDT at 0.30 %.
    fn pool(impact: Impact) -> BarPool {
        BarPool::new(3_000, impact, 18, 6).unwrap()
    }

    fn sell(impact: Impact, amount: Fixed18) -> BarSwap {
        pool(impact).quote(&BAR, Side::Sell, amount).unwrap()
    }

    fn buy(impact: Impact, amount: Fixed18) -> BarSwap {
        pool(impact).quote(&BAR, Side::Buy, amount).unwrap()
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
        let sold = free.quote(&BAR, Side::Sell, fixed18!("500")).unwrap();
        assert_eq!(sold.amount_out, fixed18!("500000"));
        assert_eq!(sold.price_impact, Bps::literal("5000"));
        let bought = free.quote(&BAR, Side::Buy, fixed18!("1000000")).unwrap();
        assert_eq!(bought.amount_out, fixed18!("250"));
        let little = free.quote(&BAR, Side::Sell, fixed18!("0.5")).unwrap();
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
        let cost = |amount| free.quote(&BAR, Side::Sell, amount).unwrap().price_impact;
        assert_eq!(cost(fixed18!("5")), Bps::literal("1"));
        assert_eq!(cost(fixed18!("20")), Bps::literal("2"));
        assert_eq!(cost(fixed18!("500")), Bps::literal("10"));
        assert_eq!(cost(fixed18!("50000")), Bps::literal("30"));
        let quiet = PoolBar {
            volume: Value::ZERO,
            ..BAR
        };
        let bound = free.quote(&quiet, Side::Sell, fixed18!("5")).unwrap();
        assert_eq!(bound.price_impact, Bps::literal("30"));
    }

    #[test]
    fn a_minimum_that_is_not_met_is_refused_with_both_numbers() {
        let pool = pool(Impact::None);
        let done = pool.swap(&BAR, Side::Sell, fixed18!("1"), fixed18!("1994"));
        assert!(done.is_ok());
        let refused = pool
            .swap(&BAR, Side::Sell, fixed18!("1"), fixed18!("1994.000001"))
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Too little received: 1994 below minimum 1994.000001"
        );
    }

    #[test]
    fn what_no_pool_takes_is_refused() {
        let pool = pool(Impact::None);
        let text = |side, amount| pool.quote(&BAR, side, amount).unwrap_err().to_string();
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
        assert!(pool.quote(&worthless, Side::Sell, Fixed18::ONE).is_err());
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

    fn bar() -> impl Strategy<Value = PoolBar> {
        (1_i64..100_000_000_000, 0_i64..10_000_000_000).prop_map(|(mid, volume)| PoolBar {
            // From a millionth to a hundred thousand.
            mid: Price::new(Fixed18::from_ratio(mid, 1_000_000, Rounding::Down).unwrap()).unwrap(),
            volume: Value::new(Fixed18::from_int(volume)),
        })
    }

    fn any_pool() -> impl Strategy<Value = BarPool> {
        (0_u32..100_000, impact(), 6_u32..=18, 6_u32..=18)
            .prop_map(|(fee, impact, base, quote)| BarPool::new(fee, impact, base, quote).unwrap())
    }

    /// Millionths, which every asset of these pools can hold.
    fn amount() -> impl Strategy<Value = Fixed18> {
        prop_oneof![1_i64..1_000, 1_i64..10_000_000_000_000]
            .prop_map(|units| Fixed18::from_ratio(units, 1_000_000, Rounding::Down).unwrap())
    }

    fn side() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Buy), Just(Side::Sell)]
    }

    const fn other(side: Side) -> Side {
        match side {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    proptest! {
        #[test]
        fn prop_never_better_than_mid(
            pool in any_pool(), bar in bar(), side in side(), amount in amount(),
        ) {
            let swap = pool.quote(&bar, side, amount).unwrap();
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
            let [less, more] = [less, more].map(|x| pool.quote(&bar, side, x).unwrap().amount_out);
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
            let there = pool.quote(&bar, side, amount).unwrap();
            if there.amount_out.is_positive() {
                let back = pool.quote(&bar, other(side), there.amount_out).unwrap();
                prop_assert!(back.amount_out <= amount);
            }
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
                .map(|pool| pool.quote(&bar, side, amount).unwrap().amount_out);
            prop_assert!(out.is_sorted(), "{out:?}");
        }
    }
}
