//! The report as a reader meets it: opened in headless Chromium at desktop and phone width, where it
//! looks at itself and says what it found.
//!
//! Without Chromium the tests fail when `CI` is set, and elsewhere say so and pass.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "helpers of tests: a failure is a failed test, and a skip must be loud"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;

use crate::runner::Scratch;

const RUN: &str = "backtest btc_basis --from 2024-01-01 --to 2024-02-29 --out run";
pub(crate) const DESKTOP: u32 = 1280;
pub(crate) const PHONE: u32 = 390;

/// Every chart of the page of one run.
const CHARTS: [&str; 10] = [
    "equity",
    "drawdown",
    "exit",
    "attribution",
    "exposure",
    "delta",
    "margin",
    "distance",
    "funding",
    "price",
];

/// How long a page may take to look at itself, Chromium's start included.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes a page may have.
const SIZE_MAX: usize = 700_000;

pub(crate) fn chromium() -> Option<&'static str> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let answers = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    let found = names.into_iter().find(answers);
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no Chromium to open the report in; `cargo xtask test` installs it"
        );
        eprintln!("SKIPPED: no Chromium to open the report in");
    }
    found
}

/// What the page finds when it looks at itself in a frame `width` pixels wide.
///
/// Headless Chromium has a smallest window; a frame has not. The frame's parent sends what it hears to
/// a socket of the test: Chromium's own `--virtual-time-budget` counts a page's time down while a busy
/// machine has not loaded the page yet.
pub(crate) fn look(browser: &str, page: &Path, width: u32) -> Json {
    let folder = page.parent().unwrap();
    let frame = folder.join(format!("frame-{width}.html"));
    let name = page.file_name().unwrap().to_str().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let html = format!(
        "<!doctype html><body><iframe src=\"{name}#selfcheck\" style=\"width:{width}px;\
         height:900px;border:0\"></iframe><script>addEventListener('message', (e) => \
         fetch('http://{address}', {{method: 'POST', mode: 'no-cors', body: e.data}}));</script></body>"
    );
    fs::write(&frame, html).unwrap();
    let profile = folder.join(format!("profile-{width}"));
    let said = fs::File::create(folder.join(format!("browser-{width}.log"))).unwrap();
    let browser = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-quic", "--no-first-run", "--disable-sync"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args(["--disable-dev-shm-usage", "--window-size=1400,1000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", frame.display()))
        .stdout(Stdio::null())
        .stderr(said)
        .process_group(0)
        .spawn()
        .unwrap();
    let _browser = Browser(browser);
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(receive(&listener)));
    let found = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let said = fs::read_to_string(folder.join(format!("browser-{width}.log"))).unwrap();
        panic!("the page did not report in {PATIENCE:?}:\n{said}")
    });
    serde_json::from_slice(&found).unwrap()
}

/// A browser and its helpers, ended with the value.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ended = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _reaped = self.0.wait();
    }
}

/// The body of the first request that has one.
fn receive(listener: &TcpListener) -> Vec<u8> {
    loop {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        if length > 0 {
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            return body;
        }
    }
}

fn is_sound(found: &Json, width: u32, charts: &[&str]) {
    assert_eq!(found["errors"], serde_json::json!([]));
    assert_eq!(found["inner_width"], width);
    let wide = found["scroll_width"].as_u64().unwrap();
    assert!(wide <= u64::from(width), "{wide} pixels in {width}");
    let drawn: Vec<_> = found["charts"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = drawn.iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, charts);
    for chart in drawn {
        assert!(chart["points"].as_u64().unwrap() > 50, "{chart}");
        assert!(chart["ink"].as_u64().unwrap() > 500, "{chart}");
        for series in chart["series"].as_array().unwrap() {
            assert!(series["values"].as_u64().unwrap() > 10, "{chart}");
        }
    }
}

