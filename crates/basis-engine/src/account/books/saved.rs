//! Books that are put down in a journal and taken up again.

use std::sync::Arc;

use basis_core::error::ComponentError;
use basis_core::journal::{JournalError, TakenEvent};
use basis_core::ledger::LedgerEntry;
use basis_core::num::{Price, Quantity, Value};
use basis_core::types::{Account, Item, Timestamp};
use basis_market::MarketView;
use serde::{Deserialize, Serialize};

use super::Books;
use super::admitted::Admitted;
use super::holding::{Holding, StepOpening};
use crate::pnl::Attribution;

/// What the books are beyond their ledger: sums of it, and the step under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SavedBooks {
    reference_opening: Price,
    holdings: Vec<SavedHolding>,
    lines: usize,
    cash: Value,
    cost: Value,
    equity: Value,
    equity_open: Value,
    valued_at: Option<Timestamp>,
    unpriced: Vec<(Account, Item)>,
    step: Attribution,
    external_flow: Value,
    closed_at: Timestamp,
    posted: bool,
}

impl SavedBooks {
    /// Equity at the last valuation, USD.
    pub(crate) const fn equity(&self) -> Value {
        self.equity
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedHolding {
    account: Account,
    item: Item,
    quantity: Quantity,
    units: Quantity,
    cost: Value,
    value: Value,
    delta: Quantity,
    is_priced: bool,
    opening: StepOpening,
}

impl Books {
    /// Notes the marks that posting reads from here on, for a journal.
    pub(crate) const fn note_marks(&mut self) {
        self.notes_marks = true;
    }

    /// Everything but the ledger.
    pub(crate) fn save(&self) -> SavedBooks {
        let holdings = self.holdings.iter().map(|holding| SavedHolding {
            account: holding.account,
            item: holding.item,
            quantity: holding.quantity,
            units: holding.units,
            cost: holding.cost,
            value: holding.value,
            delta: holding.delta,
            is_priced: holding.is_priced,
            opening: holding.opening,
        });
        SavedBooks {
            reference_opening: self.reference_opening,
            holdings: holdings.collect(),
            lines: self.ledger.len(),
            cash: self.cash,
            cost: self.cost,
            equity: self.equity,
            equity_open: self.equity_open,
            valued_at: self.valued_at,
            unpriced: self.unpriced.clone(),
            step: self.step,
            external_flow: self.external_flow,
            closed_at: self.closed_at,
            posted: self.posted,
        }
    }

    /// Takes the lines of a commit back into the ledger, each with the event that made it.
    ///
    /// # Errors
    /// [`JournalError::Inconsistent`] when an event has fewer lines than it made, or a line no event.
    pub(crate) fn take_back(
        &mut self,
        events: &[TakenEvent],
        mut lines: Vec<LedgerEntry>,
    ) -> Result<(), JournalError> {
        let mut place = self.ledger.len();
        self.extend_ledger(&mut lines);
        for taken in events {
            let Some(key) = taken.event.key() else {
                continue;
            };
            let key = Arc::new(key);
            let first = (taken.lines > 0).then_some(place);
            let made = usize::try_from(taken.lines).unwrap_or(usize::MAX);
            let after = place.saturating_add(made);
            if after > self.ledger.len() {
                let problem = format!("{key} made {made} ledger lines, and fewer are there");
                return Err(JournalError::Inconsistent(problem));
            }
            let posted_under = first.and_then(|at| self.ledger.get(at));
            let posted_under = posted_under.map(|line| Arc::clone(&line.cause.event));
            match posted_under.filter(|under| *under != key) {
                None => self
                    .admitted
                    .admit(Admitted::hash(&key), &key, first, &self.ledger),
                Some(under) => {
                    let hash = Admitted::hash(&key);
                    self.admitted.admit(hash, &key, None, &self.ledger);
                    let hash = Admitted::hash(&under);
                    self.admitted.admit(hash, &under, first, &self.ledger);
                }
            }
            place = after;
        }
        if place == self.ledger.len() {
            return Ok(());
        }
        let extra = self.ledger.len() - place;
        let problem = format!("{extra} ledger line(s) were made by no event");
        Err(JournalError::Inconsistent(problem))
    }

    /// Takes over what was saved; the ledger has been taken back already.
    ///
    /// # Errors
    /// [`JournalError::Inconsistent`] when the ledger has another length, or its sums are others.
    pub(crate) fn restore(
        &mut self,
        view: &MarketView,
        saved: SavedBooks,
    ) -> Result<(), ComponentError> {
        if saved.lines != self.ledger.len() {
            let problem = format!(
                "the books stood at {} ledger lines, and {} are there",
                saved.lines,
                self.ledger.len()
            );
            return Err(JournalError::Inconsistent(problem).into());
        }
        for held in saved.holdings {
            let mark = self.mark_of(view, held.account, held.item);
            let at = self.holdings.len();
            self.index.insert((held.account, held.item), at);
            self.holdings.push(Holding {
                account: held.account,
                item: held.item,
                quantity: held.quantity,
                units: held.units,
                cost: held.cost,
                value: held.value,
                delta: held.delta,
                mark,
                is_priced: held.is_priced,
                opening: held.opening,
            });
        }
        self.check_sums()?;
        self.reference_opening = saved.reference_opening;
        self.cash = saved.cash;
        self.cost = saved.cost;
        self.equity = saved.equity;
        self.equity_open = saved.equity_open;
        self.valued_at = saved.valued_at;
        self.unpriced = saved.unpriced;
        self.step = saved.step;
        self.external_flow = saved.external_flow;
        self.closed_at = saved.closed_at;
        self.posted = saved.posted;
        Ok(())
    }

    /// Checks that every holding is the sum of its lines.
    fn check_sums(&self) -> Result<(), ComponentError> {
        let mut sums = vec![(Quantity::ZERO, Quantity::ZERO); self.holdings.len()];
        for line in &self.ledger {
            let at = self.index.get(&(line.account, line.item)).copied();
            let Some(sum) = at.and_then(|at| sums.get_mut(at)) else {
                let problem = format!("{} in {} has lines and no holding", line.item, line.account);
                return Err(JournalError::Inconsistent(problem).into());
            };
            *sum = (sum.0.add(line.quantity)?, sum.1.add(line.units)?);
        }
        for (holding, sum) in self.holdings.iter().zip(sums) {
            if sum != (holding.quantity, holding.units) {
                let problem = format!(
                    "{} in {} was {} ({} units), and its lines add up to {} ({} units)",
                    holding.item, holding.account, holding.quantity, holding.units, sum.0, sum.1
                );
                return Err(JournalError::Inconsistent(problem).into());
            }
        }
        Ok(())
    }
}
