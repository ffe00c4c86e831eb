//! An interface around another that changes what it reports.

use basis::core::error::VenueError;
use basis::core::health::Health;
use basis::core::instruction::Instruction;
use basis::core::journal::VenueRecord;
use basis::core::types::{Timestamp, Venue};
use basis::core::venue::{Capabilities, Dependencies, Terms};
use basis::core::venue_event::{AccountSnapshot, Events};
use basis::market::MarketView;
use basis::market::{ExecutionInterface, Horizon};

/// Changes what one call reported, and the snapshot that is shown after it.
pub(crate) type Meddle = Box<dyn FnMut(&MarketView, &mut Events, &mut AccountSnapshot) + Send>;

/// Passes everything on, and lets a test change the answers.
pub(crate) struct Meddler {
    inner: Box<dyn ExecutionInterface>,
    meddle: Meddle,
    /// Instants at which it wants to be polled, the next one first.
    polls: Vec<Timestamp>,
    snapshot: AccountSnapshot,
}

impl Meddler {
    pub(crate) fn new(
        inner: Box<dyn ExecutionInterface>,
        polls: Vec<Timestamp>,
        meddle: Meddle,
    ) -> Self {
        Self {
            inner,
            meddle,
            polls,
            snapshot: AccountSnapshot::default(),
        }
    }

    fn change(&mut self, view: &MarketView, own: &mut Events, events: &mut Events) {
        self.snapshot = self.inner.account().clone();
        (self.meddle)(view, own, &mut self.snapshot);
        events.append(own);
    }
}

impl ExecutionInterface for Meddler {
    fn venue(&self) -> Venue {
        self.inner.venue()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.inner.set_dependencies(dependencies);
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        let mut own = Events::new();
        self.inner
            .execute_instructions(view, instructions, &mut own);
        self.change(view, &mut own, events);
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        self.polls.retain(|at| *at > view.now());
        let mut own = Events::new();
        self.inner.poll_events(view, &mut own);
        self.change(view, &mut own, events);
    }

    fn horizon(&self, view: &MarketView) -> Horizon {
        let inner = self.inner.horizon(view);
        let own = self.polls.first().copied();
        Horizon {
            at: inner.at.into_iter().chain(own).min(),
            ..inner
        }
    }

    fn account(&self) -> &AccountSnapshot {
        &self.snapshot
    }

    fn request_snapshot(&mut self) {
        self.inner.request_snapshot();
    }

    fn terms(&self, view: &MarketView) -> Result<Terms, VenueError> {
        self.inner.terms(view)
    }

    fn recover(&mut self, record: &VenueRecord) {
        self.inner.recover(record);
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}
