//! The trading account: balances, positions, settings, fees, bills.

use basis_core::num::{Fixed18, Quantity, Rounding, Value};
use basis_core::types::{Asset, Side, Symbol};
use basis_protocols::exchange::margin::{initial_margin, leverage_max};
use serde_json::{Value as Json, json};

use super::error::ApiError;
use super::params::Page;
use super::routes::Call;
use super::settings::AccountLevel;
use super::words::{cost, position_word, product_word};
use super::{Category, Exchange, LogKind, LogRow, Position, sized};
use crate::server::unified::{Holdings, Wallet, joined};

const DAY_MS: i64 = 86_400_000;
const BILLS_MS: i64 = 7 * DAY_MS;
const ARCHIVE_MS: i64 = 90 * DAY_MS;
const ROWS_MAX: usize = 100;

/// `GET /api/v5/account/balance`.
pub(super) fn balance(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Json>, ApiError> {
    let wanted = call.params().coins()?;
    let holdings = exchange.account(call.account).at(exchange.read_ms());
    let (mut details, mut total) = (Vec::new(), Value::ZERO);
    for coin in holdings.unified.keys() {
        let (row, dollars) = exchange.coin_row(call.account, *coin, holdings)?;
        total = total.add(dollars)?;
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(coin)) {
            details.push(row);
        }
    }
    Ok(vec![json!({
        "uTime": exchange.now.to_string(),
        "totalEq": total.to_string(),
        "isoEq": "0",
        "adjEq": "",
        "availEq": "",
        "ordFroz": "",
        "imr": "",
        "mmr": "",
        "borrowFroz": "",
        "mgnRatio": "",
        "notionalUsd": "",
        "notionalUsdForBorrow": "",
        "notionalUsdForFutures": "",
        "notionalUsdForOption": "",
        "notionalUsdForSwap": "",
        "upl": "",
        "details": details,
    })])
}

impl Exchange {
    /// A currency, and its value in dollars where it is one, or has a price here.
    fn coin_row(
        &self,
        id: u32,
        coin: Asset,
        holdings: &Holdings,
    ) -> Result<(Json, Value), ApiError> {
        let margins = self.margins(id, coin, holdings)?;
        let equity = margins.wallet.add(margins.unrealized)?;
        let settles = self
            .markets
            .iter()
            .any(|((of, _), market)| *of == Category::Linear && market.rules.quote == coin);
        let price = self.markets.iter().find_map(|((of, _), market)| {
            let is_here = *of == Category::Spot && market.rules.base == coin;
            market.last_price.filter(|_| is_here)
        });
        let dollars = match price {
            _ if settles => equity,
            Some(price) => Quantity::new(equity.get()).notional(price, Rounding::HalfEven)?,
            None => Value::ZERO,
        };
        let held = margins.locked.add(margins.orders)?;
        let frozen = held.add(margins.initial)?;
        let available = margins.available()?.max(Value::ZERO);
        let ratio = if margins.maintenance.is_zero() {
            String::new()
        } else {
            let ratio = equity.ratio(margins.maintenance, Rounding::HalfEven)?.get();
            ratio.round_to_decimals(8, Rounding::HalfEven)?.to_string()
        };
        let row = json!({
            "ccy": coin.as_str(),
            "eq": equity.to_string(),
            "cashBal": margins.wallet.to_string(),
            "uTime": self.now.to_string(),
            "isoEq": "0",
            "availEq": available.to_string(),
            "availBal": available.to_string(),
            "disEq": dollars.to_string(),
            "fixedBal": "0",
            "frozenBal": frozen.to_string(),
            "ordFrozen": held.to_string(),
            "upl": margins.unrealized.to_string(),
            "mgnRatio": ratio,
            "imr": margins.initial.to_string(),
            "mmr": margins.maintenance.to_string(),
            "eqUsd": dollars.to_string(),
            "collateralEnabled": settles,
        });
        Ok((joined(row, without_loans()), dollars))
    }
}

/// What borrowing, copied and automatic trading would fill in.
fn without_loans() -> Json {
    json!({
        "accAvgPx": "",
        "borrowFroz": "",
        "clSpotInUseAmt": "",
        "colBorrAutoConversion": "0",
        "collateralRestrict": false,
        "colRes": "0",
        "crossLiab": "",
        "interest": "",
        "isoLiab": "",
        "isoUpl": "0",
        "liab": "",
        "maxLoan": "",
        "maxSpotInUseAmt": "",
        "notionalLever": "0",
        "openAvgPx": "",
        "rewardBal": "0",
        "smtSyncEq": "0",
        "spotBal": "",
        "spotCopyTradingEq": "0",
        "spotInUseAmt": "",
        "spotIsoBal": "0",
        "spotUpl": "",
        "spotUplRatio": "",
        "stgyEq": "0",
        "totalPnl": "",
        "totalPnlRatio": "",
        "twap": "0",
        "uplLiab": "",
    })
}

