//! The outside auditor over pools that have a state: it derives every integer of swaps, deposits,
//! withdrawals, fees and of a followed price by its own model, and finds a unit that was changed.
//!
//! The market is the synthetic one, written to files; the tests need `python3` and say so without it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use basis::core::num::Fixed18;
use basis::core::types::{Span, Timestamp};
use serde_json::{Value as Json, json};

use crate::audit::{assert_agrees, audit, copy_of, data_directory, fresh, python, text};
use crate::liquidity::{HOURS, assert_counted, hour, leg, market, play, swap};
use crate::scripted::{Script, plan};

/// Pools of every kind that has a state: ranges beside each other, one that follows, one that our swaps
/// do not move, and each template of Curve.
const UNISWAP: &str = "venue_settings.uniswap.pools={ \
    ranges: { model: state, assets: [WETH, weETH], fee: 500, tick_spacing: 10, price: 0.97, ranges: [ \
    { lower: -1000, upper: 1000, liquidity: \"400000000000000000000\" }, \
    { lower: -400, upper: -200, liquidity: \"900000000000000000000\" } ] }, \
    still: { model: state, assets: [WETH, USDT], fee: 3000, tick_spacing: 60, own_size: false, \
    sqrt_price_x96: \"3961408125713216879677197\", \
    ranges: [{ lower: -240000, upper: -150000, liquidity: \"500000000000000000\" }] }, \
    followed: { model: state, assets: [WETH, USDT], fee: 3000, tick_spacing: 60, price: 2500, \
    follows: dex.uniswap.WETHUSDT_3000, \
    ranges: [{ lower: -240000, upper: -150000, liquidity: \"500000000000000000\" }] } }";

const CURVE: &str = "venue_settings.curve.pools={ \
    pair: { model: state, assets: [weETH, WETH], fee: 4000000, a: 200, balances: [500, 520], \
    offpeg_fee_multiplier: 20000000000, rates: [staking_rate.etherfi.weETH_ETH, 1] }, \
    three: { model: state, template: three_pool, assets: [DAI, USDC, USDT], fee: 3000000, a: 2000, \
    balances: [300000, 200000, 250000], lp_supply: 740000 }, \
    old: { model: state, template: base, assets: [USDC, USDT], fee: 4000000, a: 100, admin_fee: 0, \
    balances: [90000, 80000] } }";

fn add(pool: &str, amounts: &[&str], ticks: Option<[i32; 2]>) -> Json {
    let mut ask = json!({ "pool": pool, "amounts": amounts, "minimum_liquidity": "0" });
    if let Some(ticks) = ticks {
        ask["ticks"] = json!(ticks);
    }
    json!({ "add_liquidity": ask })
}

fn remove(pool: &str, liquidity: &str, coins: usize, ticks: Option<[i32; 2]>) -> Json {
    let nothing = vec!["0"; coins];
    let mut ask = json!({ "pool": pool, "liquidity": liquidity, "minimum_out": nothing });
    if let Some(ticks) = ticks {
        ask["ticks"] = json!(ticks);
    }
    json!({ "remove_liquidity": ask })
}

fn collect(pool: &str, ticks: [i32; 2]) -> Json {
    json!({ "collect_fees": { "pool": pool, "ticks": ticks } })
}

