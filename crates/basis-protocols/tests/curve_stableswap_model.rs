//! Curve StableSwap against Curve's own integer model (curvesim), over random sequences.
//!
//! `curvesim_model.py` chooses the operations, runs them on the model and tells what came out; the
//! pool here must give the same integers at every step, and refuse what the contract would revert.
//! Pools that follow `StableSwapNG` compare with the same model, with the steps that the contract
//! changes written again in Python.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the helpers of tests may fail as loudly as the tests"
)]

use std::path::PathBuf;
use std::process::Command;

use basis_core::num::U256;
use basis_protocols::curve_stableswap::{Amplification, Parameters, PerCoin, Pool, Template};
use serde_json::Value;

/// Turns absence of the model into a failure; the test command sets it.
const REQUIRE: &str = "BASIS_TESTS_REQUIRE_CONTRACTS";

/// Operations of each sequence; the nine of them together are well over 10,000.
const STEPS: usize = 2_000;

#[expect(
    clippy::disallowed_methods,
    reason = "only the test asks, not the product"
)]
fn is_required() -> bool {
    std::env::var(REQUIRE).is_ok()
}

/// What the model says about a sequence of operations, one JSON object a line.
fn model(kind: &str) -> Option<Vec<Value>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let packages = here.join("../../tests/chain/python");
    for package in ["curvesim", "gmpy2"] {
        if packages.join(package).is_dir() {
            continue;
        }
        let place = packages.display();
        let text = format!("{package} is missing in {place}; `cargo xtask setup` installs it");
        assert!(!is_required(), "{text}");
        eprintln!("SKIPPED: {text}");
        return None;
    }
    let output = Command::new("python3")
        .arg(here.join("tests/curvesim_model.py"))
        .args([kind, "1", &STEPS.to_string()])
        .env("PYTHONPATH", &packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Some(lines.collect())
}

fn units(value: &Value) -> U256 {
    value.as_str().unwrap().parse().unwrap()
}

fn small(value: &Value) -> u64 {
    u64::try_from(units(value)).unwrap()
}

