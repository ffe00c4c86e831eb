//! The effect of one event's lines, computed whole before any of it stands in the books.

use basis_core::error::{Code, ComponentError};
use basis_core::ledger::{EntryKind, LedgerEntry};
use basis_core::num::{MathError, Price, PriceChange, Quantity, Rounding, Value};
use basis_core::types::{Account, Item};
use basis_core::venue::FillAt;
use basis_market::{Mark, MarketView};

use super::Books;
use super::holding::{Holding, signed};
use crate::pnl::Attribution;

/// What the books will hold once the lines seen so far are posted.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// Holdings that change, by their index once all is posted.
    pub(super) touched: Vec<(usize, Amounts)>,
    /// Holdings that the books do not have yet, in order.
    pub(super) opened: Vec<Holding>,
    pub(super) cash: Value,
    pub(super) cost: Value,
    pub(super) step: Attribution,
    pub(super) external_flow: Value,
}

/// What posting changes of a holding.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amounts {
    pub(super) quantity: Quantity,
    pub(super) units: Quantity,
    pub(super) cost: Value,
}

impl Staged {
    /// Begins anew from what the books hold.
    pub(super) fn begin(&mut self, books: &Books) {
        self.touched.clear();
        self.opened.clear();
        self.cash = books.cash;
        self.cost = books.cost;
        self.step = books.step;
        self.external_flow = books.external_flow;
    }

    /// Adds one line.
    ///
    /// # Errors
    /// POS-002 when an amount leaves the range; POS-001 for a result without its position.
    pub(super) fn add(
        &mut self,
        books: &Books,
        view: &MarketView,
        entry: &LedgerEntry,
    ) -> Result<(), ComponentError> {
        let (account, item) = (entry.account, entry.item);
        let at = match self.index_of(books, account, item) {
            Some(at) => at,
            None => self.open(books, view, account, item),
        };
        let mark = self.holding(books, at).and_then(|holding| holding.mark);
        let mut amounts = self.amounts(books, at);
        amounts.quantity = amounts.quantity.add(entry.quantity)?;
        amounts.units = amounts.units.add(entry.units)?;
        if mark == Some(Mark::Par) {
            let cash = Value::new(signed(item, entry.units)?.get());
            self.cash = self.cash.add(cash)?;
        } else if opens_cost(entry) {
            amounts.cost = amounts.cost.add(entry.value)?;
            self.cost = self.cost.add(entry.value)?;
        }
        self.set(at, amounts);
        if entry.kind == EntryKind::RealizedPnl {
            self.settle(books, entry)?;
        }
        self.attribute(books, view, entry, mark)
    }

    /// Moves a realised result from the open cost of its position, which the event's key names.
    fn settle(&mut self, books: &Books, entry: &LedgerEntry) -> Result<(), ComponentError> {
        let instrument = entry.cause.event.traded().ok_or_else(|| {
            let message = format!("realized_pnl line {} names no instrument", entry.cause);
            ComponentError::new(Code::PositionInvalid, message)
        })?;
        let position = self.index_of(books, entry.account, Item::Position(instrument));
        let Some(at) = position else {
            let message = format!(
                "realized_pnl of {instrument} without a position in {}",
                entry.account
            );
            return Err(ComponentError::new(Code::PositionInvalid, message));
        };
        let result = Value::new(entry.quantity.get());
        let mut amounts = self.amounts(books, at);
        amounts.cost = amounts.cost.add(result)?;
        self.cost = self.cost.add(result)?;
        self.set(at, amounts);
        Ok(())
    }

