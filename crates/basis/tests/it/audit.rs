//! The outside auditor over whole runs: it agrees with them, it agrees again on a second run, and it
//! finds a single changed digit.
//!
//! The auditor is a Python program that shares no code with the product. These tests need `python3`
//! and the recorded data beside the checkout (or in `BASIS_SHARED_DIR`); without either they say so
//! and pass.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests: a failure is a failed test, and a skip must be loud"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::runner::HURDLE_OFF;

pub(crate) const TABLES: [&str; 7] = [
    "config.yaml",
    "daily_nav.csv",
    "equity.csv",
    "executions.csv",
    "ledger.csv",
    "positions.csv",
    "risk.csv",
];
const FUNDING_PROXY: &str = "data.proxies.funding.okx.BTCUSDT=funding.bybit.BTCUSDT";

/// The recorded data beside the checkout, or in `BASIS_SHARED_DIR`; without it the test says so and passes.
pub(crate) fn recorded_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("BASIS_SHARED_DIR").map_or_else(beside, PathBuf::from);
    let data = shared.join("data");
    if !data.is_dir() {
        eprintln!("SKIPPED: no recorded data in {}", data.display());
        return None;
    }
    Some(data)
}

/// The recorded data, when it and Python are there.
pub(crate) fn data_directory() -> Option<PathBuf> {
    recorded_data().filter(|_| python())
}

pub(crate) fn python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: no python3 to run the auditor with");
    }
    found
}

/// A directory of the running test that does not exist yet. Tests run in threads of one process or
/// each in its own, depending on the runner: only the test's name tells them apart in both.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default().replace("::", "-");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{name}"));
    drop(fs::remove_dir_all(&path));
    path
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs `btc_basis` from 2024-05-01 to `to`, with the missing OKX prices taken from Bybit.
fn backtest(data: &Path, name: &str, to: &str, settings: &[&str]) -> PathBuf {
    backtest_with(data, name, to, "1000000", settings)
}

fn backtest_with(data: &Path, name: &str, to: &str, capital: &str, settings: &[&str]) -> PathBuf {
    let out = fresh(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", "btc_basis", "--from", "2024-05-01", "--to", to]);
    command.args(["--capital", capital, "--set", "data.gaps=hold"]);
    command.args(["--set", HURDLE_OFF]);
    command.args(["--set", "data.proxies.perp.okx.BTCUSDT=perp.bybit.BTCUSDT"]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let done = command
        .arg("--data")
        .arg(data)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    out
}

pub(crate) fn audit(run: &Path, data: Option<&Path>) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/audit.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(program).arg(run);
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    command.output().unwrap()
}

pub(crate) fn assert_agrees(run: &Path, data: Option<&Path>) -> String {
    let done = audit(run, data);
    let report = text(&done.stdout);
    assert_eq!(
        done.status.code(),
        Some(0),
        "{report}{}",
        text(&done.stderr)
    );
    report
}

/// Two months, long enough for gaps, rebalances and transfers; made once for all tampering tests.
fn short_run(data: &Path) -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    RUN.get_or_init(|| backtest(data, "short", "2024-06-30", &[]))
}

/// The same months with orders that fill at the open of the next bar.
fn next_open_run(data: &Path) -> &'static Path {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    // Narrow bands, so that it trades often.
    let sets = [
        "fill_at=next_open",
        "utilization_band=0.02",
        "equity_deviation=1",
    ];
    RUN.get_or_init(|| backtest(data, "next-open", "2024-06-30", &sets))
}

/// Changes one digit of `column` in the first row that `matches` and returns its line number.
pub(crate) fn tamper(file: &Path, column: &str, matches: impl Fn(&str) -> bool) -> usize {
    let table = fs::read_to_string(file).unwrap();
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    let at = lines[0].split(',').position(|name| name == column).unwrap();
    let row = (1..lines.len()).find(|&row| matches(&lines[row])).unwrap();
    let mut fields: Vec<String> = lines[row].split(',').map(str::to_owned).collect();
    let digit = fields[at].rfind(|c: char| c.is_ascii_digit()).unwrap();
    let other = if fields[at][digit..].starts_with('1') {
        "2"
    } else {
        "1"
    };
    fields[at].replace_range(digit..=digit, other);
    lines[row] = fields.join(",");
    fs::write(file, lines.join("\n") + "\n").unwrap();
    row + 1
}

/// A copy of a run, its event log included, that a test may change.
pub(crate) fn copy_of(original: &Path, name: &str) -> PathBuf {
    let run = fresh(name);
    fs::create_dir_all(run.join("events")).unwrap();
    for table in TABLES.iter().chain(&["summary.json"]) {
        fs::copy(original.join(table), run.join(table)).unwrap();
    }
    for entry in fs::read_dir(original.join("events")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), run.join("events").join(entry.file_name())).unwrap();
    }
    run
}

