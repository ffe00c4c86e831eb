//! Whatever is done to a row that a run reads shows: in figures, gaps, assumptions or the exit.
//!
//! Left out is what a run does not read: the volume of a bar at which nothing trades, the gas of an hour
//! without a transaction, what a reserve pays suppliers or takes from borrowers where the run is neither, its
//! supply where the debt stays below the kink (the rate grows with the debt alone), and rows whose only instant is
//! the exclusive start of the run. What a bar reached counts where something fills or is closed at it, and what it
//! opened at where its volume prices an exit; elsewhere only a value that cannot be is told.

use std::path::Path;

use basis::assembly::Backtest;
use basis::core::types::{SeriesKind, Span, Timestamp};
use basis::data::load;
use proptest::prelude::*;

use crate::audit::recorded_data;
use crate::grids::{every, week};
use crate::runner::Scratch;
use crate::scripted::setup;

/// What is done to a row.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Drop,
    Shift,
    Duplicate,
    /// A field, counted from those of which the least change shows, times one of [`FACTORS`].
    Scale(usize, usize),
    /// A field, counted from the others that are read, times one of [`FACTORS`] beyond every bound.
    Spoil(usize, usize),
    /// The file ends within the row.
    Cut,
}

/// From a millionth more to a thousand times, as numerator and denominator.
const FACTORS: [(i128, u32); 7] = [
    (1_000_001, 6),
    (999_999, 6),
    (1_001, 3),
    (9, 1),
    (10, 0),
    (1, 2),
    (1_000, 0),
];

/// The first of those that are beyond every bound.
const BEYOND: usize = 4;

struct Case {
    mode: &'static str,
    sets: &'static [&'static str],
    range: (&'static str, &'static str),
    /// Files, each with the columns of which the least change shows, and those of which only a value that cannot be
    /// is told: what a bar opened at and reached counts where something fills or is closed at it.
    files: &'static [(&'static str, &'static [usize], &'static [usize])],
    /// First columns of the rows that are harmed, where they are no instants within the range.
    rows: &'static [(&'static str, (&'static str, &'static str))],
}

const BASIS: Case = Case {
    mode: "btc_basis",
    sets: &[
        "spot_venue=bybit",
        "hedge_allocation.binance=0",
        "hedge_allocation.bybit=1",
        "hedge_allocation.okx=0",
    ],
    range: ("2024-07-01T00:00:00Z", "2024-07-07T16:00:00Z"),
    files: &[
        ("spot/bybit/BTCUSDT_1h.csv", &[1, 4, 5], &[2, 3]),
        ("perp/bybit/BTCUSDT_1h.csv", &[1, 4, 5], &[2, 3]),
        ("funding/bybit/BTCUSDT.csv", &[1], &[]),
    ],
    rows: &[],
};

