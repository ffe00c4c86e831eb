//! Swaps of an exact output: what they cost, what they leave, and what refuses them.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::Operation;
use basis_core::ledger::EntryKind;
use basis_core::num::uint256::amount_of;
use basis_core::num::{Fixed18, Price, Quantity, Rounding, U256, Value};
use basis_core::types::Side;
use basis_protocols::bar_pool::{BarPool, Displacement, Impact, PoolBar};
use basis_protocols::uniswap_v3::{
    Owner, Pool, PositionKey, SwapOutcome, SwapRequest, UniswapV3Error, exact_output_single,
};
use basis_testkit::q;
use proptest::prelude::*;
use serde_json::json;

use crate::testing::pools::{
    CURVE, Desk, UNISWAP, add, group, hour, ranges, stable, swap, swap_for,
};

/// More than any of these swaps costs.
const MUCH: &str = "100000000";

const TICKS: (i32, i32) = (-120, 180);

fn desk(own_size: bool) -> Desk {
    let names = ["WETH", "EIGEN", "weETH", "USDC", "USDT"];
    let balances = names.map(|name| (name, "100000"));
    Desk::new(&balances, &ranges("two", 600, own_size), &stable(own_size))
}

fn wei(units: U256) -> Quantity {
    Quantity::new(amount_of(units, 18, Rounding::Down).unwrap())
}

fn key(owner: u8, (tick_lower, tick_upper): (i32, i32)) -> PositionKey {
    PositionKey {
        owner: Owner([owner; 20]),
        tick_lower,
        tick_upper,
    }
}

/// The pool of [`ranges`], made by hand.
fn range_pool() -> Pool {
    let mut pool = Pool::new(3_000, 60).unwrap();
    pool.initialize(U256::ONE << 96).unwrap();
    for (tick, liquidity) in [(600, 1), (60, 5)] {
        let liquidity = liquidity * 1_000_000_000_000_000_000_000;
        pool.mint(key(9, (-tick, tick)), liquidity).unwrap();
    }
    pool
}

const fn way(zero_for_one: bool) -> [&'static str; 2] {
    if zero_for_one {
        ["WETH", "EIGEN"]
    } else {
        ["EIGEN", "WETH"]
    }
}

fn refused(desk: &mut Desk, venue: basis_core::types::Venue, operation: Operation) -> String {
    desk.execute(venue, operation).unwrap_err().to_string()
}

#[test]
fn a_pool_of_prices_takes_the_least_that_gets_it_and_leaves_the_lines_of_any_swap() {
    let mut desk = desk(true);
    let depth = Value::literal("20000000");
    let pool = BarPool::new(3_000, Impact::ConstantProduct { depth }, 18, 6).unwrap();
    let bar = PoolBar {
        mid: Price::literal("2010"),
        volume: Value::ZERO,
    };
    let mut displacement = Displacement::default();
    let out = q("40000");
    let mut cost = |side, out: Quantity| {
        let swap = pool.swap_exact_output(&bar, &mut displacement, side, out.get(), Fixed18::MAX);
        Quantity::new(swap.unwrap().amount_in)
    };
    let paid = cost(Side::Sell, out);
    let ask = swap_for("WETHUSDT", ["WETH", "USDT"], "40000", &paid.to_string());
    let done = desk.execute(UNISWAP, ask).unwrap();
    let lines = done.entries.iter();
    let lines: Vec<_> = lines
        .map(|line| (line.kind, line.quantity, line.value))
        .collect();
    // What was given at 2,000 dollars, on both sides: the difference to the marks is slippage.
    let value = paid
        .notional(Price::literal("2000"), Rounding::HalfEven)
        .unwrap();
    // 138,000 gas × 10 gwei.
    let gas = (EntryKind::Gas, q("-0.00138"), Value::literal("-2.76"));
    let expected = [
        (EntryKind::Trade, paid.neg().unwrap(), value.neg().unwrap()),
        (EntryKind::Trade, out, value),
        gas,
    ];
    assert_eq!(lines, expected);
    // The next meets what this one left, in either direction, until the next bar.
    let steps = [("USDT", "WETH", "7.5"), ("WETH", "USDT", "0.000001")];
    for (from, to, amount) in steps {
        let side = if from == "WETH" {
            Side::Sell
        } else {
            Side::Buy
        };
        let before = desk.balance(from);
        let ask = swap_for("WETHUSDT", [from, to], amount, MUCH);
        desk.execute(UNISWAP, ask).unwrap();
        let paid = before.sub(desk.balance(from)).unwrap();
        assert_eq!(paid, cost(side, q(amount)), "{amount} {to}");
    }
    desk.view.advance_to(hour(2)).unwrap();
    let before = desk.balance("WETH");
    let ask = swap_for("WETHUSDT", ["WETH", "USDT"], "40000", MUCH);
    desk.execute(UNISWAP, ask).unwrap();
    assert_eq!(
        before.sub(desk.balance("WETH")).unwrap(),
        paid,
        "at rest again"
    );
}

