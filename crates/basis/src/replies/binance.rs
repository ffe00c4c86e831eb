//! Binance: `exchangeInfo` of spot and USD-M, `leverageBracket`, `fundingInfo`, `commissionRate`,
//! `account/commission`.

use basis_core::num::{Fixed18, Rounding};
use basis_core::rules::contract_multiple;
use serde_json::Value as Json;

use super::reply::{Reply, initial_rate, number, positive, rows, same, text};
use super::snapshot::{Instrument, Perp, Snapshot, Tier, deductions};

/// Adds what the replies have of `symbol`.
///
/// # Errors
/// Nothing, or something that no run could trade.
pub(super) fn snapshot(symbol: &str, replies: &[Reply], out: &mut Snapshot) -> Result<(), String> {
    let mut found = 0;
    for (reply, row) in rows(replies) {
        if !row.get("filters").is_some_and(Json::is_array) || !same(&text(row, "symbol"), symbol) {
            continue;
        }
        let contract = text(row, "contractType");
        let what = format!("{} of Binance in {}", text(row, "symbol"), reply.name);
        if !contract.is_empty() && contract != "PERPETUAL" {
            return Err(format!(
                "{what} is a {contract} contract; only perpetuals are run"
            ));
        }
        let mut made = filters(row, &what)?;
        made.source
            .insert(0, format!("filters: exchangeInfo in {}", reply.name));
        if !contract.is_empty() {
            let margin = text(row, "marginAsset");
            if margin != made.quote {
                return Err(format!("{what} is margined in {margin}, not in its quote"));
            }
            perp(row, replies, &mut made, &what)?;
        }
        let decimals = |key: &str| text(row, key).parse().unwrap_or(8);
        out.keeps(&made.base, decimals("baseAssetPrecision"));
        out.keeps(&made.quote, 8);
        out.instruments.push(made);
        found += 1;
    }
    if found == 0 {
        return Err(format!(
            "{symbol} is in no exchangeInfo among the replies; save that of \
             /api/v3/exchangeInfo for spot and /fapi/v1/exchangeInfo for perpetuals"
        ));
    }
    fees(symbol, replies, out)
}

/// The filter of a type; all of them where a reply has them in one.
fn filter<'a>(row: &'a Json, of_type: &str, key: &str) -> Option<&'a Json> {
    let filters = row.get("filters")?.as_array()?;
    let named = filters
        .iter()
        .find(|filter| text(filter, "filterType") == of_type);
    named.filter(|filter| filter.get(key).is_some())
}

fn filters(row: &Json, what: &str) -> Result<Instrument, String> {
    let need = |of_type: &str, key: &str| {
        let filter = filter(row, of_type, key);
        let filter = filter.ok_or_else(|| format!("{what} has no {key} of {of_type}"))?;
        number(filter, key, what)
    };
    let lot = need("LOT_SIZE", "stepSize")?;
    let most = need("LOT_SIZE", "maxQty")?;
    let at_market = match filter(row, "MARKET_LOT_SIZE", "maxQty") {
        Some(filter) => positive(filter, "maxQty", what)?,
        None => None,
    };
    let mut source = Vec::new();
    if at_market.is_none() {
        source.push("assumed: market orders have the maximum of limit orders".to_owned());
    }
    let notional = [
        ("NOTIONAL", "minNotional"),
        ("MIN_NOTIONAL", "minNotional"),
        ("MIN_NOTIONAL", "notional"),
    ];
    let notional = notional
        .iter()
        .find_map(|(of_type, key)| Some((filter(row, of_type, key)?, *key)));
    let least_notional = match notional {
        Some((filter, key)) => number(filter, key, what)?,
        None => Fixed18::ZERO,
    };
    Ok(Instrument {
        symbol: text(row, "symbol"),
        venue_symbol: text(row, "symbol"),
        base: text(row, "baseAsset"),
        quote: text(row, "quoteAsset"),
        tick: need("PRICE_FILTER", "tickSize")?,
        lot,
        least: need("LOT_SIZE", "minQty")?,
        most,
        most_at_market: at_market.unwrap_or(most).min(most),
        least_notional,
        perp: None,
        source,
    })
}

