//! Swaps of an exact output: the least input that gets it.

use super::{
    BarPool, BarPoolError, BarSwap, Displacement, PoolBar, SMALLEST, at, check_amount,
    least_enough, shortfall, unit_of, within,
};
use basis_core::num::{Fixed18, MathError, Rounding};
use basis_core::types::Side;

/// How often the input that is tried doubles, from what the output is worth at mid: to a million times
/// that, which the highest fee still is.
const DOUBLINGS_MAX: u32 = 20;

impl BarPool {
    /// What [`BarPool::swap_exact_output`] takes for `amount_out` (above 0) where the bar's swaps so far
    /// have left the pool: quote units when it sells, base units when it buys.
    ///
    /// # Errors
    /// As [`BarPool::swap_exact_output`], but for the maximum.
    pub fn quote_exact_output(
        &self,
        bar: &PoolBar,
        displacement: &Displacement,
        side: Side,
        amount_out: Fixed18,
    ) -> Result<BarSwap, BarPoolError> {
        Ok(self.fill_output(bar, displacement, side, amount_out)?.0)
    }

    /// Takes exactly `amount_out` (above 0) from the pool for the least input, in whole units of its
    /// asset, that gets as much with [`BarPool::swap`]: it pays that input and leaves the pool where
    /// that swap does. What the input would get beyond `amount_out`, by the rounding to units, stays
    /// with the pool for good. `displacement` is that of this bar, and moves along; a refusal leaves it.
    ///
    /// Larger inputs get no less, so that the least is found by halving, between nothing and an input
    /// that is enough. With [`Impact::Sqrt`](super::Impact::Sqrt) that holds but for the last digits, and the input is then
    /// one of which a unit less is not enough.
    ///
    /// # Errors
    /// [`BarPoolError::TooMuchRequested`] above `max_in`; [`BarPoolError::OutputTooLarge`] where the
    /// pool does not hold as much, or asks a million times its worth at mid;
    /// [`BarPoolError::TooManyDecimals`]; [`MathError`] for an amount or a mid price of zero or less, or
    /// a result out of range.
    pub fn swap_exact_output(
        &self,
        bar: &PoolBar,
        displacement: &mut Displacement,
        side: Side,
        amount_out: Fixed18,
        max_in: Fixed18,
    ) -> Result<BarSwap, BarPoolError> {
        let (swap, moved) = self.fill_output(bar, displacement, side, amount_out)?;
        if swap.amount_in > max_in {
            return Err(BarPoolError::TooMuchRequested {
                requested: swap.amount_in,
                maximum: max_in,
            });
        }
        *displacement = moved;
        Ok(swap)
    }

