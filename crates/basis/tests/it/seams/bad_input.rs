//! What a venue says and cannot be: its report is refused by name, it is halted, and the others go on.

use basis::core::error::Code;
use basis::core::ledger::{EntryKind, TradeId};
use basis::core::num::{Quantity, Rate};
use basis::core::plan::FailurePolicy;
use basis::core::types::{Asset, Item, Label, Side, Span, Timestamp, Venue};
use basis::core::venue_event::{
    AccountSnapshot, BalanceChange, EventKind, Events, Fill, LiquiditySide, OrderState,
    OrderUpdate, OtherEvent, Position, Reward, VenueEvent,
};
use basis::engine::RunResult;

use crate::tight_loop::{FLAT, PERP, SPOT, after_funding, pair, plans};
use crate::world::{
    ALPHA, BETA, BTC, Meddle, USDT, World, errors, has_no_residual, hour, id, lines, main_account,
    order, p, plan, q, spot, states,
};

/// What alpha says at five beside the truth, and what it then says it holds.
type Say = fn(Timestamp, &mut Events, &mut AccountSnapshot);

fn says(say: Say) -> Meddle {
    let mut said = false;
    Box::new(move |view, events, snapshot| {
        if view.now() >= hour(5) {
            let mut spoken = Events::new();
            say(view.now(), &mut spoken, snapshot);
            if !std::mem::replace(&mut said, true) {
                events.append(&mut spoken);
            }
        }
    })
}

/// The pair at three, alpha's word at five, one more order for each at six and seven.
fn run(say: Say) -> RunResult {
    let mut plans = plans(vec![pair()], FailurePolicy::Halt);
    let more = |venue, side, quantity| {
        plan(
            vec![vec![order(venue, side, quantity)]],
            FailurePolicy::Halt,
        )
    };
    plans.push((hour(6), more(ALPHA, Side::Buy, "0.006")));
    plans.push((hour(7), more(BETA, Side::Sell, "0.25")));
    let outcome = World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: {}, beta: {} }",
        plans,
        meddled: vec![(ALPHA, vec![hour(5)], says(say))],
        ..World::default()
    }
    .run();
    let result = outcome.result.unwrap();
    assert!(has_no_residual(&result));
    assert_eq!(result.counts.steps, 8);
    result
}

/// What beta's order of seven leaves.
const BETA_GOES_ON: [&str; 2] = [
    "beta.main beta:perp:BTCUSDT -0.25 -15025 trade",
    "beta.main USDT -7.5125 -7.5125 fee",
];

/// Runs alpha's word: it is refused with `problem`, alpha is halted, and `booked` is all it left.
fn refused(say: Say, problem: &str, booked: &[&str]) {
    let result = run(say);
    let ledger = after_funding(&[&SPOT, &PERP, booked, &BETA_GOES_ON]);
    assert_eq!(lines(&result), ledger);
    let said = errors(&result, Code::VenueEventInvalid);
    let first = said.first().unwrap();
    assert!(first.contains(problem), "{said:?}");
    let halted = errors(&result, Code::VenueHalted);
    let first = halted.first().unwrap();
    assert!(first.starts_with("alpha is halted"), "{halted:?}");
    let waits = states(&result, "waits_for_venue");
    let first = waits.first().unwrap();
    assert!(first.starts_with("test: alpha is halted"), "{waits:?}");
}

fn event(now: Timestamp, kind: EventKind) -> VenueEvent {
    VenueEvent::new(ALPHA, now, now, kind)
}

/// A fill of 0.5 at 60,000 without a fee.
fn fill(instruction: Option<u32>, trade: &'static str) -> Fill {
    Fill {
        instruction: instruction.map(id),
        account: main_account(ALPHA),
        trade: TradeId::Text(trade.into()),
        instrument: spot(),
        base: BTC,
        quote: USDT,
        side: Side::Buy,
        quantity: q("0.5"),
        price: p("60000"),
        turnover: q("30000"),
        reference: p("60000"),
        fee_asset: USDT,
        fee: Quantity::ZERO,
        fee_rate: Rate::ZERO,
        liquidity: LiquiditySide::Maker,
        realized: None,
        covered: Quantity::ZERO,
    }
}

