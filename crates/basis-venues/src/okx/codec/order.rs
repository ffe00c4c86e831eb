//! Orders: an instruction becomes the request that places, amends, cancels or asks for one.

use basis_core::instruction::{AmendOrder, CancelOrder, PerpTrade, SpotTrade, TimeInForce};
use basis_core::num::Quantity;
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::types::{BookId, ClientOrderId, InstrumentKind, PositionSide, Side};
use basis_protocols::exchange::filters::Filter;

use super::contracts::size_of;
use super::endpoint::Product;
use crate::wire::order::{FilterTerms, Order, Priced, Refusal, invalid, listed, out_of_range};
use crate::wire::{Collar, Fields, JsonDraft, KnownOrder, NamedOrder, Params, Range};

/// There is no minimum notional; where rules have one, orders that only reduce have to reach it too.
const FILTERS: FilterTerms = FilterTerms {
    name: filter_name,
    reducing_skips_notional: false,
};

const fn filter_name(_kind: InstrumentKind, filter: Filter) -> &'static str {
    match filter {
        Filter::NoQuantity | Filter::LotSize => "lotSz",
        Filter::QuantityMin => "minSz",
        Filter::QuantityMax => "maxLmtSz",
        Filter::TickSize => "tickSz",
        Filter::NotionalMin => "minimum notional",
    }
}

/// What the account can do, as its owner set it up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountLevel {
    /// Spot alone.
    Spot,
    /// Spot and swaps, margin by currency.
    #[default]
    Futures,
    /// All currencies stand for all positions.
    MultiCurrency,
    /// Margin by the risk of the whole.
    Portfolio,
}

impl AccountLevel {
    /// Returns the mode that spot orders trade in: with what is there, or as a part of the whole, which may
    /// borrow where the account allows it.
    const fn spot_mode(self) -> &'static str {
        match self {
            Self::Spot | Self::Futures => "cash",
            Self::MultiCurrency | Self::Portfolio => "cross",
        }
    }
}

/// Returns the request of a spot order.
///
/// Everything leaves as a limit order, whose size is in base units: a market buy would count in quote, and
/// the venue would shrink it to the balance.
pub(super) fn place_spot(
    trade: &SpotTrade,
    id: &ClientOrderId,
    (rules, level): (&RuleSnapshot, AccountLevel),
    collar: Option<Collar>,
) -> Result<JsonDraft, Refusal> {
    let order = Order::spot(trade, rules)?;
    let priced = order.price(collar, FILTERS)?;
    let fields = terms(order.rules, level.spot_mode(), trade.side, &priced)?;
    let fields = fields.with("clOrdId", id.as_str());
    Ok(JsonDraft::act("/api/v5/trade/order", fields))
}

/// Returns the request of a swap's order. Its margin mode is cross.
pub(super) fn place_perp(
    trade: &PerpTrade,
    id: &ClientOrderId,
    (rules, level): (&RuleSnapshot, AccountLevel),
    collar: Option<Collar>,
) -> Result<JsonDraft, Refusal> {
    if level == AccountLevel::Spot {
        return Err(invalid(
            "the account is at level 1, spot alone: swaps need level 2 or more, which its owner chooses at the \
             venue",
        ));
    }
    let opens = |side: PositionSide| side.opens_with() == trade.side;
    if trade.reduce_only && trade.position_side.is_some_and(opens) {
        return Err(invalid(
            "reduce_only is not looked at in hedge mode, and this order would open: name the side that it goes \
             against",
        ));
    }
    let order = Order::perp(trade, rules)?;
    let priced = order.price(collar, FILTERS)?;
    let fields = terms(order.rules, "cross", trade.side, &priced)?
        .with_some("posSide", trade.position_side.map(position_side))
        .with_flag(
            "reduceOnly",
            trade.reduce_only && trade.position_side.is_none(),
        )
        .with("clOrdId", id.as_str());
    Ok(JsonDraft::act("/api/v5/trade/order", fields))
}

fn terms(
    rules: &InstrumentRules,
    mode: &'static str,
    of: Side,
    priced: &Priced,
) -> Result<Fields, Refusal> {
    let fields = named(rules)
        .with("tdMode", mode)
        .with("side", side(of))
        .with("ordType", order_type(priced.time_in_force))
        .with("sz", size(rules, priced.quantity)?)
        .with("px", priced.price.to_string());
    Ok(fields)
}

fn named(rules: &InstrumentRules) -> Fields {
    Fields::default().with("instId", rules.venue_symbol.as_str())
}

fn size(rules: &InstrumentRules, quantity: Quantity) -> Result<String, Refusal> {
    let size = size_of(rules, quantity).map_err(out_of_range)?;
    Ok(size.to_string())
}

/// Returns the request that amends `order` in place: what changes, and nothing else. The new size counts what
/// has filled.
pub(super) fn amend(
    change: &AmendOrder,
    order: &KnownOrder,
    book: BookId,
    rules: &RuleSnapshot,
) -> Result<JsonDraft, Refusal> {
    let amended = Order::amended(change, order, rules)?;
    let priced = amended.price(None, FILTERS)?;
    let new_size = match change.quantity {
        Some(_) => Some(size(amended.rules, priced.quantity)?),
        None => None,
    };
    let new_price = change.limit_price.map(|_asked| priced.price.to_string());
    let id = ClientOrderId::derive(book, order.instruction);
    let fields = named(amended.rules)
        .with("clOrdId", id.as_str())
        .with_some("newSz", new_size)
        .with_some("newPx", new_price);
    Ok(JsonDraft::act("/api/v5/trade/amend-order", fields))
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
    let fields = named(rules).with("clOrdId", id.as_str());
    Ok(JsonDraft::act("/api/v5/trade/cancel-order", fields))
}

/// Returns the request that asks for one order, open or not: the latest one with this id.
#[must_use]
pub fn query(rules: &InstrumentRules, order: &NamedOrder) -> JsonDraft {
    let params = instrument(rules);
    let params = match order {
        NamedOrder::Client(id) => params.with("clOrdId", id.as_str()),
        NamedOrder::Venue(id) => params.with("ordId", id.as_str()),
    };
    JsonDraft::read("/api/v5/trade/order", params)
}

/// Returns the request for the open orders of one instrument; 100 a page.
#[must_use]
pub fn open_orders_of(rules: &InstrumentRules, range: &Range) -> JsonDraft {
    JsonDraft::read(
        "/api/v5/trade/orders-pending",
        page(instrument(rules), range),
    )
}

/// Returns the request for all open orders of a product; 100 a page.
#[must_use]
pub fn open_orders(product: Product, range: &Range) -> JsonDraft {
    let params = Params::default().with("instType", product.as_str());
    JsonDraft::read("/api/v5/trade/orders-pending", page(params, range))
}

pub(super) fn instrument(rules: &InstrumentRules) -> Params {
    Params::default().with("instId", rules.venue_symbol.as_str())
}

/// Adds how many rows are wanted, and the id at which the page before ended.
pub(super) fn page(params: Params, range: &Range) -> Params {
    params
        .with_some("after", range.cursor.as_deref())
        .with_some("limit", range.rows.map(|rows| rows.to_string()))
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

const fn position_side(side: PositionSide) -> &'static str {
    match side {
        PositionSide::Long => "long",
        PositionSide::Short => "short",
    }
}

/// The type carries the time in force.
const fn order_type(time: TimeInForce) -> &'static str {
    match time {
        TimeInForce::Gtc => "limit",
        TimeInForce::Ioc => "ioc",
        TimeInForce::Fok => "fok",
        TimeInForce::PostOnly => "post_only",
    }
}
