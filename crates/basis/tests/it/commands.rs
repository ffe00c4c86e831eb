//! Commands beside `backtest`, help texts, and the form of errors.

use serde_json::Value as Json;

use crate::runner::Scratch;

#[test]
fn venues_have_the_documented_shape() {
    let list = Scratch::new().basis("venues --json").json();
    let list = list.as_array().unwrap();
    assert!(list.len() >= 3);
    for venue in list {
        for key in ["venue", "venue_type", "class_name", "description"] {
            assert!(venue[key].is_string(), "{key}: {venue}");
        }
        for key in ["dependencies", "modes", "capabilities"] {
            assert!(venue[key].is_array(), "{key}: {venue}");
        }
    }
    let binance = list
        .iter()
        .find(|venue| venue["venue"] == "binance")
        .unwrap();
    assert_eq!(binance["class_name"], "BinanceExecutionInterface");
    assert_eq!(binance["venue_type"], "CEX");
    assert!(
        !list.iter().any(|venue| venue["venue"] == "wallet"),
        "internal"
    );
}

#[test]
fn explain_knows_every_code() {
    let dir = Scratch::new();
    let all = dir.basis("explain --json").json();
    assert!(all.as_array().unwrap().len() > 20);
    let one = dir.basis("explain eif-003 --json").json();
    assert_eq!(one["severity"], "CRITICAL");
    let text = dir.basis("explain DATA-003");
    assert!(text.out.contains("data.gaps=hold"), "{}", text.out);
    dir.basis("explain EIF-03")
        .fails(2, &["error[CFG-005]", "did you mean EIF-003?"]);
}

#[test]
fn check_says_what_would_start() {
    let dir = Scratch::new();
    let all = dir.basis("check --json").json();
    assert_eq!(all[0]["mode"], "btc_basis");
    assert_eq!(all[0]["ok"], true);
    assert_eq!(
        all[0]["venues"].as_array().unwrap().len(),
        4,
        "three and the wallet"
    );
    assert_eq!(all[0]["config_hash"].as_str().unwrap().len(), 64);
    let text = dir.basis("check btc_basis");
    assert_eq!(text.code, 0);
    assert!(text.out.contains("btc_basis (backtest): ok"));
}

#[test]
fn venue_settings_fail_their_venue_and_lenient_validation_warns() {
    let dir = Scratch::new();
    dir.basis("check btc_basis --set venue_settings.okx.slipage=none")
        .fails(
            2,
            &[
                "error[EIF-002]",
                "--set: venue_settings.okx.slipage: unknown key; did you mean `slippage`?",
            ],
        );
    let factory = "component_config.execution_interface_factory";
    let lenient = dir.basis(&format!(
        "check btc_basis --set venue_settings.okx.slipage=none --set {factory}.validation_strict=false"
    ));
    assert_eq!(lenient.code, 0, "{lenient:?}");
    assert!(
        lenient
            .err
            .contains("warning: --set: venue_settings.okx.slipage: unknown key"),
        "{}",
        lenient.err
    );
    // The specification's example names venues that are not built in: nobody trades there.
    let unneeded =
        dir.basis("backtest btc_basis --json --to 2024-01-02 --set venue_settings.kraken={}");
    assert_eq!(unneeded.code, 0, "{unneeded:?}");
    assert!(unneeded.err.contains("EIF-002") && unneeded.err.contains("does not need this venue"));
    dir.basis("check btc_basis --set venue_settings.kraken={} --set spot_venue=kraken")
        .fails(2, &["EIF-002", "unknown venue `kraken`"]);
}

const CREDENTIALS: [(&str, &str); 9] = [
    ("BASIS_DEV__CEX__BINANCE_SPOT_API_KEY", "abcdefgh1"),
    ("BASIS_DEV__CEX__BINANCE_SPOT_SECRET", "abcdefgh2"),
    ("BASIS_DEV__CEX__BINANCE_FUTURES_API_KEY", "abcdefgh3"),
    ("BASIS_DEV__CEX__BINANCE_FUTURES_SECRET", "abcdefgh4"),
    ("BASIS_DEV__CEX__BYBIT_API_KEY", "abcdefgh5"),
    ("BASIS_DEV__CEX__BYBIT_SECRET", "abcdefgh6"),
    ("BASIS_DEV__CEX__OKX_API_KEY", "abcdefgh7"),
    ("BASIS_DEV__CEX__OKX_SECRET", "abcdefgh8"),
    ("BASIS_DEV__CEX__OKX_PASSPHRASE", "abcdefgh9"),
];

