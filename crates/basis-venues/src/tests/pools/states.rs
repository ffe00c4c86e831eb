//! Pools given by their state.

use basis_core::num::uint256::{amount_of, units_of};
use basis_core::num::{Fixed18, Quantity, Rounding, U256};
use basis_protocols::curve_stableswap as curve;
use basis_protocols::uniswap_v3::{Hop, Owner, Pool, PositionKey, Route, SwapRequest};
use basis_testkit::q;
use serde_json::{Value as Json, json};

use crate::testing::pools::{CURVE, Desk, UNISWAP, group, hour, ranges, stable, swap};

fn desk(own_size: bool) -> Desk {
    let balances = [
        ("WETH", "100"),
        ("EIGEN", "100"),
        ("weETH", "100"),
        ("USDC", "100"),
    ];
    Desk::new(&balances, &ranges("two", 600, own_size), &stable(own_size))
}

fn weis(amount: &str) -> U256 {
    units_of(q(amount).get(), 18, Rounding::Down).unwrap()
}

fn tokens(units: U256, decimals: u32) -> Quantity {
    Quantity::new(amount_of(units, decimals, Rounding::Down).unwrap())
}

/// The pool of [`ranges`], made by hand.
fn range_pool() -> Pool {
    let mut pool = Pool::new(3_000, 60).unwrap();
    pool.initialize(U256::ONE << 96).unwrap();
    for (tick, liquidity) in [(600, 1), (60, 5)] {
        let key = PositionKey {
            owner: Owner([7; 20]),
            tick_lower: -tick,
            tick_upper: tick,
        };
        pool.mint(key, liquidity * 1_000_000_000_000_000_000_000)
            .unwrap();
    }
    pool
}

#[test]
fn a_range_pool_gives_what_the_contract_gives_and_stays_where_we_left_it() {
    let mut desk = desk(true);
    let mut pool = range_pool();
    for (way, amount) in [(true, "30"), (true, "5"), (false, "12.5"), (false, "40")] {
        let expected = pool
            .swap(&SwapRequest::exact_in(way, weis(amount)))
            .unwrap();
        let assets = if way {
            ["WETH", "EIGEN"]
        } else {
            ["EIGEN", "WETH"]
        };
        let got = desk.swap(UNISWAP, "two", assets, amount);
        assert_eq!(got, tokens(expected.amount_out, 18));
    }
}

/// A second pool, of EIGEN and USDC, beside [`ranges`].
fn two_pools() -> Json {
    let mut pools = ranges("two", 600, true);
    pools["dollars"] = json!({
        "model": "state", "assets": ["EIGEN", "USDC"], "fee": "500", "tick_spacing": "10",
        "sqrt_price_x96": DOLLARS_SQRT_PRICE.to_string(),
        "ranges": [{ "lower": "-887270", "upper": "887270", "liquidity": "30000000000000000" }],
    });
    pools
}

/// 2^96 ÷ 20,000: 2,500 USDC for one EIGEN.
const DOLLARS_SQRT_PRICE: u128 = (1_u128 << 96) / 20_000;

