//! Funding, liquidation, resting orders.

use basis_core::instruction::{CancelOrder, Operation, TimeInForce};
use basis_core::ledger::EntryKind;
use basis_core::num::{Price, Quantity, Value};
use basis_core::types::{InstructionId, Side, Span};
use basis_core::venue_event::{EventKind, LiquiditySide, OrderState};
use basis_market::{ExecutionInterface, Horizon};

use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit};

fn margin(usdt: &str, bars: &Bars, rates: &[(i64, &str)]) -> Desk {
    Desk::new(&binance::PROFILE, bars, rates, &[("usdm", "USDT", usdt)])
}

fn amounts(events: &[Reported]) -> Vec<Quantity> {
    let amount = |event: &Reported| match &event.kind {
        EventKind::Funding(funding) => Some(funding.amount),
        _ => None,
    };
    events.iter().filter_map(amount).collect()
}

#[test]
fn longs_pay_and_shorts_receive_a_positive_rate() {
    let bars = Bars::flat("50000");
    let rates = [(8, "0.0001"), (16, "-0.0002")];
    for (side, first, second) in [(Side::Sell, "5", "-10"), (Side::Buy, "-5", "10")] {
        let mut desk = margin("20000", &bars, &rates);
        desk.perp(side, "1").unwrap();
        assert_eq!(desk.to(7), []);
        let events = desk.to(8);
        assert_eq!(amounts(&events), [q(first)]);
        assert_eq!(events[0].entries[0].kind, EntryKind::Funding);
        assert_eq!(desk.to(9), [], "paid once");
        assert_eq!(amounts(&desk.to(16)), [q(second)]);
    }
}

#[test]
fn an_entry_at_the_instant_does_not_collect_its_funding() {
    let mut desk = margin(
        "20000",
        &Bars::flat("50000"),
        &[(8, "0.0001"), (16, "0.0001")],
    );
    desk.to(8);
    desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(desk.to(9), []);
    assert_eq!(desk.to(16).len(), 1);
}

#[test]
fn an_entry_after_a_quiet_time_does_not_collect_the_funding_of_that_time() {
    let mut desk = margin(
        "20000",
        &Bars::flat("50000"),
        &[(8, "0.0001"), (16, "0.0001")],
    );
    let now = START.plus(Span::from_hours(9));
    desk.view.advance_to(now).unwrap();
    desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(desk.to(10), []);
    assert_eq!(desk.to(16).len(), 1);
}

#[test]
fn one_step_over_several_instants_settles_each() {
    let rates = [(8, "0.0001"), (16, "0.0003"), (24, "0.0002")];
    let mut desk = margin("20000", &Bars::flat("50000"), &rates);
    desk.perp(Side::Sell, "1").unwrap();
    let events = desk.to(30);
    assert_eq!(amounts(&events), ["5", "15", "10"].map(q));
    assert!(events.windows(2).all(|pair| pair[0].at < pair[1].at));
}

#[test]
fn a_step_of_a_day_settles_each_instant_at_its_own_mark() {
    let bars = Bars::flat("50000")
        .bar(8, ["51000"; 4])
        .bar(9, ["51000", "51000", "48000", "48000"])
        .bar(16, ["47000"; 4])
        .bar(20, ["52000"; 4]);
    // None at 16.
    let rates = [(8, "0.0001"), (24, "0.0002")];
    let settled = |step: i64| {
        let mut desk = margin("20000", &bars, &rates);
        desk.perp(Side::Sell, "1").unwrap();
        let mut events = Vec::new();
        for hour in (1..=24).filter(|hour| hour % step == 0) {
            events.extend(desk.to(hour));
        }
        let facts = events.iter().map(|event| match &event.kind {
            EventKind::Funding(funding) => (event.at, funding.mark, funding.amount),
            EventKind::FundingMissing(missing) => {
                let exposed = Quantity::new(missing.exposed_notional.get());
                (event.at, missing.mark, exposed)
            }
            other => panic!("{other:?}"),
        });
        facts.collect::<Vec<_>>()
    };
    let at = |hour| START.plus(Span::from_hours(hour));
    let expected = [
        (at(8), p("51000"), q("5.1")),
        (at(16), p("47000"), q("47000")),
        (at(24), p("52000"), q("10.4")),
    ];
    for step in [1, 8, 24] {
        assert_eq!(settled(step), expected, "in steps of {step} hours");
    }
}

