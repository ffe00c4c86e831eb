//! USD-M orders, positions and margin.

use crate::kit::{BTCUSDT, USDT, Venue, q};

const ORDER: &str = "/fapi/v1/order";

#[test]
fn a_market_sale_opens_a_short_and_its_buy_closes_it() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&type=MARKET&quantity=0.1";
    let reply = venue.ok(
        "POST",
        ORDER,
        &format!("{terms}&side=SELL&newOrderRespType=RESULT"),
    );
    assert_eq!(reply["status"], "FILLED");
    assert_eq!(reply["executedQty"], "0.1");
    let position = venue
        .server
        .exchange()
        .position(venue.account, BTCUSDT, None);
    assert_eq!(position.perp.quantity, q("-0.1"));
    let risk = venue.ok("GET", "/fapi/v3/positionRisk", "");
    assert_eq!(risk[0]["positionAmt"], "-0.1");
    assert_eq!(risk[0]["entryPrice"], "36990");
    let id = reply["orderId"].as_u64().unwrap();
    let order = venue.ok("GET", ORDER, &format!("symbol=BTCUSDT&orderId={id}"));
    assert_eq!(order["avgPrice"], "36990.00000");
    venue.ok("POST", ORDER, &format!("{terms}&side=BUY&reduceOnly=true"));
    let position = venue
        .server
        .exchange()
        .position(venue.account, BTCUSDT, None);
    assert!(position.perp.quantity.is_zero());
    // Sold at 36990, bought at 37010, 0.05 % on both.
    let wallet = venue.server.exchange().usdm_balance(venue.account, USDT);
    assert_eq!(wallet, q("49994.3"));
    let income = venue.ok("GET", "/fapi/v1/income", "incomeType=REALIZED_PNL");
    assert_eq!(income[0]["income"], "-2.00000000");
}

use basis_core::types::{PositionSide, Side};
use basis_sim::server::binance::Product;

fn size(venue: &Venue, side: Option<PositionSide>) -> basis_core::num::Quantity {
    let exchange = venue.server.exchange();
    exchange
        .position(venue.account, BTCUSDT, side)
        .perp
        .quantity
}

#[test]
fn an_acknowledged_order_says_new_whatever_it_did_and_the_query_says_the_rest() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1";
    let reply = venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=a"));
    assert_eq!(
        (&reply["status"], &reply["executedQty"]),
        (&"NEW".into(), &"0".into())
    );
    let order = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=a");
    assert_eq!(
        (&order["status"], &order["cumQuote"]),
        (&"FILLED".into(), &"3701".into())
    );
    let missing = venue.refused(
        "GET",
        "/fapi/v1/openOrder",
        "symbol=BTCUSDT&origClientOrderId=a",
    );
    assert_eq!(missing, (400, -2013));
}

#[test]
fn post_only_and_fok_are_refused_where_they_may_not_stand() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.1";
    let gtx = format!("{terms}&timeInForce=GTX");
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{gtx}&price=37010")),
        (400, -5022)
    );
    venue.ok("POST", ORDER, &format!("{gtx}&price=37009.9"));
    let fok = format!("{terms}&timeInForce=FOK&price=37010").replace("0.1", "5.1");
    assert_eq!(venue.refused("POST", ORDER, &fok), (400, -5021));
    let orders = venue.server.exchange().orders(venue.account);
    assert_eq!(orders.len(), 1, "refused orders are not recorded");
}

#[test]
fn an_ioc_that_finds_nothing_expires() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.1&price=36000";
    let reply = venue.ok("POST", ORDER, &format!("{terms}&newOrderRespType=RESULT"));
    assert_eq!(reply["status"], "EXPIRED");
}

#[test]
fn a_client_id_is_unique_among_open_orders_alone() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&newClientOrderId=a.b:c/d_e-f";
    venue.ok("POST", ORDER, &format!("{terms}&price=36000"));
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{terms}&price=36000")),
        (400, -4116)
    );
    venue.ok(
        "DELETE",
        ORDER,
        "symbol=BTCUSDT&origClientOrderId=a.b:c/d_e-f",
    );
    venue.ok("POST", ORDER, &format!("{terms}&price=37010"));
    venue.ok("POST", ORDER, &format!("{terms}&price=37010"));
    assert_eq!(
        size(&venue, None),
        q("0.2"),
        "a filled id protects from nothing"
    );
}

