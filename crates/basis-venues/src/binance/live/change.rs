//! What changes something and is no order: cancellations, amendments, leverage. Transfers go their own way
//! (`transfer`).

use std::collections::VecDeque;

use basis_core::error::{Rejection, VenueErrorKind};
use basis_core::instruction::{Instruction, Operation, SetLeverage};
use basis_core::num::{Price, Quantity};
use basis_core::types::{InstructionId, Timestamp};
use basis_core::venue_event::{EventKind, OrderState};

use super::admit::product_of;
use super::order::Tracked;
use super::purpose::{Answered, Purpose};
use super::{BinanceMachine, SEND_WAIT};
use crate::binance::answer::Failure;
use crate::binance::codec::replies::{self, OrderReply};
use crate::binance::codec::{Context, Draft, Product, Stamp, reads, requests};
use crate::binance::codes::Class;
use crate::live::look::Look;

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
    pub(super) submitted_at: Timestamp,
    pub(super) product: Product,
    /// The stamp of the last request that left.
    pub(super) stamp: Option<Stamp>,
    /// Requests that follow, each after the one before is answered.
    pub(super) rest: VecDeque<Draft>,
    pub(super) state: ChangeState,
    pub(super) look: Look,
    /// The order that it is about.
    pub(super) target: Option<InstructionId>,
    /// Quantity and price that an amendment leads to.
    pub(super) amended: Option<(Quantity, Price)>,
    /// The venue's number of a transfer.
    pub(super) transfer: Option<u64>,
    /// Whether a transfer has been reported as under way.
    pub(super) is_under_way: bool,
    /// What the venue answered, where that did not settle it.
    pub(super) text: String,
}

impl Change {
    pub(super) fn new(instruction: Instruction, submitted_at: Timestamp, product: Product) -> Self {
        Self {
            instruction,
            submitted_at,
            product,
            stamp: None,
            rest: VecDeque::new(),
            state: ChangeState::Sending,
            look: Look::default(),
            target: None,
            amended: None,
            transfer: None,
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

impl BinanceMachine {
    /// Takes on an instruction that is no order.
    pub(super) fn take_change(&mut self, instruction: Instruction) {
        if let Operation::Transfer(_) = instruction.operation {
            return self.take_transfer(instruction);
        }
        let target = target_of(&instruction.operation);
        if let Some(target) = target {
            let Some(order) = self.orders.get(&target) else {
                let text = format!("no order of instruction {target} is open");
                return self.reject(&instruction, rejected(text));
            };
            if order.stamp.is_none() {
                return self.change_before_sending(&instruction, target);
            }
        }
        let order = target.and_then(|target| self.orders.get(&target));
        let known = order.and_then(Tracked::known);
        let product = order.map_or(Product::UsdM, |order| product_of(order.kind()));
        let context = Context {
            book: self.settings.book,
            rules: &self.rules,
            collar: None,
            order: known.as_ref(),
            withdrawal: None,
        };
        let drafts = match requests(Self::VENUE, &instruction, &context) {
            Ok(drafts) => drafts,
            Err(e) => return self.reject(&instruction, e.kind),
        };
        if drafts
            .iter()
            .any(|draft| draft.path.ends_with("cancelReplace"))
        {
            let text = "spot shrinks an order in place and changes nothing else of it: cancel it and order \
                        anew";
            return self.reject(&instruction, VenueErrorKind::Unsupported(text.to_owned()));
        }
        let mut change = Change::new(instruction, self.now, product);
        change.target = target;
        change.rest = drafts.into();
        change.amended = known.and_then(|known| sent_terms(change.rest.front(), known.limit_price));
        let id = change.instruction.id;
        self.changes.insert(id, change);
        self.send_next(id);
    }

    /// An order that has not left is taken back here; nothing is sent.
    fn change_before_sending(&mut self, instruction: &Instruction, target: InstructionId) {
        if !matches!(instruction.operation, Operation::CancelOrder(_)) {
            let text = "the order has not left yet; cancel it and order anew";
            return self.reject(instruction, VenueErrorKind::InvalidRequest(text.to_owned()));
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
        if let (Some(target), Some((quantity, _))) = (change.target, change.amended)
            && let Some(order) = self.orders.get_mut(&target)
        {
            order.amended.push(quantity);
        }
        self.wire
            .act(self.now, draft, Purpose::Change(id), SEND_WAIT);
    }

    pub(super) fn change_left(&mut self, id: InstructionId, stamp: Stamp) {
        if let Some(change) = self.changes.get_mut(&id) {
            change.stamp = Some(stamp);
        }
    }

    /// Ends a change of which nothing was sent, or of which the venue says that it did nothing.
    pub(super) fn change_unsent(&mut self, id: InstructionId, kind: VenueErrorKind) {
        if let Some(change) = self.changes.remove(&id) {
            self.reject(&change.instruction, kind);
            self.next_transfer();
        }
    }

    pub(super) fn change_done(&mut self, id: InstructionId) {
        if let Some(change) = self.changes.remove(&id) {
            if let (Some(target), Some((quantity, _))) = (change.target, change.amended)
                && let Some(order) = self.orders.get_mut(&target)
            {
                // A late frame or a stale read may still show what it was before.
                let before = std::mem::replace(&mut order.quantity, quantity);
                order.amended.push(before);
            }
            self.emit(self.now, EventKind::Done { instruction: id });
        }
    }

    /// Takes the answer to a request of a change.
    pub(super) fn changed(&mut self, id: InstructionId, answered: Answered) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        if change.state != ChangeState::Sending {
            return;
        }
        let is_transfer = matches!(change.instruction.operation, Operation::Transfer(_));
        let target = change.target;
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.change_refused(id, &failure),
        };
        if is_transfer {
            return self.transfer_taken(id, &body);
        }
        let Some(target) = target else {
            return self.send_next(id);
        };
        let is_spot_amend = matches!(
            self.changes
                .get(&id)
                .map(|change| &change.instruction.operation),
            Some(Operation::AmendOrder(_))
        ) && self.product_of_order(target) == Some(Product::Spot);
        let reply = if is_spot_amend {
            replies::amended(&body)
        } else {
            replies::order(&body)
        };
        match reply {
            Ok(reply) => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.state = ChangeState::Asking;
                    change.text.clear();
                }
                self.observe(target, &reply, answered.sent_at);
                self.answer_concludes(id, &reply);
            }
            Err(e) => self.change_unknown(id, &format!("the answer cannot be read: {e}")),
        }
    }

