//! Positions that stand on collateral of their own.
//!
//! The venue says which part of an account's cash that is; what it is worth with the position's result,
//! and what the position needs, follows from the books and the rules.

use basis_core::error::ComponentError;
use basis_core::num::{Fixed18, Rate, Rounding, Value};
use basis_core::rules::RuleBook;
use basis_core::types::{Account, InstrumentKey, InstrumentKind, Item, Timestamp};
use basis_core::venue_event::IsolatedMargin;
use basis_protocols::exchange;

use super::books::Books;

/// One isolated position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsolatedPosition {
    /// The perp account.
    pub account: Account,
    /// The position.
    pub instrument: InstrumentKey,
    /// Its own margin plus its unrealised result, in the quote asset.
    pub margin_balance: Value,
    /// Below this the venue liquidates it.
    pub maintenance_margin: Value,
    /// Quantity × mark, short < 0.
    pub net_notional: Value,
    /// What a relative move of 1 of the mark adds to the maintenance margin, its tier as it is.
    pub maintenance_slope: Value,
}

impl IsolatedPosition {
    /// The position behind `own` as the books have it; `None` for one they do not hold.
    pub(super) fn read(
        books: &Books,
        rules: &RuleBook,
        now: Timestamp,
        own: &IsolatedMargin,
    ) -> Result<Option<Self>, ComponentError> {
        let (account, key) = (own.account, own.instrument);
        let Some(held) = books.holding(account, Item::Position(key)) else {
            return Ok(None);
        };
        let rules = rules.venue(key.venue).map(|rules| rules.at(now));
        let instrument = rules.and_then(|rules| rules.instrument(InstrumentKind::Perp, key.symbol));
        let Some(perp) = instrument.and_then(|instrument| instrument.perp.as_ref()) else {
            return Ok(None);
        };
        let result = held.value.sub(held.cost)?;
        let (slope, deduction) =
            exchange::margin::maintenance_parts(perp, held.quantity.abs()?, held.value.abs()?)?;
        Ok(Some(Self {
            account,
            instrument: key,
            margin_balance: Value::new(own.margin.get()).add(result)?,
            maintenance_margin: slope.sub(deduction)?,
            net_notional: held.value,
            maintenance_slope: slope,
        }))
    }
}

/// Maintenance margin ÷ margin balance; the venue liquidates at 1. Zero where nothing is needed, and the
/// largest rate when nothing is left.
#[must_use]
pub fn margin_ratio(balance: Value, maintenance: Value) -> Rate {
    if maintenance.is_zero() {
        return Rate::ZERO;
    }
    if !balance.is_positive() {
        return Rate::new(Fixed18::MAX);
    }
    let ratio = maintenance.ratio(balance, Rounding::Up);
    ratio.unwrap_or(Rate::new(Fixed18::MAX))
}
