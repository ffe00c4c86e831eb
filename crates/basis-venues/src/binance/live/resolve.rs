//! What became of an order: it is asked for until its state is known and its fills add up.
//!
//! An order that was never accepted shows nothing, and so does one that reads do not show yet. It is lost
//! only by a proof: after the last instant at which the venue can accept its request and the visibility
//! delay, and then by every list there is. One list that cannot be read proves nothing.

use basis_core::rules::InstrumentRules;
use basis_core::types::{InstructionId, Span, Timestamp};
use basis_core::venue_event::{EventKind, OrderState, OrderUpdate};

use super::admit::product_of;
use super::order::{Proof, ProofStep, Tracked};
use super::purpose::{Answered, Purpose};
use super::{BinanceMachine, ENGINE_WAIT, VISIBILITY};
use crate::binance::codec::replies::{self, DecodeError, FillReply, OrderReply};
use crate::binance::codec::{Draft, OrderRef, Product, Stamp, open_orders_of, query, reads};
use crate::binance::codes::Class;

/// How far before its stamp an order's traces are looked for.
const MARGIN: Span = Span::from_seconds(2);

impl BinanceMachine {
    /// When a request with `stamp` that left no trace by then was never accepted, by our clock.
    pub(super) fn dead_at(&self, product: Product, stamp: Stamp) -> Timestamp {
        let clock = self.wire.clock(product);
        let engine = match product {
            Product::UsdM => Span::ZERO,
            Product::Spot | Product::Wallet => ENGINE_WAIT,
        };
        let accepted_until = clock.ours(stamp.deadline()).plus(clock.skew);
        accepted_until.plus(engine).plus(VISIBILITY)
    }

    fn order_dead_at(&self, order: &Tracked) -> Option<Timestamp> {
        let stamp = order.stamp?;
        Some(self.dead_at(product_of(order.kind()), stamp))
    }

    fn listed(&self, order: &Tracked) -> Option<&InstrumentRules> {
        self.rules.instrument(order.kind(), order.instrument.symbol)
    }

    /// Asks about every order that is due.
    pub(super) fn look_after_orders(&mut self) {
        let due: Vec<_> = self
            .orders
            .values()
            .filter(|order| order.look.is_due(self.now))
            .map(Tracked::id)
            .collect();
        for id in due {
            let question = self.next_question(id);
            let now = self.now;
            let Some(order) = self.orders.get_mut(&id) else {
                continue;
            };
            match question {
                Some((draft, purpose)) => {
                    order.look.asking = true;
                    self.wire.read(now, draft, purpose);
                }
                None => order.look.again(now),
            }
        }
    }

    fn next_question(&mut self, id: InstructionId) -> Option<(Draft, Purpose)> {
        let order = self.orders.get(&id)?;
        let listed = self.listed(order)?;
        if order.stamp.is_none() {
            return Some((reads::book_ticker(listed), Purpose::Quote(id)));
        }
        let by_client = OrderRef::Client(order.client.clone());
        if order.is_unknown() {
            return Some(match &order.proof {
                Some(proof) => (
                    self.proof_question(order, listed, proof)?,
                    Purpose::Proof(id),
                ),
                None => (query(listed, &by_client), Purpose::Order(id)),
            });
        }
        let number = order.venue_id.filter(|_| order.posted < order.filled);
        Some(match number {
            Some(number) => {
                let of = reads::FillsOf::Order(number);
                (reads::fills(listed, of), Purpose::Fills(id))
            }
            None => (query(listed, &by_client), Purpose::Order(id)),
        })
    }

    fn proof_question(
        &self,
        order: &Tracked,
        listed: &InstrumentRules,
        proof: &Proof,
    ) -> Option<Draft> {
        let from = self.proof_from(order, proof)?;
        let since = reads::Range {
            from: Some(from),
            to: self.proof_to(order, from),
            rows: Some(reads::ROWS_MAX),
        };
        Some(match proof.step {
            ProofStep::Query => query(listed, &OrderRef::Client(order.client.clone())),
            ProofStep::Open => open_orders_of(listed),
            ProofStep::All => reads::all_orders(listed, since),
            ProofStep::Fills => reads::fills(listed, reads::FillsOf::Between(since)),
            ProofStep::Strangers => query(listed, &OrderRef::Venue(*proof.strangers.last()?)),
        })
    }

