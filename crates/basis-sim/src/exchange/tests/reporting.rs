//! What the exchange reports beside trades: once, and against a tally that is its own.

use std::sync::Arc;

use basis_core::instruction::{MarginMode, TimeInForce};
use basis_core::num::{Price, Quantity, Rate, Value};
use basis_core::rules::{RuleBook, SharedRules};
use basis_core::types::{Asset, InstructionId, InstrumentKind, Item, PositionSide, Side, Span};
use basis_core::venue::Dependencies;
use basis_core::venue_event::{Cursor, EventKey, EventKind, OrderState, Subject};
use basis_market::{ExecutionInterface, Horizon};

use crate::exchange::PositionMode;
use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit};

const BALANCES: &[(&str, &str, &str)] = &[("spot", "USDT", "10000"), ("usdm", "USDT", "20000")];

fn desk(bars: &Bars, rates: &[(i64, &str)]) -> Desk {
    Desk::new(&binance::PROFILE, bars, rates, BALANCES)
}

#[test]
fn an_instruction_that_was_taken_on_before_does_nothing() {
    let mut desk = desk(&Bars::flat("50000"), &[]);
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    for operation in [
        perp_market(BTC, Side::Sell, "0.1"),
        spot_market(Side::Buy, "0.01"),
        perp_limit(Side::Buy, "0.1", "45000", TimeInForce::Gtc),
        transfer("USDT", "10", spot, usdm),
        set_leverage("7", None),
        perp_market(BTC, Side::Buy, "0"),
    ] {
        let instruction = desk.instruction(operation);
        let events = desk.send(&instruction);
        assert!(!events.is_empty());
        desk.book(&events);
        let before = desk.sums_and_holdings();
        let orders = desk.venue.books.orders.len();
        assert_eq!(desk.send(&instruction), [], "{instruction:?}");
        assert_eq!(desk.sums_and_holdings(), before);
        assert_eq!(desk.venue.books.orders.len(), orders);
    }
}

#[test]
fn an_id_that_comes_twice_in_one_call_is_executed_once() {
    let mut desk = desk(&Bars::flat("50000"), &[]);
    let order = desk.instruction(perp_market(BTC, Side::Sell, "0.1"));
    let mut events = Vec::new();
    let twice = [order.clone(), order];
    desk.venue
        .execute_instructions(&desk.view, &twice, &mut events);
    assert_eq!(desk.book(&events).len(), 1);
    let (sums, held) = desk.sums_and_holdings();
    assert_eq!(sums, held);
}

#[test]
fn a_second_poll_at_an_instant_reports_nothing_and_changes_nothing() {
    let bars = Bars::flat("50000").bar(8, ["50000", "50000", "44000", "50000"]);
    let mut desk = desk(&bars, &[(8, "0.0001")]).with(|settings| {
        settings.spot_margin = true;
        settings.borrow = vec![(USDT, Rate::literal("0.00001"))];
    });
    desk.perp(Side::Sell, "0.1").unwrap();
    desk.run(spot_market(Side::Buy, "0.3")).unwrap();
    desk.run(perp_limit(Side::Buy, "0.05", "45000", TimeInForce::Gtc))
        .unwrap();
    let events = desk.to(8);
    let kinds =
        |wanted: fn(&EventKind) -> bool| events.iter().filter(|event| wanted(&event.kind)).count();
    assert_eq!(kinds(|kind| matches!(kind, EventKind::Funding(_))), 1);
    assert_eq!(kinds(|kind| matches!(kind, EventKind::Accrual(_))), 7);
    assert_eq!(kinds(|kind| matches!(kind, EventKind::Fill(_))), 1);
    let before = desk.holdings();
    assert_eq!(desk.poll(), []);
    assert_eq!(desk.holdings(), before);
}

#[test]
fn what_is_opened_at_an_instant_meets_nothing_of_that_instant() {
    // The bar that closes at hour 8 would liquidate a short; its funding would cost it 10,000.
    let bars = Bars::flat("50000").bar(8, ["50000", "90000", "50000", "50000"]);
    for polled in [true, false] {
        let mut desk = desk(&bars, &[(8, "-0.2")]);
        if polled {
            desk.to(8);
        } else {
            let now = START.plus(Span::from_hours(8));
            desk.view.advance_to(now).unwrap();
        }
        desk.perp(Side::Sell, "1").unwrap();
        assert_eq!(desk.poll(), [], "polled before: {polled}");
        assert_eq!(desk.to(9), []);
    }
}

