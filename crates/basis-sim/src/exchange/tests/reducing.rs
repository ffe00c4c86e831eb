//! Liquidation in steps.

use basis_core::instruction::{MarginMode, TimeInForce};
use basis_core::ledger::EntryKind;
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::rules::VenueRules;
use basis_core::types::{InstructionId, Side};
use basis_core::venue_event::EventKind;

use crate::exchange::ExchangeSettings;
use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit, okx};

/// Tiers wide apart, so that a lower one frees margin: 1 %, 2 % and 5 %, and a small fee.
fn tiered(venue: &str, whole: bool) -> VenueRules {
    rules_with(venue, |perp| {
        perp["liquidation_fee_bps"] = "10".into();
        perp["tier_method"] = if whole { "whole" } else { "deduction" }.into();
        perp["tier_unit"] = "notional".into();
        perp["tiers"] = serde_json::json!([
            { "up_to": "100000", "initial_margin_rate": "0.02",
              "maintenance_margin_rate": "0.01", "deduction": "0", "max_leverage": "50" },
            { "up_to": "200000", "initial_margin_rate": "0.04",
              "maintenance_margin_rate": "0.02", "deduction": "1000", "max_leverage": "25" },
            { "up_to": "1000000", "initial_margin_rate": "0.1",
              "maintenance_margin_rate": "0.05", "deduction": "7000", "max_leverage": "10" },
        ]);
    })
}

fn at_eight(settings: &mut ExchangeSettings) {
    settings.leverage = Fixed18::from_int(8);
}

/// Price, what was closed of the position, fee.
type Forced = (Price, Quantity, Quantity);

fn forced(events: &[Reported]) -> Vec<Forced> {
    let close = |event: &Reported| match &event.kind {
        EventKind::Liquidation(close) => {
            Some((close.price, close.closing.neg().unwrap(), close.fee))
        }
        _ => None,
    };
    events.iter().filter_map(close).collect()
}

#[test]
fn binance_and_bybit_reduce_to_the_highest_tier_that_holds() {
    // 5 BTC short at 50,000 with 50,000 − 125: tier 3, LP = (49,875 + 250,000 + 7,000) ÷ (5 × 1.05)
    // = 58,452.38, up to the tick 58,452.4. Tier 2 ends at 200,000 ÷ 58,452.4 = 3.421 BTC, so 1.579
    // go: a loss of 1.579 × 8,452.4 = 13,346.3396 and 0.1 % of 92,296.34 as fee.
    for (profile, account) in [(&binance::PROFILE, "usdm"), (&bybit::PROFILE, "unified")] {
        let bars = Bars::flat("50000").bar(2, ["50000", "58500", "50000", "58000"]);
        let mut desk = Desk::new(profile, &bars, &[], &[(account, "USDT", "50000")])
            .under(tiered(profile.venue.as_str(), false))
            .with(at_eight);
        desk.perp(Side::Sell, "5").unwrap();
        desk.run(perp_limit(Side::Sell, "0.01", "70000", TimeInForce::Gtc))
            .unwrap();
        let events = desk.to(2);
        assert_eq!(
            events[0].settles(),
            Some(InstructionId::plain(2)),
            "orders go first"
        );
        let expected: Vec<Forced> = vec![(p("58452.4"), q("-1.579"), q("92.29634"))];
        assert_eq!(forced(&events), expected);
        let [left] = desk.venue.books.positions.as_slice() else {
            panic!("a part stays")
        };
        assert_eq!(left.position.quantity, q("-3.421"));
        // 49,875 − 13,346.3396 − 92.29634.
        assert_eq!(desk.held(account, "USDT"), q("36436.36406"));
        assert_eq!(desk.to(3), []);
    }
}

#[test]
fn what_still_does_not_hold_is_reduced_again_and_then_closed() {
    let bars = Bars::flat("50000").bar(2, ["50000", "63000", "50000", "63000"]);
    let balances = [("usdm", "USDT", "50000")];
    let mut desk = Desk::new(&binance::PROFILE, &bars, &[], &balances)
        .under(tiered("binance", false))
        .with(at_eight);
    desk.perp(Side::Sell, "5").unwrap();
    let steps = forced(&desk.to(2));
    // 5 → 3.421 (tier 2) at 58,452.4; → tier 1 where the rest meets its margin; → nothing.
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(
        steps.windows(2).all(|pair| pair[0].0 <= pair[1].0),
        "{steps:?}"
    );
    let sum = steps
        .iter()
        .try_fold(Quantity::ZERO, |sum, step| sum.add(step.1));
    assert_eq!(sum.unwrap(), q("-5"));
    assert!(desk.venue.books.positions.is_empty());
    assert!(desk.held("usdm", "USDT") >= Quantity::ZERO);
}

#[test]
fn okx_goes_down_two_tiers_at_a_time_from_the_third() {
    // 5 BTC at 50,000 with 50,000 − 125 at 5 % on all: LP = (49,875 + 250,000) ÷ 5.25 = 57,119.05,
    // tick 57,119.1; tier 1 ends at 100,000 ÷ 57,119.1 = 1.75 BTC.
    let bars = Bars::flat("50000").bar(2, ["50000", "57500", "50000", "57000"]);
    let balances = [("trading", "USDT", "50000")];
    let mut desk = Desk::new(&okx::PROFILE, &bars, &[], &balances)
        .under(tiered("okx", true))
        .with(at_eight);
    desk.perp(Side::Sell, "5").unwrap();
    let steps = forced(&desk.to(2));
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!((steps[0].0, steps[0].1), (p("57119.1"), q("-3.25")));
    assert_eq!(desk.venue.books.positions[0].position.quantity, q("-1.75"));
}

#[test]
fn okx_closes_all_below_the_third_tier() {
    let bars = Bars::flat("50000").bar(2, ["50000", "64000", "50000", "63000"]);
    let balances = [("trading", "USDT", "40000")];
    let mut desk = Desk::new(&okx::PROFILE, &bars, &[], &balances)
        .under(tiered("okx", true))
        .with(at_eight);
    desk.perp(Side::Sell, "3").unwrap();
    let steps = forced(&desk.to(2));
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(steps[0].1, q("-3"));
}

#[test]
fn an_isolated_position_is_reduced_on_its_own_margin() {
    let bars = Bars::flat("50000").bar(2, ["50000", "58500", "50000", "58000"]);
    let balances = [("unified", "USDT", "90125")];
    let mut desk = Desk::new(&bybit::PROFILE, &bars, &[], &balances)
        .under(tiered("bybit", false))
        .with(|settings| settings.margin_mode = MarginMode::Isolated);
    desk.perp(Side::Sell, "5").unwrap();
    // 50,000 of margin: LP = 307,000 ÷ 5.25 = 58,476.19, tick 58,476.2; tier 2 ends at 3.42 BTC.
    let events = desk.to(2);
    assert_eq!(
        forced(&events),
        [(p("58476.2"), q("-1.58"), q("92.392396"))]
    );
    let open = desk.venue.books.positions[0];
    // 50,000 − 1.58 × 8,476.2 − 92.392396.
    assert_eq!(open.margin, Some(q("36515.211604")));
    let kinds: Vec<_> = events[0].entries.iter().map(|e| e.kind).collect();
    let expected = [
        EntryKind::Trade,
        EntryKind::RealizedPnl,
        EntryKind::Liquidation,
    ];
    assert_eq!(kinds, expected);
    // The free 40,000 are untouched.
    assert_eq!(desk.held("unified", "USDT"), q("76515.211604"));
}
