//! `GET /api/v3/exchangeInfo`.

use basis_core::types::Symbol;
use serde_json::{Value, json};

use super::replies::add;
use super::text;
use crate::server::binance::Exchange;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::Market;
use crate::server::binance::routes::Call;
use crate::server::binance::settings::Product;

/// `GET /api/v3/exchangeInfo`, of all symbols, of `symbol`, or of the JSON list `symbols`.
pub(in crate::server::binance) fn exchange_info(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let markets = match call.params.get("symbols") {
        Some(list) => {
            let names: Option<Vec<String>> = serde_json::from_str(list).ok();
            let names = names.ok_or_else(|| ApiError::illegal("symbols", "a JSON list"))?;
            let mut markets = Vec::new();
            for name in names {
                let symbol = Symbol::new(&name)
                    .ok()
                    .ok_or_else(ApiError::invalid_symbol)?;
                markets.push(exchange.market(Product::Spot, symbol)?);
            }
            markets
        }
        None => exchange.markets_of(Product::Spot, call.params.symbol()?)?,
    };
    let limits = &exchange.settings.limits;
    let limit = |kind: &str, interval: &str, many: u32, limit: u32| json!({ "rateLimitType": kind, "interval": interval, "intervalNum": many, "limit": limit });
    Ok(json!({
        "timezone": "UTC",
        "serverTime": exchange.now,
        "rateLimits": [
            limit("REQUEST_WEIGHT", "MINUTE", 1, limits.spot_weight_1m),
            limit("ORDERS", "SECOND", 10, limits.spot_orders_10s),
            limit("ORDERS", "DAY", 1, limits.spot_orders_1d),
        ],
        "exchangeFilters": [],
        "symbols": markets.into_iter().map(symbol_info).collect::<Vec<_>>(),
    }))
}

fn symbol_info(market: &Market) -> Value {
    let rules = &market.listing.rules;
    let mut info = json!({
        "symbol": rules.key.symbol.as_str(),
        "status": if market.is_trading { "TRADING" } else { "BREAK" },
        "baseAsset": rules.base.as_str(),
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote.as_str(),
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": false,
        "ocoAllowed": false,
        "otoAllowed": false,
        "opoAllowed": false,
    });
    add(
        &mut info,
        json!({
            "quoteOrderQtyMarketAllowed": true,
            "allowTrailingStop": false,
            "cancelReplaceAllowed": true,
            "amendAllowed": true,
            "pegInstructionsAllowed": false,
            "isSpotTradingAllowed": true,
            "isMarginTradingAllowed": false,
            "filters": filters(market),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
        }),
    );
    info
}

fn filters(market: &Market) -> Value {
    let (listing, rules) = (&market.listing, &market.listing.rules);
    let band = &listing.percent_price;
    let zero = text(basis_core::num::Fixed18::ZERO);
    json!([
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text(listing.price_min.get()),
            "maxPrice": text(listing.price_max.get()),
            "tickSize": text(rules.tick_size.get()),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": text(rules.min_quantity.get()),
            "maxQty": text(rules.max_quantity.get()),
            "stepSize": text(rules.lot_size.get()),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": zero,
            "maxQty": text(rules.max_market_quantity.get()),
            "stepSize": zero,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": band.bid_up.to_string(),
            "bidMultiplierDown": band.bid_down.to_string(),
            "askMultiplierUp": band.ask_up.to_string(),
            "askMultiplierDown": band.ask_down.to_string(),
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": text(rules.min_notional.get()),
            "applyMinToMarket": true,
            "maxNotional": text(listing.notional_max.get()),
            "applyMaxToMarket": false,
            "avgPriceMins": 5,
        },
        { "filterType": "MAX_NUM_ORDERS", "maxNumOrders": listing.orders_max },
    ])
}
