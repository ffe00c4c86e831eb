//! The execution interface of every on-chain venue: a thin handle on the shared chain.

use std::sync::Arc;

use basis_core::error::{Code, ComponentError, VenueError, VenueErrorKind};
use basis_core::health::Health;
use basis_core::instruction::{Instruction, OperationKind};
use basis_core::types::{Span, Timestamp, Venue};
use basis_core::venue::{Capabilities, DataProvider, Dependencies, Terms};
use basis_core::venue_event::{AccountSnapshot, EventKind, Events, VenueEvent};
use basis_market::MarketView;
use basis_market::{ExecutionInterface, Horizon};

use super::{Protocol, Refusal, SimulatedChain};
use crate::cex;
use crate::driver::{BuildContext, SimulatedWorld};

/// What sets one on-chain venue apart from another, its protocol aside.
#[derive(Debug)]
pub(crate) struct OnChainDriver {
    /// The venue.
    pub(crate) venue: Venue,
    /// What it executes.
    pub(crate) operations: &'static [OperationKind],
}

/// One on-chain venue of a simulated world.
#[derive(Debug)]
struct OnChainInterface {
    driver: &'static OnChainDriver,
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

/// What an interface on the chain has reported by being polled.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    /// The last instant that it has moved to, or had no need to.
    moved_to: Option<Timestamp>,
    wants_snapshot: bool,
    pub(crate) account: AccountSnapshot,
}

impl Polls {
    /// Whether the venue moves to `now`, which it does once an instant and where something `is_due`. What
    /// was not due when the instant's instructions came is not due afterwards.
    pub(crate) fn moves(&mut self, now: Timestamp, is_due: bool) -> bool {
        let moves = is_due && self.moved_to != Some(now);
        self.moved_to = Some(now);
        moves
    }

    /// Notes that instructions come at `now`, where nothing `is_due`.
    pub(crate) fn act(&mut self, now: Timestamp, is_due: bool) {
        if !is_due {
            self.moved_to = Some(now);
        }
    }

    pub(crate) const fn request(&mut self) {
        self.wants_snapshot = true;
    }

    /// When an interface that by itself reports at `next` has something to report.
    pub(crate) const fn horizon(&self, next: Option<Timestamp>) -> Horizon {
        if self.wants_snapshot {
            Horizon::NOW
        } else {
            Horizon::at(next)
        }
    }

    /// Answers a request for a snapshot, where there is one: `read` fills it.
    pub(crate) fn answer(
        &mut self,
        venue: Venue,
        now: Timestamp,
        events: &mut Events,
        read: impl FnOnce(&mut AccountSnapshot) -> Result<(), VenueError>,
    ) {
        if !std::mem::take(&mut self.wants_snapshot) {
            return;
        }
        if let Err(e) = read(&mut self.account) {
            events.push(unreadable(now, e));
            return;
        }
        (self.account.asked, self.account.answered) = (now, now);
        let kind = EventKind::Snapshot {
            asked: now,
            answered: now,
        };
        events.push(VenueEvent::new(venue, now, now, kind));
    }
}

/// Creates the interface of a simulated world; what the drivers' rows call. A venue without state of its
/// own has no `protocol`.
///
/// # Errors
/// [`ComponentError`] in live, and without a simulated world.
pub(crate) fn create(
    driver: &'static OnChainDriver,
    protocol: Option<Box<dyn Protocol>>,
    context: BuildContext,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    cex::backtest_only(driver.venue, context.mode)?;
    let mut interface = OnChainInterface {
        driver,
        capabilities: Capabilities {
            operations: driver.operations.to_vec(),
            ..Capabilities::default()
        },
        chain: simulated(driver.venue, context.world)?.chain,
        protocol,
        ready: None,
        polls: Polls::default(),
        health: Health::default(),
    };
    interface.set_dependencies(context.dependencies);
    Ok(Box::new(interface))
}