#[test]
fn a_group_of_swaps_of_all_is_the_router_s_route_to_the_unit() {
    let mut second = Pool::new(500, 10).unwrap();
    second.initialize(U256::from(DOLLARS_SQRT_PRICE)).unwrap();
    let key = PositionKey {
        owner: Owner([7; 20]),
        tick_lower: -887_270,
        tick_upper: 887_270,
    };
    second.mint(key, 30_000_000_000_000_000).unwrap();
    let mut pools = [range_pool(), second];
    let mut desk = Desk::new(&[("WETH", "100")], &two_pools(), &json!({}));
    let (hop, way) = (["two", "dollars"], ["WETH", "EIGEN", "USDC"]);
    for (out, amount) in [
        (true, "7.123456789012345678"),
        (true, "0.5"),
        (false, "900.000001"),
    ] {
        let (hops, from, to) = if out { ([0, 1], 0, 2) } else { ([1, 0], 2, 0) };
        let route = hops.map(|pool| Hop {
            pool,
            zero_for_one: out,
        });
        let units = if out {
            weis(amount)
        } else {
            U256::from(900_000_001_u64)
        };
        let route = Route::new(&route).unwrap();
        let expected = route.swap_exact_in(&mut pools, units).unwrap();
        let before = desk.balance(way[to]);
        let steps = [
            swap(hop[hops[0]], [way[from], way[1]], amount, "0"),
            swap(hop[hops[1]], [way[1], way[to]], "all", "0"),
        ];
        desk.execute(UNISWAP, group(&steps)).unwrap();
        let got = desk.balance(way[to]).sub(before).unwrap();
        let decimals = if out { 6 } else { 18 };
        assert_eq!(got, tokens(expected.amount_out, decimals), "{amount}");
        assert_eq!(desk.balance(way[1]), q("0"), "nothing is left on the way");
    }
    let text = desk.refused(UNISWAP, "dollars", ["EIGEN", "USDC"], ["all", "0"]);
    assert!(
        text.contains("all of the wallet's EIGEN would be swapped, and it holds none"),
        "{text}"
    );
}

#[test]
fn gas_grows_with_the_ticks_a_swap_crosses() {
    let mut desk = desk(false);
    let mut gas = |amount| {
        let before = desk.balance("ETH");
        desk.swap(UNISWAP, "two", ["WETH", "EIGEN"], amount);
        before.sub(desk.balance("ETH")).unwrap()
    };
    // 112,000 and 138,000 gas at 10 gwei.
    assert_eq!(gas("1"), q("0.00112"));
    assert_eq!(gas("30"), q("0.00138"));
}

#[test]
fn without_own_size_every_swap_meets_the_pool_untouched() {
    for (venue, pool, way) in [
        (UNISWAP, "two", ["WETH", "EIGEN"]),
        (CURVE, "ng", ["weETH", "WETH"]),
    ] {
        let mut still = desk(false);
        let mut moved = desk(true);
        let first = still.swap(venue, pool, way, "10");
        assert_eq!(first, moved.swap(venue, pool, way, "10"));
        assert_eq!(first, still.swap(venue, pool, way, "10"));
        assert!(moved.swap(venue, pool, way, "10") < first);
        let said = still.chain.assumptions().join("\n");
        assert!(said.contains(&format!(
            "{pool}: exact over the state given in the settings; nothing"
        )));
        let said = moved.chain.assumptions().join("\n");
        assert!(said.contains("only our own swaps and liquidity move it, and for good"));
    }
}

#[test]
fn a_swap_beyond_the_liquidity_given_is_refused_with_what_would_fit() {
    let balances = [("WETH", "100")];
    let mut desk = Desk::new(&balances, &ranges("two", 600, true), &json!({}));
    let text = desk.refused(UNISWAP, "two", ["WETH", "EIGEN"], ["100", "0"]);
    assert!(text.contains("pool two takes no more than 4"), "{text}");
    assert!(
        text.contains("of 100 WETH") && text.contains("ranges"),
        "{text}"
    );
}

#[test]
fn a_price_in_whole_units_and_its_sqrt_price_are_the_same_pool() {
    let pool = |key: &str, price: &str| {
        json!({ "dollars": {
            "model": "state", "assets": ["WETH", "USDC"], "fee": "500", "tick_spacing": "10",
            key: price,
            "ranges": [{ "lower": "-887270", "upper": "887270", "liquidity": "1000000000000000000" }],
        }})
    };
    let balances = [("WETH", "100")];
    let mut whole = Desk::new(&balances, &pool("price", "2500"), &json!({}));
    // √(2500 × 10^6 ÷ 10^18) × 2^96 = 2^96 ÷ 20000, rounded down.
    let sqrt: U256 = (U256::ONE << 96) / U256::from(20_000);
    let mut sqrt = Desk::new(
        &balances,
        &pool("sqrt_price_x96", &sqrt.to_string()),
        &json!({}),
    );
    let [whole, sqrt] =
        [&mut whole, &mut sqrt].map(|desk| desk.swap(UNISWAP, "dollars", ["WETH", "USDC"], "1"));
    assert_eq!(whole, sqrt);
    assert!(whole > q("2490") && whole < q("2499"), "{whole}");
}

