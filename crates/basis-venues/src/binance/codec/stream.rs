//! Frames of the private streams.
//!
//! A frame says what happened since the stream was opened: nothing is replayed, and there is no sequence
//! without gaps. What it says of an order or a fill is the same fact that a reply says, with the same key.

use std::borrow::Cow;

use basis_core::num::{Price, Quantity, Rounding};
use basis_core::types::{InstrumentKind, PositionSide, Side, Timestamp};
use basis_core::venue_event::OrderState;
use serde::Deserialize;

use super::replies::wire::{
    DecodeError, decode, instant, optional, order_state, position_side, side, unit,
};
use super::replies::{FillReply, OrderReply};
pub use crate::wire::Forced;

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFact {
    /// An order moved, and filled where a fill is there.
    Order(Box<OrderFact>),
    /// Balances of the spot account that may have changed.
    SpotBalances(Vec<StreamBalance>),
    /// A spot balance changed by a deposit, a withdrawal or a transfer.
    BalanceUpdate {
        /// What.
        asset: String,
        /// By how much, signed.
        delta: Quantity,
        /// When.
        at: Timestamp,
    },
    /// The USD-M account changed, for a reason in the venue's word: what it holds is read anew.
    PerpAccount {
        /// `ORDER`, `FUNDING_FEE`, `DEPOSIT`…
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A setting of the USD-M account changed, of one instrument where it names one: it is read anew.
    Config {
        /// The venue's name of the instrument.
        symbol: Option<String>,
    },
    /// Nothing more comes on this stream: another listen key, or another subscription, is needed.
    Ended,
    /// The venue warns of a liquidation.
    MarginCall,
    /// A frame that says nothing that is read from streams, by its name.
    Other(String),
}

/// What a frame says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFact {
    /// How it stands now.
    pub order: OrderReply,
    /// What filled.
    pub fill: Option<FillReply>,
    /// Which kind of forced order it is, where it is one.
    pub forced: Option<Forced>,
}

impl Forced {
    /// Returns what the client id of an order that the venue made says.
    #[must_use]
    pub fn of(client_order_id: &str) -> Option<Self> {
        let rows = [
            ("autoclose-", Self::Liquidation),
            ("adl_autoclose", Self::AutoDeleverage),
            ("settlement_autoclose-", Self::Settlement),
            ("delivery_autoclose-", Self::Settlement),
        ];
        let row = rows
            .iter()
            .find(|(prefix, _)| client_order_id.starts_with(prefix));
        row.map(|(_, forced)| *forced)
    }
}

/// A spot balance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StreamBalance {
    /// What.
    #[serde(rename = "a")]
    pub asset: String,
    /// What can be used.
    #[serde(rename = "f", deserialize_with = "unit")]
    pub free: Quantity,
    /// What orders hold.
    #[serde(rename = "l", deserialize_with = "unit")]
    pub locked: Quantity,
}

#[derive(Deserialize)]
struct Name<'a> {
    #[serde(borrow, rename = "e")]
    name: Cow<'a, str>,
}

/// Reads a frame of spot's private stream, wrapped with its subscription or not.
///
/// # Errors
/// [`DecodeError`], also for an unknown state of an order.
pub fn spot_frame(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    #[derive(Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        event: Option<&'a serde_json::value::RawValue>,
    }
    let wrapped = decode::<Wrapped<'_>>("frame", frame)?;
    let frame = wrapped.event.map_or(frame, |event| event.get().as_bytes());
    let name = decode::<Name<'_>>("frame", frame)?.name;
    match &*name {
        "executionReport" => execution_report(frame),
        "outboundAccountPosition" => {
            #[derive(Deserialize)]
            struct Frame {
                #[serde(rename = "B")]
                balances: Vec<StreamBalance>,
            }
            let frame = decode::<Frame>("account frame", frame)?;
            Ok(StreamFact::SpotBalances(frame.balances))
        }
        "balanceUpdate" => {
            #[derive(Deserialize)]
            struct Frame {
                #[serde(rename = "a")]
                asset: String,
                #[serde(rename = "d", deserialize_with = "unit")]
                delta: Quantity,
                #[serde(rename = "T", deserialize_with = "instant")]
                at: Timestamp,
            }
            let Frame { asset, delta, at } = decode("balance frame", frame)?;
            Ok(StreamFact::BalanceUpdate { asset, delta, at })
        }
        "eventStreamTerminated" | "serverShutdown" => Ok(StreamFact::Ended),
        _ => Ok(StreamFact::Other(name.into_owned())),
    }
}