/// In, moved across ticks both ways, collected, out: one step an hour or two.
fn script() -> Script {
    let exactly = |units: &str| json!({ "exactly": units });
    let (near, above) = (Some([-320, -250]), Some([0, 200]));
    let wide = Some([-210_000, -180_000]);
    let step = |venue: &str, operation: Json| {
        let mut step = operation.as_object().cloned().unwrap_or_default();
        step.insert("venue".to_owned(), json!(venue));
        Json::Object(step)
    };
    let group = json!({ "atomic": [
        step("uniswap", swap("ranges", ["WETH", "weETH"], "1.5")),
        step("curve", swap("pair", ["weETH", "WETH"], "all")),
        step("uniswap", collect("ranges", [-320, -250])),
        step("curve", swap("three", ["USDT", "DAI"], "777.123456")),
    ]});
    let wrap =
        |amount| json!({ "wrap": { "asset_in": "ETH", "asset_out": "WETH", "amount": amount } });
    let stake =
        json!({ "stake": { "asset_in": "ETH", "asset_out": "weETH", "amount": exactly("36") } });
    let legs = [
        ("wallet", wrap(exactly("55"))),
        ("etherfi", stake),
        ("uniswap", swap("WETHUSDT", ["WETH", "USDT"], "12")),
        (
            "uniswap",
            add("ranges", &["3", "3.000000000000000001"], near),
        ),
        ("uniswap", add("ranges", &["2", "0"], above)),
        ("uniswap", add("ranges", &["0.5", "0.7"], near)),
        ("uniswap", add("followed", &["2", "6000"], wide)),
        ("uniswap", swap("ranges", ["WETH", "weETH"], "9.123456789")),
        ("uniswap", swap("ranges", ["weETH", "WETH"], "17.5")),
        ("uniswap", swap("still", ["WETH", "USDT"], "0.25")),
        ("uniswap", swap("followed", ["WETH", "USDT"], "0.4")),
        ("curve", add("pair", &["5", "1"], None)),
        ("curve", swap("three", ["USDT", "USDC"], "3000")),
        ("curve", swap("three", ["USDT", "DAI"], "2500.5")),
        ("curve", add("three", &["1000", "0", "1200.000001"], None)),
        ("curve", add("old", &["900", "850"], None)),
        (
            "curve",
            swap("three", ["DAI", "USDT"], "1400.000000000000000001"),
        ),
        ("curve", swap("old", ["USDC", "USDT"], "321.000007")),
        ("curve", swap("pair", ["weETH", "WETH"], "4.25")),
        ("instadapp", group),
        ("uniswap", collect("followed", [-210_000, -180_000])),
        ("uniswap", remove("ranges", "40", 2, near)),
        ("curve", remove("pair", "2.5", 2, None)),
        ("curve", remove("three", "700", 3, None)),
        ("curve", remove("old", "333.3", 2, None)),
        ("uniswap", remove("followed", "0.00002", 2, wide)),
    ];
    let at = (1..).map(hour);
    let legs = legs
        .into_iter()
        .map(|(venue, operation)| plan(vec![leg(venue, operation)]));
    Script(at.zip(legs).collect())
}

/// The data and the run of the script over it, made once.
fn run() -> &'static (PathBuf, PathBuf) {
    static RUN: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    RUN.get_or_init(|| made("pools", script()))
}

/// The synthetic market and a run of `script` over it.
fn made(name: &str, script: Script) -> (PathBuf, PathBuf) {
    let dir = fresh(name);
    fs::create_dir_all(&dir).unwrap();
    let (data, out) = (market(&dir), dir.join("run"));
    let range = (hour(0), hour(HOURS));
    play(&data, &out, &[UNISWAP, CURVE], range, script);
    (data, out)
}

#[test]
fn pools_with_a_state_are_derived_to_the_unit() {
    if !python() {
        return;
    }
    let (data, run) = run();
    let report = assert_agrees(run, Some(data));
    assert!(!report.contains("SKIPPED"), "{report}");
    assert_counted(&report);
}

