//! What replies say of instruments: they become the rules of a snapshot, sizes in base units.

use basis_core::num::{Fixed18, MathError, Price, Quantity, Rate, Rounding, Value};
use basis_core::rules::{InstrumentRules, MarginTier, PerpRules, TierMethod, TierUnit};
use basis_core::types::{Asset, InstrumentKey, InstrumentKind, Label, Span, Symbol, Venue};
use serde::Deserialize;

use super::wire::{data, optional, unit};
use crate::wire::DecodeError;

/// An instrument with its rules.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its filters.
    pub rules: InstrumentRules,
    /// The venue's number of it, which orders over the stream name it by.
    pub code: Option<i64>,
    /// Whether it trades now. Any word but `live` says no.
    pub trading: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    inst_id: String,
    state: String,
    base_ccy: String,
    quote_ccy: String,
    #[serde(default)]
    settle_ccy: String,
    #[serde(default)]
    inst_family: String,
    #[serde(default)]
    ct_type: String,
    #[serde(default, deserialize_with = "optional")]
    ct_val: Option<Quantity>,
    #[serde(default, deserialize_with = "optional")]
    ct_mult: Option<Fixed18>,
    #[serde(default)]
    ct_val_ccy: String,
    #[serde(default)]
    inst_id_code: Option<i64>,
    #[serde(deserialize_with = "unit")]
    tick_sz: Price,
    #[serde(deserialize_with = "unit")]
    lot_sz: Quantity,
    #[serde(deserialize_with = "unit")]
    min_sz: Quantity,
    #[serde(deserialize_with = "unit")]
    max_lmt_sz: Quantity,
    #[serde(deserialize_with = "unit")]
    max_mkt_sz: Quantity,
}

const WHAT: &str = "instruments";

impl Row {
    fn missing(&self, what: &str) -> DecodeError {
        DecodeError::new(WHAT, &self.inst_id, format!("no {what}"))
    }

    fn range(&self, e: &MathError) -> DecodeError {
        DecodeError::new(WHAT, &self.inst_id, e.to_string())
    }

    /// Filters of an instrument of `base` and `quote` whose sizes count `unit` base units each.
    fn rules(
        &self,
        (venue, kind): (Venue, InstrumentKind),
        (base, quote): (&str, &str),
        unit: Quantity,
    ) -> Result<InstrumentRules, DecodeError> {
        let named =
            |e: &dyn std::fmt::Display| DecodeError::new(WHAT, &self.inst_id, e.to_string());
        let base = Asset::new(base).map_err(|e| named(&e))?;
        let quote = Asset::new(quote).map_err(|e| named(&e))?;
        let symbol = Symbol::new(&format!("{base}{quote}")).map_err(|e| named(&e))?;
        let in_base = |size: Quantity| {
            let product = size.get().mul(unit.get(), Rounding::Down);
            product.map(Quantity::new).map_err(|e| self.range(&e))
        };
        let lot_size = in_base(self.lot_sz)?;
        if !lot_size.is_positive() || !self.tick_sz.is_positive() {
            return Err(self.missing("lotSz and tickSz above zero"));
        }
        let whole_lots = |quantity: Quantity| {
            let rounded = quantity.round_to_lot(lot_size, Rounding::Down);
            rounded.map_err(|e| self.range(&e))
        };
        let max_quantity = whole_lots(in_base(self.max_lmt_sz)?)?;
        // Of spot it counts quote; nothing leaves as a market order.
        let market = match kind {
            InstrumentKind::Spot => max_quantity,
            _ => whole_lots(in_base(self.max_mkt_sz)?)?,
        };
        Ok(InstrumentRules {
            key: InstrumentKey::new(venue, kind, symbol),
            venue_symbol: Label::new(&self.inst_id).map_err(|e| named(&e))?,
            base,
            quote,
            tick_size: self.tick_sz,
            lot_size,
            min_quantity: in_base(self.min_sz)?,
            max_quantity,
            max_market_quantity: market,
            min_notional: Value::ZERO,
            perp: None,
        })
    }
}

fn is_wanted(base: &str, quote: &str, wanted: &[Symbol]) -> bool {
    let canonical = format!("{base}{quote}");
    wanted.iter().any(|symbol| symbol.as_str() == canonical)
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
    let rows = data::<Row>(WHAT, body)?;
    let rows = rows
        .iter()
        .filter(|row| is_wanted(&row.base_ccy, &row.quote_ccy, wanted));
    let listed = |row: &Row| {
        let pair = (row.base_ccy.as_str(), row.quote_ccy.as_str());
        let one = Quantity::new(Fixed18::ONE);
        Ok(Listed {
            rules: row.rules((venue, InstrumentKind::Spot), pair, one)?,
            code: row.inst_id_code,
            trading: row.state == "live",
        })
    };
    rows.map(listed).collect()
}