#[derive(Deserialize)]
struct ExecutionReport {
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "i")]
    order_id: u64,
    #[serde(rename = "c")]
    client_order_id: String,
    #[serde(default, rename = "C")]
    original: Option<String>,
    #[serde(rename = "S", deserialize_with = "side")]
    side: Side,
    #[serde(rename = "X", deserialize_with = "order_state")]
    state: OrderState,
    #[serde(rename = "q", deserialize_with = "unit")]
    quantity: Quantity,
    #[serde(default, rename = "p", deserialize_with = "optional")]
    price: Option<Price>,
    #[serde(rename = "l", deserialize_with = "unit")]
    last: Quantity,
    #[serde(rename = "L", deserialize_with = "unit")]
    last_price: Price,
    #[serde(default, rename = "Y", deserialize_with = "optional")]
    last_quote: Option<Quantity>,
    #[serde(rename = "z", deserialize_with = "unit")]
    filled: Quantity,
    #[serde(rename = "Z", deserialize_with = "unit")]
    filled_quote: Quantity,
    #[serde(rename = "n", deserialize_with = "optional")]
    fee: Option<Quantity>,
    #[serde(rename = "N")]
    fee_asset: Option<String>,
    #[serde(rename = "t")]
    trade_id: i64,
    #[serde(rename = "m")]
    maker: bool,
    #[serde(rename = "r")]
    reason: String,
    #[serde(default, rename = "eR")]
    expiry: Option<String>,
    #[serde(rename = "T", deserialize_with = "instant")]
    at: Timestamp,
}

fn execution_report(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    const WHAT: &str = "execution report";
    let frame = decode::<ExecutionReport>(WHAT, frame)?;
    let fill = match u64::try_from(frame.trade_id) {
        Err(_none) => None,
        Ok(trade_id) => {
            let missing = |field: &str| DecodeError::new(WHAT, field, "missing beside a trade");
            // Frames of older records do not name it.
            let turnover = frame.last.notional(frame.last_price, Rounding::Down);
            let turnover = turnover.map_err(|e| DecodeError::new(WHAT, "L", e.to_string()))?;
            let fill = FillReply {
                kind: InstrumentKind::Spot,
                symbol: frame.symbol.clone(),
                trade_id,
                order_id: frame.order_id,
                side: frame.side,
                position_side: None,
                price: frame.last_price,
                quantity: frame.last,
                quote_quantity: frame.last_quote.unwrap_or(Quantity::new(turnover.get())),
                fee: frame.fee.ok_or_else(|| missing("n"))?,
                fee_asset: frame.fee_asset.ok_or_else(|| missing("N"))?,
                maker: frame.maker,
                realized: None,
                at: frame.at,
            };
            Some(fill.checked()?)
        }
    };
    let reason = Some(frame.reason)
        .filter(|reason| reason != "NONE")
        .or(frame.expiry);
    // A cancel's frame has the cancel's own id as `c`, and the order's as `C`.
    let original = frame.original.filter(|id| !id.is_empty());
    Ok(StreamFact::Order(Box::new(OrderFact {
        order: OrderReply {
            symbol: frame.symbol,
            order_id: frame.order_id,
            client_order_id: original.unwrap_or(frame.client_order_id),
            side: Some(frame.side),
            state: frame.state,
            filled: frame.filled,
            quantity: Some(frame.quantity),
            price: frame.price.filter(|price| price.is_positive()),
            filled_quote: Some(frame.filled_quote),
            at: frame.at,
            reason,
            fills: Vec::new(),
        },
        fill,
        forced: None,
    })))
}

