//! Placing, amending, canceling: what is refused at once, what is taken, and what the engine makes of it.

use basis_core::types::Side;
use basis_sim::server::bybit::{Category, Settings};
use serde_json::json;

use super::kit::{Bybit, funded, limit, settings, with};
use crate::kit::{BTC, USDT, q};

#[test]
fn a_reply_says_that_an_order_was_taken_and_nothing_of_what_came_of_it() {
    let mut venue = Bybit::quoted();
    for category in ["spot", "linear"] {
        let fields = limit(category, "Buy", "0.01", "37010");
        let taken = venue.ok("/v5/order/create", &fields);
        assert_eq!(taken.as_object().unwrap().len(), 2, "{taken}");
        let order = venue.order(category, taken["orderId"].as_str().unwrap());
        assert_eq!(
            (order["orderStatus"].as_str(), order["cumExecQty"].as_str()),
            (Some("Filled"), Some("0.01"))
        );
        assert_eq!(order["cumExecFee"], "0", "fees stand in cumFeeDetail");
    }
    let fee = |venue: &mut Bybit, category: &str| {
        let query = format!("category={category}&symbol=BTCUSDT");
        venue.get("/v5/execution/list", &query)["list"][0].clone()
    };
    // Spot buys pay in what they receive; perpetuals in what they settle in, which is not named.
    let spot = fee(&mut venue, "spot");
    assert_eq!(
        (spot["feeCurrency"].as_str(), spot["execFee"].as_str()),
        (Some("BTC"), Some("0.00001"))
    );
    let linear = fee(&mut venue, "linear");
    assert_eq!(
        (linear["feeCurrency"].as_str(), linear["execFee"].as_str()),
        (Some(""), Some("0.203555"))
    );
}

#[test]
fn what_was_taken_shows_once_the_engine_has_it() {
    let slow = Settings {
        engine_ms: 800,
        ..settings()
    };
    let mut venue = Bybit::quoted_with(slow, funded());
    let id = venue.place(&limit("linear", "Buy", "0.01", "36000"));
    assert!(venue.order("linear", &id).is_null());
    venue.later(799);
    assert!(venue.order("linear", &id).is_null());
    venue.later(1);
    assert_eq!(venue.order("linear", &id)["orderStatus"], "New");
    // A cancellation that was taken loses against a fill before the engine has it.
    venue.ok(
        "/v5/order/cancel",
        &json!({ "category": "linear", "symbol": "BTCUSDT", "orderId": id }),
    );
    venue.trade(Category::Linear, Side::Sell, "10");
    venue.later(800);
    assert_eq!(venue.order("linear", &id)["orderStatus"], "Filled");
}

#[test]
fn an_order_that_was_taken_may_be_rejected_all_the_same() {
    let slow = Settings {
        engine_ms: 100,
        ..settings()
    };
    let mut venue = Bybit::quoted_with(slow, funded());
    // Both are covered alone, and not together: the gateway takes both.
    let first = venue.place(&limit("spot", "Sell", "1.5", "38000"));
    let second = venue.place(&limit("spot", "Sell", "1.5", "38000"));
    venue.later(100);
    assert_eq!(venue.order("spot", &first)["orderStatus"], "New");
    let rejected = venue.order("spot", &second);
    assert_eq!(
        (
            rejected["orderStatus"].as_str(),
            rejected["rejectReason"].as_str()
        ),
        (Some("Rejected"), Some("EC_Others"))
    );
    venue
        .server
        .at(venue.now, |exchange| exchange.reject_next());
    let third = venue.place(&limit("linear", "Buy", "0.01", "37010"));
    venue.later(100);
    let rejected = venue.order("linear", &third);
    assert_eq!(
        (
            rejected["orderStatus"].as_str(),
            rejected["cumExecQty"].as_str()
        ),
        (Some("Rejected"), Some("0"))
    );
}

#[test]
fn a_client_id_is_used_up_for_ever() {
    let mut venue = Bybit::quoted();
    for (category, code) in [("spot", 170_141), ("linear", 110_072)] {
        let id = format!("basis-{category}");
        let named = with(
            limit(category, "Buy", "0.01", "36000"),
            &json!({ "orderLinkId": id }),
        );
        let taken = venue.ok("/v5/order/create", &named);
        assert_eq!(taken["orderLinkId"], id.as_str());
        assert_eq!(venue.refused("/v5/order/create", &named), code);
        let cancel = json!({ "category": category, "symbol": "BTCUSDT", "orderLinkId": id });
        venue.ok("/v5/order/cancel", &cancel);
        // Canceled, filled: Binance would take it again.
        venue.later(86_400_000 * 3);
        assert_eq!(venue.refused("/v5/order/create", &named), code);
    }
    // What was refused used nothing up here.
    let bad = with(
        limit("linear", "Buy", "0.0001", "36000"),
        &json!({ "orderLinkId": "again" }),
    );
    assert_eq!(venue.refused("/v5/order/create", &bad), 10_001);
    venue.place(&with(
        limit("linear", "Buy", "0.01", "36000"),
        &json!({ "orderLinkId": "again" }),
    ));
    for id in ["with space", "a.b", &"a".repeat(37)] {
        let fields = with(
            limit("spot", "Buy", "0.01", "36000"),
            &json!({ "orderLinkId": id }),
        );
        assert_eq!(venue.refused("/v5/order/create", &fields), 10_001, "{id}");
    }
}