#[test]
fn live_credentials_are_routed_and_checked() {
    let dir = Scratch::new();
    let live = ["check", "btc_basis", "--mode", "live"];
    dir.run(&live, &[]).fails(
        2,
        &[
            "error[EIF-003] (missing)",
            "BASIS_DEV__CEX__OKX_PASSPHRASE",
            "BASIS_DEV__CEX__BINANCE_FUTURES_SECRET",
        ],
    );
    dir.run(&live, &[("BASIS_ENVIRONMENT", "prod")])
        .fails(2, &["EIF-003", "BASIS_PROD__CEX__BYBIT_SECRET"]);
    let mut placeholder = CREDENTIALS;
    placeholder[5].1 = "your_secret_here";
    let outcome = dir.run(&live, &placeholder);
    outcome.fails(
        2,
        &[
            "error[EIF-003] (placeholder)",
            "empty or a placeholder: BASIS_DEV__CEX__BYBIT_SECRET",
        ],
    );
    assert!(!outcome.err.contains("abcdefgh") && !outcome.err.contains("your_secret_here"));
    dir.run(&live, &CREDENTIALS).fails(
        2,
        &["error[EIF-001]", "live trading is not part of this version"],
    );
    dir.run(&live, &[("BASIS_ENVIRONMENT", "production")])
        .fails(2, &["CFG-001", "use dev, staging or prod"]);
}

#[test]
fn backtests_need_no_credentials_and_say_when_live_is_ignored() {
    let dir = Scratch::new();
    let outcome = dir.run(
        &["backtest", "btc_basis", "--to", "2024-01-02", "--json"],
        &[("BASIS_EXECUTION_MODE", "live")],
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.err.contains("nothing is traded"), "{}", outcome.err);
}

#[test]
fn errors_are_json_when_asked() {
    let dir = Scratch::new();
    for (arguments, code) in [
        ("backtest btc_bassis --json", "CFG-003"),
        ("backtest --json", "CFG-005"),
        ("backtest btc_basis --json --frobnicate", "CFG-005"),
        ("data check nowhere --json", "DATA-005"),
        ("instruct --venue nowhere --json {}", "EIF-002"),
    ] {
        let outcome = dir.basis(arguments);
        assert_eq!(outcome.code, 2, "{outcome:?}");
        assert_eq!(outcome.out, "");
        let e: Json = serde_json::from_str(&outcome.err).unwrap();
        let e = &e["error"];
        assert_eq!(e["code"], code);
        for key in ["component", "severity", "message", "resolution"] {
            assert!(e[key].is_string(), "{key}: {e}");
        }
        assert!(e["causes"].is_array());
    }
}

#[test]
fn usage_errors_exit_two_and_help_is_a_result() {
    let dir = Scratch::new();
    dir.basis("").fails(2, &["Usage: basis"]);
    dir.basis("live btc_basis")
        .fails(2, &["unrecognized subcommand 'live'"]);
    dir.basis("backtest").fails(2, &["no MODE", "--config"]);
    dir.basis("sweep").fails(2, &["--param"]);
    for arguments in [
        "--help",
        "help backtest",
        "backtest --help",
        "instruct --help",
        "--version",
    ] {
        let outcome = dir.basis(arguments);
        assert_eq!(outcome.code, 0);
        assert_eq!(outcome.err, "");
        assert!(!outcome.out.is_empty());
    }
}

#[test]
fn help_names_every_command_and_option() {
    let dir = Scratch::new();
    let help = dir.basis("--help").out;
    for command in ["backtest", "venues", "check", "instruct", "data", "explain"] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command}: {help}"
        );
    }
    assert!(help.contains("75 a critical failure while running"));
    let help = dir.basis("backtest --help").out;
    for option in [
        "--data",
        "--config",
        "--set",
        "--from",
        "--to",
        "--capital",
        "--out",
        "--json",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
}

#[test]
fn data_check_lists_series_and_modes() {
    let dir = Scratch::new();
    dir.write(
        "data/spot/bybit/BTCUSDT_1h.csv",
        "timestamp,open,high,low,close,volume\n2024-01-01T00:00:00Z,1,2,1,2,5\n\
         2024-01-01T02:00:00Z,1,2,1,2,5\n",
    );
    let report = dir.basis("data check data --json").json();
    assert_eq!(report["data"]["series"][0]["series"], "spot.bybit.BTCUSDT");
    assert_eq!(report["data"]["series"][0]["missing"], 1);
    assert_eq!(report["modes"][0]["mode"], "btc_basis");
    assert!(
        !report["modes"][0]["blocked_by"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    dir.write(
        "data/funding/okx/BTCUSDT.csv",
        "timestamp,funding_rate\nyesterday,1\n",
    );
    dir.basis("data check data")
        .fails(1, &["error[DATA-002]", "funding/okx/BTCUSDT.csv"]);
}
