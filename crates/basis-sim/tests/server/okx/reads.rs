//! Where an order can still be found, and how long; pages, windows, stale and late reads.

use basis_core::types::Side;
use basis_sim::server::okx::{Behavior, Category, Settings};
use serde_json::{Value, json};

use super::kit::{Okx, SPOT, SWAP, funded, limit, settings, with};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const PENDING: &str = "/api/v5/trade/orders-pending";
const HISTORY: &str = "/api/v5/trade/orders-history";
const ARCHIVE: &str = "/api/v5/trade/orders-history-archive";
const FILLS: &str = "/api/v5/trade/fills";

fn ids(rows: &[Value], field: &str) -> Vec<String> {
    let ids = rows
        .iter()
        .map(|row| row[field].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn dead_orders_without_a_fill_are_forgotten_after_two_hours() {
    let mut venue = Okx::quoted();
    let dead = venue.place(&with(
        limit(SWAP, "buy", "1", "37000"),
        &json!({ "ordType": "ioc" }),
    ));
    let filled = venue.place(&limit(SWAP, "buy", "1", "37010"));
    let known = |venue: &mut Okx, id: &str| {
        let query = format!("instId={SWAP}&ordId={id}");
        let code = venue.read("/api/v5/trade/order", &query)["code"].clone();
        let listed = |venue: &mut Okx, path: &str| {
            ids(&venue.get(path, "instType=SWAP"), "ordId").contains(&id.to_owned())
        };
        (code == "0", listed(venue, HISTORY), listed(venue, ARCHIVE))
    };
    venue.later(2 * HOUR_MS);
    assert_eq!(known(&mut venue, &dead), (true, true, true));
    venue.later(1);
    assert_eq!(known(&mut venue, &dead), (false, false, false));
    assert_eq!(known(&mut venue, &filled), (true, true, true));
    let gone = venue.read(
        "/api/v5/trade/order",
        &format!("instId={SWAP}&ordId={dead}"),
    );
    assert_eq!(gone["code"], "51603");
    venue.later(7 * DAY_MS);
    assert_eq!(
        known(&mut venue, &filled),
        (true, false, true),
        "the archive keeps what filled"
    );
    venue.later(90 * DAY_MS);
    assert_eq!(known(&mut venue, &filled), (false, false, false));
}

#[test]
fn lists_are_of_a_product_or_an_instrument_and_page_by_order_id() {
    let mut venue = Okx::quoted();
    let mut placed = Vec::new();
    for _ in 0..4 {
        placed.push(venue.place(&limit(SWAP, "buy", "1", "36000")));
    }
    let spot = venue.place(&limit(SPOT, "buy", "0.01", "36000"));
    placed.reverse();
    assert_eq!(
        ids(&venue.get(PENDING, "instType=SWAP"), "ordId"),
        placed,
        "newest first"
    );
    assert_eq!(ids(&venue.get(PENDING, "instId=BTC-USDT"), "ordId"), [spot]);
    assert_eq!(venue.get(PENDING, "").len(), 5);
    let page = |after: &str| format!("instType=SWAP&limit=2&after={after}");
    assert_eq!(
        ids(&venue.get(PENDING, &page(&placed[1])), "ordId"),
        placed[2..]
    );
    let newer = format!("instType=SWAP&before={}", placed[2]);
    assert_eq!(ids(&venue.get(PENDING, &newer), "ordId"), placed[..2]);
    assert_eq!(venue.read(PENDING, "limit=101")["code"], "51000");
    assert_eq!(
        venue.read(HISTORY, "instId=BTC-USDT")["code"],
        "50014",
        "the history wants a product"
    );
    assert_eq!(
        venue.read(PENDING, "instType=SWAP&instId=BTC-USDT")["code"],
        "51015"
    );
    assert!(
        venue.get(HISTORY, "instType=SWAP").is_empty(),
        "what is open is no history"
    );
    venue.ok(
        "/api/v5/trade/cancel-order",
        &json!({ "instId": SWAP, "ordId": placed[0] }),
    );
    assert_eq!(venue.get(HISTORY, "instType=SWAP&state=canceled").len(), 1);
    assert!(venue.get(HISTORY, "instType=SWAP&state=filled").is_empty());
}

#[test]
fn fills_page_by_bill_id_which_does_not_come_again() {
    let mut venue = Okx::quoted();
    for _ in 0..5 {
        venue.place(&limit(SWAP, "buy", "1", "37010"));
    }
    let all = ids(&venue.get(FILLS, "instType=SWAP"), "billId");
    assert_eq!(all.len(), 5);
    let older = format!("instType=SWAP&limit=2&after={}", all[1]);
    assert_eq!(ids(&venue.get(FILLS, &older), "billId"), all[2..4]);
    let newer = format!("instType=SWAP&before={}", all[1]);
    assert_eq!(ids(&venue.get(FILLS, &newer), "billId"), all[..1]);
    let of_order = venue.get(FILLS, "instType=SWAP")[0]["ordId"].clone();
    let query = format!("instType=SWAP&ordId={}", of_order.as_str().unwrap());
    assert_eq!(venue.get(FILLS, &query).len(), 1);
    let from = venue.now_ms() + 1;
    assert!(venue.get(FILLS, &format!("begin={from}")).is_empty());
    let old = "/api/v5/trade/fills-history";
    assert_eq!(venue.read(old, "instId=BTC-USDT-SWAP")["code"], "50014");
    venue.later(3 * DAY_MS + 1);
    assert!(venue.get(FILLS, "instType=SWAP").is_empty());
    assert_eq!(venue.get(old, "instType=SWAP").len(), 5);
    venue.later(90 * DAY_MS);
    assert!(venue.get(old, "instType=SWAP").is_empty());
}

#[test]
fn trade_ids_count_within_an_instrument_and_are_the_same_on_both_sides() {
    let mut venue = Okx::quoted();
    venue.place(&limit(SWAP, "buy", "1", "37010"));
    venue.place(&limit(SPOT, "buy", "0.01", "37010"));
    let rows = venue.get(FILLS, "");
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0]["tradeId"], rows[1]["tradeId"],
        "they repeat across instruments"
    );
    assert_ne!(rows[0]["instId"], rows[1]["instId"]);
    assert_ne!(rows[0]["billId"], rows[1]["billId"]);
}

