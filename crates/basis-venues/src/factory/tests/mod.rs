//! Fake drivers, a recording event sink, and the factories the tests run on.
//!
//! A fake driver takes its orders from its settings, so tests share no state.

mod creation;
mod live;
mod retries;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use basis_core::clock::VirtualClock;
use basis_core::config::Reader;
use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::instruction::{Instruction, OperationKind};
use basis_core::num::Quantity;
use basis_core::rules::VenueRules;
use basis_core::types::{Account, Asset, Item};
use basis_core::venue::{Capabilities, CredentialSet, DataProvider, PositionReader};
use basis_core::venue_event::{AccountSnapshot, EventKind, Events, Position, VenueEvent};
use basis_market::Horizon;
use basis_market::MarketView;

use super::*;
use crate::credentials::{ALCHEMY, BINANCE, BYBIT, BasisEnvironment, OKX, Variables};
use crate::driver::{Driver, DriverFacts, LiveRuntime};

#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Vec<Event>>);

impl EventSink for Log {
    fn record(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Log {
    pub(super) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn types(&self) -> Vec<&'static str> {
        self.events()
            .iter()
            .map(|event| event.data.event_type())
            .collect()
    }
}

#[derive(Debug)]
struct NoBooks;

impl PositionReader for NoBooks {
    fn quantity(&self, _: Account, _: Item) -> Quantity {
        Quantity::ZERO
    }

    fn positions(&self) -> Vec<Position> {
        Vec::new()
    }
}

#[derive(Debug)]
struct NoRules;

impl DataProvider for NoRules {
    fn rules(&self, _: Venue) -> Option<Arc<VenueRules>> {
        None
    }

    fn decimals(&self, _: Venue, _: Asset) -> Option<u32> {
        None
    }
}

/// What a fake driver was told to do.
struct FakeSettings {
    /// Attempts left that fail.
    failures: AtomicI64,
    failure: Failure,
    size: i64,
}

#[derive(Clone, Copy)]
enum Failure {
    Retryable,
    Unavailable,
    Final,
    Venue,
    Credentials,
    /// Gives up only at the deadline.
    Hang,
    /// An interface that comes at the deadline.
    Late,
    Leak,
}

fn parse(node: &Node, problems: &Problems) -> FakeSettings {
    let reader = Reader::new(node, "", problems);
    let choices = [
        ("retryable", Failure::Retryable),
        ("unavailable", Failure::Unavailable),
        ("final", Failure::Final),
        ("venue", Failure::Venue),
        ("credentials", Failure::Credentials),
        ("hang", Failure::Hang),
        ("late", Failure::Late),
        ("leak", Failure::Leak),
    ];
    let settings = FakeSettings {
        failures: AtomicI64::new(reader.integer("failures", 0..=1_000, 0)),
        failure: reader.choice("failure", &choices, Failure::Retryable),
        size: reader.integer("size", 1..=10, 5),
    };
    let _testnet = reader.boolean("testnet", false);
    for key in ["network", "gas_strategy", "chain_id"] {
        let _text = reader.text(key);
    }
    if let Some(limits) = reader.section("rate_limits") {
        let _limit = limits.integer("requests_per_minute", 1..=10_000, 1_200);
        limits.finish();
    }
    reader.finish();
    settings
}

fn build(
    venue: Venue,
    fake: &FakeSettings,
    context: &BuildContext,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    let Handles {
        dependencies,
        deadline,
    } = context.handles().clone();
    if fake.failures.fetch_sub(1, Ordering::Relaxed) > 0 {
        let unavailable = |what: String| {
            ComponentError::from(VenueError::new(
                venue,
                "connect",
                VenueErrorKind::Unavailable(what),
            ))
        };
        let error = match fake.failure {
            Failure::Retryable => {
                ComponentError::new(Code::CreationFailed, "not yet there").retryable()
            }
            Failure::Unavailable => unavailable("connection refused".to_owned()),
            Failure::Final => ComponentError::new(Code::CreationFailed, "never"),
            Failure::Venue => ComponentError::new(Code::VenueInvalid, "no").retryable(),
            Failure::Credentials => ComponentError::new(Code::CredentialsInvalid, "no").retryable(),
            Failure::Hang => {
                wait_for(&dependencies, deadline);
                ComponentError::new(Code::CreationFailed, "gave up")
            }
            Failure::Late => {
                wait_for(&dependencies, deadline);
                return Ok(Box::new(Fake::new(venue, fake.size, None)));
            }
            Failure::Leak => {
                let BuildContext::Live(live, _) = context else {
                    panic!("a backtest has no credentials");
                };
                let url = live.credentials.get("rpc_url").unwrap().expose();
                unavailable(format!("no answer from {url}"))
            }
        };
        return Err(error);
    }
    let ready = dependencies.missing().is_empty();
    let dependencies = ready.then_some(dependencies);
    Ok(Box::new(Fake::new(venue, fake.size, dependencies)))
}

fn wait_for(dependencies: &Dependencies, at: Timestamp) {
    let clock = dependencies.clock.as_ref().unwrap();
    clock.wait_until(at);
}

struct Fake {
    venue: Venue,
    size: i64,
    dependencies: Option<Dependencies>,
    capabilities: Capabilities,
    account: AccountSnapshot,
}

impl Fake {
    fn new(venue: Venue, size: i64, dependencies: Option<Dependencies>) -> Self {
        Self {
            venue,
            size,
            dependencies,
            capabilities: Capabilities::default(),
            account: AccountSnapshot::default(),
        }
    }
}

impl ExecutionInterface for Fake {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.dependencies = Some(dependencies);
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        for instruction in instructions {
            let kind = if self.dependencies.is_some() {
                EventKind::Done {
                    instruction: instruction.id,
                }
            } else {
                let operation = instruction.operation.kind().as_str();
                EventKind::Rejected {
                    instruction: instruction.id,
                    error: Box::new(VenueError::new(
                        self.venue,
                        operation,
                        VenueErrorKind::NotReady,
                    )),
                }
            };
            events.push(VenueEvent::new(self.venue, view.now(), view.now(), kind));
        }
    }

