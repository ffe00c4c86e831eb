//! One leg of a block: what was asked, and what it has come to so far.

use std::cmp::Ordering;
use std::fmt;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::{Operation, OperationKind};
use basis_core::num::Quantity;
use basis_core::plan::Leg;
use basis_core::types::{InstrumentKey, InstrumentKind, Side, Timestamp};
use basis_core::venue_event::{
    EventKind, OrderState, OrderUpdate, Progress, TransactionHash, TransactionStage,
    TransactionUpdate, TransferStage, VenueEvent,
};
use serde::{Deserialize, Serialize};

/// What a leg is to its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// What the plan asked for.
    Original,
    /// The rest of the leg at this place, which filled in part.
    Completes(usize),
    /// The opposite of what the leg at this place filled, or of a part of it.
    Unwinds(usize),
    /// Takes the order of the leg at this place back.
    Cancels(usize),
}

/// How far a leg has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LegState {
    /// An order, by its state.
    Order(OrderState),
    /// Anything else that was sent and not answered.
    Submitted,
    /// A transfer on its way: nothing the block waits for, but its plan may.
    UnderWay,
    /// Sent, and nobody knows what came of it.
    Unknown,
    /// Did what it was asked.
    Done,
    /// Came to nothing.
    Failed,
}

/// One leg under way or ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LegRun {
    pub(crate) leg: Leg,
    pub(crate) role: Role,
    pub(crate) state: LegState,
    /// Why it came to nothing, or what was seen instead of an answer.
    pub(crate) error: Option<VenueError>,
    /// Base units filled by the venue's own count.
    pub(crate) reported: Quantity,
    /// Base units of the fills that were posted.
    pub(crate) filled: Quantity,
    /// The same less the fees that were taken in base.
    pub(crate) net_filled: Quantity,
    /// What its posted lines did to the delta, in units of the underlying, signed.
    pub(crate) delta: Quantity,
    /// When it first moved delta, by a fill or on chain, and when last.
    pub(crate) fills_at: Option<(Timestamp, Timestamp)>,
    /// When the first of that was known here.
    pub(crate) known_at: Option<Timestamp>,
    /// Whether the block no longer waits for it.
    pub(crate) given_up: bool,
    /// The transaction that carries it, how often that was taken out of the chain, and its stage.
    transaction: Option<(TransactionHash, u32, TransactionStage)>,
    /// The stage of the transfer it is.
    transfer: TransferStage,
}

/// What an event made of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Something new, or nothing.
    Accepted,
    /// It contradicts what was reported before.
    Contradiction(String),
}

impl LegRun {
    pub(crate) fn new(leg: Leg, role: Role) -> Self {
        let state = if order_of(&leg).is_some() {
            LegState::Order(OrderState::Submitted)
        } else {
            LegState::Submitted
        };
        Self {
            leg,
            role,
            state,
            error: None,
            reported: Quantity::ZERO,
            filled: Quantity::ZERO,
            net_filled: Quantity::ZERO,
            delta: Quantity::ZERO,
            fills_at: None,
            known_at: None,
            given_up: false,
            transaction: None,
            transfer: TransferStage::Requested,
        }
    }

    /// The order it is, when it is one: instrument, side and base units.
    pub(crate) fn order(&self) -> Option<OrderAsked> {
        order_of(&self.leg)
    }

    /// Lets the order be up to `quantity` base units: an amendment that asks for more may fill before the
    /// venue says that it took effect.
    pub(crate) fn enlarge(&mut self, quantity: Quantity) {
        match &mut self.leg.instruction.operation {
            Operation::SpotTrade(trade) => trade.quantity = trade.quantity.max(quantity),
            Operation::PerpTrade(trade) => trade.quantity = trade.quantity.max(quantity),
            _ => {}
        }
    }

    /// Whether nothing more can come of it: the venue's last word is known, and the fills that were
    /// posted add up to what it says was filled.
    pub(crate) fn is_done(&self) -> bool {
        match &self.state {
            LegState::Order(state) => state.is_final() && self.filled >= self.reported,
            LegState::UnderWay | LegState::Done | LegState::Failed => true,
            LegState::Submitted | LegState::Unknown => false,
        }
    }

