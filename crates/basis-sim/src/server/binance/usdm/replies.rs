//! What USD-M answers about orders.

use basis_core::types::Symbol;
use serde_json::{Value, json};

use super::position_side_word;
use super::settle::average_price;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{
    Draft, Order, OrderKind, OrderState, Status, TimeInForce, padded,
};
use crate::server::binance::orders::{self_trade_word, side_word};
use crate::server::binance::params::Params;
use crate::server::binance::spot::replies::add;

/// Whether an accepted order answers as it was taken, or as it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Ack,
    Result,
}

impl Form {
    pub(super) fn read(params: &Params) -> Result<Self, ApiError> {
        match params.get("newOrderRespType") {
            None | Some("ACK") => Ok(Self::Ack),
            Some("RESULT") => Ok(Self::Result),
            Some(_) => {
                let text = "Data sent for parameter 'newOrderRespType' is not valid.";
                Err(ApiError::new(-1130, text))
            }
        }
    }
}

/// The answer of a placed order: its final state only where RESULT promises one.
pub(super) fn placed(symbol: Symbol, order: &Order, form: Form) -> Value {
    let ends_at_once = order.kind == OrderKind::Market
        || matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
    let mut order = order.clone();
    if form == Form::Ack || !ends_at_once {
        order.state = OrderState {
            executed: basis_core::num::Quantity::ZERO,
            quote: basis_core::num::Value::ZERO,
            status: Status::New,
            updated_ms: order.created_ms,
            ..order.state
        };
    }
    acknowledged(symbol, &order)
}

/// The answer of an order that is only tested.
pub(super) fn tested(symbol: Symbol, draft: &Draft, now: i64) -> Value {
    let zero = "0";
    json!({
        "clientOrderId": draft.client_id,
        "cumQty": zero,
        "executedQty": zero,
        "orderId": 0,
        "origQty": draft.quantity.to_string(),
        "price": draft.price.to_string(),
        "reduceOnly": draft.reduce_only,
        "side": side_word(draft.side),
        "positionSide": position_side_word(draft.position_side),
        "status": Status::New.word(),
        "stopPrice": zero,
        "closePosition": false,
        "symbol": symbol.as_str(),
        "timeInForce": draft.time_in_force.word(),
        "type": draft.kind.word(),
        "origType": draft.kind.word(),
        "updateTime": now,
        "workingType": "CONTRACT_PRICE",
        "priceProtect": false,
        "priceMatch": "NONE",
        "selfTradePreventionMode": self_trade_word(draft.self_trade),
        "goodTillDate": draft.good_till_ms,
    })
}

/// The form of place, amend and cancel answers.
pub(super) fn acknowledged(symbol: Symbol, order: &Order) -> Value {
    let mut reply = terms(symbol, order, &order.state);
    add(
        &mut reply,
        json!({ "cumQty": order.state.executed.to_string() }),
    );
    reply
}

/// A row of an order query, as the order stood at `state`.
pub(super) fn row(symbol: Symbol, order: &Order, state: &OrderState) -> Result<Value, ApiError> {
    let mut seen = order.clone();
    seen.state = *state;
    let average = average_price(&seen)?;
    let mut row = terms(symbol, order, state);
    add(
        &mut row,
        json!({
            "avgPrice": padded(average, 5),
            "cumQuote": state.quote.to_string(),
            "time": order.created_ms,
        }),
    );
    Ok(row)
}

fn terms(symbol: Symbol, order: &Order, state: &OrderState) -> Value {
    json!({
        "clientOrderId": order.client_id,
        "executedQty": state.executed.to_string(),
        "orderId": order.id,
        "origQty": state.quantity.to_string(),
        "price": state.price.to_string(),
        "reduceOnly": order.reduce_only,
        "side": side_word(order.side),
        "positionSide": position_side_word(order.position_side),
        "status": state.status.word(),
        "stopPrice": "0",
        "closePosition": false,
        "symbol": symbol.as_str(),
        "timeInForce": order.time_in_force.word(),
        "type": order.kind.word(),
        "origType": order.kind.word(),
        "updateTime": state.updated_ms,
        "workingType": "CONTRACT_PRICE",
        "priceProtect": false,
        "priceMatch": "NONE",
        "selfTradePreventionMode": self_trade_word(order.self_trade),
        "goodTillDate": order.good_till_ms,
    })
}