    fn poll_events(&mut self, _: &MarketView, _: &mut Events) {}

    /// Shows the size it was built with, in seconds.
    fn horizon(&self, _: &MarketView) -> Horizon {
        Horizon::at(Some(Timestamp::from_seconds(self.size)))
    }

    fn account(&self) -> &AccountSnapshot {
        &self.account
    }

    fn request_snapshot(&mut self) {}

    fn health(&self) -> Health {
        Health::default()
    }
}

/// A fake driver per row of [`ROWS`]: a driver knows its venue by its type.
struct FakeDriver<const ROW: usize>;

impl<const ROW: usize> Driver for FakeDriver<ROW> {
    type Settings = FakeSettings;

    const FACTS: DriverFacts = ROWS[ROW];

    fn parse(node: &Node, problems: &Problems) -> FakeSettings {
        parse(node, problems)
    }

    fn build(
        settings: &FakeSettings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        build(Self::FACTS.venue, settings, &context)
    }
}

const ROWS: [DriverFacts; 8] = [
    row(
        "binance",
        VenueType::Cex,
        "BinanceExecutionInterface",
        BINANCE,
    ),
    row("bybit", VenueType::Cex, "BybitExecutionInterface", BYBIT),
    row("okx", VenueType::Cex, "OKXExecutionInterface", OKX),
    row(
        "uniswap",
        VenueType::Dex,
        "UniswapExecutionInterface",
        ALCHEMY,
    ),
    row(
        "aave",
        VenueType::OnChain,
        "AAVEExecutionInterface",
        ALCHEMY,
    ),
    DriverFacts {
        modes: &[ExecutionMode::Backtest],
        ..row("paper", VenueType::Cex, "PaperExecutionInterface", BYBIT)
    },
    DriverFacts {
        listed: false,
        ..row("wallet", VenueType::OnChain, "Wallet", ALCHEMY)
    },
    DriverFacts {
        dependencies: &["position_monitor", "clock"],
        ..row("timed", VenueType::Cex, "TimedExecutionInterface", BYBIT)
    },
];

const fn row(
    venue: &'static str,
    venue_type: VenueType,
    class_name: &'static str,
    credentials: CredentialSet,
) -> DriverFacts {
    DriverFacts {
        venue: Venue::literal(venue),
        venue_type,
        class_name,
        module: "tests",
        description: "A venue of the tests.",
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials,
        modes: &[ExecutionMode::Backtest, ExecutionMode::Live],
        operations: &[OperationKind::CancelOrder],
        listed: true,
    }
}

