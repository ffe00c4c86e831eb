//! `GET /fapi/v1/exchangeInfo`.

use basis_core::num::{Fixed18, Rounding};
use serde_json::{Value, json};

use super::place::{price_precision, quantity_precision};
use crate::server::binance::Exchange;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Market, padded};
use crate::server::binance::routes::Call;
use crate::server::binance::settings::Product;
use crate::server::binance::spot::replies::add;

/// `GET /fapi/v1/exchangeInfo`.
pub(in crate::server::binance) fn exchange_info(
    exchange: &mut Exchange,
    _: &Call<'_>,
) -> Result<Value, ApiError> {
    let limits = &exchange.settings.limits;
    let limit = |kind: &str, interval: &str, many: u32, limit: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": many, "limit": limit });
    let markets = exchange.markets_of(Product::UsdM, None)?;
    let mut assets: Vec<&str> = markets
        .iter()
        .map(|m| m.listing.rules.quote.as_str())
        .collect();
    assets.sort_unstable();
    assets.dedup();
    let assets = assets.into_iter().map(
        |asset| json!({ "asset": asset, "marginAvailable": true, "autoAssetExchange": "-10000" }),
    );
    Ok(json!({
        "timezone": "UTC",
        "serverTime": exchange.now,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, limits.usdm_weight_1m),
            limit("ORDERS", "MINUTE", 1, limits.usdm_orders_1m),
            limit("ORDERS", "SECOND", 10, limits.usdm_orders_10s),
        ],
        "exchangeFilters": [],
        "assets": assets.collect::<Vec<_>>(),
        "symbols": markets.iter().map(|market| symbol_info(market)).collect::<Result<Vec<_>, _>>()?,
    }))
}

fn symbol_info(market: &Market) -> Result<Value, ApiError> {
    let rules = &market.listing.rules;
    let fee = match &rules.perp {
        Some(perp) => perp.liquidation_fee.to_rate(Rounding::HalfEven)?.get(),
        None => Fixed18::ZERO,
    };
    let mut info = json!({
        "symbol": rules.key.symbol.as_str(),
        "pair": rules.key.symbol.as_str(),
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000_i64,
        "onboardDate": 1_569_398_400_000_i64,
        "status": if market.is_trading { "TRADING" } else { "SETTLING" },
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base.as_str(),
        "quoteAsset": rules.quote.as_str(),
        "marginAsset": rules.quote.as_str(),
        "pricePrecision": price_precision(market),
        "quantityPrecision": quantity_precision(market),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
    });
    add(
        &mut info,
        json!({
            "underlyingType": "COIN",
            "underlyingSubType": [],
            "settlePlan": 0,
            "triggerProtect": "0.0500",
            "liquidationFee": padded(fee, 6),
            "marketTakeBound": "0.05",
            "maxMoveOrderLimit": 10000,
            "filters": filters(market),
            "orderTypes": ["LIMIT", "MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        }),
    );
    Ok(info)
}

fn filters(market: &Market) -> Value {
    let (listing, rules) = (&market.listing, &market.listing.rules);
    let lots = |name: &str, max: String| {
        json!({
            "filterType": name,
            "minQty": rules.min_quantity.to_string(),
            "maxQty": max,
            "stepSize": rules.lot_size.to_string(),
        })
    };
    json!([
        {
            "filterType": "PRICE_FILTER",
            "minPrice": listing.price_min.to_string(),
            "maxPrice": listing.price_max.to_string(),
            "tickSize": rules.tick_size.to_string(),
        },
        lots("LOT_SIZE", rules.max_quantity.to_string()),
        lots("MARKET_LOT_SIZE", rules.max_market_quantity.to_string()),
        { "filterType": "MAX_NUM_ORDERS", "limit": listing.orders_max },
        { "filterType": "MIN_NOTIONAL", "notional": rules.min_notional.to_string() },
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": padded(listing.percent_price.bid_up, 4),
            "multiplierDown": padded(listing.percent_price.ask_down, 4),
            "multiplierDecimal": "4",
        },
    ])
}