    /// Where the window of the proof begins: at first a little before the order can have been sent.
    fn proof_from(&self, order: &Tracked, proof: &Proof) -> Option<Timestamp> {
        let stamp = order.stamp?;
        let clock = self.wire.clock(product_of(order.kind()));
        let submitted = clock.venue(order.submitted_at);
        let sent = stamp.deadline().minus(Stamp::WINDOW);
        Some(proof.from.unwrap_or(sent.min(submitted).minus(MARGIN)))
    }

    /// Where it ends; `None` when it reaches the present.
    fn proof_to(&self, order: &Tracked, from: Timestamp) -> Option<Timestamp> {
        let product = product_of(order.kind());
        let window = match product {
            Product::UsdM => Span::from_hours(7 * 24),
            Product::Spot | Product::Wallet => Span::from_hours(24),
        };
        let to = from.plus(window);
        (to < self.wire.clock(product).venue(self.now)).then_some(to)
    }

    /// Whether a list is to be read on: in its next window, or again because a full page proves nothing.
    fn reads_on(&mut self, id: InstructionId, rows: usize) -> bool {
        let now = self.now;
        let is_full = rows >= usize::try_from(reads::ROWS_MAX).unwrap_or(usize::MAX);
        let next = self.orders.get(&id).and_then(|order| {
            let from = self.proof_from(order, order.proof.as_ref()?)?;
            self.proof_to(order, from)
        });
        if is_full {
            self.notice(format!(
                "instruction {id}: a list is too long to prove that its order is not there"
            ));
            return true;
        }
        let Some(order) = self.orders.get_mut(&id) else {
            return true;
        };
        if let (Some(next), Some(proof)) = (next, order.proof.as_mut()) {
            proof.from = Some(next);
            order.look.at(now);
            return true;
        }
        false
    }

