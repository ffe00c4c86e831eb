//! Lines of something that came to pass by itself.

use basis_core::execution::{VenueEvent, VenueEventKind};
use basis_core::ledger::{Cause, EntryKind, LedgerEntry, Occurrence};
use basis_core::market::MarketView;
use basis_core::num::{Quantity, Rounding};
use basis_core::types::{Account, Item, Timestamp, Venue};

use crate::chain::{Refusal, price_of};

/// One happening at a venue and its lines so far.
#[derive(Debug)]
pub(super) struct Happening<'a> {
    view: &'a MarketView,
    venue: Venue,
    at: Timestamp,
    occurrence: Occurrence,
    entries: Vec<LedgerEntry>,
}

impl<'a> Happening<'a> {
    pub(super) const fn new(
        venue: Venue,
        at: Timestamp,
        occurrence: Occurrence,
        view: &'a MarketView,
    ) -> Self {
        Self {
            view,
            venue,
            at,
            occurrence,
            entries: Vec::new(),
        }
    }

    /// A line of `quantity` and `units`, worth units × the view's price.
    ///
    /// # Errors
    /// A refusal when the run reads no series that prices the asset.
    pub(super) fn line(
        &mut self,
        kind: EntryKind,
        (account, item): (Account, Item),
        quantity: Quantity,
        units: Quantity,
    ) -> Result<(), Refusal> {
        let reference_price = price_of(self.view, item)?;
        let line = u8::try_from(self.entries.len()).unwrap_or(u8::MAX);
        self.entries.push(LedgerEntry {
            at: self.at,
            account,
            item,
            quantity,
            units,
            value: units.notional(reference_price, Rounding::HalfEven)?,
            kind,
            instruction: None,
            reference_price,
            cause: Cause::new(self.occurrence.clone(), line),
        });
        Ok(())
    }

    pub(super) fn event(self, kind: VenueEventKind) -> VenueEvent {
        VenueEvent {
            venue: self.venue,
            at: self.at,
            kind,
            entries: self.entries,
        }
    }
}