/// The margin tiers of a family of swaps, bounds in contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    /// The venue's name of the family, as `BTC-USDT`.
    pub family: String,
    /// Ascending.
    pub tiers: Vec<MarginTier>,
}

/// Reads the margin tiers of one family.
///
/// # Errors
/// [`DecodeError`], also for no tier, and for two with one bound.
pub fn tiers(body: &[u8], family: &str) -> Result<Tiers, DecodeError> {
    const WHAT: &str = "margin tiers";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Row {
        #[serde(deserialize_with = "unit")]
        max_sz: Fixed18,
        #[serde(deserialize_with = "unit")]
        imr: Rate,
        #[serde(deserialize_with = "unit")]
        mmr: Rate,
        #[serde(deserialize_with = "unit")]
        max_lever: Fixed18,
    }
    let tier = |row: Row| MarginTier {
        up_to: row.max_sz,
        initial_margin_rate: row.imr,
        maintenance_margin_rate: row.mmr,
        deduction: Value::ZERO,
        max_leverage: row.max_lever,
    };
    let rows = data::<Row>(WHAT, body)?;
    let mut tiers: Vec<_> = rows.into_iter().map(tier).collect();
    tiers.sort_by_key(|tier| tier.up_to);
    let mut pairs = tiers.windows(2);
    if tiers.is_empty() || pairs.any(|pair| matches!(pair, [a, b] if a.up_to == b.up_to)) {
        let reason = "no tiers, or two with one bound";
        return Err(DecodeError::new(WHAT, family, reason));
    }
    Ok(Tiers {
        family: family.to_owned(),
        tiers,
    })
}

/// Reads the linear swaps among `wanted`, with `tiers` and the funding intervals of their symbols.
///
/// The venue closes at the bankruptcy price for the taker's fee: the first tier's maintenance margin stands
/// for what is lost beside it.
///
/// # Errors
/// [`DecodeError`] for a wanted swap without contract size, tiers or interval, or counted in something else
/// than its base.
pub fn swap_instruments(
    body: &[u8],
    venue: Venue,
    wanted: &[Symbol],
    (tiers, intervals): (&[Tiers], &[(String, Span)]),
) -> Result<Vec<Listed>, DecodeError> {
    let rows = data::<Row>(WHAT, body)?;
    let rows = rows.iter().filter(|row| {
        row.ct_type == "linear" && is_wanted(&row.ct_val_ccy, &row.settle_ccy, wanted)
    });
    let listed = |row: &Row| {
        let value = row.ct_val.ok_or_else(|| row.missing("ctVal"))?;
        let multiplier = row.ct_mult.unwrap_or(Fixed18::ONE);
        let unit = value.get().mul(multiplier, Rounding::Down);
        let unit = Quantity::new(unit.map_err(|e| row.range(&e))?);
        if !unit.is_positive() {
            return Err(row.missing("ctVal above zero"));
        }
        let of_family = tiers.iter().find(|tiers| tiers.family == row.inst_family);
        let of_family = of_family.ok_or_else(|| row.missing("margin tiers"))?;
        let first = of_family.tiers.first();
        let first = first.ok_or_else(|| row.missing("margin tiers"))?;
        let interval = intervals.iter().find(|(symbol, _)| *symbol == row.inst_id);
        let (_, interval) = interval.ok_or_else(|| row.missing("funding interval"))?;
        let highest = of_family.tiers.iter().map(|tier| tier.max_leverage).max();
        let in_base = |tier: &MarginTier| {
            let up_to = tier.up_to.mul(unit.get(), Rounding::Down);
            up_to.map(|up_to| MarginTier { up_to, ..*tier })
        };
        let bounds: Result<Vec<_>, _> = of_family.tiers.iter().map(in_base).collect();
        let loss = first.maintenance_margin_rate.to_bps();
        let perp = PerpRules {
            contract_size: unit,
            counts_contracts: true,
            prices_contracts: false,
            funding_rate_max: None,
            funding_interval: *interval,
            funding_anchor: Span::ZERO,
            max_leverage: highest.ok_or_else(|| row.missing("margin tiers"))?,
            liquidation_fee: loss.map_err(|e| row.range(&e))?,
            tier_method: TierMethod::Whole,
            tier_unit: TierUnit::Base,
            tiers: bounds.map_err(|e| row.range(&e))?,
        };
        let pair = (row.ct_val_ccy.as_str(), row.settle_ccy.as_str());
        Ok(Listed {
            rules: InstrumentRules {
                perp: Some(perp),
                ..row.rules((venue, InstrumentKind::Perp), pair, unit)?
            },
            code: row.inst_id_code,
            trading: row.state == "live",
        })
    };
    rows.map(listed).collect()
}
