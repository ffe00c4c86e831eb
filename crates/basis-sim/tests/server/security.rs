//! Keys, signatures, clocks and permissions.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use basis_core::transport::Request;
use basis_sim::server::binance::{Permissions, Verifier};
use serde_json::Value;

use crate::kit::{KEY, SECRET, Venue, body, sign, unsigned};
use crate::samples::file;

const ACCOUNT: &str = "/api/v3/account";

fn base64(text: &str) -> Vec<u8> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes().filter(|b| *b != b'=' && *b != b'\n') {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let at = alphabet.iter().position(|b| *b == letter).unwrap();
        bits = bits << 6 | u32::try_from(at).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

fn pair(pem: &str) -> Ed25519KeyPair {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Ed25519KeyPair::from_pkcs8(&base64(&body)).unwrap()
}

fn verifier(vector: &Value) -> Option<Verifier> {
    if let Some(secret) = vector["secret"].as_str() {
        return Some(Verifier::Hmac(secret.into()));
    }
    let pem = vector["private_key_pem"].as_str()?;
    let public = pair(pem).public_key().as_ref().try_into().unwrap();
    Some(Verifier::Ed25519(public))
}

#[test]
fn verified_signatures_are_accepted_and_a_changed_byte_is_refused() {
    let Some(vectors) = file("signing.json") else {
        return;
    };
    let mut accepted = 0;
    for vector in vectors["vectors"].as_array().unwrap() {
        let is_rsa = vector["alg"].as_str().unwrap().starts_with("RSA");
        if vector["venue"] != "binance" || vector["verified"] != true || is_rsa {
            continue;
        }
        let (payload, signature) = (vector["payload"].as_str(), vector["signature"].as_str());
        let (payload, signature) = (payload.unwrap().as_bytes(), signature.unwrap());
        let verifier = verifier(vector).unwrap();
        assert!(verifier.accepts(payload, signature), "{}", vector["id"]);
        let mut changed = payload.to_vec();
        changed[0] ^= 1;
        assert!(!verifier.accepts(&changed, signature), "{}", vector["id"]);
        let other = if signature.starts_with('a') { "b" } else { "a" };
        let changed = format!("{other}{}", &signature[1..]);
        assert!(!verifier.accepts(payload, &changed), "{}", vector["id"]);
        accepted += 1;
    }
    assert_eq!(accepted, 17);
}

#[test]
fn a_signature_over_query_and_body_together_is_accepted() {
    let mut venue = Venue::quoted();
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
    let form = format!("quantity=0.01&price=36000&timestamp={}", venue.now_ms());
    let signature = sign(SECRET, &format!("{query}{form}"));
    let request = |form: &str| Request {
        method: "POST",
        url: format!("/api/v3/order?{query}"),
        headers: vec![("x-mbx-apikey".to_owned(), KEY.to_owned())],
        body: format!("{form}&signature={}", signature.to_uppercase()).into_bytes(),
    };
    let response = venue.send(request(&form));
    assert_eq!(response.status, 200, "{}", body(&response));
    let response = venue.send(request(&form.replace("36000", "36001")));
    assert_eq!(body(&response)["code"], -1022);
}

#[test]
fn an_ed25519_key_signs_requests() {
    let pem = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
    let pair = pair(pem);
    let mut venue = Venue::new();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let (now, account) = (venue.now, venue.account);
    venue.server.at(now, |exchange| {
        let verifier = Verifier::Ed25519(public);
        exchange.add_key(account, "ed", verifier, Permissions::trading());
    });
    let query = format!("timestamp={}", venue.now_ms());
    let signature = pair.sign(query.as_bytes());
    let encoded: String = base64_text(signature.as_ref())
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let request = Request {
        headers: vec![("X-MBX-APIKEY".to_owned(), "ed".to_owned())],
        ..unsigned("GET", &format!("{ACCOUNT}?{query}&signature={encoded}"))
    };
    assert_eq!(venue.send(request).status, 200);
}

pub(crate) fn base64_text(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = 0_u32;
        for at in 0..3 {
            word = word << 8 | u32::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let six = usize::try_from(word >> (18 - 6 * at) & 63).unwrap();
            let is_padding = at > chunk.len();
            text.push(if is_padding {
                '='
            } else {
                char::from(alphabet[six])
            });
        }
    }
    text
}

