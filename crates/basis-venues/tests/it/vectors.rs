//! The shared material, and rules read out of it.

use std::collections::BTreeMap;
use std::path::Path;

use basis_core::rules::{Accounts, Fees, RuleSnapshot, TransferRules};
use basis_core::types::{Account, Label, Symbol, Timestamp, Venue};
use basis_venues::binance::codec::replies;
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
