//! `eth_basis`: capital in USDT and in ETH, neutral in USD, on made markets and on the recorded one, where
//! two months of OKX perps are missing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a failure is a failed test, and a skip must be loud"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use basis::assembly::Backtest;
use basis::config::environment::Environment;
use basis::config::layers::{self, Request};
use basis::core::event::EventData;
use basis::core::ledger::EntryKind;
use basis::core::num::{Quantity, Rounding, Value};
use basis::core::types::{Span, Timestamp};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::engine::RunResult;
use basis::venues::registry::Registry;
use serde_json::Value as Json;

use crate::runner::HURDLE_OFF;

const BARS: usize = 24 * 30;

/// Capital in ETH.
const IN_KIND: [&str; 4] = [
    "share_class=ETH",
    "initial_capital=100",
    "min_transfer=0.05",
    "dust_threshold=0.005",
];

fn start() -> Timestamp {
    SyntheticSpec::default().start
}

/// A run with capital in ETH.
fn run(sets: &[&str]) -> RunResult {
    run_of(&[&IN_KIND, sets].concat())
}

fn run_of(sets: &[&str]) -> RunResult {
    let registry = Registry::builtin();
    let data = Arc::new(synthetic(&SyntheticSpec {
        bars: BARS,
        ..SyntheticSpec::default()
    }));
    let sets = sets.iter().chain(&[HURDLE_OFF]);
    let sets: Vec<String> = sets.map(|&set| set.to_owned()).collect();
    let request = Request {
        mode: "eth_basis",
        sets: &sets,
        ..Request::default()
    };
    let environment = Environment::from_pairs(BTreeMap::new(), &registry);
    let to = start().plus(Span::from_hours(i64::try_from(BARS).unwrap()));
    let resolved = layers::resolve(&request, &environment, &registry).unwrap();
    let setup = resolved.setup.with_range(start(), to);
    Backtest::run(data, &setup).unwrap()
}

/// Largest net delta from `from` to `to`, hours after the start.
fn net_delta(result: &RunResult, from: i64, to: i64) -> Quantity {
    let (from, to) = (
        start().plus(Span::from_hours(from)),
        start().plus(Span::from_hours(to)),
    );
    let steps = result.steps.at.iter().zip(&result.steps.net_delta);
    steps
        .filter(|(at, _)| (from..=to).contains(*at))
        .map(|(_, delta)| delta.abs().unwrap())
        .max()
        .unwrap()
}

fn assert_explained(result: &RunResult) {
    let steps = &result.steps.attribution;
    assert!(steps.iter().all(|step| step.residual.is_zero()));
    let share = result.share_attribution.unwrap();
    // One unit of the last digit per quotient: 14 a step.
    let rounding = Value::literal("0.00000000000001");
    assert!(share.buckets.residual.abs().unwrap() <= rounding);
    assert_eq!(result.halted, None);
    assert_eq!(result.counts.rejections, 0);
}

#[test]
fn capital_in_usdt_is_never_naked_and_the_price_earns_nothing() {
    let result = run_of(&[]);
    assert!(
        result
            .steps
            .attribution
            .iter()
            .all(|step| step.residual.is_zero())
    );
    assert_eq!((&result.halted, result.counts.rejections), (&None, 0));
    assert!(result.counts.fills > 0);
    // Half a percent of some 20 ETH of shorts, from the first step on.
    let off = net_delta(&result, 0, 720);
    assert!(off <= Quantity::literal("0.1"), "{off}");
    let price = result.attribution.price.abs().unwrap();
    assert!(price <= Value::literal("50"), "{price}");
}

#[test]
fn capital_in_eth_is_hedged_within_half_a_day_and_stays_so() {
    let result = run(&[]);
    assert_explained(&result);
    // delta_tolerance is 0.5 % of about 50 ETH of shorts, and lots come on top.
    let off = net_delta(&result, 12, 720);
    assert!(off <= Quantity::literal("0.3"), "{off}");
}

