//! What USD-M answers about an account: orders, fills, balances, positions, income.

use basis_core::num::Fixed18;
use basis_core::types::{PositionSide, Symbol};
use serde_json::{Value, json};

use super::margin::Margins;
use super::streams::entry_price;
use super::{position_side_word, replies, text};
use crate::server::binance::account::{Income, Position, UsdMState};
use crate::server::binance::error::ApiError;
use crate::server::binance::market::{Fill, Order, OrderState};
use crate::server::binance::orders::{Page, side_word};
use crate::server::binance::routes::Call;
use crate::server::binance::settings::Product;
use crate::server::binance::{Exchange, rows};

const DAY_MS: i64 = 86_400_000;
/// An order that died without a fill is gone this long after it was made.
const UNFILLED_MS: i64 = 3 * DAY_MS;
/// Any dead order is gone this long after it was made.
const KEPT_MS: i64 = 90 * DAY_MS;
/// The longest window of fills, orders and income, and the one when none is named.
const WINDOW_MS: i64 = 7 * DAY_MS;

/// Whether an order can still be looked up.
fn is_kept(order: &Order, state: &OrderState, now: i64) -> bool {
    let age = now.saturating_sub(order.created_ms);
    let most = if state.executed.is_zero() {
        UNFILLED_MS
    } else {
        KEPT_MS
    };
    state.status.is_open() || age <= most
}

/// `GET /fapi/v1/order`.
pub(in crate::server::binance) fn order(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    one_order(exchange, call, is_kept)
}

/// `GET /fapi/v1/openOrder`.
pub(in crate::server::binance) fn open_order(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    one_order(exchange, call, |_, state, _| state.status.is_open())
}

fn one_order(
    exchange: &Exchange,
    call: &Call<'_>,
    is_shown: impl Fn(&Order, &OrderState, i64) -> bool,
) -> Result<Value, ApiError> {
    let missing = ApiError::no_such_order;
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let order = Exchange::named_order(market, call.account, call.params, missing)?;
    let state = order.as_of(exchange.read_ms());
    let state = state.filter(|state| is_shown(order, state, exchange.now));
    let state = state.ok_or_else(missing)?;
    replies::row(market.listing.rules.key.symbol, order, &state)
}

/// `GET /fapi/v1/openOrders`.
pub(in crate::server::binance) fn open_orders(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let at = exchange.read_ms();
    let mut open = Vec::new();
    for market in exchange.markets_of(Product::UsdM, call.params.symbol()?)? {
        let symbol = market.listing.rules.key.symbol;
        for order in market.orders.values().filter(|o| o.account == call.account) {
            if let Some(state) = order.as_of(at).filter(|state| state.status.is_open()) {
                open.push(replies::row(symbol, order, &state)?);
            }
        }
    }
    Ok(Value::Array(open))
}

/// `GET /fapi/v1/allOrders`.
pub(in crate::server::binance) fn all_orders(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let (now, at) = (exchange.now, exchange.read_ms());
    let page = Page::read(call.params, "orderId", WINDOW_MS, (500, 1000))?;
    let page = page.starting(now.saturating_sub(WINDOW_MS));
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let of_account = market.orders.values().filter(|o| o.account == call.account);
    let seen = of_account.filter_map(|order| Some((order, order.as_of(at)?)));
    let kept = seen.filter(|(order, state)| is_kept(order, state, now));
    let symbol = market.listing.rules.key.symbol;
    let wanted = page.cut(kept.collect(), |(order, _)| (order.id, order.created_ms));
    let list = wanted
        .iter()
        .map(|(order, state)| replies::row(symbol, order, state));
    Ok(Value::Array(list.collect::<Result<_, _>>()?))
}