#[test]
fn a_missing_rate_books_nothing_and_names_the_exposure() {
    let mut desk = margin("20000", &Bars::flat("50000"), &[]);
    desk.perp(Side::Sell, "0.5").unwrap();
    let events = desk.to(8);
    assert_eq!(events.len(), 1);
    assert!(events[0].entries.is_empty());
    assert!(matches!(
        &events[0].kind,
        EventKind::FundingMissing(missing)
            if missing.exposed_notional == Value::literal("25000")
    ));
}

#[test]
fn a_changed_interval_neither_skips_nor_doubles_an_instant() {
    // 8 h until 2 January, 4 h on that day, 1 h from 3 January on: at 8, 16, 24 (both tables name
    // it), 28 … 48 and every hour from there.
    let mut json = rules_json("binance");
    let first = json["snapshots"][0].clone();
    for (day, hours) in [("2024-01-02", "4"), ("2024-01-03", "1")] {
        let mut later = first.clone();
        later["effective_from"] = day.into();
        for instrument in later["instruments"].as_array_mut().unwrap() {
            if instrument["kind"] == "perp" {
                instrument["funding"]["interval_hours"] = hours.into();
            }
        }
        json["snapshots"].as_array_mut().unwrap().push(later);
    }
    let expected = [8, 16, 24, 28, 32, 36, 40, 44, 48, 49, 50];
    let rates: Vec<(i64, &str)> = expected.iter().map(|hour| (*hour, "0.0001")).collect();
    for step in [1, 7] {
        let mut desk = margin("20000", &Bars::flat("50000"), &rates).under(read_rules(&json));
        desk.perp(Side::Sell, "1").unwrap();
        let mut hours = Vec::new();
        for hour in (1..=50).filter(|hour| hour % step == 0 || *hour == 50) {
            for event in desk.to(hour) {
                assert!(matches!(event.kind, EventKind::Funding(_)), "{event:?}");
                hours.push(event.at.since(START).seconds() / 3600);
            }
        }
        assert_eq!(hours, expected, "in steps of {step} hours");
    }
}

fn liquidation(events: &[Reported]) -> (Price, Quantity, Vec<(EntryKind, Quantity)>) {
    let [event] = events else {
        panic!("one event: {events:?}")
    };
    let EventKind::Liquidation(close) = &event.kind else {
        panic!("a liquidation: {event:?}")
    };
    let (price, fee) = (close.price, close.fee);
    let lines = event.entries.iter().map(|e| (e.kind, e.quantity));
    assert_eq!(event.entries[0].reference_price, price);
    (price, fee, lines.collect())
}

