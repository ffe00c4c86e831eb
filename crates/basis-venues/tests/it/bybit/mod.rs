//! Bybit's codec beside material that is not ours.

mod requests;
mod samples;
#[cfg(feature = "live")]
mod signing;
mod ways;

use basis_core::num::{Fixed18, Rate, Value};
use basis_core::rules::{Accounts, Fees, MarginTier, RuleSnapshot, TransferRules};
use basis_core::types::{Account, Label, Symbol, Timestamp, Venue};
use basis_venues::bybit::codec::replies::{self, Tiers};
use basis_venues::bybit::codec::requests;

use crate::bench::Bench;
use crate::vectors::{BTC, Items, file};

pub(crate) const BYBIT: Venue = Venue::literal("bybit");

pub(crate) fn account(name: &str) -> Account {
    Account::new(BYBIT, Label::new(name).unwrap())
}

/// The rules that the clients of the recorded requests worked with, read by the codec.
pub(crate) fn bench() -> Option<Bench> {
    let replies: Items = serde_json::from_str(&file("fixtures/bybit_raw.json")?).unwrap();
    let body = |category: &str| {
        let name = format!("GET /v5/market/instruments-info?category={category}");
        replies[&name].get().as_bytes()
    };
    let wanted = [BTC, Symbol::literal("ETHUSDT")];
    let spot = replies::spot_instruments(body("spot"), BYBIT, &wanted).unwrap();
    let tiers = wanted.map(|symbol| Tiers {
        symbol: symbol.to_string(),
        tiers: vec![MarginTier {
            up_to: Fixed18::literal("2000000"),
            initial_margin_rate: Rate::literal("0.01"),
            maintenance_margin_rate: Rate::literal("0.005"),
            deduction: Value::ZERO,
            max_leverage: Fixed18::literal("100"),
        }],
    });
    let perps = replies::perp_instruments(body("linear"), BYBIT, &wanted, &tiers).unwrap();
    assert_eq!((spot.len(), perps.len()), (2, 2));
    assert!(spot.iter().chain(&perps).all(|listed| listed.trading));
    let instruments = spot.into_iter().chain(perps).map(|listed| listed.rules);
    Some(Bench {
        venue: BYBIT,
        requests,
        rules: RuleSnapshot {
            effective_from: Timestamp::EPOCH,
            accounts: Accounts {
                deposit: account("funding"),
                spot: account("unified"),
                perp: account("unified"),
            },
            fees: Fees::default(),
            instruments: instruments.collect(),
            transfers: TransferRules::default(),
            assets: Vec::new(),
        },
    })
}
