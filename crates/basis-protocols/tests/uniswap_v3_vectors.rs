//! Recorded histories of real Uniswap V3 pools, reproduced step by step to the last base unit.
//!
//! The recordings are not part of the repository; without them the test says so and passes. The
//! randomized comparison with the contract itself needs no recording.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::path::Path;

use basis_core::num::U256;
use basis_protocols::uniswap_v3::{
    Amounts, Owner, Pool, PoolFlow, PositionKey, SwapAmount, SwapOutcome, SwapRequest,
    UniswapV3Error, exact_output_single, liquidity_for_amounts, sqrt_ratio_at_tick,
};
use serde_json::Value;

fn recording() -> Option<Value> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/onchain/univ3.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: no recording at {}", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of[key].as_str().unwrap()
}

fn uint(of: &Value, key: &str) -> U256 {
    text(of, key).parse().unwrap()
}

fn liquidity_of(of: &Value, key: &str) -> u128 {
    text(of, key).parse().unwrap()
}

fn tick(of: &Value, key: &str) -> i32 {
    of[key].as_i64().unwrap().try_into().unwrap()
}

/// A signed amount of the recording: what the pool took (+) or paid (−).
fn flow(of: &Value, key: &str) -> PoolFlow {
    let text = text(of, key);
    match text.strip_prefix('-') {
        Some(paid) => PoolFlow::Pays(paid.parse().unwrap()),
        None => PoolFlow::Takes(text.parse().unwrap()),
    }
}

/// The recording cannot tell taking 0 from paying 0.
fn signless_zero(flow: PoolFlow) -> PoolFlow {
    match flow {
        PoolFlow::Pays(paid) if paid.is_zero() => PoolFlow::Takes(paid),
        other => other,
    }
}

fn assert_state(pool: &Pool, expected: &Value, what: &str) {
    let state = pool.state();
    assert_eq!(
        state.sqrt_price_x96,
        uint(expected, "sqrtPriceX96"),
        "price {what}"
    );
    assert_eq!(state.tick.to_string(), text(expected, "tick"), "{what}");
    assert_eq!(
        state.liquidity,
        liquidity_of(expected, "liquidity"),
        "{what}"
    );
    let growth = [state.fee_growth_global0_x128, state.fee_growth_global1_x128];
    let keys = ["feeGrowthGlobal0X128", "feeGrowthGlobal1X128"];
    assert_eq!(growth, keys.map(|key| uint(expected, key)), "growth {what}");
}

/// The position manager owns all positions; each range of the recording is used once.
fn key(mint: &Value) -> PositionKey {
    PositionKey {
        owner: Owner::default(),
        tick_lower: tick(mint, "tickLower"),
        tick_upper: tick(mint, "tickUpper"),
    }
}

/// The position manager's mint: as much liquidity as the desired amounts buy.
fn replay_mint(pool: &mut Pool, mint: &Value) {
    let key = key(mint);
    let liquidity = liquidity_for_amounts(
        pool.state().sqrt_price_x96,
        sqrt_ratio_at_tick(key.tick_lower).unwrap(),
        sqrt_ratio_at_tick(key.tick_upper).unwrap(),
        Amounts {
            amount0: uint(mint, "amount0Desired"),
            amount1: uint(mint, "amount1Desired"),
        },
    )
    .unwrap();
    assert_eq!(liquidity, liquidity_of(mint, "liquidity"));
    let paid = pool.mint(key, liquidity).unwrap();
    assert_eq!(paid.amount0, uint(mint, "amount0"));
    assert_eq!(paid.amount1, uint(mint, "amount1"));
    assert_state(pool, &mint["stateAfter"], "after a mint");
}

fn request(swap: &Value) -> SwapRequest {
    let amount = uint(swap, "amountSpecified");
    let limit = uint(swap, "sqrtPriceLimitX96");
    SwapRequest {
        zero_for_one: swap["zeroForOne"].as_bool().unwrap(),
        amount: if swap["exactIn"].as_bool().unwrap() {
            SwapAmount::ExactIn(amount)
        } else {
            SwapAmount::ExactOut(amount)
        },
        sqrt_price_limit_x96: (!limit.is_zero()).then_some(limit),
    }
}

