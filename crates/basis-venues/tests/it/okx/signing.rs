//! Signatures beside verified ones and those of the official SDK, and that no key is ever shown.

use basis_core::secret::Secret;
use basis_core::types::Timestamp;
use basis_venues::okx::codec::signing::{KeyError, Keys};
use basis_venues::okx::codec::{Network, finish, reads, signed_text, stream};
use basis_venues::wire::{HeaderSigner, Stamp};
use serde_json::Value;

use crate::vectors::{Signed, verified_signatures};

fn keys(secret: &str, passphrase: &str) -> Result<Keys, KeyError> {
    Keys::new(
        Secret::new("thekeysname".to_owned()),
        &Secret::new(secret.to_owned()),
        Secret::new(passphrase.to_owned()),
    )
}

#[test]
fn every_verified_signature_comes_out_again() {
    let Some(vectors) = verified_signatures("okx") else {
        return;
    };
    let mut signed = 0;
    for vector in vectors {
        let text = |key: &str| vector[key].as_str().unwrap();
        let signature = keys(text("secret"), "x").unwrap().sign(text("payload"));
        assert_eq!(signature.expose(), text("signature"), "{}", vector["id"]);
        let parts = &vector["parts"];
        if let Some(stamp) = parts["timestamp"].as_str() {
            let part = |key: &str| parts[key].as_str().unwrap();
            let built = signed_text(stamp, part("method"), part("path"), part("body"));
            assert_eq!(built, text("payload"));
        }
        signed += 1;
    }
    assert!(signed >= 8, "{signed}");
}

#[test]
fn the_recorded_texts_of_sdks_get_the_signatures_they_were_sent_with() {
    let Some(signed) = Signed::of("okx") else {
        return;
    };
    let keys = keys(&signed.secret, "x").unwrap();
    for (text, signature) in &signed.texts {
        assert_eq!(keys.sign(text).expose(), signature);
    }
    let compared = signed.texts.len();
    assert!(compared > 60, "{compared}");
}

#[test]
fn the_query_belongs_to_the_signed_path() {
    let keys = keys("thesecretitself", "thepassphrase").unwrap();
    let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_123));
    let draft = reads::withdrawable(basis_core::types::Asset::literal("USDT"));
    let request = finish(&draft, Network::Live, stamp, &keys).unwrap();
    let path = "/api/v5/account/max-withdrawal?ccy=USDT";
    assert_eq!(request.url, format!("https://openapi.okx.com{path}"));
    let text = signed_text("2023-11-14T22:13:20.123Z", "GET", path, "");
    let header = |name: &str| {
        let mut headers = request.headers.iter();
        headers
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(header("OK-ACCESS-SIGN"), Some(keys.sign(&text).expose()));
    assert_eq!(
        header("OK-ACCESS-TIMESTAMP"),
        Some("2023-11-14T22:13:20.123Z")
    );
    assert_eq!(header("OK-ACCESS-PASSPHRASE"), Some("thepassphrase"));
    assert_eq!(header("x-simulated-trading"), None);
    let demo = finish(&draft, Network::Demo, stamp, &keys).unwrap();
    assert!(
        demo.headers
            .contains(&("x-simulated-trading".to_owned(), "1".to_owned()))
    );
}

#[test]
fn a_login_is_stamped_in_whole_seconds() {
    let keys = keys("vectorsecret0123456789", "thepassphrase").unwrap();
    let login = stream::login(&keys, Timestamp::from_millis(1_700_000_000_999));
    let frame: Value = serde_json::from_str(login.expose()).unwrap();
    assert_eq!(
        (&frame["op"], &frame["args"][0]["timestamp"]),
        (&"login".into(), &"1700000000".into())
    );
    // Verified by two implementations: `okx.own.4` of the shared signatures.
    assert_eq!(
        frame["args"][0]["sign"],
        "kL82S3mfCXivD7Yfk1maydOcRKb4pKsGOj56pqKnp/k="
    );
    let topics: Value = serde_json::from_str(stream::subscribe()).unwrap();
    assert_eq!(topics["args"].as_array().unwrap().len(), 4);
}

#[test]
fn no_key_and_no_signature_is_in_any_text_that_is_shown() {
    let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
    let keys = keys("thesecretitself", "thepassphrase").unwrap();
    let request = finish(&reads::balances(), Network::Live, stamp, &keys).unwrap();
    let login = stream::login(&keys, Timestamp::EPOCH);
    assert_eq!(self::keys(" ", "x").unwrap_err(), KeyError::Empty);
    assert_eq!(self::keys("x", "").unwrap_err(), KeyError::NoPassphrase);
    let pem = self::keys("-----BEGIN PRIVATE KEY-----\nMC4CAQ", "x").unwrap_err();
    assert_eq!(pem, KeyError::Pem);
    let shown = format!(
        "{keys:?} {keys:#?} {request:?} {request:#?} {login:?} {pem} {pem:?} {:?} {:?} {:?}",
        keys.api_key(),
        keys.passphrase(),
        keys.sign("x")
    );
    for secret in [
        "thesecretitself",
        "thekeysname",
        "thepassphrase",
        keys.sign("x").expose(),
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
