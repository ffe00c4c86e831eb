//! A book in hedge mode, from a strategy of a third party to a run directory that the auditor agrees
//! with: both sides of one perp, their funding, and what reducing each of them yields.

use std::fs;
use std::path::Path;

use basis::core::instruction::{Operation, Transfer};
use basis::core::num::Quantity;
use basis::core::plan::Leg;
use basis::core::types::{
    Account, InstrumentKey, InstrumentKind, Label, PositionSide, Side, Span, Symbol, Timestamp,
    Venue,
};
use basis::data::synthetic::{SyntheticSpec, synthetic};
use basis::data::{LoadRequest, load};
use serde_json::Value as Json;

use crate::files;
use crate::runner::{Scratch, agrees};
use crate::scripted::{self, Script, plan};

const BINANCE: Venue = Venue::literal("binance");
const HOURS: i64 = 30;

fn hour(number: i64) -> Timestamp {
    SyntheticSpec::default()
        .start
        .plus(Span::from_hours(number))
}

fn perp() -> InstrumentKey {
    InstrumentKey::new(BINANCE, InstrumentKind::Perp, Symbol::literal("BTCUSDT"))
}

fn leg(position: PositionSide, side: Side, quantity: &str) -> Leg {
    let key = perp().sided(Some(position));
    Leg::market(key, side, quantity.parse().unwrap(), false)
}

fn send(from: Account, to: Account) -> Leg {
    let operation = Operation::Transfer(Transfer {
        asset: "USDT".parse().unwrap(),
        amount: Quantity::literal("40000"),
        from,
        to,
    });
    Leg::new(from.venue, operation)
}

fn script() -> Script {
    use PositionSide::{Long, Short};
    let account = |name| Account::new(BINANCE, Label::literal(name));
    let (deposit, margin) = (account("spot"), account("usdm"));
    let plans = [
        (1, vec![send(Account::WALLET, deposit)]),
        (3, vec![send(deposit, margin)]),
        (
            4,
            vec![leg(Long, Side::Buy, "1"), leg(Short, Side::Sell, "0.4")],
        ),
        (
            20,
            vec![leg(Long, Side::Sell, "0.3"), leg(Short, Side::Sell, "0.2")],
        ),
        (26, vec![leg(Short, Side::Buy, "0.6")]),
    ];
    let plans = plans.into_iter().map(|(at, legs)| (hour(at), plan(legs)));
    Script(plans.collect())
}

/// Runs the script on the files in `data` and leaves its directory at `out`.
fn run(data: &Path, out: &Path) {
    let sets = [
        "venue_settings.binance.position_mode=hedge",
        "hedge_allocation={ binance: 1, bybit: 0, okx: 0 }",
        "risk.net_delta_halt=10",
        "data.gaps=hold",
    ];
    let setup = scripted::setup("btc_basis", &sets, (hour(0), hour(HOURS)));
    let series = setup.required_series().unwrap();
    let wanted = LoadRequest {
        ids: series.clone(),
        ..LoadRequest::default()
    };
    let loaded = load(data, &wanted, &|_| {}).unwrap();
    scripted::run(&setup, (loaded.data, &series), script(), out);
}

#[test]
fn both_sides_of_a_perp_agree_with_the_auditor() {
    let dir = Scratch::new();
    let (data, out) = (dir.path().join("data"), dir.path().join("run"));
    let market = synthetic(&SyntheticSpec {
        bars: usize::try_from(HOURS).unwrap(),
        ..SyntheticSpec::default()
    });
    files::write(&data, &market);
    // One settlement is not recorded: both sides are listed with what they held.
    let rates = data.join("funding/binance/BTCUSDT.csv");
    let text = fs::read_to_string(&rates).unwrap();
    let rows: Vec<_> = text
        .lines()
        .filter(|row| !row.starts_with("2024-01-01T16"))
        .collect();
    fs::write(&rates, rows.join("\n") + "\n").unwrap();
    run(&data, &out);
    let positions = fs::read_to_string(out.join("positions.csv")).unwrap();
    for item in [
        "binance:perp:BTCUSDT:long,0.7,",
        "binance:perp:BTCUSDT:short,-0.6,",
    ] {
        assert!(positions.contains(item), "{item}");
    }
    let summary = fs::read_to_string(out.join("summary.json")).unwrap();
    let summary: Json = serde_json::from_str(&summary).unwrap();
    // 08:00 and 00:00, two sides each; 16:00 was left out.
    assert_eq!(summary["counts"]["funding_payments"], 4);
    assert_eq!(summary["unbooked_funding"].as_array().unwrap().len(), 2);
    agrees(&out, Some(&data));
}