#[test]
fn a_deposit_in_eth_is_hedged_and_a_withdrawal_is_paid_in_full() {
    let (first, second) = (
        start().plus(Span::from_hours(240)),
        start().plus(Span::from_hours(480)),
    );
    let deposit = format!("deposits=[{{ at: {first}, amount: 50 }}]");
    let withdrawal = format!("withdrawals=[{{ at: {second}, amount: 60 }}]");
    let result = run(&[&deposit, &withdrawal]);
    assert_explained(&result);
    let paid: Vec<_> = result
        .ledger
        .iter()
        .filter(|entry| entry.kind == EntryKind::Withdrawal)
        .collect();
    let sum = paid
        .iter()
        .try_fold(Quantity::ZERO, |sum, entry| sum.add(entry.quantity));
    assert_eq!(sum.unwrap(), Quantity::literal("-60"));
    let by = second.plus(Span::from_hours(12));
    assert!(
        paid.iter()
            .all(|entry| entry.at >= second && entry.at <= by)
    );
    for (from, to) in [(12, 239), (252, 479), (492, 720)] {
        let off = net_delta(&result, from, to);
        assert!(off <= Quantity::literal("0.6"), "{off} from {from} to {to}");
    }
}

#[test]
fn a_withdrawal_above_the_equity_is_refused_at_once_and_the_run_goes_on() {
    let due = start().plus(Span::from_hours(240));
    let withdrawal = format!("withdrawals=[{{ at: {due}, amount: 500 }}]");
    let (result, plain) = (run(&[&withdrawal]), run(&[]));
    assert_explained(&result);
    let [refused] = result.refused_withdrawals.as_slice() else {
        panic!("one is refused: {:?}", result.refused_withdrawals)
    };
    assert_eq!((refused.at, refused.refused_at), (due, due));
    assert_eq!(refused.asked, Quantity::literal("500"));
    let near = Quantity::literal("80")..Quantity::literal("120");
    assert!(near.contains(&refused.available), "{}", refused.available);
    let said = result.events.iter().filter_map(|event| match &event.data {
        EventData::StateUpdate { state, detail } if *state == "withdrawal_refused" => {
            Some(detail.as_str())
        }
        _ => None,
    });
    let expected = format!(
        "withdrawal refused: asked 500 ETH, available {} ETH",
        refused.available
    );
    assert_eq!(said.collect::<Vec<_>>(), [expected]);
    // As if it had never been asked.
    assert_eq!(result.ledger, plain.ledger);
}

#[test]
fn nearly_all_of_the_capital_can_be_withdrawn_and_a_little_more_is_refused() {
    let due = start().plus(Span::from_hours(240));
    let asking =
        |amount: Quantity| run(&[&format!("withdrawals=[{{ at: {due}, amount: {amount} }}]")]);
    let all = asking(Quantity::literal("500"));
    let available = all.refused_withdrawals[0].available;
    let amount = available
        .get()
        .round_to_decimals(2, Rounding::Floor)
        .unwrap();
    let paid = asking(Quantity::new(amount));
    assert_explained(&paid);
    assert_eq!(paid.refused_withdrawals, []);
    let lines = paid.ledger.iter();
    let parts: Vec<_> = lines
        .filter(|line| line.kind == EntryKind::Withdrawal)
        .collect();
    let sum = parts
        .iter()
        .try_fold(Quantity::ZERO, |sum, line| sum.sub(line.quantity));
    assert_eq!(sum.unwrap(), Quantity::new(amount));
    let out = parts.last().expect("it is paid");
    // What is left is hardly more than the smallest book: the last of it waits for whole lots.
    assert!(out.at <= due.plus(Span::from_hours(24 * 7)), "{}", out.at);
    let more = asking(available.add(Quantity::literal("0.01")).unwrap());
    assert_eq!(more.refused_withdrawals.len(), 1);
}

