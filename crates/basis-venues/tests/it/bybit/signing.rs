//! Signatures beside published ones and those of the official SDK, and that no key is ever shown.

use basis_core::secret::Secret;
use basis_core::types::Timestamp;
use basis_venues::bybit::codec::signing::{KeyError, Keys};
use basis_venues::bybit::codec::{Network, finish, reads, signed_text, stream};
use basis_venues::wire::{HeaderSigner, Stamp};
use serde_json::Value;

use crate::vectors::{Signed, verified_signatures};

fn keys(name: &str, secret: &str) -> Result<Keys, KeyError> {
    Keys::new(
        Secret::new(name.to_owned()),
        &Secret::new(secret.to_owned()),
    )
}

#[test]
fn every_verified_signature_comes_out_again() {
    let Some(vectors) = verified_signatures("bybit") else {
        return;
    };
    let mut signed = 0;
    for vector in vectors {
        let text = |key: &str| vector[key].as_str();
        let secret = text("secret").or(text("private_key_pem")).unwrap();
        let signature = keys("thekeysname", secret)
            .unwrap()
            .sign(text("payload").unwrap());
        assert_eq!(
            signature.expose(),
            text("signature").unwrap(),
            "{}",
            vector["id"]
        );
        signed += 1;
    }
    assert!(signed >= 8, "{signed}");
}

#[test]
fn the_recorded_texts_of_sdks_get_the_signatures_they_were_sent_with() {
    let Some(signed) = Signed::of("bybit") else {
        return;
    };
    let keys = keys(&signed.key, &signed.secret).unwrap();
    for (text, signature) in &signed.texts {
        assert_eq!(keys.sign(text).expose(), signature);
    }
    let compared = signed.texts.len();
    assert!(compared > 60, "{compared}");
}

#[test]
fn the_signed_text_is_stamp_key_window_and_the_bytes_sent() {
    let keys = keys("thekeysname", "thesecretitself").unwrap();
    let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
    let draft = reads::balances();
    let request = finish(&draft, Network::Live, stamp, &keys).unwrap();
    let text = signed_text(stamp, "thekeysname", "accountType=UNIFIED");
    assert_eq!(text, "1700000000000thekeysname3000accountType=UNIFIED");
    let header = |name: &str| {
        let mut headers = request.headers.iter();
        headers
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("X-BAPI-SIGN"), Some(keys.sign(&text).expose()));
    assert_eq!(header("X-BAPI-RECV-WINDOW"), Some("3000"));
    assert_eq!(header("X-BAPI-TIMESTAMP"), Some("1700000000000"));
    // A read has no body, and says nothing of one.
    assert_eq!((header("Content-Type"), request.body.len()), (None, 0));
    let public = finish(&reads::server_time(), Network::Live, stamp, &keys).unwrap();
    assert_eq!(
        (public.headers.len(), public.url.as_str()),
        (0, "https://api.bybit.com/v5/market/time")
    );
}

#[test]
fn a_login_is_signed_until_its_expiry() {
    let keys = keys("test_api_key", "test_secret").unwrap();
    let login = stream::login(&keys, Timestamp::from_millis(1_700_000_000_000));
    let frame: Value = serde_json::from_str(login.expose()).unwrap();
    assert_eq!(frame["op"], "auth");
    // Verified by another client: `bybit.ws.auth` of the shared signatures.
    let signature = "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925";
    assert_eq!(
        frame["args"],
        serde_json::json!(["test_api_key", 1_700_000_000_000_i64, signature])
    );
    let topics: Value = serde_json::from_str(&stream::subscribe()).unwrap();
    assert_eq!(topics["args"].as_array().unwrap().len(), 4);
    assert!(serde_json::from_str::<Value>(stream::ping()).is_ok());
}

#[test]
fn no_key_and_no_signature_is_in_any_text_that_is_shown() {
    const PEM_BODY: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v";
    let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
    let keys = keys("thekeysname", "thesecretitself").unwrap();
    let request = finish(&reads::balances(), Network::Live, stamp, &keys).unwrap();
    let login = stream::login(&keys, Timestamp::EPOCH);
    let broken = format!("-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n-----END PRIVATE KEY-----");
    let error = self::keys("thekeysname", &broken).unwrap_err();
    assert_eq!(self::keys("x", " ").unwrap_err(), KeyError::Empty);
    let shown = format!(
        "{keys:?} {keys:#?} {request:?} {request:#?} {login:?} {error} {error:?} {:?} {:?}",
        keys.api_key(),
        keys.sign("x")
    );
    for secret in [
        "thesecretitself",
        "thekeysname",
        keys.sign("x").expose(),
        PEM_BODY,
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