    /// The terms that an amendment of an earlier process asked for.
    fn amended_to(
        &self,
        instruction: &Instruction,
        target: InstructionId,
    ) -> Option<(Quantity, Price)> {
        let known = self.orders.get(&target)?.known()?;
        let context = Context {
            book: self.settings.book,
            rules: &self.rules,
            collar: None,
            order: Some(&known),
            withdrawal: None,
        };
        let drafts = requests(Self::VENUE, instruction, &context).ok()?;
        sent_terms(drafts.first(), known.limit_price)
    }

    fn product_of_order(&self, id: InstructionId) -> Option<Product> {
        self.orders.get(&id).map(|order| product_of(order.kind()))
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
                let target = change.target;
                match target.and_then(|target| self.orders.get_mut(&target)) {
                    Some(order) => order.look.at(now),
                    None => self.conclude_by_end(id),
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
        let order = target.and_then(|target| self.orders.get_mut(&target));
        let is_over = target.is_some() && order.is_none();
        match order {
            Some(order) => order.look.again(now),
            None if is_over => {}
            None => change.look.again(now),
        }
        self.unknown(&instruction, text);
        if is_over {
            self.conclude_by_end(id);
        }
    }

    /// Takes over an instruction of an earlier process that is no order.
    pub(super) fn take_over_change(&mut self, instruction: Instruction, submitted_at: Timestamp) {
        let operation = &instruction.operation;
        let target = target_of(operation);
        let product = match operation {
            Operation::Transfer(_) => Product::Wallet,
            _ => target
                .and_then(|target| self.product_of_order(target))
                .unwrap_or(Product::UsdM),
        };
        let stamp = Stamp::new(self.wire.clock(product).venue(self.now));
        if let Some(target) = target.filter(|target| !self.orders.contains_key(target)) {
            let text = format!("the order of instruction {target} has ended");
            return self.reject(&instruction, rejected(text));
        }
        let amended = target.and_then(|target| self.amended_to(&instruction, target));
        if let (Some((quantity, _)), Some(target)) = (amended, target)
            && let Some(order) = self.orders.get_mut(&target)
        {
            order.amended.push(quantity);
        }
        let mut change = Change::new(instruction, submitted_at, product);
        change.state = ChangeState::Unknown;
        change.stamp = Some(stamp);
        change.target = target;
        change.amended = amended;
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
            let draft =
                self.changes
                    .get(&id)
                    .and_then(|change| match &change.instruction.operation {
                        Operation::Transfer(_) => self.transfer_question(change),
                        Operation::SetLeverage(set) => {
                            let kind = basis_core::types::InstrumentKind::Perp;
                            let listed = self.rules.instrument(kind, set.symbol);
                            Some(reads::symbol_config(listed))
                        }
                        _ => None,
                    });
            if let (Some(draft), Some(change)) = (draft, self.changes.get_mut(&id)) {
                change.look.asking = true;
                self.wire.read(self.now, draft, Purpose::Asked(id));
            }
        }
        self.next_transfer();
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
            Err(failure) => return self.read_failed("change", &failure),
        };
        match change.instruction.operation.clone() {
            Operation::Transfer(transfer) => {
                self.transfers_shown(id, &transfer, &body, answered.sent_at);
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
        let rows = match replies::leverages(body) {
            Ok(rows) => rows,
            Err(e) => return self.unreadable("symbol configuration", &e),
        };
        let kind = basis_core::types::InstrumentKind::Perp;
        let listed = self.rules.instrument(kind, set.symbol);
        let own = listed.and_then(|listed| {
            let symbol = listed.venue_symbol.as_str();
            rows.iter().find(|row| row.symbol == symbol)
        });
        let is_so = own.is_some_and(|own| {
            own.leverage == set.leverage && set.margin_mode.is_none_or(|m| m == own.margin_type)
        });
        if is_so {
            return self.change_done(id);
        }
        self.reject_if_dead(id, asked_at, "the setting is not as it was asked to be");
    }

    /// Ends a change as never carried out, when the venue can no longer do it and `asked_at` was after that.
    fn reject_if_dead(&mut self, id: InstructionId, asked_at: Timestamp, what: &str) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let dead_at = change
            .stamp
            .map(|stamp| self.dead_at(change.product, stamp));
        if dead_at.is_some_and(|at| asked_at >= at) {
            let text = format!("{what}; {}", change.text);
            self.change_unsent(id, rejected(text));
        }
    }

