//! The shared material, and rules read out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use basis_core::rules::{Accounts, Fees, RuleSnapshot, TransferRules};
use basis_core::types::{Account, Label, Symbol, Timestamp, Venue};
use basis_venues::binance::codec::replies;
#[cfg(feature = "live")]
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) const BINANCE: Venue = Venue::literal("binance");
pub(crate) const BTC: Symbol = Symbol::literal("BTCUSDT");

/// Texts by name, exactly as they stand in the file.
pub(crate) type Items = BTreeMap<String, Box<RawValue>>;

/// A file of the shared vectors; `None`, loudly, where it is not there.
pub(crate) fn file(name: &str) -> Option<String> {
    // Beside the checkout, or above it where that is a work tree of its own.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut paths = above.map(|folder| folder.join("shared/vectors/cex").join(name));
    let text = paths.find_map(|path| std::fs::read_to_string(path).ok());
    if text.is_none() {
        eprintln!("SKIPPED: there is no shared/vectors/cex/{name} above the checkout");
    }
    text
}

/// The samples of a file.
pub(crate) fn samples(name: &str) -> Option<Items> {
    let mut whole: Items = serde_json::from_str(&file(&format!("responses/{name}.json"))?).unwrap();
    Some(serde_json::from_str(whole.remove("items").unwrap().get()).unwrap())
}

/// Makes a reader of a codec's function into one that says only whether it read.
macro_rules! reads {
    ($reader:expr) => {
        |body| $reader(body).map(drop)
    };
}
pub(crate) use reads;

/// Reads a sample; `refusal` is `""` for what must be read, else what its refusal must say.
pub(crate) fn check<E: fmt::Display>(
    name: &str,
    body: &[u8],
    reader: fn(&[u8]) -> Result<(), E>,
    refusal: &str,
) {
    match (reader(body), refusal) {
        (Ok(()), "") => {}
        (Ok(()), refusal) => panic!("{name} was read, and not refused with {refusal}"),
        (Err(e), "") => panic!("{name}: {e}"),
        (Err(e), refusal) => {
            let message = e.to_string();
            assert!(message.contains(refusal), "{name}: {message}");
        }
    }
}

/// The verified signatures of `venue`; none, loudly, where the material is not there.
#[cfg(feature = "live")]
pub(crate) fn verified_signatures(venue: &str) -> Option<Vec<Value>> {
    let mut all: Value = serde_json::from_str(&file("signing.json")?).unwrap();
    let mut vectors = std::mem::take(all["vectors"].as_array_mut().unwrap());
    vectors.retain(|vector| vector["venue"] == venue && vector["verified"] == Value::Bool(true));
    Some(vectors)
}

/// What clients signed in the recorded requests of `venue`.
#[cfg(feature = "live")]
pub(crate) struct Signed {
    /// The key they signed with.
    pub(crate) key: String,
    /// Its secret.
    pub(crate) secret: String,
    /// Each text with the signature it was sent with.
    pub(crate) texts: Vec<(String, String)>,
}

#[cfg(feature = "live")]
impl Signed {
    /// Those of the requests whose signature was found to fit.
    pub(crate) fn of(venue: &str) -> Option<Self> {
        let text = file(&format!("requests/{venue}.json"))?;
        let recorded: Value = serde_json::from_str(&text).unwrap();
        let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut texts = Vec::new();
        for case in list(&recorded, "cases") {
            for variant in list(&case, "variants") {
                for request in list(&variant, "requests") {
                    let signature = &request["sig"];
                    if signature["ok"] == Value::Bool(true) {
                        texts.push((text(&signature["presign"]), text(&signature["signature"])));
                    }
                }
            }
        }
        Some(Self {
            key: text(&recorded["meta"]["api_key"]),
            secret: text(&recorded["meta"]["api_secret"]),
            texts,
        })
    }
}

/// The rules that the clients of the recorded requests worked with, read by the codec.
pub(crate) fn rules() -> Option<RuleSnapshot> {
    let replies: Items = serde_json::from_str(&file("fixtures/binance_raw.json")?).unwrap();
    let body = |path: &str| replies[path].get().as_bytes();
    let wanted = [BTC, Symbol::literal("ETHUSDT")];
    let spot =
        replies::spot_instruments(body("GET /api/v3/exchangeInfo"), BINANCE, &wanted).unwrap();
    let tiers = replies::tiers(body("GET /fapi/v1/leverageBracket")).unwrap();
    let info = body("GET /fapi/v1/exchangeInfo");
    let perps = replies::perp_instruments(info, BINANCE, &wanted, (&tiers, &[])).unwrap();
    assert!(spot.iter().chain(&perps).all(|listed| listed.trading));
    assert_eq!((spot.len(), perps.len()), (2, 2));
    let instruments = spot.into_iter().chain(perps).map(|listed| listed.rules);
    Some(snapshot(instruments.collect()))
}

fn snapshot(instruments: Vec<basis_core::rules::InstrumentRules>) -> RuleSnapshot {
    RuleSnapshot {
        effective_from: Timestamp::EPOCH,
        accounts: Accounts {
            deposit: account("spot"),
            spot: account("spot"),
            perp: account("usdm"),
        },
        fees: Fees::default(),
        instruments,
        transfers: TransferRules::default(),
        assets: Vec::new(),
    }
}

pub(crate) fn account(name: &str) -> Account {
    Account::new(BINANCE, Label::new(name).unwrap())
}
