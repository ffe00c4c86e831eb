//! Spot orders, their answers, and what they move.

use basis_core::types::Side;
use basis_sim::server::binance::Product;

use crate::kit::{BTC, USDT, Venue, q};

const ORDER: &str = "/api/v3/order";

#[test]
fn a_market_buy_answers_with_its_fills_and_pays_its_fee_in_what_it_bought() {
    let mut venue = Venue::quoted();
    venue.rest(Product::Spot, Side::Sell, "37005", "0.5");
    let reply = venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=one",
    );
    assert_eq!(reply["status"], "FILLED");
    assert_eq!(reply["executedQty"], "1.00000000");
    // 0.5 × 37005 + 0.5 × 37010.
    assert_eq!(reply["cummulativeQuoteQty"], "37007.50000000");
    assert_eq!(reply["fills"][0]["price"], "37005.00000000");
    assert_eq!(reply["fills"][0]["commission"], "0.00050000");
    assert_eq!(reply["fills"][0]["commissionAsset"], "BTC");
    let exchange = venue.server.exchange();
    assert_eq!(exchange.spot_balance(venue.account, BTC).free, q("2.999"));
    assert_eq!(
        exchange.spot_balance(venue.account, USDT).free,
        q("62992.5")
    );
    let order = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=one");
    assert_eq!(order["status"], "FILLED");
    let fills = venue.ok("GET", "/api/v3/myTrades", "symbol=BTCUSDT");
    assert_eq!(fills.as_array().unwrap().len(), 2);
    assert_eq!(fills[1]["isMaker"], false);
}

#[test]
fn a_resting_buy_locks_its_limit_and_a_cancel_frees_it() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000";
    let reply = venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=rests"));
    assert_eq!(reply["status"], "NEW");
    assert_eq!(reply["fills"].as_array().unwrap().len(), 0);
    let account = venue.account;
    let balance = venue.server.exchange().spot_balance(account, USDT);
    assert_eq!((balance.free, balance.locked), (q("96400"), q("3600")));
    let open = venue.ok("GET", "/api/v3/openOrders", "symbol=BTCUSDT");
    assert_eq!(open[0]["clientOrderId"], "rests");
    let refused = venue.refused("POST", ORDER, &format!("{terms}&newClientOrderId=rests"));
    assert_eq!(refused, (400, -2010));
    let gone = venue.ok("DELETE", ORDER, "symbol=BTCUSDT&origClientOrderId=rests");
    assert_eq!(gone["status"], "CANCELED");
    assert_eq!(gone["origClientOrderId"], "rests");
    let balance = venue.server.exchange().spot_balance(account, USDT);
    assert_eq!((balance.free, balance.locked), (q("100000"), q("0")));
    // The id is free again.
    venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=rests"));
}

fn locked(venue: &Venue) -> (basis_core::num::Quantity, basis_core::num::Quantity) {
    let balance = venue.server.exchange().spot_balance(venue.account, USDT);
    (balance.free, balance.locked)
}

#[test]
fn a_marketable_limit_trades_and_only_its_rest_stays_locked() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=37010";
    venue.rest(Product::Spot, Side::Sell, "37000", "0.4");
    venue.trade(Product::Spot, Side::Buy, "4.9");
    // 0.5 is left at 37010.
    let reply = venue.ok("POST", ORDER, &format!("{terms}&quantity=0.8"));
    assert_eq!(reply["status"], "PARTIALLY_FILLED");
    assert_eq!(reply["executedQty"], "0.50000000");
    // 0.5 × 37010 are paid, 0.3 × 37010 wait.
    assert_eq!(locked(&venue), (q("70392"), q("11103")));
    venue.trade(Product::Spot, Side::Sell, "0.3");
    assert_eq!(locked(&venue), (q("70392"), q("0")));
    let fills = venue.ok("GET", "/api/v3/myTrades", "symbol=BTCUSDT");
    assert_eq!(fills[1]["isMaker"], true);
}

#[test]
fn ioc_and_fok_end_what_they_do_not_find() {
    let mut venue = Venue::quoted();
    venue.trade(Product::Spot, Side::Buy, "3");
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&price=37010";
    let reply = venue.ok(
        "POST",
        ORDER,
        &format!("{terms}&timeInForce=FOK&quantity=2.1"),
    );
    assert_eq!(
        (&reply["status"], &reply["executedQty"]),
        (&"EXPIRED".into(), &"0.00000000".into())
    );
    let reply = venue.ok(
        "POST",
        ORDER,
        &format!("{terms}&timeInForce=FOK&quantity=1"),
    );
    assert_eq!(reply["status"], "FILLED");
    let low = terms.replace("37010", "36000");
    let reply = venue.ok("POST", ORDER, &format!("{low}&timeInForce=IOC&quantity=1"));
    assert_eq!(reply["status"], "EXPIRED");
    assert!(locked(&venue).1.is_zero());
}