#[test]
fn an_instruction_at_an_instant_nobody_polled_comes_after_what_had_happened() {
    let mut desk = desk(&Bars::flat("50000"), &[(8, "0.0001")]);
    desk.perp(Side::Sell, "1").unwrap();
    let now = START.plus(Span::from_hours(8));
    desk.view.advance_to(now).unwrap();
    let order = desk.instruction(perp_market(BTC, Side::Sell, "0.2"));
    let events = desk.send(&order);
    let rows = desk.book(&events);
    let [funding, fill] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    let EventKind::Funding(funding) = &funding.kind else {
        panic!("{funding:?}")
    };
    assert_eq!((funding.position, funding.amount), (q("-1"), q("5")));
    assert!(matches!(fill.kind, EventKind::Fill(_)));
    assert_eq!(desk.poll(), []);
}

#[test]
fn the_snapshot_says_more_than_quantities() {
    let bars = Bars::flat("50000").bar(2, ["50000", "50001", "50000", "50001"]);
    let mut desk = Desk::new(&bybit::PROFILE, &bars, &[], &[("unified", "USDT", "40000")])
        .with(|settings| settings.margin_mode = MarginMode::Isolated);
    desk.perp(Side::Sell, "0.1").unwrap();
    desk.to(2);
    desk.perp(Side::Sell, "0.2").unwrap();
    desk.run(perp_limit(Side::Buy, "0.05", "45000", TimeInForce::Gtc))
        .unwrap();
    desk.holdings();
    let snapshot = desk.venue.account().clone();
    let [cash, perp] = snapshot.positions.as_slice() else {
        panic!("{snapshot:?}")
    };
    assert_eq!((cash.item, cash.open_cost), (Item::Asset(USDT), None));
    // 5,000 + 10,000.2, sold.
    let cost = Value::literal("-15000.2");
    assert_eq!((perp.quantity, perp.open_cost), (q("-0.3"), Some(cost)));
    let [own] = snapshot.isolated.as_slice() else {
        panic!("{snapshot:?}")
    };
    assert_eq!(own.account, desk.account("unified"));
    assert_eq!(own.margin, q("3000.04"));
    let [order] = snapshot.orders.as_slice() else {
        panic!("{snapshot:?}")
    };
    assert_eq!(order.instruction, InstructionId::plain(3));
    assert_eq!(
        (order.state, order.quantity),
        (OrderState::Working, q("0.05"))
    );
    desk.run(perp_market(BTC, Side::Buy, "0.3")).unwrap();
    assert_eq!(desk.venue.account().isolated, [], "the desk asks anew");
}

#[test]
fn a_corrupted_tally_is_seen_against_the_posted_lines() {
    let corrupted = |corrupt: fn(&mut Desk)| {
        let mut desk = desk(&Bars::flat("50000"), &[]);
        desk.perp(Side::Sell, "0.1").unwrap();
        desk.run(spot_market(Side::Buy, "0.01")).unwrap();
        let (sums, held) = desk.sums_and_holdings();
        assert_eq!(sums, held);
        corrupt(&mut desk);
        let (after, held) = desk.sums_and_holdings();
        assert_eq!(sums, after, "lines stay what they are");
        let differs = |key| sums.get(key) != held.get(key);
        sums.keys().filter(|key| differs(*key)).count()
    };
    assert_eq!(corrupted(|_| {}), 0);
    let at = |corrupt: fn(&mut Desk)| assert_eq!(corrupted(corrupt), 1);
    at(|desk| {
        let account = desk.account("usdm");
        desk.venue
            .books
            .cash
            .add(account, USDT, q("0.000001"))
            .unwrap();
    });
    at(|desk| {
        let (account, btc) = (desk.account("spot"), Asset::literal("BTC"));
        desk.venue
            .books
            .cash
            .add(account, btc, q("0.00000001"))
            .unwrap();
    });
    at(|desk| {
        let position = &mut desk.venue.books.positions[0].position;
        position.quantity = position.quantity.sub(q("0.001")).unwrap();
    });
    at(|desk| desk.venue.books.positions.clear());
}

