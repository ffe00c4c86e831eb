//! Files of exchanges and their replies, from import to an audited run: pairs that no rules are built in
//! for.
#![expect(
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "a test: one story from files to an audited run, over values of its own making"
)]

use std::fmt::Write as _;
use std::path::Path;

use crate::runner::{Scratch, agrees};

/// Hours of data: six days.
const HOURS: i64 = 144;
/// 2024-06-01T00:00:00Z in milliseconds.
const START: i64 = 1_717_200_000_000;
const HOUR: i64 = 3_600_000;

const REPLIES: [(&str, &str); 9] = [
    (
        "binance-spot.json",
        include_str!("../replies/binance-spot.json"),
    ),
    (
        "binance-perp.json",
        include_str!("../replies/binance-perp.json"),
    ),
    (
        "binance-brackets.json",
        include_str!("../replies/binance-brackets.json"),
    ),
    (
        "bybit-sol-spot.json",
        include_str!("../replies/bybit-sol-spot.json"),
    ),
    (
        "bybit-sol-linear.json",
        include_str!("../replies/bybit-sol-linear.json"),
    ),
    (
        "bybit-sol-tiers.json",
        include_str!("../replies/bybit-sol-tiers.json"),
    ),
    (
        "bybit-spot.json",
        include_str!("../replies/bybit-spot.json"),
    ),
    (
        "bybit-linear.json",
        include_str!("../replies/bybit-linear.json"),
    ),
    (
        "bybit-tiers.json",
        include_str!("../replies/bybit-tiers.json"),
    ),
];

/// A price at an hour: units of the last of `decimals` places around `centre`, moving by a pattern.
fn price(centre: i64, decimals: usize, hour: i64, off: i64) -> String {
    let mills = [0, 7, 12, 9, -4, -11, -6, 3][usize::try_from(hour.rem_euclid(8)).unwrap_or(0)];
    let units = centre + centre * (mills + hour / 12) / 1_000 + off;
    let unit = 10_i64.pow(u32::try_from(decimals).unwrap_or(0));
    format!("{}.{:0decimals$}", units / unit, units % unit)
}

/// Open, high, low and close of an hour.
fn bar(centre: i64, decimals: usize, hour: i64, off: i64) -> [String; 4] {
    let at = |hour, more| price(centre, decimals, hour, off + more);
    let (open, close) = (at(hour - 1, 0), at(hour, 0));
    let spread = centre / 20;
    [open, at(hour, spread), at(hour, -spread), close]
}

fn klines(centre: i64, decimals: usize, off: i64) -> String {
    (0..HOURS).fold(String::new(), |mut text, hour| {
        let [open, high, low, close] = bar(centre, decimals, hour, off);
        let at = START + hour * HOUR;
        writeln!(
            text,
            "{at},{open},{high},{low},{close},250000.5,{},1,1,1,1,0",
            at + HOUR - 1
        )
        .unwrap();
        text
    })
}