/// `GET /api/v5/account/positions`: what is held.
pub(super) fn positions(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    let params = call.params();
    if params.product()? == Some(Category::Spot) {
        return Ok(Vec::new());
    }
    let named = params.text("instId").map(|name| exchange.named(name));
    let named = named.transpose()?;
    let holdings = exchange.account(call.account).at(exchange.read_ms());
    let mut rows = Vec::new();
    for ((symbol, index), position) in &holdings.positions {
        let is_wanted = named.is_none_or(|named| named == (Category::Linear, *symbol));
        if is_wanted && !position.perp.quantity.is_zero() {
            rows.push(exchange.position_row(call.account, (*symbol, *index), position)?);
        }
    }
    Ok(rows)
}

impl Exchange {
    fn position_row(
        &self,
        id: u32,
        (symbol, index): (Symbol, u8),
        position: &Position,
    ) -> Result<Json, ApiError> {
        let account = self.account(id);
        let market = self.market(Category::Linear, symbol)?;
        let (rules, perp) = (&market.rules, &position.perp);
        let size = perp.quantity.abs()?;
        let mark = self.mark(symbol).unwrap_or_default();
        let (unrealized, initial, maintenance) = self.position_margin(account, symbol, perp)?;
        let average = perp.cost.get().abs()?.div(size.get(), Rounding::HalfEven)?;
        // Signed in net mode alone.
        let shown = if index == 0 { perp.quantity } else { size };
        let holdings = account.at(self.read_ms());
        let margins = self.margins(id, rules.quote, holdings)?;
        let equity = margins.wallet.add(margins.unrealized)?;
        let ratio = if margins.maintenance.is_zero() {
            Fixed18::ZERO
        } else {
            equity.ratio(margins.maintenance, Rounding::HalfEven)?.get()
        };
        let row = json!({
            "instType": "SWAP",
            "instId": rules.venue_symbol.as_str(),
            "mgnMode": "cross",
            "posId": format!("{}{id:03}{index}", self.code_of(symbol)),
            "posSide": position_word(Category::Linear, index),
            "pos": sized(rules, shown)?.to_string(),
            "availPos": if index == 0 { String::new() } else { sized(rules, size)?.to_string() },
            "avgPx": average.to_string(),
            "markPx": mark.to_string(),
            "idxPx": market.index.to_string(),
            "last": market.last_price.unwrap_or_default().to_string(),
            "lever": account.leverage(symbol).to_string(),
            "liqPx": "",
            "upl": unrealized.to_string(),
            "imr": initial.to_string(),
            "mmr": maintenance.to_string(),
            "mgnRatio": ratio.to_string(),
            "margin": "",
            "notionalUsd": size.notional(mark, Rounding::HalfEven)?.to_string(),
            "ccy": rules.quote.as_str(),
            "tradeId": market.trades.to_string(),
            "cTime": position.updated_ms.to_string(),
            "uTime": position.updated_ms.to_string(),
        });
        Ok(joined(row, without_options()))
    }
}

/// What options, borrowing and results since the opening would fill in.
fn without_options() -> Json {
    json!({
        "adl": "1",
        "baseBal": "",
        "baseBorrowed": "",
        "baseInterest": "",
        "bePx": "",
        "bizRefId": "",
        "bizRefType": "",
        "clSpotInUseAmt": "",
        "closeOrderAlgo": [],
        "deltaBS": "",
        "deltaPA": "",
        "fee": "",
        "fundingFee": "",
        "gammaBS": "",
        "gammaPA": "",
        "interest": "",
        "liab": "",
        "liabCcy": "",
        "liqPenalty": "",
        "maxSpotInUseAmt": "",
        "nonSettleAvgPx": "",
        "optVal": "",
        "pendingCloseOrdLiabVal": "",
        "pnl": "",
        "posCcy": "",
        "quoteBal": "",
        "quoteBorrowed": "",
        "quoteInterest": "",
        "realizedPnl": "",
        "settledPnl": "",
        "spotInUseAmt": "",
        "spotInUseCcy": "",
        "thetaBS": "",
        "thetaPA": "",
        "uplLastPx": "",
        "uplRatio": "",
        "uplRatioLastPx": "",
        "usdPx": "",
        "vegaBS": "",
        "vegaPA": "",
    })
}

