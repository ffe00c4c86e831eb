//! Balance changes: one line each, and how the sides of an exchange are valued.

use basis_core::ledger::EntryKind;
use basis_core::num::{MathError, Price, Rounding, Value};
use basis_core::types::Item;
use basis_core::venue_event::{BalanceChange, Exchange};

use super::PostingError;
use super::writer::{Writer, value_of};

impl Writer<'_> {
    /// One line per change in the order reported, zero ones too: each valued at its own mark, but for
    /// the sides of an exchange that share what the others leave.
    pub(super) fn changes(&mut self, changes: &[BalanceChange]) -> Result<(), PostingError> {
        for change in changes {
            let by_fills_alone =
                change.kind == EntryKind::RealizedPnl || matches!(change.item, Item::Position(_));
            if by_fills_alone {
                return Err(PostingError::NotAChange(change.item));
            }
        }
        if changes.iter().any(|change| change.exchange.is_some()) {
            return self.exchanged(changes);
        }
        for change in changes {
            let price = self.price_of(change)?;
            let place = (change.account, change.item);
            self.book(change.kind, place, (change.quantity, change.units), price)?;
        }
        Ok(())
    }

    fn exchanged(&mut self, changes: &[BalanceChange]) -> Result<(), PostingError> {
        let mut sides = Vec::with_capacity(changes.len());
        for change in changes {
            let price = self.price_of(change)?;
            sides.push(Valued {
                exchange: change.exchange,
                price,
                value: value_of(change.item, change.units, price)?,
            });
        }
        settle(&mut sides)?;
        for (change, side) in changes.iter().zip(sides) {
            let place = (change.account, change.item);
            let amounts = (change.quantity, change.units);
            self.push(change.kind, place, amounts, side.value, side.price)?;
        }
        Ok(())
    }

    fn price_of(&self, change: &BalanceChange) -> Result<Option<Price>, PostingError> {
        match change.item.asset() {
            Some(asset) => self.own_price(asset),
            None => Ok(None),
        }
    }
}

/// A change and its value, at its own mark to begin with; zero where it has none.
struct Valued {
    exchange: Option<Exchange>,
    price: Option<Price>,
    value: Value,
}

/// Values the sides of every exchange so that they cancel out to the last unit.
fn settle(sides: &mut [Valued]) -> Result<(), MathError> {
    for at in 0..sides.len() {
        let (before, rest) = sides.split_at(at);
        let number = |side: &Valued| side.exchange.map(|exchange| exchange.number);
        let Some(exchange) = rest.first().and_then(number) else {
            continue;
        };
        if before.iter().any(|side| number(side) == Some(exchange)) {
            continue;
        }
        settle_one(sides, exchange)?;
    }
    Ok(())
}

/// Values one exchange: those that price it keep their values, the others share the negated sum in
/// proportion to theirs, half-even at 18 decimals. The last takes what the roundings before it left;
/// where they add up to zero the first takes all. Where a side that should price it has no mark, the
/// others' marks price it, and what has no mark takes what they leave.
fn settle_one(sides: &mut [Valued], number: u32) -> Result<(), MathError> {
    let members = || {
        let of = |side: &&Valued| side.exchange.is_some_and(|side| side.number == number);
        sides.iter().filter(of)
    };
    let prices = |side: &Valued| side.exchange.is_some_and(|exchange| exchange.prices);
    let is_unmarked = members().any(|side| prices(side) && side.price.is_none());
    let takes = |side: &Valued| {
        if is_unmarked {
            side.price.is_none()
        } else {
            !prices(side)
        }
    };
    let (mut open, mut total, mut takers) = (Value::ZERO, Value::ZERO, 0_usize);
    for side in members() {
        if takes(side) {
            total = total.add(side.value)?;
            takers = takers.saturating_add(1);
        } else {
            open = open.sub(side.value)?;
        }
    }
    let given = open;
    for side in sides.iter_mut() {
        let is_member = side.exchange.is_some_and(|side| side.number == number);
        if !is_member || !takes(side) {
            continue;
        }
        takers = takers.saturating_sub(1);
        let value = if takers == 0 || total.is_zero() {
            open
        } else {
            let part = given
                .get()
                .mul_div(side.value.get(), total.get(), Rounding::HalfEven)?;
            Value::new(part)
        };
        open = open.sub(value)?;
        side.value = value;
    }
    Ok(())
}
