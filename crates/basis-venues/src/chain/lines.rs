//! Ledger lines of the chain: what a transaction and what happens without one have in common.

use basis_core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence};
use basis_core::market::MarketView;
use basis_core::num::{Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Asset, Item, Venue};

use super::Refusal;
use super::transaction::price_of;

/// Where lines about holdings at a protocol go.
pub(crate) trait Lines {
    /// Market data at this instant.
    fn view(&self) -> &MarketView;

    /// Adds a line: quantity and units of what is at a place, their worth, and the price of a unit.
    ///
    /// # Errors
    /// A refusal when the wallet holds less than leaves it.
    fn push(
        &mut self,
        kind: EntryKind,
        place: (Account, Item),
        amounts: (Quantity, Quantity),
        value: Value,
        reference_price: Price,
    ) -> Result<(), Refusal>;

    /// What `units` (signed) of `asset` are worth, half-even at 18 decimals.
    ///
    /// # Errors
    /// A refusal when the asset has no price.
    fn worth(&self, asset: Asset, units: Quantity) -> Result<Value, Refusal> {
        let price = price_of(self.view(), Item::Asset(asset))?;
        Ok(units.notional(price, Rounding::HalfEven)?)
    }

    /// A change of `quantity` and `units` of a holding, worth units × the mark; `units` is what the
    /// quantity stands for, positive for more debt, which is worth less than nothing.
    ///
    /// # Errors
    /// A refusal when the asset has no price or the worth leaves the range.
    fn book(
        &mut self,
        kind: EntryKind,
        place: (Account, Item),
        quantity: Quantity,
        units: Quantity,
    ) -> Result<(), Refusal> {
        let price = price_of(self.view(), place.1)?;
        let worth = units.notional(price, Rounding::HalfEven)?;
        let value = if place.1.is_debt() {
            worth.neg()?
        } else {
            worth
        };
        self.push(kind, place, (quantity, units), value, price)
    }

    /// One side of an exchange: its quantity and what that stands for; `worth` (signed) must cancel out
    /// over the sides.
    ///
    /// # Errors
    /// A refusal when the asset has no price.
    fn trade(
        &mut self,
        place: (Account, Item),
        amounts: (Quantity, Quantity),
        worth: Value,
    ) -> Result<(), Refusal> {
        let price = price_of(self.view(), place.1)?;
        self.push(EntryKind::Trade, place, amounts, worth, price)
    }
}

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
}

impl Lines for EventLines<'_> {
    fn view(&self) -> &MarketView {
        self.view
    }

    fn push(
        &mut self,
        kind: EntryKind,
        (account, item): (Account, Item),
        (quantity, units): (Quantity, Quantity),
        value: Value,
        reference_price: Price,
    ) -> Result<(), Refusal> {
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
        Ok(())
    }
}