    /// Whether it is a transfer on its way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.state == LegState::UnderWay
    }

    /// Whether its outcome is unknown.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(
            self.state,
            LegState::Unknown | LegState::Order(OrderState::Unknown)
        )
    }

    /// Whether it rests in a book and may fill at any time.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.state, LegState::Order(OrderState::Working))
    }

    /// Whether it certainly came to nothing.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(
            self.state,
            LegState::Failed | LegState::Order(OrderState::Rejected | OrderState::Lost)
        )
    }

    /// Whether it undoes what another leg filled.
    pub(crate) const fn unwinds(&self) -> bool {
        matches!(self.role, Role::Unwinds(_))
    }

    /// Base units ordered and not filled; zero for what is no order.
    pub(crate) fn missing(&self) -> Quantity {
        let Some(asked) = self.order() else {
            return Quantity::ZERO;
        };
        let missing = asked.quantity.sub(self.filled);
        missing.unwrap_or_default().max(Quantity::ZERO)
    }

    /// Takes what `event` says of this leg. What comes late or twice changes nothing of a leg that ended,
    /// and neither does a report that contradicts it; only a fill counts whatever was said before, for it
    /// is posted. The same fill twice is for the books to notice: what they posted before must not come
    /// here again.
    pub(crate) fn apply(&mut self, event: &VenueEvent) -> Applied {
        match &event.kind {
            EventKind::Fill(fill) => {
                let fee = if fill.fee_asset == fill.base {
                    fill.fee
                } else {
                    Quantity::ZERO
                };
                // Fills far beyond the range of a book cannot be posted, and are not counted here.
                if let (Ok(filled), Ok(net)) = (
                    self.filled.add(fill.quantity),
                    self.net_filled
                        .add(fill.quantity)
                        .and_then(|net| net.sub(fee)),
                ) {
                    (self.filled, self.net_filled) = (filled, net);
                }
                self.moved(event);
                let asked = self.order().map(|asked| asked.quantity);
                if asked.is_some_and(|asked| self.filled > asked) || self.is_refused() {
                    return self.contradicts(format_args!(
                        "has filled {} of {} ordered and was {}",
                        self.filled,
                        asked.unwrap_or_default(),
                        self.state_name()
                    ));
                }
                Applied::Accepted
            }
            EventKind::Order(update) => self.updated(update),
            EventKind::Rejected { error, .. } if !is_unreadable(error) => {
                self.end(OrderState::Rejected, LegState::Failed, error)
            }
            EventKind::Rejected { error, .. } | EventKind::OutcomeUnknown { error, .. } => {
                self.end(OrderState::Unknown, LegState::Unknown, error)
            }
            EventKind::Transaction(update) => {
                let applied = self.carried(update);
                if applied == Applied::Accepted && update.stage == TransactionStage::Mined {
                    self.moved(event);
                }
                applied
            }
            EventKind::Transfer(update) => self.transferred(update.stage),
            EventKind::Done { .. } | EventKind::Other(_) if self.is_refused() => {
                self.contradicts(format_args!("came to nothing and is reported as done"))
            }
            EventKind::Done { .. } | EventKind::Other(_) => {
                if !self.is_done() || self.state == LegState::UnderWay {
                    self.state = LegState::Done;
                }
                Applied::Accepted
            }
            _ => Applied::Accepted,
        }
    }

    /// Takes how far the venue says its order has come.
    fn updated(&mut self, update: &OrderUpdate) -> Applied {
        let asked = self.order().map(|asked| asked.quantity);
        let is_too_much = asked.is_some_and(|asked| update.filled > asked);
        // The state may be true where the count cannot be.
        let filled = if is_too_much {
            Quantity::ZERO
        } else {
            update.filled
        };
        let applied = self.report(update.state, filled);
        if applied == Applied::Accepted {
            self.reported = self.reported.max(filled);
        }
        if is_too_much {
            return self.contradicts(format_args!(
                "has filled {} of {} ordered, by the venue's count",
                update.filled,
                asked.unwrap_or_default()
            ));
        }
        applied
    }

    /// Notes when delta moved; what moved none counts for nothing.
    fn moved(&mut self, event: &VenueEvent) {
        if self.filled.is_zero() && self.delta.is_zero() {
            return;
        }
        let (first, last) = self.fills_at.unwrap_or((event.at, event.at));
        self.fills_at = Some((first.min(event.at), last.max(event.at)));
        let known = self.known_at.unwrap_or(event.received_at);
        self.known_at = Some(known.min(event.received_at));
    }

    /// Ends an order in `order`, anything else in `other`, unless it ended before.
    fn end(&mut self, order: OrderState, other: LegState, error: &VenueError) -> Applied {
        let before = self.state.clone();
        let has_not_left = self.transfer == TransferStage::Requested;
        let applied = match (&self.state, &other) {
            (LegState::Order(_), _) => self.report(order, Quantity::ZERO),
            (LegState::Submitted, _) | (LegState::Unknown, LegState::Failed) => {
                self.state = other;
                Applied::Accepted
            }
            (LegState::UnderWay, LegState::Failed) if has_not_left => {
                self.state = other;
                Applied::Accepted
            }
            (LegState::Done | LegState::UnderWay, LegState::Failed) => {
                self.contradicts(format_args!("was {} and is refused", self.state_name()))
            }
            _ => Applied::Accepted,
        };
        if self.state != before {
            self.error = Some(error.clone());
        }
        applied
    }

    /// Takes a stage of the transaction that carries it. Of those that share a nonce one is mined, and
    /// what is reported of the others after that is late.
    fn carried(&mut self, update: &TransactionUpdate) -> Applied {
        let (hash, inclusion) = (update.hash, update.inclusion);
        let progress = match self.transaction {
            None if self.is_refused() => Progress::Contradiction,
            Some((known, times, stage)) if known == hash => match inclusion.cmp(&times) {
                Ordering::Less => Progress::Stays,
                Ordering::Equal => stage.after(update.stage),
                Ordering::Greater => Progress::To(update.stage),
            },
            Some((_, _, stage)) if stage.is_included() => Progress::Stays,
            _ => Progress::To(update.stage),
        };
        match progress {
            Progress::Stays => Applied::Accepted,
            Progress::Contradiction => self.contradicts(format_args!(
                "was {} and its transaction is reported as {}",
                self.state_name(),
                update.stage.as_str()
            )),
            Progress::To(stage) => {
                self.transaction = Some((hash, inclusion, stage));
                self.state = match stage {
                    TransactionStage::Mined | TransactionStage::Final => LegState::Done,
                    TransactionStage::Reverted | TransactionStage::Dropped => LegState::Failed,
                    TransactionStage::Signed
                    | TransactionStage::Broadcast
                    | TransactionStage::Reorged
                    | TransactionStage::Replaced => LegState::Submitted,
                };
                self.error = update.error.as_deref().cloned();
                Applied::Accepted
            }
        }
    }

    /// Takes a stage of the transfer it is.
    fn transferred(&mut self, reported: TransferStage) -> Applied {
        let was_refused = self.is_refused() && self.transfer == TransferStage::Requested;
        match self.transfer.after(reported) {
            Progress::Stays => {}
            Progress::To(stage) if !was_refused => self.transfer = stage,
            Progress::To(TransferStage::Failed) => {}
            Progress::To(_) | Progress::Contradiction => {
                return self.contradicts(format_args!(
                    "was {} and is reported as {}",
                    self.state_name(),
                    reported.as_str()
                ));
            }
        }
        if !was_refused {
            self.state = match self.transfer {
                TransferStage::Requested | TransferStage::Sent | TransferStage::Confirmed => {
                    LegState::UnderWay
                }
                TransferStage::Failed => LegState::Failed,
                TransferStage::Credited | TransferStage::Moved | TransferStage::Returned => {
                    LegState::Done
                }
            };
        }
        Applied::Accepted
    }

    /// Takes the state that a venue reports of its order, with the base units it says were filled.
    fn report(&mut self, reported: OrderState, by_then: Quantity) -> Applied {
        let LegState::Order(state) = &self.state else {
            return self.contradicts(format_args!(
                "is no order, and the venue reports it as {}",
                reported.as_str()
            ));
        };
        let filled = self.filled.max(self.reported).max(by_then);
        let refused = matches!(reported, OrderState::Rejected | OrderState::Lost);
        match state.after(reported) {
            Progress::To(_) if refused && !filled.is_zero() => self.contradicts(format_args!(
                "has filled {filled} and is reported as {}",
                reported.as_str()
            )),
            Progress::To(next) => {
                if next.was_accepted() {
                    self.error = None;
                }
                self.state = LegState::Order(next);
                Applied::Accepted
            }
            Progress::Stays => Applied::Accepted,
            Progress::Contradiction => self.contradicts(format_args!(
                "was {} and is reported as {}",
                state.as_str(),
                reported.as_str()
            )),
        }
    }

    fn contradicts(&self, what: fmt::Arguments<'_>) -> Applied {
        Applied::Contradiction(format!("instruction {} {what}", self.leg.instruction.id))
    }

    pub(crate) const fn state_name(&self) -> &'static str {
        match &self.state {
            LegState::Order(state) => state.as_str(),
            LegState::Submitted => "submitted",
            LegState::UnderWay => "under way",
            LegState::Unknown => "unknown",
            LegState::Done => "done",
            LegState::Failed => "failed",
        }
    }
}