fn reply(symbol: &str, category: &str, centre: i64, decimals: usize, off: i64) -> String {
    let rows: Vec<_> = (0..HOURS)
        .rev()
        .map(|hour| {
            let [open, high, low, close] = bar(centre, decimals, hour, off);
            let at = START + hour * HOUR;
            format!(r#"["{at}","{open}","{high}","{low}","{close}","9000000000","1"]"#)
        })
        .collect();
    let rows = rows.join(",");
    format!(
        r#"{{"retCode":0,"retMsg":"OK","result":{{"symbol":"{symbol}","category":"{category}","list":[{rows}]}}}}"#
    )
}

fn bybit_funding(symbol: &str) -> String {
    let rows: Vec<_> = (0..=HOURS / 8)
        .map(|at| {
            let stamp = START + at * 8 * HOUR;
            format!(
                r#"{{"symbol":"{symbol}","fundingRate":"0.0003","fundingRateTimestamp":"{stamp}"}}"#
            )
        })
        .collect();
    let rows = rows.join(",");
    format!(r#"{{"retCode":0,"result":{{"category":"linear","list":[{rows}]}}}}"#)
}

fn archive_funding() -> String {
    let mut text = "calc_time,funding_interval_hours,last_funding_rate\n".to_owned();
    for at in 0..=HOURS / 8 {
        // The archive stamps some settlements a few milliseconds late.
        let late = at % 3;
        writeln!(text, "{},8,0.00021000", START + at * 8 * HOUR + late).unwrap();
    }
    text
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn with_replies() -> Scratch {
    let dir = Scratch::new();
    for (name, text) in REPLIES {
        write(dir.path(), &format!("replies/{name}"), text);
    }
    dir
}

fn done(dir: &Scratch, command: &str) -> String {
    let run = dir.basis(command);
    assert_eq!(run.code, 0, "{command}: {run:?}");
    run.out
}

fn summary(dir: &Scratch, run: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(dir.path().join(run).join("summary.json"));
    serde_json::from_str(&text.unwrap()).unwrap()
}

#[test]
fn sol_on_two_venues_runs_and_is_audited() {
    let dir = with_replies();
    let klines_of = |kind: &str, name: &str| format!("raw/{kind}/SOLUSDT/{name}");
    write(
        dir.path(),
        &klines_of("spot/monthly/klines", "SOLUSDT-1h-2024-06.csv"),
        &klines(16_550, 2, 0),
    );
    write(
        dir.path(),
        &klines_of("futures/um/monthly/klines", "SOLUSDT-1h-2024-06.csv"),
        &klines(16_550, 2, 9),
    );
    write(
        dir.path(),
        &klines_of(
            "futures/um/monthly/fundingRate",
            "SOLUSDT-fundingRate-2024-06.csv",
        ),
        &archive_funding(),
    );
    write(
        dir.path(),
        "raw/bybit/kline.json",
        &reply("SOLUSDT", "linear", 16_550, 2, -5),
    );
    write(
        dir.path(),
        "raw/bybit/spot.json",
        &reply("SOLUSDT", "spot", 16_550, 2, 2),
    );
    write(
        dir.path(),
        "raw/bybit/funding.json",
        &bybit_funding("SOLUSDT"),
    );

    let out = done(
        &dir,
        "data import --format binance --format bybit --to data \
         raw/spot/monthly/klines/SOLUSDT/SOLUSDT-1h-2024-06.csv \
         raw/futures/um/monthly/klines/SOLUSDT/SOLUSDT-1h-2024-06.csv \
         raw/futures/um/monthly/fundingRate/SOLUSDT/SOLUSDT-fundingRate-2024-06.csv \
         raw/bybit/kline.json raw/bybit/spot.json raw/bybit/funding.json",
    );
    assert!(out.contains("6 files read, 6 series written"), "{out}");
    assert!(
        out.contains("12 funding instants within a minute after a full hour"),
        "{out}"
    );
    let set = "--set asset=SOL --set reference_price=spot.bybit.SOLUSDT --set \
               hedge_allocation.binance=0.5 --set hedge_allocation.bybit=0.5 --set hedge_allocation.okx=0";
    let refused = dir.basis(&format!("check btc_basis {set}"));
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .err
            .contains("import its rules with `basis rules import binance SOLUSDT FILES`"),
        "{refused:?}"
    );

    let notes = done(
        &dir,
        "rules import binance SOLUSDT replies/binance-spot.json replies/binance-perp.json \
         replies/binance-brackets.json bybit SOLUSDT replies/bybit-sol-spot.json \
         replies/bybit-sol-linear.json replies/bybit-sol-tiers.json --to rules",
    );
    assert!(
        notes.contains("perp SOLUSDT: filters: exchangeInfo in replies/binance-perp.json"),
        "{notes}"
    );
    assert!(notes.contains("rules/bybit.yaml"), "{notes}");
    let short = "rules import binance SOLUSDT replies/binance-spot.json bybit replies/bybit-sol-spot.json --to x";
    dir.basis(short)
        .fails(2, &["bybit: name the instruments and the files"]);
    assert!(!dir.path().join("x").exists());
    let again =
        dir.basis("rules import bybit SOLUSDT replies/bybit-sol-spot.json --to rules/bybit.yaml");
    again.fails(again.code, &["rules/bybit.yaml is there already"]);
    assert_ne!(again.code, 0, "a file that is there is not written over");

    let set =
        format!("{set} --set rules.binance=rules/binance.yaml --set rules.bybit=rules/bybit.yaml");
    done(&dir, &format!("check btc_basis {set}"));
    let out = done(&dir, "data check data");
    assert!(out.contains("perp.binance.SOLUSDT"), "{out}");
    done(
        &dir,
        &format!("backtest btc_basis --data data {set} --out sol"),
    );
    let found = summary(&dir, "sol");
    assert!(found["counts"]["orders"].as_u64().unwrap() >= 3, "{found}");
    assert_eq!(found["counts"]["rejections"], 0, "{found}");
    let ledger = std::fs::read_to_string(dir.path().join("sol/ledger.csv")).unwrap();
    for part in ["funding", "binance:perp:SOLUSDT", "bybit:perp:SOLUSDT"] {
        assert!(ledger.contains(part), "{part}");
    }
    agrees(&dir.path().join("sol"), Some(&dir.path().join("data")));
    // The run's own configuration runs the same again.
    done(
        &dir,
        "backtest btc_basis --data data --config sol/config.yaml --out again",
    );
    let read =
        |run: &str| std::fs::read_to_string(dir.path().join(run).join("ledger.csv")).unwrap();
    assert_eq!(read("sol"), read("again"));
    let hash = |run: &str| summary(&dir, run)["config_hash"].clone();
    assert_eq!(hash("sol"), hash("again"));
}

#[test]
fn pepe_is_hedged_with_contracts_of_a_thousand() {
    let dir = with_replies();
    // 0.0000143210 USDT a PEPE, 0.014321 a thousand of them.
    write(
        dir.path(),
        "raw/spot.json",
        &reply("PEPEUSDT", "spot", 143_210, 10, 0),
    );
    write(
        dir.path(),
        "raw/perp.json",
        &reply("1000PEPEUSDT", "linear", 143_210, 7, 40),
    );
    write(
        dir.path(),
        "raw/funding.json",
        &bybit_funding("1000PEPEUSDT"),
    );
    done(
        &dir,
        "data import --format bybit --to data raw/spot.json raw/perp.json raw/funding.json",
    );
    done(
        &dir,
        "rules import bybit PEPEUSDT 1000PEPEUSDT replies/bybit-spot.json replies/bybit-linear.json \
         replies/bybit-tiers.json --to bybit.yaml",
    );
    let set = "--set asset=PEPE --set reference_price=spot.bybit.PEPEUSDT --set spot_venue=bybit --set \
               hedge_allocation.binance=0 --set hedge_allocation.bybit=1 --set hedge_allocation.okx=0 --set hedge_symbols.bybit=1000PEPEUSDT --set \
               rules.bybit=bybit.yaml";
    done(&dir, &format!("check btc_basis {set}"));
    done(
        &dir,
        &format!("backtest btc_basis --data data --capital 10000 {set} --out pepe"),
    );
    let found = summary(&dir, "pepe");
    assert_eq!(found["counts"]["rejections"], 0, "{found}");
    let positions = std::fs::read_to_string(dir.path().join("pepe/positions.csv")).unwrap();
    assert!(positions.contains("1000PEPEUSDT"), "{positions}");
    let executions = std::fs::read_to_string(dir.path().join("pepe/executions.csv")).unwrap();
    let perp = executions
        .lines()
        .find(|line| line.contains("1000PEPEUSDT"))
        .unwrap();
    // Whole lots of 100 contracts, priced per PEPE.
    assert!(perp.contains("00000,"), "{perp}");
    // What live cannot count yet is never sent as if it were single units.
    let order = r#"{"perp_trade":{"symbol":"1000PEPEUSDT","side":"sell","quantity":"1000000","order_type":"limit","limit_price":"0.0000143"}}"#;
    let dry = "instruct --venue bybit --mode live --dry-run --rules bybit.yaml";
    let dry: Vec<_> = dry.split(' ').chain([order]).collect();
    dir.run(&dry, &[])
        .fails(2, &["EXI-006", "a contract of 1000PEPEUSDT is 1000 PEPE"]);
    assert!(perp.contains(",0.00001"), "{perp}");
    agrees(&dir.path().join("pepe"), Some(&dir.path().join("data")));
    // Marks of the venue are of a thousand, too.
    let bars = dir.path().join("data/perp/bybit/1000PEPEUSDT_1h.csv");
    let bars = std::fs::read_to_string(bars).unwrap();
    write(dir.path(), "data/mark/bybit/1000PEPEUSDT_1h.csv", &bars);
    done(
        &dir,
        &format!("backtest btc_basis --data data --capital 10000 {set} --out marked"),
    );
    agrees(&dir.path().join("marked"), Some(&dir.path().join("data")));
    let marked = std::fs::read_to_string(dir.path().join("marked/positions.csv")).unwrap();
    assert_eq!(marked, positions);

    let other = dir.basis(&format!(
        "check btc_basis {set} --set hedge_symbols.okx=PEPEUSDT"
    ));
    assert_eq!(other.code, 2);
    assert!(
        other.err.contains("hedge_allocation gives no share"),
        "{other:?}"
    );
}

/// Daily rows of a reserve as the subgraph has them, growing at 3 % and 4.5 % a year.
fn subgraph() -> String {
    const RAY: u128 = 10_u128.pow(27);
    let (mut supply, mut debt) = (RAY / 100 * 105, RAY / 100 * 107);
    let mut items = Vec::new();
    for day in 0..=6 {
        let at = START / 1000 + day * 86_400;
        items.push(format!(
            r#"{{"timestamp":{at},"liquidityIndex":"{supply}","liquidityRate":"{}","variableBorrowIndex":"{debt}","variableBorrowRate":"{}","totalATokenSupply":"1000000000000000","totalCurrentVariableDebt":"700000000000000","priceInUsd":"1"}}"#,
            RAY / 100 * 3,
            RAY / 1000 * 45
        ));
        supply += supply / 100 * 3 / 365;
        debt += debt / 1000 * 45 / 365;
    }
    let items = items.join(",");
    format!(
        r#"{{"data":{{"reserve":{{"symbol":"USDT","decimals":6,"baseLTVasCollateral":"7500","reserveLiquidationThreshold":"7800","reserveLiquidationBonus":"10450","reserveFactor":"1000","optimalUtilisationRate":"920000000000000000000000000","eMode":null,"paramsHistory":[{items}]}}}}}}"#
    )
}

/// Fees of every block of the hours, as a node tells them.
fn fee_history() -> String {
    let blocks = (HOURS + 1) * 300;
    let list = |of: &dyn Fn(i64) -> String| (0..blocks).map(of).collect::<Vec<_>>().join(",");
    let base = list(&|block| format!(r#""{:#x}""#, 11_000_000_000 + block % 700));
    let reward = list(&|_| r#"["0x5f5e100"]"#.to_owned());
    let ratio = list(&|_| "0.5".to_owned());
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"oldestBlock":"0x1312d00","reward":[{reward}],"baseFeePerGas":[{base},"0x1"],"gasUsedRatio":[{ratio}]}}}}"#
    )
}

