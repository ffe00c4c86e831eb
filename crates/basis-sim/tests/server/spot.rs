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