#[test]
fn a_short_is_closed_where_margin_meets_maintenance_within_the_bar() {
    // 1 BTC short at 50,000 with 20,000 − 25 of cash; tier 2: rate 0.005, deduction 50.
    // p = (19,975 + 50,000 + 50) ÷ 1.005 = 69,676.62; up to the tick 69,676.7.
    let bars = Bars::flat("50000").bar(2, ["50000", "70000", "49000", "51000"]);
    let mut desk = margin("20000", &bars, &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let (price, fee, lines) = liquidation(&desk.to(2));
    assert_eq!(price, p("69676.7"));
    // 0.5 % of 69,676.7 is 348.3835; 19,975 − 19,676.7 leaves 298.3.
    assert_eq!(fee, q("298.3"), "at most what is left");
    assert_eq!(
        lines,
        [
            (EntryKind::Trade, q("1")),
            (EntryKind::RealizedPnl, q("-19676.7")),
            (EntryKind::Liquidation, q("-298.3")),
        ]
    );
    assert_eq!(desk.holdings(), []);
    assert_eq!(desk.venue.horizon(&desk.view), Horizon::QUIET);
}

#[test]
fn a_long_below_its_price_at_the_open_is_closed_at_the_open_and_the_fund_covers_the_rest() {
    let bars = Bars::flat("50000").bar(2, ["35000", "36000", "34000", "36000"]);
    let mut desk = margin("10100", &bars, &[]);
    desk.perp(Side::Buy, "1").unwrap();
    let (price, fee, lines) = liquidation(&desk.to(2));
    assert_eq!((price, fee), (p("35000"), q("0")));
    // 10,100 − 25 − 15,000 = −4,925.
    assert_eq!(
        lines,
        [
            (EntryKind::Trade, q("-1")),
            (EntryKind::RealizedPnl, q("-15000")),
            (EntryKind::WriteOff, q("4925")),
        ]
    );
    assert_eq!(desk.holdings(), []);
}

#[test]
fn funding_can_take_the_account_below_maintenance_at_the_close() {
    // Margin at 50,000: 10,100 − 25 = 10,075 against 200 of maintenance; a 20 % rate takes 10,000.
    let mut desk = margin("10100", &Bars::flat("50000"), &[(8, "0.2")]);
    desk.perp(Side::Buy, "1").unwrap();
    let events = desk.to(8);
    assert_eq!(amounts(&events), [q("-10000")]);
    let (price, fee, _) = liquidation(&events[1..]);
    assert_eq!((price, fee), (p("50000"), q("75")));
    assert_eq!(desk.holdings(), []);
}

#[test]
fn an_account_above_maintenance_survives_the_extreme() {
    let bars = Bars::flat("50000").bar(2, ["50000", "69676.6", "49000", "51000"]);
    let mut desk = margin("20000", &bars, &[]);
    desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(desk.to(2), []);
    assert_eq!(desk.to(3), []);
}

#[test]
fn a_position_opened_at_the_close_is_not_tested_against_that_bar() {
    let bars = Bars::flat("50000").bar(2, ["50000", "90000", "49000", "50000"]);
    let mut desk = margin("20000", &bars, &[]);
    desk.to(2);
    desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(desk.to(3), []);
}

#[test]
fn several_positions_all_close_at_their_worst_prices() {
    let bars = Bars::flat("50000").bar(2, ["50000", "60000", "50000", "55000"]);
    let mut desk = margin("10200", &bars, &[]);
    desk.perp(Side::Sell, "1").unwrap();
    desk.run(perp_market(ETH, Side::Buy, "0.1")).unwrap();
    desk.run(perp_limit(Side::Buy, "0.01", "40000", TimeInForce::Gtc))
        .unwrap();
    let events = desk.to(2);
    assert_eq!(desk.to(3), []);
    let kinds: Vec<_> = events.iter().map(|e| e.settles()).collect();
    // The resting order goes first, then both positions.
    assert_eq!(kinds, [Some(InstructionId::plain(3)), None, None]);
    // 10,200 − 25 − 0.1 − 10,000 leaves 174.9 against 250.8 of maintenance; the fee takes it all.
    let fees = events.iter().flat_map(|e| &e.entries);
    let fees: Vec<_> = fees
        .filter(|e| e.kind == EntryKind::Liquidation)
        .map(|e| e.quantity)
        .collect();
    assert_eq!(fees, [q("-174.9")]);
    assert_eq!(desk.holdings(), []);
}

#[test]
fn a_held_price_liquidates_nobody() {
    let bars = Bars::flat("50000")
        .bar(2, ["50000", "69000", "50000", "69000"])
        .gap(3);
    let mut desk = margin("20000", &bars, &[]);
    desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(desk.to(2), []);
    assert_eq!(desk.to(3), []);
    assert_eq!(desk.venue.books.positions.len(), 1);
}

#[test]
fn a_resting_limit_fills_as_maker_once_a_later_bar_trades_through() {
    let bars = Bars::flat("50000")
        .bar(2, ["50000", "50000", "48000", "50000"])
        .bar(3, ["50000", "50000", "49000", "50000"])
        .bar(4, ["50000", "50000", "48999.9", "49500"]);
    let mut desk = margin("20000", &bars, &[]);
    desk.to(2);
    let order = perp_limit(Side::Buy, "0.5", "49000", TimeInForce::PostOnly);
    assert_eq!(desk.run(order).unwrap().status, ExecutionStatus::Open);
    assert_eq!(desk.venue.horizon(&desk.view), Horizon::NOW);
    assert_eq!(desk.to(2), [], "not by the bar before it");
    assert_eq!(desk.to(3), [], "touching is not trading through");
    let events = desk.to(4);
    let EventKind::Fill(fill) = &events[0].kind else {
        panic!("{events:?}")
    };
    assert_eq!(fill.instruction, Some(InstructionId::plain(1)));
    assert_eq!((fill.price, fill.reference), (p("49000"), p("49500")));
    assert_eq!(fill.liquidity, LiquiditySide::Maker);
    // 24,500 at 0.02 %.
    assert_eq!(fill.fee, q("4.9"));
    assert!(desk.venue.books.orders.is_empty());
}

#[test]
fn a_maker_rebate_is_a_negative_fee_and_a_line_above_zero() {
    let bars = Bars::flat("50000")
        .bar(2, ["50000", "50000", "48000", "50000"])
        .bar(3, ["50000", "50000", "48999.9", "49500"]);
    let mut own = rules_json("binance");
    own["snapshots"][0]["fees"]["perp"]["maker_bps"] = "-0.5".into();
    let mut desk = margin("20000", &bars, &[]).under(read_rules(&own));
    desk.to(2);
    let order = perp_limit(Side::Buy, "0.5", "49000", TimeInForce::PostOnly);
    desk.run(order).unwrap();
    let events = desk.to(3);
    let EventKind::Fill(fill) = &events[0].kind else {
        panic!("{events:?}")
    };
    assert_eq!(fill.liquidity, LiquiditySide::Maker);
    // 24,500 at −0.005 %, rounded against us.
    assert_eq!(fill.fee, q("-1.225"));
    let fees = events[0].entries.iter();
    let fees = fees.filter(|entry| entry.kind == EntryKind::Fee);
    let fees: Vec<_> = fees.map(|entry| (entry.quantity, entry.value)).collect();
    assert_eq!(fees, [(q("1.225"), Value::literal("1.225"))]);
    assert_eq!(desk.held("usdm", "USDT"), q("20001.225"));
}

#[test]
fn resting_orders_bind_balance_and_margin_until_canceled() {
    let balances = [("unified", "USDT", "10000"), ("unified", "BTC", "1")];
    let mut desk = Desk::new(&bybit::PROFILE, &Bars::flat("50000"), &[], &balances);
    // 4,000 of the quote and a maker fee of 3.2 are bound.
    desk.run(spot_limit(Side::Buy, "0.1", "40000", TimeInForce::Gtc))
        .unwrap();
    let (_, text) = desk.refused(spot_market(Side::Buy, "0.12"));
    assert!(text.contains("6006 USDT needed, 5996.8 free"), "{text}");
    desk.run(spot_limit(Side::Sell, "0.95", "60000", TimeInForce::Gtc))
        .unwrap();
    assert_eq!(
        desk.refused(spot_market(Side::Sell, "0.1")).0,
        Some("170131")
    );
    let (_, text) = desk.refused(perp_limit(Side::Sell, "0.6", "51000", TimeInForce::Gtc));
    assert!(
        text.contains("6126.12 USDT of initial margin needed, 5996.8"),
        "{text}"
    );
    desk.run(Operation::CancelOrder(CancelOrder {
        symbol: BTC,
        order: InstructionId::plain(1),
    }))
    .unwrap();
    desk.run(spot_market(Side::Buy, "0.12")).unwrap();
}

#[test]
fn a_resting_order_that_margin_no_longer_carries_is_canceled() {
    let bars = Bars::flat("50000").bar(2, ["50000", "50500", "50000", "50500"]);
    let mut desk = margin("10500", &bars, &[]);
    desk.run(perp_limit(Side::Sell, "0.5", "50100", TimeInForce::Gtc))
        .unwrap();
    desk.run(perp_market(BTC, Side::Sell, "0.54")).unwrap();
    let events = desk.to(2);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].settles(), Some(InstructionId::plain(1)));
    assert_eq!(events[0].order_state(), Some(OrderState::Cancelled));
    assert!(events[0].entries.is_empty());
}
