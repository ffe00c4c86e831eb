//! Pools known by recorded prices, groups of swaps, and what every pool refuses.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation};
use basis_core::ledger::EntryKind;
use basis_core::num::{Price, Quantity, Value};
use basis_core::types::{Side, Span};
use basis_protocols::bar_pool::{BarPool, Displacement, Impact, PoolBar};
use basis_testkit::{p, q};
use proptest::prelude::*;
use serde_json::json;

use crate::testing::pools::{CURVE, Desk, UNISWAP, hour, id, swap, view_without};

fn desk() -> Desk {
    let balances = [
        ("WETH", "100"),
        ("USDT", "100000"),
        ("EIGEN", "1000"),
        ("weETH", "50"),
    ];
    Desk::new(&balances, &json!({}), &json!({}))
}

#[test]
fn a_swap_gets_what_the_model_quotes_and_leaves_two_lines_that_cancel_and_the_gas() {
    let mut desk = desk();
    let depth = Value::literal("20000000");
    let pool = BarPool::new(3_000, Impact::ConstantProduct { depth }, 18, 6).unwrap();
    let bar = PoolBar {
        mid: Price::literal("2010"),
        volume: Value::ZERO,
    };
    let quoted = pool
        .quote(&bar, &Displacement::default(), Side::Sell, q("2").get())
        .unwrap();
    let quoted = Quantity::new(quoted.amount_out);
    let minimum = quoted.to_string();
    let done = desk
        .execute(UNISWAP, swap("WETHUSDT", ["WETH", "USDT"], "2", &minimum))
        .unwrap();
    assert_eq!(desk.balance("USDT"), q("100000").add(quoted).unwrap());
    let lines: Vec<_> = done
        .entries
        .iter()
        .map(|line| (line.kind, line.quantity, line.value))
        .collect();
    let value = Value::literal("4000");
    // 138,000 gas × 10 gwei, at 2,000 dollars.
    let gas = (EntryKind::Gas, q("-0.00138"), Value::literal("-2.76"));
    let expected = [
        (EntryKind::Trade, q("-2"), value.neg().unwrap()),
        (EntryKind::Trade, quoted, value),
        gas,
    ];
    assert_eq!(lines, expected);
    let prices: Vec<_> = done
        .entries
        .iter()
        .map(|line| line.reference_price)
        .collect();
    assert_eq!(prices, [p("2000"), p("1"), p("2000")]);
}

#[test]
fn a_point_series_prices_a_pool_and_a_second_swap_meets_what_the_first_one_left() {
    let mut desk = desk();
    let way = ["weETH", "WETH"];
    let first = desk.swap(CURVE, "weETHWETH", way, "1");
    assert!(first < q("1.04") && first > q("1.039"), "{first}");
    // Curve's fee of 0.04 % is 400 of a million.
    let depth = Value::literal("5000");
    let pool = BarPool::new(400, Impact::ConstantProduct { depth }, 18, 18).unwrap();
    let bar = PoolBar {
        mid: Price::literal("1.04"),
        volume: Value::ZERO,
    };
    let rest = Displacement::default();
    let quoted = |amount| {
        pool.quote(&bar, &rest, Side::Sell, q(amount).get())
            .unwrap()
    };
    assert_eq!(first.get(), quoted("1").amount_out);
    let second = desk.swap(CURVE, "weETHWETH", way, "1");
    assert!(second < first, "{second}");
    assert_eq!(first.add(second).unwrap().get(), quoted("2").amount_out);
    // The way back meets the moved price too: more than mid, but not what the fees took.
    let back = desk.swap(CURVE, "weETHWETH", ["WETH", "weETH"], &second.to_string());
    assert!(back < q("1") && back > q("0.999"), "{back}");
    // The next reading finds the pool at rest.
    desk.view.advance_to(hour(2)).unwrap();
    assert_eq!(desk.swap(CURVE, "weETHWETH", way, "1"), first);
}

#[test]
fn bars_move_a_pool_until_the_next_bar_and_a_refused_transaction_does_not() {
    let mut desk = desk();
    let way = ["WETH", "USDT"];
    let untouched = |desk: &Desk| format!("{:?}", desk.chain.state().protocols);
    let before = untouched(&desk);
    desk.refused(UNISWAP, "WETHUSDT", way, ["10", "99999"]);
    assert_eq!(untouched(&desk), before);
    let first = desk.swap(UNISWAP, "WETHUSDT", way, "10");
    assert_ne!(untouched(&desk), before);
    let second = desk.swap(UNISWAP, "WETHUSDT", way, "10");
    assert!(second < first, "{second}");
    desk.view.advance_to(hour(2)).unwrap();
    assert_eq!(desk.swap(UNISWAP, "WETHUSDT", way, "10"), first);
}