#[test]
fn reduce_only_never_turns_a_position() {
    let mut venue = Venue::quoted();
    let sell = "symbol=BTCUSDT&side=SELL&reduceOnly=true";
    let market = format!("{sell}&type=MARKET");
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{market}&quantity=0.1")),
        (400, -2022)
    );
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.3",
    );
    let limit = format!("{sell}&type=LIMIT&timeInForce=GTC&price=38000");
    venue.ok(
        "POST",
        ORDER,
        &format!("{limit}&quantity=0.2&newClientOrderId=first"),
    );
    venue.ok(
        "POST",
        ORDER,
        &format!("{limit}&quantity=0.1&newClientOrderId=second"),
    );
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{limit}&quantity=0.001")),
        (400, -2022)
    );
    let reply = venue.ok(
        "POST",
        ORDER,
        &format!("{market}&quantity=0.1&newOrderRespType=RESULT"),
    );
    assert_eq!(reply["executedQty"], "0.1");
    // 0.2 are left: the newer of the resting orders no longer fits.
    let second = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=second");
    assert_eq!(second["status"], "EXPIRED");
    let reply = venue.ok(
        "POST",
        ORDER,
        &format!("{market}&quantity=1&newOrderRespType=RESULT"),
    );
    assert_eq!(
        (&reply["executedQty"], &reply["status"]),
        (&"0.2".into(), &"EXPIRED".into())
    );
    assert!(size(&venue, None).is_zero());
    let first = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=first");
    assert_eq!(first["status"], "EXPIRED");
}

#[test]
fn hedge_mode_has_two_positions_and_closes_each_by_its_side() {
    let mut venue = Venue::quoted();
    let market = "symbol=BTCUSDT&type=MARKET&quantity=0.1";
    assert_eq!(
        venue.refused(
            "POST",
            ORDER,
            &format!("{market}&side=BUY&positionSide=LONG")
        ),
        (400, -4061)
    );
    venue.ok(
        "POST",
        "/fapi/v1/positionSide/dual",
        "dualSidePosition=true",
    );
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{market}&side=BUY")),
        (400, -4061)
    );
    let long = format!("{market}&positionSide=LONG");
    let short = format!("{market}&positionSide=SHORT");
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{long}&side=BUY&reduceOnly=true")),
        (400, -1106)
    );
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{long}&side=SELL")),
        (400, -2022)
    );
    venue.ok("POST", ORDER, &format!("{long}&side=BUY"));
    venue.ok("POST", ORDER, &format!("{short}&side=SELL"));
    assert_eq!(size(&venue, Some(PositionSide::Long)), q("0.1"));
    assert_eq!(size(&venue, Some(PositionSide::Short)), q("-0.1"));
    let risk = venue.ok("GET", "/fapi/v3/positionRisk", "symbol=BTCUSDT");
    let rows: Vec<_> = risk
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["positionSide"], &row["positionAmt"]))
        .collect();
    assert_eq!(
        rows,
        [
            (&"LONG".into(), &"0.1".into()),
            (&"SHORT".into(), &"-0.1".into())
        ]
    );
    venue.ok("POST", ORDER, &format!("{long}&side=SELL"));
    assert!(size(&venue, Some(PositionSide::Long)).is_zero());
    let mode = "/fapi/v1/positionSide/dual";
    assert_eq!(
        venue.refused("POST", mode, "dualSidePosition=false"),
        (400, -4068)
    );
    assert_eq!(
        venue.refused("POST", mode, "dualSidePosition=true"),
        (400, -4059)
    );
    venue.ok("POST", ORDER, "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000&positionSide=SHORT");
    assert_eq!(
        venue.refused("POST", mode, "dualSidePosition=false"),
        (400, -4067)
    );
}

#[test]
fn a_modified_order_loses_its_place_and_may_trade_or_end() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.2&price=36995";
    venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=mine"));
    venue.rest(Product::UsdM, Side::Buy, "36995", "1");
    let named = "symbol=BTCUSDT&origClientOrderId=mine";
    let modify =
        |venue: &mut Venue, rest: &str| venue.call("PUT", ORDER, &format!("{named}&{rest}"));
    let (status, body) = modify(&mut venue, "side=BUY&quantity=0.2&price=36995");
    assert_eq!((status, &body["code"]), (400, &(-5027).into()));
    let (status, body) = modify(&mut venue, "side=BUY&quantity=0.3&price=36995");
    assert_eq!((status, &body["origQty"]), (200, &"0.3".into()));
    venue.trade(Product::UsdM, Side::Sell, "1");
    assert!(size(&venue, None).is_zero(), "the house was in front");
    venue.trade(Product::UsdM, Side::Sell, "0.1");
    assert_eq!(size(&venue, None), q("0.1"));
    // No more than what is filled: canceled.
    let (status, body) = modify(&mut venue, "side=BUY&quantity=0.1&price=36995");
    assert_eq!((status, &body["status"]), (200, &"CANCELED".into()));
    // One that crosses trades, a post-only one is canceled.
    venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=mine"));
    let (_, body) = modify(&mut venue, "side=BUY&quantity=0.2&price=37010");
    assert_eq!(
        (&body["status"], &body["executedQty"]),
        (&"FILLED".into(), &"0.2".into())
    );
    let gtx = terms.replace("GTC", "GTX");
    venue.ok("POST", ORDER, &format!("{gtx}&newClientOrderId=mine"));
    let (_, body) = modify(&mut venue, "side=BUY&quantity=0.2&price=37010");
    assert_eq!(
        (&body["status"], &body["executedQty"]),
        (&"CANCELED".into(), &"0".into())
    );
    let (status, body) = modify(&mut venue, "side=BUY&quantity=0.2&price=37000");
    assert_eq!((status, &body["code"]), (400, &(-2011).into()));
}

