//! Prices, the book and funding rates.

use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::types::{Side, Symbol, Timestamp};
use serde_json::{Value, json};

use super::error::ApiError;
use super::orders::band;
use super::params::Params;
use super::routes::Call;
use super::words::product_word;
use super::{Category, Exchange, sized};

/// Levels of one side of a book.
const LEVELS_MAX: i64 = 400;
/// Rows of a page of settlements.
const RATES_MAX: i64 = 400;

/// `GET /api/v5/market/ticker`.
pub(super) fn ticker(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    let (category, symbol) = exchange.named(call.params().required("instId")?)?;
    let market = exchange.market(category, symbol)?;
    let level = |level: Option<(Price, Quantity)>| -> Result<(String, String), ApiError> {
        let Some((price, quantity)) = level else {
            return Ok((String::new(), String::new()));
        };
        let size = sized(&market.rules, quantity)?;
        Ok((price.to_string(), size.to_string()))
    };
    let (bid, ask) = (
        level(market.book.best_bid())?,
        level(market.book.best_ask())?,
    );
    let last = market
        .last_price
        .map_or_else(String::new, |price| price.to_string());
    Ok(vec![json!({
        "instType": product_word(category),
        "instId": market.rules.venue_symbol.as_str(),
        "last": last,
        "lastSz": "0",
        "askPx": ask.0,
        "askSz": ask.1,
        "bidPx": bid.0,
        "bidSz": bid.1,
        "open24h": last,
        "high24h": last,
        "low24h": last,
        "volCcy24h": "0",
        "vol24h": "0",
        "sodUtc0": last,
        "sodUtc8": last,
        "ts": exchange.now.to_string(),
    })])
}

/// `GET /api/v5/market/books`.
pub(super) fn books(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let (category, symbol) = exchange.named(params.required("instId")?)?;
    let count = params.integer("sz")?.unwrap_or(1);
    if !(1..=LEVELS_MAX).contains(&count) {
        return Err(ApiError::parameter("sz"));
    }
    let count = usize::try_from(count).unwrap_or(1);
    let now = exchange.now;
    let market = exchange.market_mut(category, symbol)?;
    let changes = market.book.take_changes().len();
    market.updates += u64::try_from(changes).unwrap_or(0);
    let side = |side: Side| -> Result<Vec<Value>, ApiError> {
        let levels = market.book.levels(side).take(count);
        let rows = levels.map(|(price, quantity)| {
            let size = sized(&market.rules, quantity)?;
            Ok(json!([price.to_string(), size.to_string(), "0", "1"]))
        });
        rows.collect()
    };
    Ok(vec![json!({
        "asks": side(Side::Sell)?, "bids": side(Side::Buy)?, "ts": now.to_string(), "seqId": market.updates
    })])
}

/// The swaps that a request names, or all.
fn named_swaps(exchange: &Exchange, params: &Params) -> Result<Vec<Symbol>, ApiError> {
    let Some(name) = params.text("instId") else {
        return Ok(exchange.swaps().collect());
    };
    match exchange.named(name)? {
        (Category::Linear, symbol) => Ok(vec![symbol]),
        (Category::Spot, _) => Err(ApiError::unlisted()),
    }
}

/// `GET /api/v5/public/mark-price`.
pub(super) fn mark_price(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    if params.required_product()? == Category::Spot {
        return Err(ApiError::parameter("instType"));
    }
    let mut rows = Vec::new();
    for symbol in named_swaps(exchange, params)? {
        let rules = &exchange.market(Category::Linear, symbol)?.rules;
        rows.push(json!({
            "instType": "SWAP",
            "instId": rules.venue_symbol.as_str(),
            "markPx": exchange.mark(symbol).unwrap_or_default().to_string(),
            "ts": exchange.now.to_string(),
        }));
    }
    Ok(rows)
}

/// `GET /api/v5/public/price-limit`.
pub(super) fn price_limit(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let (category, symbol) = exchange.named(call.params().required("instId")?)?;
    let market = exchange.market(category, symbol)?;
    let bounds = band(market)?;
    let text = |bound: Option<Price>| bound.map_or_else(String::new, |price| price.to_string());
    Ok(vec![json!({
        "instType": product_word(category),
        "instId": market.rules.venue_symbol.as_str(),
        "buyLmt": text(bounds.map(|bounds| bounds.0)),
        "sellLmt": text(bounds.map(|bounds| bounds.1)),
        "ts": exchange.now.to_string(),
        "enabled": bounds.is_some(),
    })])
}

/// `GET /api/v5/public/funding-rate`: what the next settlement charges.
pub(super) fn funding_rate(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    params.required("instId")?;
    let mut rows = Vec::new();
    for symbol in named_swaps(exchange, params)? {
        let market = exchange.market(Category::Linear, symbol)?;
        let (Some(perp), Some(next)) = (&market.rules.perp, market.next_funding_ms) else {
            return Err(ApiError::unlisted());
        };
        let after = perp.next_funding(Timestamp::from_millis(next));
        let cap = perp
            .funding_rate_max
            .map_or(Fixed18::literal("0.015"), |cap| cap.get());
        let last = market.settled.last();
        let before = last.map_or(next - perp.funding_interval.nanos() / 1_000_000, |row| {
            row.time_ms
        });
        rows.push(json!({
            "instType": "SWAP",
            "instId": market.rules.venue_symbol.as_str(),
            "method": "current_period",
            "formulaType": "noRate",
            "fundingRate": market.funding_rate.to_string(),
            "fundingTime": next.to_string(),
            "nextFundingRate": "",
            "nextFundingTime": (after.nanos() / 1_000_000).to_string(),
            "minFundingRate": cap.neg()?.to_string(),
            "maxFundingRate": cap.to_string(),
            "interestRate": "",
            "impactValue": "",
            "premium": "",
            "settState": "settled",
            "settFundingRate": last.map_or_else(String::new, |row| row.rate.to_string()),
            "prevFundingTime": before.to_string(),
            "ts": exchange.now.to_string(),
        }));
    }
    Ok(rows)
}

/// `GET /api/v5/public/funding-rate-history`: newest first; neither end of a range is in it.
pub(super) fn funding_history(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let (category, symbol) = exchange.named(params.required("instId")?)?;
    if category == Category::Spot {
        return Err(ApiError::unlisted());
    }
    let (newer, older) = (params.integer("before")?, params.integer("after")?);
    let limit = params.integer("limit")?.unwrap_or(RATES_MAX);
    if !(1..=RATES_MAX).contains(&limit) {
        return Err(ApiError::parameter("limit"));
    }
    let market = exchange.market(category, symbol)?;
    let wanted = market.settled.iter().rev().filter(|row| {
        newer.is_none_or(|newer| row.time_ms > newer)
            && older.is_none_or(|older| row.time_ms < older)
    });
    let rows = wanted.take(usize::try_from(limit).unwrap_or(0)).map(|row| {
        json!({
            "instType": "SWAP",
            "instId": market.rules.venue_symbol.as_str(),
            "formulaType": "noRate",
            "method": "current_period",
            "fundingRate": row.rate.to_string(),
            "realizedRate": row.rate.to_string(),
            "fundingTime": row.time_ms.to_string(),
        })
    });
    Ok(rows.collect())
}