#[test]
fn later_steps_of_a_group_meet_what_the_earlier_ones_moved() {
    let mut alone = desk();
    let apart = [(); 2].map(|()| alone.swap(UNISWAP, "WETHUSDT", ["WETH", "USDT"], "10"));
    let step = |amount| Instruction {
        id: basis_core::types::InstructionId::plain(0),
        venue: None,
        operation: swap("WETHUSDT", ["WETH", "USDT"], amount, "0"),
    };
    let mut desk = desk();
    let group = Operation::Atomic(vec![step("10"), step("10")]);
    desk.execute(UNISWAP, group).unwrap();
    let got = desk.balance("USDT").sub(q("100000")).unwrap();
    assert_eq!(got, apart[0].add(apart[1]).unwrap());
}

#[test]
fn square_root_impact_reads_volumes_in_dollars_or_in_the_quote_asset() {
    // 500,000 recorded: dollars at 2,000 for a WETH, or WETH.
    for (unit, volume) in [("usd", "250"), ("quote", "500000")] {
        let pools = json!({ "EIGENWETH": {
            "impact": "sqrt_impact", "impact_bps": "100", "volume": unit,
        }});
        let mut desk = Desk::new(&[("EIGEN", "1000")], &pools, &json!({}));
        let got = desk.swap(UNISWAP, "EIGENWETH", ["EIGEN", "WETH"], "1000");
        let impact = Impact::Sqrt {
            impact: "100".parse().unwrap(),
            max: "500".parse().unwrap(),
        };
        let pool = BarPool::new(3_000, impact, 18, 18).unwrap();
        let bar = PoolBar {
            mid: Price::literal("0.0015"),
            volume: volume.parse().unwrap(),
        };
        let quoted = pool
            .quote(&bar, &Displacement::default(), Side::Sell, q("1000").get())
            .unwrap();
        assert_eq!(got.get(), quoted.amount_out, "{unit}");
    }
}

#[test]
fn a_group_of_swaps_finds_its_venues_by_pool_and_happens_whole() {
    let mut desk = desk();
    let weth = desk.swap(UNISWAP, "EIGENWETH", ["EIGEN", "WETH"], "500");
    let hop = |operation| Instruction {
        id: basis_core::types::InstructionId::plain(0),
        venue: None,
        operation,
    };
    let group = |minimum: &str| {
        Operation::Atomic(vec![
            hop(swap("EIGENWETH", ["EIGEN", "WETH"], "500", "0.7")),
            hop(swap("weETHWETH", ["weETH", "WETH"], "1", "1")),
            hop(swap(
                "WETHUSDT",
                ["WETH", "USDT"],
                &weth.to_string(),
                minimum,
            )),
        ])
    };
    let before = desk.balance("USDT");
    let refused = desk.execute(UNISWAP, group("99999")).unwrap_err();
    assert!(refused.to_string().contains("step 3"), "{refused}");
    let done = desk.execute(UNISWAP, group("1400")).unwrap();
    let trades = done
        .entries
        .iter()
        .filter(|line| line.kind == EntryKind::Trade);
    assert_eq!(trades.count(), 6);
    assert!(desk.balance("USDT") > before.add(q("1400")).unwrap());
    assert_eq!(desk.balance("EIGEN"), q("0"));
    let nowhere = Operation::Atomic(vec![hop(swap("WETHUSDT", ["weETH", "USDT"], "1", "0"))]);
    let refused = desk.execute(UNISWAP, nowhere).unwrap_err().to_string();
    assert!(refused.contains("step 1: no venue"), "{refused}");
}