/// What an order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderAsked {
    pub(crate) instrument: InstrumentKey,
    pub(crate) side: Side,
    /// Base units, > 0.
    pub(crate) quantity: Quantity,
}

/// The order that a leg asks for; `None` for anything else.
pub(crate) fn order_of(leg: &Leg) -> Option<OrderAsked> {
    match &leg.instruction.operation {
        Operation::SpotTrade(trade) => Some(OrderAsked {
            instrument: InstrumentKey::new(leg.venue, InstrumentKind::Spot, trade.symbol),
            side: trade.side,
            quantity: trade.quantity,
        }),
        Operation::PerpTrade(trade) => Some(OrderAsked {
            instrument: InstrumentKey::new(leg.venue, InstrumentKind::Perp, trade.symbol)
                .sided(trade.position_side),
            side: trade.side,
            quantity: trade.quantity,
        }),
        _ => None,
    }
}

/// An answer that cannot be read says nothing of what the venue did.
pub(crate) fn is_unreadable(error: &VenueError) -> bool {
    matches!(
        error.kind,
        VenueErrorKind::Decode(_) | VenueErrorKind::OutcomeUnknown(_)
    )
}

/// Whether an operation that leaves no fill moves capital into or out of a position.
pub(crate) const fn changes_position(operation: OperationKind) -> bool {
    matches!(
        operation,
        OperationKind::Swap
            | OperationKind::AddLiquidity
            | OperationKind::RemoveLiquidity
            | OperationKind::Supply
            | OperationKind::Withdraw
            | OperationKind::Borrow
            | OperationKind::Repay
            | OperationKind::Stake
            | OperationKind::Unstake
            | OperationKind::Atomic
    )
}
