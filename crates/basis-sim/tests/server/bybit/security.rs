//! Keys, clock, signatures, permissions, limits.

use basis_core::transport::Request;
use basis_sim::server::bybit::{Limits, Permissions, Settings, Verifier};
use serde_json::{Value, json};

use super::kit::{Bybit, funded, limit, settings};
use crate::kit::{SECRET, body, sign};
use crate::samples::file;

fn code(venue: &mut Bybit, request: Request) -> i64 {
    body(&venue.send(request))["retCode"].as_i64().unwrap()
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
        if vector["venue"] != "bybit" || vector["verified"] != true {
            continue;
        }
        let text = |name: &str| vector[name].as_str();
        let (payload, signature) = (text("payload").unwrap(), text("signature").unwrap());
        let verifier = match text("private_key_pem") {
            Some(pem) => Verifier::Rsa(public_key(pem)),
            None => Verifier::Hmac(text("secret").unwrap().into()),
        };
        assert!(
            verifier.accepts(payload.as_bytes(), signature),
            "{}",
            vector["id"]
        );
        let mut changed = payload.as_bytes().to_vec();
        changed[3] ^= 1;
        assert!(!verifier.accepts(&changed, signature), "{}", vector["id"]);
        taken += 1;
    }
    assert!(taken >= 7, "{taken}");
}

