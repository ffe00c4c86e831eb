//! Transfers between wallets, and what a key may do.

use basis_sim::server::binance::Behavior;

use crate::kit::{USDT, Venue, q};

const TRANSFER: &str = "/sapi/v1/asset/transfer";

fn with_delay(delay_ms: i64) -> Venue {
    let mut venue = Venue::quoted();
    let now = venue.now;
    venue.server.at(now, |exchange| {
        exchange.set_behavior(Behavior {
            transfer_delay_ms: delay_ms,
            ..Behavior::default()
        });
    });
    venue
}

#[test]
fn a_transfer_leaves_at_once_and_arrives_after_its_delay() {
    let mut venue = with_delay(3000);
    let reply = venue.ok(
        "POST",
        TRANSFER,
        "type=MAIN_UMFUTURE&asset=USDT&amount=250.5",
    );
    let account = venue.account;
    let wallets = |venue: &Venue| {
        let exchange = venue.server.exchange();
        (
            exchange.spot_balance(account, USDT).free,
            exchange.usdm_balance(account, USDT),
        )
    };
    assert_eq!(wallets(&venue), (q("99749.5"), q("50000")));
    let rows = venue.ok("GET", TRANSFER, "type=MAIN_UMFUTURE");
    assert_eq!(
        (&rows["rows"][0]["status"], &rows["rows"][0]["amount"]),
        (&"PENDING".into(), &"250.5".into())
    );
    venue.later(3000);
    let rows = venue.ok("GET", TRANSFER, "type=MAIN_UMFUTURE");
    assert_eq!(
        (&rows["rows"][0]["status"], &rows["total"]),
        (&"CONFIRMED".into(), &1.into())
    );
    assert_eq!(rows["rows"][0]["tranId"], reply["tranId"]);
    assert_eq!(wallets(&venue), (q("99749.5"), q("50250.5")));
    let income = venue.ok("GET", "/fapi/v1/income", "incomeType=TRANSFER");
    assert_eq!(
        (&income[0]["income"], &income[0]["symbol"]),
        (&"250.50000000".into(), &"".into())
    );
}

#[test]
fn transfers_back_are_bounded_by_what_positions_and_orders_leave() {
    let mut venue = with_delay(0);
    venue.ok(
        "POST",
        "/fapi/v1/order",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=36000",
    );
    let back = "type=UMFUTURE_MAIN&asset=USDT";
    assert_eq!(
        venue.refused("POST", TRANSFER, &format!("{back}&amount=48182.00000001")),
        (400, -5013)
    );
    venue.ok("POST", TRANSFER, &format!("{back}&amount=48182"));
    let there = "type=MAIN_UMFUTURE&asset=USDT";
    assert_eq!(
        venue.refused("POST", TRANSFER, &format!("{there}&amount=148182.1")),
        (400, -5013)
    );
    assert_eq!(
        venue.refused("POST", TRANSFER, &format!("{there}&amount=0")),
        (400, -1102)
    );
    let elsewhere = "type=MAIN_FUNDING&asset=USDT&amount=1";
    assert_eq!(venue.refused("POST", TRANSFER, elsewhere), (400, -1130));
}

#[test]
fn a_key_says_what_it_may_do() {
    let mut venue = Venue::new();
    let may = venue.ok("GET", "/sapi/v1/account/apiRestrictions", "");
    assert_eq!(
        (&may["enableWithdrawals"], &may["permitsUniversalTransfer"]),
        (&false.into(), &true.into())
    );
}
