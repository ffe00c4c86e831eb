//! What replies say of instruments: they become the rules of a snapshot.

use basis_core::num::{Fixed18, Price, Quantity, Rate, Value};
use basis_core::rules::{
    InstrumentRules, MarginTier, PerpRules, TierMethod, TierUnit, contract_multiple,
};
use basis_core::types::{Asset, InstrumentKey, InstrumentKind, Label, Span, Symbol, Venue};
use serde::Deserialize;

use super::wire::{list, optional, unit};
use crate::wire::DecodeError;

/// An instrument with its rules.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its filters.
    pub rules: InstrumentRules,
    /// Whether it trades now. Any word but `Trading` says no.
    pub trading: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    status: String,
    base_coin: String,
    quote_coin: String,
    #[serde(default)]
    settle_coin: Option<String>,
    #[serde(default)]
    contract_type: Option<String>,
    /// Minutes.
    #[serde(default)]
    funding_interval: Option<i64>,
    #[serde(default, deserialize_with = "optional")]
    upper_funding_rate: Option<Rate>,
    lot_size_filter: LotSize,
    price_filter: PriceFilter,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LotSize {
    #[serde(default, deserialize_with = "optional")]
    base_precision: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    qty_step: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    min_order_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    max_order_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    max_limit_order_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    max_market_order_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    max_mkt_order_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    min_order_amt: Option<Value>,
    #[serde(default, deserialize_with = "optional")]
    min_notional_value: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceFilter {
    #[serde(deserialize_with = "unit")]
    tick_size: Price,
}

const WHAT: &str = "instruments";

impl Row {
    fn missing(&self, what: &str) -> DecodeError {
        DecodeError::new(WHAT, &self.symbol, format!("no {what}"))
    }

    /// Spot orders are bounded by amount: their smallest quantity is a lot, for `minOrderQty` is no longer
    /// checked there.
    fn rules(&self, venue: Venue, kind: InstrumentKind) -> Result<InstrumentRules, DecodeError> {
        let named = |e: &dyn std::fmt::Display| DecodeError::new(WHAT, &self.symbol, e.to_string());
        let base = Asset::new(&self.base_coin).map_err(|e| named(&e))?;
        let quote = Asset::new(&self.quote_coin).map_err(|e| named(&e))?;
        let symbol = Symbol::new(&format!("{base}{quote}")).map_err(|e| named(&e))?;
        let lot = &self.lot_size_filter;
        let is_spot = kind == InstrumentKind::Spot;
        let (step, name) = if is_spot {
            (lot.base_precision, "basePrecision")
        } else {
            (lot.qty_step, "qtyStep")
        };
        let step = step.filter(|step| step.is_positive());
        let lot_size = step.ok_or_else(|| self.missing(name))?;
        let max = if is_spot {
            lot.max_limit_order_qty.or(lot.max_order_qty)
        } else {
            lot.max_order_qty
        };
        let max = max.ok_or_else(|| self.missing("maximum order quantity"))?;
        let floor = |quantity: Quantity| {
            let rounded = quantity.round_to_lot(lot_size, basis_core::num::Rounding::Down);
            rounded.map_err(|e| named(&e))
        };
        let market = lot.max_market_order_qty.or(lot.max_mkt_order_qty);
        let smallest = if is_spot {
            Some(lot_size)
        } else {
            lot.min_order_qty
        };
        let tick_size = self.price_filter.tick_size;
        if !tick_size.is_positive() {
            return Err(self.missing("tickSize above zero"));
        }
        Ok(InstrumentRules {
            key: InstrumentKey::new(venue, kind, symbol),
            venue_symbol: Label::new(&self.symbol).map_err(|e| named(&e))?,
            base,
            quote,
            tick_size,
            lot_size,
            min_quantity: smallest.ok_or_else(|| self.missing("minOrderQty"))?,
            max_quantity: floor(max)?,
            max_market_quantity: floor(market.unwrap_or(max))?,
            min_notional: lot
                .min_order_amt
                .or(lot.min_notional_value)
                .unwrap_or_default(),
            perp: None,
        })
    }

    fn is_wanted(&self, wanted: &[Symbol]) -> bool {
        let canonical = format!("{}{}", self.base_coin, self.quote_coin);
        wanted.iter().any(|symbol| symbol.as_str() == canonical)
    }
}

/// Reads the spot instruments among `wanted`: what is not managed need not be readable.
///
/// # Errors
/// [`DecodeError`] for a wanted instrument without a filter that orders need.
pub fn spot_instruments(
    body: &[u8],
    venue: Venue,
    wanted: &[Symbol],
) -> Result<Vec<Listed>, DecodeError> {
    let rows = list::<Row>(WHAT, body)?.0.rows;
    let rows = rows.iter().filter(|row| row.is_wanted(wanted));
    let listed = |row: &Row| {
        Ok(Listed {
            rules: row.rules(venue, InstrumentKind::Spot)?,
            trading: row.status == "Trading",
        })
    };
    rows.map(listed).collect()
}

/// The margin tiers of a perpetual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    /// The venue's symbol.
    pub symbol: String,
    /// Ascending, by notional at mark.
    pub tiers: Vec<MarginTier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TierRow {
    symbol: String,
    #[serde(deserialize_with = "unit")]
    risk_limit_value: Fixed18,
    #[serde(deserialize_with = "unit")]
    initial_margin: Rate,
    #[serde(deserialize_with = "unit")]
    maintenance_margin: Rate,
    #[serde(default, deserialize_with = "optional")]
    mm_deduction: Option<Value>,
    #[serde(deserialize_with = "unit")]
    max_leverage: Fixed18,
}

/// Reads margin tiers of one or several perpetuals.
///
/// # Errors
/// [`DecodeError`], also for two tiers of a perpetual with one bound.
pub fn tiers(body: &[u8]) -> Result<Vec<Tiers>, DecodeError> {
    const WHAT: &str = "margin tiers";
    let mut all: Vec<Tiers> = Vec::new();
    for row in list::<TierRow>(WHAT, body)?.0.rows {
        let tier = MarginTier {
            up_to: row.risk_limit_value,
            initial_margin_rate: row.initial_margin,
            maintenance_margin_rate: row.maintenance_margin,
            deduction: row.mm_deduction.unwrap_or_default(),
            max_leverage: row.max_leverage,
        };
        match all.iter_mut().find(|tiers| tiers.symbol == row.symbol) {
            Some(of_symbol) => of_symbol.tiers.push(tier),
            None => all.push(Tiers {
                symbol: row.symbol,
                tiers: vec![tier],
            }),
        }
    }
    for of_symbol in &mut all {
        of_symbol.tiers.sort_by_key(|tier| tier.up_to);
        let mut pairs = of_symbol.tiers.windows(2);
        if pairs.any(|pair| matches!(pair, [a, b] if a.up_to == b.up_to)) {
            return Err(DecodeError::new(
                WHAT,
                &of_symbol.symbol,
                "two tiers with one bound",
            ));
        }
    }
    Ok(all)
}

/// Reads the linear perpetuals among `wanted`, with `tiers`.
///
/// The venue closes at the bankruptcy price and names no fee for it: the first tier's maintenance margin
/// stands for what is lost.
///
/// # Errors
/// [`DecodeError`] for a wanted perpetual without filters or tiers, or settled in something else than it is
/// priced in.
pub fn perp_instruments(
    body: &[u8],
    venue: Venue,
    wanted: &[Symbol],
    tiers: &[Tiers],
) -> Result<Vec<Listed>, DecodeError> {
    let rows = list::<Row>(WHAT, body)?.0.rows;
    let is_perp = |row: &&Row| row.contract_type.as_deref() == Some("LinearPerpetual");
    let rows = rows
        .iter()
        .filter(|row| is_perp(row) && row.is_wanted(wanted));
    let listed = |row: &Row| {
        if contract_multiple(&row.base_coin).0 != Fixed18::ONE {
            return Err(
                row.missing("contract of one base unit: multiples are not traded in this version")
            );
        }
        if row.settle_coin.as_deref() != Some(row.quote_coin.as_str()) {
            return Err(row.missing("settlement in its quote coin"));
        }
        let of_symbol = tiers.iter().find(|tiers| tiers.symbol == row.symbol);
        let of_symbol = of_symbol.ok_or_else(|| row.missing("margin tiers"))?;
        let first = of_symbol.tiers.first();
        let first = first.ok_or_else(|| row.missing("margin tiers"))?;
        let highest = of_symbol.tiers.iter().map(|tier| tier.max_leverage).max();
        // Less than an hour is none that the venue has: an 8 would be hours, not minutes.
        let minutes = row
            .funding_interval
            .filter(|minutes| (60..=1440).contains(minutes));
        let minutes = minutes.ok_or_else(|| row.missing("fundingInterval in minutes"))?;
        let loss = first.maintenance_margin_rate.to_bps();
        let perp = PerpRules {
            contract_size: Quantity::new(Fixed18::ONE),
            counts_contracts: false,
            prices_contracts: false,
            funding_rate_max: row.upper_funding_rate,
            funding_interval: Span::from_seconds(minutes.saturating_mul(60)),
            funding_anchor: Span::ZERO,
            max_leverage: highest.ok_or_else(|| row.missing("margin tiers"))?,
            liquidation_fee: loss
                .map_err(|e| DecodeError::new(WHAT, &row.symbol, e.to_string()))?,
            tier_method: TierMethod::Deduction,
            tier_unit: TierUnit::Notional,
            tiers: of_symbol.tiers.clone(),
        };
        Ok(Listed {
            rules: InstrumentRules {
                perp: Some(perp),
                ..row.rules(venue, InstrumentKind::Perp)?
            },
            trading: row.status == "Trading",
        })
    };
    rows.map(listed).collect()
}
