//! Settings of a USD-M account: position mode, margin type, leverage, brackets, fee rates.

use basis_core::num::{Fixed18, Quantity};
use basis_core::types::{PositionSide, Symbol};
use basis_protocols::exchange::margin::{isolated_margin_of_cost, position_limit};
use serde_json::{Value, json};

use super::DECIMALS;
use super::margin::notional_max;
use super::place::done;
use crate::server::binance::error::ApiError;
use crate::server::binance::market::Market;
use crate::server::binance::routes::Call;
use crate::server::binance::settings::Product;
use crate::server::binance::{Audience, Exchange};

/// `GET /fapi/v1/accountConfig`.
pub(in crate::server::binance) fn account(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let may = exchange.keys.get(call.key).map(|key| key.permissions);
    Ok(json!({
        "feeTier": 0,
        "canTrade": may.is_some_and(|may| may.futures),
        "canDeposit": true,
        "canWithdraw": may.is_some_and(|may| may.withdrawals),
        "dualSidePosition": exchange.account(call.account).usdm.is_hedge,
        "updateTime": 0,
        "multiAssetsMargin": false,
        "tradeGroupId": -1,
    }))
}

/// `GET /fapi/v1/symbolConfig`.
pub(in crate::server::binance) fn symbols(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let account = exchange.account(call.account);
    let markets = exchange.markets_of(Product::UsdM, call.params.symbol()?)?;
    let list = markets.into_iter().map(|market| {
        let rules = &market.listing.rules;
        let config = account.config(rules.key.symbol);
        let most = rules
            .perp
            .as_ref()
            .map(|perp| notional_max(perp, config.leverage));
        json!({
            "symbol": rules.key.symbol.as_str(),
            "marginType": if config.isolated { "ISOLATED" } else { "CROSSED" },
            "isAutoAddMargin": false,
            "leverage": whole(config.leverage),
            "maxNotionalValue": most.unwrap_or(Fixed18::ZERO).to_string(),
        })
    });
    Ok(Value::Array(list.collect()))
}

fn whole(number: Fixed18) -> Value {
    let unit = Fixed18::from_int(1).mantissa();
    i64::try_from(number.mantissa() / unit).map_or(Value::Null, Value::from)
}

/// A number as JSON writes one, for the brackets: Binance has these as numbers.
fn number(value: Fixed18) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or(Value::Null)
}

/// `GET /fapi/v1/leverageBracket`.
pub(in crate::server::binance) fn brackets(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let symbol = call.params.symbol()?;
    let markets = exchange.markets_of(Product::UsdM, symbol)?;
    Ok(Value::Array(markets.into_iter().map(bracket_row).collect()))
}

fn bracket_row(market: &Market) -> Value {
    let rules = &market.listing.rules;
    let mut floor = Fixed18::ZERO;
    let tiers = rules.perp.iter().flat_map(|perp| &perp.tiers);
    let rows: Vec<Value> = tiers
        .zip(1..)
        .map(|(tier, at)| {
            let row = json!({
                "bracket": at,
                "initialLeverage": whole(tier.max_leverage),
                "notionalCap": number(tier.up_to),
                "notionalFloor": number(floor),
                "maintMarginRatio": number(tier.maintenance_margin_rate.get()),
                "cum": number(tier.deduction.get()),
            });
            floor = tier.up_to;
            row
        })
        .collect();
    json!({ "symbol": rules.key.symbol.as_str(), "notionalCoef": 1.0, "brackets": rows })
}

/// `GET /fapi/v1/commissionRate`.
pub(in crate::server::binance) fn commission(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let rates = exchange.account(call.account).settings.usdm_fees;
    Ok(json!({
        "symbol": market.listing.rules.key.symbol.as_str(),
        "makerCommissionRate": rates.maker.to_string(),
        "takerCommissionRate": rates.taker.to_string(),
        "rpiCommissionRate": rates.maker.to_string(),
    }))
}

