//! Signatures beside published ones and those of the official SDKs, and that no key is ever shown.

use basis_core::secret::Secret;
use basis_core::types::Timestamp;
use basis_venues::binance::codec::signing::{KeyError, Keys};
use basis_venues::binance::codec::{
    Draft, Network, Product, Signer, Stamp, open_listen_key, open_orders, replies,
};

use crate::vectors::{Signed, verified_signatures};

fn keys(secret: &str) -> Result<Keys, KeyError> {
    Keys::new(
        Secret::new("thekeysname".to_owned()),
        &Secret::new(secret.to_owned()),
    )
}

#[test]
fn every_verified_signature_comes_out_again() {
    let Some(vectors) = verified_signatures("binance") else {
        return;
    };
    let (mut signed, mut refused) = (0, 0);
    for vector in vectors {
        let text = |key: &str| vector[key].as_str().unwrap();
        let secret = vector["secret"]
            .as_str()
            .or(vector["private_key_pem"].as_str());
        if text("alg").starts_with("RSA") {
            assert_eq!(keys(secret.unwrap()).unwrap_err(), KeyError::NotEd25519);
            refused += 1;
            continue;
        }
        let signature = keys(secret.unwrap()).unwrap().sign(text("payload"));
        assert_eq!(signature.expose(), text("signature"), "{}", vector["id"]);
        signed += 1;
    }
    assert_eq!((signed, refused), (17, 2));
}

#[test]
fn the_recorded_texts_of_sdks_get_the_signatures_they_were_sent_with() {
    let Some(signed) = Signed::of("binance") else {
        return;
    };
    let keys = keys(&signed.secret).unwrap();
    for (text, signature) in &signed.texts {
        assert_eq!(keys.sign(text).expose(), signature);
    }
    let compared = signed.texts.len();
    assert!(compared > 70, "{compared}");
}

#[test]
fn the_signature_is_last_and_covers_what_stands_before_it() {
    const PEM: &str = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\\n-----END PRIVATE KEY-----";
    let draft: Draft = open_orders(Product::UsdM);
    let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
    for secret in ["thesecretitself", PEM] {
        let keys = keys(secret).unwrap();
        let request = draft.finish(Network::Live, stamp, &keys).unwrap();
        let (head, signature) = request.url.split_once("&signature=").unwrap();
        let (_, text) = head.split_once('?').unwrap();
        assert_eq!(text, "recvWindow=3000&timestamp=1700000000000");
        assert_eq!(text, draft.signed_text(stamp));
        assert_eq!(signature, keys.signature(text).expose());
        assert!(!signature.contains(['+', '/', '=', '&']), "{signature}");
        assert_eq!(
            request.headers,
            [("X-MBX-APIKEY".to_owned(), "thekeysname".to_owned())]
        );
        assert_eq!(keys.can_log_on(), secret == PEM);
    }
}

#[test]
fn a_listen_key_is_asked_for_with_the_key_alone_and_is_a_secret() {
    let stamp = Stamp::new(Timestamp::EPOCH);
    let keys = keys("thesecretitself").unwrap();
    let request = open_listen_key()
        .finish(Network::Live, stamp, &keys)
        .unwrap();
    assert_eq!(request.url, "https://fapi.binance.com/fapi/v1/listenKey");
    assert_eq!(request.headers[0].1, "thekeysname");
    let key = replies::listen_key(br#"{"listenKey":"pqia91ma"}"#).unwrap();
    assert_eq!(
        (key.expose(), format!("{key:?}")),
        ("pqia91ma", "[secret]".to_owned())
    );
}

#[test]
fn no_key_and_no_signature_is_in_any_text_that_is_shown() {
    const PEM_BODY: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v";
    let stamp = Stamp::new(Timestamp::from_millis(1_700_000_000_000));
    let keys = keys("thesecretitself").unwrap();
    let draft = open_orders(Product::Spot);
    let request = draft.finish(Network::Live, stamp, &keys).unwrap();
    let signature = keys.sign(&draft.signed_text(stamp));
    let broken = format!("-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n-----END PRIVATE KEY-----");
    let error = self::keys(&broken).unwrap_err();
    let wallet = basis_venues::binance::codec::reads::key_permissions();
    let no_host = wallet.finish(Network::Demo, stamp, &keys).unwrap_err();
    let shown = format!(
        "{keys:?} {keys:#?} {request:?} {request:#?} {draft:?} {stamp:?} {error} {error:?} {no_host} {no_host:?} {:?} {:?}",
        keys.api_key(),
        signature
    );
    for secret in [
        "thesecretitself",
        "thekeysname",
        signature.expose(),
        PEM_BODY,
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
