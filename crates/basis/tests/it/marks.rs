//! Series beside the trades: marks and indices of perps, the dollar token against the dollar, and gas that a
//! transfer out of the wallet costs. Each is read where it is there, and what stands in for it is said.

#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests: a table without a column is a failed test"
)]

use std::path::Path;

use serde_json::Value as Json;

use crate::audit::{assert_found_in, data_directory, recorded_data};
use crate::grids::{basis, every, week};
use crate::runner::{Scratch, agrees};

const HEADER: &str = "timestamp,open,high,low,close,volume\n";

/// The week of `grids` with a file of the hours that `keep` names, made of the perp's prices by `of`.
fn beside(dir: &Scratch, path: &str, keep: impl Fn(usize) -> bool, of: impl Fn(f64) -> String) {
    let perp = dir.path().join("data/perp/bybit/BTCUSDT_1h.csv");
    let perp = std::fs::read_to_string(perp).unwrap();
    let rows = perp.lines().skip(1).enumerate().filter(|(at, _)| keep(*at));
    let rows: String = rows
        .map(|(_, row)| {
            let fields: Vec<_> = row.split(',').collect();
            let price = |at: usize| of(fields[at].parse().unwrap());
            let prices = [price(1), price(2), price(3), price(4)].join(",");
            format!("{},{prices},0\n", fields[0])
        })
        .collect();
    dir.write(&format!("data/{path}"), &format!("{HEADER}{rows}"));
}

fn marked(keep: impl Fn(usize) -> bool) -> Scratch {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    let mark = "mark/bybit/BTCUSDT_1h.csv";
    beside(&dir, mark, keep, |price| format!("{}", price + 40.5));
    dir
}

fn ran(dir: &Scratch, more: &str) -> (Json, std::path::PathBuf) {
    let out = dir.path().join("run");
    drop(std::fs::remove_dir_all(&out));
    let done = basis(dir, &format!("--json --out {} {more}", out.display()));
    (done.json(), out)
}

fn audited(dir: &Scratch, more: &str) -> Json {
    let (summary, out) = ran(dir, more);
    agrees(&out, Some(&dir.path().join("data")));
    summary
}

fn texts(summary: &Json) -> String {
    let list = summary["assumptions"].as_array().unwrap();
    let texts: Vec<_> = list
        .iter()
        .map(|row| row["text"].as_str().unwrap())
        .collect();
    texts.join("\n")
}

fn column(table: &Path, name: &str, matches: impl Fn(&str) -> bool) -> Vec<String> {
    let text = std::fs::read_to_string(table).unwrap();
    let mut lines = text.lines();
    let at = lines.next().unwrap().split(',').position(|own| own == name);
    let at = at.unwrap();
    let rows = lines.filter(|line| matches(line));
    rows.map(|line| line.split(',').nth(at).unwrap().to_owned())
        .collect()
}

#[test]
fn a_perp_without_marks_is_marked_at_its_close_and_the_result_says_so() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    let said = texts(&basis(&dir, "--json").json());
    assert!(
        said.contains("no mark series is there for perp.bybit.BTCUSDT"),
        "{said}"
    );
}

#[test]
fn recorded_marks_value_the_position_and_settle_its_funding() {
    let dir = marked(|_| true);
    for more in ["", "--set fill_at=next_open"] {
        let (summary, out) = ran(&dir, more);
        agrees(&out, Some(&dir.path().join("data")));
        assert!(!texts(&summary).contains("no mark series"), "{summary}");
        let is_position = |line: &str| line.contains("bybit:perp:BTCUSDT");
        let marks = column(&out.join("positions.csv"), "mark_price_usd", is_position);
        assert!(marks.len() > 100, "{}", marks.len());
        assert!(marks.iter().all(|mark| mark.ends_with(".5")), "{marks:?}");
        let fresh = column(&out.join("positions.csv"), "mark_state", is_position);
        assert!(fresh.iter().all(|state| state == "fresh"));
    }
    let data = dir.path().join("data");
    let (_, out) = ran(&dir, "");
    assert_found_in(
        &out,
        &data,
        "mark",
        ("positions.csv", "mark_price_usd"),
        |line| line.contains("bybit:perp:BTCUSDT"),
    );
}