#[test]
fn a_price_of_readings_and_an_impact_that_knows_no_size_do_too() {
    let pools = json!({ "EIGENWETH": { "impact": "fixed_bps", "impact_bps": "50" } });
    let mut desk = Desk::new(&[("EIGEN", "1000")], &pools, &json!({}));
    let cost = |desk: &mut Desk| {
        let before = desk.balance("EIGEN");
        let ask = swap_for("EIGENWETH", ["EIGEN", "WETH"], "0.3", "202");
        desk.execute(UNISWAP, ask).unwrap();
        before.sub(desk.balance("EIGEN")).unwrap()
    };
    // 0.3 ÷ 0.0015 ÷ 0.995 ÷ 0.997.
    let first = cost(&mut desk);
    assert_eq!(first, q("201.609854689697232402"));
    assert_eq!(cost(&mut desk), first);
}

#[test]
fn gas_is_that_of_a_swap_and_grows_with_the_ticks_crossed() {
    let mut desk = desk(false);
    let mut gas = |amount| {
        let before = desk.balance("ETH");
        let ask = swap_for("two", ["WETH", "EIGEN"], amount, MUCH);
        desk.execute(UNISWAP, ask).unwrap();
        before.sub(desk.balance("ETH")).unwrap()
    };
    // 112,000 and 138,000 gas at 10 gwei.
    assert_eq!(gas("1"), q("0.00112"));
    assert_eq!(gas("30"), q("0.00138"));
}

#[test]
fn without_own_size_every_swap_costs_the_same() {
    let mut desk = desk(false);
    let mut cost = || {
        let before = desk.balance("WETH");
        let ask = swap_for("two", ["WETH", "EIGEN"], "10", MUCH);
        desk.execute(UNISWAP, ask).unwrap();
        before.sub(desk.balance("WETH")).unwrap()
    };
    let expected = exact_output_single(&mut range_pool(), true, units("10"), None).unwrap();
    assert_eq!([cost(), cost()], [wei(expected.amount_in); 2]);
}

fn units(amount: &str) -> U256 {
    basis_core::num::uint256::units_of(q(amount).get(), 18, Rounding::Down).unwrap()
}

#[test]
fn an_input_above_the_maximum_is_refused_with_both_numbers_and_the_routers_text() {
    for (pool, assets, out) in [
        ("WETHUSDT", ["WETH", "USDT"], "2000"),
        ("two", ["WETH", "EIGEN"], "10"),
    ] {
        let mut desk = desk(true);
        let before = desk.balance("WETH");
        let ask = |most: &str| swap_for(pool, assets, out, most);
        let high = desk.execute(UNISWAP, ask("0.5")).unwrap_err();
        let text = high.to_string();
        let VenueErrorKind::Rejected { reason, venue_code } = high else {
            panic!("{high}")
        };
        assert_eq!(venue_code.as_deref(), Some("Too much requested"));
        let Rejection::AboveMaximum { value, maximum, .. } = reason else {
            panic!("{reason}")
        };
        assert_eq!(maximum, q("0.5"));
        let numbers = format!("swap input of {value} WETH is above the maximum of 0.5");
        assert!(text.contains(&numbers), "{text}");
        // A unit less than it costs is refused, what it costs is enough.
        let less = value.sub(q("0.000000000000000001")).unwrap();
        assert!(refused(&mut desk, UNISWAP, ask(&less.to_string())).contains("above the maximum"));
        desk.execute(UNISWAP, ask(&value.to_string())).unwrap();
        assert_eq!(before.sub(desk.balance("WETH")).unwrap(), value);
    }
}

