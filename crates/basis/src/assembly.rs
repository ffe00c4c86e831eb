//! From a resolved configuration and market data to a running engine.
//!
//! **Invariants.** No I/O, no environment, no globals: any number of threads may run on one
//! [`MarketData`], and the same setup on the same data gives the same result. What belongs to a run
//! (clock, books, event log, amounts in flight, interfaces) is made here, anew for each.

use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use basis_core::clock::VirtualClock;
use basis_core::config::{Location, Node, Problem};
use basis_core::error::{Code, ComponentError};
use basis_core::rules::RuleBook;
use basis_core::types::{SeriesId, Timestamp, Venue};
use basis_core::venue::{Dependencies, ExecutionMode, FillAt};
use basis_engine::{
    Engine, EngineParts, EventLog, Progress, RunConfig, RunResult, SharedPositions, StepSink,
};
use basis_market::ExecutionInterface;
use basis_market::MarketData;
use basis_sim::chain::SimulatedChain;
use basis_sim::world::SimulatedWorld;
use basis_venues::credentials::{BasisEnvironment, Variables};
use basis_venues::factory::{
    CreatedInterfaces, ExecutionInterfaceFactory, FactoryInputs, FactorySettings,
};
use basis_venues::registry::Registry;
use sha2::{Digest, Sha256};

use crate::config::rules::Rules;
use crate::config::yaml;

/// A resolved configuration: everything a run is decided by, but the data.
#[derive(Clone, Debug)]
pub struct Setup {
    run: RunConfig,
    rules: Arc<Rules>,
    factory: FactorySettings,
    tree: Node,
    sealed: OnceLock<Sealed>,
}

/// The resolved configuration as text, made when it is first asked for.
#[derive(Clone, Debug)]
struct Sealed {
    yaml: String,
    hash: String,
}

impl Setup {
    /// From the merged tree (without the section `rules`) and what was read from it. Setups may
    /// share their rules.
    #[must_use]
    pub fn new(
        tree: Node,
        run: RunConfig,
        rules: impl Into<Arc<Rules>>,
        factory: FactorySettings,
    ) -> Self {
        Self {
            run,
            rules: rules.into(),
            factory,
            tree,
            sealed: OnceLock::new(),
        }
    }

    /// The same over `(from, to]`.
    #[must_use]
    pub fn with_range(mut self, from: Timestamp, to: Timestamp) -> Self {
        self.run.from = from;
        self.run.to = to;
        for (key, at) in [("from", from), ("to", to)] {
            let place = Location::new("the data", 0);
            self.tree.set_path(key, Node::text(at.to_string(), place));
        }
        self.sealed = OnceLock::new();
        self
    }

