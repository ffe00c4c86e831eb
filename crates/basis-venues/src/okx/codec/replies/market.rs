//! What replies say of time, prices, funding and fees.

use basis_core::num::{Price, Quantity, Rate};
use basis_core::types::{Side, Span, Timestamp};
use serde::Deserialize;

use super::wire::{data, instant_text, only, optional, unit};
use crate::wire::DecodeError;

/// Reads the venue's time.
///
/// # Errors
/// [`DecodeError`].
pub fn server_time(body: &[u8]) -> Result<Timestamp, DecodeError> {
    #[derive(Deserialize)]
    struct Row {
        #[serde(deserialize_with = "instant_text")]
        ts: Timestamp,
    }
    only::<Row>("server time", body).map(|row| row.ts)
}

/// Best bid and ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticker {
    /// Best bid; none while that side of the book is empty.
    #[serde(deserialize_with = "optional")]
    pub bid_px: Option<Price>,
    /// Best ask; as the bid.
    #[serde(deserialize_with = "optional")]
    pub ask_px: Option<Price>,
}

impl Ticker {
    /// Returns what an order of `side` would take first; `None` while that side of the book is empty.
    #[must_use]
    pub fn opposite(&self, side: Side) -> Option<Price> {
        let price = match side {
            Side::Buy => self.ask_px,
            Side::Sell => self.bid_px,
        };
        price.filter(|price| price.is_positive())
    }
}

/// Reads best bid and ask of one instrument.
///
/// # Errors
/// [`DecodeError`].
pub fn ticker(body: &[u8]) -> Result<Ticker, DecodeError> {
    only("ticker", body)
}

/// Reads best bid and ask off the book of one instrument.
///
/// # Errors
/// [`DecodeError`].
pub fn best_of_book(body: &[u8]) -> Result<Ticker, DecodeError> {
    const WHAT: &str = "book";
    #[derive(Deserialize)]
    struct Row {
        asks: Vec<Vec<String>>,
        bids: Vec<Vec<String>>,
    }
    let row = only::<Row>(WHAT, body)?;
    let best = |side: &[Vec<String>], field: &str| {
        let price = side.first().and_then(|level| level.first());
        let price = price.map(|text| Price::parse(text)).transpose();
        price.map_err(|e| DecodeError::new(WHAT, field, e.to_string()))
    };
    Ok(Ticker {
        bid_px: best(&row.bids, "bids")?,
        ask_px: best(&row.asks, "asks")?,
    })
}

/// Mark price of a swap.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkPrice {
    /// The venue's symbol.
    pub inst_id: String,
    /// Mark.
    #[serde(deserialize_with = "unit")]
    pub mark_px: Price,
    /// When this was so.
    #[serde(deserialize_with = "instant_text")]
    pub ts: Timestamp,
}

/// Reads the mark price of one swap.
///
/// # Errors
/// [`DecodeError`].
pub fn mark_price(body: &[u8]) -> Result<MarkPrice, DecodeError> {
    only("mark price", body)
}

/// The funding rate that accrues.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingRate {
    /// The venue's symbol.
    pub inst_id: String,
    /// A forecast until it is settled; positive: longs pay.
    #[serde(deserialize_with = "unit")]
    pub funding_rate: Rate,
    /// When it is settled.
    #[serde(deserialize_with = "instant_text")]
    pub funding_time: Timestamp,
    /// When the one after it is.
    #[serde(deserialize_with = "instant_text")]
    pub next_funding_time: Timestamp,
}

impl FundingRate {
    /// Returns the time between settlements, as it is now; it can change.
    #[must_use]
    pub fn interval(&self) -> Span {
        self.next_funding_time.since(self.funding_time)
    }
}