#[test]
fn post_only_rests_or_is_refused() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.1";
    let reply = venue.ok("POST", ORDER, &format!("{terms}&price=37009.99"));
    assert!(
        reply.get("status").is_none(),
        "the answer is an ACK: {reply}"
    );
    let (status, body) = venue.call("POST", ORDER, &format!("{terms}&price=37010"));
    assert_eq!((status, &body["code"]), (400, &(-2010).into()));
    assert_eq!(body["msg"], "Order would immediately match and take.");
}

#[test]
fn a_market_order_in_quote_buys_whole_lots_for_at_most_so_much() {
    let mut venue = Venue::quoted();
    let reply = venue.ok(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=1000",
    );
    assert_eq!(reply["status"], "FILLED");
    // 1000 ÷ 37010 = 0.027019…, in lots of 0.00001.
    assert_eq!(reply["executedQty"], "0.02701000");
    assert_eq!(reply["origQuoteOrderQty"], "1000.00000000");
}

#[test]
fn funds_that_do_not_cover_an_order_refuse_it_and_nothing_changes() {
    let mut venue = Venue::quoted();
    for terms in [
        "side=BUY&type=MARKET&quantity=3",
        "side=BUY&type=LIMIT&timeInForce=GTC&quantity=3&price=36000",
        "side=SELL&type=MARKET&quantity=2.1",
    ] {
        let (status, body) = venue.call("POST", ORDER, &format!("symbol=BTCUSDT&{terms}"));
        assert_eq!((status, &body["code"]), (400, &(-2010).into()), "{terms}");
        assert_eq!(
            body["msg"],
            "Account has insufficient balance for requested action."
        );
    }
    assert_eq!(locked(&venue), (q("100000"), q("0")));
    assert!(venue.server.exchange().orders(venue.account).is_empty());
}

#[test]
fn a_filled_order_s_client_id_can_be_used_again_and_makes_a_second_order() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1&newClientOrderId=same";
    let first = venue.ok("POST", ORDER, terms);
    let second = venue.ok("POST", ORDER, terms);
    assert_ne!(first["orderId"], second["orderId"]);
    let found = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=same");
    assert_eq!(
        found["orderId"], second["orderId"],
        "a look-up finds the newest"
    );
    assert_eq!(venue.server.exchange().orders(venue.account).len(), 2);
}

#[test]
fn cancels_say_why_not() {
    let mut venue = Venue::quoted();
    assert_eq!(
        venue.refused("DELETE", ORDER, "symbol=BTCUSDT&orderId=5"),
        (400, -2011)
    );
    assert_eq!(
        venue.refused("DELETE", ORDER, "symbol=BTCUSDT"),
        (400, -1102)
    );
    assert_eq!(
        venue.refused("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT"),
        (400, -2011)
    );
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000";
    venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=a"));
    let named = "symbol=BTCUSDT&origClientOrderId=a";
    let refused =
        |venue: &mut Venue, rest: &str| venue.refused("DELETE", ORDER, &format!("{named}{rest}"));
    assert_eq!(
        refused(&mut venue, "&cancelRestrictions=SOME"),
        (400, -1145)
    );
    assert_eq!(
        refused(&mut venue, "&cancelRestrictions=ONLY_PARTIALLY_FILLED"),
        (400, -2011)
    );
    let gone = venue.ok(
        "DELETE",
        ORDER,
        &format!("{named}&newClientOrderId=mycancel"),
    );
    assert_eq!(gone["clientOrderId"], "mycancel");
    assert_eq!(refused(&mut venue, ""), (400, -2011));
    assert_eq!(
        venue.refused("GET", ORDER, "symbol=BTCUSDT&orderId=5"),
        (400, -2013)
    );
}

