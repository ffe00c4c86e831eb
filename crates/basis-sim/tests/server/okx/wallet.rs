//! The funding account: transfers, deposits, withdrawals.

use basis_sim::server::okx::{Behavior, Permissions, Settings, Verifier};
use serde_json::{Value, json};

use super::kit::{Okx, PASSPHRASE, SWAP, funded, limit, settings, with};
use crate::kit::{SECRET, USDT, q};

const TRANSFER: &str = "/api/v5/asset/transfer";
const STATE: &str = "/api/v5/asset/transfer-state";
const WITHDRAW: &str = "/api/v5/asset/withdrawal";

fn asked(id: &str, amount: &str, from: &str, to: &str) -> Value {
    json!({ "ccy": "USDT", "amt": amount, "from": from, "to": to, "type": "0", "clientId": id })
}

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

/// A venue whose key may withdraw.
fn withdrawing() -> Okx {
    let mut venue = Okx::quoted();
    let account = venue.account;
    venue.server.at(venue.now, |exchange| {
        let permissions = Permissions {
            withdraw: true,
            ..Permissions::trading()
        };
        exchange.add_key(
            account,
            "w",
            (Verifier::HmacBase64(SECRET.into()), PASSPHRASE),
            permissions,
        );
    });
    venue.key = "w".to_owned();
    venue
}

#[test]
fn a_transfer_is_found_by_either_id_and_an_id_that_ended_moves_again() {
    let mut venue = Okx::quoted();
    let taken = venue.ok(TRANSFER, &asked("a1", "25", "6", "18"));
    let id = taken["transId"].as_str().unwrap().to_owned();
    assert_eq!(
        (&taken["clientId"], &taken["amt"]),
        (&json!("a1"), &json!("25"))
    );
    for query in [format!("transId={id}"), "clientId=a1".to_owned()] {
        let found = venue.get(STATE, &query).remove(0);
        assert_eq!(
            (&found["state"], &found["transId"], &found["to"]),
            (&json!("success"), &json!(id), &json!("18"))
        );
    }
    assert_eq!(
        venue.get("/api/v5/asset/balances", "ccy=USDT")[0]["bal"],
        "475"
    );
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).wallet,
        q("100025")
    );
    // Nobody promises that an id moves once: a resend moves again.
    venue.ok(TRANSFER, &asked("a1", "25", "6", "18"));
    assert_eq!(venue.server.exchange().fund(venue.account, USDT), q("450"));
    assert_eq!(venue.read(STATE, "clientId=never")["code"], "58129");
    assert_eq!(venue.read(STATE, "")["code"], "50015");
    venue.later(14 * 86_400_000 + 1);
    assert_eq!(
        venue.read(STATE, "clientId=a1")["code"],
        "58129",
        "two weeks are kept"
    );
}

#[test]
fn a_transfer_under_way_is_in_neither_account_and_its_id_is_taken() {
    let mut venue = Okx::quoted_with(slow(5_000), funded());
    venue.ok(TRANSFER, &asked("a1", "100", "18", "6"));
    assert_eq!(venue.get(STATE, "clientId=a1")[0]["state"], "pending");
    assert_eq!(
        venue.refused(TRANSFER, &asked("a1", "100", "18", "6")),
        58_124
    );
    let exchange = venue.server.exchange();
    assert_eq!(exchange.unified(venue.account, USDT).wallet, q("99900"));
    assert_eq!(exchange.fund(venue.account, USDT), q("500"));
    venue.later(5_000);
    assert_eq!(venue.get(STATE, "clientId=a1")[0]["state"], "success");
    assert_eq!(venue.server.exchange().fund(venue.account, USDT), q("600"));
}

#[test]
fn a_transfer_that_fails_comes_back() {
    let mut venue = Okx::quoted_with(slow(1_000), funded());
    venue
        .server
        .at(venue.now, |exchange| exchange.set_transfers_fail(true));
    venue.ok(TRANSFER, &asked("a1", "100", "6", "18"));
    venue.later(1_000);
    assert_eq!(venue.get(STATE, "clientId=a1")[0]["state"], "failed");
    assert_eq!(venue.server.exchange().fund(venue.account, USDT), q("500"));
    assert_eq!(
        venue.server.exchange().unified(venue.account, USDT).wallet,
        q("100000")
    );
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let mut venue = Okx::quoted();
    let rows = [
        (asked("b1", "501", "6", "18"), 58_350),
        (asked("b2", "1", "18", "18"), 51_000),
        (asked("b3", "1", "1", "18"), 51_000),
        (asked("b4", "0", "6", "18"), 51_000),
        (asked("b-5", "1", "6", "18"), 51_000),
        (
            with(asked("b6", "1", "6", "18"), &json!({ "type": "1" })),
            51_000,
        ),
    ];
    for (fields, code) in rows {
        assert_eq!(venue.refused(TRANSFER, &fields), code, "{fields}");
        venue.later(1_000);
    }
    // Margin stays where it is needed.
    venue.place(&limit(SWAP, "buy", "500", "37010"));
    let free = venue
        .get("/api/v5/account/max-withdrawal", "ccy=USDT")
        .remove(0);
    let free = q(free["maxWd"].as_str().unwrap());
    assert!(free < q("39000") && free > q("38000"), "{free}");
    assert_eq!(
        venue.refused(TRANSFER, &asked("b7", "40000", "18", "6")),
        58_350
    );
    venue.later(1_000);
    // Two a second of a currency.
    for amount in ["1", "2"] {
        venue.ok(TRANSFER, &asked("", amount, "6", "18"));
    }
    assert_eq!(venue.refused(TRANSFER, &asked("", "3", "6", "18")), 50_011);
}

