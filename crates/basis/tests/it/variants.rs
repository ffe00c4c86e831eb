//! The kinds of input that are refused, listed or booked right, each at other venues, pairs, years, rows and files:
//! rows between settlements, rows beside their instants, intervals that the rules change, books that are lost, files
//! that are cut off, amounts finer than their asset, rules outside their dates.

#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests: a summary without a field is a failed test"
)]

use std::path::Path;

use serde_json::Value as Json;

use crate::audit::recorded_data;
use crate::runner::{Outcome, Scratch, agrees};

/// A mode on one exchange, over the first week of July of a year.
#[derive(Clone, Copy, Debug)]
struct Place {
    mode: &'static str,
    symbol: &'static str,
    /// Where the short is.
    venue: &'static str,
    /// Where the spot is.
    spot: &'static str,
    year: u32,
    price: i64,
}

const fn place(mode: &'static str, venue: &'static str, spot: &'static str, year: u32) -> Place {
    // The two modes differ in their asset alone.
    let is_btc = mode.len() == "btc_basis".len() && mode.as_bytes()[0] == b'b';
    Place {
        mode,
        symbol: if is_btc { "BTCUSDT" } else { "ETHUSDT" },
        venue,
        spot,
        year,
        price: if is_btc { 60_000 } else { 3_000 },
    }
}

const PLACES: [Place; 4] = [
    place("btc_basis", "binance", "binance", 2026),
    place("eth_basis", "bybit", "bybit", 2025),
    place("btc_basis", "okx", "bybit", 2026),
    place("eth_basis", "binance", "bybit", 2026),
];

impl Place {
    fn settings(self) -> String {
        let shares: String = ["binance", "bybit", "okx"]
            .iter()
            .map(|venue| {
                let share = u8::from(*venue == self.venue);
                format!(" --set hedge_allocation.{venue}={share}")
            })
            .collect();
        format!(
            "--set spot_venue={spot} --set reference_price=spot.{spot}.{symbol}{shares}",
            spot = self.spot,
            symbol = self.symbol
        )
    }

    fn run(self, dir: &Scratch, more: &str) -> Outcome {
        let (mode, year, settings) = (self.mode, self.year, self.settings());
        dir.basis(&format!(
            "backtest {mode} --data data {settings} --from {year}-07-01T00:00:00Z \
             --to {year}-07-07T16:00:00Z {more}"
        ))
    }

    /// Bars of every hour, and the funding rows given.
    fn data(self, funding: &[String]) -> Scratch {
        let dir = Scratch::new();
        for (kind, venue, off) in [
            ("spot", self.spot, 0),
            ("perp", self.venue, self.price / 5_000),
        ] {
            let rows: String = (0..7 * 24)
                .map(|hour| {
                    let open = self.price + off;
                    let close = open + hour * 7 % 90 * self.price / 60_000;
                    format!(
                        "{}-07-{:02}T{:02}:00:00Z,{open},{},{},{close},900\n",
                        self.year,
                        hour / 24 + 1,
                        hour % 24,
                        open + self.price / 500,
                        open - self.price / 2_000
                    )
                })
                .collect();
            let text = format!("timestamp,open,high,low,close,volume\n{rows}");
            dir.write(
                &format!("data/{kind}/{venue}/{}_1h.csv", self.symbol),
                &text,
            );
        }
        self.funding(&dir, funding);
        dir
    }

    fn funding(self, dir: &Scratch, rows: &[String]) {
        let rows: String = rows.iter().map(|at| format!("{at},0.0001\n")).collect();
        let text = format!("timestamp,funding_rate\n{rows}");
        dir.write(
            &format!("data/funding/{}/{}.csv", self.venue, self.symbol),
            &text,
        );
    }

    /// Every `hours`-th hour of the week.
    fn every(self, hours: usize) -> Vec<String> {
        (0..7 * 24)
            .step_by(hours)
            .map(|hour| {
                let (day, hour) = (hour / 24 + 1, hour % 24);
                format!("{}-07-{day:02}T{hour:02}:00:00Z", self.year)
            })
            .collect()
    }