    /// Ends what was asked of an order, by the order's state in the answer to the very request.
    fn answer_concludes(&mut self, id: InstructionId, reply: &OrderReply) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let is_amend = change.amended.is_some();
        if is_amend && reply.state.is_final() && reply.state != OrderState::Filled {
            let text = format!(
                "the venue ended the order instead: {}",
                reply.state.as_str()
            );
            return self.change_unsent(id, rejected(text));
        }
        self.change_done(id);
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
        reply: &OrderReply,
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
            Some((amended, _)) => quantity == Some(amended),
            None => state == OrderState::Cancelled,
        };
        if applied {
            return self.change_done(id);
        }
        let text = format!("the order has ended: {}; {}", state.as_str(), change.text);
        self.change_unsent(id, rejected(text));
    }

    fn conclude(&mut self, id: InstructionId, reply: &OrderReply, asked_at: Timestamp) {
        let Some(change) = self.changes.get(&id) else {
            return;
        };
        let applied = match change.amended {
            Some((quantity, price)) => {
                let fits = reply.quantity.is_none_or(|shown| shown == quantity);
                fits && reply.price.is_none_or(|shown| shown == price)
            }
            None => matches!(reply.state, OrderState::Cancelled),
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

/// Quantity and price of the order after the amendment that `draft` asks for; `None` for anything else.
fn sent_terms(draft: Option<&Draft>, limit_price: Price) -> Option<(Quantity, Price)> {
    let draft = draft.filter(|draft| draft.method == "PUT")?;
    let value = |name: &str| {
        let mut pairs = draft.params.pairs().iter();
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let quantity = value("quantity").or_else(|| value("newQty"));
    let quantity = Quantity::parse(quantity?).ok()?;
    let price = value("price").and_then(|text| Price::parse(text).ok());
    Some((quantity, price.unwrap_or(limit_price)))
}

pub(super) fn rejected(text: String) -> VenueErrorKind {
    VenueErrorKind::Rejected {
        reason: Rejection::Other(text),
        venue_code: None,
    }
}
