//! The engine's side of a live venue: it never waits.

use std::collections::BTreeSet;
use std::sync::Arc;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::health::Health;
use basis_core::instruction::{Instruction, OpenInstruction};
use basis_core::types::{InstructionId, Venue};
use basis_core::venue::{Capabilities, Dependencies};
use basis_core::venue_event::{AccountSnapshot, EventKind, Events, VenueEvent};
use basis_market::{ExecutionInterface, Horizon, MarketView};

use super::{Command, Mailbox};

/// A handle on the actor of a venue.
#[derive(Debug)]
pub struct LiveInterface {
    venue: Venue,
    capabilities: Capabilities,
    mailbox: Mailbox,
    taken: BTreeSet<InstructionId>,
    account: Arc<AccountSnapshot>,
    health: Health,
    dependencies: Dependencies,
    /// Whether instructions of an earlier process could not be handed over: then nothing new is sent.
    unrecovered: bool,
}

impl LiveInterface {
    /// A handle on the actor at the other end of `mailbox`.
    #[must_use]
    pub fn new(
        venue: Venue,
        capabilities: Capabilities,
        mailbox: Mailbox,
        dependencies: Dependencies,
    ) -> Self {
        let account = mailbox.account();
        Self {
            venue,
            capabilities,
            mailbox,
            taken: BTreeSet::new(),
            account,
            health: Health::default(),
            dependencies,
            unrecovered: false,
        }
    }

    fn refusal(&self, instruction: &Instruction, kind: VenueErrorKind) -> EventKind {
        let operation = instruction.operation.kind().as_str();
        EventKind::Rejected {
            instruction: instruction.id,
            error: Box::new(VenueError::new(self.venue, operation, kind)),
        }
    }

    fn note(&mut self, event: &VenueEvent) {
        match &event.kind {
            EventKind::Rejected { error, .. } | EventKind::OutcomeUnknown { error, .. } => {
                self.health
                    .failed(event.received_at, &error.as_ref().clone().into());
            }
            EventKind::Connectivity {
                connected: false,
                error: Some(error),
            } => self
                .health
                .failed(event.received_at, &error.as_ref().clone().into()),
            _ => self
                .health
                .succeeded(event.received_at, event.received_at.since(event.at)),
        }
    }
}

impl ExecutionInterface for LiveInterface {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.dependencies = dependencies;
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        let new: Vec<_> = instructions
            .iter()
            .filter(|instruction| self.taken.insert(instruction.id))
            .cloned()
            .collect();
        if new.is_empty() {
            return;
        }
        let is_set = self.dependencies.missing().is_empty();
        let refused = if is_set && !self.unrecovered {
            self.mailbox.command(Command::Execute(new)).err()
        } else {
            Some(Command::Execute(new))
        };
        let Some(Command::Execute(refused)) = refused else {
            return;
        };
        let now = view.now();
        for instruction in &refused {
            let kind = if is_set {
                let text = "the venue's actor has ended or takes nothing more; nothing was sent";
                VenueErrorKind::Unavailable(text.to_owned())
            } else {
                VenueErrorKind::NotReady
            };
            let kind = self.refusal(instruction, kind);
            events.push(VenueEvent::new(self.venue, now, now, kind));
        }
    }

    fn poll_events(&mut self, _view: &MarketView, events: &mut Events) {
        let from = events.len();
        self.mailbox.take_events(events);
        self.account = self.mailbox.account();
        for event in events.iter().skip(from) {
            self.note(event);
        }
    }

    fn horizon(&self, _view: &MarketView) -> Horizon {
        if self.mailbox.has_events() {
            Horizon::NOW
        } else {
            Horizon::QUIET
        }
    }

    fn account(&self) -> &AccountSnapshot {
        &self.account
    }

    fn request_snapshot(&mut self) {
        // A full queue has a snapshot or an order in it already; the engine asks again.
        self.mailbox.command(Command::Snapshot).ok();
    }

    fn recover(&mut self, open: &[OpenInstruction]) {
        let own: Vec<_> = open
            .iter()
            .filter(|open| open.venue == self.venue)
            .cloned()
            .collect();
        self.taken
            .extend(own.iter().map(|open| open.instruction.id));
        let handed_over = self.mailbox.command(Command::Recover(own));
        self.unrecovered |= handed_over.is_err();
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
