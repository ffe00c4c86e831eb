//! The states of one leg: what comes late, twice or in another order.

use basis_core::error::VenueErrorKind;
use basis_core::instruction::{AmountOrAll, Operation, Staking, Transfer};
use basis_core::num::Quantity;
use basis_core::plan::Leg;
use basis_core::types::{Account, Asset, InstructionId, Label, Side, Span, Timestamp, Venue};
use basis_core::venue_event::{
    EventKind, OrderState, TransactionHash, TransactionStage, TransactionUpdate, TransferId,
    TransferStage, TransferUpdate, VenueEvent,
};
use proptest::prelude::*;

use super::super::leg::{Applied, LegRun, LegState, Role};
use super::super::{BlockRun, Next};
use super::{
    ALPHA, BETA, COMPENSATE, LOT, event, fill, order, quantity, refusal, rejected, second, unknown,
    update,
};

const ID: InstructionId = InstructionId::plain(1);
const CHAIN: Venue = Venue::literal("lido");

/// A sell of ten at beta.
fn run() -> LegRun {
    LegRun::new(order(1, BETA, Side::Sell, quantity("10")), Role::Original)
}

fn filled(trade: u64, amount: &str) -> EventKind {
    fill(ID, run().order().unwrap(), trade, quantity(amount))
}

fn apply(run: &mut LegRun, kind: EventKind) -> Applied {
    run.apply(&event(BETA, second(1), kind))
}

/// A leg whose order is in `state`, filled as far as that means.
fn in_state(state: OrderState) -> LegRun {
    let mut run = run();
    let by_then = match state {
        OrderState::Filled => "10",
        OrderState::Cancelled | OrderState::Expired => "4",
        _ => "0",
    };
    if by_then != "0" {
        assert_eq!(apply(&mut run, filled(1, by_then)), Applied::Accepted);
    }
    let report = match state {
        OrderState::Submitted => return run,
        OrderState::Unknown => unknown(ID, BETA),
        OrderState::Rejected => rejected(ID, BETA),
        _ => update(ID, state, quantity(by_then)),
    };
    assert_eq!(apply(&mut run, report), Applied::Accepted);
    run
}

/// All that the machine reads of a leg, its error included.
fn figures(run: &LegRun) -> String {
    format!(
        "{:?} {:?} {} {} {} {:?}",
        run.state, run.error, run.reported, run.filled, run.net_filled, run.fills_at
    )
}

fn contradicts(applied: &Applied) -> bool {
    matches!(applied, Applied::Contradiction(_))
}

#[test]
fn every_report_of_every_state_moves_on_stays_or_contradicts() {
    use OrderState::{Cancelled, Expired, Filled, Lost, Rejected, Submitted, Unknown, Working};
    // Row by row: `-` stays, `!` contradicts, a letter is the state it moves to. A leg that was cancelled
    // or expired has filled 4.
    let table = [
        (Submitted, "-uwfcerl"),
        (Unknown, "--wfcerl"),
        (Working, "---fce!!"),
        (Filled, "------!!"),
        (Cancelled, "---f--!!"),
        (Expired, "---f--!!"),
        (Rejected, "--!!!!--"),
        (Lost, "--!!!!--"),
    ];
    for (state, row) in table {
        for (reported, expected) in OrderState::ALL.into_iter().zip(row.chars()) {
            let mut run = in_state(state);
            let before = figures(&run);
            let applied = apply(&mut run, update(ID, reported, Quantity::ZERO));
            let context = format!("{state:?} {reported:?}: {applied:?} {run:?}");
            assert_eq!(contradicts(&applied), expected == '!', "{context}");
            if matches!(expected, '-' | '!') {
                assert_eq!(figures(&run), before, "{context}");
            } else {
                assert_eq!(run.state, LegState::Order(reported), "{context}");
            }
        }
    }
}

