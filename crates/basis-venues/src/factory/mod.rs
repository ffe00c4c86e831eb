//! `ExecutionInterfaceFactory`: creates execution interfaces from the driver table.
//!
//! It only creates: it makes no decision that depends on a strategy mode, changes no
//! configuration, and reads neither the environment nor market data.
//!
//! **Invariants.** Checks run in a fixed order: venue, mode, dependencies, settings, credentials
//! (live only), and only then is anything built. Time comes from the injected clock. No credential
//! reaches an error or an event. Creation blocks: it waits on the clock between attempts.

mod network;
mod outcome;
mod retry;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use basis_core::clock::Clock;
use basis_core::config::{Location, Node, Problem, Problems};
use basis_core::error::{Code, ComponentError};
use basis_core::event::{Component, Event, EventData, EventSink};
use basis_core::health::Health;
use basis_core::secret::Credentials;
use basis_core::types::{Timestamp, Venue};
use basis_core::venue::{Dependencies, ExecutionMode, VenueType};
use basis_market::ExecutionInterface;
use basis_sim::world::SimulatedWorld;

use crate::credentials::load_credentials;
use crate::driver::{Build, BuildContext, Handles, LiveContext, Surroundings, VenueDriver};
use crate::registry::{Registry, VenueInfo};

pub use network::check_section;
pub use outcome::{CreatedInterface, CreatedInterfaces};
pub use settings::{FactorySettings, MAX_RETRIES_VARIABLE, TIMEOUT_VARIABLE};

/// What a factory is made of.
#[derive(Clone, Debug)]
pub struct FactoryInputs {
    /// The driver table.
    pub registry: Registry,
    /// Time limit, retries, strictness.
    pub settings: FactorySettings,
    /// What interfaces are created into.
    pub surroundings: Surroundings,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// Hash of the resolved configuration, hexadecimal; for the log.
    pub config_hash: String,
}

/// Creates execution interfaces with their dependencies.
#[derive(Debug)]
pub struct ExecutionInterfaceFactory {
    inputs: FactoryInputs,
    interface_map: BTreeMap<Venue, &'static str>,
    created_interfaces: BTreeMap<Venue, CreatedInterface>,
    venue_validation: BTreeMap<String, bool>,
    health: Health,
}

/// One interface somebody asked for.
struct Request<'a> {
    venue: &'a str,
    /// Where the venue's key was written, if anywhere.
    place: Option<&'a Location>,
    section: Option<&'a Node>,
    dependencies: Option<Dependencies>,
}

/// A venue that passed every check.
struct Checked {
    driver: VenueDriver,
    build: Build,
    ground: Ground,
}

/// What the interface of one venue is built into.
enum Ground {
    Simulated(SimulatedWorld),
    Live(LiveContext),
}

impl Ground {
    fn context(&self, handles: Handles) -> BuildContext {
        match self {
            Self::Simulated(world) => BuildContext::Simulated(world.clone(), handles),
            Self::Live(live) => BuildContext::Live(live.clone(), handles),
        }
    }

    fn credentials(&self) -> Option<&Credentials> {
        match self {
            Self::Simulated(_) => None,
            Self::Live(live) => Some(&live.credentials),
        }
    }
}

impl ExecutionInterfaceFactory {
    /// A factory that has created nothing yet; records `component_initialization`.
    #[must_use]
    pub fn new(inputs: FactoryInputs) -> Self {
        let interface_map = inputs
            .registry
            .all()
            .map(|driver| (driver.facts.venue, driver.facts.class_name))
            .collect();
        let factory = Self {
            inputs,
            interface_map,
            created_interfaces: BTreeMap::new(),
            venue_validation: BTreeMap::new(),
            health: Health::default(),
        };
        factory.record(EventData::ComponentInitialization {
            available_venues: factory.available_venues(),
            config_hash: factory.inputs.config_hash.clone(),
        });
        factory
    }

    /// Creates the interface of `venue`.
    ///
    /// `settings` is the section `venue_settings.<venue>`; without one the driver's defaults hold.
    /// Without `dependencies` the interface refuses instructions as not ready until
    /// [`ExecutionInterfaceFactory::set_interface_dependencies`] has been called. Where validation
    /// is lenient, problems of the settings are recorded as events.
    ///
    /// # Errors
    /// - EIF-002 for a venue without a driver (reason `unknown_venue`), for settings with problems
    ///   (`settings`) and for networks that contradict `BASIS_ENVIRONMENT` (`environment`).
    /// - EIF-003 for credentials that are not usable, in live.
    /// - EIF-001 for a mode the driver does not support (`mode`), missing dependencies
    ///   (`dependencies`), attempts that were not done in time (`timeout`) and anything a driver
    ///   fails with, which is then the source. A driver's own EIF-002, EIF-003 and CRITICAL errors
    ///   keep their code.
    pub fn create_interface(
        &mut self,
        venue: &str,
        settings: Option<&Node>,
        dependencies: Option<Dependencies>,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let request = Request {
            venue,
            place: settings.map(|section| &section.location),
            section: settings,
            dependencies,
        };
        self.create(request, &mut Vec::new())
    }

