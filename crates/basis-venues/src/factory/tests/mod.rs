//! Fake drivers, a recording event sink, and the factories the tests run on.
//!
//! A fake driver takes its orders from its settings, so tests share no state.

mod creation;
mod live;
mod retries;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use basis_core::clock::VirtualClock;
use basis_core::config::Reader;
use basis_core::error::{VenueError, VenueErrorKind};
use basis_core::execution::{Execution, ExecutionStatus, Position, VenueEvent};
use basis_core::executor::{VirtualTime, run};
use basis_core::instruction::{Instruction, OperationKind};
use basis_core::market::MarketView;
use basis_core::num::Quantity;
use basis_core::rules::VenueRules;
use basis_core::types::{Account, Asset, Item};
use basis_core::venue::{Capabilities, CredentialSet, DataProvider, PositionReader};

use super::*;
use crate::credentials::{ALCHEMY, BINANCE, BYBIT, OKX};

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

    fn decimals(&self, _: Asset) -> Option<u32> {
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
    Hang,
    Leak,
}

fn parse(node: &Node, problems: &Problems) -> Arc<dyn std::any::Any + Send + Sync> {
    let reader = Reader::new(node, "", problems);
    let choices = [
        ("retryable", Failure::Retryable),
        ("unavailable", Failure::Unavailable),
        ("final", Failure::Final),
        ("venue", Failure::Venue),
        ("credentials", Failure::Credentials),
        ("hang", Failure::Hang),
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
    Arc::new(settings)
}

async fn build(
    settings: &VenueSettings,
    mode: ExecutionMode,
    dependencies: Dependencies,
) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
    assert_eq!(settings.credentials.is_some(), mode == ExecutionMode::Live);
    let fake: &FakeSettings = settings.parsed().unwrap();
    if fake.failures.fetch_sub(1, Ordering::Relaxed) > 0 {
        let error = match fake.failure {
            Failure::Retryable => {
                ComponentError::new(Code::CreationFailed, "not yet there").retryable()
            }
            Failure::Unavailable => VenueError::new(
                settings.venue,
                "connect",
                VenueErrorKind::Unavailable("connection refused".to_owned()),
            )
            .into(),
            Failure::Final => ComponentError::new(Code::CreationFailed, "never"),
            Failure::Venue => ComponentError::new(Code::VenueInvalid, "no").retryable(),
            Failure::Credentials => ComponentError::new(Code::CredentialsInvalid, "no").retryable(),
            Failure::Hang => std::future::pending().await,
            Failure::Leak => {
                let credentials = settings.credentials.as_deref().unwrap();
                let url = credentials.get("rpc_url").unwrap().expose();
                VenueError::new(
                    settings.venue,
                    "connect",
                    VenueErrorKind::Unavailable(format!("no answer from {url}")),
                )
                .into()
            }
        };
        return Err(error);
    }
    let ready = dependencies.missing().is_empty();
    Ok(Box::new(Fake {
        venue: settings.venue,
        size: fake.size,
        dependencies: ready.then_some(dependencies),
    }))
}

struct Fake {
    venue: Venue,
    size: i64,
    dependencies: Option<Dependencies>,
}

#[async_trait]
impl ExecutionInterface for Fake {
    fn venue(&self) -> Venue {
        self.venue
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.dependencies = Some(dependencies);
    }

    async fn execute_instruction(
        &mut self,
        view: &MarketView,
        instruction: &Instruction,
    ) -> Result<Execution, VenueError> {
        if self.dependencies.is_none() {
            let operation = instruction.operation.kind().as_str();
            return Err(VenueError::new(
                self.venue,
                operation,
                VenueErrorKind::NotReady,
            ));
        }
        Ok(Execution {
            instruction: instruction.id,
            venue: self.venue,
            status: ExecutionStatus::Settled,
            fills: Vec::new(),
            venue_reference: None,
            entries: Vec::new(),
            at: view.now(),
        })
    }

    async fn advance(&mut self, _: &MarketView) -> Result<Vec<VenueEvent>, VenueError> {
        Ok(Vec::new())
    }

    /// Shows the size it was built with, in seconds.
    fn next_event_at(&self) -> Option<Timestamp> {
        Some(Timestamp::from_seconds(self.size))
    }

    async fn positions(&mut self, _: &MarketView) -> Result<Vec<Position>, VenueError> {
        Ok(Vec::new())
    }

    fn health(&self) -> Health {
        Health::default()
    }
}

const fn row(
    venue: &'static str,
    venue_type: VenueType,
    class_name: &'static str,
    credentials: CredentialSet,
) -> VenueDriver {
    VenueDriver {
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
        parse_settings: parse,
        build: |settings, mode, dependencies| Box::pin(build(settings, mode, dependencies)),
    }
}

pub(super) fn registry() -> Registry {
    let cex = VenueType::Cex;
    let backtest_only = VenueDriver {
        modes: &[ExecutionMode::Backtest],
        ..row("paper", cex, "PaperExecutionInterface", BYBIT)
    };
    let hidden = VenueDriver {
        listed: false,
        ..row("wallet", VenueType::OnChain, "Wallet", ALCHEMY)
    };
    let with_clock = VenueDriver {
        dependencies: &["position_monitor", "clock", "transit"],
        ..row("timed", cex, "TimedExecutionInterface", BYBIT)
    };
    [
        row("binance", cex, "BinanceExecutionInterface", BINANCE),
        row("bybit", cex, "BybitExecutionInterface", BYBIT),
        row("okx", cex, "OKXExecutionInterface", OKX),
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
        backtest_only,
        hidden,
        with_clock,
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
        let variables = variables.iter().cloned().collect();
        let root = tree("component_config.execution_interface_factory", settings);
        let problems = Problems::new();
        let settings = FactorySettings::read(&root, &problems, &variables);
        assert!(problems.is_empty(), "{problems:?}");
        let factory = ExecutionInterfaceFactory::new(FactoryInputs {
            registry: registry(),
            settings,
            mode,
            environment,
            variables,
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
        let future = self
            .factory
            .create_interface(venue, Some(&section), Some(dependencies));
        run(&mut VirtualTime::new(self.clock.clone()), future).unwrap()
    }

    pub(super) fn create_all(&mut self, venue_settings: &Node) -> CreatedInterfaces {
        let dependencies = self.dependencies();
        let future = self
            .factory
            .create_all_interfaces(venue_settings, Some(dependencies));
        run(&mut VirtualTime::new(self.clock.clone()), future).unwrap()
    }

    pub(super) fn dependencies(&self) -> Dependencies {
        Dependencies {
            position_reader: Some(Arc::new(NoBooks)),
            event_sink: Some(Arc::clone(&self.log) as Arc<dyn EventSink>),
            data_provider: Some(Arc::new(NoRules)),
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
