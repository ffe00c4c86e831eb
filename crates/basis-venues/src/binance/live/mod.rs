//! Binance live: the machine that turns instructions into requests, and answers and frames into events.
//!
//! It opens no socket and reads no clock ([`basis_live::actor`]): the same machine trades on the venue's
//! hosts and is proven under virtual time against a venue in process.
//!
//! **Invariants.** A request that acts leaves once. An order whose outcome is unknown is asked for, and is
//! called lost only when the venue can no longer accept it, reads have had time to show it, and it is in no
//! list of orders and no fill bears its id. While anything is unknown no new order leaves. A state never
//! moves back; every fill is reported once; an order is done when its fills add up to the venue's count.
//! Only orders of this book are ever touched.

mod account;
mod admit;
mod build;
mod change;
mod dead_man;
mod frame;
mod funding;
mod order;
mod place;
mod purpose;
mod quotes;
mod recent;
mod resolve;
mod settings;
mod start;
mod stream;
mod transfer;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::Instruction;
use basis_core::journal::VenueRecord;
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstructionId, Span, Timestamp, Venue};
use basis_core::venue_event::{EventKind, VenueEvent};
use basis_live::actor::{Command, Input, KillSwitch, Output, VenueMachine};

pub use self::build::build;
pub use self::settings::{Endpoints, LiveSettings};
pub use self::start::CLOCK_OFF_MAX;
pub use self::wire::Signers;

use self::account::AccountRead;
use self::change::Change;
use self::dead_man::DeadMan;
use self::funding::FundingRead;
use self::order::{Ended, Tracked};
use self::purpose::{Answered, Purpose};
use self::quotes::Quotes;
use self::recent::Recent;
use self::start::Start;
use self::stream::Streams;
use self::wire::Wire;
use super::codec::Product;
use super::codec::replies::DecodeError;
use super::simulated::PROFILE;

/// How long reads may not show yet what was accepted.
pub const VISIBILITY: Span = Span::from_seconds(5);
/// How long spot's interface waits for its engine, which does not check the window.
const ENGINE_WAIT: Span = Span::from_seconds(10);
/// How long an instruction may wait for its turn before it is refused unsent.
const SEND_WAIT: Span = Span::from_seconds(10);
/// How many ended orders are remembered, so that a late report of one is known.
const ENDED_MAX: usize = 1_024;

/// How far the machine has come.
#[derive(Debug)]
enum Phase {
    /// It finds out whether it may trade.
    Starting(Box<Start>),
    /// It trades.
    Ready,
    /// It may not trade, and sends nothing more.
    Refused,
}

/// The live side of Binance.
#[derive(Debug)]
pub struct BinanceMachine {
    settings: LiveSettings,
    rules: RuleSnapshot,
    wire: Wire,
    switch: Option<Arc<dyn KillSwitch>>,
    phase: Phase,
    /// Commands that wait for the start.
    backlog: VecDeque<Command>,
    /// Every instruction that was ever taken on or over: none is taken on twice.
    taken: BTreeSet<InstructionId>,
    orders: BTreeMap<InstructionId, Tracked>,
    changes: BTreeMap<InstructionId, Change>,
    /// Transfers that wait for the one under way, and when the next may leave.
    transfers: (VecDeque<(Instruction, Timestamp)>, Timestamp),
    /// The venue's numbers of transfers that are spoken for.
    claimed: BTreeSet<u64>,
    ended: VecDeque<Ended>,
    recent: Vec<Recent>,
    account: AccountRead,
    streams: Streams,
    quotes: Quotes,
    funding: Vec<FundingRead>,
    dead_men: Vec<DeadMan>,
    clock_due: Timestamp,
    /// Why nothing is sent any more but cancellations.
    halted: Option<String>,
    connected: bool,
    now: Timestamp,
    out: Vec<Output>,
}

impl BinanceMachine {
    /// A machine that has not begun: the first input starts it. `rules` are those of the configuration;
    /// filters are read anew from the venue.
    #[must_use]
    pub fn new(
        settings: LiveSettings,
        rules: RuleSnapshot,
        signers: Signers,
        switch: Option<Arc<dyn KillSwitch>>,
    ) -> Self {
        let wire = Wire::new(settings.endpoints.clone(), signers);
        Self {
            phase: Phase::Starting(Box::new(Start::new(&settings))),
            settings,
            rules,
            wire,
            switch,
            backlog: VecDeque::new(),
            taken: BTreeSet::new(),
            orders: BTreeMap::new(),
            changes: BTreeMap::new(),
            transfers: (VecDeque::new(), Timestamp::MIN),
            claimed: BTreeSet::new(),
            ended: VecDeque::new(),
            recent: Vec::new(),
            account: AccountRead::default(),
            streams: Streams::default(),
            quotes: Quotes::default(),
            funding: Vec::new(),
            dead_men: Vec::new(),
            clock_due: Timestamp::MAX,
            halted: None,
            connected: true,
            now: Timestamp::MIN,
            out: Vec::new(),
        }
    }

