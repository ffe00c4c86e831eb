//! What replies say of time, prices, funding and fees.

use basis_core::num::{Fixed18, Price, Quantity, Rate};
use basis_core::types::{Side, Span, Timestamp};
use serde::Deserialize;

use super::wire::{Page, instant_text, list, optional, result, text_or_null, unit};
use crate::wire::DecodeError;

/// Reads the venue's time, to the nanosecond.
///
/// # Errors
/// [`DecodeError`].
pub fn server_time(body: &[u8]) -> Result<Timestamp, DecodeError> {
    const WHAT: &str = "server time";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        time_nano: String,
    }
    let text = result::<Reply>(WHAT, body)?.time_nano;
    let nanos = text.parse::<i64>();
    nanos
        .map(Timestamp::from_nanos)
        .map_err(|e| DecodeError::new(WHAT, "timeNano", e.to_string()))
}

/// Best bid and ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ticker {
    /// The venue's symbol.
    pub symbol: String,
    /// Best bid; none while that side of the book is empty.
    #[serde(rename = "bid1Price", deserialize_with = "optional")]
    pub bid: Option<Price>,
    /// Best ask; as the bid.
    #[serde(rename = "ask1Price", deserialize_with = "optional")]
    pub ask: Option<Price>,
}

impl Ticker {
    /// Returns what an order of `side` would take first; `None` while that side of the book is empty.
    #[must_use]
    pub fn opposite(&self, side: Side) -> Option<Price> {
        let price = match side {
            Side::Buy => self.ask,
            Side::Sell => self.bid,
        };
        price.filter(|price| price.is_positive())
    }
}

fn only<T>(what: &'static str, rows: Vec<T>) -> Result<T, DecodeError> {
    let rows = <[T; 1]>::try_from(rows);
    let row = rows.map_err(|rows| DecodeError::new(what, "list", format!("{} rows", rows.len())));
    row.map(|[row]| row)
}

/// Reads best bid and ask of one instrument.
///
/// # Errors
/// [`DecodeError`].
pub fn ticker(body: &[u8]) -> Result<Ticker, DecodeError> {
    only("ticker", list::<Ticker>("ticker", body)?.0.rows)
}

/// Reads best bid and ask off the book of one instrument.
///
/// # Errors
/// [`DecodeError`].
pub fn best_of_book(body: &[u8]) -> Result<Ticker, DecodeError> {
    const WHAT: &str = "book";
    #[derive(Deserialize)]
    struct Reply {
        s: String,
        a: Vec<Vec<String>>,
        b: Vec<Vec<String>>,
    }
    let reply = result::<Reply>(WHAT, body)?;
    let best = |side: &[Vec<String>], field: &str| {
        let price = side.first().and_then(|level| level.first());
        let price = price.map(|text| Price::parse(text)).transpose();
        price.map_err(|e| DecodeError::new(WHAT, field, e.to_string()))
    };
    Ok(Ticker {
        bid: best(&reply.b, "b")?,
        ask: best(&reply.a, "a")?,
        symbol: reply.s,
    })
}

/// Mark price and the funding rate that accrues.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerpTicker {
    /// The venue's symbol.
    pub symbol: String,
    /// Mark.
    #[serde(deserialize_with = "unit")]
    pub mark_price: Price,
    /// Index.
    #[serde(deserialize_with = "unit")]
    pub index_price: Price,
    /// The rate of the running interval; positive: longs pay.
    #[serde(deserialize_with = "unit")]
    pub funding_rate: Rate,
    /// When it is settled.
    #[serde(deserialize_with = "instant_text")]
    pub next_funding_time: Timestamp,
    /// Whole hours between settlements, where the reply says.
    #[serde(default, deserialize_with = "optional")]
    funding_interval_hour: Option<Fixed18>,
}

impl PerpTicker {
    /// Returns the time between settlements, where the reply says.
    #[must_use]
    pub fn funding_interval(&self) -> Option<Span> {
        let hours = self.funding_interval_hour?;
        (1..=24)
            .find(|whole| Fixed18::from_int(*whole) == hours)
            .map(Span::from_hours)
    }
}

/// Reads mark price and funding rate of one perpetual.
///
/// # Errors
/// [`DecodeError`].
pub fn perp_ticker(body: &[u8]) -> Result<PerpTicker, DecodeError> {
    only("ticker", list::<PerpTicker>("ticker", body)?.0.rows)
}

/// A settlement that was charged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingRate {
    /// The venue's symbol.
    pub symbol: String,
    /// Positive: longs paid.
    #[serde(deserialize_with = "unit")]
    pub funding_rate: Rate,
    /// When.
    #[serde(deserialize_with = "instant_text")]
    pub funding_rate_timestamp: Timestamp,
}

/// Reads settlements, newest first.
///
/// # Errors
/// [`DecodeError`].
pub fn funding_history(body: &[u8]) -> Result<Vec<FundingRate>, DecodeError> {
    Ok(list("funding history", body)?.0.rows)
}

/// Funding that was paid or received.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingPayment {
    /// The venue's id of the row.
    pub id: String,
    /// The venue's symbol.
    pub symbol: String,
    /// Side of the position, so that the two of hedge mode differ.
    #[serde(deserialize_with = "super::wire::side")]
    pub side: Side,
    /// Base units of the position.
    #[serde(deserialize_with = "unit")]
    pub size: Quantity,
    /// Received above zero, paid below.
    #[serde(deserialize_with = "unit")]
    pub funding: Quantity,
    /// The rate as the position was charged it: its sign is turned for shorts.
    #[serde(deserialize_with = "unit")]
    pub fee_rate: Rate,
    /// The mark.
    #[serde(deserialize_with = "unit")]
    pub trade_price: Price,
    /// In what.
    pub currency: String,
    /// When it was booked; nothing promises that it is the scheduled instant.
    #[serde(deserialize_with = "instant_text")]
    pub transaction_time: Timestamp,
    /// The venue's id of the settlement.
    #[serde(deserialize_with = "text_or_null")]
    pub trade_id: String,
}

/// Reads funding payments, newest first.
///
/// # Errors
/// [`DecodeError`], also for a row of another kind.
pub fn funding_payments(body: &[u8]) -> Result<Page<FundingPayment>, DecodeError> {
    const WHAT: &str = "funding payments";
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let kinds = list::<Kind>(WHAT, body)?.0.rows;
    if let Some(other) = kinds.iter().find(|row| row.kind != "SETTLEMENT") {
        let reason = format!("`{}` is no funding", other.kind);
        return Err(DecodeError::new(WHAT, "type", reason));
    }
    Ok(list(WHAT, body)?.0)
}

/// Fee rates of the account in one instrument; below zero for a rebate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeRates {
    /// The venue's symbol.
    pub symbol: String,
    /// Of fills that rested.
    #[serde(deserialize_with = "unit")]
    pub maker_fee_rate: Rate,
    /// Of fills that took.
    #[serde(deserialize_with = "unit")]
    pub taker_fee_rate: Rate,
}

/// Reads fee rates.
///
/// # Errors
/// [`DecodeError`].
pub fn fee_rates(body: &[u8]) -> Result<Vec<FeeRates>, DecodeError> {
    Ok(list("fee rates", body)?.0.rows)
}