    fn series(self) -> String {
        format!("funding.{}.{}", self.venue, self.symbol)
    }

    /// The venue's rules with another funding interval from a day of that July on.
    fn rules(self, dir: &Scratch, day: u32, hours: u32) -> String {
        let venue = self.venue;
        let path = format!("../../configs/venues/{venue}.yaml");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read_to_string(path).unwrap();
        let (_, last) = text.rsplit_once("\n  - effective_from: ").unwrap();
        let (_, last) = last.split_once('\n').unwrap();
        let changed = last.replace("interval_hours: 8", &format!("interval_hours: {hours}"));
        let year = self.year;
        let whole = format!("{text}\n  - effective_from: {year}-07-{day:02}\n{changed}");
        dir.write(&format!("{venue}.yaml"), &whole);
        format!("--set rules.{venue}={venue}.yaml")
    }
}

fn assumed(summary: &Json, text: &str) -> bool {
    let list = summary["assumptions"].as_array().unwrap();
    list.iter()
        .any(|row| row["text"].as_str().unwrap().contains(text))
}

#[test]
fn rows_between_settlements_of_any_venue_are_refused_or_listed() {
    for place in PLACES {
        let settled = place.every(8);
        let year = place.year;
        let alone = |at: &str| vec![format!("{year}-07-{at}Z")];
        for (extra, count) in [
            (place.every(1), 140),
            (place.every(4), 20),
            (place.every(2), 60),
            (alone("03T03:00:00"), 1),
            (alone("07T15:30:00"), 1),
            (alone("01T00:02:00"), 1),
        ] {
            let mut rows = [settled.clone(), extra].concat();
            rows.sort();
            rows.dedup();
            let dir = place.data(&rows);
            let found = place.run(&dir, "");
            assert_eq!(found.code, 2, "{place:?}: {found:?}");
            let count_of = format!("{}: ", place.series());
            for text in [
                "DATA-003",
                &count_of,
                "lie on no settlement of the rules (every 8h)",
            ] {
                assert!(found.err.contains(text), "{place:?} {text}: {found:?}");
            }
            let summary = place.run(&dir, "--set data.gaps=hold --json").json();
            let listed = summary["unscheduled"][0]["rows"].as_u64().unwrap();
            // The run ends at 16:00 of its last day, and rows after that are not of it.
            assert!(
                listed <= count && listed * 10 >= count * 9,
                "{listed} of {count}"
            );
        }
    }
}

#[test]
fn rows_beside_their_settlements_are_booked_and_listed_whichever_they_are() {
    for place in PLACES {
        let exact = place.every(8);
        let dir = place.data(&exact);
        let expected = place.run(&dir, "--json").json();
        for (late, most_ms) in [
            ("00.001", 1),
            ("00.025", 25),
            ("11", 11_000),
            ("59.999", 59_999),
        ] {
            for only in [None, Some(0), Some(7), Some(20)] {
                let rows: Vec<_> = exact
                    .iter()
                    .enumerate()
                    .map(|(at, row)| match only {
                        Some(only) if only != at => row.clone(),
                        _ => row.replace(":00Z", &format!(":{late}Z")),
                    })
                    .collect();
                place.funding(&dir, &rows);
                let found = place.run(&dir, "--json").json();
                assert_eq!(
                    found["attribution"], expected["attribution"],
                    "{place:?} {late}"
                );
                assert!(found["gaps"].as_array().unwrap().is_empty(), "{found}");
                // The first row is of the exclusive start.
                if only != Some(0) {
                    assert_eq!(found["shifts"][0]["most_ms"], most_ms, "{found}");
                    assert_eq!(found["shifts"][0]["series"], place.series(), "{found}");
                }
            }
        }
        let beyond: Vec<_> = exact
            .iter()
            .map(|row| row.replace(":00Z", ":01.5Z"))
            .collect();
        let beyond: Vec<_> = beyond
            .iter()
            .map(|row| row.replace(":00:01.5Z", ":01:01.5Z"))
            .collect();
        place.funding(&dir, &beyond);
        place
            .run(&dir, "")
            .fails(2, &["DATA-003", "20 missing", "row(s)", &place.series()]);
    }
}

