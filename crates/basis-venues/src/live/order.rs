//! One order of ours, from the instruction to its last fill.

use std::collections::BTreeSet;

use basis_core::instruction::{Instruction, Operation, OrderType};
use basis_core::num::{MathError, Price, Quantity, Rounding};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{
    BookId, ClientOrderId, InstructionId, InstrumentKey, InstrumentKind, PositionSide, Side,
    Timestamp,
};
use basis_core::venue_event::{OrderState, Progress};

use super::asked::{Asked, Contradiction};
use super::codec::OrderReport;
use super::look::Look;
use crate::wire::KnownOrder;

/// Where an order is asked for next. It is dead when a round of every list and its fills has shown nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// Which list; the fills come after the last.
    pub(super) list: usize,
    /// When the round's first question was asked, once it has shown nothing.
    pub(super) began: Option<Timestamp>,
    /// Where the next page of the list begins.
    pub(super) cursor: Option<String>,
}

/// An order of ours.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) instruction: Instruction,
    pub(super) instrument: InstrumentKey,
    pub(super) venue_symbol: String,
    pub(super) side: Side,
    /// Base units as they are sent.
    pub(super) quantity: Quantity,
    pub(super) client: ClientOrderId,
    /// When it was submitted, by the journal's clock.
    pub(super) submitted_at: Timestamp,
    /// Its limit, as it left or as it was amended.
    pub(super) limit: Option<Price>,
    /// The last instant at which the venue can accept its request, by the venue's clock; `None` while it has
    /// not left.
    pub(super) accepted_until: Option<Timestamp>,
    /// When the venue last showed it, or said that it took it.
    pub(super) seen_at: Option<Timestamp>,
    /// The venue's id, once it has said so.
    pub(super) venue_id: Option<String>,
    pub(super) state: OrderState,
    /// Base units filled by the venue's count.
    pub(super) filled: Quantity,
    /// Base units of the fills that were reported.
    pub(super) posted: Quantity,
    pub(super) fills: BTreeSet<String>,
    /// Where the next page of its fills begins.
    pub(super) fills_from: Option<String>,
    /// What was reported last.
    pub(super) said: Option<(OrderState, Quantity)>,
    pub(super) look: Look,
    pub(super) round: Round,
    /// Quantities that an amendment may have given it.
    pub(super) amended: Vec<Quantity>,
}

/// What is remembered of an order that is over.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) id: InstructionId,
    pub(super) state: OrderState,
    pub(super) quantity: Quantity,
    /// The fills that were reported.
    pub(super) fills: BTreeSet<String>,
    pub(super) position_side: Option<PositionSide>,
}

impl Tracked {
    /// The order that `instruction` asks for; `None` when it asks for none, or the rules list no such
    /// instrument.
    pub(super) fn new(
        instruction: &Instruction,
        submitted_at: Timestamp,
        (book, rules): (BookId, &RuleSnapshot),
    ) -> Option<Result<Self, MathError>> {
        let asked = Asked::of(&instruction.operation)?;
        let listed = rules.instrument(asked.kind, asked.symbol)?;
        let quantity = asked.quantity.round_to_lot(listed.lot_size, Rounding::Down);
        let quantity = match quantity {
            Ok(quantity) => quantity,
            Err(e) => return Some(Err(e)),
        };
        Some(Ok(Self {
            instruction: instruction.clone(),
            instrument: listed.key.sided(asked.position_side),
            venue_symbol: listed.venue_symbol.as_str().to_owned(),
            side: asked.side,
            quantity,
            client: ClientOrderId::derive(book, instruction.id),
            submitted_at,
            limit: None,
            accepted_until: None,
            seen_at: None,
            venue_id: None,
            state: OrderState::Submitted,
            filled: Quantity::ZERO,
            posted: Quantity::ZERO,
            fills: BTreeSet::new(),
            fills_from: None,
            said: None,
            look: Look::default(),
            round: Round::default(),
            amended: Vec::new(),
        }))
    }

    pub(super) const fn id(&self) -> InstructionId {
        self.instruction.id
    }

    pub(super) const fn kind(&self) -> InstrumentKind {
        self.instrument.kind.contract()
    }