#[test]
fn a_withdrawal_pays_its_fee_on_top_and_arrives_after_its_delay() {
    let mut venue = withdrawing();
    let fields = json!({
        "ccy": "USDT", "amt": "100", "dest": "4", "toAddr": "0xours", "chain": "USDT-ERC20", "clientId": "w1"
    });
    let taken = venue.ok(WITHDRAW, &fields);
    assert_eq!(
        (&taken["amt"], &taken["clientId"]),
        (&json!("100"), &json!("w1"))
    );
    assert_eq!(
        venue.server.exchange().fund(venue.account, USDT),
        q("396"),
        "100 and the fee of 4"
    );
    let row = |venue: &mut Okx| {
        venue
            .get("/api/v5/asset/withdrawal-history", "ccy=USDT&clientId=w1")
            .remove(0)
    };
    let found = row(&mut venue);
    let told = (
        found["state"].as_str(),
        found["txId"].as_str(),
        found["fee"].as_str(),
        found["feeCcy"].as_str(),
    );
    assert_eq!(told, (Some("1"), Some(""), Some("4"), Some("USDT")));
    venue.later(1_200_000);
    let found = row(&mut venue);
    assert_eq!(
        (
            found["state"].as_str(),
            found["txId"].as_str().unwrap().len()
        ),
        (Some("2"), 66)
    );
    venue
        .server
        .at(venue.now, |exchange| exchange.set_withdrawals_fail(true));
    venue.ok(
        WITHDRAW,
        &with(fields.clone(), &json!({ "clientId": "w2" })),
    );
    venue.later(1_200_000);
    let found = venue
        .get("/api/v5/asset/withdrawal-history", "clientId=w2")
        .remove(0);
    assert_eq!(found["state"], "-1");
    assert_eq!(
        venue.server.exchange().fund(venue.account, USDT),
        q("396"),
        "it came back with its fee"
    );
    for (more, code) in [
        (json!({ "toAddr": "0xtheirs" }), 58_207),
        (json!({ "chain": "USDT-TRC20" }), 51_000),
        (json!({ "amt": "1" }), 51_000),
        (json!({ "amt": "20.0000001" }), 51_000),
        (json!({ "amt": "395" }), 58_350),
        (json!({ "dest": "3" }), 51_000),
    ] {
        assert_eq!(
            venue.refused(WITHDRAW, &with(fields.clone(), &more)),
            code,
            "{more}"
        );
        venue.later(1_000);
    }
}

#[test]
fn a_deposit_is_listed_at_once_and_credited_later() {
    let mut venue = Okx::quoted();
    let account = venue.account;
    let sent = venue.server.at(venue.now, |exchange| {
        exchange.deposit(account, (USDT, "USDT-ERC20"), q("250"), "0xabc")
    });
    let id = sent.to_string();
    let row = |venue: &mut Okx| {
        venue
            .get("/api/v5/asset/deposit-history", "ccy=USDT")
            .remove(0)
    };
    let found = row(&mut venue);
    let told = (
        found["depId"].as_str(),
        found["txId"].as_str(),
        found["state"].as_str(),
        found["amt"].as_str(),
    );
    assert_eq!(
        told,
        (Some(id.as_str()), Some("0xabc"), Some("0"), Some("250"))
    );
    assert_eq!(venue.server.exchange().fund(account, USDT), q("500"));
    venue.later(1_200_000);
    assert_eq!(row(&mut venue)["state"], "2");
    assert_eq!(venue.server.exchange().fund(account, USDT), q("750"));
    let address = venue
        .get("/api/v5/asset/deposit-address", "ccy=USDT")
        .remove(0);
    assert_eq!(
        (&address["chain"], &address["to"]),
        (&json!("USDT-ERC20"), &json!("6"))
    );
    let currency = venue.get("/api/v5/asset/currencies", "ccy=USDT").remove(0);
    let told = (
        currency["chain"].as_str(),
        currency["fee"].as_str(),
        currency["minWd"].as_str(),
        currency["wdTickSz"].as_str(),
    );
    assert_eq!(told, (Some("USDT-ERC20"), Some("4"), Some("16"), Some("6")));
}

#[test]
fn the_demo_has_neither_deposits_nor_withdrawals() {
    let demo = Settings {
        is_demo: true,
        ..settings()
    };
    let mut venue = Okx::quoted_with(demo, funded());
    venue.ok(TRANSFER, &asked("a1", "1", "6", "18"));
    for path in ["deposit-address", "deposit-history", "withdrawal-history"] {
        let reply = venue.read(&format!("/api/v5/asset/{path}"), "ccy=USDT");
        assert_eq!(reply["code"], "50038", "{path}");
    }
}