#[test]
fn what_comes_late_or_twice_changes_nothing_of_a_leg_that_ended() {
    let refused_again = || {
        let kind = VenueErrorKind::InvalidRequest("again, in other words".to_owned());
        refusal(ID, BETA, kind)
    };
    let unreadable = || refusal(ID, BETA, VenueErrorKind::Decode("half a page".to_owned()));
    let ended = [
        (OrderState::Filled, true),
        (OrderState::Cancelled, true),
        (OrderState::Expired, true),
        (OrderState::Rejected, false),
        (OrderState::Lost, false),
    ];
    for (state, was_accepted) in ended {
        let done = in_state(state);
        assert!(done.is_done());
        let late = [
            update(ID, OrderState::Submitted, Quantity::ZERO),
            update(ID, OrderState::Unknown, Quantity::ZERO),
            update(ID, state, done.filled),
            unknown(ID, BETA),
            unreadable(),
            rejected(ID, BETA),
            refused_again(),
            update(ID, OrderState::Working, quantity("2")),
            EventKind::Done { instruction: ID },
        ];
        for kind in late {
            let mut run = done.clone();
            let of_refusal = matches!(&kind, EventKind::Rejected { error, .. }
                if !matches!(error.kind, VenueErrorKind::Decode(_)));
            let of_acceptance = matches!(&kind, EventKind::Done { .. })
                || matches!(&kind, EventKind::Order(o) if o.state == OrderState::Working);
            let impossible = if was_accepted {
                of_refusal
            } else {
                of_acceptance
            };
            let applied = apply(&mut run, kind.clone());
            assert_eq!(
                contradicts(&applied),
                impossible,
                "{state:?} {kind:?} {applied:?}"
            );
            assert_eq!(figures(&run), figures(&done), "{state:?} {kind:?}");
            assert!(run.is_done());
        }
    }
}

#[test]
fn a_refusal_with_fills_and_fills_beyond_the_order_contradict() {
    // It was refused, and yet it fills: the fill counts, for it is posted.
    let mut run = in_state(OrderState::Rejected);
    assert!(contradicts(&apply(&mut run, filled(1, "4"))));
    assert_eq!((run.filled, run.is_refused()), (quantity("4"), true));
    // It has filled in part, and is said never to have been accepted.
    for refusal in [
        rejected(ID, BETA),
        update(ID, OrderState::Lost, Quantity::ZERO),
    ] {
        let mut run = self::run();
        apply(&mut run, filled(1, "4"));
        assert!(contradicts(&apply(&mut run, refusal)));
        assert!(!run.is_refused());
    }
    let mut run = self::run();
    assert!(contradicts(&apply(
        &mut run,
        update(ID, OrderState::Rejected, quantity("4"))
    )));
    assert_eq!(run.state, LegState::Order(OrderState::Submitted));
    let mut run = self::run();
    apply(&mut run, filled(1, "7"));
    assert!(contradicts(&apply(&mut run, filled(2, "7"))));
    assert_eq!(
        (run.filled, run.missing()),
        (quantity("14"), Quantity::ZERO)
    );
}

#[test]
fn a_leg_has_ended_only_when_its_fills_add_up_to_what_the_venue_counts() {
    let mut run = run();
    apply(&mut run, update(ID, OrderState::Cancelled, quantity("6")));
    assert!(!run.is_done());
    apply(&mut run, filled(1, "2"));
    assert!(!run.is_done());
    apply(&mut run, filled(2, "4"));
    assert!(run.is_done());
    // The race is lost after all: it filled whole.
    apply(&mut run, update(ID, OrderState::Filled, quantity("10")));
    assert!(!run.is_done());
    apply(&mut run, filled(3, "4"));
    assert!(run.is_done());
}

proptest! {
    #[test]
    fn prop_reports_of_one_leg_in_any_order_end_in_the_same_state(
        order in Just((0..7usize).collect::<Vec<_>>()).prop_shuffle(),
        twice in proptest::collection::vec(any::<bool>(), 7),
        end in 0..3usize,
    ) {
        let (last, all) = match end {
            0 => (OrderState::Filled, "10"),
            1 => (OrderState::Cancelled, "7"),
            _ => (OrderState::Expired, "7"),
        };
        let rest = if all == "10" { "6" } else { "3" };
        let reports = [
            (1, update(ID, OrderState::Submitted, Quantity::ZERO)),
            (2, unknown(ID, BETA)),
            (3, update(ID, OrderState::Working, Quantity::ZERO)),
            (4, filled(1, "4")),
            (5, update(ID, OrderState::Working, quantity("4"))),
            (6, filled(2, rest)),
            (7, update(ID, last, quantity(all))),
        ];
        let mut expected = run();
        for (at, kind) in &reports {
            expected.apply(&event(BETA, second(*at), kind.clone()));
        }
        let mut run = run();
        for place in order {
            let (at, kind) = &reports[place];
            // The books notice a fill that comes twice.
            let again = twice[place] && !matches!(kind, EventKind::Fill(_));
            for _ in 0..=usize::from(again) {
                let applied = run.apply(&event(BETA, second(*at), kind.clone()));
                prop_assert_eq!(applied, Applied::Accepted);
            }
        }
        prop_assert!(run.is_done());
        prop_assert_eq!(run.state, LegState::Order(last));
        prop_assert_eq!(run.filled, expected.filled);
        prop_assert_eq!(run.net_filled, expected.net_filled);
        prop_assert_eq!(run.reported, expected.reported);
        prop_assert_eq!(run.fills_at, expected.fills_at);
        prop_assert_eq!(run.known_at, expected.known_at);
    }
}

