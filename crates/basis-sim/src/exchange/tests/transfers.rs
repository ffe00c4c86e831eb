//! Transfers within a venue and between venues, with the wallet.

use std::sync::Arc;

use basis_core::in_flight::InFlightTransfers;
use basis_core::instruction::{Instruction, Operation};
use basis_core::ledger::EntryKind;
use basis_core::num::Quantity;
use basis_core::types::{Account, InstructionId, Item, Label, Side, Span, Venue};
use basis_core::venue::FillAt;
use basis_core::venue_event::{EventKind, Events, TransferStage, TransferUpdate};
use basis_market::MarketView;
use basis_market::{ExecutionInterface, Horizon};
use serde_json::json;

use crate::exchange::SimulatedExchange;
use crate::exchange::testing::*;
use crate::exchange::testing::{binance, bybit, okx};
use crate::settings::{FailingTransfer, FailureStage, InitialBalance, TransferFailure};
use crate::wallet::{WalletExecutionInterface, WalletSettings};
use crate::world::SimulatedWorld;

fn account(venue: &str, name: &str) -> Account {
    Account::new(Venue::new(venue).unwrap(), Label::new(name).unwrap())
}

/// What a venue has to say.
fn poll(venue: &mut dyn ExecutionInterface, view: &MarketView) -> Vec<Reported> {
    let mut events = Events::new();
    venue.poll_events(view, &mut events);
    reported(view, &events)
}

/// What a venue makes of one instruction.
fn send(
    venue: &mut dyn ExecutionInterface,
    view: &MarketView,
    (id, operation): (u32, Operation),
) -> Vec<Reported> {
    let instruction = Instruction::new(InstructionId::plain(id), operation);
    let mut events = Events::new();
    venue.execute_instructions(view, &[instruction], &mut events);
    reported(view, &events)
}

/// What a venue says it holds.
fn held(venue: &mut dyn ExecutionInterface, view: &MarketView) -> Vec<(Account, Item, Quantity)> {
    venue.request_snapshot();
    assert_eq!(poll(venue, view).len(), 1, "the snapshot");
    let rows = venue.account().positions.iter();
    rows.map(|row| (row.account, row.item, row.quantity))
        .collect()
}

fn moved(event: &Reported) -> &TransferUpdate {
    match &event.kind {
        EventKind::Transfer(update) => update,
        other => panic!("a transfer: {other:?}"),
    }
}

fn world(transit: &Arc<InFlightTransfers>) -> SimulatedWorld {
    SimulatedWorld {
        transit: Arc::clone(transit),
        ..SimulatedWorld::default()
    }
}

#[test]
fn an_internal_transfer_is_immediate_where_the_rules_say_so() {
    let balances = [("spot", "USDT", "1000")];
    let mut desk = Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances);
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    let moved = desk.run(transfer("USDT", "400", spot, usdm)).unwrap();
    assert_eq!(moved.status, ExecutionStatus::Settled);
    let lines: Vec<_> = moved
        .entries
        .iter()
        .map(|e| (e.account, e.quantity))
        .collect();
    assert_eq!(lines, [(spot, q("-400")), (usdm, q("400"))]);
    let (_, text) = desk.refused(transfer("USDT", "600.000001", spot, usdm));
    assert!(text.contains("600.000001 USDT needed, 600 free"), "{text}");
    desk.refused(transfer("USDT", "0.0000001", spot, usdm));
    desk.refused(transfer("USDT", "0", spot, usdm));
    desk.refused(transfer("USDT", "1", spot, account("binance", "funding")));
}

#[test]
fn a_delayed_internal_transfer_is_in_flight_until_it_arrives() {
    let balances = [("funding", "USDT", "1000")];
    let mut desk = Desk::new(&okx::PROFILE, &Bars::flat("50000"), &[], &balances);
    let (funding, trading) = (desk.account("funding"), desk.account("trading"));
    let moved = desk.run(transfer("USDT", "400", funding, trading)).unwrap();
    let arrival = START.plus(Span::from_seconds(3660));
    let until = Some(arrival);
    assert_eq!(moved.status, ExecutionStatus::Pending { until });
    assert_eq!(desk.held("trading", "USDT"), q("0"));
    assert_eq!(desk.venue.horizon(&desk.view), Horizon::at(until));
    let events = desk.to(2);
    assert_eq!(events[0].at, arrival);
    assert_eq!(events[0].settles(), Some(moved.instruction));
    assert_eq!(desk.held("trading", "USDT"), q("400"));
}