#[test]
fn times_in_force_end_as_documented_after_they_were_taken() {
    let mut venue = Bybit::quoted();
    let rows = [
        (
            "linear",
            "PostOnly",
            "1",
            "37010",
            "Cancelled",
            "EC_PostOnlyWillTakeLiquidity",
            "0",
        ),
        (
            "spot",
            "PostOnly",
            "1",
            "37010",
            "Cancelled",
            "EC_PostOnlyWillTakeLiquidity",
            "0",
        ),
        (
            "linear",
            "FOK",
            "6",
            "37010",
            "Cancelled",
            "EC_NoEnoughQtyToFill",
            "0",
        ),
        (
            "linear",
            "IOC",
            "1",
            "37000",
            "Cancelled",
            "EC_NoImmediateQtyToFill",
            "0",
        ),
        (
            "linear",
            "IOC",
            "6",
            "37010",
            "Cancelled",
            "EC_NoImmediateQtyToFill",
            "5",
        ),
    ];
    for (category, force, quantity, price, status, reason, filled) in rows {
        let fields = with(
            limit(category, "Buy", quantity, price),
            &json!({ "timeInForce": force }),
        );
        let id = venue.place(&fields);
        let order = venue.order(category, &id);
        let told = (
            order["orderStatus"].as_str(),
            order["rejectReason"].as_str(),
            order["cumExecQty"].as_str(),
        );
        assert_eq!(
            told,
            (Some(status), Some(reason), Some(filled)),
            "{category} {force}"
        );
        assert_eq!(order["leavesQty"], "0");
    }
}

#[test]
fn a_spot_order_that_ended_with_fills_has_a_word_of_its_own() {
    let mut venue = Bybit::quoted();
    venue.rest(Category::Spot, Side::Buy, "37005", "0.5");
    let fields = with(
        limit("spot", "Sell", "0.9", "37000"),
        &json!({ "timeInForce": "IOC" }),
    );
    let id = venue.place(&fields);
    assert_eq!(
        venue.order("spot", &id)["orderStatus"],
        "PartiallyFilledCanceled"
    );
}