    /// The swap, and where it leaves the pool.
    fn fill_output(
        &self,
        bar: &PoolBar,
        displacement: &Displacement,
        side: Side,
        amount_out: Fixed18,
    ) -> Result<(BarSwap, Displacement), BarPoolError> {
        within("mid price", SMALLEST, Fixed18::MAX, bar.mid.get())?;
        check_amount("amount out", amount_out, self.decimals_taken(side))?;
        let unit = unit_of(self.decimals_given(side));
        let fill = |units: i128| {
            let mantissa = units.checked_mul(unit);
            let op = "amount in of an exact output";
            let amount_in = Fixed18::from_mantissa(mantissa.ok_or(MathError::Overflow { op })?);
            self.fill(bar, displacement, side, amount_in)
        };
        let value = at(bar.mid, side.opposite(), amount_out, Rounding::Floor)?;
        let whole = value.mantissa().checked_div(unit).unwrap_or_default();
        let (mut little, mut enough) = (0, whole.max(1));
        let (mut tried, _) = fill(enough)?;
        for doubling in 0.. {
            if tried.amount_out >= amount_out {
                break;
            }
            let too_large = BarPoolError::OutputTooLarge {
                wanted: amount_out,
                amount_in: tried.amount_in,
                given: tried.amount_out,
            };
            if doubling == DOUBLINGS_MAX {
                return Err(too_large);
            }
            little = enough;
            enough = enough.saturating_mul(2);
            tried = match fill(enough) {
                // More than a number holds: nobody has as much.
                Err(BarPoolError::Math(MathError::Overflow { .. })) => return Err(too_large),
                other => other?.0,
            };
        }
        let least = least_enough(little, enough, |units| {
            Ok::<_, BarPoolError>(fill(units)?.0.amount_out >= amount_out)
        });
        let (swap, moved) = fill(least?)?;
        let net = swap.amount_in.sub(swap.fee)?;
        let ideal = at(bar.mid, side, net, Rounding::Ceil)?;
        let swap = BarSwap {
            amount_out,
            price_impact: shortfall(ideal, amount_out)?,
            ..swap
        };
        Ok((swap, moved))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Impact;
    use super::super::tests::{BAR, POOL, REST, ROOT, amount, any_pool, bar, pool, side};
    use super::*;
    use basis_core::fixed18;
    use basis_core::num::{Bps, Value};

    fn cost(impact: Impact, side: Side, amount_out: Fixed18) -> BarSwap {
        let swap = pool(impact).quote_exact_output(&BAR, &REST, side, amount_out);
        swap.unwrap()
    }

    #[test]
    fn the_input_is_the_output_at_mid_and_the_fee() {
        let sold = cost(Impact::None, Side::Sell, fixed18!("1994"));
        assert_eq!(sold.amount_in, fixed18!("1"));
        assert_eq!(sold.amount_out, fixed18!("1994"));
        assert_eq!(sold.fee, fixed18!("0.003"));
        assert_eq!(sold.price_impact, Bps::ZERO);
        // A unit more costs its half a billionth, the fee on top, rounded up.
        let more = cost(Impact::None, Side::Sell, fixed18!("1994.000001"));
        assert_eq!(more.amount_in, fixed18!("1.000000000501504514"));
        let bought = cost(Impact::None, Side::Buy, fixed18!("0.997"));
        assert_eq!(bought.amount_in, fixed18!("2000"));
    }

    #[test]
    fn a_pool_of_a_depth_gives_half_of_it_for_as_much_again() {
        let free = BarPool::new(0, POOL, 18, 6).unwrap();
        let half = free.quote_exact_output(&BAR, &REST, Side::Sell, fixed18!("500000"));
        assert_eq!(half.unwrap().amount_in, fixed18!("500"));
        let half = free.quote_exact_output(&BAR, &REST, Side::Buy, fixed18!("250"));
        assert_eq!(half.unwrap().amount_in, fixed18!("1000000"));
    }

    #[test]
    fn what_the_rounding_leaves_stays_with_the_pool() {
        // A millionth of a dollar buys 5 × 10^-10 WETH.
        let free = BarPool::new(0, POOL, 18, 6).unwrap();
        let (mut given, mut exact) = (REST, REST);
        let wanted = fixed18!("0.0000000001");
        let input = free.swap(&BAR, &mut given, Side::Buy, fixed18!("0.000001"), SMALLEST);
        let mut take = || {
            let swap = free.swap_exact_output(&BAR, &mut exact, Side::Buy, wanted, Fixed18::ONE);
            swap.unwrap()
        };
        let output = take();
        assert_eq!(output.amount_in, fixed18!("0.000001"));
        assert!(input.unwrap().amount_out > wanted.mul_int(4).unwrap());
        // It does not come back with the next swap.
        assert_eq!(take().amount_in, fixed18!("0.000001"));
        let again = free.swap(&BAR, &mut given, Side::Buy, fixed18!("0.000001"), SMALLEST);
        assert!(again.is_ok());
        assert_eq!(exact, given);
    }

    #[test]
    fn refusals_name_their_numbers_and_leave_the_pool() {
        let pool = pool(POOL);
        let mut displacement = REST;
        let sell = |displacement: &mut Displacement, out, most| {
            pool.swap_exact_output(&BAR, displacement, Side::Sell, out, most)
        };
        sell(&mut displacement, fixed18!("100"), Fixed18::ONE).unwrap();
        let before = displacement;
        for (out, most, text) in [
            (
                fixed18!("1994"),
                fixed18!("1"),
                "Too much requested: 1.002198613898503566",
            ),
            (fixed18!("1994"), fixed18!("1"), "above maximum 1"),
            (Fixed18::ZERO, Fixed18::ONE, "amount out 0 out of range"),
            (fixed18!("-1"), Fixed18::ONE, "amount out -1 out of range"),
            (
                fixed18!("0.0000001"),
                Fixed18::ONE,
                "amount 0.0000001 has more than the asset's 6 decimals",
            ),
            (
                fixed18!("1000000"),
                Fixed18::MAX,
                "an output of 1000000 is more than the pool gives: 524288000 gets 999899",
            ),
            (
                fixed18!("99999999999999999999"),
                Fixed18::MAX,
                "an output of 99999999999999999999 is more than the pool gives",
            ),
        ] {
            let refused = sell(&mut displacement, out, most).unwrap_err().to_string();
            assert!(refused.contains(text), "{refused}");
            assert_eq!(displacement, before);
        }
    }

    fn swaps() -> impl Strategy<Value = Vec<(Side, Fixed18)>> {
        prop::collection::vec((side(), amount()), 0..4)
    }

    /// The pool as these inputs leave it.
    fn moved(pool: &BarPool, bar: &PoolBar, swaps: &[(Side, Fixed18)]) -> Displacement {
        let mut displacement = REST;
        for (side, amount) in swaps {
            let done = pool.swap(bar, &mut displacement, *side, *amount, Fixed18::ZERO);
            done.unwrap();
        }
        displacement
    }

    proptest! {
        /// The least input that gets as much, from wherever the pool stands; it leaves the pool where a
        /// swap of that input does, so that no sequence gains by naming outputs.
        #[test]
        fn prop_an_exact_output_is_the_least_exact_input_that_gets_it(
            pool in any_pool(), bar in bar(), before in swaps(), side in side(), out in amount(),
        ) {
            let mut displacement = moved(&pool, &bar, &before);
            let start = displacement;
            let Ok(swap) = pool.swap_exact_output(&bar, &mut displacement, side, out, Fixed18::MAX) else {
                prop_assert_eq!(displacement, start);
                return Ok(());
            };
            prop_assert_eq!(swap.amount_out, out);
            prop_assert_eq!(pool.quote_exact_output(&bar, &start, side, out), Ok(swap));
            let mut same = start;
            let input = pool.swap(&bar, &mut same, side, swap.amount_in, Fixed18::ZERO).unwrap();
            prop_assert!(input.amount_out >= out, "{input:?} for {swap:?}");
            prop_assert_eq!(same, displacement);
            prop_assert_eq!(input.fee, swap.fee);
            prop_assert!(input.price_impact <= swap.price_impact);
            let unit = Fixed18::from_mantissa(unit_of(pool.decimals_given(side)));
            let less = swap.amount_in.sub(unit).unwrap();
            if less.is_positive() {
                let less = pool.quote(&bar, &start, side, less).unwrap();
                prop_assert!(less.amount_out < out, "{less:?} for {swap:?}");
            }
        }

        /// What an exact input gets costs no more than it as an exact output.
        #[test]
        fn prop_what_an_input_gets_costs_no_more_as_an_output(
            pool in any_pool(), bar in bar(), before in swaps(), side in side(), given in amount(),
        ) {
            let start = moved(&pool, &bar, &before);
            let got = pool.quote(&bar, &start, side, given).unwrap().amount_out;
            if got.is_positive() {
                match pool.quote_exact_output(&bar, &start, side, got) {
                    Ok(back) => {
                        // The last digits of a root are those of all that the bar's swaps gave.
                        let slack = if matches!(pool.impact, Impact::Sqrt { .. }) {
                            let flow = start.net.map_or(Fixed18::ZERO, |flow| flow.given.max(flow.taken));
                            flow.add(given).unwrap().mul(fixed18!("1e-10"), Rounding::Ceil).unwrap()
                        } else {
                            Fixed18::ZERO
                        };
                        prop_assert!(back.amount_in <= given.add(slack).unwrap(), "{back:?}");
                    }
                    // The input was a million times what it got: next to nothing is left in the pool.
                    Err(e) => prop_assert!(matches!(e, BarPoolError::OutputTooLarge { .. }), "{e}"),
                }
            }
        }

        #[test]
        fn prop_a_larger_output_never_costs_less(
            bar in bar(), side in side(), a in amount(), b in amount(), depth in 1_i64..1_000_000_000,
        ) {
            let depth = Value::new(Fixed18::from_int(depth));
            for impact in [Impact::None, Impact::ConstantProduct { depth }] {
                let pool = BarPool::new(3_000, impact, 18, 6).unwrap();
                let cost = |out| pool.quote_exact_output(&bar, &REST, side, out);
                if let (Ok(less), Ok(more)) = (cost(a.min(b)), cost(a.max(b))) {
                    prop_assert!(less.amount_in <= more.amount_in);
                }
            }
        }
    }

    #[test]
    fn all_the_way_back_and_beyond_costs_what_the_way_there_gave() {
        for impact in [POOL, ROOT] {
            let free = BarPool::new(0, impact, 18, 6).unwrap();
            let there = (Side::Sell, fixed18!("5"));
            let start = moved(&free, &BAR, &[there]);
            let got = free
                .quote(&BAR, &REST, there.0, there.1)
                .unwrap()
                .amount_out;
            let cost = |out| {
                free.quote_exact_output(&BAR, &start, Side::Buy, out)
                    .unwrap()
                    .amount_in
            };
            assert_eq!(cost(fixed18!("5")), got, "{impact:?}");
            let alone = free.quote_exact_output(&BAR, &REST, Side::Buy, fixed18!("2"));
            let beyond = got.add(alone.unwrap().amount_in).unwrap();
            assert_eq!(cost(fixed18!("7")), beyond, "{impact:?}");
        }
    }
}