#[test]
fn what_cannot_be_taken_is_refused_with_its_bound() {
    let mut desk = desk(true);
    let (sell, two) = (["WETH", "USDT"], ["WETH", "EIGEN"]);
    let none = "0";
    for (pool, way, amounts, text) in [
        ("WETHUSDT", sell, ["0", MUCH], "0 USDT is no amount"),
        ("WETHUSDT", sell, ["-1", MUCH], "-1 USDT is no amount"),
        (
            "WETHUSDT",
            sell,
            ["0.0000001", MUCH],
            "more than the 6 decimals of USDT",
        ),
        (
            "WETHUSDT",
            sell,
            ["1", "-1"],
            "maximum_in -1 WETH is below zero",
        ),
        ("WETHUSDT", sell, ["1", none], "is above the maximum of 0"),
        (
            "WETHUSDT",
            sell,
            ["20000000", MUCH],
            "pool WETHUSDT does not give 20000000 USDT: 10433592",
        ),
        ("WETHUSDT", ["USDT", "WETH"], ["100", MUCH], "free"),
        ("two", two, ["0", MUCH], "0 EIGEN is no amount"),
        ("two", two, ["45", MUCH], "pool two gives no more than 44.5"),
        ("two", two, ["45", MUCH], "of 45 EIGEN: there its liquidity"),
        (
            "two",
            ["WETH", "DOGE"],
            ["1", MUCH],
            "has WETH, EIGEN, not DOGE",
        ),
        ("two", ["WETH", "WETH"], ["1", MUCH], "swapped for itself"),
        ("tow", two, ["1", MUCH], "uniswap has no pool `tow`"),
    ] {
        let text_of = refused(
            &mut desk,
            UNISWAP,
            swap_for(pool, way, amounts[0], amounts[1]),
        );
        assert!(text_of.contains(text), "{text}: {text_of}");
    }
}

#[test]
fn curve_says_that_it_knows_no_exact_output() {
    let mut desk = desk(true);
    for (pool, out) in [("weETHWETH", "1"), ("ng", "1"), ("ng", "0")] {
        let ask = swap_for(pool, ["weETH", "WETH"], out, MUCH);
        let refused = desk.execute(CURVE, ask.clone()).unwrap_err();
        assert!(
            matches!(refused, VenueErrorKind::Unsupported(_)),
            "{refused}"
        );
        let text = refused.to_string();
        assert!(
            text.contains("name `amount_in` and `minimum_out`"),
            "{text}"
        );
        let step = group(&[ask]);
        let refused = desk.execute(UNISWAP, step).unwrap_err();
        assert!(
            matches!(refused, VenueErrorKind::Unsupported(_)),
            "{refused}"
        );
    }
}

#[test]
fn a_step_takes_what_a_later_one_needs_and_a_group_that_fails_restores_every_bit() {
    let mut desk = desk(true);
    let steps = |most| {
        group(&[
            swap("two", ["WETH", "EIGEN"], "3", "0"),
            swap_for("two", ["EIGEN", "WETH"], "1.25", "2"),
            swap_for("WETHUSDT", ["WETH", "USDT"], "1000", most),
        ])
    };
    let text = refused(&mut desk, UNISWAP, steps("0.4"));
    assert!(
        text.contains("step 3, swap at uniswap: swap input of 0.4"),
        "{text}"
    );
    let before = desk.balance("USDT");
    let done = desk.execute(UNISWAP, steps("0.6")).unwrap();
    assert_eq!(desk.balance("USDT").sub(before).unwrap(), q("1000"));
    let trades = done
        .entries
        .iter()
        .filter(|line| line.kind == EntryKind::Trade);
    let trades = trades.map(|line| line.value.get());
    assert_eq!(trades.clone().count(), 6);
    let sum = trades.fold(Fixed18::ZERO, |sum, value| sum.add(value).unwrap());
    assert_eq!(sum, Fixed18::ZERO);
}

#[derive(Clone, Copy, Debug)]
struct Act {
    zero_for_one: bool,
    exact_out: bool,
    units: u128,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let units = prop_oneof![
        3 => 1..=30_000_000_000_000_000_000_u128,
        1 => 0..=60_000_000_000_000_000_000_u128,
        1 => 0..=1_000_u128,
    ];
    let act = (any::<bool>(), any::<bool>(), units);
    let act = act.prop_map(|(zero_for_one, exact_out, units)| Act {
        zero_for_one,
        exact_out,
        units,
    });
    proptest::collection::vec(act, 1..25)
}

