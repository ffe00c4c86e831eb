//! The execution interface of every on-chain venue: a thin handle on the shared chain.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use basis_core::error::{Code, ComponentError, VenueError, VenueErrorKind};
use basis_core::execution::{Execution, LendingHealth, Position, VenueEvent};
use basis_core::executor::BoxFuture;
use basis_core::health::Health;
use basis_core::instruction::{Instruction, OperationKind};
use basis_core::market::MarketView;
use basis_core::types::{Span, Timestamp, Venue};
use basis_core::venue::{
    Capabilities, DataProvider, Dependencies, ExecutionInterface, ExecutionMode, Terms,
    VenueSettings,
};

use super::{Protocol, Refusal, SimulatedChain};
use crate::cex;

/// Puts the protocol of a venue together from its settings.
pub(crate) type BuildProtocol =
    fn(&VenueSettings) -> Result<Option<Box<dyn Protocol>>, ComponentError>;

/// What sets one on-chain venue apart from another.
pub(crate) struct OnChainDriver {
    /// The venue.
    pub(crate) venue: Venue,
    /// What it executes.
    pub(crate) operations: &'static [OperationKind],
    /// Puts its protocol together from the settings; `None` for a venue without state of its own.
    pub(crate) protocol: BuildProtocol,
}

impl fmt::Debug for OnChainDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnChainDriver")
            .field("venue", &self.venue)
            .finish_non_exhaustive()
    }
}

/// One on-chain venue of a simulated world.
#[derive(Debug)]
pub(crate) struct OnChainInterface {
    driver: &'static OnChainDriver,
    /// Waits for the chain.
    protocol: Option<Box<dyn Protocol>>,
    world: Option<World>,
    health: Health,
}

#[derive(Clone, Debug)]
struct World {
    chain: SimulatedChain,
    /// Of the venue's protocol among those of the chain; none for a venue without.
    place: Option<usize>,
    data: Arc<dyn DataProvider>,
}

impl OnChainInterface {
    /// Creates the interface; what the drivers' rows call.
    pub(crate) fn build<'a>(
        driver: &'static OnChainDriver,
        settings: &'a VenueSettings,
        mode: ExecutionMode,
        dependencies: Dependencies,
    ) -> BoxFuture<'a, Result<Box<dyn ExecutionInterface>, ComponentError>> {
        Box::pin(async move {
            cex::backtest_only(driver.venue, mode)?;
            let protocol = (driver.protocol)(settings)?;
            if dependencies.data_provider.is_some() && SimulatedChain::of(&dependencies).is_none() {
                return Err(ComponentError::new(
                    Code::CreationFailed,
                    format!(
                        "{} works on a chain, and its dependencies hold none; hand it the chain of \
                         the simulated world",
                        driver.venue
                    ),
                )
                .with_reason("chain_missing"));
            }
            let mut interface = Self {
                driver,
                protocol,
                world: None,
                health: Health::default(),
            };
            interface.set_dependencies(dependencies);
            Ok(Box::new(interface) as Box<dyn ExecutionInterface>)
        })
    }

    fn dispatch(&self, view: &MarketView, instruction: &Instruction) -> Result<Execution, Refusal> {
        let Some(world) = &self.world else {
            return Err(Refusal::new(VenueErrorKind::NotReady));
        };
        let kind = instruction.operation.kind();
        if !self.driver.operations.contains(&kind) {
            return Err(unsupported(self.driver, kind));
        }
        world
            .chain
            .state()
            .execute(self.driver.venue, view, &*world.data, instruction)
    }

    fn error(&self, operation: &'static str, refusal: Refusal) -> VenueError {
        VenueError::new(self.driver.venue, operation, *refusal.0)
    }
}

fn unsupported(driver: &OnChainDriver, kind: OperationKind) -> Refusal {
    let can: Vec<_> = driver.operations.iter().map(|kind| kind.as_str()).collect();
    Refusal::new(VenueErrorKind::Unsupported(format!(
        "{} executes no {kind}; it can: {}",
        driver.venue,
        can.join(", ")
    )))
}

#[async_trait]
impl ExecutionInterface for OnChainInterface {
    fn venue(&self) -> Venue {
        self.driver.venue
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            operations: self.driver.operations.to_vec(),
            hedge_mode: false,
        }
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.world = None;
        if !dependencies.missing().is_empty() {
            return;
        }
        let (Some(chain), Some(data)) = (
            SimulatedChain::of(&dependencies),
            dependencies.data_provider,
        ) else {
            return;
        };
        let protocol = self.protocol.as_ref();
        let place = protocol.map(|protocol| chain.state().install(protocol.snapshot()));
        self.world = Some(World { chain, place, data });
    }

    async fn execute_instruction(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, VenueError> {
        match self.dispatch(view, instruction) {
            Ok(execution) => {
                self.health.succeeded(view.now(), Span::ZERO);
                Ok(execution)
            }
            Err(refusal) => {
                let e = self.error(instruction.operation.kind().as_str(), refusal);
                let failure = ComponentError::from(e.clone());
                self.health.failed(view.now(), &failure);
                Err(e)
            }
        }
    }

    async fn advance(&mut self, view: &MarketView) -> Result<Vec<VenueEvent>, VenueError> {
        let Some(world) = &self.world else {
            return Ok(Vec::new());
        };
        let events = world
            .chain
            .state()
            .advance(self.driver.venue, view, &*world.data);
        events.map_err(|refusal| self.error("advance", refusal))
    }

    fn next_event_at(&self) -> Option<Timestamp> {
        let world = self.world.as_ref()?;
        let venue = self.driver.venue;
        world.chain.state().next_event_at(venue, world.place?)
    }

    async fn positions(&mut self, _view: &MarketView) -> Result<Vec<Position>, VenueError> {
        let Some(world) = &self.world else {
            return Ok(Vec::new());
        };
        let positions = world.chain.state().positions(self.driver.venue);
        positions.map_err(|refusal| self.error("positions", refusal))
    }

    async fn lending(&mut self, _view: &MarketView) -> Result<Vec<LendingHealth>, VenueError> {
        let Some(world) = &self.world else {
            return Ok(Vec::new());
        };
        let lending = world.chain.state().lending(self.driver.venue);
        lending.map_err(|refusal| self.error("lending", refusal))
    }

    fn terms(&self, view: &MarketView) -> Result<Terms, VenueError> {
        let Some(world) = &self.world else {
            return Ok(Terms::default());
        };
        let state = world.chain.state();
        let terms = state.terms(self.driver.venue, view, &*world.data);
        terms.map_err(|refusal| self.error("terms", refusal))
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