/// `GET /api/v5/account/config`: how the account is set up, and what this key may do.
pub(super) fn config(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Json>, ApiError> {
    let profile = exchange.profile(call.account);
    let key = exchange.own.keys.get(call.key);
    let may = key.expect("invariant: the key was admitted").permissions;
    let words = [
        ("read_only", true),
        ("withdraw", may.withdraw),
        ("trade", may.trade),
    ];
    let words = words.iter().filter(|(_, allowed)| *allowed);
    let words: Vec<&str> = words.map(|(word, _)| *word).collect();
    Ok(vec![json!({
        "uid": call.account.to_string(),
        "mainUid": call.account.to_string(),
        "acctLv": profile.level.word(),
        "acctStpMode": "cancel_maker",
        "posMode": if profile.is_hedge { "long_short_mode" } else { "net_mode" },
        "autoLoan": false,
        "greeksType": "PA",
        "feeType": if profile.fees_in_quote { "1" } else { "0" },
        "level": "Lv1",
        "levelTmp": "",
        "ctIsoMode": "automatic",
        "mgnIsoMode": "automatic",
        "spotOffsetType": "",
        "roleType": "0",
        "traderInsts": [],
        "spotRoleType": "0",
        "spotTraderInsts": [],
        "opAuth": "0",
        "kycLv": "2",
        "label": "",
        "ip": if may.ip_restrict { "127.0.0.1" } else { "" },
        "perm": words.join(","),
        "liquidationGear": "-1",
        "enableSpotBorrow": false,
        "spotBorrowAutoRepay": false,
        "type": "0",
        "stgyType": "0",
        "settleCcy": "USDT",
        "settleCcyList": ["USDT"],
    })])
}

/// `GET /api/v5/account/leverage-info`.
pub(super) fn leverage(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    let params = call.params();
    let (category, symbol) = exchange.named(params.required("instId")?)?;
    let mode = params.required("mgnMode")?;
    if category == Category::Spot || mode != "cross" {
        return Err(ApiError::parameter("mgnMode"));
    }
    Ok(vec![exchange.leverage_row(call.account, symbol)?])
}

/// `POST /api/v5/account/set-leverage`: of one swap in cross mode.
pub(super) fn set_leverage(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    let params = call.params();
    let (category, symbol) = exchange.named(params.required("instId")?)?;
    let leverage = params.number("lever")?;
    let leverage = leverage.ok_or_else(|| ApiError::missing("lever"))?;
    if category == Category::Spot || params.required("mgnMode")? != "cross" {
        return Err(ApiError::parameter("mgnMode"));
    }
    match exchange.profile(call.account).level {
        AccountLevel::Spot => {
            let text = "You can't complete this request under your current account mode.";
            return Err(ApiError::new(51_010, text));
        }
        AccountLevel::Portfolio => {
            let text = "Leverage can't be modified in portfolio margin mode.";
            return Err(ApiError::new(51_039, text));
        }
        AccountLevel::Futures | AccountLevel::MultiCurrency => {}
    }
    exchange.check_leverage(call.account, symbol, leverage)?;
    let account = exchange.account_mut(call.account);
    account.leverage.insert(symbol, leverage);
    Ok(vec![exchange.leverage_row(call.account, symbol)?])
}

impl Exchange {
    fn leverage_row(&self, account: u32, symbol: Symbol) -> Result<Json, ApiError> {
        let rules = &self.market(Category::Linear, symbol)?.rules;
        Ok(json!({
            "instId": rules.venue_symbol.as_str(),
            "ccy": "",
            "mgnMode": "cross",
            "posSide": if self.profile(account).is_hedge { "" } else { "net" },
            "lever": self.account(account).leverage(symbol).to_string(),
        }))
    }

    /// Whether nothing is pending, and positions stay within their tier and the account's margin.
    fn check_leverage(&self, id: u32, symbol: Symbol, leverage: Fixed18) -> Result<(), ApiError> {
        let market = self.market(Category::Linear, symbol)?;
        let most = market
            .rules
            .perp
            .as_ref()
            .map_or(Fixed18::ONE, |perp| perp.max_leverage);
        let step = Fixed18::literal("0.01");
        if leverage < Fixed18::ONE || leverage > most || !leverage.is_multiple_of(step) {
            return Err(ApiError::new(59_102, "Leverage exceeds the maximum limit."));
        }
        if market.open_orders(id).next().is_some() {
            let text = "Leverage can't be modified. Please cancel all pending orders of the instrument first.";
            return Err(ApiError::new(59_107, text));
        }
        let (Some(perp), Some(mark)) = (&market.rules.perp, self.mark(symbol)) else {
            return Ok(());
        };
        let account = self.account(id);
        for index in 0..=2 {
            let held = account.position(symbol, index).perp;
            let size = held.quantity.abs()?;
            if size.is_zero() {
                continue;
            }
            if leverage > leverage_max(perp, size, mark)? {
                return Err(ApiError::new(59_102, "Leverage exceeds the maximum limit."));
            }
            let (_, bound, _) = self.position_margin(account, symbol, &held)?;
            let more = initial_margin(held.quantity, mark, leverage)?.sub(bound)?;
            let available = self.margins_now(id, market.rules.quote)?.available()?;
            if more.is_positive() && available < more {
                let text = "Leverage is too low. There isn't enough margin in your account.";
                return Err(ApiError::new(59_103, text));
            }
        }
        Ok(())
    }

    /// Every swap.
    pub(super) fn swaps(&self) -> impl Iterator<Item = Symbol> + '_ {
        let keys = self
            .markets
            .keys()
            .filter(|(of, _)| *of == Category::Linear);
        keys.map(|(_, symbol)| *symbol)
    }
}