    /// The venue.
    pub const VENUE: Venue = PROFILE.venue;

    fn command(&mut self, command: Command) {
        if matches!(self.phase, Phase::Starting(_)) {
            self.backlog.push_back(command);
            return;
        }
        match command {
            Command::Execute(instructions) => {
                for instruction in instructions {
                    self.take_on(instruction);
                }
            }
            Command::Recover(record) => self.recover(*record),
            Command::Snapshot => self.request_account(),
        }
    }

    fn recover(&mut self, record: VenueRecord) {
        let numbers = record.transfers.into_iter();
        let numbers = numbers.filter_map(|(name, own)| Some((name.parse::<u64>().ok()?, own)));
        let numbers: Vec<_> = numbers.collect();
        self.claimed
            .extend(numbers.iter().map(|(number, _)| *number));
        if let Some(at) = record.committed_at {
            self.begin_funding(at);
        }
        for open in record.open {
            self.take_over(open);
        }
        for (number, own) in numbers {
            if let Some(id) = own {
                self.transfer_named(id, number);
            }
        }
    }

    fn route(&mut self, answered: Answered) {
        match answered.purpose {
            Purpose::Start => self.start_answered(answered),
            Purpose::Clock(product) => self.clock_answered(product, &answered),
            Purpose::Quote(id) => self.quoted(id, answered),
            Purpose::Place(id) => self.placed(id, answered),
            Purpose::Change(id) => self.changed(id, answered),
            Purpose::Order(id) => self.queried(id, answered),
            Purpose::Fills(id) => self.fills_answered(id, answered),
            Purpose::Proof(id) => self.proven(id, answered),
            Purpose::Asked(id) => self.asked(id, answered),
            Purpose::Recent(place) => self.recent_answered(place, answered),
            Purpose::Owner(place) => self.owner_answered(place, answered),
            Purpose::Account => self.account_answered(answered),
            Purpose::ListenKey => self.listen_key_answered(answered),
            Purpose::Funding(place) => self.funding_answered(place, answered),
            Purpose::DeadMan(place) => self.dead_man_answered(place, &answered),
        }
    }

    /// Does what is due, then lets out what may leave.
    fn turn(&mut self) {
        for answered in self.wire.time_out(self.now) {
            self.route(answered);
        }
        self.look_after_orders();
        self.look_after_changes();
        if matches!(self.phase, Phase::Ready) {
            self.look_after_streams();
            self.look_after_recent();
            self.look_after_funding();
            self.look_after_dead_man();
            self.look_after_clock();
        }
        self.expire_transfers();
        self.hold_back();
        let held = self.has_unknown();
        let mut out = std::mem::take(&mut self.out);
        let pumped = self.wire.pump(self.now, held, &mut out);
        self.out = out;
        for (purpose, stamp) in pumped.sent {
            self.left(purpose, stamp);
        }
        for purpose in pumped.expired {
            self.expired(purpose);
        }
    }

    /// Takes back what waits to act, cancellations excepted, once the kill switch is thrown.
    fn hold_back(&mut self) {
        let waiting = self.wire.waiting_acts();
        if waiting.is_empty() {
            return;
        }
        let Some(reason) = self.stopped() else {
            return;
        };
        for purpose in waiting {
            let kind = VenueErrorKind::Unavailable(reason.clone());
            match purpose {
                Purpose::Place(id) if self.wire.withdraw(purpose) => self.end_unsent(id, kind),
                Purpose::Change(id) if !self.is_cancel(id) && self.wire.withdraw(purpose) => {
                    self.change_unsent(id, kind);
                }
                _ => {}
            }
        }
    }

    fn is_cancel(&self, id: InstructionId) -> bool {
        let change = self.changes.get(&id);
        let operation = change.map(|change| &change.instruction.operation);
        matches!(
            operation,
            Some(basis_core::instruction::Operation::CancelOrder(_))
        )
    }

    /// Whether the outcome of anything is unknown.
    fn has_unknown(&self) -> bool {
        self.orders.values().any(Tracked::is_unknown)
            || self.changes.values().any(Change::is_unknown)
    }