/// `GET /fapi/v1/userTrades`.
pub(in crate::server::binance) fn fills(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let (now, at) = (exchange.now, exchange.rows_ms());
    let page = Page::read(call.params, "fromId", WINDOW_MS, (500, 1000))?;
    if page.from_id.is_some() && page.has_times() {
        let text = "Combination of optional parameters invalid.";
        return Err(ApiError::new(-1128, text));
    }
    let page = page.starting(now.saturating_sub(WINDOW_MS));
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let wanted = call.params.id("orderId")?;
    let listed: Vec<&Fill> = market
        .fills_of(call.account)
        .filter(|fill| fill.time_ms <= at && now.saturating_sub(fill.time_ms) <= KEPT_MS)
        .filter(|fill| wanted.is_none_or(|order| fill.order == order))
        .collect();
    let rules = &market.listing.rules;
    let symbol = rules.key.symbol;
    let list = page.cut(listed, |fill| (fill.trade, fill.time_ms));
    let list = list.into_iter().map(|fill| {
        json!({
            "buyer": fill.side == basis_core::types::Side::Buy,
            "commission": text(fill.commission.get()),
            "commissionAsset": fill.commission_asset.as_str(),
            "id": fill.trade,
            "maker": fill.is_maker,
            "orderId": fill.order,
            "price": fill.price.to_string(),
            "qty": fill.quantity.to_string(),
            "quoteQty": fill.quote.to_string(),
            "marginAsset": rules.quote.as_str(),
            "realizedPnl": text(fill.realized.get()),
            "side": side_word(fill.side),
            "positionSide": position_side_word(fill.position_side),
            "symbol": symbol.as_str(),
            "time": fill.time_ms,
        })
    });
    Ok(rows(list.collect(), exchange.settings.behavior))
}

/// `GET /fapi/v1/income`.
pub(in crate::server::binance) fn income(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let (now, at) = (exchange.now, exchange.rows_ms());
    let page = Page::read(call.params, "fromId", WINDOW_MS, (100, 1000))?;
    let page = page.starting(now.saturating_sub(WINDOW_MS));
    let kind = call.params.get("incomeType");
    let symbol = call.params.symbol()?;
    let account = exchange.account(call.account);
    let listed: Vec<&Income> = account
        .usdm
        .income
        .iter()
        .filter(|row| row.time_ms <= at && now.saturating_sub(row.time_ms) <= KEPT_MS)
        .filter(|row| kind.is_none_or(|kind| row.kind == kind))
        .filter(|row| symbol.is_none_or(|symbol| row.symbol == Some(symbol)))
        .collect();
    let list = page.cut(listed, |row| (row.id, row.time_ms));
    let list = list.into_iter().map(|row| {
        json!({
            "symbol": row.symbol.as_ref().map_or("", Symbol::as_str),
            "incomeType": row.kind,
            "income": text(row.amount.get()),
            "asset": row.asset.as_str(),
            "info": row.kind,
            "time": row.time_ms,
            "tranId": row.id,
            "tradeId": row.trade.map_or_else(String::new, |trade| trade.to_string()),
        })
    });
    Ok(rows(list.collect(), exchange.settings.behavior))
}

/// The account as reads see it: as it was, where they are stale.
fn seen(exchange: &Exchange, account: u32) -> UsdMState {
    let at = exchange.read_ms();
    let state = exchange.account(account).usdm_at(at).cloned();
    state.unwrap_or_default()
}

/// `GET /fapi/v3/balance`.
pub(in crate::server::binance) fn balance(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let state = seen(exchange, call.account);
    let mut list = Vec::new();
    for (asset, wallet) in &state.wallet {
        let margins = exchange.margins(call.account, *asset, *wallet, &state.positions)?;
        let available = margins.available()?.get();
        list.push(json!({
            "accountAlias": "SgsR",
            "asset": asset.as_str(),
            "balance": text(wallet.get()),
            "crossWalletBalance": text(margins.wallet.sub(margins.isolated)?.get()),
            "crossUnPnl": text(margins.cross_unrealized.get()),
            "availableBalance": text(available),
            "maxWithdrawAmount": text(available),
            "marginAvailable": true,
            "updateTime": exchange.account(call.account).usdm.updated_ms,
        }));
    }
    Ok(Value::Array(list))
}

