//! Frames of the spot user stream.

use basis_core::num::Fixed18;
use basis_core::types::{Asset, Symbol};
use serde_json::{Value, json};

use super::text;
use crate::server::binance::account::{Account, Balance};
use crate::server::binance::market::{Fill, Order};
use crate::server::binance::orders::{self_trade_word, side_word};

/// `executionReport`.
pub(super) fn report(
    symbol: Symbol,
    order: &Order,
    kind: &str,
    fill: Option<&Fill>,
    execution: u64,
    now: i64,
) -> Value {
    let state = &order.state;
    let zero = || text(Fixed18::ZERO);
    // A cancel bears its own name, and the order's is the original.
    let (name, original) = match (&order.cancel_id, kind) {
        (Some(cancel), "CANCELED" | "REPLACED") => (cancel.as_str(), order.client_id.as_str()),
        _ => (order.client_id.as_str(), ""),
    };
    json!({
        "e": "executionReport",
        "E": now,
        "s": symbol.as_str(),
        "c": name,
        "S": side_word(order.side),
        "o": order.kind.word(),
        "f": order.time_in_force.word(),
        "q": text(state.quantity.get()),
        "p": text(state.price.get()),
        "P": zero(),
        "F": zero(),
        "g": -1,
        "C": original,
        "x": kind,
        "X": state.status.word(),
        "r": "NONE",
        "i": order.id,
        "l": fill.map_or_else(zero, |fill| text(fill.quantity.get())),
        "z": text(state.executed.get()),
        "L": fill.map_or_else(zero, |fill| text(fill.price.get())),
        "n": fill.map_or_else(|| "0".to_owned(), |fill| text(fill.commission.get())),
        "N": fill.map(|fill| fill.commission_asset.as_str().to_owned()),
        "T": state.updated_ms,
        "t": fill.map_or(json!(-1), |fill| json!(fill.trade)),
        "I": execution,
        "w": state.status.is_open(),
        "m": fill.is_some_and(|fill| fill.is_maker),
        "M": false,
        "O": order.created_ms,
        "Z": text(state.quote.get()),
        "Y": fill.map_or_else(zero, |fill| text(fill.quote.get())),
        "Q": text(order.quote_quantity.get()),
        "W": order.created_ms,
        "V": self_trade_word(order.self_trade),
    })
}

/// `outboundAccountPosition` of the assets that may have changed; BNB may, when fees are paid in it.
pub(super) fn position(account: &Account, assets: [Asset; 2], now: i64) -> Value {
    let bnb = Asset::literal("BNB");
    let bnb = Some(bnb).filter(|bnb| account.settings.spot_bnb_burn && !assets.contains(bnb));
    let rows: Vec<Value> = assets
        .into_iter()
        .chain(bnb)
        .map(|asset| {
            let Balance { free, locked } = account.spot.get(&asset).copied().unwrap_or_default();
            json!({ "a": asset.as_str(), "f": text(free.get()), "l": text(locked.get()) })
        })
        .collect();
    json!({ "e": "outboundAccountPosition", "E": now, "u": now, "B": rows })
}
