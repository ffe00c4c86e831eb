//! `eth_leveraged` on the built-in market: groups alone change the loop, the ladder acts in order, the
//! oracle liquidates and a pool's discount does not, and what cannot work does not start.

#![allow(
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure is a failed test"
)]

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value as Json;

use crate::runner::{Outcome, Scratch};

const RUN: [&str; 6] = [
    "backtest",
    "eth_leveraged",
    "--from",
    "2024-02-01",
    "--to",
    "2024-03-31",
];

fn run(dir: &Scratch, more: &[&str]) -> Outcome {
    let arguments = [RUN.as_slice(), &["--out", "run", "--json"], more].concat();
    dir.run(&arguments, &[])
}

fn events(dir: &Scratch, kind: &str) -> Vec<Json> {
    let folder = dir.path().join("run/events");
    let mut found = Vec::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        found.extend(lines.filter(|event: &Json| event["event_type"] == kind));
    }
    found.sort_by_key(|event| event["seq"].as_u64());
    found
}

/// How often each operation was confirmed, by venue and name.
fn operations(dir: &Scratch) -> BTreeMap<(String, String), u32> {
    let text = fs::read_to_string(dir.path().join("run/executions.csv")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        if let [_, _, venue, operation, ..] = fields.as_slice() {
            let key = ((*venue).to_owned(), (*operation).to_owned());
            *counts.entry(key).or_insert(0) += 1;
        }
    }
    counts
}

fn liquidations(summary: &Json) -> u64 {
    summary["counts"]["liquidations"]
        .as_u64()
        .unwrap_or(u64::MAX)
}

#[test]
fn the_loop_is_entered_changed_and_left_by_groups_alone() {
    let dir = Scratch::new();
    let withdrawals = "withdrawals=[{at: 2024-03-10T00:00:00Z, amount: 40}]";
    let summary = run(&dir, &["--set", withdrawals]).json();
    assert_eq!(summary["halted"], Json::Null);
    let end: f64 = summary["equity_end"]
        .as_str()
        .unwrap_or_default()
        .parse()
        .unwrap_or(0.0);
    assert!((55.0..65.0).contains(&end), "40 of 100 were paid: {end}");
    let counts = operations(&dir);
    let groups = counts.get(&("instadapp".to_owned(), "atomic".to_owned()));
    assert!(groups.is_some_and(|count| *count > 1), "{counts:?}");
    for (venue, operation) in counts.keys() {
        let changes = [
            "supply", "withdraw", "borrow", "repay", "stake", "unstake", "swap",
        ];
        assert!(
            !changes.contains(&operation.as_str()),
            "{operation} at {venue} alone"
        );
    }
}

#[test]
fn the_ladder_acts_in_order_before_the_pool_does() {
    let dir = Scratch::new();
    let shock = "oracle weETH -4% at 2024-03-01 over 24h";
    let summary = run(&dir, &["--shock", shock]).json();
    assert_eq!(liquidations(&summary), 0, "risk was faster");
    let mut levels: Vec<String> = Vec::new();
    for event in events(&dir, "risk") {
        let level = event["data"]["level"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(event["data"]["measure"], "health_factor");
        if !levels.contains(&level) {
            levels.push(level);
        }
        if levels.last().is_some_and(|last| last == "deleverage") {
            break;
        }
    }
    assert_eq!(levels, ["warn", "reduce_only", "deleverage"]);
    let cut = events(&dir, "plan").into_iter();
    assert!(
        cut.filter(|plan| plan["data"]["reason"] == "deleverage")
            .count()
            > 0
    );
}

#[test]
fn an_oracle_that_falls_at_once_liquidates_by_the_pool_s_numbers() {
    let dir = Scratch::new();
    let shock = "oracle weETH -8% at 2024-03-01";
    let outcome = run(&dir, &["--shock", shock]);
    let summary: Json = serde_json::from_str(&outcome.out).unwrap_or_default();
    assert!(liquidations(&summary) >= 1, "{summary}");
    let ledger = fs::read_to_string(dir.path().join("run/ledger.csv")).unwrap_or_default();
    let value_of = |item: &str| -> f64 {
        let lines = ledger
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>());
        let first = lines.into_iter().find(|f| {
            f.get(3).is_some_and(|found| *found == item)
                && f.get(7).is_some_and(|kind| *kind == "liquidation")
        });
        let units = first.and_then(|f| f.get(5).and_then(|units| units.parse::<f64>().ok()));
        units.unwrap_or(f64::NAN).abs()
    };
    // Half of the debt or all of it is repaid for collateral worth as much at the oracle and the bonus
    // of 1 % that the efficiency mode has.
    let (repaid, seized) = (value_of("debt:WETH"), value_of("shares:weETH"));
    assert!(repaid > 0.0 && seized > 0.0, "{repaid} {seized}");
    let rates = summary["risk"]["worst"].as_array().map_or(0, Vec::len);
    assert!(rates > 0, "the worst moment is told");
}

