//! Whether what the journal says is what the venue says.

use std::collections::BTreeMap;

use basis_core::instruction::Operation;
use basis_core::num::Quantity;
use basis_core::types::{Account, ClientOrderId, InstrumentKey, InstrumentKind, Item};
use basis_core::venue_event::{OrderState, TradeId};
use basis_sim::server::binance::{Order, Product, Status};
use basis_testkit::{BTC, USDT, q};
use basis_venues::binance::live::BinanceMachine;

use crate::book::{Ledger, Outcome};
use crate::plan::account;
use crate::process::book;
use crate::venue::{BITCOIN, BNB, PERP_USDT, SPOT_BTC, SPOT_USDT, Venue};

fn state_of(status: Status) -> OrderState {
    match status {
        Status::New | Status::PartiallyFilled => OrderState::Working,
        Status::Filled => OrderState::Filled,
        Status::Canceled => OrderState::Cancelled,
        Status::Expired | Status::ExpiredInMatch => OrderState::Expired,
    }
}

/// Everything that is wrong, in words.
pub(crate) fn problems(ledger: &Ledger, venue: &Venue) -> Vec<String> {
    let mut found = order_problems(ledger, venue);
    found.extend(balance_problems(ledger, venue));
    found
}

/// What is wrong of orders and fills.
pub(crate) fn order_problems(ledger: &Ledger, venue: &Venue) -> Vec<String> {
    let mut found = ledger.contradictions.clone();
    let exchange = venue.server.exchange();
    let mut by_client: BTreeMap<String, Vec<(Product, Order)>> = BTreeMap::new();
    for (product, _, order) in exchange.orders(venue.account) {
        let orders = by_client.entry(order.client_id.clone()).or_default();
        orders.push((product, order));
    }
    for (client, orders) in &by_client {
        if orders.len() > 1 {
            found.push(format!("{} orders bear the id {client}", orders.len()));
        }
    }
    for (id, open) in &ledger.instructions {
        let outcome = &ledger.outcomes[id];
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
        if let Some(problem) = order_problem(outcome, order.as_ref()) {
            found.push(format!("{id} ({client}): {problem}"));
        }
    }
    for client in by_client.keys() {
        found.push(format!("the order {client} is of no instruction"));
    }
    found.extend(fill_problems(ledger, venue));
    found
}

fn order_problem(outcome: &Outcome, order: Option<&(Product, Order)>) -> Option<String> {
    let Some((_, order)) = order else {
        let is_dead = outcome.rejected.is_some() || outcome.state == Some(OrderState::Lost);
        return (!is_dead).then(|| format!("no order at the venue, and {outcome:?}"));
    };
    let (state, filled) = (state_of(order.state.status), order.state.executed);
    if outcome.rejected.is_some() || outcome.state != Some(state) {
        return Some(format!("{state:?} at the venue, and {outcome:?}"));
    }
    (outcome.filled != filled || outcome.reported != filled)
        .then(|| format!("filled {filled} at the venue, and {outcome:?}"))
}

fn fill_problems(ledger: &Ledger, venue: &Venue) -> Vec<String> {
    type Key = (InstrumentKind, TradeId, bool);
    let mut theirs: BTreeMap<Key, Quantity> = BTreeMap::new();
    for (product, _, fill) in venue.server.exchange().fills(venue.account) {
        let kind = match product {
            Product::Spot => InstrumentKind::Spot,
            Product::UsdM => InstrumentKind::Perp,
        };
        let is_buy = fill.side == basis_core::types::Side::Buy;
        theirs.insert((kind, TradeId::Number(fill.trade), is_buy), fill.quantity);
    }
    let mut found = Vec::new();
    for fill in &ledger.fills {
        let is_buy = fill.side == basis_core::types::Side::Buy;
        let key = (fill.instrument.kind.contract(), fill.trade.clone(), is_buy);
        if theirs.remove(&key) != Some(fill.quantity) {
            found.push(format!("the venue knows no fill {}", fill.trade));
        }
        if fill.instruction.is_none() {
            found.push(format!("fill {} is of no instruction", fill.trade));
        }
    }
    let missing = theirs
        .keys()
        .map(|key| format!("fill {key:?} is not known"));
    found.extend(missing);
    found
}

fn balance_problems(ledger: &Ledger, venue: &Venue) -> Vec<String> {
    let exchange = venue.server.exchange();
    let (spot, perp) = (account("spot"), account("usdm"));
    let spot_of = |asset| {
        let balance = exchange.spot_balance(venue.account, asset);
        balance.free.add(balance.locked).unwrap()
    };
    let instrument = InstrumentKey::new(BinanceMachine::VENUE, InstrumentKind::Perp, BTC);
    let rows: [(Account, Item, &str, Quantity); 5] = [
        (spot, Item::Asset(USDT), SPOT_USDT, spot_of(USDT)),
        (spot, Item::Asset(BITCOIN), SPOT_BTC, spot_of(BITCOIN)),
        (spot, Item::Asset(BNB), "10", spot_of(BNB)),
        (
            perp,
            Item::Asset(USDT),
            PERP_USDT,
            exchange.usdm_balance(venue.account, USDT),
        ),
        (
            perp,
            Item::Position(instrument),
            "0",
            exchange.position(venue.account, BTC, None).perp.quantity,
        ),
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
