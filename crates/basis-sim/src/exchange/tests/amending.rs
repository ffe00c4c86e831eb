//! Amended orders at each venue.

use basis_core::instruction::TimeInForce;
use basis_core::types::{InstructionId, Side};
use basis_core::venue_event::{EventKind, LiquiditySide, OrderState};
use basis_market::{ExecutionInterface, Horizon};

use crate::exchange::ExchangeProfile;
use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit, okx};

const VENUES: [(&ExchangeProfile, &str); 3] = [
    (&binance::PROFILE, "usdm"),
    (&bybit::PROFILE, "unified"),
    (&okx::PROFILE, "trading"),
];

fn desk(at: usize, bars: &Bars) -> Desk {
    let (profile, account) = VENUES[at];
    Desk::new(profile, bars, &[], &[(account, "USDT", "20000")])
}

/// A buy of 1 BTC rests at 45,000 as instruction 1.
fn resting(at: usize, time_in_force: TimeInForce) -> Desk {
    let mut desk = desk(at, &Bars::flat("50000"));
    desk.run(perp_limit(Side::Buy, "1", "45000", time_in_force))
        .unwrap();
    desk
}

#[test]
fn price_and_quantity_change_and_so_does_what_they_bind() {
    for at in 0..3 {
        let mut desk = resting(at, TimeInForce::Gtc);
        let amended = desk.run(amend(1, Some("0.5"), Some("46000"))).unwrap();
        assert_eq!(amended.status, ExecutionStatus::Settled);
        assert_eq!(amended.instruction, InstructionId::plain(2));
        let [order] = desk.venue.books.orders.as_slice() else {
            panic!("one order")
        };
        assert_eq!(order.instruction, InstructionId::plain(1));
        assert_eq!((order.quantity, order.limit), (q("0.5"), p("46000")));
        // 23,000 ÷ 5 and a maker fee of 4.6.
        assert_eq!(order.reserved.2, q("4604.6"));
    }
}

#[test]
fn an_order_that_is_not_there_cannot_be_amended() {
    for (at, code) in [(0, "-2013"), (1, "110001"), (2, "51503")] {
        let mut desk = resting(at, TimeInForce::Gtc);
        let missing = amend(9, Some("1"), Some("46000"));
        assert_eq!(desk.refused(missing).0, Some(code));
    }
}

#[test]
fn only_binance_wants_quantity_and_price_both() {
    for (at, code) in [(0, Some("-1102")), (1, None), (2, None)] {
        let mut desk = resting(at, TimeInForce::Gtc);
        let price = amend(1, None, Some("46000"));
        match code {
            Some(_) => assert_eq!(desk.refused(price).0, code),
            None => {
                desk.run(price).unwrap();
                desk.run(amend(1, Some("0.2"), None)).unwrap();
                assert_eq!(desk.venue.books.orders[0].quantity, q("0.2"));
            }
        }
    }
    for (at, code) in [(0, "-1102"), (1, "10001"), (2, "51000")] {
        let mut desk = resting(at, TimeInForce::Gtc);
        assert_eq!(desk.refused(amend(1, None, None)).0, Some(code));
    }
}

#[test]
fn what_is_so_already_succeeds() {
    for at in 0..3 {
        let mut desk = resting(at, TimeInForce::Gtc);
        let before = desk.venue.books.orders[0].placed_at;
        desk.run(amend(1, Some("1"), Some("45000"))).unwrap();
        assert_eq!(desk.venue.books.orders[0].placed_at, before);
    }
}

#[test]
fn a_refused_amendment_leaves_the_order_as_it_was() {
    for (at, lot, funds) in [
        (0, "-1111", "-2019"),
        (1, "10001", "110007"),
        (2, "51121", "51008"),
    ] {
        let mut desk = resting(at, TimeInForce::Gtc);
        assert_eq!(
            desk.refused(amend(1, Some("0.50005"), Some("45000"))).0,
            Some(lot)
        );
        assert_eq!(
            desk.refused(amend(1, Some("5"), Some("45000"))).0,
            Some(funds)
        );
        let [order] = desk.venue.books.orders.as_slice() else {
            panic!("one order")
        };
        assert_eq!((order.quantity, order.reserved.2), (q("1"), q("9009")));
    }
}