/// `GET /fapi/v3/account`.
pub(in crate::server::binance) fn account(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let state = seen(exchange, call.account);
    let updated = exchange.account(call.account).usdm.updated_ms;
    let usdt = basis_core::types::Asset::literal("USDT");
    let mut assets = Vec::new();
    let mut total = Margins::default();
    for (asset, wallet) in &state.wallet {
        let margins = exchange.margins(call.account, *asset, *wallet, &state.positions)?;
        let fields = margin_fields(&margins)?;
        let mut row = json!({ "asset": asset.as_str(), "updateTime": updated });
        for (name, number) in fields {
            if let Some(row) = row.as_object_mut() {
                row.insert(name.to_owned(), json!(text(number)));
            }
        }
        assets.push(row);
        // In single-asset mode the totals are those of USDT.
        if *asset == usdt {
            total = margins;
        }
    }
    let mut reply = json!({ "assets": assets });
    for (name, number) in margin_fields(&total)? {
        let total_name = match name {
            "unrealizedProfit" => "totalUnrealizedProfit".to_owned(),
            "availableBalance" | "maxWithdrawAmount" => name.to_owned(),
            _ => {
                let (first, rest) = name.split_at(1);
                format!("total{}{rest}", first.to_ascii_uppercase())
            }
        };
        if let Some(reply) = reply.as_object_mut() {
            reply.insert(total_name, json!(text(number)));
        }
    }
    let mut list = Vec::new();
    for ((symbol, side), position) in &state.positions {
        if !position.perp.quantity.is_zero() {
            list.push(account_position(
                exchange,
                call.account,
                *symbol,
                *side,
                position,
            )?);
        }
    }
    if let Some(reply) = reply.as_object_mut() {
        reply.insert("positions".to_owned(), Value::Array(list));
    }
    Ok(reply)
}

