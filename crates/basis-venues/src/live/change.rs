//! What changes something and is no order: cancellations, amendments, leverage. Transfers go their own way
//! (`transfer`).

use std::collections::VecDeque;

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation, SetLeverage};
use basis_core::types::{InstructionId, InstrumentKind, Timestamp};
use basis_core::venue_event::{EventKind, OrderState};

use super::codec::{OrderReport, RequestTerms};
use super::look::Look;
use super::order::Tracked;
use super::purpose::{Answered, Purpose};
use super::{Machine, SEND_WAIT};
use crate::wire::{Class, Context, Failure, JsonDraft};

/// How far an instruction that is no order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeState {
    /// Its request waits or is under way.
    Sending,
    /// Sent, and nobody knows what came of it.
    Unknown,
    /// The venue took it, or says that there is nothing to do: what it led to is asked.
    Asking,
}

/// An instruction that is no order.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) instruction: Instruction,
    /// The last instant at which the venue can accept the last request that left, by the venue's clock.
    pub(super) accepted_until: Option<Timestamp>,
    /// Requests that follow, each after the one before is answered.
    rest: VecDeque<JsonDraft>,
    pub(super) state: ChangeState,
    pub(super) look: Look,
    /// The order that it is about.
    target: Option<InstructionId>,
    /// Quantity and price that an amendment leads to, where it changes them.
    amended: Option<RequestTerms>,
    /// Whether a transfer has been reported as under way.
    pub(super) is_under_way: bool,
    /// What the venue answered, where that did not settle it.
    pub(super) text: String,
}

impl Change {
    fn new(instruction: Instruction) -> Self {
        Self {
            target: target_of(&instruction.operation),
            instruction,
            accepted_until: None,
            rest: VecDeque::new(),
            state: ChangeState::Sending,
            look: Look::default(),
            amended: None,
            is_under_way: false,
            text: String::new(),
        }
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.state == ChangeState::Unknown
    }
}

/// The order that an instruction changes.
const fn target_of(operation: &Operation) -> Option<InstructionId> {
    match operation {
        Operation::CancelOrder(cancel) => Some(cancel.order),
        Operation::AmendOrder(amend) => Some(amend.order),
        _ => None,
    }
}

impl Machine {
    /// Takes on an instruction that is no order.
    pub(super) fn take_change(&mut self, instruction: Instruction) {
        let target = target_of(&instruction.operation);
        if let Some(target) = target {
            let Some(order) = self.orders.get(&target) else {
                let text = format!("no order of instruction {target} is open");
                return self.reject(&instruction, rejected(text));
            };
            if order.accepted_until.is_none() {
                return self.change_before_sending(&instruction, target);
            }
        }
        let drafts = match self.drafts_of(&instruction) {
            Ok(drafts) => drafts,
            Err(kind) => return self.reject(&instruction, kind),
        };
        let amended = self.amended_terms(&instruction, &drafts);
        if let Some(kind) = amended.and_then(|terms| self.amends_too_large(target, terms)) {
            return self.reject(&instruction, kind);
        }
        let mut change = Change::new(instruction);
        change.rest = drafts.into();
        change.amended = amended;
        let id = change.instruction.id;
        self.changes.insert(id, change);
        self.send_next(id);
    }

    /// The requests of an instruction that is no order.
    fn drafts_of(&self, instruction: &Instruction) -> Result<Vec<JsonDraft>, VenueErrorKind> {
        let target = target_of(&instruction.operation);
        let order = target.and_then(|target| self.orders.get(&target));
        let known = order.and_then(Tracked::known);
        let context = Context {
            book: self.settings.book,
            rules: &self.rules,
            collar: None,
            order: known.as_ref(),
            withdrawal: None,
        };
        let drafts = self.codec.requests(instruction, &context);
        drafts.map_err(|e| e.kind)
    }

    /// Quantity and price that an amendment leads to; `None` for anything else.
    fn amended_terms(
        &self,
        instruction: &Instruction,
        drafts: &[JsonDraft],
    ) -> Option<RequestTerms> {
        let Operation::AmendOrder(amend) = &instruction.operation else {
            return None;
        };
        let order = self.orders.get(&amend.order)?;
        let listed = self
            .rules
            .instrument(order.kind(), order.instrument.symbol)?;
        Some(self.codec.request_terms(drafts.first()?, listed))
    }

