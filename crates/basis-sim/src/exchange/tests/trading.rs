//! Spot and perp fills, slippage, leverage.

use std::sync::Arc;

use basis_core::error::VenueErrorKind;
use basis_core::in_flight::InFlightTransfers;
use basis_core::instruction::{Instruction, Operation, SetLeverage, TimeInForce};
use basis_core::ledger::{EntryKind, LedgerEntry};
use basis_core::num::{Bps, Fixed18, Price, Quantity, Value};
use basis_core::types::{InstructionId, Side};
use basis_core::venue::{Dependencies, FillAt};
use basis_core::venue_event::{EventKind, Events, LiquiditySide};
use basis_market::ExecutionInterface;
use serde_json::json;

use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit, okx};
use crate::exchange::{ExchangeSettings, SimulatedExchange, Slippage};

/// Kind, quantity, value, reference price of each line.
fn table(entries: &[LedgerEntry]) -> Vec<(EntryKind, Quantity, Value, Price)> {
    let row = |e: &LedgerEntry| (e.kind, e.quantity, e.value, e.reference_price);
    entries.iter().map(row).collect()
}

fn row(kind: EntryKind, q1: &str, v: &str, r: &str) -> (EntryKind, Quantity, Value, Price) {
    (kind, q(q1), v.parse().unwrap(), p(r))
}

#[test]
fn spot_buy_pays_quote_and_takes_the_fee_out_of_the_base() {
    let mut desk = Desk::new(
        &binance::PROFILE,
        &Bars::flat("50000"),
        &[],
        &[("spot", "USDT", "10000")],
    )
    .slippage(Slippage::FixedBps(Bps::literal("1")));
    let execution = desk.run(spot_market(Side::Buy, "0.1")).unwrap();
    assert_eq!(execution.status, ExecutionStatus::Settled);
    let fill = &execution.fills[0];
    // One basis point above 50,000.
    assert_eq!((fill.price, fill.reference), (p("50005"), p("50000")));
    assert_eq!(fill.fee, q("0.0001"));
    assert_eq!(
        table(&execution.entries),
        [
            row(EntryKind::Trade, "0.1", "5000.5", "50000"),
            row(EntryKind::Trade, "-5000.5", "-5000.5", "1"),
            row(EntryKind::Fee, "-0.0001", "-5", "50000"),
        ]
    );
    assert_eq!(desk.held("spot", "BTC"), q("0.0999"));
    assert_eq!(desk.held("spot", "USDT"), q("4999.5"));
}

#[test]
fn spot_amounts_are_rounded_against_us_to_the_asset_s_decimals() {
    let bars = Bars::flat("50000.03");
    let balances = [("spot", "USDT", "10000"), ("spot", "BTC", "1")];
    let mut desk = Desk::new(&binance::PROFILE, &bars, &[], &balances)
        .slippage(Slippage::FixedBps(Bps::literal("1")));
    // 50000.03 × 1.0001 = 50005.030003, up to the tick: 50005.04; × 0.00123 = 61.5061992.
    let bought = desk.run(spot_market(Side::Buy, "0.00123")).unwrap();
    assert_eq!(bought.entries[1].quantity, q("-61.5062"));
    assert_eq!(bought.fills[0].fee, q("0.00000123"));
    // 50000.03 × 0.9999 = 49995.029997, down: 49995.02; × 0.00123 = 61.4938746.
    let sold = desk.run(spot_market(Side::Sell, "0.00123")).unwrap();
    assert_eq!(sold.entries[1].quantity, q("61.493874"));
    // 0.1 % of the proceeds, up.
    assert_eq!(sold.fills[0].fee, q("0.061494"));
}

