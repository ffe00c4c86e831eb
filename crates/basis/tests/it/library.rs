//! A program that uses the library leaves what the command line leaves.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use basis::assembly::{Backtest, Setup, Stamp};
use basis::config::environment::Environment;
use basis::config::layers::{Request, resolve};
use basis::core::types::RunId;
use basis::data::{SyntheticSpec, load, synthetic};
use basis::report::Format;
use basis::venues::registry::Registry;
use serde_json::Value as Json;

use crate::files;
use crate::runner::Scratch;

/// What a library run could miss: orders at the next open, volumes that OKX counts in contracts, and
/// no dates.
const SETS: [&str; 7] = [
    "fill_at=next_open",
    "venue_settings.okx.slippage=sqrt_impact",
    "venue_settings.okx.impact=3",
    "hedge_leverage=2",
    "expected_carry.horizon_hours=null",
    "spot_allocation={binance: 0.5, bybit: 0.5}",
    "risk.venue_share_max=0.75",
];

fn setup() -> Setup {
    let registry = Registry::builtin();
    let sets: Vec<_> = SETS.iter().map(|&set| set.to_owned()).collect();
    let request = Request {
        mode: "btc_basis",
        sets: &sets,
        ..Request::default()
    };
    resolve(&request, &Environment::default(), &registry)
        .unwrap()
        .setup
}

fn command_line(dir: &Scratch) -> Json {
    let mut arguments = vec!["backtest", "btc_basis", "--json", "-q"];
    arguments.extend(["--data", "data", "--out", "told"]);
    for set in SETS {
        arguments.extend(["--set", set]);
    }
    dir.run(&arguments, &[]).json()
}

/// Every file below `directory` with its text, what the wall clock says taken out.
fn texts(directory: &Path, clock: &[String]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mut text = fs::read_to_string(&path).unwrap();
            for number in clock {
                text = text.replace(number.as_str(), "T");
            }
            let name = path.strip_prefix(directory).unwrap().display().to_string();
            all.push((name, without_creation_times(&text)));
        }
    }
    all.sort();
    all
}

/// The text without how long each interface took to make.
fn without_creation_times(text: &str) -> String {
    let mut parts = text.split("\"processing_time_ms\":");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'));
    }
    out
}

/// The times of a summary as they are printed.
fn clock(summary: &Json) -> Vec<String> {
    let timing = summary["timing"].as_object().unwrap();
    let mut numbers: Vec<_> = timing.values().map(ToString::to_string).collect();
    numbers.retain(|number| number.contains('.'));
    numbers.push(summary["run_id"].as_str().unwrap().to_owned());
    numbers
}

#[test]
fn a_library_run_leaves_the_directory_of_the_command_line() {
    let dir = Scratch::new();
    let spec = SyntheticSpec {
        bars: 24 * 40,
        ..SyntheticSpec::default()
    };
    files::write(&dir.path().join("data"), &synthetic(&spec));
    let told = command_line(&dir);
    assert!(told["counts"]["fills"].as_u64().unwrap() > 0);

    let setup = setup();
    let request = setup.data_request().unwrap();
    assert!(!request.volume_multipliers.is_empty());
    // The command line ran in the scratch directory, where `data` is what the run names.
    let data = load(&dir.path().join("data"), &request, &|_| {}).unwrap();
    let run = dir.path().join("run");
    let stamp = Stamp {
        // No figure of a run has these digits.
        run_id: RunId::from_number(9_876_543_210),
        load_ms: 1_234.567_891,
    };
    let finished = Backtest::prepare(data.data, &setup)
        .unwrap()
        .run_to(Some((&run, Format::Csv)), stamp, &mut |_| {})
        .unwrap();
    assert!(finished.result.counts.fills > 0);

    let written: Json =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    let place = dir.path().join("data").display().to_string();
    let mut ours = texts(&run, &clock(&written));
    for (_, text) in &mut ours {
        *text = text.replace(&place, "data");
    }
    let theirs = texts(&dir.path().join("told"), &clock(&told));
    let names = |all: &[(String, String)]| all.iter().map(|(name, _)| name.clone()).collect();
    let (ours_named, theirs_named): (Vec<_>, Vec<_>) = (names(&ours), names(&theirs));
    assert_eq!(ours_named, theirs_named);
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let first = ours.chars().zip(theirs.chars()).position(|(a, b)| a != b);
        let at = first.unwrap_or_default().saturating_sub(60);
        let part = |text: &str| text.chars().skip(at).take(160).collect::<String>();
        assert!(
            ours == theirs,
            "{name}: {:?} beside {:?}",
            part(ours),
            part(theirs)
        );
    }
}

#[test]
fn a_run_gives_itself_its_dates_and_keeps_its_steps() {
    let data = Arc::new(synthetic(&SyntheticSpec {
        bars: 48,
        ..SyntheticSpec::default()
    }));
    let result = Backtest::run(Arc::clone(&data), &setup()).unwrap();
    let fitted = setup().fitted(&data).unwrap();
    assert_eq!(result.range, (fitted.run().from, fitted.run().to));
    assert_eq!(
        u64::try_from(result.steps.at.len()).unwrap(),
        result.counts.steps
    );
    // Fitting again changes nothing, the hash of the configuration included.
    let hash = fitted.config_hash().to_owned();
    assert_eq!(fitted.fitted(&data).unwrap().config_hash(), hash);
}
