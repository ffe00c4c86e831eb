//! The private stream: login, subscription, and what its frames say.
//!
//! Nothing is replayed, and orders come without a snapshot: what happened while the stream was closed is
//! asked for. A silent stream is closed by the venue: [`PING`] is sent when nothing came for [`PING_AFTER`],
//! and answered with [`PONG`].

use basis_core::num::{Price, Quantity};
use basis_core::types::{Span, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::replies::wire::{decode, optional, optional_instant_text, text_or_null};
use super::replies::{AccountRow, FillReply, OrderReply, Position, TradingAccount};
use crate::wire::DecodeError;
#[cfg(feature = "live")]
use crate::wire::HeaderSigner;

/// What is sent to see whether the other end is there.
pub const PING: &str = "ping";

/// What answers it.
pub const PONG: &str = "pong";

/// How long the stream may be silent before a [`PING`]: below the 30 seconds after which it is closed.
pub const PING_AFTER: Span = Span::from_seconds(20);

/// Returns the frame that subscribes to every channel that is read.
#[must_use]
pub const fn subscribe() -> &'static str {
    concat!(
        r#"{"op":"subscribe","args":[{"channel":"orders","instType":"SPOT"},"#,
        r#"{"channel":"orders","instType":"SWAP"},{"channel":"account"},"#,
        r#"{"channel":"positions","instType":"SWAP"}]}"#
    )
}

/// Returns the frame that logs on, stamped with the venue's time in whole seconds. It holds key, passphrase and
/// signature.
#[cfg(feature = "live")]
#[must_use]
pub fn login(signer: &dyn HeaderSigner, at: Timestamp) -> basis_core::secret::Secret {
    let stamp = at.nanos().div_euclid(1_000_000_000).to_string();
    let signature = signer.sign(&format!("{stamp}GET/users/self/verify"));
    let passphrase = signer
        .passphrase()
        .map_or("", |passphrase| passphrase.expose());
    let args = serde_json::json!([{
        "apiKey": signer.api_key().expose(),
        "passphrase": passphrase,
        "timestamp": stamp,
        "sign": signature.expose(),
    }]);
    basis_core::secret::Secret::new(format!(r#"{{"op":"login","args":{args}}}"#))
}

/// What a frame says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFact {
    /// How it stands now.
    pub order: OrderReply,
    /// What filled with this frame.
    pub fill: Option<FillReply>,
    /// Whether something filled that the frame does not say enough of to book it: its fills are asked for.
    pub fills_missing: bool,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFact {
    /// Orders moved.
    Orders(Vec<OrderFact>),
    /// Balances; of the currencies named.
    Balances(Vec<TradingAccount>),
    /// Positions.
    Positions(Vec<Position>),
    /// The login was taken.
    LoggedOn,
    /// A subscription was taken.
    Subscribed,
    /// A login, a subscription or another request was refused, in the venue's words.
    Refused {
        /// The venue's code.
        code: String,
        /// Its text.
        text: String,
    },
    /// The venue is about to close the stream: another one is opened.
    Closing,
    /// The other end is there.
    Pong,
    /// A frame that says nothing that is read from streams, by its channel or event.
    Other(String),
}

#[derive(Deserialize)]
struct Argument {
    channel: String,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    arg: Option<Argument>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    msg: Option<String>,
}

/// Reads a frame of the private stream.
///
/// # Errors
/// [`DecodeError`], also for an unknown state of an order.
pub fn frame(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    if frame == PONG.as_bytes() {
        return Ok(StreamFact::Pong);
    }
    let head = decode::<Head>("frame", frame)?;
    if let Some(event) = &head.event {
        return Ok(control(event, &head));
    }
    let Some(Argument { channel }) = head.arg else {
        let reason = "it names neither an event nor a channel";
        return Err(DecodeError::new("frame", "arg", reason));
    };
    match channel.as_str() {
        "orders" => orders(frame),
        "account" => {
            let rows = rows::<AccountRow>("account frame", frame)?;
            let accounts = rows.into_iter().map(AccountRow::account);
            Ok(StreamFact::Balances(accounts.collect::<Result<_, _>>()?))
        }
        "positions" => {
            let rows = rows::<Position>("position frame", frame)?;
            let positions = rows.into_iter().map(Position::checked);
            Ok(StreamFact::Positions(positions.collect::<Result<_, _>>()?))
        }
        _ => Ok(StreamFact::Other(channel)),
    }
}

fn control(event: &str, head: &Head) -> StreamFact {
    let code = head.code.clone().unwrap_or_default();
    match event {
        "login" if code == "0" => StreamFact::LoggedOn,
        "subscribe" => StreamFact::Subscribed,
        "error" | "login" | "channel-conn-count-error" => StreamFact::Refused {
            code,
            text: head.msg.clone().unwrap_or_default(),
        },
        "notice" => StreamFact::Closing,
        other => StreamFact::Other(other.to_owned()),
    }
}

fn rows<T: DeserializeOwned>(what: &'static str, frame: &[u8]) -> Result<Vec<T>, DecodeError> {
    #[derive(Deserialize)]
    struct Frame<T> {
        data: Vec<T>,
    }
    decode::<Frame<T>>(what, frame).map(|frame| frame.data)
}

/// What of a row is of this frame's fill alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Last {
    #[serde(default, deserialize_with = "text_or_null")]
    trade_id: String,
    #[serde(default, deserialize_with = "optional")]
    fill_px: Option<Price>,
    #[serde(default, deserialize_with = "optional")]
    fill_sz: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    fill_fee: Option<Quantity>,
    #[serde(default, deserialize_with = "text_or_null")]
    fill_fee_ccy: String,
    #[serde(default, deserialize_with = "text_or_null")]
    exec_type: String,
    #[serde(default, deserialize_with = "optional")]
    fill_mark_px: Option<Price>,
    #[serde(default, deserialize_with = "optional")]
    fill_pnl: Option<Quantity>,
    #[serde(default, deserialize_with = "optional_instant_text")]
    fill_time: Option<Timestamp>,
}

/// Rows as they stand: each is read twice, as an order and as a fill, and those of other products not at all.
#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

fn orders(frame: &[u8]) -> Result<StreamFact, DecodeError> {
    const WHAT: &str = "order frame";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Product {
        inst_type: String,
    }
    let mut facts = Vec::new();
    for row in decode::<RawFrame<'_>>(WHAT, frame)?.data {
        let row = row.get().as_bytes();
        let product = decode::<Product>(WHAT, row)?.inst_type;
        if ["MARGIN", "FUTURES", "OPTION"].contains(&product.as_str()) {
            continue;
        }
        let order = decode::<OrderReply>(WHAT, row)?.checked()?;
        facts.push(fact(order, decode::<Last>(WHAT, row)?)?);
    }
    Ok(StreamFact::Orders(facts))
}