#[test]
fn a_hole_in_the_marks_is_filled_by_the_perp_s_close_and_listed() {
    let dir = marked(|row| !(50..56).contains(&row));
    let summary = audited(&dir, "");
    let gap = &summary["gaps"][0];
    assert_eq!(gap["series"], "mark.bybit.BTCUSDT", "{summary}");
    assert_eq!(gap["missing"], 6);
    assert_eq!(gap["proxy"], "perp.bybit.BTCUSDT");
    assert_eq!(summary["proxies"][0]["values"], 6);
}

/// A wick of trades that no mark follows: it must not close anything.
#[test]
fn a_wick_of_trades_liquidates_nobody_whose_marks_stand() {
    const SETS: &str = "--set hedge_leverage=2 --set data.bounds.price_ratio_max=9 \
                        --set data.bounds.basis_ratio_max=9";
    let dir = marked(|_| true);
    let perp = "data/perp/bybit/BTCUSDT_1h.csv";
    let text = std::fs::read_to_string(dir.path().join(perp)).unwrap();
    let at = "2024-07-05T07:00:00Z,";
    let row = text.lines().find(|line| line.starts_with(at)).unwrap();
    let fields: Vec<_> = row.split(',').collect();
    let wick = format!(
        "{at}{},200000,{},{},{}",
        fields[1], fields[3], fields[4], fields[5]
    );
    dir.write(perp, &text.replace(row, &wick));
    let safe = audited(&dir, SETS);
    assert_eq!(safe["counts"]["liquidations"], 0, "{safe}");
    std::fs::remove_file(dir.path().join("data/mark/bybit/BTCUSDT_1h.csv")).unwrap();
    let out = dir.path().join("closed");
    let code = basis(&dir, &format!("{SETS} --out {}", out.display())).code;
    assert!(code <= 1, "{code}");
    agrees(&out, Some(&dir.path().join("data")));
    let closed = std::fs::read_to_string(out.join("summary.json")).unwrap();
    let closed: Json = serde_json::from_str(&closed).unwrap();
    assert_eq!(closed["counts"]["liquidations"], 1, "{closed}");
}

#[test]
fn an_index_of_another_unit_is_refused_beside_its_perp() {
    let dir = marked(|_| true);
    let index = "index/bybit/BTCUSDT_1h.csv";
    beside(&dir, index, |_| true, |price| format!("{}", price - 10.0));
    let summary = audited(&dir, "");
    let covered = summary["coverage"].to_string();
    assert!(covered.contains("index.bybit.BTCUSDT"), "{covered}");
    beside(&dir, index, |_| true, |price| format!("{}", price / 1000.0));
    basis(&dir, "--json").fails(
        2,
        &[
            "DATA-002",
            "index.bybit.BTCUSDT",
            "data.bounds.basis_ratio_max",
        ],
    );
}

/// The week with every series beside the trades: marks, an index, the peg, gas and what prices ETH.
pub(crate) fn with_all(dir: &Scratch) {
    week(dir, &every(8, "00", "0.0001"));
    let (mark, index) = ("mark/bybit/BTCUSDT_1h.csv", "index/bybit/BTCUSDT_1h.csv");
    beside(dir, mark, |_| true, |price| format!("{}", price + 40.5));
    beside(dir, index, |_| true, |price| format!("{}", price - 10.0));
    pegged(dir);
    let hours = (0..7 * 24).map(|at| format!("2024-07-{:02}T{:02}:00:00Z", 1 + at / 24, at % 24));
    let gas: String = hours
        .clone()
        .zip(0..)
        .map(|(at, block)| format!("{at},{block},11.{},0.1,12.{}\n", block % 7, block % 9))
        .collect();
    let header = "timestamp,block,base_fee_gwei,priority_fee_p50_gwei,gas_price_gwei\n";
    dir.write("data/gas/ethereum_1h.csv", &format!("{header}{gas}"));
    let pool: String = hours
        .zip(0..)
        .map(|(at, n)| format!("{at},3400,3420,3390,{},5\n", 3_400 + n % 20))
        .collect();
    let name = "data/dex/uniswap/WETHUSDT_3000_1h.csv";
    dir.write(name, &format!("{HEADER}{pool}"));
}

