//! What replies say of instruments: they become the rules of a snapshot.

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::{
    InstrumentRules, MarginTier, PerpRules, TierMethod, TierUnit, contract_multiple,
};
use basis_core::types::{Asset, InstrumentKey, InstrumentKind, Label, Span, Symbol, Venue};
use serde::Deserialize;

use super::market::FundingInterval;
use super::wire::{DecodeError, decode, optional, unit};

/// An instrument with its rules.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its filters.
    pub rules: InstrumentRules,
    /// Whether it trades now. Any word but `TRADING` says no.
    pub trading: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    status: String,
    base_asset: String,
    quote_asset: String,
    #[serde(default)]
    contract_type: Option<String>,
    #[serde(default)]
    margin_asset: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    liquidation_fee: Option<Fixed18>,
    filters: Vec<FilterRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterRow {
    filter_type: String,
    #[serde(default, deserialize_with = "optional")]
    tick_size: Option<Price>,
    #[serde(default, deserialize_with = "optional")]
    step_size: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    min_qty: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    max_qty: Option<Quantity>,
    #[serde(default, alias = "notional", deserialize_with = "optional")]
    min_notional: Option<Value>,
}

#[derive(Deserialize)]
struct ExchangeInfo {
    symbols: Vec<Row>,
}

const WHAT: &str = "exchange information";

impl Row {
    fn missing(&self, what: &str) -> DecodeError {
        DecodeError::new(WHAT, &self.symbol, format!("no {what}"))
    }

    fn filter(&self, name: &str) -> Option<&FilterRow> {
        self.filters
            .iter()
            .find(|filter| filter.filter_type == name)
    }

    fn rules(&self, venue: Venue, kind: InstrumentKind) -> Result<InstrumentRules, DecodeError> {
        let named = |e: &dyn std::fmt::Display| DecodeError::new(WHAT, &self.symbol, e.to_string());
        let base = Asset::new(&self.base_asset).map_err(|e| named(&e))?;
        let quote = Asset::new(&self.quote_asset).map_err(|e| named(&e))?;
        let symbol = Symbol::new(&format!("{base}{quote}")).map_err(|e| named(&e))?;
        let price = self
            .filter("PRICE_FILTER")
            .and_then(|filter| filter.tick_size);
        let tick_size = price.filter(|tick| tick.is_positive());
        let lot = self
            .filter("LOT_SIZE")
            .ok_or_else(|| self.missing("LOT_SIZE"))?;
        let lot_size = lot.step_size.filter(|step| step.is_positive());
        let max_quantity = lot.max_qty.ok_or_else(|| self.missing("LOT_SIZE maxQty"))?;
        let market = self
            .filter("MARKET_LOT_SIZE")
            .and_then(|filter| filter.max_qty);
        let market = market.filter(|max| max.is_positive());
        let notional = self
            .filter("NOTIONAL")
            .or_else(|| self.filter("MIN_NOTIONAL"));
        Ok(InstrumentRules {
            key: InstrumentKey::new(venue, kind, symbol),
            venue_symbol: Label::new(&self.symbol).map_err(|e| named(&e))?,
            base,
            quote,
            tick_size: tick_size.ok_or_else(|| self.missing("PRICE_FILTER tickSize"))?,
            lot_size: lot_size.ok_or_else(|| self.missing("LOT_SIZE stepSize"))?,
            min_quantity: lot.min_qty.ok_or_else(|| self.missing("LOT_SIZE minQty"))?,
            max_quantity,
            max_market_quantity: market.unwrap_or(max_quantity),
            min_notional: notional
                .and_then(|filter| filter.min_notional)
                .unwrap_or_default(),
            perp: None,
        })
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
    let rows = decode::<ExchangeInfo>(WHAT, body)?.symbols;
    let rows = rows.iter().filter(|row| is_wanted(row, wanted));
    let listed = |row: &Row| {
        Ok(Listed {
            rules: row.rules(venue, InstrumentKind::Spot)?,
            trading: row.status == "TRADING",
        })
    };
    rows.map(listed).collect()
}

fn is_wanted(row: &Row, wanted: &[Symbol]) -> bool {
    let canonical = format!("{}{}", row.base_asset, row.quote_asset);
    wanted.iter().any(|symbol| symbol.as_str() == canonical)
}

/// The margin tiers of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    /// The venue's symbol.
    pub symbol: String,
    /// Ascending; notional bounds as they are for this account.
    pub tiers: Vec<MarginTier>,
}