#[test]
fn pools_and_assets_that_are_not_there_are_refused_with_what_is() {
    let mut desk = desk();
    let way = ["WETH", "USDT"];
    let cases = [
        (UNISWAP, "WETHUSTD", way, "did you mean `WETHUSDT`?"),
        (CURVE, "WETHUSDT", way, "curve has no pool `WETHUSDT`"),
        (
            UNISWAP,
            "WETHUSDT",
            ["ETH", "USDT"],
            "wrap ETH before a swap",
        ),
        (UNISWAP, "WETHUSDT", ["USDT", "ETH"], "unwrap WETH after it"),
        (
            UNISWAP,
            "WETHUSDT",
            ["EIGEN", "USDT"],
            "has WETH, USDT, not EIGEN",
        ),
        (UNISWAP, "WETHUSDT", ["WETH", "WETH"], "swapped for itself"),
    ];
    for (venue, pool, way, expected) in cases {
        let text = desk.refused(venue, pool, way, ["1", "0"]);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn amounts_that_cannot_be_given_are_refused_with_their_bound() {
    let mut desk = desk();
    let sell = ["WETH", "USDT"];
    let cases = [
        (
            sell,
            ["0", "0"],
            "0 WETH is no amount; it must be above zero",
        ),
        (sell, ["-1", "0"], "-1 WETH is no amount"),
        (sell, ["1", "-1"], "minimum_out -1 USDT is below zero"),
        (
            ["USDT", "WETH"],
            ["0.1234567", "0"],
            "more than the 6 decimals",
        ),
        (sell, ["100.5", "0"], "100.5 WETH needed, 100 free"),
        (sell, ["0.0000000000001", "0"], "gives no unit of USDT"),
    ];
    for (way, amounts, expected) in cases {
        let text = desk.refused(UNISWAP, "WETHUSDT", way, amounts);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_minimum_that_is_not_met_is_refused_with_both_numbers_and_the_routers_text() {
    let mut desk = desk();
    let low = swap("WETHUSDT", ["WETH", "USDT"], "1", "2004");
    let low = desk.execute(UNISWAP, low).unwrap_err();
    let VenueErrorKind::Rejected { reason, venue_code } = low else {
        panic!("{low}")
    };
    assert_eq!(venue_code.as_deref(), Some("Too little received"));
    let Rejection::BelowMinimum { value, minimum, .. } = reason else {
        panic!("{reason}")
    };
    assert_eq!(minimum, q("2004"));
    assert!(value < minimum && value > q("2003"), "{value}");
}

#[test]
fn a_stale_or_missing_price_is_refused_with_its_series() {
    let mut desk = desk();
    let stale = |desk: &mut Desk, venue, pool, way| {
        let refused = desk.execute(venue, swap(pool, way, "1", "0")).unwrap_err();
        let VenueErrorKind::Rejected { reason, .. } = refused else {
            panic!("{refused}")
        };
        reason
    };
    // The bar that would close at hour 3 is missing.
    for at in 2..=3 {
        desk.view.advance_to(hour(at)).unwrap();
    }
    let eigen = stale(&mut desk, UNISWAP, "EIGENWETH", ["EIGEN", "WETH"]);
    let expected = Rejection::MarketStale {
        series: id("dex.uniswap.EIGENWETH_3000"),
        at: hour(3),
        age: Span::HOUR,
    };
    assert_eq!(eigen, expected);
    desk.view.advance_to(hour(4)).unwrap();
    desk.swap(UNISWAP, "EIGENWETH", ["EIGEN", "WETH"], "1");
    // Readings end after hour 5, and are fresh for their hour and another.
    desk.view.advance_to(hour(7)).unwrap();
    let weeth = stale(&mut desk, CURVE, "weETHWETH", ["weETH", "WETH"]);
    let expected = Rejection::MarketStale {
        series: id("staking_market.curve.weETH_ETH"),
        at: hour(7),
        age: Span::from_hours(2),
    };
    assert_eq!(weeth, expected);
    desk.view = view_without(&["dex.uniswap.WETHUSDT_3000"]);
    let text = desk.refused(UNISWAP, "WETHUSDT", ["WETH", "USDT"], ["1", "0"]);
    assert!(
        text.contains("dex.uniswap.WETHUSDT_3000, which the run does not read"),
        "{text}"
    );
    // A pool that comes with the venue exists though nothing of it is recorded here.
    let text = desk.refused(UNISWAP, "ETHFIWETH", ["WETH", "ETHFI"], ["1", "0"]);
    assert!(text.contains("dex.uniswap.ETHFIWETH_3000"), "{text}");
}

#[test]
fn the_assumptions_name_every_pool_its_series_and_model() {
    let desk = desk();
    let said = desk.chain.assumptions();
    assert_eq!(said.len(), 5);
    assert!(said[0].starts_with("uniswap pool EIGENWETH: estimated from the bars of"));
    assert_eq!(
        said[4],
        "curve pool weETHWETH: estimated from the readings of staking_market.curve.weETH_ETH, no \
         recorded state: fee 400 of a million, the impact of 5000 WETH on each side; own swaps move the \
         price until the next of the readings"
    );
    let state = desk.chain.state();
    assert_eq!(state.protocol(UNISWAP).unwrap().next_event_at(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn prop_there_and_back_never_profits(micros in 1_u64..50_000_000, sell in any::<bool>()) {
        let mut desk = desk();
        let amount = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let way = if sell { ["WETH", "USDT"] } else { ["USDT", "WETH"] };
        let got = desk.execute(UNISWAP, swap("WETHUSDT", way, &amount, "0"));
        // So little USDT may buy no unit that can be sold again; then there is no way back.
        if got.is_ok() {
            let initial = if sell { q("100000") } else { q("100") };
            let got = desk.balance(way[1]).sub(initial).unwrap();
            let back = desk.execute(
                UNISWAP,
                swap("WETHUSDT", [way[1], way[0]], &got.to_string(), "0"),
            );
            let started = if sell { q("100") } else { q("100000") };
            prop_assert!(desk.balance(way[0]) < started || back.is_err());
        }
    }
}
