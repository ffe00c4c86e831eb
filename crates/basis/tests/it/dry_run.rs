//! `basis instruct --mode live --dry-run`: exact requests, nothing sent, no secret shown.

use crate::runner::{Outcome, Scratch};

const LIMIT: &str = r#"{"id":7,"perp_trade":{"symbol":"BTCUSDT","side":"sell","quantity":"0.0159",
    "order_type":"limit","limit_price":"38000.04","time_in_force":"post_only"}}"#;
const MARKET: &str =
    r#"{"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"market"}}"#;
const RESTING: &str = r#"{"id":7,"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.02",
    "order_type":"limit","limit_price":"36000"}}"#;
const TRANSFER: &str = r#"{"transfer":{"asset":"USDT","amount":"25","from":{"venue":"binance",
    "name":"spot"},"to":{"venue":"binance","name":"usdm"}}}"#;

/// Keys that must never be seen, under every name they may have.
const KEYS: [(&str, &str); 4] = [
    ("BASIS_DEV__CEX__BINANCE_SPOT_API_KEY", "thekeysname"),
    ("BASIS_DEV__CEX__BINANCE_SPOT_SECRET", "thesecretitself"),
    ("BASIS_DEV__CEX__BINANCE_FUTURES_API_KEY", "thekeysname"),
    ("BASIS_DEV__CEX__BINANCE_FUTURES_SECRET", "thesecretitself"),
];

fn dry_run(more: &[&str], instruction: &str, environment: &[(&str, &str)]) -> Outcome {
    let dir = Scratch::new();
    let first = [
        "instruct",
        "--venue",
        "binance",
        "--mode",
        "live",
        "--dry-run",
    ];
    let at = ["--at", "2024-02-01T00:00:00Z"];
    let environment: Vec<_> = KEYS.iter().chain(environment).copied().collect();
    let outcome = dir.run(
        &[&first[..], &at, more, &[instruction]].concat(),
        &environment,
    );
    for secret in ["thekeysname", "thesecretitself"] {
        assert!(
            !outcome.out.contains(secret) && !outcome.err.contains(secret),
            "{outcome:?}"
        );
    }
    outcome
}

#[test]
fn an_order_is_shown_as_it_would_leave() {
    let result = dry_run(&[], LIMIT, &[]).json();
    assert_eq!(
        (&result["sent"], &result["dry_run"]),
        (&false.into(), &true.into())
    );
    let id = "00000000000000000000000000007";
    assert_eq!(result["client_order_id"], id);
    let request = &result["requests"][0];
    let url = format!(
        "https://demo-fapi.binance.com/fapi/v1/order?symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTX\
         &quantity=0.015&price=38000.1&newClientOrderId={id}&newOrderRespType=RESULT&recvWindow=3000\
         &timestamp=1706745600000&signature=MASKED"
    );
    assert_eq!(request["url"], url.as_str());
    assert_eq!(request["method"], "POST");
    assert_eq!(request["headers"]["X-MBX-APIKEY"], "MASKED");
    assert_eq!(request["body"], "");
    // It is the same without any key.
    let dir = Scratch::new();
    let arguments = [
        "instruct",
        "--venue",
        "binance",
        "--mode",
        "live",
        "--dry-run",
    ];
    let again = dir.run(
        &[&arguments[..], &["--at", "2024-02-01", LIMIT]].concat(),
        &[],
    );
    assert_eq!(again.json(), result);
}

#[test]
fn a_market_order_says_what_its_collar_is_measured_from() {
    let given = dry_run(&["--price", "40000"], MARKET, &[]).json();
    assert_eq!(given["reference"]["price"], "40000");
    assert_eq!(given["reference"]["source"], "--price");
    let url = given["requests"][0]["url"].as_str().unwrap();
    assert!(
        url.contains("&type=LIMIT&timeInForce=IOC&quantity=0.01&price=40200&"),
        "{url}"
    );
    let synthetic = dry_run(&[], MARKET, &[]);
    assert_eq!(synthetic.json()["reference"]["source"], "synthetic market");
    assert!(synthetic.err.contains("SYNTHETIC"), "{synthetic:?}");
    dry_run(&["--price", "0"], MARKET, &[]).fails(2, &["--price", "no price above zero"]);
}

