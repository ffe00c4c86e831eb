//! Layers, problems and dates of the configuration.

use serde_json::Value as Json;

use crate::runner::Scratch;

fn days(extra: &str) -> String {
    format!("backtest btc_basis --from 2024-01-01 --to 2024-01-02 --json {extra}")
}

#[test]
fn unknown_modes_venues_and_keys_name_the_nearest() {
    let dir = Scratch::new();
    let mode = dir.basis("backtest btc_bassis");
    mode.fails(
        2,
        &["error[CFG-003]", "did you mean `btc_basis`?", "help: "],
    );
    assert_eq!(mode.out, "");
    dir.basis("backtest btc_basis --set spot_venue=binanse")
        .fails(
            2,
            &[
                "error[CFG-001]",
                "--set: spot_venue: unknown venue `binanse`; did you mean `binance`?",
            ],
        );
    dir.basis("backtest btc_basis --set hedge_leverag=2").fails(
        2,
        &["--set: hedge_leverag: unknown key; did you mean `hedge_leverage`?"],
    );
    dir.basis("backtest btc_basis --set data.gap=hold")
        .fails(2, &["data.gap: unknown key; did you mean `gaps`?"]);
    dir.basis("backtest btc_basis --set data.gaps=hodl")
        .fails(2, &["did you mean `hold`?"]);
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let dir = Scratch::new();
    dir.write(
        "my.yaml",
        "reserve_ratio: 2\nhedge_leverage: 100\nrisk:\n  distance_warn: much\n\
         component_config:\n  execution_interface_factory:\n    timeout: 301\n    max_retries: 0\n\
         deposits:\n  - { at: 2024-01-02, amount: -5 }\n",
    );
    dir.basis("check btc_basis --config my.yaml").fails(
        2,
        &[
            "error[CFG-001]",
            "has 7 problems",
            "my.yaml:1: reserve_ratio: 2 is outside 0 to 0.9",
            "my.yaml:2: hedge_leverage: 100 is outside 0.05 to 20",
            "my.yaml:4: risk.distance_warn: `much`",
            "my.yaml:7: component_config.execution_interface_factory.timeout: 301 is outside 1 to 300",
            "my.yaml:8: component_config.execution_interface_factory.max_retries: 0 is outside 1 to 10",
            "my.yaml:10: deposits[0].at: ",
            "my.yaml:10: deposits[0].amount: -5 is not above zero",
        ],
    );
}

#[test]
fn files_that_cannot_be_read_say_where() {
    let dir = Scratch::new();
    dir.basis("backtest btc_basis --config nowhere.yaml")
        .fails(2, &["error[CFG-002]", "nowhere.yaml"]);
    dir.write("broken.yaml", "a: 1\nb: [\nc: 2\n");
    dir.basis("backtest btc_basis --config broken.yaml")
        .fails(2, &["error[CFG-002]", "broken.yaml:", "no valid YAML"]);
    dir.write("twice.yaml", "reserve_ratio: 0.1\nreserve_ratio: 0.2\n");
    dir.basis("backtest btc_basis --config twice.yaml").fails(
        2,
        &[
            "error[CFG-002]",
            "twice.yaml:2: reserve_ratio: this key stands twice",
        ],
    );
    dir.write("list.yaml", "- reserve_ratio\n");
    dir.basis("backtest btc_basis --config list.yaml").fails(
        2,
        &[
            "error[CFG-001]",
            "list.yaml:1: (the file): expected keys with values",
        ],
    );
    dir.write("empty.yaml", "# nothing\n");
    assert_eq!(dir.basis("check btc_basis --config empty.yaml").code, 0);
    dir.write("other.yaml", "mode: eth_basis\n");
    dir.basis("backtest btc_basis --config other.yaml").fails(
        2,
        &["other.yaml:1: mode: this configuration is not for the mode `btc_basis`"],
    );
}

#[test]
fn dates_are_checked() {
    let dir = Scratch::new();
    dir.basis("backtest btc_basis --from 2024-02-01 --to 2024-01-01")
        .fails(2, &["error[CFG-004]", "not after its start"]);
    dir.basis("backtest btc_basis --from tomorrow")
        .fails(2, &["error[CFG-004]", "--from: `tomorrow` is no date"]);
    dir.basis("backtest btc_basis --from 2019-01-01 --to 2019-02-01")
        .fails(
            2,
            &[
                "error[CFG-004]",
                "outside the data, which covers 2024-01-01",
            ],
        );
}

#[test]
fn date_ends_hold_their_whole_day() {
    let dir = Scratch::new();
    let summary = dir.basis(&days("")).json();
    assert_eq!(summary["from"], "2024-01-01T00:00:00Z");
    assert_eq!(summary["to"], "2024-01-03T00:00:00Z");
    assert_eq!(summary["counts"]["steps"], 48);
}

/// The reserve, as the resolved configuration of a run has it.
fn resolved(dir: &Scratch, arguments: &str, environment: &[(&str, &str)]) -> String {
    std::fs::remove_dir_all(dir.path().join("out")).ok();
    let line = days(arguments) + " --out out";
    let outcome = dir.run(&line.split_whitespace().collect::<Vec<_>>(), environment);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    std::fs::read_to_string(dir.path().join("out/config.yaml")).unwrap()
}