#[test]
fn amounts_are_rounded_to_the_venue_s_own_decimals() {
    let bars = Bars::flat("50000.03");
    let balances = [
        ("spot", "USDT", "10000"),
        ("spot", "BTC", "1"),
        ("usdm", "USDT", "10000"),
    ];
    let mut own = rules_json("binance");
    own["snapshots"][0]["assets"] = json!([{ "asset": "USDT", "decimals": "8" }]);
    let mut desk = Desk::new(&binance::PROFILE, &bars, &[], &balances)
        .slippage(Slippage::FixedBps(Bps::literal("1")))
        .under(read_rules(&own));
    // As above, where the venue keeps six as the wallet does.
    let bought = desk.run(spot_market(Side::Buy, "0.00123")).unwrap();
    assert_eq!(bought.entries[1].quantity, q("-61.5061992"));
    let sold = desk.run(spot_market(Side::Sell, "0.00123")).unwrap();
    assert_eq!(sold.entries[1].quantity, q("61.4938746"));
    assert_eq!(sold.fills[0].fee, q("0.06149388"));
    // 0.003 × 50,005.1 at 0.05 %, of which six decimals would make 0.075008.
    let opened = desk.perp(Side::Buy, "0.003").unwrap();
    assert_eq!(opened.fills[0].fee, q("0.07500765"));
    // BTC has the decimals of the chain.
    assert_eq!(bought.fills[0].fee, q("0.00000123"));
}

#[test]
fn spot_sell_pays_the_fee_out_of_the_quote_and_bybit_s_buy_here_too() {
    let balances = [("unified", "USDT", "10000"), ("unified", "BTC", "1")];
    let mut desk = Desk::new(&bybit::PROFILE, &Bars::flat("50000"), &[], &balances);
    let sold = desk.run(spot_market(Side::Sell, "0.1")).unwrap();
    assert_eq!(
        table(&sold.entries),
        [
            row(EntryKind::Trade, "-0.1", "-5000", "50000"),
            row(EntryKind::Trade, "5000", "5000", "1"),
            row(EntryKind::Fee, "-5", "-5", "1"),
        ]
    );
    let bought = desk.run(spot_market(Side::Buy, "0.1")).unwrap();
    assert_eq!(bought.fills[0].fee_asset, USDT);
    assert_eq!(desk.held("unified", "USDT"), q("9990"));
    assert_eq!(desk.held("unified", "BTC"), q("1"));
}

#[test]
fn perp_opens_adds_reduces_and_flips() {
    let bars = Bars::flat("50000")
        .bar(2, ["50000", "52000", "50000", "52000"])
        .bar(3, ["52000", "52000", "48000", "48000"]);
    let balances = [("usdm", "USDT", "100000")];
    let mut desk = Desk::new(&binance::PROFILE, &bars, &[], &balances);
    let opened = desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(
        table(&opened.entries),
        [
            row(EntryKind::Trade, "-1", "-50000", "50000"),
            row(EntryKind::Fee, "-25", "-25", "1"),
        ]
    );
    desk.to(2);
    let added = desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(added.entries[0].value, Value::literal("-52000"));
    desk.to(3);
    // Average 51,000; half a coin at 48,000 earns 1,500.
    let reduced = desk.perp(Side::Buy, "0.5").unwrap();
    assert_eq!(
        table(&reduced.entries),
        [
            row(EntryKind::Trade, "0.5", "24000", "48000"),
            row(EntryKind::RealizedPnl, "1500", "1500", "1"),
            row(EntryKind::Fee, "-12", "-12", "1"),
        ]
    );
    let flipped = desk.perp(Side::Buy, "2").unwrap();
    assert_eq!(flipped.entries[1].quantity, q("4500"));
    let position = desk.venue.books.positions[0].position;
    assert_eq!(position.quantity, q("0.5"));
    assert_eq!(position.cost, Value::literal("24000"));
    // 100,000 − 25 − 26 + 1,500 − 12 + 4,500 − 48.
    assert_eq!(desk.held("usdm", "USDT"), q("105889"));
}

