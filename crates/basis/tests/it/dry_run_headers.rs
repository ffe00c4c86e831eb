//! `basis instruct --mode live --dry-run` of Bybit and OKX, which sign in headers and act in JSON bodies.

use serde_json::Value;

use crate::runner::{Outcome, Scratch};

const LIMIT: &str = r#"{"id":7,"perp_trade":{"symbol":"BTCUSDT","side":"sell","quantity":"0.0159",
    "order_type":"limit","limit_price":"38000.04","time_in_force":"post_only"}}"#;
const MARKET: &str =
    r#"{"spot_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.01","order_type":"market"}}"#;
const RESTING: &str = r#"{"id":7,"perp_trade":{"symbol":"BTCUSDT","side":"buy","quantity":"0.02",
    "order_type":"limit","limit_price":"36000"}}"#;
const ID: &str = "00000000000000000000000000007";

/// Keys that must never be seen, under every name they may have.
const KEYS: [(&str, &str); 5] = [
    ("BASIS_DEV__CEX__BYBIT_API_KEY", "thekeysname"),
    ("BASIS_DEV__CEX__BYBIT_SECRET", "thesecretitself"),
    ("BASIS_DEV__CEX__OKX_API_KEY", "thekeysname"),
    ("BASIS_DEV__CEX__OKX_SECRET", "thesecretitself"),
    ("BASIS_DEV__CEX__OKX_PASSPHRASE", "thepassphrase"),
];

fn dry_run(venue: &str, more: &[&str], instruction: &str, environment: &[(&str, &str)]) -> Outcome {
    let dir = Scratch::new();
    let first = ["instruct", "--venue", venue, "--mode", "live", "--dry-run"];
    let at = ["--at", "2024-06-01T00:00:00Z"];
    let environment: Vec<_> = KEYS.iter().chain(environment).copied().collect();
    let arguments = [&first[..], &at, more, &[instruction]].concat();
    let outcome = dir.run(&arguments, &environment);
    for secret in ["thekeysname", "thesecretitself", "thepassphrase"] {
        let shown = outcome.out.contains(secret) || outcome.err.contains(secret);
        assert!(!shown, "{outcome:?}");
    }
    outcome
}

fn body(request: &Value) -> Value {
    serde_json::from_str(request["body"].as_str().unwrap()).unwrap()
}

#[test]
fn an_order_at_bybit_is_shown_as_it_would_leave() {
    let result = dry_run("bybit", &[], LIMIT, &[]).json();
    assert_eq!(
        (&result["sent"], &result["dry_run"]),
        (&false.into(), &true.into())
    );
    assert_eq!(result["client_order_id"], ID);
    let request = &result["requests"][0];
    assert_eq!(request["method"], "POST");
    assert_eq!(request["url"], "https://api-demo.bybit.com/v5/order/create");
    let wanted = format!(
        r#"{{"category":"linear","symbol":"BTCUSDT","side":"Sell","orderType":"Limit","qty":"0.015","price":"38000.1","timeInForce":"PostOnly","orderLinkId":"{ID}"}}"#
    );
    assert_eq!(request["body"], wanted.as_str());
    let headers = &request["headers"];
    assert_eq!(headers["X-BAPI-API-KEY"], "MASKED");
    assert_eq!(headers["X-BAPI-SIGN"], "MASKED");
    assert_eq!(headers["X-BAPI-TIMESTAMP"], "1717200000000");
    assert_eq!(headers["X-BAPI-RECV-WINDOW"], "3000");
    let live = dry_run("bybit", &[], LIMIT, &[("BASIS_ENVIRONMENT", "prod")]).json();
    let url = live["requests"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("https://api.bybit.com/"), "{url}");
}