/// Every number in the page with a key is the summary's, exactly in its attribute and to the digits
/// shown in its text.
pub(crate) fn equals_summary(found: &Json, summary: &Json, prefix: &str) -> usize {
    let values = found["values"].as_array().unwrap();
    let mine = values.iter().filter_map(|value| {
        let key = value["key"].as_str().unwrap();
        key.strip_prefix(prefix).map(|key| (key, value))
    });
    let mut count = 0;
    for (key, value) in mine {
        let expected = summary.pointer(&format!("/{}", key.replace('.', "/")));
        let expected = expected.unwrap_or_else(|| panic!("{key} is not in summary.json"));
        let exact = match expected {
            Json::String(text) => text.clone(),
            Json::Null => "–".to_owned(),
            other => other.to_string(),
        };
        assert_eq!(value["value"], exact.as_str(), "{key}");
        count += 1;
        let shown = value["shown"].as_str().unwrap();
        let Ok(number) = exact.parse::<f64>() else {
            assert_eq!(shown, exact, "{key}");
            continue;
        };
        let digits = shown.replace(',', "").replace('\u{2212}', "-");
        let (digits, scale) = match digits.strip_suffix(" %") {
            Some(digits) => (digits, 100.0),
            None => (digits.as_str(), 1.0),
        };
        let decimals = digits.split_once('.').map_or(0, |(_, after)| after.len());
        let ulp = 10_f64.powi(-i32::try_from(decimals).unwrap());
        let off = (digits.parse::<f64>().unwrap() - number * scale).abs();
        assert!(off <= ulp, "{key}: {shown} for {exact}");
    }
    count
}

