//! What spot answers about an account: orders, fills, balances, rates.

use basis_core::num::Fixed18;
use serde_json::{Value, json};

use super::{replies, text};
use crate::server::binance::error::ApiError;
use crate::server::binance::market::Fill;
use crate::server::binance::orders::Page;
use crate::server::binance::routes::{Call, Family};
use crate::server::binance::settings::Product;
use crate::server::binance::{Exchange, rows};

const DAY_MS: i64 = 86_400_000;
/// An order that died without a fill is archived after this.
const ARCHIVED_AFTER_MS: i64 = 90 * DAY_MS;
/// The longest window of fills and orders.
const WINDOW_MS: i64 = DAY_MS;

/// `GET /api/v3/order`.
pub(in crate::server::binance) fn order(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let market = exchange.named_market(Product::Spot, call.params)?;
    let missing = ApiError::no_such_order;
    let order = Exchange::named_order(market, call.account, call.params, missing)?;
    let state = order.as_of(exchange.read_ms()).ok_or_else(missing)?;
    let age = exchange.now.saturating_sub(state.updated_ms);
    if !state.status.is_open() && state.executed.is_zero() && age > ARCHIVED_AFTER_MS {
        let text = "Order was canceled or expired with no executed qty over 90 days ago and has been archived.";
        return Err(ApiError::new(-2026, text));
    }
    Ok(replies::row(market.listing.rules.key.symbol, order, &state))
}

/// `GET /api/v3/openOrders`.
pub(in crate::server::binance) fn open_orders(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let at = exchange.read_ms();
    let mut open = Vec::new();
    for market in exchange.markets_of(Product::Spot, call.params.symbol()?)? {
        let symbol = market.listing.rules.key.symbol;
        for order in market.orders.values() {
            let state = order.as_of(at).filter(|state| state.status.is_open());
            let state = state.filter(|_| order.account == call.account);
            open.extend(state.map(|state| replies::row(symbol, order, &state)));
        }
    }
    Ok(Value::Array(open))
}

/// `GET /api/v3/allOrders`.
pub(in crate::server::binance) fn all_orders(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let page = Page::read(call.params, "orderId", WINDOW_MS, (500, 1000))?;
    let market = exchange.named_market(Product::Spot, call.params)?;
    let at = exchange.read_ms();
    let of_account = market.orders.values().filter(|o| o.account == call.account);
    let seen = of_account.filter_map(|o| Some((o, o.as_of(at)?)));
    let wanted = page.cut(seen.collect(), |(order, _)| (order.id, order.created_ms));
    let symbol = market.listing.rules.key.symbol;
    let list = wanted
        .iter()
        .map(|(order, state)| replies::row(symbol, order, state));
    Ok(Value::Array(list.collect()))
}

/// `GET /api/v3/myTrades`.
pub(in crate::server::binance) fn fills(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let page = Page::read(call.params, "fromId", WINDOW_MS, (500, 1000))?;
    if page.from_id.is_some() && page.has_times() {
        return Err(ApiError::new(
            -1128,
            "Combination of optional parameters invalid.",
        ));
    }
    let market = exchange.named_market(Product::Spot, call.params)?;
    let wanted = call.params.id("orderId")?;
    let at = exchange.rows_ms();
    let listed: Vec<&Fill> = market
        .fills_of(call.account)
        .filter(|fill| fill.time_ms <= at)
        .filter(|fill| wanted.is_none_or(|order| fill.order == order))
        .collect();
    let symbol = market.listing.rules.key.symbol;
    let list = page.cut(listed, |fill| (fill.trade, fill.time_ms));
    let list = list.into_iter().map(|fill| {
        json!({
            "symbol": symbol.as_str(),
            "id": fill.trade,
            "orderId": fill.order,
            "orderListId": -1,
            "price": text(fill.price.get()),
            "qty": text(fill.quantity.get()),
            "quoteQty": text(fill.quote.get()),
            "commission": text(fill.commission.get()),
            "commissionAsset": fill.commission_asset.as_str(),
            "time": fill.time_ms,
            "isBuyer": fill.side == basis_core::types::Side::Buy,
            "isMaker": fill.is_maker,
            "isBestMatch": true,
        })
    });
    Ok(rows(list.collect(), exchange.settings.behavior))
}

/// `GET /api/v3/account`.
pub(in crate::server::binance) fn account(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let omits_zero = call.params.flag("omitZeroBalances")? == Some(true);
    let account = exchange.account(call.account);
    let balances: Vec<Value> = account
        .spot_at(exchange.read_ms())
        .iter()
        .filter(|(_, balance)| {
            !omits_zero || balance.free.is_positive() || balance.locked.is_positive()
        })
        .map(|(asset, balance)| {
            json!({
                "asset": asset.as_str(),
                "free": text(balance.free.get()),
                "locked": text(balance.locked.get()),
            })
        })
        .collect();
    let rates = account.settings.spot_fees;
    let may = exchange.keys.get(call.key).map(|key| key.permissions);
    let none = text(Fixed18::ZERO);
    Ok(json!({
        "makerCommission": hundredths_of_percent(rates.maker.get())?,
        "takerCommission": hundredths_of_percent(rates.taker.get())?,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": text(rates.maker.get()),
            "taker": text(rates.taker.get()),
            "buyer": none,
            "seller": none,
        },
        "canTrade": may.is_some_and(|may| may.spot),
        "canWithdraw": may.is_some_and(|may| may.withdrawals),
        "canDeposit": true,
        "brokered": false,
        "requireSelfTradePrevention": false,
        "preventSor": false,
        "updateTime": account.spot_updated_ms,
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 350_000_000 + u64::from(call.account),
    }))
}

/// A rate as the whole number of basis points in which the account shows it.
fn hundredths_of_percent(rate: Fixed18) -> Result<i64, ApiError> {
    let bps = rate.mul_int(10_000)?;
    let whole = bps.mantissa() / Fixed18::from_int(1).mantissa();
    i64::try_from(whole).map_err(|_wide| {
        ApiError::new(
            -1000,
            "An unknown error occurred while processing the request.",
        )
    })
}

/// `GET /api/v3/account/commission`.
pub(in crate::server::binance) fn commission(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let market = exchange.named_market(Product::Spot, call.params)?;
    let symbol = market.listing.rules.key.symbol;
    let mut reply = json!({ "symbol": symbol.as_str() });
    replies::add(&mut reply, exchange.spot_rates(call.account, false));
    Ok(reply)
}

/// `GET /api/v3/rateLimit/order`.
pub(in crate::server::binance) fn order_counts(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let counts = exchange
        .usage
        .order_counts(exchange.now, Family::Spot, call.account);
    let list = counts.map(|(interval, many, max, count)| {
        json!({
            "rateLimitType": "ORDERS",
            "interval": interval,
            "intervalNum": many,
            "limit": max,
            "count": count,
        })
    });
    Ok(json!(list))
}
