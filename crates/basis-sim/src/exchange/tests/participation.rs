//! What a bar has room for: partial fills, refusals with their reason, impact of what was taken before.

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{CancelOrder, Operation, OrderType, PerpTrade, TimeInForce};
use basis_core::num::{Bps, Fixed18, Quantity, Rate};
use basis_core::types::{InstructionId, Side};
use basis_core::venue::TakingTerms;
use basis_core::venue_event::{EventKind, OrderState};
use basis_testkit::{p, perp_limit, perp_market, q};

use super::super::testing::Execution;
use super::super::testing::binance::PROFILE;
use super::super::testing::{BTC, Bars, Desk, Reported, spot_market};

/// Bars of 100 units that go up by 1 %, of which orders take at most 5 %.
fn desk() -> Desk {
    with_bars(&Bars::flat("50000").bar(1, ["50000", "50500", "50000", "50500"]))
}

fn with_bars(bars: &Bars) -> Desk {
    let balances = [
        ("usdm", "USDT", "2000000"),
        ("spot", "USDT", "2000000"),
        ("spot", "BTC", "50"),
    ];
    Desk::new(&PROFILE, bars, &[], &balances).taking(TakingTerms {
        half_spread: Bps::ZERO,
        impact: Fixed18::ONE,
        max_participation: Some(Rate::literal("0.05")),
    })
}

fn filled(done: &Execution) -> Quantity {
    done.fills
        .iter()
        .fold(Quantity::ZERO, |sum, fill| sum.add(fill.quantity).unwrap())
}

/// The state that an order of `quantity` ends in.
fn ends(desk: &mut Desk, quantity: &str) -> Option<OrderState> {
    let order = desk.instruction(perp_market(BTC, Side::Sell, quantity));
    let events = desk.send(&order);
    desk.book(&events);
    events.iter().find_map(|event| match &event.kind {
        EventKind::Order(order) => Some(order.state),
        _ => None,
    })
}

#[test]
fn an_order_beyond_the_room_fills_in_part_and_expires() {
    let mut desk = desk();
    let done = desk.perp(Side::Sell, "8").unwrap();
    assert_eq!(filled(&done), q("5"), "5 % of 100");
    assert_eq!(ends(&mut self::desk(), "8"), Some(OrderState::Expired));
    assert_eq!(ends(&mut self::desk(), "5"), Some(OrderState::Filled));
}

#[test]
fn what_a_bar_gave_is_gone_until_the_next_one() {
    let mut desk = desk();
    assert_eq!(filled(&desk.perp(Side::Sell, "3").unwrap()), q("3"));
    assert_eq!(filled(&desk.perp(Side::Sell, "3").unwrap()), q("2"));
    let error = desk.perp(Side::Sell, "1").unwrap_err();
    let VenueErrorKind::Rejected { reason, .. } = &error.kind else {
        panic!("{error}")
    };
    let expected = Rejection::NoVolume {
        instrument: basis_core::types::InstrumentKey::new(
            PROFILE.venue,
            basis_core::types::InstrumentKind::Perp,
            BTC,
        ),
        quantity: q("1"),
        volume: q("100"),
        most: q("5"),
        taken: q("5"),
    };
    assert_eq!(*reason, expected);
    desk.to(2);
    assert_eq!(filled(&desk.perp(Side::Sell, "1").unwrap()), q("1"));
}

#[test]
fn what_reduces_may_take_four_times_as_much() {
    let mut desk = desk();
    assert_eq!(
        filled(&desk.run(spot_market(Side::Sell, "30")).unwrap()),
        q("20")
    );
    let done = desk.run(spot_market(Side::Buy, "1"));
    assert!(
        done.is_err(),
        "20 of 100 are gone, and 5 are there for what adds"
    );
    desk.perp(Side::Sell, "4").unwrap();
    desk.to(2);
    let close = PerpTrade {
        symbol: BTC,
        side: Side::Buy,
        quantity: q("5"),
        order_type: OrderType::Market,
        limit_price: None,
        time_in_force: TimeInForce::Ioc,
        reduce_only: true,
        position_side: None,
    };
    desk.perp(Side::Sell, "4").unwrap();
    let done = desk.run(Operation::PerpTrade(close));
    assert_eq!(
        filled(&done.unwrap()),
        q("5"),
        "4 were taken, and 16 more are there for what reduces"
    );
}

