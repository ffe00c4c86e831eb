//! Withdrawals and gaps leave no short without its margin and no long without its hedge: on the recorded
//! market, where they once did.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a failure is a failed test, and a skip must be loud"
)]

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::runner::Scratch;

/// The recorded data, when it is there.
fn data_directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("BASIS_SHARED_DIR").map_or_else(beside, PathBuf::from);
    let data = shared.join("data");
    if !data.is_dir() {
        eprintln!("SKIPPED: no recorded data in {}", data.display());
        return None;
    }
    Some(data.canonicalize().unwrap())
}

/// One run; its summary.
fn run(data: &Path, mode: &str, (from, to): (&str, &str), sets: &[&str]) -> Json {
    let scratch = Scratch::new();
    let mut arguments = vec!["backtest", mode, "--json", "--from", from, "--to", to];
    arguments.extend(["--data", data.to_str().unwrap()]);
    arguments.extend(["--set", "data.gaps=hold"]);
    for set in sets {
        arguments.extend(["--set", set]);
    }
    let outcome = scratch.run(&arguments, &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    serde_json::from_str(&outcome.out).unwrap()
}

/// OKX has no prices in the spring of 2025; another exchange stands in.
const PROXIES: [&str; 4] = [
    "data.proxies.perp.okx.ETHUSDT=perp.bybit.ETHUSDT",
    "data.proxies.funding.okx.ETHUSDT=funding.bybit.ETHUSDT",
    "data.proxies.perp.okx.BTCUSDT=perp.bybit.BTCUSDT",
    "data.proxies.funding.okx.BTCUSDT=funding.bybit.BTCUSDT",
];

fn count(summary: &Json, name: &str) -> u64 {
    summary["counts"][name].as_u64().unwrap()
}

/// Runs a withdrawal of `amount` with OKX by proxy: paid, without a liquidation, a halt or a refusal.
fn assert_paid(
    data: &Path,
    mode: &str,
    dates: (&str, &str),
    at: &str,
    amount: &str,
    more: &[&str],
) {
    let withdrawal = format!("withdrawals=[{{ at: {at}, amount: {amount} }}]");
    let asset = if mode == "btc_basis" { "BTC" } else { "ETH" };
    let proxies = PROXIES.into_iter().filter(|set| set.contains(asset));
    let mut sets: Vec<_> = proxies.collect();
    sets.push(&withdrawal);
    sets.extend(more);
    let summary = run(data, mode, dates, &sets);
    assert_eq!(count(&summary, "liquidations"), 0, "{mode} {at}");
    assert_eq!(summary["halted"], Json::Null, "{mode} {at}");
    assert_eq!(summary["refused_withdrawals"], Json::Array(Vec::new()));
    assert_eq!(summary["unpaid_withdrawals"], Json::Array(Vec::new()));
}

#[test]
fn a_stake_in_a_queue_keeps_its_hedge_and_the_margin_for_it() {
    let Some(data) = data_directory() else { return };
    // 85 % of the capital while ETH rises by a fifth in four days.
    let mode = "usdt_market_neutral_no_leverage";
    for day in ["17", "18"] {
        let at = format!("2024-05-{day}T00:00:00Z");
        let dates = ("2024-05-14T01:00:00Z", "2024-06-10");
        assert_paid(&data, mode, dates, &at, "85000", &[]);
    }
}

#[test]
fn ether_is_not_sold_before_the_short_of_a_venue_in_a_gap_can_be_cut() {
    let Some(data) = data_directory() else { return };
    // Binance has no prices on the day of the withdrawal.
    let dates = ("2025-04-25", "2025-05-20");
    for mode in ["usdt_market_neutral_no_leverage", "usdt_market_neutral"] {
        let at = "2025-05-06T00:00:00Z";
        assert_paid(&data, mode, dates, at, "85000", &[]);
    }
}

#[test]
fn a_withdrawal_down_to_less_than_the_smallest_book_is_paid_at_once() {
    let Some(data) = data_directory() else { return };
    for amount in ["9300", "9500"] {
        let dates = ("2024-03-01", "2024-03-12");
        let (at, capital) = ("2024-03-10T00:00:00Z", ["initial_capital=10000"]);
        assert_paid(&data, "btc_basis", dates, at, amount, &capital);
    }
}

#[test]
fn what_a_withdrawal_still_waits_for_at_the_end_is_listed() {
    let Some(data) = data_directory() else { return };
    // The queue of the stake takes a week.
    let dates = ("2024-05-14T01:00:00Z", "2024-05-20");
    let asked = "withdrawals=[{ at: 2024-05-18T00:00:00Z, amount: 85000 }]";
    let sets = [PROXIES[0], PROXIES[1], asked];
    let summary = run(&data, "usdt_market_neutral_no_leverage", dates, &sets);
    let [waiting] = summary["unpaid_withdrawals"].as_array().unwrap().as_slice() else {
        panic!("{summary}")
    };
    assert_eq!(waiting["at"], "2024-05-18T00:00:00Z");
    assert_eq!(waiting["asked"], "85000");
    // The cash of a hedged stake is its margin until the stake has left.
    assert_eq!(waiting["paid"], "0");
}

#[test]
fn a_venue_whose_gap_ends_shorts_on_margin_that_has_come_first() {
    let Some(data) = data_directory() else { return };
    for from in ["2025-04-01", "2025-04-20"] {
        let summary = run(&data, "eth_basis", (from, "2025-05-05"), &[]);
        assert_eq!(count(&summary, "rejections"), 0, "{from}");
        assert_eq!(summary["halted"], Json::Null, "{from}");
    }
}