    /// Emits the resolved configuration and hashes it.
    fn sealed(&self) -> &Sealed {
        self.sealed.get_or_init(|| {
            let mut tree = self.tree.clone();
            // A backtest is a backtest whatever the environment says.
            tree.set_path(
                "execution_mode",
                Node::text("backtest", Location::new("resolved", 0)),
            );
            let mut yaml = yaml::to_yaml(&tree);
            yaml.push_str(&self.rules.yaml_in_force(self.run.from, self.run.to));
            let hash = Sha256::digest(yaml.as_bytes()).iter().fold(
                String::with_capacity(64),
                |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap_or_default();
                    hex
                },
            );
            Sealed { yaml, hash }
        })
    }

    /// The typed configuration.
    #[must_use]
    pub const fn run(&self) -> &RunConfig {
        &self.run
    }

    /// The rules of every venue of the run.
    #[must_use]
    pub fn rules(&self) -> &Arc<RuleBook> {
        &self.rules.book
    }

    /// How interfaces are created.
    #[must_use]
    pub const fn factory(&self) -> &FactorySettings {
        &self.factory
    }

    /// The section `venue_settings`.
    #[must_use]
    pub fn venue_settings(&self) -> Node {
        let empty = || Node::empty_map(self.tree.location.clone());
        self.tree
            .get("venue_settings")
            .cloned()
            .unwrap_or_else(empty)
    }

    /// The resolved configuration with the rules in force, in the subset of YAML that
    /// [`yaml::to_yaml`] documents. Given as `--config`, it runs the same again.
    #[must_use]
    pub fn config_yaml(&self) -> &str {
        &self.sealed().yaml
    }

    /// SHA-256 of [`Setup::config_yaml`], hexadecimal.
    #[must_use]
    pub fn config_hash(&self) -> &str {
        &self.sealed().hash
    }

    /// Every series the run reads: prices, funding, the reference, and the proxies of these.
    ///
    /// # Errors
    /// STRAT-001 for a configuration that can never work.
    pub fn required_series(&self) -> Result<Vec<SeriesId>, ComponentError> {
        basis_engine::required_series(&self.dated(), &self.rules.book)
    }

    /// The run with a start to read dated rules at.
    fn dated(&self) -> RunConfig {
        let mut run = self.run.clone();
        if run.from == Timestamp::MIN {
            // Without a start the newest rules say what a venue lists.
            let venues = self
                .rules
                .trees
                .iter()
                .filter_map(|(venue, _)| self.rules.book.venue(*venue));
            let newest = venues
                .flat_map(|rules| rules.snapshots())
                .map(|s| s.effective_from)
                .max();
            run.from = newest.unwrap_or(run.from);
        }
        run
    }

    /// Every series the run reads when it is there: those it needs, and those it can do without.
    ///
    /// # Errors
    /// As [`Setup::required_series`].
    pub fn wanted_series(&self) -> Result<Vec<SeriesId>, ComponentError> {
        basis_engine::wanted_series(&self.dated(), &self.rules.book)
    }

    /// The venues without which the mode cannot run.
    #[must_use]
    pub fn needed_venues(&self) -> Vec<Venue> {
        basis_engine::needed_venues(&self.run).unwrap_or_default()
    }
}

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
        Self::new(setup.run.from, rules, setup.run.fill_at)
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
            mode: ExecutionMode::Backtest,
            world: Some(self.simulated.clone()),
            environment: BasisEnvironment::default(),
            variables: Variables::default(),
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
    fn create_under(
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

/// A run that is ready to start.
pub struct Prepared {
    engine: Engine,
    chain: SimulatedChain,
    warnings: Vec<Problem>,
    unavailable: Vec<(Venue, ComponentError)>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("warnings", &self.warnings)
            .field("unavailable", &self.unavailable)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// Settings that were not understood and for which the default stands (lenient validation).
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Venues that could not be created and that the mode does not need.
    #[must_use]
    pub fn unavailable(&self) -> &[(Venue, ComponentError)] {
        &self.unavailable
    }

    /// Runs to the end, telling `progress` about a hundred times how far it is.
    ///
    /// # Errors
    /// Whatever stops the engine; CRITICAL ones want a restart.
    pub fn run(self, progress: &mut dyn FnMut(Progress)) -> Result<RunResult, ComponentError> {
        let result = self.engine.run(progress)?;
        Ok(with_assumptions(result, &self.chain))
    }

    /// The same with the steps handed to `sink` as they are closed; the result holds none of them.
    ///
    /// # Errors
    /// As [`Prepared::run`], and whatever the sink refuses.
    pub fn run_into(
        self,
        sink: &mut dyn StepSink,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RunResult, ComponentError> {
        let result = self.engine.run_into(sink, progress)?;
        Ok(with_assumptions(result, &self.chain))
    }
}

/// Adds how the protocols of the chain were simulated to what the result rests on.
fn with_assumptions(mut result: RunResult, chain: &SimulatedChain) -> RunResult {
    result.assumptions.extend(chain.assumptions());
    result
}

/// Makes the interfaces and the engine of one run.
///
/// # Errors
/// When a venue the mode needs cannot be created (naming all of them at once), and whatever
/// [`Engine::new`] refuses.
pub fn prepare(
    data: &Arc<MarketData>,
    setup: &Setup,
    registry: &Registry,
) -> Result<Prepared, ComponentError> {
    let world = World::of(setup);
    let CreatedInterfaces {
        interfaces,
        failures,
        warnings,
    } = world.create_interfaces(registry, setup);
    let unavailable = require_needed(setup, &interfaces, failures)?;
    let engine = Engine::new(EngineParts {
        config: setup.run.clone(),
        data: Arc::clone(data),
        rules: world.rules,
        interfaces,
        clock: world.clock,
        journal: None,
        events: world.events,
        positions: world.positions,
        transit: world.simulated.transit,
    })?;
    Ok(Prepared {
        engine,
        chain: world.simulated.chain,
        warnings,
        unavailable,
    })
}

/// Whether every venue the mode needs can be created; needs no data.
///
/// # Errors
/// As [`require_needed`].
pub fn check_venues(setup: &Setup, registry: &Registry) -> Result<(), ComponentError> {
    let world = World::new(
        Timestamp::EPOCH,
        Arc::clone(&setup.rules.book),
        setup.run.fill_at,
    );
    // What is created here is dropped here, and its events with it.
    let created = world.create_under(registry, setup, "");
    require_needed(setup, &created.interfaces, created.failures).map(|_| ())
}

/// Runs one backtest from start to end.
///
/// # Errors
/// As [`prepare`] and [`Prepared::run`].
pub fn run_backtest(
    data: &Arc<MarketData>,
    setup: &Setup,
    registry: &Registry,
    progress: &mut dyn FnMut(Progress),
) -> Result<RunResult, ComponentError> {
    prepare(data, setup, registry)?.run(progress)
}

/// Refuses when a needed venue is missing; the failures nobody needs come back.
///
/// # Errors
/// One error that names every needed venue that failed, under the code of the gravest.
pub fn require_needed(
    setup: &Setup,
    interfaces: &[Box<dyn ExecutionInterface>],
    failures: Vec<(Venue, ComponentError)>,
) -> Result<Vec<(Venue, ComponentError)>, ComponentError> {
    let needed = setup.needed_venues();
    let (fatal, unneeded): (Vec<_>, Vec<_>) = failures
        .into_iter()
        .partition(|(venue, _)| needed.contains(venue));
    let unlisted = needed.iter().filter(|venue| {
        let created = interfaces.iter().any(|own| own.venue() == **venue);
        !created && !fatal.iter().any(|(failed, _)| failed == *venue)
    });
    let unlisted: Vec<_> = unlisted
        .map(|venue| {
            let message =
                format!("{venue}: the mode needs it, but venue_settings does not list it");
            ComponentError::new(Code::NoRoute, message)
        })
        .collect();
    let mut missing: Vec<ComponentError> = fatal.into_iter().map(|(_, e)| e).collect();
    missing.extend(unlisted);
    match together(missing) {
        Some(e) => Err(e),
        None => Ok(unneeded),
    }
}

/// Several failures as one, under the code of the gravest.
#[must_use]
pub fn together(mut failures: Vec<ComponentError>) -> Option<ComponentError> {
    if failures.len() < 2 {
        return failures.pop();
    }
    failures.sort_by_key(|e| std::cmp::Reverse(e.severity()));
    let lines: String = failures
        .iter()
        .map(|e| format!("\n  {} {}", e.code, e.message))
        .collect();
    let count = failures.len();
    let first = failures.into_iter().next()?;
    let mut all = ComponentError::new(first.code, format!("{count} failures:{lines}"));
    all.reason = first.reason;
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::environment::Environment;
    use crate::config::layers::{self, Request};

    fn setup(sets: &[&str]) -> Setup {
        let registry = Registry::builtin();
        let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
        let request = Request {
            mode: "btc_basis",
            sets: &sets,
            ..Request::default()
        };
        let environment = Environment::from_pairs(std::collections::BTreeMap::new(), &registry);
        layers::resolve(&request, &environment, &registry)
            .unwrap()
            .setup
    }

    #[test]
    fn a_world_fills_orders_when_its_run_says() {
        for fill_at in [FillAt::Close, FillAt::NextOpen] {
            let setup = setup(&[&format!("fill_at={}", fill_at.as_str())]);
            assert_eq!(World::of(&setup).simulated.fill_at, fill_at);
        }
    }

    #[test]
    fn a_venue_named_in_the_failure_of_another_is_still_missing() {
        let setup = setup(&[]);
        let needed = setup.needed_venues();
        let (first, last) = (needed[1], *needed.last().unwrap());
        assert!(needed.len() > 2, "{needed:?}");
        let failure = ComponentError::new(Code::VenueInvalid, format!("{first}: unlike {last}"));
        let e = require_needed(&setup, &[], vec![(first, failure)]).unwrap_err();
        let missing = format!("{last}: the mode needs it");
        assert!(e.message.contains(&missing), "{e}");
        assert!(!e.message.contains(&format!("{first}: the mode")), "{e}");
        let elsewhere = Venue::literal("elsewhere");
        let unneeded = ComponentError::new(Code::VenueInvalid, "elsewhere: off");
        let e = require_needed(&setup, &[], vec![(elsewhere, unneeded)]).unwrap_err();
        assert!(!e.message.contains("elsewhere"), "{e}");
    }

    #[test]
    fn several_failures_stand_under_the_gravest_code() {
        let high = ComponentError::new(Code::VenueInvalid, "okx: settings");
        let critical =
            ComponentError::new(Code::CredentialsInvalid, "bybit: not set").with_reason("missing");
        let all = together(vec![high.clone(), critical]).unwrap();
        assert_eq!(
            (all.code, all.reason),
            (Code::CredentialsInvalid, Some("missing"))
        );
        assert_eq!(
            all.message,
            "2 failures:\n  EIF-003 bybit: not set\n  EIF-002 okx: settings"
        );
        assert_eq!(together(vec![high]).unwrap().message, "okx: settings");
        assert!(together(Vec::new()).is_none());
    }
}