/// σ of 1 % and a bar of 100: an order of 1 costs 10 bps, and one of 3 after it as much as one of 4.
#[test]
fn impact_counts_what_was_taken_of_the_bar_before() {
    let mut desk = desk();
    let price = |done: &Execution| done.fills[0].price;
    assert_eq!(price(&desk.perp(Side::Sell, "1").unwrap()), p("50449.5"));
    assert_eq!(price(&desk.perp(Side::Sell, "3").unwrap()), p("50399"));
}

#[test]
fn a_fill_or_kill_order_takes_no_part() {
    let mut desk = desk();
    let order = PerpTrade {
        symbol: BTC,
        side: Side::Sell,
        quantity: q("8"),
        order_type: OrderType::Limit,
        limit_price: Some(p("40000")),
        time_in_force: TimeInForce::Fok,
        reduce_only: false,
        position_side: None,
    };
    let error = desk
        .run(basis_core::instruction::Operation::PerpTrade(order))
        .unwrap_err();
    assert!(
        error.to_string().contains("meets room for 5 alone"),
        "{error}"
    );
}

/// Bars of 100 units: the first trades through a bid of 8 and has room for 5 of it, the second for the rest.
#[test]
fn a_resting_order_fills_as_far_as_each_bar_has_room_and_the_rest_stays() {
    let through = ["50000", "50000", "48000", "50000"];
    let bars = Bars::flat("50000").bar(2, through).bar(3, through);
    let mut desk = with_bars(&bars);
    desk.run(perp_limit(Side::Buy, "8", "49000", TimeInForce::PostOnly))
        .unwrap();
    let parts = |events: &[Reported]| -> Vec<(Option<OrderState>, Quantity)> {
        let part = |event: &Reported| match &event.kind {
            EventKind::Fill(fill) => (None, fill.quantity),
            EventKind::Order(order) => (Some(order.state), order.filled),
            other => panic!("{other:?}"),
        };
        events.iter().map(part).collect()
    };
    let first = desk.to(2);
    let working = (Some(OrderState::Working), q("5"));
    assert_eq!(parts(&first), [(None, q("5")), working]);
    assert!(
        desk.perp(Side::Buy, "1").is_err(),
        "what rested has taken what the bar had"
    );
    let rest = desk.venue.books.orders[0];
    assert_eq!((rest.quantity, rest.filled), (q("3"), q("5")));
    // 147,000 ÷ 5 and a maker fee of 29.4.
    assert_eq!(rest.reserved.2, q("29429.4"));
    let second = desk.to(3);
    let filled = (Some(OrderState::Filled), q("8"));
    assert_eq!(parts(&second), [(None, q("3")), filled]);
    assert!(desk.venue.books.orders.is_empty());
}

#[test]
fn a_part_of_a_resting_order_that_is_canceled_says_what_had_filled() {
    let through = ["50000", "50000", "48000", "50000"];
    let mut desk = with_bars(&Bars::flat("50000").bar(2, through));
    desk.run(perp_limit(Side::Buy, "8", "49000", TimeInForce::Gtc))
        .unwrap();
    desk.to(2);
    let cancel = desk.instruction(Operation::CancelOrder(CancelOrder {
        symbol: BTC,
        order: InstructionId::plain(1),
    }));
    let events = desk.send(&cancel);
    let EventKind::Order(order) = &events[0].kind else {
        panic!("{events:?}")
    };
    assert_eq!((order.state, order.filled), (OrderState::Cancelled, q("5")));
}