pub(crate) fn summary_of(directory: &Path) -> Json {
    serde_json::from_str(&fs::read_to_string(directory.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn the_page_of_a_run_is_sound_at_desktop_and_phone_width() {
    let dir = Scratch::new();
    let run = dir.basis(RUN);
    assert_eq!(run.code, 0, "{run:?}");
    let page = dir.path().join("run/report.html");
    let summary = summary_of(&dir.path().join("run"));
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.len() < SIZE_MAX, "{} bytes", text.len());
    assert!(text.contains("SYNTHETIC DATA"));
    for outside in [
        "src=\"http",
        "href=\"http",
        "url(http",
        "@import",
        "<link rel=\"style",
    ] {
        assert!(!text.contains(outside), "asks the network: {outside}");
    }
    let Some(browser) = chromium() else { return };
    for width in [DESKTOP, PHONE] {
        let found = look(browser, &page, width);
        is_sound(&found, width, &CHARTS);
        assert!(equals_summary(&found, &summary, "") >= 20);
        for key in [
            "return",
            "apy",
            "max_drawdown",
            "sharpe",
            "equity_end",
            "costs.total",
        ] {
            let keys = found["values"].as_array().unwrap();
            assert!(keys.iter().any(|value| value["key"] == key), "{key}");
        }
    }
}

/// The data that the charts of a page are drawn from.
pub(crate) fn chart_data(page: &str) -> Json {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

pub(crate) fn values(charts: &Json, chart: &str, label: &str) -> Vec<f64> {
    let series = charts["charts"][chart]["series"].as_array().unwrap();
    let found = series.iter().find(|series| series["label"] == label);
    let values = found.unwrap()["values"].as_array().unwrap();
    values.iter().filter_map(Json::as_f64).collect()
}

#[test]
fn what_the_charts_draw_agrees_with_the_summary() {
    let dir = Scratch::new();
    assert_eq!(dir.basis(RUN).code, 0);
    let summary = summary_of(&dir.path().join("run"));
    let page = fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    let charts = chart_data(&page);
    let amount = |pointer: &str| {
        let text = summary.pointer(pointer).unwrap().as_str().unwrap();
        text.parse::<f64>().unwrap()
    };
    let last = |chart: &str, label: &str| *values(&charts, chart, label).last().unwrap();
    let close = |a: f64, b: f64, by: f64| assert!((a - b).abs() <= by, "{a} and {b}");
    close(last("equity", "equity"), amount("/equity_end_usd"), 0.01);
    close(
        last("attribution", "funding"),
        amount("/attribution/funding"),
        0.01,
    );
    let gained = amount("/equity_end_usd") - amount("/equity_start_usd");
    close(last("attribution", "sum"), gained, 0.01);
    let deepest = values(&charts, "drawdown", "drawdown")
        .into_iter()
        .fold(0.0, f64::min);
    close(
        -deepest,
        summary["max_drawdown"].as_f64().unwrap() * 100.0,
        0.0001,
    );
    let venues =
        ["binance", "bybit", "okx"].map(|venue| last("funding", &format!("{venue} received")));
    close(venues.iter().sum(), amount("/attribution/funding"), 0.03);
    // The rates are those of the market, so a book that is held all the time earns about them.
    for venue in ["binance", "bybit", "okx"] {
        let (got, market) = (
            last("funding", &format!("{venue} received")),
            last("funding", &format!("{venue} market")),
        );
        close(got, market, market.abs() * 0.1);
    }
    let fills: u64 = charts["markers"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["n"].as_array().unwrap())
        .filter_map(Json::as_u64)
        .sum();
    assert_eq!(Some(fills), summary["counts"]["fills"].as_u64());
}

#[test]
fn the_page_that_compares_two_runs_is_sound_too() {
    let dir = Scratch::new();
    for (out, leverage) in [("a", "1"), ("b", "2")] {
        let line = format!("{RUN} --set hedge_leverage={leverage}");
        assert_eq!(
            dir.basis(&line.replace("--out run", &format!("--out {out}")))
                .code,
            0
        );
    }
    let report = dir.basis("report a b --out both.html --json").json();
    assert_eq!(report["report"], "both.html");
    for (label, out) in [("a", "a"), ("b", "b")] {
        let summary = summary_of(&dir.path().join(out));
        assert_eq!(report["runs"][label]["return"], summary["return"]);
    }
    let page = dir.path().join("both.html");
    let text = fs::read_to_string(&page).unwrap();
    assert!(
        text.contains("hedge_leverage"),
        "names the setting that differs"
    );
    let Some(browser) = chromium() else { return };
    for width in [DESKTOP, PHONE] {
        let found = look(browser, &page, width);
        is_sound(&found, width, &["index", "drawdown"]);
        for (prefix, out) in [("a.", "a"), ("b.", "b")] {
            let summary = summary_of(&dir.path().join(out));
            assert!(equals_summary(&found, &summary, prefix) > 15);
        }
    }
}

#[test]
fn the_page_sees_what_is_wrong_with_itself() {
    let Some(browser) = chromium() else { return };
    let dir = Scratch::new();
    assert_eq!(dir.basis(RUN).code, 0);
    let text = fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    let wrong = "<p style=\"width:2000px\">wide</p><script>\
                 console.error(\"printed\"); throw new Error(\"thrown\");</script></body>";
    let page = dir.write("wrong.html", &text.replace("</body>", wrong));
    let found = look(browser, &page, PHONE);
    let errors = found["errors"].to_string();
    assert!(
        errors.contains("printed") && errors.contains("thrown"),
        "{errors}"
    );
    assert!(found["scroll_width"].as_u64().unwrap() >= 2000, "{found}");
}

#[test]
fn a_report_is_made_again_from_the_directory_alone() {
    let dir = Scratch::new();
    assert_eq!(dir.basis(RUN).code, 0);
    let page = dir.path().join("run/report.html");
    let first = fs::read(&page).unwrap();
    fs::remove_file(&page).unwrap();
    let again = dir.basis("report run");
    assert_eq!((again.code, again.out.as_str()), (0, "run/report.html\n"));
    assert!(fs::read(&page).unwrap() == first, "the same bytes");
    assert_eq!(dir.basis("report run run").out, "compare-run-run.html\n");
}

#[test]
fn what_is_no_run_is_refused_by_file_and_line() {
    let dir = Scratch::new();
    dir.basis("report nowhere")
        .fails(2, &["error[EVT-003]", "nowhere/summary.json"]);
    assert_eq!(dir.basis(RUN).code, 0);
    let equity = dir.path().join("run/equity.csv");
    let text = fs::read_to_string(&equity).unwrap();
    let broken = text.replacen("2024-01-01T01:00:00Z", "yesterday", 1);
    fs::write(&equity, broken).unwrap();
    dir.basis("report run").fails(
        2,
        &[
            "error[EVT-003]",
            "equity.csv: line 2: `yesterday` is not an instant",
        ],
    );
}