#[test]
fn every_series_beside_the_trades_agrees_with_the_auditor_and_data_check() {
    let dir = Scratch::new();
    with_all(&dir);
    let summary = audited(&dir, "");
    let covered = summary["coverage"].to_string();
    for series in [
        "mark.bybit.BTCUSDT",
        "index.bybit.BTCUSDT",
        "peg.usd.USDTUSD",
        "gas.ethereum.gwei",
        "dex.uniswap.WETHUSDT_3000",
    ] {
        assert!(covered.contains(series), "{series} in {covered}");
    }
    let check = dir.basis("data check data");
    assert_eq!(check.code, 0, "{check:?}");
    for series in [
        "mark.bybit.BTCUSDT",
        "index.bybit.BTCUSDT",
        "peg.usd.USDTUSD",
    ] {
        assert!(check.out.contains(series), "{series} in {}", check.out);
    }
}

/// USDT falls to .95 within the week and comes back to .99.
fn pegged(dir: &Scratch) {
    let peg = |at: usize| match at {
        0..80 => "1.0001",
        80..120 => "0.95",
        _ => "0.99",
    };
    let rows: String = (0..7 * 24)
        .map(|at| {
            let (day, hour, price) = (1 + at / 24, at % 24, peg(at));
            format!("2024-07-{day:02}T{hour:02}:00:00Z,{price},{price},{price},{price},0\n")
        })
        .collect();
    dir.write("data/peg/USDTUSD_1h.csv", &format!("{HEADER}{rows}"));
}

