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
    (0..below).prop_map(|tenths| Bps::new(Fixed18::from_ratio(tenths, 10, Rounding::Down).unwrap()))
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