impl OnChainInterface {
    fn dispatch(
        &self,
        view: &MarketView,
        instruction: &Instruction,
        events: &mut Events,
    ) -> Result<(), Refusal> {
        let Some(ready) = &self.ready else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        let kind = instruction.operation.kind();
        if !self.driver.operations.contains(&kind) {
            return Err(unsupported(self.driver, kind));
        }
        let mut state = self.chain.state();
        state.execute(self.driver.venue, view, &*ready.data, instruction, events)
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let place = self.ready.as_ref()?.place?;
        self.chain.state().next_event_at(self.driver.venue, place)
    }

    fn is_due(&self, view: &MarketView) -> bool {
        Horizon::at(self.next_event_at()).is_due(view)
    }
}

/// The error of a refusal at `venue`.
pub(crate) fn error(venue: Venue, operation: &'static str, refusal: Refusal) -> VenueError {
    VenueError::new(venue, operation, *refusal.0)
}

/// The simulated world that an interface is built into.
pub(crate) fn simulated(
    venue: Venue,
    world: Option<SimulatedWorld>,
) -> Result<SimulatedWorld, ComponentError> {
    world.ok_or_else(|| {
        ComponentError::new(
            Code::CreationFailed,
            format!(
                "{venue} works on a chain, and its dependencies hold none; hand it the chain of the \
                 simulated world"
            ),
        )
        .with_reason("chain_missing")
    })
}

/// The event that an instruction was refused, noted in `health`.
pub(crate) fn rejected(
    view: &MarketView,
    instruction: &Instruction,
    error: VenueError,
    health: &mut Health,
) -> VenueEvent {
    let (venue, now) = (error.venue, view.now());
    health.failed(now, &ComponentError::from(error.clone()));
    let kind = EventKind::Rejected {
        instruction: instruction.id,
        error: Box::new(error),
    };
    VenueEvent::new(venue, now, now, kind)
}

/// The event that a venue could not be read.
pub(crate) fn unreadable(now: Timestamp, error: VenueError) -> VenueEvent {
    let venue = error.venue;
    let kind = EventKind::Connectivity {
        connected: false,
        error: Some(Box::new(error)),
    };
    VenueEvent::new(venue, now, now, kind)
}

fn unsupported(driver: &OnChainDriver, kind: OperationKind) -> Refusal {
    let can: Vec<_> = driver.operations.iter().map(|kind| kind.as_str()).collect();
    Refusal::new(VenueErrorKind::Unsupported(format!(
        "{} executes no {kind}; it can: {}",
        driver.venue,
        can.join(", ")
    )))
}

impl ExecutionInterface for OnChainInterface {
    fn venue(&self) -> Venue {
        self.driver.venue
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
        for instruction in instructions {
            if self.ready.is_some() && !self.chain.take_on(instruction.id) {
                continue;
            }
            match self.dispatch(view, instruction, events) {
                Ok(()) => self.health.succeeded(view.now(), Span::ZERO),
                Err(refusal) => {
                    let operation = instruction.operation.kind().as_str();
                    let e = error(self.driver.venue, operation, refusal);
                    events.push(rejected(view, instruction, e, &mut self.health));
                }
            }
        }
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        let (venue, now) = (self.driver.venue, view.now());
        let is_due = self.is_due(view);
        let mut state = self.chain.state();
        if let Some(ready) = &self.ready
            && self.polls.moves(now, is_due)
            && let Err(refusal) = state.advance(venue, view, &*ready.data, events)
        {
            events.push(unreadable(now, error(venue, "advance", refusal)));
        }
        self.polls.answer(venue, now, events, |account| {
            let positions = state.positions(venue, &mut account.positions);
            positions.map_err(|refusal| error(venue, "positions", refusal))?;
            let lending = state.lending(venue, &mut account.lending);
            lending.map_err(|refusal| error(venue, "lending", refusal))
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
        let terms = state.terms(self.driver.venue, view, &*ready.data);
        terms.map_err(|refusal| error(self.driver.venue, "terms", refusal))
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
