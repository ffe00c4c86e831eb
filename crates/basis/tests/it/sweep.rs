//! `basis sweep`: rows equal to single runs, on any number of threads, stopped and resumed.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use basis::assembly::Backtest;
use basis::config::environment::Environment;
use basis::config::layers::{Request, Template, resolve};
use basis::core::types::RunId;
use basis::data::{SyntheticSpec, synthetic};
use basis::market::MarketData;
use basis::report::run::{OutputContext, Timing, summary};
use basis::report::sweep::fields::FIELDS;
use basis::report::sweep::results::{self, Row};
use basis::sweep::parse;
use basis::sweep::run::Variants;
use basis::venues::registry::Registry;

use crate::runner::{HURDLE_OFF, Scratch, usual_arguments};

const DATES: &str = "--from 2024-01-01 --to 2024-01-03";

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

fn market() -> Arc<MarketData> {
    Arc::new(synthetic(&SyntheticSpec {
        bars: 12 * 24,
        ..SyntheticSpec::default()
    }))
}

/// The rows of a sweep over ten days of the synthetic market.
fn sweep(parameters: &[String], sets: &[String], data: &Arc<MarketData>, jobs: usize) -> Vec<Row> {
    let (registry, environment) = (Registry::builtin(), Environment::default());
    let grid = parse::grid(parameters).unwrap();
    let request = Request {
        mode: "btc_basis",
        sets,
        ..Request::default()
    };
    let template = Template::new(&request, &environment, &registry).unwrap();
    let (mut variants, seen) = Variants::check(&grid, &template, jobs, &|_| Ok(())).unwrap();
    assert_eq!(seen.len(), grid.count());
    variants.fit(data).unwrap();
    variants.run(data, None, &|_| {}).unwrap()
}

#[test]
fn a_hundred_variants_equal_a_hundred_single_runs() {
    let parameters = texts(&["hedge_leverage=0.2:2:0.2", "reserve_ratio=0:0.45:0.05"]);
    let base = texts(&[
        "from=2024-01-01",
        "to=2024-01-04",
        "risk.net_delta_halt=0.3",
        "utilization_band=0.02",
        HURDLE_OFF,
    ]);
    let data = market();
    let rows = sweep(&parameters, &base, &data, 2);
    assert_eq!(rows.len(), 100);
    let registry = Registry::builtin();
    let mut distinct = std::collections::BTreeSet::new();
    for row in &rows {
        let [leverage, reserve] = row.values.as_slice() else {
            panic!("two values")
        };
        let mut sets = base.clone();
        sets.push(format!("hedge_leverage={leverage}"));
        sets.push(format!("reserve_ratio={reserve}"));
        let request = Request {
            mode: "btc_basis",
            sets: &sets,
            ..Request::default()
        };
        let setup = resolve(&request, &Environment::default(), &registry)
            .unwrap()
            .setup;
        let result = Backtest::run(Arc::clone(&data), &setup).unwrap();
        let context = OutputContext {
            config_yaml: setup.config_yaml().to_owned(),
            config_hash: setup.config_hash().to_owned(),
            run_id: RunId::from_number(7),
            flows: setup.run().flows.clone(),
            timing: Timing::default(),
            versions: Vec::new(),
        };
        let single = summary(&result, &context);
        assert_eq!(
            row.config_hash,
            setup.config_hash(),
            "variant {}",
            row.number
        );
        for (at, expected) in results::figures(&single).iter().enumerate() {
            let (name, got) = (&FIELDS[at].name, row.figure(at));
            assert_eq!(got, expected.as_deref(), "variant {}: {name}", row.number);
        }
        assert_eq!(row.halted(), result.halted.as_deref());
        distinct.insert(row.figure(1).map(str::to_owned));
    }
    assert!(
        distinct.len() > 90,
        "the variants do differ: {}",
        distinct.len()
    );
}

#[test]
fn every_figure_of_the_summary_has_a_column() {
    let dir = Scratch::new();
    // Long enough for ratios of days.
    let dates = "--from 2024-01-01 --to 2024-02-04";
    let single = dir
        .basis(&format!("backtest btc_basis {dates} --json"))
        .json();
    for section in ["attribution", "costs", "counts"] {
        for key in single[section].as_object().unwrap().keys() {
            let name = format!("{section}.{key}");
            assert!(FIELDS.iter().any(|field| field.name == name), "{name}");
        }
    }
    for (field, figure) in FIELDS.iter().zip(results::figures(&single)) {
        assert!(figure.is_some(), "{} is in no summary", field.name);
    }
}

