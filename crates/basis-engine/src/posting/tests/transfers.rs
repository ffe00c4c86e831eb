//! Transfers, capital flows, adoption, rewards: rows 13 to 17 and 32.

use basis_core::venue_event::{
    Adoption, CapitalFlow, FlowId, Reward, TransferId, TransferStage, TransferUpdate,
};

use super::*;

fn update(asset: Asset, amount: &str, fee: &str, stage: TransferStage) -> TransferUpdate {
    TransferUpdate {
        id: TransferId::Instruction(INSTRUCTION),
        instruction: Some(INSTRUCTION),
        from: SPOT,
        to: Account::new(BETA, Label::literal("main")),
        asset,
        amount: quantity(amount),
        fee: quantity(fee),
        stage,
        until: None,
        txid: None,
    }
}

fn lines(venue: Venue, update: TransferUpdate) -> Vec<String> {
    let event = event(venue, EventKind::Transfer(Box::new(update)));
    written(&event, Some(INSTRUCTION))
}

#[test]
fn what_is_sent_leaves_with_its_fee_and_is_in_flight() {
    let sent = update(ETH, "2", "0.001", TransferStage::Sent);
    assert_eq!(
        lines(ALPHA, sent),
        [
            "alpha.spot ETH -2 -6000 transfer 3000",
            "alpha.spot ETH -0.001 -3 transfer_cost 3000",
            "in_flight.main ETH 2 6000 transfer 3000",
        ]
    );
    let free = update(USDT, "500", "0", TransferStage::Sent);
    assert_eq!(
        lines(ALPHA, free),
        [
            "alpha.spot USDT -500 -500 transfer 1",
            "in_flight.main USDT 500 500 transfer 1",
        ]
    );
}

#[test]
fn what_is_credited_has_the_receiver_s_price_on_both_sides() {
    let credited = update(ETH, "2", "0", TransferStage::Credited);
    assert_eq!(
        lines(BETA, credited),
        [
            "in_flight.main ETH -2 -6020 transfer 3010",
            "beta.main ETH 2 6020 transfer 3010",
        ]
    );
}

#[test]
fn what_moves_at_once_was_never_in_flight() {
    let moved = TransferUpdate {
        to: PERP,
        ..update(USDT, "500", "0.25", TransferStage::Moved)
    };
    assert_eq!(
        lines(ALPHA, moved),
        [
            "alpha.spot USDT -500 -500 transfer 1",
            "alpha.spot USDT -0.25 -0.25 transfer_cost 1",
            "alpha.perp USDT 500 500 transfer 1",
        ]
    );
}

#[test]
fn what_is_returned_brings_its_fee_back() {
    let returned = |fee| lines(ALPHA, update(ETH, "2", fee, TransferStage::Returned));
    let back = [
        "in_flight.main ETH -2 -6000 transfer 3000",
        "alpha.spot ETH 2 6000 transfer 3000",
        "alpha.spot ETH 0.001 3 transfer_cost 3000",
    ];
    assert_eq!(returned("0.001"), back);
    assert_eq!(returned("0"), back[..2]);
}

#[test]
fn other_stages_move_nothing() {
    let stages = [
        TransferStage::Requested,
        TransferStage::Confirmed,
        TransferStage::Failed,
    ];
    for stage in stages {
        assert!(lines(ALPHA, update(ETH, "2", "0.001", stage)).is_empty());
    }
}

#[test]
fn a_transfer_of_what_has_no_price_is_booked_at_zero() {
    let sent = update(XYZ, "2", "1", TransferStage::Sent);
    let sent = event(ALPHA, EventKind::Transfer(Box::new(sent)));
    assert_eq!(
        written(&sent, Some(INSTRUCTION)),
        [
            "alpha.spot XYZ -2 0 transfer 0",
            "alpha.spot XYZ -1 0 transfer_cost 0",
            "in_flight.main XYZ 2 0 transfer 0",
        ]
    );
    let item = Item::Asset(XYZ);
    assert_eq!(unpriced(&sent), [(SPOT, item), (Account::IN_FLIGHT, item)]);
}

#[test]
fn transfers_of_nothing_or_with_a_negative_fee_are_refused() {
    let refused = |amount, fee| {
        let update = update(ETH, amount, fee, TransferStage::Sent);
        refusal(&event(ALPHA, EventKind::Transfer(Box::new(update))))
    };
    assert_eq!(refused("0", "0"), "transferred amount 0 must be above zero");
    assert_eq!(
        refused("-1", "0"),
        "transferred amount -1 must be above zero"
    );
    assert_eq!(
        refused("1", "-0.1"),
        "transfer fee -0.1 must not be below zero"
    );
}

fn flow(asset: Asset, amount: &str) -> VenueEvent {
    let flow = CapitalFlow {
        id: FlowId {
            scheduled: at(),
            number: 0,
            part: 0,
        },
        account: Account::WALLET,
        asset,
        amount: quantity(amount),
    };
    event(Venue::WALLET, EventKind::CapitalFlow(flow))
}

#[test]
fn capital_flows_are_deposits_and_withdrawals() {
    assert_eq!(
        written(&flow(ETH, "2"), None),
        ["wallet.main ETH 2 6000 deposit 3000"]
    );
    assert_eq!(
        written(&flow(USDT, "-100"), None),
        ["wallet.main USDT -100 -100 withdrawal 1"]
    );
    assert_eq!(refusal(&flow(USDT, "0")), "capital flow is zero");
}

#[test]
fn a_reward_is_one_line_at_its_mark() {
    let reward = |amount| {
        let reward = Reward {
            account: PROTOCOL,
            asset: WETH,
            amount: quantity(amount),
            program: Label::literal("points"),
            payment: at(),
        };
        event(POOL, EventKind::Reward(reward))
    };
    assert_eq!(
        written(&reward("0.5"), None),
        ["pool.main WETH 0.5 1500 reward 3000"]
    );
    assert_eq!(refusal(&reward("0")), "reward 0 must be above zero");
}

fn adopted(item: Item, amount: &str, units: &str, entry_price: Option<&str>) -> VenueEvent {
    let adoption = Adoption {
        account: SPOT,
        item,
        quantity: quantity(amount),
        units: quantity(units),
        entry_price: entry_price.map(Price::literal),
    };
    event(ALPHA, EventKind::Adoption(Box::new(adoption)))
}

#[test]
fn what_a_venue_had_already_is_deposited_at_its_mark_or_entry_price() {
    let lines = |item, amount, units, entry| written(&adopted(item, amount, units, entry), None);
    assert_eq!(
        lines(Item::Asset(ETH), "2", "2", None),
        ["alpha.spot ETH 2 6000 deposit 3000"]
    );
    assert_eq!(
        lines(Item::Debt(USDT), "90", "100", None),
        ["alpha.spot debt:USDT 90 (100) -100 deposit 1"]
    );
    assert_eq!(
        lines(Item::Position(perp()), "-0.5", "-0.5", Some("48000")),
        ["alpha.spot alpha:perp:BTCUSDT -0.5 -24000 deposit 50100"]
    );
    assert_eq!(
        refusal(&adopted(Item::Position(perp()), "1", "1", None)),
        "alpha:perp:BTCUSDT is adopted without an entry price"
    );
    assert_eq!(
        refusal(&adopted(Item::Position(perp()), "1", "1", Some("0"))),
        "entry price 0 must be above zero"
    );
}