#[test]
fn orders_and_cancels_of_a_batch_answer_one_by_one() {
    let mut venue = Venue::quoted();
    let batch = r#"[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.1","price":"36000","newClientOrderId":"a"},{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0"}]"#;
    let encoded: String = batch.bytes().map(|b| format!("%{b:02X}")).collect();
    let replies = venue.ok(
        "POST",
        "/fapi/v1/batchOrders",
        &format!("batchOrders={encoded}"),
    );
    assert_eq!(
        (&replies[0]["status"], &replies[1]["code"]),
        (&"NEW".into(), &(-4003).into())
    );
    let list = "%5B%22a%22%2C%22b%22%5D";
    let replies = venue.ok(
        "DELETE",
        "/fapi/v1/batchOrders",
        &format!("symbol=BTCUSDT&origClientOrderIdList={list}"),
    );
    assert_eq!(
        (&replies[0]["status"], &replies[1]["code"]),
        (&"CANCELED".into(), &(-2011).into())
    );
}

#[test]
fn a_countdown_cancels_unless_it_is_started_anew() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000";
    venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=a"));
    let path = "/fapi/v1/countdownCancelAll";
    venue.ok("POST", path, "symbol=BTCUSDT&countdownTime=60000");
    venue.later(59_000);
    venue.ok("POST", path, "symbol=BTCUSDT&countdownTime=60000");
    venue.later(59_999);
    let named = "symbol=BTCUSDT&origClientOrderId=a";
    assert_eq!(venue.ok("GET", ORDER, named)["status"], "NEW");
    venue.later(1);
    assert_eq!(venue.ok("GET", ORDER, named)["status"], "CANCELED");
    venue.ok("POST", ORDER, terms);
    venue.ok("POST", path, "symbol=BTCUSDT&countdownTime=1000");
    venue.ok("POST", path, "symbol=BTCUSDT&countdownTime=0");
    venue.later(5000);
    let open = venue.ok("GET", "/fapi/v1/openOrders", "symbol=BTCUSDT");
    assert_eq!(open.as_array().unwrap().len(), 1);
}

#[test]
fn a_dated_order_ends_on_its_second() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTD&quantity=0.1&price=36000&newClientOrderId=a";
    assert_eq!(venue.refused("POST", ORDER, terms), (400, -1102));
    let near = venue.now_ms() + 599_999;
    assert_eq!(
        venue.refused("POST", ORDER, &format!("{terms}&goodTillDate={near}")),
        (400, -1130)
    );
    let date = venue.now_ms() + 600_999;
    let reply = venue.ok("POST", ORDER, &format!("{terms}&goodTillDate={date}"));
    assert_eq!(reply["goodTillDate"], venue.now_ms() + 600_000);
    venue.later(600_000);
    let order = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=a");
    assert_eq!(order["status"], "EXPIRED");
}

#[test]
fn dead_orders_are_gone_after_three_days_without_and_ninety_with_fills() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.1";
    venue.ok(
        "POST",
        ORDER,
        &format!("{terms}&price=36000&newClientOrderId=dead"),
    );
    venue.ok(
        "POST",
        ORDER,
        &format!("{terms}&price=37010&newClientOrderId=done"),
    );
    let (dead, done) = (
        "symbol=BTCUSDT&origClientOrderId=dead",
        "symbol=BTCUSDT&origClientOrderId=done",
    );
    venue.later(3 * 86_400_000);
    venue.ok("GET", ORDER, dead);
    venue.later(1);
    assert_eq!(venue.refused("GET", ORDER, dead), (400, -2013));
    venue.later(87 * 86_400_000 - 1);
    venue.ok("GET", ORDER, done);
    venue.later(1);
    assert_eq!(venue.refused("GET", ORDER, done), (400, -2013));
}

#[test]
fn fills_without_times_are_those_of_seven_days() {
    let mut venue = Venue::quoted();
    venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1",
    );
    venue.later(7 * 86_400_000 + 1);
    let path = "/fapi/v1/userTrades";
    let none = venue.ok("GET", path, "symbol=BTCUSDT");
    assert_eq!(none.as_array().unwrap().len(), 0);
    let all = venue.ok("GET", path, "symbol=BTCUSDT&fromId=1");
    assert_eq!(all.as_array().unwrap().len(), 1);
    let start = crate::kit::START_MS;
    let long = format!(
        "symbol=BTCUSDT&startTime={start}&endTime={}",
        start + 7 * 86_400_000 + 1
    );
    assert_eq!(venue.refused("GET", path, &long), (400, -1127));
}
