//! What an exchange does its own way, and what its replies come to in words that all have in common.

use std::fmt;

use basis_core::error::{ComponentError, VenueError};
use basis_core::instruction::{Instruction, Operation};
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::transport::{Request, Response};
use basis_core::types::{
    Account, Asset, ClientOrderId, InstructionId, InstrumentKey, InstrumentKind, PositionSide,
    Side, Span, Timestamp, Venue,
};
use basis_core::venue_event::{EventKind, OrderState, TransferStage, VenueEvent};
use basis_live::actor::{Cost, Limit};

use super::settings::LiveSettings;
use crate::wire::{Context, DecodeError, Effect, Failure, FillError, JsonDraft, Stamp, Success};

/// What is counted together: a path, where it trades of spot and perpetuals each by itself.
pub(crate) type Group = (&'static str, bool);

/// A list that an order is looked for in, beside its fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderList {
    /// By its id, open or lately closed.
    Recent,
    /// Among all open ones of its instrument.
    Open,
    /// Among those that closed.
    Closed,
}

/// A question for one order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderQuestion<'a> {
    /// Its instrument.
    pub(crate) listed: &'a InstrumentRules,
    /// Our id of it.
    pub(crate) client: &'a ClientOrderId,
    /// The venue's id of it, once it has said so.
    pub(crate) venue_id: Option<&'a str>,
    /// Before this it cannot have left any trace, by the venue's clock.
    pub(crate) since: Timestamp,
    /// The venue's time.
    pub(crate) now: Timestamp,
    /// Where the page before ended.
    pub(crate) cursor: Option<&'a str>,
}

/// Rows of a list, and where the next page begins; `None` on the last one.
#[derive(Clone, Debug)]
pub(crate) struct Rows<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<String>,
}

/// An order as the venue shows it, in base units.
#[derive(Clone, Debug)]
pub(crate) struct OrderReport {
    /// Our id of it; empty for orders of the venue.
    pub(crate) client: String,
    pub(crate) venue_id: String,
    /// The venue's symbol.
    pub(crate) symbol: String,
    pub(crate) side: Side,
    pub(crate) position_side: Option<PositionSide>,
    /// Base units ordered.
    pub(crate) quantity: Quantity,
    pub(crate) price: Option<Price>,
    /// Base units filled so far.
    pub(crate) filled: Quantity,
    pub(crate) state: OrderState,
    /// Why it ended, by the venue's word.
    pub(crate) reason: Option<String>,
    /// When the venue last changed it.
    pub(crate) updated: Timestamp,
}

/// A fill as the venue shows it.
#[derive(Clone, Debug)]
pub(crate) struct FillReport {
    /// The venue's id of it, unique within its instrument.
    pub(crate) trade: String,
    /// Our id of its order; empty for orders of the venue.
    pub(crate) client: String,
    /// The venue's symbol.
    pub(crate) symbol: String,
    /// Base units.
    pub(crate) quantity: Quantity,
    /// When it filled, by the venue's clock.
    pub(crate) at: Timestamp,
    /// What is booked of it, or why nothing can be.
    pub(crate) event: Result<VenueEvent, FillError>,
}

impl FillReport {
    /// Returns what is booked of it: of `instruction` where its order is ours, and of the position of hedge
    /// mode that the order is about.
    pub(crate) fn booked(
        &self,
        instruction: Option<InstructionId>,
        position_side: Option<PositionSide>,
        received_at: Timestamp,
    ) -> Result<VenueEvent, FillError> {
        let mut event = self.event.clone()?;
        event.received_at = received_at;
        if let EventKind::Fill(fill) = &mut event.kind {
            fill.instruction = instruction;
            if position_side.is_some() {
                fill.instrument = fill.instrument.sided(position_side);
            }
        }
        Ok(event)
    }
}

/// A transfer as the venue shows it.
#[derive(Clone, Debug)]
pub(crate) struct TransferReport {
    /// The venue's name of it.
    pub(crate) id: String,
    /// How it ended; `None` while it is under way.
    pub(crate) ended: Option<TransferStage>,
    /// When it was asked for, by the venue's clock, where it says so.
    pub(crate) at: Option<Timestamp>,
}

