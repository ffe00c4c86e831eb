//! Runs under shocks, as a user meets them.

use std::path::Path;
use std::process::Command;

use crate::runner::{Outcome, Scratch};

const CRASH: &str = "BTC +40% at 2024-03-01T00:00Z over 1h";

/// Keeps the book at its size, so that the crash meets it as it was entered.
const BAND: &str = "utilization_band=0.02";

/// Rungs below where shorts of four times their margin begin.
const LADDER: [&str; 5] = [
    "risk.distance_warn=0.09",
    "risk.distance_reduce_only=0.08",
    "risk.distance_top_up=0.07",
    "risk.distance_deleverage=0.07",
    "risk.distance_halt=0.07",
];

/// `btc_basis` on the built-in market with shorts at four times their margin.
fn backtest(dir: &Scratch, out: &str, shocks: &[&str]) -> Outcome {
    backtest_with(dir, out, shocks, &[])
}

/// The same with `sets` over it.
fn backtest_with(dir: &Scratch, out: &str, shocks: &[&str], sets: &[String]) -> Outcome {
    let mut arguments = vec!["backtest", "btc_basis", "--json", "-q", "--out", out];
    arguments.extend(["--set", "hedge_leverage=4", "--to", "2024-04-01"]);
    arguments.extend(["--set", BAND]);
    for set in LADDER {
        arguments.extend(["--set", set]);
    }
    for set in sets {
        arguments.extend(["--set", set]);
    }
    for shock in shocks {
        arguments.extend(["--shock", shock]);
    }
    dir.run(&arguments, &[])
}

fn file(dir: &Scratch, path: &str) -> String {
    std::fs::read_to_string(dir.path().join(path)).unwrap()
}