/// Reads a frame of USD-M's private stream.
///
/// # Errors
/// [`DecodeError`], also for an unknown state of an order.
pub fn perp_frame(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    let name = decode::<Name<'_>>("frame", frame)?.name;
    match &*name {
        "ORDER_TRADE_UPDATE" => order_trade_update(frame),
        "ACCOUNT_UPDATE" => {
            #[derive(Deserialize)]
            struct Account {
                #[serde(rename = "m")]
                reason: String,
            }
            #[derive(Deserialize)]
            struct Frame {
                #[serde(rename = "T", deserialize_with = "instant")]
                at: Timestamp,
                #[serde(rename = "a")]
                account: Account,
            }
            let frame = decode::<Frame>("account frame", frame)?;
            Ok(StreamFact::PerpAccount {
                reason: frame.account.reason,
                at: frame.at,
            })
        }
        "ACCOUNT_CONFIG_UPDATE" => {
            #[derive(Deserialize)]
            struct Leverage {
                #[serde(rename = "s")]
                symbol: String,
            }
            #[derive(Deserialize)]
            struct Frame {
                #[serde(default, rename = "ac")]
                leverage: Option<Leverage>,
            }
            let frame = decode::<Frame>("configuration frame", frame)?;
            let symbol = frame.leverage.map(|leverage| leverage.symbol);
            Ok(StreamFact::Config { symbol })
        }
        "listenKeyExpired" => Ok(StreamFact::Ended),
        "MARGIN_CALL" => Ok(StreamFact::MarginCall),
        // TRADE_LITE comes first and has no fee: nothing is booked from it.
        _ => Ok(StreamFact::Other(name.into_owned())),
    }
}

#[derive(Deserialize)]
struct OrderRow {
    #[serde(rename = "s")]
    symbol: String,
    #[serde(rename = "i")]
    order_id: u64,
    #[serde(rename = "c")]
    client_order_id: String,
    #[serde(rename = "S", deserialize_with = "side")]
    side: Side,
    #[serde(rename = "ps", deserialize_with = "position_side")]
    position_side: Option<PositionSide>,
    #[serde(rename = "X", deserialize_with = "order_state")]
    state: OrderState,
    #[serde(rename = "q", deserialize_with = "unit")]
    quantity: Quantity,
    #[serde(default, rename = "p", deserialize_with = "optional")]
    price: Option<Price>,
    #[serde(rename = "l", deserialize_with = "unit")]
    last: Quantity,
    #[serde(rename = "L", deserialize_with = "unit")]
    last_price: Price,
    #[serde(rename = "z", deserialize_with = "unit")]
    filled: Quantity,
    #[serde(default, rename = "n", deserialize_with = "optional")]
    fee: Option<Quantity>,
    #[serde(default, rename = "N")]
    fee_asset: Option<String>,
    #[serde(rename = "t")]
    trade_id: u64,
    #[serde(rename = "m")]
    maker: bool,
    #[serde(rename = "rp", deserialize_with = "unit")]
    realized: Quantity,
    #[serde(default, rename = "er")]
    reason: Option<String>,
    #[serde(rename = "T", deserialize_with = "instant")]
    at: Timestamp,
}

#[derive(Deserialize)]
struct OrderTradeUpdate {
    #[serde(rename = "o")]
    order: OrderRow,
}

fn order_trade_update(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    const WHAT: &str = "order frame";
    let order = decode::<OrderTradeUpdate>(WHAT, frame)?.order;
    let fill = if order.trade_id == 0 {
        None
    } else {
        let missing = |field: &str| DecodeError::new(WHAT, field, "missing beside a trade");
        let turnover = order.last.notional(order.last_price, Rounding::HalfEven);
        let turnover = turnover.map_err(|e| DecodeError::new(WHAT, "L", e.to_string()))?;
        let fill = FillReply {
            kind: InstrumentKind::Perp,
            symbol: order.symbol.clone(),
            trade_id: order.trade_id,
            order_id: order.order_id,
            side: order.side,
            position_side: order.position_side,
            price: order.last_price,
            quantity: order.last,
            quote_quantity: Quantity::new(turnover.get()),
            fee: order.fee.ok_or_else(|| missing("n"))?,
            fee_asset: order.fee_asset.ok_or_else(|| missing("N"))?,
            maker: order.maker,
            realized: Some(order.realized),
            at: order.at,
        };
        Some(fill.checked()?)
    };
    Ok(StreamFact::Order(Box::new(OrderFact {
        forced: Forced::of(&order.client_order_id),
        order: OrderReply {
            symbol: order.symbol,
            order_id: order.order_id,
            client_order_id: order.client_order_id,
            side: Some(order.side),
            state: order.state,
            filled: order.filled,
            quantity: Some(order.quantity),
            price: order.price.filter(|price| price.is_positive()),
            filled_quote: None,
            at: order.at,
            reason: order.reason.filter(|reason| reason != "0"),
            fills: Vec::new(),
        },
        fill,
    })))
}