/// Reads margin tiers. Their bounds are scaled by the account's own coefficient, where it has one.
///
/// # Errors
/// [`DecodeError`], also for tiers that do not ascend.
pub fn tiers(body: &[u8]) -> Result<Vec<Tiers>, DecodeError> {
    const WHAT: &str = "margin tiers";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Bracket {
        #[serde(deserialize_with = "unit")]
        initial_leverage: Fixed18,
        #[serde(deserialize_with = "unit")]
        notional_cap: Fixed18,
        #[serde(deserialize_with = "unit")]
        maint_margin_ratio: Rate,
        #[serde(deserialize_with = "unit")]
        cum: Value,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        symbol: String,
        #[serde(default, deserialize_with = "optional")]
        notional_coef: Option<Fixed18>,
        brackets: Vec<Bracket>,
    }
    let rows = decode::<Vec<Row>>(WHAT, body)?;
    let read = |row: Row| {
        let coefficient = row.notional_coef.unwrap_or(Fixed18::ONE);
        let tier = |bracket: &Bracket| -> Result<MarginTier, MathError> {
            let rate = Fixed18::ONE.div(bracket.initial_leverage, Rounding::Up)?;
            Ok(MarginTier {
                up_to: bracket.notional_cap.mul(coefficient, Rounding::Down)?,
                initial_margin_rate: Rate::new(rate),
                maintenance_margin_rate: bracket.maint_margin_ratio,
                deduction: bracket.cum,
                max_leverage: bracket.initial_leverage,
            })
        };
        let tiers: Result<Vec<_>, _> = row.brackets.iter().map(tier).collect();
        let mut tiers = tiers.map_err(|e| DecodeError::new(WHAT, &row.symbol, e.to_string()))?;
        tiers.sort_by_key(|tier| tier.up_to);
        let doubled = tiers
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.up_to == b.up_to));
        if tiers.is_empty() || doubled {
            let reason = "no brackets, or two with one bound";
            return Err(DecodeError::new(WHAT, &row.symbol, reason));
        }
        Ok(Tiers {
            symbol: row.symbol,
            tiers,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Reads the USD-M perpetuals among `wanted`, with `tiers` and the intervals that differ from eight hours.
///
/// # Errors
/// [`DecodeError`] for a wanted perpetual without filters or tiers, or margined in something else than it is
/// priced in.
pub fn perp_instruments(
    body: &[u8],
    venue: Venue,
    wanted: &[Symbol],
    (tiers, intervals): (&[Tiers], &[FundingInterval]),
) -> Result<Vec<Listed>, DecodeError> {
    let rows = decode::<ExchangeInfo>(WHAT, body)?.symbols;
    let rows = rows
        .iter()
        .filter(|row| row.contract_type.as_deref() == Some("PERPETUAL") && is_wanted(row, wanted));
    let listed = |row: &Row| {
        if contract_multiple(&row.base_asset).0 != Fixed18::ONE {
            return Err(
                row.missing("contract of one base unit: multiples are not traded in this version")
            );
        }
        if row.margin_asset.as_deref() != Some(row.quote_asset.as_str()) {
            return Err(row.missing("margin in its quote asset"));
        }
        let of_symbol = tiers.iter().find(|tiers| tiers.symbol == row.symbol);
        let of_symbol = of_symbol.ok_or_else(|| row.missing("margin tiers"))?;
        let highest = of_symbol.tiers.iter().map(|tier| tier.max_leverage).max();
        let interval = intervals
            .iter()
            .find(|interval| interval.symbol == row.symbol);
        let fee = row
            .liquidation_fee
            .ok_or_else(|| row.missing("liquidationFee"))?;
        let fee = Rate::new(fee).to_bps();
        let perp = PerpRules {
            contract_size: Quantity::new(Fixed18::ONE),
            counts_contracts: false,
            prices_contracts: false,
            funding_rate_max: None,
            funding_interval: interval.map_or(Span::from_hours(8), |interval| interval.interval),
            funding_anchor: Span::ZERO,
            max_leverage: highest.ok_or_else(|| row.missing("margin tiers"))?,
            liquidation_fee: fee.map_err(|e| DecodeError::new(WHAT, &row.symbol, e.to_string()))?,
            tier_method: TierMethod::Deduction,
            tier_unit: TierUnit::Notional,
            tiers: of_symbol.tiers.clone(),
        };
        Ok(Listed {
            rules: InstrumentRules {
                perp: Some(perp),
                ..row.rules(venue, InstrumentKind::Perp)?
            },
            trading: row.status == "TRADING",
        })
    };
    rows.map(listed).collect()
}