fn perp(row: &Json, replies: &[Reply], made: &mut Instrument, what: &str) -> Result<(), String> {
    let of_symbol = |row: &&Json| text(row, "symbol") == made.symbol;
    let brackets = replies.iter().find_map(|reply| {
        let row = reply
            .rows
            .iter()
            .filter(of_symbol)
            .find(|row| row.get("brackets").is_some())?;
        Some((reply, row))
    });
    let (reply, brackets) = brackets.ok_or_else(|| {
        format!(
            "{what} has no margin tiers among the replies; save that of /fapi/v1/leverageBracket"
        )
    })?;
    let coefficient = positive(brackets, "notionalCoef", what)?.unwrap_or(Fixed18::ONE);
    if coefficient != Fixed18::ONE {
        return Err(format!(
            "{what}: brackets of an account with notionalCoef {coefficient}; save those of an account \
             without"
        ));
    }
    let list = brackets.get("brackets").and_then(Json::as_array);
    let (mut tiers, mut given) = (Vec::new(), Vec::new());
    for bracket in list.into_iter().flatten() {
        let leverage = number(bracket, "initialLeverage", what)?;
        tiers.push(Tier {
            up_to: number(bracket, "notionalCap", what)?,
            initial: initial_rate(leverage, what)?,
            maintenance: number(bracket, "maintMarginRatio", what)?,
            deduction: Fixed18::ZERO,
            leverage,
        });
        given.push(Some(number(bracket, "cum", what)?));
    }
    if let (Some(first), Some(Some(deduction))) = (tiers.first_mut(), given.first()) {
        first.deduction = *deduction;
    }
    deductions(&mut tiers, &given)?;
    made.source
        .push(format!("tiers: leverageBracket in {}", reply.name));
    let interval_hours = interval(replies, made, what)?;
    let fee = number(row, "liquidationFee", what)?;
    let (size, base) = contract_multiple(&made.base);
    let contracts = size != Fixed18::ONE;
    let perp = Perp {
        contract_size: size,
        contracts,
        prices_contracts: contracts,
        interval_hours,
        liquidation_fee_bps: bps(fee, what)?,
        whole: false,
        tiers,
    };
    if contracts {
        made.source
            .push(format!("a contract is {size} {base}, by its name"));
    }
    made.base = base.to_owned();
    made.perp = Some(perp);
    Ok(())
}

/// The time between two settlements. `fundingInfo` lists only what differs from 8 hours.
fn interval(replies: &[Reply], made: &mut Instrument, what: &str) -> Result<i64, String> {
    let info = rows(replies).find(|(_, row)| {
        text(row, "symbol") == made.symbol && row.get("fundingIntervalHours").is_some()
    });
    let Some((reply, row)) = info else {
        made.source
            .push("assumed: funding every 8 hours, as no fundingInfo says otherwise".to_owned());
        return Ok(8);
    };
    made.source
        .push(format!("funding interval: fundingInfo in {}", reply.name));
    text(row, "fundingIntervalHours")
        .parse()
        .map_err(|_any| format!("{what}: fundingIntervalHours is no whole number"))
}

pub(super) fn bps(rate: Fixed18, what: &str) -> Result<Fixed18, String> {
    rate.mul(Fixed18::from_int(10_000), Rounding::HalfEven)
        .map_err(|e| format!("{what}: {e}"))
}

fn fees(symbol: &str, replies: &[Reply], out: &mut Snapshot) -> Result<(), String> {
    for (reply, row) in rows(replies) {
        if !same(&text(row, "symbol"), symbol) {
            continue;
        }
        let what = format!("{symbol} of Binance in {}", reply.name);
        if row.get("makerCommissionRate").is_some() {
            let maker = bps(number(row, "makerCommissionRate", &what)?, &what)?;
            let taker = bps(number(row, "takerCommissionRate", &what)?, &what)?;
            out.fees(true, (maker, taker), &what)?;
        }
        if let Some(standard) = row.get("standardCommission") {
            let maker = bps(number(standard, "maker", &what)?, &what)?;
            let taker = bps(number(standard, "taker", &what)?, &what)?;
            out.fees(false, (maker, taker), &what)?;
        }
    }
    Ok(())
}