#[test]
fn the_sale_that_raises_margin_is_no_entry() {
    let result = run(&[]);
    let traded = result.executions.iter().filter(|row| row.fill.is_some());
    let mut actions: Vec<_> = traded.map(|row| (row.at, row.action.as_ref())).collect();
    actions.dedup();
    assert_eq!(actions[0].1, "entry_partial", "the sale");
    assert_eq!(actions[1].1, "entry_full");
    let entries = actions.iter().filter(|(_, action)| *action == "entry_full");
    assert_eq!(entries.count(), 1);
    // The sale and the entry are no rebalances.
    assert_eq!(result.counts.rebalances, actions.len() as u64 - 2);
}

/// The recorded data, when it and Python are there.
fn data_directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("BASIS_SHARED_DIR").map_or_else(beside, PathBuf::from);
    let data = shared.join("data");
    let python = Command::new("python3").arg("--version").output().is_ok();
    if !data.is_dir() || !python {
        eprintln!(
            "SKIPPED: no recorded data in {} or no python3",
            data.display()
        );
        return None;
    }
    Some(data)
}

/// Ten months of the recorded market with 300 ETH, audited; the summary.
fn audited(data: &Path, name: &str, sets: &[&str]) -> Json {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("eth-{name}"));
    drop(std::fs::remove_dir_all(&out));
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", "eth_basis", "--capital", "300"]);
    for set in IN_KIND.iter().filter(|set| !set.starts_with("initial")) {
        command.args(["--set", set]);
    }
    command.args([
        "--from",
        "2024-08-01",
        "--to",
        "2025-05-31",
        "--set",
        "data.gaps=hold",
        "--set",
        HURDLE_OFF,
    ]);
    for set in sets {
        command.args(["--set", set]);
    }
    let done = command
        .arg("--data")
        .arg(data)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/audit.py");
    let mut audit = Command::new("python3");
    audit
        .arg("-B")
        .arg(program)
        .arg(&out)
        .arg("--data")
        .arg(data);
    let done = audit.output().unwrap();
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
    serde_json::from_slice(&std::fs::read(out.join("summary.json")).unwrap()).unwrap()
}

fn number(summary: &Json, pointer: &str) -> f64 {
    let value = summary.pointer(pointer).unwrap();
    let text = value.as_str().map(|text| text.parse().unwrap());
    text.or_else(|| value.as_f64()).unwrap()
}

#[test]
fn two_months_without_okx_perps_make_no_profit_and_no_drawdown() {
    let Some(data) = data_directory() else { return };
    let bands = ["utilization_band=0.02", "equity_deviation=1"];
    let held = audited(&data, "held", &bands);
    let proxied = audited(
        &data,
        "proxied",
        &[
            bands[0],
            bands[1],
            "data.proxies.perp.okx.ETHUSDT=perp.bybit.ETHUSDT",
            "data.proxies.funding.okx.ETHUSDT=funding.bybit.ETHUSDT",
        ],
    );
    assert_eq!(held["halted"], Json::Null);
    assert!(
        number(&held, "/counts/rebalances") > 5.0,
        "rebalancing goes on"
    );
    let apart = |pointer: &str| (number(&held, pointer) - number(&proxied, pointer)).abs();
    let equity = number(&held, "/equity_end_usd");
    // What the hole may cost: its marks move with the reference, so price and basis agree to the few
    // hundredths of a percent by which perps stray from spot; what differs is the funding that no
    // exchange recorded (119 settlements of a third of the hedge) and the fees of moving the hedge.
    assert!(apart("/max_drawdown") < 0.003);
    assert!(apart("/return") < 0.003);
    for bucket in ["price", "basis"] {
        let off = apart(&format!("/attribution/{bucket}"));
        assert!(off < equity * 0.0005, "{bucket}: {off}");
    }
    for bucket in ["fees", "slippage", "transfer_cost"] {
        let off = apart(&format!("/attribution/{bucket}"));
        assert!(off < equity * 0.001, "{bucket}: {off}");
    }
    // The headline is the dollar; in ETH the result is the fall of its price.
    let share = number(&held, "/attribution_share_class/numeraire");
    assert!(share > 50.0, "{share}");
}