    /// Why an amendment makes its order too large.
    fn amends_too_large(
        &self,
        target: Option<InstructionId>,
        (quantity, price): RequestTerms,
    ) -> Option<VenueErrorKind> {
        let order = self.orders.get(&target?)?;
        let terms = (quantity.or(Some(order.quantity)), price.or(order.limit));
        self.too_large(terms).unwrap_or_else(|e| {
            let text = format!("the order's value is out of range: {e}");
            Some(VenueErrorKind::InvalidRequest(text))
        })
    }

    /// An order that has not left is taken back here; nothing is sent.
    fn change_before_sending(&mut self, instruction: &Instruction, target: InstructionId) {
        if !matches!(instruction.operation, Operation::CancelOrder(_)) {
            let text = "the order has not left yet; cancel it and order anew";
            let kind = VenueErrorKind::InvalidRequest(text.to_owned());
            return self.reject(instruction, kind);
        }
        self.wire.withdraw(Purpose::Place(target));
        self.wire.withdraw(Purpose::Quote(target));
        let text = "taken back before it was sent".to_owned();
        self.end_unsent(target, VenueErrorKind::Unavailable(text));
        let instruction = instruction.id;
        self.emit(self.now, EventKind::Done { instruction });
    }

    /// Queues the next request of a change, if one is left.
    fn send_next(&mut self, id: InstructionId) {
        let Some(change) = self.changes.get_mut(&id) else {
            return;
        };
        let Some(draft) = change.rest.pop_front() else {
            return self.change_done(id);
        };
        change.state = ChangeState::Sending;
        if let (Some(target), Some((Some(quantity), _))) = (change.target, change.amended)
            && let Some(order) = self.orders.get_mut(&target)
        {
            order.amended.push(quantity);
        }
        self.wire
            .act(self.now, draft, Purpose::Change(id), SEND_WAIT);
    }

    /// A request of a change found no turn: where another of it had left, what that did is asked.
    pub(super) fn change_expired(&mut self, id: InstructionId, kind: VenueErrorKind) {
        let has_left = self
            .changes
            .get(&id)
            .is_some_and(|change| change.accepted_until.is_some());
        if has_left {
            let text = kind.to_string();
            return self.change_unknown(id, &text);
        }
        self.change_unsent(id, kind);
    }

    /// Ends a change of which nothing was sent, or of which the venue says that it did nothing.
    pub(super) fn change_unsent(&mut self, id: InstructionId, kind: VenueErrorKind) {
        if let Some(change) = self.changes.remove(&id) {
            self.reject(&change.instruction, kind);
        }
    }

    pub(super) fn change_done(&mut self, id: InstructionId) {
        if let Some(change) = self.changes.remove(&id) {
            if let (Some(target), Some((quantity, price))) = (change.target, change.amended)
                && let Some(order) = self.orders.get_mut(&target)
            {
                order.quantity = quantity.unwrap_or(order.quantity);
                order.limit = price.or(order.limit);
            }
            self.emit(self.now, EventKind::Done { instruction: id });
        }
    }