#[test]
fn an_interval_that_changes_on_any_day_at_any_venue_is_expected() {
    for place in PLACES {
        for (day, hours) in [(2, 4), (4, 1), (6, 2)] {
            let dir = place.data(&place.every(8));
            let rules = place.rules(&dir, day, hours);
            let refused = place.run(&dir, &rules);
            let first = format!("{}-07-{day:02}T{hours:02}:00:00Z", place.year);
            for text in ["DATA-003", "gap(s)", &place.series(), &first] {
                assert!(refused.err.contains(text), "{place:?} {text}: {refused:?}");
            }
            assert_eq!(refused.code, 2);
            let mut rows: Vec<_> = place.every(8);
            let changed = format!("{}-07-{day:02}", place.year);
            let of = usize::try_from(hours).unwrap();
            rows.extend(place.every(of).into_iter().filter(|at| *at > changed));
            rows.sort();
            rows.dedup();
            place.funding(&dir, &rows);
            let whole = place
                .run(&dir, &format!("{rules} --json --out whole"))
                .json();
            assert!(whole["gaps"].as_array().unwrap().is_empty(), "{whole}");
            agrees(&dir.path().join("whole"), Some(&dir.path().join("data")));
            // One settlement of the new interval is missing.
            rows.retain(|at| *at != first);
            place.funding(&dir, &rows);
            let missing = format!("1 missing from {first}");
            place.run(&dir, &rules).fails(2, &["DATA-003", &missing]);
        }
    }
}

#[test]
fn rules_before_and_long_after_their_dates_are_assumptions_at_any_venue() {
    for (at, year, words) in [
        (
            0,
            2022,
            "the rules of binance begin on 2024-01-01: they stand in for the days before, from 2022-07-01",
        ),
        (
            1,
            2023,
            "the rules of bybit begin on 2024-01-01: they stand in for the days before, from 2023-07-01",
        ),
        (
            2,
            2020,
            "the rules of okx begin on 2024-01-01: they stand in for the days before, from 2020-07-01",
        ),
        (0, 2029, "they are taken to hold until 2029-07-07"),
        (
            1,
            2028,
            "the newest rules of bybit are of 2024-01-01: they are taken to hold until 2028-07-07",
        ),
        (2, 2030, "they are taken to hold until 2030-07-07"),
    ] {
        let place = Place { year, ..PLACES[at] };
        let dir = place.data(&place.every(8));
        let summary = place.run(&dir, "--json").json();
        assert!(
            assumed(&summary, words),
            "{words}: {}",
            summary["assumptions"]
        );
    }
}

#[test]
fn amounts_finer_than_their_asset_are_refused_in_any_mode() {
    let dir = Scratch::new();
    let at = "at: 2024-03-03T00:00:00Z";
    for (mode, fine) in [
        ("eth_basis", "5000.0000001"),
        ("pure_lending", "5000.12345678"),
        ("usdt_market_neutral", "5000.0000009"),
        ("usdt_market_neutral_no_leverage", "5000.00000000001"),
        ("eth_leveraged", "5.0000000000000000001"),
        ("eth_staking_only", "5.0000000000000000009"),
    ] {
        for (flag, value) in [
            ("--capital", fine.to_owned()),
            ("--set", format!("deposits=[{{{at}, amount: {fine}}}]")),
            ("--set", format!("withdrawals=[{{{at}, amount: {fine}}}]")),
        ] {
            let days = ["--from", "2024-03-01", "--to", "2024-03-05"];
            let run = ["backtest", mode, "--json", flag, &value];
            let found = dir.run(&[&run[..], &days].concat(), &[]);
            assert_eq!(found.code, 2, "{mode} {value}: {found:?}");
            assert!(found.err.contains("decimals"), "{mode} {value}: {found:?}");
            assert!(found.err.contains(fine), "{mode} {value}: {found:?}");
        }
    }
}