#[test]
fn one_thread_and_four_write_the_same_bytes() {
    let dir = Scratch::new();
    for jobs in [1, 4] {
        let swept = dir.basis(&format!(
            "sweep btc_basis --param hedge_leverage=1:2:0.25 --param \
             venue_settings.binance.slippage_bps=0,5 {DATES} --jobs {jobs} --out {jobs}"
        ));
        assert_eq!(swept.code, 0, "{swept:?}");
    }
    for file in ["sweep.csv", "report.html", "plan.json"] {
        let read = |out: &str| fs::read(dir.path().join(out).join(file)).unwrap();
        assert!(read("1") == read("4"), "{file}");
    }
}

#[test]
fn the_table_the_files_and_json_say_the_same() {
    let dir = Scratch::new();
    let arguments = format!("sweep btc_basis --param hedge_leverage=1,2 {DATES}");
    let text = dir.basis(&format!("{arguments} --out s"));
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.err.contains("SYNTHETIC") && text.out.contains("[SYNTHETIC DATA]"));
    let json = dir.basis(&format!("{arguments} --json")).json();
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "--json writes nothing"
    );
    let written = fs::read_to_string(dir.path().join("s/sweep.json")).unwrap();
    let mut written: serde_json::Value = serde_json::from_str(&written).unwrap();
    let mut printed = json.clone();
    for one in [&mut written, &mut printed] {
        one.as_object_mut().unwrap().remove("timing").unwrap();
    }
    assert_eq!(written, printed);
    let single = dir
        .basis(&format!(
            "backtest btc_basis {DATES} --set hedge_leverage=2 --json"
        ))
        .json();
    let variant = &json["variants"][1];
    assert_eq!(variant["parameters"]["hedge_leverage"], "2");
    for key in [
        "return",
        "equity_end",
        "attribution",
        "costs",
        "counts",
        "config_hash",
    ] {
        assert_eq!(variant[key], single[key], "{key}");
    }
    let csv = fs::read_to_string(dir.path().join("s/sweep.csv")).unwrap();
    assert_eq!(csv.lines().count(), 3);
    let page = fs::read_to_string(dir.path().join("s/report.html")).unwrap();
    assert!(page.contains("SYNTHETIC") && page.contains("hedge_leverage"));
    let best = json["rank"]["variants"][0].as_u64().unwrap();
    let first = format!("<tr><th scope=\"row\">1</th><td>{best}</td>");
    assert!(page.contains(&first), "the ranking begins with the best");
    assert!(!dir.path().join("s/sweep.parquet").exists());
}

/// What is levered earns more at its marks and is worth less when it has to be sold.
#[test]
fn ranked_by_exit_value_a_month_of_loops_is_the_other_way_round() {
    let dir = Scratch::new();
    let order = |rank: &str| -> Vec<u64> {
        let sweep = "sweep eth_leveraged --param target_ltv=0.2,0.4,0.6 --json -q \
                     --set expected_carry.horizon_hours=null";
        let dates = "--from 2024-05-01 --to 2024-05-20";
        let swept = dir.basis(&format!("{sweep} {dates} --rank {rank}"));
        assert_eq!(swept.code, 0, "{swept:?}");
        let json = swept.json();
        let ranked = json["rank"]["variants"].as_array().unwrap().iter();
        ranked.map(|number| number.as_u64().unwrap()).collect()
    };
    assert_eq!(order("exit_value"), [1, 2, 3]);
    assert_ne!(order("return"), [1, 2, 3]);
}

#[test]
fn parquet_is_written_beside_csv_or_refused_before_anything_runs() {
    let dir = Scratch::new();
    let sweep = format!("sweep btc_basis --param reserve_ratio=0,0.1 {DATES} --format parquet");
    let swept = dir.basis(&format!("{sweep} --out s"));
    if cfg!(feature = "parquet") {
        assert_eq!(swept.code, 0, "{swept:?}");
        let table = fs::read(dir.path().join("s/sweep.parquet")).unwrap();
        assert_eq!(
            (&table[..4], &table[table.len() - 4..]),
            (&b"PAR1"[..], &b"PAR1"[..])
        );
        assert!(dir.path().join("s/sweep.csv").is_file());
    } else {
        swept.fails(2, &["error[EVT-001]", "--features parquet"]);
        assert!(!dir.path().join("s").exists());
    }
}

#[test]
fn a_failing_variant_is_reported_and_the_rest_go_on() {
    let dir = Scratch::new();
    let swept = dir.basis(&format!(
        "sweep btc_basis --param initial_capital=1,100000,2 {DATES} --out s"
    ));
    swept.fails(
        1,
        &[
            "error[STRAT-002]",
            "2 of 3 variants failed",
            "variant 1: initial_capital=1",
        ],
    );
    assert!(swept.out.contains("3 variants by return"), "{}", swept.out);
    let csv = fs::read_to_string(dir.path().join("s/sweep.csv")).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert!(
        lines[1].starts_with("1,1,failed,STRAT-002,,"),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("2,100000,ok,,100000,"), "{}", lines[2]);
    assert!(
        lines[3].starts_with("3,2,failed,STRAT-002,,"),
        "{}",
        lines[3]
    );
}