fn filled(fill: Fill) -> EventKind {
    EventKind::Fill(Box::new(fill))
}

/// The snapshot of a venue at which 0.5 more were bought for 30,000.
fn bought(snapshot: &mut AccountSnapshot) {
    for position in &mut snapshot.positions {
        let change = match position.item {
            Item::Asset(asset) if asset == BTC => q("0.5"),
            _ => q("-30000"),
        };
        position.quantity = position.quantity.add(change).unwrap();
        position.units = position.quantity;
    }
}

/// What the fill leaves: it is booked once, for the holding is what it is.
const BOUGHT: [&str; 2] = [
    "alpha.main BTC 0.5 30000 trade",
    "alpha.main USDT -30000 -30000 trade",
];

#[test]
fn a_fill_for_an_instruction_that_was_never_sent() {
    let say: Say = |now, events, snapshot| {
        events.push(event(now, filled(fill(Some(99), "x-1"))));
        events.push(event(now, filled(fill(Some(99), "x-1"))));
        bought(snapshot);
    };
    refused(say, "instruction 1714521600-99 was never sent", &BOUGHT);
}

#[test]
fn a_fill_of_an_order_that_is_none_of_ours() {
    let say: Say = |now, events, snapshot| {
        events.push(event(now, filled(fill(None, "x-2"))));
        bought(snapshot);
    };
    refused(say, "none of ours", &BOUGHT);
}

#[test]
fn more_filled_than_was_ordered() {
    let say: Say = |now, events, snapshot| {
        events.push(event(now, filled(fill(Some(3), "x-3"))));
        bought(snapshot);
    };
    refused(
        say,
        "instruction 1714521600-3 has filled 1.5 of 1 ordered",
        &BOUGHT,
    );
}

#[test]
fn a_fill_of_an_instruction_that_is_no_order() {
    let say: Say = |now, events, snapshot| {
        events.push(event(now, filled(fill(Some(1), "x-4"))));
        bought(snapshot);
    };
    refused(say, "instruction 1714521600-1 is no order", &BOUGHT);
}

#[test]
fn a_fill_that_was_reported_before_changes_nothing() {
    let result = run(|now, events, _| {
        let again = Fill {
            trade: TradeId::Text("alpha-1".into()),
            ..fill(Some(3), "")
        };
        events.push(event(now, filled(again)));
    });
    assert_eq!(errors(&result, Code::VenueEventInvalid), [""; 0]);
    assert_eq!(errors(&result, Code::VenueHalted), [""; 0]);
    assert_eq!(result.counts.fills, 4);
}

#[test]
fn a_report_received_before_an_earlier_one() {
    let say: Say = |now, events, _| {
        let then = hour(1);
        let kind = filled(fill(Some(3), "x-5"));
        events.push(VenueEvent::new(ALPHA, then, then, kind));
        assert!(then < now);
    };
    refused(
        say,
        "it was received at 2024-05-01T01:00:00Z, before one",
        &[],
    );
}

#[test]
fn a_report_from_the_future() {
    let say: Say = |now, events, _| {
        let then = now.plus(Span::from_seconds(1));
        events.push(VenueEvent::new(
            ALPHA,
            then,
            now,
            filled(fill(Some(3), "x-6")),
        ));
    };
    refused(say, "it happened at 2024-05-01T05:00:01Z, and it is", &[]);
}

#[test]
fn a_quantity_below_zero() {
    let say: Say = |now, events, _| {
        let negative = Fill {
            quantity: q("-0.5"),
            ..fill(Some(3), "x-7")
        };
        events.push(event(now, filled(negative)));
    };
    refused(say, "-0.5 must be above zero", &[]);
}

#[test]
fn a_position_that_no_fill_made() {
    let say: Say = |now, events, _| {
        let change = BalanceChange::scaled(
            EntryKind::Transfer,
            (main_account(ALPHA), Item::Position(spot())),
            q("1"),
            q("1"),
        );
        let other = OtherEvent {
            id: "gift".into(),
            name: Label::literal("gift"),
            instruction: None,
            changes: vec![change],
        };
        events.push(event(now, EventKind::Other(Box::new(other))));
    };
    refused(say, "that only a fill can make", &[]);
}

