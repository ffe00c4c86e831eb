//! Several files, files that overlap, and a directory that has something already.

use super::*;

fn klines(hours: std::ops::Range<i64>, close: &str) -> String {
    let row = |hour: i64| {
        let open = 1_704_067_200_000 + hour * 3_600_000;
        format!(
            "{open},2,3,1,{close},{hour}.5,{},0,0,0,0,0\n",
            open + 3_599_999
        )
    };
    hours.map(row).collect()
}

const FLAGS: &str = "format=binance kind=spot";
const PATH: &str = "spot/binance/BTCUSDT_1h.csv";

#[test]
fn files_that_overlap_are_one_series_in_any_order() {
    let mut written = Vec::new();
    for turned in [false, true] {
        let desk = Desk::new();
        let mut files = vec![
            desk.file("BTCUSDT-1h-2024-01.csv", klines(0..30, "2")),
            desk.file("BTCUSDT-1h-2024-02.csv", klines(20..48, "2.0")),
        ];
        if turned {
            files.reverse();
        }
        let report = desk.import(request(FLAGS, &files, &[])).unwrap();
        let series = &report.series[0];
        assert_eq!((series.rows, series.added, series.repeated), (48, 48, 10));
        assert_eq!(series.interval_seconds, 3_600);
        written.push(desk.read(PATH));
        // The same again changes nothing.
        let report = desk.import(request(FLAGS, &files, &[])).unwrap();
        assert_eq!((report.series[0].rows, report.series[0].added), (48, 0));
        written.push(desk.read(PATH));
    }
    assert!(written.iter().all(|text| *text == written[0]));
    assert_eq!(written[0].lines().count(), 49);
}

#[test]
fn a_later_file_extends_what_is_there() {
    let desk = Desk::new();
    let first = [desk.file("BTCUSDT-1h-2024-01.csv", klines(0..24, "2"))];
    let second = [desk.file("BTCUSDT-1h-2024-02.csv", klines(24..30, "2"))];
    desk.import(request(FLAGS, &second, &[])).unwrap();
    let report = desk.import(request(FLAGS, &first, &[])).unwrap();
    assert_eq!((report.series[0].rows, report.series[0].added), (30, 24));
    let whole = desk.read(PATH);
    let other = Desk::new();
    let all = [other.file("BTCUSDT-1h-2024-01.csv", klines(0..30, "2"))];
    other.import(request(FLAGS, &all, &[])).unwrap();
    assert_eq!(whole, other.read(PATH));
}

#[test]
fn rows_that_contradict_are_refused_with_both_lines() {
    let desk = Desk::new();
    let files = [
        desk.file("BTCUSDT-1h-2024-01.csv", klines(0..5, "2")),
        desk.file("BTCUSDT-1h-2024-02.csv", klines(4..9, "2.5")),
    ];
    let said = desk.import(request(FLAGS, &files, &[])).unwrap_err();
    for expected in [
        "two rows of one instant that differ: 2024-01-01T04:00:00Z: ",
        "BTCUSDT-1h-2024-01.csv:5 (2,3,1,2,4.5) and ",
        "BTCUSDT-1h-2024-02.csv:1 (2,3,1,2.5,4.5)",
        "may have been unfinished",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(desk.is_empty());
    // Against what is there already, just the same, and what is there stays.
    desk.import(request(FLAGS, &files[..1], &[])).unwrap();
    let before = desk.read(PATH);
    let said = desk.import(request(FLAGS, &files[1..], &[])).unwrap_err();
    assert!(
        said.contains("out/spot/binance/BTCUSDT_1h.csv:6 (2,3,1,2,4.5)"),
        "{said}"
    );
    assert_eq!(desk.read(PATH), before);
}

#[test]
fn one_wrong_file_of_several_lets_nothing_in() {
    let desk = Desk::new();
    let files = [
        desk.file("BTCUSDT-1h-2024-01.csv", klines(0..5, "2")),
        desk.file("ETHUSDT-1h-2024-01.csv", klines(0..5, "x")),
        desk.file("SOLUSDT-1h-2024-01.csv", "a,b\n"),
    ];
    let said = desk.import(request(FLAGS, &files, &[])).unwrap_err();
    assert!(
        said.contains("ETHUSDT-1h-2024-01.csv line 1 column `close`: `x`"),
        "{said}"
    );
    assert!(said.contains("SOLUSDT-1h-2024-01.csv is none of"), "{said}");
    assert!(desk.is_empty());
    let files = [
        desk.file("BTCUSDT-1h-2024-01.csv", klines(0..5, "2")),
        desk.file(
            "BTCUSDT-1m-2024-01.csv",
            "1704067200000,2,3,1,2,1,1704067259999,0,0,0,0,0\n",
        ),
    ];
    let said = desk.import(request(FLAGS, &files, &[])).unwrap_err();
    assert!(said.contains("import one interval at a time"), "{said}");
}

#[test]
fn an_archive_of_several_series_is_several_files() {
    let desk = Desk::new();
    let (btc, eth) = (klines(0..3, "2"), klines(0..3, "2"));
    let files = [desk.file(
        "all.zip",
        zip_of(&[
            ("a/BTCUSDT-1h-2024-01.csv", &btc),
            ("ETHUSDT-1h-2024-01.csv", &eth),
        ]),
    )];
    let report = desk.import(request(FLAGS, &files, &[])).unwrap();
    let paths: Vec<_> = report
        .series
        .iter()
        .map(|series| series.path.as_str())
        .collect();
    assert_eq!(paths, [PATH, "spot/binance/ETHUSDT_1h.csv"]);
    assert!(
        report.sources[0]
            .file
            .ends_with("all.zip:ETHUSDT-1h-2024-01.csv")
    );
}

#[test]
fn what_is_done_to_rows_is_listed() {
    let desk = Desk::new();
    let rates = "t,r\n2024-01-01 00:00:05,0.00010000000000000000479\n2024-01-01 08:00:00,0.0002\n";
    let files = [desk.file("rates.csv", rates)];
    let map = "map kind=funding,venue=bybit,symbol=BTCUSDT,timestamp=t,funding_rate=r";
    let report = desk.import(request(map, &files, &[])).unwrap();
    assert_eq!(
        report.rules,
        [
            "1 numbers with more decimals than are kept (18; 27 of lending indices and rates) were \
             rounded half to even",
            "1 funding instants within a minute after a full hour were set to that hour; the most \
             was 5s",
            "2 instants name no time zone and were taken as UTC",
        ]
    );
    assert_eq!(report.series[0].interval_seconds, 8 * 3_600);
    assert_eq!(
        desk.read("funding/bybit/BTCUSDT.csv"),
        "timestamp,funding_rate\n2024-01-01T00:00:00Z,0.0001\n2024-01-01T08:00:00Z,0.0002\n"
    );
}

#[test]
fn an_instant_two_minutes_late_stays_where_it_is() {
    let desk = Desk::new();
    let files = [desk.file("rates.csv", "t,r\n2024-01-01T00:02:00Z,0.0001\n")];
    let map = "map kind=funding,venue=bybit,symbol=BTCUSDT,timestamp=t,funding_rate=r";
    let report = desk.import(request(map, &files, &[])).unwrap();
    assert_eq!(report.rules, [""; 0]);
    assert!(
        desk.read("funding/bybit/BTCUSDT.csv")
            .contains("T00:02:00Z")
    );
}