/// The auditor over a copy of the short run with one digit changed; it must name the row.
fn assert_found(name: &str, file: &str, column: &str, matches: impl Fn(&str) -> bool) {
    let Some(data) = data_directory() else { return };
    assert_found_in(short_run(&data), &data, name, (file, column), matches);
}

pub(crate) fn assert_found_in(
    original: &Path,
    data: &Path,
    name: &str,
    (file, column): (&str, &str),
    matches: impl Fn(&str) -> bool,
) {
    let run = copy_of(original, name);
    let row = tamper(&run.join(file), column, matches);
    let done = audit(&run, Some(data));
    let report = text(&done.stdout);
    assert_eq!(
        done.status.code(),
        Some(1),
        "{report}{}",
        text(&done.stderr)
    );
    let place = format!("{file} row {row}:");
    assert!(report.contains(&place), "no `{place}` in\n{report}");
}

fn json(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap()
}

/// Every line of the event log, without what differs between two runs.
fn events(run: &Path) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(run.join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
            event["run_id"] = serde_json::Value::Null;
            event["data"]["processing_time_ms"] = serde_json::Value::Null;
            lines.push(event.to_string());
        }
    }
    lines
}

#[test]
fn thirteen_months_agree_with_the_auditor_and_with_a_second_run() {
    let Some(data) = data_directory() else { return };
    let first = backtest(&data, "year-1", "2025-05-31", &[]);
    assert_agrees(&first, Some(&data));
    let second = backtest(&data, "year-2", "2025-05-31", &[]);
    for table in TABLES {
        let same = fs::read(first.join(table)).unwrap() == fs::read(second.join(table)).unwrap();
        assert!(same, "{table} differs between two runs");
    }
    assert_eq!(events(&first), events(&second));
    let (mut one, mut two) = (json(&first), json(&second));
    for summary in [&mut one, &mut two] {
        summary["run_id"] = serde_json::Value::Null;
        summary["timing"] = serde_json::Value::Null;
    }
    assert_eq!(one, two);
}

#[test]
fn with_a_proxy_for_missing_funding_only_the_end_of_the_data_stays_unbooked() {
    let Some(data) = data_directory() else { return };
    let run = backtest(&data, "proxy", "2025-05-31", &[FUNDING_PROXY]);
    assert_agrees(&run, Some(&data));
    // The files end eight hours before the run does.
    for row in json(&run)["unbooked_funding"].as_array().unwrap() {
        assert_eq!(row["at"], "2025-06-01T00:00:00Z", "{row}");
    }
}

#[test]
fn fills_at_the_next_open_agree_and_a_changed_one_is_found() {
    let Some(data) = data_directory() else { return };
    let run = next_open_run(&data);
    assert_agrees(run, Some(&data));
    assert!(json(run)["counts"]["rebalances"].as_u64().unwrap() > 1);
    let perp = |row: &str| row.contains(",perp,late_fill,");
    for (name, column) in [
        ("open-price", "price_quote"),
        ("open-mark", "mark_price_quote"),
        ("open-instant", "timestamp"),
    ] {
        assert_found_in(run, &data, name, ("executions.csv", column), perp);
    }
    assert_earlier_order_is_found(run, &data);
}

/// An order that claims to have been sent a step before it could have been is found at its fill.
fn assert_earlier_order_is_found(original: &Path, data: &Path) {
    let run = copy_of(original, "open-sent");
    let path = run.join("executions.csv");
    let table = fs::read_to_string(&path).unwrap();
    let sent = |row: &&str| row.contains(",spot_trade,entry_full,pending,");
    let row = table.lines().find(sent).unwrap();
    let earlier = row.replacen("T02:", "T01:", 1);
    assert_ne!(row, earlier);
    fs::write(&path, table.replacen(row, &earlier, 1)).unwrap();
    let done = audit(&run, Some(data));
    let report = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{report}");
    assert!(
        report.contains("the order was sent at the step before"),
        "{report}"
    );
}

#[test]
fn other_fill_models_and_liquidations_agree() {
    let Some(data) = data_directory() else { return };
    let mut settings: Vec<String> = ["binance", "bybit", "okx"]
        .iter()
        .flat_map(|venue| {
            [
                format!("venue_settings.{venue}.slippage=sqrt_impact"),
                format!("venue_settings.{venue}.leverage=50"),
            ]
        })
        .collect();
    // Out of the way, so that the venue and not the risk monitor closes positions.
    for limit in ["halt", "deleverage", "top_up", "reduce_only", "warn"] {
        settings.push(format!("risk.distance_{limit}=0"));
    }
    settings.push("risk.net_delta_halt=10".to_owned());
    settings.push("hedge_leverage=18".to_owned());
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let run = backtest(&data, "leveraged", "2025-05-31", &settings);
    assert_agrees(&run, Some(&data));
    let liquidations = json(&run)["counts"]["liquidations"].as_u64().unwrap();
    assert!(
        liquidations > 0,
        "the run should lose positions to its venues"
    );
}

