//! `harbor`, an exchange of one's own: it keeps 8 decimals of USDT, takes seconds to fill, fills in two
//! parts, says everything twice, and settles its own funding every four hours.
//!
//! **Invariants.** It reports facts and values nothing. Its tally is changed by its own arithmetic, never
//! by adding up what it reported, so that the engine can compare the two. An instruction is taken on once.

mod orders;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use basis::core::config::{Node, Problems, Reader};
use basis::core::error::{ComponentError, VenueError, VenueErrorKind};
use basis::core::health::Health;
use basis::core::in_flight::InFlightTransfers;
use basis::core::instruction::{Instruction, OperationKind};
use basis::core::num::{Quantity, Rate};
use basis::core::types::{Account, Asset, InstructionId, Label, Span, Timestamp, Venue};
use basis::core::venue::{Capabilities, CredentialSet, Dependencies, ExecutionMode, VenueType};
use basis::core::venue_event::{AccountSnapshot, EventKind, Events, VenueEvent};
use basis::market::MarketView;
use basis::market::{ExecutionInterface, Horizon};
use basis::protocols::exchange::PerpPosition;
use basis::venues::driver::{BuildContext, Driver, DriverFacts, VenueDriver};
use basis::venues::registry::{DuplicateVenue, Registry};

use self::orders::Pending;

/// The venue's id: its key in `venue_settings` and its name in every account.
pub const HARBOR: Venue = Venue::literal("harbor");

/// Decimals that it keeps of USDT; the token has 6.
const DECIMALS: u32 = 8;
const USDT: Asset = Asset::literal("USDT");
const BTC: Asset = Asset::literal("BTC");
const ACCOUNT: Account = Account::new(HARBOR, Label::literal("main"));
const LOT: Quantity = Quantity::literal("0.00001");
const SPOT_FEE: Rate = Rate::literal("0.0007");
const PERP_FEE: Rate = Rate::literal("0.0005");
const FUNDING_INTERVAL: Span = Span::from_hours(4);
const OPERATIONS: &[OperationKind] = &[OperationKind::SpotTrade, OperationKind::PerpTrade];

/// The registry of the built-in venues and this one.
///
/// # Errors
/// [`DuplicateVenue`] when the name is taken.
pub fn registry() -> Result<Registry, DuplicateVenue> {
    Registry::builtin().with(VenueDriver::of::<HarborDriver>())
}

/// The driver: what the factory knows of the venue.
#[derive(Debug)]
pub struct HarborDriver;

/// What `venue_settings.harbor` says.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long the first part of an order takes; the second takes twice as long.
    latency: Span,
    /// Paid by longs to shorts every four hours, of the notional at the mark.
    funding_rate: Rate,
}

impl Driver for HarborDriver {
    type Settings = Settings;

    const FACTS: DriverFacts = DriverFacts {
        venue: HARBOR,
        venue_type: VenueType::Cex,
        class_name: "HarborExecutionInterface",
        module: module_path!(),
        description: "An exchange of one's own, as an example",
        dependencies: &["position_monitor", "event_logger", "data_provider"],
        credentials: CredentialSet {
            name: "harbor",
            variables: &[],
        },
        modes: &[ExecutionMode::Backtest],
        operations: OPERATIONS,
        listed: true,
    };

    fn parse(node: &Node, problems: &Problems) -> Settings {
        let reader = Reader::new(node, "", problems);
        let latency = Span::from_seconds(reader.integer("latency_seconds", 0..=600, 2));
        let funding_rate = reader.parse("funding_rate").unwrap_or_default();
        reader.finish();
        Settings {
            latency,
            funding_rate,
        }
    }

    fn build(
        settings: &Settings,
        context: BuildContext,
    ) -> Result<Box<dyn ExecutionInterface>, ComponentError> {
        let (world, dependencies) = context.simulated(Self::FACTS.venue)?;
        Ok(Box::new(Harbor {
            settings: *settings,
            capabilities: Capabilities {
                operations: OPERATIONS.to_vec(),
                ..Capabilities::default()
            },
            is_ready: dependencies.missing().is_empty(),
            transit: world.transit,
            taken: BTreeSet::new(),
            inbox: Vec::new(),
            cash: BTreeMap::new(),
            position: PerpPosition::default(),
            funded_to: None,
            trades: 0,
            snapshot: AccountSnapshot::default(),
            snapshot_wanted: false,
            health: Health::default(),
        }))
    }
}

/// The exchange.
#[derive(Debug)]
struct Harbor {
    settings: Settings,
    capabilities: Capabilities,
    is_ready: bool,
    transit: Arc<InFlightTransfers>,
    taken: BTreeSet<InstructionId>,
    inbox: Vec<(Timestamp, Pending)>,
    cash: BTreeMap<Asset, Quantity>,
    position: PerpPosition,
    /// The last funding instant that was settled.
    funded_to: Option<Timestamp>,
    trades: u64,
    snapshot: AccountSnapshot,
    snapshot_wanted: bool,
    health: Health,
}

impl ExecutionInterface for Harbor {
    fn venue(&self) -> Venue {
        HARBOR
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn set_dependencies(&mut self, dependencies: Dependencies) {
        self.is_ready = dependencies.missing().is_empty();
    }

    fn execute_instructions(
        &mut self,
        view: &MarketView,
        instructions: &[Instruction],
        events: &mut Events,
    ) {
        for instruction in instructions {
            if !self.taken.insert(instruction.id) {
                continue;
            }
            let taken = if self.is_ready {
                self.take(view, instruction)
            } else {
                Err(VenueErrorKind::NotReady)
            };
            if let Err(kind) = taken {
                let operation = instruction.operation.kind().as_str();
                let error = VenueError::new(HARBOR, operation, kind);
                self.health.failed(view.now(), &error.clone().into());
                let kind = EventKind::Rejected {
                    instruction: instruction.id,
                    error: Box::new(error),
                };
                events.push(VenueEvent::new(HARBOR, view.now(), view.now(), kind));
            }
        }
    }

    fn poll_events(&mut self, view: &MarketView, events: &mut Events) {
        let now = view.now();
        let advanced = self
            .release(view, events)
            .and_then(|()| self.fund(view, events))
            .and_then(|()| self.arrivals(now, events));
        if let Err(e) = advanced {
            let kind = VenueErrorKind::InvalidRequest(e.to_string());
            let error = Some(Box::new(VenueError::new(HARBOR, "poll", kind)));
            let connected = false;
            let kind = EventKind::Connectivity { connected, error };
            events.push(VenueEvent::new(HARBOR, now, now, kind));
        }
        if std::mem::take(&mut self.snapshot_wanted) {
            self.snapshot = self.read(now);
            let (asked, answered) = (now, now);
            let kind = EventKind::Snapshot { asked, answered };
            events.push(VenueEvent::new(HARBOR, now, now, kind));
        }
    }

    fn horizon(&self, _: &MarketView) -> Horizon {
        let Some(funding) = self.next_funding() else {
            return Horizon::NOW;
        };
        let answer = self.inbox.first().map(|(at, _)| *at);
        let arrival = self.transit.next_arrival(HARBOR);
        let others = answer.into_iter().chain(arrival);
        Horizon::at(others.chain([funding]).min())
    }

    fn account(&self) -> &AccountSnapshot {
        &self.snapshot
    }

    fn request_snapshot(&mut self) {
        self.snapshot_wanted = true;
    }

    fn health(&self) -> Health {
        self.health.clone()
    }
}
