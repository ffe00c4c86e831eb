//! What everybody may read, and the settings of an account.

use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::types::{Side, Symbol};
use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Page;
use super::routes::Call;
use super::{Category, Exchange};
use crate::server::unified::{Market, joined};

/// `GET /v5/market/time`.
pub(super) fn time(exchange: &mut Exchange, _: &mut Call<'_>) -> Result<Value, ApiError> {
    let now = exchange.now;
    Ok(json!({
        "timeSecond": now.div_euclid(1000).to_string(),
        "timeNano": format!("{now}000000"),
    }))
}

/// `GET /v5/market/instruments-info`.
pub(super) fn instruments(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let category = call.params.category()?;
    let named = call.params.symbol(category)?;
    let mut list = Vec::new();
    for symbol in exchange.symbols(category, named)? {
        let market = exchange.market(category, symbol)?;
        list.push(match category {
            Category::Spot => spot_row(market),
            Category::Linear => linear_row(market),
        });
    }
    Ok(match category {
        Category::Spot => json!({ "category": category.word(), "list": list }),
        Category::Linear => {
            json!({ "category": category.word(), "list": list, "nextPageCursor": "" })
        }
    })
}

const fn status(market: &Market) -> &'static str {
    if market.is_trading {
        "Trading"
    } else {
        "PreLaunch"
    }
}

fn spot_row(market: &Market) -> Value {
    let rules = &market.rules;
    json!({
        "symbolId": 9,
        "symbol": rules.venue_symbol.as_str(),
        "baseCoin": rules.base.as_str(),
        "quoteCoin": rules.quote.as_str(),
        "innovation": "0",
        "status": status(market),
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": rules.lot_size.to_string(),
            "quotePrecision": "0.0000001",
            "minOrderQty": rules.min_quantity.to_string(),
            "maxOrderQty": rules.max_quantity.to_string(),
            "minOrderAmt": rules.min_notional.to_string(),
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": rules.max_quantity.to_string(),
            "maxMarketOrderQty": rules.max_market_quantity.to_string(),
            "postOnlyMaxLimitOrderSize": "60000",
        },
        "priceFilter": { "tickSize": rules.tick_size.to_string() },
        "riskParameters": { "priceLimitRatioX": "0.5", "priceLimitRatioY": "0.5" },
        "symbolType": "",
    })
}

fn linear_row(market: &Market) -> Value {
    let rules = &market.rules;
    let perp = rules.perp.as_ref();
    let minutes = perp.map_or(0, |perp| perp.funding_interval.seconds() / 60);
    let leverage = perp.map_or(Fixed18::ONE, |perp| perp.max_leverage);
    let cap = perp.and_then(|perp| perp.funding_rate_max);
    let cap = cap.map_or(Fixed18::literal("0.005"), |cap| cap.get());
    let floor = cap.neg().unwrap_or_default();
    json!({
        "symbol": rules.venue_symbol.as_str(),
        "contractType": "LinearPerpetual",
        "status": status(market),
        "baseCoin": rules.base.as_str(),
        "quoteCoin": rules.quote.as_str(),
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {
            "minLeverage": "1", "maxLeverage": leverage.to_string(), "leverageStep": "0.01"
        },
        "priceFilter": {
            "minPrice": rules.tick_size.to_string(),
            "maxPrice": "1999999.80",
            "tickSize": rules.tick_size.to_string(),
        },
        "lotSizeFilter": {
            "maxOrderQty": rules.max_quantity.to_string(),
            "minOrderQty": rules.min_quantity.to_string(),
            "qtyStep": rules.lot_size.to_string(),
            "postOnlyMaxOrderQty": rules.max_quantity.to_string(),
            "maxMktOrderQty": rules.max_market_quantity.to_string(),
            "minNotionalValue": rules.min_notional.to_string(),
        },
        "unifiedMarginTrade": true,
        "fundingInterval": minutes,
        "settleCoin": rules.quote.as_str(),
        "upperFundingRate": cap.to_string(),
        "lowerFundingRate": floor.to_string(),
    })
}