    /// Creates one interface per key of `venue_settings`, in the order of its keys. A venue that
    /// fails does not stop the others.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "handed over as in create_interface"
    )]
    pub fn create_all_interfaces(
        &mut self,
        venue_settings: &Node,
        dependencies: Option<Dependencies>,
    ) -> CreatedInterfaces {
        let mut created = CreatedInterfaces {
            warnings: outcome::shape_problems(venue_settings),
            ..CreatedInterfaces::default()
        };
        for entry in venue_settings.entries() {
            let request = Request {
                venue: &entry.key,
                place: Some(&entry.location),
                section: Some(&entry.node),
                dependencies: dependencies.clone(),
            };
            match self.create(request, &mut created.warnings) {
                Ok(interface) => created.interfaces.push(interface),
                Err(e) => created.failures.push((outcome::label(&entry.key), e)),
            }
        }
        created
    }

    /// Hands `dependencies` to interfaces that were created without them.
    ///
    /// # Errors
    /// EIF-001 with reason `dependencies` that names the missing ones; then no interface has got
    /// any.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "handed over as in create_interface"
    )]
    pub fn set_interface_dependencies(
        &mut self,
        interfaces: &mut [Box<dyn ExecutionInterface>],
        dependencies: Dependencies,
    ) -> Result<(), ComponentError> {
        let missing = dependencies.missing();
        if !missing.is_empty() {
            let e = outcome::missing_dependencies("execution interfaces", &missing);
            self.failed(&e);
            return Err(e);
        }
        for interface in interfaces {
            interface.set_dependencies(dependencies.clone());
        }
        Ok(())
    }

    /// Whether the venue has a driver; remembered in
    /// [`ExecutionInterfaceFactory::venue_validation`].
    pub fn validate_venue(&mut self, venue: &str) -> bool {
        let known = self.inputs.registry.find_name(venue).is_some();
        self.venue_validation.insert(venue.to_owned(), known);
        known
    }

    /// The venues users may name, in the order of the registry.
    #[must_use]
    pub fn available_venues(&self) -> Vec<Venue> {
        self.inputs
            .registry
            .listed()
            .map(|driver| driver.facts.venue)
            .collect()
    }

    /// What there is to know of `venue`; available when it works in this factory's mode.
    ///
    /// # Errors
    /// EIF-002 for a venue without a driver.
    pub fn venue_info(&self, venue: &str) -> Result<VenueInfo, ComponentError> {
        let driver = self.inputs.registry.require(venue)?;
        Ok(VenueInfo {
            is_available: driver.facts.modes.contains(&self.execution_mode()),
            ..VenueInfo::of(driver)
        })
    }

    /// What sort of venue it is; `None` without a driver.
    #[must_use]
    pub fn venue_type(&self, venue: &str) -> Option<VenueType> {
        self.inputs
            .registry
            .find_name(venue)
            .map(|driver| driver.facts.venue_type)
    }

    /// The newest interface created for each venue.
    #[must_use]
    pub const fn created_interfaces(&self) -> &BTreeMap<Venue, CreatedInterface> {
        &self.created_interfaces
    }

    /// The class name of each driver, internal ones included.
    #[must_use]
    pub const fn interface_map(&self) -> &BTreeMap<Venue, &'static str> {
        &self.interface_map
    }

    /// The last validation of each venue that was asked for: `false` without a driver, and after
    /// an EIF-002 for its settings.
    #[must_use]
    pub const fn venue_validation(&self) -> &BTreeMap<String, bool> {
        &self.venue_validation
    }

    /// Whether its interfaces simulate or trade.
    #[must_use]
    pub const fn execution_mode(&self) -> ExecutionMode {
        self.inputs.surroundings.mode()
    }

    /// How the factory is.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    fn create(
        &mut self,
        mut request: Request<'_>,
        warnings: &mut Vec<Problem>,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let started = self.inputs.clock.now();
        let dependencies = request.dependencies.take();
        let created = self
            .check(&request, dependencies.as_ref(), warnings)
            .and_then(|checked| {
                let interface = self.build(&checked, &dependencies.unwrap_or_default())?;
                Ok((checked.driver, interface))
            });
        match created {
            Ok((driver, interface)) => {
                self.succeeded(&driver, started);
                Ok(interface)
            }
            Err(e) => {
                self.failed(&e);
                Err(e)
            }
        }
    }

    /// Everything that is checked before anything is built, in the documented order.
    fn check(
        &mut self,
        request: &Request<'_>,
        dependencies: Option<&Dependencies>,
        warnings: &mut Vec<Problem>,
    ) -> Result<Checked, ComponentError> {
        self.validate_venue(request.venue);
        let driver = *self
            .inputs
            .registry
            .require(request.venue)
            .map_err(|e| outcome::at(request.place, e))?;
        outcome::check_mode(&driver, self.execution_mode())?;
        if let Some(dependencies) = dependencies {
            outcome::check_dependencies(&driver, &self.inputs, dependencies)?;
        }
        let checked = self
            .read_settings(&driver, request.section, warnings)
            .and_then(|build| {
                Ok(Checked {
                    driver,
                    build,
                    ground: self.ground_of(&driver)?,
                })
            });
        if let Err(e) = &checked
            && e.code == Code::VenueInvalid
        {
            self.venue_validation
                .insert(request.venue.to_owned(), false);
        }
        checked
    }

    fn read_settings(
        &self,
        driver: &VenueDriver,
        section: Option<&Node>,
        warnings: &mut Vec<Problem>,
    ) -> Result<Build, ComponentError> {
        let venue = driver.facts.venue;
        let node = section.map_or_else(
            || Node::empty_map(Location::new("built-in defaults", 0)),
            Node::clone,
        );
        let problems = Problems::new();
        let build = driver.read(&node, &problems);
        let problems: Vec<_> = problems
            .into_sorted()
            .into_iter()
            .map(|problem| outcome::with_whole_path(venue, problem))
            .collect();
        let contradictions = Problems::new();
        if let Surroundings::Live { environment, .. } = &self.inputs.surroundings {
            network::check_section(driver, &node, *environment, &contradictions);
        }
        let contradictions = contradictions.into_sorted();
        if self.inputs.settings.validation_strict() || !contradictions.is_empty() {
            outcome::refuse_problems(venue, &problems, &contradictions)?;
        }
        for problem in &problems {
            self.record(EventData::StateUpdate {
                state: "venue_settings_warning".into(),
                detail: format!("{problem}; the default is used"),
            });
        }
        warnings.extend(problems);
        Ok(build)
    }

    /// Live only: a backtest never looks at a credential.
    fn ground_of(&self, driver: &VenueDriver) -> Result<Ground, ComponentError> {
        let (environment, variables, runtime) = match &self.inputs.surroundings {
            Surroundings::Simulated(world) => return Ok(Ground::Simulated(world.clone())),
            Surroundings::Live {
                environment,
                variables,
                runtime,
            } => (environment, variables, runtime),
        };
        let venue = driver.facts.venue;
        let set = &driver.facts.credentials;
        let credentials =
            load_credentials(set, *environment, variables).map_err(|e| outcome::about(venue, e))?;
        let contradicting = network::contradicting_variables(set, &credentials, *environment);
        if !contradicting.is_empty() {
            let message = format!("{venue}: {}", contradicting.join("; "));
            return Err(ComponentError::new(Code::VenueInvalid, message).with_reason("environment"));
        }
        Ok(Ground::Live(LiveContext {
            environment: *environment,
            credentials: Arc::new(credentials),
            runtime: runtime.clone(),
        }))
    }

    fn build(
        &self,
        checked: &Checked,
        dependencies: &Dependencies,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let inputs = &self.inputs;
        let driver = &checked.driver;
        let credentials = checked.ground.credentials();
        let attempt = |deadline| {
            let handles = Handles {
                dependencies: dependencies.clone(),
                deadline,
            };
            let context = checked.ground.context(handles);
            (checked.build)(context).map_err(|e| outcome::driver_failure(driver, credentials, e))
        };
        let attempts_max = inputs.settings.max_retries() + 1;
        let before_next = |next: retry::NextAttempt<'_>| {
            let (made, wait, error) = (next.made, next.wait, next.error);
            self.record(EventData::StateUpdate {
                state: "interface_creation_retry".into(),
                detail: format!(
                    "{}: attempt {made} of {attempts_max} failed, next in {wait}: {error}",
                    driver.facts.venue
                ),
            });
        };
        retry::with_retries(&*inputs.clock, &inputs.settings, attempt, before_next)
            .map_err(|e| outcome::about(driver.facts.venue, e))
    }

    fn succeeded(&mut self, driver: &VenueDriver, started: Timestamp) {
        let now = self.inputs.clock.now();
        let taken = now.since(started);
        let created = CreatedInterface {
            class_name: driver.facts.class_name,
            at: now,
        };
        self.created_interfaces.insert(driver.facts.venue, created);
        self.health.succeeded(now, taken);
        self.record(EventData::InterfaceCreated {
            venue: driver.facts.venue,
            interface_class: driver.facts.class_name.into(),
            processing_time_ms: taken.nanos() / 1_000_000,
        });
    }

    fn failed(&mut self, e: &ComponentError) {
        let now = self.inputs.clock.now();
        self.health.failed(now, e);
        let event = Event::error(now, Component::ExecutionInterfaceFactory, e);
        self.inputs.events.record(event);
    }

    fn record(&self, data: EventData) {
        let now = self.inputs.clock.now();
        let event = Event::new(now, Component::ExecutionInterfaceFactory, data);
        self.inputs.events.record(event);
    }
}