#[test]
fn spot_market_buys_count_quote_unless_told_not_to() {
    let mut venue = Bybit::quoted();
    let market = json!({ "category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "370.1" });
    let id = venue.place(&market);
    let order = venue.order("spot", &id);
    assert_eq!(
        (order["orderStatus"].as_str(), order["cumExecQty"].as_str()),
        (Some("Filled"), Some("0.01"))
    );
    assert_eq!(
        (order["qty"].as_str(), order["cumExecValue"].as_str()),
        (Some("370.1"), Some("370.1"))
    );
    let base = with(market, &json!({ "qty": "0.02", "marketUnit": "baseCoin" }));
    let id = venue.place(&base);
    assert_eq!(venue.order("spot", &id)["cumExecQty"], "0.02");
}

#[test]
fn filters_are_refused_at_once_with_the_codes_of_the_category() {
    let mut venue = Bybit::quoted();
    // Bands are measured from the last price, and margin from a leverage of 3.
    venue.place(&limit("spot", "Buy", "0.01", "37010"));
    let three = json!({ "category": "linear", "symbol": "BTCUSDT", "buyLeverage": "3", "sellLeverage": "3" });
    venue.ok("/v5/position/set-leverage", &three);
    let rows = [
        ("linear", "0.0001", "36000", 10_001),
        ("linear", "2000", "36000", 10_001),
        ("linear", "0.01", "36000.05", 10_001),
        ("linear", "0.01", "90000", 110_003),
        ("linear", "0.001", "36000", 110_094),
        ("linear", "90", "36000", 110_021),
        ("linear", "13", "36990", 110_007),
        ("spot", "0.000001", "36000", 170_137),
        ("spot", "9500", "36000", 170_124),
        ("spot", "0.01", "36000.005", 170_134),
        ("spot", "0.01", "90000", 170_132),
        ("spot", "0.00001", "36000", 170_140),
        ("spot", "9", "36000", 170_131),
    ];
    for (category, quantity, price, code) in rows {
        let fields = limit(category, "Buy", quantity, price);
        let found = venue.refused("/v5/order/create", &fields);
        assert_eq!(found, code, "{category} {quantity} {price}");
    }
    assert_eq!(
        venue.refused("/v5/order/create", &limit("spot", "Sell", "0.01", "10000")),
        170_133
    );
}

#[test]
fn the_smallest_spot_quantity_is_not_checked_and_numbers_are_no_quantities() {
    let mut venue = Bybit::quoted();
    // The smallest value is.
    venue.place(&limit("spot", "Buy", "0.0001", "50000"));
    let number = with(limit("spot", "Buy", "1", "36000"), &json!({ "qty": 1 }));
    assert_eq!(
        venue.refused("/v5/order/create", &number),
        10_001,
        "quantities are texts"
    );
    let unknown = with(
        limit("spot", "Buy", "1", "36000"),
        &json!({ "symbol": "XYZUSDT" }),
    );
    assert_eq!(venue.refused("/v5/order/create", &unknown), 170_121);
    let unknown = with(
        limit("linear", "Buy", "1", "36000"),
        &json!({ "symbol": "XYZUSDT" }),
    );
    assert_eq!(venue.refused("/v5/order/create", &unknown), 10_001);
}

#[test]
fn amendments_change_what_is_named_and_keep_the_place_when_they_shrink() {
    let mut venue = Bybit::quoted();
    let id = venue.place(&limit("linear", "Buy", "0.05", "36995"));
    venue.rest(Category::Linear, Side::Buy, "36995", "1");
    let amend = |fields: serde_json::Value| {
        with(
            json!({ "category": "linear", "symbol": "BTCUSDT", "orderId": id }),
            &fields,
        )
    };
    venue.ok("/v5/order/amend", &amend(json!({ "qty": "0.02" })));
    venue.trade(Category::Linear, Side::Sell, "0.02");
    assert_eq!(
        venue.order("linear", &id)["orderStatus"],
        "Filled",
        "it kept its place"
    );
    let second = venue.place(&limit("linear", "Buy", "0.05", "36000"));
    let amend = |fields: serde_json::Value| {
        with(
            json!({ "category": "linear", "symbol": "BTCUSDT", "orderId": second }),
            &fields,
        )
    };
    venue.ok("/v5/order/amend", &amend(json!({ "price": "37010" })));
    assert_eq!(
        venue.order("linear", &second)["orderStatus"],
        "Filled",
        "it was made to take"
    );
    assert_eq!(
        venue.refused("/v5/order/amend", &amend(json!({ "price": "36000" }))),
        110_001
    );
    assert_eq!(venue.refused("/v5/order/amend", &amend(json!({}))), 10_001);
    let spot = json!({ "category": "spot", "symbol": "BTCUSDT", "orderLinkId": "nobody", "price": "36000" });
    assert_eq!(venue.refused("/v5/order/amend", &spot), 170_213);
}

#[test]
fn an_amendment_that_was_taken_comes_to_nothing_when_the_order_ended_first() {
    let slow = Settings {
        engine_ms: 100,
        ..settings()
    };
    let mut venue = Bybit::quoted_with(slow, funded());
    let id = venue.place(&limit("spot", "Sell", "0.5", "37020"));
    venue.later(100);
    venue.ok(
        "/v5/order/amend",
        &json!({ "category": "spot", "symbol": "BTCUSDT", "orderId": id, "qty": "0.9" }),
    );
    venue.trade(Category::Spot, Side::Buy, "5.5");
    venue.later(100);
    let order = venue.order("spot", &id);
    assert_eq!(
        (order["orderStatus"].as_str(), order["qty"].as_str()),
        (Some("Filled"), Some("0.5"))
    );
}

#[test]
fn canceling_frees_what_was_held() {
    let mut venue = Bybit::quoted();
    let id = venue.place(&limit("spot", "Buy", "1", "36000"));
    let held = venue.server.exchange().unified(venue.account, USDT);
    assert_eq!(held.locked, q("36000"));
    let cancel = json!({ "category": "spot", "symbol": "BTCUSDT", "orderId": id });
    venue.ok("/v5/order/cancel", &cancel);
    let order = venue.order("spot", &id);
    let told = (
        order["orderStatus"].as_str(),
        order["rejectReason"].as_str(),
        order["cancelType"].as_str(),
    );
    assert_eq!(
        told,
        (
            Some("Cancelled"),
            Some("EC_PerCancelRequest"),
            Some("CancelByUser")
        )
    );
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).locked,
        q("0")
    );
    assert_eq!(venue.refused("/v5/order/cancel", &cancel), 170_213);
    for _ in 0..3 {
        venue.place(&limit("linear", "Buy", "0.01", "36000"));
    }
    assert_eq!(
        venue.refused("/v5/order/cancel-all", &json!({ "category": "linear" })),
        10_001
    );
    let all = venue.ok(
        "/v5/order/cancel-all",
        &json!({ "category": "linear", "settleCoin": "USDT" }),
    );
    assert_eq!(all["list"].as_array().unwrap().len(), 3);
    let open = venue.server.exchange().orders(venue.account);
    assert!(open.iter().all(|(.., order)| !order.is_open()));
}

