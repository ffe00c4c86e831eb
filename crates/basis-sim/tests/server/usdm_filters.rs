//! Every USD-M filter and parameter error with its code.

use basis_core::types::Side;
use basis_sim::server::binance::Product;

use crate::kit::{BTCUSDT, Venue};

const ORDER: &str = "/fapi/v1/order";

#[test]
fn each_filter_has_its_code() {
    let mut venue = Venue::quoted();
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
    for (terms, code) in [
        ("quantity=0.0001&price=36000", -1111),
        ("quantity=0.1&price=36000.001", -1111),
        ("quantity=0.1&price=36000.05", -4014),
        ("quantity=0.1&price=0", -4001),
        ("quantity=0.1&price=0.01", -4013),
        ("quantity=0.1&price=4529764.1", -4002),
        ("quantity=0&price=36000", -4003),
        ("quantity=1000.001&price=36000", -4005),
        ("quantity=0.002&price=36000", -4164),
        ("quantity=0.1&price=38850.1", -4016),
    ] {
        let refused = venue.refused("POST", ORDER, &format!("{limit}&{terms}"));
        assert_eq!(refused, (400, code), "{terms}");
    }
    let sell = limit.replace("BUY", "SELL");
    let refused = venue.refused("POST", ORDER, &format!("{sell}&quantity=0.1&price=35149.9"));
    assert_eq!(refused, (400, -4024));
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET";
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{market}&quantity=120.001")),
        (400, -4005)
    );
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{market}&quantity=0.002")),
        (400, -4164)
    );
    let text = venue
        .call("POST", ORDER, &format!("{market}&quantity=0.002"))
        .1["msg"]
        .to_string();
    assert!(text.contains("100"), "the bound is named: {text}");
    let now = venue.now;
    venue
        .server
        .at(now, |exchange| exchange.unrest_all(Product::UsdM, BTCUSDT))
        .unwrap();
    venue.rest(Product::UsdM, Side::Sell, "38851", "1");
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{market}&quantity=0.1")),
        (400, -4131)
    );
    venue
        .server
        .at(now, |exchange| {
            exchange.set_trading(Product::UsdM, BTCUSDT, false)
        })
        .unwrap();
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{market}&quantity=0.1")),
        (400, -4140)
    );
}

#[test]
fn lots_and_minimums_that_precision_does_not_catch_have_codes_of_their_own() {
    let mut settings = crate::kit::settings();
    for listing in &mut settings.listings {
        listing.rules.lot_size = crate::kit::q("0.005");
        listing.rules.min_quantity = crate::kit::q("0.02");
        listing.orders_max = 1;
    }
    let mut venue = Venue::with(settings, crate::kit::funded());
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=36000";
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{limit}&quantity=0.021")),
        (400, -4023)
    );
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{limit}&quantity=0.015")),
        (400, -4004)
    );
    venue.ok("POST", ORDER, &format!("{limit}&quantity=0.02"));
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{limit}&quantity=0.02")),
        (400, -2025)
    );
}

#[test]
fn a_small_order_passes_when_it_only_reduces() {
    let mut venue = Venue::quoted();
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1",
    );
    let small = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.001";
    assert_eq!(venue.refused("POST", ORDER, small), (400, -4164));
    venue.ok("POST", ORDER, &format!("{small}&reduceOnly=true"));
}

#[test]
fn each_parameter_error_has_its_code() {
    let mut venue = Venue::quoted();
    let long = "x".repeat(37);
    for (params, code) in [
        ("side=BUY&type=MARKET&quantity=1".to_owned(), -1102),
        (
            "symbol=NOSUCH&side=BUY&type=MARKET&quantity=1".to_owned(),
            -1121,
        ),
        (
            "symbol=BTCUSDT&side=X&type=MARKET&quantity=1".to_owned(),
            -1117,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=X&quantity=1".to_owned(),
            -1116,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=STOP_MARKET&quantity=1&stopPrice=1".to_owned(),
            -4120,
        ),
        ("symbol=BTCUSDT&side=BUY&type=MARKET".to_owned(), -1102),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&price=1".to_owned(),
            -1106,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=36000".to_owned(),
            -1102,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&timeInForce=GTC".to_owned(),
            -1102,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=36000&timeInForce=X".to_owned(),
            -1115,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&positionSide=X".to_owned(),
            -4060,
        ),
        (
            format!("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&newClientOrderId={long}"),
            -4015,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&newClientOrderId=a%20b".to_owned(),
            -1100,
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&newOrderRespType=FULL".to_owned(),
            -1130,
        ),
    ] {
        assert_eq!(
            venue.refused("POST", ORDER, &params),
            (400, code),
            "{params}"
        );
    }
    assert!(venue.server.exchange().orders(venue.account).is_empty());
}