#[test]
fn margin_that_positions_bind_cannot_leave() {
    let balances = [("usdm", "USDT", "10035")];
    let mut desk = Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances);
    desk.perp(Side::Sell, "1").unwrap();
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    // 10,035 − 25 of fee − 10,000 of initial margin.
    let (_, text) = desk.refused(transfer("USDT", "10.000001", usdm, spot));
    assert!(text.contains(" 10 free"), "{text}");
    desk.run(transfer("USDT", "10", usdm, spot)).unwrap();
}

#[test]
fn unrealized_gains_cannot_leave() {
    let bars = Bars::flat("50000").bar(2, ["50000", "50000", "30000", "30000"]);
    let balances = [("usdm", "USDT", "10100")];
    let mut desk = Desk::new(&binance::PROFILE, &bars, &[], &balances);
    desk.perp(Side::Sell, "1").unwrap();
    desk.to(2);
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    // 30,075 of balance less 6,000 of margin, but only 10,075 of cash.
    let (_, text) = desk.refused(transfer("USDT", "20000", usdm, spot));
    assert!(text.contains("10075 free"), "{text}");
}

#[test]
fn a_withdrawal_leaves_from_the_deposit_account_with_its_fee_on_top() {
    let balances = [("spot", "USDT", "1000"), ("usdm", "USDT", "1000")];
    let mut desk = Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances);
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    let out = |amount, from| transfer("USDT", amount, from, Account::WALLET);
    let (_, text) = desk.refused(out("15", spot));
    assert!(text.contains("below the minimum of 16"), "{text}");
    desk.refused(out("100", usdm));
    desk.refused(out("16.0000001", spot));
    desk.refused(out("997", spot));
    desk.refused(transfer("BTC", "1", spot, Account::WALLET));
    desk.refused(transfer("USDT", "20", spot, account("wallet", "other")));
    let sent = desk.run(out("996", spot)).unwrap();
    let until = START.plus(Span::from_seconds(3600 + 1200));
    assert_eq!(sent.status, ExecutionStatus::Pending { until: Some(until) });
    let lines: Vec<_> = sent
        .entries
        .iter()
        .map(|e| (e.account, e.kind, e.quantity))
        .collect();
    assert_eq!(
        lines,
        [
            (spot, EntryKind::Transfer, q("-996")),
            (spot, EntryKind::TransferCost, q("-4")),
            (Account::IN_FLIGHT, EntryKind::Transfer, q("996")),
        ]
    );
}

#[test]
fn an_amount_finer_than_the_receiver_keeps_is_refused() {
    let mut own = rules_json("binance");
    own["snapshots"][0]["assets"] = json!([{ "asset": "USDT", "decimals": "8" }]);
    own["snapshots"][0]["transfers"]["withdrawals"][0]["decimals"] = "7".into();
    let balances = [("spot", "USDT", "1000"), ("usdm", "USDT", "1000")];
    let mut desk =
        Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances).under(read_rules(&own));
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    // Between its own accounts the venue moves all it keeps.
    desk.run(transfer("USDT", "20.00000001", spot, usdm))
        .unwrap();
    let (_, text) = desk.refused(transfer("USDT", "20.000000001", spot, usdm));
    assert!(text.contains("more than 8 decimals"), "{text}");
    let out = |amount| transfer("USDT", amount, spot, Account::WALLET);
    let (_, text) = desk.refused(out("20.00000001"));
    assert!(text.contains("more than 7 decimals"), "{text}");
    // The sender lets it out; the token has six.
    let (_, text) = desk.refused(out("20.0000001"));
    assert!(text.contains("more than 6 decimals"), "{text}");
    desk.run(out("20.000001")).unwrap();
}