#[test]
fn keys_that_are_absent_malformed_unknown_or_not_allowed_are_refused() {
    let mut venue = Venue::new();
    let response = venue.send(unsigned("GET", &format!("{ACCOUNT}?timestamp=1")));
    assert_eq!(
        (response.status, &body(&response)["code"]),
        (401, &(-2014).into())
    );
    venue.key = "no key".to_owned();
    assert_eq!(venue.refused("GET", ACCOUNT, ""), (401, -2014));
    venue.key = "unknownkey".to_owned();
    assert_eq!(venue.refused("GET", ACCOUNT, ""), (401, -2015));
    venue.key = KEY.to_owned();
    venue.secret = "another".to_owned();
    assert_eq!(venue.refused("GET", ACCOUNT, ""), (400, -1022));
    venue.secret = SECRET.to_owned();
    let (now, account) = (venue.now, venue.account);
    venue.server.at(now, |exchange| {
        let reading = Permissions {
            spot: false,
            futures: false,
            universal_transfer: false,
            ..Permissions::trading()
        };
        exchange.add_key(account, KEY, Verifier::Hmac(SECRET.into()), reading);
    });
    venue.ok("GET", ACCOUNT, "");
    for (path, params) in [
        (
            "/api/v3/order",
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1",
        ),
        (
            "/fapi/v1/order",
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1",
        ),
        (
            "/sapi/v1/asset/transfer",
            "type=MAIN_UMFUTURE&asset=USDT&amount=1",
        ),
    ] {
        assert_eq!(venue.refused("POST", path, params), (401, -2015), "{path}");
    }
    venue.server.at(now, |exchange| exchange.remove_key(KEY));
    assert_eq!(venue.refused("GET", ACCOUNT, ""), (401, -2015));
}

#[test]
fn stamps_outside_the_window_are_refused_on_either_side() {
    let mut venue = Venue::new();
    let send = |venue: &mut Venue, offset: i64, rest: &str| {
        let query = format!("timestamp={}{rest}", venue.now_ms() + offset);
        let signature = sign(SECRET, &query);
        let request = Request {
            headers: vec![("X-MBX-APIKEY".to_owned(), KEY.to_owned())],
            ..unsigned("GET", &format!("{ACCOUNT}?{query}&signature={signature}"))
        };
        let response = venue.send(request);
        (response.status, body(&response)["code"].as_i64())
    };
    assert_eq!(send(&mut venue, -5000, ""), (200, None));
    assert_eq!(send(&mut venue, -5001, ""), (400, Some(-1021)));
    assert_eq!(send(&mut venue, 999, ""), (200, None));
    assert_eq!(send(&mut venue, 1000, ""), (400, Some(-1021)));
    assert_eq!(send(&mut venue, -30_000, "&recvWindow=60000"), (200, None));
    assert_eq!(
        send(&mut venue, -101, "&recvWindow=100.5"),
        (400, Some(-1021))
    );
    assert_eq!(send(&mut venue, 0, "&recvWindow=60001"), (400, Some(-1131)));
    let now = venue.now;
    venue
        .server
        .at(now, |exchange| exchange.set_clock_ahead(6000));
    assert_eq!(send(&mut venue, 0, ""), (400, Some(-1021)));
    let ahead = venue.get("/api/v3/time")["serverTime"].as_i64().unwrap();
    assert_eq!(ahead - venue.now_ms(), 6000);
}

#[test]
fn paths_that_are_not_there_say_so_as_each_family_does() {
    let mut venue = Venue::new();
    let response = venue.send(unsigned("GET", "/api/v3/nothing"));
    assert_eq!(response.status, 404);
    assert!(response.body.starts_with(b"<html>"));
    let response = venue.send(unsigned("GET", "/fapi/v1/nothing"));
    assert_eq!(
        (response.status, &body(&response)["code"]),
        (404, &(-5000).into())
    );
    let mut settings = crate::kit::settings();
    settings.has_wallet = false;
    let mut venue = Venue::with(settings, crate::kit::funded());
    let request = venue.signed("GET", "/sapi/v1/account/apiRestrictions", "");
    assert_eq!(venue.send(request).status, 404, "a test host has no wallet");
}