#[test]
fn reduce_only_orders_close_and_never_turn_a_position() {
    let mut venue = Bybit::quoted();
    let reduce = with(
        limit("linear", "Sell", "0.5", "36990"),
        &json!({ "reduceOnly": true }),
    );
    assert_eq!(venue.refused("/v5/order/create", &reduce), 110_017);
    venue.place(&limit("linear", "Buy", "0.2", "37010"));
    let id = venue.place(&reduce);
    let order = venue.order("linear", &id);
    assert_eq!(
        (order["orderStatus"].as_str(), order["qty"].as_str()),
        (Some("Filled"), Some("0.2"))
    );
    // Rests, then the position goes another way.
    venue.place(&limit("linear", "Buy", "0.2", "37010"));
    let resting = venue.place(&with(
        limit("linear", "Sell", "0.2", "38000"),
        &json!({ "reduceOnly": true }),
    ));
    let all = json!({ "category": "linear", "symbol": "BTCUSDT", "side": "Sell", "orderType": "Market", "qty": "0", "reduceOnly": true, "closeOnTrigger": true });
    venue.place(&all);
    let ended = venue.order("linear", &resting);
    assert_eq!(
        (ended["orderStatus"].as_str(), ended["cancelType"].as_str()),
        (Some("Cancelled"), Some("CancelByReduceOnly"))
    );
}

#[test]
fn batches_answer_for_each_order() {
    let mut venue = Bybit::quoted();
    let order = |price: &str| json!({ "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": price });
    let fields = json!({ "category": "linear", "request": [order("36000"), order("90000")] });
    let reply = venue.act("/v5/order/create-batch", &fields);
    assert_eq!(reply["retCode"], 0);
    assert_eq!(
        (
            reply["retExtInfo"]["list"][0]["code"].as_i64(),
            reply["retExtInfo"]["list"][1]["code"].as_i64()
        ),
        (Some(0), Some(110_003))
    );
    let ids = (
        reply["result"]["list"][0]["orderId"]
            .as_str()
            .unwrap()
            .to_owned(),
        reply["result"]["list"][1]["orderId"].as_str(),
    );
    assert_eq!(ids.1, Some(""));
    let gone = json!({ "category": "linear", "request": [{ "symbol": "BTCUSDT", "orderId": ids.0 }, { "symbol": "BTCUSDT", "orderId": "none" }] });
    let reply = venue.act("/v5/order/cancel-batch", &gone);
    assert_eq!(
        (
            reply["retExtInfo"]["list"][0]["code"].as_i64(),
            reply["retExtInfo"]["list"][1]["code"].as_i64()
        ),
        (Some(0), Some(110_001))
    );
    let many: Vec<_> = (0..11).map(|_| order("36000")).collect();
    assert_eq!(
        venue.refused(
            "/v5/order/create-batch",
            &json!({ "category": "spot", "request": many })
        ),
        10_001
    );
}

#[test]
fn conditional_orders_are_refused_and_not_taken_for_others() {
    let mut venue = Bybit::quoted();
    for more in [
        json!({ "triggerPrice": "35000", "triggerDirection": 2 }),
        json!({ "orderFilter": "tpslOrder" }),
        json!({ "stopLoss": "30000" }),
    ] {
        let fields = with(limit("spot", "Buy", "0.01", "36000"), &more);
        assert_eq!(venue.refused("/v5/order/create", &fields), 10_001, "{more}");
    }
    assert!(venue.server.exchange().orders(venue.account).is_empty());
}

#[test]
fn a_maker_pays_its_own_rate_and_a_rebate_comes_in_the_other_coin() {
    let rebate = basis_core::num::Rate::literal("-0.0001");
    let mut account = funded();
    account.spot_fees.maker = rebate;
    let mut venue = Bybit::quoted_with(settings(), account);
    let id = venue.place(&limit("spot", "Buy", "0.1", "37000"));
    venue.trade(Category::Spot, Side::Sell, "0.1");
    assert_eq!(venue.order("spot", &id)["orderStatus"], "Filled");
    let fill = venue.get("/v5/execution/list", "category=spot&symbol=BTCUSDT")["list"][0].clone();
    let told = (
        fill["feeCurrency"].as_str(),
        fill["execFee"].as_str(),
        fill["isMaker"].as_bool(),
    );
    assert_eq!(told, (Some("USDT"), Some("-0.37"), Some(true)));
    assert_eq!(
        venue.server.exchange().unified(venue.account, BTC).wallet,
        q("2.1")
    );
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).wallet,
        q("96300.37")
    );
}