/// Every line of a run's event log.
fn events(dir: &Scratch, out: &str) -> String {
    let logs = std::fs::read_dir(dir.path().join(out).join("events")).unwrap();
    logs.map(|log| std::fs::read_to_string(log.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn a_jump_liquidates_what_an_unshocked_run_keeps() {
    let dir = Scratch::new();
    let calm = backtest(&dir, "calm", &[]).json();
    assert_eq!(calm["counts"]["liquidations"], 0);
    assert_eq!(calm["shocks"], serde_json::json!([]));
    let stressed = backtest(&dir, "jump", &[CRASH]).json();
    assert_eq!(stressed["counts"]["liquidations"], 3);
    assert_eq!(stressed["shocks"], serde_json::json!([CRASH]));
    assert_eq!(stressed["attribution"]["residual"], "0");
    let log = events(&dir, "jump");
    let at = log
        .lines()
        .find(|line| line.contains("liquidation"))
        .unwrap();
    assert!(at.contains("2024-03-01T01:00:00Z"), "{at}");
    let said = stressed["assumptions"].to_string();
    assert!(
        said.contains("did not move like this") && said.contains(CRASH),
        "{said}"
    );
}

#[test]
fn risk_acts_on_a_move_that_gives_it_time() {
    let dir = Scratch::new();
    let shock = "BTC +24% at 2024-03-01T00:00Z over 4h";
    // The strategy leaves it to risk.
    let sets = [
        "from=2024-02-29",
        "utilization_band=1",
        "margin_deviation_threshold=1",
        "equity_deviation=1",
    ];
    let stopped = backtest_with(&dir, "run", &[shock], &sets.map(str::to_owned));
    assert_eq!(stopped.code, 1, "{stopped:?}");
    let run: serde_json::Value = serde_json::from_str(&stopped.out).unwrap();
    assert_eq!(run["counts"]["liquidations"], 0);
    let halted = run["halted"].as_str().unwrap();
    assert!(halted.contains("2024-03-01T04:00:00Z"), "{halted}");
    let log = events(&dir, "run");
    let is_exit = |line: &&str| line.contains("exit_full") && line.contains(r#""reason":"risk""#);
    assert!(
        log.lines().any(|line| is_exit(&line)),
        "no exit of risk in the log"
    );
}

#[test]
fn the_configuration_of_a_run_makes_it_again() {
    let dir = Scratch::new();
    let shocks = [
        "perp.binance BTC -3% at 2024-02-01 for 6h",
        "funding BTC x-1 at 2024-02-01 for 30d",
    ];
    backtest(&dir, "one", &shocks).json();
    backtest(&dir, "two", &shocks).json();
    let again = dir.basis("backtest btc_basis --config one/config.yaml --out three --json -q");
    assert_eq!(again.json()["shocks"], serde_json::json!(shocks));
    for table in ["config.yaml", "ledger.csv", "equity.csv", "executions.csv"] {
        let one = file(&dir, &format!("one/{table}"));
        assert!(one == file(&dir, &format!("two/{table}")), "{table}");
        assert!(one == file(&dir, &format!("three/{table}")), "{table}");
    }
}

#[test]
fn no_shock_changes_no_byte() {
    let dir = Scratch::new();
    backtest(&dir, "without", &[]).json();
    let ladder = LADDER.map(|set| format!("--set {set}")).join(" ");
    let empty = dir.basis(&format!(
        "backtest btc_basis --json -q --out empty --set hedge_leverage=4 --set utilization_band=0.02 {ladder} \
         --to 2024-04-01 --set shocks=[]"
    ));
    assert_eq!(empty.code, 0, "{empty:?}");
    let after = "BTC -20% at 2024-03-30T00:00Z over 1h";
    backtest(&dir, "after", &[after]).json();
    for table in ["ledger.csv", "equity.csv"] {
        let without = file(&dir, &format!("without/{table}"));
        assert!(without == file(&dir, &format!("empty/{table}")), "{table}");
        // Nothing before a shock knows of it.
        let before = |text: &str| -> Vec<String> {
            let instant = |line: &str| {
                line.split(',')
                    .find(|cell| cell.starts_with("2024-"))
                    .map(str::to_owned)
            };
            let is_before =
                |line: &&str| instant(line).is_none_or(|at| *at <= *"2024-03-30T00:00:00Z");
            text.lines().filter(is_before).map(str::to_owned).collect()
        };
        let shocked = file(&dir, &format!("after/{table}"));
        assert!(before(&without) == before(&shocked), "{table}");
        assert!(without != shocked, "{table}");
    }
}

#[test]
fn a_venue_that_is_out_trades_nothing_and_a_halted_one_pays_nothing_out() {
    let dir = Scratch::new();
    let shocks = [
        "outage binance at 2024-02-01 for 2d",
        "halt withdrawals bybit at 2024-01-02 for 80d",
    ];
    let run = backtest(&dir, "run", &shocks).json();
    assert_eq!(run["attribution"]["residual"], "0");
    let log = events(&dir, "run");
    assert!(
        !log.contains("withdrawals from bybit are halted at"),
        "the strategy knew, and asked for none"
    );
    let trades = file(&dir, "run/executions.csv");
    let sent = |line: &&str| {
        let away = line.contains("transfer") && line.contains("\"\"from\"\":\"\"bybit");
        away && !line.contains("\"\"to\"\":\"\"bybit")
    };
    assert_eq!(trades.lines().filter(sent).count(), 0);
    let is_meanwhile = |line: &&str| line.contains("2024-02-01T") || line.contains("2024-02-02T");
    let meanwhile: Vec<_> = trades.lines().filter(is_meanwhile).collect();
    assert!(
        !meanwhile
            .iter()
            .any(|line| line.contains("binance") && line.contains("BTCUSDT"))
    );
}

#[test]
fn what_fits_nothing_is_refused_before_the_run() {
    let dir = Scratch::new();
    let refused = |shock: &str| dir.run(&["backtest", "btc_basis", "--shock", shock], &[]);
    refused("ETH -10% at 2024-03-01").fails(
        2,
        &[
            "error[CFG-001]",
            "touches nothing of this run",
            "spot.binance.BTCUSDT",
        ],
    );
    refused("BTC -10% at 2034-03-01").fails(2, &["is outside the run from"]);
    refused("BTC -10%").fails(2, &["--shock: shocks[0]:", "column 9", "`at INSTANT`"]);
    refused("halt withdrawals lido at 2024-03-01 for 1d").fails(2, &["it reads binance, bybit"]);
    let both = dir.run(
        &[
            "sweep",
            "btc_basis",
            "--shock",
            CRASH,
            "--param",
            "hedge_leverage=1,2",
            "--param",
            "shocks=[],[x]",
        ],
        &[],
    );
    both.fails(2, &["--shock and --param shocks set the same value"]);
}

#[test]
fn a_sweep_runs_every_variant_under_the_shocks_or_sweeps_them() {
    let dir = Scratch::new();
    let to = "2024-04-01";
    let common = [
        "sweep",
        "btc_basis",
        "--json",
        "-q",
        "--to",
        to,
        "--set",
        BAND,
    ];
    let ladder: Vec<_> = LADDER.iter().flat_map(|set| ["--set", set]).collect();
    let common = [common.as_slice(), &ladder].concat();
    let leverage = ["--param", "hedge_leverage=1,4", "--shock", CRASH];
    let swept = dir
        .run(&[common.as_slice(), &leverage].concat(), &[])
        .json();
    assert_eq!(swept["shocks"], serde_json::json!([CRASH]));
    let liquidations = |variant: usize| &swept["variants"][variant]["counts"]["liquidations"];
    assert_eq!(
        (liquidations(0).to_string(), liquidations(1).to_string()),
        ("0".to_owned(), "3".to_owned())
    );
    let scenarios = format!("shocks=[],['{CRASH}'],['{CRASH}', 'funding BTC x-1 at 2024-03-01']");
    let scenarios = ["--param", &scenarios, "--set", "hedge_leverage=4"];
    let swept = dir
        .run(&[common.as_slice(), &scenarios].concat(), &[])
        .json();
    let count = |variant: usize| swept["variants"][variant]["counts"]["liquidations"].to_string();
    assert_eq!([count(0), count(1), count(2)], ["0", "3", "3"]);
}

#[test]
fn a_shocked_run_on_the_made_market_is_audited_as_far_as_its_files_go() {
    let dir = Scratch::new();
    backtest(&dir, "run", &[CRASH]).json();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/audit.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(program).arg(dir.path().join("run"));
    let Ok(done) = command.output() else {
        eprintln!("SKIPPED: no python3 to run the auditor with");
        return;
    };
    let done = Outcome::from(done);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains("SKIPPED: the market is synthetic"),
        "{done:?}"
    );
}

/// Lines of a table whose instant is in the span.
fn lines_between(dir: &Scratch, table: &str, from: &str, until: &str) -> Vec<String> {
    let instant = |line: &str| {
        let mut cells = line.split(',');
        cells
            .find(|cell| cell.starts_with("2024-"))
            .map(str::to_owned)
    };
    let text = file(dir, table);
    let within = text
        .lines()
        .filter(|line| instant(line).is_some_and(|at| *at >= *from && *at < *until));
    within.map(str::to_owned).collect()
}

#[test]
fn a_staking_protocol_that_is_out_takes_nothing_and_finalizes_nothing() {
    for (lst, protocol) in [("weETH", "etherfi"), ("wstETH", "lido")] {
        let dir = Scratch::new();
        let token = format!("lst_type={lst}");
        let delay = format!("venue_settings.{protocol}.queue_delay_hours=72");
        // Asked while it is out, due while it is out again.
        let first = format!("outage {protocol} at 2024-02-10 for 2d");
        let second = format!("outage {protocol} at 2024-02-14 for 3d");
        let withdrawal = "withdrawals=[{at: 2024-02-10T06:00:00Z, amount: 40}]";
        let arguments = [
            "backtest",
            "eth_staking_only",
            "--from",
            "2024-02-01",
            "--to",
            "2024-02-29",
            "--out",
            "run",
            "--set",
            &token,
            "--set",
            &delay,
            "--set",
            "exit_route=queue",
            "--set",
            withdrawal,
            "--shock",
            &first,
            "--shock",
            &second,
            "--json",
        ];
        let run = dir.run(&arguments, &[]).json();
        let residual: f64 = run["attribution"]["residual"]
            .as_str()
            .and_then(|r| r.parse().ok())
            .unwrap_or(1.0);
        assert!(residual.abs() < 1e-12, "{protocol}: {residual}");
        let log = events(&dir, "run");
        assert!(
            !log.contains("is out at"),
            "{protocol}: nothing was refused"
        );
        assert!(
            log.contains("waits_for_venue"),
            "{protocol}: it says why it waits"
        );
        let of = |table: &str, what: &str, from: &str, until: &str| {
            let lines = lines_between(&dir, table, from, until);
            lines.iter().filter(|line| line.contains(what)).count()
        };
        let unstaked = |from, until| of("run/executions.csv", ",unstake,", from, until);
        assert_eq!(unstaked("2024-02-10", "2024-02-12"), 0, "{protocol}");
        assert!(unstaked("2024-02-12", "2024-02-13") > 0, "{protocol}");
        let claimable = format!("{protocol}.claimable");
        let ready = |from, until| of("run/ledger.csv", &claimable, from, until);
        assert_eq!(ready("2024-02-10", "2024-02-17"), 0, "{protocol}");
        assert!(ready("2024-02-17", "2024-02-18") > 0, "{protocol}");
    }
}

#[test]
fn the_cheapest_way_out_of_a_protocol_that_is_out_is_its_pool() {
    let dir = Scratch::new();
    let withdrawal = "withdrawals=[{at: 2024-02-10T06:00:00Z, amount: 10}]";
    let arguments = [
        "backtest",
        "eth_staking_only",
        "--from",
        "2024-02-01",
        "--to",
        "2024-02-20",
        "--out",
        "run",
        "--set",
        "exit_route=cheapest",
        "--set",
        withdrawal,
        "--set",
        "venue_settings.etherfi.queue_delay_hours=0",
        "--shock",
        "outage etherfi at 2024-02-10 for 4d",
        "--json",
    ];
    dir.run(&arguments, &[]).json();
    let sales = lines_between(&dir, "run/ledger.csv", "2024-02-10", "2024-02-11");
    let sold = |line: &&String| line.contains(",wallet.main,weETH,-") && line.contains(",trade,");
    assert!(sales.iter().filter(sold).count() > 0, "{sales:?}");
}

#[test]
fn gas_that_could_not_be_sent_is_not_bought() {
    let dir = Scratch::new();
    let arguments = [
        "backtest",
        "pure_lending",
        "--from",
        "2024-02-01",
        "--to",
        "2024-02-10",
        "--out",
        "run",
        "--shock",
        "halt withdrawals bybit at 2024-02-01 for 4d",
        "--json",
    ];
    dir.run(&arguments, &[]).json();
    assert_eq!(
        lines_between(&dir, "run/executions.csv", "2024-02-01", "2024-02-05").len(),
        0
    );
    let then = lines_between(&dir, "run/executions.csv", "2024-02-05", "2024-02-07");
    assert!(
        then.iter().any(|line| line.contains(",supply,")),
        "{then:?}"
    );
}