/// What the venue took.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    /// Our id of the order.
    pub(crate) client: String,
    pub(crate) venue_id: String,
}

/// A part of the account that one list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Balances of the trading account.
    Trading,
    /// Balances of the funding account.
    Funding,
    /// Positions, of one settlement asset where the venue asks for it.
    Positions(Asset),
    /// Open orders, of one settlement asset where the venue asks for it.
    Orders(InstrumentKind, Asset),
}

/// What an account holds of an asset, by the venue's name of it.
#[derive(Clone, Debug)]
pub(crate) struct BalanceReport {
    pub(crate) account: Account,
    pub(crate) asset: String,
    pub(crate) total: Quantity,
}

/// A position in base units.
#[derive(Clone, Debug)]
pub(crate) struct PositionReport {
    /// The venue's symbol.
    pub(crate) symbol: String,
    pub(crate) side: Option<PositionSide>,
    /// Below zero for a short one.
    pub(crate) amount: Quantity,
    pub(crate) entry_price: Option<Price>,
}

/// What a page of a part shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartPage {
    pub(crate) balances: Vec<BalanceReport>,
    pub(crate) positions: Vec<PositionReport>,
    pub(crate) orders: Vec<OrderReport>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
}

/// One thing that a start finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Clock,
    Permissions,
    Account,
    /// Margin tiers of a perpetual of the configuration.
    Tiers(InstrumentKey),
    /// Its funding interval.
    Interval(InstrumentKey),
    Rules(InstrumentKind),
    PositionMode(InstrumentKey),
    Orders(InstrumentKey),
}

/// What a step of the start has shown.
#[derive(Debug)]
pub(crate) enum StepFound {
    /// That it is in order.
    Nothing,
    /// The instruments of a kind that trade.
    Rules(Vec<InstrumentRules>),
    /// Open orders.
    Orders(Vec<OrderReport>),
}

/// Why a step did not pass.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It may pass when it is asked again.
    Passing(String),
    /// It will not.
    Final(ComponentError),
}

impl From<DecodeError> for Problem {
    fn from(e: DecodeError) -> Self {
        Self::Passing(e.to_string())
    }
}

/// What a machine knows when it asks a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) settings: &'a LiveSettings,
    pub(crate) rules: &'a RuleSnapshot,
}

/// Quantity and price that a request sets, where it does, in base units.
pub(crate) type RequestTerms = (Option<Quantity>, Option<Price>);

/// What an exchange does its own way. No socket and no clock: requests and replies alone.
pub(crate) trait LiveCodec: fmt::Debug + Send {
    /// The venue.
    fn venue(&self) -> Venue;

    /// How long reads may not show yet what was accepted.
    fn visibility(&self) -> Span;

    /// How long an order that ended without a fill can be looked up.
    fn unfilled_kept(&self) -> Span;

    /// How long fills can be looked up: what is older is not concluded from lists.
    fn fills_kept(&self) -> Span;

    // Requests and what is counted of them.

    /// The requests of an instruction, in order.
    fn requests(
        &self,
        instruction: &Instruction,
        context: &Context<'_>,
    ) -> Result<Vec<JsonDraft>, VenueError>;

    /// The exact request: stamped and signed.
    fn finish(&self, draft: &JsonDraft, stamp: Stamp) -> Request;

    /// The last instant at which the venue can accept a request, by its clock.
    fn accepted_until(&self, draft: &JsonDraft, stamp: Stamp) -> Timestamp;

    /// How long after its stamp a request that is no placement may still be accepted: of an earlier process
    /// nobody knows which one was the last.
    fn change_accepted_max(&self) -> Span;

    /// What an answer says of its request.
    fn outcome(&self, effect: Effect, response: &Response) -> Result<Success, Failure>;

    /// How long nothing is sent after an answer that turns the whole address away; `None` for any other.
    fn turned_away(&self, response: &Response) -> Option<Span>;

    /// Limits of the address.
    fn address_limits(&self) -> Vec<Limit>;

    /// What a request is counted with, and what it counts.
    fn group(&self, draft: &JsonDraft) -> (Group, Cost);

