//! Curve StableSwap against recorded runs of Curve's own integer model: every step, to the unit.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::fs;
use std::path::Path;

use basis_core::num::U256;
use basis_protocols::curve_stableswap::{Amplification, Parameters, PerCoin, Pool, Template};
use serde_json::Value;

fn scenarios() -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/vectors/onchain/curve_stableswap.json");
    let Ok(text) = fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not here", path.display());
        return None;
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    Some(file["scenarios"].as_array().unwrap().clone())
}

fn units(value: &Value) -> U256 {
    match value {
        Value::Null => U256::ZERO,
        Value::Number(number) => U256::from(number.as_u64().unwrap()),
        text => text.as_str().unwrap().parse().unwrap(),
    }
}

fn small(value: &Value) -> u64 {
    u64::try_from(units(value)).unwrap()
}

fn index(value: &Value) -> usize {
    usize::try_from(small(value)).unwrap()
}

fn per_coin(value: &Value) -> PerCoin {
    let numbers: Vec<U256> = value.as_array().unwrap().iter().map(units).collect();
    PerCoin::new(&numbers).unwrap()
}

fn pool(scenario: &Value) -> Pool {
    let parameters = Parameters {
        template: Template::ThreePool,
        amplification: Amplification::constant(small(&scenario["A"])),
        fee: small(&scenario["fee_1e10"]),
        admin_fee: small(&scenario["adminFee_1e10"]),
        offpeg_fee_multiplier: small(&scenario["offpegFeeMultiplier_1e10"]),
        rates: per_coin(&scenario["rates"]),
    };
    let initial = &scenario["initial"];
    let pool = Pool::with_state(
        parameters,
        &per_coin(&initial["balances"]),
        &per_coin(&initial["adminBalances"]),
        units(&initial["lpSupply"]),
    )
    .unwrap();
    check(&pool, initial, "initial");
    pool
}

fn check(pool: &Pool, expected: &Value, place: &str) {
    let balances = per_coin(&expected["balances"]);
    assert_eq!(*pool.balances(), balances, "{place}: balances");
    let admin = per_coin(&expected["adminBalances"]);
    assert_eq!(*pool.admin_balances(), admin, "{place}: admin");
    let supply = units(&expected["lpSupply"]);
    assert_eq!(pool.lp_supply(), supply, "{place}: supply");
    let invariant = pool.invariant().unwrap();
    assert_eq!(invariant, units(&expected["D"]), "{place}: D");
    let price = pool.virtual_price().unwrap();
    assert_eq!(price, units(&expected["virtualPrice"]), "{place}: price");
}

/// The balance of the coin taken that the exchange aims at, 18 decimals.
fn balance_after(pool: &Pool, i: usize, j: usize, dx: U256) -> U256 {
    let xp = pool.xp().unwrap();
    let rate = pool.parameters().rates[i];
    let wad = U256::from(10_u64).pow(U256::from(18_u64));
    let x = xp[i] + dx * rate / wad;
    let curve = pool.curve().unwrap();
    let d = curve.get_d(&xp).unwrap();
    curve.get_y(i, j, x, &xp, d).unwrap()
}

fn exchange(pool: &mut Pool, step: &Value, place: &str) {
    let (i, j, dx) = (index(&step["i"]), index(&step["j"]), units(&step["dx"]));
    let aimed = balance_after(pool, i, j, dx);
    assert_eq!(aimed, units(&step["yAfter"]), "{place}: y");
    let dy = units(&step["dy"]);
    let quote = pool.quote(i, j, dx).unwrap();
    let before = *pool;
    let above = pool.exchange(i, j, dx, dy + U256::ONE).unwrap_err();
    let reason = above.revert_reason();
    assert_eq!(
        reason,
        Some("Exchange resulted in fewer coins than expected")
    );
    assert_eq!(*pool, before, "{place}: a refusal changes nothing");
    let done = pool.exchange(i, j, dx, dy).unwrap();
    assert_eq!(done, quote, "{place}: quote");
    assert_eq!(done.received, dy, "{place}: dy");
    assert_eq!(done.fee, units(&step["fee"]), "{place}: fee");
}

fn step(pool: &mut Pool, step: &Value, place: &str) {
    let amounts = || per_coin(&step["amounts"]);
    match step["op"].as_str().unwrap() {
        "exchange" => exchange(pool, step, place),
        "add_liquidity" => {
            let minted = units(&step["minted"]);
            let done = pool.add_liquidity(&amounts(), minted).unwrap();
            assert_eq!(done.minted, minted, "{place}: minted");
        }
        "remove_liquidity" => {
            let burn = units(&step["tokenAmount"]);
            let paid = pool.remove_liquidity(burn, &amounts()).unwrap();
            assert_eq!(paid, amounts(), "{place}: amounts");
        }
        "remove_liquidity_one_coin" => {
            let (burn, i) = (units(&step["tokenAmount"]), index(&step["i"]));
            let dy = units(&step["dy"]);
            let quote = pool.calc_withdraw_one_coin(burn, i).unwrap();
            let done = pool.remove_liquidity_one_coin(burn, i, dy).unwrap();
            assert_eq!(done, quote, "{place}: quote");
            assert_eq!(done.received, dy, "{place}: dy");
            assert_eq!(done.fee, units(&step["fee"]), "{place}: fee");
        }
        "remove_liquidity_imbalance" => {
            let burned = units(&step["burned"]);
            let done = pool.remove_liquidity_imbalance(&amounts(), burned).unwrap();
            assert_eq!(done.burned, burned, "{place}: burned");
        }
        other => panic!("{place}: unknown operation {other}"),
    }
    check(pool, &step["after"], place);
}

#[test]
fn every_recorded_step_comes_out_to_the_unit() {
    let Some(scenarios) = scenarios() else { return };
    let mut steps = 0;
    for scenario in &scenarios {
        let mut pool = pool(scenario);
        let name = scenario["name"].as_str().unwrap();
        for (n, recorded) in scenario["steps"].as_array().unwrap().iter().enumerate() {
            step(&mut pool, recorded, &format!("{name} step {n}"));
            steps += 1;
        }
    }
    assert!(steps >= 200, "only {steps} steps in the recording");
    eprintln!("{} pools, {steps} steps", scenarios.len());
}