#[test]
fn a_discount_in_the_pool_liquidates_nothing() {
    let dir = Scratch::new();
    let shock = "market weETH -10% at 2024-03-01 over 6h for 5d";
    let summary = run(&dir, &["--shock", shock]).json();
    assert_eq!(liquidations(&summary), 0);
    assert!(events(&dir, "risk").is_empty(), "the pool reads its oracle");
}

#[test]
fn what_cannot_work_does_not_start() {
    let dir = Scratch::new();
    for (set, words) in [
        ("max_ltv=0.95", "above 0.93, the most the efficiency mode"),
        ("target_ltv=0.93", "is above max_ltv 0.92"),
        (
            "risk.health_factor_deleverage=1.06",
            "risk.health_factor_deleverage",
        ),
    ] {
        let more = [
            "--set",
            set,
            "--set",
            "risk.health_factor_warn=1.2",
            "--set",
            "risk.health_factor_reduce_only=1.1",
        ];
        run(&dir, &more).fails(2, &[words]);
    }
    // What a mode reads must be there.
    dir.write(
        "data/spot/bybit/ETHUSDT_1h.csv",
        "timestamp,open,high,low,close,volume\n2024-02-01T00:00:00Z,1,2,1,2,5\n",
    );
    let arguments = [RUN.as_slice(), &["--data", "data"]].concat();
    dir.run(&arguments, &[])
        .fails(2, &["staking_rate.etherfi.weETH_ETH", "gas.ethereum.gwei"]);
}

#[test]
fn the_venues_say_what_a_flash_loan_costs_and_who_has_it() {
    let dir = Scratch::new();
    let poor = ["--set", "venue_settings.morpho.balances.WETH=0"];
    let dear = ["--set", "venue_settings.aave.flash_loan_premium_bps=9"];
    // Morpho, which asks nothing, has nothing: the pool lends at a premium of its own settings.
    let summary = run(&dir, &[poor, dear].concat()).json();
    let built = operations(&dir).contains_key(&("instadapp".to_owned(), "atomic".to_owned()));
    assert!(built, "{summary}");
    let ledger = fs::read_to_string(dir.path().join("run/ledger.csv")).unwrap_or_default();
    assert!(ledger.contains(",fee,"), "the premium was paid");
    let free = Scratch::new();
    run(&free, &dear).json();
    let ledger = fs::read_to_string(free.path().join("run/ledger.csv")).unwrap_or_default();
    assert!(!ledger.contains(",fee,"), "Morpho lends for nothing");
}

#[test]
fn the_cheapest_exit_reckons_with_the_venue_s_own_queue() {
    let exits = |hours: &str| {
        let dir = Scratch::new();
        let queue = format!("venue_settings.etherfi.queue_delay_hours={hours}");
        let withdrawals = "withdrawals=[{at: 2024-03-10T00:00:00Z, amount: 40}]";
        let mut arguments = RUN.to_vec();
        arguments[1] = "eth_staking_only";
        arguments.extend(["--out", "run", "--json", "--set", "exit_route=cheapest"]);
        arguments.extend(["--set", withdrawals, "--set", &queue]);
        dir.run(&arguments, &[]).json();
        let counts = operations(&dir);
        let queued = counts.contains_key(&("etherfi".to_owned(), "unstake".to_owned()));
        let ledger = fs::read_to_string(dir.path().join("run/ledger.csv")).unwrap_or_default();
        let sold = |row: &str| row.contains(",wallet.main,weETH,-") && row.contains(",trade,");
        (queued, ledger.lines().any(sold))
    };
    // Nothing is given up in a queue of no length; a year of yield is more than any discount.
    let (queued, _) = exits("0");
    assert!(queued, "no yield is given up in it");
    let (queued, sold) = exits("8760");
    assert!(
        !queued && sold,
        "a year without yield costs more than the pool"
    );
}

#[test]
fn rewards_that_are_more_than_a_pool_takes_at_once_are_sold_in_slices() {
    let dir = Scratch::new();
    let mut arguments = RUN.to_vec();
    arguments[1] = "eth_staking_only";
    arguments.extend(["--out", "run", "--json", "--capital", "30000"]);
    dir.run(&arguments, &[]).json();
    let ledger = fs::read_to_string(dir.path().join("run/ledger.csv")).unwrap_or_default();
    let sales = |asset: &str| {
        let sold = format!(",wallet.main,{asset},-");
        let lines = ledger.lines();
        let sold = lines.filter(|row| row.contains(&sold) && row.contains(",trade,"));
        sold.map(|row| row.split(',').nth(1).unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let instants = sales("EIGEN");
    // Paid once a week, in eight weeks.
    assert!(instants.len() > 12, "{instants:?}");
    // Never two within a bar, which the first has moved.
    assert!(instants.is_sorted_by(|a, b| a < b), "{instants:?}");
    let refused = events(&dir, "error").len();
    assert!(refused > 0, "the whole is more than a pool takes");
    let sold = instants.len() + sales("ETHFI").len();
    assert!(refused < sold, "{refused} refusals, {sold} sales");
}
