//! What halts, and what is too little to halt.

mod approving;

use std::sync::Arc;

use basis_core::config::{Entry, Location, Node, NodeValue, Problems};
use basis_core::event::{Event, EventSink};
use basis_core::num::{Price, Rate, Value};
use basis_core::rules::{RuleBook, VenueRules};
use basis_core::types::{InstrumentKey, InstrumentKind, Span, Symbol, Timestamp, Venue};

use super::{CapitalInTransit, DeltaScale, Dust, RiskLevel, RiskMonitor, Verdict};
use crate::account::Exposure;
use crate::config::RiskConfig;

const ALPHA: Venue = Venue::literal("alpha");
const BTC: Symbol = Symbol::literal("BTCUSDT");

fn node(value: NodeValue) -> Node {
    Node {
        value,
        location: Location::new("rules in code", 0),
    }
}

fn text(value: &str) -> Node {
    node(NodeValue::Text(value.to_owned()))
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    let entry = |(key, node): (&str, Node)| Entry {
        key: key.to_owned(),
        location: Location::new("rules in code", 0),
        node,
    };
    node(NodeValue::Map(entries.into_iter().map(entry).collect()))
}

fn list(items: Vec<Node>) -> Node {
    node(NodeValue::List(items))
}

fn texts(entries: &[(&'static str, &str)]) -> Vec<(&'static str, Node)> {
    let entries = entries.iter();
    entries.map(|(key, value)| (*key, text(value))).collect()
}

/// A market for BTC in lots of 0.01.
fn market(kind: &str) -> Vec<(&'static str, Node)> {
    texts(&[
        ("kind", kind),
        ("symbol", "BTCUSDT"),
        ("venue_symbol", "BTCUSDT"),
        ("base", "BTC"),
        ("quote", "USDT"),
        ("tick_size", "0.01"),
        ("lot_size", "0.01"),
        ("min_quantity", "0.01"),
        ("max_quantity", "100"),
        ("max_market_quantity", "100"),
        ("min_notional", "0"),
    ])
}

/// A venue with spot and a perp whose maintenance margin is a tenth of the notional.
fn rules() -> Arc<RuleBook> {
    let fees = || map(texts(&[("maker_bps", "0"), ("taker_bps", "0")]));
    let tier = texts(&[
        ("up_to", "10000000"),
        ("initial_margin_rate", "0.2"),
        ("maintenance_margin_rate", "0.1"),
        ("deduction", "0"),
        ("max_leverage", "5"),
    ]);
    let mut perp = market("perp");
    perp.extend(texts(&[
        ("contract_size", "1"),
        ("max_leverage", "5"),
        ("liquidation_fee_bps", "0"),
    ]));
    perp.push(("tiers", list(vec![map(tier)])));
    let accounts = texts(&[("deposit", "cash"), ("spot", "cash"), ("perp", "margin")]);
    let snapshot = map(vec![
        ("effective_from", text("1970-01-01")),
        ("accounts", map(accounts)),
        (
            "fees",
            map(vec![
                ("spot", fees()),
                ("perp", fees()),
                ("spot_buy_fee_asset", text("quote")),
            ]),
        ),
        ("instruments", list(vec![map(market("spot")), map(perp)])),
    ]);
    let problems = Problems::new();
    let venue = map(vec![
        ("venue", text("alpha")),
        ("snapshots", list(vec![snapshot])),
    ]);
    let rules = VenueRules::read(&venue, &problems);
    assert_eq!(problems.into_sorted(), []);
    Arc::new(RuleBook::new(rules))
}

#[derive(Debug)]
struct NoEvents;

impl EventSink for NoEvents {
    fn record(&self, _: Event) {}
}

/// The verdict at the second of two assessments of `net` BTC at 50,000, and what brought it about.
fn judged(equity: &str, net: &str) -> (Verdict, Option<String>) {
    let rules = rules();
    let key = InstrumentKey::new(ALPHA, InstrumentKind::Spot, BTC);
    let dust = Dust::Value(Value::literal("10"));
    let (limits, traded) = (RiskConfig::DEFAULT, vec![key]);
    let mut risk = RiskMonitor::new(limits, dust, Arc::clone(&rules), traded);
    let mut exposure = Exposure::new(rules);
    exposure.net_delta = net.parse().unwrap();
    exposure.gross_delta = exposure.net_delta.abs().unwrap();
    let scale = DeltaScale {
        equity: equity.parse().unwrap(),
        reference: Price::literal("50000"),
    };
    let mut assess = |hour| {
        let at = Timestamp::from_seconds(1_704_067_200).plus(Span::from_hours(hour));
        let verdict = risk.assess(at, &exposure, scale, CapitalInTransit::default(), &NoEvents);
        verdict.unwrap()
    };
    assert_eq!(assess(1), Verdict::Proceed, "the strategy has its step");
    let verdict = assess(2);
    assert_eq!(risk.level() == RiskLevel::Halt, verdict == Verdict::Halt);
    (verdict, risk.breach().map(|breach| breach.to_string()))
}

#[test]
fn a_flat_book_with_a_remnant_that_cannot_be_sold_does_not_halt() {
    // Worth 499.50: far beyond dust, all of the gross delta, and less than a lot.
    assert_eq!(judged("100000", "0.00999"), (Verdict::Proceed, None));
    // Even where hardly anything else is left of the book.
    assert_eq!(judged("600", "0.00999"), (Verdict::Proceed, None));
    // Several lots of a large book are little, too.
    assert_eq!(judged("100000", "-0.03"), (Verdict::Proceed, None));
}

#[test]
fn a_broken_hedge_beyond_its_part_of_the_equity_halts() {
    // A quarter of 100,000 at 50,000 is 0.5 BTC.
    assert_eq!(judged("100000", "0.5"), (Verdict::Proceed, None));
    for net in ["0.50001", "-0.50001"] {
        let (verdict, breach) = judged("100000", net);
        assert_eq!(verdict, Verdict::Halt);
        let expected = format!("net_delta {net}, limit 0.25 of the equity");
        assert_eq!(breach, Some(expected));
    }
}

#[test]
fn a_lot_halts_where_nothing_is_left_of_the_equity() {
    assert_eq!(judged("0", "0.00999").0, Verdict::Proceed);
    assert_eq!(judged("0", "0.01").0, Verdict::Halt);
    assert_eq!(judged("-5", "0.01").0, Verdict::Halt);
}

/// The levels of three assessments in a row of a short of 1 BTC at 50,000 with `margins` behind it, and the last
/// verdict.
fn assessed(margins: [&str; 3]) -> (Vec<RiskLevel>, Verdict) {
    let view = approving::view();
    let limits = RiskConfig {
        net_delta_halt: Rate::literal("10"),
        ..RiskConfig::DEFAULT
    };
    let dust = Dust::Value(Value::ZERO);
    let mut risk = RiskMonitor::new(limits, dust, rules(), Vec::new());
    let (mut levels, mut last) = (Vec::new(), Verdict::Proceed);
    for (margin, hour) in margins.into_iter().zip(1..) {
        let books = approving::opened(&view, margin, "1000");
        let mut exposure = Exposure::new(rules());
        exposure.refresh(&books, &view).unwrap();
        let scale = DeltaScale {
            equity: books.equity(),
            reference: Price::literal("50000"),
        };
        let at = Timestamp::EPOCH.plus(Span::from_hours(hour));
        let in_transit = CapitalInTransit::default();
        let verdict = risk.assess(at, &exposure, scale, in_transit, &NoEvents);
        last = verdict.unwrap();
        levels.push(risk.level());
    }
    (levels, last)
}

#[test]
fn an_account_is_topped_up_then_cut_and_halts_only_where_a_cut_has_left_it() {
    // Distance is (margin − 5,000) ÷ 55,000; the way back to 0.40 takes 27,000.
    let (levels, verdict) = assessed(["30000", "25000", "20000"]);
    let expected = [RiskLevel::Clear, RiskLevel::Warn, RiskLevel::TopUp];
    assert_eq!(levels, expected);
    let Verdict::TopUp {
        missing, fraction, ..
    } = verdict
    else {
        panic!("{verdict:?}")
    };
    assert_eq!(missing, Value::literal("7000"));
    // 20 of 27 parts are kept.
    assert_eq!(fraction, Rate::literal("0.25925925925925926"));
    let (levels, verdict) = assessed(["30000", "15000", "10000"]);
    assert_eq!(levels[1..], [RiskLevel::Deleverage, RiskLevel::Halt]);
    assert_eq!(verdict, Verdict::Halt);
    let (levels, verdict) = assessed(["30000", "30000", "10000"]);
    assert_eq!(levels[2], RiskLevel::Deleverage, "it has its cut first");
    assert!(matches!(verdict, Verdict::Deleverage { .. }));
}