#[test]
fn an_order_that_is_refused_after_it_filled() {
    // The order is one of an ended block, and the word is late: nothing follows from it.
    let result = run(|now, events, _| {
        let update = OrderUpdate {
            instruction: id(3),
            state: OrderState::Rejected,
            filled: Quantity::ZERO,
            venue_order_id: None,
            reason: None,
        };
        events.push(event(now, EventKind::Order(update)));
    });
    assert_eq!(result.counts.fills, 4);
}

#[test]
fn a_snapshot_that_contradicts_itself() {
    let say: Say = |now, events, snapshot| {
        let twice = snapshot.positions.first().copied();
        snapshot.positions.extend(twice);
        // Something must have happened for the books to be compared.
        let change =
            BalanceChange::asset(EntryKind::Reward, main_account(ALPHA), USDT, Quantity::ZERO);
        let other = OtherEvent {
            id: "note".into(),
            name: Label::literal("note"),
            instruction: None,
            changes: vec![change],
        };
        events.push(event(now, EventKind::Other(Box::new(other))));
    };
    let booked = ["alpha.main USDT 0 0 reward"];
    refused(
        say,
        "a snapshot that contradicts itself: BTC in alpha.main is both 1 and 1",
        &booked,
    );
}

#[test]
fn an_event_in_the_name_of_a_venue_that_is_none_of_the_run() {
    let say: Say = |now, events, _| {
        let kind = filled(fill(Some(3), "x-8"));
        events.push(VenueEvent::new(Venue::literal("gamma"), now, now, kind));
    };
    refused(say, "gamma is no venue of the run", &[]);
}

#[test]
fn an_asset_without_a_price_is_booked_at_zero_and_listed() {
    const XYZ: Asset = Asset::literal("XYZ");
    let result = run(|now, events, snapshot| {
        let reward = Reward {
            account: main_account(ALPHA),
            asset: XYZ,
            amount: q("7"),
            program: Label::literal("airdrop"),
            payment: hour(5),
        };
        events.push(event(now, EventKind::Reward(reward)));
        let held = Position::new(main_account(ALPHA), Item::Asset(XYZ), q("7"));
        snapshot.positions.push(held);
    });
    assert!(lines(&result).contains(&"alpha.main XYZ 7 0 reward".to_owned()));
    assert_eq!(
        errors(&result, Code::ExposureUnpriced),
        ["XYZ in alpha.main has no price: it is booked at 0"]
    );
    assert!(
        result
            .assumptions
            .contains(&"XYZ in alpha.main has no price: it counts as 0".to_owned())
    );
    // It stops nobody: both trade on.
    assert_eq!(result.counts.fills, 4);
    assert_eq!(errors(&result, Code::VenueHalted), [""; 0]);
}

#[test]
fn an_order_that_counts_more_than_was_ordered() {
    let meddle: Meddle = Box::new(|_, events, _| {
        for event in events {
            if let EventKind::Order(update) = &mut event.kind {
                update.filled = q("5");
            }
        }
    });
    let mut plans = plans(vec![pair()], FailurePolicy::Halt);
    let more = vec![vec![order(BETA, Side::Sell, "0.25")]];
    plans.push((hour(7), plan(more, FailurePolicy::Halt)));
    let outcome = World {
        closes: FLAT.to_vec(),
        settings: "{ wallet: {}, alpha: {}, beta: {} }",
        plans,
        meddled: vec![(ALPHA, Vec::new(), meddle)],
        ..World::default()
    }
    .run();
    let result = outcome.result.unwrap();
    let said = errors(&result, Code::VenueEventInvalid);
    assert!(
        !said.is_empty() && said[0].contains("of 1 ordered"),
        "{said:?}"
    );
    assert!(errors(&result, Code::VenueHalted)[0].starts_with("alpha is halted"));
    assert_eq!(
        lines(&result),
        after_funding(&[&SPOT, &PERP, &BETA_GOES_ON])
    );
}
