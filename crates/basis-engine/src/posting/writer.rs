//! The lines of one event, numbered as they are added.

use std::sync::Arc;

use basis_core::ledger::{Cause, EntryKind, LedgerEntry};
use basis_core::num::{Fixed18, MathError, Price, Quantity, Rounding, Value};
use basis_core::types::{Account, Asset, InstructionId, Item};
use basis_core::venue_event::{EventKey, EventKind, VenueEvent};

use super::price::Marks;
use super::{Posting, PostingError};

/// Makes the lines of one event.
pub(super) struct Writer<'a> {
    event: &'a VenueEvent,
    pub(super) key: Arc<EventKey>,
    pub(super) marks: &'a dyn Marks,
    instruction: Option<InstructionId>,
    posting: &'a mut Posting,
    next: u32,
}

impl<'a> Writer<'a> {
    /// A writer of the lines of `event`; only fills, transactions and transfers bear their
    /// instruction, whatever an event of another kind names.
    pub(super) fn new(
        event: &'a VenueEvent,
        key: &Arc<EventKey>,
        marks: &'a dyn Marks,
        posting: &'a mut Posting,
    ) -> Self {
        let instruction = match &event.kind {
            EventKind::Fill(fill) => fill.instruction,
            EventKind::Transaction(transaction) => transaction.instruction,
            EventKind::Transfer(transfer) => transfer.instruction,
            _ => None,
        };
        Self {
            event,
            key: Arc::clone(key),
            marks,
            instruction,
            posting,
            next: 0,
        }
    }

    /// The price of a line that states none; `None` when there is none.
    pub(super) fn own_price(&self, asset: Asset) -> Result<Option<Price>, PostingError> {
        self.marks.price(asset, self.event.venue)
    }

    /// Returns the price of `asset` at the instant of the event.
    pub(super) fn price_then(&self, asset: Asset) -> Result<Option<Price>, PostingError> {
        let event = self.event;
        self.marks.price_at(asset, event.venue, event.at)
    }

    /// A line of an asset that is not scaled, at the asset's own price.
    pub(super) fn book_at_own(
        &mut self,
        kind: EntryKind,
        (account, item): (Account, Item),
        quantity: Quantity,
    ) -> Result<(), PostingError> {
        let price = match item.asset() {
            Some(asset) => self.own_price(asset)?,
            None => None,
        };
        self.book(kind, (account, item), (quantity, quantity), price)
    }

    /// A line of `quantity` that stands for `units`: units × price, half-even at 18 decimals, below zero
    /// for more debt.
    pub(super) fn book(
        &mut self,
        kind: EntryKind,
        place: (Account, Item),
        (quantity, units): (Quantity, Quantity),
        price: Option<Price>,
    ) -> Result<(), PostingError> {
        let value = value_of(place.1, units, price)?;
        self.push(kind, place, (quantity, units), value, price)
    }

    /// A line of a position: `quantity` signed base units × price, half-even at 18 decimals, against a
    /// reference price.
    pub(super) fn position(
        &mut self,
        kind: EntryKind,
        place: (Account, Item),
        quantity: Quantity,
        (price, reference): (Price, Price),
    ) -> Result<(), PostingError> {
        let cost = quantity.notional(price, Rounding::HalfEven)?;
        let reference = known(reference);
        self.push(kind, place, (quantity, quantity), cost, reference)
    }

    /// A line of the given value; the reference price is 0, and the holding is listed, without a price.
    pub(super) fn push(
        &mut self,
        kind: EntryKind,
        (account, item): (Account, Item),
        (quantity, units): (Quantity, Quantity),
        value: Value,
        price: Option<Price>,
    ) -> Result<(), PostingError> {
        if price.is_none() && !self.posting.unpriced.contains(&(account, item)) {
            self.posting.unpriced.push((account, item));
        }
        let cause = self.cause()?;
        self.posting.lines.push(LedgerEntry {
            at: self.event.at,
            account,
            item,
            quantity,
            units,
            value,
            kind,
            instruction: self.instruction,
            reference_price: price.unwrap_or(Price::ZERO),
            cause,
        });
        Ok(())
    }

    /// A line that undoes `line`, of this event and at its own reference price.
    pub(super) fn reverse(&mut self, line: &LedgerEntry) -> Result<(), PostingError> {
        let cause = self.cause()?;
        self.posting.lines.push(LedgerEntry {
            at: self.event.at,
            account: line.account,
            item: line.item,
            quantity: line.quantity.neg()?,
            units: line.units.neg()?,
            value: line.value.neg()?,
            kind: line.kind,
            instruction: self.instruction.or(line.instruction),
            reference_price: line.reference_price,
            cause,
        });
        Ok(())
    }

    fn cause(&mut self) -> Result<Cause, MathError> {
        let line = self.next;
        let op = "ledger lines of one event";
        self.next = line.checked_add(1).ok_or(MathError::Overflow { op })?;
        Ok(Cause::new(Arc::clone(&self.key), line))
    }
}

/// Units × price, half-even at 18 decimals, with the sign turned for a debt; zero without a price.
pub(super) fn value_of(
    item: Item,
    units: Quantity,
    price: Option<Price>,
) -> Result<Value, MathError> {
    let Some(price) = price else {
        return Ok(Value::ZERO);
    };
    let value = units.notional(price, Rounding::HalfEven)?;
    if item.is_debt() {
        value.neg()
    } else {
        Ok(value)
    }
}

/// A price that is one: 0 stands for none.
pub(super) fn known(price: Price) -> Option<Price> {
    Some(price).filter(|price| price.is_positive())
}

/// Refuses an amount that is not above zero.
pub(super) fn positive(what: &'static str, value: Fixed18) -> Result<(), PostingError> {
    if value.is_positive() {
        Ok(())
    } else {
        Err(PostingError::NotPositive { what, value })
    }
}

/// Refuses an amount below zero.
pub(super) fn not_negative(what: &'static str, amount: Quantity) -> Result<(), PostingError> {
    let value = amount.get();
    if value.is_negative() {
        Err(PostingError::Negative { what, value })
    } else {
        Ok(())
    }
}