/// Numbers without a pattern (Knuth's linear congruence), the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Units of an asset with `decimals`, from `least` up to twice that.
    fn amount(&mut self, least: u64, decimals: usize) -> String {
        let digits = |numbers: &mut Self| format!("{:09}", numbers.below(1_000_000_000));
        let fraction = digits(self) + &digits(self);
        format!(
            "{}.{}",
            least + self.below(least.max(1)),
            &fraction[..decimals]
        )
    }

    /// A swap somewhere.
    fn swap(&mut self) -> (&'static str, Json) {
        let (venue, pool, way, decimals) = match self.below(6) {
            0 | 1 => ("uniswap", "ranges", ["WETH", "weETH"], [18, 18]),
            2 => ("uniswap", "followed", ["WETH", "USDT"], [18, 6]),
            3 => ("curve", "pair", ["weETH", "WETH"], [18, 18]),
            4 => ("curve", "three", ["USDT", "USDC"], [6, 6]),
            _ => ("curve", "old", ["USDC", "USDT"], [6, 6]),
        };
        let back = usize::try_from(self.below(2)).unwrap();
        let least = |asset: &str| if asset.starts_with("USD") { 400 } else { 0 };
        let amount = self.amount(least(way[back]), decimals[back]);
        (venue, swap(pool, [way[back], way[1 - back]], &amount))
    }
}

/// Deposits in every pool, then a hundred swaps with withdrawals and collections between them.
fn random(seed: u64) -> Script {
    let mut numbers = Numbers(seed);
    let (near, wide) = (Some([-330, -240]), Some([-200_100, -195_000]));
    let first = script().0.into_iter().take(3);
    let mut plans: Vec<_> = first.collect();
    let deposits = [
        ("uniswap", add("ranges", &["2", "2"], near)),
        ("uniswap", add("followed", &["2", "5000"], wide)),
        ("curve", add("pair", &["2", "2"], None)),
        ("curve", swap("three", ["USDT", "USDC"], "9000")),
        ("curve", add("three", &["0", "500", "700"], None)),
        ("curve", add("old", &["300", "200"], None)),
    ];
    let deposits = deposits.map(|(venue, operation)| leg(venue, operation));
    plans.push((hour(4), plan(deposits.to_vec())));
    for at in 5..HOURS - 1 {
        let mut legs: Vec<_> = (0..3).map(|_| numbers.swap()).collect();
        match numbers.below(6) {
            0 => legs.push(("uniswap", remove("ranges", &numbers.amount(0, 18), 2, near))),
            1 => {
                let tokens = format!("0.0{}", numbers.below(1_000_000_000));
                legs.push(("curve", remove("pair", &tokens, 2, None)));
            }
            2 => legs.push(("curve", remove("three", &numbers.amount(5, 18), 3, None))),
            3 => legs.push(("uniswap", add("ranges", &["0.1", "0.1"], near))),
            _ => {}
        }
        let legs = legs
            .into_iter()
            .map(|(venue, operation)| leg(venue, operation));
        plans.push((hour(at), plan(legs.collect())));
    }
    Script(plans.into())
}

#[test]
fn swaps_without_a_pattern_are_derived_to_the_unit() {
    if !python() {
        return;
    }
    for seed in 1..=3 {
        let (data, run) = made(&format!("random-{seed}"), random(seed));
        let report = assert_agrees(&run, Some(&data));
        assert!(!report.contains("SKIPPED"), "{report}");
    }
}

/// A month of the recorded market, whose hours the pool follows.
#[test]
fn a_pool_that_followed_the_recorded_market_is_derived_to_the_unit() {
    let Some(data) = data_directory() else { return };
    let at = |day: &str| format!("{day}T00:00:00Z").parse::<Timestamp>().unwrap();
    let (from, to) = (at("2024-10-20"), at("2024-11-20"));
    let legs = [
        (
            "wallet",
            json!({ "wrap": { "asset_in": "ETH", "asset_out": "WETH", "amount": { "exactly": "30" } } }),
        ),
        ("uniswap", swap("WETHUSDT", ["WETH", "USDT"], "12")),
        (
            "uniswap",
            add("followed", &["4", "12000"], Some([-198_000, -196_020])),
        ),
        (
            "uniswap",
            add("followed", &["4", "12000"], Some([-210_000, -180_000])),
        ),
    ];
    let hours = (1..).map(|number| from.plus(Span::from_hours(number)));
    let legs = legs
        .into_iter()
        .map(|(venue, operation)| plan(vec![leg(venue, operation)]));
    let out = fresh("recorded");
    play(
        &data,
        &out,
        &[UNISWAP, CURVE],
        (from, to),
        Script(hours.zip(legs).collect()),
    );
    let report = assert_agrees(&out, Some(&data));
    assert!(!report.contains("SKIPPED"), "{report}");
    let ledger = fs::read_to_string(out.join("ledger.csv")).unwrap();
    let moved = ledger
        .lines()
        .filter(|line| line.contains("accrual:uniswap."));
    assert!(moved.count() > 2_000);
}

