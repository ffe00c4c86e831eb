//! `basis backtest` from the command line to the directory it leaves.

use std::fs;
use std::sync::Arc;

use basis::assembly::Backtest;
use basis::config::environment::Environment;
use basis::config::layers::{Request, resolve};
use basis::venues::registry::Registry;

use crate::runner::{HURDLE_OFF, Scratch};

const TWO_DAYS: &str = "backtest btc_basis --from 2024-01-01 --to 2024-01-02";

#[test]
fn a_run_without_data_is_labelled_synthetic_everywhere() {
    let dir = Scratch::new();
    let text = dir.basis(TWO_DAYS);
    assert_eq!(text.code, 0, "{text:?}");
    assert!(
        text.err.lines().next().unwrap().contains("SYNTHETIC"),
        "{}",
        text.err
    );
    assert!(text.out.contains("[SYNTHETIC DATA]"), "{}", text.out);
    let runs: Vec<_> = fs::read_dir(dir.path().join("runs")).unwrap().collect();
    assert_eq!(runs.len(), 1);
    let run = runs[0].as_ref().unwrap();
    assert!(run.file_name().to_str().unwrap().starts_with("btc_basis-2"));
    let summary = fs::read_to_string(run.path().join("summary.json")).unwrap();
    assert!(summary.contains("\"synthetic\": true"), "{summary}");
    let name = run.file_name();
    assert!(
        text.out.contains(name.to_str().unwrap()),
        "says where it is"
    );
}

#[test]
fn a_halted_run_leaves_its_result_and_fails_with_the_reason() {
    let dir = Scratch::new();
    let limits = ["warn", "reduce_only", "top_up", "deleverage", "halt"]
        .map(|rung| format!("--set risk.distance_{rung}=0.08"))
        .join(" ");
    // Every cut is followed by a move that leaves the account there.
    let moved = "--set hedge_leverage=4 --set utilization_band=1 --set margin_deviation_threshold=1 --set \
                 equity_deviation=1 --set shocks=['BTC~+24%~at~2024-01-02T00:00Z~over~4h']";
    let arguments = format!("{TWO_DAYS} {limits} {moved} --json --out run");
    let arguments: Vec<_> = arguments
        .split(' ')
        .map(|word| word.replace('~', " "))
        .collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let halted = dir.run(&arguments, &[]);
    let expected = "risk halted the strategy at 2024-01-02T04:00:00Z: distance 0.0";
    halted.fails(1, &["\"RISK-001\"", expected, "limit 0.08"]);
    let summary: serde_json::Value = serde_json::from_str(&halted.out).unwrap();
    assert!(summary["halted"].as_str().unwrap().starts_with(expected));
    let written = fs::read_to_string(dir.path().join("run/summary.json")).unwrap();
    assert!(written.contains(expected));
    assert!(dir.path().join("run/report.html").is_file());
}

#[test]
fn json_alone_writes_nothing_and_with_out_it_writes() {
    let dir = Scratch::new();
    let summary = dir.basis(&format!("{TWO_DAYS} --json")).json();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    for key in [
        "mode",
        "share_class",
        "from",
        "to",
        "synthetic",
        "equity_start",
        "equity_end",
        "return",
        "apy",
        "max_drawdown",
        "sharpe",
        "attribution",
        "costs",
        "counts",
        "gaps",
        "proxies",
        "assumptions",
        "config_hash",
        "versions",
        "timing",
    ] {
        assert!(summary.get(key).is_some(), "{key}");
    }
    assert_eq!(summary["synthetic"], true);
    assert_eq!(summary["attribution"]["residual"], "0");
    assert!(summary["timing"]["run_ms"].as_f64().unwrap() > 0.0);
    assert!(summary["timing"]["write_ms"].is_null());
    let both = dir
        .basis(&format!("{TWO_DAYS} --json --out deep/er"))
        .json();
    assert!(both["timing"]["write_ms"].is_number());
    assert!(dir.path().join("deep/er/ledger.csv").is_file());
    assert_eq!(both["config_hash"], summary["config_hash"]);
}