#[test]
fn a_peg_moves_dollars_in_a_bucket_of_its_own_and_tokens_not_at_all() {
    let dir = marked(|_| true);
    let par = audited(&dir, "");
    assert!(texts(&par).contains("1 USDT = 1 USD"), "{par}");
    assert_eq!(par["attribution"]["peg"], "0");
    pegged(&dir);
    let (summary, out) = ran(&dir, "");
    let data = dir.path().join("data");
    agrees(&out, Some(&data));
    for own in [
        "equity_start",
        "equity_end",
        "return",
        "sharpe",
        "max_drawdown",
    ] {
        assert_eq!(summary[own], par[own], "{own}");
    }
    let number = |name: &str| -> f64 { summary[name].as_str().unwrap().parse().unwrap() };
    let ratio = number("equity_end_usd") / number("equity_end");
    assert!((ratio - 0.99).abs() < 1e-12, "{ratio}");
    assert_eq!(summary["peg"]["end"], "0.99");
    let peg: f64 = summary["attribution"]["peg"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let expected = number("equity_end") * -0.01 - number("equity_start") * 0.0001;
    assert!((peg - expected).abs() < 1e-9, "{peg} {expected}");
    let usd = &summary["statistics_usd"];
    assert!(usd["max_drawdown"].as_f64().unwrap() > 0.049, "{usd}");
    assert!(texts(&summary).contains("peg.usd.USDTUSD"), "{summary}");
    assert_found_in(&out, &data, "peg", ("equity.csv", "peg"), |line| {
        line.starts_with("2024-07-04T09")
    });
}

#[test]
fn a_peg_that_begins_late_counts_as_one_until_then_and_is_a_gap() {
    let dir = marked(|_| true);
    pegged(&dir);
    let path = "data/peg/USDTUSD_1h.csv";
    let text = std::fs::read_to_string(dir.path().join(path)).unwrap();
    let late = text
        .lines()
        .filter(|line| *line > "2024-07-03T" || !line.starts_with('2'));
    let late: String = late.map(|line| format!("{line}\n")).collect();
    dir.write(path, &late);
    let summary = audited(&dir, "");
    assert_eq!(summary["gaps"][0]["series"], "peg.usd.USDTUSD", "{summary}");
    assert_eq!(summary["peg"]["start"], "1");
    dir.write(path, &text.replace("0.95", "0.095"));
    basis(&dir, "--json").fails(2, &["DATA-002", "peg.usd.USDTUSD", "peg_ratio_max"]);
}

#[test]
fn a_daily_peg_holds_for_its_day() {
    let dir = marked(|_| true);
    let rows: String = (1..=7)
        .map(|day| format!("2024-07-{day:02}T00:00:00Z,0.99,0.99,0.98,0.98{day},0\n"))
        .collect();
    dir.write("data/peg/USDTUSD_1d.csv", &format!("{HEADER}{rows}"));
    let summary = audited(&dir, "");
    // The bar of the sixth day is the newest that has closed.
    assert_eq!(summary["peg"]["end"], "0.986", "{summary}");
    assert_eq!(summary["peg"]["start"], "1");
}

#[test]
fn a_shock_of_the_peg_is_one_of_the_run_s_dollars() {
    let dir = marked(|_| true);
    pegged(&dir);
    let shock = "'shocks=[\"peg USDT -10% at 2024-07-06T00:00Z\"]'";
    let out = dir.path().join("run");
    let shock = shock.trim_matches('\'');
    let line = format!("--json --out {}", out.display());
    let mut arguments: Vec<&str> = vec!["backtest", "btc_basis", "--data", "data"];
    arguments.extend("--set spot_venue=bybit --set hedge_allocation.binance=0".split(' '));
    arguments.extend("--set hedge_allocation.bybit=1 --set hedge_allocation.okx=0".split(' '));
    arguments.extend("--from 2024-07-01T00:00:00Z --to 2024-07-07T16:00:00Z".split(' '));
    arguments.extend(["--set", shock]);
    arguments.extend(line.split(' '));
    let summary = dir.run(&arguments, &[]).json();
    assert_eq!(summary["peg"]["end"], "0.891", "{summary}");
    agrees(&out, Some(&dir.path().join("data")));
}

/// The recorded data with a peg beside: links to its folders.
#[cfg(unix)]
fn recorded_with_peg(dir: &Scratch) -> bool {
    let Some(data) = recorded_data() else {
        return false;
    };
    std::fs::create_dir_all(dir.path().join("data")).unwrap();
    for folder in std::fs::read_dir(data).unwrap() {
        let folder = folder.unwrap();
        let link = dir.path().join("data").join(folder.file_name());
        std::os::unix::fs::symlink(folder.path(), link).unwrap();
    }
    let rows: String = (0..20 * 24)
        .map(|at| {
            let (day, hour) = (1 + at / 24, at % 24);
            let price = format!("0.{}", 9_950 + at % 37);
            format!("2024-06-{day:02}T{hour:02}:00:00Z,{price},{price},{price},{price},0\n")
        })
        .collect();
    dir.write("data/peg/USDTUSD_1h.csv", &format!("{HEADER}{rows}"));
    true
}

#[cfg(unix)]
#[test]
fn a_peg_and_recorded_gas_agree_with_the_auditor_in_every_kind_of_share_class() {
    let dir = Scratch::new();
    if data_directory().is_none() || !recorded_with_peg(&dir) {
        return;
    }
    let okx = "--set data.gaps=hold --set data.proxies.perp.okx.ETHUSDT=perp.bybit.ETHUSDT";
    let span = "--from 2024-06-01 --to 2024-06-12";
    for (number, mode) in [
        "eth_staking_only".to_owned(),
        "pure_lending".to_owned(),
        format!("eth_basis {okx} --set share_class=ETH --capital 40 --set min_transfer=0.05 --set dust_threshold=0.003"),
        format!("usdt_market_neutral_no_leverage {okx}"),
    ]
    .iter()
    .enumerate()
    {
        let out = dir.path().join(format!("run-{number}"));
        let done = dir.basis(&format!(
            "backtest {mode} --data data {span} --json --out {}",
            out.display()
        ));
        let summary = done.json();
        assert_ne!(summary["attribution"]["peg"], "0", "{mode}");
        agrees(&out, Some(&dir.path().join("data")));
    }
}

#[test]
fn what_leaves_the_wallet_costs_the_recorded_gas_of_its_hour() {
    let Some(data) = data_directory() else { return };
    let dir = Scratch::new();
    let out = dir.path().join("run");
    let done = dir.basis(&format!(
        "backtest btc_basis --data {} --set data.gaps=hold \
         --set data.proxies.perp.okx.BTCUSDT=perp.bybit.BTCUSDT --set expected_carry.horizon_hours=null \
         --from 2024-06-01 --to 2024-06-05 --json --out {}",
        data.display(),
        out.display()
    ));
    done.json();
    agrees(&out, Some(&data));
    let is_fee = |line: &str| line.contains(",wallet.main,USDT,") && line.contains("transfer_cost");
    let fees = column(&out.join("ledger.csv"), "quantity", is_fee);
    assert!(!fees.is_empty());
    for fee in fees {
        let fee: f64 = fee.parse().unwrap();
        // 51,700 gas at some 5 to 30 gwei and ETH near 3,800 USD: not the flat 10 of the rules.
        assert!((-8.0..-0.5).contains(&fee), "{fee}");
    }
}
