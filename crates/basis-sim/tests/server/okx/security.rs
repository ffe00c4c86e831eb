//! Keys, clock, signatures, permissions, limits, maintenance.

use basis_core::transport::Request;
use basis_core::types::Timestamp;
use basis_sim::server::okx::{Limits, Permissions, Settings, Verifier};
use serde_json::{Value, json};

use super::kit::{Okx, PASSPHRASE, SPOT, SWAP, code_of, funded, limit, settings, stamp};
use crate::kit::{KEY, SECRET, body};
use crate::samples::file;

const BALANCE: &str = "/api/v5/account/balance";
const ORDER: &str = "/api/v5/trade/order";

fn answer(venue: &mut Okx, request: Request) -> (u16, u32) {
    let response = venue.send(request);
    (response.status, code_of(&body(&response)))
}

fn header<'a>(request: &'a mut Request, name: &str) -> &'a mut String {
    let mut headers = request.headers.iter_mut();
    &mut headers.find(|(header, _)| header == name).unwrap().1
}

#[test]
fn every_verified_signature_is_taken_and_a_changed_byte_is_not() {
    let Some(vectors) = file("signing.json") else {
        return;
    };
    let mut taken = 0;
    for vector in vectors["vectors"].as_array().unwrap() {
        if vector["venue"] != "okx" || vector["verified"] != true {
            continue;
        }
        let text = |name: &str| vector[name].as_str().unwrap();
        let (payload, signature) = (text("payload"), text("signature"));
        let verifier = Verifier::HmacBase64(text("secret").into());
        assert!(
            verifier.accepts(payload.as_bytes(), signature),
            "{}",
            vector["id"]
        );
        let mut changed = payload.as_bytes().to_vec();
        changed[3] ^= 1;
        assert!(!verifier.accepts(&changed, signature), "{}", vector["id"]);
        let hex = Verifier::Hmac(text("secret").into());
        assert!(
            !hex.accepts(payload.as_bytes(), signature),
            "base64 is no hex"
        );
        taken += 1;
    }
    assert!(taken >= 2, "{taken}");
}

#[test]
fn keys_passphrases_and_signatures_are_checked() {
    let mut venue = Okx::quoted();
    let request = |venue: &Okx| venue.signed("GET", BALANCE, "ccy=BTC", "");
    let plain = request(&venue);
    assert_eq!(answer(&mut venue, plain), (200, 0));
    for (name, value, code) in [
        ("OK-ACCESS-KEY", "nobody", 50_119),
        ("OK-ACCESS-KEY", "", 50_103),
        ("OK-ACCESS-PASSPHRASE", "other", 50_105),
        ("OK-ACCESS-PASSPHRASE", "", 50_104),
        ("OK-ACCESS-SIGN", "AAAA", 50_113),
        ("OK-ACCESS-SIGN", "", 50_106),
        ("OK-ACCESS-TIMESTAMP", "", 50_107),
        ("OK-ACCESS-TIMESTAMP", "1700000000", 50_112),
    ] {
        let mut changed = request(&venue);
        *header(&mut changed, name) = value.to_owned();
        assert_eq!(answer(&mut venue, changed), (401, code), "{name} {value}");
    }
    // The query that was signed is the query that is read.
    let mut other = request(&venue);
    other.url.push_str(",USDT");
    assert_eq!(answer(&mut venue, other), (401, 50_113));
    venue.later(2_000);
    venue
        .server
        .at(venue.now, |exchange| exchange.remove_key(KEY));
    let revoked = request(&venue);
    assert_eq!(answer(&mut venue, revoked), (401, 50_119));
}

#[test]
fn a_stamp_is_half_a_minute_off_at_most_in_either_direction() {
    for (off_ms, code) in [
        (30_000, 0),
        (30_001, 50_102),
        (-30_000, 0),
        (-30_001, 50_102),
    ] {
        let mut venue = Okx::quoted();
        let made = venue.now;
        venue.now = Timestamp::from_nanos(made.nanos() - off_ms * 1_000_000);
        let request = venue.signed("GET", BALANCE, "", "");
        venue.now = made;
        assert_eq!(answer(&mut venue, request).1, code, "{off_ms}");
    }
    assert_eq!(
        stamp(Timestamp::from_millis(1_700_000_000_007)),
        "2023-11-14T22:13:20.007Z"
    );
}