#[test]
fn output_directories_that_cannot_be_used_are_refused_before_the_run() {
    let dir = Scratch::new();
    dir.write("full/file.txt", "mine");
    dir.basis(&format!("{TWO_DAYS} --out full"))
        .fails(2, &["error[EVT-001]", "full"]);
    assert_eq!(
        fs::read_to_string(dir.path().join("full/file.txt")).unwrap(),
        "mine"
    );
    dir.write("file", "mine");
    dir.basis(&format!("{TWO_DAYS} --out file"))
        .fails(2, &["error[EVT-001]"]);
    dir.basis(&format!("{TWO_DAYS} --out file/below"))
        .fails(2, &["error[EVT-001]"]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    let empty = dir.basis(&format!("{TWO_DAYS} --out empty"));
    assert_eq!(empty.code, 0, "{empty:?}");
}

#[test]
fn two_runs_give_the_same_result() {
    let dir = Scratch::new();
    for out in ["a", "b"] {
        assert_eq!(dir.basis(&format!("{TWO_DAYS} --out {out}")).code, 0);
    }
    for file in [
        "ledger.csv",
        "equity.csv",
        "positions.csv",
        "executions.csv",
        "config.yaml",
    ] {
        let read = |out: &str| fs::read(dir.path().join(out).join(file)).unwrap();
        assert!(read("a") == read("b"), "{file}");
    }
}

#[test]
fn quiet_runs_say_in_their_result_alone_that_the_market_is_synthetic() {
    let dir = Scratch::new();
    let quiet = dir.basis(&format!("{TWO_DAYS} --json --quiet"));
    assert_eq!(quiet.err, "");
    assert_eq!(quiet.json()["synthetic"], true);
}

#[test]
fn capital_below_one_lot_or_below_zero_is_refused() {
    let dir = Scratch::new();
    dir.basis(&format!("{TWO_DAYS} --capital -5")).fails(
        2,
        &[
            "error[CFG-001]",
            "--capital: initial_capital: -5 is not above zero",
        ],
    );
    let small = dir.basis(&format!("{TWO_DAYS} --capital 1 --json"));
    assert!(small.code == 1 || small.code == 2, "{small:?}");
    assert!(small.err.contains("STRAT-002"), "{}", small.err);
}

#[test]
fn a_hedge_in_two_sided_positions_is_refused_before_any_order() {
    let dir = Scratch::new();
    let key = "venue_settings.okx.position_mode";
    dir.basis(&format!("{TWO_DAYS} --set {key}=hedge")).fails(
        2,
        &[
            "error[STRAT-001]",
            "okx is in hedge mode",
            &format!("leave out {key} or set it to one_way"),
        ],
    );
}

#[test]
fn missing_series_name_the_file_and_a_proxy() {
    let dir = Scratch::new();
    let bars = "timestamp,open,high,low,close,volume\n2024-01-01T00:00:00Z,1,2,1,2,5\n";
    dir.write("data/spot/bybit/BTCUSDT_1h.csv", bars);
    dir.write("data/perp/bybit/BTCUSDT_1h.csv", bars);
    dir.basis("backtest btc_basis --data data --json").fails(
        2,
        &[
            "DATA-001",
            "perp.okx.BTCUSDT: no file data/perp/okx/BTCUSDT_1h.csv",
            "--set data.proxies.perp.okx.BTCUSDT=perp.bybit.BTCUSDT",
            "funding.binance.BTCUSDT: no file data/funding/binance/BTCUSDT.csv",
        ],
    );
    dir.basis("backtest btc_basis --data nowhere")
        .fails(2, &["error[DATA-005]", "nowhere"]);
}

#[test]
fn eight_threads_on_one_market_give_the_same_result() {
    let registry = Registry::builtin();
    let sets = ["from=2024-01-01", "to=2024-01-10", HURDLE_OFF];
    let sets: Vec<_> = sets.map(str::to_owned).to_vec();
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    let setup = resolve(&request, &Environment::default(), &registry)
        .unwrap()
        .setup;
    let data = Arc::new(basis::data::synthetic(
        &basis::data::SyntheticSpec::default(),
    ));
    let run = || {
        let result = Backtest::run(Arc::clone(&data), &setup).unwrap();
        (
            result.ledger,
            result.events,
            result.steps.equity_usd,
            result.executions,
        )
    };
    let first = run();
    assert!(!first.0.is_empty());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            assert!(thread.join().unwrap() == first);
        }
    });
}