#[test]
fn the_horizon_of_one_position_is_its_settlement_and_its_guard() {
    let bars = Bars::flat("50000")
        .bar(3, ["50000", "60000", "50000", "60000"])
        .bar(4, ["60000", "69600", "60000", "60000"])
        .bar(5, ["60000", "69650", "60000", "69650"]);
    let mut desk = desk(&bars, &[(8, "0.0001")]);
    assert_eq!(desk.venue.horizon(&desk.view), Horizon::QUIET);
    desk.perp(Side::Sell, "1").unwrap();
    assert_eq!(desk.venue.horizon(&desk.view), Horizon::NOW);
    assert_eq!(desk.to(2), []);
    let horizon = desk.venue.horizon(&desk.view);
    assert_eq!(horizon.at, Some(START.plus(Span::from_hours(8))));
    // (19,975 + 50,000 + 50) ÷ 1.005, as in the tests of liquidation.
    let bounds = horizon.bounds.unwrap();
    assert_eq!(bounds.low, None);
    let high = bounds.high.unwrap();
    assert!(high > p("69676.6") && high < p("69676.7"), "{high}");
    for hour in 3..=5 {
        let now = START.plus(Span::from_hours(hour));
        desk.view.advance_to(now).unwrap();
        assert!(!horizon.is_due(&desk.view), "hour {hour}");
    }
    desk.venue.request_snapshot();
    assert_eq!(desk.venue.horizon(&desk.view), Horizon::NOW, "to answer");
}

#[test]
fn the_bounds_of_a_horizon_are_exactly_the_guard_s() {
    for (side, extreme) in [(Side::Sell, "high"), (Side::Buy, "low")] {
        let mut desk = desk(&Bars::flat("50000"), &[]);
        desk.perp(side, "1").unwrap();
        desk.to(2);
        let guard = desk.venue.watch.guard.unwrap();
        let slot = desk.venue.books.positions[0].slot;
        let bounds = guard.bounds(slot).unwrap();
        let least = Price::literal("0.000000000000000001");
        let now = desk.view.now();
        // The last price within holds, the next one outside does not.
        let (edge, outside) = match extreme {
            "high" => {
                let edge = bounds.high.unwrap();
                (edge, Price::new(edge.get().add(least.get()).unwrap()))
            }
            _ => {
                let edge = bounds.low.unwrap();
                (edge, Price::new(edge.get().sub(least.get()).unwrap()))
            }
        };
        assert!(guard.holds(edge, now), "{extreme}");
        assert!(!guard.holds(outside.unwrap(), now), "{extreme}");
    }
}

#[test]
fn a_settlement_names_account_side_and_margin() {
    let mut desk = desk(&Bars::flat("50000"), &[(8, "0.0001")])
        .with(|settings| settings.position_mode = PositionMode::Hedge);
    desk.run(sided(PositionSide::Long, Side::Buy, "0.5"))
        .unwrap();
    desk.run(sided(PositionSide::Short, Side::Sell, "0.5"))
        .unwrap();
    let events = desk.to(8);
    let scheduled = START.plus(Span::from_hours(8));
    let sides = [PositionSide::Long, PositionSide::Short];
    assert_eq!(events.len(), sides.len());
    for (event, side) in events.iter().zip(sides) {
        let EventKind::Funding(funding) = &event.kind else {
            panic!("{event:?}")
        };
        assert_eq!(funding.account, desk.account("usdm"));
        assert_eq!(funding.instrument.kind.position_side(), Some(side));
        assert_eq!(funding.instrument.kind.contract(), InstrumentKind::Perp);
        assert_eq!(funding.margin, MarginMode::Cross);
        assert_eq!((funding.scheduled, event.at), (scheduled, scheduled));
    }
    let balances = [("usdm", "USDT", "20000")];
    let bars = Bars::flat("50000");
    let mut desk = Desk::new(&binance::PROFILE, &bars, &[(8, "0")], &balances)
        .with(|settings| settings.margin_mode = MarginMode::Isolated);
    desk.perp(Side::Sell, "0.5").unwrap();
    let events = desk.to(8);
    let EventKind::Funding(funding) = &events[0].kind else {
        panic!("{events:?}")
    };
    assert_eq!(funding.margin, MarginMode::Isolated);
    assert_eq!(funding.amount, Quantity::ZERO, "a rate of zero is reported");
    assert_eq!(events[0].entries.len(), 1);
}

