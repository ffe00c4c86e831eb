//! Bybit v5: `market/instruments-info` of spot and linear, `market/risk-limit`, `account/fee-rate`.

use basis_core::num::{Fixed18, Rounding};
use basis_core::rules::contract_multiple;
use serde_json::Value as Json;

use super::binance::bps;
use super::reply::{Reply, number, positive, rows, same, text};
use super::snapshot::{Instrument, Perp, Snapshot, Tier, deductions};

/// The entry tier's taker fee, where no reply has it, and what it rests on.
const TAKER_BPS: Fixed18 = Fixed18::literal("5.5");

/// Adds what the replies have of `symbol`.
///
/// # Errors
/// Nothing, or something that no run could trade.
pub(super) fn snapshot(symbol: &str, replies: &[Reply], out: &mut Snapshot) -> Result<(), String> {
    let mut found = 0;
    for (reply, row) in rows(replies) {
        if row.get("lotSizeFilter").is_none() || !same(&text(row, "symbol"), symbol) {
            continue;
        }
        let what = format!("{} of Bybit in {}", text(row, "symbol"), reply.name);
        let made = match reply.category.as_deref() {
            Some("spot") => spot(row, &reply.name, &what)?,
            Some("linear") => linear(row, reply, replies, &what)?,
            Some(other) => {
                return Err(format!(
                    "{what} is of category {other}; only spot and linear are run"
                ));
            }
            None => return Err(format!("{what}: the reply has no category; save it whole")),
        };
        out.keeps(&made.base, 8);
        out.keeps(&made.quote, 8);
        out.instruments.push(made);
        found += 1;
    }
    if found == 0 {
        return Err(format!(
            "{symbol} is in no instruments-info among the replies; save that of \
             /v5/market/instruments-info with category=spot and with category=linear"
        ));
    }
    for (reply, row) in rows(replies) {
        if row.get("takerFeeRate").is_some() && same(&text(row, "symbol"), symbol) {
            let what = format!("{symbol} of Bybit in {}", reply.name);
            let pair = (
                bps(number(row, "makerFeeRate", &what)?, &what)?,
                bps(number(row, "takerFeeRate", &what)?, &what)?,
            );
            // The reply does not say of which category it is, so its request must: by the file's name.
            if reply.category.as_deref() == Some("spot") || reply.name.contains("spot") {
                out.fees(false, pair, &what)?;
            } else {
                out.fees(true, pair, &what)?;
            }
        }
    }
    Ok(())
}

fn part<'a>(row: &'a Json, key: &str, what: &str) -> Result<&'a Json, String> {
    row.get(key).ok_or_else(|| format!("{what} has no {key}"))
}

fn spot(row: &Json, file: &str, what: &str) -> Result<Instrument, String> {
    let (lots, prices) = (
        part(row, "lotSizeFilter", what)?,
        part(row, "priceFilter", what)?,
    );
    let mut source = vec![format!("filters: instruments-info in {file}")];
    let most = match positive(lots, "maxLimitOrderQty", what)? {
        Some(most) => most,
        None => number(lots, "maxOrderQty", what)?,
    };
    let at_market = positive(lots, "maxMarketOrderQty", what)?;
    if at_market.is_none() {
        source.push("assumed: market orders have the maximum of limit orders".to_owned());
    }
    let lot = number(lots, "basePrecision", what)?;
    let floor = |amount: Fixed18| amount.round_to_step(lot, Rounding::Floor);
    Ok(Instrument {
        symbol: text(row, "symbol"),
        venue_symbol: text(row, "symbol"),
        base: text(row, "baseCoin"),
        quote: text(row, "quoteCoin"),
        tick: number(prices, "tickSize", what)?,
        lot,
        least: number(lots, "minOrderQty", what)?,
        most: floor(most).map_err(|e| e.to_string())?,
        most_at_market: floor(at_market.unwrap_or(most).min(most)).map_err(|e| e.to_string())?,
        least_notional: number(lots, "minOrderAmt", what)?,
        perp: None,
        source,
    })
}