#[test]
fn an_amended_price_that_crosses_takes_under_the_first_instruction() {
    for at in 0..3 {
        let mut desk = resting(at, TimeInForce::Gtc);
        let taken = desk.run(amend(1, Some("1"), Some("50100"))).unwrap();
        assert_eq!(taken.instruction, InstructionId::plain(2));
        assert_eq!(taken.fills[0].liquidity, LiquiditySide::Taker);
        assert_eq!(taken.entries[0].instruction, Some(InstructionId::plain(1)));
        assert!(desk.venue.books.orders.is_empty());
    }
}

#[test]
fn a_post_only_order_amended_across_the_market_is_canceled() {
    for at in 0..3 {
        let mut desk = resting(at, TimeInForce::PostOnly);
        let amended = desk.run(amend(1, Some("1"), Some("50100"))).unwrap();
        assert!(desk.venue.books.orders.is_empty());
        let [canceled, done] = amended.events.as_slice() else {
            panic!("{:?}", amended.events)
        };
        assert_eq!(canceled.order_state(), Some(OrderState::Cancelled));
        assert_eq!(canceled.settles(), Some(InstructionId::plain(1)));
        let instruction = InstructionId::plain(2);
        assert_eq!(done.kind, EventKind::Done { instruction });
        assert_eq!(desk.venue.horizon(&desk.view), Horizon::QUIET);
        assert_eq!(desk.to(2), [], "reported once");
    }
}

#[test]
fn a_smaller_quantity_keeps_the_place_but_at_binance() {
    // The bar that closes at hour 2 goes through 45,000. An order that queued anew at hour 2 does
    // not fill by it, and no later bar goes there.
    for (at, fills) in [(0, 0), (1, 1), (2, 1)] {
        let bars = Bars::flat("50000")
            .bar(2, ["50000", "50000", "46000", "50000"])
            .bar(3, ["50000", "50000", "44000", "50000"]);
        let mut desk = desk(at, &bars);
        desk.run(perp_limit(Side::Buy, "1", "45000", TimeInForce::Gtc))
            .unwrap();
        desk.run(perp_limit(Side::Buy, "0.1", "45000", TimeInForce::Gtc))
            .unwrap();
        desk.to(2);
        desk.run(amend(1, Some("0.5"), Some("45000"))).unwrap();
        let first = desk.venue.books.orders[0].instruction;
        assert_eq!(first, InstructionId::plain(if fills == 1 { 1 } else { 2 }));
        let placed = desk
            .venue
            .books
            .orders
            .iter()
            .find(|o| o.instruction == InstructionId::plain(1));
        let kept = placed.unwrap().placed_at < desk.view.now();
        assert_eq!(kept, fills == 1);
        assert_eq!(desk.to(3).len(), 2, "bars from here on count for both");
    }
}

#[test]
fn a_spot_order_is_amended_as_the_venue_does_it() {
    let accounts = ["spot", "unified", "trading"];
    for (at, account) in accounts.into_iter().enumerate() {
        let balances = [(account, "USDT", "20000")];
        let mut desk = Desk::new(VENUES[at].0, &Bars::flat("50000"), &[], &balances);
        desk.run(spot_limit(Side::Buy, "0.1", "45000", TimeInForce::Gtc))
            .unwrap();
        desk.run(amend(1, Some("0.05"), None)).unwrap();
        assert_eq!(desk.venue.books.orders[0].quantity, q("0.05"));
        let more = amend(1, Some("0.06"), None);
        let price = amend(1, None, Some("46000"));
        if at == 0 {
            assert_eq!(desk.refused(more).0, Some("-2038"));
            assert_eq!(desk.refused(price).0, Some("-2038"));
        } else {
            desk.run(more).unwrap();
            desk.run(price).unwrap();
        }
    }
}
