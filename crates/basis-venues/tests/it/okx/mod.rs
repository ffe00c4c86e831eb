//! OKX's codec beside material that is not ours.

mod requests;
mod samples;
#[cfg(feature = "live")]
mod signing;
mod ways;

use basis_core::num::{Fixed18, Rate, Value};
use basis_core::rules::{Accounts, Fees, MarginTier, RuleSnapshot, TransferRules};
use basis_core::types::{Account, Label, Span, Symbol, Timestamp, Venue};
use basis_venues::okx::codec::replies::{self, Tiers};
use basis_venues::okx::codec::requests;

use crate::bench::Bench;
use crate::vectors::{BTC, Items, file};

pub(crate) const OKX: Venue = Venue::literal("okx");

pub(crate) fn account(name: &str) -> Account {
    Account::new(OKX, Label::new(name).unwrap())
}

/// The rules that the clients of the recorded requests worked with, read by the codec.
pub(crate) fn bench() -> Option<Bench> {
    let replies: Items = serde_json::from_str(&file("fixtures/okx_raw.json")?).unwrap();
    let body = |product: &str| {
        let name = format!("GET /api/v5/public/instruments?instType={product}");
        replies[&name].get().as_bytes()
    };
    let wanted = [BTC, Symbol::literal("ETHUSDT")];
    let spot = replies::spot_instruments(body("SPOT"), OKX, &wanted).unwrap();
    let tiers = ["BTC-USDT", "ETH-USDT"].map(|family| Tiers {
        family: family.to_owned(),
        tiers: vec![MarginTier {
            up_to: Fixed18::literal("1000"),
            initial_margin_rate: Rate::literal("0.01"),
            maintenance_margin_rate: Rate::literal("0.004"),
            deduction: Value::ZERO,
            max_leverage: Fixed18::literal("100"),
        }],
    });
    let hours =
        ["BTC-USDT-SWAP", "ETH-USDT-SWAP"].map(|symbol| (symbol.to_owned(), Span::from_hours(8)));
    let facts = (&tiers[..], &hours[..]);
    let swaps = replies::swap_instruments(body("SWAP"), OKX, &wanted, facts).unwrap();
    assert_eq!((spot.len(), swaps.len()), (2, 2));
    assert!(
        spot.iter()
            .chain(&swaps)
            .all(|listed| listed.trading && listed.code.is_some())
    );
    let instruments = spot.into_iter().chain(swaps).map(|listed| listed.rules);
    Some(Bench {
        venue: OKX,
        requests,
        rules: RuleSnapshot {
            effective_from: Timestamp::EPOCH,
            accounts: Accounts {
                deposit: account("funding"),
                spot: account("trading"),
                perp: account("trading"),
            },
            fees: Fees::default(),
            instruments: instruments.collect(),
            transfers: TransferRules::default(),
            assets: Vec::new(),
        },
    })
}
