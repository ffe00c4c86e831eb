//! Orders: an instruction becomes the request that places, amends, cancels or asks for one.

use std::borrow::Cow;

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{
    AmendOrder, CancelOrder, OrderType, PerpTrade, SpotTrade, TimeInForce,
};
use basis_core::num::{Bps, MathError, Price, Quantity, Rounding};
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{
    BookId, ClientOrderId, InstructionId, InstrumentKind, PositionSide, Side, Symbol,
};
use basis_protocols::exchange::filters::{self, Filter, FilterFailure, OrderTerms};

use super::endpoint::Product;
use super::ids::OrderRef;
use super::params::Params;
use super::request::{Draft, Security};

/// How far from the reference price a market order may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collar {
    /// The price the order is decided on: the best opposite quote, or the mark.
    pub reference: Price,
    /// The most that is given away against it, > 0.
    pub width: Bps,
}

/// An order of ours as the venue has it, for what changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOrder {
    /// Spot or perp.
    pub kind: InstrumentKind,
    /// The instruction that opened it: its client order id derives from it.
    pub instruction: InstructionId,
    /// Canonical symbol.
    pub symbol: Symbol,
    /// Its direction.
    pub side: Side,
    /// Base units ordered.
    pub quantity: Quantity,
    /// Its limit.
    pub limit_price: Price,
    /// How long it stays.
    pub time_in_force: TimeInForce,
    /// Which position of hedge mode it is for.
    pub position_side: Option<PositionSide>,
    /// Base units filled, as far as is known.
    pub filled: Quantity,
}

impl KnownOrder {
    /// Returns the order that `trade` opened, nothing of it filled; `None` for a market order, which never
    /// rests.
    #[must_use]
    pub fn of_spot(instruction: InstructionId, trade: &SpotTrade) -> Option<Self> {
        let limit_price = trade.limit_price?;
        (trade.order_type == OrderType::Limit).then_some(Self {
            kind: InstrumentKind::Spot,
            instruction,
            symbol: trade.symbol,
            side: trade.side,
            quantity: trade.quantity,
            limit_price,
            time_in_force: trade.time_in_force,
            position_side: None,
            filled: Quantity::ZERO,
        })
    }

    /// As [`KnownOrder::of_spot`], of a perpetual.
    #[must_use]
    pub fn of_perp(instruction: InstructionId, trade: &PerpTrade) -> Option<Self> {
        let limit_price = trade.limit_price?;
        (trade.order_type == OrderType::Limit).then_some(Self {
            kind: InstrumentKind::Perp,
            instruction,
            symbol: trade.symbol,
            side: trade.side,
            quantity: trade.quantity,
            limit_price,
            time_in_force: trade.time_in_force,
            position_side: trade.position_side,
            filled: Quantity::ZERO,
        })
    }
}

/// Why an instruction becomes no request.
pub(super) type Refusal = VenueErrorKind;

pub(super) fn invalid(text: impl Into<String>) -> Refusal {
    VenueErrorKind::InvalidRequest(text.into())
}

pub(super) fn out_of_range(e: MathError) -> Refusal {
    invalid(format!("an amount is out of range: {e}"))
}

/// What spot and perp orders have in common.
struct Order<'a> {
    rules: &'a InstrumentRules,
    side: Side,
    quantity: Quantity,
    order_type: OrderType,
    limit_price: Option<Price>,
    time_in_force: TimeInForce,
    reduce_only: bool,
}

/// Quantity and price as they are sent.
struct Priced {
    quantity: Quantity,
    price: Price,
    time_in_force: TimeInForce,
}

/// Returns the rules of `symbol`, or the refusal that names it.
pub(super) fn listed(
    rules: &RuleSnapshot,
    kind: InstrumentKind,
    symbol: Symbol,
) -> Result<&InstrumentRules, Refusal> {
    rules.instrument(kind, symbol).ok_or_else(|| {
        invalid(format!(
            "the rules list no {kind} {symbol}; read the venue's own with its exchangeInfo, or give a file \
             that lists it"
        ))
    })
}