    /// Takes the answer to a request of a change. Of an order it only says that the request was taken: the
    /// order shows what came of it.
    pub(super) fn changed(&mut self, id: InstructionId, answered: Answered) {
        let now = self.now;
        let Some(change) = self.changes.get_mut(&id) else {
            return;
        };
        if change.state != ChangeState::Sending {
            return;
        }
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.change_refused(id, &failure),
        };
        if matches!(change.instruction.operation, Operation::Transfer(_)) {
            return self.transfer_taken(id, &body);
        }
        let Some(target) = change.target else {
            return self.send_next(id);
        };
        match self.codec.taken(&body) {
            Ok(_) => {
                change.state = ChangeState::Asking;
                change.text.clear();
                self.ask_target(id, target, now);
            }
            Err(e) => self.change_unknown(id, &format!("the answer cannot be read: {e}")),
        }
    }

    /// Asks for the order that a change is about; one that is over concludes it.
    fn ask_target(&mut self, id: InstructionId, target: InstructionId, at: Timestamp) {
        match self.orders.get_mut(&target) {
            Some(order) if order.look.asking => {}
            Some(order) => order.look.at(at),
            None => self.conclude_by_end(id),
        }
    }

    fn change_refused(&mut self, id: InstructionId, failure: &Failure) {
        let text = failure.kind.to_string();
        if let VenueErrorKind::OutcomeUnknown(text) = &failure.kind {
            return self.change_unknown(id, text);
        }
        match failure.class {
            // It may have ended, or not be shown yet: the order itself is asked.
            Class::OrderGone => {
                let now = self.now;
                let Some(change) = self.changes.get_mut(&id) else {
                    return;
                };
                change.state = ChangeState::Asking;
                change.text = text;
                if let Some(target) = change.target {
                    self.ask_target(id, target, now);
                }
            }
            Class::Credentials | Class::Liquidation => {
                self.halt("change", failure.kind.clone());
                self.change_unsent(id, failure.kind.clone());
            }
            class => {
                if class == Class::Clock {
                    self.clock_due = self.now;
                }
                self.change_unsent(id, failure.kind.clone());
            }
        }
    }

    pub(super) fn change_unknown(&mut self, id: InstructionId, text: &str) {
        let now = self.now;
        let Some(change) = self.changes.get_mut(&id) else {
            return;
        };
        change.state = ChangeState::Unknown;
        change.text = text.to_owned();
        let (target, instruction) = (change.target, change.instruction.clone());
        if target.is_none() {
            change.look.again(now);
        }
        self.unknown(&instruction, text);
        if let Some(target) = target {
            self.ask_target(id, target, now);
        }
    }

    /// Takes over an instruction of an earlier process that is no order.
    pub(super) fn take_over_change(&mut self, instruction: Instruction) {
        let target = target_of(&instruction.operation);
        if let Some(target) = target.filter(|target| !self.orders.contains_key(target)) {
            let text = format!("the order of instruction {target} has ended");
            return self.reject(&instruction, rejected(text));
        }
        let drafts = self.drafts_of(&instruction).unwrap_or_default();
        let amended = self.amended_terms(&instruction, &drafts);
        let mut change = Change::new(instruction);
        change.amended = amended;
        if let (Some((Some(quantity), _)), Some(target)) = (change.amended, target)
            && let Some(order) = self.orders.get_mut(&target)
        {
            order.amended.push(quantity);
        }
        change.state = ChangeState::Unknown;
        let sent_before = self.wire.clock.venue(self.now);
        change.accepted_until = Some(sent_before.plus(self.codec.change_accepted_max()));
        "the process that sent it has ended".clone_into(&mut change.text);
        if target.is_none() {
            change.look.at(self.now);
        }
        self.changes.insert(change.instruction.id, change);
    }

    /// Asks about every change that is due.
    pub(super) fn look_after_changes(&mut self) {
        let due: Vec<_> = self
            .changes
            .values()
            .filter(|change| change.look.is_due(self.now))
            .map(|change| change.instruction.id)
            .collect();
        for id in due {
            let now = self.now;
            let change = self.changes.get(&id);
            let draft = change.and_then(|change| match &change.instruction.operation {
                Operation::Transfer(_) => Some(self.transfer_question(id)),
                Operation::SetLeverage(set) => {
                    let listed = self.rules.instrument(InstrumentKind::Perp, set.symbol)?;
                    Some(self.codec.leverage_question(listed))
                }
                _ => None,
            });
            let Some(change) = self.changes.get_mut(&id) else {
                continue;
            };
            match draft {
                Some(draft) => {
                    change.look.asking = true;
                    self.wire.read(now, draft, Purpose::Asked(id));
                }
                None => change.look.never(),
            }
        }
    }

    /// Takes the answer to a question about a change.
    pub(super) fn asked(&mut self, id: InstructionId, answered: Answered) {
        let now = self.now;
        let Some(change) = self.changes.get_mut(&id) else {
            return;
        };
        change.look.again(now);
        let body = match answered.result {
            Ok(body) => body,
            Err(failure)
                if matches!(change.instruction.operation, Operation::Transfer(_))
                    && self.codec.is_no_transfer(&failure) =>
            {
                return self.transfer_absent(id, answered.sent_at);
            }
            Err(failure) => return self.read_failed("change", &failure),
        };
        match change.instruction.operation.clone() {
            Operation::Transfer(transfer) => {
                self.transfer_shown(id, &transfer, &body, answered.sent_at);
            }
            Operation::SetLeverage(set) => self.leverage_shown(id, &set, &body, answered.sent_at),
            _ => {}
        }
    }

    fn leverage_shown(
        &mut self,
        id: InstructionId,
        set: &SetLeverage,
        body: &[u8],
        asked_at: Timestamp,
    ) {
        let Some(listed) = self.rules.instrument(InstrumentKind::Perp, set.symbol) else {
            return;
        };
        let leverage = match self.codec.leverage(listed, body) {
            Ok(leverage) => leverage,
            Err(e) => return self.unreadable("leverage", &e),
        };
        self.was_read();
        if leverage == Some(set.leverage) {
            return self.change_done(id);
        }
        self.reject_if_dead(id, asked_at, "the leverage is not as it was asked to be");
    }

    /// Ends a change as never carried out, when the venue can no longer do it and `asked_at` was after that.
    pub(super) fn reject_if_dead(&mut self, id: InstructionId, asked_at: Timestamp, what: &str) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let dead_at = change.accepted_until.map(|until| self.dead_at(until));
        if dead_at.is_some_and(|at| asked_at >= at) {
            let text = format!("{what}; {}", change.text);
            self.change_unsent(id, rejected(text));
        }
    }

    /// The cancellations and amendments of an order that have been sent.
    fn sent_about(&self, target: InstructionId) -> Vec<InstructionId> {
        let about = self
            .changes
            .values()
            .filter(|change| change.target == Some(target) && change.state != ChangeState::Sending);
        about.map(|change| change.instruction.id).collect()
    }

    /// Ends cancellations and amendments of an order, now that a reply asked for at `asked_at` shows it.
    pub(super) fn target_observed(
        &mut self,
        target: InstructionId,
        reply: &OrderReport,
        asked_at: Timestamp,
    ) {
        for id in self.sent_about(target) {
            self.conclude(id, reply, asked_at);
        }
    }

    /// Ends what was asked of an order whose last fills came without another reply about it.
    pub(super) fn target_ended(&mut self, target: InstructionId) {
        for id in self.sent_about(target) {
            self.conclude_by_end(id);
        }
    }

    /// Ends what was asked of an order that was over before the answer came.
    fn conclude_by_end(&mut self, id: InstructionId) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let ended = self.ended.iter().rev();
        let mut ended = ended.filter(|ended| Some(ended.id) == change.target);
        let (state, quantity) = match ended.next() {
            Some(ended) => (ended.state, Some(ended.quantity)),
            None => (OrderState::Submitted, None),
        };
        let applied = match change.amended {
            Some((amended, _)) => amended.is_some() && quantity == amended,
            None => state == OrderState::Cancelled,
        };
        if applied {
            return self.change_done(id);
        }
        let text = format!("the order has ended: {}; {}", state.as_str(), change.text);
        self.change_unsent(id, rejected(text));
    }

    fn conclude(&mut self, id: InstructionId, reply: &OrderReport, asked_at: Timestamp) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let applied = match change.amended {
            Some((quantity, price)) => {
                quantity.is_none_or(|quantity| reply.quantity == quantity)
                    && price.is_none_or(|price| reply.price == Some(price))
            }
            None => reply.state == OrderState::Cancelled,
        };
        if applied {
            return self.change_done(id);
        }
        if reply.state.is_final() {
            let text = format!("the order is {}; {}", reply.state.as_str(), change.text);
            return self.change_unsent(id, rejected(text));
        }
        self.reject_if_dead(id, asked_at, "the order still works and is as it was");
    }

    /// Ends what was asked of an order that turned out never to have been there.
    pub(super) fn target_gone(&mut self, target: InstructionId) {
        let about: Vec<_> = self
            .changes
            .values()
            .filter(|change| change.target == Some(target))
            .map(|change| change.instruction.id)
            .collect();
        for id in about {
            self.wire.withdraw(Purpose::Change(id));
            self.change_unsent(id, rejected("the order was never there".to_owned()));
        }
    }
}

pub(super) fn rejected(text: String) -> VenueErrorKind {
    VenueErrorKind::Rejected {
        reason: Rejection::Other(text),
        venue_code: None,
    }
}
