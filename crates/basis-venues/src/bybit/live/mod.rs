//! Bybit live: what it does its own way, on the machine that exchanges have in common
//! ([`crate::live`]).
//!
//! An order is asked for by its client id, which is unique for ever: among the open and lately closed ones,
//! then among the closed ones, then by its fills. A transfer bears an id too. The margin mode is one for the
//! account, and cross alone is traded.

mod reports;
mod start;

use std::sync::Arc;

use basis_core::error::{ComponentError, VenueError};
use basis_core::instruction::{Instruction, MarginMode, Operation};
use basis_core::num::{Fixed18, Price, Quantity};
use basis_core::rules::{InstrumentRules, RuleSnapshot};
use basis_core::transport::{Request, Response};
use basis_core::types::{
    Asset, BookId, InstructionId, InstrumentKey, InstrumentKind, Side, Span, Timestamp, Venue,
};
use basis_core::venue_event::TransferStage;
use basis_live::actor::{Cost, KillSwitch, Limit};

use super::answer::outcome;
use super::codec::replies::{self, Tiers, TransferStatus, UNFILLED_KEPT};
use super::codec::signing::Keys;
use super::codec::{
    Category, Network, finish_at, open_orders, order_history, query, reads, requests, transfer_id,
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
use crate::wire::{
    Context, DecodeError, Effect, Failure, HeaderSigner, JsonDraft, NamedOrder, Range, Stamp,
    Success,
};

/// The venue.
pub const VENUE: Venue = PROFILE.venue;
/// How long reads may not show yet what was accepted.
pub const VISIBILITY: Span = Span::from_seconds(5);
/// How long fills can be looked up: two years, and a day less.
const FILLS_KEPT: Span = Span::from_hours(729 * 24);
/// How long nothing is sent after the gateway turned the address away.
const TURNED_AWAY: Span = Span::from_seconds(600);
/// Rows of a page, the most that the venue gives.
const ORDERS: u32 = 50;
const POSITIONS: u32 = 200;
const FILLS: u32 = 100;

/// Returns the venue's own host for `environment`: the demo has no transfers.
#[must_use]
pub fn endpoint(environment: BasisEnvironment) -> Endpoint {
    let network = Network::of(environment);
    Endpoint {
        origin: network.rest().to_owned(),
        has_wallet: network == Network::Live,
    }
}

/// A machine that has not begun: the first input starts it. `rules` are those of the configuration; filters
/// are read anew from the venue.
#[must_use]
pub fn machine(
    settings: LiveSettings,
    rules: RuleSnapshot,
    signer: Box<dyn HeaderSigner + Send>,
    switch: Option<Arc<dyn KillSwitch>>,
) -> Machine {
    let codec = Codec::new(&settings, signer);
    Machine::new(Box::new(codec), settings, rules, switch)
}

/// Makes the machine, and says what it can do.
///
/// # Errors
/// EIF-002 for settings that are none, and for a host that is of another network than the environment;
/// EIF-003 for a key that is none.
pub fn build(request: &LiveRequest<'_>) -> Result<LiveVenue, ComponentError> {
    let built = Built::of(VENUE, &endpoint(request.environment), request)?;
    let secret = credential(request, "secret");
    let keys = Keys::new(credential(request, "api_key"), &secret);
    let keys = keys.map_err(|e| no_key(VENUE, e))?;
    let codec = Codec::new(&built.settings, Box::new(keys));
    Ok(built.machine(Box::new(codec), VISIBILITY, request))
}

/// What Bybit does its own way.
struct Codec {
    book: BookId,
    endpoint: Endpoint,
    signer: Box<dyn HeaderSigner + Send>,
    /// Of the perpetuals whose rules are read next.
    tiers: Vec<Tiers>,
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codec")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Codec {
    fn new(settings: &LiveSettings, signer: Box<dyn HeaderSigner + Send>) -> Self {
        Self {
            book: settings.book,
            endpoint: settings.endpoint.clone(),
            signer,
            tiers: Vec::new(),
        }
    }
}

fn page(rows: u32, cursor: Option<String>) -> Range {
    Range {
        rows: Some(rows),
        cursor,
        ..Range::default()
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
        requests(VENUE, instruction, context)
    }

    fn finish(&self, draft: &JsonDraft, stamp: Stamp) -> Request {
        finish_at(draft, &self.endpoint.origin, stamp, self.signer.as_ref())
    }

    fn accepted_until(&self, _draft: &JsonDraft, stamp: Stamp) -> Timestamp {
        stamp.deadline()
    }

    fn change_accepted_max(&self) -> Span {
        Stamp::WINDOW
    }

    fn outcome(&self, effect: Effect, response: &Response) -> Result<Success, Failure> {
        outcome(effect, response)
    }

    fn turned_away(&self, response: &Response) -> Option<Span> {
        (response.status == 403).then_some(TURNED_AWAY)
    }

    fn address_limits(&self) -> Vec<Limit> {
        limits::ADDRESS.to_vec()
    }

    fn group(&self, draft: &JsonDraft) -> (Group, Cost) {
        limits::of(draft)
    }

    fn limit(&self, group: Group) -> Limit {
        limits::of_group(group)
    }

    fn unfit(&self, operation: &Operation) -> Option<String> {
        let text = match operation {
            Operation::SetLeverage(change) if change.margin_mode == Some(MarginMode::Isolated) => {
                "Bybit's margin mode is one for the whole account, and cross alone is traded live: leave \
                 margin_mode out or say cross"
            }
            Operation::Transfer(_) if !self.endpoint.has_wallet => {
                "the demo has no transfers: they exist on the live network alone"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn request_terms(&self, draft: &JsonDraft, _listed: &InstrumentRules) -> RequestTerms {
        let quantity = draft.field("qty").map(Quantity::parse);
        let price = draft.field("price").map(Price::parse);
        (quantity.and_then(Result::ok), price.and_then(Result::ok))
    }

    fn quote_question(&self, listed: &InstrumentRules) -> JsonDraft {
        reads::ticker(listed)
    }

    fn quote(
        &self,
        listed: &InstrumentRules,
        side: Side,
        body: &[u8],
    ) -> Result<Option<Price>, DecodeError> {
        let ticker = replies::ticker(body)?;
        let is_own = ticker.symbol == listed.venue_symbol.as_str();
        Ok(ticker.opposite(side).filter(|_| is_own))
    }

    fn taken(&self, body: &[u8]) -> Result<Taken, DecodeError> {
        let taken = replies::accepted(body)?;
        Ok(Taken {
            client: taken.order_link_id,
            venue_id: taken.order_id,
        })
    }

    fn order_lists(&self) -> &'static [OrderList] {
        &[OrderList::Recent, OrderList::Closed]
    }

    fn order_question(&self, list: OrderList, question: &OrderQuestion<'_>) -> JsonDraft {
        let by_client = NamedOrder::Client(question.client.clone());
        let category = Category::of(question.listed.key.kind);
        match list {
            OrderList::Recent | OrderList::Open => query(question.listed, &by_client),
            OrderList::Closed => order_history(category, &by_client),
        }
    }

    fn orders(&self, _rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<OrderReport>, DecodeError> {
        let page = replies::orders(body)?;
        Ok(Rows {
            rows: page.rows.into_iter().map(reports::order).collect(),
            next: page.next,
        })
    }

    fn fills_question(&self, question: &OrderQuestion<'_>) -> JsonDraft {
        let by_client = NamedOrder::Client(question.client.clone());
        let category = Category::of(question.listed.key.kind);
        reads::fills_of(category, &by_client, question.cursor)
    }

    fn recent_question(
        &self,
        listed: &InstrumentRules,
        since: Timestamp,
        cursor: Option<&str>,
    ) -> JsonDraft {
        let range = Range {
            from: Some(since),
            ..page(FILLS, cursor.map(ToOwned::to_owned))
        };
        reads::fills_in(listed, &range)
    }

    fn fills(&self, rules: &RuleSnapshot, body: &[u8]) -> Result<Rows<FillReport>, DecodeError> {
        reports::fills(rules, body)
    }

    fn leverage_question(&self, listed: &InstrumentRules) -> JsonDraft {
        reads::position(listed)
    }

    fn leverage(
        &self,
        listed: &InstrumentRules,
        body: &[u8],
    ) -> Result<Option<Fixed18>, DecodeError> {
        let page = replies::positions(body)?;
        let mut rows = page.rows.iter();
        let own = rows.find(|row| row.symbol == listed.venue_symbol.as_str());
        Ok(own.and_then(|own| own.leverage))
    }

    fn transfer_taken(&self, id: InstructionId, body: &[u8]) -> Result<(), String> {
        match replies::transferred(body) {
            Ok((named, _)) if named == transfer_id(self.book, id) => Ok(()),
            Ok((named, _)) => Err(format!("the answer is about {named}")),
            Err(e) => Err(format!("the answer cannot be read: {e}")),
        }
    }

    fn transfer_question(&self, id: InstructionId) -> JsonDraft {
        reads::transfer(&transfer_id(self.book, id))
    }

    fn is_no_transfer(&self, _failure: &Failure) -> bool {
        false
    }

    fn transfer(
        &self,
        id: InstructionId,
        body: &[u8],
    ) -> Result<Option<TransferReport>, DecodeError> {
        let page = replies::transfers(body)?;
        let own = transfer_id(self.book, id);
        let row = page.rows.into_iter().find(|row| row.transfer_id == own);
        Ok(row.map(|row| TransferReport {
            ended: match row.status {
                TransferStatus::Pending | TransferStatus::Unknown => None,
                TransferStatus::Success => Some(TransferStage::Credited),
                TransferStatus::Failed => Some(TransferStage::Returned),
            },
            at: Some(row.timestamp),
            id: row.transfer_id,
        }))
    }

    fn parts(&self, Setup { settings, rules }: Setup<'_>) -> Vec<Part> {
        let perps = rules.instruments.iter();
        let perps = perps.filter(|rules| rules.key.kind == InstrumentKind::Perp);
        let mut settles: Vec<Asset> = perps.map(|rules| rules.quote).collect();
        settles.sort_unstable();
        settles.dedup();
        let mut parts = vec![Part::Trading];
        if self.endpoint.has_wallet {
            parts.push(Part::Funding);
        }
        if settings.spot {
            // All of spot at once: the asset is not asked for there.
            let any = settles.first().copied().unwrap_or(Asset::literal("USDT"));
            parts.push(Part::Orders(InstrumentKind::Spot, any));
        }
        if settings.perps {
            for settle in settles {
                parts.push(Part::Positions(settle));
                parts.push(Part::Orders(InstrumentKind::Perp, settle));
            }
        }
        parts
    }

    fn part_question(&self, part: Part, cursor: Option<String>) -> JsonDraft {
        match part {
            Part::Trading => reads::balances(),
            Part::Funding => reads::funding_balances(),
            Part::Positions(settle) => reads::positions(settle, &page(POSITIONS, cursor)),
            Part::Orders(kind, settle) => {
                open_orders(Category::of(kind), settle, &page(ORDERS, cursor))
            }
        }
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
        start::take(&mut self.tiers, step, setup, body)
    }

    fn steps_of(&self, key: InstrumentKey) -> Vec<Step> {
        let mode = (key.kind == InstrumentKind::Perp).then_some(Step::PositionMode(key));
        mode.into_iter().chain([Step::Orders(key)]).collect()
    }

    fn describe(&self, step: Step, setup: Setup<'_>) -> Option<String> {
        start::describe(step, setup)
    }
}