fn margin_fields(margins: &Margins) -> Result<[(&'static str, Fixed18); 11], ApiError> {
    let available = margins.available()?.get();
    Ok([
        ("initialMargin", margins.initial.add(margins.orders)?.get()),
        ("maintMargin", margins.maintenance.get()),
        ("walletBalance", margins.wallet.get()),
        ("unrealizedProfit", margins.unrealized.get()),
        (
            "marginBalance",
            margins.wallet.add(margins.unrealized)?.get(),
        ),
        ("positionInitialMargin", margins.initial.get()),
        ("openOrderInitialMargin", margins.orders.get()),
        (
            "crossWalletBalance",
            margins.wallet.sub(margins.isolated)?.get(),
        ),
        ("crossUnPnl", margins.cross_unrealized.get()),
        ("availableBalance", available),
        ("maxWithdrawAmount", available),
    ])
}

fn account_position(
    exchange: &Exchange,
    account: u32,
    symbol: Symbol,
    side: Option<PositionSide>,
    position: &Position,
) -> Result<Value, ApiError> {
    let here = exchange.position_margin(account, symbol, &position.perp)?;
    let isolated = exchange.account(account).config(symbol).isolated;
    let kept = position.isolated_wallet;
    let margin = if isolated {
        basis_core::num::Value::new(kept.get()).add(here.unrealized)?
    } else {
        basis_core::num::Value::ZERO
    };
    let mark = exchange.mark(symbol).unwrap_or_default();
    let notional = position
        .perp
        .quantity
        .notional(mark, basis_core::num::Rounding::HalfEven)?;
    Ok(json!({
        "symbol": symbol.as_str(),
        "positionSide": position_side_word(side),
        "positionAmt": position.perp.quantity.to_string(),
        "unrealizedProfit": text(here.unrealized.get()),
        "isolatedMargin": text(margin.get()),
        "notional": notional.to_string(),
        "isolatedWallet": kept.to_string(),
        "initialMargin": here.initial.to_string(),
        "maintMargin": here.maintenance.to_string(),
        "updateTime": position.updated_ms,
    }))
}

/// `GET /fapi/v3/positionRisk`: symbols with a position or an open order.
pub(in crate::server::binance) fn positions(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let state = seen(exchange, call.account);
    let account = exchange.account(call.account);
    let sides: &[Option<PositionSide>] = if account.usdm.is_hedge {
        &[Some(PositionSide::Long), Some(PositionSide::Short)]
    } else {
        &[None]
    };
    let mut list = Vec::new();
    for market in exchange.markets_of(Product::UsdM, call.params.symbol()?)? {
        let symbol = market.listing.rules.key.symbol;
        let held = |side: &Option<PositionSide>| {
            let position = state.positions.get(&(symbol, *side)).copied();
            position.unwrap_or_default()
        };
        let has_orders = market.open_orders(call.account).next().is_some();
        let has_position = sides.iter().any(|side| !held(side).perp.quantity.is_zero());
        if !has_orders && !has_position {
            continue;
        }
        for side in sides {
            list.push(risk_row(
                exchange,
                call.account,
                symbol,
                *side,
                &held(side),
            )?);
        }
    }
    Ok(Value::Array(list))
}

fn risk_row(
    exchange: &Exchange,
    account: u32,
    symbol: Symbol,
    side: Option<PositionSide>,
    position: &Position,
) -> Result<Value, ApiError> {
    let mut row = account_position(exchange, account, symbol, side, position)?;
    let here = exchange.position_margin(account, symbol, &position.perp)?;
    let market = exchange.market(Product::UsdM, symbol)?;
    let mut bound = basis_core::num::Quantity::ZERO;
    let (mut bids, mut asks) = (Fixed18::ZERO, Fixed18::ZERO);
    for order in market
        .open_orders(account)
        .filter(|o| o.position_side == side)
    {
        bound = bound.add(order.held)?;
        let value = order
            .remaining()
            .notional(order.state.price, basis_core::num::Rounding::Ceil)?;
        match order.side {
            basis_core::types::Side::Buy => bids = bids.add(value.get())?,
            basis_core::types::Side::Sell => asks = asks.add(value.get())?,
        }
    }
    let entry = entry_price(&position.perp)?.to_string();
    let liquidation = exchange.liquidation_price(account, symbol, position)?;
    if let Some(row) = row.as_object_mut() {
        row.remove("unrealizedProfit");
    }
    let initial = here.initial.get().add(bound.get())?;
    crate::server::binance::spot::replies::add(
        &mut row,
        json!({
            "entryPrice": entry,
            "breakEvenPrice": entry,
            "markPrice": text(exchange.mark(symbol).unwrap_or_default().get()),
            "unRealizedProfit": text(here.unrealized.get()),
            "liquidationPrice": liquidation.to_string(),
            "marginAsset": market.listing.rules.quote.as_str(),
            "initialMargin": initial.to_string(),
            "positionInitialMargin": here.initial.to_string(),
            "openOrderInitialMargin": bound.to_string(),
            "adl": 1,
            "bidNotional": bids.to_string(),
            "askNotional": asks.to_string(),
        }),
    );
    Ok(row)
}

impl Exchange {
    /// The price that liquidates a position, zero where none does.
    fn liquidation_price(
        &self,
        account: u32,
        symbol: Symbol,
        position: &Position,
    ) -> Result<Fixed18, ApiError> {
        use basis_core::num::{Rounding, Value};
        let rules = &self.market(Product::UsdM, symbol)?.listing.rules;
        let Some(perp) = rules.perp.as_ref() else {
            return Ok(Fixed18::ZERO);
        };
        if position.perp.quantity.is_zero() {
            return Ok(Fixed18::ZERO);
        }
        let wallet = if self.account(account).config(symbol).isolated {
            Value::new(position.isolated_wallet.get())
        } else {
            let margins = self.margins_now(account, rules.quote)?;
            let here = self.position_margin(account, symbol, &position.perp)?;
            let cross = margins.wallet.sub(margins.isolated)?;
            let others = margins.cross_unrealized.sub(here.unrealized)?;
            cross
                .add(others)?
                .sub(margins.maintenance.sub(here.maintenance)?)?
        };
        let solved = basis_protocols::exchange::liquidation::liquidation_price(
            perp,
            &position.perp,
            wallet,
            Rounding::HalfEven,
        )?;
        let price = solved.filter(|price| price.is_positive());
        let price = price.unwrap_or(Fixed18::ZERO);
        Ok(price.round_to_decimals(8, Rounding::HalfEven)?)
    }
}