    /// Takes the answer to a query of an order.
    pub(super) fn queried(&mut self, id: InstructionId, answered: Answered) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.look.again(self.now);
        match answered.result {
            Ok(body) => match replies::order(&body) {
                Ok(reply) => {
                    self.was_read();
                    self.observe(id, &reply, answered.sent_at);
                }
                Err(e) => self.unreadable("an order", &e),
            },
            Err(failure) => match failure.class {
                Class::OrderGone => self.not_found(id, answered.sent_at),
                Class::Archived => self.archived(id),
                _ => self.read_failed("query", &failure),
            },
        }
    }

    /// An order that was asked for is not found. That alone says nothing: reads may lag.
    fn not_found(&mut self, id: InstructionId, asked_at: Timestamp) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let dead_at = self.order_dead_at(order);
        let is_dead = order.is_unknown() && dead_at.is_some_and(|at| asked_at >= at);
        let now = self.now;
        if let Some(order) = self.orders.get_mut(&id).filter(|_| is_dead) {
            order.proof = Some(Proof {
                step: ProofStep::Open,
                ..Proof::default()
            });
            order.look.at(now);
        }
    }

    /// The order died without a fill, long ago.
    fn archived(&mut self, id: InstructionId) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.state = OrderState::Cancelled;
        let (filled, number) = (order.filled, order.venue_id);
        let update = OrderUpdate {
            instruction: id,
            state: OrderState::Cancelled,
            filled,
            venue_order_id: number.map(|number| number.to_string().into()),
            reason: Some("archived without a fill".into()),
        };
        self.emit(self.now, EventKind::Order(update));
        order_is_over(self, id);
    }

    /// Takes the fills of an order.
    pub(super) fn fills_answered(&mut self, id: InstructionId, answered: Answered) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.look.again(self.now);
        let (kind, number) = (order.kind(), order.venue_id);
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => return self.read_failed("fills", &failure),
        };
        match fills_of(product_of(kind), &body) {
            Ok(fills) => {
                self.was_read();
                for fill in fills.iter().filter(|fill| Some(fill.order_id) == number) {
                    self.post(id, fill);
                }
                let is_whole = self.orders.get(&id).is_some_and(|o| o.posted >= o.filled);
                if is_whole {
                    self.settle(id);
                }
            }
            Err(e) => self.unreadable("fills", &e),
        }
    }

    /// Takes the answer to a step of the proof.
    pub(super) fn proven(&mut self, id: InstructionId, answered: Answered) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        order.look.again(now);
        let Some(proof) = order.proof.clone().filter(|_| order.is_unknown()) else {
            return;
        };
        let (client, kind) = (order.client.clone(), order.kind());
        let body = match answered.result {
            Ok(body) => body,
            Err(failure) => {
                if failure.class != Class::OrderGone || proof.step != ProofStep::Query {
                    return self.read_failed("proof", &failure);
                }
                return self.go_on(id, Some(ProofStep::Open));
            }
        };
        match proof.step {
            ProofStep::Query | ProofStep::Open | ProofStep::All => {
                let orders = match proof.step {
                    ProofStep::Query => replies::order(&body).map(|order| vec![order]),
                    _ => replies::orders(&body),
                };
                self.orders_shown(id, (client.as_str(), proof.step), orders, answered.sent_at);
            }
            ProofStep::Fills => self.fills_shown(id, fills_of(product_of(kind), &body)),
            ProofStep::Strangers => self.stranger_shown(id, replies::order(&body)),
        }
    }

    /// A list of orders: the order itself ends the proof.
    fn orders_shown(
        &mut self,
        id: InstructionId,
        (client, step): (&str, ProofStep),
        orders: Result<Vec<OrderReply>, DecodeError>,
        asked_at: Timestamp,
    ) {
        let orders = match orders {
            Ok(orders) => orders,
            Err(e) => return self.unreadable("orders", &e),
        };
        if let Some(own) = orders.iter().find(|order| order.client_order_id == client) {
            return self.observe(id, own, asked_at);
        }
        if let Some(proof) = self.orders.get_mut(&id).and_then(|o| o.proof.as_mut()) {
            proof
                .others
                .extend(orders.iter().map(|order| order.order_id));
        }
        if step == ProofStep::All && self.reads_on(id, orders.len()) {
            return;
        }
        let next = match step {
            ProofStep::Open => ProofStep::All,
            _ => ProofStep::Fills,
        };
        self.go_on(id, Some(next));
    }

    /// Fills since the order was sent: each must belong to an order with another id.
    fn fills_shown(&mut self, id: InstructionId, fills: Result<Vec<FillReply>, DecodeError>) {
        let fills = match fills {
            Ok(fills) => fills,
            Err(e) => return self.unreadable("fills", &e),
        };
        let known: Vec<_> = self.orders.values().filter_map(|o| o.venue_id).collect();
        let Some(proof) = self.orders.get_mut(&id).and_then(|o| o.proof.as_mut()) else {
            return;
        };
        let strangers = fills.iter().map(|fill| fill.order_id);
        let strangers = strangers.filter(|number| !proof.others.contains(number));
        proof
            .strangers
            .extend(strangers.filter(|number| !known.contains(number)));
        proof.strangers.sort_unstable();
        proof.strangers.dedup();
        if self.reads_on(id, fills.len()) {
            return;
        }
        let order = self.orders.get(&id).and_then(|o| o.proof.as_ref());
        let is_clear = order.is_none_or(|proof| proof.strangers.is_empty());
        self.go_on(id, (!is_clear).then_some(ProofStep::Strangers));
    }

    fn stranger_shown(&mut self, id: InstructionId, order: Result<OrderReply, DecodeError>) {
        let order = match order {
            Ok(order) => order,
            Err(e) => return self.unreadable("an order", &e),
        };
        let asked_at = self.now;
        let Some(own) = self.orders.get_mut(&id) else {
            return;
        };
        if order.client_order_id == own.client.as_str() {
            return self.observe(id, &order, asked_at);
        }
        let Some(proof) = own.proof.as_mut() else {
            return;
        };
        proof.strangers.retain(|number| *number != order.order_id);
        let next = (!proof.strangers.is_empty()).then_some(ProofStep::Strangers);
        self.go_on(id, next);
    }

    /// Goes on to the next step of the proof; without one the order is lost.
    fn go_on(&mut self, id: InstructionId, next: Option<ProofStep>) {
        let now = self.now;
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        if let (Some(step), Some(proof)) = (next, order.proof.as_mut()) {
            proof.step = step;
            proof.from = None;
            order.look.at(now);
            return;
        }
        order.state = OrderState::Lost;
        let update = OrderUpdate {
            instruction: id,
            state: OrderState::Lost,
            filled: order.filled,
            venue_order_id: None,
            reason: Some("proven never to have been accepted".into()),
        };
        self.emit(now, EventKind::Order(update));
        order_is_over(self, id);
    }
}

/// Lets go of an order that is over without anything missing.
fn order_is_over(machine: &mut BinanceMachine, id: InstructionId) {
    machine.target_gone(id);
    machine.settle(id);
}

/// Reads a list of fills.
pub(super) fn fills_of(product: Product, body: &[u8]) -> Result<Vec<FillReply>, DecodeError> {
    match product {
        Product::UsdM => replies::perp_fills(body),
        Product::Spot | Product::Wallet => replies::spot_fills(body),
    }
}
