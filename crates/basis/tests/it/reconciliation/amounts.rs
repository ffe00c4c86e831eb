//! The amounts of events that change holdings, and events by another name.

use basis::core::ledger::{EntryKind, TradeId};
use basis::core::num::Quantity;
use basis::core::types::{Account, InstructionId, InstrumentKey, InstrumentKind, Item, Span};
use basis::core::venue_event::{
    BalanceChange, EventKind, Fill, TransactionHash, TransferId, TransferStage, TransferUpdate,
    VenueEvent,
};

/// One amount of an event.
pub(super) struct Amount<'a> {
    /// Its field.
    pub(super) name: &'static str,
    /// Why it changes a holding, where the event says so itself.
    pub(super) kind: Option<EntryKind>,
    /// A holding that it changes.
    pub(super) place: (Account, Item),
    pub(super) value: &'a mut Quantity,
}

/// What sort of event it is, its stage included.
pub(super) fn name_of(event: &VenueEvent) -> &'static str {
    match &event.kind {
        EventKind::Fill(fill) if is_spot(fill.instrument) => "spot fill",
        EventKind::Fill(_) => "perp fill",
        EventKind::Transaction(_) => "transaction",
        EventKind::Transfer(transfer) => transfer.stage.as_str(),
        EventKind::Funding(_) => "funding",
        EventKind::Accrual(_) => "accrual",
        EventKind::Reward(_) => "reward",
        EventKind::Redemption(request) => request.stage.as_str(),
        EventKind::CapitalFlow(_) => "capital flow",
        _ => "another",
    }
}

fn is_spot(instrument: InstrumentKey) -> bool {
    instrument.kind.contract() == InstrumentKind::Spot
}

/// Every amount of an event that changes a holding. Prices and rates are none: they value.
pub(super) fn of(event: &mut VenueEvent) -> Vec<Amount<'_>> {
    match &mut event.kind {
        EventKind::Fill(fill) => of_fill(fill),
        EventKind::Funding(funding) => {
            let place = (funding.account, Item::Asset(funding.asset));
            vec![amount("amount", place, &mut funding.amount)]
        }
        EventKind::Transfer(transfer) => of_transfer(transfer),
        EventKind::Transaction(transaction) => of_changes(&mut transaction.changes),
        EventKind::Accrual(accrual) => of_changes(&mut accrual.changes),
        EventKind::Redemption(request) => of_changes(&mut request.changes),
        EventKind::Reward(reward) => {
            let place = (reward.account, Item::Asset(reward.asset));
            vec![amount("amount", place, &mut reward.amount)]
        }
        EventKind::CapitalFlow(flow) => {
            let place = (flow.account, Item::Asset(flow.asset));
            vec![amount("amount", place, &mut flow.amount)]
        }
        _ => Vec::new(),
    }
}

fn amount<'a>(name: &'static str, place: (Account, Item), value: &'a mut Quantity) -> Amount<'a> {
    Amount {
        name,
        kind: None,
        place,
        value,
    }
}

fn of_fill(fill: &mut Fill) -> Vec<Amount<'_>> {
    let asset = |asset| (fill.account, Item::Asset(asset));
    let (quote, fee) = (asset(fill.quote), asset(fill.fee_asset));
    let mut all = Vec::new();
    if is_spot(fill.instrument) {
        all.push(amount("quantity", asset(fill.base), &mut fill.quantity));
        all.push(amount("turnover", quote, &mut fill.turnover));
    } else {
        let position = (fill.account, Item::Position(fill.instrument));
        all.push(amount("quantity", position, &mut fill.quantity));
        if let Some(realized) = &mut fill.realized {
            all.push(amount("realized", quote, realized));
        }
    }
    all.push(amount("fee", fee, &mut fill.fee));
    all.push(amount("covered", quote, &mut fill.covered));
    all
}

fn of_transfer(transfer: &mut TransferUpdate) -> Vec<Amount<'_>> {
    let item = Item::Asset(transfer.asset);
    let mut all = Vec::new();
    let from = (transfer.from, item);
    match transfer.stage {
        TransferStage::Sent | TransferStage::Moved => {
            all.push(amount("amount", from, &mut transfer.amount));
            all.push(amount("fee", from, &mut transfer.fee));
        }
        TransferStage::Credited => {
            let flight = (Account::IN_FLIGHT, item);
            all.push(amount("amount", flight, &mut transfer.amount));
        }
        _ => {}
    }
    all
}

fn of_changes(changes: &mut [BalanceChange]) -> Vec<Amount<'_>> {
    let mut all = Vec::new();
    for change in changes {
        let place = (change.account, change.item);
        let kind = Some(change.kind);
        for (name, value) in [
            ("quantity", &mut change.quantity),
            ("units", &mut change.units),
        ] {
            all.push(Amount {
                name,
                kind,
                place,
                value,
            });
        }
    }
    all
}

/// The same by another name: as if it had happened once more.
pub(super) fn renamed(event: &VenueEvent) -> VenueEvent {
    const OTHER: InstructionId = InstructionId::plain(1);
    let moment = Span::from_nanos(1);
    let mut event = event.clone();
    match &mut event.kind {
        EventKind::Fill(fill) => fill.trade = TradeId::Number(u64::MAX),
        EventKind::Funding(funding) => funding.scheduled = funding.scheduled.minus(moment),
        EventKind::Transfer(transfer) => transfer.id = TransferId::Instruction(OTHER),
        EventKind::Transaction(transaction) => {
            transaction.hash = TransactionHash::new([0xff; 32]);
        }
        EventKind::Accrual(accrual) => accrual.before.at = accrual.before.at.minus(moment),
        EventKind::Redemption(request) => request.instruction = OTHER,
        EventKind::Reward(reward) => reward.payment = reward.payment.minus(moment),
        EventKind::CapitalFlow(flow) => flow.id.number += 1_000,
        _ => {}
    }
    event
}