    fn attribute(
        &mut self,
        books: &Books,
        view: &MarketView,
        entry: &LedgerEntry,
        mark: Option<Mark>,
    ) -> Result<(), ComponentError> {
        let step = &mut self.step;
        let bucket = match entry.kind {
            EntryKind::Trade => {
                step.slippage = step.slippage.add(above_cost(entry)?)?;
                None
            }
            EntryKind::Deposit if opens_cost(entry) => {
                self.external_flow = self.external_flow.add(above_cost(entry)?)?;
                None
            }
            EntryKind::RealizedPnl | EntryKind::Transfer => None,
            EntryKind::Deposit | EntryKind::Withdrawal => Some(&mut self.external_flow),
            EntryKind::Fee => Some(&mut step.fees),
            EntryKind::Funding => Some(&mut step.funding),
            EntryKind::Interest => Some(&mut step.interest),
            EntryKind::Rebase => Some(&mut step.staking_yield),
            EntryKind::BorrowCost => Some(&mut step.borrow_cost),
            EntryKind::Reward => Some(&mut step.rewards),
            EntryKind::LiquidityFee => Some(&mut step.liquidity_fees),
            EntryKind::Gas => Some(&mut step.gas),
            EntryKind::TransferCost => Some(&mut step.transfer_cost),
            EntryKind::Liquidation => Some(&mut step.liquidation),
            EntryKind::WriteOff => {
                step.written_off = step.written_off.add(entry.value)?;
                Some(&mut step.liquidation)
            }
            other => {
                let message = format!("ledger kind {other} of {} is not attributed", entry.cause);
                return Err(ComponentError::new(Code::PnlOpen, message));
            }
        };
        if let Some(bucket) = bucket {
            *bucket = bucket.add(entry.value)?;
        }
        if mark != Some(Mark::Par) {
            let now = match mark {
                Some(mark) => view.price_usd(mark)?,
                None => None,
            };
            // Without a price the books value the holding at 0, whatever the reference price of the line.
            let moved = now.unwrap_or(Price::ZERO).diff(entry.reference_price);
            self.drift(books, view, entry, moved)?;
        }
        Ok(())
    }

    /// Attributes what the mark has `moved` between the line and the step's end. A line at the opening
    /// of the step's bar divides it like any move, for the reference's open is recorded; the reference
    /// at a moment within the bar is not, and there the whole drift counts as its own.
    fn drift(
        &mut self,
        books: &Books,
        view: &MarketView,
        entry: &LedgerEntry,
        moved: PriceChange,
    ) -> Result<(), MathError> {
        let units = signed(entry.item, entry.units)?;
        let gain = |moved| units.gain(moved, Rounding::HalfEven);
        if entry.at == books.closed_at.plus(FillAt::NEXT_OPEN_DELAY) {
            let reference = view.quote(books.reference);
            let reference_move = reference.mark.diff(reference.open);
            let apart = gain(moved.sub(reference_move)?)?;
            self.step.basis = self.step.basis.add(apart)?;
            self.step.price = self.step.price.add(gain(reference_move)?)?;
        } else if !moved.is_zero() {
            self.step.price = self.step.price.add(gain(moved)?)?;
        }
        Ok(())
    }

    /// The index that a holding has, or will have once all is posted.
    fn index_of(&self, books: &Books, account: Account, item: Item) -> Option<usize> {
        if let Some(&at) = books.index.get(&(account, item)) {
            return Some(at);
        }
        let is_it = |opened: &Holding| opened.account == account && opened.item == item;
        let at = self.opened.iter().position(is_it)?;
        at.checked_add(books.holdings.len())
    }

    fn open(&mut self, books: &Books, view: &MarketView, account: Account, item: Item) -> usize {
        let at = books.holdings.len().saturating_add(self.opened.len());
        let mark = books.mark_of(view, account, item);
        self.opened.push(Holding::empty(account, item, mark));
        at
    }

    fn holding<'a>(&'a self, books: &'a Books, at: usize) -> Option<&'a Holding> {
        match at.checked_sub(books.holdings.len()) {
            None => books.holdings.get(at),
            Some(opened) => self.opened.get(opened),
        }
    }

    fn amounts(&self, books: &Books, at: usize) -> Amounts {
        let touched = self.touched.iter().find(|(touched, _)| *touched == at);
        if let Some((_, amounts)) = touched {
            return *amounts;
        }
        let held = self.holding(books, at).map(|holding| Amounts {
            quantity: holding.quantity,
            units: holding.units,
            cost: holding.cost,
        });
        held.unwrap_or_default()
    }

    fn set(&mut self, at: usize, amounts: Amounts) {
        let mut touched = self.touched.iter_mut();
        match touched.find(|(touched, _)| *touched == at) {
            Some((_, known)) => *known = amounts,
            None => self.touched.push((at, amounts)),
        }
    }
}

/// Whether the line's value is open cost of its position: of a fill, or of one that was taken over.
pub(crate) fn opens_cost(entry: &LedgerEntry) -> bool {
    matches!(entry.kind, EntryKind::Trade | EntryKind::Deposit)
        && matches!(entry.item, Item::Position(_))
}

/// Units × reference price − value.
fn above_cost(entry: &LedgerEntry) -> Result<Value, MathError> {
    let at_mark =
        signed(entry.item, entry.units)?.notional(entry.reference_price, Rounding::HalfEven)?;
    at_mark.sub(entry.value)
}