fn linear(row: &Json, reply: &Reply, replies: &[Reply], what: &str) -> Result<Instrument, String> {
    let contract = text(row, "contractType");
    if contract != "LinearPerpetual" {
        return Err(format!(
            "{what} is a {contract}; only linear perpetuals are run"
        ));
    }
    if text(row, "settleCoin") != text(row, "quoteCoin") {
        return Err(format!("{what} is not settled in its quote"));
    }
    let (lots, prices) = (
        part(row, "lotSizeFilter", what)?,
        part(row, "priceFilter", what)?,
    );
    let mut source = vec![format!("filters: instruments-info in {}", reply.name)];
    let minutes = number(row, "fundingInterval", what)?;
    let hours = (1..=24).find(|hours| Fixed18::from_int(hours * 60) == minutes);
    let interval_hours = hours.ok_or_else(|| {
        format!("{what}: fundingInterval is {minutes} minutes, no whole hours of a day")
    })?;
    let tiers = tiers(&text(row, "symbol"), replies, what, &mut source)?;
    let coin = text(row, "baseCoin");
    let (size, base) = contract_multiple(&coin);
    let contracts = size != Fixed18::ONE;
    if contracts {
        source.push(format!("a contract is {size} {base}, by its name"));
    }
    let first = tiers
        .first()
        .map(|tier| tier.maintenance)
        .unwrap_or_default();
    let liquidation_fee_bps = bps(first, what)?
        .add(TAKER_BPS)
        .map_err(|e| e.to_string())?;
    source.push(
        "assumed: liquidation fee (Bybit closes at the bankruptcy price: the first tier's maintenance \
         margin and the entry tier's taker fee of 5.5 bps)"
            .to_owned(),
    );
    let most = number(lots, "maxOrderQty", what)?;
    Ok(Instrument {
        symbol: text(row, "symbol"),
        venue_symbol: text(row, "symbol"),
        base: base.to_owned(),
        quote: text(row, "quoteCoin"),
        tick: number(prices, "tickSize", what)?,
        lot: number(lots, "qtyStep", what)?,
        least: number(lots, "minOrderQty", what)?,
        most,
        most_at_market: positive(lots, "maxMktOrderQty", what)?
            .unwrap_or(most)
            .min(most),
        least_notional: positive(lots, "minNotionalValue", what)?.unwrap_or_default(),
        perp: Some(Perp {
            contract_size: size,
            contracts,
            prices_contracts: contracts,
            interval_hours,
            liquidation_fee_bps,
            whole: false,
            tiers,
        }),
        source,
    })
}

fn tiers(
    symbol: &str,
    replies: &[Reply],
    what: &str,
    source: &mut Vec<String>,
) -> Result<Vec<Tier>, String> {
    let (mut tiers, mut given) = (Vec::new(), Vec::new());
    for (reply, row) in rows(replies) {
        if row.get("riskLimitValue").is_none() || text(row, "symbol") != symbol {
            continue;
        }
        let leverage = number(row, "maxLeverage", what)?;
        let initial = number(row, "initialMargin", what)?;
        let maintenance = number(row, "maintenanceMargin", what)?;
        // Older replies have percent: initial margin × leverage is then 100.
        let at_leverage = initial.mul(leverage, Rounding::HalfEven);
        let percent = at_leverage.is_ok_and(|whole| whole > Fixed18::from_int(10));
        let rate = |value: Fixed18| {
            let hundred = Fixed18::from_int(if percent { 100 } else { 1 });
            value
                .div(hundred, Rounding::Ceil)
                .map_err(|e| e.to_string())
        };
        tiers.push(Tier {
            up_to: number(row, "riskLimitValue", what)?,
            initial: rate(initial)?,
            maintenance: rate(maintenance)?,
            deduction: Fixed18::ZERO,
            leverage,
        });
        given.push(positive(row, "mmDeduction", what)?);
        let from = format!("tiers: risk-limit in {}", reply.name);
        if !source.contains(&from) {
            source.push(from);
        }
    }
    if tiers.is_empty() {
        return Err(format!(
            "{what} has no margin tiers among the replies; save that of /v5/market/risk-limit with its \
             symbol"
        ));
    }
    let mut both: Vec<_> = tiers.into_iter().zip(given).collect();
    both.sort_by_key(|(tier, _)| tier.up_to);
    both.dedup_by_key(|(tier, _)| tier.up_to);
    let (mut tiers, given): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    deductions(&mut tiers, &given)?;
    Ok(tiers)
}