/// The same with every series beside the trades.
const BESIDE: Case = Case {
    mode: BASIS.mode,
    sets: BASIS.sets,
    range: BASIS.range,
    files: &[
        ("mark/bybit/BTCUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("index/bybit/BTCUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("peg/USDTUSD_1h.csv", &[4], &[1, 2, 3]),
        ("perp/bybit/BTCUSDT_1h.csv", &[1, 4, 5], &[2, 3]),
        ("dex/uniswap/WETHUSDT_3000_1h.csv", &[4], &[1, 2, 3]),
        ("gas/ethereum_1h.csv", &[], &[]),
    ],
    rows: &[],
};

const LENDING: Case = Case {
    mode: "pure_lending",
    sets: &[],
    range: ("2024-06-01T00:00:00Z", "2024-06-06T00:00:00Z"),
    files: &[
        ("aave/reserves/USDT_1d.csv", &[2, 3], &[4, 8]),
        ("spot/bybit/ETHUSDT_1h.csv", &[1, 4, 5], &[2, 3]),
        ("aave/oracle/USDT_USD_1d.csv", &[], &[1]),
        ("gas/ethereum_1h.csv", &[], &[]),
    ],
    rows: &[],
};

const HOLDS: &str = "data.gaps=hold";
/// The okx perp of ETH has no bars in these days.
const OKX: &str = "data.proxies.perp.okx.ETHUSDT=perp.bybit.ETHUSDT";
const JUNE: (&str, &str) = ("2024-06-01T00:00:00Z", "2024-06-05T00:00:00Z");

const LEVERAGED: Case = Case {
    mode: "eth_leveraged",
    sets: &[],
    range: JUNE,
    files: &[
        ("spot/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("dex/uniswap/ETHFIWETH_3000_1h.csv", &[4], &[1, 2, 3]),
        ("aave/reserves/WETH_1d.csv", &[4, 5, 7], &[2, 8]),
        ("aave/reserves/weETH_1d.csv", &[2, 3, 6], &[4, 8]),
        ("aave/oracle/WETH_USD_1d.csv", &[1], &[]),
        ("aave/oracle/weETH_ETH_1d.csv", &[1], &[]),
        ("staking/weETH_ETH_protocol_1d.csv", &[1], &[]),
        ("staking/weETH_ETH_market_1h.csv", &[1], &[]),
        ("gas/ethereum_1h.csv", &[4], &[]),
    ],
    rows: &[],
};

const STAKING: Case = Case {
    mode: "eth_staking_only",
    sets: &[],
    range: ("2024-10-05T00:00:00Z", "2024-10-20T00:00:00Z"),
    files: &[
        ("spot/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("dex/uniswap/EIGENWETH_3000_1h.csv", &[4], &[1, 2, 3]),
        ("dex/uniswap/ETHFIWETH_3000_1h.csv", &[4], &[1, 2, 3]),
        ("staking/weETH_ETH_protocol_1d.csv", &[1], &[]),
        ("staking/weETH_ETH_market_1h.csv", &[1], &[]),
        ("gas/ethereum_1h.csv", &[4], &[]),
        ("rewards/etherfi_eigen.csv", &[5], &[]),
        ("rewards/etherfi_ethfi_topups.csv", &[4], &[]),
    ],
    rows: &[
        ("rewards/etherfi_eigen.csv", ("2024-08-01", "2024-09-01")),
        (
            "rewards/etherfi_ethfi_topups.csv",
            ("2024-10-01", "2024-10-20"),
        ),
    ],
};

const NEUTRAL: Case = Case {
    mode: "usdt_market_neutral",
    sets: &[HOLDS, OKX],
    range: JUNE,
    files: &[
        ("spot/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("perp/binance/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("perp/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("funding/binance/ETHUSDT.csv", &[1], &[]),
        ("funding/bybit/ETHUSDT.csv", &[1], &[]),
        ("funding/okx/ETHUSDT.csv", &[1], &[]),
        ("dex/uniswap/WETHUSDT_3000_1h.csv", &[4], &[1, 2, 3]),
        ("aave/reserves/WETH_1d.csv", &[4, 5, 7], &[2, 8]),
        ("aave/reserves/weETH_1d.csv", &[2, 3, 6], &[4, 8]),
        ("aave/oracle/WETH_USD_1d.csv", &[1], &[]),
        ("aave/oracle/weETH_ETH_1d.csv", &[1], &[]),
        ("staking/weETH_ETH_protocol_1d.csv", &[1], &[]),
        ("staking/weETH_ETH_market_1h.csv", &[1], &[]),
        ("gas/ethereum_1h.csv", &[4], &[]),
    ],
    rows: &[],
};

const NEUTRAL_UNLEVERED: Case = Case {
    mode: "usdt_market_neutral_no_leverage",
    sets: &[HOLDS, OKX],
    range: JUNE,
    files: &[
        ("spot/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("perp/binance/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("perp/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("funding/binance/ETHUSDT.csv", &[1], &[]),
        ("funding/bybit/ETHUSDT.csv", &[1], &[]),
        ("funding/okx/ETHUSDT.csv", &[1], &[]),
        ("dex/uniswap/WETHUSDT_3000_1h.csv", &[4], &[1, 2, 3]),
        ("staking/weETH_ETH_protocol_1d.csv", &[1], &[]),
        ("staking/weETH_ETH_market_1h.csv", &[1], &[]),
        ("gas/ethereum_1h.csv", &[4], &[]),
    ],
    rows: &[],
};

const ETH_BASIS: Case = Case {
    mode: "eth_basis",
    sets: &[HOLDS, OKX],
    range: JUNE,
    files: &[
        ("gas/ethereum_1h.csv", &[], &[]),
        ("spot/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("perp/binance/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("perp/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("funding/binance/ETHUSDT.csv", &[1], &[]),
        ("funding/bybit/ETHUSDT.csv", &[1], &[]),
        ("funding/okx/ETHUSDT.csv", &[1], &[]),
    ],
    rows: &[],
};

/// The same stake with Lido's token.
const LIDO: Case = Case {
    mode: "eth_leveraged",
    sets: &["lst_type=wstETH"],
    range: JUNE,
    files: &[
        ("spot/bybit/ETHUSDT_1h.csv", &[4], &[1, 2, 3]),
        ("aave/reserves/WETH_1d.csv", &[4, 5, 7], &[2, 8]),
        ("aave/reserves/wstETH_1d.csv", &[2, 3, 6], &[4, 8]),
        ("aave/oracle/WETH_USD_1d.csv", &[1], &[]),
        ("aave/oracle/wstETH_ETH_1d.csv", &[1], &[]),
        ("staking/wstETH_ETH_protocol_1d.csv", &[1], &[]),
        ("staking/wstETH_ETH_market_1h.csv", &[1], &[]),
        ("gas/ethereum_1h.csv", &[4], &[]),
    ],
    rows: &[],
};

const CASES: [&Case; 9] = [
    &BASIS,
    &BESIDE,
    &LENDING,
    &LEVERAGED,
    &STAKING,
    &NEUTRAL,
    &NEUTRAL_UNLEVERED,
    &ETH_BASIS,
    &LIDO,
];

/// What a run says, or why there is none.
fn said(case: &Case, data: &Path) -> String {
    let range = (case.range.0.parse().unwrap(), case.range.1.parse().unwrap());
    let setup = setup(case.mode, case.sets, range);
    let run = || {
        let loaded = load(data, &setup.data_request()?, &|_| {})?;
        Backtest::run(loaded.data, &setup)
    };
    match run() {
        Err(e) => e.to_string(),
        Ok(mut result) => {
            // Hashes of files are aside: they say that, not what.
            result.data_files.clear();
            format!("{result:?}")
        }
    }
}

/// The lines of a file after harm to the row at `at` of those within the case's range.
fn harmed(
    text: &str,
    (from, to): (&str, &str),
    at: usize,
    (fine, coarse): (&[usize], &[usize]),
    harm: Harm,
) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    // A row of the exclusive start itself may be read by nothing.
    let inside = |line: &&&str| {
        let first = line.split(',').next().unwrap_or_default();
        first > from && first < to
    };
    let count = lines.iter().filter(inside).count();
    let row = lines.iter().filter(inside).nth(at % count.max(1))?;
    let place = lines.iter().position(|line| line == row)?;
    let (stamp, rest) = row.split_once(',')?;
    let instead = match harm {
        Harm::Drop => String::new(),
        Harm::Duplicate => format!("{row}\n{row}\n"),
        Harm::Cut => (*row.get(..row.len() - 1)?).to_owned(),
        Harm::Shift => {
            let later = stamp.replace(":00:00Z", ":00:07Z");
            format!("{later},{rest}\n")
        }
        Harm::Scale(nth, factor) | Harm::Spoil(nth, factor) => {
            let is_fine = matches!(harm, Harm::Scale(..));
            let fields = if is_fine { fine } else { coarse };
            let field = *fields.get(nth % fields.len().max(1))?;
            let factor = *FACTORS.get(factor)?;
            let scaled = |(at, text): (usize, &str)| {
                if at == field {
                    times(text, factor)
                } else {
                    text.to_owned()
                }
            };
            let fields: Vec<_> = row.split(',').enumerate().map(scaled).collect();
            format!("{}\n", fields.join(","))
        }
    };
    let before: String = lines
        .iter()
        .take(place)
        .map(|line| format!("{line}\n"))
        .collect();
    let after = lines.iter().skip(place + 1).map(|line| format!("{line}\n"));
    Some(match harm {
        Harm::Cut => before + &instead,
        _ => before + &instead + &after.collect::<String>(),
    })
}

/// A decimal times a factor, exactly, or cut at the 18th decimal (the 27th of a number that has more).
fn times(text: &str, (numerator, tenths): (i128, u32)) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut mantissa: i128 = format!("{whole}{fraction}").parse().unwrap();
    let exponent: i64 = exponent.parse().unwrap();
    let had = i64::try_from(fraction.len()).unwrap() - exponent;
    let (mut decimals, most) = (had + i64::from(tenths), if had > 18 { 27 } else { 18 });
    mantissa *= numerator;
    while decimals > most {
        (mantissa, decimals) = (mantissa / 10, decimals - 1);
    }
    format!("{mantissa}e{}", -decimals)
}

#[test]
fn a_decimal_is_scaled_exactly() {
    assert_eq!(times("42.5", (1_001, 3)), "425425e-4");
    assert_eq!(times("-4.6e-05", (1, 2)), "-46e-8");
    assert_eq!(times("0.000000000000000001", (9, 1)), "0e-18");
    assert_eq!(times("1", (1_000, 0)), "1000e0");
}

fn harms() -> impl Strategy<Value = Harm> {
    prop_oneof![
        Just(Harm::Drop),
        Just(Harm::Shift),
        Just(Harm::Duplicate),
        (0..5_usize, 0..FACTORS.len()).prop_map(|(nth, factor)| Harm::Scale(nth, factor)),
        (0..5_usize, 0..FACTORS.len()).prop_map(|(nth, factor)| Harm::Scale(nth, factor)),
        (0..5_usize, BEYOND..FACTORS.len()).prop_map(|(nth, factor)| Harm::Spoil(nth, factor)),
        Just(Harm::Cut),
    ]
}

fn never_silent(case: &Case, dir: &Scratch, trials: u32) {
    let data = dir.path().join("data");
    let whole = said(case, &data);
    assert!(whole.starts_with("RunResult"), "no run to harm: {whole}");
    let again = said(case, &data);
    assert!(whole == again, "two runs differ");
    let config = ProptestConfig {
        cases: trials,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let strategy = (0..case.files.len(), 0..1_000_usize, harms());
    let outcome = runner.run(&strategy, |(file, at, harm)| {
        let (name, fine, coarse) = case.files.get(file).unwrap();
        let path = data.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        let rows = case.rows.iter().find(|(file, _)| file == name);
        let range = rows.map_or(case.range, |(_, rows)| *rows);
        let other = harmed(&text, range, at, (fine, coarse), harm);
        if let Some(other) = other.filter(|other| *other != text) {
            std::fs::write(&path, other).unwrap();
            let found = said(case, &data);
            std::fs::write(&path, &text).unwrap();
            prop_assert!(
                found != whole,
                "{harm:?} of row {at} of {name} shows nowhere"
            );
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn no_harm_to_a_row_of_prices_or_funding_is_silent() {
    let dir = Scratch::new();
    week(&dir, &every(8, "00", "0.0001"));
    never_silent(&BASIS, &dir, 160);
}

#[test]
fn no_harm_to_a_row_of_marks_indices_pegs_or_gas_is_silent() {
    let dir = Scratch::new();
    crate::marks::with_all(&dir);
    never_silent(&BESIDE, &dir, 192);
}

#[test]
fn the_gas_of_an_hour_in_which_the_wallet_sends_shows() {
    let dir = Scratch::new();
    crate::marks::with_all(&dir);
    let data = dir.path().join("data");
    let whole = said(&BESIDE, &data);
    let path = data.join("gas/ethereum_1h.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let row = text.lines().find(|row| row.starts_with("2024-07-01T01:"));
    let row = row.unwrap();
    std::fs::write(&path, text.replace(row, &format!("{row}1"))).unwrap();
    assert!(
        said(&BESIDE, &data) != whole,
        "the wallet's gas is not read"
    );
}

/// The recorded files of a case and of what its mode reads beside, cut to the days around its range.
fn recorded(case: &Case, dir: &Scratch) -> bool {
    let Some(shared) = recorded_data() else {
        return false;
    };
    let days = |at: &str, by: i64| {
        let at: Timestamp = at.parse().unwrap();
        at.plus(Span::from_hours(24 * by)).to_string()
    };
    let (first, last) = (days(case.range.0, -12), days(case.range.1, 3));
    for (name, ..) in case.files {
        let text = std::fs::read_to_string(shared.join(name)).unwrap();
        let is_dated = |line: &str| line.contains('T');
        let kept = text.lines().enumerate().filter(|(at, line)| {
            *at == 0 || !is_dated(line) || (*line > first.as_str() && *line < last.as_str())
        });
        let lines: String = kept.map(|(_, line)| format!("{line}\n")).collect();
        dir.write(&format!("data/{name}"), &lines);
    }
    let table = "aave/risk_parameters.csv";
    let text = std::fs::read_to_string(shared.join(table)).unwrap();
    dir.write(&format!("data/{table}"), &text);
    true
}

fn recorded_is_never_silent(case: &Case, trials: u32) {
    let dir = Scratch::new();
    if recorded(case, &dir) {
        never_silent(case, &dir, trials);
    }
}

#[test]
fn no_harm_to_a_row_of_a_chain_is_silent() {
    recorded_is_never_silent(&LENDING, 128);
}

#[test]
fn no_harm_to_a_row_of_a_levered_stake_is_silent() {
    recorded_is_never_silent(&LEVERAGED, 192);
}

#[test]
fn no_harm_to_a_row_of_a_stake_or_its_rewards_is_silent() {
    recorded_is_never_silent(&STAKING, 192);
}

#[test]
fn no_harm_to_a_row_of_a_hedged_loop_is_silent() {
    recorded_is_never_silent(&NEUTRAL, 256);
}

#[test]
fn no_harm_to_a_row_of_a_hedged_stake_is_silent() {
    recorded_is_never_silent(&NEUTRAL_UNLEVERED, 224);
}

#[test]
fn no_harm_to_a_row_of_three_venues_is_silent() {
    recorded_is_never_silent(&ETH_BASIS, 160);
}

#[test]
fn no_harm_to_a_row_of_another_stake_is_silent() {
    recorded_is_never_silent(&LIDO, 192);
}

#[test]
fn every_series_that_a_mode_reads_is_harmed() {
    let Some(shared) = recorded_data() else {
        return;
    };
    let catalogue = basis::data::Catalogue::scan(&shared).unwrap();
    let modes: std::collections::BTreeSet<_> = CASES.iter().map(|case| case.mode).collect();
    assert_eq!(modes.len(), 7, "every mode has a case: {modes:?}");
    let mut kinds = std::collections::BTreeSet::new();
    let mut missing = Vec::new();
    for case in CASES {
        let of_mode = || CASES.iter().filter(|other| other.mode == case.mode);
        let range = (case.range.0.parse().unwrap(), case.range.1.parse().unwrap());
        let request = setup(case.mode, case.sets, range).data_request().unwrap();
        for id in request.ids {
            // What a proxy stands in for has no bars in the days of the case.
            let proxied = format!("data.proxies.{id}=");
            let file = catalogue.find(id).unwrap();
            let Some(file) =
                file.filter(|_| !case.sets.iter().any(|set| set.starts_with(&proxied)))
            else {
                continue;
            };
            let name = file
                .path
                .strip_prefix(&shared)
                .unwrap()
                .display()
                .to_string();
            let has = |case: &&Case| case.files.iter().any(|(of, ..)| *of == name);
            // Rewards and the pools that price them are of one stake in every mode, and every mode is compared
            // with lending dollars.
            let is_benchmark = name == "aave/reserves/USDT_1d.csv";
            let harmed = match id.kind {
                SeriesKind::Dex | SeriesKind::RewardRate | SeriesKind::RewardTopUp => {
                    CASES.iter().any(&has)
                }
                _ if is_benchmark => CASES.iter().any(&has),
                _ => of_mode().any(has),
            };
            if !harmed {
                missing.push(format!("{} reads {name}", case.mode));
            }
            kinds.insert(id.kind);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    // Marks, indices and pegs are of no recorded file; `BESIDE` has them.
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

/// Fields of the table of risk parameters that a loop is sized, judged and priced by.
#[test]
fn no_harm_to_a_risk_parameter_of_a_loop_is_silent() {
    let dir = Scratch::new();
    if !recorded(&LEVERAGED, &dir) {
        return;
    }
    let data = dir.path().join("data");
    let whole = said(&LEVERAGED, &data);
    let path = data.join("aave/risk_parameters.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut silent = Vec::new();
    for (asset, fields) in [("WETH", &[][..]), ("weETH", &[8])] {
        let start = format!("\n{asset},");
        let at = text.find(&start).unwrap() + 1;
        let row = text[at..].lines().next().unwrap();
        for field in fields {
            for factor in [(1_001, 3), (9, 1)] {
                let cells: Vec<_> = row
                    .split(',')
                    .enumerate()
                    .map(|(at, cell)| match at == *field {
                        true => times(cell, factor),
                        false => cell.to_owned(),
                    })
                    .collect();
                std::fs::write(&path, text.replace(row, &cells.join(","))).unwrap();
                if said(&LEVERAGED, &data) == whole {
                    silent.push((asset, field, factor));
                }
            }
        }
        std::fs::write(&path, text.replace(&format!("{row}\n"), "")).unwrap();
        assert!(said(&LEVERAGED, &data) != whole, "{asset} is left out");
        std::fs::write(&path, text.replace(row, &format!("{row}\n{row}"))).unwrap();
        assert!(said(&LEVERAGED, &data) != whole, "{asset} is there twice");
    }
    assert!(silent.is_empty(), "{silent:?}");
}

/// The gas of an hour in which a transaction is paid, in every mode that has a chain.
#[test]
fn the_gas_of_an_hour_with_a_transaction_shows_in_every_mode_of_the_chain() {
    for case in [&LENDING, &LEVERAGED, &STAKING, &NEUTRAL, &NEUTRAL_UNLEVERED] {
        let dir = Scratch::new();
        if !recorded(case, &dir) {
            return;
        }
        let data = dir.path().join("data");
        let whole = said(case, &data);
        let path = data.join("gas/ethereum_1h.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        let scaled: String = text
            .lines()
            .map(|row| match row.rsplit_once(',') {
                Some((before, price)) if !price.starts_with('g') => {
                    format!("{before},{}\n", times(price, (1_001, 3)))
                }
                _ => format!("{row}\n"),
            })
            .collect();
        std::fs::write(&path, scaled).unwrap();
        assert!(said(case, &data) != whole, "{}: gas is not read", case.mode);
    }
}