#[test]
fn a_replacement_says_which_half_was_done() {
    let mut venue = Venue::quoted();
    let path = "/api/v3/order/cancelReplace";
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=36000";
    let placed = venue.ok("POST", ORDER, terms);
    let id = placed["orderId"].as_u64().unwrap();
    let replace =
        |mode: &str, id: u64| format!("{terms}&cancelReplaceMode={mode}&cancelOrderId={id}");
    let both = venue.ok("POST", path, &replace("STOP_ON_FAILURE", id));
    assert_eq!(both["cancelResponse"]["status"], "CANCELED");
    assert_eq!(both["newOrderResponse"]["status"], "NEW");
    // The order is gone: nothing is placed, or it is placed all the same.
    let (status, body) = venue.call("POST", path, &replace("STOP_ON_FAILURE", id));
    assert_eq!((status, &body["code"]), (400, &(-2022).into()));
    assert_eq!(body["data"]["newOrderResult"], "NOT_ATTEMPTED");
    let (status, body) = venue.call("POST", path, &replace("ALLOW_FAILURE", id));
    assert_eq!((status, &body["code"]), (409, &(-2021).into()));
    assert_eq!(body["data"]["cancelResponse"]["code"], -2011);
    let new = body["data"]["newOrderResponse"]["orderId"]
        .as_u64()
        .unwrap();
    // Canceled, but what replaces it has no funds.
    let dear = replace("STOP_ON_FAILURE", new).replace("quantity=0.1", "quantity=100");
    let (status, body) = venue.call("POST", path, &dear);
    assert_eq!((status, &body["code"]), (409, &(-2021).into()));
    assert_eq!(body["data"]["newOrderResponse"]["code"], -2010);
}

#[test]
fn an_amended_order_is_smaller_and_stays_in_front() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=36995";
    venue.ok("POST", ORDER, &format!("{terms}&newClientOrderId=mine"));
    venue.rest(Product::Spot, Side::Buy, "36995", "1");
    let path = "/api/v3/order/amend/keepPriority";
    let named = "symbol=BTCUSDT&origClientOrderId=mine";
    assert_eq!(
        venue.refused("PUT", path, &format!("{named}&newQty=1")),
        (400, -2038)
    );
    let reply = venue.ok(
        "PUT",
        path,
        &format!("{named}&newQty=0.4&newClientOrderId=less"),
    );
    assert_eq!(reply["amendedOrder"]["qty"], "0.40000000");
    assert_eq!(locked(&venue).1, q("14798"));
    venue.trade(Product::Spot, Side::Sell, "0.4");
    let order = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=less");
    assert_eq!(order["status"], "FILLED");
}

#[test]
fn an_unfilled_order_is_archived_after_ninety_days_and_a_filled_one_is_not() {
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
    venue.later(90 * 86_400_000);
    venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=dead");
    venue.later(1);
    let dead = venue.refused("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=dead");
    assert_eq!(dead, (400, -2026));
    venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=done");
}

#[test]
fn fills_are_asked_for_by_order_by_cursor_or_by_a_day() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1";
    let first = venue.ok("POST", ORDER, terms);
    venue.later(86_400_000);
    venue.ok("POST", ORDER, terms);
    let path = "/api/v3/myTrades";
    let count = |venue: &mut Venue, rest: String| {
        let reply = venue.ok("GET", path, &format!("symbol=BTCUSDT{rest}"));
        reply.as_array().unwrap().len()
    };
    let trade = first["fills"][0]["tradeId"].as_u64().unwrap();
    assert_eq!(
        count(&mut venue, format!("&orderId={}", first["orderId"])),
        1
    );
    assert_eq!(
        count(&mut venue, format!("&fromId={trade}")),
        2,
        "the cursor's row comes again"
    );
    assert_eq!(count(&mut venue, format!("&fromId={}", trade + 1)), 1);
    assert_eq!(
        count(&mut venue, format!("&startTime={}", crate::kit::START_MS)),
        2
    );
    assert_eq!(
        count(
            &mut venue,
            format!("&startTime={}&limit=1", crate::kit::START_MS)
        ),
        1
    );
    let long = format!(
        "symbol=BTCUSDT&startTime=0&endTime={}",
        crate::kit::START_MS
    );
    assert_eq!(venue.refused("GET", path, &long), (400, -1127));
    let mixed = format!("symbol=BTCUSDT&fromId={trade}&startTime=0");
    assert_eq!(venue.refused("GET", path, &mixed), (400, -1128));
}

#[test]
fn orders_of_one_account_do_not_trade_with_each_other() {
    let mut venue = Venue::quoted();
    let terms = "symbol=BTCUSDT&type=LIMIT&timeInForce=GTC&quantity=0.1&price=37000";
    venue.ok(
        "POST",
        ORDER,
        &format!("{terms}&side=BUY&newClientOrderId=rests"),
    );
    let taker = format!("{terms}&side=SELL&selfTradePreventionMode=EXPIRE_TAKER");
    let reply = venue.ok("POST", ORDER, &taker);
    assert_eq!(reply["status"], "EXPIRED_IN_MATCH");
    let reply = venue.ok("POST", ORDER, &format!("{terms}&side=SELL"));
    assert_eq!(reply["status"], "NEW");
    let order = venue.ok("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=rests");
    assert_eq!(order["status"], "EXPIRED_IN_MATCH");
    assert!(locked(&venue).1.is_zero());
}