/// One unit more in `column` of the first line of the ledger that has all of `parts`: the auditor must
/// say what it should have been.
#[track_caller]
fn assert_unit_found(name: &str, column: &str, parts: &[&str]) {
    let (data, original) = run();
    let run = copy_of(original, name);
    let path = run.join("ledger.csv");
    let table = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    let columns: Vec<_> = lines[0].split(',').collect();
    let place = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (at, item, kind) = (place(column), place("item"), place("kind"));
    let found = |line: &String| parts.iter().all(|part| line.contains(part));
    let row = lines.iter().position(found);
    let row = row.unwrap_or_else(|| panic!("no line has all of {parts:?}"));
    let mut fields: Vec<String> = lines[row].split(',').map(str::to_owned).collect();
    let dollars = fields[item].contains("USD") && column != "value_usd";
    let unit = if dollars { 1_000_000_000_000 } else { 1 };
    let value: Fixed18 = fields[at].parse().unwrap();
    fields[at] = Fixed18::from_mantissa(value.mantissa() + unit).to_string();
    let said = format!(
        "ledger.csv row {}: {column} of {} of {} ",
        row + 1,
        fields[kind],
        fields[item]
    );
    lines[row] = fields.join(",");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let done = audit(&run, Some(data));
    let report = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{report}");
    assert!(report.contains(&said), "no `{said}` in\n{report}");
}

#[test]
fn a_unit_of_a_swap_is_found() {
    if !python() {
        return;
    }
    for (name, column, parts) in [
        (
            "ranges",
            "units",
            ["T08:00:00Z,wallet.main,weETH,", ",trade,"],
        ),
        (
            "back",
            "quantity",
            ["T09:00:00Z,wallet.main,WETH,", ",trade,"],
        ),
        (
            "still",
            "units",
            ["T10:00:00Z,wallet.main,USDT,", ",trade,"],
        ),
        (
            "three",
            "units",
            ["T13:00:00Z,wallet.main,USDC,", ",trade,"],
        ),
        ("old", "units", ["T18:00:00Z,wallet.main,USDT,", ",trade,"]),
        ("pair", "units", ["T19:00:00Z,wallet.main,WETH,", ",trade,"]),
        (
            "worth",
            "value_usd",
            ["T19:00:00Z,wallet.main,WETH,", ",trade,"],
        ),
        ("gas", "quantity", ["T09:00:00Z,wallet.main,ETH,", ",gas,"]),
    ] {
        assert_unit_found(name, column, &parts);
    }
}

#[test]
fn a_unit_of_what_a_swap_did_to_liquidity_is_found() {
    if !python() {
        return;
    }
    for (name, column, parts) in [
        (
            "turned",
            "units",
            [
                "T08:00:00Z,uniswap.ranges,liquidity:WETH:-320:-250,",
                ",trade,",
            ],
        ),
        (
            "worth",
            "value_usd",
            [
                "T08:00:00Z,uniswap.ranges,liquidity:weETH:-320:-250,",
                ",trade,",
            ],
        ),
        (
            "earned",
            "units",
            ["T09:00:00Z,uniswap.ranges,weETH,", ",liquidity_fee,"],
        ),
        (
            "stable",
            "units",
            ["T17:00:00Z,curve.three,liquidity:USDT,", ",trade,"],
        ),
        (
            "kept",
            "units",
            ["T17:00:00Z,curve.three,liquidity:USDT,", ",liquidity_fee,"],
        ),
        ("followed", "units", ["accrual:uniswap.", ",trade,"]),
        (
            "followed-worth",
            "value_usd",
            ["accrual:uniswap.", ",trade,"],
        ),
        (
            "followed-fee",
            "units",
            ["accrual:uniswap.", ",liquidity_fee,"],
        ),
    ] {
        assert_unit_found(name, column, &parts);
    }
}

