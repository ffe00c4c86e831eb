//! Taking spot orders back, replacing them, making them smaller.

use basis_core::types::Symbol;
use serde_json::{Value, json};

use super::replies::{self, Form, add};
use super::{DECIMALS, text};
use crate::server::binance::Exchange;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Order, Status};
use crate::server::binance::orders::{filter_failure, self_trade_word, side_word};
use crate::server::binance::params::Params;
use crate::server::binance::routes::Call;
use crate::server::binance::settings::Product;

/// `DELETE /api/v3/order`.
pub(in crate::server::binance) fn cancel(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let names = Names {
        id: "orderId",
        client_id: "origClientOrderId",
    };
    exchange.cancel_spot(call, names)
}

/// Under which names a request says what it cancels.
#[derive(Clone, Copy, Debug)]
struct Names {
    id: &'static str,
    client_id: &'static str,
}

impl Exchange {
    fn cancel_spot(&mut self, call: &Call<'_>, names: Names) -> Result<Value, ApiError> {
        let params = call.params;
        let market = self.named_market(Product::Spot, params)?;
        let symbol = market.listing.rules.key.symbol;
        let mut pairs = Vec::new();
        for (from, to) in [
            (names.id, "orderId"),
            (names.client_id, "origClientOrderId"),
        ] {
            if let Some(value) = params.get(from) {
                pairs.push((to.to_owned(), value.to_owned()));
            }
        }
        let named = Params::from_pairs(pairs);
        let unknown = ApiError::unknown_order;
        let order = Self::named_order(market, call.account, &named, unknown)?;
        let (id, status) = (order.id, order.state.status);
        if !status.is_open() {
            return Err(unknown());
        }
        let restricted = match params.get("cancelRestrictions") {
            None => false,
            Some("ONLY_NEW") => status != Status::New,
            Some("ONLY_PARTIALLY_FILLED") => status != Status::PartiallyFilled,
            Some(_) => return Err(ApiError::new(-1145, "Invalid cancelRestrictions")),
        };
        if restricted {
            let reason = "Order was not canceled due to cancel restrictions.";
            return Err(ApiError::new(-2011, reason));
        }
        let name = match params
            .get("newClientOrderId")
            .filter(|_| names.id == "orderId")
        {
            Some(name) => name.to_owned(),
            None => match params.get("cancelNewClientOrderId") {
                Some(name) => name.to_owned(),
                None => self.random.text(22),
            },
        };
        self.cancel_order(Product::Spot, symbol, id, Some(name))?;
        let market = self.market(Product::Spot, symbol)?;
        let order = market.orders.get(&id).ok_or_else(unknown)?;
        Ok(replies::canceled(symbol, order))
    }
}

/// `DELETE /api/v3/openOrders`.
pub(in crate::server::binance) fn cancel_all(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let market = exchange.named_market(Product::Spot, call.params)?;
    let symbol = market.listing.rules.key.symbol;
    let ids: Vec<u64> = market
        .open_orders(call.account)
        .map(|order| order.id)
        .collect();
    if ids.is_empty() {
        return Err(ApiError::unknown_order());
    }
    let name = exchange.random.text(22);
    let mut rows = Vec::new();
    for id in ids {
        exchange.cancel_order(Product::Spot, symbol, id, Some(name.clone()))?;
        let market = exchange.market(Product::Spot, symbol)?;
        let order = market.orders.get(&id);
        rows.extend(order.map(|order| replies::canceled(symbol, order)));
    }
    Ok(Value::Array(rows))
}

/// `POST /api/v3/order/cancelReplace`.
pub(in crate::server::binance) fn replace(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let goes_on = match call.params.required("cancelReplaceMode")? {
        "STOP_ON_FAILURE" => false,
        "ALLOW_FAILURE" => true,
        _ => {
            return Err(ApiError::new(
                -1130,
                "Data sent for parameter 'cancelReplaceMode' is not valid.",
            ));
        }
    };
    if !call.params.has("cancelOrderId") && !call.params.has("cancelOrigClientOrderId") {
        let text = "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!";
        return Err(ApiError::new(-1102, text));
    }
    // A request whose new order is wrong in itself cancels nothing.
    let (symbol, draft) = exchange.spot_draft(call)?;
    let form = Form::read(call.params, draft.kind)?;
    let names = Names {
        id: "cancelOrderId",
        client_id: "cancelOrigClientOrderId",
    };
    let canceled = exchange.cancel_spot(call, names);
    if let (Err(error), false) = (&canceled, goes_on) {
        let mut failed = ApiError::new(-2022, "Order cancel-replace failed.");
        failed.data = Some(json!({
            "cancelResult": "FAILURE",
            "newOrderResult": "NOT_ATTEMPTED",
            "cancelResponse": error.body(),
            "newOrderResponse": null,
        }));
        return Err(failed);
    }
    let placed = exchange.place_spot(symbol, draft, form);
    let word = |ok: bool| if ok { "SUCCESS" } else { "FAILURE" };
    let halves = (canceled.is_ok(), placed.is_ok());
    let body = |half: Result<Value, ApiError>| half.unwrap_or_else(|error| error.body());
    let data = json!({
        "cancelResult": word(halves.0),
        "newOrderResult": word(halves.1),
        "cancelResponse": body(canceled),
        "newOrderResponse": body(placed),
    });
    let (status, code, text) = match halves {
        (true, true) => return Ok(data),
        (false, false) => (400, -2022, "Order cancel-replace failed."),
        _ => (409, -2021, "Order cancel-replace partially failed."),
    };
    let mut failed = ApiError::with_status(status, code, text);
    failed.data = Some(data);
    Err(failed)
}