/// Returns the request of a spot order.
pub(super) fn place_spot(
    trade: &SpotTrade,
    id: &ClientOrderId,
    rules: &RuleSnapshot,
    collar: Option<Collar>,
) -> Result<Draft, Refusal> {
    let order = Order {
        rules: listed(rules, InstrumentKind::Spot, trade.symbol)?,
        side: trade.side,
        quantity: trade.quantity,
        order_type: trade.order_type,
        limit_price: trade.limit_price,
        time_in_force: trade.time_in_force,
        reduce_only: false,
    };
    let priced = order.price(collar)?;
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
    let order = Order {
        rules: listed(rules, InstrumentKind::Perp, trade.symbol)?,
        side: trade.side,
        quantity: trade.quantity,
        order_type: trade.order_type,
        limit_price: trade.limit_price,
        time_in_force: trade.time_in_force,
        reduce_only: trade.reduce_only || reduces(trade),
    };
    let priced = order.price(collar)?;
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

/// Whether an order of hedge mode goes against the position it names.
fn reduces(trade: &PerpTrade) -> bool {
    let side = trade.position_side;
    side.is_some_and(|side| side.opens_with() != trade.side)
}

impl Order<'_> {
    /// Rounds to lot and tick and checks the filters. Nothing is rounded against the instruction: quantities
    /// go down, the price of a buy down and that of a sell up. A market order leaves as an IOC limit at the
    /// collar.
    fn price(&self, collar: Option<Collar>) -> Result<Priced, Refusal> {
        let rules = self.rules;
        let (wanted, time_in_force) = match self.order_type {
            OrderType::Limit => (self.limit_price, self.time_in_force),
            OrderType::Market => (Some(self.collared(collar)?), self.time_of_market()?),
        };
        let lot = rules.lot_size;
        let quantity = self.quantity.round_to_lot(lot, Rounding::Down);
        let quantity = quantity.map_err(out_of_range)?;
        if quantity.is_zero() && self.quantity.is_positive() {
            return Err(named(FilterFailure {
                instrument: rules.key,
                filter: Filter::LotSize,
                what: "quantity",
                value: format!("{} {}", self.quantity, rules.base),
                bound: format!("the lot size of {lot} {}", rules.base),
            }));
        }
        let price = match wanted.filter(|price| price.is_positive()) {
            Some(wanted) => Some(to_tick(wanted, self.side, rules)?),
            None => None,
        };
        let terms = OrderTerms {
            quantity,
            order_type: OrderType::Limit,
            limit_price: price,
        };
        filters::check(rules, &terms).map_err(named)?;
        let Some(price) = price else {
            return Err(invalid("a limit order needs a limit_price above zero"));
        };
        // Reduce-only orders skip the minimum notional at USD-M.
        if !self.reduce_only {
            let failure = filters::notional_failure(rules, quantity, price);
            if let Some(failure) = failure.map_err(out_of_range)? {
                return Err(named(failure));
            }
        }
        Ok(Priced {
            quantity,
            price,
            time_in_force,
        })
    }

    fn time_of_market(&self) -> Result<TimeInForce, Refusal> {
        match self.time_in_force {
            TimeInForce::Gtc | TimeInForce::Ioc => Ok(TimeInForce::Ioc),
            TimeInForce::Fok => Ok(TimeInForce::Fok),
            TimeInForce::PostOnly => Err(invalid("a market order cannot be post_only")),
        }
    }

    fn collared(&self, collar: Option<Collar>) -> Result<Price, Refusal> {
        let Some(Collar { reference, width }) = collar else {
            return Err(invalid(
                "a market order leaves as a limit at the collar, and there is no price to measure the \
                 collar from",
            ));
        };
        if !width.get().is_positive() {
            return Err(invalid(format!(
                "the collar of {width} bps is not above zero"
            )));
        }
        let (width, rounding) = match self.side {
            Side::Buy => (width, Rounding::Floor),
            Side::Sell => {
                let below = width.get().neg().map_err(out_of_range)?;
                (Bps::new(below), Rounding::Ceil)
            }
        };
        reference.shift_bps(width, rounding).map_err(out_of_range)
    }
}

/// Rounds a price to the tick: never worse than it was asked.
fn to_tick(price: Price, of: Side, rules: &InstrumentRules) -> Result<Price, Refusal> {
    let rounding = match of {
        Side::Buy => Rounding::Floor,
        Side::Sell => Rounding::Ceil,
    };
    let rounded = price.round_to_tick(rules.tick_size, rounding);
    let rounded = rounded.map_err(out_of_range)?;
    if rounded.is_positive() {
        return Ok(rounded);
    }
    Err(named(FilterFailure {
        instrument: rules.key,
        filter: Filter::TickSize,
        what: "price",
        value: price.to_string(),
        bound: format!("the tick size of {}", rules.tick_size),
    }))
}

/// The refusal of a filter, by the venue's name of it.
fn named(failure: FilterFailure) -> Refusal {
    let is_spot = failure.instrument.kind == InstrumentKind::Spot;
    let name = match failure.filter {
        Filter::NoQuantity | Filter::LotSize | Filter::QuantityMin | Filter::QuantityMax => {
            "LOT_SIZE"
        }
        Filter::TickSize => "PRICE_FILTER",
        Filter::NotionalMin if is_spot => "NOTIONAL",
        Filter::NotionalMin => "MIN_NOTIONAL",
    };
    VenueErrorKind::Rejected {
        reason: Rejection::Filter {
            instrument: failure.instrument,
            what: Cow::Borrowed(failure.what),
            value: failure.value,
            bound: format!("{name}: {}", failure.bound),
        },
        venue_code: None,
    }
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
    if change.quantity.is_none() && change.limit_price.is_none() {
        return Err(invalid(
            "an amendment changes quantity or limit_price; this changes neither",
        ));
    }
    let rules = listed(rules, order.kind, order.symbol)?;
    let quantity = change.quantity.unwrap_or(order.quantity);
    if quantity <= order.filled {
        return Err(invalid(format!(
            "the new quantity {quantity} is not above what has filled ({}): that would cancel the order",
            order.filled
        )));
    }
    let terms = Order {
        rules,
        side: order.side,
        quantity,
        order_type: OrderType::Limit,
        limit_price: Some(change.limit_price.unwrap_or(order.limit_price)),
        time_in_force: order.time_in_force,
        reduce_only: false,
    };
    let priced = terms.price(None)?;
    let old = ClientOrderId::derive(book, order.instruction);
    let params = Params::default().with("symbol", rules.venue_symbol.as_str());
    if order.kind != InstrumentKind::Spot {
        let params = params
            .with("origClientOrderId", old.as_str())
            .with("side", side(order.side))
            .with_some("positionSide", order.position_side.map(position_side))
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