/// The public half of a private key in PEM.
fn public_key(pem: &str) -> Vec<u8> {
    use aws_lc_rs::signature::{KeyPair, RsaKeyPair};

    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for letter in lines.flat_map(str::bytes).filter(|b| *b != b'=') {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    let pair = RsaKeyPair::from_pkcs8(&bytes).unwrap();
    pair.public_key().as_ref().to_vec()
}

#[test]
fn keys_signatures_and_stamps_are_checked() {
    let mut venue = Bybit::quoted();
    let path = "/v5/account/wallet-balance";
    let request = |venue: &Bybit| venue.signed("GET", path, "accountType=UNIFIED", "");
    let plain = request(&venue);
    assert_eq!(code(&mut venue, plain), 0);
    let mut strange = request(&venue);
    *header(&mut strange, "X-BAPI-API-KEY") = "nobody".to_owned();
    assert_eq!(code(&mut venue, strange), 10_003);
    let mut spoiled = request(&venue);
    header(&mut spoiled, "X-BAPI-SIGN").replace_range(..1, "x");
    assert_eq!(code(&mut venue, spoiled), 10_004);
    // The query that was signed is the query that is read.
    let mut other = request(&venue);
    other.url.push_str("&coin=BTC");
    assert_eq!(code(&mut venue, other), 10_004);
    for (late_ms, wanted) in [(5_000, 0), (5_001, 10_002), (-999, 0), (-1_000, 10_002)] {
        let request = request(&venue);
        let mut later = Bybit::quoted();
        later.now =
            basis_core::types::Timestamp::from_nanos(venue.now.nanos() + late_ms * 1_000_000);
        if late_ms < 0 {
            later
                .server
                .at(venue.now, |exchange| exchange.set_clock_ahead(late_ms));
            later.now = venue.now;
        }
        assert_eq!(code(&mut later, request), wanted, "{late_ms}");
    }
    venue
        .server
        .at(venue.now, |exchange| exchange.remove_key(crate::kit::KEY));
    let revoked = request(&venue);
    assert_eq!(code(&mut venue, revoked), 10_003);
}

#[test]
fn a_stamp_that_grew_old_on_its_way_is_refused_and_nothing_was_taken() {
    let mut venue = Bybit::quoted();
    let fields = limit("linear", "Buy", "0.01", "36000").to_string();
    let request = venue.signed("POST", "/v5/order/create", "", &fields);
    venue.later(5_001);
    assert_eq!(code(&mut venue, request), 10_002);
    assert!(venue.server.exchange().orders(venue.account).is_empty());
}

#[test]
fn a_read_with_a_body_is_turned_away() {
    let mut venue = Bybit::quoted();
    let mut request = venue.signed("GET", "/v5/market/time", "", "");
    request.body = b"{}".to_vec();
    assert_eq!(venue.send(request).status, 403);
}

#[test]
fn permissions_bind_a_key() {
    let mut venue = Bybit::quoted();
    let orders = [
        limit("spot", "Buy", "0.01", "36000"),
        limit("linear", "Buy", "0.01", "36000"),
    ];
    let transfer = json!({ "transferId": "t", "coin": "USDT", "amount": "1", "fromAccountType": "FUND", "toAccountType": "UNIFIED" });
    let all = Permissions::trading();
    let rows = [
        (
            Permissions {
                read_only: true,
                ..all
            },
            [10_005, 10_005, 10_005],
        ),
        (Permissions { spot: false, ..all }, [10_005, 0, 0]),
        (
            Permissions {
                contracts: false,
                ..all
            },
            [0, 10_005, 131_214],
        ),
        (
            Permissions {
                transfer: false,
                ..all
            },
            [0, 0, 10_005],
        ),
    ];
    for (at, (permissions, wanted)) in rows.into_iter().enumerate() {
        let (account, key) = (venue.account, format!("key{at}"));
        venue.server.at(venue.now, |exchange| {
            exchange.add_key(account, &key, Verifier::Hmac(SECRET.into()), permissions);
        });
        venue.key = key;
        let code = |venue: &mut Bybit, path: &str, fields: &Value| {
            venue.act(path, fields)["retCode"].as_i64().unwrap()
        };
        let found = [
            code(&mut venue, "/v5/order/create", &orders[0]),
            code(&mut venue, "/v5/order/create", &orders[1]),
            code(&mut venue, "/v5/asset/transfer/inter-transfer", &transfer),
        ];
        assert_eq!(found, wanted, "{permissions:?}");
        venue.later(1_000);
    }
    let told = venue.get("/v5/user/query-api", "");
    assert_eq!(told["permissions"]["Wallet"], json!([]));
    assert_eq!(told["readOnly"], 0);
}

#[test]
fn each_endpoint_counts_its_own_requests_a_second_and_says_what_is_left() {
    let mut venue = Bybit::quoted();
    let header = |venue: &mut Bybit, name: &str, body: &str| {
        let request = venue.signed("POST", "/v5/order/create", "", body);
        let response = venue.send(request);
        let mut headers = response.headers.iter();
        let value = headers
            .find(|(header, _)| header == name)
            .unwrap()
            .1
            .clone();
        (
            value,
            crate::kit::body(&response)["retCode"].as_i64().unwrap(),
        )
    };
    let linear = limit("linear", "Buy", "0.01", "36000").to_string();
    for left in (0..10).rev() {
        assert_eq!(
            header(&mut venue, "X-Bapi-Limit-Status", &linear),
            (left.to_string(), 0)
        );
    }
    let start = venue.now.nanos() / 1_000_000;
    let reset = (start / 1_000 + 1) * 1_000;
    assert_eq!(
        header(&mut venue, "X-Bapi-Limit-Reset-Timestamp", &linear),
        (reset.to_string(), 10_006)
    );
    // Spot has a pool of its own, and so have reads.
    let spot = limit("spot", "Buy", "0.01", "36000").to_string();
    assert_eq!(
        header(&mut venue, "X-Bapi-Limit", &spot),
        ("20".to_owned(), 0)
    );
    venue.get("/v5/order/realtime", "category=linear&symbol=BTCUSDT");
    venue.later(1_000);
    assert_eq!(
        header(&mut venue, "X-Bapi-Limit-Status", &linear),
        ("9".to_owned(), 0)
    );
}

#[test]
fn an_address_that_asks_too_much_is_answered_403_for_a_while() {
    let few = Settings {
        limits: Limits {
            requests_5s: 5,
            ban_s: 600,
            ..Limits::default()
        },
        ..settings()
    };
    let mut venue = Bybit::quoted_with(few, funded());
    let status = |venue: &mut Bybit| {
        let request = venue.signed("GET", "/v5/market/time", "", "");
        let response = venue.send(request);
        let is_page = serde_json::from_slice::<Value>(&response.body).is_err();
        (response.status, is_page)
    };
    for _ in 0..5 {
        assert_eq!(status(&mut venue), (200, false));
    }
    assert_eq!(status(&mut venue), (403, true));
    venue.later(599_000);
    assert_eq!(status(&mut venue), (403, true), "it lasts ten minutes");
    venue.later(1_000);
    assert_eq!(status(&mut venue), (200, false));
}

#[test]
fn what_is_not_here_is_not_found() {
    let mut venue = Bybit::quoted();
    for (method, path) in [
        ("GET", "/v5/nothing"),
        ("GET", "/v5/order/create"),
        ("POST", "/v5/position/switch-isolated"),
    ] {
        let request = venue.signed(method, path, "", "");
        assert_eq!(venue.send(request).status, 404, "{method} {path}");
    }
    let odd = venue.signed("POST", "/v5/order/create", "", "no json");
    assert_eq!(code(&mut venue, odd), 10_001);
    let signed = sign(SECRET, "x");
    assert_eq!(signed.len(), 64);
}