#[test]
fn layers_rank_embedded_file_set_flag() {
    let dir = Scratch::new();
    dir.write(
        "my.yaml",
        "reserve_ratio: 0.10\ninitial_capital: 20000\ndust_threshold: 11\n",
    );
    let embedded = resolved(&dir, "", &[]);
    assert!(
        embedded.contains("\nreserve_ratio: 0.05\n")
            && embedded.contains("\ninitial_capital: 100000\n")
    );
    let file = resolved(&dir, "--config my.yaml", &[]);
    assert!(
        file.contains("\nreserve_ratio: 0.10\n") && file.contains("\ninitial_capital: 20000\n")
    );
    let line = "--config my.yaml --set reserve_ratio=0.2 --set reserve_ratio=0.15 \
                --set initial_capital=30000 --capital 40000";
    let all = resolved(&dir, line, &[]);
    assert!(
        all.contains("\nreserve_ratio: 0.15\n"),
        "the last --set wins"
    );
    assert!(
        all.contains("\ninitial_capital: 40000\n"),
        "a flag of its own wins"
    );
    assert!(all.contains("\ndust_threshold: 11\n"));
}

#[test]
fn the_environment_stands_between_file_and_set() {
    let dir = Scratch::new();
    dir.write("my.yaml", "execution_mode: backtest\n");
    let live = [("BASIS_EXECUTION_MODE", "live")];
    let check = |arguments: &[&str]| dir.run(&[&["check", "btc_basis"], arguments].concat(), &live);
    check(&["--config", "my.yaml"]).fails(2, &["EIF-003"]);
    assert_eq!(
        check(&["--config", "my.yaml", "--set", "execution_mode=backtest"]).code,
        0
    );
    dir.run(
        &["check", "btc_basis"],
        &[("BASIS_EXECUTION_MODE", "paper")],
    )
    .fails(
        2,
        &["environment BASIS_EXECUTION_MODE: execution_mode: `paper`"],
    );
    dir.run(
        &["check", "btc_basis"],
        &[("EXECUTION_INTERFACE_FACTORY_TIMEOUT", "0")],
    )
    .fails(
        2,
        &["EXECUTION_INTERFACE_FACTORY_TIMEOUT", "outside 1 to 300"],
    );
    dir.run(&["check", "btc_basis"], &[("BASIS_LOG_LEVEL", "LOUD")])
        .fails(2, &["environment BASIS_LOG_LEVEL: log_level: `LOUD`"]);
    dir.run(&["venues"], &[("BASIS_LOG_LEVEL", "LOUD")]).fails(
        2,
        &["environment BASIS_LOG_LEVEL: `LOUD` is none of DEBUG, INFO, WARNING, ERROR"],
    );
}

#[test]
fn the_env_file_is_honoured_below_the_real_environment() {
    let dir = Scratch::new();
    dir.write(".env", "BASIS_DATA_DIR=/nowhere/from-file\n");
    dir.basis("backtest btc_basis --json")
        .fails(2, &["DATA-005", "/nowhere/from-file"]);
    dir.run(
        &["backtest", "btc_basis", "--json"],
        &[("BASIS_DATA_DIR", "/nowhere/real")],
    )
    .fails(2, &["DATA-005", "/nowhere/real"]);
    dir.run(
        &["backtest", "btc_basis", "--json", "--data", "/nowhere/flag"],
        &[("BASIS_DATA_DIR", "/nowhere/real")],
    )
    .fails(2, &["/nowhere/flag"]);
}

#[test]
fn unknown_variables_are_warned_of() {
    let dir = Scratch::new();
    let outcome = dir.run(&["venues"], &[("BASIS_DATA_DRI", "x"), ("HOME", "/")]);
    assert_eq!(outcome.code, 0);
    assert_eq!(
        outcome.err,
        "warning: environment: BASIS_DATA_DRI is not known and is ignored; did you mean BASIS_DATA_DIR?\n"
    );
    let quiet = dir.run(&["venues", "--quiet"], &[("BASIS_DATA_DRI", "x")]);
    assert_eq!(quiet.err, "");
}

#[test]
fn a_resolved_configuration_runs_the_same_again() {
    let dir = Scratch::new();
    let first = resolved(&dir, "--set hedge_leverage=2 --set data.gaps=hold", &[]);
    dir.write("again.yaml", &first);
    let again = resolved(&dir, "--config again.yaml", &[]);
    assert_eq!(again, first);
    let own: Json = dir
        .basis("backtest btc_basis --config again.yaml --json")
        .json();
    assert_eq!(own["from"], "2024-01-01T00:00:00Z", "its dates are in it");
}

#[test]
fn rules_can_be_replaced_per_venue() {
    let dir = Scratch::new();
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/venues/okx.yaml");
    let text = std::fs::read_to_string(rules).unwrap();
    dir.write(
        "rules/okx.yaml",
        &text.replace("taker_bps: 5 }", "taker_bps: 500 }"),
    );
    dir.write("my.yaml", "rules:\n  - rules/okx.yaml\n");
    let fees = |arguments: &str| {
        let summary = dir.basis(&days(arguments)).json();
        summary["costs"]["fees"]
            .as_str()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    let (builtin, file) = (fees(""), fees("--config my.yaml"));
    assert!(file > builtin + 100.0, "{builtin} {file}");
    assert_eq!(
        fees("--set rules.okx=rules/okx.yaml").to_bits(),
        file.to_bits()
    );
    dir.basis("check btc_basis --set rules.bybit=rules/okx.yaml")
        .fails(2, &["these are the rules of okx, not of bybit"]);
    dir.basis("check btc_basis --set rules.kraken=rules/okx.yaml")
        .fails(2, &["rules.kraken: is no venue of this run"]);
}

#[test]
fn slips_of_set_are_usage_errors() {
    let dir = Scratch::new();
    dir.basis("check --set hedge_leverage")
        .fails(2, &["error[CFG-005]", "there is no `=`"]);
    dir.basis("check --set .a=1")
        .fails(2, &["error[CFG-005]", "empty part"]);
}
