//! Taking USD-M orders back, and changing them.

use basis_core::num::{Price, Quantity};
use basis_core::types::Symbol;
use serde_json::{Value, json};

use super::place::{check_filters, done};
use super::replies;
use crate::server::binance::Exchange;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Draft, Market, Order, OrderKind, TimeInForce};
use crate::server::binance::orders::Ending;
use crate::server::binance::params::Params;
use crate::server::binance::routes::{Call, Family};
use crate::server::binance::settings::Product;

/// `DELETE /fapi/v1/order`.
pub(in crate::server::binance) fn cancel(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let unknown = ApiError::unknown_order;
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let symbol = market.listing.rules.key.symbol;
    let id = open_order(market, call.account, call.params)?.id;
    exchange.cancel_order(Product::UsdM, symbol, id, None)?;
    let market = exchange.market(Product::UsdM, symbol)?;
    let order = market.orders.get(&id).ok_or_else(unknown)?;
    Ok(replies::acknowledged(symbol, order))
}

/// The open order that a request names; of several that bore a client id in turn the open one.
fn open_order<'a>(
    market: &'a Market,
    account: u32,
    params: &Params,
) -> Result<&'a Order, ApiError> {
    let unknown = ApiError::unknown_order;
    let order = Exchange::named_order(market, account, params, unknown)?;
    if order.state.status.is_open() {
        Ok(order)
    } else {
        Err(unknown())
    }
}

/// `DELETE /fapi/v1/allOpenOrders`.
pub(in crate::server::binance) fn cancel_all(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let symbol = market.listing.rules.key.symbol;
    exchange.cancel_symbol(symbol, call.account)?;
    Ok(done("The operation of cancel all open order is done."))
}

impl Exchange {
    fn cancel_symbol(&mut self, symbol: Symbol, account: u32) -> Result<(), ApiError> {
        let open = self.market(Product::UsdM, symbol)?.open_orders(account);
        let ids: Vec<u64> = open.map(|order| order.id).collect();
        for id in ids {
            self.cancel_order(Product::UsdM, symbol, id, None)?;
        }
        Ok(())
    }

    /// Cancels what dead-man switches that are due cover.
    pub(in crate::server::binance) fn run_countdowns(&mut self) -> Result<(), ApiError> {
        let now = self.now;
        let due: Vec<(u32, Symbol)> = self
            .countdowns
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| *key)
            .collect();
        for (account, symbol) in due {
            self.countdowns.remove(&(account, symbol));
            self.cancel_symbol(symbol, account)?;
        }
        Ok(())
    }

    /// Ends orders whose date has come.
    pub(in crate::server::binance) fn end_dated_orders(&mut self) -> Result<(), ApiError> {
        while let Some((date, symbol, id)) = self.dated.first().copied() {
            if date > self.now {
                break;
            }
            self.dated.pop_first();
            let order = self.market(Product::UsdM, symbol)?.orders.get(&id);
            if order.is_some_and(|order| order.state.status.is_open()) {
                self.end_order(Product::UsdM, symbol, id, Ending::GoodTill)?;
            }
        }
        Ok(())
    }

    /// When a dead-man switch or a date is next due.
    pub(in crate::server::binance) fn next_ending(&self) -> Option<i64> {
        let switches = self.countdowns.values().copied();
        let date = self.dated.first().map(|(date, _, _)| *date);
        switches.chain(date).min()
    }
}

/// `DELETE /fapi/v1/batchOrders`.
pub(in crate::server::binance) fn cancel_many(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    exchange.named_market(Product::UsdM, call.params)?;
    let lists = [
        ("orderIdList", "orderId"),
        ("origClientOrderIdList", "origClientOrderId"),
    ];
    let found = lists.into_iter().find_map(|(list, name)| {
        let text = call.params.get(list)?;
        Some((list, name, text))
    });
    let Some((list, name, text)) = found else {
        let text = "Param 'origClientOrderIdList' or 'orderIdList' must be sent, but both were empty/null!";
        return Err(ApiError::new(-1102, text));
    };
    let invalid = || ApiError::illegal(list, "a JSON list of at most 10");
    let ids: Vec<Value> = serde_json::from_str(text)
        .ok()
        .filter(|ids: &Vec<Value>| (1..=10).contains(&ids.len()))
        .ok_or_else(invalid)?;
    let symbol = call.params.required("symbol")?;
    let mut rows = Vec::new();
    for id in ids {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let pairs = vec![
            ("symbol".to_owned(), symbol.to_owned()),
            (name.to_owned(), id),
        ];
        let params = Params::from_pairs(pairs);
        let one = Call {
            params: &params,
            ..*call
        };
        rows.push(cancel(exchange, &one).unwrap_or_else(|error| error.body()));
    }
    Ok(Value::Array(rows))
}

/// `POST /fapi/v1/countdownCancelAll`.
pub(in crate::server::binance) fn countdown(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let symbol = market.listing.rules.key.symbol;
    let ms = call.params.integer("countdownTime")?.filter(|ms| *ms >= 0);
    let ms = ms.ok_or_else(|| ApiError::missing("countdownTime"))?;
    let key = (call.account, symbol);
    if ms == 0 {
        exchange.countdowns.remove(&key);
    } else {
        exchange
            .countdowns
            .insert(key, exchange.now.saturating_add(ms));
    }
    Ok(json!({ "symbol": symbol.as_str(), "countdownTime": ms.to_string() }))
}