#[test]
fn an_order_at_okx_is_in_contracts_and_has_a_deadline() {
    let result = dry_run("okx", &[], LIMIT, &[]).json();
    let request = &result["requests"][0];
    assert_eq!(request["url"], "https://openapi.okx.com/api/v5/trade/order");
    // A tenth of a contract of 0.01 BTC is the smallest step.
    let wanted = format!(
        r#"{{"instId":"BTC-USDT-SWAP","tdMode":"cross","side":"sell","ordType":"post_only","sz":"1.5","px":"38000.1","clOrdId":"{ID}"}}"#
    );
    assert_eq!(request["body"], wanted.as_str());
    let headers = &request["headers"];
    for masked in ["OK-ACCESS-KEY", "OK-ACCESS-SIGN", "OK-ACCESS-PASSPHRASE"] {
        assert_eq!(headers[masked], "MASKED", "{masked}");
    }
    assert_eq!(headers["OK-ACCESS-TIMESTAMP"], "2024-06-01T00:00:00.000Z");
    assert_eq!(headers["expTime"], "1717200003000");
    assert_eq!(headers["x-simulated-trading"], "1");
    let live = dry_run("okx", &[], LIMIT, &[("BASIS_ENVIRONMENT", "prod")]).json();
    let headers = &live["requests"][0]["headers"];
    assert!(headers["x-simulated-trading"].is_null(), "{headers}");
}

#[test]
fn market_orders_leave_as_limits_at_the_collar() {
    for (venue, kind, price) in [("bybit", "orderType", "price"), ("okx", "ordType", "px")] {
        let given = dry_run(venue, &["--price", "40000"], MARKET, &[]).json();
        assert_eq!(given["reference"]["source"], "--price");
        let body = body(&given["requests"][0]);
        let word = if venue == "okx" { "ioc" } else { "Limit" };
        assert_eq!((&body[kind], &body[price]), (&word.into(), &"40200".into()));
    }
}

#[test]
fn what_changes_an_order_names_it_by_our_id() {
    let cancel = r#"{"cancel_order":{"symbol":"BTCUSDT","order":7}}"#;
    let amend = r#"{"id":8,"amend_order":{"symbol":"BTCUSDT","order":7,"limit_price":"36100"}}"#;
    for (venue, id, price) in [
        ("bybit", "orderLinkId", "price"),
        ("okx", "clOrdId", "newPx"),
    ] {
        dry_run(venue, &[], cancel, &[]).fails(2, &["CFG-005", "--order JSON"]);
        let shown = dry_run(venue, &["--order", RESTING], cancel, &[]).json();
        assert_eq!(body(&shown["requests"][0])[id], ID);
        let shown = dry_run(venue, &["--order", RESTING], amend, &[]).json();
        let body = body(&shown["requests"][0]);
        assert_eq!((&body[id], &body[price]), (&ID.into(), &"36100".into()));
    }
}

#[test]
fn leverage_is_two_requests_at_bybit_and_isolated_is_refused_at_okx() {
    let change = r#"{"set_leverage":{"symbol":"ETHUSDT","leverage":"3","margin_mode":"isolated"}}"#;
    let shown = dry_run("bybit", &[], change, &[]).json();
    let requests = shown["requests"].as_array().unwrap();
    let mode = r#"{"setMarginMode":"ISOLATED_MARGIN"}"#;
    assert_eq!((requests.len(), &requests[0]["body"]), (2, &mode.into()));
    dry_run("okx", &[], change, &[]).fails(2, &["EXI-", "use cross"]);
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_reason() {
    let small = LIMIT.replace("0.0159", "0.0009");
    dry_run("bybit", &[], &small, &[]).fails(2, &["EXI-001", "0.0009 BTC", "qtyStep", "0.001"]);
    dry_run("okx", &[], &small, &[]).fails(2, &["EXI-001", "0.0009 BTC", "lotSz", "0.001"]);
    let transfer = r#"{"transfer":{"asset":"USDT","amount":"25","from":{"venue":"bybit","name":"funding"},
        "to":{"venue":"bybit","name":"unified"}}}"#;
    dry_run("bybit", &[], transfer, &[]).fails(2, &["EXI-006", "no transfers"]);
    let shown = dry_run("bybit", &[], transfer, &[("BASIS_ENVIRONMENT", "prod")]).json();
    let body = body(&shown["requests"][0]);
    assert_eq!(
        (&body["fromAccountType"], &body["toAccountType"]),
        (&"FUND".into(), &"UNIFIED".into())
    );
    let transfer = transfer
        .replace("bybit", "okx")
        .replace("unified", "trading");
    let shown = dry_run("okx", &[], &transfer, &[]).json();
    let url = shown["requests"][0]["url"].as_str().unwrap();
    assert!(url.ends_with("/api/v5/asset/transfer"), "{url}");
}
