//! What the interfaces of one run share.

use std::sync::Arc;

use basis_core::clock::VirtualClock;
use basis_core::config::{Location, Node};
use basis_core::rules::RuleBook;
use basis_core::types::{Timestamp, Venue};
use basis_core::venue::{Dependencies, FillAt};
use basis_engine::{EventLog, SharedPositions};
use basis_sim::world::SimulatedWorld;
use basis_venues::driver::Surroundings;
use basis_venues::factory::{
    CreatedInterfaces, ExecutionInterfaceFactory, FactoryInputs, FactorySettings,
};
use basis_venues::registry::Registry;

use super::Setup;

/// The handles that the interfaces of one run share.
#[derive(Debug)]
pub struct World {
    /// The run's time.
    pub clock: VirtualClock,
    /// What happened.
    pub events: Arc<EventLog>,
    /// The books, as interfaces may read them.
    pub positions: Arc<SharedPositions>,
    /// The rules.
    pub rules: Arc<RuleBook>,
    /// Amounts in flight, the simulated chain, and when orders fill.
    pub simulated: SimulatedWorld,
}

impl World {
    /// An empty world at `at` in which taking orders fill at `fill_at`.
    #[must_use]
    pub fn new(at: Timestamp, rules: Arc<RuleBook>, fill_at: FillAt) -> Self {
        Self {
            clock: VirtualClock::new(at),
            events: EventLog::new(),
            positions: SharedPositions::new(),
            rules,
            simulated: SimulatedWorld {
                fill_at,
                ..SimulatedWorld::default()
            },
        }
    }

    /// An empty world at the start of `setup`.
    #[must_use]
    pub fn of(setup: &Setup) -> Self {
        let rules = Arc::clone(setup.rules());
        Self::new(setup.run().from, rules, setup.run().fill_at)
    }

    /// What an interface is handed.
    #[must_use]
    pub fn dependencies(&self) -> Dependencies {
        Dependencies {
            position_reader: Some(Arc::clone(&self.positions) as _),
            event_sink: Some(Arc::clone(&self.events) as _),
            data_provider: Some(Arc::clone(&self.rules) as _),
            clock: Some(Arc::new(self.clock.clone())),
            transport: None,
            outbox: None,
        }
    }

    /// A backtest factory in this world. It knows no credential.
    #[must_use]
    pub fn factory(
        &self,
        registry: &Registry,
        settings: FactorySettings,
        config_hash: &str,
    ) -> ExecutionInterfaceFactory {
        ExecutionInterfaceFactory::new(FactoryInputs {
            registry: registry.clone(),
            settings,
            surroundings: Surroundings::Simulated(self.simulated.clone()),
            clock: Arc::new(self.clock.clone()),
            events: Arc::clone(&self.events) as _,
            config_hash: config_hash.to_owned(),
        })
    }

    /// Creates every interface of `venue_settings`, and the wallet when it is not listed there.
    #[must_use]
    pub fn create_interfaces(&self, registry: &Registry, setup: &Setup) -> CreatedInterfaces {
        self.create_under(registry, setup, setup.config_hash())
    }

    /// The same under a hash that is known, or that nobody will see.
    pub(super) fn create_under(
        &self,
        registry: &Registry,
        setup: &Setup,
        config_hash: &str,
    ) -> CreatedInterfaces {
        let mut factory = self.factory(registry, *setup.factory(), config_hash);
        let mut settings = setup.venue_settings();
        if settings.get(Venue::WALLET.as_str()).is_none() {
            let place = Location::new("built-in defaults", 0);
            settings.set_path(Venue::WALLET.as_str(), Node::empty_map(place));
        }
        factory.create_all_interfaces(&settings, Some(self.dependencies()))
    }
}