/// `GET /v5/market/tickers`.
pub(super) fn tickers(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let category = call.params.category()?;
    let named = call.params.symbol(category)?;
    let mut list = Vec::new();
    for symbol in exchange.symbols(category, named)? {
        list.push(exchange.ticker(category, symbol)?);
    }
    Ok(json!({ "category": category.word(), "list": list }))
}

impl Exchange {
    fn ticker(&self, category: Category, symbol: Symbol) -> Result<Value, ApiError> {
        let market = self.market(category, symbol)?;
        let level = |level: Option<(Price, Quantity)>| {
            level.map_or_else(
                || (String::new(), String::new()),
                |(price, quantity)| (price.to_string(), quantity.to_string()),
            )
        };
        let (bid, ask) = (level(market.book.best_bid()), level(market.book.best_ask()));
        let last = market.last_price.unwrap_or_default().to_string();
        let row = json!({
            "symbol": symbol.as_str(),
            "bid1Price": bid.0,
            "bid1Size": bid.1,
            "ask1Price": ask.0,
            "ask1Size": ask.1,
            "lastPrice": last,
            "prevPrice24h": last,
            "price24hPcnt": "0",
            "highPrice24h": last,
            "lowPrice24h": last,
            "turnover24h": "0",
            "volume24h": "0",
        });
        let more = match category {
            Category::Spot => json!({ "usdIndexPrice": "" }),
            Category::Linear => {
                let perp = market.rules.perp.as_ref();
                let hours = perp.map_or(0, |perp| perp.funding_interval.seconds() / 3600);
                json!({
                    "indexPrice": market.index.to_string(),
                    "markPrice": self.mark(symbol).unwrap_or_default().to_string(),
                    "prevPrice1h": last,
                    "openInterest": "0",
                    "openInterestValue": "0",
                    "fundingRate": market.funding_rate.to_string(),
                    "nextFundingTime": market.next_funding_ms.unwrap_or(0).to_string(),
                    "predictedDeliveryPrice": "",
                    "basisRate": "",
                    "deliveryFeeRate": "",
                    "deliveryTime": "0",
                    "basis": "",
                    "preOpenPrice": "",
                    "preQty": "",
                    "curPreListingPhase": "",
                    "fundingIntervalHour": hours.to_string(),
                    "basisRateYear": "",
                    "fundingCap": "0.005",
                })
            }
        };
        Ok(joined(row, more))
    }
}

/// `GET /v5/market/orderbook`.
pub(super) fn orderbook(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (category, symbol) = exchange.named_market(call.params)?;
    let (usual, most) = match category {
        Category::Spot => (1, 200),
        Category::Linear => (25, 500),
    };
    let limit = call.params.integer("limit")?.unwrap_or(usual);
    if !(1..=most).contains(&limit) {
        return Err(ApiError::params("limit"));
    }
    let limit = usize::try_from(limit).unwrap_or(1);
    let now = exchange.now;
    let market = exchange.market_mut(category, symbol)?;
    let changes = market.book.take_changes().len();
    market.updates += u64::try_from(changes).unwrap_or(0);
    let side = |side: Side| {
        let levels = market.book.levels(side).take(limit);
        let rows = levels.map(|(price, quantity)| [price.to_string(), quantity.to_string()]);
        rows.collect::<Vec<_>>()
    };
    Ok(json!({
        "s": symbol.as_str(), "a": side(Side::Sell), "b": side(Side::Buy),
        "ts": now, "u": market.updates, "seq": market.updates, "cts": now
    }))
}

/// `GET /v5/market/risk-limit`.
pub(super) fn risk_limits(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    if call.params.category()? == Category::Spot {
        return Err(ApiError::params("category"));
    }
    let named = call.params.symbol(Category::Linear)?;
    let mut list = Vec::new();
    for symbol in exchange.symbols(Category::Linear, named)? {
        let rules = &exchange.market(Category::Linear, symbol)?.rules;
        let tiers = rules.perp.iter().flat_map(|perp| &perp.tiers);
        for (at, tier) in tiers.enumerate() {
            list.push(json!({
                "id": at + 1,
                "symbol": symbol.as_str(),
                "riskLimitValue": tier.up_to.to_string(),
                "maintenanceMargin": tier.maintenance_margin_rate.to_string(),
                "initialMargin": tier.initial_margin_rate.to_string(),
                "isLowestRisk": u8::from(at == 0),
                "maxLeverage": tier.max_leverage.to_string(),
                "mmDeduction": tier.deduction.to_string(),
            }));
        }
    }
    Ok(json!({ "category": "linear", "list": list, "nextPageCursor": "" }))
}