pub(super) fn registry() -> Registry {
    [
        VenueDriver::of::<FakeDriver<0>>(),
        VenueDriver::of::<FakeDriver<1>>(),
        VenueDriver::of::<FakeDriver<2>>(),
        VenueDriver::of::<FakeDriver<3>>(),
        VenueDriver::of::<FakeDriver<4>>(),
        VenueDriver::of::<FakeDriver<5>>(),
        VenueDriver::of::<FakeDriver<6>>(),
        VenueDriver::of::<FakeDriver<7>>(),
    ]
    .into_iter()
    .fold(Registry::empty(), |registry, row| {
        registry.with(row).unwrap()
    })
}

/// A factory, its clock and its log.
pub(super) struct Bench {
    pub(super) factory: ExecutionInterfaceFactory,
    pub(super) clock: VirtualClock,
    pub(super) log: Arc<Log>,
}

pub(super) fn start() -> Timestamp {
    Timestamp::parse("2024-05-01T00:00:00Z").unwrap()
}

impl Bench {
    pub(super) fn backtest() -> Self {
        Self::new(ExecutionMode::Backtest, BasisEnvironment::Dev, &[], "")
    }

    /// `settings` are lines `key value` of the factory's section.
    pub(super) fn new(
        mode: ExecutionMode,
        environment: BasisEnvironment,
        variables: &[(String, String)],
        settings: &str,
    ) -> Self {
        let clock = VirtualClock::new(start());
        let log = Arc::new(Log::default());
        let variables: Variables = variables.iter().cloned().collect();
        let root = tree("component_config.execution_interface_factory", settings);
        let problems = Problems::new();
        let settings = FactorySettings::read(&root, &problems, &variables);
        assert!(problems.is_empty(), "{problems:?}");
        let factory = ExecutionInterfaceFactory::new(FactoryInputs {
            registry: registry(),
            settings,
            surroundings: match mode {
                ExecutionMode::Backtest => Surroundings::Simulated(SimulatedWorld::default()),
                ExecutionMode::Live => Surroundings::Live {
                    environment,
                    variables,
                    runtime: LiveRuntime::none(),
                },
            },
            clock: Arc::new(clock.clone()),
            events: Arc::clone(&log) as Arc<dyn EventSink>,
            config_hash: "c0ffee".to_owned(),
        });
        Self {
            factory,
            clock,
            log,
        }
    }

    pub(super) fn create(
        &mut self,
        venue: &str,
        settings: &str,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let section = section(settings);
        let dependencies = self.dependencies();
        self.factory
            .create_interface(venue, Some(&section), Some(dependencies))
    }

    pub(super) fn create_all(&mut self, venue_settings: &Node) -> CreatedInterfaces {
        let dependencies = self.dependencies();
        self.factory
            .create_all_interfaces(venue_settings, Some(dependencies))
    }

    pub(super) fn dependencies(&self) -> Dependencies {
        Dependencies {
            position_reader: Some(Arc::new(NoBooks)),
            event_sink: Some(Arc::clone(&self.log) as Arc<dyn EventSink>),
            data_provider: Some(Arc::new(NoRules)),
            clock: Some(Arc::new(self.clock.clone())),
            ..Dependencies::default()
        }
    }

    pub(super) fn elapsed(&self) -> i64 {
        self.clock.now().since(start()).seconds()
    }

    /// Everything that was logged, with every cause.
    pub(super) fn log_text(&self) -> String {
        format!("{:?}", self.log.events())
    }
}

/// Lines `dotted.path value` below `prefix`, each located on its own line of `m.yaml`.
pub(super) fn tree(prefix: &str, lines: &str) -> Node {
    let mut root = Node::empty_map(Location::new("m.yaml", 1));
    for (number, line) in (1..).zip(lines.lines()) {
        let mut words = line.split_whitespace();
        if let (Some(key), value) = (words.next(), words.next().unwrap_or_default()) {
            let path = format!("{prefix}.{key}");
            root.set_path(&path, Node::text(value, Location::new("m.yaml", number)));
        }
    }
    root
}

pub(super) fn section(lines: &str) -> Node {
    tree("s", lines)
        .get("s")
        .cloned()
        .unwrap_or_else(|| Node::empty_map(Location::new("m.yaml", 1)))
}