#[test]
fn interest_names_the_debt_before_and_after_each_hour() {
    let mut desk = desk(&Bars::flat("50000"), &[]).with(|settings| {
        settings.spot_margin = true;
        settings.borrow = vec![(USDT, Rate::literal("0.00001"))];
    });
    desk.run(spot_market(Side::Buy, "0.3")).unwrap();
    let events = desk.to(3);
    let account = desk.account("spot");
    let debts = [("-5000", "-5000.05"), ("-5000.05", "-5000.100001")];
    assert_eq!(events.len(), debts.len());
    for ((event, hour), (before, after)) in events.iter().zip(2..).zip(debts) {
        let at = START.plus(Span::from_hours(hour));
        assert_eq!(event.at, at);
        let cursor = |amount| Cursor {
            at,
            amount: q(amount),
        };
        let expected = EventKey::Accrual {
            subject: Subject::Holding {
                account,
                item: Item::Asset(USDT),
            },
            before: cursor(before),
            after: cursor(after),
        };
        assert_eq!(*event.entries[0].cause.event, expected);
        assert_eq!(event.entries[0].instruction, None);
    }
}

#[test]
fn a_forced_close_is_known_as_a_fill_of_our_side() {
    let bars = Bars::flat("50000").bar(2, ["50000", "70000", "49000", "51000"]);
    let mut desk = desk(&bars, &[]);
    let opened = desk.perp(Side::Sell, "1").unwrap();
    let events = desk.to(2);
    let EventKind::Liquidation(close) = &events[0].kind else {
        panic!("{events:?}")
    };
    assert_eq!(close.side(), Side::Buy);
    assert!(close.margin_balance <= close.maintenance_margin);
    assert_eq!(close.covered, Quantity::ZERO);
    let key = &events[0].entries[0].cause.event;
    assert_eq!(key.traded(), Some(close.instrument));
    assert_ne!(*key, opened.entries[0].cause.event);
    assert_eq!(events[0].entries[0].instruction, None);
    // 19,975 + 50,000 − 70,000, the worst price of the bar.
    assert_eq!(close.margin_balance, Value::literal("-25"));
}

#[test]
fn what_goes_wrong_in_a_poll_is_reported_and_what_happened_before_stands() {
    let doge = Asset::literal("DOGE");
    let mut desk = desk(&Bars::flat("50000"), &[(8, "0.0001")]).with(|settings| {
        settings.spot_margin = true;
        settings.borrow = vec![(Asset::literal("DOGE"), Rate::literal("0.00001"))];
    });
    desk.perp(Side::Sell, "1").unwrap();
    // Hour by hour: interest of an earlier instant would fail before the funding.
    desk.to(7);
    let spot = desk.account("spot");
    desk.venue.books.cash.add(spot, doge, q("-5")).unwrap();
    let now = START.plus(Span::from_hours(8));
    desk.view.advance_to(now).unwrap();
    let events = desk.poll();
    let [funding, lost] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(matches!(funding.kind, EventKind::Funding(_)));
    let EventKind::Connectivity { connected, error } = &lost.kind else {
        panic!("{lost:?}")
    };
    assert!(!connected);
    let error = error.as_ref().unwrap();
    assert_eq!(error.operation, "advance");
    assert!(error.to_string().contains("decimals of DOGE"), "{error}");
    assert_eq!(desk.venue.health().counts().1, 1);
    desk.book(&events);
    desk.venue.books.cash.add(spot, doge, q("5")).unwrap();
    let (sums, held) = desk.sums_and_holdings();
    assert_eq!(sums, held);
}

#[test]
fn rules_that_are_added_during_a_run_hold_from_the_next_call() {
    let mut desk = desk(&Bars::flat("50000"), &[]);
    let shared = SharedRules::new(RuleBook::new([rules("binance")]));
    desk.venue.set_dependencies(Dependencies {
        data_provider: Some(Arc::new(shared.clone())),
        ..dependencies(&["binance"])
    });
    desk.run(spot_market(Side::Buy, "0.001")).unwrap();
    let mut json = rules_json("binance");
    json["snapshots"][0]["effective_from"] = "2024-01-02".into();
    json["snapshots"][0]["instruments"][0]["min_quantity"] = "0.5".into();
    let newer = read_rules(&json);
    let snapshot = newer.snapshots().first().unwrap().clone();
    desk.to(30);
    shared.add_snapshot(newer.venue, snapshot);
    let events = desk.to(31);
    assert!(
        matches!(events[0].kind, EventKind::Rules { .. }),
        "{events:?}"
    );
    assert_eq!(desk.poll(), [], "reported once");
    let text = desk.run(spot_market(Side::Buy, "0.001")).unwrap_err();
    let text = text.to_string();
    assert!(text.contains("0.5") && text.contains("-1013"), "{text}");
}
