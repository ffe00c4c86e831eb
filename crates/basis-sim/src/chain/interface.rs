//! The execution interface of every on-chain venue: a thin handle on the shared chain.

use std::sync::Arc;

use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::health::Health;
use basis_core::instruction::{Instruction, OperationKind, Swap};
use basis_core::num::Quantity;
use basis_core::types::{InstructionId, Timestamp, Venue};
use basis_core::venue::{Capabilities, DataProvider, Dependencies, Terms};
use basis_core::venue_event::{AccountSnapshot, Events};
use basis_market::MarketView;
use basis_market::{ExecutionInterface, Horizon};

use super::{Protocol, SimulatedChain};
use crate::interface::{Executor, Polls, unreadable};
use crate::refusal::Refusal;

/// One on-chain venue of a simulated world.
#[derive(Debug)]
struct OnChainInterface {
    venue: Venue,
    capabilities: Capabilities,
    chain: SimulatedChain,
    /// Installed on the chain with the dependencies.
    protocol: Option<Box<dyn Protocol>>,
    ready: Option<Ready>,
    polls: Polls,
    health: Health,
}

/// What it has once its dependencies are there.
#[derive(Clone, Debug)]
struct Ready {
    /// Of the venue's protocol among those of the chain; none for a venue without.
    place: Option<usize>,
    data: Arc<dyn DataProvider>,
}

/// Creates the interface of `venue`, which executes `operations`, on `chain`. A venue without state of its
/// own has no `protocol`. Until it has its dependencies it refuses every instruction.
#[must_use]
pub fn create(
    venue: Venue,
    operations: &'static [OperationKind],
    protocol: Option<Box<dyn Protocol>>,
    chain: SimulatedChain,
    dependencies: Dependencies,
) -> Box<dyn ExecutionInterface> {
    let mut interface = OnChainInterface {
        venue,
        capabilities: Capabilities {
            operations: operations.to_vec(),
            ..Capabilities::default()
        },
        chain,
        protocol,
        ready: None,
        polls: Polls::default(),
        health: Health::default(),
    };
    interface.set_dependencies(dependencies);
    Box::new(interface)
}

impl OnChainInterface {
    fn next_event_at(&self) -> Option<Timestamp> {
        let place = self.ready.as_ref()?.place?;
        self.chain.state().next_event_at(self.venue, place)
    }

    fn is_due(&self, view: &MarketView) -> bool {
        Horizon::at(self.next_event_at()).is_due(view)
    }
}

impl Executor for OnChainInterface {
    fn executing(&self) -> Venue {
        self.venue
    }

    fn take_on(&mut self, instruction: InstructionId) -> bool {
        self.ready.is_none() || self.chain.take_on(instruction)
    }

    fn dispatch(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let Some(ready) = &self.ready else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        let (kind, can) = (instruction.operation.kind(), &self.capabilities.operations);
        if !can.contains(&kind) {
            return Err(Refusal::unsupported(self.venue, kind, can));
        }
        let mut state = self.chain.state();
        state.execute(self.venue, view, &*ready.data, instruction, events)
    }

    fn health_mut(&mut self) -> &mut Health {
        &mut self.health
    }
}

impl ExecutionInterface for OnChainInterface {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.ready = None;
        if !dependencies.missing().is_empty() {
            return;
        }
        let Some(data) = dependencies.data_provider else {
            return;
        };
        let protocol = self.protocol.as_ref();
        let place = protocol.map(|protocol| self.chain.state().install(protocol.snapshot()));
        self.ready = Some(Ready { place, data });
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        self.polls.act(view.now(), self.is_due(view));
        self.execute_each(view, instructions, events);
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        let (venue, now) = (self.venue, view.now());
        let is_due = self.is_due(view);
        let mut state = self.chain.state();
        if let Some(ready) = &self.ready
            && self.polls.moves(now, is_due)
            && let Err(refusal) = state.advance(venue, view, &*ready.data, events)
        {
            events.push(unreadable(now, refusal.at(venue, "advance")));
        }
        self.polls.answer(venue, now, events, |account| {
            let positions = state.positions(venue, &mut account.positions);
            positions.map_err(|refusal| refusal.at(venue, "positions"))?;
            let lending = state.lending(venue, &mut account.lending);
            lending.map_err(|refusal| refusal.at(venue, "lending"))
        });
    }

    fn horizon(&self, _view: &MarketView) -> Horizon {
        self.polls.horizon(self.next_event_at())
    }

    fn account(&self) -> &AccountSnapshot {
        &self.polls.account
    }

    fn request_snapshot(&mut self) {
        self.polls.request();
    }

    fn terms(&self, view: &MarketView) -> Result<Terms, VenueError> {
        let Some(ready) = &self.ready else {
            return Ok(Terms::default());
        };
        let state = self.chain.state();
        let terms = state.terms(self.venue, view, &*ready.data);
        terms.map_err(|refusal| refusal.at(self.venue, "terms"))
    }

    fn quote(&self, view: &MarketView, swap: &Swap) -> Option<Quantity> {
        let ready = self.ready.as_ref()?;
        let state = self.chain.state();
        state.quote(self.venue, view, &*ready.data, swap).ok()
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