#[test]
fn unsound_variants_are_all_named_before_anything_runs() {
    let dir = Scratch::new();
    dir.basis("sweep btc_basis --param hedge_leverag=1,2 --param reserve_ratio=0.5:1:0.5 --out s")
        .fails(
            2,
            &[
                "error[CFG-001]",
                "4 of 4 variants are not sound, nothing was run",
                "hedge_leverag: unknown key; did you mean `hedge_leverage`?",
                "(all 4 variants)",
                "reserve_ratio: 1 is outside 0 to 0.9 (variants 2, 4)",
            ],
        );
    dir.basis("sweep btc_basis --param venue_settings.okx.slippage_bsp=1")
        .fails(
            2,
            &[
                "error[EIF-002]",
                "did you mean `slippage_bps`?",
                "variant 1:",
            ],
        );
    dir.basis("sweep btc_basis --param from=2024-01-05,2024-01-01 --to 2024-01-03")
        .fails(2, &["error[CFG-004]", "(variant 1: from=2024-01-05)"]);
    dir.basis(
        "sweep btc_basis --param reference_price=spot.kraken.BTCUSDT,spot.bybit.BTCUSDT --json",
    )
    .fails(2, &["DATA-001", "spot.kraken.BTCUSDT", "variant 1"]);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing was written"
    );
}

#[test]
fn slips_of_the_command_line_name_the_way_out() {
    let dir = Scratch::new();
    for (arguments, expected) in [
        ("", "at least one --param"),
        ("--param hedge_leverage", "there is no `=`"),
        ("--param hedge_leverage=", "no value after `=`"),
        (
            "--param hedge_leverage=2:1:0.5",
            "the range 2:1:0.5 is empty",
        ),
        (
            "--param hedge_leverage=1:2:0",
            "is 0, so the range never ends",
        ),
        ("--param hedge_leverage=1:2:-1", "give a positive step"),
        (
            "--param hedge_leverage=0:10001:1",
            "more than the 10000 variants",
        ),
        (
            "--param hedge_leverage=1:101:1 --param reserve_ratio=0:0.1:0.001",
            "101 x 101 are more than the 10000 variants",
        ),
        ("--param to=1 --param to=2", "--param to is given twice"),
        (
            "--param data.gaps=hold --param data={}",
            "set the same value",
        ),
        (
            "--param initial_capital=1,2 --capital 5",
            "--capital and --param initial_capital",
        ),
        (
            "--param reserve_ratio=0 --set reserve_ratio=0.1",
            "--set reserve_ratio and --param",
        ),
        (
            "--param reserve_ratio=0 --rank retrun",
            "did you mean `return`?",
        ),
    ] {
        let outcome = dir.basis(&format!("sweep btc_basis {arguments}"));
        outcome.fails(2, &["error[CFG-005]", expected]);
    }
    dir.basis("sweep btc_bass --param reserve_ratio=0")
        .fails(2, &["error[CFG-003]", "did you mean `btc_basis`?"]);
    dir.basis("sweep btc_basis --param reserve_ratio=0 --jobs 0")
        .fails(2, &["--jobs"]);
    dir.basis("sweep btc_basis --param reserve_ratio=0 --resume")
        .fails(2, &["--out"]);
}

#[test]
fn directories_that_cannot_hold_the_sweep_are_refused_before_it_runs() {
    let dir = Scratch::new();
    let sweep = format!("sweep btc_basis --param reserve_ratio=0 {DATES}");
    dir.write("full/file.txt", "mine");
    dir.write("file", "mine");
    for out in ["full", "file", "file/below"] {
        dir.basis(&format!("{sweep} --out {out}"))
            .fails(2, &["error[EVT-001]", out]);
        dir.basis(&format!("{sweep} --out {out} --resume"))
            .fails(2, &["error[EVT-001]", out]);
    }
    assert_eq!(dir.basis(&format!("{sweep} --out s")).code, 0);
    dir.basis(&format!("{sweep} --out s"))
        .fails(2, &["error[EVT-001]", "not empty"]);
}