/// What the routers do with `act`; a refusal leaves the pool.
fn play(pool: &mut Pool, act: Act) -> Result<SwapOutcome, UniswapV3Error> {
    let units = U256::from(act.units);
    if act.exact_out {
        return exact_output_single(pool, act.zero_for_one, units, None);
    }
    let request = SwapRequest::exact_in(act.zero_for_one, units);
    let quote = pool.quote(&request)?;
    // Refused here, where the contract takes less.
    if !quote.is_complete() || quote.amount_out.is_zero() {
        return Err(UniswapV3Error::AmountZero);
    }
    pool.swap(&request)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Wallet, principal and fees are the contract's integers after every swap, and what the router
    /// refuses is refused.
    #[test]
    fn prop_outputs_and_inputs_in_turn_are_the_contract_s_to_the_unit(acts in acts()) {
        let (mut desk, mut pool) = (desk(true), range_pool());
        desk.execute(UNISWAP, add("two", Some(TICKS), &["10", "10"], "0")).unwrap();
        let item = format!("liquidity:WETH:{}:{}", TICKS.0, TICKS.1);
        let (liquidity, _) = desk.held(UNISWAP, "two", &item);
        let ours = key(1, TICKS);
        pool.mint(ours, u128::try_from(liquidity.get().mantissa()).unwrap()).unwrap();
        for act in acts {
            let names = way(act.zero_for_one);
            let before = names.map(|name| desk.balance(name));
            let at_rest = pool.clone();
            let amount = wei(U256::from(act.units)).to_string();
            let ask = if act.exact_out {
                swap_for("two", names, &amount, MUCH)
            } else {
                swap("two", names, &amount, "0")
            };
            let expected = play(&mut pool, act);
            let done = desk.execute(UNISWAP, ask);
            prop_assert_eq!(done.is_ok(), expected.is_ok(), "{:?}: {:?}, {:?}", act, done, expected);
            let Ok(expected) = expected else { continue };
            let paid = before[0].sub(wei(expected.amount_in)).unwrap();
            let got = before[1].add(wei(expected.amount_out)).unwrap();
            prop_assert_eq!(names.map(|name| desk.balance(name)), [paid, got]);
            if act.exact_out {
                prop_assert_eq!(wei(expected.amount_out).to_string(), amount);
                prop_assert!(!expected.amount_in.is_zero());
                // The same input, given exactly, gets at least as much.
                let same = SwapRequest::exact_in(act.zero_for_one, expected.amount_in);
                let same = at_rest.quote(&same).unwrap();
                prop_assert!(same.amount_out >= expected.amount_out, "{same:?} {expected:?}");
            }
            let position = pool.position_to_date(&ours).unwrap();
            let principal = pool.principal(&ours);
            for (name, principal, owed) in [
                ("WETH", principal.amount0, position.tokens_owed0),
                ("EIGEN", principal.amount1, position.tokens_owed1),
            ] {
                let item = format!("liquidity:{name}:{}:{}", TICKS.0, TICKS.1);
                prop_assert_eq!(desk.held(UNISWAP, "two", &item), (liquidity, wei(principal)));
                prop_assert_eq!(desk.held(UNISWAP, "two", name).0, wei(U256::from(owed)));
            }
        }
    }

    /// An exact output for what it cost is the exact input of it or better for the pool: there is no
    /// cheaper way to the same result.
    #[test]
    fn prop_an_exact_output_is_never_cheaper_than_the_exact_input(
        micros in 1_u64..50_000_000, sell in any::<bool>(), before in any::<Option<bool>>(),
        prices in any::<bool>(),
    ) {
        let pool = if prices { "WETHUSDT" } else { "two" };
        let other = if prices { "USDT" } else { "EIGEN" };
        let names = if sell { ["WETH", other] } else { [other, "WETH"] };
        let amount = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        // Either from where a swap before left the pool, or from rest.
        let start = || {
            let mut desk = desk(true);
            if let Some(sold) = before {
                let names = if sold { ["WETH", other] } else { [other, "WETH"] };
                desk.swap(UNISWAP, pool, names, "5");
            }
            desk
        };
        let mut exact = start();
        let held = exact.balance(names[0]);
        if exact.execute(UNISWAP, swap_for(pool, names, &amount, MUCH)).is_err() {
            return Ok(());
        }
        let paid = held.sub(exact.balance(names[0])).unwrap();
        let got = start().swap(UNISWAP, pool, names, &paid.to_string());
        prop_assert!(got >= q(&amount), "{got} for {paid}");
        let unit = if prices && !sell { q("0.000001") } else { q("0.000000000000000001") };
        let less = paid.sub(unit).unwrap();
        let mut cheaper = start();
        let held = cheaper.balance(names[1]);
        // So little may get nothing, which is refused.
        if prices && cheaper.execute(UNISWAP, swap(pool, names, &less.to_string(), "0")).is_ok() {
            let got = cheaper.balance(names[1]).sub(held).unwrap();
            prop_assert!(got < q(&amount), "{got} for {less}, {amount} for {paid}");
        }
    }
}