#[test]
fn a_unit_of_a_deposit_or_a_withdrawal_is_found() {
    if !python() {
        return;
    }
    for (name, column, parts) in [
        (
            "minted",
            "quantity",
            [
                "T04:00:00Z,uniswap.ranges,liquidity:WETH:-320:-250,",
                ",transfer,",
            ],
        ),
        (
            "paid",
            "units",
            ["T04:00:00Z,wallet.main,weETH,", ",transfer,"],
        ),
        (
            "rounded",
            "units",
            [
                "T04:00:00Z,uniswap.ranges,liquidity:weETH:-320:-250,",
                ",fee,",
            ],
        ),
        (
            "tokens",
            "quantity",
            ["T15:00:00Z,curve.three,liquidity:DAI,", ",transfer,"],
        ),
        (
            "unbalanced",
            "units",
            ["T12:00:00Z,curve.pair,liquidity:WETH,", ",trade,"],
        ),
        (
            "collected",
            "units",
            ["T21:00:00Z,wallet.main,USDT,", ",transfer,"],
        ),
        (
            "burnt",
            "units",
            [
                "T22:00:00Z,uniswap.ranges,liquidity:WETH:-320:-250,",
                ",transfer,",
            ],
        ),
        (
            "returned",
            "units",
            ["T23:00:00Z,wallet.main,weETH,", ",transfer,"],
        ),
    ] {
        assert_unit_found(name, column, &parts);
    }
}

#[test]
fn another_state_of_a_pool_is_found() {
    if !python() {
        return;
    }
    let (data, original) = run();
    for (name, from, to, said) in [
        (
            "fee",
            "fee: 500\n",
            "fee: 501\n",
            "units of liquidity_fee of WETH",
        ),
        (
            "liquidity",
            "liquidity: 900000000000000000000",
            "liquidity: 900000000010000000000",
            "(pool swaps)",
        ),
        ("a", "a: 2000\n", "a: 2001\n", "(deposits)"),
        (
            "spacing",
            "tick_spacing: 10\n",
            "tick_spacing: 1\n",
            "(pool swaps)",
        ),
        (
            "supply",
            "lp_supply: 740000",
            "lp_supply: 740001",
            "(deposits)",
        ),
    ] {
        let run = copy_of(original, name);
        let path = run.join("config.yaml");
        let config = fs::read_to_string(&path).unwrap();
        let other = config.replacen(from, to, 1);
        assert_ne!(config, other, "{name}");
        fs::write(&path, other).unwrap();
        let report = text(&audit(&run, Some(data)).stdout);
        assert!(report.contains(said), "no `{said}` in\n{report}");
    }
}

/// What the auditor cannot derive it counts by name, and everything in the same pool after it.
#[test]
fn an_operation_that_is_not_derived_is_named_and_counted() {
    if !python() {
        return;
    }
    let (data, original) = run();
    let run = copy_of(original, "unknown");
    let path = run.join("executions.csv");
    let table = fs::read_to_string(&path).unwrap();
    let request = r#"""amount_in"":""9.123456789"""#;
    let other = table.replacen(request, &format!(r#"{request},""by"":""someone"""#), 1);
    assert_ne!(table, other);
    fs::write(&path, other).unwrap();
    let done = audit(&run, Some(data));
    let report = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{report}");
    let why = "swap with `by` in a pool that has a state";
    let after = format!("{why}, or what came after it in pool ranges of uniswap");
    for said in [
        format!("SKIPPED: 1 x {why}:"),
        format!("SKIPPED: 3 x {after}:"),
    ] {
        assert!(report.contains(&said), "no `{said}` in\n{report}");
    }
}
