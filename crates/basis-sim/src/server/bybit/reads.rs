//! What an account can read of its orders, executions, positions, balances and log.

use basis_core::num::{Fixed18, Quantity, Rounding, Value};
use basis_core::types::{Asset, Symbol};
use serde_json::{Value as Json, json};

use super::error::ApiError;
use super::params::{Page, Params};
use super::routes::Call;
use super::words::{ending_words, force_word, log_word, side_word, status_word};
use super::{Category, Exchange, Execution, LogKind, LogRow, Order, OrderState, Position};
use crate::server::unified::{Holdings, Margins, Market, average, joined};

const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// How long orders without a fill stay in the history.
const UNFILLED_KEPT_MS: i64 = DAY_MS;
/// How long orders with fills do, and executions.
const KEPT_MS: i64 = 730 * DAY_MS;
/// How many closed orders `realtime` still knows.
const RECENT_MAX: usize = 500;

/// `GET /v5/order/realtime`: open orders; by an id also one that closed lately.
pub(super) fn realtime(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Json, ApiError> {
    let params = call.params;
    let category = params.category()?;
    let symbol = params.symbol(category)?;
    let has_coin = ["baseCoin", "settleCoin"].map(|name| params.text(name).is_some());
    let by_id = named(params);
    if category == Category::Linear && symbol.is_none() && has_coin == [false, false] {
        return Err(ApiError::params("symbol, baseCoin or settleCoin"));
    }
    let wants_closed = params.integer("openOnly")? == Some(1);
    let page = Page::read(params, exchange.now, (20, 50), None)?.of_any_time();
    let mut rows = Vec::new();
    // An id beats the symbol.
    let named_symbol = if by_id.is_some() { None } else { symbol };
    for symbol in exchange.symbols(category, named_symbol)? {
        let market = exchange.market(category, symbol)?;
        let mut closed = 0;
        for order in market.orders.values().rev() {
            let Some(state) = order.as_of(exchange.read_ms()) else {
                continue;
            };
            if order.account != call.account {
                continue;
            }
            if !state.status.is_open() {
                closed += 1;
                let is_known =
                    closed <= RECENT_MAX && state.updated_ms >= exchange.own.recent_since_ms;
                if !is_known || !(wants_closed || by_id.is_some()) {
                    continue;
                }
            } else if wants_closed && by_id.is_none() {
                continue;
            }
            if by_id.is_none_or(|name| name.fits(order)) {
                let row = order_row(category, market, order, state)?;
                rows.push((order.number, order.created_ms, row));
            }
        }
    }
    rows.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
    let (list, cursor) = page.cut(rows);
    Ok(json!({ "list": list, "nextPageCursor": cursor, "category": category.word() }))
}

/// `GET /v5/order/history`: orders that closed; those without a fill for a day.
pub(super) fn history(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Json, ApiError> {
    let params = call.params;
    let (category, now) = (params.category()?, exchange.now);
    let symbol = params.symbol(category)?;
    let by_id = named(params);
    let mut page = Page::read(params, now, (20, 50), Some((WEEK_MS, WEEK_MS)))?;
    if by_id.is_some() {
        page = page.of_any_time();
    }
    let mut rows = Vec::new();
    for symbol in exchange.symbols(category, symbol)? {
        let market = exchange.market(category, symbol)?;
        for order in market.orders.values().rev() {
            let Some(state) = order.as_of(exchange.read_ms()) else {
                continue;
            };
            if order.account != call.account || state.status.is_open() {
                continue;
            }
            let kept_ms = if state.executed.is_zero() {
                UNFILLED_KEPT_MS
            } else {
                KEPT_MS
            };
            let is_wanted = by_id.is_none_or(|name| name.fits(order))
                && params
                    .text("orderStatus")
                    .is_none_or(|word| word == status_word(category, state));
            if is_wanted && now.saturating_sub(state.updated_ms) <= kept_ms {
                let row = history_row(order_row(category, market, order, state)?);
                rows.push((order.number, order.created_ms, row));
            }
        }
    }
    rows.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
    let (list, cursor) = page.cut(rows);
    Ok(json!({ "list": list, "nextPageCursor": cursor, "category": category.word() }))
}

/// `GET /v5/execution/list`: newest first; of one order, whatever else is asked.
pub(super) fn executions(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Json, ApiError> {
    let params = call.params;
    let (category, now) = (params.category()?, exchange.now);
    let by_id = named(params);
    let symbol = params.symbol(category)?.filter(|_| by_id.is_none());
    let mut page = Page::read(params, now, (50, 100), Some((WEEK_MS, WEEK_MS)))?;
    if by_id.is_some() {
        page = page.of_any_time();
    }
    let kind = params.text("execType").filter(|_| by_id.is_none());
    let mut rows = Vec::new();
    for symbol in exchange.symbols(category, symbol)? {
        let market = exchange.market(category, symbol)?;
        for row in &market.executions {
            let is_known = row.account == call.account
                && row.time_ms <= exchange.rows_ms()
                && now.saturating_sub(row.time_ms) <= KEPT_MS;
            let order = row.order.map(|number| market.order(number));
            let is_wanted = by_id.is_none_or(|name| order.is_some_and(|order| name.fits(order)))
                && kind.is_none_or(|kind| kind == row.kind);
            if is_known && is_wanted {
                let json = execution_row(category, symbol, row, order)?;
                rows.push((row.number, row.time_ms, json));
            }
        }
    }
    rows.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
    let (list, cursor) = page.cut(rows);
    let list = exchange.rows(list);
    Ok(json!({ "nextPageCursor": cursor, "category": category.word(), "list": list }))
}

/// What names one order: the venue's id before the client's.
#[derive(Clone, Copy)]
enum Named<'a> {
    Id(&'a str),
    Link(&'a str),
}

impl Named<'_> {
    fn fits(self, order: &Order) -> bool {
        match self {
            Self::Id(id) => order.id == id,
            Self::Link(client_id) => order.client_id == client_id,
        }
    }
}

fn named(params: &Params) -> Option<Named<'_>> {
    let by_id = params.text("orderId").map(Named::Id);
    by_id.or_else(|| params.text("orderLinkId").map(Named::Link))
}

fn order_row(
    category: Category,
    market: &Market,
    order: &Order,
    state: &OrderState,
) -> Result<Json, ApiError> {
    let left = if order.in_quote || !state.status.is_open() {
        Quantity::ZERO
    } else {
        state.quantity.sub(state.executed)?
    };
    let left_value = left.notional(state.price, Rounding::HalfEven)?;
    let fees: serde_json::Map<String, Json> = state
        .fees
        .iter()
        .map(|(coin, fee)| (coin.as_str().to_owned(), json!(fee.to_string())))
        .collect();
    let average = if state.executed.is_zero() {
        String::new()
    } else {
        average(state)?.to_string()
    };
    // What is dead for linear and spot stays zero; `cumFeeDetail` has the fees.
    let row = json!({
        "orderId": order.id,
        "orderLinkId": order.client_id,
        "blockTradeId": "",
        "symbol": market.rules.venue_symbol.as_str(),
        "price": state.price.to_string(),
        "qty": state.quantity.to_string(),
        "side": side_word(order.side),
        "isLeverage": if category == Category::Spot { "0" } else { "" },
        "positionIdx": order.position_index,
        "orderStatus": status_word(category, state),
        "cancelType": ending_words(state.ending).1,
        "rejectReason": ending_words(state.ending).0,
        "avgPrice": average,
        "leavesQty": left.to_string(),
        "leavesValue": left_value.to_string(),
        "cumExecQty": state.executed.to_string(),
        "cumExecValue": state.value.to_string(),
        "cumExecFee": "0",
        "timeInForce": force_word(order.time_in_force),
        "orderType": if order.is_market { "Market" } else { "Limit" },
        "reduceOnly": order.reduce_only,
        "createdTime": order.created_ms.to_string(),
        "updatedTime": state.updated_ms.to_string(),
        "cumFeeDetail": fees,
    });
    // Of conditional orders and self-trade records, which are not here.
    let absent = json!({
        "stopOrderType": "",
        "orderIv": "",
        "triggerPrice": "0",
        "takeProfit": "",
        "stopLoss": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "triggerDirection": 0,
        "triggerBy": "",
        "lastPriceOnCreated": "",
        "closeOnTrigger": false,
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "tpslMode": "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "placeType": "",
    });
    Ok(joined(row, absent))
}

/// What the history shows of an order beside that.
fn history_row(row: Json) -> Json {
    let more = json!({
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "extraFees": "",
        "rpiTakerAccess": false,
        "rpiMatchedQty": "0",
    });
    joined(row, more)
}

fn execution_row(
    category: Category,
    symbol: Symbol,
    row: &Execution,
    order: Option<&Order>,
) -> Result<Json, ApiError> {
    let (id, client_id) = order.map_or(("", ""), |order| {
        (order.id.as_str(), order.client_id.as_str())
    });
    let quantity = order.map_or(row.quantity, |order| order.state.quantity);
    let price = order.map_or(row.price, |order| order.state.price);
    let kind = match order {
        Some(order) if order.is_market => "Market",
        Some(_) => "Limit",
        None => "UNKNOWN",
    };
    // The settle coin of perpetuals is not named.
    let fee_coin = match category {
        Category::Spot => row.fee_asset.as_str(),
        Category::Linear => "",
    };
    let closed = if row.realized.is_zero() {
        ""
    } else {
        &row.quantity.to_string()
    };
    Ok(json!({
        "symbol": symbol.as_str(),
        "orderType": kind,
        "underlyingPrice": "",
        "orderLinkId": client_id,
        "side": side_word(row.side),
        "indexPrice": "",
        "orderId": id,
        "stopOrderType": "UNKNOWN",
        "leavesQty": row.leaves.to_string(),
        "execTime": row.time_ms.to_string(),
        "feeCurrency": fee_coin,
        "isMaker": row.is_maker,
        "execFee": row.fee.to_string(),
        "feeRate": row.rate.to_string(),
        "execId": row.id,
        "tradeIv": "",
        "blockTradeId": "",
        "markPrice": row.mark.to_string(),
        "execPrice": row.price.to_string(),
        "markIv": "",
        "orderQty": quantity.to_string(),
        "orderPrice": price.to_string(),
        "execValue": row.value.to_string(),
        "execType": row.kind,
        "execQty": row.quantity.to_string(),
        "closedSize": closed,
        "extraFees": "",
        "seq": row.number,
    }))
}

/// `GET /v5/position/list`: of a symbol also where nothing is held.
pub(super) fn positions(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Json, ApiError> {
    let params = call.params;
    if params.category()? == Category::Spot {
        return Err(ApiError::params("category"));
    }
    let symbol = params.symbol(Category::Linear)?;
    let settle = params.asset("settleCoin")?;
    if symbol.is_none() && settle.is_none() {
        return Err(ApiError::params("symbol or settleCoin"));
    }
    let account = exchange.account(call.account);
    let holdings = account.at(exchange.read_ms());
    let mut list = Vec::new();
    for named in exchange.symbols(Category::Linear, symbol)? {
        let market = exchange.market(Category::Linear, named)?;
        if settle.is_some_and(|coin| coin != market.rules.quote) {
            continue;
        }
        let indices: &[u8] = if account.hedged.contains(&named) {
            &[1, 2]
        } else {
            &[0]
        };
        for index in indices {
            let position = holdings.positions.get(&(named, *index)).copied();
            let is_held = position.is_some_and(|held| !held.perp.quantity.is_zero());
            if is_held || symbol.is_some() {
                let position = position.unwrap_or_default();
                list.push(exchange.position_row(call.account, named, *index, &position)?);
            }
        }
    }
    Ok(json!({ "list": list, "nextPageCursor": "", "category": "linear" }))
}

impl Exchange {
    fn position_row(
        &self,
        id: u32,
        symbol: Symbol,
        index: u8,
        position: &Position,
    ) -> Result<Json, ApiError> {
        let account = self.account(id);
        let perp = &position.perp;
        let size = perp.quantity.abs()?;
        let mark = self.mark(symbol).unwrap_or_default();
        let (unrealized, initial, maintenance) = self.position_margin(account, symbol, perp)?;
        let side = match perp.quantity.signum() {
            0 => "",
            1 => "Buy",
            _ => "Sell",
        };
        let average = if size.is_zero() {
            Fixed18::ZERO
        } else {
            let cost = perp.cost.get().abs()?;
            cost.div(size.get(), Rounding::HalfEven)?
        };
        let value = size.notional(mark, Rounding::HalfEven)?;
        let (initial, maintenance) = (initial.to_string(), maintenance.to_string());
        let row = json!({
            "positionIdx": index,
            "riskId": 1,
            "riskLimitValue": "0",
            "symbol": symbol.as_str(),
            "side": side,
            "size": size.to_string(),
            "avgPrice": average.to_string(),
            "positionValue": if size.is_zero() { String::new() } else { value.to_string() },
            "tradeMode": 0,
            "positionStatus": "Normal",
            "autoAddMargin": 0,
            "adlRankIndicator": 0,
            "leverage": account.leverage(symbol).to_string(),
            "breakEvenPrice": "",
            "positionBalance": if account.is_isolated { initial.as_str() } else { "0" },
            "markPrice": mark.to_string(),
            "liqPrice": "",
            "bustPrice": "",
            "positionMM": maintenance,
            "positionMMByMp": maintenance,
            "positionIM": initial,
            "positionIMByMp": initial,
            "unrealisedPnl": unrealized.to_string(),
            "seq": self.last_id,
            "createdTime": position.updated_ms.to_string(),
            "updatedTime": position.updated_ms.to_string(),
        });
        let absent = json!({
            "tpslMode": "Full",
            "takeProfit": "",
            "stopLoss": "",
            "trailingStop": "0",
            "curRealisedPnl": "0",
            "cumRealisedPnl": "0",
            "isReduceOnly": false,
            "mmrSysUpdateTime": "",
            "leverageSysUpdatedTime": "",
            "sessionAvgPrice": "",
        });
        Ok(joined(row, absent))
    }

    /// A coin of the unified account; its value in dollars where it is one, or has a price here.
    fn coin_row(
        &self,
        id: u32,
        asset: Asset,
        holdings: &Holdings,
    ) -> Result<(Json, [Value; 4]), ApiError> {
        let margins = self.margins(id, asset, holdings)?;
        let settles = self.markets.iter().any(|((category, _), market)| {
            *category == Category::Linear && market.rules.quote == asset
        });
        let equity = margins.wallet.add(margins.unrealized)?;
        let price = self.markets.iter().find_map(|((category, _), market)| {
            let is_here = *category == Category::Spot && market.rules.base == asset;
            market.last_price.filter(|_| is_here)
        });
        let dollars = match price {
            _ if settles => equity,
            Some(price) => Quantity::new(equity.get()).notional(price, Rounding::HalfEven)?,
            None => Value::ZERO,
        };
        let row = json!({
            "availableToBorrow": "",
            "bonus": "0",
            "accruedInterest": "0",
            "availableToWithdraw": "",
            "totalOrderIM": margins.orders.to_string(),
            "equity": equity.to_string(),
            "totalPositionMM": margins.maintenance.to_string(),
            "usdValue": dollars.to_string(),
            "spotHedgingQty": "0",
            "unrealisedPnl": margins.unrealized.to_string(),
            "collateralSwitch": settles,
            "borrowAmount": "0",
            "totalPositionIM": margins.initial.to_string(),
            "walletBalance": margins.wallet.to_string(),
            "cumRealisedPnl": "0",
            "locked": margins.locked.to_string(),
            "marginCollateral": settles,
            "coin": asset.as_str(),
            "spotBorrow": "0",
        });
        let margin = if settles { margins } else { Margins::default() };
        let balance = margin.wallet.add(margin.unrealized)?;
        let initial = margin.initial.add(margin.orders)?;
        Ok((row, [dollars, balance, initial, margin.maintenance]))
    }
}

/// `GET /v5/account/wallet-balance`.
pub(super) fn balances(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Json, ApiError> {
    if call.params.required("accountType")? != "UNIFIED" {
        return Err(ApiError::params("accountType only support UNIFIED."));
    }
    let account = exchange.account(call.account);
    let holdings = account.at(exchange.read_ms());
    let (mut coins, mut sums) = (Vec::new(), [Value::ZERO; 4]);
    for asset in holdings.unified.keys() {
        let (row, parts) = exchange.coin_row(call.account, *asset, holdings)?;
        coins.push(row);
        for (sum, part) in sums.iter_mut().zip(parts) {
            *sum = sum.add(part)?;
        }
    }
    let [equity, margin, initial, maintenance] = sums;
    let rate = |part: Value| -> Result<String, ApiError> {
        if account.is_isolated {
            return Ok(String::new());
        }
        if margin.is_zero() {
            return Ok("0".to_owned());
        }
        let rate = part.ratio(margin, Rounding::HalfEven)?.get();
        Ok(rate.round_to_decimals(4, Rounding::HalfEven)?.to_string())
    };
    let text = |value: Value| value.to_string();
    let available = margin.sub(initial)?.max(Value::ZERO);
    Ok(json!({ "list": [{
        "totalEquity": text(equity),
        "accountIMRate": rate(initial)?,
        "accountIMRateByMp": rate(initial)?,
        "totalMarginBalance": text(margin),
        "totalInitialMargin": text(initial),
        "totalInitialMarginByMp": text(initial),
        "accountType": "UNIFIED",
        "totalAvailableBalance": text(available),
        "accountMMRate": rate(maintenance)?,
        "accountMMRateByMp": rate(maintenance)?,
        "totalPerpUPL": "0",
        "totalWalletBalance": text(equity),
        "accountLTV": "0",
        "totalMaintenanceMargin": text(maintenance),
        "totalMaintenanceMarginByMp": text(maintenance),
        "coin": coins,
    }] }))
}

/// `GET /v5/account/transaction-log`: newest first; a day, where no time is named.
pub(super) fn log(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Json, ApiError> {
    let params = call.params;
    let category = params.text("category").map(|_| params.category());
    let category = category.transpose()?;
    let page = Page::read(params, exchange.now, (20, 50), Some((DAY_MS, WEEK_MS)))?;
    let (kind, coin) = (params.text("type"), params.asset("currency")?);
    let rows = exchange.account(call.account).log.iter().rev();
    let rows = rows.filter(|row| {
        row.time_ms <= exchange.rows_ms()
            && kind.is_none_or(|kind| kind == log_word(row.kind))
            && coin.is_none_or(|coin| coin == row.coin)
            && category.is_none_or(|wanted| row.of.is_none_or(|(of, _)| of == wanted))
    });
    let rows = rows.map(|row| (row.number, row.time_ms, log_row(call.account, row)));
    let (list, cursor) = page.cut(rows.collect());
    let list = exchange.rows(list);
    Ok(json!({ "nextPageCursor": cursor, "list": list }))
}

fn log_row(account: u32, row: &LogRow) -> Json {
    let (category, symbol) = row.of.map_or(("", String::new()), |(category, symbol)| {
        (category.word(), symbol.to_string())
    });
    let funding = match row.kind {
        LogKind::Funding => row.funding.to_string(),
        _ => String::new(),
    };
    json!({
        "transSubType": "",
        "id": format!("{account}_{symbol}_{}", row.number),
        "symbol": symbol,
        "side": row.side.map_or("None", side_word),
        "funding": funding,
        "orderLinkId": "",
        "orderId": row.ids.0,
        "fee": row.fee.to_string(),
        "change": row.change.to_string(),
        "cashFlow": row.cash_flow.to_string(),
        "transactionTime": row.time_ms.to_string(),
        "type": log_word(row.kind),
        "feeRate": row.rate.to_string(),
        "bonusChange": "",
        "size": row.size.to_string(),
        "qty": row.quantity.to_string(),
        "cashBalance": row.balance.to_string(),
        "currency": row.coin.as_str(),
        "category": category,
        "tradePrice": row.price.to_string(),
        "tradeId": row.ids.1,
        "extraFees": "",
    })
}