#[test]
fn reduce_only_closes_at_most_the_position() {
    let balances = [("usdm", "USDT", "100000")];
    let mut desk = Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances);
    desk.perp(Side::Sell, "0.5").unwrap();
    let closed = desk.run(reduce_only(Side::Buy, "2")).unwrap();
    assert_eq!(closed.fills[0].quantity, q("0.5"));
    assert!(desk.venue.books.positions.is_empty());
}

#[test]
fn okx_fills_whole_contracts_given_in_base_units() {
    let balances = [("trading", "USDT", "100000")];
    let mut desk = Desk::new(&okx::PROFILE, &Bars::flat("50000"), &[], &balances);
    let filled = desk.perp(Side::Sell, "0.03").unwrap();
    assert_eq!(filled.fills[0].quantity, q("0.03"));
    // 1,500 of notional at 0.05 %.
    assert_eq!(filled.fills[0].fee, q("0.75"));
}

#[test]
fn a_marketable_limit_takes_but_not_beyond_its_limit() {
    let balances = [("usdm", "USDT", "100000")];
    let mut desk = Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances)
        .slippage(Slippage::FixedBps(Bps::literal("10")));
    let buy = perp_limit(Side::Buy, "0.1", "50020", TimeInForce::Ioc);
    let fill = desk.run(buy).unwrap().fills[0].clone();
    assert_eq!(fill.price, p("50020"), "slippage alone would pay 50,050");
    assert_eq!(fill.liquidity, LiquiditySide::Taker);
    let sell = perp_limit(Side::Sell, "0.1", "49000", TimeInForce::Gtc);
    assert_eq!(desk.run(sell).unwrap().fills[0].price, p("49950"));
}

#[test]
fn leverage_decides_what_a_margin_carries() {
    let balances = [("usdm", "USDT", "1000")];
    let mut desk = Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances);
    let (code, text) = desk.refused(perp_market(BTC, Side::Sell, "0.1"));
    // 5,000 ÷ 5 + 2.5 of fee.
    assert_eq!(code, Some("-2019"));
    assert!(
        text.contains("1002.5 USDT") && text.contains("1000 available"),
        "{text}"
    );
    let leverage = |leverage: &str| {
        Operation::SetLeverage(SetLeverage {
            symbol: BTC,
            leverage: leverage.parse::<Fixed18>().unwrap(),
            margin_mode: None,
        })
    };
    assert_eq!(desk.refused(leverage("101")).0, Some("-4028"));
    assert_eq!(desk.refused(leverage("0.5")).0, Some("-4028"));
    desk.run(leverage("10")).unwrap();
    desk.perp(Side::Sell, "0.1").unwrap();
    let (code, _) = desk.refused(leverage("2"));
    assert_eq!(code, Some("-2028"), "2,500 of margin is not there");
}

#[test]
fn nothing_is_executed_before_dependencies_are_set() {
    let mut desk = Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &[]);
    let settings = ExchangeSettings::default();
    let transit = Arc::new(InFlightTransfers::default());
    let mut venue = SimulatedExchange::new(&binance::PROFILE, settings, transit, FillAt::Close);
    for id in 1..=2 {
        let mut events = Events::new();
        let instruction = Instruction::new(InstructionId::plain(id), spot_market(Side::Buy, "0.1"));
        venue.execute_instructions(&desk.view, &[instruction], &mut events);
        let [event] = events.as_slice() else {
            panic!("one refusal: {events:?}")
        };
        let EventKind::Rejected { instruction, error } = &event.kind else {
            panic!("a refusal: {event:?}")
        };
        assert_eq!(*instruction, InstructionId::plain(id));
        assert_eq!(error.kind, VenueErrorKind::NotReady);
        venue.set_dependencies(Dependencies::default());
    }
    assert_eq!(venue.health().counts(), (2, 2));
    desk.run(spot_market(Side::Buy, "0.1")).unwrap_err();
}