    fn emit(&mut self, at: Timestamp, kind: EventKind) {
        // The engine takes nothing from the future: the venue's clock may be ahead of ours.
        let at = at.min(self.now);
        let event = VenueEvent::new(Self::VENUE, at, self.now, kind);
        self.out.push(Output::Event(Box::new(event)));
    }

    fn notice(&mut self, text: impl Into<String>) {
        self.out.push(Output::Notice(text.into()));
    }

    fn reject(&mut self, instruction: &Instruction, kind: VenueErrorKind) {
        let error = Box::new(error_of(instruction, kind));
        let instruction = instruction.id;
        self.emit(self.now, EventKind::Rejected { instruction, error });
    }

    fn unknown(&mut self, instruction: &Instruction, text: &str) {
        let kind = VenueErrorKind::OutcomeUnknown(text.to_owned());
        let error = Box::new(error_of(instruction, kind));
        let instruction = instruction.id;
        self.emit(self.now, EventKind::OutcomeUnknown { instruction, error });
    }

    /// Sends nothing more but cancellations, and says why.
    fn halt(&mut self, operation: &'static str, kind: VenueErrorKind) {
        if self.halted.is_some() {
            return;
        }
        let error = VenueError::new(Self::VENUE, operation, kind);
        self.halted = Some(error.to_string());
        self.notice(format!("halted: {error}"));
        self.disconnected(error);
    }

    fn disconnected(&mut self, error: VenueError) {
        self.connected = false;
        let kind = EventKind::Connectivity {
            connected: false,
            error: Some(Box::new(error)),
        };
        self.emit(self.now, kind);
    }

    /// Notes that the venue could be read.
    fn was_read(&mut self) {
        if !self.connected && self.halted.is_none() {
            self.connected = true;
            let kind = EventKind::Connectivity {
                connected: true,
                error: None,
            };
            self.emit(self.now, kind);
        }
    }

    fn unreadable(&mut self, what: &'static str, e: &DecodeError) {
        self.notice(format!("{what}: {e}"));
    }

    /// Notes what a failed read says beyond itself.
    fn read_failed(&mut self, what: &'static str, failure: &super::answer::Failure) {
        use super::codes::Class;

        if !wire::may_pass(failure) {
            self.halt(what, failure.kind.clone());
        } else if failure.class == Class::Clock {
            self.clock_due = self.now;
        }
    }

    /// Our time of an instant of the venue's.
    fn ours(&self, product: Product, at: Timestamp) -> Timestamp {
        self.wire.clock(product).ours(at)
    }
}

fn error_of(instruction: &Instruction, kind: VenueErrorKind) -> VenueError {
    VenueError::new(PROFILE.venue, instruction.operation.kind().as_str(), kind)
}

impl VenueMachine for BinanceMachine {
    fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        self.now = self.now.max(now);
        self.begin();
        match input {
            Input::Command(command) => self.command(command),
            Input::Answer { id, result } => {
                if let Some(answered) = self.wire.answered(self.now, id, result) {
                    self.route(answered);
                }
            }
            Input::Stream { id, news } => self.stream_news(id, news),
            Input::Timer => {}
        }
        self.turn();
        outputs.append(&mut self.out);
    }

    fn due(&self) -> Option<Timestamp> {
        let orders = self.orders.values().map(|order| &order.look);
        let changes = self.changes.values().map(|change| &change.look);
        let looks = orders.chain(changes).filter(|look| !look.asking);
        let looks = looks.filter_map(|look| look.due);
        let ready = matches!(self.phase, Phase::Ready);
        let recent = self.recent.iter().filter(|_| ready).filter_map(Recent::due);
        let waits = !self.transfers.0.is_empty() && !self.is_transferring();
        let waiting = waits.then_some(self.transfers.1);
        let until = self.transfers.0.front().map(|(_, until)| *until);
        let clock = ready.then_some(self.clock_due);
        let start = match &self.phase {
            Phase::Starting(start) => start.due(),
            Phase::Ready | Phase::Refused => None,
        };
        let funding = self.funding.iter().filter(|_| ready);
        let dead_men = self.dead_men.iter().filter(|_| ready);
        looks
            .chain(recent)
            .chain(waiting)
            .chain(until)
            .chain(clock)
            .chain(start)
            .chain(self.streams.due().filter(|_| ready))
            .chain(funding.filter_map(FundingRead::due))
            .chain(dead_men.filter_map(DeadMan::due))
            .chain(self.wire.due())
            .min()
    }
}