    /// The position of hedge mode that it is about.
    pub(super) const fn position_side(&self) -> Option<PositionSide> {
        match &self.instruction.operation {
            Operation::PerpTrade(trade) => trade.position_side,
            _ => None,
        }
    }

    /// Whether it leaves as a limit at a collar.
    pub(super) fn needs_quote(&self) -> bool {
        match &self.instruction.operation {
            Operation::SpotTrade(trade) => trade.order_type == OrderType::Market,
            Operation::PerpTrade(trade) => trade.order_type == OrderType::Market,
            _ => false,
        }
    }

    /// The order as what changes it has to know it; `None` for one that never rests.
    pub(super) fn known(&self) -> Option<KnownOrder> {
        let known = match &self.instruction.operation {
            Operation::SpotTrade(trade) => KnownOrder::of_spot(self.id(), trade),
            Operation::PerpTrade(trade) => KnownOrder::of_perp(self.id(), trade),
            _ => None,
        };
        known.map(|known| KnownOrder {
            quantity: self.quantity,
            filled: self.filled,
            ..known
        })
    }

    /// Whether nobody knows whether the venue took it.
    pub(super) fn is_unknown(&self) -> bool {
        self.state == OrderState::Unknown
    }

    /// Whether its fills are all reported and nothing can follow.
    pub(super) fn is_done(&self) -> bool {
        self.state.is_final() && self.posted >= self.filled
    }

    /// Takes what a reply says of it; whether something is new.
    ///
    /// # Errors
    /// [`Contradiction`] when the reply is about another order, or excludes what was known.
    pub(super) fn observe(&mut self, reply: &OrderReport) -> Result<bool, Contradiction> {
        self.is_about(reply)?;
        match self.state.after(reply.state) {
            Progress::To(state) => self.state = state,
            Progress::Stays => {}
            Progress::Contradiction => {
                return Err(Contradiction(format!(
                    "order {} was {} and is reported as {}",
                    self.client,
                    self.state.as_str(),
                    reply.state.as_str()
                )));
            }
        }
        self.venue_id = Some(reply.venue_id.clone());
        self.filled = self.filled.max(reply.filled).max(self.posted);
        self.round = Round::default();
        Ok(self.said != Some((self.state, self.filled)))
    }

    /// Some order bears the id, which is unique for ever: whether it is this one.
    fn is_about(&self, reply: &OrderReport) -> Result<(), Contradiction> {
        let differs = |what: &str, own: &dyn std::fmt::Display, other: &dyn std::fmt::Display| {
            Err(Contradiction(format!(
                "an order with the id {} has {what} {other}, and ours has {own}",
                self.client
            )))
        };
        if reply.client != self.client.as_str() {
            return differs("the client order id", &self.client, &reply.client);
        }
        if reply.symbol != self.venue_symbol {
            return differs("symbol", &self.venue_symbol, &reply.symbol);
        }
        if reply.side != self.side {
            return differs("side", &self.side.as_str(), &reply.side.as_str());
        }
        if let Some(number) = self.venue_id.as_ref().filter(|id| **id != reply.venue_id) {
            return differs("the venue's id", number, &reply.venue_id);
        }
        if self.position_side() != reply.position_side {
            return Err(Contradiction(format!(
                "order {} is of another position of hedge mode",
                self.client
            )));
        }
        let fits = |quantity: Quantity| {
            // The venue cuts what only reduces to the position.
            let is_cut = self.only_reduces() && quantity < self.quantity;
            quantity == self.quantity || is_cut || self.amended.contains(&quantity)
        };
        if !fits(reply.quantity) {
            return differs("quantity", &self.quantity, &reply.quantity);
        }
        Ok(())
    }

    const fn only_reduces(&self) -> bool {
        match &self.instruction.operation {
            Operation::PerpTrade(trade) => trade.reduce_only,
            _ => false,
        }
    }

    /// Takes a fill of it; whether it is new.
    pub(super) fn fill(&mut self, trade: &str, quantity: Quantity) -> Result<bool, MathError> {
        if !self.fills.insert(trade.to_owned()) {
            return Ok(false);
        }
        self.posted = self.posted.add(quantity)?;
        self.filled = self.filled.max(self.posted);
        Ok(true)
    }
}