/// Reads the funding rate of one swap.
///
/// # Errors
/// [`DecodeError`], also for settlements that do not follow one another within a day.
pub fn funding_rate(body: &[u8]) -> Result<FundingRate, DecodeError> {
    const WHAT: &str = "funding rate";
    let row = only::<FundingRate>(WHAT, body)?;
    let interval = row.interval();
    if interval < Span::from_hours(1) || interval > Span::from_hours(24) {
        let reason = format!("an interval of {interval} is not from 1 to 24 hours");
        return Err(DecodeError::new(WHAT, "nextFundingTime", reason));
    }
    Ok(row)
}

/// A settlement that was charged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingSettlement {
    /// The venue's symbol.
    pub inst_id: String,
    /// What was charged, which may differ from the forecast; positive: longs paid.
    #[serde(deserialize_with = "unit")]
    pub realized_rate: Rate,
    /// When.
    #[serde(deserialize_with = "instant_text")]
    pub funding_time: Timestamp,
}

/// Reads settlements, newest first.
///
/// # Errors
/// [`DecodeError`].
pub fn funding_history(body: &[u8]) -> Result<Vec<FundingSettlement>, DecodeError> {
    data("funding history", body)
}

/// Funding that was paid or received. Its position side is not told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingPayment {
    /// The venue's id of the row.
    pub bill_id: String,
    /// The venue's symbol.
    pub inst_id: String,
    /// Received above zero, paid below.
    #[serde(deserialize_with = "unit")]
    pub pnl: Quantity,
    /// In what.
    pub ccy: String,
    /// Contracts of the position.
    #[serde(deserialize_with = "unit")]
    pub sz: Quantity,
    /// The mark.
    #[serde(deserialize_with = "optional")]
    pub px: Option<Price>,
    /// When the balance changed: some time after the scheduled instant.
    #[serde(deserialize_with = "instant_text")]
    pub ts: Timestamp,
}

/// Reads funding payments, newest first.
///
/// # Errors
/// [`DecodeError`], also for a row of another kind.
pub fn funding_payments(body: &[u8]) -> Result<Vec<FundingPayment>, DecodeError> {
    const WHAT: &str = "funding payments";
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let kinds = data::<Kind>(WHAT, body)?;
    if let Some(other) = kinds.iter().find(|row| row.kind != "8") {
        let reason = format!("`{}` is no funding", other.kind);
        return Err(DecodeError::new(WHAT, "type", reason));
    }
    data(WHAT, body)
}

/// Fee rates of the account, as costs: below zero for a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRates {
    /// Of fills that rested.
    pub maker: Rate,
    /// Of fills that took.
    pub taker: Rate,
}

/// Reads fee rates: of spot, or of swaps margined in what they are priced in. The venue writes what is paid
/// below zero.
///
/// # Errors
/// [`DecodeError`].
pub fn fee_rates(body: &[u8]) -> Result<FeeRates, DecodeError> {
    const WHAT: &str = "fee rates";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        inst_type: String,
        #[serde(deserialize_with = "optional")]
        maker: Option<Rate>,
        #[serde(deserialize_with = "optional")]
        taker: Option<Rate>,
        #[serde(default, rename = "makerU", deserialize_with = "optional")]
        maker_u: Option<Rate>,
        #[serde(default, rename = "takerU", deserialize_with = "optional")]
        taker_u: Option<Rate>,
    }
    let row = only::<Row>(WHAT, body)?;
    let (maker, taker) = match row.inst_type.as_str() {
        "SPOT" => (row.maker, row.taker),
        "SWAP" => (row.maker_u, row.taker_u),
        other => {
            let reason = format!("`{other}` is neither SPOT nor SWAP");
            return Err(DecodeError::new(WHAT, "instType", reason));
        }
    };
    let cost = |rate: Option<Rate>, field: &str| {
        let rate = rate.ok_or_else(|| DecodeError::new(WHAT, field, "missing"))?;
        let cost = rate.neg();
        cost.map_err(|e| DecodeError::new(WHAT, field, e.to_string()))
    };
    Ok(FeeRates {
        maker: cost(maker, "maker")?,
        taker: cost(taker, "taker")?,
    })
}
