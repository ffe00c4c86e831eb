//! Orders: what is taken, what each of a request is answered, what becomes of it.

use basis_core::types::Side;
use basis_sim::server::okx::{Category, Settings, Status};
use serde_json::{Value, json};

use super::kit::{Okx, SPOT, SWAP, code_of, funded, limit, market, settings, with};
use crate::kit::{BTC, BTCUSDT, USDT, q};

const ORDER: &str = "/api/v5/trade/order";
const AMEND: &str = "/api/v5/trade/amend-order";
const CANCEL: &str = "/api/v5/trade/cancel-order";
const BATCH: &str = "/api/v5/trade/batch-orders";

fn named(instrument: &str, id: &str) -> Value {
    json!({ "instId": instrument, "clOrdId": id })
}

#[test]
fn a_swap_is_counted_in_contracts_and_spot_in_base_units() {
    let mut venue = Okx::quoted();
    let id = venue.place(&limit(SWAP, "buy", "3", "37010"));
    let order = venue.order(SWAP, &id);
    assert_eq!(
        (&order["state"], &order["accFillSz"], &order["sz"]),
        (&json!("filled"), &json!("3"), &json!("3"))
    );
    // Three contracts of a hundredth.
    let held = venue.server.exchange().position(venue.account, BTCUSDT, 0);
    assert_eq!(held.perp.quantity, q("0.03"));
    let position = venue
        .get("/api/v5/account/positions", "instType=SWAP")
        .remove(0);
    assert_eq!(
        (&position["pos"], &position["posSide"]),
        (&json!("3"), &json!("net"))
    );
    let fill = venue.get("/api/v5/trade/fills", "instType=SWAP").remove(0);
    assert_eq!(fill["fillSz"], "3");
    // 0.03 × 37,010 × 0.05 %, paid, and so below zero.
    assert_eq!(
        (&fill["fee"], &fill["feeCcy"]),
        (&json!("-0.55515"), &json!("USDT"))
    );
    let id = venue.place(&limit(SPOT, "buy", "0.03", "37010"));
    let order = venue.order(SPOT, &id);
    assert_eq!(
        (&order["accFillSz"], &order["feeCcy"], &order["fee"]),
        (&json!("0.03"), &json!("BTC"), &json!("-0.00003"))
    );
    assert_eq!(
        venue.refused_order(&limit(SWAP, "buy", "0.5", "37010")),
        51_121
    );
}

#[test]
fn an_order_rests_is_amended_and_canceled() {
    let mut venue = Okx::quoted();
    let id = venue.place(&with(
        limit(SWAP, "buy", "3", "36000"),
        &json!({ "clOrdId": "mine1", "tag": "t1" }),
    ));
    let order = venue.order(SWAP, &id);
    for (field, wanted) in [
        ("state", "live"),
        ("clOrdId", "mine1"),
        ("tag", "t1"),
        ("tdMode", "cross"),
        ("avgPx", ""),
        ("cancelSource", ""),
    ] {
        assert_eq!(order[field], wanted, "{field}");
    }
    let taken = venue.ok(
        AMEND,
        &with(
            named(SWAP, "mine1"),
            &json!({ "newSz": "2", "newPx": "36100", "reqId": "r" }),
        ),
    );
    assert_eq!(
        (&taken["ordId"], &taken["reqId"], &taken["sCode"]),
        (&json!(id), &json!("r"), &json!("0"))
    );
    let order = venue.order(SWAP, &id);
    assert_eq!((&order["sz"], &order["px"]), (&json!("2"), &json!("36100")));
    assert_eq!(
        venue
            .get("/api/v5/trade/orders-pending", "instType=SWAP")
            .len(),
        1
    );
    venue.ok(CANCEL, &named(SWAP, "mine1"));
    let order = venue.order(SWAP, &id);
    assert_eq!(
        (&order["state"], &order["cancelSource"]),
        (&json!("canceled"), &json!("1"))
    );
    assert!(
        venue
            .get("/api/v5/trade/orders-pending", "instType=SWAP")
            .is_empty()
    );
    assert_eq!(venue.refused(CANCEL, &named(SWAP, "mine1")), 51_400);
    assert_eq!(
        venue.refused(AMEND, &with(named(SWAP, "mine1"), &json!({ "newSz": "3" }))),
        51_503
    );
    assert_eq!(
        venue.refused(CANCEL, &named(SWAP, "never")),
        51_400,
        "one code for gone and never there"
    );
}
