//! OKX live: what it does its own way, on the machine that exchanges have in common ([`crate::live`]).
//!
//! Client ids are unique among pending orders alone, and what ended without a fill is forgotten two hours
//! later: an order is asked for by its id, then in the list of open ones, then among the closed ones, then
//! among all fills since it was sent. "No such order" proves nothing by itself. The deadline of a placement
//! and of an amendment is its `expTime`; everything else may be accepted for 30 seconds after its stamp.
//! Swaps are cross, and counted in contracts on the wire alone.

mod questions;
mod reports;
mod start;

use std::sync::Arc;

use basis_core::error::{ComponentError, VenueError};
use basis_core::instruction::{Instruction, Operation};
use basis_core::num::{Fixed18, Price};
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::transport::{Request, Response};
use basis_core::types::{
    BookId, ClientOrderId, InstructionId, InstrumentKey, InstrumentKind, Side, Span, Timestamp,
    Venue,
};
use basis_core::venue_event::TransferStage;
use basis_live::actor::{Cost, KillSwitch, Limit};

use super::answer::outcome;
use super::codec::replies::{self, Tiers, TransferStatus, UNFILLED_KEPT};
use super::codec::signing::Keys;
use super::codec::{
    AccountLevel, Network, STAMP_WINDOW, Terms, deadline, finish_at, reads, requests_with,
};
use super::limits;
use super::simulated::PROFILE;
use crate::credentials::BasisEnvironment;
use crate::driver::{LiveRequest, LiveVenue};
use crate::live::codec::{
    FillReport, Group, LiveCodec, OrderList, OrderQuestion, OrderReport, Part, PartPage, Problem,
    RequestTerms, Rows, Setup, Step, StepFound, Taken, TransferReport,
};
use crate::live::{Built, Endpoint, LiveSettings, Machine, credential, no_key};
use crate::wire::{Context, DecodeError, Effect, Failure, HeaderSigner, JsonDraft, Stamp, Success};

/// The venue.
pub const VENUE: Venue = PROFILE.venue;
/// How long reads may not show yet what was accepted.
pub const VISIBILITY: Span = Span::from_seconds(5);
/// How long fills can be looked up: three months, and a few days less.
const FILLS_KEPT: Span = Span::from_hours(85 * 24);
/// "No such transfer": 51000 names the id that is not known, 58129 is the older word for it.
const NO_TRANSFER: [i64; 2] = [51_000, 58_129];

/// Returns the venue's own host for `environment`: both networks have one.
#[must_use]
pub fn endpoint(environment: BasisEnvironment) -> Endpoint {
    Endpoint {
        origin: Network::of(environment).rest().to_owned(),
        has_wallet: true,
    }
}

/// A machine that has not begun: the first input starts it. `rules` are those of the configuration; filters
/// are read anew from the venue. `network` decides whether requests say that they are the demo's.
#[must_use]
pub fn machine(
    (settings, network): (LiveSettings, Network),
    rules: RuleSnapshot,
    signer: Box<dyn HeaderSigner + Send>,
    switch: Option<Arc<dyn KillSwitch>>,
) -> Machine {
    let codec = Codec::new(&settings, network, signer);
    Machine::new(Box::new(codec), settings, rules, switch)
}

/// Makes the machine, and says what it can do.
///
/// # Errors
/// EIF-002 for settings that are none, and for a host that is of another network than the environment;
/// EIF-003 for a key or a passphrase that is none.
pub fn build(request: &LiveRequest<'_>) -> Result<LiveVenue, ComponentError> {
    let built = Built::of(VENUE, &endpoint(request.environment), request)?;
    let secret = credential(request, "secret");
    let passphrase = credential(request, "passphrase");
    let keys = Keys::new(credential(request, "api_key"), &secret, passphrase);
    let keys = keys.map_err(|e| no_key(VENUE, e))?;
    let network = Network::of(request.environment);
    let codec = Codec::new(&built.settings, network, Box::new(keys));
    Ok(built.machine(Box::new(codec), VISIBILITY, request))
}

/// What OKX does its own way.
struct Codec {
    book: BookId,
    origin: String,
    network: Network,
    signer: Box<dyn HeaderSigner + Send>,
    /// What the account can do, once it was read.
    level: AccountLevel,
    /// Of the swaps whose rules are read next.
    tiers: Vec<Tiers>,
    intervals: Vec<(String, Span)>,
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codec")
            .field("origin", &self.origin)
            .field("network", &self.network)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl Codec {
    fn new(
        settings: &LiveSettings,
        network: Network,
        signer: Box<dyn HeaderSigner + Send>,
    ) -> Self {
        Self {
            book: settings.book,
            origin: settings.endpoint.origin.clone(),
            network,
            signer,
            level: AccountLevel::default(),
            tiers: Vec::new(),
            intervals: Vec::new(),
        }
    }
}

impl LiveCodec for Codec {
    fn venue(&self) -> Venue {
        VENUE
    }

    fn visibility(&self) -> Span {
        VISIBILITY
    }

    fn unfilled_kept(&self) -> Span {
        UNFILLED_KEPT
    }

    fn fills_kept(&self) -> Span {
        FILLS_KEPT
    }

    fn requests(
        &self,
        instruction: &Instruction,
        context: &Context<'_>,
    ) -> Result<Vec<JsonDraft>, VenueError> {
        let level = self.level;
        requests_with(VENUE, instruction, Terms { context, level })
    }

    fn finish(&self, draft: &JsonDraft, stamp: Stamp) -> Request {
        let host = (self.origin.as_str(), self.network);
        finish_at(draft, host, stamp, self.signer.as_ref())
    }