/// The router's swap.
fn perform(pool: &mut Pool, request: &SwapRequest) -> Result<SwapOutcome, UniswapV3Error> {
    match request.amount {
        SwapAmount::ExactIn(_) => pool.swap(request),
        SwapAmount::ExactOut(amount) => exact_output_single(
            pool,
            request.zero_for_one,
            amount,
            request.sqrt_price_limit_x96,
        ),
    }
}

fn replay_swap(pool: &mut Pool, swap: &Value) {
    let n = &swap["n"];
    let request = request(swap);
    let before = *pool.state();
    let quote = pool.quote(&request).unwrap();
    let done = perform(pool, &request);
    if swap["reverted"].as_bool().unwrap() {
        assert!(
            matches!(done, Err(UniswapV3Error::OutputIncomplete { .. })),
            "swap {n}"
        );
        assert_eq!(*pool.state(), before, "swap {n}");
        return;
    }
    let done = done.unwrap();
    assert_eq!(done, quote, "swap {n}");
    for (key, amount) in [
        ("amount0Delta", done.amount0()),
        ("amount1Delta", done.amount1()),
    ] {
        assert_eq!(signless_zero(amount), flow(swap, key), "{key} of swap {n}");
    }
    if let Some(quoted) = swap["quoterAmount"].as_str() {
        let other_side = match request.amount {
            SwapAmount::ExactIn(_) => done.amount_out,
            SwapAmount::ExactOut(_) => done.amount_in,
        };
        assert_eq!(other_side.to_string(), quoted, "quote of swap {n}");
    }
    assert_state(pool, &swap["after"], &format!("after swap {n}"));
}

/// Burns and collects as the position manager does.
fn replay_exit(pool: &mut Pool, exit: &Value, mints: &[Value]) {
    let n = usize::try_from(exit["position"].as_u64().unwrap()).unwrap();
    let key = key(&mints[n]);
    let to_date = pool.position_to_date(&key).unwrap();
    let principal = pool
        .burn(key, liquidity_of(exit, "liquidityBurned"))
        .unwrap();
    assert_eq!(principal.amount0, uint(exit, "principal0"), "position {n}");
    assert_eq!(principal.amount1, uint(exit, "principal1"), "position {n}");
    let collected = pool.collect(key, u128::MAX, u128::MAX).unwrap();
    assert_eq!(collected.amount0, uint(exit, "collected0"), "position {n}");
    assert_eq!(collected.amount1, uint(exit, "collected1"), "position {n}");
    let fees = [to_date.tokens_owed0, to_date.tokens_owed1];
    let expected = ["fees0", "fees1"].map(|key| liquidity_of(exit, key));
    assert_eq!(fees, expected, "fees of position {n}");
}

#[test]
fn recorded_histories_are_reproduced_exactly() {
    let Some(recording) = recording() else { return };
    let scenarios = list(&recording, "scenarios");
    assert!(!scenarios.is_empty());
    for scenario in scenarios {
        let fee_pips = scenario["fee"].as_u64().unwrap().try_into().unwrap();
        let mut pool = Pool::new(fee_pips, tick(scenario, "tickSpacing")).unwrap();
        pool.initialize(uint(scenario, "initialSqrtPriceX96"))
            .unwrap();
        let mints = list(scenario, "mints");
        for mint in mints {
            replay_mint(&mut pool, mint);
        }
        let expected = scenario["ticksAfterMints"].as_object().unwrap();
        assert_eq!(pool.initialized_ticks().count(), expected.len());
        for (tick, info) in pool.initialized_ticks() {
            let expected = &expected[&tick.to_string()];
            assert_eq!(
                info.liquidity_gross,
                liquidity_of(expected, "liquidityGross")
            );
            assert_eq!(
                info.liquidity_net.to_string(),
                text(expected, "liquidityNet")
            );
        }
        assert_state(&pool, &scenario["stateBeforeSwaps"], "before the swaps");
        let swaps = list(scenario, "swaps");
        for swap in swaps {
            replay_swap(&mut pool, swap);
        }
        let exits = list(scenario, "exits");
        for exit in exits {
            replay_exit(&mut pool, exit, mints);
        }
        assert_state(&pool, &scenario["finalState"], "at the end");
        assert!(!mints.is_empty() && !swaps.is_empty() && !exits.is_empty());
    }
}
