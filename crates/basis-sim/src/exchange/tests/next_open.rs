//! Orders that fill at the open of the bar after the decision.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{CancelOrder, Operation, TimeInForce};
use basis_core::ledger::EntryKind;
use basis_core::num::{Bps, Fixed18, Quantity};
use basis_core::types::{InstructionId, Side, Span, Timestamp};
use basis_core::venue_event::{EventKind, Fill, LiquiditySide, OrderState};
use basis_market::ExecutionInterface;

use crate::exchange::testing::binance;
use crate::exchange::testing::*;
use basis_core::venue::TakingTerms;

fn hour(number: i64) -> Timestamp {
    START.plus(Span::from_hours(number))
}

fn just_after(number: i64) -> Timestamp {
    hour(number).plus(Span::from_nanos(1))
}

/// A bar that opens away from the close before it.
fn jump() -> Bars {
    Bars::flat("50000").bar(2, ["50100", "50500", "49900", "50200"])
}

fn desk(bars: &Bars, rates: &[(i64, &str)]) -> Desk {
    let balances = [("usdm", "USDT", "20000"), ("spot", "USDT", "60000")];
    Desk::new(&binance::PROFILE, bars, rates, &balances).at_next_open()
}

fn pending(execution: &Execution) {
    let until = None;
    assert_eq!(execution.status, ExecutionStatus::Pending { until });
    assert!(execution.fills.is_empty() && execution.entries.is_empty());
}

fn fill(event: &Reported) -> &Fill {
    match &event.kind {
        EventKind::Fill(fill) => fill,
        other => panic!("a fill: {other:?}"),
    }
}

fn failure(event: &Reported) -> (InstructionId, &Rejection) {
    match &event.kind {
        EventKind::Rejected { instruction, error } => match &error.kind {
            VenueErrorKind::Rejected { reason, .. } => (*instruction, reason),
            other => panic!("a rejection: {other:?}"),
        },
        other => panic!("a failed order: {other:?}"),
    }
}

#[test]
fn a_market_order_fills_at_the_next_open_and_is_known_with_its_bar() {
    let mut desk = desk(&jump(), &[]);
    let sent = desk.perp(Side::Sell, "1").unwrap();
    pending(&sent);
    let horizon = desk.venue.horizon(&desk.view);
    assert!(horizon.is_due(&desk.view), "the fill is waited for");
    let events = desk.to(2);
    assert_eq!(events.len(), 1);
    let fill = fill(&events[0]);
    assert_eq!((fill.price, fill.reference), (p("50100"), p("50100")));
    assert_eq!(events[0].at, just_after(1));
    assert_eq!(
        (fill.liquidity, fill.fee),
        (LiquiditySide::Taker, q("25.05"))
    );
    assert!(events[0].entries.iter().all(|e| e.at == just_after(1)));
    assert_eq!(desk.held("usdm", "USDT"), q("19974.95"));
    assert_eq!(desk.to(3), [], "filled once");
}

#[test]
fn impact_counts_from_the_open_by_the_bars_before() {
    let bars = Bars::flat("50000")
        .bar(1, ["50000", "50500", "50000", "50500"])
        .bar(2, ["50100", "50300", "49900", "50200"]);
    let mut desk = desk(&bars, &[]).taking(TakingTerms {
        half_spread: Bps::literal("1"),
        impact: Fixed18::ONE,
        max_participation: None,
    });
    desk.perp(Side::Sell, "1").unwrap();
    // A bar of 1 %, and 1 of its 100 units: 10 bps of impact; 50,100 x 0.9989 = 50,044.89, down to the tick.
    let events = desk.to(2);
    assert_eq!(fill(&events[0]).price, p("50044.8"));
    assert_eq!(fill(&events[0]).reference, p("50100"));
}