fn stable_pool(rate: &str) -> curve::Pool {
    let rate: Fixed18 = rate.parse().unwrap();
    let rates = [
        units_of(rate, 18, Rounding::Down).unwrap(),
        curve::RATE_ONE,
        curve::RATE_ONE * U256::from(1_000_000_000_000_u64),
    ];
    let parameters = curve::Parameters {
        template: curve::Template::StableSwapNg,
        amplification: curve::Amplification::constant(20_000),
        fee: 1_000_000,
        admin_fee: 5_000_000_000,
        offpeg_fee_multiplier: 20_000_000_000,
        rates: curve::PerCoin::new(&rates).unwrap(),
    };
    let balances = [weis("1000"), weis("1050"), U256::from(900_000_000_u64)];
    curve::Pool::with_state(parameters, &balances, &[U256::ZERO; 3], U256::ZERO).unwrap()
}

#[test]
fn a_stable_pool_gives_what_the_contract_gives_at_the_rate_of_the_day() {
    let mut desk = desk(true);
    let mut pool = stable_pool("1.05");
    let expected = pool.exchange(0, 1, weis("20"), U256::ZERO).unwrap();
    let got = desk.swap(CURVE, "ng", ["weETH", "WETH"], "20");
    assert_eq!(got, tokens(expected.received, 18));
    let expected = pool.exchange(1, 2, weis("3"), U256::ZERO).unwrap();
    let got = desk.swap(CURVE, "ng", ["WETH", "USDC"], "3");
    assert_eq!(got, tokens(expected.received, 6));
    desk.view.advance_to(hour(24)).unwrap();
    let rates = stable_pool("1.06").parameters().rates;
    pool.update_rates(&rates).unwrap();
    let expected = pool.exchange(0, 1, weis("20"), U256::ZERO).unwrap();
    let got = desk.swap(CURVE, "ng", ["weETH", "WETH"], "20");
    assert_eq!(got, tokens(expected.received, 18));
    // The rate of day 1 is fresh for a day and an hour.
    let mut view = desk.view.clone();
    view.advance_to(hour(30)).unwrap();
    desk.view = view;
    desk.swap(CURVE, "ng", ["weETH", "WETH"], "1");
}

#[test]
fn a_rate_series_that_is_not_read_or_too_old_is_refused() {
    let mut desk = desk(true);
    desk.view = crate::testing::pools::view_without(&["staking_rate.etherfi.weETH_ETH"]);
    let text = desk.refused(CURVE, "ng", ["WETH", "USDC"], ["1", "0"]);
    assert!(
        text.contains("staking_rate.etherfi.weETH_ETH, which the run does not read"),
        "{text}"
    );
}

#[test]
fn there_and_back_through_a_given_state_never_profits() {
    for (venue, pool, way) in [
        (UNISWAP, "two", ["WETH", "EIGEN"]),
        (CURVE, "ng", ["weETH", "WETH"]),
    ] {
        for own_size in [true, false] {
            for amount in ["0.000000000000001", "0.5", "33"] {
                let mut desk = desk(own_size);
                let got = desk.swap(venue, pool, way, amount);
                let back = [way[1], way[0]];
                desk.swap(venue, pool, back, &got.to_string());
                assert!(desk.balance(way[0]) < q("100"), "{pool} {amount}");
            }
        }
    }
}

#[test]
fn the_contracts_own_refusals_come_through_with_the_pool() {
    let mut desk = desk(true);
    let low = desk.refused(CURVE, "ng", ["weETH", "WETH"], ["1", "1.06"]);
    assert!(low.contains("below the minimum of 1.06"), "{low}");
    assert!(
        low.contains("Exchange resulted in fewer coins than expected"),
        "{low}"
    );
}
