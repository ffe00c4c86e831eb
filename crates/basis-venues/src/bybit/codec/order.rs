//! Orders: an instruction becomes the request that places, amends, cancels or asks for one.

use basis_core::instruction::{AmendOrder, CancelOrder, PerpTrade, SpotTrade, TimeInForce};
use basis_core::num::Price;
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{Asset, BookId, ClientOrderId, InstrumentKind, PositionSide, Side};
use basis_protocols::exchange::filters::Filter;

use super::endpoint::Category;
use crate::wire::order::{FilterTerms, Order, Priced, Refusal, listed};
use crate::wire::{Collar, Fields, JsonDraft, KnownOrder, NamedOrder, Params, Range, Scalar};

/// Reduce-only orders have to reach the minimum notional too.
const FILTERS: FilterTerms = FilterTerms {
    name: filter_name,
    reducing_skips_notional: false,
};

const fn filter_name(kind: InstrumentKind, filter: Filter) -> &'static str {
    match (filter, kind) {
        (Filter::NoQuantity | Filter::LotSize, InstrumentKind::Spot) => "basePrecision",
        (Filter::NoQuantity | Filter::LotSize, _) => "qtyStep",
        (Filter::QuantityMin, _) => "minOrderQty",
        (Filter::QuantityMax, InstrumentKind::Spot) => "maxLimitOrderQty",
        (Filter::QuantityMax, _) => "maxOrderQty",
        (Filter::TickSize, _) => "tickSize",
        (Filter::NotionalMin, InstrumentKind::Spot) => "minOrderAmt",
        (Filter::NotionalMin, _) => "minNotionalValue",
    }
}

/// Returns the request of a spot order.
///
/// Everything leaves as a limit order, whose quantity is in base units: a spot market buy would count in
/// quote.
pub(super) fn place_spot(
    trade: &SpotTrade,
    id: &ClientOrderId,
    rules: &RuleSnapshot,
    collar: Option<Collar>,
) -> Result<JsonDraft, Refusal> {
    let order = Order::spot(trade, rules)?;
    let priced = order.price(collar, FILTERS)?;
    let fields = terms(order.rules, trade.side, &priced).with("orderLinkId", id.as_str());
    Ok(JsonDraft::act("/v5/order/create", fields))
}

/// Returns the request of a perpetual's order.
pub(super) fn place_perp(
    trade: &PerpTrade,
    id: &ClientOrderId,
    rules: &RuleSnapshot,
    collar: Option<Collar>,
) -> Result<JsonDraft, Refusal> {
    let order = Order::perp(trade, rules)?;
    let priced = order.price(collar, FILTERS)?;
    let index = trade.position_side.map(position_index).map(Scalar::Number);
    let fields = terms(order.rules, trade.side, &priced)
        .with_some("positionIdx", index)
        .with_flag("reduceOnly", trade.reduce_only)
        .with("orderLinkId", id.as_str());
    Ok(JsonDraft::act("/v5/order/create", fields))
}

fn terms(rules: &InstrumentRules, of: Side, priced: &Priced) -> Fields {
    named(rules)
        .with("side", side(of))
        .with("orderType", "Limit")
        .with("qty", priced.quantity.to_string())
        .with("price", priced.price.to_string())
        .with_some("timeInForce", time_in_force(priced.time_in_force))
}

fn named(rules: &InstrumentRules) -> Fields {
    Fields::default()
        .with("category", Category::of(rules.key.kind).as_str())
        .with("symbol", rules.venue_symbol.as_str())
}

/// Returns the request that amends `order` in place: what changes, and nothing else.
pub(super) fn amend(
    change: &AmendOrder,
    order: &KnownOrder,
    book: BookId,
    rules: &RuleSnapshot,
) -> Result<JsonDraft, Refusal> {
    let amended = Order::amended(change, order, rules)?;
    let priced = amended.price(None, FILTERS)?;
    let quantity = change.quantity.map(|_| priced.quantity.to_string());
    let price = change.limit_price.map(|_: Price| priced.price.to_string());
    let fields = named(amended.rules)
        .with(
            "orderLinkId",
            ClientOrderId::derive(book, order.instruction).as_str(),
        )
        .with_some("qty", quantity)
        .with_some("price", price);
    Ok(JsonDraft::act("/v5/order/amend", fields))
}

/// Returns the request that cancels `order`.
pub(super) fn cancel(
    cancel: &CancelOrder,
    kind: InstrumentKind,
    book: BookId,
    rules: &RuleSnapshot,
) -> Result<JsonDraft, Refusal> {
    let rules = listed(rules, kind, cancel.symbol)?;
    let id = ClientOrderId::derive(book, cancel.order);
    let fields = named(rules).with("orderLinkId", id.as_str());
    Ok(JsonDraft::act("/v5/order/cancel", fields))
}

/// Returns the request that asks for one order: an open one, or one of the last 500 that closed. What it does
/// not find is asked for in the [history](order_history).
#[must_use]
pub fn query(rules: &InstrumentRules, order: &NamedOrder) -> JsonDraft {
    JsonDraft::read("/v5/order/realtime", by(symbol(rules), order))
}

/// Returns the request for the open orders of one instrument.
#[must_use]
pub fn open_orders_of(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    JsonDraft::read("/v5/order/realtime", page(symbol(rules), range))
}

/// Returns the request for all open orders of a category; of perpetuals those that settle in `settle`.
#[must_use]
pub fn open_orders(category: Category, settle: Asset, range: &Range) -> JsonDraft {
    let params = Params::default().with("category", category.as_str());
    let params = match category {
        Category::Spot => params,
        Category::Linear => params.with("settleCoin", settle.as_str()),
    };
    JsonDraft::read("/v5/order/realtime", page(params, range))
}

/// Returns the request for one order that closed. Orders without a fill are kept for 24 hours.
#[must_use]
pub fn order_history(category: Category, order: &NamedOrder) -> JsonDraft {
    let params = Params::default().with("category", category.as_str());
    JsonDraft::read("/v5/order/history", by(params, order))
}

pub(super) fn symbol(rules: &InstrumentRules) -> Params {
    Params::default()
        .with("category", Category::of(rules.key.kind).as_str())
        .with("symbol", rules.venue_symbol.as_str())
}

/// Adds how many rows are wanted, and where the page before ended.
pub(super) fn page(params: Params, range: &Range) -> Params {
    params
        .with_some("limit", range.rows.map(|rows| rows.to_string()))
        .with_some("cursor", range.cursor.as_deref())
}

pub(super) fn by(params: Params, order: &NamedOrder) -> Params {
    match order {
        NamedOrder::Client(id) => params.with("orderLinkId", id.as_str()),
        NamedOrder::Venue(id) => params.with("orderId", id.as_str()),
    }
}

pub(super) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "Buy",
        Side::Sell => "Sell",
    }
}

/// Which of the two positions of hedge mode; one-way mode needs no index.
pub(super) const fn position_index(side: PositionSide) -> i64 {
    match side {
        PositionSide::Long => 1,
        PositionSide::Short => 2,
    }
}

/// `None` for the venue's default, good till cancelled.
const fn time_in_force(time: TimeInForce) -> Option<&'static str> {
    match time {
        TimeInForce::Gtc => None,
        TimeInForce::Ioc => Some("IOC"),
        TimeInForce::Fok => Some("FOK"),
        TimeInForce::PostOnly => Some("PostOnly"),
    }
}