#[test]
fn lending_runs_over_dates_of_one_s_own_and_is_audited() {
    let dir = Scratch::new();
    write(
        dir.path(),
        "raw/eth.json",
        &reply("ETHUSDT", "spot", 380_000, 2, 0),
    );
    write(dir.path(), "raw/usdt.json", &subgraph());
    write(dir.path(), "raw/fees.json", &fee_history());
    let files = "--to data raw/eth.json raw/usdt.json raw/fees.json";
    let formats = "data import --format bybit --format aave --format feehistory";
    dir.basis(&format!("{formats} {files}"))
        .fails(1, &["DATA-002", "--anchor"]);
    let out = done(
        &dir,
        &format!("{formats} --anchor 20000000@2024-06-01T00:00:03Z {files}"),
    );
    assert!(
        out.contains("blocks within their hours were left out"),
        "{out}"
    );
    assert!(out.contains("counted from the anchor"), "{out}");
    assert!(out.contains("aave/risk_parameters.csv"), "{out}");
    let run = "backtest pure_lending --data data --set spot_venue=bybit";
    let table = dir.path().join("data/aave/risk_parameters.csv");
    let text = std::fs::read_to_string(&table).unwrap();
    assert!(
        text.ends_with("\nUSDT,0.75,0.78,0.045,0.1,0.92,,,,\n"),
        "{text}"
    );
    std::fs::remove_file(&table).unwrap();
    dir.basis(run).fails(
        2,
        &["DATA-001", "aave/risk_parameters.csv", "has no row of USDT"],
    );
    let checked = done(&dir, "data check data");
    assert!(
        checked.contains("aave/risk_parameters.csv is not there"),
        "{checked}"
    );
    std::fs::write(&table, text).unwrap();
    done(
        &dir,
        "data check data --mode pure_lending --set spot_venue=bybit",
    );
    done(&dir, &format!("{run} --out own"));
    let found = summary(&dir, "own");
    assert_eq!(found["counts"]["rejections"], 0, "{found}");
    let interest = found["attribution"]["interest"].as_str().unwrap();
    assert!(interest.parse::<f64>().unwrap() > 20.0, "{interest}");
    agrees(&dir.path().join("own"), Some(&dir.path().join("data")));
}
