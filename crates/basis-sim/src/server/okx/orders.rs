//! Placing, amending and canceling as far as the gateway goes. Each order of a request is answered by itself;
//! what is taken is passed on to the engine.

use basis_core::instruction::OrderType;
use basis_core::num::{Fixed18, Price, Quantity, Rounding, Value};
use basis_core::types::{Side, Symbol};
use basis_protocols::exchange::filters::{Filter, OrderTerms, check};
use serde_json::{Value as Json, json};

use super::error::ApiError;
use super::params::Params;
use super::routes::Call;
use super::settings::AccountLevel;
use super::{Category, Ending, Exchange, Order, TimeInForce, base_units};
use crate::server::book::SelfTrade;
use crate::server::unified::{Draft, Market, Task, closes};

/// How far a limit may be beyond the last price, in hundredths of it: a buy above, a sale below.
pub(super) const BAND_PERCENT: i64 = 10;
/// Orders of a batch.
const BATCH_MAX: usize = 20;

/// What an order is beside what all such venues know of it.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) tag: String,
    pub(super) mode: &'static str,
    pub(super) kind: &'static str,
    /// What its size counts, of a spot market order.
    pub(super) counts: &'static str,
    pub(super) self_trade: &'static str,
    pub(super) leverage: Option<Fixed18>,
}