/// `GET /fapi/v1/feeBurn`.
pub(in crate::server::binance) fn fee_burn(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let burns = exchange.account(call.account).settings.usdm_bnb_burn;
    Ok(json!({ "feeBurn": burns }))
}

/// `GET /fapi/v1/multiAssetsMargin`: always single-asset.
pub(in crate::server::binance) fn multi_assets(
    _: &mut Exchange,
    _: &Call<'_>,
) -> Result<Value, ApiError> {
    Ok(json!({ "multiAssetsMargin": false }))
}

/// `GET /fapi/v1/positionSide/dual`.
pub(in crate::server::binance) fn position_mode(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let is_hedge = exchange.account(call.account).usdm.is_hedge;
    Ok(json!({ "dualSidePosition": is_hedge }))
}

/// `POST /fapi/v1/positionSide/dual`.
pub(in crate::server::binance) fn set_position_mode(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let wanted = call.params.flag("dualSidePosition")?;
    let wanted = wanted.ok_or_else(|| ApiError::missing("dualSidePosition"))?;
    let account = exchange.account(call.account);
    if account.usdm.is_hedge == wanted {
        return Err(ApiError::new(-4059, "No need to change position side."));
    }
    for market in exchange.markets_of(Product::UsdM, None)? {
        if market.open_orders(call.account).next().is_some() {
            let text = "Position side cannot be changed if there exists open orders.";
            return Err(ApiError::new(-4067, text));
        }
    }
    let mut positions = account.usdm.positions.values();
    if positions.any(|position| !position.perp.quantity.is_zero()) {
        let text = "Position side cannot be changed if there exists position.";
        return Err(ApiError::new(-4068, text));
    }
    exchange.account_mut(call.account).usdm.is_hedge = wanted;
    Ok(done("success"))
}

/// `POST /fapi/v1/marginType`.
pub(in crate::server::binance) fn set_margin_type(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let symbol = market.listing.rules.key.symbol;
    let isolated = match call.params.required("marginType")? {
        "ISOLATED" => true,
        "CROSSED" => false,
        _ => {
            let text = "Data sent for parameter 'marginType' is not valid.";
            return Err(ApiError::new(-1130, text));
        }
    };
    if exchange.account(call.account).config(symbol).isolated == isolated {
        return Err(ApiError::new(-4046, "No need to change margin type."));
    }
    if market.open_orders(call.account).next().is_some() {
        let text = "Margin type cannot be changed if there exists open orders.";
        return Err(ApiError::new(-4047, text));
    }
    if exchange.has_position(call.account, symbol) {
        let text = "Margin type cannot be changed if there exists position.";
        return Err(ApiError::new(-4048, text));
    }
    let account = exchange.account_mut(call.account);
    account.usdm.configs.entry(symbol).or_default().isolated = isolated;
    Ok(done("success"))
}

const SIDES: [Option<PositionSide>; 3] =
    [None, Some(PositionSide::Long), Some(PositionSide::Short)];

impl Exchange {
    fn has_position(&self, account: u32, symbol: Symbol) -> bool {
        let account = self.account(account);
        let held = |side| account.position(symbol, side).perp.quantity;
        SIDES.into_iter().any(|side| !held(side).is_zero())
    }
}