#[test]
fn what_changes_an_order_needs_the_order() {
    let cancel = r#"{"cancel_order":{"symbol":"BTCUSDT","order":7}}"#;
    dry_run(&[], cancel, &[]).fails(2, &["CFG-005", "--order JSON"]);
    let shown = dry_run(&["--order", RESTING], cancel, &[]).json();
    assert_eq!(shown["requests"][0]["method"], "DELETE");
    let amend = r#"{"id":8,"amend_order":{"symbol":"BTCUSDT","order":7,"quantity":"0.01"}}"#;
    let shown = dry_run(&["--order", RESTING], amend, &[]).json();
    let url = shown["requests"][0]["url"].as_str().unwrap();
    assert!(
        url.contains("/api/v3/order/amend/keepPriority?") && url.contains("newQty=0.01"),
        "{url}"
    );
    dry_run(&["--order", MARKET], cancel, &[]).fails(2, &["limit spot_trade or perp_trade"]);
    let other = cancel.replace('7', "9");
    dry_run(&["--order", RESTING], &other, &[]).fails(2, &["order 9", "is 7 of BTCUSDT"]);
}

#[test]
fn several_requests_are_shown_in_their_order() {
    let change = r#"{"set_leverage":{"symbol":"ETHUSDT","leverage":"3","margin_mode":"isolated"}}"#;
    let shown = dry_run(&[], change, &[]).json();
    let urls = shown["requests"].as_array().unwrap();
    let paths = urls.iter().map(|request| {
        let url = request["url"].as_str().unwrap();
        url.split(['?'])
            .next()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    });
    assert_eq!(paths.collect::<Vec<_>>(), ["marginType", "leverage"]);
}

#[test]
fn networks_that_contradict_the_environment_are_refused() {
    let set = |value: &str| format!("venue_settings.binance.{value}");
    for value in ["testnet=false", "network=mainnet", "network=live"] {
        let message = ["EIF-002", "contradicts BASIS_ENVIRONMENT=dev", "--set"];
        dry_run(&["--set", &set(value)], LIMIT, &[]).fails(2, &message);
    }
    let prod = [("BASIS_ENVIRONMENT", "prod")];
    for value in ["testnet=true", "network=demo"] {
        let message = ["EIF-002", "contradicts BASIS_ENVIRONMENT=prod"];
        dry_run(&["--set", &set(value)], LIMIT, &prod).fails(2, &message);
    }
    let shown = dry_run(&["--set", &set("testnet=false")], LIMIT, &prod).json();
    let url = shown["requests"][0]["url"].as_str().unwrap();
    assert!(
        url.starts_with("https://fapi.binance.com/fapi/v1/order?"),
        "{url}"
    );
    let message = ["EIF-002", "did you mean `network`?"];
    dry_run(&["--set", &set("nettwork=demo")], LIMIT, &[]).fails(2, &message);
    dry_run(&[], LIMIT, &[("BASIS_ENVIRONMENT", "production")])
        .fails(2, &["CFG-001", "production"]);
    // Test hosts have no wallet.
    dry_run(&[], TRANSFER, &[]).fails(2, &["EXI-006", "no /sapi"]);
    let shown = dry_run(&[], TRANSFER, &prod).json();
    let url = shown["requests"][0]["url"].as_str().unwrap();
    assert!(
        url.contains("/sapi/v1/asset/transfer?type=MAIN_UMFUTURE&asset=USDT&amount=25&"),
        "{url}"
    );
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_reason() {
    let small = LIMIT.replace("0.0159", "0.0009");
    dry_run(&[], &small, &[]).fails(2, &["EXI-001", "0.0009 BTC", "LOT_SIZE", "0.001"]);
    let dir = Scratch::new();
    let live = "instruct --venue binance --mode live";
    dir.run(
        &[&live.split(' ').collect::<Vec<_>>()[..], &[LIMIT]].concat(),
        &[],
    )
    .fails(
        2,
        if cfg!(feature = "live") {
            &["CFG-005", "--journal FILE"]
        } else {
            &[
                "EIF-001",
                "live trading is not part of this build",
                "--dry-run",
            ]
        },
    );
    let backtest = ["instruct", "--venue", "binance", "--dry-run", LIMIT];
    dir.run(&backtest, &[])
        .fails(2, &["CFG-005", "--mode live"]);
    let wallet = r#"{"supply":{"asset":"USDT","amount":"1"}}"#;
    let aave = "instruct --venue aave --mode live --dry-run";
    dir.run(
        &[&aave.split(' ').collect::<Vec<_>>()[..], &[wallet]].concat(),
        &[],
    )
    .fails(
        2,
        &["EIF-001", "aave has no live requests", "bybit and okx"],
    );
}