/// `PUT /api/v3/order/amend/keepPriority`.
pub(in crate::server::binance) fn amend(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let params = call.params;
    let quantity = params.quantity("newQty")?;
    let quantity = quantity.ok_or_else(|| ApiError::missing("newQty"))?;
    let now = exchange.now;
    let market = exchange.named_market(Product::Spot, params)?;
    let symbol = market.listing.rules.key.symbol;
    let missing = ApiError::no_such_order;
    let order = Exchange::named_order(market, call.account, params, missing)?;
    let (id, state, kind) = (order.id, order.state, order.kind);
    let original = order.client_id.clone();
    if !state.status.is_open() {
        return Err(missing());
    }
    if quantity >= state.quantity || quantity <= state.executed {
        return Err(ApiError::new(
            -2038,
            "The requested action would change no state; rejecting.",
        ));
    }
    if filter_failure(&market.listing, kind, quantity, state.price).is_some() {
        return Err(ApiError::new(-1013, "Filter failure: LOT_SIZE"));
    }
    if let Some(name) = params.get("newClientOrderId")
        && name != original
        && market.is_client_id_taken(call.account, name)
    {
        return Err(ApiError::new(-2010, "Duplicate order sent."));
    }
    let name = params
        .get("newClientOrderId")
        .map_or_else(|| original.clone(), str::to_owned);
    let less = state.quantity.sub(quantity)?;
    exchange.shrink(symbol, id, &name, quantity, less)?;
    let execution = exchange.last_id;
    let market = exchange.market(Product::Spot, symbol)?;
    let order = market.orders.get(&id).ok_or_else(missing)?;
    Ok(json!({
        "transactTime": now,
        "executionId": execution,
        "amendedOrder": amended(symbol, order, &original),
    }))
}

impl Exchange {
    fn shrink(
        &mut self,
        symbol: Symbol,
        id: u64,
        name: &str,
        quantity: basis_core::num::Quantity,
        less: basis_core::num::Quantity,
    ) -> Result<(), ApiError> {
        use basis_core::num::{Quantity, Rounding};
        use basis_core::types::Side;
        let now = self.now;
        let market = self.market_mut(Product::Spot, symbol)?;
        let (base, quote) = (market.listing.rules.base, market.listing.rules.quote);
        market.book.reduce(id, less)?;
        let order = market.orders.get_mut(&id);
        let order = order.ok_or_else(ApiError::no_such_order)?;
        name.clone_into(&mut order.client_id);
        order.change(now, |state| state.quantity = quantity);
        let (asset, needed) = match order.side {
            Side::Sell => (base, order.remaining()),
            Side::Buy => {
                let value = order
                    .remaining()
                    .notional(order.state.price, Rounding::Ceil)?;
                let value = value.get().round_to_decimals(DECIMALS, Rounding::Ceil)?;
                (quote, Quantity::new(value))
            }
        };
        let freed = order.held.sub(needed)?;
        order.held = needed;
        let account = order.account;
        self.account_mut(account).lock(asset, freed.neg()?)?;
        self.report_spot(symbol, id, "REPLACED", None)?;
        self.account_changed(account, symbol)?;
        self.publish_book(Product::Spot, symbol)
    }
}

fn amended(symbol: Symbol, order: &Order, original: &str) -> Value {
    let state = &order.state;
    let mut row = json!({
        "symbol": symbol.as_str(),
        "orderId": order.id,
        "orderListId": -1,
        "origClientOrderId": original,
        "clientOrderId": order.client_id,
        "price": text(state.price.get()),
        "qty": text(state.quantity.get()),
        "executedQty": text(state.executed.get()),
        "preventedQty": text(basis_core::num::Fixed18::ZERO),
    });
    add(
        &mut row,
        json!({
            "quoteOrderQty": text(order.quote_quantity.get()),
            "cumulativeQuoteQty": text(state.quote.get()),
            "status": state.status.word(),
            "timeInForce": order.time_in_force.word(),
            "type": order.kind.word(),
            "side": side_word(order.side),
            "workingTime": order.created_ms,
            "selfTradePreventionMode": self_trade_word(order.self_trade),
        }),
    );
    row
}