/// `POST /api/v5/trade/order`.
pub(super) fn place(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Json>, ApiError> {
    single(call)?;
    place_batch(exchange, call)
}

/// `POST /api/v5/trade/batch-orders`.
pub(super) fn place_batch(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    count_orders(exchange, call)?;
    each(exchange, call, |exchange, params, account| {
        let (id, client_id, tag) = exchange.take_order(params, account)?;
        Ok(json!({ "ordId": id, "clOrdId": client_id, "tag": tag }))
    })
}

/// `POST /api/v5/trade/amend-order`.
pub(super) fn amend(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Json>, ApiError> {
    single(call)?;
    amend_batch(exchange, call)
}

/// `POST /api/v5/trade/amend-batch-orders`.
pub(super) fn amend_batch(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    count_orders(exchange, call)?;
    each(exchange, call, |exchange, params, account| {
        let (id, client_id) = exchange.take_amendment(params, account)?;
        let request = params.text("reqId").unwrap_or_default();
        Ok(json!({ "ordId": id, "clOrdId": client_id, "reqId": request }))
    })
}

/// `POST /api/v5/trade/cancel-order`.
pub(super) fn cancel(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Json>, ApiError> {
    single(call)?;
    cancel_batch(exchange, call)
}

/// `POST /api/v5/trade/cancel-batch-orders`.
pub(super) fn cancel_batch(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    each(exchange, call, |exchange, params, account| {
        let (id, client_id) = exchange.take_cancel(params, account)?;
        Ok(json!({ "ordId": id, "clOrdId": client_id }))
    })
}

fn single(call: &Call<'_>) -> Result<(), ApiError> {
    if call.requests.len() == 1 {
        return Ok(());
    }
    Err(ApiError::parameter("body"))
}

fn count_orders(exchange: &mut Exchange, call: &Call<'_>) -> Result<(), ApiError> {
    let count = u32::try_from(call.requests.len()).unwrap_or(u32::MAX);
    let now = exchange.now;
    if exchange.own.usage.admits_orders(now, call.account, count) {
        return Ok(());
    }
    let text = "Order rate limit of the sub-account reached.";
    Err(ApiError::new(50_061, text))
}

/// Takes each order of a request by itself, and says of each how it went.
fn each(
    exchange: &mut Exchange,
    call: &Call<'_>,
    take: impl Fn(&mut Exchange, &Params, u32) -> Result<Json, ApiError>,
) -> Result<Vec<Json>, ApiError> {
    if call.requests.is_empty() || call.requests.len() > BATCH_MAX {
        return Err(ApiError::parameter("body"));
    }
    let mut rows = Vec::new();
    for params in call.requests {
        let taken = if call.is_late {
            let text = "The expTime is earlier than the current system time: the order expired.";
            Err(ApiError::new(50_037, text))
        } else {
            take(exchange, params, call.account)
        };
        let text = |name| params.text(name).unwrap_or_default();
        let (mut row, code, msg) = match taken {
            Ok(row) => (row, 0, String::new()),
            Err(e) => {
                let names = json!({ "ordId": text("ordId"), "clOrdId": text("clOrdId"), "tag": text("tag") });
                (names, e.code, e.msg)
            }
        };
        if let Some(row) = row.as_object_mut() {
            row.insert("ts".to_owned(), json!(exchange.now.to_string()));
            row.insert("sCode".to_owned(), json!(code.to_string()));
            row.insert("sMsg".to_owned(), json!(msg));
            row.insert("subCode".to_owned(), json!(""));
        }
        rows.push(row);
    }
    Ok(rows)
}

impl Exchange {
    /// The open order that a request names, in its instrument.
    fn open_order(
        &self,
        params: &Params,
        account: u32,
        gone: fn() -> ApiError,
    ) -> Result<((Category, Symbol), &Order), ApiError> {
        let key = self.named(params.required("instId")?)?;
        let (id, client_id) = (params.text("ordId"), params.text("clOrdId"));
        if id.is_none() && client_id.is_none() {
            let text = "Either parameter ordId or clOrdId is required";
            return Err(ApiError::new(50_015, text));
        }
        let order = self.market(key.0, key.1)?.find(account, id, client_id);
        let order = order.filter(|order| order.is_open()).ok_or_else(gone)?;
        Ok((key, order))
    }

    fn take_cancel(&mut self, params: &Params, account: u32) -> Result<(String, String), ApiError> {
        let ((category, symbol), order) =
            self.open_order(params, account, ApiError::cancel_gone)?;
        let (number, ids) = (order.number, (order.id.clone(), order.client_id.clone()));
        let task = Task::Cancel {
            order: number,
            ending: Ending::ByUser,
        };
        self.pass_on(category, symbol, task)?;
        Ok(ids)
    }

    fn take_amendment(
        &mut self,
        params: &Params,
        account: u32,
    ) -> Result<(String, String), ApiError> {
        let ((category, symbol), order) = self.open_order(params, account, ApiError::amend_gone)?;
        let rules = &self.market(category, symbol)?.rules;
        let size = params.decimal("newSz")?;
        let size = size.map(|size| base_units(rules, size)).transpose()?;
        let price = params.price("newPx")?;
        if order.is_market || (size.is_none() && price.is_none()) {
            return Err(ApiError::parameter("newSz"));
        }
        let (number, ids) = (order.number, (order.id.clone(), order.client_id.clone()));
        let executed = order.state.executed;
        let (quantity, price) = (
            size.unwrap_or(order.state.quantity),
            price.unwrap_or(order.state.price),
        );
        let draft = Draft {
            price,
            quantity,
            ..draft_like(order)
        };
        let checked = self.check_amended((category, symbol), number, &draft, executed);
        if let Err(e) = checked {
            if params.flag("cxlOnFail")? {
                let task = Task::Cancel {
                    order: number,
                    ending: Ending::ByUser,
                };
                self.pass_on(category, symbol, task)?;
            }
            return Err(e);
        }
        let task = Task::Amend {
            order: number,
            quantity,
            price,
        };
        self.pass_on(category, symbol, task)?;
        Ok(ids)
    }

    /// An amendment to no more than has traded only ends the order.
    fn check_amended(
        &self,
        (category, symbol): (Category, Symbol),
        number: u64,
        draft: &Draft,
        executed: Quantity,
    ) -> Result<(), ApiError> {
        let market = self.market(category, symbol)?;
        check_filters(market, draft)?;
        if draft.quantity <= executed {
            return Ok(());
        }
        check_band(market, draft)?;
        let terms = (draft.quantity, draft.price);
        self.check_amendment(category, symbol, number, terms)?;
        Ok(())
    }

    fn take_order(
        &mut self,
        params: &Params,
        account: u32,
    ) -> Result<(String, String, String), ApiError> {
        let (category, symbol) = self.named(params.required("instId")?)?;
        let (mut draft, terms) = self.read_draft(params, account, (category, symbol))?;
        let market = self.market(category, symbol)?;
        if !market.is_trading {
            return Err(ApiError::new(51_022, "Instrument is suspended."));
        }
        if params.text("pxAmendType") == Some("1") && !draft.is_market {
            draft.price = banded(market, &draft)?;
        }
        check_filters(market, &draft)?;
        check_band(market, &draft)?;
        self.check_count(category, symbol, account)?;
        if !draft.client_id.is_empty() && self.is_pending(account, &draft.client_id) {
            return Err(ApiError::new(51_016, "Client order ID already exists."));
        }
        let may_shrink =
            category == Category::Spot && draft.is_market && !params.flag("banAmend")?;
        if let Err(refused) = self.check_funds(category, symbol, &draft) {
            if !may_shrink {
                return Err(refused.into());
            }
            draft.quantity = self.affordable(symbol, &draft)?;
            if check_filters(self.market(category, symbol)?, &draft).is_err() {
                return Err(refused.into());
            }
        }
        let ids = self.new_id(category);
        let taken = (ids.1.clone(), draft.client_id.clone(), terms.tag.clone());
        self.own.terms.insert(ids.0, terms);
        self.enter(category, symbol, ids, draft)?;
        Ok(taken)
    }

    /// Whether a pending order of the account bears the client's id, in whatever instrument.
    fn is_pending(&self, account: u32, client_id: &str) -> bool {
        let mut markets = self.markets.values();
        markets.any(|market| {
            let mut open = market.open_orders(account);
            open.any(|order| order.client_id == client_id)
        })
    }

    /// The part of a spot market order that the account can pay for, in whole lots.
    fn affordable(&self, symbol: Symbol, draft: &Draft) -> Result<Quantity, ApiError> {
        let lot = self.market(Category::Spot, symbol)?.rules.lot_size;
        let free = self
            .free_for(Category::Spot, symbol, draft)?
            .max(Quantity::ZERO);
        let affordable = match (draft.side, draft.in_quote) {
            (Side::Buy, true) => return Ok(free),
            (Side::Sell, false) => free,
            (side, in_quote) => {
                let price = self.worst_price(Category::Spot, symbol, draft)?;
                if price.is_zero() {
                    return Ok(Quantity::ZERO);
                }
                match (side, in_quote) {
                    (Side::Buy, _) => Value::new(free.get()).per(price, Rounding::Floor)?,
                    (Side::Sell, _) => {
                        let value = free.notional(price, Rounding::Floor)?;
                        return Ok(Quantity::new(value.get()));
                    }
                }
            }
        };
        Ok(affordable.round_to_lot(lot, Rounding::Floor)?)
    }

    fn check_count(
        &self,
        category: Category,
        symbol: Symbol,
        account: u32,
    ) -> Result<(), ApiError> {
        let limits = self.own.limits;
        let of_instrument = self.market(category, symbol)?.open_orders(account).count();
        let counts = self
            .markets
            .values()
            .map(|market| market.open_orders(account).count());
        let all: usize = counts.sum();
        if of_instrument < limits.pending_of_instrument && all < limits.pending {
            return Ok(());
        }
        let most = limits.pending_of_instrument;
        let text =
            format!("The number of pending orders reached the upper limit of {most} (orders).");
        Err(ApiError::new(51_174, text))
    }

    fn read_draft(
        &self,
        params: &Params,
        account: u32,
        (category, symbol): (Category, Symbol),
    ) -> Result<(Draft, Terms), ApiError> {
        for name in [
            "attachAlgoOrds",
            "pxUsd",
            "pxVol",
            "slippagePct",
            "isElpTakerAccess",
        ] {
            if params.has(name) && params.flag(name) != Ok(false) {
                return Err(ApiError::parameter(name));
            }
        }
        let mode = self.read_mode(params, account, category)?;
        let side = params.side()?;
        let (kind, is_market, time_in_force) = read_kind(params, category)?;
        let price = if is_market {
            Price::ZERO
        } else {
            params
                .price("px")?
                .ok_or_else(|| ApiError::parameter("px"))?
        };
        let counts = if category == Category::Spot && is_market {
            read_counts(params, side)?
        } else {
            ""
        };
        let size = params.decimal("sz")?.filter(|size| size.is_positive());
        let size = size.ok_or_else(|| ApiError::parameter("sz"))?;
        let quantity = base_units(&self.market(category, symbol)?.rules, size)?;
        let position_index = self.read_index(params, account, category)?;
        let reduce_only =
            category == Category::Linear && position_index == 0 && params.flag("reduceOnly")?;
        let (word, self_trade) = read_self_trade(params)?;
        let draft = Draft {
            account,
            client_id: read_client_id(params)?,
            side,
            is_market,
            in_quote: counts == "quote_ccy",
            time_in_force,
            position_index,
            reduce_only,
            self_trade,
            price,
            quantity,
        };
        self.check_closing(symbol, &draft)?;
        let leverage = self.account(account).leverage(symbol);
        let terms = Terms {
            tag: read_tag(params)?,
            mode,
            kind,
            counts,
            self_trade: word,
            leverage: Some(leverage).filter(|_| category == Category::Linear),
        };
        Ok((draft, terms))
    }

    /// What closes needs a position to close; a side of hedge mode is not closed by more than there is.
    fn check_closing(&self, symbol: Symbol, draft: &Draft) -> Result<(), ApiError> {
        if !draft.reduce_only && !closes(draft.position_index, draft.side) {
            return Ok(());
        }
        let position = self
            .account(draft.account)
            .position(symbol, draft.position_index);
        let held = position.perp.quantity;
        let wanted = if draft.side == Side::Sell { 1 } else { -1 };
        if held.signum() != wanted {
            let text = "Order failed because you don't have any positions in this direction to reduce or close.";
            return Err(ApiError::new(51_169, text));
        }
        if draft.position_index != 0 && draft.quantity > held.abs()? {
            let text = "Close order size exceeds available size for this position.";
            return Err(ApiError::new(51_112, text));
        }
        Ok(())
    }

    /// The margin mode, which each order has to name.
    fn read_mode(
        &self,
        params: &Params,
        account: u32,
        category: Category,
    ) -> Result<&'static str, ApiError> {
        let level = self.profile(account).level;
        let mode = params.required("tdMode")?;
        match category {
            Category::Spot if mode == level.spot_mode() => Ok(level.spot_mode()),
            Category::Linear if level == AccountLevel::Spot => {
                let text = "You can't complete this request under your current account mode.";
                Err(ApiError::new(51_010, text))
            }
            Category::Linear if mode == "cross" => Ok("cross"),
            _ => Err(ApiError::parameter("tdMode")),
        }
    }

    /// The position: 0 in net mode and of spot, 1 and 2 of hedge mode.
    fn read_index(
        &self,
        params: &Params,
        account: u32,
        category: Category,
    ) -> Result<u8, ApiError> {
        let is_hedge = self.profile(account).is_hedge;
        match (category, params.text("posSide"), is_hedge) {
            (Category::Spot, None | Some("net"), _)
            | (Category::Linear, None | Some("net"), false) => Ok(0),
            (Category::Linear, Some("long"), true) => Ok(1),
            (Category::Linear, Some("short"), true) => Ok(2),
            _ => Err(ApiError::parameter("posSide")),
        }
    }
}

/// The terms of an order that was taken.
fn draft_like(order: &Order) -> Draft {
    Draft {
        account: order.account,
        client_id: String::new(),
        side: order.side,
        is_market: order.is_market,
        in_quote: order.in_quote,
        time_in_force: order.time_in_force,
        position_index: order.position_index,
        reduce_only: order.reduce_only,
        self_trade: order.self_trade,
        price: order.state.price,
        quantity: order.state.quantity,
    }
}

/// Whether `text` is letters and digits alone, at most so many.
fn is_plain(text: &str, most: usize) -> bool {
    text.len() <= most && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The client's id: letters and digits; at most 32.
fn read_client_id(params: &Params) -> Result<String, ApiError> {
    let id = params.text("clOrdId").unwrap_or_default();
    if is_plain(id, 32) {
        return Ok(id.to_owned());
    }
    Err(ApiError::parameter("clOrdId"))
}

/// A tag: letters and digits; at most 16.
pub(super) fn read_tag(params: &Params) -> Result<String, ApiError> {
    let tag = params.text("tag").unwrap_or_default();
    if is_plain(tag, 16) {
        return Ok(tag.to_owned());
    }
    Err(ApiError::parameter("tag"))
}

/// The type, which carries the time in force.
fn read_kind(
    params: &Params,
    category: Category,
) -> Result<(&'static str, bool, TimeInForce), ApiError> {
    match params.required("ordType")? {
        "market" => Ok(("market", true, TimeInForce::Ioc)),
        "limit" => Ok(("limit", false, TimeInForce::Gtc)),
        "post_only" => Ok(("post_only", false, TimeInForce::PostOnly)),
        "ioc" => Ok(("ioc", false, TimeInForce::Ioc)),
        "fok" => Ok(("fok", false, TimeInForce::Fok)),
        "optimal_limit_ioc" if category == Category::Linear => {
            Ok(("optimal_limit_ioc", true, TimeInForce::Ioc))
        }
        _ => Err(ApiError::parameter("ordType")),
    }
}

/// What the size of a spot market order counts: quote of a buy unless told otherwise, base of a sale.
fn read_counts(params: &Params, side: Side) -> Result<&'static str, ApiError> {
    match (params.text("tgtCcy"), side) {
        (Some("quote_ccy"), _) | (None, Side::Buy) => Ok("quote_ccy"),
        (Some("base_ccy"), _) | (None, Side::Sell) => Ok("base_ccy"),
        (Some(_), _) => Err(ApiError::parameter("tgtCcy")),
    }
}

fn read_self_trade(params: &Params) -> Result<(&'static str, SelfTrade), ApiError> {
    match params.text("stpMode") {
        None | Some("cancel_maker") => Ok(("cancel_maker", SelfTrade::ExpireMaker)),
        Some("cancel_taker") => Ok(("cancel_taker", SelfTrade::ExpireTaker)),
        Some("cancel_both") => Ok(("cancel_both", SelfTrade::ExpireBoth)),
        Some(_) => Err(ApiError::parameter("stpMode")),
    }
}

fn check_filters(market: &Market, draft: &Draft) -> Result<(), ApiError> {
    let rules = &market.rules;
    if draft.in_quote {
        // There is no smallest value: what buys less than the smallest size is too little.
        let price = market.last_price.filter(|price| price.is_positive());
        let Some(price) = price else {
            return Ok(());
        };
        let base = Value::new(draft.quantity.get()).per(price, Rounding::Floor)?;
        return if base < rules.min_quantity {
            Err(ApiError::new(51_020, TOO_SMALL))
        } else {
            Ok(())
        };
    }
    let terms = OrderTerms {
        quantity: draft.quantity,
        order_type: if draft.is_market {
            OrderType::Market
        } else {
            OrderType::Limit
        },
        limit_price: Some(draft.price),
    };
    match check(rules, &terms).err().map(|e| e.filter) {
        None => Ok(()),
        Some(Filter::TickSize) => Err(ApiError::parameter("px")),
        Some(Filter::LotSize) => {
            let text = "Order quantity must be a multiple of the lot size.";
            Err(ApiError::new(51_121, text))
        }
        Some(Filter::QuantityMax) => {
            let text = "Your order amount exceeds the max order amount.";
            Err(ApiError::new(51_005, text))
        }
        Some(Filter::NoQuantity | Filter::QuantityMin | Filter::NotionalMin) => {
            Err(ApiError::new(51_020, TOO_SMALL))
        }
    }
}

const TOO_SMALL: &str = "Your order should meet or exceed the minimum order amount.";

/// The highest buy and the lowest sale that are taken; none before a price is known.
pub(super) fn band(market: &Market) -> Result<Option<(Price, Price)>, ApiError> {
    let mark = Some(market.mark).filter(|mark| mark.is_positive());
    let Some(reference) = market.last_price.or(mark) else {
        return Ok(None);
    };
    let at = |percent: i64| -> Result<Price, ApiError> {
        let hundred = Fixed18::from_int(100);
        let bound = reference
            .get()
            .mul_int(percent)?
            .div(hundred, Rounding::Down)?;
        let step = market.rules.tick_size.get();
        let bound = bound.round_to_step(step, Rounding::Down)?;
        Price::new(bound)
            .ok()
            .ok_or_else(|| ApiError::parameter("px"))
    };
    Ok(Some((at(100 + BAND_PERCENT)?, at(100 - BAND_PERCENT)?)))
}

fn check_band(market: &Market, draft: &Draft) -> Result<(), ApiError> {
    let Some((highest, lowest)) = band(market)?.filter(|_| !draft.is_market) else {
        return Ok(());
    };
    match draft.side {
        Side::Buy if draft.price > highest => {
            let text = format!(
                "Your opening price has triggered the limit price, and the max buy price is {highest}."
            );
            Err(ApiError::new(51_137, text))
        }
        Side::Sell if draft.price < lowest => {
            let text = format!(
                "Your opening price has triggered the limit price, and the min sell price is {lowest}."
            );
            Err(ApiError::new(51_138, text))
        }
        _ => Ok(()),
    }
}

/// The limit within the band.
fn banded(market: &Market, draft: &Draft) -> Result<Price, ApiError> {
    let Some((highest, lowest)) = band(market)? else {
        return Ok(draft.price);
    };
    Ok(match draft.side {
        Side::Buy => draft.price.min(highest),
        Side::Sell => draft.price.max(lowest),
    })
}