/// `PUT /fapi/v1/order`.
pub(in crate::server::binance) fn modify(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let params = call.params;
    let side = params.side()?;
    let quantity = params.quantity("quantity")?;
    let quantity = quantity.ok_or_else(|| ApiError::missing("quantity"))?;
    let price = params.price("price")?;
    let price = price.ok_or_else(|| ApiError::missing("price"))?;
    exchange
        .usage
        .order(exchange.now, Family::UsdM, call.account)?;
    let market = exchange.named_market(Product::UsdM, params)?;
    let symbol = market.listing.rules.key.symbol;
    let order = open_order(market, call.account, params)?;
    if order.side != side {
        return Err(ApiError::new(-1117, "Invalid side."));
    }
    if params.flag("reduceOnly")? == Some(true) && !order.reduce_only {
        return Err(ApiError::new(
            -5047,
            "Modify order reduceOnly is not allowed.",
        ));
    }
    if order.state.price == price && order.state.quantity == quantity {
        return Err(ApiError::new(-5027, "No need to modify the order."));
    }
    let id = order.id;
    let draft = draft_of(order, price, quantity);
    let closing = super::is_closing(order);
    check_filters(market, exchange.mark(symbol), &draft, closing)?;
    exchange.change_order(symbol, id, &draft)?;
    let market = exchange.market(Product::UsdM, symbol)?;
    let order = market.orders.get(&id);
    let order = order.ok_or_else(ApiError::unknown_order)?;
    let mut reply = replies::acknowledged(symbol, order);
    if let Some(reply) = reply.as_object_mut() {
        reply.insert("pair".to_owned(), json!(symbol.as_str()));
        reply.insert("modifyId".to_owned(), json!(exchange.last_id));
    }
    Ok(reply)
}

fn draft_of(order: &Order, price: Price, quantity: Quantity) -> Draft {
    Draft {
        account: order.account,
        client_id: order.client_id.clone(),
        side: order.side,
        kind: OrderKind::Limit,
        time_in_force: order.time_in_force,
        price,
        quantity,
        quote_quantity: basis_core::num::Value::ZERO,
        position_side: order.position_side,
        reduce_only: order.reduce_only,
        good_till_ms: order.good_till_ms,
        self_trade: order.self_trade,
    }
}

impl Exchange {
    /// Puts an open order at another price and quantity, at the end of the queue there; one that may not
    /// stand so is canceled instead.
    fn change_order(&mut self, symbol: Symbol, id: u64, draft: &Draft) -> Result<(), ApiError> {
        let now = self.now;
        let market = self.market(Product::UsdM, symbol)?;
        let order = market.orders.get(&id);
        let order = order.ok_or_else(ApiError::unknown_order)?;
        let executed = order.state.executed;
        if draft.quantity <= executed {
            return self.cancel_order(Product::UsdM, symbol, id, None);
        }
        let mut rest = draft.clone();
        rest.quantity = draft.quantity.sub(executed)?;
        let plan = self.plan(Product::UsdM, symbol, &rest)?;
        if draft.time_in_force == TimeInForce::Gtx && !plan.matches.is_empty() {
            return self.cancel_order(Product::UsdM, symbol, id, None);
        }
        let held = self.changed_margin(symbol, id, &rest)?;
        let market = self.market_mut(Product::UsdM, symbol)?;
        market.book.remove(id);
        if let Some(order) = market.orders.get_mut(&id) {
            order.held = held;
            order.change(now, |state| {
                state.price = draft.price;
                state.quantity = draft.quantity;
            });
        }
        self.next_id();
        self.report_usdm(symbol, id, "AMENDMENT", None, "0")?;
        self.run_plan(symbol, id, &plan)
    }

    /// What the rest of a changed order holds back instead of what it did.
    fn changed_margin(
        &mut self,
        symbol: Symbol,
        id: u64,
        rest: &Draft,
    ) -> Result<Quantity, ApiError> {
        let market = self.market_mut(Product::UsdM, symbol)?;
        let asset = market.listing.rules.quote;
        let order = market.orders.get_mut(&id);
        let order = order.ok_or_else(ApiError::unknown_order)?;
        let (before, was) = (order.held, order.state);
        // For the check the order is not there.
        order.held = Quantity::ZERO;
        order.state.quantity = order.state.executed;
        let checked = self
            .order_margin(symbol, rest, rest.price)
            .and_then(|needed| {
                let available = self.margins_now(rest.account, asset)?.available()?;
                if needed.get() > available.get() {
                    return Err(ApiError::new(-2019, "Margin is insufficient."));
                }
                Ok(needed)
            });
        let market = self.market_mut(Product::UsdM, symbol)?;
        if let Some(order) = market.orders.get_mut(&id) {
            order.held = before;
            order.state = was;
        }
        checked
    }
}