/// `POST /fapi/v1/leverage`.
pub(in crate::server::binance) fn set_leverage(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let leverage = call.params.integer("leverage")?;
    let leverage = leverage.ok_or_else(|| ApiError::missing("leverage"))?;
    let market = exchange.named_market(Product::UsdM, call.params)?;
    let rules = &market.listing.rules;
    let symbol = rules.key.symbol;
    let perp = rules.perp.clone().ok_or_else(ApiError::invalid_symbol)?;
    let wanted = Fixed18::from_int(leverage);
    if leverage < 1 || wanted > perp.max_leverage {
        return Err(ApiError::new(
            -4028,
            format!("Leverage {leverage} is not valid"),
        ));
    }
    let account = exchange.account(call.account);
    let config = account.config(symbol);
    let has_position = exchange.has_position(call.account, symbol);
    if config.isolated && has_position && wanted < config.leverage {
        let text =
            "Leverage reduction is not supported in Isolated Margin Mode with open positions.";
        return Err(ApiError::new(-4161, text));
    }
    if let Some(mark) = exchange.mark(symbol) {
        for side in SIDES {
            let size = account.position(symbol, side).perp.quantity;
            if position_limit(&perp, size, mark, wanted)?.is_some() {
                let text = "Exceeded the maximum allowable position at current leverage.";
                return Err(ApiError::new(-2027, text));
            }
        }
    }
    let account = exchange.account_mut(call.account);
    account.usdm.configs.entry(symbol).or_default().leverage = wanted;
    if config.isolated {
        for side in SIDES {
            if let Some(position) = account.usdm.positions.get_mut(&(symbol, side)) {
                let cost = position.perp.cost;
                position.isolated_wallet = isolated_margin_of_cost(cost, wanted, DECIMALS)?;
            }
        }
    }
    let now = exchange.now;
    let frame = json!({
        "e": "ACCOUNT_CONFIG_UPDATE", "E": now, "T": now, "ac": { "s": symbol.as_str(), "l": leverage }
    });
    exchange.emit(Audience::UsdMUser(call.account), frame);
    Ok(json!({
        "leverage": leverage,
        "maxNotionalValue": notional_max(&perp, wanted).to_string(),
        "symbol": symbol.as_str(),
    }))
}

/// `POST /fapi/v1/positionMargin`.
pub(in crate::server::binance) fn move_margin(
    exchange: &mut Exchange,
    call: &Call<'_>,
) -> Result<Value, ApiError> {
    let params = call.params;
    let market = exchange.named_market(Product::UsdM, params)?;
    let (symbol, asset) = (market.listing.rules.key.symbol, market.listing.rules.quote);
    let amount = params.quantity("amount")?;
    let amount = amount.ok_or_else(|| ApiError::missing("amount"))?;
    if !amount.is_positive() {
        return Err(ApiError::new(-4055, "Amount must be positive."));
    }
    let side = match params.get("positionSide") {
        None | Some("BOTH") => None,
        Some("LONG") => Some(PositionSide::Long),
        Some("SHORT") => Some(PositionSide::Short),
        Some(_) => return Err(ApiError::new(-4060, "Invalid position side.")),
    };
    let account = exchange.account(call.account);
    let position = account.position(symbol, side);
    if !account.config(symbol).isolated || position.perp.quantity.is_zero() {
        let text = "Cannot add position margin: position is 0.";
        return Err(ApiError::new(-4054, text));
    }
    let kind = params.required("type")?;
    let after = match kind {
        "1" => {
            let available = exchange.margins_now(call.account, asset)?.available()?;
            if amount.get() > available.get() {
                return Err(ApiError::new(-4050, "Cross balance insufficient."));
            }
            position.isolated_wallet.add(amount)?
        }
        "2" => {
            let here = exchange.position_margin(call.account, symbol, &position.perp)?;
            let after = position.isolated_wallet.sub(amount)?;
            if Fixed18::add(after.get(), here.unrealized.get())? < here.initial.get() {
                return Err(ApiError::new(-4051, "Isolated balance insufficient."));
            }
            after
        }
        _ => {
            let text = "Data sent for parameter 'type' is not valid.";
            return Err(ApiError::new(-1130, text));
        }
    };
    let kind: i64 = if kind == "1" { 1 } else { 2 };
    let account = exchange.account_mut(call.account);
    if let Some(position) = account.usdm.positions.get_mut(&(symbol, side)) {
        position.isolated_wallet = after;
    }
    let positions = [(symbol, side)];
    let none = Quantity::ZERO;
    exchange.account_update(call.account, "MARGIN_TRANSFER", &[asset], &positions, none)?;
    Ok(json!({
        "amount": number(amount.get()),
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": kind,
    }))
}