#[test]
fn a_resumed_sweep_runs_only_what_is_missing() {
    let dir = Scratch::new();
    let sweep = format!("sweep btc_basis --param reserve_ratio=0:0.4:0.1 {DATES}");
    assert_eq!(dir.basis(&format!("{sweep} --out whole")).code, 0);
    // As the second would be had it been stopped: two variants missing, one torn.
    assert_eq!(dir.basis(&format!("{sweep} --out part")).code, 0);
    let part = dir.path().join("part");
    for file in ["sweep.csv", "sweep.json", "report.html"] {
        fs::remove_file(part.join(file)).unwrap();
    }
    let mut kept: Vec<_> = fs::read_dir(part.join("variants"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 5);
    fs::remove_file(&kept[0]).unwrap();
    fs::remove_file(&kept[3]).unwrap();
    fs::write(&kept[4], "{").unwrap();
    // A figure nobody would compute shows that a finished variant is not run again.
    let text = fs::read_to_string(&kept[1]).unwrap();
    let marked = text.replace(
        "\"equity_start\": \"100000\"",
        "\"equity_start\": \"123456\"",
    );
    fs::write(&kept[1], marked).unwrap();
    let resumed = dir.basis(&format!("{sweep} --out part --resume"));
    assert_eq!(resumed.code, 0, "{resumed:?}");
    let csv = |out: &str| fs::read_to_string(dir.path().join(out).join("sweep.csv")).unwrap();
    assert!(csv("part").contains(",ok,,123456,"));
    assert_eq!(csv("part").replace("123456", "100000"), csv("whole"));
}

#[test]
fn another_sweep_is_not_resumed() {
    let dir = Scratch::new();
    let sweep = "sweep btc_basis --param reserve_ratio=0,0.1";
    assert_eq!(dir.basis(&format!("{sweep} {DATES} --out s")).code, 0);
    for (arguments, difference) in [
        (
            format!("{sweep} {DATES} --capital 5000"),
            "initial_capital: 5000",
        ),
        (format!("{sweep},0.2 {DATES}"), "its parameters has"),
        (
            format!("{sweep} --from 2024-01-01 --to 2024-01-02"),
            "2024-01-02",
        ),
    ] {
        dir.basis(&format!("{arguments} --out s --resume"))
            .fails(2, &["error[EVT-001]", "it holds another sweep", difference]);
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "another process works: the deadline only ends a test that would hang"
)]
fn a_killed_sweep_leaves_its_finished_variants_and_resumes_to_the_same_bytes() {
    let dir = Scratch::new();
    let sweep = "sweep btc_basis --param reserve_ratio=0:0.85:0.05 --to 2024-03-31 --quiet";
    let out = dir.path().join("s");
    let arguments: Vec<_> = sweep
        .split_whitespace()
        .chain(["--jobs", "1", "--out", "s"])
        .collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_basis"))
        .args(&arguments)
        .args(usual_arguments(&arguments))
        .env_clear()
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let finished = || {
        let entries = fs::read_dir(out.join("variants")).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).count()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while finished() < 2 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = finished();
    assert!((2..18).contains(&before), "{before} variants had finished");
    assert!(
        !out.join("sweep.csv").exists(),
        "it was stopped before its end"
    );
    let resumed = dir.basis(&format!("{sweep} --out s --resume"));
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(dir.basis(&format!("{sweep} --out whole")).code, 0);
    let csv = |out: &str| fs::read(dir.path().join(out).join("sweep.csv")).unwrap();
    assert!(csv("s") == csv("whole"));
}

#[test]
fn a_sweep_too_large_to_hold_its_setups_says_the_same() {
    let dir = Scratch::new();
    let variants = |values: &str| {
        let json = dir
            .basis(&format!(
                "sweep btc_basis --param reserve_ratio={values} --from 2024-01-01T00:00:00Z \
                 --to 2024-01-01T03:00:00Z --json"
            ))
            .json();
        json["variants"].as_array().unwrap().clone()
    };
    let (large, small) = (variants("0:0.5:0.0005"), variants("0,0.5"));
    assert_eq!((large.len(), small.len()), (1_001, 2));
    for (ours, theirs) in [(&large[0], &small[0]), (&large[1_000], &small[1])] {
        for key in [
            "parameters",
            "status",
            "config_hash",
            "equity_end",
            "counts",
        ] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
    }
}

#[test]
fn keys_that_decide_what_is_read_may_vary() {
    let dir = Scratch::new();
    let json = dir
        .run(
            &[
                "sweep",
                "btc_basis",
                "--param",
                "hedge_allocation={binance: 1, bybit: 0, okx: 0},{binance: 0, bybit: 0.5, okx: 0.5}",
                "--param",
                "spot_allocation={binance: 1},{bybit: 1}",
                "--param",
                "data.proxies.perp.okx.BTCUSDT=perp.bybit.BTCUSDT",
                "--from",
                "2024-01-01",
                "--to",
                "2024-01-03",
                "--json",
            ],
            &[],
        )
        .json();
    assert_eq!(json["failed"], 0);
    assert_eq!(json["variants"].as_array().unwrap().len(), 4);
    let ends: std::collections::BTreeSet<_> = json["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["equity_end"].to_string())
        .collect();
    assert_eq!(ends.len(), 4, "{ends:?}");
}
