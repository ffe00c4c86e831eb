//! One order of ours, from the instruction to its last fill.

use std::collections::BTreeSet;

use basis_core::instruction::{Instruction, Operation, OrderType};
use basis_core::num::{MathError, Quantity, Rounding};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{
    BookId, ClientOrderId, InstructionId, InstrumentKey, InstrumentKind, Side, Timestamp,
};
use basis_core::venue_event::{OrderState, Progress};

use crate::binance::codec::replies::OrderReply;
use crate::binance::codec::{KnownOrder, Stamp};
use crate::live::asked::{Asked, Contradiction};
use crate::live::look::Look;

/// What is shown of an order that may never have been accepted.
#[derive(Clone, Debug, Default)]
pub(super) struct Proof {
    pub(super) step: ProofStep,
    /// Where the window of a list that is read in windows begins, by the venue's clock.
    pub(super) from: Option<Timestamp>,
    /// Numbers of orders that bear other ids.
    pub(super) others: BTreeSet<u64>,
    /// Numbers of orders with fills since it was sent, whose ids are not known.
    pub(super) strangers: Vec<u64>,
}

/// What is asked, in this order; each must show nothing of the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ProofStep {
    /// The order by its client id.
    #[default]
    Query,
    /// The open orders.
    Open,
    /// The orders since it was sent, whatever became of them.
    All,
    /// The fills since it was sent.
    Fills,
    /// Whose the fills are.
    Strangers,
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
    /// The stamp of its request; `None` while it has not left.
    pub(super) stamp: Option<Stamp>,
    pub(super) venue_id: Option<u64>,
    pub(super) state: OrderState,
    /// Base units filled by the venue's count.
    pub(super) filled: Quantity,
    /// Base units of the fills that were reported.
    pub(super) posted: Quantity,
    pub(super) fills: BTreeSet<u64>,
    /// What was reported last.
    pub(super) said: Option<(OrderState, Quantity)>,
    pub(super) look: Look,
    pub(super) proof: Option<Proof>,
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
    pub(super) fills: BTreeSet<u64>,
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
            stamp: None,
            venue_id: None,
            state: OrderState::Submitted,
            filled: Quantity::ZERO,
            posted: Quantity::ZERO,
            fills: BTreeSet::new(),
            said: None,
            look: Look::default(),
            proof: None,
            amended: Vec::new(),
        }))
    }

    pub(super) const fn id(&self) -> InstructionId {
        self.instruction.id
    }

    pub(super) const fn kind(&self) -> InstrumentKind {
        self.instrument.kind.contract()
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
    pub(super) fn observe(&mut self, reply: &OrderReply) -> Result<bool, Contradiction> {
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
        self.venue_id = Some(reply.order_id);
        self.filled = self.filled.max(reply.filled).max(self.posted);
        self.proof = None;
        Ok(self.said != Some((self.state, self.filled)))
    }

    /// Some order bears the id: whether it is this one.
    fn is_about(&self, reply: &OrderReply) -> Result<(), Contradiction> {
        let differs = |what: &str, own: &dyn std::fmt::Display, other: &dyn std::fmt::Display| {
            Err(Contradiction(format!(
                "an order with the id {} has {what} {other}, and ours has {own}",
                self.client
            )))
        };
        if reply.client_order_id != self.client.as_str() {
            return differs("the client order id", &self.client, &reply.client_order_id);
        }
        if reply.symbol != self.venue_symbol {
            return differs("symbol", &self.venue_symbol, &reply.symbol);
        }
        if let Some(side) = reply.side.filter(|side| *side != self.side) {
            return differs("side", &self.side.as_str(), &side.as_str());
        }
        if let Some(number) = self.venue_id.filter(|number| *number != reply.order_id) {
            return differs("number", &number, &reply.order_id);
        }
        let fits =
            |quantity: Quantity| quantity == self.quantity || self.amended.contains(&quantity);
        if let Some(quantity) = reply.quantity.filter(|quantity| !fits(*quantity)) {
            return differs("quantity", &self.quantity, &quantity);
        }
        Ok(())
    }

    /// Takes a fill of it; whether it is new.
    pub(super) fn fill(&mut self, trade: u64, quantity: Quantity) -> Result<bool, MathError> {
        if !self.fills.insert(trade) {
            return Ok(false);
        }
        self.posted = self.posted.add(quantity)?;
        self.filled = self.filled.max(self.posted);
        Ok(true)
    }
}