#[test]
fn capital_goes_from_outside_through_the_wallet_to_a_venue_and_back() {
    let transit = Arc::new(InFlightTransfers::default());
    let venues = ["wallet", "bybit"];
    let settings = WalletSettings::default();
    let mut wallet = WalletExecutionInterface::new(&settings, world(&transit));
    wallet.set_dependencies(dependencies(&venues));
    let (settings, shared) = (Default::default(), Arc::clone(&transit));
    let mut cex = SimulatedExchange::new(&bybit::PROFILE, settings, shared, FillAt::Close);
    cex.set_dependencies(dependencies(&venues));
    let mut view = view(&[bybit::PROFILE.venue], &Bars::flat("50000"), &[]);
    let hour = |hours| START.plus(Span::from_hours(hours));
    transit.deposit(USDT, q("1000"), hour(1), 0).unwrap();
    transit.withdraw(USDT, q("600"), hour(2), 0).unwrap();
    assert_eq!(wallet.horizon(&view), Horizon::at(Some(hour(1))));
    let deposited = poll(&mut wallet, &view);
    assert_eq!(deposited[0].entries[0].kind, EntryKind::Deposit);
    let unified = account("bybit", "unified");
    let out = transfer("USDT", "600", Account::WALLET, unified);
    send(&mut wallet, &view, (1, out));
    let usdt = Item::Asset(USDT);
    let expected = [
        (Account::IN_FLIGHT, usdt, q("600")),
        (Account::WALLET, usdt, q("396")),
    ];
    assert_eq!(held(&mut wallet, &view), expected);
    view.advance_to(hour(2)).unwrap();
    let arrived = poll(&mut cex, &view);
    assert_eq!(moved(&arrived[0]).stage, TransferStage::Credited);
    assert_eq!(moved(&arrived[0]).from, Account::WALLET);
    assert_eq!(arrived[0].at, hour(1).plus(Span::from_seconds(1200)));
    // 600 asked, 396 there: the withdrawal waits.
    assert_eq!(poll(&mut wallet, &view), []);
    assert_eq!(transit.external_queued().len(), 1);
    let back = transfer("USDT", "300", unified, Account::WALLET);
    send(&mut cex, &view, (2, back));
    view.advance_to(hour(3)).unwrap();
    let events = poll(&mut wallet, &view);
    let kinds: Vec<_> = events
        .iter()
        .flat_map(|e| &e.entries)
        .map(|e| e.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            EntryKind::Transfer,
            EntryKind::Transfer,
            EntryKind::Withdrawal
        ]
    );
    assert_eq!(held(&mut wallet, &view), [(Account::WALLET, usdt, q("96"))]);
    let stake = send(&mut wallet, &view, (3, Operation::Atomic(Vec::new())));
    assert!(matches!(stake[0].kind, EventKind::Rejected { .. }));
}

fn failing(nth: u64, stage: FailureStage) -> Desk {
    let balances = [("spot", "USDT", "1000")];
    Desk::new(&binance::PROFILE, &Bars::flat("50000"), &[], &balances).with(|settings| {
        let transfer = FailingTransfer::Nth(nth);
        settings.transfer_failures = vec![TransferFailure { transfer, stage }];
    })
}

#[test]
fn a_rejected_transfer_moves_nothing_and_the_next_one_goes() {
    let mut desk = failing(1, FailureStage::Rejected);
    let out = transfer("USDT", "100", desk.account("spot"), Account::WALLET);
    let (_, text) = desk.refused(out.clone());
    assert!(text.contains("rejected the transfer"), "{text}");
    assert_eq!(desk.run(out).unwrap().entries.len(), 3);
}

#[test]
fn a_returned_transfer_is_in_flight_and_comes_back_with_its_fee() {
    let mut desk = failing(2, FailureStage::Returned);
    let out = transfer("USDT", "100", desk.account("spot"), Account::WALLET);
    desk.run(out.clone()).unwrap();
    desk.run(out).unwrap();
    // 1,000 less twice 100 and a fee of 4; both amounts are counted as in flight by the desk.
    assert_eq!(desk.held("spot", "USDT"), q("792"));
    assert_eq!(desk.transit.in_flight().len(), 2);
    assert!(desk.venue.horizon(&desk.view).at.is_some());
    let events = desk.to(2);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].settles(), Some(InstructionId::plain(2)));
    let back = moved(&events[0]);
    assert_eq!((back.stage, back.fee), (TransferStage::Returned, q("4")));
    assert_eq!(
        (back.from, back.to),
        (desk.account("spot"), Account::WALLET)
    );
    assert_eq!(
        events[0].at,
        START
            .plus(Span::from_hours(1))
            .plus(Span::from_seconds(1200))
    );
    let lines: Vec<_> = events[0]
        .entries
        .iter()
        .map(|e| (e.kind, e.quantity))
        .collect();
    let expected = [
        (EntryKind::Transfer, q("-100")),
        (EntryKind::Transfer, q("100")),
        (EntryKind::TransferCost, q("4")),
    ];
    assert_eq!(lines, expected);
    assert_eq!(desk.held("spot", "USDT"), q("896"));
    assert_eq!(
        desk.transit.in_flight().len(),
        1,
        "the wallet collects the first"
    );
}