fn index(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn per_coin(value: &Value) -> PerCoin {
    let numbers: Vec<U256> = value.as_array().unwrap().iter().map(units).collect();
    PerCoin::new(&numbers).unwrap()
}

/// The pool that the first line describes.
fn pool(start: &Value, template: Template) -> Pool {
    let scale = match template {
        Template::Base => template.a_precision(),
        Template::ThreePool | Template::StableSwapNg => 1,
    };
    let ramp: Vec<u64> = start["ramp"]
        .as_array()
        .unwrap()
        .iter()
        .map(small)
        .collect();
    let parameters = Parameters {
        template,
        amplification: Amplification {
            initial: ramp[0] * scale,
            future: ramp[1] * scale,
            initial_time: ramp[2],
            future_time: ramp[3],
        },
        fee: small(&start["fee"]),
        admin_fee: small(&start["admin_fee"]),
        offpeg_fee_multiplier: small(&start["multiplier"]),
        rates: per_coin(&start["rates"]),
    };
    let after = &start["after"];
    let balances = per_coin(&after["balances"]);
    let admin = per_coin(&after["admin_balances"]);
    let mut pool =
        Pool::with_state(parameters, &balances, &admin, units(&after["supply"])).unwrap();
    pool.advance_to(ramp[2]);
    pool
}

fn check(pool: &Pool, expected: &Value, place: &str) {
    let balances = per_coin(&expected["balances"]);
    assert_eq!(*pool.balances(), balances, "{place}: balances");
    let admin = per_coin(&expected["admin_balances"]);
    assert_eq!(*pool.admin_balances(), admin, "{place}: admin");
    let supply = units(&expected["supply"]);
    assert_eq!(pool.lp_supply(), supply, "{place}: supply");
    let invariant = pool.invariant().unwrap();
    assert_eq!(invariant, units(&expected["d"]), "{place}: D");
    let price = pool.virtual_price().unwrap();
    assert_eq!(price, units(&expected["virtual_price"]), "{place}: price");
}

/// Runs a step that the contract would revert; whether it is refused here.
fn is_refused(pool: &mut Pool, step: &Value) -> bool {
    match step["op"].as_str().unwrap() {
        "exchange" => {
            let (i, j) = (index(&step["i"]), index(&step["j"]));
            pool.exchange(i, j, units(&step["dx"]), U256::ZERO).is_err()
        }
        "add_liquidity" => {
            let amounts = per_coin(&step["amounts"]);
            pool.add_liquidity(&amounts, U256::ZERO).is_err()
        }
        "remove_liquidity_one_coin" => {
            let (burn, i) = (units(&step["burn"]), index(&step["i"]));
            pool.remove_liquidity_one_coin(burn, i, U256::ZERO).is_err()
        }
        "remove_liquidity_imbalance" => {
            let amounts = per_coin(&step["amounts"]);
            pool.remove_liquidity_imbalance(&amounts, U256::MAX)
                .is_err()
        }
        other => panic!("{other} is never refused"),
    }
}

fn run(pool: &mut Pool, step: &Value, place: &str) {
    let amounts = || per_coin(&step["amounts"]);
    match step["op"].as_str().unwrap() {
        "exchange" => {
            let (i, j) = (index(&step["i"]), index(&step["j"]));
            let (dx, dy) = (units(&step["dx"]), units(&step["dy"]));
            let done = pool.exchange(i, j, dx, dy).unwrap();
            assert_eq!(done.received, dy, "{place}: dy");
            assert_eq!(done.fee, units(&step["fee"]), "{place}: fee");
        }
        "add_liquidity" => {
            let view = pool.calc_token_amount(&amounts(), true).unwrap();
            assert_eq!(view, units(&step["view"]), "{place}: view");
            let minted = units(&step["minted"]);
            let done = pool.add_liquidity(&amounts(), minted).unwrap();
            assert_eq!(done.minted, minted, "{place}: minted");
            assert_eq!(done.fees, per_coin(&step["fees"]), "{place}: fees");
        }
        "remove_liquidity" => {
            let burn = units(&step["burn"]);
            let paid = pool.remove_liquidity(burn, &amounts()).unwrap();
            assert_eq!(paid, amounts(), "{place}: amounts");
        }
        "remove_liquidity_one_coin" => {
            let (burn, i) = (units(&step["burn"]), index(&step["i"]));
            let dy = units(&step["dy"]);
            let done = pool.remove_liquidity_one_coin(burn, i, dy).unwrap();
            assert_eq!(done.received, dy, "{place}: dy");
            assert_eq!(done.fee, units(&step["fee"]), "{place}: fee");
        }
        "remove_liquidity_imbalance" => {
            let burned = units(&step["burned"]);
            let done = pool.remove_liquidity_imbalance(&amounts(), burned).unwrap();
            assert_eq!(done.burned, burned, "{place}: burned");
            assert_eq!(done.fees, per_coin(&step["fees"]), "{place}: fees");
        }
        "pass_time" => {
            pool.advance_to(small(&step["now"]));
            pool.update_rates(&per_coin(&step["rates"])).unwrap();
        }
        other => panic!("{place}: unknown operation {other}"),
    }
}

/// Follows a sequence with pools of these contracts, all of which must agree with the model.
fn follow(kind: &str, templates: &[Template]) {
    let Some(lines) = model(kind) else { return };
    let (start, steps) = lines.split_first().unwrap();
    assert_eq!(steps.len(), STEPS);
    for template in templates {
        let mut pool = pool(start, *template);
        check(&pool, &start["after"], kind);
        let mut refusals = 0;
        for (n, step) in steps.iter().enumerate() {
            let place = format!("{kind} {template:?} step {n} {}", step["op"]);
            if step["refused"].as_bool().unwrap() {
                let before = pool;
                assert!(is_refused(&mut pool, step), "{place}: {step}");
                assert_eq!(pool, before, "{place}: a refusal changes nothing");
                refusals += 1;
            } else {
                run(&mut pool, step, &place);
            }
            check(&pool, &step["after"], &place);
        }
        eprintln!("{kind} {template:?}: {STEPS} steps, {refusals} refused");
    }
}

/// With a whole `A` the contract that keeps `A × 100` computes what the 3pool does.
const FLAT: &[Template] = &[Template::ThreePool, Template::Base];

#[test]
fn three_coins_of_18_and_6_decimals_follow_the_model() {
    follow("three", FLAT);
}

#[test]
fn two_coins_follow_the_model() {
    follow("two", FLAT);
}

#[test]
fn four_coins_with_a_ramp_follow_the_model() {
    follow("four", &[Template::ThreePool]);
}

#[test]
fn a_coin_with_a_moving_exchange_rate_follows_the_model() {
    follow("rated", FLAT);
}

#[test]
fn an_off_peg_fee_follows_the_model() {
    follow("offpeg", &[Template::ThreePool]);
}

#[test]
fn the_least_amplification_without_fees_follows_the_model() {
    follow("free", FLAT);
}

#[test]
fn a_next_generation_pool_follows_the_model_with_its_steps() {
    follow("ng", &[Template::StableSwapNg]);
}

#[test]
fn a_next_generation_pool_with_rates_and_a_ramp_follows_the_model_with_its_steps() {
    follow("ng_rated", &[Template::StableSwapNg]);
}

#[test]
fn a_next_generation_pool_of_four_coins_follows_the_model_with_its_steps() {
    follow("ng_four", &[Template::StableSwapNg]);
}