#[test]
fn what_is_paid_is_below_zero_and_a_rebate_above() {
    let mut account = funded();
    account.spot_fees.maker = basis_core::num::Rate::literal("-0.0001");
    let mut venue = Okx::quoted_with(settings(), account);
    let id = venue.place(&limit(SPOT, "buy", "0.1", "37000"));
    venue.trade(Category::Spot, Side::Sell, "0.1");
    let fill = venue.get(FILLS, "instType=SPOT").remove(0);
    let told = (
        fill["fee"].as_str(),
        fill["feeCcy"].as_str(),
        fill["execType"].as_str(),
        fill["feeRate"].as_str(),
    );
    assert_eq!(
        told,
        (Some("0.00001"), Some("BTC"), Some("M"), Some("0.0001"))
    );
    let order = venue.order(SPOT, &id);
    let told = (
        order["fee"].as_str(),
        order["rebate"].as_str(),
        order["rebateCcy"].as_str(),
    );
    assert_eq!(told, (Some("0"), Some("0.00001"), Some("BTC")));
    let rates = venue
        .get("/api/v5/account/trade-fee", "instType=SPOT&instId=BTC-USDT")
        .remove(0);
    assert_eq!(
        (rates["maker"].as_str(), rates["taker"].as_str()),
        (Some("0.0001"), Some("-0.001"))
    );
    // Fees of spot in quote, where the account pays so.
    let account = venue.account;
    venue.server.at(venue.now, |exchange| {
        exchange.set_fees_in_quote(account, true);
    });
    venue.place(&limit(SPOT, "buy", "0.01", "37010"));
    let fill = venue.get(FILLS, "instType=SPOT").remove(0);
    assert_eq!(
        (fill["fee"].as_str(), fill["feeCcy"].as_str()),
        (Some("-0.3701"), Some("USDT"))
    );
    assert_eq!(venue.get("/api/v5/account/config", "")[0]["feeType"], "1");
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
    let mut venue = Okx::quoted_with(lagging, funded());
    venue.later(10_000);
    let id = venue.place(&limit(SWAP, "buy", "1", "37010"));
    let query = format!("instId={SWAP}&ordId={id}");
    let found = |venue: &mut Okx| venue.read("/api/v5/trade/order", &query)["code"] == "0";
    let fills = |venue: &mut Okx| venue.get(FILLS, "instType=SWAP").len();
    let held = |venue: &mut Okx| {
        venue
            .get("/api/v5/account/positions", "instType=SWAP")
            .len()
    };
    assert!(
        !found(&mut venue),
        "not found straight after a send proves nothing"
    );
    assert_eq!((fills(&mut venue), held(&mut venue)), (0, 0));
    venue.later(2_000);
    assert_eq!(venue.order(SWAP, &id)["state"], "filled");
    assert_eq!(
        (fills(&mut venue), held(&mut venue)),
        (0, 1),
        "the order shows what its fills do not yet"
    );
    venue.later(1_000);
    assert_eq!(fills(&mut venue), 2);
}

#[test]
fn an_order_shows_its_last_fill_and_the_sum_of_all() {
    let mut venue = Okx::quoted();
    venue.rest(Category::Linear, Side::Sell, "37012", "5");
    let id = venue.place(&limit(SWAP, "buy", "600", "37020"));
    let order = venue.order(SWAP, &id);
    let told = (
        order["accFillSz"].as_str(),
        order["fillSz"].as_str(),
        order["fillPx"].as_str(),
    );
    assert_eq!(told, (Some("600"), Some("100"), Some("37012")));
    let average: f64 = order["avgPx"].as_str().unwrap().parse().unwrap();
    assert!((average - 37_010.333_333).abs() < 0.001, "{average}");
    assert_eq!(
        venue.get(FILLS, &format!("instType=SWAP&ordId={id}")).len(),
        2
    );
}