#[test]
fn a_transfer_can_be_failed_by_the_number_of_its_instruction() {
    let mut desk = failing(9, FailureStage::Returned).with(|settings| {
        settings.transfer_failures[0].transfer = FailingTransfer::Instruction(1);
    });
    let (spot, usdm) = (desk.account("spot"), desk.account("usdm"));
    let inside = desk.run(transfer("USDT", "100", spot, usdm)).unwrap();
    assert!(matches!(inside.status, ExecutionStatus::Pending { .. }));
    assert_eq!(desk.held("usdm", "USDT"), q("0"));
    desk.to(2);
    assert_eq!(desk.held("spot", "USDT"), q("1000"));
}

#[test]
fn a_send_of_the_wallet_can_come_back_too() {
    let transit = Arc::new(InFlightTransfers::default());
    let settings = WalletSettings {
        initial_balances: vec![InitialBalance {
            account: Label::literal("main"),
            asset: USDT,
            quantity: q("1000"),
        }],
        transfer_failures: vec![TransferFailure {
            transfer: FailingTransfer::Nth(1),
            stage: FailureStage::Returned,
        }],
        ..WalletSettings::default()
    };
    let mut wallet = WalletExecutionInterface::new(&settings, world(&transit));
    wallet.set_dependencies(dependencies(&["wallet", "bybit"]));
    let mut view = view(&[bybit::PROFILE.venue], &Bars::flat("50000"), &[]);
    let out = transfer("USDT", "600", Account::WALLET, account("bybit", "unified"));
    let sent = send(&mut wallet, &view, (1, out));
    assert_eq!(moved(&sent[0]).stage, TransferStage::Sent);
    let usdt = Item::Asset(USDT);
    let expected = [
        (Account::IN_FLIGHT, usdt, q("600")),
        (Account::WALLET, usdt, q("396")),
    ];
    assert_eq!(held(&mut wallet, &view), expected);
    view.advance_to(START.plus(Span::from_hours(2))).unwrap();
    let events = poll(&mut wallet, &view);
    assert_eq!(events[0].settles(), Some(InstructionId::plain(1)));
    assert_eq!(
        held(&mut wallet, &view),
        [(Account::WALLET, usdt, q("1000"))]
    );
}

/// A long of 1 BTC at 50,000 on OKX at hour 7, 10,075 USDT of margin behind it, 200 of maintenance; 200
/// more leave the funding account then, where `sent`, and arrive 60 seconds later.
fn long_on_thin_margin(sent: bool, bars: &Bars, rates: &[(i64, &str)]) -> Desk {
    let balances = [("trading", "USDT", "10100"), ("funding", "USDT", "200")];
    let mut desk = Desk::new(&okx::PROFILE, bars, rates, &balances);
    desk.perp(Side::Buy, "1").unwrap();
    desk.to(7);
    if sent {
        let (funding, trading) = (desk.account("funding"), desk.account("trading"));
        desk.run(transfer("USDT", "200", funding, trading)).unwrap();
    }
    desk
}

#[test]
fn margin_that_arrived_within_the_step_counts_at_its_close() {
    // A 20 % rate at hour 8 takes 10,000.
    let (bars, rates) = (Bars::flat("50000"), [(8, "0.2")]);
    let mut desk = long_on_thin_margin(false, &bars, &rates);
    let closed = desk.to(8);
    assert_eq!(closed.len(), 2);
    assert!(matches!(closed[1].kind, EventKind::Liquidation(_)));

    let mut desk = long_on_thin_margin(true, &bars, &rates);
    let held = desk.to(8);
    let minute = START.plus(Span::from_seconds(7 * 3600 + 60));
    assert_eq!(moved(&held[0]).stage, TransferStage::Credited);
    assert_eq!(held[0].at, minute);
    assert!(matches!(held[1].kind, EventKind::Funding(_)));
    assert_eq!(held.len(), 2, "the position stays: {held:?}");
    assert_eq!(desk.held("trading", "USDT"), q("275"));
}

#[test]
fn margin_that_arrived_within_the_bar_is_none_at_its_extreme() {
    // At the low 125 of margin are left; 325 with what arrives.
    let bars = Bars::flat("50000").bar(8, ["50000", "50000", "40050", "50000"]);
    let mut desk = long_on_thin_margin(true, &bars, &[]);
    let events = desk.to(8);
    assert_eq!(moved(&events[0]).stage, TransferStage::Credited);
    assert!(matches!(events[1].kind, EventKind::Liquidation(_)));
}
