//! What the lending protocols of the chain have in common: lines of what happens without a
//! transaction (interest, interest owed, liquidation), and refusals for want of a price.

use basis_core::error::Rejection;
use basis_core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence};
use basis_core::market::{MarketView, OracleError};
use basis_core::num::{Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Asset, Item, SeriesId, Span, Timestamp, Venue};

use super::Refusal;
use super::transaction::{ETH, price_of};

/// The lines of one happening at a venue, numbered as they are added.
#[derive(Debug)]
pub(crate) struct EventLines<'a> {
    view: &'a MarketView,
    venue: Venue,
    /// What it is called, unique within the venue and its instant.
    name: &'static str,
    /// Lines so far, those taken included.
    count: u8,
    pub(crate) entries: Vec<LedgerEntry>,
}

impl<'a> EventLines<'a> {
    pub(crate) const fn new(view: &'a MarketView, venue: Venue, name: &'static str) -> Self {
        Self {
            view,
            venue,
            name,
            count: 0,
            entries: Vec::new(),
        }
    }

    /// The lines so far; those to come keep counting.
    pub(crate) fn take(&mut self) -> Vec<LedgerEntry> {
        std::mem::take(&mut self.entries)
    }

    /// A change of `quantity` and `units` of a holding, worth units × the mark; less than nothing for
    /// more debt.
    ///
    /// # Errors
    /// A refusal when the asset has no price or the worth leaves the range.
    pub(crate) fn book(
        &mut self,
        kind: EntryKind,
        (account, item): (Account, Item),
        quantity: Quantity,
        units: Quantity,
    ) -> Result<(), Refusal> {
        let reference_price = price_of(self.view, item)?;
        let worth = units.notional(reference_price, Rounding::HalfEven)?;
        let value = if item.is_debt() { worth.neg()? } else { worth };
        self.push(
            kind,
            (account, item),
            (quantity, units),
            (value, reference_price),
        );
        Ok(())
    }

    /// What `units` (signed) of `asset` are worth, half-even at 18 decimals.
    ///
    /// # Errors
    /// A refusal when the asset has no price.
    pub(crate) fn worth(&self, asset: Asset, units: Quantity) -> Result<Value, Refusal> {
        let price = price_of(self.view, Item::Asset(asset))?;
        Ok(units.notional(price, Rounding::HalfEven)?)
    }

    /// One side of what a pool turned into another asset, had for `value` (signed).
    ///
    /// # Errors
    /// A refusal when the asset has no price.
    pub(crate) fn trade(
        &mut self,
        place: (Account, Item),
        units: Quantity,
        value: Value,
    ) -> Result<(), Refusal> {
        let price = price_of(self.view, place.1)?;
        let amounts = (Quantity::ZERO, units);
        self.push(EntryKind::Trade, place, amounts, (value, price));
        Ok(())
    }

    fn push(
        &mut self,
        kind: EntryKind,
        (account, item): (Account, Item),
        (quantity, units): (Quantity, Quantity),
        (value, reference_price): (Value, Price),
    ) {
        let occurrence = Occurrence::Recurring {
            venue: self.venue,
            name: self.name,
            instant: self.view.now(),
        };
        let line = self.count;
        self.count = line.saturating_add(1);
        self.entries.push(LedgerEntry {
            at: self.view.now(),
            account,
            item,
            quantity,
            units,
            value,
            kind,
            instruction: None,
            reference_price,
            cause: Cause::new(occurrence, line),
        });
    }
}

/// The refusal of an oracle without a price.
pub(crate) fn oracle_refusal(e: OracleError, at: Timestamp) -> Refusal {
    match e {
        OracleError::NoValue(series) => stale(series, at, Span::ZERO),
        OracleError::Math(e) => e.into(),
        other => Refusal::invalid(other.to_string()),
    }
}

/// The refusal of an operation for which `series` is too old.
pub(crate) fn stale(series: SeriesId, at: Timestamp, age: Span) -> Refusal {
    Refusal::rejected(Rejection::MarketStale { series, at, age }, None)
}

/// Refuses ether itself, which lending markets take wrapped only.
///
/// # Errors
/// A refusal that says so.
pub(crate) fn wrap_first(asset: Asset, venue: Venue) -> Result<(), Refusal> {
    if asset != ETH {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{venue} takes WETH, not ETH; wrap it first"
    )))
}

/// The block time of an instant.
///
/// # Errors
/// A refusal for an instant before 1970.
pub(crate) fn seconds(at: Timestamp) -> Result<u64, Refusal> {
    let Ok(seconds) = u64::try_from(at.seconds()) else {
        let text = format!("{at} is before the epoch of the chain");
        return Err(Refusal::invalid(text));
    };
    Ok(seconds)
}