    /// The limit of a group.
    fn limit(&self, group: Group) -> Limit;

    // What does not fit the venue.

    /// Why an operation does not fit how the account is set up.
    fn unfit(&self, operation: &Operation) -> Option<String>;

    /// Quantity and price that a placement or an amendment sets.
    fn request_terms(&self, draft: &JsonDraft, listed: &InstrumentRules) -> RequestTerms;

    // Orders and fills.

    /// The best bid and ask of an instrument.
    fn quote_question(&self, listed: &InstrumentRules) -> JsonDraft;

    /// The best price that an order of `side` meets; `None` for a book without one.
    fn quote(
        &self,
        listed: &InstrumentRules,
        side: Side,
        body: &[u8],
    ) -> Result<Option<Price>, DecodeError>;

    /// What the venue took.
    fn taken(&self, body: &[u8]) -> Result<Taken, DecodeError>;

    /// The lists that an order is looked for in before its fills, in order; the first is asked while it works.
    fn order_lists(&self) -> &'static [OrderList];

    /// Asks for an order.
    fn order_question(&self, list: OrderList, question: &OrderQuestion<'_>) -> JsonDraft;

    /// Orders of a list.
    fn orders(&self, rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<OrderReport>, DecodeError>;

    /// Asks for the fills of an order.
    fn fills_question(&self, question: &OrderQuestion<'_>) -> JsonDraft;

    /// Asks for our fills of an instrument.
    fn recent_question(
        &self,
        listed: &InstrumentRules,
        since: Timestamp,
        cursor: Option<&str>,
    ) -> JsonDraft;

    /// Fills of a list, in the order they happened; what is no fill is left out.
    fn fills(&self, rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<FillReport>, DecodeError>;

    // Settings and transfers.

    /// Asks for the leverage of a perpetual.
    fn leverage_question(&self, listed: &InstrumentRules) -> JsonDraft;

    /// The leverage of a perpetual, where it is said.
    fn leverage(
        &self,
        listed: &InstrumentRules,
        body: &[u8],
    ) -> Result<Option<Fixed18>, DecodeError>;

    /// Whether the answer to a transfer names it.
    ///
    /// # Errors
    /// What is wrong with the answer.
    fn transfer_taken(&self, id: InstructionId, body: &[u8]) -> Result<(), String>;

    /// Asks what became of a transfer.
    fn transfer_question(&self, id: InstructionId) -> JsonDraft;

    /// Whether a failed answer to that says that there is no such transfer.
    fn is_no_transfer(&self, failure: &Failure) -> bool;

    /// What became of it; `None` for a transfer that is not listed.
    fn transfer(
        &self,
        id: InstructionId,
        body: &[u8],
    ) -> Result<Option<TransferReport>, DecodeError>;

    // The account.

    /// The parts of the account.
    fn parts(&self, setup: Setup<'_>) -> Vec<Part>;

    /// Asks for a page of a part.
    fn part_question(&self, part: Part, cursor: Option<String>) -> JsonDraft;

    /// A page of a part.
    fn part(&self, part: Part, rules: &RuleSnapshot, body: &[u8]) -> Result<PartPage, DecodeError>;

    // The start.

    /// What a start finds out after the clock.
    fn steps(&self, setup: Setup<'_>) -> Vec<Step>;

    /// Asks for the venue's time.
    fn time_question(&self) -> JsonDraft;

    /// The venue's time.
    fn time(&self, body: &[u8]) -> Result<Timestamp, DecodeError>;

    /// Asks a step; `None` for one that there is nothing to ask of.
    fn step_question(&self, step: Step, setup: Setup<'_>) -> Option<JsonDraft>;

    /// Takes the answer to a step.
    fn take_step(
        &mut self,
        step: Step,
        setup: Setup<'_>,
        body: &[u8],
    ) -> Result<StepFound, Problem>;

    /// What is found out of each instrument of a kind once its rules are known.
    fn steps_of(&self, key: InstrumentKey) -> Vec<Step>;

    /// What a step that passed has shown, for a person.
    fn describe(&self, step: Step, setup: Setup<'_>) -> Option<String>;
}
