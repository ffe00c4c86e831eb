//! Pools that an outside trader keeps at a recorded price.

use basis_core::num::uint256::amount_of;
use basis_core::num::{Price, Quantity, Rounding, U256};
use basis_core::protocol::uniswap_v3::{Owner, PairDecimals, Pool, PositionKey, SwapRequest};
use serde_json::{Value as Json, json};

use super::super::testing::{
    Desk, UNISWAP, add, collect, hour, moving_price, read, remove, swap, view_without,
};
use crate::uniswap;

const TICKS: (i32, i32) = (-202_000, -198_600);
const DECIMALS: PairDecimals = PairDecimals {
    token0: 18,
    token1: 6,
};

fn pools() -> Json {
    json!({ "moving": {
        "model": "state", "assets": ["WETH", "USDC"], "fee": "500", "tick_spacing": "10",
        "price": "1234", "follows": "dex.uniswap.WETHUSDC_500",
        "ranges": [{ "lower": "-240000", "upper": "-160000", "liquidity": "5000000000000000" }],
    }})
}

fn desk() -> Desk {
    Desk::new(&[("WETH", "100"), ("USDC", "200000")], &pools(), &json!({}))
}

fn key(owner: u8, (tick_lower, tick_upper): (i32, i32)) -> PositionKey {
    PositionKey {
        owner: Owner([owner; 20]),
        tick_lower,
        tick_upper,
    }
}

fn target(hour: i64) -> U256 {
    let price: Price = moving_price(hour).parse().unwrap();
    DECIMALS.sqrt_price_of_token0(price, false).unwrap()
}

/// What the outside trader does.
fn move_to(pool: &mut Pool, hour: i64) {
    let target = target(hour);
    let falls = target < pool.state().sqrt_price_x96;
    let request = SwapRequest::exact_in(falls, U256::ONE << 180).with_limit(target);
    pool.swap(&request).unwrap();
}

fn tokens(units: U256, decimals: u32) -> Quantity {
    Quantity::new(amount_of(units, decimals, Rounding::Down).unwrap())
}

#[test]
fn a_position_is_moved_and_paid_by_whoever_follows_the_recorded_price() {
    let mut desk = desk();
    let mut pool = Pool::new(500, 10).unwrap();
    pool.initialize(target(1)).unwrap();
    pool.mint(key(9, (-240_000, -160_000)), 5_000_000_000_000_000)
        .unwrap();
    assert_eq!(desk.advance(1), 0, "nothing of ours is there");
    let done = desk.execute(UNISWAP, add("moving", Some(TICKS), &["10", "20000"], "0"));
    done.unwrap();
    let weth = "liquidity:WETH:-202000:-198600";
    let (liquidity, _) = desk.held(UNISWAP, "moving", weth);
    let bought = u128::try_from(liquidity.get().mantissa()).unwrap();
    pool.mint(key(1, TICKS), bought).unwrap();
    for at in 2..20 {
        // The bar that closes at 9 is missing: nobody trades, and nothing is asked of the pool.
        let lines = desk.advance(at);
        if at == 9 {
            assert_eq!(lines, 0);
            let refused = desk.refused(UNISWAP, "moving", ["WETH", "USDC"], ["1", "0"]);
            assert!(
                refused.contains("dex.uniswap.WETHUSDC_500 has no fresh price"),
                "{refused}"
            );
            continue;
        }
        move_to(&mut pool, at);
        assert!(lines >= 3, "two trades and a fee");
        assert_eq!(desk.advance(at), 0, "said once");
        let (position, ours) = (
            pool.position_to_date(&key(1, TICKS)).unwrap(),
            key(1, TICKS),
        );
        let held = desk.held(UNISWAP, "moving", weth);
        assert_eq!(held, (liquidity, tokens(pool.principal(&ours).amount0, 18)));
        for (name, owed, decimals) in [
            ("WETH", position.tokens_owed0, 18),
            ("USDC", position.tokens_owed1, 6),
        ] {
            let held = desk.held(UNISWAP, "moving", name).0;
            assert_eq!(held, tokens(U256::from(owed), decimals), "{at}: {name}");
        }
        if at == 5 {
            let out = pool
                .swap(&SwapRequest::exact_in(true, U256::from(10_u64.pow(18))))
                .unwrap();
            let got = desk.swap(UNISWAP, "moving", ["WETH", "USDC"], "1");
            assert_eq!(got, tokens(out.amount_out, 6));
        }
    }
    let names = ["WETH", "USDC"];
    let before = names.map(|name| desk.balance(name));
    let owed = names.map(|name| desk.held(UNISWAP, "moving", name).0);
    desk.execute(UNISWAP, collect("moving", Some(TICKS)))
        .unwrap();
    for ((name, before), owed) in names.iter().zip(before).zip(owed) {
        assert!(owed.is_positive());
        assert_eq!(desk.balance(name), before.add(owed).unwrap());
    }
    let all = remove("moving", Some(TICKS), liquidity, &["0", "0"]);
    desk.execute(UNISWAP, all).unwrap();
    assert_eq!(desk.advance(21), 0, "nothing of ours is left");
}

#[test]
fn one_that_is_not_asked_meets_the_newest_price_all_the_same() {
    let mut asked = desk();
    for at in 1..12 {
        asked.advance(at);
    }
    let mut quiet = desk();
    quiet.view.advance_to(hour(11)).unwrap();
    let [asked, quiet] =
        [&mut asked, &mut quiet].map(|desk| desk.swap(UNISWAP, "moving", ["USDC", "WETH"], "5000"));
    assert_eq!(asked, quiet);
}

#[test]
fn a_series_that_is_not_read_or_of_no_pool_is_refused() {
    let mut desk = desk();
    desk.view = view_without(&["dex.uniswap.WETHUSDC_500"]);
    let refused = desk.execute(UNISWAP, swap("moving", ["WETH", "USDC"], "1", "0"));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("dex.uniswap.WETHUSDC_500, which the run does not read"),
        "{refused}"
    );
    let said = desk.chain.assumptions().join("\n");
    assert!(
        said.contains("moving: exact over the state given in the settings; at each value of"),
        "{said}"
    );
    let mut pools = pools();
    pools["moving"]["follows"] = json!("spot.binance.ETHUSDT");
    let (_, problems) = read(&uniswap::DEX, &json!({ "pools": pools }));
    assert!(
        problems
            .iter()
            .any(|p| p.contains("is no series of a pool")),
        "{problems:?}"
    );
}