#[test]
fn liquidations_in_steps_agree() {
    let Some(data) = data_directory() else { return };
    let mut settings: Vec<String> = ["warn", "reduce_only", "top_up", "deleverage", "halt"]
        .iter()
        .map(|limit| format!("risk.distance_{limit}=0"))
        .collect();
    settings.push("risk.net_delta_halt=10".to_owned());
    settings.push("hedge_leverage=18".to_owned());
    settings.push("venue_settings.bybit.margin_mode=isolated".to_owned());
    // The book is to be there at once, whatever the bars hold.
    for venue in ["binance", "bybit", "okx"] {
        settings.push(format!("venue_settings.{venue}.max_participation=none"));
        settings.push(format!("venue_settings.{venue}.slippage=fixed_bps"));
    }
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    // So much that positions lie above the first tiers: venues reduce those before they close them.
    let run = backtest_with(&data, "steps", "2024-08-10", "30000000", &settings);
    assert_agrees(&run, Some(&data));
    let liquidations = json(&run)["counts"]["liquidations"].as_u64().unwrap();
    let ledger = std::fs::read_to_string(run.join("ledger.csv")).unwrap();
    let closes = ledger
        .lines()
        // A forced close has no instruction.
        .filter(|line| line.contains(",trade,,") && line.contains(",fill:"));
    // Instant and position: the same twice is a position that went in steps.
    let steps: Vec<Vec<&str>> = closes
        .map(|line| line.split(',').skip(1).take(3).collect())
        .collect();
    let in_steps = steps.windows(2).any(|pair| pair[0] == pair[1]);
    assert!(in_steps, "{liquidations} liquidations, {steps:?}");
}

#[test]
fn transfers_that_fail_and_spot_that_is_borrowed_agree_with_the_auditor() {
    let Some(data) = data_directory() else { return };
    let failures = "transfer_failures=[{nth: 1, stage: returned}, {nth: 2, stage: rejected}, {nth: 4, stage: returned}]";
    let failures = ["wallet", "binance", "bybit", "okx"]
        .map(|venue| format!("venue_settings.{venue}.{failures}"));
    let failures = failures.each_ref().map(String::as_str);
    let run = backtest(&data, "failing", "2024-05-31", &failures);
    let returned = |line: &str| line.contains(":returned#");
    let ledger = fs::read_to_string(run.join("ledger.csv")).unwrap();
    assert!(ledger.lines().any(returned));
    assert_agrees(&run, Some(&data));
    // One that came back is no arrival.
    let changed = ledger.replacen(":returned#", ":credited#", 3);
    fs::write(run.join("ledger.csv"), changed).unwrap();
    let report = text(&audit(&run, Some(&data)).stdout);
    assert!(report.contains("end of transfer"), "{report}");

    let settings = [
        "reserve_ratio=0",
        "venue_settings.binance.spot_margin=true",
        "venue_settings.binance.borrow=[{asset: USDT, hourly_rate: 0.00001}]",
        "venue_settings.binance.slippage_bps=300",
    ];
    let run = backtest_with(&data, "borrowing", "2024-05-10", "100000", &settings);
    assert_agrees(&run, Some(&data));
    // A charge that is off by a digit is found.
    tamper(&run.join("ledger.csv"), "quantity", |row| {
        row.contains(",borrow_cost,")
    });
    let report = text(&audit(&run, Some(&data)).stdout);
    let found = "interest on USDT: quantity = owed x rate, rounded up";
    assert!(report.contains(found), "{report}");
}

#[test]
fn a_synthetic_run_is_audited_as_far_as_its_files_go_and_says_so() {
    if !python() {
        return;
    }
    let out = fresh("synthetic");
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    command.args(["backtest", "btc_basis", "--out"]).arg(&out);
    let done = command.env_remove("BASIS_DATA_DIR").output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(assert_agrees(&out, None).contains("SKIPPED: the market is synthetic"));
}

