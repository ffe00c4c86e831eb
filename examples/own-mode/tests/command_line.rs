//! The mode through the whole command line: check, backtest, sweep, stress, and what it refuses.
#![expect(clippy::unwrap_used, reason = "helpers of a test")]

use std::process::{Command, Output};

use serde_json::Value as Json;

fn own_mode(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_own-mode"));
    command.args(arguments.split_whitespace());
    command.env_clear().output().unwrap()
}

fn json(arguments: &str) -> Json {
    let output = own_mode(arguments);
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {problems}");
    serde_json::from_slice(&output.stdout).unwrap()
}

const SPAN: &str = "--from 2024-05-01 --to 2024-05-05";

#[test]
fn check_lists_it_behind_the_built_in_modes() {
    let all = json("check --json");
    let modes: Vec<_> = all.as_array().unwrap().iter().collect();
    assert_eq!(modes.len(), 8);
    assert_eq!(modes[7]["mode"], "fixed_weight");
    assert_eq!(modes[7]["ok"], true);
}

#[test]
fn a_backtest_buys_its_weight_and_every_figure_adds_up() {
    let summary = json(&format!("backtest fixed_weight {SPAN} --json"));
    assert_eq!(summary["mode"], "fixed_weight");
    assert_eq!(summary["counts"]["fills"], 1, "{summary:#}");
    let bucket = |name: &str| &summary["attribution"][name];
    assert_ne!(*bucket("price"), "0", "{summary:#}");
    assert_eq!(*bucket("funding"), "0");
    assert_eq!(*bucket("residual"), "0");
}

#[test]
fn its_own_keys_are_swept_and_its_names_stressed() {
    let swept = json(&format!(
        "sweep fixed_weight {SPAN} --param weight=0.25,0.75 --json"
    ));
    assert_eq!(swept["variants"].as_array().unwrap().len(), 2);
    assert_eq!(swept["failed"], 0);
    let [a, b] = [0, 1].map(|at| &swept["variants"][at]);
    assert_ne!(a["return"], b["return"]);
    let stressed = json(&format!("stress fixed_weight {SPAN} --json"));
    assert_eq!(stressed["modes"][0]["mode"], "fixed_weight");
}

#[test]
fn its_own_keys_are_checked_with_their_place() {
    for (set, expected) in [
        ("weight=1.5", "weight"),
        ("wieght=0.5", "did you mean `weight`?"),
        ("exchange=okx", "okx"),
        ("hedge_leverage=2", "hedge_leverage"),
    ] {
        let output = own_mode(&format!("check fixed_weight --set {set}"));
        let problems = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{set}: {problems}");
        assert!(problems.contains(expected), "{set}: {problems}");
    }
}

#[test]
fn a_journal_goes_on_where_a_key_that_may_change_has_changed() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-mode-journal");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    let run = format!(
        "backtest fixed_weight --from 2024-05-01 --journal {} --json",
        folder.join("book.sqlite").display()
    );
    json(&format!("{run} --to 2024-05-02"));
    let on = format!("{run} --to 2024-05-03 --resume");
    let other = "--set exchange=binance --set venue_settings.binance.slippage=none";
    let refused = own_mode(&format!("{on} {other}"));
    let problems = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{problems}");
    assert!(problems.contains("exchange"), "{problems}");
    let summary = json(&format!("{on} --set weight=0.25"));
    // Bought to a half on the first day, sold to a quarter on the third.
    assert_eq!(summary["counts"]["fills"], 2, "{summary:#}");
}