/// An order that says `filled` without a trade, or a trade without its fee, has fills to be asked for: a fee
/// that is not named must not be taken for none.
fn fact(order: OrderReply, last: Last) -> Result<OrderFact, DecodeError> {
    let size = last.fill_sz.filter(|size| size.is_positive());
    let has_trade = !["", "0"].contains(&last.trade_id.as_str());
    let maker = match last.exec_type.as_str() {
        "M" => Some(true),
        "T" => Some(false),
        _ => None,
    };
    let whole = (
        has_trade,
        size,
        last.fill_px,
        last.fill_fee,
        last.fill_time,
        maker,
    );
    let fill = match whole {
        (true, Some(fill_sz), Some(fill_px), Some(fee), Some(at), Some(maker)) => Some(FillReply {
            kind: order.kind,
            inst_id: order.inst_id.clone(),
            trade_id: last.trade_id,
            ord_id: order.ord_id.clone(),
            cl_ord_id: order.cl_ord_id.clone(),
            bill_id: String::new(),
            side: order.side,
            pos_side: order.pos_side,
            fill_px,
            fill_sz,
            fee,
            fee_ccy: last.fill_fee_ccy,
            maker,
            mark: last.fill_mark_px,
            realized: last.fill_pnl,
            fill_time: Some(at),
            ts: order.u_time,
        }),
        _ => None,
    };
    let fill = fill.filter(|fill| !fill.fee_ccy.is_empty());
    let filled = has_trade || size.is_some() || order.state == "filled";
    Ok(OrderFact {
        fills_missing: fill.is_none() && filled,
        fill: fill.map(FillReply::checked).transpose()?,
        order,
    })
}