#[test]
fn a_refused_withdrawal_is_said_listed_and_audited() {
    if !python() {
        return;
    }
    let out = fresh("refused");
    let mut command = Command::new(env!("CARGO_BIN_EXE_basis"));
    let flows = "withdrawals=[{ at: 2024-01-05T00:00:00Z, amount: 20000 }, \
                 { at: 2024-01-10T00:00:00Z, amount: 500000 }]";
    command.args([
        "backtest",
        "btc_basis",
        "--to",
        "2024-01-20",
        "--set",
        flows,
        "--set",
        HURDLE_OFF,
    ]);
    let done = command.arg("--out").arg(&out).output().unwrap();
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = "2024-01-10T00:00:00Z withdrawal refused: asked 500000 USDT, available 79";
    assert!(text(&done.stderr).contains(said), "{}", text(&done.stderr));
    assert!(text(&done.stdout).contains("withdrawals refused"));
    let listed = json(&out)["refused_withdrawals"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["asked"], "500000");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("WITHDRAWAL REFUSED"));
    assert_agrees(&out, None);
    // A withdrawal that is neither paid nor listed is found.
    let summary = fs::read_to_string(out.join("summary.json")).unwrap();
    let hidden = summary.replace("\"asked\": \"500000\"", "\"asked\": \"400000\"");
    assert_ne!(summary, hidden);
    fs::write(out.join("summary.json"), hidden).unwrap();
    let report = text(&audit(&out, None).stdout);
    assert!(report.contains("rows that nothing asked for"), "{report}");
}

#[test]
fn a_changed_trade_in_the_ledger_is_found() {
    assert_found("ledger", "ledger.csv", "quantity", |row| {
        row.contains(",trade,")
    });
}

#[test]
fn a_changed_funding_payment_is_found() {
    assert_found("funding", "ledger.csv", "quantity", |row| {
        row.contains(",funding,")
    });
}

#[test]
fn a_changed_transfer_is_found() {
    assert_found("transfer", "ledger.csv", "quantity", |row| {
        row.contains(",transfer_cost,")
    });
}

#[test]
fn a_changed_fee_is_found() {
    assert_found("fee", "executions.csv", "fee", |row| {
        row.contains(",perp_trade,")
    });
}

#[test]
fn a_changed_fill_price_is_found() {
    assert_found("price", "executions.csv", "price_quote", |row| {
        row.contains(",spot_trade,")
    });
}

#[test]
fn a_changed_exit_cost_is_found() {
    assert_found("exit-cost", "equity.csv", "exit_cost_usd", |row| {
        row.contains("2024-05-20T10:")
    });
}

#[test]
fn changed_hours_of_an_exit_are_found() {
    assert_found("exit-hours", "equity.csv", "exit_hours", |row| {
        row.contains("2024-05-20T10:")
    });
}

#[test]
fn a_changed_exit_of_an_account_is_found() {
    assert_found("exit-account", "positions.csv", "exit_cost_usd", |row| {
        row.contains("2024-05-20T10:") && row.contains("bybit.unified,BTC")
    });
}

/// A run whose orders are cut by the volume agrees, and one that says it may take less is found.
#[test]
fn participation_and_exits_of_a_large_book_agree_and_a_smaller_bound_is_found() {
    let Some(data) = data_directory() else { return };
    let run = backtest_with(&data, "large", "2024-05-31", "100000000", &[]);
    assert_agrees(&run, Some(&data));
    let fills = json(&run)["counts"]["fills"].as_u64().unwrap();
    assert!(fills > 12, "the entry takes several bars: {fills}");
    let config = fs::read_to_string(run.join("config.yaml")).unwrap();
    let model = "slippage: \"sqrt_impact\"";
    let less = config.replace(model, &format!("{model}\n    max_participation: 0.04"));
    assert_ne!(less, config);
    fs::write(run.join("config.yaml"), less).unwrap();
    let report = text(&audit(&run, Some(&data)).stdout);
    assert!(report.contains("takes at most"), "{report}");
    assert!(report.contains("exit hours"), "{report}");
}

#[test]
fn a_changed_equity_is_found() {
    assert_found("equity", "equity.csv", "equity_usd", |row| {
        row.contains("2024-05-20T10:")
    });
}

#[test]
fn a_changed_bucket_is_found() {
    assert_found("bucket", "equity.csv", "basis", |row| {
        row.contains("2024-05-20T10:")
    });
}

#[test]
fn a_changed_position_is_found() {
    let row = |row: &str| row.contains("2024-06-01T00:00:00Z,okx.trading,okx:perp:BTCUSDT");
    assert_found("position", "positions.csv", "quantity", row);
}

#[test]
fn a_held_mark_that_was_made_up_is_found() {
    assert_found("held", "positions.csv", "mark_price_usd", |row| {
        row.contains(",held,")
    });
}

#[test]
fn a_gap_left_out_of_the_summary_is_found() {
    let Some(data) = data_directory() else { return };
    let run = copy_of(short_run(&data), "gap");
    let mut summary = json(short_run(&data));
    summary["gaps"].as_array_mut().unwrap().remove(0);
    fs::write(run.join("summary.json"), summary.to_string()).unwrap();
    let done = audit(&run, Some(&data));
    let report = text(&done.stdout);
    assert_eq!(
        done.status.code(),
        Some(1),
        "{report}{}",
        text(&done.stderr)
    );
    assert!(
        report.contains("summary.json row gaps: number of rows"),
        "{report}"
    );
}
