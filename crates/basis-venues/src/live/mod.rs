//! The live machine of an exchange whose acceptance is no outcome: it turns instructions into requests, and
//! answers into events. What an exchange does its own way is its `LiveCodec`.
//!
//! It opens no socket and reads no clock ([`basis_live::actor`]): the same machine trades on the venue's host
//! and is proven under virtual time against a venue in process.
//!
//! **Invariants.** It knows no venue. A request that acts leaves once. That it was taken is no outcome: the
//! order is asked until its state shows, and the venue may reject what it took. An order whose outcome is
//! unknown is asked for by its client id, and is called lost only when the venue can no longer accept it,
//! reads have had time to show it, and neither the open orders, nor the closed ones, nor the fills know its
//! id. While anything is unknown no new order leaves. A state never moves back; every fill is reported once;
//! an order is done when its fills add up to the venue's count. Only orders of this book are ever touched.

mod account;
mod admit;
pub(crate) mod asked;
mod build;
mod change;
pub(crate) mod codec;
pub(crate) mod look;
mod order;
mod place;
mod purpose;
mod recent;
mod resolve;
mod settings;
mod start;
mod transfer;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::{Instruction, OpenInstruction, Operation};
use basis_core::rules::RuleSnapshot;
use basis_core::types::{InstructionId, Span, Timestamp, Venue};
use basis_core::venue_event::{EventKind, VenueEvent};
use basis_live::actor::{Command, Input, KillSwitch, Output, VenueMachine};

pub(crate) use self::build::{Built, credential, no_key};
pub use self::settings::{Endpoint, LiveSettings};
pub use self::start::CLOCK_OFF_MAX;
pub(crate) use self::start::{check_mode, refused};

use self::account::AccountRead;
use self::change::Change;
use self::codec::{LiveCodec, Setup};
use self::order::{Ended, Tracked};
use self::purpose::{Answered, Purpose};
use self::recent::Recent;
use self::start::Start;
use self::wire::Wire;
use crate::wire::{Class, DecodeError, Failure};

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

/// The live side of an exchange.
#[derive(Debug)]
pub struct Machine {
    codec: Box<dyn LiveCodec>,
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
    ended: VecDeque<Ended>,
    recent: Vec<Recent>,
    account: AccountRead,
    clock_due: Timestamp,
    /// Why nothing is sent any more but cancellations.
    halted: Option<String>,
    connected: bool,
    now: Timestamp,
    out: Vec<Output>,
}

impl Machine {
    /// A machine that has not begun: the first input starts it. `rules` are those of the configuration;
    /// filters are read anew from the venue.
    #[must_use]
    pub(crate) fn new(
        codec: Box<dyn LiveCodec>,
        settings: LiveSettings,
        rules: RuleSnapshot,
        switch: Option<Arc<dyn KillSwitch>>,
    ) -> Self {
        let setup = Setup {
            settings: &settings,
            rules: &rules,
        };
        let start = Start::new(codec.steps(setup));
        let wire = Wire::new(&codec.address_limits());
        Self {
            phase: Phase::Starting(Box::new(start)),
            codec,
            settings,
            rules,
            wire,
            switch,
            backlog: VecDeque::new(),
            taken: BTreeSet::new(),
            orders: BTreeMap::new(),
            changes: BTreeMap::new(),
            ended: VecDeque::new(),
            recent: Vec::new(),
            account: AccountRead::default(),
            clock_due: Timestamp::MAX,
            halted: None,
            connected: true,
            now: Timestamp::MIN,
            out: Vec::new(),
        }
    }

    fn venue(&self) -> Venue {
        self.codec.venue()
    }

