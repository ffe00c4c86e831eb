//! What spot answers about orders.

use basis_core::num::Fixed18;
use basis_core::types::Symbol;
use serde_json::{Value, json};

use super::text;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Fill, Order, OrderKind, OrderState};
use crate::server::binance::orders::{self_trade_word, side_word};
use crate::server::binance::params::Params;

/// How much an accepted order answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Ack,
    Result,
    Full,
}

impl Form {
    pub(super) fn read(params: &Params, kind: OrderKind) -> Result<Self, ApiError> {
        match params.get("newOrderRespType") {
            None if kind == OrderKind::LimitMaker => Ok(Self::Ack),
            None | Some("FULL") => Ok(Self::Full),
            Some("ACK") => Ok(Self::Ack),
            Some("RESULT") => Ok(Self::Result),
            Some(_) => Err(ApiError::new(-1134, "Invalid newOrderRespType.")),
        }
    }
}

/// The answer of a placed order.
pub(super) fn placed<'a>(
    symbol: Symbol,
    order: &Order,
    fills: impl Iterator<Item = &'a Fill>,
    form: Form,
) -> Value {
    let mut reply = json!({
        "symbol": symbol.as_str(),
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.state.updated_ms,
    });
    if form == Form::Ack {
        return reply;
    }
    add(&mut reply, terms(order, &order.state));
    add(&mut reply, json!({ "workingTime": order.created_ms }));
    if form == Form::Full {
        let fills: Vec<Value> = fills
            .map(|fill| {
                json!({
                    "price": text(fill.price.get()),
                    "qty": text(fill.quantity.get()),
                    "commission": text(fill.commission.get()),
                    "commissionAsset": fill.commission_asset.as_str(),
                    "tradeId": fill.trade,
                })
            })
            .collect();
        add(&mut reply, json!({ "fills": fills }));
    }
    reply
}

/// The answer of a canceled order.
pub(super) fn canceled(symbol: Symbol, order: &Order) -> Value {
    let name = order.cancel_id.as_deref().unwrap_or_default();
    let mut reply = json!({
        "symbol": symbol.as_str(),
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": name,
        "transactTime": order.state.updated_ms,
    });
    add(&mut reply, terms(order, &order.state));
    reply
}

/// A row of an order query.
pub(super) fn row(symbol: Symbol, order: &Order, state: &OrderState) -> Value {
    let zero = text(Fixed18::ZERO);
    let mut row = json!({
        "symbol": symbol.as_str(),
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "stopPrice": zero,
        "icebergQty": zero,
        "time": order.created_ms,
        "updateTime": state.updated_ms,
        "isWorking": true,
        "workingTime": order.created_ms,
    });
    add(&mut row, terms(order, state));
    row
}

/// The fields that every form of a spot order has.
fn terms(order: &Order, state: &OrderState) -> Value {
    json!({
        "price": text(state.price.get()),
        "origQty": text(state.quantity.get()),
        "executedQty": text(state.executed.get()),
        "origQuoteOrderQty": text(order.quote_quantity.get()),
        "cummulativeQuoteQty": text(state.quote.get()),
        "status": state.status.word(),
        "timeInForce": order.time_in_force.word(),
        "type": order.kind.word(),
        "side": side_word(order.side),
        "selfTradePreventionMode": self_trade_word(order.self_trade),
    })
}

/// Adds the fields of one object to another.
pub(in crate::server::binance) fn add(object: &mut Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}
