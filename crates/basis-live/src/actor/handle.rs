//! The engine's side of a live venue: it never waits.

use std::collections::BTreeSet;
use std::sync::Arc;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::health::Health;
use basis_core::instruction::Instruction;
use basis_core::journal::VenueRecord;
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

    fn recover(&mut self, record: &VenueRecord) {
        self.taken
            .extend(record.open.iter().map(|open| open.instruction.id));
        let record = Box::new(record.clone());
        let handed_over = self.mailbox.command(Command::Recover(record));
        self.unrecovered |= handed_over.is_err();
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}

#[cfg(test)]
mod tests {
    use basis_core::instruction::OpenInstruction;
    use basis_core::types::Side;
    use basis_market::{MarketData, ViewPolicy};
    use basis_testkit::{dependencies, spot_market};

    use super::*;

    fn view() -> MarketView {
        MarketView::new(Arc::new(MarketData::default()), &[], ViewPolicy::default()).unwrap()
    }

    const VENUE: Venue = Venue::literal("binance");

    fn interface(mailbox: &Mailbox) -> LiveInterface {
        let dependencies = dependencies(&["binance"]);
        LiveInterface::new(
            VENUE,
            Capabilities::default(),
            mailbox.clone(),
            dependencies,
        )
    }

    fn order(number: u32) -> Instruction {
        Instruction::new(InstructionId::plain(number), spot_market(Side::Buy, "0.01"))
    }

    fn commands(mailbox: &Mailbox) -> usize {
        std::iter::from_fn(|| mailbox.next_command()).count()
    }

    #[test]
    fn an_instruction_is_handed_over_once() {
        let mailbox = Mailbox::new();
        let (mut interface, mut events) = (interface(&mailbox), Events::new());
        for _ in 0..3 {
            interface.execute_instructions(&view(), &[order(1)], &mut events);
        }
        assert_eq!((commands(&mailbox), events.len()), (1, 0));
        let open = OpenInstruction {
            venue: VENUE,
            submitted_at: basis_testkit::START,
            instruction: order(2),
        };
        interface.recover(&VenueRecord {
            open: vec![open],
            ..VenueRecord::default()
        });
        interface.execute_instructions(&view(), &[order(2)], &mut events);
        assert_eq!((commands(&mailbox), events.len()), (1, 0));
    }

    #[test]
    fn what_finds_no_room_is_refused_unsent_and_so_is_all_after_a_lost_recovery() {
        let mailbox = Mailbox::new();
        let (mut interface, mut events) = (interface(&mailbox), Events::new());
        while mailbox.command(Command::Snapshot).is_ok() {}
        interface.execute_instructions(&view(), &[order(1)], &mut events);
        assert!(matches!(events[0].kind, EventKind::Rejected { .. }));
        interface.recover(&VenueRecord::default());
        assert!(commands(&mailbox) > 0);
        interface.execute_instructions(&view(), &[order(2)], &mut events);
        assert_eq!((events.len(), commands(&mailbox)), (2, 0));
    }

    #[test]
    fn without_dependencies_nothing_is_taken_on() {
        let mailbox = Mailbox::new();
        let capabilities = Capabilities::default();
        let mut interface = LiveInterface::new(
            VENUE,
            capabilities,
            mailbox.clone(),
            Dependencies::default(),
        );
        let mut events = Events::new();
        interface.execute_instructions(&view(), &[order(1)], &mut events);
        assert_eq!((events.len(), commands(&mailbox)), (1, 0));
        interface.set_dependencies(dependencies(&["binance"]));
        interface.execute_instructions(&view(), &[order(2)], &mut events);
        assert_eq!((events.len(), commands(&mailbox)), (1, 1));
    }
}