/// `GET /v5/market/funding/history`: newest first.
pub(super) fn funding_history(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Value, ApiError> {
    let (category, symbol) = exchange.named_market(call.params)?;
    let (start, end) = (
        call.params.integer("startTime")?,
        call.params.integer("endTime")?,
    );
    if start.is_some() && end.is_none() {
        return Err(ApiError::params("endTime is needed with startTime"));
    }
    let page = Page::read(call.params, exchange.now, (200, 200), None)?;
    let market = exchange.market(category, symbol)?;
    let rows = market.settled.iter().rev().map(|row| {
        let json = json!({
            "symbol": symbol.as_str(),
            "fundingRate": row.rate.to_string(),
            "fundingRateTimestamp": row.time_ms.to_string(),
        });
        (0, row.time_ms, json)
    });
    let (list, _) = page.cut(rows.collect());
    Ok(json!({ "category": category.word(), "list": list }))
}

/// `GET /v5/account/info`.
pub(super) fn account(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let account = exchange.account(call.account);
    Ok(json!({
        "marginMode": if account.is_isolated { "ISOLATED_MARGIN" } else { "REGULAR_MARGIN" },
        "updatedTime": exchange.now.to_string(),
        "unifiedMarginStatus": 5,
        "dcpStatus": "OFF",
        "timeWindow": 10,
        "smpGroup": 0,
        "isMasterTrader": false,
        "spotHedgingStatus": "OFF",
    }))
}

/// `GET /v5/account/fee-rate`.
pub(super) fn fee_rates(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    let category = call.params.category()?;
    let named = call.params.symbol(category)?;
    let settings = &exchange.account(call.account).terms;
    let rates = match category {
        Category::Spot => settings.spot_fees,
        Category::Linear => settings.linear_fees,
    };
    let symbols: Vec<Symbol> = exchange.symbols(category, named)?;
    let list = symbols.into_iter().map(|symbol| {
        json!({
            "symbol": symbol.as_str(),
            "takerFeeRate": rates.taker.to_string(),
            "makerFeeRate": rates.maker.to_string(),
        })
    });
    Ok(json!({ "list": list.collect::<Vec<_>>() }))
}

/// `POST /v5/position/set-leverage`.
pub(super) fn set_leverage(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Value, ApiError> {
    let (category, symbol) = exchange.named_market(call.params)?;
    if category == Category::Spot {
        return Err(ApiError::params("category"));
    }
    let asked = |name| {
        let leverage = call.params.decimal(name)?;
        leverage.ok_or_else(|| ApiError::params(name))
    };
    let (buy, sell) = (asked("buyLeverage")?, asked("sellLeverage")?);
    let account = exchange.account(call.account);
    if buy != sell && !(account.is_isolated && account.hedged.contains(&symbol)) {
        return Err(ApiError::params("buy leverage not equal sell leverage"));
    }
    let rules = &exchange.market(category, symbol)?.rules;
    let most = rules
        .perp
        .as_ref()
        .map_or(Fixed18::ONE, |perp| perp.max_leverage);
    let step = Fixed18::literal("0.01");
    if buy < Fixed18::ONE || buy > most || !buy.is_multiple_of(step) {
        let text = "cannot set leverage due to risk limit level";
        return Err(ApiError::new(110_013, text));
    }
    if account.leverage(symbol) == buy {
        return Err(ApiError::new(110_043, "leverage not modified"));
    }
    exchange.check_leverage(call.account, symbol, buy)?;
    exchange
        .account_mut(call.account)
        .leverage
        .insert(symbol, buy);
    Ok(json!({}))
}

impl Exchange {
    /// Whether positions stay within their tier and the account's margin at another leverage.
    fn check_leverage(&self, id: u32, symbol: Symbol, leverage: Fixed18) -> Result<(), ApiError> {
        use basis_protocols::exchange::margin::{initial_margin, leverage_max};

        let account = self.account(id);
        let rules = &self.market(Category::Linear, symbol)?.rules;
        let (Some(perp), Some(mark)) = (&rules.perp, self.mark(symbol)) else {
            return Ok(());
        };
        for index in 0..=2 {
            let held = account.position(symbol, index).perp;
            let size = held.quantity.abs()?;
            if size.is_zero() {
                continue;
            }
            if leverage > leverage_max(perp, size, mark)? {
                let text = "cannot set leverage due to risk limit level";
                return Err(ApiError::new(110_013, text));
            }
            let (_, bound, _) = self.position_margin(account, symbol, &held)?;
            let more = initial_margin(held.quantity, mark, leverage)?.sub(bound)?;
            if more.is_positive() && self.margins_now(id, rules.quote)?.available()? < more {
                let text = "insufficient available balance";
                return Err(ApiError::new(110_012, text));
            }
        }
        Ok(())
    }
}

/// `POST /v5/position/switch-mode`.
pub(super) fn switch_mode(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Value, ApiError> {
    if call.params.category()? == Category::Spot {
        return Err(ApiError::params("category"));
    }
    let hedge = match call.params.integer("mode")? {
        Some(0) => false,
        Some(3) => true,
        _ => return Err(ApiError::params("mode")),
    };
    let named = call.params.symbol(Category::Linear)?;
    let coin = call.params.asset("coin")?;
    if named.is_none() && coin.is_none() {
        return Err(ApiError::params("symbol or coin"));
    }
    for symbol in exchange.symbols(Category::Linear, named)? {
        let market = exchange.market(Category::Linear, symbol)?;
        if named.is_none() && coin != Some(market.rules.quote) {
            continue;
        }
        if let Err(e) = exchange.switch_symbol(call.account, symbol, hedge) {
            // By coin, what cannot be switched is skipped.
            if named.is_some() {
                return Err(e);
            }
        }
    }
    Ok(json!({}))
}

impl Exchange {
    fn switch_symbol(&mut self, id: u32, symbol: Symbol, hedge: bool) -> Result<(), ApiError> {
        let account = self.account(id);
        if account.hedged.contains(&symbol) == hedge {
            return Err(ApiError::new(110_025, "Position mode is not modified"));
        }
        let market = self.market(Category::Linear, symbol)?;
        if market.rules.quote.as_str() == "USDC" {
            let text = "This symbol only supports One-way Position Mode";
            return Err(ApiError::new(110_029, text));
        }
        let mut held = (0..=2).map(|index| account.position(symbol, index).perp.quantity);
        if held.any(|quantity| !quantity.is_zero()) {
            let text = "You have existing positions. Please close your positions before modifying position mode.";
            return Err(ApiError::new(110_024, text));
        }
        if market.open_orders(id).next().is_some() {
            let text = "You have existing open orders. Please close your open orders before modifying position mode.";
            return Err(ApiError::new(110_028, text));
        }
        let hedged = &mut self.account_mut(id).hedged;
        if hedge {
            hedged.insert(symbol);
        } else {
            hedged.remove(&symbol);
        }
        Ok(())
    }
}

/// `POST /v5/account/set-margin-mode`: for the whole account.
pub(super) fn set_margin_mode(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Value, ApiError> {
    let is_isolated = match call.params.required("setMarginMode")? {
        "REGULAR_MARGIN" => false,
        "ISOLATED_MARGIN" => true,
        "PORTFOLIO_MARGIN" => {
            let text = "Equity needs to be equal to or greater than 1000 USDC";
            let reasons = json!([{ "reasonCode": "3400000", "reasonMsg": text }]);
            return Err(ApiError {
                result: json!({ "reasons": reasons }),
                ..ApiError::new(3_400_045, "Set margin mode failed")
            });
        }
        _ => return Err(ApiError::params("setMarginMode")),
    };
    exchange.account_mut(call.account).is_isolated = is_isolated;
    Ok(json!({ "reasons": [] }))
}
