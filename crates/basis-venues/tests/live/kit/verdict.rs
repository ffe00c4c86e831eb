//! Whether what the journal says is what the venue says.

use std::collections::BTreeMap;

use basis_core::instruction::Operation;
use basis_core::num::Quantity;
use basis_core::types::{Account, ClientOrderId, InstrumentKey, InstrumentKind, Item, Side};
use basis_core::venue_event::{OrderState, TradeId, TransferStage};
use basis_sim::server::unified::{Category, Ending, Order, Status};
use basis_testkit::{BTC, USDT, q};

use super::Bench;
use super::plan::account;
use super::venue::{FUNDING_USDT, TRADING_BTC, TRADING_USDT, Venue};
use crate::book::{Ledger, Outcome};
use crate::process::book;
use crate::venue::BITCOIN;

/// What the documentation has a state stand for.
fn state_of<B: Bench>(order: &Order) -> OrderState {
    match order.state.status {
        Status::New | Status::PartiallyFilled => OrderState::Working,
        Status::Filled => OrderState::Filled,
        Status::Rejected => B::REFUSED_LATER,
        Status::Cancelled => match order.state.ending {
            Some(
                Ending::NothingAtOnce
                | Ending::NotWhole
                | Ending::WouldTake
                | Ending::SelfTrade
                | Ending::NothingToReduce,
            ) => OrderState::Expired,
            Some(Ending::ByUser | Ending::DeadMan | Ending::Refused) | None => {
                OrderState::Cancelled
            }
        },
    }
}

/// Everything that is wrong, in words.
pub(crate) fn problems<B: Bench>(ledger: &Ledger, venue: &Venue<B>) -> Vec<String> {
    let mut found = ledger.contradictions.clone();
    let exchange = venue.server.exchange();
    let mut by_client: BTreeMap<String, Vec<Order>> = BTreeMap::new();
    for (_, _, order) in exchange.orders(venue.account) {
        by_client
            .entry(order.client_id.clone())
            .or_default()
            .push(order);
    }
    for (client, orders) in &by_client {
        if orders.len() > 1 {
            found.push(format!("{} orders bear the id {client}", orders.len()));
        }
    }
    for (id, open) in &ledger.instructions {
        let is_order = matches!(
            open.instruction.operation,
            Operation::SpotTrade(_) | Operation::PerpTrade(_)
        );
        if !is_order {
            continue;
        }
        let client = ClientOrderId::derive(book(), *id);
        let order = by_client.remove(client.as_str());
        let order = order.and_then(|mut orders| orders.pop());
        if let Some(problem) = order_problem::<B>(&ledger.outcomes[id], order.as_ref()) {
            found.push(format!("{id} ({client}): {problem}"));
        }
    }
    for client in by_client.keys() {
        found.push(format!("the order {client} is of no instruction"));
    }
    found.extend(fill_problems(ledger, venue));
    found.extend(balance_problems(ledger, venue));
    found
}

fn order_problem<B: Bench>(outcome: &Outcome, order: Option<&Order>) -> Option<String> {
    let Some(order) = order else {
        let is_dead = outcome.rejected.is_some() || outcome.state == Some(OrderState::Lost);
        return (!is_dead).then(|| format!("no order at the venue, and {outcome:?}"));
    };
    let (state, filled) = (state_of::<B>(order), order.state.executed);
    // What was taken and then rejected ends as rejected, and never was reported as working.
    if state == OrderState::Rejected {
        let is_so = outcome.rejected.is_some()
            && outcome.filled.is_zero()
            && outcome.state != Some(OrderState::Working);
        return (!is_so).then(|| format!("rejected at the venue, and {outcome:?}"));
    }
    if outcome.rejected.is_some() || outcome.state != Some(state) {
        return Some(format!("{state:?} at the venue, and {outcome:?}"));
    }
    (outcome.filled != filled || outcome.reported != filled)
        .then(|| format!("filled {filled} at the venue, and {outcome:?}"))
}

fn fill_problems<B: Bench>(ledger: &Ledger, venue: &Venue<B>) -> Vec<String> {
    let mut theirs: BTreeMap<(InstrumentKind, TradeId), Quantity> = BTreeMap::new();
    for (category, _, row) in venue.server.exchange().executions(venue.account) {
        let kind = match category {
            Category::Spot => InstrumentKind::Spot,
            Category::Linear => InstrumentKind::Perp,
        };
        if row.kind == "Trade" {
            theirs.insert((kind, B::trade_id(&row)), row.quantity);
        }
    }
    let mut found = Vec::new();
    for fill in &ledger.fills {
        let key = (fill.instrument.kind.contract(), fill.trade.clone());
        if theirs.remove(&key) != Some(fill.quantity) {
            found.push(format!("the venue knows no fill {}", fill.trade));
        }
        if fill.instruction.is_none() {
            found.push(format!("fill {} is of no instruction", fill.trade));
        }
        let is_paid = fill.fee.is_positive();
        let in_base = fill.instrument.kind == InstrumentKind::Spot && fill.side == Side::Buy;
        if is_paid && (fill.fee_asset == fill.base) != in_base {
            found.push(format!(
                "fill {} was paid for in {}",
                fill.trade, fill.fee_asset
            ));
        }
    }
    let missing = theirs
        .keys()
        .map(|key| format!("fill {key:?} is not known"));
    found.extend(missing);
    found
}

fn balance_problems<B: Bench>(ledger: &Ledger, venue: &Venue<B>) -> Vec<String> {
    let exchange = venue.server.exchange();
    let (unified, funding) = (account::<B>(B::TRADING), account::<B>("funding"));
    let instrument = InstrumentKey::new(B::VENUE, InstrumentKind::Perp, BTC);
    let of = |coin| exchange.unified(venue.account, coin).wallet;
    let perp = exchange.position(venue.account, BTC, 0).perp;
    // Where a fill does not say what it settled, what was paid for a position that is open is booked with it.
    let paid = if B::SAYS_RESULTS {
        Quantity::ZERO
    } else {
        Quantity::new(perp.cost.get())
    };
    let rows: [(Account, Item, &str, Quantity); 4] = [
        (
            unified,
            Item::Asset(USDT),
            TRADING_USDT,
            of(USDT).sub(paid).unwrap(),
        ),
        (unified, Item::Asset(BITCOIN), TRADING_BTC, of(BITCOIN)),
        (
            funding,
            Item::Asset(USDT),
            FUNDING_USDT,
            exchange.fund(venue.account, USDT),
        ),
        (unified, Item::Position(instrument), "0", perp.quantity),
    ];
    let mut found = Vec::new();
    for (account, item, began, theirs) in rows {
        let change = ledger.holdings.get(&(account, item)).copied();
        let ours = q(began).add(change.unwrap_or_default()).unwrap();
        if ours != theirs {
            found.push(format!(
                "{item} in {account}: {ours} in the ledger, {theirs} at the venue"
            ));
        }
    }
    found
}

/// Whether a transfer of `ledger` came back.
pub(crate) fn came_back(ledger: &Ledger) -> bool {
    let mut outcomes = ledger.outcomes.values();
    outcomes.any(|outcome| outcome.transfer == Some(TransferStage::Returned))
}