#[test]
fn demo_and_live_keys_do_not_mix() {
    let demo = Settings {
        is_demo: true,
        ..settings()
    };
    let mut venue = Okx::quoted_with(demo, funded());
    venue.get(BALANCE, "");
    venue.is_demo = false;
    let live = venue.signed("GET", BALANCE, "", "");
    assert_eq!(answer(&mut venue, live), (401, 50_101));
    let mut venue = Okx::quoted();
    venue.is_demo = true;
    let request = venue.signed("GET", BALANCE, "", "");
    assert_eq!(answer(&mut venue, request), (401, 50_101));
    // Off is as good as absent.
    let mut off = venue.signed("GET", BALANCE, "", "");
    *header(&mut off, "x-simulated-trading") = "0".to_owned();
    assert_eq!(answer(&mut venue, off), (200, 0));
}

#[test]
fn permissions_bind_a_key_and_the_configuration_tells_them() {
    let mut venue = Okx::quoted();
    let may = |trade, withdraw| Permissions {
        trade,
        withdraw,
        ip_restrict: withdraw,
    };
    let transfer = json!({ "ccy": "USDT", "amt": "1", "from": "6", "to": "18" });
    let withdrawal = json!({ "ccy": "USDT", "amt": "20", "dest": "4", "toAddr": "0xours", "chain": "USDT-ERC20" });
    for (at, (permissions, wanted, word, ip)) in [
        (may(false, false), [50_120, 50_120, 50_120], "read_only", ""),
        (may(true, false), [0, 0, 50_120], "read_only,trade", ""),
        (
            may(false, true),
            [50_120, 50_120, 0],
            "read_only,withdraw",
            "127.0.0.1",
        ),
        (
            may(true, true),
            [0, 0, 0],
            "read_only,withdraw,trade",
            "127.0.0.1",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (account, key) = (venue.account, format!("key{at}"));
        venue.server.at(venue.now, |exchange| {
            let verifier = (Verifier::HmacBase64(SECRET.into()), PASSPHRASE);
            exchange.add_key(account, &key, verifier, permissions);
        });
        venue.key = key;
        let mut code = |path: &str, fields: &Value| code_of(&venue.act(path, fields));
        let found = [
            code(ORDER, &limit(SPOT, "buy", "0.01", "36000")),
            code("/api/v5/asset/transfer", &transfer),
            code("/api/v5/asset/withdrawal", &withdrawal),
        ];
        assert_eq!(found, wanted, "{permissions:?}");
        let config = venue.get("/api/v5/account/config", "").remove(0);
        assert_eq!(
            (config["perm"].as_str(), config["ip"].as_str()),
            (Some(word), Some(ip))
        );
        venue.later(2_000);
    }
}

#[test]
fn each_pool_counts_its_own_requests_in_two_seconds() {
    let mut venue = Okx::quoted();
    let order = limit(SWAP, "buy", "1", "36000");
    let spot = limit(SPOT, "buy", "0.001", "36000");
    let mut ask = |path: &str, fields: &Value| {
        let request = venue.signed("POST", path, "", &fields.to_string());
        answer(&mut venue, request)
    };
    for _ in 0..59 {
        assert_eq!(ask(ORDER, &order), (200, 0));
    }
    // Queries of orders are counted apart.
    for _ in 0..60 {
        let query = venue.signed("GET", ORDER, "instId=BTC-USDT-SWAP&ordId=1", "");
        assert_eq!(answer(&mut venue, query), (200, 51_603));
    }
    let mut ask = |path: &str, fields: &Value| {
        let request = venue.signed("POST", path, "", &fields.to_string());
        answer(&mut venue, request)
    };
    // A batch of one draws on the pool of single orders.
    assert_eq!(ask("/api/v5/trade/batch-orders", &json!([order])), (200, 0));
    assert_eq!(ask(ORDER, &order), (429, 50_011));
    assert_eq!(ask(ORDER, &spot), (200, 0), "of each instrument");
    assert_eq!(
        ask("/api/v5/trade/batch-orders", &json!([order, order])),
        (200, 0)
    );
    let gone = json!({ "instId": SWAP, "ordId": "1" });
    assert_eq!(
        ask("/api/v5/trade/cancel-order", &gone),
        (200, 51_400),
        "of each kind"
    );
    assert_eq!(
        ask(
            "/api/v5/trade/amend-order",
            &json!({ "instId": SWAP, "ordId": "1", "newSz": "1" })
        ),
        (200, 51_503)
    );
    venue.later(2_000);
    venue.place(&order);
    for _ in 0..5 {
        venue.get("/api/v5/account/config", "");
    }
    let request = venue.signed("GET", "/api/v5/account/config", "", "");
    assert_eq!(answer(&mut venue, request), (429, 50_011));
}

#[test]
fn new_and_amended_orders_of_an_account_have_a_bound_of_their_own() {
    let few = Settings {
        limits: Limits {
            orders_2s: 3,
            ..Limits::default()
        },
        ..settings()
    };
    let mut venue = Okx::quoted_with(few, funded());
    let order = limit(SWAP, "buy", "1", "36000");
    let id = venue.place(&order);
    venue.ok(
        "/api/v5/trade/amend-order",
        &json!({ "instId": SWAP, "ordId": id, "newSz": "2" }),
    );
    venue.place(&limit(SPOT, "buy", "0.001", "36000"));
    let request = venue.signed("POST", ORDER, "", &order.to_string());
    assert_eq!(answer(&mut venue, request), (200, 50_061));
    // Cancellations do not count.
    venue.ok(
        "/api/v5/trade/cancel-order",
        &json!({ "instId": SWAP, "ordId": id }),
    );
}

#[test]
fn pending_orders_have_a_most() {
    let few = Settings {
        limits: Limits {
            pending_of_instrument: 2,
            pending: 3,
            ..Limits::default()
        },
        ..settings()
    };
    let mut venue = Okx::quoted_with(few, funded());
    for _ in 0..2 {
        venue.place(&limit(SWAP, "buy", "1", "36000"));
    }
    assert_eq!(
        venue.refused_order(&limit(SWAP, "buy", "1", "36000")),
        51_174
    );
    venue.place(&limit(SPOT, "buy", "0.001", "36000"));
    assert_eq!(
        venue.refused_order(&limit(SPOT, "buy", "0.001", "36000")),
        51_174
    );
}

#[test]
fn maintenance_is_announced_and_takes_no_orders() {
    let mut venue = Okx::quoted();
    let (begin, end) = (venue.now_ms() + 1_000, venue.now_ms() + 5_000);
    venue.server.at(venue.now, |exchange| {
        exchange.announce(Timestamp::from_millis(begin), Timestamp::from_millis(end));
    });
    let status = |venue: &mut Okx, query: &str| {
        venue.later(2_000);
        let rows = venue.get("/api/v5/system/status", query);
        rows.first()
            .map(|row| row["state"].as_str().unwrap().to_owned())
    };
    let rows = venue.get("/api/v5/system/status", "");
    assert_eq!(
        (&rows[0]["state"], &rows[0]["begin"]),
        (&json!("scheduled"), &json!(begin.to_string()))
    );
    assert_eq!(
        status(&mut venue, "state=ongoing").as_deref(),
        Some("ongoing")
    );
    venue
        .server
        .at(venue.now, |exchange| exchange.set_maintained(true));
    let fields = limit(SWAP, "buy", "1", "36000").to_string();
    let request = venue.signed("POST", ORDER, "", &fields);
    assert_eq!(answer(&mut venue, request), (503, 50_001));
    venue.get(BALANCE, "");
    venue
        .server
        .at(venue.now, |exchange| exchange.set_maintained(false));
    assert_eq!(status(&mut venue, "").as_deref(), Some("ongoing"));
    assert_eq!(status(&mut venue, ""), None);
    assert_eq!(
        status(&mut venue, "state=completed").as_deref(),
        Some("completed")
    );
    venue.place(&limit(SWAP, "buy", "1", "36000"));
}

#[test]
fn what_is_not_here_is_not_found_and_no_json_is_refused() {
    let mut venue = Okx::quoted();
    for (method, path) in [
        ("GET", "/api/v5/nothing"),
        ("GET", "/api/v5/trade/cancel-order"),
        ("POST", "/api/v5/trade/mass-cancel"),
        ("POST", "/api/v5/account/set-account-level"),
    ] {
        let request = venue.signed(method, path, "", "");
        assert_eq!(venue.send(request).status, 404, "{method} {path}");
    }
    let odd = venue.signed("POST", ORDER, "", "no json");
    assert_eq!(answer(&mut venue, odd), (400, 50_002));
    let empty = venue.signed("GET", ORDER, "instId=BTC-USDT", "");
    assert_eq!(answer(&mut venue, empty), (200, 50_015));
}
