//! Where an order can still be found, and how long; pages, windows, stale and late reads.

use basis_core::types::Side;
use basis_sim::server::bybit::{Behavior, Category, Settings};
use serde_json::{Value, json};

use super::kit::{Bybit, funded, limit, settings, with};

const DAY_MS: i64 = 86_400_000;

fn count(reply: &Value) -> usize {
    reply["list"].as_array().unwrap().len()
}

#[test]
fn an_order_that_closed_lately_is_found_by_its_id_and_not_among_the_open_ones() {
    let mut venue = Bybit::quoted();
    let named = with(
        limit("linear", "Buy", "0.01", "36000"),
        &json!({ "orderLinkId": "mine" }),
    );
    let id = venue.place(&named);
    assert_eq!(
        count(&venue.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT")),
        1
    );
    assert_eq!(
        count(&venue.get("/v5/order/history", "category=linear&orderLinkId=mine")),
        0,
        "it is open"
    );
    venue.ok(
        "/v5/order/cancel",
        &json!({ "category": "linear", "symbol": "BTCUSDT", "orderId": id }),
    );
    assert_eq!(
        count(&venue.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT")),
        0
    );
    assert_eq!(
        count(&venue.get(
            "/v5/order/realtime",
            "category=linear&symbol=BTCUSDT&openOnly=1"
        )),
        1
    );
    assert_eq!(
        count(&venue.get(
            "/v5/order/realtime",
            "category=linear&symbol=BTCUSDT&orderLinkId=mine"
        )),
        1
    );
    assert_eq!(
        count(&venue.get("/v5/order/history", "category=linear&orderLinkId=mine")),
        1
    );
    assert_eq!(
        count(&venue.get("/v5/order/realtime", "category=spot&orderLinkId=mine")),
        0
    );
}

#[test]
fn dead_orders_without_a_fill_are_forgotten_after_a_day_and_a_restart_clears_the_recent_ones() {
    let mut venue = Bybit::quoted();
    let dead = venue.place(&with(
        limit("linear", "Buy", "0.01", "37000"),
        &json!({ "timeInForce": "IOC" }),
    ));
    let filled = venue.place(&limit("linear", "Buy", "0.01", "37010"));
    let history = |venue: &mut Bybit, id: &str| {
        count(&venue.get(
            "/v5/order/history",
            &format!("category=linear&orderId={id}"),
        ))
    };
    let recent = |venue: &mut Bybit, id: &str| usize::from(!venue.order("linear", id).is_null());
    assert_eq!(
        (recent(&mut venue, &dead), recent(&mut venue, &filled)),
        (1, 1)
    );
    let restart = basis_sim::server::faults::Rule::on(
        "GET",
        "/v5/market/time",
        basis_sim::server::faults::When::Always,
        basis_sim::server::faults::Fault::Restart(10),
    );
    venue.later(1);
    venue.server.set_faults(vec![restart]);
    let time = venue.signed("GET", "/v5/market/time", "", "");
    assert!(venue.server.call(venue.now, time).1.is_err());
    venue.server.set_faults(Vec::new());
    venue.later(1_000);
    assert_eq!(
        (recent(&mut venue, &dead), recent(&mut venue, &filled)),
        (0, 0)
    );
    assert_eq!(
        (history(&mut venue, &dead), history(&mut venue, &filled)),
        (1, 1)
    );
    venue.later(DAY_MS);
    assert_eq!(
        (history(&mut venue, &dead), history(&mut venue, &filled)),
        (0, 1)
    );
    assert_eq!(
        count(&venue.get(
            "/v5/execution/list",
            &format!("category=linear&orderId={filled}")
        )),
        1
    );
}

#[test]
fn windows_and_pages_are_bounded() {
    let mut venue = Bybit::quoted();
    for _ in 0..5 {
        venue.place(&limit("linear", "Buy", "0.01", "37010"));
    }
    let start = venue.now.nanos() / 1_000_000 - 1_000;
    let query = |more: &str| format!("category=linear&symbol=BTCUSDT&execType=Trade&limit=2{more}");
    let first = venue.get("/v5/execution/list", &query(""));
    let cursor = first["nextPageCursor"].as_str().unwrap().to_owned();
    assert_eq!((count(&first), cursor.is_empty()), (2, false));
    let second = venue.get("/v5/execution/list", &query(&format!("&cursor={cursor}")));
    let seq = |reply: &Value, at: usize| reply["list"][at]["seq"].as_i64().unwrap();
    assert!(
        seq(&first, 0) > seq(&first, 1) && seq(&first, 1) > seq(&second, 0),
        "newest first"
    );
    let cursor = second["nextPageCursor"].as_str().unwrap().to_owned();
    let last = venue.get("/v5/execution/list", &query(&format!("&cursor={cursor}")));
    assert_eq!(
        (count(&last), last["nextPageCursor"].as_str()),
        (1, Some(""))
    );
    // Seven days at most, and seven days where no time is named.
    let end = start + 7 * DAY_MS + 1;
    let wide = venue.read(
        "/v5/execution/list",
        &query(&format!("&startTime={start}&endTime={end}")),
    );
    assert_eq!(wide["retCode"], 10_001);
    venue.later(7 * DAY_MS + 1);
    assert_eq!(count(&venue.get("/v5/execution/list", &query(""))), 0);
    let from = format!("&startTime={start}");
    assert_eq!(count(&venue.get("/v5/execution/list", &query(&from))), 2);
    assert_eq!(
        venue.read("/v5/execution/list", "category=linear&limit=101")["retCode"],
        10_001
    );
    assert_eq!(
        venue.read("/v5/order/realtime", "category=linear")["retCode"],
        10_001
    );
}

#[test]
fn reads_lag_and_rows_come_late_and_twice_where_the_venue_is_set_to() {
    let lagging = Settings {
        behavior: Behavior {
            stale_reads_ms: 2_000,
            late_rows_ms: 3_000,
            duplicate_rows: true,
            transfer_delay_ms: 0,
        },
        ..settings()
    };
    let mut venue = Bybit::quoted_with(lagging, funded());
    venue.later(10_000);
    let id = venue.place(&limit("linear", "Buy", "0.01", "37010"));
    let fills = |venue: &mut Bybit| {
        count(&venue.get("/v5/execution/list", "category=linear&symbol=BTCUSDT"))
    };
    let held = |venue: &mut Bybit| {
        count(&venue.get("/v5/position/list", "category=linear&settleCoin=USDT"))
    };
    assert!(venue.order("linear", &id).is_null());
    assert_eq!((fills(&mut venue), held(&mut venue)), (0, 0));
    venue.later(2_000);
    assert_eq!(venue.order("linear", &id)["orderStatus"], "Filled");
    assert_eq!(
        (fills(&mut venue), held(&mut venue)),
        (0, 1),
        "the order shows what its fills do not yet"
    );
    venue.later(1_000);
    assert_eq!(fills(&mut venue), 2);
}

#[test]
fn leaves_tell_the_order_of_fills_of_one_instant() {
    let mut venue = Bybit::quoted();
    venue.rest(Category::Linear, Side::Sell, "37011", "5");
    let id = venue.place(&limit("linear", "Buy", "6", "37020"));
    assert_eq!(venue.order("linear", &id)["cumExecQty"], "6");
    let rows = venue.get(
        "/v5/execution/list",
        &format!("category=linear&orderId={id}"),
    );
    let leaves: Vec<_> = rows["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["leavesQty"].as_str().unwrap())
        .collect();
    assert_eq!(leaves, ["0", "1"]);
}
