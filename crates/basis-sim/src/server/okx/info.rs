//! What everybody may read of the venue and its instruments.

use basis_core::num::{Fixed18, Rounding};
use basis_core::rules::TierUnit;
use basis_core::types::Symbol;
use serde_json::{Value, json};

use super::error::ApiError;
use super::routes::Call;
use super::{Category, Exchange, sized, unit};
use crate::server::unified::{Market, joined};

/// `GET /api/v5/public/time`.
pub(super) fn time(exchange: &mut Exchange, _: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    Ok(vec![json!({ "ts": exchange.now.to_string() })])
}

/// `GET /api/v5/system/status`: maintenance that is announced, under way or over.
pub(super) fn status(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    let wanted = call.params().text("state");
    let now = exchange.now;
    let rows = exchange.own.announced.iter().map(|(begin, end)| {
        let state = match now {
            _ if now < *begin => "scheduled",
            _ if now < *end => "ongoing",
            _ => "completed",
        };
        let row = json!({
            "title": "Trading system upgrade",
            "state": state,
            "begin": begin.to_string(),
            "end": end.to_string(),
            "preOpenBegin": "",
            "href": "",
            "serviceType": "5",
            "system": "unified",
            "scheDesc": "",
            "maintType": "1",
            "env": "1",
        });
        (state, row)
    });
    // Without a state, what is over is not told.
    let rows = rows.filter(|(state, _)| match wanted {
        Some(wanted) => wanted == *state,
        None => *state != "completed",
    });
    Ok(rows.map(|(_, row)| row).collect())
}

/// `GET /api/v5/public/instruments`, and the account's own view of them.
pub(super) fn instruments(
    exchange: &mut Exchange,
    call: &mut Call<'_>,
) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    let category = params.required_product()?;
    let named = params.text("instId").map(|name| exchange.named(name));
    let named = named.transpose()?;
    let family = params.text("instFamily");
    let mut rows = Vec::new();
    for (at, ((of, symbol), market)) in exchange.markets.iter().enumerate() {
        let is_wanted = *of == category
            && named.is_none_or(|named| named == (*of, *symbol))
            && family.is_none_or(|wanted| wanted == family_of(market));
        if is_wanted {
            rows.push(instrument_row(category, at, market)?);
        }
    }
    Ok(rows)
}

impl Exchange {
    /// The number that stands for a swap where its name does not.
    pub(super) fn code_of(&self, symbol: Symbol) -> usize {
        let mut keys = self.markets.keys();
        let at = keys.position(|key| *key == (Category::Linear, symbol));
        at.map_or(0, code_at)
    }
}

const fn code_at(at: usize) -> usize {
    at + 10_000
}

/// Base and quote of a swap.
fn family_of(market: &Market) -> String {
    format!("{}-{}", market.rules.base, market.rules.quote)
}

fn instrument_row(category: Category, at: usize, market: &Market) -> Result<Value, ApiError> {
    let rules = &market.rules;
    let text = |quantity| -> Result<String, ApiError> { Ok(sized(rules, quantity)?.to_string()) };
    let most = text(rules.max_quantity)?;
    let is_swap = category == Category::Linear;
    let of_swap = |word: &str| {
        if is_swap {
            word.to_owned()
        } else {
            String::new()
        }
    };
    let of_spot = |word: &str| {
        if is_swap {
            String::new()
        } else {
            word.to_owned()
        }
    };
    let family = of_swap(&family_of(market));
    let leverage = rules
        .perp
        .as_ref()
        .map_or(Fixed18::ONE, |perp| perp.max_leverage);
    // Of spot it counts quote.
    let most_of_market = if is_swap {
        text(rules.max_market_quantity)?
    } else {
        "1000000".to_owned()
    };
    let row = json!({
        "instType": if is_swap { "SWAP" } else { "SPOT" },
        "instId": rules.venue_symbol.as_str(),
        "instIdCode": code_at(at),
        "instFamily": family,
        "uly": family,
        "baseCcy": of_spot(rules.base.as_str()),
        "quoteCcy": of_spot(rules.quote.as_str()),
        "settleCcy": of_swap(rules.quote.as_str()),
        "ctVal": of_swap(&unit(rules).to_string()),
        "ctMult": of_swap("1"),
        "ctValCcy": of_swap(rules.base.as_str()),
        "ctType": of_swap("linear"),
        "lever": of_swap(&leverage.to_string()),
        "tickSz": rules.tick_size.to_string(),
        "lotSz": text(rules.lot_size)?,
        "minSz": text(rules.min_quantity)?,
        "maxLmtSz": most,
        "maxMktSz": most_of_market,
        "maxLmtAmt": "20000000",
        "maxMktAmt": of_spot("1000000"),
        "maxTwapSz": most,
        "maxIcebergSz": most,
        "maxTriggerSz": most,
        "maxStopSz": most_of_market,
        "state": if market.is_trading { "live" } else { "suspend" },
        "tradeQuoteCcyList": if is_swap { json!([]) } else { json!([rules.quote.as_str()]) },
    });
    Ok(joined(row, without_dates()))
}

/// What options, dated contracts and listings to come would fill in.
fn without_dates() -> Value {
    json!({
        "alias": "",
        "auctionEndTime": "",
        "category": "1",
        "contTdSwTime": "",
        "expTime": "",
        "futureSettlement": false,
        "groupId": "1",
        "listTime": "1573557408000",
        "maxPlatOILmt": "",
        "openType": "",
        "optType": "",
        "posLmtAmt": "",
        "posLmtPct": "",
        "preMktSwTime": "",
        "ruleType": "normal",
        "stk": "",
        "upcChg": [],
    })
}

/// `GET /api/v5/public/position-tiers`: bounds in contracts.
pub(super) fn tiers(exchange: &mut Exchange, call: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    let params = call.params();
    if params.required_product()? == Category::Spot || params.required("tdMode")? != "cross" {
        return Err(ApiError::parameter("tdMode"));
    }
    let family = params.text("instFamily").or(params.text("uly"));
    let family = family.ok_or_else(|| ApiError::missing("instFamily"))?;
    let mut markets = exchange.markets.iter();
    let found =
        markets.find(|((of, _), market)| *of == Category::Linear && family_of(market) == family);
    let (_, market) = found.ok_or_else(ApiError::unlisted)?;
    let contract = unit(&market.rules);
    let perp = market.rules.perp.as_ref();
    if perp.is_none_or(|perp| perp.tier_unit != TierUnit::Base) {
        // A listing whose tiers are in quote cannot be told in contracts.
        return Err(ApiError::unlisted());
    }
    let (mut rows, mut below) = (Vec::new(), Fixed18::ZERO);
    let tiers = market.rules.perp.iter().flat_map(|perp| &perp.tiers);
    for (at, tier) in tiers.enumerate() {
        let up_to = tier.up_to.div(contract, Rounding::Down)?;
        rows.push(json!({
            "baseMaxLoan": "",
            "imr": tier.initial_margin_rate.to_string(),
            "instFamily": family,
            "instId": "",
            "maxLever": tier.max_leverage.to_string(),
            "maxSz": up_to.to_string(),
            "minSz": below.to_string(),
            "mmr": tier.maintenance_margin_rate.to_string(),
            "optMgnFactor": "0",
            "quoteMaxLoan": "",
            "tier": (at + 1).to_string(),
            "uly": family,
        }));
        below = up_to;
    }
    Ok(rows)
}
