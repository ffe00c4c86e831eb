//! What a journal's events come to: the ledger of the test, and what is still open.

use std::collections::{BTreeMap, BTreeSet};

use basis_core::instruction::{OpenInstruction, Operation};
use basis_core::journal::{Commit, VenueRecord};
use basis_core::num::Quantity;
use basis_core::types::{Account, InstructionId, InstrumentKind, Item, Side};
use basis_core::venue_event::{
    EventKey, EventKind, Fill, OrderState, Progress, TransferStage, VenueEvent,
};

/// What became of an instruction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) state: Option<OrderState>,
    /// Base units by the venue's count, and by the fills.
    pub(crate) reported: Quantity,
    pub(crate) filled: Quantity,
    pub(crate) done: bool,
    pub(crate) rejected: Option<String>,
    pub(crate) unknown: bool,
    pub(crate) transfer: Option<TransferStage>,
}

/// Events as the engine would take them: each key once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) instructions: BTreeMap<InstructionId, OpenInstruction>,
    pub(crate) outcomes: BTreeMap<InstructionId, Outcome>,
    taken: BTreeSet<EventKey>,
    pub(crate) fills: Vec<Fill>,
    pub(crate) holdings: BTreeMap<(Account, Item), Quantity>,
    /// What cannot be.
    pub(crate) contradictions: Vec<String>,
}

impl Ledger {
    pub(crate) fn of(commits: &[Commit]) -> Self {
        let mut ledger = Self::default();
        for commit in commits {
            for open in &commit.instructions {
                ledger
                    .instructions
                    .insert(open.instruction.id, open.clone());
                ledger.outcomes.entry(open.instruction.id).or_default();
            }
            for taken in &commit.events {
                ledger.take(&taken.event);
            }
        }
        ledger
    }

    fn add(&mut self, account: Account, item: Item, quantity: Quantity) {
        let held = self.holdings.entry((account, item)).or_default();
        *held = held.add(quantity).unwrap();
    }

    fn take(&mut self, event: &VenueEvent) {
        if let Some(key) = event.key()
            && !self.taken.insert(key)
        {
            return;
        }
        let id = event.instruction();
        if let EventKind::Fill(fill) = &event.kind {
            self.book(fill);
        }
        if let EventKind::Funding(funding) = &event.kind {
            self.add(funding.account, Item::Asset(funding.asset), funding.amount);
        }
        if let EventKind::Transfer(update) = &event.kind {
            let (asset, amount) = (Item::Asset(update.asset), update.amount);
            match update.stage {
                TransferStage::Sent => self.add(update.from, asset, amount.neg().unwrap()),
                TransferStage::Credited => self.add(update.to, asset, amount),
                TransferStage::Moved => {
                    self.add(update.from, asset, amount.neg().unwrap());
                    self.add(update.to, asset, amount);
                }
                TransferStage::Returned => self.add(update.from, asset, amount),
                _ => {}
            }
        }
        let Some(id) = id else { return };
        let outcome = self.outcomes.entry(id).or_default();
        match &event.kind {
            EventKind::Fill(fill) => {
                outcome.filled = outcome.filled.add(fill.quantity).unwrap();
            }
            EventKind::Order(update) => {
                let before = outcome.state.unwrap_or(OrderState::Submitted);
                match before.after(update.state) {
                    Progress::To(state) => outcome.state = Some(state),
                    Progress::Stays => {}
                    Progress::Contradiction => self.contradictions.push(format!(
                        "{id}: {} after {}",
                        update.state.as_str(),
                        before.as_str()
                    )),
                }
                outcome.reported = outcome.reported.max(update.filled);
            }
            EventKind::Rejected { error, .. } => outcome.rejected = Some(error.to_string()),
            EventKind::OutcomeUnknown { .. } => outcome.unknown = true,
            EventKind::Done { .. } => outcome.done = true,
            EventKind::Transfer(update) => outcome.transfer = Some(update.stage),
            _ => {}
        }
        if outcome.rejected.is_some() && (outcome.done || !outcome.filled.is_zero()) {
            self.contradictions
                .push(format!("{id}: rejected, and done or filled"));
        }
    }

    fn book(&mut self, fill: &Fill) {
        let sign = |quantity: Quantity| match fill.side {
            Side::Buy => quantity,
            Side::Sell => quantity.neg().unwrap(),
        };
        if fill.instrument.kind == InstrumentKind::Spot {
            self.add(fill.account, Item::Asset(fill.base), sign(fill.quantity));
            let paid = sign(fill.turnover).neg().unwrap();
            self.add(fill.account, Item::Asset(fill.quote), paid);
        } else {
            self.add(
                fill.account,
                Item::Position(fill.instrument),
                sign(fill.quantity),
            );
            // Where the venue does not say the result, all that was paid is booked: results and open cost.
            let realized = fill.realized.unwrap_or_else(|| {
                let rounding = basis_core::num::Rounding::HalfEven;
                let paid = fill.quantity.notional(fill.price, rounding).unwrap();
                sign(Quantity::new(paid.get())).neg().unwrap()
            });
            self.add(fill.account, Item::Asset(fill.quote), realized);
        }
        let fee = fill.fee.neg().unwrap();
        self.add(fill.account, Item::Asset(fill.fee_asset), fee);
        self.fills.push(fill.clone());
    }

    /// Whether nothing more can come of an instruction.
    pub(crate) fn is_over(&self, id: InstructionId) -> bool {
        let Some(outcome) = self.outcomes.get(&id) else {
            return false;
        };
        let is_order = self.instructions.get(&id).is_some_and(|open| {
            matches!(
                open.instruction.operation,
                Operation::SpotTrade(_) | Operation::PerpTrade(_)
            )
        });
        if outcome.rejected.is_some() || outcome.done {
            return true;
        }
        if is_order {
            let is_final = outcome.state.is_some_and(OrderState::is_final);
            return is_final && outcome.filled >= outcome.reported;
        }
        outcome.transfer.is_some_and(TransferStage::is_final)
    }

    /// Whether nothing is to be found out about an instruction: it is over, or it is an order that rests.
    pub(crate) fn is_known(&self, id: InstructionId) -> bool {
        let state = self.outcomes.get(&id).and_then(|outcome| outcome.state);
        self.is_over(id) || state == Some(OrderState::Working)
    }

    /// What a process that starts on `commits` has to know and to find out about.
    pub(crate) fn record(commits: &[Commit]) -> VenueRecord {
        let ledger = Self::of(commits);
        let open = ledger.instructions.values();
        let open = open.filter(|open| !ledger.is_over(open.instruction.id));
        let mut record = VenueRecord {
            open: open.cloned().collect(),
            committed_at: commits.last().map(|commit| commit.at),
            ..VenueRecord::default()
        };
        for commit in commits {
            for taken in &commit.events {
                record.note(&taken.event);
            }
        }
        record
    }
}
