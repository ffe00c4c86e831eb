//! Orders: an instruction becomes the request that places, amends, cancels or asks for one.

use basis_core::instruction::{AmendOrder, CancelOrder, PerpTrade, SpotTrade, TimeInForce};
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{BookId, ClientOrderId, InstrumentKind, PositionSide, Side};
use basis_protocols::exchange::filters::Filter;

use super::endpoint::Product;
use super::ids::OrderRef;
use super::params::Params;
use super::request::{Draft, Security};
use crate::wire::order::{FilterTerms, Order, Priced};
pub(super) use crate::wire::order::{Refusal, invalid, listed};
pub use crate::wire::{Collar, KnownOrder};

/// Reduce-only orders skip the minimum notional at USD-M.
const FILTERS: FilterTerms = FilterTerms {
    name: filter_name,
    reducing_skips_notional: true,
};

const fn filter_name(kind: InstrumentKind, filter: Filter) -> &'static str {
    match (filter, kind) {
        (Filter::NoQuantity | Filter::LotSize | Filter::QuantityMin | Filter::QuantityMax, _) => {
            "LOT_SIZE"
        }
        (Filter::TickSize, _) => "PRICE_FILTER",
        (Filter::NotionalMin, InstrumentKind::Spot) => "NOTIONAL",
        (Filter::NotionalMin, _) => "MIN_NOTIONAL",
    }
}

/// Returns the request of a spot order.
pub(super) fn place_spot(
    trade: &SpotTrade,
    id: &ClientOrderId,
    rules: &RuleSnapshot,
    collar: Option<Collar>,
) -> Result<Draft, Refusal> {
    let order = Order::spot(trade, rules)?;
    let priced = order.price(collar, FILTERS)?;
    let params = Params::default()
        .with("symbol", order.rules.venue_symbol.as_str())
        .with("side", side(trade.side));
    let params = spot_terms(params, &priced)
        .with("newClientOrderId", id.as_str())
        .with("newOrderRespType", "FULL");
    Ok(Draft::act(Product::Spot, "POST", "/api/v3/order", params))
}

/// Writes type, time in force, quantity and price. A post-only order is a type of its own at spot.
fn spot_terms(params: Params, priced: &Priced) -> Params {
    let params = match spot_time_in_force(priced.time_in_force) {
        None => params.with("type", "LIMIT_MAKER"),
        Some(time) => params.with("type", "LIMIT").with("timeInForce", time),
    };
    params
        .with_decimal("quantity", priced.quantity.get())
        .with_decimal("price", priced.price.get())
}

/// Returns the request of a perpetual's order.
pub(super) fn place_perp(
    trade: &PerpTrade,
    id: &ClientOrderId,
    rules: &RuleSnapshot,
    collar: Option<Collar>,
) -> Result<Draft, Refusal> {
    if trade.reduce_only && trade.position_side.is_some() {
        return Err(invalid(
            "reduce_only cannot be sent with a position_side: in hedge mode an order against the side it \
             names reduces it already",
        ));
    }
    let order = Order::perp(trade, rules)?;
    let priced = order.price(collar, FILTERS)?;
    let params = Params::default()
        .with("symbol", order.rules.venue_symbol.as_str())
        .with("side", side(trade.side))
        .with_some("positionSide", trade.position_side.map(position_side))
        .with("type", "LIMIT")
        .with("timeInForce", perp_time_in_force(priced.time_in_force))
        .with_decimal("quantity", priced.quantity.get())
        .with_decimal("price", priced.price.get())
        .with_some("reduceOnly", trade.reduce_only.then_some("true"))
        .with("newClientOrderId", id.as_str())
        .with("newOrderRespType", "RESULT");
    Ok(Draft::act(Product::UsdM, "POST", "/fapi/v1/order", params))
}