/// Writes a market of two days at 60,000 for `btc_basis`, but for what `price` says of an hour.
fn write_market(dir: &Scratch, price: impl Fn(u32) -> Option<&'static str>) {
    let header = "timestamp,open,high,low,close,volume\n";
    let bars: String = (0..48)
        .map(|hour| {
            let (day, of_day) = (1 + hour / 24, hour % 24);
            let p = price(hour).unwrap_or("60000");
            format!("2024-01-{day:02}T{of_day:02}:00:00Z,{p},{p},{p},{p},100\n")
        })
        .collect();
    let rates: String = (0..6)
        .map(|at| {
            let (day, hour) = (1 + at / 3, at % 3 * 8);
            format!("2024-01-{day:02}T{hour:02}:00:00Z,0.0001\n")
        })
        .collect();
    for venue in ["binance", "bybit", "okx"] {
        for kind in ["spot", "perp"] {
            let path = format!("data/{kind}/{venue}/BTCUSDT_1h.csv");
            dir.write(&path, &format!("{header}{bars}"));
        }
        let path = format!("data/funding/{venue}/BTCUSDT.csv");
        dir.write(&path, &format!("timestamp,funding_rate\n{rates}"));
    }
}

#[test]
fn a_run_that_fails_leaves_what_came_before_and_is_no_whole_run() {
    let dir = Scratch::new();
    // A price at which what is held leaves the range of exact arithmetic.
    write_market(&dir, |hour| (hour == 30).then_some("150000000000000000000"));
    let run = "backtest btc_basis --data data --capital 1000000 \
               --set data.bounds.price_ratio_max=10000000000000000";
    let failed = dir.basis(&format!("{run} --out broken"));
    let alone = dir.basis(&format!("{run} --json --quiet"));
    alone.fails(failed.code, &["EXI-006"]);
    failed.fails(1, &["EXI-006", "what came of it before is in ", "broken"]);
    assert!(failed.out.is_empty(), "{}", failed.out);
    let read = |name: &str| fs::read_to_string(dir.path().join("broken").join(name)).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&read("summary.json")).unwrap();
    assert_eq!(summary["failed"]["code"], "EXI-006", "{summary}");
    assert_eq!(summary["failed"]["at"], "2024-01-02T07:00:00Z");
    assert_eq!(summary["counts"]["steps"], 30);
    let equity = read("equity.csv");
    assert_eq!(equity.lines().count(), 31);
    assert!(
        equity
            .lines()
            .last()
            .unwrap()
            .starts_with("2024-01-02T06:00:00Z,")
    );
    assert!(read("ledger.csv").lines().count() > 3 && read("executions.csv").lines().count() > 3);
    let events = read("events/engine_events.jsonl");
    assert!(
        events.lines().last().unwrap().contains("EXI-006"),
        "{events}"
    );
    assert!(read("config.yaml").contains("mode: \"btc_basis\""));
    assert!(read("report.html").contains("<strong>FAILED</strong>"));

    // Its page can be made again; beside a whole run it is refused.
    let again = dir.basis("report broken --json").json();
    assert_eq!(again["runs"]["a"]["failed"]["code"], "EXI-006");
    let whole = dir.basis(&format!("{run} --to 2024-01-01 --out whole"));
    assert_eq!(whole.code, 0, "{whole:?}");
    let text = fs::read_to_string(dir.path().join("whole/summary.json")).unwrap();
    assert!(!text.contains("\"failed\""), "{text}");
    dir.basis("report whole broken")
        .fails(2, &["EVT-003", "broken is a run that failed (EXI-006"]);
    assert!(!dir.path().join("compare-whole-broken.html").exists());
    let swept = dir
        .basis("sweep btc_basis --set data.bounds.price_ratio_max=10000000000000000 --data data --capital 1000000 --param hedge_leverage=1,2 --out s");
    swept.fails(1, &["EXI-006", "2 of 2 variants failed"]);
}

#[test]
fn default_dates_end_before_a_settlement_nobody_has_recorded() {
    let dir = Scratch::new();
    write_market(&dir, |_| None);
    let summary = dir.basis("backtest btc_basis --data data --json").json();
    assert_eq!(summary["from"], "2024-01-01T00:00:00Z");
    assert_eq!(summary["to"], "2024-01-02T23:00:00Z");
    assert_eq!(summary["synthetic"], false);
    assert_eq!(summary["gaps"].as_array().unwrap().len(), 0, "{summary}");
}