#[test]
fn what_an_unknown_order_turns_out_to_be_in_any_order() {
    for last in [OrderState::Lost, OrderState::Rejected] {
        for reports in [
            [unknown(ID, BETA), update(ID, last, Quantity::ZERO)],
            [update(ID, last, Quantity::ZERO), unknown(ID, BETA)],
        ] {
            let mut run = run();
            for report in reports {
                assert_eq!(apply(&mut run, report), Applied::Accepted);
            }
            assert!(run.is_refused() && run.is_done() && !run.is_unknown());
        }
    }
}

fn stake() -> LegRun {
    let operation = Operation::Stake(Staking {
        asset_in: Asset::literal("ETH"),
        asset_out: Asset::literal("stETH"),
        amount: AmountOrAll::All,
    });
    let mut leg = Leg::new(CHAIN, operation);
    leg.instruction.id = ID;
    LegRun::new(leg, Role::Original)
}

fn transaction(hash: u8, inclusion: u32, stage: TransactionStage) -> VenueEvent {
    let update = TransactionUpdate {
        instruction: Some(ID),
        hash: TransactionHash::new([hash; 32]),
        inclusion,
        stage,
        changes: Vec::new(),
        waits: false,
        replaced_by: None,
        error: None,
    };
    event(CHAIN, second(1), EventKind::Transaction(Box::new(update)))
}

#[test]
fn a_transaction_that_was_mined_stays_so_unless_its_block_is_taken_out() {
    use TransactionStage::{Broadcast, Dropped, Mined, Reorged, Replaced, Reverted, Signed};
    let states = |reports: &[(u8, u32, TransactionStage)]| {
        let mut run = stake();
        for (hash, inclusion, stage) in reports {
            run.apply(&transaction(*hash, *inclusion, *stage));
        }
        run.state
    };
    let late = [
        (1, 0, Mined),
        (1, 0, Broadcast),
        (1, 0, Signed),
        (1, 0, Mined),
    ];
    assert_eq!(states(&late), LegState::Done);
    let reorged = [(1, 0, Mined), (1, 0, Reorged)];
    assert_eq!(states(&reorged), LegState::Submitted);
    let again = [
        (1, 0, Mined),
        (1, 0, Reorged),
        (1, 1, Mined),
        (1, 0, Reorged),
    ];
    assert_eq!(states(&again), LegState::Done);
    let replaced = [
        (1, 0, Broadcast),
        (1, 0, Replaced),
        (2, 0, Mined),
        (1, 0, Dropped),
    ];
    assert_eq!(states(&replaced), LegState::Done);
    assert_eq!(
        states(&[(1, 0, Reverted), (1, 0, Broadcast)]),
        LegState::Failed
    );
    // Two that cannot both be.
    let mut run = stake();
    run.apply(&transaction(1, 0, Mined));
    assert!(contradicts(&run.apply(&transaction(1, 0, Reverted))));
    assert_eq!(run.state, LegState::Done);
    let mut run = stake();
    run.apply(&event(CHAIN, second(1), rejected(ID, CHAIN)));
    assert!(contradicts(&run.apply(&transaction(1, 0, Mined))));
    assert_eq!(run.state, LegState::Failed);
}

fn transfer() -> LegRun {
    let operation = Operation::Transfer(Transfer {
        asset: Asset::literal("USDT"),
        amount: quantity("10"),
        from: Account::new(ALPHA, Label::literal("spot")),
        to: Account::new(BETA, Label::literal("main")),
    });
    let mut leg = Leg::new(ALPHA, operation);
    leg.instruction.id = ID;
    LegRun::new(leg, Role::Original)
}

fn moves(stage: TransferStage) -> EventKind {
    EventKind::Transfer(Box::new(TransferUpdate {
        id: TransferId::Instruction(ID),
        instruction: Some(ID),
        from: Account::new(ALPHA, Label::literal("spot")),
        to: Account::new(BETA, Label::literal("main")),
        asset: Asset::literal("USDT"),
        amount: quantity("10"),
        fee: Quantity::ZERO,
        stage,
        until: None,
        txid: None,
    }))
}