    fn accepted_until(&self, draft: &JsonDraft, stamp: Stamp) -> Timestamp {
        deadline(draft, stamp)
    }

    fn change_accepted_max(&self) -> Span {
        STAMP_WINDOW
    }

    fn outcome(&self, effect: Effect, response: &Response) -> Result<Success, Failure> {
        outcome(effect, response)
    }

    fn turned_away(&self, _response: &Response) -> Option<Span> {
        None
    }

    fn address_limits(&self) -> Vec<Limit> {
        Vec::new()
    }

    fn group(&self, draft: &JsonDraft) -> (Group, Cost) {
        limits::of(draft)
    }

    fn limit(&self, group: Group) -> Limit {
        limits::of_group(group)
    }

    fn unfit(&self, _operation: &Operation) -> Option<String> {
        None
    }

    fn request_terms(&self, draft: &JsonDraft, listed: &InstrumentRules) -> RequestTerms {
        questions::terms(draft, listed)
    }

    fn quote_question(&self, listed: &InstrumentRules) -> JsonDraft {
        reads::ticker(listed)
    }

    fn quote(
        &self,
        _listed: &InstrumentRules,
        side: Side,
        body: &[u8],
    ) -> Result<Option<Price>, DecodeError> {
        Ok(replies::ticker(body)?.opposite(side))
    }

    fn taken(&self, body: &[u8]) -> Result<Taken, DecodeError> {
        let taken = replies::accepted(body)?;
        Ok(Taken {
            client: taken.cl_ord_id,
            venue_id: taken.ord_id,
        })
    }

    fn order_lists(&self) -> &'static [OrderList] {
        &[OrderList::Recent, OrderList::Open, OrderList::Closed]
    }

    fn order_question(&self, list: OrderList, question: &OrderQuestion<'_>) -> JsonDraft {
        questions::order(list, question)
    }

    fn orders(&self, rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<OrderReport>, DecodeError> {
        reports::orders(rules, body)
    }

    fn fills_question(&self, question: &OrderQuestion<'_>) -> JsonDraft {
        questions::fills(question)
    }

    fn recent_question(
        &self,
        listed: &InstrumentRules,
        since: Timestamp,
        cursor: Option<&str>,
    ) -> JsonDraft {
        reads::fills(listed, &questions::page(Some(since), cursor))
    }

    fn fills(&self, rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<FillReport>, DecodeError> {
        reports::fills(rules, body)
    }

    fn leverage_question(&self, listed: &InstrumentRules) -> JsonDraft {
        reads::leverage(listed)
    }

    fn leverage(
        &self,
        listed: &InstrumentRules,
        body: &[u8],
    ) -> Result<Option<Fixed18>, DecodeError> {
        let rows = replies::leverage(body)?;
        let mut rows = rows.iter();
        let own = rows.find(|row| row.inst_id == listed.venue_symbol.as_str());
        Ok(own.map(|own| own.lever))
    }

    fn transfer_taken(&self, _id: InstructionId, body: &[u8]) -> Result<(), String> {
        let taken = replies::transfer_id(body);
        taken
            .map(|_id| ())
            .map_err(|e| format!("the answer cannot be read: {e}"))
    }

    fn transfer_question(&self, id: InstructionId) -> JsonDraft {
        reads::transfer(&ClientOrderId::derive(self.book, id))
    }

    fn is_no_transfer(&self, failure: &Failure) -> bool {
        failure.code.is_some_and(|code| NO_TRANSFER.contains(&code))
    }

    fn transfer(
        &self,
        id: InstructionId,
        body: &[u8],
    ) -> Result<Option<TransferReport>, DecodeError> {
        let own = ClientOrderId::derive(self.book, id);
        let mut rows = replies::transfer_states(body)?.into_iter();
        let row = rows.find(|row| row.client_id == own.as_str());
        Ok(row.map(|row| TransferReport {
            id: row.trans_id,
            ended: match row.state {
                TransferStatus::Pending => None,
                TransferStatus::Success => Some(TransferStage::Credited),
                TransferStatus::Failed => Some(TransferStage::Returned),
            },
            at: None,
        }))
    }

    fn parts(&self, setup: Setup<'_>) -> Vec<Part> {
        questions::parts(setup)
    }

    fn part_question(&self, part: Part, cursor: Option<String>) -> JsonDraft {
        questions::part(part, cursor.as_deref())
    }

    fn part(&self, part: Part, rules: &RuleSnapshot, body: &[u8]) -> Result<PartPage, DecodeError> {
        reports::part(part, rules, body)
    }

    fn steps(&self, setup: Setup<'_>) -> Vec<Step> {
        start::steps(setup)
    }

    fn time_question(&self) -> JsonDraft {
        reads::server_time()
    }

    fn time(&self, body: &[u8]) -> Result<Timestamp, DecodeError> {
        replies::server_time(body)
    }

    fn step_question(&self, step: Step, setup: Setup<'_>) -> Option<JsonDraft> {
        start::question(step, setup)
    }

    fn take_step(
        &mut self,
        step: Step,
        setup: Setup<'_>,
        body: &[u8],
    ) -> Result<StepFound, Problem> {
        start::take(self, step, setup, body)
    }

    fn steps_of(&self, key: InstrumentKey) -> Vec<Step> {
        vec![Step::Orders(key)]
    }

    fn describe(&self, step: Step, setup: Setup<'_>) -> Option<String> {
        start::describe(self.level, step, setup)
    }
}

/// Whether instruments of a kind are swaps.
const fn is_swap(kind: InstrumentKind) -> bool {
    !matches!(kind, InstrumentKind::Spot)
}
