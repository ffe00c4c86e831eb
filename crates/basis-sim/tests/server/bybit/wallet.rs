//! Transfers between the funding and the unified account.

use basis_sim::server::bybit::{Behavior, Settings};
use serde_json::{Value, json};

use super::kit::{Bybit, funded, settings};
use crate::kit::{USDT, q};

fn asked(id: &str, amount: &str, from: &str, to: &str) -> Value {
    json!({ "transferId": id, "coin": "USDT", "amount": amount, "fromAccountType": from, "toAccountType": to })
}

const PATH: &str = "/v5/asset/transfer/inter-transfer";
const LIST: &str = "/v5/asset/transfer/query-inter-transfer-list";

fn slow(ms: i64) -> Settings {
    let behavior = Behavior {
        transfer_delay_ms: ms,
        ..Behavior::default()
    };
    Settings {
        behavior,
        ..settings()
    }
}

#[test]
fn a_transfer_moves_once_and_is_found_by_its_id() {
    let mut venue = Bybit::quoted();
    let taken = venue.ok(PATH, &asked("a1", "25", "FUND", "UNIFIED"));
    assert_eq!(taken, json!({ "transferId": "a1", "status": "SUCCESS" }));
    venue.later(1_000);
    assert_eq!(
        venue.refused(PATH, &asked("a1", "25", "FUND", "UNIFIED")),
        131_214,
        "the id exists"
    );
    assert_eq!(venue.server.exchange().fund(venue.account, USDT), q("475"));
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).wallet,
        q("100025")
    );
    let found = venue.get(LIST, "transferId=a1");
    assert_eq!(found["list"][0]["status"], "SUCCESS");
    assert_eq!(found["list"].as_array().unwrap().len(), 1);
    let balance = venue.get(
        "/v5/asset/transfer/query-account-coins-balance",
        "accountType=FUND",
    );
    assert_eq!(balance["balance"][0]["walletBalance"], "475");
}

#[test]
fn a_transfer_under_way_is_in_neither_account() {
    let mut venue = Bybit::quoted_with(slow(5_000), funded());
    let taken = venue.ok(PATH, &asked("a1", "100", "UNIFIED", "FUND"));
    assert_eq!(taken["status"], "PENDING");
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).wallet,
        q("99900")
    );
    assert_eq!(venue.server.exchange().fund(venue.account, USDT), q("500"));
    venue.later(5_000);
    assert_eq!(
        venue.get(LIST, "transferId=a1")["list"][0]["status"],
        "SUCCESS"
    );
    assert_eq!(venue.server.exchange().fund(venue.account, USDT), q("600"));
}

#[test]
fn a_transfer_that_fails_comes_back() {
    let mut venue = Bybit::quoted_with(slow(1_000), funded());
    venue
        .server
        .at(venue.now, |exchange| exchange.set_transfers_fail(true));
    venue.ok(PATH, &asked("a1", "100", "FUND", "UNIFIED"));
    venue.later(1_000);
    assert_eq!(
        venue.get(LIST, "transferId=a1")["list"][0]["status"],
        "FAILED"
    );
    assert_eq!(venue.server.exchange().fund(venue.account, USDT), q("500"));
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).wallet,
        q("100000")
    );
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let mut venue = Bybit::quoted();
    let rows = [
        (asked("b1", "501", "FUND", "UNIFIED"), 131_212),
        (asked("b2", "1", "SPOT", "UNIFIED"), 131_211),
        (asked("b3", "1", "CONTRACT", "UNIFIED"), 131_211),
        (asked("b4", "1", "FUND", "FUND"), 131_210),
        (asked("b5", "0", "FUND", "UNIFIED"), 10_001),
    ];
    for (fields, code) in rows {
        assert_eq!(venue.refused(PATH, &fields), code, "{fields}");
        venue.later(1_000);
    }
    // Margin stays where it is needed.
    venue.place(&super::kit::limit("linear", "Buy", "2", "37010"));
    let free = venue.get("/v5/account/withdrawal", "coinName=USDT");
    let free: basis_core::num::Quantity = free["availableWithdrawal"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(free < q("93000") && free > q("90000"), "{free}");
    let all = asked("b6", "95000", "UNIFIED", "FUND");
    assert_eq!(venue.refused(PATH, &all), 131_212);
}

#[test]
fn the_demo_has_no_transfers() {
    let demo = Settings {
        has_wallet: false,
        ..settings()
    };
    let mut venue = Bybit::quoted_with(demo, funded());
    assert_eq!(
        venue.refused(PATH, &asked("a1", "1", "FUND", "UNIFIED")),
        10_032
    );
}
