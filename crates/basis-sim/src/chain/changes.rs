//! Changes of holdings, as protocols report them, with a transaction and without one.

use basis_core::ledger::EntryKind;
use basis_core::num::Quantity;
use basis_core::types::{Account, Item};
use basis_core::venue_event::BalanceChange;

use crate::refusal::Refusal;

/// Where changes of holdings at a protocol go.
pub trait Changes {
    /// Adds a change.
    ///
    /// # Errors
    /// Within a transaction a refusal when the wallet holds less than leaves it, or when the run reads no
    /// series that prices the item.
    fn push(&mut self, change: BalanceChange) -> Result<(), Refusal>;

    /// A change of `quantity` and `units` of a holding; `units` is what the quantity stands for, above
    /// zero for more debt.
    ///
    /// # Errors
    /// As [`Changes::push`].
    fn book(
        &mut self,
        kind: EntryKind,
        place: (Account, Item),
        quantity: Quantity,
        units: Quantity,
    ) -> Result<(), Refusal> {
        self.push(BalanceChange::scaled(kind, place, quantity, units))
    }

    /// One side of the exchange `number`: its quantity and what that stands for. A side that `prices` is
    /// valued at its mark, the others share what those come to.
    ///
    /// # Errors
    /// As [`Changes::push`].
    fn trade(
        &mut self,
        place: (Account, Item),
        (quantity, units): (Quantity, Quantity),
        number: u32,
        prices: bool,
    ) -> Result<(), Refusal> {
        let change = BalanceChange::scaled(EntryKind::Trade, place, quantity, units);
        self.push(change.exchanged(number, prices))
    }
}

/// The changes of an event without a transaction.
impl Changes for Vec<BalanceChange> {
    fn push(&mut self, change: BalanceChange) -> Result<(), Refusal> {
        Self::push(self, change);
        Ok(())
    }
}