#[test]
fn a_lost_book_of_any_loop_is_a_loss_of_its_capital_and_ranks_last() {
    let dir = Scratch::new();
    for (mode, day, asset) in [
        ("eth_leveraged", "2024-05-10", "weETH"),
        ("usdt_market_neutral", "2024-03-08", "weETH"),
    ] {
        let at = format!("at {day}T07:00:00Z");
        let lost = [
            format!("protocol {asset} -60% {at}"),
            format!("oracle {asset} -60% {at}"),
        ];
        let (from, to) = (&day[..8], &day[..8]);
        let dates = [format!("{from}01"), format!("{to}12")];
        let mut run = vec![
            "backtest", mode, "--json", "-q", "--from", &dates[0], "--to", &dates[1],
        ];
        for shock in &lost {
            run.extend(["--shock", shock]);
        }
        let summary: Json = serde_json::from_str(&dir.run(&run, &[]).out).unwrap();
        let left: f64 = summary["equity_end"].as_str().unwrap().parse().unwrap();
        assert!(left >= 0.0, "{mode}: {left}");
        for found in [&summary, &summary["statistics_usd"]] {
            if found.is_null() {
                continue;
            }
            let figure = |key: &str| found[key].as_f64().unwrap();
            assert!((-1.0..0.0).contains(&figure("return")), "{mode}: {found}");
            assert!((-1.0..0.0).contains(&figure("apy")), "{mode}: {found}");
            assert!(
                (0.0..=1.0).contains(&figure("max_drawdown")),
                "{mode}: {found}"
            );
        }
        let lists = format!(
            "shocks=[\"ETH -5% {at}\"],[\"{}\",\"{}\"]",
            lost[0], lost[1]
        );
        let sweep = [
            "sweep", mode, "--rank", "apy", "--json", "-q", "--param", &lists, "--from", &dates[0],
            "--to", &dates[1],
        ];
        let found: Json = serde_json::from_str(&dir.run(&sweep, &[]).out).unwrap();
        let rows = found["variants"].as_array().unwrap();
        let apys: Vec<_> = rows
            .iter()
            .map(|row| row["apy"].as_f64().unwrap())
            .collect();
        assert!(apys[0] > apys[1], "{mode}: {apys:?}");
        let shocks = rows[1].to_string();
        assert!(shocks.contains("oracle"), "{mode}: {shocks}");
    }
}

/// Every file of the recorded data with its first rows.
fn files(dir: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{below}{name}");
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{path}/"), found);
        } else if path.ends_with(".csv") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let rows = text.lines().take(30).map(|row| format!("{row}\n"));
            found.push((path, rows.collect()));
        }
    }
}

#[test]
fn a_file_of_any_kind_that_is_cut_off_in_its_last_row_is_refused() {
    let Some(recorded) = recorded_data() else {
        return;
    };
    let mut all = Vec::new();
    files(&recorded, "", &mut all);
    assert!(all.len() >= 30, "{}", all.len());
    let bars = all
        .iter()
        .find(|(path, _)| path.starts_with("perp/"))
        .unwrap()
        .1
        .clone();
    for path in [
        "mark/bybit/BTCUSDT_1h.csv",
        "index/okx/ETHUSDT_1h.csv",
        "peg/USDTUSD_1h.csv",
    ] {
        all.push((path.to_owned(), bars.clone()));
    }
    for (nth, (path, text)) in all.into_iter().enumerate() {
        let dir = Scratch::new();
        dir.write("data/spot/binance/BTCUSDT_1h.csv", &bars);
        dir.write(&format!("data/{path}"), &text);
        let whole = dir.basis("data check data");
        assert_eq!(whole.code, 0, "{path}: {whole:?}");
        let row = text.lines().last().unwrap().len();
        // A number that is one digit shorter is a number; and the row may end anywhere.
        let cut = if nth % 2 == 0 { 1 } else { 1 + row / 3 };
        dir.write(&format!("data/{path}"), &text[..text.len() - cut]);
        let found = dir.basis("data check data");
        assert_eq!(found.code, 1, "{path} -{cut}: {found:?}");
        assert!(
            found.out.contains("is the file cut off?"),
            "{path} -{cut}: {found:?}"
        );
    }
}