#[test]
fn a_transfer_that_arrived_stays_so_and_one_under_way_is_the_plans_to_wait_for() {
    use TransferStage::{Confirmed, Credited, Failed, Requested, Returned, Sent};
    let mut run = transfer();
    apply(&mut run, moves(Sent));
    assert!(run.is_done() && run.state == LegState::UnderWay);
    // A timeout after it has left says nothing new, a refusal nothing true.
    assert_eq!(apply(&mut run, unknown(ID, ALPHA)), Applied::Accepted);
    assert!(contradicts(&apply(&mut run, rejected(ID, ALPHA))));
    assert_eq!(run.state, LegState::UnderWay);
    apply(&mut run, moves(Credited));
    for late in [Requested, Sent, Confirmed, Credited] {
        assert_eq!(apply(&mut run, moves(late)), Applied::Accepted);
        assert_eq!(run.state, LegState::Done, "{late:?}");
    }
    for impossible in [Failed, Returned] {
        assert!(contradicts(&apply(&mut run, moves(impossible))));
        assert_eq!(run.state, LegState::Done, "{impossible:?}");
    }
    // One that was only asked for can still be refused.
    let mut run = transfer();
    apply(&mut run, moves(Requested));
    assert_eq!(apply(&mut run, rejected(ID, ALPHA)), Applied::Accepted);
    assert_eq!(run.state, LegState::Failed);
    assert!(contradicts(&apply(&mut run, moves(Sent))));
    assert_eq!(run.state, LegState::Failed);
}

#[test]
fn delta_that_moved_on_chain_is_waited_with_no_longer_than_that_of_a_fill() {
    let legs = [stake().leg, order(2, BETA, Side::Sell, quantity("10"))];
    let mut block = BlockRun::new(legs, COMPENSATE, second(0));
    let staked = block.leg_mut(ID).unwrap();
    staked.delta = quantity("10");
    staked.apply(&transaction(1, 0, TransactionStage::Mined));
    let next = |block: &mut BlockRun, now| block.next(now, &|_| Some(LOT)).unwrap();
    let bound = second(61);
    let last: Timestamp = bound.minus(Span::from_nanos(1));
    assert!(matches!(next(&mut block, second(1)), Next::Wait(Some(at)) if at == last));
    let Next::Send(cancels, _) = next(&mut block, bound) else {
        panic!("the perp order is not taken back");
    };
    assert_eq!(cancels.len(), 1);
    // What is no order cannot be unwound, and is said to be open.
    let Next::End(end) = next(&mut block, bound) else {
        panic!("it does not end");
    };
    assert!(end.failed && end.traded);
    assert_eq!(end.beyond_bound, Some((quantity("10"), Span::ZERO)));
}

#[test]
fn what_filled_at_an_open_that_is_known_an_hour_later_counts_from_then() {
    let hour = Span::from_hours(1);
    let opened = |hours: i64| second(0).plus(hour.times(hours)).plus(Span::from_nanos(1));
    let known = |hours: i64| second(0).plus(hour.times(hours));
    let legs = [
        order(1, ALPHA, Side::Buy, quantity("10")),
        order(2, BETA, Side::Sell, quantity("10")),
    ];
    let mut block = BlockRun::new(legs.clone(), COMPENSATE, second(0));
    let tell = |block: &mut BlockRun, leg: &Leg, hours: i64, kind| {
        let run = block.leg_mut(leg.instruction.id).unwrap();
        run.delta = run.delta.add(super::delta_of(&kind)).unwrap();
        let (at, received_at) = (opened(hours - 1), known(hours));
        run.apply(&VenueEvent::new(leg.venue, at, received_at, kind));
    };
    let asked = super::super::order_of(&legs[0]).unwrap();
    tell(&mut block, &legs[0], 1, fill(ID, asked, 1, quantity("10")));
    tell(
        &mut block,
        &legs[0],
        1,
        update(ID, OrderState::Filled, quantity("10")),
    );
    tell(
        &mut block,
        &legs[1],
        1,
        rejected(InstructionId::plain(2), BETA),
    );
    let Next::Send(mut unwinding, _) = block.next(known(1), &|_| Some(LOT)).unwrap() else {
        panic!("nothing is unwound");
    };
    unwinding[0].0.instruction.id = InstructionId::plain(3);
    block.add(unwinding.clone());
    let (back, _) = &unwinding[0];
    let asked = super::super::order_of(back).unwrap();
    tell(
        &mut block,
        back,
        2,
        fill(InstructionId::plain(3), asked, 2, asked.quantity),
    );
    tell(
        &mut block,
        back,
        2,
        update(InstructionId::plain(3), OrderState::Filled, asked.quantity),
    );
    let Next::End(end) = block.next(known(2), &|_| Some(LOT)).unwrap() else {
        panic!("it does not end");
    };
    assert!(end.failed && end.stuck.is_empty());
    assert_eq!(end.beyond_bound, None);
}

#[test]
fn an_order_that_was_amended_upwards_may_fill_more() {
    let mut amended = run();
    amended.enlarge(quantity("15"));
    assert_eq!(apply(&mut amended, filled(1, "15")), Applied::Accepted);
    let mut plain = run();
    let applied = apply(&mut plain, filled(1, "15"));
    assert!(matches!(applied, Applied::Contradiction(_)), "{applied:?}");
}
