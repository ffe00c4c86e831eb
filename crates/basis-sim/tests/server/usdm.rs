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