    fn setup(&self) -> Setup<'_> {
        Setup {
            settings: &self.settings,
            rules: &self.rules,
        }
    }

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
            Command::Recover(record) => self.recover(record.open),
            Command::Snapshot => self.request_account(),
        }
    }

    fn recover(&mut self, open: Vec<OpenInstruction>) {
        for open in open {
            self.take_over(open);
        }
    }

    fn route(&mut self, answered: Answered) {
        match answered.purpose {
            Purpose::Start => self.start_answered(answered),
            Purpose::Clock => self.clock_answered(&answered),
            Purpose::Quote(id) => self.quoted(id, answered),
            Purpose::Place(id) => self.placed(id, answered),
            Purpose::Change(id) => self.changed(id, answered),
            Purpose::Order(id) => self.shown(id, answered),
            Purpose::Fills(id) => self.fills_answered(id, answered),
            Purpose::Asked(id) => self.asked(id, answered),
            Purpose::Recent(place) => self.recent_answered(place, answered),
            Purpose::Account => self.account_answered(answered),
        }
    }

    /// Does what is due, then lets out what may leave.
    fn turn(&mut self) {
        for answered in self.wire.time_out(self.now, self.codec.as_ref()) {
            self.route(answered);
        }
        self.look_after_orders();
        self.look_after_changes();
        if matches!(self.phase, Phase::Ready) {
            self.look_after_recent();
            self.look_after_clock();
        }
        self.hold_back();
        let held = self.has_unknown();
        let mut out = std::mem::take(&mut self.out);
        let codec = self.codec.as_ref();
        let pumped = self.wire.pump(self.now, held, codec, &mut out);
        self.out = out;
        for (purpose, accepted_until) in pumped.sent {
            self.left(purpose, accepted_until);
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
        matches!(operation, Some(Operation::CancelOrder(_)))
    }

    /// Whether the outcome of anything is unknown.
    fn has_unknown(&self) -> bool {
        self.orders.values().any(Tracked::is_unknown)
            || self.changes.values().any(Change::is_unknown)
    }

    /// When a request that the venue can accept until then by its clock was never accepted if it has left no
    /// trace, by our clock.
    fn dead_at(&self, accepted_until: Timestamp) -> Timestamp {
        let accepted_until = self.wire.clock.ours(accepted_until);
        let certain = accepted_until.plus(self.wire.clock.skew);
        certain.plus(self.codec.visibility())
    }

    /// Notes that a request has left.
    fn left(&mut self, purpose: Purpose, accepted_until: Timestamp) {
        match purpose {
            Purpose::Place(id) => {
                if let Some(order) = self.orders.get_mut(&id) {
                    order.accepted_until = Some(accepted_until);
                }
            }
            Purpose::Change(id) => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.accepted_until = Some(accepted_until);
                }
            }
            _ => {}
        }
    }

    /// Gives up what waited too long for its turn.
    fn expired(&mut self, purpose: Purpose) {
        let text = format!("it found no turn within {SEND_WAIT}; nothing was sent");
        match purpose {
            Purpose::Place(id) => self.end_unsent(id, VenueErrorKind::Unavailable(text)),
            Purpose::Change(id) => self.change_expired(id, VenueErrorKind::Unavailable(text)),
            // A read that found no turn is asked for again by whoever wanted it.
            Purpose::Quote(id) => self.no_quote(id, &text),
            Purpose::Order(id) | Purpose::Fills(id) => {
                if let Some(order) = self.orders.get_mut(&id) {
                    order.look.again(self.now);
                }
            }
            Purpose::Asked(id) => {
                if let Some(change) = self.changes.get_mut(&id) {
                    change.look.again(self.now);
                }
            }
            Purpose::Recent(place) => self.recent_failed(place),
            Purpose::Account => self.account_failed(),
            Purpose::Clock => self.clock_due = self.now.plus(SEND_WAIT),
            Purpose::Start => self.start_expired(),
        }
    }

    fn emit(&mut self, at: Timestamp, kind: EventKind) {
        // The engine takes nothing from the future: the venue's clock may be ahead of ours.
        let at = at.min(self.now);
        let event = VenueEvent::new(self.venue(), at, self.now, kind);
        self.out.push(Output::Event(Box::new(event)));
    }

    fn notice(&mut self, text: impl Into<String>) {
        self.out.push(Output::Notice(text.into()));
    }

    fn reject(&mut self, instruction: &Instruction, kind: VenueErrorKind) {
        let error = Box::new(error_of(self.venue(), instruction, kind));
        let instruction = instruction.id;
        self.emit(self.now, EventKind::Rejected { instruction, error });
    }

    fn unknown(&mut self, instruction: &Instruction, text: &str) {
        let kind = VenueErrorKind::OutcomeUnknown(text.to_owned());
        let error = Box::new(error_of(self.venue(), instruction, kind));
        let instruction = instruction.id;
        self.emit(self.now, EventKind::OutcomeUnknown { instruction, error });
    }

    /// Sends nothing more but cancellations, and says why.
    fn halt(&mut self, operation: &'static str, kind: VenueErrorKind) {
        if self.halted.is_some() {
            return;
        }
        let error = VenueError::new(self.venue(), operation, kind);
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
    fn read_failed(&mut self, what: &'static str, failure: &Failure) {
        if !wire::may_pass(failure) {
            self.halt(what, failure.kind.clone());
        } else if failure.class == Class::Clock {
            self.clock_due = self.now;
        }
    }
}

fn error_of(venue: Venue, instruction: &Instruction, kind: VenueErrorKind) -> VenueError {
    VenueError::new(venue, instruction.operation.kind().as_str(), kind)
}

impl VenueMachine for Machine {
    fn handle(&mut self, now: Timestamp, input: Input, outputs: &mut Vec<Output>) {
        self.now = self.now.max(now);
        self.begin();
        match input {
            Input::Command(command) => self.command(command),
            Input::Answer { id, result } => {
                let codec = self.codec.as_ref();
                if let Some(answered) = self.wire.answered(self.now, (id, result), codec) {
                    self.route(answered);
                }
            }
            // It opens no stream, so that none has news.
            Input::Timer | Input::Stream { .. } => {}
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
        let clock = ready.then_some(self.clock_due);
        let start = match &self.phase {
            Phase::Starting(start) => start.due(),
            Phase::Ready | Phase::Refused => None,
        };
        looks
            .chain(recent)
            .chain(clock)
            .chain(start)
            .chain(self.wire.due())
            .min()
    }
}