/// `POST /api/v5/account/set-position-mode`: for the whole account.
pub(super) fn set_position_mode(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    let word = call.params().required("posMode")?;
    let is_hedge = match word {
        "net_mode" => false,
        "long_short_mode" => true,
        _ => return Err(ApiError::parameter("posMode")),
    };
    let profile = exchange.profile(call.account);
    if profile.level == AccountLevel::Portfolio && is_hedge {
        let text = "The current account mode only supports net mode.";
        return Err(ApiError::new(51_041, text));
    }
    if profile.is_hedge != is_hedge {
        let positions = &exchange.account(call.account).holdings.positions;
        let mut held = positions.values();
        let is_held = held.any(|position| !position.perp.quantity.is_zero());
        let mut markets = exchange.markets.iter();
        let has_orders = markets.any(|((of, _), market)| {
            *of == Category::Linear && market.open_orders(call.account).next().is_some()
        });
        if is_held || has_orders {
            let text = "Setting failed. Cancel any open orders, close positions, and stop trading bots first.";
            return Err(ApiError::new(59_000, text));
        }
        exchange.set_hedge(call.account, is_hedge);
    }
    Ok(vec![json!({ "posMode": word })])
}

/// `GET /api/v5/account/trade-fee`: what is paid is below zero.
pub(super) fn fees(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Json>, ApiError> {
    let params = call.params();
    let category = params.required_product()?;
    let terms = &exchange.account(call.account).terms;
    let rates = match category {
        Category::Spot => terms.spot_fees,
        Category::Linear => terms.linear_fees,
    };
    let (maker, taker) = (cost(rates.maker.get()), cost(rates.taker.get()));
    let group = json!([{ "groupId": "1", "maker": maker, "taker": taker }]);
    let (spot, swap) = match category {
        Category::Spot => ((maker, taker), (String::new(), String::new())),
        Category::Linear => ((String::new(), String::new()), (maker, taker)),
    };
    Ok(vec![json!({
        "category": "1",
        "delivery": "",
        "exercise": "",
        "feeGroup": group,
        "fiat": [],
        "instType": product_word(category),
        "isSpecial": false,
        "level": "Lv1",
        "maker": spot.0,
        "taker": spot.1,
        "makerU": swap.0,
        "takerU": swap.1,
        "makerUSDC": "",
        "takerUSDC": "",
        "settle": "",
        "ruleType": "normal",
        "ts": exchange.now.to_string(),
    })])
}

/// `GET /api/v5/account/max-withdrawal`: how much of a currency can leave the trading account.
pub(super) fn withdrawable(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    let account = exchange.account(call.account);
    let held = || account.holdings.unified.keys().copied().collect();
    let coins = call.params().coins()?.unwrap_or_else(held);
    let mut rows = Vec::new();
    for coin in coins {
        let free = exchange.movable(call.account, Wallet::Unified, coin)?;
        rows.push(json!({
            "ccy": coin.as_str(),
            "maxWd": free.to_string(),
            "maxWdEx": free.to_string(),
            "spotOffsetMaxWd": "0",
            "spotOffsetMaxWdEx": "0",
        }));
    }
    Ok(rows)
}

/// `GET /api/v5/account/bills`: of seven days.
pub(super) fn bills(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Json>, ApiError> {
    bill_rows(exchange, call, BILLS_MS)
}

/// `GET /api/v5/account/bills-archive`: of three months.
pub(super) fn old_bills(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Json>, ApiError> {
    bill_rows(exchange, call, ARCHIVE_MS)
}

fn bill_rows(exchange: &Exchange, call: &Call<'_>, kept_ms: i64) -> Result<Vec<Json>, ApiError> {
    let params = call.params();
    let page = Page::read(params, ROWS_MAX)?;
    let (product, coins) = (params.product()?, params.coins()?);
    let named = params.text("instId").map(|name| exchange.named(name));
    let named = named.transpose()?;
    let (now, at) = (exchange.now, exchange.rows_ms());
    let mut rows = Vec::new();
    for row in &exchange.account(call.account).log {
        let (kind, subtype) = kind_words(row);
        let is_wanted = row.time_ms <= at
            && now.saturating_sub(row.time_ms) <= kept_ms
            && params.text("type").is_none_or(|wanted| wanted == kind)
            && params
                .text("subType")
                .is_none_or(|wanted| wanted == subtype)
            && coins.as_ref().is_none_or(|coins| coins.contains(&row.coin))
            && product.is_none_or(|product| row.of.is_some_and(|(of, _)| of == product))
            && named.is_none_or(|named| row.of == Some(named));
        if is_wanted {
            rows.push((row.number, row.time_ms, exchange.bill_row(row)?));
        }
    }
    Ok(exchange.rows(page.cut(rows)))
}

/// The numbers of what a bill is of.
fn kind_words(row: &LogRow) -> (&'static str, &'static str) {
    match (row.kind, row.side) {
        (LogKind::TransferIn, _) => ("1", "11"),
        (LogKind::TransferOut, _) => ("1", "12"),
        (LogKind::Trade, Some(Side::Buy)) => ("2", "1"),
        (LogKind::Trade, _) => ("2", "2"),
        (LogKind::Funding, _) if row.funding.is_negative() => ("8", "173"),
        (LogKind::Funding, _) => ("8", "174"),
    }
}

impl Exchange {
    fn bill_row(&self, row: &LogRow) -> Result<Json, ApiError> {
        let (kind, subtype) = kind_words(row);
        let rules = row
            .of
            .map(|(category, symbol)| self.market(category, symbol));
        let rules = rules.transpose()?.map(|market| &market.rules);
        let size = match rules {
            Some(rules) => sized(rules, row.quantity)?,
            None => row.quantity.get(),
        };
        let result = match row.kind {
            LogKind::Funding => row.funding,
            LogKind::Trade if row.of.is_some_and(|(of, _)| of == Category::Linear) => row.cash_flow,
            _ => Quantity::ZERO,
        };
        let (from, to) = match row.kind {
            LogKind::TransferIn => ("6", "18"),
            LogKind::TransferOut => ("18", "6"),
            LogKind::Trade | LogKind::Funding => ("", ""),
        };
        let is_swap = row.of.is_some_and(|(of, _)| of == Category::Linear);
        Ok(json!({
            "billId": row.number.to_string(),
            "instType": row.of.map_or("", |(of, _)| product_word(of)),
            "instId": rules.map_or("", |rules| rules.venue_symbol.as_str()),
            "ccy": row.coin.as_str(),
            "mgnMode": if is_swap { "cross" } else { "" },
            "type": kind,
            "subType": subtype,
            "bal": row.balance.to_string(),
            "balChg": row.change.to_string(),
            "posBal": "0",
            "posBalChg": "0",
            "pnl": result.to_string(),
            "fee": cost(row.fee.get()),
            "sz": size.to_string(),
            "px": if row.price.is_zero() { String::new() } else { row.price.to_string() },
            "ordId": row.ids.0,
            "clOrdId": "",
            "tradeId": "",
            "from": from,
            "to": to,
            "notes": "",
            "interest": "0",
            "tag": "",
            "execType": "",
            "fillTime": row.time_ms.to_string(),
            "fillFwdPx": "",
            "fillIdxPx": "",
            "fillMarkPx": "",
            "fillMarkVol": "",
            "fillPxUsd": "",
            "fillPxVol": "",
            "earnAmt": "",
            "earnApr": "",
            "ts": row.time_ms.to_string(),
        }))
    }
}
