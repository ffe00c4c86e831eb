//! Every spot filter and parameter error with its code and text.

use basis_sim::server::binance::Product;

use crate::kit::{BTCUSDT, Venue};

const ORDER: &str = "/api/v3/order";

fn refusal(venue: &mut Venue, params: &str) -> (i64, String) {
    let (status, body) = venue.call("POST", ORDER, params);
    assert_eq!(status, 400, "{params}: {body}");
    let msg = body["msg"].as_str().unwrap().to_owned();
    (body["code"].as_i64().unwrap(), msg)
}

#[test]
fn each_filter_has_its_code_and_name() {
    let mut venue = Venue::quoted();
    venue.trade(Product::Spot, basis_core::types::Side::Buy, "1");
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
    for (terms, filter) in [
        ("quantity=0.1&price=36000.001", "PRICE_FILTER"),
        ("quantity=0.1&price=1000000.01", "PRICE_FILTER"),
        ("quantity=0.000105&price=36000", "LOT_SIZE"),
        ("quantity=0.00005&price=36000", "LOT_SIZE"),
        ("quantity=9000.1&price=36000", "LOT_SIZE"),
        ("quantity=0.0001&price=36000", "NOTIONAL"),
        ("quantity=300&price=36000", "NOTIONAL"),
        ("quantity=0.1&price=185050.01", "PERCENT_PRICE_BY_SIDE"),
        ("quantity=0.1&price=7401.99", "PERCENT_PRICE_BY_SIDE"),
    ] {
        let (code, msg) = refusal(&mut venue, &format!("{limit}&{terms}"));
        assert_eq!(
            (code, msg),
            (-1013, format!("Filter failure: {filter}")),
            "{terms}"
        );
    }
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET";
    for (terms, filter) in [
        ("quantity=90.1", "MARKET_LOT_SIZE"),
        ("quantity=9000.1", "LOT_SIZE"),
        ("quantity=0.0001", "NOTIONAL"),
        ("quoteOrderQty=4.99", "NOTIONAL"),
    ] {
        let (code, msg) = refusal(&mut venue, &format!("{market}&{terms}"));
        assert_eq!(
            (code, msg),
            (-1013, format!("Filter failure: {filter}")),
            "{terms}"
        );
    }
    let now = venue.now;
    venue
        .server
        .at(now, |exchange| {
            exchange.set_trading(Product::Spot, BTCUSDT, false)
        })
        .unwrap();
    let (code, msg) = refusal(&mut venue, &format!("{market}&quantity=1"));
    assert_eq!((code, msg.as_str()), (-2010, "Market is closed."));
}

#[test]
fn too_many_open_orders_fail_their_filter() {
    let mut settings = crate::kit::settings();
    for listing in &mut settings.listings {
        listing.orders_max = 2;
    }
    let mut venue = Venue::with(settings, crate::kit::funded());
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=36000";
    venue.ok("POST", ORDER, terms);
    venue.ok("POST", ORDER, terms);
    let (code, msg) = refusal(&mut venue, terms);
    assert_eq!(
        (code, msg.as_str()),
        (-1013, "Filter failure: MAX_NUM_ORDERS")
    );
}

/// Parameters and the code that they are refused with.
const PARAMETER_ERRORS: &[(&str, i64)] = &[
    ("side=BUY&type=MARKET&quantity=1", -1102),
    ("symbol=NOSUCH&side=BUY&type=MARKET&quantity=1", -1121),
    ("symbol=BTCUSDT&type=MARKET&quantity=1", -1102),
    ("symbol=BTCUSDT&side=HOLD&type=MARKET&quantity=1", -1117),
    ("symbol=BTCUSDT&side=BUY&type=LATER&quantity=1", -1116),
    (
        "symbol=BTCUSDT&side=BUY&type=STOP_LOSS&quantity=1&stopPrice=1",
        -1020,
    ),
    ("symbol=BTCUSDT&side=BUY&type=MARKET", -1102),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&price=1",
        -1106,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timeInForce=GTC",
        -1106,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&quoteOrderQty=5",
        -1128,
    ),
    ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1e-3", -1100),
    ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=-1", -1100),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.000000001",
        -1111,
    ),
    ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0", -1013),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=36000",
        -1102,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=36000&timeInForce=GTX",
        -1115,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1&price=36000&timeInForce=GTC",
        -1106,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=a.b",
        -1100,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=1234567890123456789012345678901234567",
        -1100,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newOrderRespType=ALL",
        -1134,
    ),
    (
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&selfTradePreventionMode=X",
        -1135,
    ),
    (
        "symbol=BTCUSDT&symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1",
        -1101,
    ),
];

#[test]
fn each_parameter_error_has_its_code() {
    let mut venue = Venue::quoted();
    for &(params, code) in PARAMETER_ERRORS {
        assert_eq!(refusal(&mut venue, params).0, code, "{params}");
    }
    assert!(venue.server.exchange().orders(venue.account).is_empty());
    assert_eq!(
        venue.ok(
            "POST",
            "/api/v3/order/test",
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1"
        ),
        serde_json::json!({})
    );
    assert!(venue.server.exchange().orders(venue.account).is_empty());
}
