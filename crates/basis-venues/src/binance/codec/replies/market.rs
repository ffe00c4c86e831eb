//! What replies say of time, prices, funding and fees.

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rate};
use basis_core::types::{Side, Span, Timestamp};
use serde::Deserialize;

use super::wire::{DecodeError, decode, instant, optional, unit};

/// Reads the venue's time.
///
/// # Errors
/// [`DecodeError`].
pub fn server_time(body: &[u8]) -> Result<Timestamp, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        #[serde(deserialize_with = "instant")]
        server_time: Timestamp,
    }
    decode::<Reply>("server time", body).map(|reply| reply.server_time)
}

/// Best bid and ask.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookTicker {
    /// The venue's symbol.
    pub symbol: String,
    /// Best bid.
    #[serde(deserialize_with = "unit")]
    pub bid_price: Price,
    /// Base units at the bid.
    #[serde(deserialize_with = "unit")]
    pub bid_qty: Quantity,
    /// Best ask.
    #[serde(deserialize_with = "unit")]
    pub ask_price: Price,
    /// Base units at the ask.
    #[serde(deserialize_with = "unit")]
    pub ask_qty: Quantity,
}

impl BookTicker {
    /// Returns what an order of `side` would take first; `None` while that side of the book is empty.
    #[must_use]
    pub fn opposite(&self, side: Side) -> Option<Price> {
        let price = match side {
            Side::Buy => self.ask_price,
            Side::Sell => self.bid_price,
        };
        price.is_positive().then_some(price)
    }
}

/// Reads best bid and ask of one symbol.
///
/// # Errors
/// [`DecodeError`].
pub fn book_ticker(body: &[u8]) -> Result<BookTicker, DecodeError> {
    decode("book ticker", body)
}

/// Mark price and the funding rate that accrues.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkPrice {
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
    pub last_funding_rate: Rate,
    /// When it is settled.
    #[serde(deserialize_with = "instant")]
    pub next_funding_time: Timestamp,
    /// When this was so.
    #[serde(deserialize_with = "instant")]
    pub time: Timestamp,
}

/// Reads the mark price of one symbol.
///
/// # Errors
/// [`DecodeError`].
pub fn mark_price(body: &[u8]) -> Result<MarkPrice, DecodeError> {
    decode("mark price", body)
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
    #[serde(deserialize_with = "instant")]
    pub funding_time: Timestamp,
    /// The mark it was charged at; empty in old rows.
    #[serde(default, deserialize_with = "optional")]
    pub mark_price: Option<Price>,
}

/// Reads settlements, oldest first.
///
/// # Errors
/// [`DecodeError`].
pub fn funding_history(body: &[u8]) -> Result<Vec<FundingRate>, DecodeError> {
    decode("funding history", body)
}

/// How often a symbol settles, where that is not every eight hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundingInterval {
    /// The venue's symbol.
    pub symbol: String,
    /// Time between settlements.
    pub interval: Span,
}

/// Reads the intervals that differ from eight hours.
///
/// # Errors
/// [`DecodeError`], also for an interval outside 1 to 24 hours.
pub fn funding_intervals(body: &[u8]) -> Result<Vec<FundingInterval>, DecodeError> {
    const WHAT: &str = "funding intervals";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        symbol: String,
        funding_interval_hours: i64,
    }
    let rows = decode::<Vec<Row>>(WHAT, body)?;
    let interval = |row: Row| {
        let hours = row.funding_interval_hours;
        if !(1..=24).contains(&hours) {
            let reason = format!("{hours} is not from 1 to 24");
            return Err(DecodeError::new(WHAT, "fundingIntervalHours", reason));
        }
        Ok(FundingInterval {
            symbol: row.symbol,
            interval: Span::from_hours(hours),
        })
    };
    rows.into_iter().map(interval).collect()
}

/// Funding that was paid or received. Its position side is not told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FundingPayment {
    /// The venue's symbol.
    pub symbol: String,
    /// Received above zero, paid below.
    #[serde(deserialize_with = "unit")]
    pub income: Quantity,
    /// In what.
    pub asset: String,
    /// When the balance changed: some time after the scheduled instant.
    #[serde(deserialize_with = "instant")]
    pub time: Timestamp,
    /// Unique among funding payments.
    pub tran_id: u64,
}

/// Reads funding payments, oldest first.
///
/// # Errors
/// [`DecodeError`], also for a row of another kind of income.
pub fn funding_payments(body: &[u8]) -> Result<Vec<FundingPayment>, DecodeError> {
    const WHAT: &str = "funding payments";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind<'a> {
        income_type: &'a str,
    }
    let kinds = decode::<Vec<Kind<'_>>>(WHAT, body)?;
    if let Some(other) = kinds.iter().find(|kind| kind.income_type != "FUNDING_FEE") {
        let reason = format!("`{}` is no funding", other.income_type);
        return Err(DecodeError::new(WHAT, "incomeType", reason));
    }
    decode(WHAT, body)
}

/// Fee rates of the account in one symbol; below zero for a rebate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeRates {
    /// The venue's symbol.
    pub symbol: String,
    /// Of fills that rested.
    pub maker: Rate,
    /// Of fills that took.
    pub taker: Rate,
}

/// Reads the fee rates of a USD-M symbol.
///
/// # Errors
/// [`DecodeError`].
pub fn perp_fee_rates(body: &[u8]) -> Result<FeeRates, DecodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        symbol: String,
        #[serde(deserialize_with = "unit")]
        maker_commission_rate: Rate,
        #[serde(deserialize_with = "unit")]
        taker_commission_rate: Rate,
    }
    let reply = decode::<Reply>("fee rates", body)?;
    Ok(FeeRates {
        symbol: reply.symbol,
        maker: reply.maker_commission_rate,
        taker: reply.taker_commission_rate,
    })
}

/// Reads the fee rates of a spot symbol for orders of `side`: standard, special and tax parts, each as
/// maker or taker and as buyer or seller. The discount for paying in BNB is left out: whether the BNB there
/// suffices is known at the fill alone.
///
/// # Errors
/// [`DecodeError`].
pub fn spot_fee_rates(body: &[u8], side: Side) -> Result<FeeRates, DecodeError> {
    const WHAT: &str = "fee rates";
    #[derive(Deserialize)]
    struct Part {
        #[serde(deserialize_with = "unit")]
        maker: Fixed18,
        #[serde(deserialize_with = "unit")]
        taker: Fixed18,
        #[serde(deserialize_with = "unit")]
        buyer: Fixed18,
        #[serde(deserialize_with = "unit")]
        seller: Fixed18,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        symbol: String,
        standard_commission: Part,
        special_commission: Part,
        tax_commission: Part,
    }
    let reply = decode::<Reply>(WHAT, body)?;
    let parts = [
        reply.standard_commission,
        reply.special_commission,
        reply.tax_commission,
    ];
    let sum = |maker: bool| -> Result<Rate, MathError> {
        let mut total = Fixed18::ZERO;
        for part in &parts {
            total = total.add(if maker { part.maker } else { part.taker })?;
            total = total.add(match side {
                Side::Buy => part.buyer,
                Side::Sell => part.seller,
            })?;
        }
        Ok(Rate::new(total))
    };
    let range = |e: MathError| DecodeError::new(WHAT, "commission", e.to_string());
    Ok(FeeRates {
        symbol: reply.symbol,
        maker: sum(true).map_err(range)?,
        taker: sum(false).map_err(range)?,
    })
}