#[test]
fn what_fills_at_the_open_meets_the_extremes_of_that_bar() {
    let bars = Bars::flat("50000").bar(2, ["50100", "75000", "49900", "50200"]);
    let mut desk = desk(&bars, &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let kinds = desk.to(2);
    let [filled, liquidated] = kinds.as_slice() else {
        panic!("a fill and a liquidation: {kinds:?}")
    };
    assert_eq!((fill(filled).side, filled.at), (Side::Sell, just_after(1)));
    assert!(matches!(
        &liquidated.kind,
        EventKind::Liquidation(close) if close.closing == q("1")
    ));
}

#[test]
fn funding_of_the_bar_is_settled_on_it_and_that_of_the_decision_is_not() {
    let rates = [(8, "0.0001"), (16, "0.0001")];
    for (decided, settlements) in [(7, vec![8, 16]), (8, vec![16])] {
        let mut desk = desk(&Bars::flat("50000"), &rates);
        desk.to(decided);
        desk.perp(Side::Sell, "1").unwrap();
        let mut settled = Vec::new();
        for at in decided + 1..=17 {
            for event in desk.to(at) {
                if matches!(event.kind, EventKind::Funding(_)) {
                    assert_eq!(event.entries[0].quantity, q("5"));
                    settled.push(event.at.since(START).seconds() / 3600);
                }
            }
        }
        assert_eq!(settled, settlements, "decided at {decided}");
    }
}

#[test]
fn a_step_of_several_bars_fills_at_the_first_of_them() {
    let mut desk = desk(&jump().bar(3, ["51000", "51000", "51000", "51000"]), &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let events = desk.to(3);
    assert_eq!(fill(&events[0]).price, p("50100"));
    assert_eq!(events[0].at, just_after(1));
}

#[test]
fn a_market_without_its_next_bar_fills_nothing() {
    let mut desk = desk(&Bars::flat("50000").gap(2), &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let events = desk.to(2);
    let (instruction, reason) = failure(&events[0]);
    assert_eq!(instruction, InstructionId::plain(1));
    assert!(matches!(reason, Rejection::MarketStale { .. }), "{reason}");
    assert_eq!(desk.to(3), [], "nor later");
}

#[test]
fn what_a_pending_order_needs_is_bound() {
    let mut desk = desk(&Bars::flat("50000"), &[]);
    pending(&desk.run(spot_market(Side::Buy, "1")).unwrap());
    let (code, _) = desk.refused(spot_market(Side::Buy, "1"));
    assert_eq!(code, Some("-2010"));
    desk.perp(Side::Sell, "1.9").unwrap();
    assert!(desk.perp(Side::Sell, "1.9").is_err(), "margin is bound too");
    let wallet = basis_core::types::Account::WALLET;
    let from = desk.account("spot");
    let send = transfer("USDT", "20000", from, wallet);
    assert!(desk.run(send).is_err(), "nothing bound leaves");
    assert_eq!(desk.to(2).len(), 2);
}

#[test]
fn an_open_that_the_balance_does_not_cover_fails_the_order() {
    let bars = Bars::flat("50000").bar(2, ["61000", "61000", "61000", "61000"]);
    let mut desk = desk(&bars, &[]);
    desk.run(spot_market(Side::Buy, "1")).unwrap();
    desk.run(spot_market(Side::Buy, "0.1")).unwrap();
    let events = desk.to(2);
    let (instruction, reason) = failure(&events[0]);
    assert_eq!(instruction, InstructionId::plain(1));
    assert!(
        matches!(reason, Rejection::InsufficientBalance { needed, .. } if *needed == q("61000")),
        "{reason}"
    );
    assert_eq!(
        fill(&events[1]).price,
        p("61000"),
        "the next is not in its way"
    );
}

#[test]
fn a_limit_that_the_open_is_beyond_rests_or_expires() {
    let rest = |time_in_force| perp_limit(Side::Sell, "0.1", "50000", time_in_force);
    let bars = Bars::flat("50000").bar(2, ["49900", "50300", "49800", "50200"]);
    let mut desk = desk(&bars, &[]);
    pending(&desk.run(rest(TimeInForce::Ioc)).unwrap());
    pending(&desk.run(rest(TimeInForce::Gtc)).unwrap());
    let events = desk.to(2);
    let settled: Vec<_> = events.iter().map(Reported::settles).collect();
    let id = |number| Some(InstructionId::plain(number));
    assert_eq!(settled, [id(1), id(2), id(2)]);
    assert_eq!(events[0].order_state(), Some(OrderState::Expired));
    assert_eq!(events[1].order_state(), Some(OrderState::Working));
    // The bar trades through the limit after its open.
    let fill = fill(&events[2]);
    assert_eq!(
        (fill.liquidity, fill.price),
        (LiquiditySide::Maker, p("50000"))
    );
}

#[test]
fn a_limit_bounds_the_price_of_the_open() {
    let mut desk = desk(&jump(), &[]).taking(TakingTerms::fixed(Bps::literal("100")));
    let order = perp_limit(Side::Sell, "0.1", "50000", TimeInForce::Gtc);
    pending(&desk.run(order).unwrap());
    assert_eq!(fill(&desk.to(2)[0]).price, p("50000"));
}

#[test]
fn reduce_only_orders_are_cut_to_what_is_held_when_they_fill() {
    let mut desk = desk(&Bars::flat("50000"), &[]);
    desk.perp(Side::Sell, "1").unwrap();
    desk.to(2);
    for _ in 0..2 {
        desk.run(reduce_only(Side::Buy, "1")).unwrap();
    }
    let events = desk.to(3);
    assert_eq!(fill(&events[0]).quantity, q("1"));
    let (_, reason) = failure(&events[1]);
    assert!(matches!(reason, Rejection::ReduceOnly { .. }), "{reason}");
}

#[test]
fn margin_at_the_open_is_that_of_opens() {
    // The long stands at 55,000 when the bar opens; that it falls to 46,000 nobody knows yet.
    let bars = Bars::flat("50000").bar(3, ["55000", "55000", "46000", "46000"]);
    let mut desk = desk(&bars, &[]);
    desk.perp(Side::Buy, "1.5").unwrap();
    desk.to(2);
    desk.run(perp_market(ETH, Side::Buy, "10")).unwrap();
    let events = desk.to(3);
    assert_eq!(fill(&events[0]).instrument.symbol, ETH);
}

#[test]
fn a_sent_order_cannot_be_taken_back() {
    let mut desk = desk(&Bars::flat("50000"), &[]);
    desk.perp(Side::Sell, "1").unwrap();
    let (symbol, order) = (BTC, InstructionId::plain(1));
    let cancel = Operation::CancelOrder(CancelOrder { symbol, order });
    assert!(desk.refused(cancel).1.contains("no open order"));
    assert_eq!(desk.to(2).len(), 1);
}

#[test]
fn fees_are_those_of_the_day_of_the_fill() {
    let mut json = rules_json("binance");
    let mut later = json["snapshots"][0].clone();
    later["effective_from"] = "2024-01-02".into();
    later["fees"]["perp"]["taker_bps"] = "9".into();
    json["snapshots"].as_array_mut().unwrap().push(later);
    let rate = |decided: i64| -> Quantity {
        let mut desk = desk(&Bars::flat("50000"), &[])
            .under(read_rules(&json))
            .at_next_open();
        desk.to(decided);
        desk.perp(Side::Sell, "1").unwrap();
        let events = desk.to(decided + 1);
        let fee = events[0].entries.iter().find(|e| e.kind == EntryKind::Fee);
        fee.unwrap().quantity
    };
    // Decided at 23:00 it fills on the first day, though it is known at midnight of the second.
    assert_eq!([rate(23), rate(24)], ["-25", "-45"].map(q));
}