/// Returns the request that amends `order`.
///
/// - USD-M modifies it in place (`PUT`, quantity and price both); it queues anew.
/// - Spot shrinks it in place and keeps its queue position, under the client order id that it has.
/// - Every other change at spot cancels it and places another one under the amendment's own id, but only
///   while nothing of it has filled: a fill that meets the replacement would be bought twice, so the venue
///   is told `cancelRestrictions=ONLY_NEW`, and an order that is known to have filled in part is refused.
pub(super) fn amend(
    change: &AmendOrder,
    order: &KnownOrder,
    (book, id): (BookId, &ClientOrderId),
    rules: &RuleSnapshot,
) -> Result<Draft, Refusal> {
    let amended = Order::amended(change, order, rules)?;
    let priced = amended.price(None, FILTERS)?;
    let (rules, quantity) = (amended.rules, amended.quantity);
    let old = ClientOrderId::derive(book, order.instruction);
    let params = Params::default().with("symbol", rules.venue_symbol.as_str());
    if order.kind != InstrumentKind::Spot {
        let params = params
            .with("origClientOrderId", old.as_str())
            .with("side", side(order.side))
            .with_decimal("quantity", priced.quantity.get())
            .with_decimal("price", priced.price.get());
        return Ok(Draft::act(Product::UsdM, "PUT", "/fapi/v1/order", params));
    }
    let keeps_price = change
        .limit_price
        .is_none_or(|price| price == order.limit_price);
    if keeps_price && quantity < order.quantity {
        // The amended order would get a random client id if none were sent.
        let params = params
            .with("origClientOrderId", old.as_str())
            .with("newClientOrderId", old.as_str())
            .with_decimal("newQty", priced.quantity.get());
        let path = "/api/v3/order/amend/keepPriority";
        return Ok(Draft::act(Product::Spot, "PUT", path, params));
    }
    if order.filled.is_positive() {
        return Err(invalid(format!(
            "the order has filled {} of {}: spot replaces whole orders only; cancel it and order the rest",
            order.filled, order.quantity
        )));
    }
    let params = params.with("side", side(order.side));
    let params = spot_terms(params, &priced)
        .with("cancelReplaceMode", "STOP_ON_FAILURE")
        .with("cancelRestrictions", "ONLY_NEW")
        .with("cancelOrigClientOrderId", old.as_str())
        .with("newClientOrderId", id.as_str())
        .with("newOrderRespType", "FULL");
    let path = "/api/v3/order/cancelReplace";
    Ok(Draft::act(Product::Spot, "POST", path, params))
}

/// Returns the request that cancels `order`.
pub(super) fn cancel(
    cancel: &CancelOrder,
    kind: InstrumentKind,
    book: BookId,
    rules: &RuleSnapshot,
) -> Result<Draft, Refusal> {
    let rules = listed(rules, kind, cancel.symbol)?;
    let order = OrderRef::Client(ClientOrderId::derive(book, cancel.order));
    let params = by(rules, &order);
    Ok(match kind {
        InstrumentKind::Spot => Draft::act(Product::Spot, "DELETE", "/api/v3/order", params),
        _ => Draft::act(Product::UsdM, "DELETE", "/fapi/v1/order", params),
    })
}

/// Returns the request that asks for one order, open or not.
#[must_use]
pub fn query(rules: &InstrumentRules, order: &OrderRef) -> Draft {
    let params = by(rules, order);
    match rules.key.kind {
        InstrumentKind::Spot => {
            Draft::read(Product::Spot, "/api/v3/order", Security::Signed, params)
        }
        _ => Draft::read(Product::UsdM, "/fapi/v1/order", Security::Signed, params),
    }
}

/// Returns the request for the open orders of one instrument.
#[must_use]
pub fn open_orders_of(rules: &InstrumentRules) -> Draft {
    let params = Params::default().with("symbol", rules.venue_symbol.as_str());
    Draft {
        params,
        ..open_orders(product(rules.key.kind))
    }
}

/// Returns the request for all open orders of a product.
#[must_use]
pub fn open_orders(product: Product) -> Draft {
    let path = match product {
        Product::UsdM => "/fapi/v1/openOrders",
        Product::Spot | Product::Wallet => "/api/v3/openOrders",
    };
    Draft::read(product, path, Security::Signed, Params::default())
}

fn by(rules: &InstrumentRules, order: &OrderRef) -> Params {
    let params = Params::default().with("symbol", rules.venue_symbol.as_str());
    match order {
        OrderRef::Client(id) => params.with("origClientOrderId", id.as_str()),
        OrderRef::Venue(number) => params.with("orderId", number.to_string()),
    }
}

/// Returns the product that lists `kind`.
#[must_use]
pub(super) const fn product(kind: InstrumentKind) -> Product {
    match kind {
        InstrumentKind::Spot => Product::Spot,
        _ => Product::UsdM,
    }
}

pub(super) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

pub(super) const fn position_side(side: PositionSide) -> &'static str {
    match side {
        PositionSide::Long => "LONG",
        PositionSide::Short => "SHORT",
    }
}

/// `None` for post-only, which is a type at spot.
const fn spot_time_in_force(time: TimeInForce) -> Option<&'static str> {
    match time {
        TimeInForce::Gtc => Some("GTC"),
        TimeInForce::Ioc => Some("IOC"),
        TimeInForce::Fok => Some("FOK"),
        TimeInForce::PostOnly => None,
    }
}

const fn perp_time_in_force(time: TimeInForce) -> &'static str {
    match time {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
        TimeInForce::PostOnly => "GTX",
    }
}
