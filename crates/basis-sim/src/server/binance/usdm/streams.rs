//! Frames of the USD-M user stream.

use basis_core::num::{Fixed18, Quantity, Rounding};
use basis_core::types::{Asset, PositionSide, Symbol};
use serde_json::{Value, json};

use super::settle::average_price;
use super::{position_side_word, text};
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Fill, Order};
use crate::server::binance::orders::{self_trade_word, side_word};
use crate::server::binance::spot::replies::add;
use crate::server::binance::{Audience, Exchange};

/// `TRADE_LITE`.
pub(super) fn trade_lite(symbol: Symbol, order: &Order, fill: &Fill, now: i64) -> Value {
    json!({
        "e": "TRADE_LITE",
        "E": now,
        "T": fill.time_ms,
        "s": symbol.as_str(),
        "q": order.state.quantity.to_string(),
        "p": order.state.price.to_string(),
        "m": fill.is_maker,
        "c": order.client_id,
        "S": side_word(fill.side),
        "L": fill.price.to_string(),
        "l": fill.quantity.to_string(),
        "t": fill.trade,
        "i": order.id,
    })
}

/// `ORDER_TRADE_UPDATE`; `reason` says why an order ended.
pub(super) fn order_update(
    symbol: Symbol,
    order: &Order,
    kind: &str,
    fill: Option<&Fill>,
    reason: &str,
    now: i64,
) -> Result<Value, ApiError> {
    let state = &order.state;
    let mut body = json!({
        "s": symbol.as_str(),
        "c": order.client_id,
        "S": side_word(order.side),
        "o": order.kind.word(),
        "f": order.time_in_force.word(),
        "q": state.quantity.to_string(),
        "p": state.price.to_string(),
        "ap": average_price(order)?.to_string(),
        "sp": "0",
        "x": kind,
        "X": state.status.word(),
        "i": order.id,
        "l": fill.map_or_else(|| "0".to_owned(), |fill| fill.quantity.to_string()),
        "z": state.executed.to_string(),
        "L": fill.map_or_else(|| "0".to_owned(), |fill| fill.price.to_string()),
        "T": state.updated_ms,
        "t": fill.map_or(0, |fill| fill.trade),
        "b": "0",
        "a": "0",
        "m": fill.is_some_and(|fill| fill.is_maker),
        "R": order.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": order.kind.word(),
        "ps": position_side_word(order.position_side),
    });
    add(
        &mut body,
        json!({
            "cp": false,
            "pP": false,
            "si": 0,
            "ss": 0,
            "rp": fill.map_or_else(|| "0".to_owned(), |fill| fill.realized.to_string()),
            "V": self_trade_word(order.self_trade),
            "pm": "NONE",
            "gtd": order.good_till_ms,
            "er": reason,
        }),
    );
    if let Some(fill) = fill {
        let fee = text(fill.commission.get());
        add(
            &mut body,
            json!({ "N": fill.commission_asset.as_str(), "n": fee }),
        );
    }
    Ok(json!({ "e": "ORDER_TRADE_UPDATE", "E": now, "T": state.updated_ms, "o": body }))
}

impl Exchange {
    /// Remembers an account as it is now and tells its stream what of it changed; `other` is the change of
    /// the first asset that is neither result nor fee.
    pub(in crate::server::binance) fn account_update(
        &mut self,
        id: u32,
        reason: &str,
        assets: &[Asset],
        positions: &[(Symbol, Option<PositionSide>)],
        other: Quantity,
    ) -> Result<(), ApiError> {
        let now = self.now;
        if self.account(id).is_house {
            return Ok(());
        }
        self.account_mut(id).snapshot_usdm(now);
        if !self.listening.usdm_user {
            return Ok(());
        }
        let mut balances: Vec<Value> = Vec::new();
        let mut shown: Vec<Asset> = Vec::new();
        for asset in assets {
            if shown.contains(asset) {
                continue;
            }
            let margins = self.margins_now(id, *asset)?;
            let change = if shown.is_empty() {
                other
            } else {
                Quantity::ZERO
            };
            balances.push(json!({
                "a": asset.as_str(),
                "wb": text(margins.wallet.get()),
                "cw": text(margins.wallet.sub(margins.isolated)?.get()),
                "bc": text(change.get()),
            }));
            shown.push(*asset);
        }
        let mut rows: Vec<Value> = Vec::new();
        for (symbol, side) in positions {
            rows.push(self.position_row(id, *symbol, *side)?);
        }
        let frame = json!({
            "e": "ACCOUNT_UPDATE",
            "E": now,
            "T": now,
            "a": { "m": reason, "B": balances, "P": rows },
        });
        self.emit(Audience::UsdMUser(id), frame);
        Ok(())
    }

    fn position_row(
        &self,
        id: u32,
        symbol: Symbol,
        side: Option<PositionSide>,
    ) -> Result<Value, ApiError> {
        let account = self.account(id);
        let position = account.position(symbol, side);
        let here = self.position_margin(id, symbol, &position.perp)?;
        let isolated = account.config(symbol).isolated;
        let entry = entry_price(&position.perp)?.to_string();
        Ok(json!({
            "s": symbol.as_str(),
            "pa": position.perp.quantity.to_string(),
            "ep": entry,
            "bep": entry,
            "cr": "0",
            "up": text(here.unrealized.get()),
            "mt": if isolated { "isolated" } else { "cross" },
            "iw": text(position.isolated_wallet.get()),
            "ps": position_side_word(side),
        }))
    }
}

/// The average entry price of a position, zero when flat.
pub(super) fn entry_price(
    position: &basis_protocols::exchange::PerpPosition,
) -> Result<Fixed18, ApiError> {
    if position.quantity.is_zero() {
        return Ok(Fixed18::ZERO);
    }
    let exact = position
        .cost
        .get()
        .div(position.quantity.get(), Rounding::HalfEven)?;
    // Binance shows up to eight digits of it.
    Ok(exact.round_to_decimals(super::DECIMALS, Rounding::HalfEven)?)
}
